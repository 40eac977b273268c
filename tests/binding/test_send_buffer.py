"""What writers want to be sent: turns, full packets, who has to wait."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Writer
from zbtwist.binding.send_buffer import HIGH_WATER, LOW_WATER, MAX_BUFFERED, SendBuffer

LIMIT = 10
COALESCE = 0.5


class SendBufferTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.buffer = SendBuffer()
        self.writers = [Writer() for _ in range(3)]

    def take(self, now: float) -> tuple[int, bytes] | None:
        """Take a packet; return which writer's it is, and its bytes."""
        taken = self.buffer.take(now, LIMIT, COALESCE)
        if taken is None:
            return None
        return [writer is taken[0] for writer in self.writers].index(True), taken[1]

    def test_turns(self) -> None:
        """A packet each. Who is still waiting for more does not lose its turn to others."""
        first, second, third = self.writers
        self.buffer.add(first, b"a", 1.0)
        self.buffer.add(second, b"b" * 25, 1.0)
        self.buffer.add(third, b"c" * 10, 1.0)
        self.assertEqual(self.take(1.0), (1, b"b" * 10))
        self.assertEqual(self.take(1.5), (0, b"a"))
        self.assertEqual(self.take(1.5), (2, b"c" * 10))
        self.assertEqual(self.take(1.5), (1, b"b" * 10))
        self.assertEqual(self.buffer.size, 5)

    def test_ripe(self) -> None:
        writer = self.writers[0]
        self.buffer.add(writer, b"one", 1.0)
        self.buffer.add(writer, b"two", 1.4)
        self.assertEqual(self.buffer.ripe_at(1.4, LIMIT, COALESCE), 1.5)
        self.assertIsNone(self.take(1.4))
        self.assertEqual(self.take(1.5), (0, b"onetwo"))
        self.assertIsNone(self.take(9.0))

    def test_full_packet_is_ripe(self) -> None:
        """Its rest waits since the last bytes came."""
        self.buffer.add(self.writers[0], b"x", 1.0)
        self.buffer.add(self.writers[0], b"x" * LIMIT, 1.4)
        self.assertEqual(self.buffer.ripe_at(1.4, LIMIT, COALESCE), 1.4)
        self.assertEqual(self.take(1.4), (0, b"x" * LIMIT))
        self.assertEqual(self.buffer.ripe_at(1.4, LIMIT, COALESCE), 1.9)

    def test_urgent(self) -> None:
        """What found the node idle does not wait; what comes behind it does."""
        self.buffer.is_urgent = True
        self.buffer.add(self.writers[0], b"x", 1.0)
        self.assertEqual(self.buffer.ripe_at(1.0, LIMIT, COALESCE), 1.0)
        self.assertEqual(self.take(1.0), (0, b"x"))
        self.buffer.add(self.writers[0], b"y", 1.0)
        self.assertIsNone(self.take(1.0))

    def test_backpressure(self) -> None:
        """A writer is resumed when enough of it was taken, and when that is asked for."""
        writer, other, _ = self.writers
        self.buffer.add(writer, b"x" * HIGH_WATER, 1.0)
        self.buffer.add(other, b"x" * (HIGH_WATER - 1), 1.0)
        self.assertEqual((writer.is_paused, other.is_paused), (True, False))
        self.buffer.take(1.0, HIGH_WATER - LOW_WATER, COALESCE)
        self.assertTrue(writer.is_paused)
        self.buffer.release_backpressure()
        self.assertFalse(writer.is_paused)

    def test_all_together(self) -> None:
        writer, other, newcomer = self.writers
        self.buffer.add(writer, b"x" * MAX_BUFFERED, 1.0)
        for each in (other, newcomer):
            self.buffer.apply_backpressure(each)
            self.assertTrue(each.is_paused)
        self.buffer.release_backpressure()
        self.assertTrue(other.is_paused)
        self.buffer.writer_gone(newcomer)
        self.assertEqual(self.buffer.discard(writer), MAX_BUFFERED)
        self.assertEqual([each.is_paused for each in self.writers], [False, False, True])

    def test_discard(self) -> None:
        """Nobody else's bytes are dropped."""
        writer, other, _ = self.writers
        self.buffer.add(writer, b"mine", 1.0)
        self.buffer.add(other, b"theirs", 1.0)
        self.assertEqual(self.buffer.discard(writer), 4)
        self.assertEqual(self.buffer.discard(writer), 0)
        self.assertEqual(self.take(1.5), (1, b"theirs"))

    def test_clear(self) -> None:
        """Who is resumed may write at once, and that is kept."""
        writer = self.writers[0]
        self.buffer.add(writer, b"x" * HIGH_WATER, 1.0)
        self.patch(writer, "resume", lambda: self.buffer.add(writer, b"new", 2.0))
        self.buffer.clear()
        self.assertEqual((self.buffer.size, self.take(2.5)), (3, (0, b"new")))
