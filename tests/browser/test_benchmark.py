"""The benchmark of the console runs and prints its tables. How fast it is, is not asserted."""

from __future__ import annotations

from benchmarks import browser
from tests.test_benchmarks import BenchmarkTestCase


class RunTests(BenchmarkTestCase):
    def test_quick(self) -> None:
        if browser.missing():
            self.skipTest(browser.missing())
        status, output, errors = self.run_with("browser", "--quick")
        self.assertEqual((status, errors), (0, ""))
        [(nodes, *times)] = self.rows(output, "Loading the list")
        self.assertEqual(nodes, "8")
        self.assertGreater(float(times[0]), 0)
        shares = self.rows(output, "Looking on")
        self.assertEqual([number for number, *_ in shares], ["0", "1", "3"])
