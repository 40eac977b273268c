"""What happens to the ports of nodes, their clients and their streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.binding.listener import ListenAddress
from zbtwist.network.events import TO_NODE, NodeEvent
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


@dataclass(frozen=True)
class ClientEvent(NodeEvent):
    """Something that has happened to a client of a node.

    @ivar port: the TCP port of the node, 0 if that is another kind of socket; or the endpoint by
        which it came.
    @ivar peer: who it is.
    @ivar goes_on: the node goes on losing what clients send, and they come and go for it; see
        `zbtwist.binding.losses`.
    """

    port: ListenAddress
    peer: str
    goes_on: bool = field(default=False, kw_only=True)

    @property
    def is_repeat(self) -> bool:
        return self.goes_on

    @property
    def level(self) -> LogSeverity | None:
        return LogLevel.debug if self.goes_on else self.severity

    def values(self) -> dict[str, Plain]:
        values = super().values()
        del values["goes_on"]
        return values


@dataclass(frozen=True)
class ClientOpened(ClientEvent):
    """A client hears a node, and may write to it."""

    name: ClassVar = "client_opened"

    def __str__(self) -> str:
        return f"Client {self.peer} is connected to {self.node} on port {self.port}."


@dataclass(frozen=True)
class ClientClosed(ClientEvent):
    """It is gone."""

    name: ClassVar = "client_closed"

    def __str__(self) -> str:
        return f"Client {self.peer} is gone from {self.node} on port {self.port}."


@dataclass(frozen=True)
class ClientDropped(ClientEvent):
    """It is reset; `ClientClosed` follows.

    @ivar reason: a clause.
    """

    name: ClassVar = "client_dropped"
    severity: ClassVar = LogLevel.warn
    reason: str

    def __str__(self) -> str:
        return f"Client {self.peer} of {self.node} on port {self.port} is dropped: {self.reason}."


@dataclass(frozen=True)
class ClientIdle(ClientEvent):
    """It is disconnected in good order, since nothing has passed for too long; `ClientClosed`
    follows.

    @ivar seconds: for how long.
    """

    name: ClassVar = "client_idle"
    seconds: float

    def __str__(self) -> str:
        return (
            f"Client {self.peer} of {self.node} on port {self.port} is disconnected: nothing has "
            f"passed for {self.seconds:g} s (idle-timeout)."
        )


@dataclass(frozen=True)
class ClientIgnored(ClientEvent):
    """What it writes is not for the node, and thrown away. It is published once for each client.

    @ivar writers: whose bytes are; see `PortSettings.writers`.
    """

    name: ClassVar = "client_ignored"
    severity: ClassVar = LogLevel.warn
    writers: str

    def __str__(self) -> str:
        return (
            f"Client {self.peer} of {self.node} on port {self.port} may only listen, and what it "
            f"sends is thrown away (writers = {self.writers})."
        )


def _clients(number: int) -> tuple[str, str]:
    """Return the subject of a sentence on so many clients, and its verb."""
    return ("A client", "is") if number == 1 else (f"A client, and {number - 1} more,", "are")


@dataclass(frozen=True)
class ClientRefused(NodeEvent):
    """There are too many clients for one more. Of many within a minute this is published twice: of
    the first, and of all the others together.

    @ivar clients: how many there were when the last one was refused.
    @ivar refused: how many have been refused since this was published last.
    """

    name: ClassVar = "client_refused"
    severity: ClassVar = LogLevel.warn
    port: ListenAddress
    clients: int
    refused: int = 1

    @property
    def occurrences(self) -> int:
        return self.refused

    def __str__(self) -> str:
        who, verb = _clients(self.refused)
        return (
            f"{who} of {self.node} on port {self.port} {verb} refused: {self.clients} are "
            "connected already."
        )


@dataclass(frozen=True)
class ClientBarred(NodeEvent):
    """A connection comes from no network that the configuration allows; nothing of it is read.
    It is published as `ClientRefused` is.

    @ivar peer: the address of the last one.
    @ivar barred: how many were turned away since this was published last.
    """

    name: ClassVar = "client_barred"
    severity: ClassVar = LogLevel.warn
    port: ListenAddress
    peer: str
    barred: int = 1

    @property
    def occurrences(self) -> int:
        return self.barred

    def __str__(self) -> str:
        who, verb = _clients(self.barred)
        return (
            f"{who} of {self.node} on port {self.port} {verb} turned away: allow has no network "
            f"that {self.peer} is of."
        )


@dataclass(frozen=True)
class ClientsEnded(NodeEvent):
    """A node's port leaves its clients; `ClientClosed` follows for each.

    @ivar clients: how many there are.
    @ivar reason: a clause.
    """

    name: ClassVar = "clients_ended"
    severity: ClassVar = LogLevel.warn
    clients: int
    reason: str

    def __str__(self) -> str:
        who = "client" if self.clients == 1 else f"{self.clients} clients"
        verb = "is" if self.clients == 1 else "are"
        return f"The {who} of {self.node} {verb} disconnected: {self.reason}."


@dataclass(frozen=True)
class StreamBroken(NodeEvent):
    """Bytes are lost, or may be: the clients are reset.

    @ivar direction: `TO_NODE` or `FROM_NODE`.
    @ivar bytes_lost: how many; None if nobody knows.
    @ivar reason: a sentence.
    @ivar goes_on: it did before, and this is one more time; see `LossesCounted`.
    """

    name: ClassVar = "stream_broken"
    direction: str
    bytes_lost: int | None
    reason: str
    goes_on: bool = False

    @property
    def is_repeat(self) -> bool:
        return self.goes_on

    @property
    def level(self) -> LogSeverity | None:
        # What comes from a node concerns its clients, and of each of them it is said.
        is_line = self.direction == TO_NODE and not self.goes_on
        return LogLevel.warn if is_line else LogLevel.debug

    def values(self) -> dict[str, Plain]:
        values = super().values()
        del values["goes_on"]
        return values

    def __str__(self) -> str:
        if self.direction == TO_NODE:
            return f"{self.bytes_lost} bytes for {self.node} are lost: {self.reason}"
        return f"{self.reason}."


@dataclass(frozen=True)
class AnswersDropped(NodeEvent):
    """A node has said something that is no answer to what its clients ask, so that nobody gets it.
    Of many within a minute this is published twice: of the first, and of all the others together.

    @ivar times: how often, since this was published last.
    """

    name: ClassVar = "answers_dropped"
    times: int = 1

    @property
    def occurrences(self) -> int:
        return self.times

    def __str__(self) -> str:
        often = "" if self.times == 1 else f", {self.times} times"
        return (
            f"{self.node} has said what is no answer to what it was asked{often}: it is thrown "
            "away. If its answers come late, raise reply-timeout."
        )


@dataclass(frozen=True)
class PollUnanswered(NodeEvent):
    """The gateway's own questions to a node stay without an answer, or without one that its decoder
    finds values in; it is said once, until one is answered.

    @ivar reason: why, of the last one, a sentence.
    """

    name: ClassVar = "poll_unanswered"
    severity: ClassVar = LogLevel.warn
    reason: str

    def __str__(self) -> str:
        return (
            f"What the gateway asks {self.node} brings nothing: {self.reason} It is asked less "
            "often until it does."
        )


@dataclass(frozen=True)
class PollAnswered(NodeEvent):
    """It answers again."""

    name: ClassVar = "poll_answered"

    def __str__(self) -> str:
        return f"{self.node} answers the gateway again."


def _in_words(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True)
class LossesCounted(NodeEvent):
    """Bytes for a node were lost again and again: how often, since the first time.

    @ivar times: how often.
    @ivar bytes_lost: how many bytes.
    @ivar seconds: from the first time to the last.
    @ivar reason: of the last time, a sentence.
    @ivar is_over: nothing was lost for some time; else it goes on.
    """

    name: ClassVar = "losses_counted"
    times: int
    bytes_lost: int
    seconds: float
    reason: str
    is_over: bool

    @property
    def is_repeat(self) -> bool:
        return not self.is_over

    @property
    def level(self) -> LogSeverity | None:
        return LogLevel.info if self.is_over else LogLevel.warn

    def __str__(self) -> str:
        count = f"{self.bytes_lost:,} bytes, {self.times:,} times in {_in_words(self.seconds)}"
        if self.is_over:
            return f"{self.node} loses nothing any more of what is sent to it. It had lost {count}."
        return (
            f"{self.node} goes on losing what is sent to it: {count}. The last time: {self.reason}"
        )


@dataclass(frozen=True)
class LinkTested(NodeEvent):
    """The way to a node was tested.

    @ivar sent: packets.
    @ivar delivered: those of them that arrived, as the radio says.
    @ivar received: those that came back.
    @ivar outcome: a sentence.
    """

    name: ClassVar = "link_tested"
    sent: int
    delivered: int
    received: int
    outcome: str

    def __str__(self) -> str:
        return f"The way to {self.node} was tested: {self.outcome}"
