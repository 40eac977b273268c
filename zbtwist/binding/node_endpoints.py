"""The endpoints of all nodes beside their ports, as the settings of each say.

What is not wanted any more is closed first, of all nodes, and then the others are opened: so an
endpoint may pass from one node to another. One that does not open is tried again and again, and is
a problem of its node until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.logger import Logger

from zbtwist.binding.connecting import ConnectingEndpoint
from zbtwist.binding.datagrams import DatagramEndpoint
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.events import MAX_LINES, EndpointFailed, EndpointOpened
from zbtwist.binding.node_endpoint import ListeningEndpoint, NodeEndpoint
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.pace import Pace
from zbtwist.runtime.udp import UDP, UDPEndpoint


class NodeEndpoints:
    """Opens and closes them. It knows the nodes that have some; the others cost a look each time
    that their settings change.

    @ivar make_client: returns the client endpoint for an endpoint string.
    @ivar make_datagrams: returns that of UDP.
    @ivar changed: called when there is something to be done by `follow`.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        bus: EventBus,
        make_endpoint: Callable[[str], IStreamServerEndpoint],
    ) -> None:
        """
        @param clock: the reactor, if there is one that connects.
        @param make_endpoint: returns the server endpoint for an endpoint string.
        """
        self._clock = clock
        self._bus = bus
        self._make_endpoint = make_endpoint
        self.make_client: Callable[[str], IStreamClientEndpoint] = partial(clientFromString, clock)
        self.make_datagrams: Callable[[str], UDPEndpoint] = partial(UDPEndpoint, clock)
        self.changed: Callable[[], None] = _nothing
        # Ports whose endpoints may be others now; what is not to be open any more and is not closed
        # yet; what does not open.
        self._dirty: dict[NodePort, None] = {}
        self._closing: dict[Deferred[None], None] = {}
        self._failed: dict[NodeEndpoint, NodePort] = {}
        self._soon: IDelayedCall | None = None

    @property
    def has_problem(self) -> bool:
        """Whether there is one that is to be tried again."""
        return bool(self._failed)

    # --- what may have changed -----------------------------------------------------------------

    def look_at(self, port: NodePort) -> None:
        """A port is new, or it has other settings, or listens elsewhere."""
        settings = port.outbound.settings
        if not (settings.listen or settings.connect or port.endpoints):
            return
        self._dirty[port] = None
        if self._soon is None:
            # Together, when all is known that changes with it.
            self._soon = self._clock.callLater(0, self._now)

    def _now(self) -> None:
        self._soon = None
        self.changed()

    def end(self, port: NodePort) -> None:
        """A port goes away."""
        self._dirty.pop(port, None)
        for endpoint in list(port.endpoints.values()):
            self._close(port, endpoint)

    def stop(self) -> list[Deferred[None]]:
        """All end.

        @return: fire when they are closed.
        """
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._dirty.clear()
        self._failed.clear()
        return list(self._closing)

    # --- doing ---------------------------------------------------------------------------------

    async def follow(self, pace: Pace) -> None:
        """Open and close what the settings say.

        @raise Stopped: the service stops.
        """
        dirty, self._dirty = self._dirty, {}
        new: list[tuple[NodePort, EndpointWish]] = []
        for port in dirty:
            wanted = _wanted(port)
            for wish, endpoint in list(port.endpoints.items()):
                if wish not in wanted:
                    endpoint.end_clients(f"{wish.endpoint} is none of {port.node} any more")
                    self._close(port, endpoint)
            new += [(port, wish) for wish in wanted if wish not in port.endpoints]
            await pace.step()
        if self._closing:
            await DeferredList(list(self._closing))
        is_quiet = len(new) > MAX_LINES
        opened = 0
        for port, wish in new:
            if port.running and wish not in port.endpoints:
                endpoint = port.endpoints[wish] = self._make(port, wish)
                opened += await self._open(port, endpoint, is_quiet)
            await pace.step()
        if is_quiet and opened:
            self.log.info("{count} more endpoints of nodes are open.", count=opened)

    def _make(self, port: NodePort, wish: EndpointWish) -> NodeEndpoint:
        if wish.connects:
            return ConnectingEndpoint(port, wish, self.make_client)
        if wish.endpoint.startswith(UDP):
            return DatagramEndpoint(port, wish, self.make_datagrams)
        return ListeningEndpoint(port, wish, self._make_endpoint)

    async def try_again(self, pace: Pace) -> None:
        """Open what did not open.

        @raise Stopped: the service stops.
        """
        for endpoint, port in list(self._failed.items()):
            if endpoint in self._failed:
                await self._open(port, endpoint)
            await pace.step()

    async def _open(self, port: NodePort, endpoint: NodeEndpoint, is_quiet: bool = False) -> bool:
        """
        @param is_quiet: it is one of many, whose number is said.
        @return: whether it is open.
        """
        before = endpoint.problem
        await endpoint.open()
        if port.endpoints.get(endpoint.wish) is not endpoint:
            # It was closed meanwhile.
            return False
        text = endpoint.wish.endpoint
        if endpoint.is_to_be_tried:
            self._failed[endpoint] = port
            if endpoint.problem != before:
                self._bus.publish(EndpointFailed(port.node, text, endpoint.problem))
            return False
        self._failed.pop(endpoint, None)
        if endpoint.is_announced:
            self._bus.publish(EndpointOpened(port.node, text, is_one_of_many=is_quiet))
        return endpoint.is_announced

    def _close(self, port: NodePort, endpoint: NodeEndpoint) -> None:
        del port.endpoints[endpoint.wish]
        self._failed.pop(endpoint, None)
        closing = endpoint.stop()
        if not closing.called:
            self._closing[closing] = None
            closing.addBoth(lambda _: self._closing.pop(closing, None))


def _wanted(port: NodePort) -> dict[EndpointWish, None]:
    """Return what a node is to have, in the order of the configuration."""
    if not port.running:
        return {}
    number = port.number
    settings = port.outbound.settings
    return {
        wish.of_node(port.node.address64, number): None
        for wish in (*settings.listen, *settings.connect)
        if number or not wish.needs_port
    }


def numbers_in(settings: PortSettings, requests: Iterable[PortRequest]) -> frozenset[int]:
    """Return the TCP ports of endpoints, which are nobody's port.

    @param settings: those of all nodes.
    @param requests: what is asked for single ones.
    """
    of_nodes = [request.settings for request in requests if request.settings is not None]
    return frozenset(wish.number for each in (settings, *of_nodes) for wish in each.listen) - {0}


def problems_of(port: NodePort) -> Iterator[str]:
    """Return why a node does not have endpoints that it is to have, a sentence for each."""
    return (each.problem for each in port.endpoints.values() if each.problem)


def _nothing() -> None:
    """Nobody follows."""
