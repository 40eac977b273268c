"""What happens to nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import Event, Plain
from zbtwist.xbee.address import Address16, Address64, format_address64
from zbtwist.xbee.description import BUTTON, JOINED, SWITCHED_ON


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


_REASONS = {
    BUTTON: "{} says who it is: its button was pressed.",
    JOINED: "{} has joined the network.",
    SWITCHED_ON: "{} was switched on.",
}


@dataclass(frozen=True)
class NodeIdentified(NodeEvent):
    """A node has said who it is, unasked.

    @ivar reason: `BUTTON`, `JOINED` or `SWITCHED_ON` of `zbtwist.xbee.description`.
    """

    name: ClassVar = "node_identified"
    reason: int

    def __str__(self) -> str:
        return _REASONS.get(self.reason, "{} says who it is.").format(self.node)


@dataclass(frozen=True)
class NodeForgotten(NodeEvent):
    """A node is not known any more."""

    name: ClassVar = "node_forgotten"
    severity: ClassVar = LogLevel.debug

    def __str__(self) -> str:
        return f"{self.node} is forgotten."


#: How many of the nodes that did not answer a search are named.
MAX_NAMED = 10


@dataclass(frozen=True)
class SearchEnded(Event):
    """A search for nodes has come to its end.

    @ivar answered: how many nodes answered.
    @ivar missing: the nodes that were known and did not, which are no end devices: those may have
        slept.
    @ivar unreadable: how many others answered, and what they said makes no sense.
    """

    name: ClassVar = "search_ended"
    answered: int
    missing: tuple[Node, ...]
    unreadable: int = 0

    def __str__(self) -> str:
        who = "1 node" if self.answered == 1 else f"{self.answered} nodes"
        sentence = f"The search for nodes has ended: {who} answered"
        if self.unreadable:
            sentence += f", {self.unreadable} more in a way that makes no sense"
        if not self.missing:
            return f"{sentence}."
        named = [str(node) for node in self.missing[:MAX_NAMED]]
        more = len(self.missing) - len(named)
        if more:
            named.append(f"and {more} more")
        is_are = "is" if len(self.missing) == 1 else "are"
        return f"{sentence}, {len(self.missing)} that {is_are} known did not: {', '.join(named)}."

    def values(self) -> dict[str, Plain]:
        return {
            "answered": self.answered,
            "missing": len(self.missing),
            "unreadable": self.unreadable,
            "nodes": [format_address64(node.address64) for node in self.missing[:MAX_NAMED]],
        }


@dataclass(frozen=True)
class DescriptionRefused(Event):
    """What a node says of itself makes no sense; told once of each.

    @ivar address64: who; None if that cannot be told.
    @ivar reason: a clause.
    """

    name: ClassVar = "bad_description"
    severity: ClassVar = LogLevel.warn
    address64: Address64 | None
    reason: str

    def __str__(self) -> str:
        who = "a node" if self.address64 is None else format_address64(self.address64)
        return f"What {who} says of itself makes no sense: {self.reason}."

    def values(self) -> dict[str, Plain]:
        address64 = self.address64
        return {
            "address": "" if address64 is None else format_address64(address64),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class NameOdd(Event):
    """A node's name cannot be shown as it is; told once of each.

    @ivar reason: a clause.
    @ivar label: as what it is shown.
    """

    name: ClassVar = "name_odd"
    address64: Address64
    reason: str
    label: str

    def __str__(self) -> str:
        return (
            f"The name (NI) of {format_address64(self.address64)} {self.reason}: it is shown as "
            f'"{self.label}". zbctl at NODE NI sets another one.'
        )

    def values(self) -> dict[str, Plain]:
        return {
            "address": format_address64(self.address64),
            "label": self.label,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class NeighboursTold(Event):
    """A module, a node's or the local radio, has told whom it hears.

    @ivar address64: who.
    @ivar neighbours: how many it hears.
    @ivar routes: how many routes it knows.
    """

    name: ClassVar = "neighbours_told"
    severity: ClassVar = LogLevel.debug
    address64: Address64
    neighbours: int
    routes: int

    def __str__(self) -> str:
        who = format_address64(self.address64)
        return f"{who} hears {self.neighbours} modules, and knows {self.routes} routes."

    def values(self) -> dict[str, Plain]:
        values = super().values()
        del values["address64"]
        return {"address": format_address64(self.address64), **values}


@dataclass(frozen=True)
class WalkBegan(Event):
    """All routers are asked whom they hear, one after the other.

    @ivar modules: how many there are to ask, with the local radio.
    @ivar pause: seconds between two questions.
    """

    name: ClassVar = "walk_began"
    modules: int
    pause: float

    def __str__(self) -> str:
        return (
            f"The radio and its routers ({self.modules} in all) are asked whom they hear, one "
            f"question in {self.pause:g} s."
        )


@dataclass(frozen=True)
class WalkEnded(Event):
    """That has come to its end.

    @ivar asked: how many were asked.
    @ivar told: how many of them told.
    @ivar seconds: how long it took.
    @ivar is_whole: whether all were asked; not if it was ended by hand.
    """

    name: ClassVar = "walk_ended"
    asked: int
    told: int
    seconds: float
    is_whole: bool

    def __str__(self) -> str:
        by_hand = "" if self.is_whole else ", and it was ended by hand"
        return (
            f"{self.told} of {self.asked} modules told whom they hear, in {self.seconds:.0f} s"
            f"{by_hand}."
        )


@dataclass(frozen=True)
class NodesWaiting(NodeEvent):
    """Somebody has answered who is not let in. Of many within a minute this is published twice: of
    the first, and of the last.

    @ivar waiting: how many wait, with that one.
    @ivar reason: why nobody is let in, a sentence; empty if it is that a person must say so.
    """

    name: ClassVar = "nodes_waiting"
    severity: ClassVar = LogLevel.warn
    waiting: int
    reason: str

    def __str__(self) -> str:
        if self.waiting > 1:
            who = f"{self.waiting} that have answered wait to be let in, {self.node} is the last"
        else:
            who = f"{self.node} has answered and waits to be let in"
        return f"{who} (zbctl list --waiting): {self.reason or 'zbctl accept lets a node in.'}"


@dataclass(frozen=True)
class SenderUnknown(Event):
    """Bytes of a node's stream are lost, since it could not be told which node's.

    @ivar address16: the 16-bit address that they came from; the 64-bit one was missing.
    @ivar bytes_lost: how many they are.
    @ivar candidates: the nodes whose they may have been.
    @ivar others: how many other such addresses they came from as well.
    """

    name: ClassVar = "sender_unknown"
    severity: ClassVar = LogLevel.warn
    address16: Address16
    bytes_lost: int
    candidates: tuple[Address64, ...]
    others: int = 0

    def __str__(self) -> str:
        others = f" and {self.others} others" if self.others else ""
        return (
            f"{self.bytes_lost} bytes came from the 16-bit address {self.address16:04x}{others} "
            "without a 64-bit one, and it could not be told in time whose they are: the clients of "
            f"all nodes that may have sent them ({len(self.candidates)}) are reset."
        )

    def values(self) -> dict[str, Plain]:
        return {
            "address16": f"{self.address16:04x}",
            "others": self.others,
            "bytes_lost": self.bytes_lost,
            "nodes": len(self.candidates),
        }


#: Which way bytes go.
TO_NODE = "to_node"
FROM_NODE = "from_node"


@dataclass(frozen=True)
class BytesPassed(NodeEvent):
    """Bytes of a node's stream: whoever observes streams subscribes to this.

    An observer is no client: it is not closed when the node's port moves or goes away, takes
    nothing from what is kept for the next client, and nobody is reset for it. It is published only
    while somebody has subscribed: see `EventBus.subscribers`.

    @ivar direction: `FROM_NODE`, as they have come; or `TO_NODE`, as they are cut into packets. Of
        those it is not known yet whether they arrive: `StreamBroken` tells if not.
    @ivar data: the bytes of one packet.
    @ivar time: when that was, seconds since 1970.
    """

    name: ClassVar = "bytes_passed"
    severity: ClassVar = None
    direction: str
    data: bytes
    time: float

    def __str__(self) -> str:
        way = "to" if self.direction == TO_NODE else "from"
        return f"{len(self.data)} bytes {way} {self.node}: {self.data.hex(' ')}"

    def values(self) -> dict[str, Plain]:
        return {**super().values(), "data": self.data.hex()}


@dataclass(frozen=True)
class PinsChanged(NodeEvent):
    """Lines of a node are not as they were: of those that are read by samples, those that read
    something else. It is published only while somebody has subscribed; what is known of all lines
    is in `Node.pins`.

    @ivar changed: what they read now, as it came, by their names (``DIO1``, ``AD2``, ``supply``).
    """

    name: ClassVar = "pins_changed"
    severity: ClassVar = None
    changed: dict[str, int]

    def __str__(self) -> str:
        readings = ", ".join(f"{name} {raw}" for name, raw in self.changed.items())
        return f"{self.node} reads {readings}."

    def values(self) -> dict[str, Plain]:
        return {**super().values(), "changed": {**self.changed}}
