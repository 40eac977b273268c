"""What happens to the streams of nodes: bytes that are lost, and questions without an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.network.events import TO_NODE, NodeEvent
from zbtwist.runtime.event_bus import LogSeverity, Plain


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
