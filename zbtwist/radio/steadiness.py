"""A radio that is reset or lost again and again, such as by a supply that is too weak; or one that
leaves its network and joins it without end.

Each time is a handful of lines, and thousands of times would be all that is in the log. So after
the first times it is said that it is so, and when it has stopped, how often it was. Meanwhile the
radio is left alone for a while each time before it is set up again.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from twisted.application.internet import backoffPolicy
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
#: Seconds that such a radio is left alone at first and at last, and what they grow by each time.
FIRST_PAUSE = 0.25
LAST_PAUSE = 5.0
PAUSE_FACTOR = 1.5
_pause = backoffPolicy(FIRST_PAUSE, LAST_PAUSE, PAUSE_FACTOR, jitter=lambda: 0.0)


class Upset(Enum):
    """What happens to a radio: it was reset; its link is lost in another way; or it has left its
    network, or has joined it and so was away.
    """

    RESET = 0
    LOST = 1
    LEFT = 2


class Steadiness:
    """Counts how often the radio is upset, and says when that is so again and again."""

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
        self._times = self._times_since = 0
        self._is_leaving = False
        self._began = self._last = 0.0

    @property
    def is_steady(self) -> bool:
        """Whether what happens to the radio is news."""
        return self._ending is None

    @property
    def pause(self) -> float:
        """Seconds that the radio is to be left alone before it is set up; 0 while it is steady."""
        return 0.0 if self._ending is None else _pause(self._times_since)

    @property
    def problem(self) -> str:
        """What is wrong with the radio, a sentence; empty while it is steady."""
        return "" if self._ending is None else self._unsteady.reason

    @property
    def _unsteady(self) -> RadioUnsteady:
        return RadioUnsteady(self._name, self._is_leaving)

    def happened(self, upset: Upset) -> None:
        """It has happened once more."""
        now = self._last = self._clock.seconds()
        self._all.append(now)
        if upset is Upset.RESET:
            self._resets.append(now)
        if self._ending is not None:
            self._times += 1
            self._times_since += 1
            self._ending.reset(STEADY_AFTER)
            return
        is_often = any(
            len(times) == times.maxlen and now - times[0] <= WITHIN
            for times in (self._resets, self._all)
        )
        if is_often:
            within = [moment for moment in self._all if now - moment <= WITHIN]
            self._times, self._began, self._times_since = len(within), within[0], 0
            self._is_leaving = upset is Upset.LEFT
            self._ending = self._clock.callLater(STEADY_AFTER, self._stopped)
            self._bus.publish(self._unsteady)

    def forget(self) -> None:
        """It is watched no more."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._all.clear()
        self._resets.clear()

    def _stopped(self) -> None:
        self._ending = None
        seconds = self._last - self._began
        self._bus.publish(RadioSteady(self._name, self._times, seconds, self._is_leaving))
