"""A short form of `tests.system.crashes`, which kills the gateway as often as it is told."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.system import crashes


class CrashTests(SynchronousTestCase):
    def test_nothing_acknowledged_is_lost(self) -> None:
        calls, losses = crashes.run(kills=5, seed=1)
        self.assertEqual(losses, [])
        self.assertGreater(calls, 5)

    def test_a_loss_would_be_seen(self) -> None:
        ledger = crashes.Ledger({"a": 1, "b": 2, "c": 3}, {"b": 5, "d": 6})
        self.assertEqual(ledger.compare({"a": 1, "b": 5, "c": 3, "joined": 9}), [])
        self.assertEqual(ledger.compare({"a": 1, "b": 2, "c": 3, "d": 6}), [])
        self.assertEqual(len(ledger.compare({"b": 7, "c": 4})), 3)
