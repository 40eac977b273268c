"""What listens on the control port: XML-RPC at ``/RPC2`` and for POSTs to ``/``, over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from incremental import Version
from twisted._version import __version__ as TWISTED
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from zope.interface import classImplementsOnly

from zbtwist import __version__
from zbtwist.control.http.answers import header_of, not_found, text_answer
from zbtwist.control.http.body import BoundedBody
from zbtwist.control.http.channel import (
    MAX_CONNECTIONS,
    SPARE_CONNECTIONS,
    ControlChannel,
)
from zbtwist.control.http.door import Door
from zbtwist.control.http.guards import HEADERS, Hosts, has_other_origin
from zbtwist.control.http.unsent import UnsentAnswers
from zbtwist.control.http.xmlrpc_resource import XMLRPCResource
from zbtwist.runtime.allowed import Network, Refusal, lets_in
from zbtwist.runtime.repeats import Interval
from zbtwist.runtime.work_turns import WorkTurns

#: How long a connection may be silent between requests, or within one, in seconds.
IDLE_TIMEOUT = 60.0

#: Seconds between two lines of the log on pages of other origins, and what of a name they have.
SAID_AGAIN = 600.0
LONGEST_NAME = 100


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
    @ivar door: who may come in.
    @ivar allow: the networks that connections may come from; none for all.
    @ivar clock: times connections.
    @ivar turns: has work done for them, in time that the streams can spare.
    @ivar unsent: counts the answers that wait for clients to read them.
    """

    # Twisted declares the channel that can change to HTTP/2.
    protocol = ControlChannel  # type: ignore[assignment]
    requestFactory = _ControlRequest
    noisy = False
    # Site has a method of the shorter name.
    log_of_site = Logger()
    # So few at once that what the first of them has to say is read before others want its place.
    accepts = 16

    def __init__(
        self,
        root: ControlRoot,
        reactor: IReactorTime | None = None,
        hosts: Hosts | None = None,
        door: Door | None = None,
    ) -> None:
        super().__init__(root, timeout=IDLE_TIMEOUT, reactor=reactor, parsePOSTFormSubmission=False)
        self.channels: set[ControlChannel] = set()
        self.hosts = hosts or Hosts()
        self.clock: IReactorTime = self.reactor
        self.turns = WorkTurns(self.clock)
        self.unsent = UnsentAnswers()
        self.door = door or Door(self.reactor)
        self.door.mount(root)
        self.allow: Sequence[Network] = ()
        self._interval = Interval()
        self._other_sites = Interval(SAID_AGAIN)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if not lets_in(self.allow, addr):
            self._tell_turned_away(addr)
            return Refusal()
        return super().buildProtocol(addr)

    def _tell_turned_away(self, addr: object) -> None:
        """Say it in the log, and not as often as anybody can connect."""
        if self._interval.is_over(self.reactor.seconds()):
            self.log_of_site.warn(
                "A control connection from {peer} is turned away: control-allow, or allow, has no "
                "network that it is of. Others may follow that are not said.",
                peer=getattr(addr, "host", addr),
            )

    def tell_other_site(self, request: Request) -> None:
        """Say in the log that a page is refused, and not as often as anybody can ask: a proxy that
        asks by another name makes the gateway's own page such a one.
        """
        if has_other_origin(request) and self._other_sites.is_over(self.reactor.seconds()):
            origin, host = (
                (request.getHeader(name) or b"")[:LONGEST_NAME] for name in (b"origin", b"host")
            )
            self.log_of_site.warn(
                "A request of the page {origin} is refused, since it asks for the host {host}. If "
                "that page is the console behind a proxy, let the proxy pass on the header Host as "
                'the browser sends it (nginx: proxy_set_header Host $http_host;), see "Behind a '
                'proxy" in docs/console.rst. Others may follow that are not said.',
                origin=repr(origin)[1:],
                host=repr(host)[1:],
            )

    def end_streams(self) -> None:
        """End what has been let in for long: whoever it is must come in anew."""
        for channel in self.channels.copy():
            if channel.upgraded is not None:
                channel.abort()

    def getResourceFor(self, request: Request) -> IResource:
        find = super().getResourceFor
        return self.door.resource_for(request, lambda: find(request))

    def make_room(self, newcomer: ControlChannel) -> bool:
        """Have a place for one more connection. If all are taken, that goes which has been without
        a request for longest, of those of an address that has the most, if it has such a one.

        @return: whether there is one.
        """
        staying = [channel for channel in self.channels if not channel.is_leaving]
        if len(staying) < MAX_CONNECTIONS:
            return True
        idle = [channel for channel in staying if channel.is_idle and not channel.is_spare]
        if not idle:
            newcomer.is_spare = True
            if len(staying) < MAX_CONNECTIONS + SPARE_CONNECTIONS:
                return True
            idle = [channel for channel in staying if channel.is_idle]
        if idle:
            counts = Counter(channel.peer for channel in staying)
            now = self.clock.seconds()
            max(idle, key=lambda one: (counts[one.peer], now - one.idle_since)).give_way()
        return bool(idle)

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
    operations: object,
    reactor: IReactorTime | None = None,
    hosts: Hosts | None = None,
    door: Door | None = None,
) -> ControlSite:
    """Make the site of the control port.

    @param operations: what has the methods of the operations.
    @param reactor: keeps the time of idle connections; None is the global reactor.
    @param hosts: the names by which the gateway may be asked for; None for those of this computer.
    @param door: who may come in; None lets everybody in.
    @return: a factory for any server endpoint. Its ``resource`` is a `ControlRoot`, to which other
        children can be added.
    """
    return ControlSite(ControlRoot(XMLRPCResource(operations)), reactor, hosts, door)
