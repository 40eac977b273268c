"""The log's sentences: each event that matters to a person is a line.

What is published is said here and nowhere else. The sentence is made when somebody who writes a log
reads it.
"""

from __future__ import annotations

from twisted.logger import Logger, LogLevel

from zbtwist.runtime.event_bus import Event, EventBus


class LogLines:
    """Writes events into the log of the program."""

    def __init__(self, bus: EventBus) -> None:
        self._logs: dict[type[Event], Logger] = {}
        bus.subscribe(Event, self._say)

    def _say(self, event: Event) -> None:
        level = event.level
        if level is not None and level is not LogLevel.debug:
            kind = type(event)
            log = self._logs.get(kind)
            if log is None:
                log = self._logs[kind] = Logger(kind.__module__)
            log.emit(level, "{event}", event=event)
