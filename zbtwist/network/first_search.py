"""The search that is made when the radio comes up: tried again until one has been made.

A node that says nothing by itself has no port until a search finds it, so one search that the radio
refuses, since it is busy or not quite in its network yet, must not be the last.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.errors import RadioError
from zbtwist.radio.events import LinkDown, LinkUp
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus

#: Seconds that a radio must be up before a search, if it is reset, or leaves its network, again and
#: again: each is a broadcast, and none comes to its end that is shorter.
UNSTEADY_WAIT = 10.0
#: Seconds before a search is tried again for the first time and at last, and what they grow by.
FIRST_RETRY = 2.0
LAST_RETRY = 120.0
RETRY_FACTOR = 2.0
_retry_delay = backoffPolicy(FIRST_RETRY, LAST_RETRY, RETRY_FACTOR, jitter=lambda: 0.0)


class FirstSearch:
    """Searches from `LinkUp` on until a search has come to its end, or to `LinkDown`."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        bus: EventBus,
        search: Callable[[], Awaitable[object]],
    ) -> None:
        """
        @param search: makes one; whoever else does says so by `made`.
        """
        self._clock = clock
        self._radio = radio
        self._search = search
        self._tries = 0
        # Whether what becomes of the radio is a line of the log.
        self._is_news = True
        self._retry: IDelayedCall | None = None
        bus.subscribe(LinkUp, self._up)
        bus.subscribe(LinkDown, self._down)

    def made(self) -> None:
        """A search has come to its end, whoever asked for it: no other is needed."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def stop(self) -> None:
        """Make none."""
        self.made()

    def _up(self, event: LinkUp) -> None:
        self.stop()
        self._tries = 0
        self._is_news = event.is_news
        if event.info.is_fleet:
            return
        if event.is_news:
            self._begin()
        else:
            self._retry = self._clock.callLater(UNSTEADY_WAIT, self._begin)

    def _down(self, event: LinkDown) -> None:
        self.stop()

    def _begin(self) -> None:
        self._retry = None
        Deferred.fromCoroutine(self._search_once()).addErrback(self._failed)

    async def _search_once(self) -> None:
        await self._search()

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) or self._radio.facts is None:
            # Nobody wants it any more, or the next `LinkUp` begins anew.
            return
        if not failure.check(RadioError):
            self.log.failure("The search for nodes failed", failure=failure)
        self.stop()
        delay = _retry_delay(self._tries)
        # Once is enough for a person.
        say = self.log.debug if self._tries or not self._is_news else self.log.info
        self._tries += 1
        say(
            "The search for nodes came to nothing: {reason}. It is tried again in {delay} s.",
            reason=failure.getErrorMessage().rstrip("."),
            delay=f"{delay:g}",
        )
        self._retry = self._clock.callLater(delay, self._begin)
