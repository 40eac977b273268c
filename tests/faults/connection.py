"""A TCP connection in memory, between a protocol of the gateway and a client.

The gateway's end is a transport that behaves as Twisted's: it reads at most 64 KiB at once and not
while it is paused, its producer is paused while more than 64 KiB wait for the socket, and resumed
when all is with it. Between both ends the two sockets' buffers take a bounded number of bytes each
way. The client may stop reading, and then they fill up. Nothing is delivered within the call that
caused it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

#: Bytes that both ends' sockets together hold, each way.
SOCKET = 65536

#: What Twisted reads at once, and what it keeps before it pauses a producer
#: (`twisted.internet.abstract.FileDescriptor.bufferSize`).
READ_SIZE = 65536
WRITE_BUFFER = 65536

#: How a connection ended, as the client sees it.
CLOSED, RESET, GONE = "closed", "reset", "gone"


def _ignore(*arguments: object) -> None:
    """Nobody asked to be told."""


class Client:
    """The client's end, whatever is between it and the gateway.

    @ivar ended: "" while it is open; `CLOSED` or `RESET` when the gateway ended it, `GONE` when the
        client did.
    @ivar has_ended_side: the client has said that it will write no more.
    @ivar received: called with the bytes that the client reads.
    @ivar has_room: called when the socket takes bytes again after `write` took less than all.
    @ivar at_end: called when the gateway has ended it.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.ended = ""
        self.has_ended_side = False
        self.received: Callable[[bytes], object] = _ignore
        self.has_room: Callable[[], object] = _ignore
        self.at_end: Callable[[], object] = _ignore
        self._reading = True
        self._wants_room = False

    def write(self, data: bytes) -> int:
        """Write as much as the socket takes.

        @return: how many bytes it took.
        """
        raise NotImplementedError

    @property
    def unread(self) -> int:
        """Bytes of the gateway that are in the socket, and were not read."""
        raise NotImplementedError

    def stop_reading(self) -> None:
        """Read nothing, for now or for ever."""
        raise NotImplementedError

    def read_again(self) -> None:
        """Read on."""
        raise NotImplementedError

    def end_side(self) -> None:
        """Send FIN, and read on."""
        raise NotImplementedError

    def close(self) -> None:
        """Send FIN: what was written arrives before it. Read no more."""
        raise NotImplementedError

    def abort(self) -> None:
        """Send RST: what the gateway has not read is lost."""
        raise NotImplementedError


class Connection(Client):
    """In memory."""

    def __init__(
        self,
        clock: IReactorTime,
        factory: IProtocolFactory,
        port: int,
        *,
        socket: int = SOCKET,
        write_buffer: int = WRITE_BUFFER,
        read_size: int = READ_SIZE,
        gateway_clock: IReactorTime | None = None,
    ) -> None:
        """
        @param read_size: bytes that the gateway's transport reads at once.
        @param gateway_clock: the time of the gateway's end, if it may stand still by itself.
        @param factory: what listens on the port.
        @param socket: bytes that the sockets hold each way.
        @param write_buffer: bytes that the gateway's transport keeps before it pauses a producer.
        @raise ConnectionRefusedError: the factory refuses the connection.
        """
        super().__init__(clock)
        self.socket = socket
        self._to_client = bytearray()
        self._closing = False
        self._reader: IDelayedCall | None = None
        protocol = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40000))
        if protocol is None:
            raise ConnectionRefusedError(f"nobody serves port {port}")
        self.gateway_end = Transport(self, protocol, port, write_buffer, gateway_clock or clock)
        self.gateway_end.read_size = read_size
        protocol.makeConnection(self.gateway_end)

    @property
    def unread(self) -> int:
        return len(self._to_client)

    def write(self, data: bytes) -> int:
        if self.ended or self.has_ended_side:
            return 0
        took = self.gateway_end.take(data)
        self._wants_room = took < len(data)
        return took

    def room_is_made(self) -> None:
        """The gateway has read."""
        if self._wants_room:
            self._wants_room = False
            self.has_room()

    def stop_reading(self) -> None:
        self._reading = False
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def read_again(self) -> None:
        self._reading = True
        self._read_soon()

    def end_side(self) -> None:
        if not self.ended:
            self.has_ended_side = True
            self.gateway_end.client_closed()

    def close(self) -> None:
        if not self.ended:
            self._end(GONE)
            self.gateway_end.client_closed()

    def abort(self) -> None:
        if not self.ended:
            self._end(GONE)
            self.gateway_end.lost_soon(error.ConnectionLost())

    # --- what comes from the gateway -----------------------------------------------------------

    @property
    def room(self) -> int:
        """How many bytes the sockets take from the gateway."""
        return 0 if self.ended else self.socket - len(self._to_client)

    def arrived(self, data: bytes) -> None:
        """Bytes of the gateway are in the socket."""
        self._to_client += data
        self._read_soon()

    def gateway_closed(self) -> None:
        """FIN came; it is read behind the last byte."""
        self._closing = True
        self._read_soon()

    def gateway_aborted(self) -> None:
        """RST came: what was not read is gone."""
        if not self.ended:
            self._end(RESET)
            self.at_end()

    def gateway_killed(self) -> None:
        """The process at the other end is no more; its kernel ends what it served by RST."""
        self.gateway_end.die()
        self.gateway_aborted()

    def _read_soon(self) -> None:
        if self._reading and not self.ended and self._reader is None:
            self._reader = self.clock.callLater(0, self._read)

    def _read(self) -> None:
        self._reader = None
        data, self._to_client = bytes(self._to_client), bytearray()
        if data:
            self.received(data)
            self.gateway_end.room_is_made()
        if self._closing and not self._to_client and not self.ended:
            self._end(CLOSED)
            self.at_end()

    def _end(self, how: str) -> None:
        self.stop_reading()
        self._to_client.clear()
        self.ended = how


@implementer(ITCPTransport, IConsumer)
class Transport:
    """The gateway's end.

    @ivar read_bytes: how many bytes the gateway has read.
    @ivar read_size: how many it reads at once.
    """

    def __init__(
        self,
        client: Connection,
        protocol: IProtocol,
        port: int,
        write_buffer: int,
        clock: IReactorTime,
    ) -> None:
        self._client = client
        self._clock = clock
        self.read_bytes = 0
        self.read_size = READ_SIZE
        self.protocol = protocol
        self._port = port
        self._write_buffer = write_buffer
        self._unread = bytearray()
        self._unsent = bytearray()
        self._producer: Any = None
        self._streaming = False
        self._producer_paused = False
        self._reading = True
        self._reader: IDelayedCall | None = None
        self._writer: IDelayedCall | None = None
        self._client_closed = False
        self._write_lost = False
        self.connected = True
        self.disconnecting = False
        self.disconnected = False

    @property
    def buffered(self) -> int:
        """Bytes that wait in the gateway for the socket to take them."""
        return len(self._unsent)

    # --- from the client -----------------------------------------------------------------------

    def take(self, data: bytes) -> int:
        """Bytes of the client are in the socket, as many as there is room for."""
        room = max(0, self._client.socket - len(self._unread))
        self._unread += data[:room]
        self._read_soon()
        return min(room, len(data))

    def client_closed(self) -> None:
        """FIN came; it is read behind the last byte."""
        self._client_closed = True
        self._read_soon()

    def _read_soon(self) -> None:
        if self._reading and self.connected and self._reader is None:
            self._reader = self._clock.callLater(0, self._read)

    def _read(self) -> None:
        self._reader = None
        data = bytes(self._unread[: self.read_size])
        del self._unread[: self.read_size]
        if data:
            self.read_bytes += len(data)
            self._client.room_is_made()
            self.protocol.dataReceived(data)
        if self._client_closed and not self._unread and self._reading:
            half = IHalfCloseableProtocol(self.protocol, None)
            if half is None:
                self.lost_soon(error.ConnectionDone())
            else:
                self._client_closed = self._reading = False
                half.readConnectionLost()
        elif self._unread:
            self._read_soon()

    # --- to the client -------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if not self.connected or self.disconnecting or self._write_lost:
            return
        self._unsent += data
        if (
            self._producer is not None
            and self._streaming
            and not self._producer_paused
            and len(self._unsent) > self._write_buffer
        ):
            self._producer_paused = True
            self._producer.pauseProducing()
        self._write_soon()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def room_is_made(self) -> None:
        """The client has read."""
        self._write_soon()

    def _write_soon(self) -> None:
        if self.connected and self._writer is None:
            self._writer = self._clock.callLater(0, self._write)

    def _write(self) -> None:
        self._writer = None
        if self._unsent and self._client.ended:
            # Nobody is there any more, and RST is the answer. What came before is read all the
            # same; see `zbtwist.runtime.read_to_end`.
            half = IHalfCloseableProtocol(self.protocol, None)
            if half is None or not self._unread:
                self.lost_soon(error.ConnectionLost())
                return
            self._unsent.clear()
            self._write_lost = True
            half.writeConnectionLost()
            return
        room = self._client.room
        if room and self._unsent:
            self._client.arrived(bytes(self._unsent[:room]))
            del self._unsent[:room]
        if self._unsent:
            return
        if self._producer is not None and (self._producer_paused or not self._streaming):
            self._producer_paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            self._client.gateway_closed()
            self._lost(error.ConnectionDone())

    # --- the end -------------------------------------------------------------------------------

    def loseConnection(self) -> None:
        if self.connected:
            self.disconnecting = True
            self._write_soon()

    loseWriteConnection = loseConnection

    def abortConnection(self) -> None:
        if self.connected:
            self._client.gateway_aborted()
            self.lost_soon(error.ConnectionAborted())

    def lost_soon(self, reason: Exception) -> None:
        """Nothing is read and written any more; the protocol hears of it in the next turn."""
        if self._disconnect():
            self._clock.callLater(0, self._finish, reason)

    def _lost(self, reason: Exception) -> None:
        if self._disconnect():
            self._finish(reason)

    def _disconnect(self) -> bool:
        if not self.connected:
            return False
        self.connected = False
        self.disconnected = True
        for call in (self._reader, self._writer):
            if call is not None:
                call.cancel()
        self._reader = self._writer = None
        self._unread.clear()
        self._unsent.clear()
        return True

    def die(self) -> None:
        """The process is no more; it hears of nothing."""
        self._reader = self._writer = None
        self._disconnect()

    def _finish(self, reason: Exception) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))

    # --- the rest of ITCPTransport and IConsumer -----------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer, self._streaming = producer, streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        if self.disconnecting:
            self._write_soon()

    def pauseProducing(self) -> None:
        self._reading = False
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def resumeProducing(self) -> None:
        if self.connected and not self.disconnecting:
            self._reading = True
            if self._unread or self._client_closed:
                self._read_soon()

    def stopProducing(self) -> None:
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 40000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self._port)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing waits here."""

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing is lost here."""

    def getTcpKeepAlive(self) -> bool:
        return True


def pour(connection: Client) -> None:
    """Write without end."""

    def go_on() -> None:
        while connection.write(bytes(8192)) == 8192:
            pass

    connection.has_room = go_on
    go_on()
