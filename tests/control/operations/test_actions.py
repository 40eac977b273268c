"""What a node is told to do, on a whole gateway with a simulated network, under a clock."""

from __future__ import annotations

from typing import Any

from tests.control.support import GatewayTestCase
from tests.support import present
from zbtwist.binding.link_test import MAX_AT_ONCE, MAX_SECONDS
from zbtwist.binding.stream_events import LinkTested, StreamBroken
from zbtwist.config.settings import Settings
from zbtwist.control import faults
from zbtwist.control.faults import ControlFault
from zbtwist.network.events import BytesPassed, NodeIdentified
from zbtwist.network.node import Node
from zbtwist.radio.errors import GATEWAY_STOPS
from zbtwist.radio.info import RadioInfo
from zbtwist.simulator.node import Node as SimulatedNode
from zbtwist.simulator.packet import Packet
from zbtwist.xbee.frames import DIGI_PROFILE, LOOPBACK_CLUSTER, SERIAL_ENDPOINT


class ActionTestCase(GatewayTestCase):
    def start(self, **options: Any) -> None:
        self.build(**{"kinds": ("echo",), "nodes": 1, "node_baud": 230400, **options})
        self.run_for(3)
        self.device = self.network.node("ECHO")

    @property
    def node(self) -> Node:
        return present(self.gateway.network.nodes.get(self.device.address64))

    def done(self, operation: Any, seconds: float = 1.0) -> Any:
        call = self.call(operation)
        self.run_for(seconds)
        return self.successResultOf(call)

    def fault(self, operation: Any, number: int, seconds: float = 1.0) -> str:
        call = self.call(operation)
        self.run_for(seconds)
        fault = self.failureResultOf(call, ControlFault).value
        self.assertEqual(fault.number, number, fault)
        self.assertTrue(str(fault).endswith("."))
        return str(fault)


class CommandTests(ActionTestCase):
    def setUp(self) -> None:
        self.start()
        # What it says again within ten seconds is one event.
        self.run_for(10)

    def test_restart(self) -> None:
        """It does, with what is in its flash memory, and says so; what it had in hand is lost."""
        self.done(self.api.at("ECHO", "D1", 3))
        client = self.connect("ECHO")
        heard: list[NodeIdentified] = []
        broken: list[StreamBroken] = []
        self.gateway.bus.subscribe(NodeIdentified, heard.append)
        self.gateway.bus.subscribe(StreamBroken, broken.append)
        self.assertIs(self.done(self.api.restart("ECHO"), 0.05), True)
        self.assertTrue(client.disconnected)
        self.assertEqual(len(broken), 1)
        self.run_for(0.1)
        self.assertFalse(self.device.reachable)
        self.run_for(1)
        self.assertTrue(self.device.reachable)
        self.assertEqual(self.device.registers.number("D1"), 0)
        self.assertEqual([event.reason for event in heard], [3])

    def test_restart_by_an_at_command(self) -> None:
        """It is the same to the stream, whoever sends it."""
        client = self.connect("ECHO")
        self.done(self.api.at("ECHO", "AC"))
        self.assertFalse(client.disconnected)
        self.done(self.api.at("ECHO", "FR"))
        self.assertTrue(client.disconnected)

    def test_a_node_that_does_not_say_that_it_was_switched_on(self) -> None:
        heard: list[NodeIdentified] = []
        self.gateway.bus.subscribe(NodeIdentified, heard.append)
        self.done(self.api.at("ECHO", "JN", 0))
        self.done(self.api.at("ECHO", "WR"))
        self.done(self.api.restart("ECHO"))
        self.assertTrue(self.device.reachable)
        self.assertEqual(heard, [])

    def test_identify(self) -> None:
        heard: list[NodeIdentified] = []
        self.gateway.bus.subscribe(NodeIdentified, heard.append)
        client = self.connect("ECHO")
        self.assertIs(self.done(self.api.identify("ECHO")), True)
        self.assertEqual([event.reason for event in heard], [1])
        self.assertFalse(client.disconnected)

    def test_leave(self) -> None:
        client = self.connect("ECHO")
        self.assertIs(self.done(self.api.leave("ECHO"), 0.15), True)
        self.assertTrue(client.disconnected)
        self.assertFalse(self.device.reachable)

    def test_nobody(self) -> None:
        self.device.reachable = False
        for operation in (self.api.restart, self.api.identify, self.api.leave):
            self.fault(operation("NOBODY"), faults.UNKNOWN_NODE)
            self.fault(operation("ECHO"), faults.NO_ANSWER, 15)

    def test_permit_join(self) -> None:
        """CB2 tells the routers; with NJ other than 0 and FF for as long as that says."""
        radio = self.network.radio
        pressed: list[bytes] = []
        execute = radio.execute

        def executed(command: str, parameter: bytes) -> tuple[int, bytes]:
            if command == "CB":
                pressed.append(parameter)
            return execute(command, parameter)

        self.patch(radio, "execute", executed)
        always = self.done(self.api.permit_join(60))
        self.assertEqual(always, {"seconds": 0, "always": True})
        self.assertEqual((radio.registers.number("NJ"), pressed), (0xFF, []))
        self.done(self.api.at("", "NJ", 0))
        self.assertEqual(self.done(self.api.permit_join(60)), {"seconds": 60, "always": False})
        self.assertEqual((radio.registers.number("NJ"), pressed), (60, [b"\2"]))
        self.assertEqual(self.done(self.api.permit_join(0)), {"seconds": 0, "always": False})
        self.assertEqual((radio.registers.number("NJ"), pressed), (0, [b"\2"]))
        self.assertEqual(radio.flash_writes, 0)
        for seconds in (-1, 255):
            self.assertIn(str(seconds), self.fault(self.api.permit_join(seconds), faults.BAD_VALUE))


class LinkTestTests(ActionTestCase):
    def test_all_is_well(self) -> None:
        self.start()
        heard: list[LinkTested] = []
        self.gateway.bus.subscribe(LinkTested, heard.append)
        row = self.done(self.api.test("ECHO"), 3)
        self.assertEqual(
            [row[key] for key in ("sent", "delivered", "received", "count", "size", "running")],
            [10, 10, 10, 10, 64, False],
        )
        self.assertTrue(0 < row["fastest"] <= row["average"] <= row["slowest"] < 100)
        self.assertEqual((row["signal"], row["weakest"]), (self.device.rssi, self.device.rssi))
        self.assertEqual(row["signal_there"], self.device.rssi)
        self.assertIn("10 of 10 packets came back", row["text"])
        self.assertEqual(self.api.test_result("ECHO"), row)
        self.assertEqual([(event.sent, event.received) for event in heard], [(10, 10)])

    def test_never_tested(self) -> None:
        self.start()
        row = self.api.test_result("ECHO")
        self.assertEqual((row["began"], row["sent"], row["text"]), (0.0, 0, ""))

    def test_explicit_frames(self) -> None:
        """AO=1 is another program's wish."""
        self.start()
        self.network.radio.execute("AO", b"\1")
        self.network.radio.apply()
        client = self.connect("ECHO")
        row = self.done(self.api.test("ECHO", 3), 2)
        self.assertEqual((row["received"], client.value()), (3, b""))

    def test_nothing_of_it_is_in_the_stream(self) -> None:
        """Neither at the device nor at the client, nor for whoever observes streams; what both say
        meanwhile is whole.
        """
        self.start()
        client = self.connect("ECHO")
        passed: list[BytesPassed] = []
        self.gateway.bus.subscribe(BytesPassed, passed.append)
        test = self.call(self.api.test("ECHO", 20, 84))
        said = b""
        for number in range(50):
            self.client.dataReceived(b"%d," % number)
            said += b"%d," % number
            self.run_for(0.05)
        self.run_for(2)
        self.assertEqual(self.successResultOf(test)["received"], 20)
        self.assertEqual((bytes(self.device.heard), client.value()), (said, said))
        self.assertEqual(sum(len(event.data) for event in passed), 2 * len(said))
        port = present(self.gateway.bindings.port_of(self.node))
        self.assertEqual(port.bytes_received, len(said))

    def test_late_and_doubled_answers(self) -> None:
        """They come when the test is over: none is in the stream, none counts twice."""
        self.start()
        client = self.connect("ECHO")
        kept: list[bytes] = []
        transmit = self.network.transmit

        def keep(packet: Any, address64: int, *others: Any, **more: Any) -> Any:
            if packet.sender is self.device:
                kept.append(packet.data)
                return None
            return transmit(packet, address64, *others, **more)

        self.patch(self.network, "transmit", keep)
        row = self.done(self.api.test("ECHO", 2), 15)
        self.assertEqual((row["sent"], row["delivered"], row["received"]), (2, 2, 0))
        self.assertIn("none came back", row["text"])
        self.patch(self.network, "transmit", transmit)
        for data in kept * 2:
            self.device.send(data)
            self.run_for(0.1)
        self.assertEqual((len(kept), client.value(), client.disconnected), (2, b"", False))
        self.assertEqual(self.api.test_result("ECHO")["received"], 0)

    def test_late_answer_of_a_packet_while_the_test_goes_on(self) -> None:
        self.start()
        held: list[Any] = []
        transmit = self.network.transmit

        def hold(packet: Any, address64: int, *others: Any, **more: Any) -> Any:
            if packet.sender is self.device and not held:
                held.append((packet, address64))
                return None
            return transmit(packet, address64, *others, **more)

        self.patch(self.network, "transmit", hold)
        test = self.call(self.api.test("ECHO", 10))
        self.run_for(5.1)
        for _ in range(2):
            transmit(*held[0])
        self.run_for(3)
        row = self.successResultOf(test)
        self.assertEqual(row["received"], 10)
        self.assertGreater(row["slowest"], 5000)

    def test_nobody_there(self) -> None:
        self.start()
        self.device.reachable = False
        row = self.done(self.api.test("ECHO", 3), 30)
        self.assertEqual((row["sent"], row["delivered"], row["received"]), (3, 0, 0))
        self.assertEqual((row["average"], row["signal"], row["signal_there"]), (0.0, 0, 0))
        self.assertIn("0 of 3 packets came back: network", row["text"])

    def test_bad_air(self) -> None:
        self.start(rate=250_000.0, loss=0.75, seed=5)
        row = self.done(self.api.test("ECHO", 30), 130)
        self.assertEqual(row["sent"], 30)
        self.assertTrue(0 < row["received"] < 30, row)
        self.assertGreater(row["retries"], 0)

    def test_it_has_an_end(self) -> None:
        """A node that is not there is not tried for hours."""
        self.start(rate=250_000.0)
        self.device.reachable = False
        row = self.done(self.api.test("ECHO", 1000), MAX_SECONDS + 25)
        self.assertTrue(1 < row["sent"] < 1000)
        self.assertFalse(row["running"])
        self.assertIn(f"{MAX_SECONDS:.0f} s", row["text"])

    def test_a_node_that_sleeps(self) -> None:
        self.start()
        self.device.fall_asleep(20.0)
        self.node.role = 2
        row = self.done(self.api.test("ECHO", 5), 30)
        self.assertEqual((row["sent"], row["received"]), (5, 5))
        self.assertLess(row["fastest"], 500)

    def test_one_at_a_time(self) -> None:
        self.start(nodes=6)
        labels = [row["label"] for row in self.api.list_nodes()]
        tests = [self.call(self.api.test(label, 50)) for label in labels[:MAX_AT_ONCE]]
        self.run_for(0.1)
        self.assertTrue(self.api.test_result(labels[0])["running"])
        self.assertIn("already", self.fault(self.api.test(labels[0]), faults.GATEWAY_FAILED, 0.1))
        self.assertIn("4 tests", self.fault(self.api.test(labels[4]), faults.GATEWAY_FAILED, 0.1))
        self.run_for(10)
        for test in tests:
            self.assertEqual(self.successResultOf(test)["received"], 50)
        self.assertEqual(self.done(self.api.test(labels[4], 1))["received"], 1)

    def test_bounds(self) -> None:
        self.start()
        for arguments in ((0,), (1001,), (-1,), (1, 23), (1, 85)):
            self.fault(self.api.test("ECHO", *arguments), faults.BAD_VALUE)
        self.fault(self.api.test("NOBODY"), faults.UNKNOWN_NODE)

    def test_other_firmware(self) -> None:
        """802.15.4 has no loopback cluster."""
        self.start()
        facts = RadioInfo(self.network.radio.address64, 1, 100, hardware_version=0x1744)
        self.patch(self.gateway.radio.coordinator, "facts", facts)
        self.assertIn("802.15.4", self.fault(self.api.test("ECHO"), faults.NODE_REFUSED))

    def test_asker_gives_up(self) -> None:
        """Nothing more is sent, and another test may begin."""
        self.start()
        test = self.call(self.api.test("ECHO", 500))
        self.run_for(0.5)
        test.cancel()
        self.failureResultOf(test)
        sent = self.api.test_result("ECHO")["sent"]
        self.run_for(3)
        row = self.api.test_result("ECHO")
        self.assertEqual((row["sent"], row["running"]), (sent, False))
        self.assertIn("ended", row["text"])
        self.assertEqual(self.gateway.network.echoes, {})
        self.assertEqual(self.gateway.bindings.turns.in_flight, 0)
        self.assertEqual(self.done(self.api.test("ECHO", 1))["received"], 1)

    def test_ended_by_another(self) -> None:
        """Who asked for it gets what came of it so far, and so does who ended it, or is late."""
        self.start()
        test = self.call(self.api.test("ECHO", 500))
        self.run_for(0.5)
        row = self.api.end_test("ECHO")
        self.assertEqual(self.successResultOf(test), row)
        self.assertEqual((row["running"], row["count"]), (False, 500))
        self.assertTrue(1 < row["received"] == row["sent"] < 10, row)
        self.assertIn(f"{row['sent']} of {row['sent']} packets came back", row["text"])
        self.assertIn("It was ended before all were sent.", row["text"])
        self.assertEqual(self.api.end_test("ECHO"), row)
        self.assertEqual(self.gateway.network.echoes, {})
        self.run_for(5)
        self.assertEqual(self.gateway.bindings.turns.in_flight, 0)
        self.assertEqual(self.done(self.api.test("ECHO", 1))["received"], 1)

    def test_gateway_stops_in_the_middle(self) -> None:
        """Who waits gets what came of it so far, whatever the test was waiting for."""
        for seconds in (0.5, 0.51, 0.53, 0.56):
            self.start()
            test = self.call(self.api.test("ECHO", 500))
            self.run_for(seconds)
            self.stop_now()
            row = self.successResultOf(test)
            self.assertFalse(row["running"])
            self.assertTrue(row["text"].endswith(f". {GATEWAY_STOPS}"), row["text"])
            self.assertIn(f"{row['received']} of {row['sent']} packets came back", row["text"])

    def test_nothing_to_end(self) -> None:
        self.start()
        self.assertEqual(self.api.end_test("ECHO")["began"], 0.0)

    def test_ended_before_anything_came(self) -> None:
        """Also while a packet waits for its turn, or for a node that is not there."""
        self.start()
        self.device.reachable = False
        for seconds in (0.0, 0.1, 3.0):
            test = self.call(self.api.test("ECHO", 5))
            self.run_for(seconds)
            row = self.api.end_test("ECHO")
            self.assertEqual((row["running"], row["received"]), (False, 0))
            self.assertIn("ended", self.successResultOf(test)["text"])
        self.run_for(30)
        self.assertEqual(self.gateway.bindings.turns.in_flight, 0)

    def test_cancelled_at_every_moment(self) -> None:
        self.start(rate=35_000.0)
        for step in range(40):
            test = self.call(self.api.test("ECHO", 5))
            self.run_for(0.004 * step, 0.004)
            test.cancel()
            self.failureResultOf(test)
            self.assertEqual(self.gateway.network.echoes, {})
        self.run_for(5)
        self.assertEqual(self.gateway.bindings.turns.in_flight, 0)
        self.assertEqual(self.done(self.api.test("ECHO", 3), 3)["received"], 3)

    def test_gateway_stops(self) -> None:
        self.start()
        self.device.reachable = False
        test = self.call(self.api.test("ECHO", 500))
        self.run_for(0.5)
        self.stop_now()
        self.assertIn("stopping", self.successResultOf(test)["text"])

    def test_node_is_forgotten(self) -> None:
        self.start()
        test = self.call(self.api.test("ECHO", 500))
        self.run_for(0.5)
        self.gateway.network.nodes.remove(self.node)
        self.failureResultOf(test)

    def test_radio_goes(self) -> None:
        self.start()
        test = self.call(self.api.test("ECHO", 500))
        self.run_for(0.5)
        self.gateway.radio.coordinator.link_down("Gone.")
        self.run_for(0.1)
        row = self.successResultOf(test)
        self.assertTrue(0 < row["received"] < 500)
        self.assertIn("Gone", row["text"])

    def test_streams_go_on(self) -> None:
        """A test has at most a turn of its own: a bulk transfer beside it is hardly slower."""

        def seconds(with_test: bool) -> float:
            self.start(rate=35_000.0, nodes=2, kinds=("echo",), buffers=5)
            labels = [row["label"] for row in self.api.list_nodes()]
            transport = self.connect(labels[0])
            if with_test:
                self.call(self.api.test(labels[1], 1000)).addErrback(lambda _: None)
            began = self.reactor.seconds()
            self.client.dataReceived(bytes(4000))
            while len(transport.value()) < 4000:
                self.run_for(0.05)
            took: float = self.reactor.seconds() - began
            self.stop_now()
            return took

        alone = seconds(False)
        self.assertLess(seconds(True), 2.2 * alone)

    def test_wire_format(self) -> None:
        """It is the loopback cluster of the data endpoint (90001539)."""
        self.start()
        heard: list[Packet] = []

        def hear(packet: Packet) -> None:
            heard.append(packet)
            SimulatedNode.hear(self.device, packet)

        self.patch(self.device, "hear", hear)
        self.done(self.api.test("ECHO", 1, 30))
        (packet,) = heard
        self.assertEqual(
            (packet.cluster_id, packet.profile_id, packet.source_endpoint, len(packet.data)),
            (LOOPBACK_CLUSTER, DIGI_PROFILE, SERIAL_ENDPOINT, 30),
        )
        self.assertEqual(packet.destination_endpoint, SERIAL_ENDPOINT)


class NameTests(ActionTestCase):
    def test_name_from_the_configuration(self) -> None:
        """All take the names that others take."""
        self.build(Settings(serial="sim:"), kinds=("echo",), nodes=1)
        self.run_for(3)
        self.device = self.network.node("ECHO")
        self.node.name = "Boiler"
        row = self.done(self.api.test("Boiler", 1))
        self.assertEqual((row["label"], row["name"], row["received"]), ("ECHO", "Boiler", 1))
