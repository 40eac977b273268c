"""What a client can make the gateway keep: no more than the documented bounds."""

from __future__ import annotations

import gc
import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.connection import READ_SIZE, SOCKET, WRITE_BUFFER, Connection
from tests.faults.world import World
from tests.support import left_out
from zbtwist.binding.client import MAX_UNSENT
from zbtwist.binding.send_buffer import HIGH_WATER, MAX_BUFFERED

# It is the same with every Python.
skip = left_out() or None

MUCH = 100_000_000

#: Bytes of everything else that a few seconds of traffic may leave behind: events, counters.
REST = 200_000


class MemoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.addCleanup(self.world.stop)
        (self.device,) = self.world.devices
        self.outbound = self.world.binding_of(self.device).outbound
        self.most = 0
        # The collector is called often, and so has little to look at.
        gc.collect()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        tracemalloc.start(1)
        self.addCleanup(tracemalloc.stop)
        self.before = tracemalloc.get_traced_memory()[0]
        self.grown = 0

    def measure(self) -> None:
        """Note by how many bytes memory has grown, if that is more than ever before.

        What waits for the collector is kept by nobody, and when it comes is another thing in each
        version of Python.
        """
        gc.collect()
        self.grown = max(self.grown, tracemalloc.get_traced_memory()[0] - self.before)

    def pour(self, connection: Connection, data: memoryview) -> None:
        """Write it, as fast as it is taken."""
        written = 0

        def go_on() -> None:
            nonlocal written
            while written < len(data):
                # In pieces, as a program does that reads a file.
                took = connection.write(bytes(data[written : written + 16384]))
                written += took
                self.most = max(self.most, self.outbound.unconfirmed)
                if not took:
                    return

        connection.has_room = go_on
        go_on()

    def test_writes_100_megabytes(self) -> None:
        """To a node that takes 4 kB a second."""
        data = memoryview(bytes(MUCH))
        self.before += MUCH
        heard = 0

        def count(packet: bytes) -> None:
            nonlocal heard
            if heard // 10_000 != (heard + len(packet)) // 10_000:
                self.measure()
            heard += len(packet)
            self.most = max(self.most, self.outbound.unconfirmed)

        self.device.listener = count
        self.pour(self.world.connect(self.device), data)
        self.world.run(60.0)
        self.assertGreater(heard, 250_000)
        self.assertLessEqual(self.most, HIGH_WATER + READ_SIZE)
        self.assertGreater(self.grown, 0)
        self.assertLess(self.grown, SOCKET + HIGH_WATER + READ_SIZE + REST)

    def test_many_writers(self) -> None:
        """All clients of a node together."""
        writers = 60
        self.device.listener = lambda packet: None
        for _ in range(writers):
            self.pour(self.world.connect(self.device), memoryview(bytes(1_000_000)))
        self.world.run(20.0)
        self.assertLessEqual(self.most, MAX_BUFFERED + writers * READ_SIZE)
        self.assertLessEqual(self.outbound.buffered, MAX_BUFFERED + writers * READ_SIZE)

    def test_never_reads(self) -> None:
        """A client that never reads is dropped; until then so much is kept and no more."""
        connection = self.world.connect(self.device)
        connection.stop_reading()
        most = 0
        while not connection.ended and self.world.now < 600.0:
            self.device.send(bytes(20_000))
            self.world.run(5.0)
            self.measure()
            most = max(most, connection.gateway_end.buffered)
        self.assertEqual(connection.ended, "reset")
        self.assertLessEqual(most, WRITE_BUFFER + MAX_UNSENT + 255)
        self.assertGreater(most, MAX_UNSENT)
        self.assertLess(self.grown, 2 * (SOCKET + WRITE_BUFFER + MAX_UNSENT) + REST)
