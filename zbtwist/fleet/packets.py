"""The packets to nodes that are under way, over all sites: what becomes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.stream_messages import Answer
from zbtwist.radio.histogram import Histogram
from zbtwist.xbee.frames import TransmitStatus

if TYPE_CHECKING:
    from zbtwist.fleet.site import Site
    from zbtwist.fleet.way import NodeWay

#: Seconds between two looks at those that are under way.
LOOK = 1.0

#: Seconds after which one that was not answered is said again.
SAY_AGAIN = 2.0

#: Seconds without an answer to one, and without anything else of its site, after which the site is
#: asked whether it is there: its process may stand still, and the broker tell of nothing.
SILENCE = 6.0


class Pending:
    """A packet that is under way.

    @ivar message: what was published.
    @ivar way: whose it is.
    @ivar settled: fires when it is known what became of it.
    @ivar sent_at: when it was published for the first time, seconds of the clock.
    @ivar said_at: when it was for the last time.
    @ivar deadline: until when the answer is waited for.
    """

    __slots__ = ("deadline", "message", "said_at", "sent_at", "settled", "way")

    def __init__(
        self,
        message: Message,
        way: NodeWay,
        settled: Deferred[TransmitStatus],
        now: float,
        seconds: float,
    ) -> None:
        self.message = message
        self.way = way
        self.settled = settled
        self.sent_at = self.said_at = now
        self.deadline = now + seconds


class Packets:
    """
    @ivar topic: where it is answered what became of them.
    @ivar pending: they, by correlation data. There are no more of them than nodes, each with its
        window.
    @ivar seconds: how long they took.
    @ivar late: answers that nobody waited for.
    """

    def __init__(
        self, clock: IReactorTime, broker: IBroker, topic: str, hub: str, seconds: Histogram
    ) -> None:
        """
        @param hub: the hub's id, which nobody can guess.
        """
        self._clock = clock
        self._broker = broker
        self._hub = hub
        self.topic = topic
        self.pending: dict[bytes, Pending] = {}
        self.seconds = seconds
        self.late = 0
        self._streams = 0
        self._watch: IDelayedCall | None = None
        broker.subscribe(topic, self._answered, at_most_once=True)

    def stop(self) -> None:
        """Look at nothing any more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def new_stream(self) -> str:
        """Return the name of a stream that there never was."""
        self._streams += 1
        return f"{self._hub}-{self._streams}"

    def publish(self, message: Message) -> bool:
        """Say something of a packet; see `IBroker.publish`."""
        return self._broker.publish(message)

    def now(self) -> float:
        """Seconds of the clock."""
        return self._clock.seconds()

    def add(self, name: bytes, pending: Pending) -> None:
        """A packet is under way."""
        self.pending[name] = pending
        if self._watch is None:
            self._watch = self._clock.callLater(LOOK, self._look)

    def _look(self) -> None:
        self._watch = None
        now = self._clock.seconds()
        unanswered: dict[NodeWay, None] = {}
        silent: dict[Site, None] = {}
        for name, pending in list(self.pending.items()):
            if pending.deadline <= now:
                if self.pending.get(name) is pending:
                    pending.way.timed_out(name, pending)
            elif pending.said_at <= now - SAY_AGAIN:
                unanswered[pending.way] = None
            site = pending.way.site
            if site is not None and max(pending.sent_at, site.heard_at) <= now - SILENCE:
                silent[site] = None
        for way in unanswered:
            way.ask_and_say_again(now - SAY_AGAIN)
        for site in silent:
            site.look()
        if self.pending and self._watch is None:
            self._watch = self._clock.callLater(LOOK, self._look)

    def _answered(self, message: Message) -> None:
        name = message.correlation_data or b""
        pending = self.pending.get(name)
        answer = None if pending is None else Answer.parse(message.payload)
        if pending is None or answer is None:
            self.late += 1
        else:
            pending.way.answered(name, pending, answer)
