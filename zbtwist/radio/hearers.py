"""Who hears the frames of the radio: one lookup by a frame's type leads to all who want it.

Of a type that comes by the thousands there may be a taker: it is asked first, with the frame data
as it came, and mostly takes what needs no frame to be made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime

from zbtwist.xbee.frames import Frame

F = TypeVar("F", bound=Frame)

#: Takes a frame.
_Hear = Callable[[Any], None]

#: Takes frame data, and when it was read, seconds of the clock; or does nothing, and says so.
Taker = Callable[[bytes, float], bool]


class FrameHearers:
    """Who wants frames, by their type. Who reads the line calls them with no step in between.

    @ivar of: returns those who want frames of a type, in the order in which they are called; None
        if nobody does.
    @ivar takers: who is asked first, by the type byte.
    @ivar taker_of: returns who that is, None if nobody is.
    @ivar last_frame: when the last frame came, seconds of the clock.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._by_type: dict[type[Frame], list[_Hear]] = {}
        self.of: Callable[[type[Frame]], Sequence[_Hear] | None] = self._by_type.get
        self.takers: dict[int, Taker] = {}
        self.taker_of: Callable[[int], Taker | None] = self.takers.get
        self.last_frame = clock.seconds()

    def subscribe(self, frame_type: type[F], received: Callable[[F], None]) -> None:
        """See `zbtwist.radio.interfaces.IRadio`."""
        self._by_type.setdefault(frame_type, []).append(received)

    def hear(self, frame: Frame) -> None:
        """Take a frame that came by another way than the line's."""
        frame_data, now = frame.to_bytes(), self._clock.seconds()
        take = self.taker_of(frame_data[0]) if frame_data else None
        if take is None or not take(frame_data, now):
            self.tell(frame)
        self.last_frame = now

    def tell(self, frame: Frame) -> None:
        """Give a frame to all who want its type."""
        for hear in self.of(type(frame)) or ():
            hear(frame)


def only(clock: IReactorTime, hear: Callable[[Frame], None]) -> FrameHearers:
    """Return hearers of whom one gets every frame, whatever its type."""
    hearers = FrameHearers(clock)
    hearers.of = lambda frame_type: (hear,)
    return hearers
