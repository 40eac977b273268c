"""The service tree: who there is, who knows whom, what starts first, and what a new configuration
changes. The one room that knows all the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.logger import Logger

from zbtwist.app.brokerage import Brokerage, BrokerPart
from zbtwist.app.followers import Followers
from zbtwist.app.home_assistant import HomeAssistantPart
from zbtwist.binding.broadcast import Broadcast
from zbtwist.binding.link_test import LinkTests
from zbtwist.binding.listener import ListenAddress
from zbtwist.binding.service import BindingService
from zbtwist.binding.stream_events import StreamBroken
from zbtwist.config.gateway_options import OPTIONS
from zbtwist.config.settings import Settings, difference
from zbtwist.control.api import GatewayAPI
from zbtwist.control.http.broker_metrics import BrokerCollector
from zbtwist.control.http.door import Door
from zbtwist.control.http.event_stream import EventStreams
from zbtwist.control.http.fleet_metrics import FleetCollector
from zbtwist.control.http.guards import Hosts
from zbtwist.control.http.health import HealthPage
from zbtwist.control.http.metrics import GatewayCollector, MetricsPage
from zbtwist.control.http.service import ControlService
from zbtwist.control.http.site import ControlRoot, control_site
from zbtwist.control.http.value_metrics import ValueCollector
from zbtwist.control.web.console import Console
from zbtwist.control.web.view import Reachability
from zbtwist.decoding.service import DecodingService
from zbtwist.health.service import HealthService
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.network.events import FROM_NODE
from zbtwist.network.persistence import NodePersister
from zbtwist.network.service import NetworkService
from zbtwist.observing.announcing import Announcer
from zbtwist.observing.byte_log import ByteLog
from zbtwist.observing.event_counts import EventCounts
from zbtwist.observing.event_log import EventLog, EventLogService
from zbtwist.observing.log_lines import LogLines
from zbtwist.observing.taps import Taps
from zbtwist.observing.tracer import FrameTracer, TraceFileService
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.service import RadioService
from zbtwist.runtime.allowed import Network
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.mdns import Announcements
from zbtwist.runtime.open_files import raise_open_files
from zbtwist.runtime.server_endpoint import server_from_string
from zbtwist.runtime.standstill import Standstill
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.store.errors import StoreError
from zbtwist.store.store import Store

if TYPE_CHECKING:
    from zbtwist.fleet.service import FleetService
    from zbtwist.home_assistant.service import HomeAssistantService
    from zbtwist.mqtt.service import BrokerService
    from zbtwist.site.service import SiteService

log = Logger()


def warn_if_open(settings: Settings) -> None:
    """Say in the log what other computers can reach without a password."""
    allowed = settings.port_settings.allow
    if settings.has_open_ports:
        log.warn(
            "Nodes' ports are open to other computers ({place}), and nobody is asked for a "
            "password there: anyone {who} reaches the nodes.",
            place=settings.open_place,
            who=f"in {_shown(allowed)}" if allowed else "who reaches this computer",
        )
    if not settings.is_control_open:
        return
    if not settings.needs_login:
        allowed = settings.who_may_control
        log.warn(
            "The control interface is open to other computers (control {control}), and nobody is "
            "asked for a password: anyone {who} may do everything.",
            control=settings.control,
            who=f"in {_shown(allowed)}" if allowed else "who reaches this computer",
        )
    elif not settings.is_control_encrypted:
        log.warn(
            "Passwords for the control interface cross the network as they are (control "
            "{control}): anyone on their way can read them. Give --control an endpoint with TLS, "
            "tls: or ssl:.",
            control=settings.control,
        )


def _fleet_at(
    endpoint: IStreamClientEndpoint,
    settings: Settings,
    reactor: Any,
    bus: EventBus,
    wall: Callable[[], float],
) -> FleetService | None:
    """Return what stands in place of a radio if its endpoint is a broker. Else nothing of that is
    imported.
    """
    if not settings.is_hub:
        return None
    from zbtwist.fleet.endpoint import FleetEndpoint
    from zbtwist.fleet.service import FleetService

    assert isinstance(endpoint, FleetEndpoint)
    return FleetService(reactor, endpoint, bus, settings.serial, wall)


def _shown(networks: Sequence[Network]) -> str:
    return ", ".join(map(str, networks))


class Gateway(MultiService):
    """The whole gateway as one service; starting it opens the state file, the ports and the radio.

    @ivar bus: tells what happens.
    @ivar radio: the link to the local radio.
    @ivar network: the nodes.
    @ivar bindings: their ports.
    @ivar health: how they are.
    @ivar store: what outlives a restart.
    @ivar api: the operations of the control interface.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        endpoint: IStreamClientEndpoint | None = None,
        wall: Callable[[], float] = time.time,
        first_id: int | None = None,
    ) -> None:
        """
        @param endpoint: the radio, if it is another than the settings say.
        @param wall: says the seconds since 1970, for people; all else goes by the reactor's clock.
        @param first_id: the first frame id, any if None; see `zbtwist.radio.frame_ids.FrameIds`.
        """
        super().__init__()
        self._settings = settings
        self._reactor = reactor
        self.store = Store(settings.state)
        self.bus = bus = EventBus()
        LogLines(bus)
        endpoint = endpoint or settings.radio_endpoint(reactor)
        fleet = _fleet_at(endpoint, settings, reactor, bus, wall)
        coordinator = fleet.coordinator if fleet else Coordinator(reactor, bus, first_id)
        self._coordinator = coordinator
        self._events = events = EventLog(bus)
        batch = WriteBatch()
        standstill = Standstill(reactor, bus)
        self.network = NetworkService(
            reactor, coordinator, bus, wall, settings.admit, settings.max_nodes
        )
        if fleet:
            fleet.know(self.network.nodes)
            # The sites have let them in.
            self.network.admission.at_once = settings.max_nodes
        self.bindings = BindingService(
            reactor,
            coordinator,
            self.network.nodes,
            self.store,
            self._port_endpoint,
            bus,
            batch,
            standstill,
            self.network,
        )
        self.network.admission.is_listed = self.bindings.is_listed
        self._broadcast = Broadcast(
            reactor,
            coordinator,
            self.network.nodes,
            self.bindings.turns,
            self._port_endpoint,
            bus,
            settings,
            batch,
        )
        self.radio: RadioService | FleetService = fleet or RadioService(
            reactor,
            endpoint,
            coordinator,
            bus,
            settings.serial,
            settings.api_mode,
            configure=settings.configure,
            write_flash=settings.write_flash,
            heartbeat=settings.heartbeat,
            batch=batch,
            standstill=standstill,
        )
        self.health = HealthService(
            reactor,
            coordinator,
            self.network.nodes,
            lambda node: port.outbound if (port := self.bindings.port_of(node)) else None,
            bus,
            settings.health,
        )
        self._announcer = Announcer(
            reactor,
            bus,
            self.network.nodes,
            self.bindings,
            settings,
            partial(Announcements, reactor),
        )
        tracer = FrameTracer(bus, events, self.network.nodes)
        self._trace_file = TraceFileService(tracer, settings.trace_file, settings.serial)
        tests = LinkTests(reactor, coordinator, self.network, self.bindings.turns, bus)
        taps = Taps(reactor, bus)
        self._byte_log = ByteLog(reactor, bus, self.bindings, wall)
        self.decoding = DecodingService(
            reactor, bus, lambda node: self.bindings.settings_of(node).decoder
        )
        bus.subscribe(StreamBroken, self._stream_broken)
        self.api = GatewayAPI(
            reactor,
            coordinator,
            self.network,
            self.bindings,
            self.health,
            events,
            tracer,
            self.store,
            tests,
            taps,
            self.decoding,
            lambda: self._brokerage.broker,
            self._broadcast,
        )
        self._brokerage = Brokerage(
            reactor, settings.mqtt, self._parts_at_broker, wall, lambda: standstill.unseen
        )
        self._hosts = Hosts(settings.control_host)
        self._door = Door(reactor, settings)
        self._site = site = control_site(self.api, reactor, self._hosts, self._door)
        site.allow = settings.who_may_control
        root = site.resource
        assert isinstance(root, ControlRoot)
        metrics = GatewayCollector(
            self.radio,
            self.network,
            self.bindings,
            self.health,
            coordinator.transmit_seconds,
            {
                "requests_outstanding": lambda: coordinator.outstanding,
                "requests_waiting": lambda: coordinator.waiting,
                "packets_in_flight": lambda: self.bindings.turns.in_flight,
                "nodes_waiting": lambda: self.bindings.turns.waiting,
            },
            EventCounts(bus),
        )
        streams = EventStreams(reactor, events)
        root.putChild(b"events", streams)
        self._door.changed = [site.end_streams, streams.end_all]
        broker = BrokerCollector(lambda: self._brokerage.broker)
        values = ValueCollector(self.decoding)
        sites = FleetCollector(fleet)
        root.putChild(b"metrics", MetricsPage(reactor, metrics, values, broker, sites))
        root.putChild(b"healthz", HealthPage(coordinator))
        console = Console(
            reactor,
            self.api,
            coordinator,
            self.radio,
            self.network,
            self.bindings,
            self.health,
            self._where,
            lambda: events.warnings,
            bus,
            taps,
            self.decoding,
        )
        console.mount(root)
        self._control = ControlService(
            reactor, settings.control_endpoint(reactor), site, settings.control
        )
        # In this order: the network may let in nodes which the ports have just learnt of.
        self._followers = Followers(
            self.radio,
            self._control,
            self._hosts,
            self.bindings,
            self._broadcast,
            self.network,
            self.health,
            self._announcer,
            self.decoding,
            self._trace_file,
            self._byte_log,
        )
        # They start in this order: the ports are open before the radio answers, and everybody is
        # there when it does.
        for service in (
            EventLogService(events),
            self._trace_file,
            NodePersister(reactor, self.network.nodes, self.store, bus),
            console,
            self._control,
            tests,
            taps,
            self._byte_log,
            self.decoding,
            self.bindings,
            self._broadcast,
            self._announcer,
            self._brokerage,
            self.network,
            self.health,
            self.radio,
            standstill,
        ):
            service.setServiceParent(self)

    def _stream_broken(self, event: StreamBroken) -> None:
        if event.direction == FROM_NODE:
            self.decoding.broken(event.node)

    def _where(self) -> Reachability:
        settings = self._settings
        return Reachability(settings.control, settings.is_local, settings.interface)

    def _port_endpoint(self, slot: ListenAddress) -> IStreamServerEndpoint:
        if isinstance(slot, int):
            return self._settings.port_endpoint(self._reactor, slot)
        return server_from_string(self._reactor, slot)

    def _parts_at_broker(
        self, broker: BrokerService, settings: MQTTSettings
    ) -> Iterable[BrokerPart]:
        """Return who speaks at the MQTT broker."""
        if settings.base == getattr(self.radio, "base", None):
            log.error(
                "The [mqtt] section has the base {base}, as the sites of this hub: nothing is said "
                "there, since the hub would take itself for a site. Give it another base.",
                base=settings.base,
            )
            return ()
        from zbtwist.site.service import SiteService

        site = SiteService(
            self._reactor,
            broker,
            settings,
            self.bus,
            self._coordinator,
            self.network,
            self.bindings,
            self.health,
            self.decoding,
            self._events,
            self.api,
            self._site.turns,
        )
        return (site, HomeAssistantPart(settings, partial(self._home_assistant, broker, site)))

    def _home_assistant(
        self, broker: BrokerService, site: SiteService, settings: MQTTSettings
    ) -> HomeAssistantService:
        from zbtwist.home_assistant.service import HomeAssistantService

        return HomeAssistantService(
            self._reactor,
            broker,
            self.network.nodes,
            settings,
            lambda: site.topics,
            site.is_said,
            self.decoding.readings_of,
            lambda node: self.bindings.settings_of(node).decoder,
        )

    def startService(self) -> None:
        # Not sooner: twistd forks before, and an open SQLite file does not survive that.
        try:
            self.store.open()
        except StoreError as error:
            log.critical("{problem} The gateway does not start.", problem=str(error))
            raise SystemExit(1) from None
        of_all = self._settings.port_settings
        sockets = 1 + len(of_all.listen) + len(of_all.connect)
        raised = raise_open_files(self.store.mapping_count() * sockets)
        self.bindings.follow(self._settings)
        self._byte_log.follow(self._settings)
        self.decoding.follow(self._settings)
        super().startService()
        # Behind the line that says where the console is.
        if raised:
            log.info("{raised}", raised=raised)
        if self.store.is_new:
            log.warn(
                "There was no state file {path}: it is a new, empty one, and every node gets a new "
                "port. If nodes had ports before, stop the gateway and put their file there, or "
                "name it with --state.",
                path=self.store.path,
            )

    def stopService(self) -> Deferred[Any]:
        stopped: Deferred[Any] = super().stopService()
        return stopped.addBoth(self._close_store)

    def _close_store(self, result: Any) -> Any:
        self.store.close()
        return result

    def reconfigure(self, settings: Settings) -> None:
        """Follow new settings. What has not changed is not touched; clients of nodes that keep
        their port stay connected.
        """
        old, new = self._settings, self._without_what_cannot_be(settings)
        self._settings = new
        changed = difference(old, new)
        self._door.reconfigure(old, new)
        self._site.allow = new.who_may_control
        if changed:
            self._followers.follow(old, new)
            # Behind what the others make of it.
            self._brokerage.reconfigure(new.mqtt)
            log.info("The configuration has changed: {what}.", what=", ".join(sorted(changed)))
        else:
            log.info("The configuration is as it was.")
            # What its files have may be something else.
            self._brokerage.reconfigure(new.mqtt)
        warn_if_open(new)

    def _without_what_cannot_be(self, settings: Settings) -> Settings:
        """Return new settings, with the old values of what cannot change now; say so."""
        old = self._settings
        for option in OPTIONS.values():
            before: Any = getattr(old, option.attribute, None)
            if option.at_start and getattr(settings, option.attribute) != before:
                log.warn("{what} is another from the next start on.", what=option.at_start)
                settings = replace(settings, **{option.attribute: before})
        if settings.control != old.control:
            owner = self.bindings.owner_of(settings.control_port)
            if owner is not None:
                log.error(
                    "Port {port} belongs to {node}: the control port stays where it is.",
                    port=settings.control_port,
                    node=owner,
                )
                settings = replace(settings, control=old.control)
        return settings
