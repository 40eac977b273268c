"""Work that the reactor must wait for, such as a commit, has a rest of some times its length before
it is done again: so it takes but a part of the time, however slow the disk is. What comes meanwhile
waits, and is done with the next.

A disk that is quick wears out all the same: work that goes on and on is done a few times a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from twisted.internet.interfaces import IReactorTime

#: A rest is so many times as long as the work was, and at most so many seconds.
RATIO = 10.0
MAX_REST = 1.0

#: So often the work may be done without more of a rest; then once in so many seconds, which also
#: earn one more.
AT_ONCE = 20
INTERVAL = 0.2


class Rest:
    """The rests of one kind of work."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._until = -inf
        # How often it may be done now, and when that was so.
        self._left_at_once = float(AT_ONCE)
        self._counted_at = clock.seconds()

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
            earned = (now - self._counted_at) / INTERVAL
            # Who does not wait for the rest to be over owes nothing for that.
            self._left_at_once = max(0.0, min(self._left_at_once + earned, AT_ONCE) - 1)
            self._counted_at = now
            missing = max(0.0, 1 - self._left_at_once)
            rest = min(RATIO * (now - began), MAX_REST)
            self._until = now + max(rest, missing * INTERVAL)
