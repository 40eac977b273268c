"""What listens on the control port: XML-RPC at ``/RPC2`` and for POSTs to ``/``, over HTTP.

The number of connections and the size of a request are bounded, and so is what one client can have
done in one turn of the reactor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from incremental import Version
from twisted._version import __version__ as TWISTED
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from zope.interface import classImplementsOnly

from zbtwist import __version__
from zbtwist.control.http.answers import Sentence, header_of, not_found, text_answer
from zbtwist.control.http.body import BoundedBody
from zbtwist.control.http.door import Door
from zbtwist.control.http.guards import is_misled
from zbtwist.control.http.xmlrpc_resource import XMLRPCResource
from zbtwist.runtime.allowed import Network, Refusal, lets_in

#: How many control connections may be open at once.
MAX_CONNECTIONS = 128

#: How long a connection may be silent between requests, or within one, in seconds.
IDLE_TIMEOUT = 60.0

#: How long a request may take to arrive, in seconds: the longest one over 28 kbit/s.
REQUEST_TIMEOUT = 300.0

#: How many bytes of a request are looked at in one turn of the reactor. A body may come in chunks
#: of a byte each.
PIECE = 16384

#: Seconds between two lines of the log on connections that are turned away.
SAID_AGAIN = 60.0

_WHOLE_ADDRESS = re.compile(rb"https?://(?P<host>[^/?]*)(?P<path>.*)", re.IGNORECASE)


class _ControlRequest(Request):
    """A request that reads no more of its body than is of use."""

    def gotLength(self, length: int | None) -> None:
        self.content = BoundedBody()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if whole := _WHOLE_ADDRESS.fullmatch(path):
            # It is a proxy that is asked so, but a server must understand (RFC 9112, 3.2.2).
            self.requestHeaders.setRawHeaders(b"host", [whole["host"]])
            path = whole["path"] if whole["path"].startswith(b"/") else b"/" + whole["path"]
        super().requestReceived(command, path, version)


class UpgradedProtocol(Protocol):
    """What a control connection speaks after HTTP."""

    def stop(self) -> None:
        """The gateway stops: end in the way of this protocol, soon."""
        raise NotImplementedError


class ControlChannel(http.HTTPChannel):
    """A connection that registers itself, and excuses itself if there are too many.

    It looks at one request in a turn of the reactor, or at a piece of it, and at none before the
    answer to the one before is on its way and the client reads: thousands of them fit into what is
    read at once, and the nodes' streams must not wait for them, nor may their answers pile up.
    While something waits to be looked at, nothing more is read.

    @ivar upgraded: what it speaks now, if that is HTTP no more; else None.
    """

    # Twisted has a line of log for each connection that was idle for long, as browsers' are.
    _log = Logger(observer=LogPublisher())
    factory: ControlSite
    upgraded: UpgradedProtocol | None = None
    # What has come and was not looked at.
    _unread = b""
    # A request is here as a whole, and is not answered.
    _in_hand = False
    # The client does not read.
    _blocked = False
    # What is unread has its turn then.
    _next_turn: IDelayedCall | None = None
    # The request that comes must be here as a whole by then.
    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        if len(self.factory.channels) >= MAX_CONNECTIONS:
            self._refuse(
                b"503 Service Unavailable", b"Too many control connections are open; close some."
            )
            assert self.transport is not None
            self.transport.loseConnection()
            return
        self.factory.channels.add(self)
        super().connectionMade()

    def _refuse(self, status: bytes, sentence: bytes) -> None:
        """Answer in the place of a request; the connection must be closed then."""
        transport: Any = self.transport
        transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b\n"
            % (status, len(sentence) + 1, sentence)
        )

    def dataReceived(self, data: bytes) -> None:
        if self.upgraded is not None:
            self.upgraded.dataReceived(data)
            return
        if self not in self.factory.channels:
            return
        self._unread += data
        if self._may_look:
            self._look()
        self._read_or_not()

    @property
    def _may_look(self) -> bool:
        return not (self._in_hand or self._blocked or self._next_turn)

    def _look(self) -> None:
        """Look at a piece of what is unread, and not beyond the end of a request."""
        data, self._unread = self._unread[:PIECE], self._unread[PIECE:]
        if self._deadline is None:
            self._deadline = self.callLater(REQUEST_TIMEOUT, self._too_slow)
        super().dataReceived(data)

    def _take_turn(self) -> None:
        self._next_turn = None
        if not self._blocked:
            self._look()
        self._read_or_not()

    def _read_or_not(self) -> None:
        transport: Any = self.transport
        if (
            self not in self.factory.channels
            or self.upgraded is not None
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

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._blocked = True

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._blocked = False
        self._read_or_not()

    def headerReceived(self, line: bytes) -> bool:
        try:
            taken: bool = super().headerReceived(line)
        except ValueError:
            # Python reads no number of thousands of digits.
            self._refuse(b"400 Bad Request", b"The Content-Length is longer than any body.")
            self.loseConnection()
            return False
        return taken

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
        self._read_or_not()

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


class ControlSite(Site):
    """The site of the control port.

    @ivar channels: the control connections that are open.
    @ivar door: who may come in.
    @ivar allow: the networks that connections may come from; none for all.
    """

    # Twisted declares the channel that can change to HTTP/2.
    protocol = ControlChannel  # type: ignore[assignment]
    requestFactory = _ControlRequest
    noisy = False
    # Site has a method of the shorter name.
    log_of_site = Logger()

    def __init__(
        self, root: ControlRoot, reactor: IReactorTime | None = None, door: Door | None = None
    ) -> None:
        super().__init__(root, timeout=IDLE_TIMEOUT, reactor=reactor, parsePOSTFormSubmission=False)
        self.channels: set[ControlChannel] = set()
        self.door = door or Door(self.reactor)
        self.door.mount(root)
        self.allow: Sequence[Network] = ()
        self._turned_away_at = float("-inf")

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if not lets_in(self.allow, addr):
            self._tell_turned_away(addr)
            return Refusal()
        return super().buildProtocol(addr)

    def _tell_turned_away(self, addr: object) -> None:
        """Say it in the log, and not as often as anybody can connect."""
        now = self.reactor.seconds()
        if now - self._turned_away_at >= SAID_AGAIN:
            self._turned_away_at = now
            self.log_of_site.warn(
                "A control connection from {peer} is turned away: control-allow, or allow, has no "
                "network that it is of. Others may follow that are not said.",
                peer=getattr(addr, "host", addr),
            )

    def end_streams(self) -> None:
        """End what has been let in for long: whoever it is must come in anew."""
        for channel in self.channels.copy():
            if channel.upgraded is not None:
                channel.abort()

    def stopFactory(self) -> None:
        """The port was closed: so are the connections, whose clients may mean to stay for long."""
        super().stopFactory()
        for channel in self.channels.copy():
            channel.close()

    def getResourceFor(self, request: Request) -> IResource:
        if is_misled(request):
            return Sentence(
                http.FORBIDDEN,
                "This computer is asked for under a name that may be anybody's: use localhost, or "
                "an address. A proxy in front must send such a Host header.",
            )
        find = super().getResourceFor
        return self.door.resource_for(request, lambda: find(request))

    def acceptableProtocols(self) -> list[bytes]:
        # The channel above is HTTP/1.1's, so HTTP/2 must not be offered over TLS.
        return [b"http/1.1"]

    def log(self, request: http.Request) -> None:
        """No line for each request: a client that polls would fill the log."""


if Version("Twisted", 26, 0, 0) > TWISTED:
    # Twisted 25.5 cannot offer any protocol with pyOpenSSL 26; clients speak HTTP/1.1 then.
    classImplementsOnly(ControlSite, IProtocolFactory)


class ControlRoot(Resource):
    """The root of the control port. Children can be put beside ``RPC2``.

    @ivar front_page: what answers a GET of ``/``.
    """

    def __init__(self, rpc: IResource) -> None:
        """
        @param rpc: what answers ``/RPC2``, in capitals or not, and POSTs to ``/``.
        """
        super().__init__()
        self.front_page: IResource = _FrontPage()
        self._rpc = rpc

    def getChild(self, path: bytes, request: Request) -> IResource:
        if path.upper() == b"RPC2":
            return self._rpc
        return self if path == b"" and not request.postpath else not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method in (b"GET", b"HEAD"):
            page: bytes | int = self.front_page.render(request)
        elif request.method == b"POST":
            page = self._rpc.render(request)
        else:
            request.setHeader(b"allow", b"GET, HEAD, POST")
            page = text_answer(request, http.NOT_ALLOWED, "This answers GET and POST only.")
        return page


class _FrontPage(Resource):
    """Says what this is and where the interface is."""

    def render(self, request: Request) -> bytes:
        host = header_of(request, b"host")
        address = f"http://{host}/RPC2" if host else "/RPC2"
        return text_answer(
            request,
            http.OK,
            f"zbtwist {__version__}: a gateway that gives every XBee node a TCP port.\n"
            f"Its control interface is XML-RPC at {address}; system.listMethods says what it can.",
        )


def control_site(
    operations: object, reactor: IReactorTime | None = None, door: Door | None = None
) -> ControlSite:
    """Make the site of the control port.

    @param operations: what has the methods of the operations.
    @param reactor: keeps the time of idle connections; None is the global reactor.
    @param door: who may come in; None lets everybody in.
    @return: a factory for any server endpoint. Its ``resource`` is a `ControlRoot`, to which other
        children can be added.
    """
    return ControlSite(ControlRoot(XMLRPCResource(operations)), reactor, door)
