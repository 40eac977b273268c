"""The last events of all kinds, so that what happens often does not push out what happens seldom.

A client that connects and disconnects once a second would fill any ring in minutes. So of one kind
and node only the last few are kept; and when the ring is full, the oldest goes of the kind that has
the most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

#: How many events of one kind are kept of one node.
MAX_OF_ONE = 50


class Numbered(Protocol):
    """What can be kept."""

    @property
    def seq(self) -> int: ...


T = TypeVar("T", bound=Numbered)


class FairRing(Generic[T]):
    """Keeps a bounded number of events, in the order of their numbers, which only grow."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._kept: list[T] = []
        # Of each that is kept, beside it: its kind, and its node.
        self._sources: list[tuple[str, str]] = []
        self._count_of: Counter[str] = Counter()
        self._numbers_of: dict[tuple[str, str], deque[int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> T:
        return self._kept[index]

    def append(self, event: T, kind: str, node: str) -> None:
        """Keep an event.

        @param node: whom it is about; empty for nobody.
        """
        source = (kind, node)
        numbers = self._numbers_of.setdefault(source, deque())
        if node and len(numbers) >= MAX_OF_ONE:
            self._remove(bisect_left(self._kept, numbers[0], key=attrgetter("seq")))
        elif len(self._kept) >= self._maximum:
            self._remove(self._oldest_of_the_most())
        self._kept.append(event)
        self._sources.append(source)
        self._count_of[kind] += 1
        # It may have been the last of its source that was removed.
        self._numbers_of.setdefault(source, numbers).append(event.seq)

    def _oldest_of_the_most(self) -> int:
        most = max(self._count_of, key=self._count_of.__getitem__)
        return next(index for index, (kind, _) in enumerate(self._sources) if kind == most)

    def _remove(self, index: int) -> None:
        del self._kept[index]
        source = self._sources.pop(index)
        kind = source[0]
        numbers = self._numbers_of[source]
        # The oldest of its source is always the one.
        numbers.popleft()
        if not numbers:
            del self._numbers_of[source]
        self._count_of[kind] -= 1
        if not self._count_of[kind]:
            del self._count_of[kind]
