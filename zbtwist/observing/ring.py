"""The last events of all kinds, so that what happens often does not push out what happens seldom.

A client that connects and disconnects once a second would fill any ring in minutes. So of one kind
and node only the last few are kept; and when the ring is full, one goes of the kind that has the
most: the oldest of the node that has the most of these. So neither kinds nor nodes push out what
others have little of, however many of them do what they can.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
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
        # By kind, then by node.
        self._numbers_of: dict[str, dict[str, deque[int]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> T:
        return self._kept[index]

    def forget(self, kind: str, node: str, is_over: Callable[[T], bool]) -> None:
        """Forget the oldest events of a kind and node, as long as they are over."""
        numbers = self._numbers_of.get(kind, {}).get(node)
        while numbers and is_over(self._kept[self._index_of(numbers[0])]):
            self._remove(numbers[0])

    def append(self, event: T, kind: str, node: str) -> None:
        """Keep an event.

        @param node: whom it is about; empty for nobody.
        """
        numbers = self._numbers_of.get(kind, {}).get(node)
        if node and numbers and len(numbers) >= MAX_OF_ONE:
            self._remove(numbers[0])
        elif len(self._kept) >= self._maximum:
            self._remove(self._oldest_of_the_most())
        self._kept.append(event)
        self._sources.append((kind, node))
        self._count_of[kind] += 1
        # It may have been the last of its source that was removed.
        self._numbers_of.setdefault(kind, {}).setdefault(node, deque()).append(event.seq)

    def _oldest_of_the_most(self) -> int:
        kind = max(self._count_of, key=self._count_of.__getitem__)
        of_nodes = self._numbers_of[kind].values()
        most = max(map(len, of_nodes))
        return min(numbers[0] for numbers in of_nodes if len(numbers) == most)

    def _index_of(self, number: int) -> int:
        return bisect_left(self._kept, number, key=attrgetter("seq"))

    def _remove(self, number: int) -> None:
        """Remove the one of that number, which is the oldest of its kind and node."""
        index = self._index_of(number)
        del self._kept[index]
        kind, node = self._sources.pop(index)
        of_nodes = self._numbers_of[kind]
        of_nodes[node].popleft()
        if not of_nodes[node]:
            del of_nodes[node]
        self._count_of[kind] -= 1
        if not self._count_of[kind]:
            del self._count_of[kind], self._numbers_of[kind]
