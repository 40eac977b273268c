"""The last events of this program, with numbers to ask for what came after one.

The control API shows them to people who cannot see the log. Each event is turned into text when it
comes, so that nothing it speaks of is kept alive; the text is cleaned and cut, and the number of
events is bounded.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
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

#: How many events are kept.
MAXIMUM_EVENTS = 1000

#: The longest text of one event, in bytes of UTF-8.
MAXIMUM_TEXT = 1024

_NAMESPACE = "zbtwist"
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Event:
    """
    @ivar seq: its number; the first event of a run of the program has 1.
    @ivar time: seconds since 1970.
    @ivar level: ``info``, ``warn``, ``error`` or ``critical``.
    @ivar text: one line without control characters, at most `MAXIMUM_TEXT` bytes of UTF-8.
    """

    seq: int
    time: float
    level: str
    text: str


@implementer(ILogObserver)
class EventLog:
    """Keeps the last events of this program that matter: level info and above.

    @ivar last_seq: the number of the latest event, 0 if there was none.
    """

    def __init__(self, maximum: int = MAXIMUM_EVENTS) -> None:
        """
        @param maximum: how many events are kept.
        """
        self.last_seq = 0
        self._events: deque[Event] = deque(maxlen=maximum)
        # Whoever logs in another thread calls the observers there.
        self._lock = Lock()

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if level is None or level < LogLevel.info or not _is_ours(event.get("log_namespace")):
            return
        text = _text(event)
        with self._lock:
            self.last_seq += 1
            when = float(event.get("log_time") or time.time())
            self._events.append(Event(self.last_seq, when, level.name, text))

    def since(self, seq: int) -> list[Event]:
        """Return the events after the one numbered `seq`, oldest first.

        If the first of them does not have the number ``seq + 1``, those in between are forgotten.
        A number that was not given yet is of an earlier run of the program: then all events are
        returned, the first of which has no higher number than `seq`.
        """
        with self._lock:
            if seq > self.last_seq:
                seq = 0
            return [event for event in self._events if event.seq > seq]


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


def _text(event: LogEvent) -> str:
    text = formatEvent(event)
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        # The log itself has the traceback; here a line must do.
        text = f"{text}: {type(failure.value).__name__}: {failure.getErrorMessage()}"
    # Cut first: what is long may be very long.
    text = text[: MAXIMUM_TEXT + 1]
    text = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)
    encoded = text.encode("utf-8")
    if len(encoded) <= MAXIMUM_TEXT:
        return text
    room = MAXIMUM_TEXT - len(_ELLIPSIS.encode("utf-8"))
    return encoded[:room].decode("utf-8", "ignore") + _ELLIPSIS
