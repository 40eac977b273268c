"""Waiting until a node's serial line is quiet: all that was sent to it is with its device."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.runtime.early import EARLY


class Quiet:
    """
    @ivar deferred: fires then; to cancel it ends the waiting.
    """

    def __init__(
        self, clock: IReactorTime, is_idle: Callable[[], bool], empty_at: Callable[[], float]
    ) -> None:
        """
        @param is_idle: whether nothing is on its way to the node. Call `look` when it may be so.
        @param empty_at: when the node's own buffer is empty, seconds of the clock.
        """
        self._clock = clock
        self._is_idle = is_idle
        self._empty_at = empty_at
        self._call: IDelayedCall | None = None
        self.deferred: Deferred[None] = Deferred(lambda _: self._wait_no_more())

    def look(self) -> None:
        """It may be so now."""
        if self.deferred.called or self._call is not None or not self._is_idle():
            return
        left = self._empty_at() - self._clock.seconds()
        if left > EARLY:
            self._call = self._clock.callLater(left, self._look_again)
        else:
            self.deferred.callback(None)

    def _look_again(self) -> None:
        self._call = None
        self.look()

    def _wait_no_more(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
