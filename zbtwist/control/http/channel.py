"""One connection of the control port: what it reads at a time, and when it is ended.

The number of connections and the size of a request are bounded, and so is what one client can have
done in one turn of the reactor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.web import http

from zbtwist.control.http.guards import HEADERS, OTHER_NAME, OTHER_SITE, is_cross_site
from zbtwist.runtime.shares import peer_of
from zbtwist.runtime.work_turns import Turn

if TYPE_CHECKING:
    from zbtwist.control.http.site import ControlSite

#: How many control connections may be open at once.
MAX_CONNECTIONS = 128

#: How many more there may be while each of those has something in hand: each of them has one
#: question that is answered at once, so that whoever watches over the gateway is served.
SPARE_CONNECTIONS = 8

#: Seconds in which the head of a request must be here, since its first byte.
HEAD_TIMEOUT = 10.0

#: Bytes of a body that must come in so many seconds, if its end does not: 33 kbit/s.
BODY_RATE = 40960
BODY_INTERVAL = 10.0

#: Seconds that a request may take to arrive.
REQUEST_TIMEOUT = 300.0

#: Seconds for which the rest of a request is thrown away that was refused by its head: who is cut
#: off while it sends never sees why.
LINGER = 2.0

#: How many bytes of a request are looked at in one turn of the reactor. A body may come in chunks
#: of a byte each.
PIECE = 16384

#: The first byte of a ClientHello (RFC 8446, 5.1), which no request begins with: there is nothing
#: to wait for, and who speaks TLS would wait as long.
_TLS = b"\x16"

_WHOLE_ADDRESS = re.compile(rb"https?://(?P<host>[^/?]*)(?P<path>.*)", re.IGNORECASE)


class UpgradedProtocol(Protocol):
    """What a control connection speaks after HTTP."""

    def stop(self) -> None:
        """The gateway stops: end in the way of this protocol, soon."""
        raise NotImplementedError


class ControlChannel(http.HTTPChannel):
    """A connection that registers itself, for which another goes if there are too many.

    It looks at one request in a turn of the reactor, or at a piece of it, and at none before the
    answer to the one before is on its way and the client reads: thousands of them fit into what is
    read at once, and the nodes' streams must not wait for them, nor may their answers pile up.
    While something waits to be looked at, nothing more is read.

    @ivar upgraded: what it speaks now, if that is HTTP no more; else None.
    @ivar peer: who is at the other end, see `zbtwist.runtime.shares.peer_of`.
    @ivar idle_since: since when it has no request in hand, seconds of the clock.
    @ivar is_spare: it is one of the `SPARE_CONNECTIONS`.
    @ivar is_leaving: another has its place.
    """

    # Twisted has a line of log for each connection that was idle for long, as browsers' are.
    _log = Logger(observer=LogPublisher())
    factory: ControlSite
    upgraded: UpgradedProtocol | None = None
    peer = ""
    idle_since = 0.0
    is_spare = False
    is_leaving = False
    # What has come and was not looked at.
    _unread = b""
    # A request is here as a whole, and is not answered.
    _in_hand = False
    # The client does not read.
    _blocked = False
    # What is unread has its turn then.
    _next_turn: IDelayedCall | None = None
    # It waits for others that were before it.
    _turn: Turn | None = None
    # What of the request that comes must be here by then.
    _deadline: IDelayedCall | None = None
    # Bytes of its body that have come since the last look, and seconds until it takes too long.
    _body_bytes = 0
    _body_time = REQUEST_TIMEOUT
    # A request was refused by its head: nothing more is read, only thrown away.
    _is_refused = False

    def connectionMade(self) -> None:
        transport: Any = self.transport
        self.peer = peer_of(transport.getPeer())
        self.idle_since = self.factory.clock.seconds()
        if not self.factory.make_room(self):
            self._refuse(
                b"503 Service Unavailable", "Too many control connections are open; close some."
            )
            assert self.transport is not None
            self.transport.loseConnection()
            return
        self.factory.channels.add(self)
        super().connectionMade()

    def _refuse(self, status: bytes, sentence: str, has_body: bool = True) -> None:
        """Answer in the place of a request; the connection must be closed then."""
        transport: Any = self.transport
        headers = b"".join(b"%b: %b\r\n" % header for header in HEADERS.items())
        body = f"{sentence}\n".encode()
        transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: text/plain; charset=utf-8\r\n%b"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (status, headers, len(body), body if has_body else b"")
        )

    def dataReceived(self, data: bytes) -> None:
        if self.upgraded is not None:
            self.upgraded.dataReceived(data)
            return
        if self not in self.factory.channels or self._is_refused:
            return
        self._unread += data
        if self._may_look:
            self._ask_for_turn()
        self._read_or_not()

    @property
    def is_idle(self) -> bool:
        """Whether it has no request in hand: none that is here as a whole, and is being answered or
        has become a stream; nor anything that waits to be looked at.
        """
        is_waiting = self._turn is not None and self._turn.is_waiting
        return not (self._in_hand or self.upgraded is not None or self.is_leaving or is_waiting)

    def give_way(self) -> None:
        """Another gets its place."""
        self.is_leaving = True
        self._look_at_no_more()
        self.abort()

    @property
    def _may_look(self) -> bool:
        is_waiting = self._turn is not None and self._turn.is_waiting
        return not (self._in_hand or self._blocked or self._next_turn or is_waiting)

    def _ask_for_turn(self) -> None:
        self._turn = self.factory.turns.ask(self._look_if_possible)

    def _look_if_possible(self) -> None:
        if not (self._blocked or self._in_hand or self._is_refused):
            self._look()
        self._read_or_not()

    def _look(self) -> None:
        """Look at a piece of what is unread, and not beyond the end of a request."""
        data, self._unread = self._unread[:PIECE], self._unread[PIECE:]
        if self._deadline is None:
            if data.startswith(_TLS):
                self._refuse_request("This port speaks HTTP without TLS: ask it with http://.")
                return
            self._deadline = self.callLater(HEAD_TIMEOUT, self._head_is_late)
        super().dataReceived(data)

    def _take_turn(self) -> None:
        self._next_turn = None
        self._ask_for_turn()

    def _read_or_not(self) -> None:
        transport: Any = self.transport
        if (
            self not in self.factory.channels
            or self.upgraded is not None
            or self._is_refused
            or transport.disconnecting
        ):
            return
        if not self._unread:
            if not self._blocked:
                transport.resumeProducing()
            return
        transport.pauseProducing()
        if self._may_look:
            self._next_turn = self.callLater(0, self._take_turn)

    def write(self, data: bytes) -> None:
        super().write(data)
        if self._blocked:
            self.factory.unsent.add(self, len(data))

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._blocked = True

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._blocked = False
        self.factory.unsent.remove(self)
        self._read_or_not()

    def headerReceived(self, line: bytes) -> bool:
        try:
            taken: bool = super().headerReceived(line)
        except ValueError:
            # Python reads no number of thousands of digits.
            self._refuse(b"400 Bad Request", "The Content-Length is longer than any body.")
            self.loseConnection()
            return False
        return taken

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted's has no words.
        self._refuse_request("This is no request of HTTP, or a part of it is wrong.")

    def _refuse_request(self, sentence: str) -> None:
        self._refuse(b"400 Bad Request", sentence)
        self._look_at_no_more()
        self.loseConnection()

    def _look_at_no_more(self) -> None:
        self._is_refused = True
        self._unread = b""
        for reader in ("lineReceived", "rawDataReceived", "allContentReceived"):
            setattr(self, reader, _nothing)
        self._forget_deadline()

    def allHeadersReceived(self) -> None:
        request = self.requests[-1]
        if whole := _WHOLE_ADDRESS.fullmatch(self._path):
            # It is a proxy that is asked so, but a server must understand (RFC 9112, 3.2.2).
            request.requestHeaders.setRawHeaders(b"host", [whole["host"]])
            path = whole["path"]
            self._path = path if path.startswith(b"/") else b"/" + path
        if not self.factory.hosts.may_ask(request):
            self._refuse_by_head(OTHER_NAME)
        elif is_cross_site(request, self._command):
            self.factory.tell_other_site(request)
            self._refuse_by_head(OTHER_SITE)
        else:
            super().allHeadersReceived()
            self._forget_deadline()
            self._body_bytes, self._body_time = 0, REQUEST_TIMEOUT
            self._deadline = self.callLater(BODY_INTERVAL, self._check_body)

    def checkPersistence(self, request: http.Request, version: bytes) -> bool:
        if self.is_spare:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            return False
        lasts: bool = super().checkPersistence(request, version)
        return lasts

    def rawDataReceived(self, data: bytes) -> None:
        self._body_bytes += len(data)
        super().rawDataReceived(data)

    def _refuse_by_head(self, sentence: str) -> None:
        self._look_at_no_more()
        self.setTimeout(None)
        self._refuse(b"403 Forbidden", sentence, self._command != b"HEAD")
        self._deadline = self.callLater(LINGER, self._lingered)

    def _lingered(self) -> None:
        self._deadline = None
        self.loseConnection()

    def allContentReceived(self) -> None:
        self._in_hand = True
        self._forget_deadline()
        super().allContentReceived()

    def requestDone(self, request: http.Request) -> None:
        # Twisted hands over again what came with the request, which was before what came later.
        later, self._unread = self._unread, b""
        super().requestDone(request)
        self._unread += self.clearLineBuffer() + later
        self._in_hand = False
        self.idle_since = self.factory.clock.seconds()
        self._read_or_not()

    def _head_is_late(self) -> None:
        if self._unread:
            # It is not the client that makes us wait.
            self._deadline = self.callLater(HEAD_TIMEOUT, self._head_is_late)
        else:
            self._too_slow()

    def _check_body(self) -> None:
        self._body_time -= BODY_INTERVAL
        if self._body_time > 0 and (self._body_bytes >= BODY_RATE or self._unread):
            self._body_bytes = 0
            self._deadline = self.callLater(BODY_INTERVAL, self._check_body)
        else:
            self._too_slow()

    def _too_slow(self) -> None:
        self._deadline = None
        self.setTimeout(None)
        self.timeoutConnection()

    def _forget_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self in self.factory.channels:
            self.factory.channels.remove(self)
            self._forget_deadline()
            if self._next_turn is not None:
                self._next_turn.cancel()
            if self._turn is not None:
                self._turn.cancel()
            self.factory.unsent.remove(self)
            super().connectionLost(reason)
            if self.upgraded is not None:
                self.upgraded.connectionLost(reason)

    def close(self) -> None:
        """The gateway stops: end in the way of the protocol that is spoken."""
        if self.upgraded is not None:
            self.upgraded.stop()
        else:
            self.loseConnection()

    def abort(self) -> None:
        """End at once."""
        transport: Any = self.transport
        transport.abortConnection()

    def upgrade(self, protocol: UpgradedProtocol) -> None:
        """Speak HTTP no more. The request that asks for it must have been answered.

        @param protocol: gets the transport, of which it may be the producer, and what came after
            the request, and whatever comes from now on.
        """
        self.upgraded = protocol
        later, self._unread = self.clearLineBuffer() + self._unread, b""
        transport: Any = self.transport
        transport.unregisterProducer()
        # It may be paused, since more had come than is looked at in a turn.
        transport.resumeProducing()
        protocol.makeConnection(transport)
        if later:
            protocol.dataReceived(later)


def _nothing(*_: object) -> None:
    """In place of what reads on."""
