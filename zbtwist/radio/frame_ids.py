"""The pool of 255 frame ids, which gives out the one that has rested longest.

A Transmit Status has the id, and at best a 16-bit address, and a late one must not speak for
another packet. So the id of a packet without a status is kept from other packets for as long as the
status may still come in time, and `QUARANTINE` seconds more; AT commands may use it. The radio may
still have packets of a former run of the gateway, of which nobody knows: so the ids begin anywhere.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Container

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds that the id of a packet without a status is kept from other packets when that cannot come
#: in time any more.
QUARANTINE = 60.0
#: Frame ids are 1 to this; a request with 0 has no answer.
LAST_ID = 255


class FrameIds:
    """
    @ivar free: those that any request may take, the one that has rested longest first.
    """

    def __init__(
        self,
        clock: IReactorTime,
        in_use: Container[int],
        freed: Callable[[], object],
        first_id: int | None = None,
    ) -> None:
        """
        @param clock: times how long an id is kept back.
        @param in_use: those that requests have.
        @param freed: called when one that was kept back is free.
        @param first_id: the one to begin with, any if None.
        """
        self._clock = clock
        self._in_use = in_use
        self._freed = freed
        # No secret: the radio repeats it to anybody who has the line.
        first_id = first_id or random.randint(1, LAST_ID)  # noqa: S311
        self.free: deque[int] = deque((*range(first_id, LAST_ID + 1), *range(1, first_id)))
        # In the order in which they came in: the first has rested longest.
        self._kept: dict[int, IDelayedCall] = {}

    @property
    def are_left(self) -> bool:
        """Whether a command may have one."""
        return bool(self.free or self._kept)

    def for_command(self) -> int:
        """Take one out that is for no packet; 0 if there is none."""
        if self.free:
            return self.free.popleft()
        return next((one for one in self._kept if one not in self._in_use), 0)

    def give_back(self, frame_id: int) -> None:
        """It is in use no more."""
        if frame_id not in self._kept:
            self.free.append(frame_id)

    def keep_back(self, frame_id: int, seconds: float) -> None:
        """It was a packet's, whose status may still come in time for so many seconds."""
        self._kept[frame_id] = self._clock.callLater(seconds + QUARANTINE, self._release, frame_id)

    def keep_no_more(self) -> None:
        """No status can come for any packet."""
        for call in self._kept.values():
            call.cancel()
        # A command that uses one gives it back.
        self.free.extend(one for one in self._kept if one not in self._in_use)
        self._kept.clear()

    def _release(self, frame_id: int) -> None:
        del self._kept[frame_id]
        # A command that uses it gives it back.
        if frame_id not in self._in_use:
            self.free.append(frame_id)
            self._freed()
