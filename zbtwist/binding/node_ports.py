"""The ports of all nodes, as services, each with the settings that are its own.

They share the radio, and so the turns at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from zbtwist.binding.asking.schedule import Schedule
from zbtwist.binding.events import MappingChanged
from zbtwist.binding.node_endpoints import NodeEndpoints
from zbtwist.binding.node_line import CHANGING_COMMANDS
from zbtwist.binding.noted import Noted
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.presence import Presence
from zbtwist.binding.requests import PortRequests
from zbtwist.binding.scheduler import DEFAULT_LIMIT, UNLIMITED, TransmitScheduler
from zbtwist.binding.stream import NodeStream
from zbtwist.network.events import NodeIdentified
from zbtwist.network.node import Node
from zbtwist.network.settings import Asks
from zbtwist.network.table import NodeTable
from zbtwist.radio.buffers import packets_at_once
from zbtwist.radio.events import LinkUp
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.pace import Pace
from zbtwist.runtime.standstill import Standstill
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.xbee.address import Address64
from zbtwist.xbee.at_table import RESTARTING_COMMANDS
from zbtwist.xbee.description import BUTTON
from zbtwist.xbee.frames import RemoteATCommandResponse
from zbtwist.xbee.status import ATStatus


class NodePorts(MultiService):
    """The `NodePort` of each node that has one.

    @ivar turns: whose packet the radio gets next.
    @ivar endpoints: what else leads to the nodes.
    @ivar added: called with each port that is new, and
    @ivar removed: with each that is one no more.
    """

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        bus: EventBus,
        batch: WriteBatch,
        standstill: Standstill,
        endpoints: NodeEndpoints,
        asks: Asks | None = None,
    ) -> None:
        """
        @param bus: is told what happens to the ports.
        @param batch: what is being read at the moment, at whose end clients are written to.
        @param standstill: looks whether the program stood still before what clients write was
            read.
        @param endpoints: opens what else leads to the nodes.
        @param asks: tells nodes AT commands, for clients that set serial lines; None if none may.
        """
        super().__init__()
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self.turns = TransmitScheduler(clock)
        self._bus = bus
        self._batch = batch
        self._standstill = standstill
        self._asks = asks
        self._by_address: dict[Address64, NodePort] = {}
        self._noted = Noted()
        self._presence = Presence(clock)
        self._settings = PortSettings()
        self._requests = PortRequests()
        self._in_flight = DEFAULT_LIMIT
        self.endpoints = endpoints
        self.added: list[Callable[[NodePort], object]] = []
        self.removed: list[Callable[[NodePort], object]] = []
        self._schedule = Schedule(clock, bus)
        bus.subscribe(MappingChanged, self._mapping_changed)
        bus.subscribe(LinkUp, self._radio_up)
        bus.subscribe(NodeIdentified, self._identified)
        radio.subscribe(RemoteATCommandResponse, self._commanded)

    def __iter__(self) -> Iterator[NodePort]:
        # A copy: there may be others before its end.
        return iter(list(self._by_address.values()))

    @property
    def clients(self) -> int:
        """How many clients are connected, to all of them together."""
        # Who has one is busy.
        return sum(port.clients for port in self._noted.busy)

    @property
    def problems(self) -> int:
        """How many cannot listen."""
        return len(self._noted.closed) + len(self._noted.portless)

    def closed(self) -> list[NodePort]:
        """Return those that do not open where their clients look for them."""
        return list(self._noted.closed)

    def portless(self) -> Iterator[NodePort]:
        """Return those for which there was no port to give: whose node has said who it is comes
        first, then who has waited longest. It costs no more than as many as are asked for.
        """
        waiting = list(self._noted.portless)
        yield from (port for port in waiting if port.node.label is not None)
        yield from (port for port in waiting if port.node.label is None)

    def with_something_to_lose(self) -> list[NodeStream]:
        """Return those of whose nodes somebody reads something, or will; see `Noted`."""
        busy = self._noted.busy
        for port in list(busy):
            if not port.has_something_to_lose:
                del busy[port]
        return list(busy)

    def take_awake(self) -> list[NodeStream]:
        """Return those that are new, or whose node was heard, since this was asked the last time
        and the radio was away.
        """
        awake = list(self._noted.awake)
        self._noted.awake.clear()
        return awake

    def get(self, address64: Address64) -> NodePort | None:
        """Return the port of the node with that address, None if it has none."""
        return self._by_address.get(address64)

    def find(self, node: Address64 | str) -> NodePort | None:
        """Return the port of the node that the configuration means by its address, its node
        identifier, or the name that it has there; None if there is none, or several are called so.
        """
        if isinstance(node, str):
            owner = self._requests.pins.get(node)
            if owner is None:
                named = [port for port in self if node in (port.node.label, port.node.name)]
                return named[0] if len(named) == 1 else None
            node = owner
        return self._by_address.get(node)

    def add(self, node: Node) -> NodePort:
        """Return a node's port, a new one if it had none. A new one listens nowhere."""
        port = self._by_address.get(node.address64)
        if port is None:
            outbound = Outbound(
                self._clock,
                self._radio.way_to(node.address64),
                self._nodes,
                node,
                self.turns,
                self.settings_of(node),
                self._standstill,
            )
            port = NodePort(
                self._clock,
                node,
                outbound,
                self._bus,
                self._batch,
                self._noted,
                self._presence,
            )
            port.find = self.find
            port.asks = self._asks
            port.setServiceParent(self)
            self._noted.awake[port] = None
            self._by_address[node.address64] = port
            self.endpoints.look_at(port)
            for added in self.added:
                added(port)
            self._schedule.look_at(port)
        return port

    def remove(self, port: NodePort) -> None:
        """Let a node have no port any more. Its clients have a moment to take what is buffered;
        nobody has to wait for that.
        """
        del self._by_address[port.node.address64]
        self._noted.forget(port)
        self.endpoints.end(port)
        for removed in self.removed:
            removed(port)
        self._schedule.end(port)
        port.disownServiceParent()

    def stopService(self) -> Deferred[Any]:
        stopped: Deferred[Any] = super().stopService()
        for port in self:
            self.remove(port)
        self.turns.stop()
        return DeferredList([stopped, *self.endpoints.stop()])

    def pace(self) -> Pace:
        """Return the pace of a piece of work at many of them, which ends when they do."""
        return Pace(self._clock, lambda: bool(self.running))

    # --- the settings --------------------------------------------------------------------------

    def use(
        self,
        settings: PortSettings,
        requests: PortRequests,
        in_flight: int = DEFAULT_LIMIT,
    ) -> None:
        """Follow new settings.

        @param settings: those of every node of which the requests do not say otherwise.
        @param in_flight: packets that the radio is given at once, for all nodes together.
        """
        self._in_flight = in_flight
        self._limit_turns()
        own = requests.have_settings
        is_same = settings == self._settings and not (own or self._requests.have_settings)
        self._settings = settings
        self._requests = requests
        if is_same:
            return
        for port in self._by_address.values():
            self._give(port, self.settings_of(port.node) if own else settings)

    def _radio_up(self, event: LinkUp) -> None:
        self._limit_turns()

    def _limit_turns(self) -> None:
        """Give the radio no more at once than the settings say, and than its buffers hold."""
        facts = self._radio.facts
        if facts is not None and facts.is_fleet:
            # There is no buffer to be spared: each site's gateway gives turns at its radio, and no
            # node has more than its window under way.
            self.turns.most = self.turns.limit = UNLIMITED
            return
        most = packets_at_once(facts) if facts is not None else None
        limit = self._in_flight if most is None else min(self._in_flight, most)
        if limit != self.turns.limit:
            self.turns.limit = limit

    def node_changed(self, node: Node) -> None:
        """A node may have another label, and so other settings."""
        port = self._by_address.get(node.address64)
        if port is not None:
            self._give(port, self.settings_of(node))

    def _give(self, port: NodePort, settings: PortSettings) -> None:
        port.follow(settings)
        self.endpoints.look_at(port)
        self._schedule.look_at(port)

    def _mapping_changed(self, event: MappingChanged) -> None:
        """A node may have endpoints that go by its TCP port."""
        port = self._by_address.get(event.node.address64)
        if port is not None:
            self.endpoints.look_at(port)

    # --- the lines of the nodes ----------------------------------------------------------------

    def _identified(self, event: NodeIdentified) -> None:
        """A node was switched on, or has joined, and may have been set up in another way."""
        if event.reason != BUTTON:
            self._line_changed(event.node.address64)
            port = self._by_address.get(event.node.address64)
            if port is not None:
                port.commanded("FR")

    def _commanded(self, frame: RemoteATCommandResponse) -> None:
        """A node has carried out a command: somebody may have set its line up in another way."""
        # What was only read comes with its value.
        is_set = not frame.value and frame.status == ATStatus.OK
        if is_set and frame.command in CHANGING_COMMANDS:
            self._line_changed(frame.address64)
        port = self._by_address.get(frame.address64)
        if is_set and port is not None:
            port.commanded(frame.command)
        if is_set and frame.command in RESTARTING_COMMANDS and port is not None:
            # What its device has said and is not in the air yet, and says meanwhile, is lost, too.
            port.interrupted(
                f"The radio of {port.node} starts anew, and what it had in hand is lost"
            )

    def _line_changed(self, address64: Address64) -> None:
        port = self._by_address.get(address64)
        if port is not None:
            port.outbound.line.changed()

    def settings_of(self, node: Node) -> PortSettings:
        """Return the settings of a node's port, whether it has one or not."""
        return self._requests.settings_for(node) or self._settings
