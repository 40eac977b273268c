"""What is asked for, by a person or by the configuration: it is done whole or not at all.

First every socket is opened, then the store is written, and then the sockets change hands. One that
is open already is never closed on the way from one node to another. If anything fails before that,
what was opened is closed again, and nothing has changed.
"""

from __future__ import annotations

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.binding.allocation import PortPool
from zbtwist.binding.errors import BindingError, NoMapping, PortTaken
from zbtwist.binding.events import MAX_LINES, MappingChanged
from zbtwist.binding.listener import ListenAddress, Listener
from zbtwist.binding.mappings import Mappings
from zbtwist.binding.node_ports import NodePorts
from zbtwist.binding.port import NodePort
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.listen_errors import advice
from zbtwist.runtime.pace import Pace, Stopped
from zbtwist.store.errors import StoreError
from zbtwist.xbee.address import Address64, format_address64


class PortAssigner:
    """Gives nodes the ports that were asked for. One call must be over before the next begins."""

    log = Logger()

    def __init__(
        self,
        nodes: NodeTable,
        ports: NodePorts,
        pool: PortPool,
        mappings: Mappings,
        bus: EventBus,
        clock: IReactorTime,
    ) -> None:
        self._nodes = nodes
        self._ports = ports
        self._pool = pool
        self._mappings = mappings
        self._bus = bus
        self._clock = clock

    def has(self, node: Node, slot: ListenAddress) -> bool:
        """Whether a node was given that port already, by what was asked for."""
        port = self._ports.get(node.address64)
        return port is not None and port.slot == slot and port.by_hand

    async def change(self, wanted: dict[Address64, ListenAddress]) -> None:
        """Give nodes these ports, all or none, and keep them so.

        @param wanted: ports by address; the nodes need not have been seen.
        @raise PortTaken: one of the ports belongs to somebody else; nothing was changed.
        @raise BindingError: two nodes want one port, or there are too many; nothing was changed.
        @raise StoreError: it could not be saved; nothing was changed.
        @raise Stopped: the service stops.
        """
        pace = Pace(self._clock, lambda: bool(self._ports.running))
        await pace.step(len(wanted))
        self._check(wanted)
        listeners: dict[Address64, Listener] = {}
        opened: list[Listener] = []
        try:
            for address64, slot in wanted.items():
                listener = self._pool.listener_at(slot)
                if listener is None:
                    listener = await self._open(slot)
                    opened.append(listener)
                    await pace.step()
                listeners[address64] = listener
            await pace.step(len(wanted))
            self._mappings.change(wanted)
            await pace.step(len(wanted))
        except (BindingError, StoreError, Stopped):
            for listener in opened:
                await self._pool.close(listener)
            raise
        await self._hand_over(listeners, pace)

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
            if slot in self._pool.reserved:
                raise PortTaken(f"Port {slot} is the gateway's own: choose another.")
            owner = self._pool.owner_of(slot)
            if owner is not None and owner.node.address64 not in wanted:
                raise PortTaken(
                    f"Port {slot} belongs to {owner.node}: choose another, or remove that "
                    "mapping first."
                )

    async def _open(self, slot: ListenAddress) -> Listener:
        try:
            return await self._pool.open(slot)
        except CannotListenError as error:
            raise PortTaken(f"Port {slot} does not open: {advice(error)}.") from None

    async def _hand_over(self, listeners: dict[Address64, Listener], pace: Pace) -> None:
        """Every socket is open and everything is saved: let the sockets change hands.

        @param listeners: who gets which.
        """
        left: list[Listener] = []
        moving: list[tuple[NodePort, Listener]] = []
        for address64, listener in listeners.items():
            node = self._nodes.add(address64)
            assert node is not None, "_check has seen to it that there is room"
            port = self._ports.add(node)
            port.by_hand = True
            if port.listener is listener:
                continue
            moving.append((port, listener))
            old = port.leave(f"it moves to port {listener.slot}")
            if old is not None:
                left.append(old)
            self._pool.disown(port)
            await pace.step()
        is_quiet = len(moving) > MAX_LINES
        for port, listener in moving:
            before = port.slot
            self._pool.own(port, listener.slot, by_hand=True)
            port.serve(listener)
            self._bus.publish(
                MappingChanged(port.node, listener.slot, before, True, is_one_of_many=is_quiet)
            )
            await pace.step()
        if is_quiet:
            self.log.info("{count} nodes are on other ports now, by hand.", count=len(moving))
        for listener in left:
            if listener.server is None:
                await self._pool.close(listener)

    async def remove(self, node: Node) -> None:
        """Close a node's port and forget its mapping.

        @raise NoMapping: it has none.
        @raise StoreError: it could not be saved; nothing was changed.
        """
        port = self._ports.get(node.address64)
        if port is None:
            raise NoMapping(f"{node} has no port: there is nothing to remove.")
        self._mappings.remove(node.address64)
        listener = port.leave("its mapping was removed")
        self._pool.disown(port)
        self._pool.forget(node.address64)
        self._ports.remove(port)
        if listener is not None:
            await self._pool.close(listener)
        self._bus.publish(MappingChanged(node, None, port.slot, by_hand=True))
        if not node.last_seen:
            # A mapping that was made for nobody leaves nobody behind. The mapping itself is removed
            # already, whatever comes of this.
            self._mappings.forget(node.address64)
            self._nodes.remove(node)
