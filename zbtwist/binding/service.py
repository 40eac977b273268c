"""BindingService: which node has which port.

A mapping, once made, never moves by itself. The store says what was mapped; at start all of it
listens at once, before the radio answers. A node without a mapping gets the lowest port that no
node has, and the mapping is in the store before the port is said to be its own. A port that another
program has is passed over for a new node, with a warning that names it; for a node whose port it
is, it is tried again and again, and the node keeps it.

What a person asks for (`change`, `remove`) is done whole or not at all: first every socket is
opened, then the store is written, and then the sockets change hands. A socket that is open already
is never closed on the way from one node to another. What the configuration asks for (`configure`)
is the same, node by node: a request that cannot be followed is said and tried again.

All changes run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamServerEndpoint
from twisted.logger import Logger

from zbtwist.binding.errors import BindingError, Configured, NoMapping, PortTaken
from zbtwist.binding.events import MappingChanged, PortFailed
from zbtwist.binding.listener import LAST_PORT, ListenAddress, Listener
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import BindingSettings, PortRequest, PortRequests
from zbtwist.binding.scheduler import DEFAULT_LIMIT, TransmitScheduler
from zbtwist.network.events import NodeAdded, NodeChanged
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.events import FramesDamaged, LinkDown, LinkHeard, LinkSilent, LinkUp
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.listen_errors import advice, is_about_this_port
from zbtwist.runtime.serial_queue import SerialQueue
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address64, format_address64

#: Seconds before the first and between the last tries to get a port that somebody else has, and
#: what they grow by.
FIRST_RETRY = 1.0
LAST_RETRY = 60.0
RETRY_FACTOR = 2.0
_retry_delay = backoffPolicy(FIRST_RETRY, LAST_RETRY, RETRY_FACTOR, jitter=lambda: 0.0)

#: Seconds for which a port that another program has is not tried for new nodes.
PASS_OVER = 60.0


#: Nodes whose ports are named in the log one by one when the gateway starts; if there are more,
#: only their number is.
MAX_LINES = 100


def _wishes(settings: BindingSettings) -> tuple[object, ...]:
    """Who is to have which port."""
    return settings.nodes, settings.base_port, settings.last_port, settings.control_port


async def _nothing() -> None:
    pass


class BindingService(MultiService):
    """Gives every node a port; each `NodePort` is a child service.

    @ivar turns: whose packet the radio gets next.
    @ivar store_problem: a sentence: why mappings are not being saved; empty while they are.
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
    ) -> None:
        """Which ports there are to give is for `configure`.

        @param make_endpoint: returns the server endpoint for a port.
        @param bus: tells what happens to nodes and to the radio, and is told what happens to ports.
        @param batch: what is being read at the moment, at whose end clients are written to.
        """
        super().__init__()
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._store = store
        self._make_endpoint = make_endpoint
        self._batch = batch or WriteBatch()
        self._base_port = self._lowest = 1
        self._last_port = 0
        self._reserved: frozenset[int] = frozenset()
        self._ports: dict[Address64, NodePort] = {}
        self._owners: dict[ListenAddress, NodePort] = {}
        self._listeners: dict[ListenAddress, Listener] = {}
        # Every port that was ever given, with its last node; see `zbtwist.store.store.Store.given`.
        self._given: dict[ListenAddress, Address64] = {}
        self._unbound: set[Address64] = set()
        self._passed_over: dict[int, float] = {}
        self._work = SerialQueue()
        self._retry: IDelayedCall | None = None
        self._retries = 0
        self._unsaved: dict[Address64, Mapping] = {}
        self._requests = PortRequests()
        self.turns = TransmitScheduler(clock)
        self._settings = PortSettings()
        self.store_problem = ""
        self._bus = bus
        bus.subscribe(NodeAdded, lambda event: self._see_to(event.node))
        bus.subscribe(NodeChanged, self._node_changed)
        bus.subscribe(LinkUp, self._link_up)
        bus.subscribe(LinkDown, self._link_down)
        bus.subscribe(LinkSilent, self._link_silent)
        bus.subscribe(LinkHeard, self._link_heard)
        bus.subscribe(FramesDamaged, self._frames_damaged)

    # --- asking --------------------------------------------------------------------------------

    def port_of(self, node: Node) -> NodePort | None:
        """Return a node's port, None if it has none (yet)."""
        return self._ports.get(node.address64)

    @property
    def store_path(self) -> str:
        """Where the mappings are kept."""
        return self._store.path

    def owner_of(self, slot: ListenAddress) -> Node | None:
        """Return the node whose port that is, None if it is nobody's."""
        port = self._owners.get(slot)
        return port.node if port is not None else None

    def is_unbound(self, node: Node) -> bool:
        """Whether a node's mapping was removed, so that it has no port until it is given one."""
        return node.address64 in self._unbound

    @property
    def clients(self) -> int:
        """How many clients are connected, to all ports together."""
        return sum(port.clients for port in self._ports.values())

    def settled(self) -> Deferred[None]:
        """Return a Deferred that fires when every node known by now has its port, or cannot."""
        return self._work.run(_nothing())

    # --- the service ---------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._unbound = self._store.unbound()
        self._given = self._store.given()
        for mapping in self._store.mappings():
            node = self._nodes.add(mapping.address64)
            if node is not None:
                self._own(self._port_for(node), mapping.port, mapping.by_hand)
        self._do(self._listen_all())
        self._do(self._apply_all())
        for node in self._nodes:
            self._see_to(node)

    async def _listen_all(self) -> None:
        ports = list(self._ports.values())
        is_quiet = len(ports) > MAX_LINES
        listening = sum([await self._try_to_listen(port, is_quiet) for port in ports])
        if is_quiet:
            self.log.info("{count} nodes are on their ports.", count=listening)
        self._retry_later()

    def stopService(self) -> Deferred[Any]:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        stopped = [super().stopService(), *(one.close() for one in self._listeners.values())]
        for port in list(self._ports.values()):
            port.disownServiceParent()
        self.turns.stop()
        for kept in (self._ports, self._owners, self._listeners, self._given):
            kept.clear()
        self._lowest = self._base_port
        return DeferredList(stopped)

    def _do(self, work: Any) -> None:
        """Run a coroutine that nobody waits for, when those before it are done."""
        running = self._work.run(work)
        running.addErrback(lambda failure: self.log.failure("Binding failed", failure=failure))

    # --- ports by themselves -------------------------------------------------------------------

    def _see_to(self, node: Node) -> None:
        """A node is new, or was found by a search: see to it that it has a port."""
        if node.address64 in self._ports or self.is_unbound(node):
            return
        if not any(request.slot is not None for request in self._requests.for_node(node)):
            self._do(self._give_port(node))

    def _node_changed(self, event: NodeChanged) -> None:
        node = event.node
        for request in self._requests.labelled(node.label):
            self._do(self._apply(request))
        port = self._ports.get(node.address64)
        if port is not None:
            port.outbound.settings = self._settings_of(node)

    def node_found(self, node: Node) -> None:
        """A search that a person asked for found a node: it gets a port even if it was unbound."""
        self._unbound.discard(node.address64)
        self._see_to(node)

    async def _give_port(self, node: Node) -> None:
        """Give a node the lowest port that no node has."""
        port = self._ports.get(node.address64)
        if not self.running or (port is not None and port.slot is not None):
            return
        port = self._port_for(node)
        for number in range(self._lowest, self._last_port + 1):
            if self._is_given(number):
                continue
            if self._passed_over.get(number, 0.0) > self._clock.seconds():
                continue
            try:
                listener = await self._open(number)
            except CannotListenError as error:
                if not is_about_this_port(error):
                    self._cannot(port, f"No port can be opened: {advice(error)}.")
                    return
                self._passed_over[number] = self._clock.seconds() + PASS_OVER
                self.log.warn(
                    "Port {number} is skipped, {node} gets the next: {reason}.",
                    number=number,
                    node=node,
                    reason=advice(error),
                )
                continue
            self._save(Mapping(node.address64, number))
            self._own(port, number, by_hand=False)
            port.serve(listener)
            self._lowest_free()
            self._bus.publish(MappingChanged(node, number))
            return
        self._cannot(
            port,
            f"Every port from {self._base_port} to {self._last_port} is taken: raise --last-port, "
            "or remove a mapping.",
        )

    def _cannot(self, port: NodePort, problem: str) -> None:
        """A node has no port, or its port does not listen: say it once, and try again later."""
        if problem != port.problem:
            port.problem = problem
            self._bus.publish(PortFailed(port.node, problem))
        self._retry_later()

    def _is_given(self, number: int) -> bool:
        return (
            number in self._owners
            or number in self._given
            or number in self._reserved
            or number in self._requests.slots
        )

    def _lowest_free(self) -> None:
        while self._lowest in self._owners or self._lowest in self._given:
            self._lowest += 1

    def _port_for(self, node: Node) -> NodePort:
        port = self._ports.get(node.address64)
        if port is None:
            outbound = Outbound(
                self._clock, self._radio, self._nodes, node, self.turns, self._settings_of(node)
            )
            port = NodePort(self._clock, node, outbound, self._bus, self._batch)
            port.setServiceParent(self)
            self._ports[node.address64] = port
        return port

    def _settings_of(self, node: Node) -> PortSettings:
        for request in self._requests.for_node(node):
            if request.settings is not None:
                return request.settings
        return self._settings

    def _use(self, settings: PortSettings, in_flight: int) -> None:
        self._settings = settings
        if in_flight != self.turns.limit:
            self.turns.limit = in_flight
        own = self._requests.have_settings
        for port in self._ports.values():
            port.outbound.settings = self._settings_of(port.node) if own else settings

    def _own(self, port: NodePort, slot: ListenAddress, by_hand: bool) -> None:
        port.slot = slot
        port.by_hand = by_hand
        self._owners[slot] = port
        self._given[slot] = port.node.address64

    async def _open(self, slot: ListenAddress) -> Listener:
        """Listen.

        @raise CannotListenError: it cannot be done, whatever the reason: endpoints fail as they
            like, and one that does must not stop the others.
        """
        try:
            listener = Listener(slot, self._make_endpoint(slot))
            await listener.open()
        except (CannotListenError, CancelledError):
            raise
        except Exception as error:
            raise CannotListenError(None, slot, error) from error
        self._listeners[slot] = listener
        return listener

    async def _close(self, listener: Listener) -> None:
        del self._listeners[listener.slot]
        await listener.close()

    # --- trying again --------------------------------------------------------------------------

    async def _try_to_listen(self, port: NodePort, is_quiet: bool = False) -> bool:
        """Let a node's port listen. Return whether it does.

        @param is_quiet: it is one of many, whose number is said.
        """
        if port.listener is not None or port.slot is None or not self.running:
            return port.listener is not None
        try:
            listener = await self._open(port.slot)
        except CannotListenError as error:
            why = advice(error)
            if port.slot in self._reserved:
                why = "it is the control port of the gateway; give the node another, or --control"
            self._cannot(port, f"Port {port.slot} does not open: {why}.")
            return False
        port.serve(listener)
        self._bus.publish(MappingChanged(port.node, port.slot, port.slot, is_one_of_many=is_quiet))
        return True

    def _retry_later(self) -> None:
        """Plan the next try for every port that does not listen, if there is one."""
        waiting = (
            self._unsaved
            or any(port.problem for port in self._ports.values())
            or any(request.problem for request in self._requests)
        )
        if not waiting:
            self._retries = 0
        elif self._retry is None and self.running:
            self._retry = self._clock.callLater(_retry_delay(self._retries), self._try_again)
            self._retries += 1

    def _try_again_soon(self) -> None:
        """What could not be had before may be had now."""
        self._retries = 0
        if self._retry is not None:
            self._retry.reset(FIRST_RETRY)

    def _try_again(self) -> None:
        self._retry = None
        self._do(self._try_all_again())

    async def _try_all_again(self) -> None:
        if self._unsaved:
            self._save()
        for port in list(self._ports.values()):
            if port.problem and port.slot is not None:
                await self._try_to_listen(port)
            elif port.problem and self._has_room():
                await self._give_port(port.node)
        for request, nodes in self._requests.with_nodes(self._nodes):
            if request.problem:
                await self._apply_to(request, nodes)
        self._retry_later()

    def _has_room(self) -> bool:
        return any(
            not self._is_given(number) for number in range(self._lowest, self._last_port + 1)
        )

    def _save(self, *mappings: Mapping) -> None:
        """Write mappings that the gateway made. What cannot be written now is tried again."""
        self._unsaved.update({mapping.address64: mapping for mapping in mappings})
        try:
            self._store.change_mappings(self._unsaved.values())
        except StoreError as error:
            if not self.store_problem:
                self.log.error(
                    "{problem} Until then, new nodes may get other ports after a restart.",
                    problem=str(error),
                )
            self.store_problem = str(error)
            self._retry_later()
        else:
            self._unsaved.clear()
            self.store_problem = ""

    # --- by hand -------------------------------------------------------------------------------

    async def change(self, wanted: dict[Address64, ListenAddress]) -> None:
        """Give nodes these ports, all or none, and keep them so.

        @param wanted: ports by address; the nodes need not have been seen.
        @raise PortTaken: one of the ports belongs to somebody else; nothing was changed.
        @raise BindingError: two nodes want one port, or there are too many; nothing was changed.
        @raise StoreError: it could not be saved; nothing was changed.
        """
        for address64, slot in wanted.items():
            self._check_free(address64, slot)
        await self._work.run(self._change(wanted))

    async def _change(self, wanted: dict[Address64, ListenAddress]) -> None:
        self._check(wanted)
        opened: list[Listener] = []
        try:
            for slot in wanted.values():
                if slot not in self._listeners:
                    # One by one, so that those before a failure are known.
                    opened.append(await self._listen_for(slot))  # noqa: PERF401
            self._store.change_mappings(
                [Mapping(address64, slot, by_hand=True) for address64, slot in wanted.items()]
            )
        except (BindingError, StoreError):
            for listener in opened:
                await self._close(listener)
            raise
        for address64 in wanted:
            self._unsaved.pop(address64, None)
            self._unbound.discard(address64)
        await self._hand_over(wanted)

    def _check(self, wanted: dict[Address64, ListenAddress]) -> None:
        new = sum(self._nodes.get(address64) is None for address64 in wanted)
        if not self._nodes.has_room_for(new):
            raise BindingError(
                f"There is no room for {new} more nodes: {len(self._nodes)} are kept."
            )
        seen: dict[ListenAddress, Address64] = {}
        for address64, slot in wanted.items():
            if slot in seen:
                raise BindingError(
                    f"Port {slot} is asked for {format_address64(seen[slot])} and for "
                    f"{format_address64(address64)}: a port has one node."
                )
            seen[slot] = address64
            if slot in self._reserved:
                raise PortTaken(f"Port {slot} is the gateway's own: choose another.")
            owner = self._owners.get(slot)
            if owner is not None and owner.node.address64 not in wanted:
                raise PortTaken(
                    f"Port {slot} belongs to {owner.node}: choose another, or remove that "
                    "mapping first."
                )

    async def _listen_for(self, slot: ListenAddress) -> Listener:
        try:
            return await self._open(slot)
        except CannotListenError as error:
            raise PortTaken(f"Port {slot} does not open: {advice(error)}.") from None

    async def _hand_over(self, wanted: dict[Address64, ListenAddress]) -> None:
        """Every socket is open and everything is saved: let the sockets change hands."""
        left: list[Listener] = []
        moving: list[tuple[NodePort, ListenAddress, ListenAddress | None]] = []
        for address64, slot in wanted.items():
            node = self._nodes.add(address64)
            assert node is not None, "_check has seen to it that there is room"
            port = self._port_for(node)
            port.by_hand = True
            if port.slot == slot and port.listener is not None:
                continue
            moving.append((port, slot, port.slot))
            old = port.leave(f"it moves to port {slot}")
            if old is not None:
                left.append(old)
            if port.slot is not None and self._owners.get(port.slot) is port:
                del self._owners[port.slot]
        for port, slot, before in moving:
            self._own(port, slot, by_hand=True)
            port.serve(self._listeners[slot])
            self._bus.publish(MappingChanged(port.node, slot, before, by_hand=True))
        for listener in left:
            if listener.server is None:
                await self._close(listener)
        self._retry_later()

    async def remove(self, node: Node) -> None:
        """Close a node's port and forget its mapping.

        @raise NoMapping: it has none.
        @raise StoreError: it could not be saved; nothing was changed.
        """
        self._check_free(node.address64, None)
        await self._work.run(self._remove(node))

    async def _remove(self, node: Node) -> None:
        port = self._ports.get(node.address64)
        if port is None:
            raise NoMapping(f"{node} has no port: there is nothing to remove.")
        self._store.change_mappings(remove=[node.address64])
        self._unsaved.pop(node.address64, None)
        self._unbound.add(node.address64)
        slot = port.slot
        listener = port.leave("its mapping was removed")
        if slot is not None and self._owners.get(slot) is port:
            del self._owners[slot]
        del self._ports[node.address64]
        self._given = {s: a for s, a in self._given.items() if a != node.address64}
        self._lowest = self._base_port
        if listener is not None:
            await self._close(listener)
        # Its clients have a moment to take what is buffered; nobody has to wait for that.
        port.disownServiceParent()
        self._bus.publish(MappingChanged(node, None, slot, by_hand=True))
        if not node.last_seen:
            # A mapping that was made for nobody leaves nobody behind. The mapping itself is removed
            # already, whatever comes of this.
            with suppress(StoreError):
                self._store.forget_node(node.address64)
            self._nodes.remove(node)
            self._unbound.discard(node.address64)
        # There may be a node that waits for one.
        await self._try_all_again()

    # --- by the configuration ------------------------------------------------------------------

    def reconfigure(self, old: BindingSettings, new: BindingSettings) -> None:
        """Follow new settings."""
        if _wishes(new) != _wishes(old):
            self.follow(new)
        else:
            self._use(new.port_settings, new.in_flight)
        if new.interface != old.interface:
            self.listen_anew()

    def follow(self, settings: BindingSettings) -> None:
        """Take what the settings say, in place of what they said before; see `configure`."""
        self.configure(
            map(PortRequest.of, settings.nodes),
            settings.base_port,
            settings.last_port,
            {settings.control_port} - {0},
            settings.port_settings,
            settings.in_flight,
        )

    def configure(
        self,
        requests: Iterable[PortRequest],
        base_port: int,
        last_port: int = LAST_PORT,
        reserved: Iterable[int] = (),
        settings: PortSettings | None = None,
        in_flight: int = DEFAULT_LIMIT,
    ) -> None:
        """Take what the configuration says, in place of what it said before.

        A node that is to have another port than it has is moved to it; a mapping that is not asked
        for any more stays as it is.

        @param base_port: the first port that the gateway gives by itself.
        @param last_port: the last one.
        @param reserved: ports that no node may have: the control port.
        @param settings: how bytes are sent and kept, where a request does not say.
        @param in_flight: packets that the radio is given at once, for all nodes together.
        """
        self._base_port = self._lowest = base_port
        self._last_port = last_port
        self._reserved = frozenset(reserved)
        self._requests = PortRequests(requests)
        for node in self._nodes:
            node.name = ""
        for request in self._requests:
            if request.address64 is not None:
                self._nodes.add(request.address64)
        self._use(settings or PortSettings(), in_flight)
        if self.running:
            self._do(self._apply_all())
            self._try_again_soon()

    def listen_anew(self) -> None:
        """The endpoints of ports have changed: open every port again. Clients stay connected."""
        self._do(self._listen_anew())

    async def _listen_anew(self) -> None:
        for port in list(self._ports.values()):
            listener, port.listener = port.listener, None
            if listener is not None:
                await self._close(listener)
            await self._try_to_listen(port)
        self._retry_later()

    async def _apply_all(self) -> None:
        # Together, so that nodes can exchange ports; if that fails, each that can have its own.
        wanted = {}
        for request, nodes in self._requests.with_nodes(self._nodes):
            slot = request.slot
            if len(nodes) == 1 and slot is not None and not self._has(nodes[0], slot):
                wanted[nodes[0].address64] = slot
        if len(wanted) > 1 and self.running:
            with suppress(BindingError, StoreError):
                await self._change(wanted)
        for request, nodes in self._requests.with_nodes(self._nodes):
            await self._apply_to(request, nodes)
        # A node may be known from the configuration alone, and have been seen since.
        for node in self._nodes:
            self._see_to(node)
        self._retry_later()

    def _has(self, node: Node, slot: ListenAddress) -> bool:
        port = self._ports.get(node.address64)
        return port is not None and port.slot == slot and port.by_hand

    def _check_free(self, address64: Address64, slot: ListenAddress | None) -> None:
        """Refuse to change by hand what the configuration says.

        @raise Configured: it says something else.
        """
        node = self._nodes.get(address64)
        asked = self._requests.at(address64) if node is None else self._requests.for_node(node)
        for request in asked:
            if request.slot not in (None, slot):
                raise Configured(
                    f"The configuration file gives {node or format_address64(address64)} the port "
                    f"{request.slot}: change it there, and send the gateway a SIGHUP."
                )

    async def _apply(self, request: PortRequest) -> None:
        await self._apply_to(request, [node for node in self._nodes if request.is_for(node)])

    async def _apply_to(self, request: PortRequest, nodes: list[Node]) -> None:
        """Give a node what the configuration says, if it is known and does not have it.

        @param nodes: all that the request is for.
        """
        for node in nodes:
            node.name = request.name
        if request.slot is None or not nodes or not self.running:
            return
        before, request.problem = request.problem, ""
        if len(nodes) > 1:
            request.problem = (
                f"{len(nodes)} nodes are called {request.label}, and one of them is to have port "
                f"{request.slot}: name it by its address."
            )
        else:
            if self._has(nodes[0], request.slot):
                return
            try:
                await self._change({nodes[0].address64: request.slot})
            except (BindingError, StoreError) as error:
                request.problem = str(error)
        if request.problem and request.problem != before:
            self.log.error(
                "The configuration cannot be followed: {problem}", problem=request.problem
            )
            self._retry_later()

    def problem_of(self, node: Node) -> str:
        """Return a sentence: what is not as it should be with a node's port; empty for nothing."""
        port = self._ports.get(node.address64)
        if port is not None and port.problem:
            return port.problem
        asked = self._requests.for_node(node)
        return next((request.problem for request in asked if request.problem), "")

    # --- the radio -----------------------------------------------------------------------------

    def _link_up(self, event: LinkUp) -> None:
        for port in self._ports.values():
            port.radio_is_heard()
            port.outbound.radio_up()

    def _link_down(self, event: LinkDown) -> None:
        since = self._radio.down_since
        for port in self._ports.values():
            port.radio_is_deaf(since)
            port.outbound.radio_down()

    def _link_silent(self, event: LinkSilent) -> None:
        since = self._radio.down_since
        for port in self._ports.values():
            port.radio_is_deaf(since)

    def _link_heard(self, event: LinkHeard) -> None:
        for port in self._ports.values():
            port.radio_is_heard()

    def _frames_damaged(self, event: FramesDamaged) -> None:
        senders = event.senders
        ports = [self._ports.get(address64) for address64 in senders or ()]
        if senders is None or None in ports:
            # The address is what was damaged: it may have been anybody's.
            ports = list(self._ports.values())
        for port in ports:
            if port is not None:
                port.interrupted(
                    "A frame was damaged on the way from the radio, and bytes of "
                    f"{port.node} may be lost"
                )
