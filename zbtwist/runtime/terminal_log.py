"""The log for a person at a terminal: one line an event, with the time of day, and no word on which
part of the program says it; what matters is coloured, and said in a word for whoever sees none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

#: What stands before a line of a level, and the parameters of its colour (ECMA-48, "SGR").
_WORDS: dict[Any, tuple[str, str]] = {
    LogLevel.warn: ("warning: ", "33"),
    LogLevel.error: ("error: ", "31"),
    LogLevel.critical: ("error: ", "1;31"),
}
_DIM = "2"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads what is written there, most likely."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        # It is closed.
        return False


def has_colours(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a terminal is to be written to in colours; see https://no-color.org."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"


@implementer(ILogObserver)
class TerminalObserver:
    """Writes the log of Twisted to a terminal."""

    def __init__(self, stream: TextIO, is_coloured: bool) -> None:
        self._stream = stream
        self._is_coloured = is_coloured

    def __call__(self, event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not text:
            return
        word, colour = _WORDS.get(event.get("log_level"), ("", ""))
        when = datetime.fromtimestamp(event.get("log_time", 0.0))
        lines = [_clean(line) for line in text.splitlines()]
        # A traceback has more of them.
        shown = "\n".join([self._in(colour, f"{word}{lines[0]}"), *lines[1:]])
        self._stream.write(f"{self._in(_DIM, f'{when:%Y-%m-%d %H:%M:%S}')}  {shown}\n")
        self._stream.flush()

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if colour and self._is_coloured else text


def _clean(line: str) -> str:
    """Return a line without what could move the cursor: names are chosen by whoever has a radio."""
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in line)
