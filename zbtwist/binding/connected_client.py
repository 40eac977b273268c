"""A client of a node's port behind a connection, over TCP or what is like it."""

from __future__ import annotations

from itertools import count
from socket import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.binding.client import NodeClient
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.port_protocol import Raw
from zbtwist.binding.request_line import HOLD_TIME, opening_of
from zbtwist.runtime.host_port import host_and_port
from zbtwist.runtime.read_to_end import ReadToEnd, unread_in
from zbtwist.runtime.tcp import (
    buffered_by,
    notice_the_dead,
    reset_if_killed,
    socket_of,
    unanswered_for,
)
from zbtwist.runtime.write_at_once import WriteAtOnce

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: Numbers of those that come by Unix sockets, in the order in which they come.
_unix_clients = count(1)


@implementer(IPushProducer, IHalfCloseableProtocol)
class ConnectedClient(NodeClient, Protocol):
    """One connection to a node's port, over TCP or what is like it."""

    def __init__(self, port: NodePort, share: str = "", wish: EndpointWish | None = None) -> None:
        """
        @param port: whose client it is.
        @param share: see `NodeClient`.
        @param wish: the same.
        """
        super().__init__()
        self.share = share
        if wish is not None:
            self.wish, self.protocol = wish, wish.protocol
        self.gone = Deferred()
        self._serves = port
        # No more to be done with the transport: it is lost, or about to be.
        self._over = False
        self._closing = False
        self._socket: socket | None = None
        self._connection: Any = None
        self._counts_unread = True
        # How many packets of the node it has not been told of.
        self._told_before = 0
        # What may be the beginning of a browser's request, and until when it is held back.
        self._held = b""
        self._holding: IDelayedCall | None = None

    @property
    def is_over(self) -> bool:
        return self._over

    def connectionMade(self) -> None:
        connection: Any = self.transport
        self._connection = connection
        peer = connection.getPeer()
        host, number = getattr(peer, "host", None), getattr(peer, "port", 0)
        # At the other end of a Unix socket is mostly no name, and whoever is to be disconnected
        # needs one.
        self.peer = host_and_port(host, number) if host else f"unix:{next(_unix_clients)}"
        # A Unix socket has no such thing.
        getattr(connection, "setTcpNoDelay", bool)(True)
        self._socket = socket_of(connection)
        if self._socket is not None:
            notice_the_dead(self._socket, self._serves.outbound.settings.keepalive)
            # While it is served, the end of the program is not the end of the stream.
            reset_if_killed(self._socket, True)
        if isinstance(connection, WriteAtOnce):
            connection.batch = self._serves.batch
        if isinstance(connection, ReadToEnd):
            connection.reads_to_end = True
        connection.registerProducer(self, True)
        has_more = self._serves.kept or self._serves.outbound.settings.banner
        self._told_before = self._serves.packets_received - bool(has_more)
        self.attach(self._serves)
        if not isinstance(self._protocol, Raw):
            # A protocol may have told it something by itself.
            self._told_before = -1
        self._choose_way()

    @property
    def _was_told_nothing(self) -> bool:
        """Whether nothing was written to it. A system whose program closes in good order resets the
        connection all the same if there is something unread, or something comes later.
        """
        return self._serves.packets_received == self._told_before

    def dataReceived(self, data: bytes) -> None:
        """The first that the client sends, which must not be a browser's; the rest goes on with no
        step in between.
        """
        port = self._serves
        data, self._held = self._held + data, b""
        browsers = opening_of(data) if self._may_be_a_browser else ""
        if browsers is None:
            self._held = data
            if self._holding is None:
                self._holding = port.clock.callLater(HOLD_TIME, self._held_for_long)
            return
        self._hold_no_longer()
        if browsers:
            # None of it was taken, so that none of it is lost.
            self._counts_unread = False
            self.reset(
                f"it sends {browsers}, as a browser does for any web page; http = true lets that "
                "through to a node that is meant to get it"
            )
            return
        self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        self.has_written = True
        self.dataReceived = self.received  # type: ignore[method-assign]
        self.received(data)

    def settings_changed(self) -> None:
        super().settings_changed()
        if self._socket is not None:
            notice_the_dead(self._socket, self._serves.outbound.settings.keepalive)
        if "dataReceived" in vars(self):
            self.dataReceived = self.received  # type: ignore[method-assign]

    def _held_for_long(self) -> None:
        self._holding = None
        if self.unread > len(self._held):
            # There is more to tell by, which was not read yet.
            self._holding = self._serves.clock.callLater(HOLD_TIME, self._held_for_long)
        else:
            self._pass_held_on()

    def _pass_held_on(self) -> None:
        """Nothing follows what was held back: no browser ends so."""
        self._hold_no_longer()
        held, self._held = self._held, b""
        if held:
            self._pass_on(held)

    def _hold_no_longer(self) -> None:
        holding, self._holding = self._holding, None
        if holding is not None:
            holding.cancel()

    def _choose_way(self) -> None:
        """Have bytes of the node go to the connection itself while nothing has to be counted and
        nothing has to be made of them.
        """
        is_straight = not (self.blocked or self.has_left or self._over)
        if isinstance(self._protocol, Raw) and is_straight:
            self.deliver = self._connection.write
        elif self._protocol is not None:
            self.deliver = self._protocol.from_node

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        is_reset = not (self._over or self.writes_no_more or reason.check(ConnectionDone))
        if is_reset and self._was_told_nothing:
            self._takes_back()
        elif not self._over:
            # Behind TLS nothing tells of the client's end before.
            self._pass_held_on()
        self._hold_no_longer()
        self._over = True
        self._choose_way()
        self.detach()
        self.gone.callback(None)

    def _takes_back(self) -> None:
        """The client has reset the connection itself, and does not stand by what it wrote."""
        outbound = self._serves.outbound
        outbound.discard(self)
        outbound.bytes_lost += len(self._held)
        self._held = b""

    def readConnectionLost(self) -> None:
        """The client has ended its side, or the whole; which of them it is cannot be told. The end
        of ours would say that all has arrived.
        """
        self._pass_held_on()
        if self.has_left:
            # Nobody is there to be told anything.
            self.close()
        else:
            self.end_when_all_is_said()

    def writeConnectionLost(self) -> None:
        """The client has ended the whole, and what it had sent before is still to be read."""
        if self._was_told_nothing:
            # Nothing of ours can have made its system reset the connection.
            self._takes_back()
            self.abort()
            return
        self.has_left = True
        self.blocked = False
        self._serves.outbound.ended(self)
        self._choose_way()

    def send(self, data: bytes) -> None:
        self._connection.write(data)

    def pauseProducing(self) -> None:
        self.blocked = True
        self._choose_way()

    def resumeProducing(self) -> None:
        self.blocked = False
        self.drained()
        self._choose_way()

    def stopProducing(self) -> None:
        """The connection is going away; nothing to do."""

    def pause(self) -> None:
        if not self._over:
            self._connection.pauseProducing()

    def resume(self) -> None:
        if not (self._over or self.has_ended):
            self._connection.resumeProducing()

    def close(self) -> None:
        if self._over or self._closing:
            return
        self._closing = self.has_ended = True
        self._count_unread()
        if self._socket is not None:
            reset_if_killed(self._socket, False)
        self._connection.unregisterProducer()
        self._connection.loseConnection()

    def cut(self, reason: str) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._over:
            self._over = True
            self._count_unread()
            self._choose_way()
            self._connection.abortConnection()

    @property
    def _may_be_a_browser(self) -> bool:
        """Whether it matters if it is one."""
        is_framed = self._protocol is not None and self._protocol.is_framed
        return not (self._serves.outbound.settings.http or is_framed) and self._is_tcp

    @property
    def _is_tcp(self) -> bool:
        """Whether a browser may be at the other end: it opens no Unix sockets."""
        return hasattr(self._connection.getPeer(), "host")

    def _count_unread(self) -> None:
        """What the client has sent and nobody will read is lost. It may be gone, so that its end
        of the connection tells it nothing.
        """
        unread = self.unread
        if unread and self._counts_unread and self._port is not None:
            self._port.left_unread(self, unread)
        self._held = b""

    @property
    def unanswered_for(self) -> float:
        return 0.0 if self._socket is None or self._over else unanswered_for(self._socket)

    @property
    def buffered(self) -> int:
        return buffered_by(self._connection, self._unsent)

    @property
    def has_unread(self) -> bool:
        # Behind TLS it cannot be told how much there is.
        return self.unread > 0 or (self._socket is not None and unread_in(self._socket) > 0)

    @property
    def unread(self) -> int:
        # Behind TLS the socket's bytes are others.
        is_plain = self._socket is getattr(self._connection, "socket", None)
        waiting = unread_in(self._socket) if self._socket is not None and is_plain else 0
        return waiting + len(self._held)
