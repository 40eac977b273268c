"""The log as systemd's journal takes it: each line with its level, and without a time of its own.

What a service writes to its output is a line of the journal, and is of one level unless it begins
with ``<N>``, as the kernel's do; see sd-daemon(3) and systemd.exec(5), "SyslogLevelPrefix".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

#: The levels of syslog(3).
_PRIORITIES = {
    LogLevel.critical: 2,
    LogLevel.error: 3,
    LogLevel.warn: 4,
    LogLevel.info: 6,
    LogLevel.debug: 7,
}


def is_journal(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written there goes straight to the journal.

    A shell may have sent it elsewhere, and the environment does not know: so it is compared.
    """
    said = environment.get("JOURNAL_STREAM")
    if not said or stream is None:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return said == f"{status.st_dev}:{status.st_ino}"


def with_priority(text: str, level: Any = LogLevel.critical) -> str:
    """Return a text with its level before each line, and an end of the last one."""
    priority = _PRIORITIES.get(level, 6)
    return "".join(f"<{priority}>{line}\n" for line in text.splitlines())


@implementer(ILogObserver)
class JournalObserver:
    """Writes the log of Twisted to a stream that is the journal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if text:
            self._stream.write(with_priority(text, event.get("log_level", LogLevel.info)))
            self._stream.flush()
