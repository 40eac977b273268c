"""What is asked for. What a person asks for is done whole or not at all; of what the configuration
asks for, each node has what it can have.

First every socket is opened, then the store is written, and then the sockets change hands. One that
is open already is never closed on the way from one node to another. If anything fails before that,
what was opened is closed again, and nothing has changed.
"""

from __future__ import annotations

from twisted.internet.error import CannotListenError
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
from zbtwist.runtime.pace import Pace, Stopped
from zbtwist.store.errors import StoreError
from zbtwist.xbee.address import Address64, format_address64

#: How many nodes are forgotten in one transaction, and at once.
FORGOTTEN_AT_ONCE = 100
#: How many of them a line of the log names.
MAX_SHOWN = 20


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
    ) -> None:
        self._nodes = nodes
        self._ports = ports
        self._pool = pool
        self._mappings = mappings
        self._bus = bus

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
        pace = self._ports.pace()
        await pace.step(len(wanted))
        self._check(wanted)
        opened: list[Listener] = []
        try:
            for slot in wanted.values():
                if self._pool.listener_at(slot) is None:
                    # One by one, so that those before a failure are known.
                    opened.append(await self._open(slot))
                    await pace.step()
            await self._settle(wanted, pace)
        except (BindingError, StoreError, Stopped):
            await self._close(opened)
            raise

    async def change_what_can_be(
        self, wanted: dict[Address64, ListenAddress]
    ) -> dict[Address64, str]:
        """Give each node its port that can have it, and keep them so; the others keep theirs.

        @param wanted: ports by address, of nodes that are known.
        @return: why the others cannot have it, a sentence for each.
        @raise StoreError: it could not be saved; nothing was changed.
        @raise Stopped: the service stops.
        """
        pace = self._ports.pace()
        await pace.step(len(wanted))
        opened: list[Listener] = []
        possible: dict[Address64, ListenAddress] = {}
        refused: dict[Address64, str] = {}
        try:
            for address64, slot in wanted.items():
                if self._pool.listener_at(slot) is None:
                    try:
                        opened.append(await self._open(slot))
                    except PortTaken as error:
                        refused[address64] = str(error)
                        continue
                    await pace.step()
                possible[address64] = slot
            refused.update(self._leave_out_what_others_keep(possible))
            slots = set(possible.values())
            await self._close([one for one in opened if one.slot not in slots])
            opened = [one for one in opened if one.slot in slots]
            await self._settle(possible, pace)
        except (StoreError, Stopped):
            await self._close(opened)
            raise
        return refused

    def _leave_out_what_others_keep(
        self, wanted: dict[Address64, ListenAddress]
    ) -> dict[Address64, str]:
        """Take out who wants the port of a node that gets no other one, and then who wants its.

        @return: why, a sentence for each.
        """
        refused: dict[Address64, str] = {}
        takers: dict[ListenAddress, Address64] = {}
        for address64, slot in wanted.items():
            problem = self._problem_of(address64, slot, takers, wanted)
            if problem:
                refused[address64] = problem
            takers.setdefault(slot, address64)
        left_out = list(refused)
        while left_out:
            address64 = left_out.pop()
            del wanted[address64]
            port = self._ports.get(address64)
            taker = takers.get(port.slot) if port is not None and port.slot is not None else None
            if taker in wanted and taker not in refused:
                refused[taker] = self._problem_of(taker, wanted[taker], takers, wanted)
                left_out.append(taker)
        return refused

    def _problem_of(
        self,
        address64: Address64,
        slot: ListenAddress,
        takers: dict[ListenAddress, Address64],
        wanted: dict[Address64, ListenAddress],
    ) -> str:
        """Return why a node cannot have a port, whether it opens or not; empty if it can.

        @param takers: who is to have which port.
        """
        if takers.get(slot, address64) != address64:
            return (
                f"Port {slot} is asked for {format_address64(takers[slot])} and for "
                f"{format_address64(address64)}: a port has one node."
            )
        if slot in self._pool.reserved:
            return f"Port {slot} is the gateway's own: choose another."
        owner = self._pool.owner_of(slot)
        if owner is not None and owner.node.address64 not in wanted:
            return (
                f"Port {slot} belongs to {owner.node}: choose another, or remove that mapping "
                "first."
            )
        return ""

    async def _settle(self, wanted: dict[Address64, ListenAddress], pace: Pace) -> None:
        """Every socket is open: write it, and let the sockets change hands."""
        if not wanted:
            return
        await pace.step(len(wanted))
        self._mappings.change(wanted)
        await pace.step(len(wanted))
        await self._hand_over(wanted, pace)

    async def _close(self, listeners: list[Listener]) -> None:
        for listener in listeners:
            await self._pool.close(listener)

    def _check(self, wanted: dict[Address64, ListenAddress]) -> None:
        new = sum(self._nodes.get(address64) is None for address64 in wanted)
        if not self._nodes.has_room_for(new):
            raise BindingError(
                f"There is no room for {new} more nodes: {len(self._nodes)} are kept."
            )
        takers: dict[ListenAddress, Address64] = {}
        for address64, slot in wanted.items():
            problem = self._problem_of(address64, slot, takers, wanted)
            if problem:
                raise (BindingError if slot in takers else PortTaken)(problem)
            takers[slot] = address64

    async def _open(self, slot: ListenAddress) -> Listener:
        try:
            return await self._pool.open(slot)
        except CannotListenError as error:
            why = self._pool.why_not(slot, error)
            raise PortTaken(f"Port {slot} does not open: {why}.") from None

    async def _hand_over(self, wanted: dict[Address64, ListenAddress], pace: Pace) -> None:
        """Every socket is open and everything is saved: let the sockets change hands."""
        left: list[Listener] = []
        moving: list[tuple[NodePort, Listener]] = []
        for address64, slot in wanted.items():
            listener = self._pool.listener_at(slot)
            node = self._nodes.add(address64)
            assert listener is not None, "it is open"
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

    async def forget(self, nodes: list[Node]) -> None:
        """Close nodes' ports, and forget them with all that is kept of them.

        @raise StoreError: it could not be saved; those that are still there were not changed.
        @raise Stopped: the service stops.
        """
        pace = self._ports.pace()
        is_quiet = len(nodes) > MAX_LINES
        for first in range(0, len(nodes), FORGOTTEN_AT_ONCE):
            some = nodes[first : first + FORGOTTEN_AT_ONCE]
            self._mappings.forget_all([node.address64 for node in some])
            left: list[Listener] = []
            # At once, so that nobody writes them again.
            for node in some:
                port = self._ports.get(node.address64)
                if port is not None:
                    listener = port.leave("it was forgotten")
                    self._pool.disown(port)
                    self._ports.remove(port)
                    if listener is not None:
                        left.append(listener)
                    self._bus.publish(
                        MappingChanged(node, None, port.slot, True, is_one_of_many=is_quiet)
                    )
                self._pool.forget(node.address64)
                self._nodes.remove(node)
            await self._close(left)
            await pace.step(len(some))
        if nodes:
            shown = ", ".join(map(str, nodes[:MAX_SHOWN]))
            more = f", and {len(nodes) - MAX_SHOWN} more" if len(nodes) > MAX_SHOWN else ""
            self.log.info(
                "{what} forgotten, by hand: {shown}{more}.",
                what="A node is" if len(nodes) == 1 else f"{len(nodes)} nodes are",
                shown=shown,
                more=more,
            )

    async def replace(self, old: Node, new: Node) -> None:
        """Give a node the port of another one, and forget that one.

        @raise PortTaken: it does not open; nothing was changed.
        @raise StoreError: it could not be saved; nothing was changed.
        """
        port = self._ports.get(old.address64)
        slot = port.slot if port is not None else None
        if port is not None and slot is not None:
            opened: list[Listener] = []
            if self._pool.listener_at(slot) is None:
                opened.append(await self._open(slot))
            try:
                self._mappings.replace(old.address64, new.address64, slot)
            except StoreError:
                await self._close(opened)
                raise
            port.leave(f"{new} takes its place")
            self._pool.disown(port)
            self._pool.forget(old.address64)
            self._ports.remove(port)
            self._bus.publish(MappingChanged(old, None, slot, by_hand=True))
            await self._hand_over({new.address64: slot}, self._ports.pace())
        self._mappings.forget(old.address64)
        self._nodes.remove(old)

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
        if not node.was_heard:
            # A mapping that was made for nobody leaves nobody behind. The mapping itself is removed
            # already, whatever comes of this.
            self._mappings.forget(node.address64)
            self._nodes.remove(node)
