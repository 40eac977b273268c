"""A client of a node's port: what all have in common, and the one behind a connection.

What is common is who hears and writes: that a client that reads too slowly is bounded, that one
which has ended its side is kept for what is still to come, and what is said of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from socket import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.binding.asking.conversation import Conversation
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.events import ClientDropped, ClientIdle, ClientIgnored
from zbtwist.binding.port_protocol import PortProtocol, Raw
from zbtwist.binding.protocols import PROTOCOLS
from zbtwist.binding.request_line import HOLD_TIME, opening_of
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

#: Bytes kept for a client whose socket takes no more, on top of what the socket's own buffers hold.
MAX_UNSENT = 262144

#: Seconds between two looks whether a client that has ended its side may be let go.
REPLY_POLL = 0.1


class NodeClient:
    """Who hears a node and writes to it: to the node's `Outbound` it is a writer.

    A subclass says how bytes come to the other end (`send`), how it is held (`pause`, `resume`)
    and how it ends (`close`, `cut`, `abort`). It calls `attach` when the other end is there, and
    `detach` when it is gone; `received` with its bytes; it sets `blocked` while its buffers take no
    more, and calls `drained` when they are empty again.

    @cvar is_raw: its bytes are the node's, whatever protocol the port speaks.
    @cvar is_told_of_losses: it is reset when bytes of the stream are lost.
    @ivar protocol: what it speaks, a name of `PROTOCOLS`; None for what its node's port does.
    @ivar wish: the endpoint by which it came; None for the port itself.
    @ivar peer: who it is, for the log.
    @ivar opened_at: since when it is there, seconds of the clock.
    @ivar wrote_at: when it wrote last, or came; it is noted only while that matters.
    @ivar bytes_ignored: what it wrote and may not write: see `PortSettings.writers`.
    @ivar share: with whom it shares places and turns, see `zbtwist.runtime.shares.peer_of`.
    @ivar blocked: the other end takes no more at the moment: what is written has to wait.
    @ivar has_ended: it writes no more, and is only waiting for what is still to come.
    @ivar has_left: it hears no more, and is only there until all that it had sent is read.
    @ivar has_written: it has sent something: there may be an answer.
    @ivar gone: fires when it will neither hear nor write any more.
    @ivar received: takes what the other end sends.
    @ivar deliver: takes bytes of the node; does not block, and keeps a bounded number of them.
    """

    peer = "?"
    share = ""
    has_ended = False
    has_left = False
    has_written = False
    is_raw = False
    is_told_of_losses = True
    protocol: str | None = None
    wish: EndpointWish | None = None
    blocked = False

    gone: Deferred[None]

    def __init__(self) -> None:
        self._port: NodePort | None = None
        self.opened_at = self.wrote_at = 0.0
        self.bytes_ignored = 0
        self._protocol: PortProtocol | None = None
        self._conversation: Conversation | None = None
        self._unsent = 0
        self._ending: IDelayedCall | None = None
        # When all that it had sent had arrived, after it had ended its side; None before.
        self._arrived_at: float | None = None

    # --- for a subclass to say -----------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send bytes to the other end."""
        raise NotImplementedError

    def pause(self) -> None:
        """Read no more of the other end until `resume`."""
        raise NotImplementedError

    def resume(self) -> None:
        """Read again."""
        raise NotImplementedError

    def close(self) -> None:
        """The port goes away: pass on what is buffered, then end, soon."""
        raise NotImplementedError

    def leave(self, reason: str) -> None:
        """Nothing passes: end in good order. `reason` is a clause."""
        self.close()

    def cut(self, reason: str) -> None:
        """End at once, so that the other end notices. `reason` is a clause."""
        raise NotImplementedError

    def abort(self) -> None:
        """End at once."""
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether it is about to be gone."""
        raise NotImplementedError

    @property
    def writes_no_more(self) -> bool:
        """Whether it has ended its side, or is gone."""
        return self.has_ended or self.has_left or self._port is None

    @property
    def unread(self) -> int:
        """Bytes that the other end has sent and that were not read, as far as is known."""
        return 0

    @property
    def buffered(self) -> int:
        """Bytes that wait for the other end, at the most."""
        return self._unsent

    @property
    def has_unread(self) -> bool:
        """Whether something may have come that was not read."""
        return self.unread > 0

    @property
    def unanswered_for(self) -> float:
        """For how many seconds its system owes an answer, as far as is known."""
        return 0.0

    # --- what is common ------------------------------------------------------------------------

    def attach(self, port: NodePort) -> None:
        """The other end is there: hear the node from now on."""
        self._port = port
        self.opened_at = self.wrote_at = port.clock.seconds()
        if port.outbound.settings.turns and not self.is_raw:
            self._conversation = Conversation(self, port.askers)
        make = Raw if self.is_raw else PROTOCOLS[self.protocol or port.outbound.settings.protocol]
        self._protocol = make(self._way_to_node(port), self.write)
        self._protocol.started(self, port)
        self.received = self._protocol.from_client
        self.deliver = self._protocol.from_node
        port.client_opened(self)

    def _way_to_node(self, port: NodePort) -> Callable[[bytes], None]:
        """Return what takes its bytes: the way itself, unless it matters who writes or when."""
        conversation = self._conversation
        way: Callable[[bytes], None] = partial(port.outbound.write, self)
        if conversation is not None:
            way = conversation.write
        if port.outbound.settings.minds_who_writes:
            return partial(self._write_if_it_may, way)
        return way

    def _write_if_it_may(self, way: Callable[[bytes], None], data: bytes) -> None:
        if self.may_write(len(data)):
            way(data)

    def may_write(self, size: int) -> bool:
        """Whether it may write: what it may not write is counted, and said once.

        @param size: bytes.
        """
        port = self._port
        if port is None:
            return False
        if not port.outbound.settings.minds_who_writes:
            return True
        self.wrote_at = port.clock.seconds()
        if port.lets_write(self):
            return True
        if not self.bytes_ignored:
            writers = port.outbound.settings.writers
            port.bus.publish(ClientIgnored(port.node, port.where(self.wish), self.peer, writers))
        self.bytes_ignored += size
        return False

    def settings_changed(self) -> None:
        """The settings of the port are others."""
        if self._port is not None and self._protocol is not None:
            # When it wrote before need not have been noted.
            self.wrote_at = self._port.clock.seconds()
            self._protocol.lead_to(self._way_to_node(self._port))
            self.received = self._protocol.from_client

    @property
    def asks(self) -> bool:
        """Whether it asks the node, and hears the answers to that alone; else it hears all."""
        is_of_protocol = self._protocol is not None and not self._protocol.hears_all
        return is_of_protocol or self._conversation is not None

    @property
    def is_under_way(self) -> bool:
        """Whether something that it sent has not come to the node, or is to be answered."""
        return (
            (self._port is not None and self._port.outbound.has_bytes_of(self))
            or (self._protocol is not None and self._protocol.is_busy)
            or (self._conversation is not None and self._conversation.is_busy)
        )

    @property
    def is_held_back(self) -> bool:
        """Whether it is paused, and will be resumed, by who takes its bytes."""
        return (self._port is not None and self._port.outbound.holds_back(self)) or (
            self._conversation is not None and self._conversation.is_paused
        )

    def detach(self) -> None:
        """The other end is gone."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        port, self._port = self._port, None
        if port is not None:
            port.client_closed(self)
        if self._protocol is not None:
            self._protocol.ended()

    def write(self, data: bytes) -> None:
        """Send bytes to the other end, unless too many wait for it already."""
        if not (self.is_over or self.has_left or (self.blocked and self._is_too_slow(len(data)))):
            self.send(data)

    def drained(self) -> None:
        """The other end has taken everything."""
        self._unsent = 0

    def _is_too_slow(self, size: int) -> bool:
        """Count bytes that are about to wait for the other end. If they are too many it is reset,
        and what it wrote and was not sent goes with it.
        """
        self._unsent += size
        if self._unsent > MAX_UNSENT:
            # It may have taken some of it meanwhile.
            self._unsent = min(self._unsent, self.buffered + size)
        if self._unsent <= MAX_UNSENT or self._port is None:
            return False
        self._port.outbound.discard(self)
        self.reset(f"it reads too slowly, {self._unsent} bytes wait for it")
        return True

    def reset(self, reason: str) -> None:
        """Bytes are lost: end at once, so that the other end notices.

        @param reason: a sentence.
        """
        port = self._port
        if port is None or self.is_over:
            return
        reason = reason.rstrip(".")
        where, again = port.where(self.wish), port.drops_again
        port.bus.publish(ClientDropped(port.node, where, self.peer, reason, goes_on=again))
        self.cut(reason)

    def give_way(self, reason: str) -> None:
        """It is reset for a reason of its own, and what it wrote and was not sent is dropped.

        @param reason: a clause.
        """
        if self._port is not None:
            self._port.outbound.discard(self)
        self.reset(reason)

    def silent_for(self, now: float) -> float:
        """Return for how many seconds it has written nothing."""
        return now - self.wrote_at

    def next_look(self, now: float) -> float:
        """End it if it is not there any more, or nothing has passed for too long.

        @param now: seconds of the clock.
        @return: in how many seconds that may be so.
        """
        port = self._port
        if port is None or self.is_over:
            return inf
        settings, silence = port.outbound.settings, self.unanswered_for
        if silence and settings.keepalive_time and silence >= settings.keepalive.in_all:
            self.reset(f"its computer has not answered for {silence:.0f} s")
        elif settings.idle_timeout and not (self.has_ended or self.has_left):
            left = settings.idle_timeout - (now - max(self.wrote_at, port.heard_at))
            if left > 0:
                return left
            # What it wrote may still be lost, and then it is to be told.
            if not self.is_under_way:
                seconds = settings.idle_timeout
                port.bus.publish(ClientIdle(port.node, port.where(self.wish), self.peer, seconds))
                self.leave(f"nothing has passed for {seconds:g} s")
        return inf

    def end_when_all_is_said(self) -> None:
        """The other end writes no more. It is kept until what it sent has arrived, so that it can
        be reset if that is lost, and then for the answer: see `NodePort.may_still_answer`.
        """
        self.has_ended = True
        self._ending = None
        port = self._port
        if port is None or self.is_over:
            return
        port.outbound.ended(self)
        if self._arrived_at is None and not self.is_under_way:
            self._arrived_at = port.clock.seconds()
        if self._arrived_at is None or (
            self.has_written and port.may_still_answer(self._arrived_at)
        ):
            self._ending = port.clock.callLater(REPLY_POLL, self.end_when_all_is_said)
        else:
            self.close()


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
        host, number = getattr(peer, "host", None), getattr(peer, "port", None)
        self.peer = f"{host}:{number}" if host else str(peer)
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
