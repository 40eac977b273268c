"""Work that the reactor must wait for, such as a commit, has a rest of some times its length before
it is done again: so it takes but a part of the time, however slow the disk is. What comes meanwhile
waits, and is done with the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from twisted.internet.interfaces import IReactorTime

#: A rest is so many times as long as the work was, and at most so many seconds.
RATIO = 10.0
MAX_REST = 1.0


class Rest:
    """The rests of one kind of work."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._until = -inf

    @property
    def left(self) -> float:
        """Seconds until the work may be done; 0 for now."""
        return max(0.0, self._until - self._clock.seconds())

    @contextmanager
    def after(self) -> Iterator[None]:
        """What is done within is the work."""
        began = self._clock.seconds()
        try:
            yield
        finally:
            now = self._clock.seconds()
            self._until = now + min(RATIO * (now - began), MAX_REST)
