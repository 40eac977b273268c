"""A log file's bounds, and what others do to it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime import bounded_log_file
from zbtwist.runtime.bounded_log_file import MAX_OLD, BoundedLogFile


class BoundedLogFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(bounded_log_file, "MAX_SIZE", 100)
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "log"
        self.log = self.open()

    def open(self) -> BoundedLogFile:
        log: BoundedLogFile = BoundedLogFile.fromFullPath(str(self.path))
        self.addCleanup(lambda: log.closed or log.close())
        return log

    def test_all_files_together_are_bounded(self) -> None:
        for number in range(1000):
            self.log.write(f"this is line {number}\n")
        files = list(self.directory.iterdir())
        self.assertEqual(len(files), MAX_OLD + 1)
        self.assertLess(max(file.stat().st_size for file in files), 200)
        self.assertIn("line 999", self.path.read_text())

    def test_those_of_an_earlier_run_are_counted(self) -> None:
        for number in range(1, 50):
            (self.directory / f"log.{number}").write_text("old")
        self.log.write("x" * 100)
        self.log.write("x")
        self.assertEqual(len(list(self.directory.iterdir())), MAX_OLD + 1)

    def test_directory_that_may_not_be_written(self) -> None:
        """As that of a daemon which changed its user: the file begins anew."""
        self.patch(os, "access", lambda *_: False)
        for number in range(1000):
            self.log.write(f"this is line {number}\n")
        self.assertEqual(os.listdir(self.directory), ["log"])
        self.assertLess(self.path.stat().st_size, 200)
        self.assertIn("line 999", self.path.read_text())

    def test_cut_by_somebody_else(self) -> None:
        self.log.write("one\n")
        shutil.copy(self.path, self.directory / "copy")
        os.truncate(self.path, 0)
        self.log.write("two\n")
        self.assertEqual(self.path.read_bytes(), b"two\n")

    def test_moved_by_somebody_else(self) -> None:
        """As logrotate does, which may make a new one."""
        for is_made in (False, True):
            self.log.write("one\n")
            moved = self.directory / f"moved-{is_made}"
            self.path.rename(moved)
            if is_made:
                self.path.touch()
            self.log.write("two\n")
            self.log.reopen_or_rotate()
            self.log.write("three\n")
            self.assertEqual(moved.read_text(), "one\ntwo\n")
            self.assertEqual(self.path.read_text(), "three\n")
            self.path.unlink()
            self.log.reopen_or_rotate()

    def test_moved_and_nothing_can_have_its_name(self) -> None:
        """It goes on in the file that was moved, until its name can be had."""
        moved = self.directory / "moved"
        self.path.rename(moved)
        self.path.mkdir()
        self.log.write("one\n")
        with self.assertRaises(IsADirectoryError):
            self.log.reopen_or_rotate()
        self.log.write("two\n")
        self.assertEqual(moved.read_text(), "one\ntwo\n")
        self.path.rmdir()
        self.log.reopen_or_rotate()
        self.log.write("three\n")
        self.assertEqual(self.path.read_text(), "three\n")

    def test_rotated_and_not_opened(self) -> None:
        """It is opened as soon as that can be done."""
        opened = os.open

        def full(*arguments: Any, **more: Any) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        self.patch(os, "open", full)
        with self.assertRaises(OSError):
            self.log.reopen_or_rotate()
        self.patch(os, "open", opened)
        self.log.write("two\n")
        self.assertEqual(self.path.read_text(), "two\n")

    def test_rotated_when_asked(self) -> None:
        """SIGUSR1 is that to twistd."""
        self.log.write("one\n")
        self.log.reopen_or_rotate()
        self.log.write("two\n")
        self.assertEqual((self.directory / "log.1").read_text(), "one\n")
        self.assertEqual(self.path.read_text(), "two\n")
