"""Long work in pieces, between which the reactor has its turns, and the streams theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

#: Steps of one piece. What is counted takes some 10 to 100 µs.
MAX_STEPS = 250


class Stopped(Exception):
    """The work is not wanted any more; it was not finished."""


class Pace:
    """Counts the steps of one piece of work: of fewer than `MAX_STEPS` none is interrupted."""

    def __init__(self, clock: Any, is_wanted: Callable[[], bool]) -> None:
        """
        @param clock: the reactor.
        @param is_wanted: whether to go on after a pause.
        """
        self._clock = clock
        self._is_wanted = is_wanted
        self._steps = 0

    async def step(self, count: int = 1) -> None:
        """So many more steps are done: go on, now or in the reactor's next turn.

        @raise Stopped: there was a pause, and the work is not wanted any more.
        """
        self._steps += count
        if self._steps >= MAX_STEPS:
            self._steps = 0
            turn: Deferred[None] = deferLater(self._clock, 0)
            await turn
            if not self._is_wanted():
                raise Stopped
