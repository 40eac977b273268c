"""What happens again and again: it is said at once, and then once an interval.

`Repeats` has a timer, so that the last of it is said as well; `Interval` needs none, and leaves to
the next time what came after it was said.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds of an interval.
INTERVAL = 60.0


class Interval:
    """Whether it is time to say it again."""

    def __init__(self, seconds: float = INTERVAL) -> None:
        self._seconds = seconds
        self._said_at = -inf

    def is_over(self, now: float) -> bool:
        """Return whether it is to be said now; then the next interval begins.

        @param now: seconds of the clock. One that was set back begins anew.
        """
        is_over = not 0 <= now - self._said_at < self._seconds
        if is_over:
            self._said_at = now
        return is_over


class Repeats:
    """One kind of thing that happens. `stop` it when it can happen no more."""

    __slots__ = ("_clock", "_say", "_timer", "_unsaid")

    def __init__(self, clock: IReactorTime, say: Callable[[int], None]) -> None:
        """
        @param say: is told how often it has happened since it was said last.
        """
        self._clock = clock
        self._say = say
        self._unsaid = 0
        self._timer: IDelayedCall | None = None

    def happened(self) -> None:
        """It has happened: say it now, or at the end of the interval."""
        self._unsaid += 1
        if self._timer is None:
            self._speak()

    def _speak(self) -> None:
        self._timer = None
        if self._unsaid:
            count, self._unsaid = self._unsaid, 0
            self._timer = self._clock.callLater(INTERVAL, self._speak)
            self._say(count)

    def stop(self) -> None:
        """Say what is unsaid, and no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._speak()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
