"""Work that anybody may ask for, and that shares the program with the streams.

All of it together has a budget of time: when that is spent, the rest waits until as much time has
passed as it took. So the streams have the program for half of the time at the least, whoever asks
for how much, and the longest that they wait is one piece of work. Work that takes long waits for
what does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from zbtwist.runtime.early import EARLY

#: Seconds of work that may be done without a pause.
BUDGET = 0.02


class Turn:
    """A piece of work.

    @ivar is_waiting: it was neither done nor given up yet.
    """

    __slots__ = ("_work", "is_waiting")

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.is_waiting = True

    def take(self) -> None:
        """Do it, unless it was given up."""
        if self.is_waiting:
            self.is_waiting = False
            self._work()

    def cancel(self) -> None:
        """Give it up."""
        self.is_waiting = False


class WorkTurns:
    """All such work of one program."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: tells how long the work takes, too.
        """
        self._clock = clock
        # What has been done beyond what time has passed since, in seconds, and when that was so.
        self._debt = 0.0
        self._counted_at = clock.seconds()
        self._is_working = False
        self._short: deque[Turn] = deque()
        self._long: deque[Turn] = deque()
        self._next: IDelayedCall | None = None

    def ask(self, work: Callable[[], object], is_long: bool = False) -> Turn:
        """Have a piece of work done, at once if there is time for it.

        @param work: is called once.
        @param is_long: it takes more than a millisecond or two.
        @return: by which it can be given up.
        """
        turn = Turn(work)
        is_first = not (self._short or (is_long and self._long))
        if is_first and self._has_time:
            self._do(turn)
        else:
            (self._long if is_long else self._short).append(turn)
            self._plan()
        return turn

    def turn(self) -> Deferred[None]:
        """Return what fires when there is time for a long piece of work, which follows at once."""
        came: Deferred[None] = Deferred()
        self.ask(lambda: came.callback(None), is_long=True)
        return came

    def pause(self) -> Deferred[None]:
        """The same for the rest of a piece of work that has been going on: not before the reactor's
        next turn.
        """
        came: Deferred[None] = Deferred()
        self._long.append(Turn(lambda: came.callback(None)))
        self._plan()
        return came

    @property
    def _has_time(self) -> bool:
        now = self._clock.seconds()
        if self._is_working:
            return self._debt + now - self._counted_at <= BUDGET + EARLY
        self._debt = max(0.0, self._debt - (now - self._counted_at))
        self._counted_at = now
        return self._debt <= BUDGET + EARLY

    def _do(self, turn: Turn) -> None:
        if self._is_working:
            # It is a part of what is being done.
            turn.take()
            return
        self._is_working = True
        try:
            turn.take()
        finally:
            self._is_working = False
            now = self._clock.seconds()
            self._debt += now - self._counted_at
            self._counted_at = now

    def _plan(self) -> None:
        if self._next is None and (self._short or self._long):
            self._next = self._clock.callLater(max(0.0, self._debt - BUDGET), self._go)

    def _go(self) -> None:
        self._next = None
        while (self._short or self._long) and self._has_time:
            turn = (self._short or self._long).popleft()
            try:
                self._do(turn)
            except Exception:
                self.log.failure("Work for the control port failed")
        self._plan()
