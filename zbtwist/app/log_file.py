"""The log of `twistd zbgate`: its lines have a rate, and its file is ours in place of Twisted's.

Twisted's file becomes more and more files. After somebody has cut it (logrotate's copytruncate) it
goes on behind the old end, and the gap is zeros; after somebody has moved it (logrotate's usual
way) SIGUSR1 does nothing to it. This one is bounded, always written at its end, and opened anew.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.logger import (
    ILogObserver,
    LegacyLogObserverWrapper,
    Logger,
    textFileLogObserver,
)
from twisted.python.reflect import namedAny

from zbtwist.observing.log_rate import rated
from zbtwist.runtime.bounded_log_file import BoundedLogFile
from zbtwist.runtime.log_output import observer_of_output

#: Where twistd writes if it is not told.
DEFAULT_NAME = "twistd.log"


class TwistdLog:
    """What twistd calls to begin with the log: it can only be told by a name that can be imported.

    @ivar write: makes what writes the lines.
    @ivar reactor: times them.
    """

    name = f"{__name__}.twistd_log.observer"
    write: Callable[[], Any]
    reactor: Any

    def observer(self) -> ILogObserver:
        observer = self.write()
        if not ILogObserver.providedBy(observer):
            observer = LegacyLogObserverWrapper(observer)
        return rated(observer, self.reactor)


_log = Logger()

#: That of this program.
twistd_log = TwistdLog()


def take_log(twistd: Any, reactor: Any) -> None:
    """Have twistd write its log at our rates (see `zbtwist.observing.log_rate`), and where it would
    write a file of its own, into a `BoundedLogFile`.

    @param twistd: its options; they are changed.
    @param reactor: calls what a signal asks for, and times the lines.
    """
    write = _what_writes(twistd, reactor)
    if write is not None:
        twistd_log.write = write
        twistd_log.reactor = reactor
        twistd["logger"] = TwistdLog.name


def _what_writes(twistd: Any, reactor: Any) -> Callable[[], Any] | None:
    """Return what makes the observer of the log that twistd's options ask for; None if that is for
    twistd to say: it can fail, or there is no such option.
    """
    if "nodaemon" not in twistd:
        return None
    if twistd.get("logger"):
        try:
            made: Callable[[], Any] = namedAny(twistd["logger"])
        except Exception:
            return None
        return made
    if twistd.get("syslog"):
        return lambda: _syslog_observer(twistd.get("prefix") or "")
    path = twistd.get("logfile")
    # As `twisted.scripts._twistd_unix.UnixAppLogger` decides it.
    is_foreground = twistd.get("nodaemon") or twistd.get("debug")
    if path != "-" and (path or not is_foreground):
        return lambda: _file_observer(path or DEFAULT_NAME, reactor)
    return (lambda: observer_of_output(sys.stdout)) if is_foreground else None


def _syslog_observer(prefix: str) -> Any:
    # Not every system has it.
    from twisted.python.syslog import SyslogObserver

    return SyslogObserver(prefix).emit


def _file_observer(path: str, reactor: Any) -> ILogObserver:
    file = BoundedLogFile.fromFullPath(path)
    open_anew = partial(_open_anew, file)
    signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(open_anew))
    observer: ILogObserver = textFileLogObserver(file)
    return observer


def _open_anew(file: BoundedLogFile) -> None:
    try:
        file.reopen_or_rotate()
    except OSError as error:
        _log.warn(
            "The log file {path} cannot be opened anew: {reason}. The log goes on in the file that "
            "was moved away; mend that, and send SIGUSR1 again.",
            path=file.path,
            reason=error.strerror,
        )


class NoLogFile(Service):
    """Where the log is no file, says so on SIGUSR1, which would end the program."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._is_on = False

    def startService(self) -> None:
        super().startService()
        self._is_on = signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
        if self._is_on:
            signal.signal(signal.SIGUSR1, lambda *_: self._reactor.callFromThread(self._say))

    def stopService(self) -> None:
        super().stopService()
        if self._is_on:
            # To the end: by default it would end the program while the rest still stops, and saves.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def _say(self) -> None:
        self.log.info("SIGUSR1 opens a log file anew, and this log is no file: nothing is done.")
