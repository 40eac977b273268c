"""A short form of `tests.system.broker_away`, which goes on as long as it is told."""

from __future__ import annotations

import shutil

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.broker_away import run
from tests.system.brokers import Mosquitto


class BrokerAwayTests(SynchronousTestCase):
    skip = Mosquitto.why_not or left_out() or None
    if not shutil.which("mosquitto_sub"):
        skip = "there is no mosquitto_sub"

    def test_gone(self) -> None:
        """What is missing shows in the numbers, and the others notice nothing."""
        outcome = run(2.0, False)
        self.assertTrue(outcome.is_in_order, outcome)
        self.assertGreater(outcome.lines, 5)
        self.assertGreater(outcome.missing, 10)

    def test_stopped(self) -> None:
        outcome = run(2.0, True)
        self.assertTrue(outcome.is_in_order, outcome)
        self.assertGreater(outcome.lines, 5)
