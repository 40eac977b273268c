"""Clocks for tests: Twisted's, which keep their calls in order and need not sort them all before
and after each. A simulated network has hundreds.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from math import inf
from operator import attrgetter
from typing import Any

from twisted.internet import task, testing
from twisted.internet.base import DelayedCall

_time = attrgetter("time")


class Clock(task.Clock):
    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> Any:
        call = DelayedCall(
            self.seconds() + delay, callable, args, kw, self.calls.remove, self._moved, self.seconds
        )
        insort(self.calls, call, key=_time)
        return call

    def _moved(self, call: DelayedCall) -> None:
        self.calls.sort(key=_time)

    @property
    def next_time(self) -> float:
        """When something happens; never is infinite."""
        calls = self.calls
        while calls and calls[0].delayed_time:
            call = calls.pop(0)
            call.activate_delay()
            insort(calls, call, key=_time)
        return float(calls[0].time) if calls else inf

    def go_on(self) -> None:
        """Let the next thing happen, at its time."""
        call = self.calls.pop(0)
        self.rightNow = max(self.rightNow, call.time)
        call.called = 1
        call.func(*call.args, **call.kw)

    def advance(self, amount: float) -> None:
        # What happens sees the end of the step, as with Twisted's.
        self.rightNow += amount
        while self.next_time <= self.seconds():
            self.go_on()


class MemoryReactorClock(Clock, testing.MemoryReactorClock):
    """A reactor in memory with such a clock."""
