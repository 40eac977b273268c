"""Who hears the frames of the radio: one lookup by a frame's type leads to all who want it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime

from zbtwist.xbee.frames import Frame

F = TypeVar("F", bound=Frame)

#: Takes a frame.
_Hear = Callable[[Any], None]


class FrameHearers:
    """Who wants frames, by their type. Who reads the line calls them with no step in between.

    @ivar of: returns those who want frames of a type, in the order in which they are called; None
        if nobody does.
    @ivar last_frame: when the last frame came, seconds of the clock.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._by_type: dict[type[Frame], list[_Hear]] = {}
        self.of: Callable[[type[Frame]], Sequence[_Hear] | None] = self._by_type.get
        self.last_frame = clock.seconds()

    def subscribe(self, frame_type: type[F], received: Callable[[F], None]) -> None:
        """See `zbtwist.radio.interfaces.IRadio`."""
        self._by_type.setdefault(frame_type, []).append(received)

    def hear(self, frame: Frame) -> None:
        """Take a frame that came by another way than the line's."""
        for hear in self.of(type(frame)) or ():
            hear(frame)
        self.last_frame = self._clock.seconds()


def only(clock: IReactorTime, hear: Callable[[Frame], None]) -> FrameHearers:
    """Return hearers of whom one gets every frame, whatever its type."""
    hearers = FrameHearers(clock)
    hearers.of = lambda frame_type: (hear,)
    return hearers
