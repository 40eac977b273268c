"""What happens to clients of nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.binding.listener import ListenAddress
from zbtwist.network.events import NodeEvent
from zbtwist.runtime.event_bus import LogSeverity, Plain


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
