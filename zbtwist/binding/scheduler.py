"""Whose packet the radio gets next: all nodes take turns, a packet each.

The radio has few buffers, so it is given at most `limit` packets at once. A node that has something
to send asks for its turn and waits in a queue; after a packet it asks again and is at its end. So a
bulk transfer to one node delays another by a packet in each turn and no more.

A packet may stay with the radio for long: its node sleeps, or has to be looked for. After `SLOW`
seconds it does not count against the limit any more, if somebody else waits; the radio has set it
aside as well. `MAX_IN_FLIGHT` is the limit of all.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.radio.requests import IDS_FOR_DATA
from zbtwist.runtime.early import EARLY

#: Seconds after which a packet gives its place to another one.
SLOW = 1.0

#: Packets that the radio may have at once, the slow ones among them.
MAX_IN_FLIGHT = IDS_FOR_DATA

#: For a radio that has no such bounds.
UNLIMITED = 1 << 30

#: Packets that fit into a module's buffers for sure, by default.
DEFAULT_LIMIT = 4


class Sender(Protocol):
    """Who takes turns."""

    def send_next(self) -> None:
        """It is your turn: send a packet, if there is one to be sent now. Say `sent` of it when
        it is sent, and `done` when the radio is done with it.
        """


class TransmitScheduler:
    """
    @ivar are_free: whether a sender may send a packet without asking, since nobody waits.
    @ivar most: packets that the radio is given at once, the slow ones among them.
    """

    def __init__(self, clock: IReactorTime, limit: int = DEFAULT_LIMIT) -> None:
        self._clock = clock
        self.most = MAX_IN_FLIGHT
        self.are_free = True
        self._limit = limit
        self._queue: deque[Sender] = deque()
        self._queued: set[Sender] = set()
        # When each packet was sent, by what stands for it; the oldest first.
        self._quick: dict[object, float] = {}
        self._slow: set[object] = set()
        self._timer: IDelayedCall | None = None
        self._going = False

    @property
    def limit(self) -> int:
        """Packets that the radio is given at once, without the slow ones."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._look()

    @property
    def in_flight(self) -> int:
        """Packets that the radio has."""
        return len(self._quick) + len(self._slow)

    @property
    def waiting(self) -> int:
        """Senders that wait for their turn."""
        return len(self._queue)

    def ask(self, sender: Sender) -> None:
        """A sender wants a turn; it may have it at once."""
        if sender not in self._queued:
            self._queued.add(sender)
            self._queue.append(sender)
            self.are_free = False
        self.go()

    def _look(self) -> None:
        quick = len(self._quick)
        has_place = quick < self._limit and quick + len(self._slow) < self.most
        self.are_free = has_place and not self._queue

    def done(self, packet: object) -> None:
        """The radio does not have a packet any more."""
        if self._quick.pop(packet, None) is None:
            self._slow.discard(packet)
        if self._queue:
            self.go()
        self._look()

    def go(self) -> None:
        """Give turns while there is room; the senders may call back meanwhile."""
        if self._going:
            return
        self._going = True
        try:
            while self._queue and len(self._quick) < self._limit and self.in_flight < self.most:
                sender = self._queue.popleft()
                self._queued.discard(sender)
                sender.send_next()
        finally:
            self._going = False
            self._look()
        if self._queue and self._timer is None and self._quick:
            self._watch()

    def sent(self, packet: object, now: float) -> None:
        """A sender has just given the radio a packet, and does not know yet what becomes of it.

        @param now: seconds of the clock.
        """
        quick = self._quick
        quick[packet] = now
        if len(quick) >= self._limit or len(quick) + len(self._slow) >= self.most:
            self.are_free = False

    def stop(self) -> None:
        """Give no more turns."""
        self._queue.clear()
        self._queued.clear()
        self._look()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        oldest = next(iter(self._quick.values()))
        self._timer = self._clock.callLater(
            max(0.0, oldest + SLOW - self._clock.seconds()), self._set_aside
        )

    def _set_aside(self) -> None:
        self._timer = None
        since = self._clock.seconds() - SLOW
        for packet, taken_off in list(self._quick.items()):
            if taken_off > since + EARLY:
                break
            del self._quick[packet]
            self._slow.add(packet)
        self.go()
