"""Times of several runs that can be compared, also on a machine that has other things to do.

All of them run in turn, in many short rounds, and each round begins with another one. What is
compared are the times of one round, which were taken within the same moment; of all rounds' ratios
the median counts, and the quartiles say how far to trust it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from time import perf_counter

#: Does its work as often as it likes, and returns the seconds for one item of it.
Run = Callable[[], float]


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, and the quartiles below and above it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        low, median, high = quantiles(numbers, n=4, method="inclusive")
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g}–{self.high:.3g})"


def timed(work: Callable[[], object], items: int, at_least: float) -> Run:
    """Make a run of `work`.

    @param work: does its work once; it is called here too, to see how long that takes.
    @param items: how many items it then has done.
    @param at_least: repeat the work in each round until about so many seconds are over.
    """

    def once() -> float:
        begun = perf_counter()
        work()
        return perf_counter() - begun

    times = max(1, round(at_least / min(once(), once())))

    def run() -> float:
        begun = perf_counter()
        for _ in range(times):
            work()
        return (perf_counter() - begun) / (times * items)

    return run


def in_turn(runs: Sequence[Run], rounds: int) -> list[list[float]]:
    """Run all of them in each of the rounds.

    @param rounds: 2 or more.
    @return: for each of `runs`, what it returned in each round.
    """
    seconds: list[list[float]] = [[] for _ in runs]
    for first in range(rounds):
        for turn in range(len(runs)):
            which = (first + turn) % len(runs)
            seconds[which].append(runs[which]())
    return seconds


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times as long theirs took, round by round.

    What took no time on a clock of coarse steps makes it infinite.
    """
    return Spread.of([one / other if other else math.inf for one, other in zip(theirs, ours)])
