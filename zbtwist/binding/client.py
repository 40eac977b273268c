"""A client of a node's port: what each is, and the one behind a TCP connection.

What a burst of frames brings for a client is given to its TCP socket at once, at the end of the
burst; only what the socket does not take waits for the reactor. Twisted's own transports do that
one turn of the reactor later, which costs a third of the time of the whole way.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import socket
from typing import TYPE_CHECKING, Any
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.binding.outbound import Writer
from zbtwist.runtime.tcp import notice_the_dead, reset_if_killed, socket_of

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: Seconds between two looks whether a client that has ended its side may be let go.
REPLY_POLL = 0.1


class PortClient(Writer, Shape):
    """Who hears a node and writes to it: a TCP connection, or what stands for one.

    @ivar peer: who it is, for the log.
    @ivar has_ended: it writes no more, and is only waiting for what is still to come.
    @ivar gone: fires when it will neither hear nor write any more.
    """

    peer: str
    has_ended: bool
    gone: Deferred[None]

    def deliver(self, data: bytes) -> None:
        """Take bytes of the node; must not block, and keeps a bounded number of them."""

    def close(self) -> None:
        """The port goes away: pass on what is buffered, then end, soon."""

    def reset(self, reason: str) -> None:
        """Bytes are lost: end at once, so that the other end notices. `reason` is a sentence."""

    def abort(self) -> None:
        """End at once."""


@implementer(IPushProducer, IHalfCloseableProtocol)
class NodeClient(Protocol):
    """One TCP connection to a node's port; to the node's `Outbound` it is a writer.

    A client that ends its side is not left at once: the end of ours would say that all has arrived,
    and it may want to read the answer. See `readConnectionLost`.
    """

    log = Logger()

    def __init__(self, port: NodePort) -> None:
        self._port = port
        self._blocked = False
        self._unsent = 0
        # No more to be done with the transport: it is lost, or about to be.
        self._over = False
        self._closing = False
        # Writes at once what the socket takes; None if the transport cannot.
        self._send: Callable[[bytes], int] | None = None
        self._fresh: list[bytes] = []
        self.has_ended = False
        self._ending: IDelayedCall | None = None
        self._socket: socket | None = None
        self.gone: Deferred[None] = Deferred()
        self.peer = "?"

    @property
    def _tcp(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        tcp = self._tcp
        peer = tcp.getPeer()
        host, number = getattr(peer, "host", None), getattr(peer, "port", None)
        self.peer = f"{host}:{number}" if host else str(peer)
        # A Unix socket has no such thing.
        getattr(tcp, "setTcpNoDelay", bool)(True)
        self._socket = socket_of(tcp)
        if self._socket is not None:
            notice_the_dead(self._socket)
            # While it is served, the end of the program is not the end of the stream.
            reset_if_killed(self._socket, True)
        if isinstance(tcp, Connection):
            # To a producer that is pulled it says each time when nothing waits any more.
            tcp.registerProducer(self, False)
            self._send = tcp.socket.send
        else:
            tcp.registerProducer(self, True)
        self._port.client_opened(self)

    def readConnectionLost(self) -> None:
        """The client has ended its side, or the whole; which of them it is cannot be told.

        It is kept until what it sent has arrived, so that it can be reset if that is lost, and then
        for `REPLY_TIME`, since it may wait for the answer. But where bytes are kept for the next
        client, none may be given to one that is gone.
        """
        self.has_ended = True
        self._end_when_all_is_said()

    def writeConnectionLost(self) -> None:
        """Ours is never ended without the client's."""

    def _end_when_all_is_said(self) -> None:
        self._ending = None
        if self._over or self._closing:
            return
        if self._port.has_business_with(self):
            self._ending = self._port.clock.callLater(REPLY_POLL, self._end_when_all_is_said)
        else:
            self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._over = True
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._port.client_closed(self)
        self.gone.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self._port.outbound.write(self, data)

    # --- from the node -------------------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """Send bytes of the node to this client."""
        if self._over:
            return
        if self._blocked:
            self._unsent += len(data)
            if self._port.drop_if_slow(self, self._unsent):
                return
            self._tcp.write(data)
        elif self._send is None:
            self._tcp.write(data)
        elif self._port.burst.is_on:
            self._fresh.append(data)
            if len(self._fresh) == 1:
                self._port.burst.at_end(self._write_fresh)
        else:
            self._write_now(self._send, data)

    def _write_fresh(self) -> None:
        data = b"".join(self._fresh)
        self._fresh.clear()
        if data and self._send is not None and not self._over:
            self._write_now(self._send, data)

    def _write_now(self, send: Callable[[bytes], int], data: bytes) -> None:
        try:
            sent = send(data)
        except OSError:
            # It takes nothing, or is broken; the reactor finds that out as well, and ends the
            # connection as it should be.
            sent = 0
        if sent < len(data):
            self.pauseProducing()
            self._unsent = len(data) - sent
            self._tcp.write(data[sent:])

    def pauseProducing(self) -> None:
        """The socket takes no more: count from now on."""
        self._blocked = True
        self._unsent = 0

    def resumeProducing(self) -> None:
        """The socket has taken everything."""
        self._blocked = False

    def stopProducing(self) -> None:
        """The connection is going away; nothing to do."""

    # --- to the node: see zbtwist.binding.outbound.Writer --------------------------------------

    def pause(self) -> None:
        if not self._over:
            self._tcp.pauseProducing()

    def resume(self) -> None:
        if not (self._over or self.has_ended):
            self._tcp.resumeProducing()

    def reset(self, reason: str) -> None:
        if self._over:
            return
        self.log.warn(
            "Client {peer} of {node} on port {port} is dropped: {reason}.",
            peer=self.peer,
            node=self._port.node,
            port=self._port.number,
            reason=reason.rstrip("."),
        )
        self.abort()

    # --- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Send what is buffered and close."""
        if self._over or self._closing:
            return
        self._closing = self.has_ended = True
        self._write_fresh()
        if self._socket is not None:
            reset_if_killed(self._socket, False)
        self._tcp.unregisterProducer()
        self._tcp.loseConnection()

    def abort(self) -> None:
        """Close without sending what is buffered."""
        if not self._over:
            self._over = True
            self._tcp.abortConnection()
