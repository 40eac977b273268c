"""BindingService: every node has a port, and keeps it.

A mapping, once made, never moves by itself. The store says what was mapped; at start all of it
listens at once, before the radio answers. A node without a mapping is given a port, and the mapping
is in the store before the port is said to be its own.

This is what others see of the ports, and who calls the parts, in turn: `PortPool` knows the ports
and their sockets, `NodePorts` the nodes', `Mappings` the store's; `PortProvider` does what the
gateway does by itself, `PortAssigner` what a person asks for, `ConfiguredPorts` what the
configuration does. All changes run one after the other; what cannot be done now is tried again,
less and less often.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from operator import attrgetter
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint
from twisted.logger import Logger

from zbtwist.binding.allocation import PortPool
from zbtwist.binding.assignment import PortAssigner
from zbtwist.binding.configured import ConfiguredPorts
from zbtwist.binding.errors import NodeGone
from zbtwist.binding.labels import Labels
from zbtwist.binding.listener import ListenAddress
from zbtwist.binding.mappings import Mappings
from zbtwist.binding.node_endpoints import NodeEndpoints, numbers_in, problems_of
from zbtwist.binding.node_ports import NodePorts
from zbtwist.binding.outages import Outages
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.portless import Portless
from zbtwist.binding.provision import PortProvider
from zbtwist.binding.requests import BindingSettings, PortRequest, PortRequests
from zbtwist.binding.retries import Retries
from zbtwist.binding.scheduler import DEFAULT_LIMIT
from zbtwist.network.events import NodeAdded, NodeChanged, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.network.settings import Asks
from zbtwist.network.table import NodeTable
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.endpoint_option import LAST_PORT
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.pace import Stopped
from zbtwist.runtime.serial_queue import SerialQueue
from zbtwist.runtime.standstill import Standstill
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address64

#: Who is to have which port, of `BindingSettings`.
_wishes = attrgetter("nodes", "base_port", "last_port", "control_port", "broadcast_port")


async def _nothing() -> None:
    pass


class BindingService(MultiService):
    """Gives every node a port.

    @ivar turns: whose packet the radio gets next.
    @ivar labels: whose names are relied on.
    @ivar endpoints: what else leads to nodes than their ports.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        store: Store,
        make_endpoint: Callable[[ListenAddress], IStreamServerEndpoint],
        bus: EventBus,
        batch: WriteBatch | None = None,
        standstill: Standstill | None = None,
        asks: Asks | None = None,
    ) -> None:
        """Which ports there are to give is for `configure`.

        @param make_endpoint: returns the server endpoint for a port.
        @param bus: tells what happens to nodes and to the radio, and is told what happens to ports.
        @param batch: what is being read at the moment, at whose end clients are written to.
        @param standstill: looks whether the program stood still.
        @param asks: tells nodes AT commands, for clients that set serial lines; None if none may.
        """
        super().__init__()
        self._nodes = nodes
        self._batch = batch or WriteBatch()
        self.endpoints = NodeEndpoints(clock, bus, make_endpoint)
        self.endpoints.changed = lambda: self._do(self._follow_endpoints())
        self._ports = NodePorts(
            clock,
            radio,
            nodes,
            bus,
            self._batch,
            standstill or Standstill(clock, bus),
            self.endpoints,
            asks,
        )
        self._ports.setServiceParent(self)
        self.turns = self._ports.turns
        self._pool = PortPool(clock, make_endpoint, bus)
        self._mappings = Mappings(store, clock, nodes.last_seen)
        self._provider = PortProvider(self._ports, self._pool, self._mappings, bus, clock)
        self._assigner = PortAssigner(nodes, self._ports, self._pool, self._mappings, bus)
        self.labels = Labels(clock, nodes, store, bus)
        self._configured = ConfiguredPorts(nodes, self._ports, self._assigner, self.labels, bus)
        self.labels.is_configured = lambda label: self._configured.requests.names(label)
        self._work = SerialQueue()
        self._portless = Portless(
            clock, self._mappings.rest, lambda nodes: self._do(self._give_ports(nodes))
        )
        self._retries = Retries(clock, lambda: self._do(self._try_all_again()))
        Outages(bus, radio, self._ports)
        bus.subscribe(NodeAdded, self._node_added)
        bus.subscribe(NodeChanged, self._node_changed)
        bus.subscribe(NodeForgotten, self._node_forgotten)

    # --- asking --------------------------------------------------------------------------------

    def watch_ports(
        self, added: Callable[[NodePort], object], removed: Callable[[NodePort], object]
    ) -> None:
        """Call `added` with each port that there is, and with each that is new, and `removed` with
        each that is one no more.
        """
        for port in self._ports:
            added(port)
        self._ports.added.append(added)
        self._ports.removed.append(removed)

    def watch_ports_no_more(
        self, added: Callable[[NodePort], object], removed: Callable[[NodePort], object]
    ) -> None:
        """End that."""
        self._ports.added.remove(added)
        self._ports.removed.remove(removed)

    def port_of(self, node: Node) -> NodePort | None:
        """Return a node's port, None if it has none (yet)."""
        return self._ports.get(node.address64)

    def settings_of(self, node: Node) -> PortSettings:
        """Return the settings of a node's port, whether it has one or not."""
        return self._ports.settings_of(node)

    def owner_of(self, slot: ListenAddress) -> Node | None:
        """Return the node whose port that is, None if it is nobody's."""
        port = self._pool.owner_of(slot)
        return port.node if port is not None else None

    def is_unbound(self, node: Node) -> bool:
        """Whether a node's mapping was removed, so that it has no port until it is given one."""
        return self._mappings.is_unbound(node.address64)

    def is_listed(self, node: Node) -> bool:
        """Whether the configuration has something for a node, which need not be known."""
        return bool(self._configured.requests.for_node(node))

    def problem_of(self, node: Node) -> str:
        """Return a sentence: what is not as it should be with a node's port; empty for nothing."""
        port = self._ports.get(node.address64)
        if port is not None and port.problem:
            return port.problem
        return (
            self._configured.problem_of(node)
            or (next(problems_of(port), "") if port is not None else "")
            or self.labels.problem_of(node)
        )

    @property
    def clients(self) -> int:
        """How many clients are connected, to all ports together."""
        return self._ports.clients

    @property
    def store_path(self) -> str:
        """Where the mappings are kept."""
        return self._mappings.path

    @property
    def store_problem(self) -> str:
        """A sentence: why mappings are not being saved; empty while they are."""
        return self._mappings.problem

    def settled(self) -> Deferred[None]:
        """Return a Deferred that fires when every node known by now has its port, or cannot."""
        self._portless.give_now()
        return self._work.run(_nothing())

    # --- the service ---------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        mappings = self._mappings.load()
        self.labels.load()
        # Before the ports are made, which have the settings of their nodes, and before anybody is
        # heard.
        self._configured.meet_nodes()
        self._pool.remember(self._mappings.given())
        for mapping in mappings:
            node = self._nodes.add(mapping.address64)
            if node is not None:
                self._pool.own(self._ports.add(node), mapping.port, mapping.by_hand)
        self._do(self._listen_all())
        self._do(self._apply_all())
        self._see_to_all()

    async def _listen_all(self) -> None:
        await self._provider.listen_all()
        self._retry_later()

    def stopService(self) -> Deferred[Any]:
        self.labels.stop()
        self._retries.stop()
        self._portless.stop()
        self._provider.stop()
        return DeferredList([super().stopService(), *self._pool.stop()])

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that nobody waits for, when those before it are done."""
        running = self._work.run(work)
        running.addErrback(lambda failure: failure.trap(Stopped) and None)
        running.addErrback(lambda failure: self.log.failure("Binding failed", failure=failure))

    # --- nodes come and change -----------------------------------------------------------------

    def _see_to(self, node: Node) -> None:
        """A node is new, or was found by a search: see to it that it has a port."""
        if self._is_to_be_given(node):
            self._portless.add(node)
            self._batch.at_end(self._portless.give_soon)

    def _see_to_all(self) -> None:
        for node in self._nodes:
            if self._is_to_be_given(node):
                self._portless.add(node)
        self._portless.give_soon()

    def _is_to_be_given(self, node: Node) -> bool:
        if not self._is_known(node):
            # It was forgotten meanwhile.
            return False
        is_seen_to = self._ports.get(node.address64) is not None or self.is_unbound(node)
        return not (is_seen_to or self._configured.names_port_of(node))

    async def _give_ports(self, nodes: Iterable[Node]) -> None:
        have_all = await self._provider.give(filter(self._is_to_be_given, nodes))
        if not have_all or self._mappings.problem:
            self._retry_later()

    def _node_added(self, event: NodeAdded) -> None:
        self._look_at_label_of(event.node)
        self._see_to(event.node)

    def _look_at_label_of(self, node: Node) -> None:
        if self._configured.requests.names(node.label):
            self.labels.pin(node)
        self.labels.look_at(node)

    def _node_changed(self, event: NodeChanged) -> None:
        node = event.node
        self._look_at_label_of(node)
        node.name = self._configured.requests.name_of(node)
        for request in self._configured.requests.labelled(node.label):
            self._do(self._apply(request))
        self._ports.node_changed(node)
        # What the configuration says may have been for it, and be for another one now.
        self._see_to(node)

    def _node_forgotten(self, event: NodeForgotten) -> None:
        self.labels.forgotten(event.node)
        # There may have been two that are called so, of which one is left.
        self._label_has_changed(event.node.label)

    def _label_has_changed(self, label: str | None) -> None:
        """A label may be another one's now of those that are called so."""
        if label and self.labels.is_relied_on(label):
            for node in list(self.labels.claimants(label)):
                self._nodes.changed(node)

    def let_have_label(self, node: Node | None) -> None:
        """A person says that a node is the one of its label, whoever had it first."""
        if node is not None:
            self.labels.give(node)
            self._label_has_changed(node.label)

    def renamed(self, node: Node, before: str | None) -> None:
        """A person has given a node another label.

        @param before: the one it had.
        """
        self.labels.renamed(node, before)
        self._nodes.changed(node)
        # Of two that were called so one may be left.
        self._label_has_changed(before)

    def node_found(self, node: Node) -> None:
        """A search that a person asked for found a node: it gets a port even if it was unbound."""
        self._mappings.let_be_bound(node.address64)
        self._see_to(node)

    # --- by hand -------------------------------------------------------------------------------

    async def change(self, wanted: dict[Address64, ListenAddress]) -> None:
        """Give nodes these ports, all or none, and keep them so.

        @param wanted: ports by address; the nodes need not have been seen.
        @raise Configured: the configuration gives one of the nodes another port.
        @raise PortTaken: one of the ports belongs to somebody else; nothing was changed.
        @raise BindingError: two nodes want one port, or there are too many; nothing was changed.
        @raise StoreError: it could not be saved; nothing was changed.
        """
        for address64, slot in wanted.items():
            self._configured.check_free(address64, slot)
        await self._work.run(self._change(wanted))

    async def _change(self, wanted: dict[Address64, ListenAddress]) -> None:
        await self._assigner.change(wanted)
        self._retry_later()

    async def remove(self, node: Node) -> None:
        """Close a node's port and forget its mapping.

        @raise Configured: the configuration gives it one.
        @raise NoMapping: it has none.
        @raise StoreError: it could not be saved; nothing was changed.
        """
        self._configured.check_free(node.address64, None)
        await self._work.run(self._remove(node))

    async def _remove(self, node: Node) -> None:
        await self._assigner.remove(node)
        # There may be a node that waits for a port, or for this one.
        await self._provider.give_to_waiting()
        await self._configured.try_again()
        self._retry_later()

    async def forget(self, nodes: list[Node]) -> None:
        """Close nodes' ports, and forget them with all that is kept of them.

        @raise Configured: the configuration names one by its address; nothing was changed.
        @raise StoreError: it could not be saved; those that are still known were not changed.
        """
        for node in nodes:
            self._configured.check_not_named(node)
        await self._work.run(self._forget(nodes))

    async def _forget(self, nodes: list[Node]) -> None:
        await self._assigner.forget([each for each in nodes if self._is_known(each)])
        # There may be nodes that wait for a port.
        await self._try_all_again()

    def _is_known(self, node: Node) -> bool:
        return self._nodes.get(node.address64) is node

    def check_replaceable(self, old: Node, new: Node) -> None:
        """
        @raise Configured: the configuration gives one of these addresses another port.
        """
        self._configured.check_replaceable(old)
        self._configured.check_replaceable(new)

    async def replace(self, old: Node, new: Node, label: str) -> None:
        """Give a node the port of another one, which is forgotten.

        @param label: how it calls itself now.
        @raise Configured: the configuration gives one of these addresses its port.
        @raise NodeGone: one of them was forgotten before it was its turn.
        @raise BindingError: it does not open; nothing was changed.
        @raise StoreError: it could not be saved; nothing was changed.
        """
        self.check_replaceable(old, new)
        await self._work.run(self._replace(old, new, label))

    async def _replace(self, old: Node, new: Node, label: str) -> None:
        if not self._is_known(old):
            raise NodeGone(f"{old} was forgotten meanwhile: it has no port to hand on.")
        if not self._is_known(new):
            raise NodeGone(f"{new} was forgotten meanwhile: it takes nobody's place.")
        is_the_olds = self.labels.owner_of(label) in (None, old.address64)
        was_relied_on = self.labels.is_relied_on(label)
        await self._assigner.replace(old, new)
        # Not sooner: nobody is to be told that there are two of that name.
        new.label = label
        self.labels.succeeded(new, by_right=is_the_olds and was_relied_on)
        self._nodes.changed(new)
        self._label_has_changed(label)
        # A new port is there to be given, and the configuration may mean the new node now.
        await self._apply_all()

    # --- by the configuration ------------------------------------------------------------------

    def reconfigure(self, old: BindingSettings, new: BindingSettings) -> None:
        """Follow new settings."""
        requests = new.requests()
        if _wishes(new) != _wishes(old) or requests.labels != old.requests().labels:
            self.follow(new)
        else:
            requests.pins = self.labels.pins
            self._ports.use(new.port_settings, requests, new.in_flight)
        if new.interface != old.interface:
            self.listen_anew()

    def follow(self, settings: BindingSettings) -> None:
        """Take what the settings say, in place of what they said before; see `configure`."""
        self.configure(
            settings.requests(),
            settings.base_port,
            settings.last_port,
            {settings.control_port} - {0},
            settings.port_settings,
            settings.in_flight,
            {settings.broadcast_port} - {0},
        )

    def configure(
        self,
        requests: Iterable[PortRequest],
        base_port: int,
        last_port: int = LAST_PORT,
        reserved: Iterable[int] = (),
        settings: PortSettings | None = None,
        in_flight: int = DEFAULT_LIMIT,
        taken_ports: Iterable[int] = (),
    ) -> None:
        """Take what the configuration says, in place of what it said before.

        @param base_port: the first port that the gateway gives by itself.
        @param last_port: the last one.
        @param reserved: ports that no node may have: the control port.
        @param settings: how bytes are sent and kept, where a request does not say.
        @param in_flight: packets that the radio is given at once, for all nodes together.
        @param taken_ports: ports that no node is given by itself.
        """
        taken = requests if isinstance(requests, PortRequests) else PortRequests(requests)
        settings = settings or PortSettings()
        self._pool.set_range(
            base_port,
            last_port,
            reserved,
            taken.slots | numbers_in(settings, taken) | set(taken_ports),
        )
        taken.pins = self.labels.pins
        self._configured.take(taken)
        self._ports.use(settings, taken, in_flight)
        if self.running:
            self._do(self._apply_all())
            self._retries.hurry()

    async def _apply_all(self) -> None:
        await self._configured.apply_all()
        # A node may be known from the configuration alone, and have been seen since.
        self._see_to_all()
        self._retry_later()

    async def _apply(self, request: PortRequest) -> None:
        await self._configured.apply(request)
        self._retry_later()

    def listen_anew(self) -> None:
        """The endpoints of ports have changed: open every port again. Clients stay connected."""
        self._do(self._listen_anew())

    async def _listen_anew(self) -> None:
        await self._provider.listen_anew()
        self._retry_later()

    # --- trying again --------------------------------------------------------------------------

    def _retry_later(self) -> None:
        """Plan the next try of what could not be done, if there is something."""
        if self.running:
            self._retries.plan(
                bool(
                    self._mappings.problem
                    or self._ports.problems
                    or self._configured.has_problem
                    or self.endpoints.has_problem
                )
            )

    async def _follow_endpoints(self) -> None:
        await self.endpoints.follow(self._ports.pace())
        self._retry_later()

    async def _try_all_again(self) -> None:
        self._mappings.write_again()
        await self._provider.try_again()
        await self._configured.try_again()
        await self.endpoints.try_again(self._ports.pace())
        self._retry_later()
