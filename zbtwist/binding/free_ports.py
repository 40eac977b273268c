"""Which TCP port is the lowest that may be given, without a look at all that may not.

A range of ports is gone through once, from its beginning. What may not be given then is not looked
at again until it is said to be free; such ports wait in a heap. So the next one costs no more with
thousands that are taken than with none.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from twisted.internet.interfaces import IReactorTime

#: Seconds for which a port that another program has is not tried for new nodes.
PASS_OVER = 60.0


class FreePorts:
    """The ports of a range. A port is free as long as it `may_be_given`, and was not passed over a
    while ago.

    @ivar base: the first of the range.
    @ivar last: the last one.
    """

    def __init__(self, clock: IReactorTime, may_be_given: Callable[[int], bool]) -> None:
        """There is none until `set_range`.

        @param may_be_given: whether nobody has that port, and it is kept for nobody. Of one that
            may be given again `came_back` must be told.
        """
        self._clock = clock
        self._may_be_given = may_be_given
        self.base, self.last = 1, 0
        # Those below have been gone through.
        self._next = self.base
        # Of those below: all that are free are among them, and each is there once at the most.
        self._back: list[int] = []
        self._is_back: set[int] = set()
        # Until when a port is not tried: by port, and as a heap.
        self._passed_over: dict[int, float] = {}
        self._waiting: list[tuple[float, int]] = []

    def set_range(self, base: int, last: int) -> None:
        """Begin anew, with these ports; also if others may be given than before."""
        self.base, self.last = base, last
        self._next = base
        self._back.clear()
        self._is_back.clear()

    def lowest(self) -> int | None:
        """Return the lowest free port, None if there is none. It stays free until it may not be
        given any more, or is passed over.
        """
        self._wait_no_more()
        while self._back and not self._is_free(self._back[0]):
            self._is_back.discard(heappop(self._back))
        if self._back:
            return self._back[0]
        while self._next <= self.last and not self._is_free(self._next):
            self._next += 1
        return self._next if self._next <= self.last else None

    def came_back(self, number: int) -> None:
        """A port may be given again."""
        if self.base <= number < self._next and number not in self._is_back:
            self._is_back.add(number)
            heappush(self._back, number)

    def pass_over(self, number: int) -> None:
        """Another program has a free port: leave it out for a while."""
        until = self._clock.seconds() + PASS_OVER
        self._passed_over[number] = until
        heappush(self._waiting, (until, number))

    def _is_free(self, number: int) -> bool:
        return number not in self._passed_over and self._may_be_given(number)

    def _wait_no_more(self) -> None:
        now = self._clock.seconds()
        while self._waiting and self._waiting[0][0] <= now:
            _, number = heappop(self._waiting)
            del self._passed_over[number]
            self.came_back(number)
