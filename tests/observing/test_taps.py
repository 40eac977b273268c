"""Looking on at streams: only while somebody asks, and of a bounded number of nodes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.network.events import FROM_NODE, BytesPassed, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.observing.taps import LEASE, MAX_PACKETS, MAX_TAPS, Taps, TooManyTaps
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64


class TapsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus = Clock(), EventBus()
        self.taps = Taps(self.clock, self.bus)
        self.taps.startService()
        self.node = Node(Address64(1))

    def passes(self, node: Node) -> None:
        self.bus.publish(BytesPassed(node, FROM_NODE, b"x", 1e9))

    def is_observing(self) -> bool:
        return bool(self.bus.subscribers(BytesPassed))

    def test_only_while_somebody_asks(self) -> None:
        self.assertFalse(self.is_observing())
        tap = self.taps.of(self.node)
        self.assertTrue(self.is_observing())
        for _ in range(5):
            self.clock.advance(LEASE - 1)
            self.assertIs(self.taps.of(self.node), tap)
        self.clock.pump([LEASE] * 2)
        self.assertFalse(self.is_observing())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounds(self) -> None:
        tap = self.taps.of(self.node)
        for _ in range(MAX_PACKETS + 5):
            self.passes(self.node)
            self.passes(Node(Address64(2)))
        self.assertEqual([len(tap.since(0)), tap.since(0)[0].seq], [MAX_PACKETS, 6])
        self.assertEqual(tap.since(MAX_PACKETS + 6), tap.since(0))
        for number in range(1, MAX_TAPS):
            self.taps.of(Node(Address64(100 + number)))
        with self.assertRaises(TooManyTaps):
            self.taps.of(Node(Address64(99)))

    def test_followers(self) -> None:
        """Each is told of each packet; a tap lasts as long as it has one, and a while longer."""
        told: list[str] = []
        first, second = (lambda: told.append("first")), (lambda: told.append("second"))
        tap = self.taps.follow(self.node, first)
        self.assertIs(self.taps.follow(self.node, second), tap)
        self.passes(self.node)
        self.passes(Node(Address64(2)))
        self.assertEqual(told, ["first", "second"])
        self.taps.unfollow(tap, second)
        self.clock.pump([LEASE] * 5)
        self.passes(self.node)
        self.assertEqual(told, ["first", "second", "first"])
        self.taps.unfollow(tap, first)
        self.clock.advance(LEASE - 1)
        self.assertTrue(self.is_observing())
        self.clock.pump([LEASE] * 2)
        self.assertFalse(self.is_observing())
        self.assertTrue(tap.is_over)
        self.assertNotEqual(self.taps.of(self.node).key, tap.key)

    def test_followers_are_told_of_the_end(self) -> None:
        ends: list[bool] = []
        tap = self.taps.follow(self.node, lambda: ends.append(tap.is_over))
        self.bus.publish(NodeForgotten(self.node))
        self.assertEqual(ends, [True])

    def test_ends_with_the_node_and_with_the_gateway(self) -> None:
        self.taps.of(self.node)
        self.bus.publish(NodeForgotten(self.node))
        self.assertFalse(self.is_observing())
        self.taps.of(self.node)
        self.taps.stopService()
        self.assertFalse(self.is_observing())
        self.assertEqual(self.clock.getDelayedCalls(), [])
