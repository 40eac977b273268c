"""The judges see what they are there to see."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.streams import (
    Epoch,
    Reader,
    RecordReader,
    Said,
    Speech,
    Tally,
    Writer,
    listen,
    record,
)
from tests.faults.world import World


class RecordReaderTests(SynchronousTestCase):
    def test_finds_whole_records(self) -> None:
        """Also behind half a record, and behind one that is damaged."""
        chance = random.Random(1)
        first, second, third = (record(chance, 7, number) for number in range(3))
        damaged = bytes([*second[:-1], second[-1] ^ 1])
        found = []
        reader = RecordReader()
        for value in first[:20] + first + damaged + third:
            found += reader.feed(bytes([value]))
        self.assertEqual(found, [(7, 0), (7, 2)])


class EpochTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.data = random.Random(2).randbytes(100)
        self.epoch = Epoch(Said())
        self.epoch.said.add(self.data)
        self.tally = Tally()

    def take(self, *parts: tuple[int, int]) -> None:
        for start, end in parts:
            self.assertTrue(self.epoch.take(self.data[start:end], self.tally))

    def test_all(self) -> None:
        self.take((0, 40), (40, 100))
        self.assertEqual((self.epoch.got, self.epoch.missing), (100, 0))
        self.assertTrue(self.tally.is_faithful)

    def test_hole(self) -> None:
        self.take((0, 40), (60, 100))
        self.assertEqual((self.epoch.got, self.epoch.missing), (80, 20))

    def test_reordered(self) -> None:
        self.take((0, 40), (60, 100), (40, 60))
        self.assertEqual((self.epoch.got, self.epoch.missing), (100, 0))
        self.assertEqual(self.tally, Tally(reordered=20))

    def test_doubled(self) -> None:
        self.take((0, 40), (20, 40), (40, 100))
        self.assertEqual(self.tally, Tally(doubled=20))

    def test_strange(self) -> None:
        self.assertFalse(self.epoch.take(bytes(20), self.tally))


class StreamTests(SynchronousTestCase):
    """Losses that nobody is told of, between a client and a node."""

    def setUp(self) -> None:
        self.world = World()
        self.addCleanup(self.world.stop)
        (self.device,) = self.world.devices

    def test_packet_that_the_node_does_not_get(self) -> None:
        writer = Writer(self.world, self.device, 800.0)
        strange = listen(self.device, writer)
        hear, self.device.listener = self.device.listener, None
        writer.start()
        self.world.run(0.03)
        self.device.listener = hear
        self.world.run(1.0)
        writer.stop()
        self.world.run(1.0)
        self.assertEqual(writer.judge().unannounced, 84)
        self.assertEqual(strange.strange, 0)

    def test_packet_that_the_client_does_not_get(self) -> None:
        speech = Speech(self.world, self.device, 800.0)
        reader = Reader(self.world, speech)
        speech.start()
        self.world.run(1.01)
        node = self.world.binding_of(self.device).node
        hear, node.receiver = node.receiver, None
        self.world.run(0.02)
        node.receiver = hear
        self.world.run(1.0)
        speech.stop()
        self.world.run(1.0)
        self.assertEqual(reader.judge().unannounced, 84)

    def three_records(self) -> tuple[Reader, list[bytes]]:
        """A client that has heard a record, and three more that were said behind it."""
        speech = Speech(self.world, self.device, 0.0)
        reader = Reader(self.world, speech)
        speech.say_record()
        self.world.run(0.5)
        records = [record(random.Random(n), 0, n) for n in range(1, 4)]
        for said in records:
            speech.said.add(said)
        return reader, records

    def test_packets_that_the_client_gets_twice_in_one_read(self) -> None:
        """Also if others are behind them in the same read."""
        reader, (one, two, three) = self.three_records()
        reader._received(one + one + two)
        reader._received(two + three)
        self.assertEqual(reader.tally.doubled, len(one) + len(two))
        self.assertEqual((reader.tally.strange, reader.judge().unannounced), (0, 0))

    def test_hole_in_one_read(self) -> None:
        reader, (one, two, three) = self.three_records()
        reader._received(one + three)
        self.assertEqual(reader.judge().unannounced, len(two))

    def test_end_that_the_client_does_not_get(self) -> None:
        speech = Speech(self.world, self.device, 800.0)
        reader = Reader(self.world, speech)
        speech.start()
        self.world.run(1.1)
        speech.stop()
        reader.connection.stop_reading()
        speech.say_record()
        self.world.run(1.0)
        self.assertGreater(reader.judge().unannounced, 0)
