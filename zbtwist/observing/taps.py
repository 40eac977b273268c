"""Looking on at the streams of nodes: the last packets each way, for whoever asks again and again,
or wants to be told that there is something to ask for.

A tap is no client. It takes nothing from what is kept for the next one, nobody is reset for it, and
a port that is full is none the fuller. It begins when somebody asks for the first time, and ends
when nobody follows it, or has asked, for `LEASE` seconds; nothing is observed while there is none.

As with events, whoever looks on has a number and no queue: the ring is the queue of everybody, and
a number that is missing is a packet that was forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.network.events import BytesPassed, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus

#: How many nodes are looked on at once, and how many packets of each are kept: of 255 bytes at the
#: most (90002002, "NP"), so 8 MB in all.
MAX_TAPS = 32
MAX_PACKETS = 1000

#: Seconds after which nobody looks on any more.
LEASE = 60.0


class TooManyTaps(Exception):
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A packet that has passed.

    @ivar seq: its number; the first that a tap sees has 1.
    @ivar time: seconds since 1970.
    @ivar direction: `zbtwist.network.events.FROM_NODE` or `TO_NODE`.
    """

    seq: int
    time: float
    direction: str
    data: bytes


class Tap:
    """Of one node.

    @ivar last_seq: the number of the latest packet, 0 if there was none.
    @ivar asked_at: when somebody asked for the last time, seconds of the clock.
    @ivar key: what no other tap has, of this run or of another: whoever asks again sees by it
        whether its numbers are of this one.
    @ivar followers: what is called with each packet, and when it ends.
    @ivar is_over: nothing more is kept.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.asked_at = 0.0
        self.key = token_hex(4)
        self.followers: list[Callable[[], object]] = []
        self.is_over = False
        self._packets: deque[Passed] = deque(maxlen=MAX_PACKETS)

    def passed(self, event: BytesPassed) -> None:
        """Keep a packet."""
        self.last_seq += 1
        self._packets.append(Passed(self.last_seq, event.time, event.direction, event.data))
        for tell in self.followers:
            tell()

    def since(self, seq: int) -> list[Passed]:
        """Return the packets after a number; one that was not given yet is of an earlier tap."""
        if seq > self.last_seq:
            seq = 0
        return [packet for packet in self._packets if packet.seq > seq]


class Taps(Service):
    """All there are."""

    def __init__(self, clock: IReactorTime, bus: EventBus) -> None:
        self._clock = clock
        self._bus = bus
        self._taps: dict[Node, Tap] = {}
        self._timer: IDelayedCall | None = None
        bus.subscribe(NodeForgotten, lambda event: self._end(event.node))

    def of(self, node: Node) -> Tap:
        """Return the tap of a node, which begins now if there is none.

        @raise TooManyTaps: there are too many others.
        """
        tap = self._taps.get(node)
        if tap is None:
            if len(self._taps) >= MAX_TAPS:
                raise TooManyTaps(f"{len(self._taps)} nodes are being watched already.")
            if not self._taps:
                self._bus.subscribe(BytesPassed, self._passed)
                self._timer = self._clock.callLater(LEASE, self._look)
            tap = self._taps[node] = Tap()
        tap.asked_at = self._clock.seconds()
        return tap

    def follow(self, node: Node, tell: Callable[[], object]) -> Tap:
        """Return the tap of a node, which lasts until it is no longer followed, or the node is no
        more: see `unfollow`.

        @param tell: called with each packet, so it should do next to nothing; and when it is over.
        @raise TooManyTaps: there are too many others.
        """
        tap = self.of(node)
        tap.followers.append(tell)
        return tap

    def unfollow(self, tap: Tap, tell: Callable[[], object]) -> None:
        """Follow it no more. It is there for `LEASE` seconds yet, for who comes back."""
        tap.followers.remove(tell)
        tap.asked_at = self._clock.seconds()

    def stopService(self) -> None:
        super().stopService()
        for node in list(self._taps):
            self._end(node)

    def _passed(self, event: BytesPassed) -> None:
        tap = self._taps.get(event.node)
        if tap is not None:
            tap.passed(event)

    def _end(self, node: Node) -> None:
        tap = self._taps.pop(node, None)
        if tap is None:
            return
        tap.is_over = True
        if not self._taps:
            self._bus.unsubscribe(BytesPassed, self._passed)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for tell in tap.followers:
            tell()

    def _look(self) -> None:
        """End those that nobody asks any more."""
        self._timer = self._clock.callLater(LEASE, self._look)
        now = self._clock.seconds()
        for node, tap in list(self._taps.items()):
            if not tap.followers and now - tap.asked_at >= LEASE:
                self._end(node)
