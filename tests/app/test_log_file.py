"""The daemon's log: the file's bounds, what others do to it, and that lines have a rate."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.support import record_calls, record_log
from zbtwist.app import log_file
from zbtwist.app.log_file import NoLogFile, take_log
from zbtwist.observing.log_rate import OF_ONE


class Reactor(MemoryReactorClock):
    @staticmethod
    def callFromThread(call: Callable[[], object]) -> None:
        call()


#: What somebody may have that the log is told to, as ``--logger`` names it.
told: list[dict[str, Any]] = []


def own_logger() -> Callable[[dict[str, Any]], None]:
    """Make an observer of twisted.python.log's kind."""
    return told.append


class TwistdTests(SynchronousTestCase):
    """Wherever twistd writes its log, its lines have a rate; and a file is ours."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.out = io.StringIO()
        self.patch(sys, "stdout", self.out)

    def begin(self, **options: Any) -> Any:
        """Make the observer as twistd does; None if twistd makes one by itself."""
        twistd = {"nodaemon": False, **options}
        take_log(twistd, self.reactor)
        if twistd.get("logger") == options.get("logger"):
            return None
        return namedAny(twistd["logger"])()

    def flood(self, observer: Any) -> None:
        log = Logger("zbtwist.test", observer=observer)
        for number in range(300):
            log.info("this is {number}", number=number)
        (trigger,) = self.reactor.triggers["after"]["shutdown"]
        trigger[0]()

    def check(self, text: str) -> None:
        lines = text.splitlines()
        self.assertEqual(len(lines), OF_ONE.at_once + 1)
        self.assertIn("this is 99", lines[-2])
        self.assertIn("… and 200 more like this", lines[-1])

    def test_file(self) -> None:
        for number, is_foreground in enumerate((False, True)):
            self.reactor.triggers.clear()
            path = Path(self.mktemp())
            self.flood(self.begin(logfile=str(path), nodaemon=is_foreground))
            self.check(path.read_text())
            if number == 0:
                # What asks for the next file.
                os.kill(os.getpid(), signal.SIGUSR1)
                self.assertTrue(path.with_name(f"{path.name}.1").exists())

    def test_file_whose_name_cannot_be_had(self) -> None:
        path = Path(self.mktemp()).absolute()
        log = Logger("zbtwist.test", observer=self.begin(logfile=str(path)))
        moved = path.rename(f"{path}-moved")
        path.mkdir()
        said = record_log(self)
        os.kill(os.getpid(), signal.SIGUSR1)
        [line] = said.lines()
        self.assertIn(f"The log file {path} cannot be opened anew: Is a directory. ", line)
        log.info("It goes on")
        self.assertIn("It goes on", moved.read_text())

    def test_file_without_a_name(self) -> None:
        opened = record_calls(self, log_file, "_file_observer")
        # Trial works in a directory of its own.
        self.flood(self.begin())
        self.assertEqual(opened, [("twistd.log", self.reactor)])
        self.addCleanup(os.unlink, "twistd.log")

    def test_foreground(self) -> None:
        for options in ({"nodaemon": True}, {"debug": True}, {"nodaemon": True, "logfile": "-"}):
            self.reactor.triggers.clear()
            self.out.truncate(0)
            self.out.seek(0)
            self.flood(self.begin(**options))
            self.check(self.out.getvalue())

    def test_own_logger(self) -> None:
        self.addCleanup(told.clear)
        self.flood(self.begin(logger=f"{__name__}.own_logger"))
        self.assertEqual(len(told), OF_ONE.at_once + 1)
        self.assertIn("200 more", str(told[-1]["format"] % told[-1]))

    def test_syslog(self) -> None:
        try:
            from twisted.python import syslog
        except ImportError:
            raise SkipTest("there is no syslog here") from None
        said: list[str] = []
        observer = syslog.SyslogObserver
        self.patch(observer, "openlog", staticmethod(lambda *_: None))
        self.patch(observer, "syslog", staticmethod(lambda _, line: said.append(line)))
        self.flood(self.begin(syslog=True, prefix="zb"))
        self.check("\n".join(said))

    def test_what_is_for_twistd_to_say(self) -> None:
        """A daemon has no output, and a logger may be none."""
        self.assertIsNone(self.begin(logfile="-"))
        self.assertIsNone(self.begin(logger="tests.app.nothing.of_that_name"))
        other: dict[str, Any] = {}
        take_log(other, self.reactor)
        self.assertEqual(other, {})


class NoLogFileTests(SynchronousTestCase):
    def test_signal(self) -> None:
        """It says so, and ends nothing."""

        class Reactor:
            callFromThread = staticmethod(lambda call: call())

        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        log = record_log(self)
        service = NoLogFile(Reactor())
        service.startService()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertIn("this log is no file", log.lines()[-1])
        service.stopService()
        # The rest still stops.
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_IGN)
