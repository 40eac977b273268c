"""The limit on open files, tried in a process of its own, since it cannot be raised again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial import unittest

_SCRIPT = """\
import resource, sys
from twisted.logger import globalLogBeginner, textFileLogObserver
from zbtwist.runtime.open_files import raise_open_files
soft, hard, ports = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
print(raise_open_files(ports), resource.getrlimit(resource.RLIMIT_NOFILE))
"""


class OpenFilesTests(unittest.SynchronousTestCase):
    def run_with(self, soft: int, hard: int, ports: int) -> tuple[str, list[str]]:
        """Return what it returned with the limits afterwards, and the lines of the log."""
        root = Path(__file__).resolve().parents[2]
        lines = subprocess.check_output(
            [sys.executable, "-c", _SCRIPT, *map(str, (soft, hard, ports))], text=True, cwd=root
        ).splitlines()
        return lines[-1], [line.partition("] ")[2] for line in lines[:-1]]

    def test_raised(self) -> None:
        result, log = self.run_with(100, 1000, 20)
        self.assertEqual(result, "1000 (1000, 1000)")
        self.assertEqual(log, ["The limit on open files is raised from 100 to 1000."])

    def test_as_high_as_it_may_be(self) -> None:
        result, log = self.run_with(1000, 1000, 20)
        self.assertEqual(result, "1000 (1000, 1000)")
        self.assertEqual(log, [])

    def test_too_few(self) -> None:
        """What to do is said, with a number that does."""
        result, log = self.run_with(100, 500, 300)
        self.assertEqual(result, "500 (500, 500)")
        self.assertEqual(len(log), 2)
        self.assertIn("300 ports and their clients need more than the 500 files", log[1])
        self.assertIn("LimitNOFILE=856", log[1])
        self.assertIn("ulimit -n 856", log[1])
        _, log = self.run_with(856, 856, 300)
        self.assertEqual(log, [])
