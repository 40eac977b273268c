"""What was read at once is handled frame by frame, and written at once.

Many frames may be in one read of a fast line. Writing to a client's socket after each of them would
cost more than all the rest, and waiting for the reactor's next turn costs time even if there was
but one. So whoever reads says when a batch of frames begins and ends, and whoever writes is called
at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.logger import Logger


class WriteBatch:
    """The frames that are being handled.

    @ivar is_on: whether there is a batch, so that writing has to wait for its end.
    """

    log = Logger()

    def __init__(self) -> None:
        self.is_on = False
        self._calls: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Frames are about to be handled."""
        self.is_on = True

    def end(self) -> None:
        """They have been handled: make the calls."""
        self.is_on = False
        if self._calls:
            calls, self._calls = self._calls, []
            self._make(iter(calls))

    def _make(self, calls: Iterator[Callable[[], None]]) -> None:
        try:
            for call in calls:
                call()
        except Exception:
            self.log.failure("Frames could not be passed on")
            # The others' calls must not be lost.
            self._make(calls)

    def at_end(self, call: Callable[[], None]) -> None:
        """Call that at the end of the batch; now if there is none."""
        if self.is_on:
            self._calls.append(call)
        else:
            call()
