"""What happens again and again, said at once and then once an interval, with how often it was."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds of an interval.
INTERVAL = 60.0


class Repeats:
    """One kind of thing that happens. `stop` it when it can happen no more."""

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
