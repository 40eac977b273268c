"""What listens on the control port: XML-RPC at ``/RPC2`` and for POSTs to ``/``, over HTTP."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from zbtwist import __version__
from zbtwist.control.http.answers import header_of, not_found, text_answer
from zbtwist.control.http.body import BoundedBody
from zbtwist.control.http.channel import ControlChannel
from zbtwist.control.http.guards import HEADERS, Hosts
from zbtwist.control.http.xmlrpc_resource import XMLRPCResource

#: How long a connection may be silent between requests, or within one, in seconds.
IDLE_TIMEOUT = 60.0


class _ControlRequest(Request):
    """A request that reads no more of its body than is of use."""

    def gotLength(self, length: int | None) -> None:
        self.content = BoundedBody()

    def process(self) -> None:
        for name, value in HEADERS.items():
            self.setHeader(name, value)
        super().process()


class ControlSite(Site):
    """The site of the control port.

    @ivar channels: the control connections that are open.
    @ivar hosts: the names by which it may be asked for.
    """

    # Twisted declares the channel that can change to HTTP/2.
    protocol = ControlChannel  # type: ignore[assignment]
    requestFactory = _ControlRequest
    noisy = False

    def __init__(
        self, root: ControlRoot, reactor: IReactorTime | None = None, hosts: Hosts | None = None
    ) -> None:
        super().__init__(root, timeout=IDLE_TIMEOUT, reactor=reactor, parsePOSTFormSubmission=False)
        self.channels: set[ControlChannel] = set()
        self.hosts = hosts or Hosts()

    def stopFactory(self) -> None:
        """The port was closed: so are the connections, whose clients may mean to stay for long."""
        super().stopFactory()
        for channel in self.channels.copy():
            channel.close()

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
    operations: object, reactor: IReactorTime | None = None, hosts: Hosts | None = None
) -> ControlSite:
    """Make the site of the control port.

    @param operations: what has the methods of the operations.
    @param reactor: keeps the time of idle connections; None is the global reactor.
    @param hosts: the names by which the gateway may be asked for; None for those of this computer.
    @return: a factory for any server endpoint. Its ``resource`` is a `ControlRoot`, to which other
        children can be added.
    """
    return ControlSite(ControlRoot(XMLRPCResource(operations)), reactor, hosts)
