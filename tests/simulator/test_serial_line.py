"""The serial line: its rate, and what goes wrong on it."""

from __future__ import annotations

import itertools
import random

from twisted.trial.unittest import TestCase

from tests.clock import Clock
from tests.simulator.line import run
from zbtwist.simulator.serial_line import SerialLine, Wire


class WireTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wire = self.make(0)

    def make(self, seed: int, capacity: int | None = None) -> Wire:
        self.arrived: list[tuple[float, bytes]] = []
        wire = Wire(self.clock, random.Random(seed), capacity)
        wire.take = lambda data: self.arrived.append((self.clock.seconds(), data))
        self.addCleanup(wire.stop)
        return wire

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.arrived)

    def test_plain(self) -> None:
        self.wire.write(b"one")
        self.wire.write(b"two")
        self.assertEqual((self.arrived, self.wire.buffered), ([], 6))
        run(self.clock, 0)
        self.assertEqual(self.arrived, [(0.0, b"onetwo")])

    def test_emptied(self) -> None:
        told: list[int] = []
        self.wire.emptied = lambda: told.append(len(self.data))
        self.wire.baud = 9600
        self.wire.write(bytes(100))
        run(self.clock, 0.1)
        self.assertEqual(told, [])
        run(self.clock, 0.1)
        self.assertEqual(told, [100])

    def test_nobody_takes_it(self) -> None:
        self.wire.take = None
        self.wire.write(b"lost")
        run(self.clock, 0)
        self.assertEqual(self.wire.buffered, 0)

    def test_baud(self) -> None:
        """960 bytes take a second at 9600 baud, and come bit by bit."""
        for baud in (1200, 9600, 115200, 921600):
            self.wire = self.make(0)
            self.wire.baud = baud
            began = self.clock.seconds()
            self.wire.write(bytes(baud // 10))
            run(self.clock, 0.5)
            self.assertApproximates(len(self.data), baud / 20, 0.002 * baud / 10 + 1)
            run(self.clock, 0.6)
            self.assertEqual(len(self.data), baud // 10)
            self.assertApproximates(self.arrived[-1][0] - began, 1.0, 1e-6)

    def test_bit_errors(self) -> None:
        sent = random.Random(1).randbytes(100_000)
        self.wire.bit_errors = 0.01
        self.wire.write(sent)
        run(self.clock, 0)
        self.assertEqual(len(self.data), len(sent))
        wrong = [a ^ b for a, b in zip(sent, self.data) if a != b]
        self.assertTrue(900 < len(wrong) < 1100, len(wrong))
        self.assertEqual(set(wrong), {1 << bit for bit in range(8)})

    def test_lost_bytes(self) -> None:
        self.wire.lost_bytes = 0.1
        self.wire.write(bytes(10_000))
        run(self.clock, 0)
        self.assertTrue(8_800 < len(self.data) < 9_200, len(self.data))
        self.assertEqual(set(self.data), {0})

    def test_garbage(self) -> None:
        self.wire.garbage = 0.1
        self.wire.write(bytes(10_000))
        run(self.clock, 0)
        self.assertTrue(10_800 < len(self.data) < 11_200, len(self.data))
        self.assertGreater(len(set(self.data)), 200)

    def test_pieces(self) -> None:
        sent = bytes(range(256)) * 4
        self.wire.largest_piece = 7
        self.wire.piece_delay = 0.01
        self.wire.write(sent)
        run(self.clock, 10)
        self.assertEqual(self.data, sent)
        self.assertEqual({len(data) for _, data in self.arrived}, set(range(1, 8)))
        delays = [b - a for (a, _), (b, _) in itertools.pairwise(self.arrived)]
        self.assertTrue(0 < min(delays) < max(delays) <= 0.01)

    def test_stuck(self) -> None:
        self.wire.stick()
        self.wire.write(b"later")
        run(self.clock, 100)
        self.assertEqual((self.data, self.wire.buffered, self.wire.stuck), (b"", 5, True))
        self.wire.release()
        run(self.clock, 0)
        self.assertEqual(self.data, b"later")

    def test_stuck_for_a_while(self) -> None:
        self.wire.write(b"later")
        self.wire.stick(2.0)
        self.wire.stick(3.0)
        run(self.clock, 2.9)
        self.assertEqual(self.data, b"")
        run(self.clock, 0.2)
        self.assertEqual(self.arrived, [(3.0, b"later")])

    def test_paused(self) -> None:
        self.wire.write(b"later")
        self.wire.pause()
        run(self.clock, 1)
        self.assertEqual(self.data, b"")
        self.wire.resume()
        run(self.clock, 0)
        self.assertEqual(self.data, b"later")

    def test_stuck_and_paused(self) -> None:
        self.wire.stick()
        self.wire.pause()
        self.wire.write(b"later")
        self.wire.resume()
        run(self.clock, 1)
        self.assertEqual(self.data, b"")

    def test_capacity(self) -> None:
        self.wire = self.make(0, capacity=10)
        self.wire.write(bytes(8))
        self.wire.write(bytes(8))
        self.assertEqual((self.wire.buffered, self.wire.overrun_bytes), (10, 6))

    def test_closed_by_who_takes_it(self) -> None:
        """The receiver may clear the wire from within."""
        self.wire.largest_piece = 1
        self.wire.take = lambda data: self.wire.clear()
        self.wire.write(b"two bytes")
        run(self.clock, 1)
        self.assertEqual((self.wire.buffered, self.clock.getDelayedCalls()), (0, []))

    def test_same_seed(self) -> None:
        def record(seed: int) -> list[tuple[float, bytes]]:
            self.clock = Clock()
            wire = self.make(seed)
            wire.bit_errors = wire.lost_bytes = wire.garbage = 0.1
            wire.largest_piece, wire.piece_delay = 20, 0.1
            wire.write(bytes(1000))
            run(self.clock, 1000)
            return self.arrived

        self.assertEqual(record(1), record(1))
        self.assertNotEqual(record(1), record(2))


class SerialLineTests(TestCase):
    def test_both_directions(self) -> None:
        line = SerialLine(Clock())
        line.bit_errors = 0.5
        self.assertEqual((line.to_radio.bit_errors, line.from_radio.bit_errors), (0.5, 0.5))
        line.to_radio.bit_errors = 0.0
        self.assertEqual(line.bit_errors, 0.5)

    def test_directions_differ(self) -> None:
        """What happens to one direction is not what happens to the other."""
        clock = Clock()
        line = SerialLine(clock)
        line.bit_errors = 0.5
        arrived: list[bytes] = []
        for wire in line.directions:
            wire.take = arrived.append
            wire.write(bytes(100))
        run(clock, 0)
        self.assertNotEqual(*arrived)

    def test_stick_is_for_the_radio(self) -> None:
        line = SerialLine(Clock())
        line.stick()
        self.assertTrue(line.to_radio.stuck)
        self.assertFalse(line.from_radio.stuck)
        line.release()
        self.assertFalse(line.to_radio.stuck)
