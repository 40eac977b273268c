"""What could not be done is tried again, less and less often."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.internet import backoffPolicy
from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds before the first and between the last tries of what could not be done, and what they grow
#: by.
FIRST_RETRY_DELAY = 1.0
MAX_RETRY_DELAY = 60.0
RETRY_FACTOR = 2.0
_delay = backoffPolicy(FIRST_RETRY_DELAY, MAX_RETRY_DELAY, RETRY_FACTOR, jitter=lambda: 0.0)


class Retries:
    """When it is tried again."""

    def __init__(self, clock: IReactorTime, try_again: Callable[[], object]) -> None:
        """
        @param try_again: tries it, and says then what there is to do by `plan`.
        """
        self._clock = clock
        self._try_again = try_again
        self._call: IDelayedCall | None = None
        self._tries = 0

    def plan(self, is_needed: bool) -> None:
        """Plan the next try, if there is something to be tried; else the next time begins anew."""
        if not is_needed:
            self._tries = 0
        elif self._call is None:
            self._call = self._clock.callLater(_delay(self._tries), self._try)
            self._tries += 1

    def hurry(self) -> None:
        """What could not be had before may be had now."""
        self._tries = 0
        if self._call is not None:
            self._call.reset(FIRST_RETRY_DELAY)

    def stop(self) -> None:
        """Try nothing any more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _try(self) -> None:
        self._call = None
        self._try_again()
