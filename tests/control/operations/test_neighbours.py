"""Who hears whom, on a whole gateway with a simulated network, under a clock."""

from __future__ import annotations

from itertools import pairwise

from tests.control.operations.test_actions import ActionTestCase
from tests.support import present
from zbtwist.control import faults
from zbtwist.health.questions import PAUSE as HEALTH_PAUSE
from zbtwist.network.events import BytesPassed, WalkBegan, WalkEnded
from zbtwist.network.walk import AWAY_PAUSE, PAUSE
from zbtwist.runtime.event_bus import Event
from zbtwist.simulator.channel import DIGI_RATE, ChannelAir
from zbtwist.simulator.packet import Packet
from zbtwist.xbee.address import digi_address64

#: ECHO is a hop away, ECHO2 behind it, ECHO3 behind that one.
CHAIN = {"nodes": 3, "hops": (1, 2, 3)}


class NeighbourTests(ActionTestCase):
    def address(self, name: str) -> str:
        return digi_address64(self.network.node(name).address64)

    def test_a_router(self) -> None:
        self.start(**CHAIN)
        row = self.done(self.api.neighbours("ECHO2"), 5)
        told = {one["addr_extended"]: one for one in row["neighbours"]}
        parent, child = told[self.address("ECHO")], told[self.address("ECHO3")]
        self.assertEqual((parent["relationship"], child["relationship"]), ("parent", "none"))
        self.assertEqual((parent["label"], parent["type"]), ("ECHO", "router"))
        # As strongly as the radio measures it, when a packet comes by that hop.
        rssi = self.network.node("ECHO3").rssi
        self.assertEqual(child["lqi"], round(255 * (100 - rssi) / 70))
        ways = {one["addr_short"]: one["next_hop"] for one in row["routes"]}
        short = {name: f"[{self.network.node(name).address16:04x}]!" for name in ("ECHO", "ECHO3")}
        self.assertEqual(ways["[0000]!"], short["ECHO"])
        self.assertEqual(ways[short["ECHO3"]], short["ECHO3"])
        self.assertEqual(row["text"], "")
        self.assertEqual(self.api.show("ECHO2")["neighbours"], row)
        self.assertEqual(
            {(one["addr_extended"], one["neighbour"]) for one in self.api.links()["links"]},
            {(row["addr_extended"], each) for each in told},
        )

    def test_the_radio(self) -> None:
        self.start(**CHAIN)
        row = self.done(self.api.neighbours(""))
        radio = digi_address64(self.network.radio.address64)
        self.assertEqual(row["addr_extended"], radio)
        self.assertEqual([one["label"] for one in row["neighbours"]], ["ECHO"])
        self.assertEqual(len(row["routes"]), 3)

    def test_a_large_table(self) -> None:
        """Three neighbours are in an answer, and no packet is too long."""
        self.start(nodes=30)
        row = self.done(self.api.neighbours("ECHO"), 5)
        self.assertGreater(len(row["neighbours"]), 3)
        self.assertIn("coordinator", {one["type"] for one in row["neighbours"]})

    def test_streams_meanwhile(self) -> None:
        """Each byte comes, once and in order, in whichever frames."""
        self.start(nodes=2)
        client = self.connect("ECHO")
        passed: list[BytesPassed] = []
        self.gateway.bus.subscribe(BytesPassed, passed.append)
        sent = b""
        asking = [self.call(self.api.neighbours(name)) for name in ("ECHO", "ECHO2", "")]
        for number in range(40):
            line = b"line %d\n" % number
            sent += line
            self.client.dataReceived(line)
            self.run_for(0.02, 0.002)
        self.run_for(5)
        for one in asking:
            self.successResultOf(one)
        self.assertEqual(client.value(), sent)
        self.assertEqual(self.network.radio.registers.number("AO"), 0)
        self.assertEqual(self.network.radio.flash_writes, 0)

    def test_nobody(self) -> None:
        self.start()
        self.fault(self.api.neighbours("NOBODY"), faults.UNKNOWN_NODE)
        self.device.reachable = False
        self.fault(self.api.neighbours("ECHO"), faults.NO_ANSWER, 30)
        self.assertIn("cannot be asked", self.api.show("ECHO")["neighbours"]["text"])
        self.assertEqual(self.api.show("ECHO")["neighbours"]["at"], 0)

    def test_end_device(self) -> None:
        self.start()
        self.node.role = 2
        self.assertIn("end device", self.fault(self.api.neighbours("ECHO"), faults.NODE_REFUSED))

    def test_radio_that_is_away(self) -> None:
        self.start()
        self.network.radio.leave()
        self.run_for(1)
        for operation in (self.api.neighbours("ECHO"), self.api.walk()):
            self.fault(operation, faults.RADIO_OFFLINE, 8)

    def test_no_zigbee(self) -> None:
        self.start()
        facts = present(self.gateway.network._radio.facts)
        object.__setattr__(facts, "is_zigbee", False)
        for operation in (self.api.neighbours("ECHO"), self.api.walk()):
            self.assertIn("DigiMesh", self.fault(operation, faults.NODE_REFUSED))


class AirTests(ActionTestCase):
    def test_air(self) -> None:
        """What docs/nodes.rst says of it, on a channel with Digi's rates."""
        for pause, seconds, share in ((60.0, 3930, 0.0008), (1.0, 80, 0.039)):
            self.start(nodes=20, hops=(1, 2, 2, 3), rate=DIGI_RATE)
            self.run_for(7)
            air = self.network.air
            assert isinstance(air, ChannelAir)
            busy, began = air.busy_seconds, self.reactor.seconds()
            self.done(self.api.walk(pause), 0.1)
            while self.api.links()["running"]:
                self.run_for(10, 0.1 if pause > 1 else 0.02)
            took = self.reactor.seconds() - began
            self.assertLess(abs(took / seconds - 1), 0.05)
            self.assertLess(abs((air.busy_seconds - busy) / took / share - 1), 0.1)
            self.assertEqual(self.api.links()["told"], 21)
            self.stop_now()


class WalkTests(ActionTestCase):
    def setUp(self) -> None:
        self.start(nodes=4, hops=(1, 2))
        self.events: list[Event] = []
        for kind in (WalkBegan, WalkEnded):
            self.gateway.bus.subscribe(kind, self.events.append)

    def test_no_more_air_than_health(self) -> None:
        """By default it asks as often as the health of nodes may."""
        self.assertEqual(PAUSE, HEALTH_PAUSE)
        sent: list[float] = []
        hear = self.device.hear

        def heard(packet: Packet) -> None:
            sent.append(self.reactor.seconds())
            hear(packet)

        self.patch(self.device, "hear", heard)
        self.done(self.api.walk())
        self.run_for(30 * PAUSE, 0.25)
        self.assertFalse(self.api.links()["running"])
        between = [after - before for before, after in pairwise(sent)]
        # The health questions are among them.
        self.assertGreater(len(sent), 1)
        self.assertTrue(all(each >= PAUSE / 2 for each in between), between)

    def test_all(self) -> None:
        self.network.node("ECHO4").fall_asleep(0.5)
        (sleeper,) = (one for one in self.gateway.network.nodes if one.label == "ECHO4")
        sleeper.role = 2
        self.network.node("ECHO3").reachable = False
        begun = self.done(self.api.walk(1), 0.05)
        self.assertTrue(begun["running"])
        # Itself, and three routers: the fourth sleeps.
        self.assertEqual((begun["total"], begun["asked"], begun["pause"]), (4, 0, 1))
        self.run_for(4)
        half = self.api.links()
        self.assertGreater(half["seconds_left"], 0)
        self.assertIn("of 4 modules were asked", half["text"])
        self.run_for(40)
        ended = self.api.links()
        self.assertEqual((ended["running"], ended["asked"], ended["told"]), (False, 4, 3), ended)
        self.assertEqual(len({one["addr_extended"] for one in ended["links"]}), 3)
        began, over = self.events
        self.assertEqual(began, WalkBegan(4, 1))
        assert isinstance(over, WalkEnded)
        self.assertEqual((over.asked, over.told, over.is_whole), (4, 3, True))
        self.assertTrue(str(over).endswith("."))

    def test_end(self) -> None:
        self.done(self.api.walk())
        row = self.api.end_walk()
        self.assertFalse(row["running"])
        self.assertIn("by hand", str(self.events[-1]))
        self.api.end_walk()
        self.assertEqual(len(self.events), 2)
        self.run_for(1)
        self.assertEqual(self.network.radio.registers.number("AO"), 0)

    def test_begun_twice(self) -> None:
        """It is one, at the pace that was asked for last."""
        self.done(self.api.walk())
        self.assertEqual(self.done(self.api.walk(0.5))["pause"], 0.5)
        self.assertEqual(len(self.events), 1)

    def test_pause(self) -> None:
        for pause in (0, -1, 3601, float("nan"), float("inf")):
            self.fault(self.api.walk(pause), faults.BAD_VALUE)

    def test_radio_that_goes(self) -> None:
        """It waits for it, and goes on."""
        self.done(self.api.walk(0.5), 0.5)
        self.network.radio.leave()
        self.run_for(AWAY_PAUSE)
        self.assertTrue(self.api.links()["running"])
        self.assertIn("joining", self.api.links()["text"])
        self.network.radio.join()
        self.run_for(60)
        row = self.api.links()
        self.assertEqual((row["running"], row["told"]), (False, 5), row)

    def test_who_is_forgotten_meanwhile(self) -> None:
        self.done(self.api.walk(0.5), 0.1)
        (last,) = (one for one in self.gateway.network.nodes if one.label == "ECHO4")
        self.gateway.network.nodes.remove(last)
        self.network.remove_node(self.network.node("ECHO4"))
        self.run_for(60)
        row = self.api.links()
        self.assertFalse(row["running"])
        self.assertNotIn(
            digi_address64(last.address64), {one["addr_extended"] for one in row["links"]}
        )
