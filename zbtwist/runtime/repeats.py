"""What happens again and again: it is said at once, and then once an interval.

`Repeats` has a timer, so that the last of it is said as well; `Interval` and `Thinned` need none,
and leave to the next time what came after it was said.
"""

from __future__ import annotations

from collections import deque
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

    def begin(self, now: float) -> None:
        """It was said without being asked for: the next interval begins.

        @param now: seconds of the clock.
        """
        self._said_at = now


#: What happens more often than so many times within so many seconds is thinned: it is said once in
#: so many seconds then.
FREELY = 4
FREELY_WITHIN = 60.0
THINNED = 600.0


class Thinned:
    """What is said each time while it is seldom, and now and then while it is not."""

    __slots__ = ("_interval", "_said", "_unsaid")

    def __init__(self) -> None:
        self._said: deque[float] = deque(maxlen=FREELY)
        self._interval = Interval(THINNED)
        self._unsaid = 0

    def happened(self, now: float) -> int | None:
        """It has happened.

        @param now: seconds of the clock.
        @return: how often it has happened since it was said last and was not said, if it is to be
            said; else None.
        """
        times = self._said
        is_seldom = len(times) < FREELY or not 0 <= now - times[0] <= FREELY_WITHIN
        times.append(now)
        if not is_seldom and not self._interval.is_over(now):
            self._unsaid += 1
            return None
        if is_seldom:
            self._interval.begin(now)
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid


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
