"""The nodes by address, and what is new of them.

A 16-bit address belongs to the node that used it last, so it follows nodes as they move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import inf

from zbtwist.network.events import NodeAdded, NodeChanged, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.network.settled import SettledNodes
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import (
    BROADCAST64,
    COORDINATOR64,
    UNKNOWN16,
    UNKNOWN64,
    Address16,
    Address64,
)
from zbtwist.xbee.description import NodeDescription

#: How many nodes the table holds: as many as 16-bit addresses can tell apart.
MAX_NODES = 0xFFF7

#: By how many seconds the time of day may drift from the steady clock before it counts as set.
#: Within them the time at which a node was seen is the same each time somebody asks.
DRIFT = 1.0

#: 64-bit addresses that are no node's own.
NO_NODE = frozenset((COORDINATOR64, BROADCAST64, UNKNOWN64))


def _nobody(node: Node) -> None:
    """Nobody has to be told."""


def _is_unheard(address64: Address64) -> None:
    """Nobody knows anything of it."""


def _no_nodes() -> Iterator[Node]:
    """Nobody waits."""
    return iter(())


class NodeTable:
    """The nodes by address. What is new of them is published.

    Who is taken in is for others to say; see `zbtwist.network.admission`.

    @ivar bus: where.
    @ivar get: returns the node with an address, None if there is none.
    @ivar settled: those of which nothing new is expected.
    @ivar moved: called with a node whose 16-bit address is another one, before the frame that told
        so is heard by anybody else.
    @ivar let_in: called with an address that is to be in the table, and is not; lets in who was
        heard with it, with what is known of it. There is one `Node` of an address: who holds it
        would else not hear what comes for another one.
    @ivar not_let_in: returns those that were heard and are not in the table.
    """

    def __init__(
        self,
        bus: EventBus,
        maximum: int = MAX_NODES,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param bus: is told what is new.
        @param wall: says the seconds since 1970.
        @param steady: says the seconds of the clock by which it is told when nodes are heard.
        """
        self.wall = wall
        self._steady = steady
        self._epoch = wall() - steady()
        self._nodes: dict[Address64, Node] = {}
        # With no step in between: it is asked for each packet.
        self.get: Callable[[Address64], Node | None] = self._nodes.get
        self._by_address16: dict[Address16, Node] = {}
        self.settled = SettledNodes()
        self.bus = bus
        self.moved: Callable[[Node], None] = _nobody
        self.let_in: Callable[[Address64], object] = _is_unheard
        self.not_let_in: Callable[[], Iterator[Node]] = _no_nodes
        self._maximum = maximum

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(list(self._nodes.values()))

    def __contains__(self, address64: Address64) -> bool:
        return address64 in self._nodes

    def last_seen(self, node: Node) -> float:
        """Return when a node was last heard of, seconds since 1970 by the time of day as it is now;
        0 for never. It need not be in the table.

        The time of day may have been set since: a computer without a clock of its own boots in the
        past. How long ago it was is what the steady clock knows.
        """
        if node.heard_at == -inf:
            return node.seen_before
        return self.epoch + node.heard_at

    @property
    def epoch(self) -> float:
        """When the steady clock was at 0, seconds since 1970 by the time of day as it is now. It
        stays as it is until that is set, or has drifted away by `DRIFT`.
        """
        epoch = self.wall() - self._steady()
        if abs(epoch - self._epoch) > DRIFT:
            self._epoch = epoch
        return self._epoch

    def owner_of(self, address16: Address16) -> Address64 | None:
        """Return the 64-bit address of the node that was known last by a 16-bit one, if any."""
        node = self._by_address16.get(address16)
        return None if node is None else node.address64

    def add(self, address64: Address64) -> Node | None:
        """Return the node with that address, which need not have been seen. Nobody is told, unless
        it was heard before and waited to be let in.

        @return: None if it is not there and the table is full.
        """
        node = self._nodes.get(address64)
        if node is None and self.has_room_for(1):
            self.let_in(address64)
            node = self._nodes.get(address64)
            if node is None:
                node = self._nodes[address64] = Node(address64)
        return node

    def remove(self, node: Node) -> None:
        """Forget a node."""
        known = self._nodes.pop(node.address64, None)
        if self._by_address16.get(node.address16) is node:
            del self._by_address16[node.address16]
        if known is not None:
            # Not that of `node`, which may have been forgotten before.
            self.settled.discard(known)
            self.bus.publish(NodeForgotten(node))

    def has_room_for(self, count: int) -> bool:
        """Whether so many more nodes fit in."""
        return len(self._nodes) + count <= self._maximum

    def heard(self, address64: Address64, address16: Address16, now: float) -> Node | None:
        """Note that a node was heard.

        @param now: seconds of the reactor's clock.
        @return: the node; None if nobody with that address is in the table, or if the frame did not
            say which (no 64-bit address, and a 16-bit address that nobody has).
        """
        node = self._nodes.get(address64)
        if node is None:
            if address64 in NO_NODE:
                node = self._by_address16.get(address16)
            if node is None:
                return None
        is_new = node.heard_at == -inf and not node.seen_before
        node.heard_at = now
        if is_new:
            self.bus.publish(NodeAdded(node))
        if address16 != UNKNOWN16:
            node.placed_at = now
            if node.address16 != address16:
                self._move(node, address16)
        return node

    def seen(self, address64: Address64, address16: Address16, now: float) -> Node | None:
        """Note that a node was heard, which is in the table then.

        @return: as `heard`; None also if it was not there and the table is full.
        """
        if address64 not in NO_NODE:
            self.add(address64)
        return self.heard(address64, address16, now)

    def described(self, description: NodeDescription, now: float) -> Node | None:
        """Note what a node says of itself.

        @return: the node; None if it is not in the table.
        """
        node = self.heard(description.address64, description.address16, now)
        if node is not None and node.describe(description):
            self.changed(node)
        return node

    def enter(self, node: Node) -> None:
        """Take a node in, with what is known of it. It must not be there.

        @raise ValueError: there is one with that address.
        """
        if node.address64 in self._nodes:
            raise ValueError(f"{node} is there")
        address16, node.address16 = node.address16, UNKNOWN16
        self._nodes[node.address64] = node
        self.bus.publish(NodeAdded(node))
        if address16 != UNKNOWN16:
            self._move(node, address16)
        else:
            self.changed(node)

    def located(self, node: Node, address16: Address16) -> None:
        """Note a node's 16-bit address; `UNKNOWN16` if the one that was known leads nowhere."""
        if node.address16 == address16:
            return
        if self._nodes.get(node.address64) is node:
            self._move(node, address16)
        else:
            node.address16 = address16

    def changed(self, node: Node) -> None:
        """Say that a node is not as it was; one that is not in the table concerns nobody."""
        self.settled.discard(node)
        if self._nodes.get(node.address64) is node:
            self.bus.publish(NodeChanged(node))

    def _move(self, node: Node, address16: Address16) -> None:
        if self._by_address16.get(node.address16) is node:
            del self._by_address16[node.address16]
        self.settled.discard(node)
        node.address16 = address16
        if address16 != UNKNOWN16:
            previous = self._by_address16.get(address16)
            if previous is not None:
                previous.address16 = UNKNOWN16
                self.settled.discard(previous)
            self._by_address16[address16] = node
        self.moved(node)
        self.changed(node)
