"""What happens to nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import Event, Plain
from zbtwist.xbee.address import format_address64


@dataclass(frozen=True)
class NodeEvent(Event):
    """Something that has happened to a node."""

    node: Node

    def values(self) -> dict[str, Plain]:
        values = super().values()
        del values["node"]
        address = format_address64(self.node.address64)
        return {"address": address, "label": self.node.label or "", **values}


@dataclass(frozen=True)
class NodeAdded(NodeEvent):
    """A node that was never seen before."""

    name: ClassVar = "node_added"

    def __str__(self) -> str:
        return f"A new node: {self.node}."


@dataclass(frozen=True)
class NodeChanged(NodeEvent):
    """A node's name, type, parent or 16-bit address is new."""

    name: ClassVar = "node_changed"
    severity: ClassVar = None

    def __str__(self) -> str:
        return f"{self.node} is not as it was."


@dataclass(frozen=True)
class NodeNamed(NodeEvent):
    """A node has a node identifier, or another one.

    @ivar before: the one it had; empty for none.
    """

    name: ClassVar = "node_named"
    before: str

    def __str__(self) -> str:
        instead = f" now, no longer {self.before}" if self.before else ""
        return f"{format_address64(self.node.address64)} is called {self.node.label}{instead}."


#: What makes a node identify itself (90000976, "Node Identification Indicator", source event).
_REASONS = {
    1: "{} says who it is: its button was pressed.",
    2: "{} has joined the network.",
    3: "{} was switched on.",
}


@dataclass(frozen=True)
class NodeIdentified(NodeEvent):
    """A node has said who it is, unasked.

    @ivar reason: 1: its button was pressed; 2: it has joined the network; 3: it was switched on.
    """

    name: ClassVar = "node_identified"
    reason: int

    def __str__(self) -> str:
        return _REASONS.get(self.reason, "{} says who it is.").format(self.node)


@dataclass(frozen=True)
class NodeForgotten(NodeEvent):
    """A node is not known any more."""

    name: ClassVar = "node_forgotten"
    severity: ClassVar = None

    def __str__(self) -> str:
        return f"{self.node} is forgotten."
