"""What goes, and what waits. How a connection uses it is tried with the connection."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.clock import Clock
from tests.mqtt.wire import Transport
from tests.support import take
from zbtwist.mqtt.outbox import MAX_WAITING, MAX_WAITING_BYTES, Counters, Outbox


class OutboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.drained: list[int] = []
        self.outbox = Outbox(self.clock, self.counters, lambda: self.drained.append(1))
        self.transport = Transport()
        self.outbox.begin(self.transport)

    def test_it_is_a_producer(self) -> None:
        self.assertTrue(verifyObject(IPushProducer, self.outbox))

    def test_numbers_begin_anew_and_leave_out_those_that_are_under_way(self) -> None:
        """MQTT 5, section 2.2.1: 1 to 65,535. One is never confirmed."""
        self.outbox.window = 10
        first = self.outbox.next_id()
        self.outbox.publish("a", b"x", first)
        self.outbox.asked = {2}
        found = []
        for _ in range(65_535):
            number = self.outbox.next_id()
            found.append(number)
            self.outbox.publish("a", b"x", number)
            self.outbox.confirmed(number)
        self.assertEqual((found[0], max(found)), (3, 65_535))
        self.assertFalse({first, 2} & set(found))

    def test_numbers_of_what_is_dropped_are_given_again(self) -> None:
        self.outbox.window = 1
        self.outbox.publish("a", b"x", self.outbox.next_id())
        for _ in range(MAX_WAITING):
            self.assertTrue(self.outbox.publish("a", b"x", self.outbox.next_id()))
        last = self.outbox.next_id()
        for _ in range(100_000):
            self.assertFalse(self.outbox.publish("a", b"x", last))
            self.assertEqual(self.outbox.next_id(), last)
        self.assertEqual(self.counters.dropped, 100_000)

    def test_bounds(self) -> None:
        self.outbox.pauseProducing()
        count = 0
        while self.outbox.publish("a", b"x", 0):
            count += 1
        self.assertEqual((count, self.outbox.waiting), (MAX_WAITING, MAX_WAITING))
        self.outbox.resumeProducing()
        self.outbox.pauseProducing()
        take(self.transport)
        self.assertEqual(self.drained, [1])
        size = MAX_WAITING_BYTES // 4
        found = [self.outbox.publish("a", bytes(size), 0) for _ in range(6)]
        self.assertEqual(found, [True] * 4 + [False] * 2)

    def test_filling(self) -> None:
        self.outbox.pauseProducing()
        for _ in range(MAX_WAITING // 2):
            self.outbox.publish("a", b"x", 0)
        self.assertFalse(self.outbox.is_filling)
        self.outbox.publish("a", b"x", 0)
        self.assertTrue(self.outbox.is_filling)

    def test_little_that_has_waited_is_not_told(self) -> None:
        self.outbox.pauseProducing()
        self.outbox.publish("a", b"x", 0)
        self.outbox.resumeProducing()
        self.assertEqual(self.drained, [])

    def test_paused_again_by_what_is_written(self) -> None:
        """A transport says so within the writing."""
        self.outbox.pauseProducing()
        for _ in range(3):
            self.outbox.publish("a", bytes(50_000), 0)
        written: list[bytes] = []

        def write(data: list[bytes]) -> None:
            written.extend(data)
            self.outbox.pauseProducing()

        self.patch(self.transport, "writeSequence", write)
        self.outbox.resumeProducing()
        self.assertEqual((len(written), self.outbox.waiting), (2, 1))
        self.outbox.resumeProducing()
        self.clock.advance(0)
        self.assertEqual((len(written), self.outbox.waiting), (3, 0))

    def test_after_the_end(self) -> None:
        self.outbox.end()
        self.outbox.end()
        self.outbox.put(b"x")
        self.outbox.flush()
        self.outbox.stopProducing()
        self.assertEqual(take(self.transport), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])
