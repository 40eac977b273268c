"""What listens on the control port: XML-RPC at ``/RPC2`` and for POSTs to ``/``, over HTTP.

Whatever happens, a call is answered with a value or a fault; a traceback goes to the log only. The
number of connections, of calls in hand, and the size of a request are bounded, and so is what one
client can have done in one turn of the reactor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from zbtwist import __version__
from zbtwist.control.faults import GATEWAY_FAILED, ControlFault
from zbtwist.control.http.body import BoundedBody, read_document
from zbtwist.control.operations import Methods, Operations
from zbtwist.control.xmlrpc import read_call, write_fault, write_response

#: How many requests that wait for something may be in hand at once, also of clients that have gone
#: away since. Those that are answered at once (list, status) are not refused.
MAX_RUNNING = 128

#: How many control connections may be open at once.
MAX_CONNECTIONS = 128

#: How long a connection may be silent between requests, or within one, in seconds.
IDLE_TIMEOUT = 60.0

#: How long a request may take to arrive, in seconds: the longest one over 28 kbit/s.
REQUEST_TIMEOUT = 300.0

#: How many bytes of a request are looked at in one turn of the reactor. A body may come in chunks
#: of a byte each.
PIECE = 16384

_WHOLE_ADDRESS = re.compile(rb"https?://(?P<host>[^/?]*)(?P<path>.*)", re.IGNORECASE)

log = Logger()


class XMLRPCResource(Resource):
    """Answers XML-RPC calls. Serve it from a `ControlSite`, which bounds what it reads.

    @ivar running: how many requests are in hand.
    """

    def __init__(self, operations: Operations) -> None:
        """
        @param operations: what does the work.
        """
        super().__init__()
        self.running = 0
        self._methods = Methods(operations)

    def getChild(self, path: bytes, request: Request) -> IResource:
        # Some clients are configured with a slash at the end.
        return self if path == b"" and not request.postpath else not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method != b"POST":
            request.setHeader(b"allow", b"POST")
            return text_answer(
                request, http.NOT_ALLOWED, "This is for XML-RPC calls; send them with POST."
            )
        if is_cross_site(request):
            return text_answer(
                request, http.FORBIDDEN, "Calls from web pages of other sites are refused."
            )
        Deferred.fromCoroutine(self._serve(request))
        return NOT_DONE_YET

    async def _serve(self, request: Request) -> None:
        # The operation goes on when its client goes: another may wait for the same search.
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        try:
            answer = await self._answer(request, gone)
        except ControlFault as fault:
            answer = write_fault(fault)
        except Exception:
            log.failure("A control request could not be read or answered")
            answer = write_fault(
                ControlFault(
                    GATEWAY_FAILED, "The gateway failed; look into its log for the reason."
                )
            )
        if gone:
            return
        request.setHeader(b"content-type", b"text/xml")
        request.setHeader(b"content-length", b"%d" % len(answer))
        request.write(answer)
        request.finish()

    async def _answer(self, request: Request, gone: list[Failure]) -> bytes:
        name, arguments = read_call(read_document(request))
        if self.running >= MAX_RUNNING and self._methods.may_wait(name):
            raise ControlFault(
                GATEWAY_FAILED,
                f"{self.running} calls are running; call again when some have ended.",
            )
        self.running += 1
        try:
            return write_response(await self._methods.call(name, arguments, lambda: bool(gone)))
        finally:
            self.running -= 1


def is_cross_site(request: Request) -> bool:
    """Whether a browser sends this on behalf of a page that did not come from here.

    Any page on the web may make its reader's browser POST to the loopback interface. Only browsers
    send an Origin.
    """
    origin = request.getHeader(b"origin")
    if origin is None:
        return False
    return _host_of(origin) != (request.getHeader(b"host") or b"?")


def _host_of(url: bytes) -> bytes:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return b""


def is_misled(request: Request) -> bool:
    """Whether a browser on this computer asks for a site that has no business here.

    A page of the web can have its name lead to 127.0.0.1 after it was loaded; then what it asks for
    here is of its own origin. What comes over the loopback interface must therefore name it, by an
    address or by a name that nobody can own: localhost, or one without a dot.
    """
    if not _is_loopback(getattr(request.getHost(), "host", "")):
        return False
    # Programs of long ago send no Host; browsers always do.
    host = (header_of(request, b"host") or "localhost").rpartition("@")[2]
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    name = name.rstrip(".").lower()
    return "." in name and not _is_address(name) and not name.endswith(".localhost")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    # An IPv6 socket shows an IPv4 address so.
    host = host.removeprefix("::ffff:")
    return _is_address(host) and ip_address(host).is_loopback


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


class ControlChannel(http.HTTPChannel):
    """A connection that registers itself, and excuses itself if there are too many.

    It looks at one request in a turn of the reactor, or at a piece of it, and at none before the
    answer to the one before is on its way and the client reads: thousands of them fit into what is
    read at once, and the nodes' streams must not wait for them, nor may their answers pile up.
    While something waits to be looked at, nothing more is read.

    @ivar end_websocket: ends the WebSocket that the connection has become; None if it has not.
    """

    # Twisted has a line of log for each connection that was idle for long, as browsers' are.
    _log = Logger(observer=LogPublisher())
    factory: ControlSite
    end_websocket: Callable[[], object] | None = None
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
            or self.end_websocket is not None
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

    def close(self) -> None:
        """The gateway stops: end in the way of the protocol that is spoken."""
        (self.end_websocket or self.loseConnection)()

    def upgraded(self, end_websocket: Callable[[], object]) -> None:
        """The connection is a WebSocket's now: Twisted has put that one's `dataReceived` and
        `connectionLost` in the place of these.
        """
        self.end_websocket = end_websocket
        websocket_lost = self.connectionLost

        def connectionLost(reason: Failure = connectionDone) -> None:
            self.factory.channels.discard(self)
            websocket_lost(reason)

        self.connectionLost = connectionLost  # type: ignore[method-assign]


class ControlSite(Site):
    """The site of the control port.

    @ivar channels: the control connections that are open.
    """

    # Twisted declares the channel that can change to HTTP/2.
    protocol = ControlChannel  # type: ignore[assignment]
    requestFactory = _ControlRequest
    noisy = False

    def __init__(self, root: ControlRoot, reactor: IReactorTime | None = None) -> None:
        super().__init__(root, timeout=IDLE_TIMEOUT, reactor=reactor, parsePOSTFormSubmission=False)
        self.channels: set[ControlChannel] = set()

    def stopFactory(self) -> None:
        """The port was closed: so are the connections, whose clients may mean to stay for long."""
        super().stopFactory()
        for channel in self.channels.copy():
            channel.close()

    def getResourceFor(self, request: Request) -> IResource:
        if is_misled(request):
            return _Sentence(
                http.FORBIDDEN,
                "This computer is asked for under a name that may be anybody's: use localhost, or "
                "an address. A proxy in front must send such a Host header.",
            )
        resource: IResource = super().getResourceFor(request)
        return resource

    def acceptableProtocols(self) -> list[bytes]:
        # The channel above is HTTP/1.1's, so HTTP/2 must not be offered over TLS.
        return [b"http/1.1"]

    def log(self, request: http.Request) -> None:
        """No line for each request: a client that polls would fill the log."""


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


class _Sentence(Resource):
    """A sentence for whoever came to a wrong address."""

    isLeaf = True

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__()
        self._code = code
        self._sentence = sentence

    def render(self, request: Request) -> bytes:
        return text_answer(request, self._code, self._sentence)


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


def not_found(request: Request) -> IResource:
    """Return what answers an address that leads nowhere."""
    return _Sentence(http.NOT_FOUND, "There is nothing here; the XML-RPC interface is at /RPC2.")


def header_of(request: Request, name: bytes) -> str:
    """Return a header of a request as text, whatever bytes it is of; empty if there is none."""
    return (request.getHeader(name) or b"").decode("latin-1")


def refuse_method(request: Request) -> bytes:
    """Set up the answer to a method that is neither GET nor HEAD, and return its body."""
    request.setHeader(b"allow", b"GET, HEAD")
    return text_answer(request, http.NOT_ALLOWED, "This answers GET and HEAD only.")


def text_answer(request: Request, code: int, text: str) -> bytes:
    """Set up a plain answer, and return its body: nothing for HEAD.

    @param text: without a line end.
    """
    body = f"{text}\n".encode()
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    if request.method == b"HEAD":
        request.setHeader(b"content-length", b"%d" % len(body))
        return b""
    return body


def control_site(operations: Operations, reactor: IReactorTime | None = None) -> ControlSite:
    """Make the site of the control port.

    @param operations: what does the work.
    @param reactor: keeps the time of idle connections; None is the global reactor.
    @return: a factory for any server endpoint. Its ``resource`` is a `ControlRoot`, to which other
        children can be added.
    """
    return ControlSite(ControlRoot(XMLRPCResource(operations)), reactor)
