"""Calls wait for the end of a burst."""

from __future__ import annotations

from twisted.trial import unittest

from zbtwist.runtime.write_batch import WriteBatch


class BurstTests(unittest.SynchronousTestCase):
    def setUp(self) -> None:
        self.burst = WriteBatch()
        self.called: list[str] = []

    def test_at_the_end(self) -> None:
        """In their order, and once."""
        self.burst.begin()
        self.burst.at_end(lambda: self.called.append("a"))
        self.burst.at_end(lambda: self.called.append("b"))
        self.assertEqual(self.called, [])
        self.burst.end()
        self.assertEqual(self.called, ["a", "b"])
        self.burst.begin()
        self.burst.end()
        self.assertEqual(self.called, ["a", "b"])

    def test_without_a_burst(self) -> None:
        self.burst.at_end(lambda: self.called.append("a"))
        self.assertEqual(self.called, ["a"])

    def test_failure(self) -> None:
        """One that fails is logged, and costs the others nothing."""
        self.burst.begin()
        self.burst.at_end(lambda: self.called.append("a"))
        self.burst.at_end(lambda: 1 // 0)
        self.burst.at_end(lambda: self.called.append("b"))
        self.burst.end()
        self.assertEqual(self.called, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
