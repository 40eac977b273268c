"""What the broker keeps for whoever subscribes later: said when it has changed, and again on each
connection.

Whoever has something to say under a topic says how it is made. It is made when its turn has come:
so of what changes a hundred times a second the last is said, once in `INTERVAL`, and of what is the
same as before nothing. A turn is short, so that five hundred nodes hold nobody up and do not fill
the connection's queue; if that is full, they wait. While there is no connection nothing is made and
nothing is remembered: all is said anew on the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.site.in_json import CONTENT_TYPE

#: Seconds from one message under a topic to the next.
INTERVAL = 1.0

#: Seconds for which changes are gathered that come after a rest.
GATHER = 0.05

#: Topics that are looked at in one turn, and seconds to the next one.
SLICE = 50
PAUSE = 0.02

#: Seconds until it is tried again when the connection's queue is full, at first and at last.
FULL_PAUSE = 0.5
LONGEST_PAUSE = 30.0

#: Makes what is said: JSON; nothing if the broker is to keep nothing.
Make: TypeAlias = Callable[[], bytes]

#: A topic, and what makes what is said there.
Saying: TypeAlias = tuple[str, Make]


def nothing() -> bytes:
    """What is said in place of what is to be forgotten."""
    return b""


class Retained:
    """Says it."""

    log = Logger()

    def __init__(self, clock: IReactorTime, broker: IBroker) -> None:
        self._clock = clock
        self._broker = broker
        # What the broker has: hashes of it by topic; None for what it had before this connection.
        self._kept: dict[str, int | None] = {}
        # There are no more of these than topics.
        self._due: dict[str, Make] = {}
        self._batch: dict[str, Make] = {}
        # What is said besides, one after the other when there is time.
        self._rest: deque[tuple[Iterator[Saying], bool]] = deque()
        self._began = -INTERVAL
        self._is_full = False
        # How often in a row nothing could be said.
        self._tries = 0
        self._timer: IDelayedCall | None = None
        self._left: Callable[[], None] | None = None

    def __contains__(self, topic: str) -> bool:
        """Whether the broker keeps something under that topic, as far as is known."""
        return topic in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self) -> None:
        """There is a connection, and it is not known what the broker has."""
        self._forget()

    def end(self) -> None:
        """There is none any more."""
        self._forget()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for part in (self._kept, self._due, self._batch, self._rest):
            part.clear()
        self._is_full = False
        self._tries = 0
        left, self._left = self._left, None
        if left is not None:
            left()

    def say(self, topic: str, make: Make) -> None:
        """Say something soon, if it is not what was said last."""
        if self._broker.is_connected and self._left is None:
            self._due[topic] = make
            self._plan()

    def say_all(self, sayings: Iterator[Saying], is_news: bool = False) -> None:
        """Say what it yields, when there is time.

        @param is_news: it may be other than what was said on this connection; else nothing is made
            for topics under which something was.
        """
        if self._broker.is_connected and self._left is None:
            self._rest.append((sayings, is_news))
            self._plan()

    def empty(self, topic: str) -> None:
        """Have the broker keep nothing under a topic."""
        self.say(topic, nothing)

    def had(self, topic: str) -> None:
        """The broker has kept something under that topic, which is to stay for now."""
        self._kept.setdefault(topic, None)

    def is_other(self, topic: str) -> None:
        """The broker has something else under that topic than was said."""
        if topic in self._kept:
            self._kept[topic] = None

    def leave(self, done: Callable[[], None]) -> None:
        """Have the broker keep nothing of all that is known, and say nothing more.

        @param done: is called when that is said, or the connection is lost.
        """
        self._due.clear()
        self._batch.clear()
        self._rest.clear()
        self._rest.append((((topic, nothing) for topic in list(self._kept)), True))
        self._left = done
        if self._broker.is_connected:
            self._plan()
        else:
            self._forget()

    def drained(self) -> None:
        """What waited for the broker is with it."""
        self._tries = 0
        if self._is_full and self._timer is not None:
            self._timer.reset(PAUSE)

    # --- turns -----------------------------------------------------------------------------------

    def _plan(self) -> None:
        if self._timer is not None or not self._broker.is_connected:
            return
        if self._is_full:
            delay = min(FULL_PAUSE * 1.5 ** min(self._tries, 16), LONGEST_PAUSE)
        elif self._batch or self._rest:
            delay = PAUSE
        elif self._due:
            # The clock may have been set.
            since = max(0.0, self._clock.seconds() - self._began)
            delay = max(GATHER, INTERVAL - since)
        else:
            return
        self._timer = self._clock.callLater(delay, self._turn)

    def _turn(self) -> None:
        self._timer = None
        self._is_full = False
        now = self._clock.seconds()
        if not self._batch and self._due and not 0 <= now - self._began < INTERVAL:
            self._batch, self._due = self._due, self._batch
            self._began = now
        refused: list[Saying] = []
        was_said = True
        for _ in range(SLICE):
            # Half of the connection's queue is for what cannot wait.
            if self._broker.is_full:
                was_said = False
                break
            saying = self._next()
            if saying is None:
                break
            topic, make, is_news = saying
            if not is_news and self._kept.get(topic) is not None:
                continue
            if self._said(topic, make):
                was_said, self._tries = True, 0
                continue
            refused.append((topic, make))
            if not was_said:
                break
            was_said = False
        # One alone among others is larger than the broker takes: if it changes it is tried again.
        self._is_full = not was_said
        if self._is_full:
            self._tries += 1
            # Whatever is said of it meanwhile is newer.
            for topic, make in refused:
                self._batch.setdefault(topic, make)
        if self._left is not None and not self._rest and not self._batch:
            self._forget()
        else:
            self._plan()

    def _next(self) -> tuple[str, Make, bool] | None:
        """Return what is to be said next, and whether it may be other than what was said."""
        if self._batch:
            topic = next(iter(self._batch))
            make = self._batch.pop(topic)
            return topic, self._due.pop(topic, make), True
        while self._rest:
            sayings, is_news = self._rest[0]
            found = next(sayings, None)
            if found is not None:
                return *found, is_news
            # It may have ended what it was in.
            if self._rest:
                self._rest.popleft()
        return None

    def _said(self, topic: str, make: Make) -> bool:
        """Say something if it is news; return whether that could be done."""
        try:
            payload = make()
        except Exception:
            self.log.failure("What is to be said at the broker under {topic} failed", topic=topic)
            return True
        digest = hash(payload)
        if payload and self._kept.get(topic) == digest:
            return True
        message = Message(
            topic, payload, retained=True, content_type=CONTENT_TYPE if payload else ""
        )
        # With QoS 0: what waits for confirmations waits behind all that a broker has to say.
        if not self._broker.publish(message):
            return False
        if payload:
            self._kept[topic] = digest
        else:
            self._kept.pop(topic, None)
        return True
