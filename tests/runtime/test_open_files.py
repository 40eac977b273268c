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
print(raise_open_files(ports))
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


class OpenFilesTests(unittest.SynchronousTestCase):
    def run_with(self, soft: int, hard: int, ports: int) -> tuple[str, str, list[str]]:
        """Return what it returned, the limits afterwards, and the lines of the log."""
        root = Path(__file__).resolve().parents[2]
        lines = subprocess.check_output(
            [sys.executable, "-c", _SCRIPT, *map(str, (soft, hard, ports))], text=True, cwd=root
        ).splitlines()
        *log, raised, limits = lines
        return raised, limits, [line.partition("] ")[2] for line in log]

    def test_raised(self) -> None:
        raised, limits, log = self.run_with(100, 1000, 20)
        self.assertEqual(limits, "1000 1000")
        self.assertEqual(raised, "The limit on open files is raised from 100 to 1000.")
        self.assertEqual(log, [])

    def test_as_high_as_it_may_be(self) -> None:
        self.assertEqual(self.run_with(1000, 1000, 20), ("", "1000 1000", []))

    def test_too_few(self) -> None:
        """What to do is said, with a number that does."""
        _, limits, [line] = self.run_with(100, 500, 300)
        self.assertEqual(limits, "500 500")
        self.assertIn("300 ports and their clients need more than the 500 files", line)
        self.assertIn("LimitNOFILE=856", line)
        self.assertIn("ulimit -n 856", line)
        self.assertEqual(self.run_with(856, 856, 300)[2], [])
