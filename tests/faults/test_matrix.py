"""Every fault in both directions: no byte is lost in silence, or comes twice, or out of order."""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.matrix import ALL, FAULTS, OTHER_POLICIES, RESET, Fault
from tests.faults.runs import DIRECTIONS, run
from tests.faults.table import DOCUMENT, MATRIX, OTHERS, all_runs, documented_rows, row

REFRESH = "see why, then: python -m tests.faults --write docs/faults.rst"


class MatrixTests(SynchronousTestCase):
    """One test for each run, added below."""


def _test_of(table: str, fault: Fault, direction: str) -> Callable[[MatrixTests], None]:
    def test(self: MatrixTests) -> None:
        result = run(fault, direction)
        self.assertEqual(result.verdict, fault.verdict(direction), result)
        self.assertEqual(result.again is None, not fault.ends, result)
        documented = documented_rows(table, DOCUMENT.read_text("utf-8"))
        self.assertIn(row(result), documented, REFRESH)

    test.__doc__ = f"{fault.name}, {direction}"
    return test


for _table, _fault, _direction in all_runs():
    _name = re.sub(r"\W+", "_", f"test_{_fault.name}_{_direction}".lower())
    assert not hasattr(MatrixTests, _name), f"two tests are called {_name}"
    setattr(MatrixTests, _name, _test_of(_table, _fault, _direction))


class TableTests(SynchronousTestCase):
    def test_rows(self) -> None:
        """The documentation has all rows, in their order, and no others."""
        text = DOCUMENT.read_text("utf-8")
        for table in (MATRIX, OTHERS):
            expected = [
                (fault.name, direction, fault.verdict(direction))
                for name, fault, direction in all_runs()
                if name == table
            ]
            documented = [one[:3] for one in documented_rows(table, text)]
            self.assertEqual(documented, expected, REFRESH)

    def test_verdicts(self) -> None:
        """By default a stream has two ends, but for that of a gateway that is stopped."""
        verdicts = {
            fault.verdict(direction)
            for fault in FAULTS
            for direction in DIRECTIONS
            if fault.name != "gateway stopped"
        }
        self.assertEqual(verdicts, {ALL, RESET})
        self.assertGreaterEqual(len(FAULTS), 30)

    def test_repeats(self) -> None:
        """A run repeats to the last number."""
        fault = next(fault for fault in FAULTS if fault.name.startswith("bit errors, 1 in 1000 "))
        for direction in DIRECTIONS:
            self.assertEqual(run(fault, direction), run(fault, direction))

    def test_doubled_is_seen(self) -> None:
        """The judgement does see what the default policy must not do."""
        fault = next(fault for fault in OTHER_POLICIES if "delivered" in fault.name)
        result = run(fault, DIRECTIONS[0])
        self.assertGreater(result.tally.doubled, 0)
        self.assertFalse(result.tally.is_faithful)
