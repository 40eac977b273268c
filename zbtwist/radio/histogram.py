"""How long something took, counted in classes of durations, so that a day costs no more to keep
than a minute.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

#: The longest duration of each class, in seconds. One hop of a full packet takes some 20 ms, a
#: packet that is tried again on a busy network seconds, one to a node that sleeps up to 120 s.
TRANSMIT_BOUNDS = (
    0.01,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    20.0,
    60.0,
    120.0,
)


class Histogram:
    """Durations by classes.

    @ivar bounds: the longest duration of each class in seconds, ascending.
    @ivar counts: how many fell into each class; the last are those beyond all bounds.
    @ivar total: the sum of all durations in seconds.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = TRANSMIT_BOUNDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[float, int]]:
        """Return for each bound how many took no longer; the last bound is infinite."""
        rows = []
        so_far = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts):
            so_far += count
            rows.append((bound, so_far))
        return rows
