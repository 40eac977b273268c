"""A node that goes on losing what clients send to it: told once in full, then with a count.

Each loss breaks the stream, and its clients are reset, come back, write, and are reset again. A day
of that would be all that the log has, and all that is kept of events. So from the second loss on
they are told to who follows the events, and of them the log has a line now and then with how many
there were, less and less often, and one when nothing was lost for `QUIET` seconds.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.binding.stream_events import LossesCounted
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus

#: Seconds between two looks, and from the first loss to the first count.
INTERVAL = 60.0

#: Seconds between two counts at the most; each time it is twice as long as before.
LONGEST_INTERVAL = 3600.0

#: Seconds without a loss after which it is over.
QUIET = 600.0


class Losses:
    """Those of one node."""

    __slots__ = (
        "_began_at",
        "_breaks",
        "_bus",
        "_bytes",
        "_clock",
        "_interval",
        "_last_at",
        "_node",
        "_reason",
        "_tell_at",
        "_timer",
        "_times",
        "_told",
    )

    def __init__(self, clock: IReactorTime, node: Node, bus: EventBus) -> None:
        self._clock = clock
        self._node = node
        self._bus = bus
        self._timer: IDelayedCall | None = None
        self._breaks = 0
        self._times = 0
        self._bytes = 0
        self._reason = ""
        self._began_at = self._last_at = 0.0
        # How many losses were told, when they are told again, and how long it is from then on.
        self._told = 0
        self._tell_at = 0.0
        self._interval = INTERVAL

    @property
    def goes_on(self) -> bool:
        """Whether it has lost something again, and may do so the next time."""
        return self._breaks > 1

    def happened(self, lost: int, reason: str, is_break: bool = True) -> None:
        """Something is lost.

        @param lost: bytes.
        @param reason: a sentence.
        @param is_break: whether the stream broke now; else it had before.
        """
        now = self._clock.seconds()
        if self._timer is None:
            self._breaks = self._times = self._bytes = 0
            self._began_at, self._told = now, 1
            self._interval, self._tell_at = INTERVAL, now + INTERVAL
            self._timer = self._clock.callLater(INTERVAL, self._look)
        self._breaks += is_break
        self._times += 1
        self._bytes += lost
        self._last_at, self._reason = now, reason

    def stop(self) -> None:
        """There will be no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if self.goes_on and self._times > self._told:
                self._tell(is_over=False)
            self._breaks = 0

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        if now - self._last_at >= QUIET:
            if self.goes_on:
                self._tell(is_over=True)
            self._breaks = 0
            return
        self._timer = self._clock.callLater(INTERVAL, self._look)
        if self.goes_on and self._times > self._told and now >= self._tell_at:
            self._interval = min(2 * self._interval, LONGEST_INTERVAL)
            self._tell_at = now + self._interval
            self._tell(is_over=False)

    def _tell(self, is_over: bool) -> None:
        self._told = self._times
        seconds = self._last_at - self._began_at
        self._bus.publish(
            LossesCounted(self._node, self._times, self._bytes, seconds, self._reason, is_over)
        )
