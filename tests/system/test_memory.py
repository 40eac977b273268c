"""The real program's memory, while clients write without end or never read."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.support import Gateway, wait_until

# It is the same with every Python.
skip = left_out() or None

MUCH = 100_000_000

#: Seconds for which a client goes on writing.
SECONDS = 2.0

#: Bytes of resident memory that may come on top: 64 KiB + 4 KiB for what is written, 256 KiB and a
#: socket's for what is not read (architecture.rst, "Bounds"), and what Python itself takes in
#: advance.
GROWTH = 2_000_000


class MemoryTests(SynchronousTestCase):
    def start(self) -> None:
        self.gateway = Gateway("sim:kinds=echo:air=digi:nt=0.3")
        self.addCleanup(self.gateway.stop)
        self.port = self.gateway.nodes(1)["ECHO"]["tcp_port"]

    def resident(self) -> int:
        """Bytes of memory that the program has now."""
        status = Path(f"/proc/{self.gateway.process.pid}/status")
        if not status.exists():
            self.skipTest("this system does not tell how much memory a program has")
        (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        client = socket.socket()
        self.addCleanup(client.close)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(("127.0.0.1", self.port))
        return client

    def pour(self, client: socket.socket) -> int:
        """Write 100 MB, as much as is taken in `SECONDS`; return how much that was."""
        client.settimeout(0.1)
        data = memoryview(bytes(MUCH))
        written = 0
        end = time.monotonic() + SECONDS
        while written < MUCH and time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                written += client.send(data[written:])
        return written

    def test_writes_100_megabytes(self) -> None:
        """The client is held back, and what comes back for one that never reads is bounded."""
        self.start()
        with self.connect() as client:
            # What the first bytes need counts as the program's own.
            client.sendall(bytes(1000))
            self.assertTrue(client.recv(1000))
        before = self.resident()
        self.connect(4096)
        written = self.pour(self.connect())
        self.assertLess(written, MUCH // 2)
        grown = self.resident() - before
        self.assertLess(grown, GROWTH, f"{written} bytes were taken")
        # On a busy computer the air is no faster than its processor.
        wait_until(
            lambda: self.gateway.api.stats()[0]["bytes_out"] > 1000, "more is sent than at first"
        )
