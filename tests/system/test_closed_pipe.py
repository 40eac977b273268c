"""Programs whose output nobody reads to its end, as `head` does not: no traceback is said of it."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import ROOT
from tests.support import left_out
from tests.system.forked import ZBCTL, ZBGATE

COMMANDS = (
    (*ZBGATE, "--check", "--serial", "sim:nt=0.3", "--state", ":memory:"),
    (*ZBGATE, "--help"),
    (*ZBGATE, "--help-auth"),
    (*ZBGATE, "--version"),
    (*ZBCTL, "--help"),
    (*ZBCTL, "settings", "--help"),
    (*ZBCTL, "--version"),
    ("-m", "zbtwist.control.passwords", "alice"),
)


class ClosedPipeTests(SynchronousTestCase):
    skip = left_out() or None

    def said(self, *arguments: str, is_buffered: bool) -> tuple[int, str]:
        """Return the exit status, and what was said on stderr."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        try:
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "" if is_buffered else "1"},
                input="secret\n",
                stdout=write_end,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
            )
        finally:
            os.close(write_end)
        return done.returncode, done.stderr

    def check(self, is_buffered: bool) -> None:
        for arguments in COMMANDS:
            said = self.said(*arguments, is_buffered=is_buffered)
            self.assertEqual(said, (1, ""), arguments)

    def test_written_at_once(self) -> None:
        self.check(is_buffered=False)

    def test_written_at_the_end(self) -> None:
        self.check(is_buffered=True)
