"""A network whose nodes are looked at: what is noticed, how soon, and what it costs."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.faults.world import Device, World
from tests.pages import DOCS
from tests.radio.support import FACTS, Wire
from tests.support import left_out, without_log_of_the_runner
from zbtwist.health.events import HealthChanged
from zbtwist.health.questions import COMMAND, PAUSE, QUIET, Questions
from zbtwist.health.record import Record
from zbtwist.health.service import MAX_LOOKS, PASSIVE, HealthService
from zbtwist.health.state import Health
from zbtwist.network.table import NodeTable
from zbtwist.radio.coordinator import Coordinator
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import UNKNOWN16, Address64
from zbtwist.xbee.frames import RemoteATCommand, RemoteATCommandResponse

#: Seconds between two reports of the first nodes, in turn.
PAUSES = (2.0, 5.0, 20.0, 60.0)


class NetworkOf60(SynchronousTestCase):
    """Forty of them say something by themselves, twenty when they are asked."""

    # Hours of them take a quarter of a minute.
    skip = left_out() or None

    def setUp(self) -> None:
        without_log_of_the_runner(self)

    def start(
        self, pauses: tuple[float, ...] = PAUSES, seconds: float = 800.0, **settings: object
    ) -> None:
        self.questions: list[float] = []
        ask = Coordinator.remote_at

        def remote_at(requests, address64, command, *arguments):  # type: ignore[no-untyped-def]
            if command == COMMAND:
                self.questions.append(self.world.now)
            return ask(requests, address64, command, *arguments)

        self.patch(Coordinator, "remote_at", remote_at)
        self.world = world = World(seed=1, nodes=60, settings=settings)
        self.addCleanup(world.stop)
        self.changes: list[HealthChanged] = []
        world.gateway.bus.subscribe(HealthChanged, self.changes.append)
        self.chance = random.Random(1)
        for number, device in enumerate(world.devices[:40]):
            self.report(device, pauses[number % len(pauses)])
        world.run(seconds)

    def report(self, device: Device, pause: float) -> None:
        def again() -> None:
            device.send(b"x" * 30)
            self.world.later(pause * self.chance.uniform(0.95, 1.05), again)

        self.world.later(self.chance.uniform(0, pause), again)

    def health_of(self, device: Device) -> Health:
        gateway = self.world.gateway
        node = gateway.network.nodes.get(device.address64)
        assert node is not None
        return gateway.health.condition_of(node).health

    def texts(self) -> list[str]:
        changes, self.changes[:] = list(self.changes), []
        return [str(change) for change in changes]

    def test_nodes_that_are_switched_off(self) -> None:
        self.start()
        counts = self.world.gateway.health.counts()
        self.assertEqual((counts[Health.OK], sum(counts.values())), (60, 60))
        self.changes.clear()
        off = self.world.devices[:4]
        for device in off:
            device.reachable = False
        began = self.world.now
        noticed = {}
        for device, pause in zip(off, PAUSES):
            self.world.run_until(partial(self.is_noticed, device), 200.0)
            noticed[pause] = self.world.now - began
            self.assertLess(noticed[pause], max(90.0, 2 * pause), noticed)
        # Whom somebody writes to is noticed by that.
        self.world.run(300)
        self.assertEqual({self.health_of(device) for device in off}, {Health.NOT_ANSWERING})
        self.assertEqual(self.world.gateway.health.counts()[Health.OK], 56)
        self.assertTrue(any("NODE4" in text and "got no answer" in text for text in self.texts()))
        for device in off:
            device.reachable = True
            self.world.run_until(partial(self.is_heard_after, device, self.heard_at(device)), 200)
            # It is looked at each second.
            self.world.run(1.1)
            self.assertIs(self.health_of(device), Health.OK)
        self.assertEqual(sum("is well again." in text for text in self.texts()), 4)

    def is_noticed(self, device: Device) -> bool:
        return self.health_of(device) is not Health.OK

    def is_heard_after(self, device: Device, moment: float) -> bool:
        return self.heard_at(device) > moment

    def heard_at(self, device: Device) -> float:
        node = self.world.gateway.network.nodes.get(device.address64)
        assert node is not None
        return node.heard_at

    def test_one_question_a_minute(self) -> None:
        """Over all of them; those that say nothing have their turn within the hour. The numbers are
        those of docs/health.rst.
        """
        self.start((20.0, 60.0), 4000.0)
        self.questions.clear()
        before = self.bytes_passed()
        self.world.run(2 * QUIET)
        # Twenty say nothing by themselves.
        self.assertEqual(len(self.questions), 40)
        pauses = [second - first for first, second in zip(self.questions, self.questions[1:])]
        self.assertGreaterEqual(min(pauses), PAUSE)
        self.assertEqual(self.world.gateway.health.counts()[Health.OK], 60)
        out, back = (now - then for now, then in zip(self.bytes_passed(), before))
        self.assertEqual((out, back), (760, 840))
        page = (DOCS / "health.rst").read_text()
        said = f"asked 40 questions in two hours: {out} bytes to the radio and {back} back"
        self.assertIn(said, " ".join(page.split()))

    def bytes_passed(self) -> tuple[int, int]:
        """Bytes on the radio's line of remote AT commands and of their answers; each frame has four
        beside its data (90001539, "API frame format").
        """
        traffic = self.world.gateway.radio.traffic
        out, back = RemoteATCommand.frame_type, RemoteATCommandResponse.frame_type
        return (
            traffic.bytes_out[out] + 4 * traffic.frames_out[out],
            traffic.bytes_in[back] + 4 * traffic.frames_in[back],
        )

    def test_nobody_is_asked(self) -> None:
        self.start((20.0, 60.0), health=PASSIVE)
        self.world.devices[0].reachable = self.world.devices[50].reachable = False
        self.world.run(QUIET * 2)
        self.assertEqual(self.questions, [])
        self.assertIs(self.health_of(self.world.devices[0]), Health.SILENT)
        # Nobody can know.
        self.assertIs(self.health_of(self.world.devices[50]), Health.OK)

    def test_radio_is_away(self) -> None:
        """All stay as they were, and nobody is silent for that."""
        self.start()
        self.changes.clear()
        self.world.endpoint.unplug()
        self.world.run(600)
        self.world.endpoint.plug_in()
        self.world.run(300)
        self.assertEqual(self.texts(), [])
        self.assertEqual(self.world.gateway.health.counts()[Health.OK], 60)

    def test_packets_that_get_lost(self) -> None:
        """Somebody writes to a node that is switched off."""
        self.start()
        self.changes.clear()
        device = self.world.devices[55]
        device.reachable = False
        for _ in range(3):
            client = self.world.connect(device)
            client.write(b"?")
            self.world.run(20)
        self.assertIs(self.health_of(device), Health.NOT_ANSWERING)
        # How many there were, and whether it was asked meanwhile, depends on whose turn it was.
        self.assertRegex(
            self.texts()[-1], r"NODE56 .*: Does not answer since .* no acknowledgement"
        )

    def test_node_that_is_forgotten(self) -> None:
        self.start()
        gateway = self.world.gateway
        node = gateway.network.nodes.get(self.world.devices[50].address64)
        assert node is not None
        gateway.network.nodes.remove(node)
        self.world.run(10)
        self.assertEqual(len(gateway.health._records), 59)
        self.assertNotIn(node.address64, gateway.health._records)


class CostTests(SynchronousTestCase):
    def test_a_part_of_them_each_second(self) -> None:
        """However many there are: nobody is gone through whole each second."""
        looks, asked = self.looks(100, 10)
        self.assertEqual(looks, [20] * 10)
        self.assertEqual(asked, 2)

    def test_no_more_than_so_many(self) -> None:
        """With thousands a round takes longer."""
        looks, _ = self.looks(7 * MAX_LOOKS, 14)
        self.assertEqual(looks, [MAX_LOOKS] * 14)

    def looks(self, count: int, seconds: int) -> tuple[list[int], int]:
        """Return how often nodes are looked at in each of so many seconds, and asked in all."""
        clock, bus = Clock(), EventBus()
        nodes = NodeTable(bus, wall=clock.seconds)
        for number in range(count):
            nodes.seen(Address64(0x0013A200_40000001 + number), UNKNOWN16, clock.seconds())
        radio = Wire().coordinator
        looks: list[float] = []
        look = Record.look

        def counted(record: Record, *arguments: Any) -> None:
            looks.append(clock.seconds())
            look(record, *arguments)

        self.patch(Record, "look", counted)
        asked: list[float] = []
        self.patch(Questions, "ask_one", lambda *args: asked.append(clock.seconds()))
        service = HealthService(clock, radio, nodes, lambda node: None, bus)
        service.startService()
        self.addCleanup(service.stopService)
        clock.pump([1.0] * seconds)
        return [looks.count(second) for second in range(1, seconds + 1)], len(asked)


class TimeTests(SynchronousTestCase):
    """The time of day is set: since when a node is as it is was said by the old one."""

    def setUp(self) -> None:
        self.clock, bus = Clock(), EventBus()
        self.set_by = 0.0
        self.clock.advance(1000.0)
        steady = self.clock.seconds
        nodes = NodeTable(bus, wall=lambda: self.set_by + steady(), steady=steady)
        node = nodes.seen(Address64(0x0013A200_40000001), UNKNOWN16, self.clock.seconds())
        assert node is not None
        self.node = node
        wire = Wire()
        wire.coordinator.ready(FACTS)
        self.service = HealthService(self.clock, wire.coordinator, nodes, lambda node: None, bus)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        self.clock.pump([1.0] * 10)

    def test_it_is_set(self) -> None:
        before = self.service.condition_of(self.node)
        self.assertTrue(1000 < before.since < 1010)
        self.set_by = 1e9
        self.clock.pump([1.0] * 10)
        after = self.service.condition_of(self.node)
        self.assertEqual((after.health, after.since), (Health.OK, before.since + 1e9))

    def test_it_drifts(self) -> None:
        """What is said does not, each time somebody asks."""
        before = self.service.condition_of(self.node)
        self.set_by = 0.5
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.service.condition_of(self.node), before)
