"""The time of a simulated network: what is to happen later, and what in which order."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from zbtwist.simulator.air import ITimekeeper

#: The least time between two arrivals on one way, in seconds: it keeps their order.
_SPACING = 1e-6


@implementer(ITimekeeper)
class Timekeeper:
    """Calls functions by a clock, and knows all that are to come."""

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: the reactor, or a `task.Clock`.
        """
        self.clock = clock
        self._born = clock.seconds()
        self._calls: set[IDelayedCall] = set()
        self._last_arrival: dict[Hashable, float] = {}

    @property
    def age(self) -> float:
        """Seconds since the beginning."""
        return self.clock.seconds() - self._born

    def seconds(self) -> float:
        return self.clock.seconds()

    def call_later(
        self, delay: float, function: Callable[..., object], *args: object
    ) -> IDelayedCall:
        """Like the clock's `callLater`, but `cancel_all` cancels it; cancel it with `cancel`."""

        def run() -> None:
            self._calls.discard(call)
            function(*args)

        call = self.clock.callLater(delay, run)
        self._calls.add(call)
        return call

    def cancel(self, call: IDelayedCall | None) -> None:
        """Cancel what `call_later` gave, if it is still to come."""
        if call is not None and call in self._calls:
            self._calls.discard(call)
            call.cancel()

    def cancel_all(self) -> None:
        """Leave nothing in the clock."""
        for call in list(self._calls):
            self.cancel(call)

    def in_order(self, way: Hashable, delay: float, function: Callable[[], object]) -> None:
        """Call a function in `delay` seconds, but after what came before on the same way.

        @param way: any name for it.
        """
        now = self.clock.seconds()
        due = max(now + delay, self._last_arrival.get(way, float("-inf")) + _SPACING)
        self._last_arrival[way] = due

        def call() -> None:
            # A way that nothing is on any more needs no place.
            if self._last_arrival.get(way) == due:
                del self._last_arrival[way]
            function()

        self.call_later(due - now, call)
