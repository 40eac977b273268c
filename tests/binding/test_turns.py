"""Turns go by address, then by writer, so that nobody gets more of a node by being many."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Writer
from zbtwist.binding.send_buffer import SendBuffer


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.buffer = SendBuffer()

    def take(self, count: int) -> list[str]:
        """Take so many packets; return whose they are, by address."""
        shares = []
        for _ in range(count):
            taken = self.buffer.take(1.0, 1, 0.0)
            assert taken is not None
            assert isinstance(taken[0], Writer)
            shares.append(taken[0].share)
        return shares

    def test_addresses_take_turns(self) -> None:
        """However many writers each has."""
        for _ in range(100):
            self.buffer.add(Writer("many"), b"xxxx", 0.0)
        self.buffer.add(Writer("one"), b"xxxx", 0.0)
        self.assertEqual(self.take(8), ["many", "one"] * 4)
        self.assertEqual(self.take(396), ["many"] * 396)
        self.assertIsNone(self.buffer.take(1.0, 1, 0.0))
        self.assertEqual((self.buffer.size, self.buffer.parts), (0, {}))

    def test_writers_of_an_address_take_turns(self) -> None:
        first, second = Writer(""), Writer("")
        self.buffer.add(first, b"aa", 0.0)
        self.buffer.add(second, b"bb", 0.0)
        taken = [self.buffer.take(1.0, 1, 0.0) for _ in range(4)]
        self.assertEqual(taken, [(first, b"a"), (second, b"b")] * 2)

    def test_those_that_write_no_more_share_a_turn(self) -> None:
        """In the order in which they ended; who stays waits for one of them, not for all."""
        ended = [Writer("") for _ in range(1000)]
        for number, writer in enumerate(ended):
            self.buffer.add(writer, b"%d" % (number % 10), 0.0)
            writer.writes_no_more = True
            (self.buffer.writer_done if number % 2 else self.buffer.writer_gone)(writer)
        stays = Writer("")
        self.buffer.add(stays, b"xxx", 0.0)
        taken = [self.buffer.take(1.0, 1, 0.0) for _ in range(8)]
        writers = [each[0] for each in taken if each is not None]
        self.assertEqual([writer is stays for writer in writers], [False, True] * 3 + [False] * 2)
        self.assertEqual([writer for writer in writers if writer is not stays], ended[:5])

    def test_discard(self) -> None:
        ended, stays = Writer(""), Writer("")
        for writer in (ended, stays):
            self.buffer.add(writer, b"xx", 0.0)
        ended.writes_no_more = True
        self.buffer.writer_done(ended)
        self.assertEqual(self.buffer.discard(ended), 2)
        self.assertEqual(self.buffer.take(1.0, 9, 0.0), (stays, b"xx"))
        self.assertIsNone(self.buffer.take(1.0, 9, 0.0))

    def test_writer_that_goes_with_nothing_left(self) -> None:
        self.buffer.writer_gone(Writer(""))
        self.assertIsNone(self.buffer.take(1.0, 9, 0.0))
