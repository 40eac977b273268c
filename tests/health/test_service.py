"""Looking at the nodes: what it costs, and since when they are as they are."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.radio.support import FACTS, Wire
from zbtwist.health.questions import Questions
from zbtwist.health.record import Record
from zbtwist.health.service import MAX_LOOKS, HealthService
from zbtwist.health.state import Health
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import UNKNOWN16, Address64


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
