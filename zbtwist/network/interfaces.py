"""What the network tells the other rooms."""

from __future__ import annotations

from zope.interface import Interface

from zbtwist.network.node import Node


class INodeListener(Interface):
    """Hears of nodes as the table learns of them."""

    def node_added(node: Node) -> None:
        """A node that was never seen before."""

    def node_changed(node: Node) -> None:
        """A node's name, type, parent or 16-bit address is new."""
