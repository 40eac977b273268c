"""A radio that is reset or lost again and again, such as by a supply that is too weak.

Each time is a handful of lines, and thousands of times would be all that is in the log. So after
the first times it is said that it is so, and when it has stopped, how often it was.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.radio.events import RadioSteady, RadioUnsteady
from zbtwist.runtime.event_bus import EventBus

#: So many resets within `WITHIN` are again and again; and so many times of whatever kind, since
#: somebody may plug a radio in and out.
MANY_RESETS = 2
MANY = 4
WITHIN = 60.0
#: Seconds without either after which it has stopped.
STEADY_AFTER = 60.0


class Steadiness:
    """Counts how often the radio is reset or lost, and says when that is so again and again."""

    def __init__(self, clock: IReactorTime, name: str, bus: EventBus) -> None:
        """
        @param name: the endpoint of the radio.
        @param bus: is told when it begins and ends.
        """
        self._clock = clock
        self._name = name
        self._bus = bus
        self._resets: deque[float] = deque(maxlen=MANY_RESETS)
        self._all: deque[float] = deque(maxlen=MANY)
        self._ending: IDelayedCall | None = None
        self._times = 0
        self._began = self._last = 0.0

    @property
    def is_steady(self) -> bool:
        """Whether what happens to the radio is news."""
        return self._ending is None

    def down(self, is_reset: bool) -> None:
        """The radio was reset, or is lost in another way."""
        now = self._last = self._clock.seconds()
        self._all.append(now)
        if is_reset:
            self._resets.append(now)
        if self._ending is not None:
            self._times += 1
            self._ending.reset(STEADY_AFTER)
            return
        is_often = any(
            len(times) == times.maxlen and now - times[0] <= WITHIN
            for times in (self._resets, self._all)
        )
        if is_often:
            within = [moment for moment in self._all if now - moment <= WITHIN]
            self._times, self._began = len(within), within[0]
            self._ending = self._clock.callLater(STEADY_AFTER, self._stopped)
            self._bus.publish(RadioUnsteady(self._name))

    def forget(self) -> None:
        """It is watched no more."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._all.clear()
        self._resets.clear()

    def _stopped(self) -> None:
        self._ending = None
        self._bus.publish(RadioSteady(self._name, self._times, self._last - self._began))
