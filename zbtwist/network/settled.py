"""Nodes of which nothing new is expected, by what their packets begin with.

Nearly every packet comes from a node that was heard before, is known well, and has the addresses
and options that it had the last time. So the first bytes of such a packet, which say all that, are
kept: that a packet begins with them tells in one look whose it is, and that its bytes are all that
is new.
"""

from __future__ import annotations

from collections.abc import Callable

from zbtwist.network.node import Node
from zbtwist.xbee.frames import ReceivePacket

#: Frame type, addresses and options: bytes of a packet before the node's own.
HEAD_SIZE = 1 + ReceivePacket.layout.size


class SettledNodes:
    """See above. One beginning is kept for each node, and goes when something of it changes.

    @ivar of: returns the node whose packets begin with these `HEAD_SIZE` bytes, if nothing new is
        expected of it; else None.
    """

    def __init__(self) -> None:
        self._by_head: dict[bytes, Node] = {}
        # With no step in between: it is asked for each packet.
        self.of: Callable[[bytes], Node | None] = self._by_head.get

    def add(self, node: Node, packet: ReceivePacket) -> None:
        """All that this packet says of the node is known, whatever its bytes are."""
        head = packet.to_bytes()[:HEAD_SIZE]
        if head != node.head:
            self.discard(node)
            node.head = head
            self._by_head[head] = node

    def discard(self, node: Node) -> None:
        """The node is not as it was, or forgotten: look closely at what it says next."""
        if node.head:
            del self._by_head[node.head]
            node.head = b""
