"""Pieces of work that must not run at the same time, one after the other.

A DeferredLock does that as well, but starts each piece from within the end of the one before: some
hundred pieces that do not have to wait for anything are too deep for Python's stack. This goes
through them in a loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred


class SerialQueue:
    """Runs coroutines in the order in which they are given."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Coroutine[Any, Any, Any], Deferred[Any]]] = deque()
        self._is_running = False

    def run(self, work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Run it when all before it are done.

        @return: fires with its result. To cancel it does not end the work.
        """
        done: Deferred[Any] = Deferred()
        self._waiting.append((work, done))
        if not self._is_running:
            self._is_running = True
            Deferred.fromCoroutine(self._run_all())
        return done

    async def _run_all(self) -> None:
        try:
            while self._waiting:
                work, done = self._waiting.popleft()
                await _settle(work, done)
        finally:
            self._is_running = False


async def _settle(work: Awaitable[Any], done: Deferred[Any]) -> None:
    try:
        result = await work
    except Exception as error:
        done.errback(error)
    else:
        done.callback(result)
