"""Calls wait for the end of a batch."""

from __future__ import annotations

from twisted.trial import unittest

from tests.support import mistake
from zbtwist.runtime.write_batch import WriteBatch


class WriteBatchTests(unittest.SynchronousTestCase):
    def setUp(self) -> None:
        self.batch = WriteBatch()
        self.called: list[str] = []

    def test_at_the_end(self) -> None:
        """In their order, and once."""
        self.batch.begin()
        self.batch.at_end(lambda: self.called.append("a"))
        self.batch.at_end(lambda: self.called.append("b"))
        self.assertEqual(self.called, [])
        self.batch.end()
        self.assertEqual(self.called, ["a", "b"])
        self.batch.begin()
        self.batch.end()
        self.assertEqual(self.called, ["a", "b"])

    def test_without_a_batch(self) -> None:
        self.batch.at_end(lambda: self.called.append("a"))
        self.assertEqual(self.called, ["a"])

    def test_failure(self) -> None:
        """One that fails is logged, and costs the others nothing."""
        self.batch.begin()
        self.batch.at_end(lambda: self.called.append("a"))
        self.batch.at_end(mistake)
        self.batch.at_end(lambda: self.called.append("b"))
        self.batch.end()
        self.assertEqual(self.called, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
