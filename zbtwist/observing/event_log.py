"""The last events of this program, with numbers to ask for what came after one.

The control API shows them to people who cannot see the log, and to programs that follow them. They
are what is published on the bus, and whatever else is said in the log. Each is turned into text and
plain values when it comes, so that nothing it speaks of is kept alive; the text is cleaned and cut,
and the number of events is bounded, of all and of one kind and node; see `zbtwist.observing.ring`.

Frames, which the `zbtwist.observing.tracer` shows when asked to, are events too. They come by the
hundred, so they have a ring of their own, and push nothing else out; the numbers are those of one
sequence. Whoever follows the events has no queue, only a number: the rings are the queue of
everybody, and a number that is missing is an event that was forgotten.
"""

from __future__ import annotations

import secrets
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from threading import Lock

from twisted.application.service import Service
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    LogPublisher,
    formatEvent,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.network.node import Node
from zbtwist.observing.ring import FairRing
from zbtwist.runtime.event_bus import Event, EventBus, Plain
from zbtwist.xbee.address import format_address64

#: How many events of the log are kept, and how many frames.
MAX_EVENTS = 1000
MAX_FRAMES = 1000

#: Seconds that an event is kept which happens again and again, if another one comes; programs that
#: follow ask once a second, and more than one may come at once.
REPEATS_KEPT = 10.0

#: The longest text of one event, in bytes of UTF-8.
MAX_TEXT = 1024

#: What an event can be: a line of the log, or a frame.
LOG = "log"
FRAME = "frame"

_NAMESPACE = "zbtwist"
_WARNINGS = frozenset(("warn", "error", "critical"))
_NO_VALUES: Mapping[str, Plain] = {}
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that is kept.

    @ivar seq: its number; the first event of a run of the program has 1.
    @ivar time: seconds since 1970.
    @ivar level: ``info``, ``warn``, ``error`` or ``critical``; ``debug`` for a frame.
    @ivar text: one line without control characters, at most `MAX_TEXT` bytes of UTF-8.
    @ivar kind: `LOG` or `FRAME`.
    @ivar name: what it is called for programs; empty for a line of the log that is no event of the
        bus, and for a frame.
    @ivar values: what else is to be known of it.
    @ivar address: the node that it is about; empty for none.
    """

    seq: int
    time: float
    level: str
    text: str
    kind: str = LOG
    name: str = ""
    values: Mapping[str, Plain] = field(default_factory=dict)
    address: str = ""

    def told(self) -> dict[str, object]:
        """Return what programs that follow are told of it; see docs/events.rst."""
        told: dict[str, object] = {
            "seq": self.seq,
            "time": self.time,
            "level": self.level,
            "text": self.text,
        }
        return {**told, "event": self.name, **self.values} if self.name else told


def told_of_gap(lost: int) -> dict[str, object]:
    """Return what they are told in place of events that they have missed."""
    events = f"{lost} event{'s' * (lost != 1)}"
    return {"lost": lost, "text": f"{events} came too quickly, or too long ago, and are forgotten."}


@implementer(ILogObserver)
class EventLog:
    """Keeps the last events of this program that matter: level info and above, and frames.

    @ivar last_seq: the number of the latest event, 0 if there was none.
    @ivar warnings: how many of them so far were warnings, errors, or worse.
    @ivar run: names this run of the program: another one gives the same numbers to other events.
    """

    def __init__(
        self, bus: EventBus, maximum: int = MAX_EVENTS, maximum_frames: int = MAX_FRAMES
    ) -> None:
        """
        @param bus: what is published there is kept.
        @param maximum: how many events are kept.
        @param maximum_frames: how many frames.
        """
        self.last_seq = 0
        self.warnings = 0
        self.run = secrets.token_hex(4)
        self._events: FairRing[Entry] = FairRing(maximum)
        self._frames: deque[Entry] = deque(maxlen=maximum_frames)
        # Whoever logs in another thread calls the observers there.
        self._lock = Lock()
        bus.subscribe(Event, self._happened)

    def _happened(self, event: Event) -> None:
        level = event.level
        if level is not None:
            values = {name: _short(value) for name, value in event.values().items()}
            node = str(values.get("address", ""))
            text = one_line(str(event))
            with self._lock:
                entry = self._next(time.time(), level.name, text, LOG, event.name, values, node)
                kind = event.name
                if event.is_repeat:
                    kind += " again"
                    # Whoever follows has seen those.
                    seen = entry.time - REPEATS_KEPT
                    self._events.forget(kind, node, lambda kept: kept.time < seen)
                self._events.append(entry, kind, node)

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if isinstance(event.get("event"), Event):
            # It has come from the bus.
            return
        if level is None or level < LogLevel.info or not _is_ours(event.get("log_namespace")):
            return
        when = float(event.get("log_time") or time.time())
        text = text_of(event)
        node = event.get("node")
        address = format_address64(node.address64) if isinstance(node, Node) else ""
        with self._lock:
            entry = self._next(when, level.name, text, LOG, address=address)
            self._events.append(entry, str(event.get("log_format")), "")

    def frame(self, when: float, text: str, address: str = "") -> None:
        """Keep a frame.

        @param when: seconds since 1970.
        @param text: the frame in words.
        @param address: whose it is; empty for nobody's.
        """
        text = one_line(text)
        with self._lock:
            self._frames.append(self._next(when, "debug", text, FRAME, address=address))

    def _next(
        self,
        when: float,
        level: str,
        text: str,
        kind: str,
        name: str = "",
        values: Mapping[str, Plain] = _NO_VALUES,
        address: str = "",
    ) -> Entry:
        self.last_seq += 1
        self.warnings += level in _WARNINGS
        return Entry(self.last_seq, when, level, text, kind, name, values, address)

    def since(self, seq: int, maximum: int | None = None) -> list[Entry]:
        """Return the events after the one numbered `seq`, oldest first.

        @param maximum: return only so many, the oldest of them, and look at twice as many at the
            most; None returns all.

        Numbers that are missing after `seq` and in between are of events that are forgotten. A
        number that was not given yet is of an earlier run of the program: then all events are
        returned, the first of which has no higher number than `seq`.
        """
        with self._lock:
            if seq > self.last_seq:
                seq = 0
            events = _later(self._events, seq, maximum)
            frames = _later(self._frames, seq, maximum)
        if not frames:
            return events
        return sorted(events + frames, key=attrgetter("seq"))[:maximum]


def _later(ring: FairRing[Entry] | deque[Entry], seq: int, maximum: int | None) -> list[Entry]:
    """Return what came after `seq`."""
    first = bisect_right(ring, seq, key=attrgetter("seq"))
    last = len(ring) if maximum is None else min(len(ring), first + maximum)
    # One by one: to slice a deque is to walk to where the slice begins.
    return [ring[index] for index in range(first, last)]


class Follower:
    """Takes the events one after the other, at its own pace; if it is too slow, it loses some.

    @ivar seq: the number of the last event that was taken or lost.
    """

    def __init__(self, events: EventLog, seq: int | None = None) -> None:
        """
        @param seq: begin after this number; None begins with the oldest event there is.
        """
        self._events = events
        if seq is None:
            oldest = events.since(0, 1)
            seq = oldest[0].seq - 1 if oldest else events.last_seq
        self.seq = seq if seq <= events.last_seq else 0

    def take(self, maximum: int) -> tuple[int, list[Entry]]:
        """
        @param maximum: how many events to take at most.
        @return: how many events were lost before or among those that follow, and the next events.
        """
        if self.seq == self._events.last_seq:
            return 0, []
        taken = self._events.since(self.seq, maximum)
        if not taken:
            return 0, []
        lost = taken[-1].seq - self.seq - len(taken)
        self.seq = taken[-1].seq
        return lost, taken


class EventLogService(Service):
    """Has an `EventLog` observe the log of the program while it runs."""

    def __init__(self, events: EventLog, publisher: LogPublisher = globalLogPublisher) -> None:
        """
        @param publisher: the log to observe.
        """
        self.events = events
        self._publisher = publisher

    def startService(self) -> None:
        super().startService()
        self._publisher.addObserver(self.events)

    def stopService(self) -> None:
        super().stopService()
        self._publisher.removeObserver(self.events)


def _is_ours(namespace: object) -> bool:
    return isinstance(namespace, str) and f"{namespace}.".startswith(f"{_NAMESPACE}.")


def text_of(event: LogEvent) -> str:
    """Return a line of the log as `one_line` has it."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        # The log itself has the traceback; here a line must do.
        text = f"{text}: {type(failure.value).__name__}: {failure.getErrorMessage()}"
    return one_line(text)


def _short(value: Plain) -> Plain:
    return one_line(value) if isinstance(value, str) else value


def one_line(text: str) -> str:
    """Return a text without control characters and line ends, cut to `MAX_TEXT` bytes."""
    # Cut first: what is long may be very long.
    text = text[: MAX_TEXT + 1]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)
    encoded = text.encode("utf-8")
    if len(encoded) <= MAX_TEXT:
        return text
    room = MAX_TEXT - len(_ELLIPSIS.encode("utf-8"))
    return encoded[:room].decode("utf-8", "ignore") + _ELLIPSIS
