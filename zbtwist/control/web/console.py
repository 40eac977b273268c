"""The web console as a whole: what is at which address of the control port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from zbtwist.binding.port import NodePort
from zbtwist.binding.service import BindingService
from zbtwist.control.api import GatewayAPI
from zbtwist.control.faults import UNKNOWN_NODE, ControlFault
from zbtwist.control.http.site import ControlRoot
from zbtwist.control.resolver import NodeResolver
from zbtwist.control.web.calls import Calls
from zbtwist.control.web.handshake import SocketResource
from zbtwist.control.web.live import Feed, LiveSession
from zbtwist.control.web.pages import STATIC, Files, FrontPage, StaticFiles
from zbtwist.control.web.sockets import Session
from zbtwist.control.web.tap import TapSession
from zbtwist.control.web.terminal import TerminalSession
from zbtwist.control.web.traffic import TrafficHistory
from zbtwist.control.web.view import Link, Reachability, View
from zbtwist.decoding.service import DecodingService
from zbtwist.health.service import HealthService
from zbtwist.network.service import NetworkService
from zbtwist.observing.taps import Taps
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus


class Console(MultiService):
    """The console. As a service it keeps the history of the traffic; all else waits for viewers.

    @ivar feed: what tells the pages.
    """

    def __init__(
        self,
        clock: IReactorTime,
        operations: GatewayAPI,
        radio: IRadio,
        link: Link,
        network: NetworkService,
        bindings: BindingService,
        health: HealthService,
        place: Callable[[], Reachability],
        warnings: Callable[[], int],
        bus: EventBus,
        taps: Taps,
        decoding: DecodingService,
    ) -> None:
        """
        @param operations: what does what the page asks for.
        @param link: the serial line to the radio.
        @param place: returns where the gateway is to be reached; it may change.
        @param warnings: returns how many warnings and errors the log has had.
        @param bus: tells what pages should show at once.
        @param taps: what looks on at the streams of nodes.
        @param decoding: what the nodes have told.
        """
        super().__init__()
        self._clock = clock
        self._radio = radio
        self._network = network
        self._bindings = bindings
        self._taps = taps
        self._bus = bus
        self._resolver = NodeResolver(network.nodes, radio, bindings.labels)
        traffic = TrafficHistory(clock, network.nodes, bindings)
        traffic.setServiceParent(self)
        self._calls = Calls(operations, self._resolver, traffic)
        self._sessions: set[Session] = set()
        view = View(radio, link, network, bindings, health, traffic, place, warnings, decoding)
        self.feed = Feed(clock, view, network, bus)

    def stopService(self) -> Deferred[Any]:
        # The program waits for this: else its end would come before the sockets' last words.
        stopped: list[Deferred[Any]] = [super().stopService()]
        for session in list(self._sessions):
            session.stop()
            stopped.append(session.gone)
        return DeferredList(stopped)

    def mount(self, root: ControlRoot) -> None:
        """Put the console beside the other interfaces: ``/``, ``/static``, ``/live``,
        ``/terminal`` and ``/tap``.
        """
        files = Files(STATIC)
        root.front_page = FrontPage(root.front_page, files)
        root.putChild(b"static", StaticFiles(files))
        root.putChild(b"live", SocketResource(self._live_session))
        for name, make in (("terminal", self._terminal_session), ("tap", self._tap_session)):
            resource = SocketResource(make)
            # The rest of the address says which node is meant.
            resource.isLeaf = True
            root.putChild(name.encode(), resource)

    def _live_session(self, request: Request) -> Session:
        return self._keep(
            LiveSession(request, self._clock, self.feed, self._calls, self._radio, self._network)
        )

    def _terminal_session(self, request: Request) -> Session:
        return self._keep(TerminalSession(request, self._clock, self._port_of, self._bus))

    def _tap_session(self, request: Request) -> Session:
        return self._keep(
            TapSession(request, self._clock, self._resolver.node, self._taps, self._bus)
        )

    def _keep(self, session: Session) -> Session:
        self._sessions.add(session)
        session.gone.addCallback(lambda _: self._sessions.discard(session))
        return session

    def _port_of(self, address: str) -> NodePort:
        node = self._resolver.node(address)
        port = self._bindings.port_of(node)
        if port is None:
            raise ControlFault(UNKNOWN_NODE, f"{node} has no port: give it one first.")
        return port
