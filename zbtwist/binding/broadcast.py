"""A port whose bytes go to all nodes at once, by broadcasts.

To its clients it is a node's port, whose node is all of them. But nothing of it is acknowledged,
no packet is sent again, and each is repeated by all routers: the whole network carries about one
broadcast a second, since a router remembers eight for eight seconds (90002002 and 90001539,
"Broadcast transmissions"), and searches need some of them, too. So there is a pause after each.

Bytes of nodes do not come to it, unless the settings say so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, cast

from twisted.application.internet import backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.events import EndpointFailed, EndpointOpened
from zbtwist.binding.node_endpoint import ListeningEndpoint
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.network.events import FROM_NODE, BytesPassed
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.events import LinkDown, LinkUp, NetworkAway
from zbtwist.radio.info import DEFAULT_PAYLOAD_LIMIT, RadioInfo
from zbtwist.radio.interfaces import IRadio, IWay
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.xbee.address import BROADCAST64, UNKNOWN16, Address16, Address64
from zbtwist.xbee.frames import TransmitStatus

#: Seconds from one broadcast to the next.
PAUSE = 1.0

#: Bytes of one: what every firmware can send so. None is cut into fragments.
LARGEST = DEFAULT_PAYLOAD_LIMIT

#: What stands for all nodes in the log.
ALL_NODES = "all nodes"

_retry_delay = backoffPolicy(1.0, 60.0, 2.0, jitter=lambda: 0.0)


class BroadcastSettings(Protocol):
    """What this needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def broadcast(self) -> str | None: ...
    @property
    def broadcast_hears(self) -> bool: ...
    @property
    def interface(self) -> str: ...
    @property
    def port_settings(self) -> PortSettings: ...


class BroadcastRadio:
    """The radio as `Outbound` is to see it here: its packets are small, and take a while."""

    def __init__(self, clock: IReactorTime, radio: IRadio, turns: TransmitScheduler) -> None:
        """
        @param turns: those of all nodes at the radio.
        """
        self._clock = clock
        self._radio = radio
        self._turns = turns
        self._data = b""
        self._result: Deferred[TransmitStatus] | None = None
        self._sent: Deferred[TransmitStatus] | None = None
        self._pause: Deferred[None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._radio, name)

    @property
    def facts(self) -> RadioInfo | None:
        """What is known of it."""
        facts = self._radio.facts
        if facts is None:
            return None
        return replace(facts, payload_limit=min(facts.payload_limit, LARGEST))

    def transmit(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        """Send a broadcast when it has its turn.

        @return: fires when the next one may be sent.
        """
        self._data = data
        result = self._result = Deferred(lambda _: self._cancel())
        self._turns.ask(self)
        return result

    def send_next(self) -> None:
        """It is the turn of this one."""
        if self._result is None or self._sent is not None:
            return
        began = self._clock.seconds()
        sent = self._sent = self._radio.transmit(BROADCAST64, self._data)
        self._turns.sent(self, began)
        sent.addBoth(self._settled, began)

    def _settled(self, status: TransmitStatus | Failure, began: float) -> None:
        self._sent = None
        self._turns.done(self)
        if self._result is None:
            return
        left = max(0.0, began + PAUSE - self._clock.seconds())
        pause = self._pause = deferLater(self._clock, left)
        pause.addCallbacks(lambda _: self._finish(status), lambda _: None)

    def _finish(self, status: TransmitStatus | Failure) -> None:
        result, self._result, self._pause = self._result, None, None
        if result is not None:
            result.callback(status)

    def _cancel(self) -> None:
        self._result = None
        for waiting in (self._sent, self._pause):
            if waiting is not None:
                waiting.cancel()


class Broadcast(Service):
    """The port of all nodes, while the settings have one."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        turns: TransmitScheduler,
        make_endpoint: Callable[[int | str], IStreamServerEndpoint],
        bus: EventBus,
        settings: BroadcastSettings,
        batch: WriteBatch | None = None,
    ) -> None:
        """
        @param turns: those of all nodes at the radio.
        @param make_endpoint: returns the server endpoint for a TCP port, or an endpoint string.
        """
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._turns = turns
        self._make_endpoint = make_endpoint
        self._bus = bus
        self._settings = settings
        self._batch = batch
        self._port: NodePort | None = None
        self._opening: Deferred[None] | None = None
        self._endpoint: ListeningEndpoint | None = None
        self._is_observing = False
        bus.subscribe(LinkUp, self._radio_up)
        bus.subscribe(LinkDown, self._radio_down)
        bus.subscribe(NetworkAway, self._radio_down)

    @property
    def port(self) -> NodePort | None:
        """The port of all nodes; None if there is none."""
        return self._port

    @property
    def endpoint(self) -> ListeningEndpoint | None:
        """Where it listens, or is to; None if there is none."""
        return self._endpoint

    # --- the service ---------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._begin()

    def _begin(self) -> None:
        text = self._settings.broadcast
        if text is None or not self.running:
            return
        node = Node(BROADCAST64)
        node.name = ALL_NODES
        outbound = Outbound(
            self._clock,
            cast(IWay, BroadcastRadio(self._clock, self._radio, self._turns)),
            self._nodes,
            node,
            settings=self._settings_of_port(),
        )
        port = self._port = _Port(self._clock, node, outbound, self._bus, self._batch)
        port.clients_changed = self._clients_changed
        port.startService()
        wish = EndpointWish(text, text)
        endpoint = self._endpoint = ListeningEndpoint(port, wish, self._make)
        port.endpoints[wish] = endpoint
        opening = self._opening = Deferred.fromCoroutine(self._open(port, endpoint))
        opening.addErrback(self._ended)

    def _make(self, text: str) -> IStreamServerEndpoint:
        return self._make_endpoint(int(text) if text.isdecimal() else text)

    async def _open(self, port: NodePort, endpoint: ListeningEndpoint) -> None:
        said, tries = "", 0
        text = endpoint.wish.endpoint
        while True:
            await endpoint.open()
            if not endpoint.is_to_be_tried:
                self._bus.publish(EndpointOpened(port.node, text))
                return
            if endpoint.problem != said:
                said = endpoint.problem
                self._bus.publish(EndpointFailed(port.node, text, said))
            await deferLater(self._clock, _retry_delay(tries))
            tries += 1

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("The broadcast port does not open", failure=failure)

    def _settings_of_port(self) -> PortSettings:
        """Return how to send: what the settings of all ports say of who may connect and stay, and
        nothing of what needs one node.
        """
        of_all = self._settings.port_settings
        return PortSettings(
            pace=OFF,
            outage=of_all.outage,
            allow=of_all.allow,
            max_clients=of_all.max_clients,
            when_full=of_all.when_full,
            idle_timeout=of_all.idle_timeout,
            keepalive_time=of_all.keepalive_time,
            keepalive_interval=of_all.keepalive_interval,
            keepalive_probes=of_all.keepalive_probes,
        )

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        return self._end()

    def _end(self) -> Deferred[Any]:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        port, self._port = self._port, None
        endpoint, self._endpoint = self._endpoint, None
        waiting: list[Deferred[Any]] = []
        if endpoint is not None:
            waiting.append(endpoint.stop())
        if port is not None:
            waiting.append(port.stopService())
        self._observe(False)
        return DeferredList(waiting)

    def reconfigure(self, old: BroadcastSettings, new: BroadcastSettings) -> None:
        """Follow new settings."""
        self._settings = new
        is_elsewhere = new.interface != old.interface and (new.broadcast or "").isdecimal()
        if new.broadcast != old.broadcast or is_elsewhere:
            self._end().addCallback(lambda _: self._begin())
        elif self._port is not None:
            self._port.follow(self._settings_of_port())
            self._clients_changed()

    # --- the link ------------------------------------------------------------------------------

    def _radio_up(self, event: LinkUp) -> None:
        if self._port is not None:
            self._port.outbound.radio_up()

    def _radio_down(self, event: object) -> None:
        if self._port is not None:
            self._port.outbound.radio_down()

    # --- what nodes say ------------------------------------------------------------------------

    def _clients_changed(self) -> None:
        """Observe streams while somebody wants to hear of them: it costs something."""
        port = self._port
        self._observe(port is not None and bool(port.clients) and self._settings.broadcast_hears)

    def _observe(self, wanted: bool) -> None:
        if wanted is self._is_observing:
            return
        self._is_observing = wanted
        if wanted:
            self._bus.subscribe(BytesPassed, self._passed)
        else:
            self._bus.unsubscribe(BytesPassed, self._passed)

    def _passed(self, event: BytesPassed) -> None:
        if event.direction == FROM_NODE and self._port is not None:
            self._port.deliver(event.data)


class _Port(NodePort):
    """The port of all nodes.

    @ivar clients_changed: called when somebody has come or gone.
    """

    clients_changed: Callable[[], None]

    def client_opened(self, client: Any) -> None:
        super().client_opened(client)
        self.clients_changed()

    def client_closed(self, client: Any) -> None:
        super().client_closed(client)
        self.clients_changed()
