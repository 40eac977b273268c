"""A row of the matrix: a fault, and what is to come of a stream that meets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.runs import BEFORE, DIRECTIONS, INBOUND, OUTBOUND, RATE, Scene, Undo
from tests.faults.world import BEGINNING, World
from zbtwist.simulator.channel import DIGI_RATE

ALL, RESET = "all", "reset"
#: What other policies promise less, and what no gateway can promise.
DOUBLED, REORDERED, SILENCE = "doubled", "reordered", "SILENCE"

Injection = Callable[[Scene], Undo]


@dataclass(frozen=True)
class Fault:
    """A row of the table.

    @ivar inject: lets it happen, in mid-stream, and returns what ends it; None if that is nothing.
    @ivar outbound: what comes of a stream to the node.
    @ivar inbound: what comes of a stream from the node.
    @ivar lasts: seconds until it ends.
    @ivar ends: False if it never ends.
    @ivar asks: the client of the stream from the node sends a few bytes now and then, as one that
        polls a device does.
    @ivar settings: of the gateway.
    @ivar nodes: how many there are.
    @ivar prepare: called before the gateway starts.
    @ivar seen: what shows that it happened, and how often it does at least.
    @ivar seen_inbound: the same of a stream from the node, if that is something else.
    @ivar directions: of the streams that it concerns.
    @ivar before: seconds until it happens.
    @ivar rate: of the stream, in bytes a second.
    @ivar pace: instead of the rate, the seconds from one record to the next, from the one to the
        other.
    @ivar air_rate: see `World`.
    @ivar beginning: see `World`.
    @ivar sockets: clients are behind real sockets. Those that do not read are not: how much a
        socket holds is the kernel's affair.
    @ivar seed: of all chance.
    """

    name: str
    inject: Injection
    outbound: str = ALL
    inbound: str = ALL
    lasts: float = 0.0
    ends: bool = True
    asks: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    nodes: int = 1
    api_mode: int = 1
    prepare: Callable[[World], object] | None = None
    seen: tuple[tuple[str, int], ...] = ()
    seen_inbound: tuple[tuple[str, int], ...] | None = None
    directions: tuple[str, ...] = DIRECTIONS
    before: float = BEFORE
    rate: float = RATE
    pace: tuple[float, float] | None = None
    air_rate: float = DIGI_RATE
    beginning: float = BEGINNING
    sockets: bool = True
    seed: int = 1

    def signs(self, direction: str) -> tuple[tuple[str, int], ...]:
        """What must be seen in that direction."""
        if direction == INBOUND and self.seen_inbound is not None:
            return self.seen_inbound
        return self.seen

    def verdict(self, direction: str) -> str:
        """What is to come of a stream in that direction."""
        return self.outbound if direction == OUTBOUND else self.inbound
