"""What is sent again: in which order, how often, for how long."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Writer
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.retransmits import FIRST_BACKOFF, MAX_BACKOFF, Packet, Retransmits
from zbtwist.binding.verdict import Verdict

SETTINGS = PortSettings(retries=2, outage=10.0, sleep=300.0)


class RetransmitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.again = Retransmits()

    def packet(self, offset: int = 0, data: bytes = b"data") -> Packet:
        return Packet(offset, data, Writer())

    def tries(self, packet: Packet, verdict: Verdict, seconds: float, is_end_device: bool) -> int:
        """Return how often a packet that fails every so many seconds is sent again."""
        now, count = 100.0, 0
        while self.again.try_again(packet, verdict, SETTINGS, is_end_device, now):
            self.assertIs(self.again.packets.pop(), packet)
            now += seconds
            count += 1
        self.assertEqual(self.again.packets, [])
        return count

    def test_order(self) -> None:
        """That of the stream, whichever was given back first."""
        first, second, third = (self.packet(offset) for offset in (0, 4, 8))
        self.again.add(third)
        self.again.add(first)
        self.assertTrue(self.again.try_again(second, Verdict.AGAIN, SETTINGS, False, 1.0))
        self.assertEqual(self.again.packets, [first, second, third])
        self.assertEqual(self.again.size, 12)

    def test_how_often(self) -> None:
        for verdict, is_end_device, count in (
            (Verdict.AGAIN, False, 2),
            (Verdict.AGAIN, True, 2),
            (Verdict.NO_ROUTE, False, 2),
            (Verdict.NO_ROUTE, True, 300),
            (Verdict.ASLEEP, False, 300),
            (Verdict.BUSY, False, 10),
            (Verdict.BUSY, True, 10),
            (Verdict.UNCERTAIN, False, 0),
            (Verdict.PERMANENT, False, 0),
            (Verdict.TOO_LARGE, False, 0),
        ):
            tries = self.tries(self.packet(), verdict, 1.0, is_end_device)
            self.assertEqual(tries, count, (verdict, is_end_device))

    def test_pauses(self) -> None:
        """They grow up to a bound; a packet that is given up causes none."""
        packet, pauses = self.packet(), []
        for _ in range(10):
            self.again.try_again(packet, Verdict.BUSY, SETTINGS, False, 0.0)
            pauses.append(self.again.not_before)
        self.assertEqual(pauses[:2], [FIRST_BACKOFF, 2 * FIRST_BACKOFF])
        self.assertEqual((max(pauses), pauses[-1]), (MAX_BACKOFF, MAX_BACKOFF))
        self.again.clear()
        self.again.try_again(self.packet(), Verdict.PERMANENT, SETTINGS, False, 1.0)
        self.assertEqual((self.again.packets, self.again.not_before), ([], 0.0))

    def test_cut(self) -> None:
        """No byte is lost or moved, and the pieces are smaller, down to one byte."""
        packet = self.packet(100, b"0123456789")
        pieces = packet.cut()
        self.assertEqual(
            [(piece.offset, piece.data) for piece in pieces], [(100, b"0123456"), (107, b"789")]
        )
        self.assertTrue(all(piece.writer is packet.writer for piece in pieces))
        self.assertEqual([piece.data for piece in self.packet(0, b"ab").cut()], [b"a", b"b"])
