"""What writes the log to an output of the program, in the way of whoever reads it."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO

from twisted.logger import ILogObserver, textFileLogObserver

from zbtwist.runtime.journal import JournalObserver, is_journal
from zbtwist.runtime.terminal_log import TerminalObserver, has_colours, is_terminal


def observer_of_output(stream: TextIO) -> ILogObserver:
    """
    @param stream: the standard output or the standard error: the journal, a person's terminal, or
        what is read later.
    """
    # An output that knows few letters gets question marks for the others; else nothing would come
    # of the line. It may be closed.
    with suppress(AttributeError):
        stream.reconfigure(errors="replace")  # type: ignore[attr-defined]
    if is_journal(stream):
        return JournalObserver(stream)
    if is_terminal(stream):
        return TerminalObserver(stream, has_colours())
    observer: ILogObserver = textFileLogObserver(stream)
    return observer
