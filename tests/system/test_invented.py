"""The real program beside a flood of invented addresses; see `tests.system.invented`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.invented import LATE, Run


class InventedTests(SynchronousTestCase):
    skip = left_out() or None

    def test_real_nodes_beside_them(self) -> None:
        """Those that are known keep their ports, those that join have theirs, over a restart."""
        figures = Run(rate=300, count=300, patience=60).do()
        self.assertEqual(figures.errors, [], figures)
        self.assertEqual(figures.moved, [], figures)
        self.assertEqual(len(figures.late), LATE, figures)
        self.assertEqual(figures.refused, 0, figures)
