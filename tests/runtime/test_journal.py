"""The log as systemd's journal takes it."""

from __future__ import annotations

import io
import os

from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.journal import JournalObserver, is_journal, with_priority


class IsJournalTests(SynchronousTestCase):
    def test_by_device_and_inode(self) -> None:
        """Only what the environment names; a shell may have sent the output into a file."""
        with open(self.mktemp(), "w") as journal, open(self.mktemp(), "w") as other:
            status = os.fstat(journal.fileno())
            environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            self.assertTrue(is_journal(journal, environment))
            self.assertFalse(is_journal(other, environment))
            self.assertFalse(is_journal(journal, {}))
            self.assertFalse(is_journal(io.StringIO(), environment))
            # A closed output.
            self.assertFalse(is_journal(None, environment))
        self.assertFalse(is_journal(journal, environment))


class LinesTests(SynchronousTestCase):
    def test_every_line_has_its_level(self) -> None:
        """Also what pretends to begin with one."""
        self.assertEqual(with_priority("one\n<0>two", LogLevel.warn), "<4>one\n<4><0>two\n")

    def test_levels(self) -> None:
        written = io.StringIO()
        publisher = LogPublisher(JournalObserver(written))
        log = Logger("zbtwist.test", observer=publisher)
        for level in LogLevel.iterconstants():
            log.emit(level, "It is {name}.", name=level.name)
        self.assertEqual(
            written.getvalue().splitlines(),
            [
                "<7>It is debug.",
                "<6>It is info.",
                "<4>It is warn.",
                "<3>It is error.",
                "<2>It is critical.",
            ],
        )

    def test_traceback(self) -> None:
        written = io.StringIO()
        log = Logger("zbtwist.test", observer=JournalObserver(written))
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            log.failure("It failed")
        lines = written.getvalue().splitlines()
        self.assertGreater(len(lines), 3)
        self.assertEqual({line[:3] for line in lines}, {"<2>"})
        self.assertIn("ZeroDivisionError", lines[-1])

    def test_event_without_text(self) -> None:
        written = io.StringIO()
        JournalObserver(written)({"log_format": ""})
        self.assertEqual(written.getvalue(), "")
