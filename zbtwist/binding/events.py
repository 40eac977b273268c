"""What happens to the ports of nodes: what they stand for, and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.binding.listener import ListenAddress
from zbtwist.network.events import NodeEvent
from zbtwist.runtime.event_bus import LogSeverity, Plain
from zbtwist.xbee.address import Address64, format_address64

#: Nodes whose ports are named one by one when they are opened at once; if there are more, only
#: their number is.
MAX_LINES = 100


@dataclass(frozen=True)
class MappingChanged(NodeEvent):
    """A node's port listens, and it is another one than before or did not listen before; or the
    node has none any more.

    @ivar port: where it listens: a TCP port, or a server endpoint string; None for nowhere.
    @ivar before: what it had; None for none.
    @ivar by_hand: a person chose it, by a call or in the configuration.
    @ivar is_one_of_many: there are so many more at the same moment that their number is said.
    """

    name: ClassVar = "mapping_changed"
    port: ListenAddress | None
    before: ListenAddress | None = None
    by_hand: bool = False
    is_one_of_many: bool = False

    def values(self) -> dict[str, Plain]:
        values = super().values()
        del values["is_one_of_many"]
        return values

    @property
    def level(self) -> LogSeverity | None:
        return None if self.is_one_of_many else LogLevel.info

    def __str__(self) -> str:
        if self.port is None:
            return f"{self.node} has no port any more; it had {self.before}."
        now = " now, by hand" if self.by_hand else ""
        return f"{self.node} is on port {self.port}{now}."


@dataclass(frozen=True)
class PortSkipped(NodeEvent):
    """A node without a port gets another one than the lowest that no node has.

    @ivar port: that one.
    @ivar reason: why it cannot be had, a clause.
    """

    name: ClassVar = "port_skipped"
    severity: ClassVar = LogLevel.warn
    port: int
    reason: str

    def __str__(self) -> str:
        return f"Port {self.port} is skipped, {self.node} gets the next: {self.reason}."


@dataclass(frozen=True)
class MappingRefused(NodeEvent):
    """A node does not have the port that the configuration gives it.

    @ivar port: that one.
    @ivar problem: why, a sentence.
    """

    name: ClassVar = "mapping_refused"
    severity: ClassVar = LogLevel.error
    port: ListenAddress
    problem: str

    def __str__(self) -> str:
        return f"The configuration cannot be followed: {self.problem}"


@dataclass(frozen=True)
class LabelClaimed(NodeEvent):
    """A node says that it is called as another one was first, on whose name somebody relies.

    @ivar owner: the other one.
    """

    name: ClassVar = "label_claimed"
    severity: ClassVar = LogLevel.warn
    owner: Address64

    def __str__(self) -> str:
        owner = format_address64(self.owner)
        return (
            f"{self.node} calls itself as {owner} was called first: what is said of that name is "
            "not for it. If the name is to be its: zbctl accept "
            f"{format_address64(self.node.address64)}."
        )

    def values(self) -> dict[str, Plain]:
        return {**super().values(), "owner": format_address64(self.owner)}


@dataclass(frozen=True)
class PortFailed(NodeEvent):
    """A node cannot be reached. Of many within a minute this is published twice: of the first, and
    of all the others together.

    @ivar problem: why, a sentence.
    @ivar nodes: how many cannot be reached, since this was published last; this is one of them.
    """

    name: ClassVar = "port_failed"
    severity: ClassVar = LogLevel.error
    problem: str
    nodes: int = 1

    @property
    def occurrences(self) -> int:
        return self.nodes

    def __str__(self) -> str:
        more = self.nodes - 1
        others = f" and {more} more {'node' if more == 1 else 'nodes'}" if more else ""
        return f"{self.node}{others} cannot be reached. {self.problem} The gateway goes on trying."


@dataclass(frozen=True)
class EndpointOpened(NodeEvent):
    """A node has one more endpoint than its port.

    @ivar endpoint: an endpoint string.
    @ivar is_one_of_many: there are so many more at the same moment that their number is said.
    """

    name: ClassVar = "endpoint_opened"
    endpoint: str
    is_one_of_many: bool = False

    def values(self) -> dict[str, Plain]:
        values = super().values()
        del values["is_one_of_many"]
        return values

    @property
    def level(self) -> LogSeverity | None:
        return None if self.is_one_of_many else LogLevel.info

    def __str__(self) -> str:
        return f"{self.node} is on {self.endpoint}, too."


@dataclass(frozen=True)
class EndpointFailed(NodeEvent):
    """An endpoint cannot be had that a node is to have.

    @ivar endpoint: an endpoint string.
    @ivar problem: why, a sentence.
    """

    name: ClassVar = "endpoint_failed"
    severity: ClassVar = LogLevel.error
    endpoint: str
    problem: str

    def __str__(self) -> str:
        return f"{self.node} lacks an endpoint. {self.problem} The gateway goes on trying."


@dataclass(frozen=True)
class DatagramsLost(NodeEvent):
    """Datagrams of a node's peers, or to them, are lost. Of many within a minute this is published
    twice: of the first, and of all the others together.

    @ivar endpoint: an endpoint string.
    @ivar peer: the other end of the last one.
    @ivar reason: why the last one was, a clause.
    @ivar dropped: how many since this was published last.
    """

    name: ClassVar = "datagrams_lost"
    severity: ClassVar = LogLevel.warn
    endpoint: str
    peer: str
    reason: str
    dropped: int = 1

    @property
    def occurrences(self) -> int:
        return self.dropped

    def __str__(self) -> str:
        more = self.dropped - 1
        who = "A datagram" if not more else f"A datagram, and {more} more,"
        verb = "are" if more else "is"
        return (
            f"{who} of {self.peer} {verb} dropped at {self.endpoint}, which is an endpoint of "
            f"{self.node}: {self.reason}."
        )
