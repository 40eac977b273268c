"""Notices that the whole program stood still: it was stopped, got no processor, or the computer
slept.

Nothing was read meanwhile. The serial line may have lost bytes, or the radio may have been
unplugged, and what clients wrote has grown old, without anything in the program that could have
told. So a clock ticks, and whoever is about to handle what has come looks first whether a tick is
late: what comes must not be taken for what follows on what was before.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import LogLevel

from zbtwist.runtime.event_bus import Event, EventBus, Plain

#: Seconds between two ticks.
TICK = 0.5

#: Seconds between two ticks from which on something else may have happened in between.
HICCUP = 0.75

#: Seconds in which everything is looked at that has come while the program stood still.
CATCH_UP = 1.0

#: Seconds from one tick on after which the next is late. A busy computer may let a program wait for
#: a second; the line's buffers hold what comes in a little more than that.
LATE = 2.5


@dataclass(frozen=True)
class StoodStill(Event):
    """The gateway stood still.

    @ivar since: when it was certainly running for the last time, seconds of the reactor's clock.
    @ivar seconds: for how long, at the most.
    """

    name: ClassVar = "stood_still"
    severity: ClassVar = LogLevel.warn
    since: float
    seconds: float

    def values(self) -> dict[str, Plain]:
        return {"seconds": round(self.seconds, 1)}

    def __str__(self) -> str:
        return (
            f"The gateway stood still for {self.seconds:.1f} s: it was stopped, got no processor, "
            "or the computer slept. What nodes said meanwhile may be lost."
        )


class Standstill(Service):
    """Looks whether the program runs, while the service does.

    @ivar late_at: when the next tick is late, seconds of the clock; never while nobody looks.
    """

    def __init__(self, clock: IReactorTime, bus: EventBus) -> None:
        """
        @param clock: goes on while the computer sleeps, if it can.
        @param bus: is told when the program stood still.
        """
        self._clock = clock
        self._bus = bus
        self._call: IDelayedCall | None = None
        self._before = self._last = self.late_at = inf
        self._stood_still = 0.0
        self._ended_at = -inf

    def startService(self) -> None:
        super().startService()
        self._tick()

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._before = self._last = self.late_at = inf

    @property
    def ran_until(self) -> float:
        """Until when the program ran without a halt, seconds of the clock: now, unless a tick is
        missing or has just been late. What is noticed now may be as old as that.
        """
        now = self._clock.seconds()
        if now - self._last > HICCUP:
            return self._last
        if self._last - self._before > HICCUP:
            return self._before
        return now

    def look(self) -> float:
        """Look at the clock, and publish it if the program stood still.

        @return: for how many seconds it did; 0 if it did not.
        """
        now = self._clock.seconds()
        if now < self.late_at:
            return 0.0
        since = self._last
        self._ran(now)
        self._stood_still, self._ended_at = now - since, now
        self._bus.publish(StoodStill(since, now - since))
        return now - since

    @property
    def just_now(self) -> float:
        """For how many seconds the program stood still, if it did a moment ago, and what came
        meanwhile may not all have been looked at; else 0.
        """
        is_recent = self._clock.seconds() - self._ended_at < CATCH_UP
        return self._stood_still if is_recent else 0.0

    @property
    def unseen(self) -> float:
        """For how many seconds what comes now from outside may have waited to be read."""
        self.look()
        return self.just_now

    def _ran(self, now: float) -> None:
        self._before, self._last = self._last, now
        self.late_at = now + LATE

    def _tick(self) -> None:
        self._call = None
        self.look()
        if self.running:
            self._ran(self._clock.seconds())
            self._call = self._clock.callLater(TICK, self._tick)
