"""A real TCP connection between a protocol of the gateway and a client, on the clock of a test.

The gateway's end is Twisted's own transport, so that whatever the gateway does with its socket is
done here too, and the client reads what a client would read: also what was written shortly before
RST, as Linux lets it. Both ends are in this process, on the loopback interface. Each end knows how
much the other has sent, and waits for that; so a run repeats, however late the kernel is.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
import time
from array import array
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from tests.clock import MemoryReactorClock
from tests.faults.connection import CLOSED, GONE, RESET, Client
from zbtwist.runtime.tcp import QuickConnection

#: Seconds that the kernel has to pass bytes on; it takes microseconds.
PATIENCE = 10.0

#: Bytes that a socket has room for, whatever the kernel does.
CERTAIN = 4096

#: What the client reads at once.
READ_SIZE = 65536

_NO_LINGER = struct.pack("ii", 1, 0)


class CountingSocket(socket.socket):
    """
    @ivar sent_bytes: what went into it.
    @ivar read_bytes: what was taken out of it.
    """

    sent_bytes = 0
    read_bytes = 0

    def send(self, data: Any, flags: int = 0, /) -> int:
        sent = super().send(data, flags)
        self.sent_bytes += sent
        return sent

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        self.read_bytes += len(data)
        return data


def tcp_pair() -> tuple[CountingSocket, CountingSocket]:
    """Return both ends of a TCP connection."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        one = CountingSocket(socket.AF_INET, socket.SOCK_STREAM)
        one.connect(listening.getsockname())
        other = CountingSocket(fileno=listening.accept()[0].detach())
    for end in (one, other):
        end.setblocking(False)
        # Nothing is held back for an acknowledgement that the kernel delays.
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one, other


def _wait_for(end: socket.socket, count: int) -> None:
    """Wait until so many bytes have arrived, or the end; of many bytes, until the first have."""
    poll = select.poll()
    poll.register(end, select.POLLIN | select.POLLRDHUP)
    # More than that may not fit, and what waited for longer is there.
    count = min(count, CERTAIN)
    arrived = array("i", [0])
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for _, events in poll.poll(PATIENCE * 1000):
            fcntl.ioctl(end, termios.FIONREAD, arrived)
            if arrived[0] >= count or events & ~select.POLLIN:
                return
    raise AssertionError(f"the kernel did not pass on what was sent within {PATIENCE:g} s")


class _Connection(QuickConnection):
    """As the gateway's own, but reads as much at once as Twisted's.

    With many small reads the kernel lets the sender wait, and nobody knows for how long.
    """

    bufferSize = 65536


class SocketConnection(Client):
    """The client's end.

    @ivar transport: the gateway's end.
    """

    def __init__(
        self, clock: MemoryReactorClock, factory: IProtocolFactory, gateway_reactor: Any = None
    ) -> None:
        """
        @param gateway_reactor: that of the gateway's end, if it is another than the clock.
        @param factory: what listens on the port.
        @raise ConnectionRefusedError: the factory refuses the connection.
        """
        super().__init__(clock)
        self._reactor = clock
        self._end, self._gateway_end = tcp_pair()
        self._is_end_unread = False
        peer = self._end.getsockname()
        protocol: Any = factory.buildProtocol(peer)
        if protocol is None:
            self.stop()
            raise ConnectionRefusedError("nobody serves that port")
        server: Any = None
        self.transport: Any = _Connection(
            self._gateway_end, protocol, peer, server, 0, gateway_reactor or clock
        )
        protocol.makeConnection(self.transport)

    @property
    def unread(self) -> int:
        return self._gateway_end.sent_bytes - self._end.read_bytes

    def write(self, data: bytes) -> int:
        if self.ended or self.has_ended_side:
            return 0
        try:
            took = self._end.send(data)
        except OSError:
            # It is full, or reset; in that case the end is read.
            took = 0
        self._wants_room = took < len(data)
        self._soon()
        return took

    def stop_reading(self) -> None:
        self._reading = False

    def read_again(self) -> None:
        self._reading = True
        self._soon()

    def end_side(self) -> None:
        if not self.ended:
            self.has_ended_side = self._is_end_unread = True
            self._end.shutdown(socket.SHUT_WR)
            self._soon()

    def close(self) -> None:
        self._leave()

    def abort(self) -> None:
        if not self.ended:
            self._end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._leave()

    def _leave(self) -> None:
        if not self.ended:
            self._ended_as(GONE)
            self._is_end_unread = True
            self._soon()

    def _soon(self) -> None:
        """Let there be something that happens now."""
        self.clock.callLater(0, bool)

    def _ended_as(self, how: str) -> None:
        self.ended = how
        self._end.close()

    def stop(self) -> None:
        """Close what is open."""
        self._end.close()
        self._gateway_end.close()

    # --- what a reactor does --------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether both ends are closed."""
        return bool(self.ended) and self._gateway_end.fileno() < 0

    def go_on(self, gateway_runs: bool = True) -> bool:
        """Pass on what is in the sockets.

        @param gateway_runs: whether the gateway does anything at the moment.
        @return: whether something was.
        """
        gateway_did = gateway_runs and any([self._gateway_reads(), self._gateway_writes()])
        return self._client_reads() or gateway_did

    def gateway_killed(self) -> None:
        """The process at the other end is no more: its kernel closes the socket, as it was set."""
        self._reactor.removeReader(self.transport)
        self._reactor.removeWriter(self.transport)
        self._gateway_end.close()
        self._soon()

    def _gateway_reads(self) -> bool:
        is_more = self._end.sent_bytes > self._gateway_end.read_bytes or self._is_end_unread
        if not is_more or self.transport not in self._reactor.readers:
            return False
        _wait_for(self._gateway_end, self._end.sent_bytes - self._gateway_end.read_bytes)
        before = self._gateway_end.read_bytes
        why = self.transport.doRead()
        if why is not None:
            self._is_end_unread = False
            self._reactor.removeReader(self.transport)
            if why is CONNECTION_DONE:
                self.transport.readConnectionLost(Failure(why))
            else:
                self._gateway_lost(why)
        elif self._wants_room and self._gateway_end.read_bytes > before:
            self._wants_room = False
            self.has_room()
        return True

    def _gateway_writes(self) -> bool:
        if self.transport not in self._reactor.writers:
            return False
        before = self._gateway_end.sent_bytes
        why = self.transport.doWrite()
        if why is not None:
            self._gateway_lost(why)
            return True
        return self.transport not in self._reactor.writers or self._gateway_end.sent_bytes > before

    def _gateway_lost(self, why: Exception) -> None:
        self._reactor.removeReader(self.transport)
        self._reactor.removeWriter(self.transport)
        self.transport.connectionLost(Failure(why))

    def _client_reads(self) -> bool:
        if self.ended or not self._reading or not (self.unread or self._gateway_end.fileno() < 0):
            return False
        _wait_for(self._end, self.unread)
        try:
            data = self._end.recv(READ_SIZE)
        except ConnectionResetError:
            self._ended_as(RESET)
            self.at_end()
            return True
        if data:
            self.received(data)
        else:
            self._ended_as(CLOSED)
            self.at_end()
        return True
