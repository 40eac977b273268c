"""One run of something slow for everybody who asks while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Call it to have the work done; who calls while it is being done gets the same result.

    A caller that gives up (cancels) does not end the work, which others may wait for.
    """

    def __init__(self, work: Callable[[], Awaitable[T]], ends_alone: bool = False) -> None:
        """
        @param ends_alone: the work is ended when the last who waits for it gives up.
        """
        self._work = work
        self._ends_alone = ends_alone
        self._running: Deferred[T] | None = None
        self._waiting: list[Deferred[T]] = []

    async def __call__(self) -> T:
        waiting: Deferred[T] = Deferred(self._given_up)
        self._waiting.append(waiting)
        if self._running is None:
            running = self._running = Deferred.fromCoroutine(self._run())
            running.addBoth(self._ended)
        return await waiting

    def _given_up(self, waiting: Deferred[T]) -> None:
        self._waiting.remove(waiting)
        if self._ends_alone and not self._waiting:
            self.cancel()

    def cancel(self) -> None:
        """End the work; everybody who waits gets a CancelledError."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> T:
        return await self._work()

    def _ended(self, result: Any) -> None:
        self._running = None
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if isinstance(result, Failure):
                one.errback(result)
            else:
                one.callback(result)
