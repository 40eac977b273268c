"""What happens to values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.decoding.value import Value
from zbtwist.network.events import NodeEvent
from zbtwist.runtime.event_bus import Plain


@dataclass(frozen=True)
class ValuesDecoded(NodeEvent):
    """A node has said values. It is published only while somebody has subscribed.

    @ivar decoded: the values.
    @ivar time: when they came, seconds since 1970.
    """

    name: ClassVar = "values_decoded"
    severity: ClassVar = None
    decoded: tuple[Value, ...]
    time: float

    def __str__(self) -> str:
        said = ", ".join(f"{each.name} {each.value} {each.unit}".rstrip() for each in self.decoded)
        return f"{self.node} says {said}."

    def values(self) -> dict[str, Plain]:
        return {
            **super().values(),
            "decoded": {each.name: each.value for each in self.decoded},
        }


@dataclass(frozen=True)
class DecoderFailed(NodeEvent):
    """A decoder has raised an exception, or told what is no value. It is told once a minute of a
    node at the most.

    @ivar decoder: what it is called.
    @ivar reason: what was wrong, a sentence.
    """

    name: ClassVar = "decoder_failed"
    severity: ClassVar = LogLevel.error
    decoder: str
    reason: str

    def __str__(self) -> str:
        return (
            f"The decoder {self.decoder} made a mistake with what {self.node} says: {self.reason} "
            "It begins anew, once a minute at the most; in between nothing is decoded."
        )


@dataclass(frozen=True)
class ValuesLeftOut(NodeEvent):
    """A node tells values under more names than are kept. It is told once of a node.

    @ivar most: how many are kept.
    """

    name: ClassVar = "values_left_out"
    severity: ClassVar = LogLevel.warn
    most: int

    def __str__(self) -> str:
        return f"{self.node} tells values under more than {self.most} names: others are left out."
