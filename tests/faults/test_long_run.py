"""Eight hours with twenty-five nodes, in which something goes wrong every few minutes."""

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.long_run import LongRun
from tests.support import left_out, without_log_of_the_runner

#: Bytes by which memory may grow from the second hour to the last: what the rings of events and of
#: traced lines, all bounded, still take up.
GROWTH = 1_000_000


class LongRunTests(SynchronousTestCase):
    skip = left_out() or None

    def test_eight_hours(self) -> None:
        """Nothing is lost without a reset, nothing is doubled, and memory stays as it is."""
        without_log_of_the_runner(self)
        tracemalloc.start(1)
        try:
            run = LongRun(8, 25, poll_every=1200.0, fault_every=200.0, looked_at=(2, 8))
        finally:
            tracemalloc.stop()
        for tally in (run.questions, run.answers):
            self.assertTrue(tally.is_faithful, tally)
            self.assertGreater(tally.got, 25_000)
        self.assertGreater(run.questions.resets, 10)
        self.assertGreater(len(run.calamities.counts), 15)
        self.assertLess(run.traced[8] - run.traced[2], GROWTH, run.traced)
        self.assertLess(run.objects[8], 1.05 * run.objects[2], run.objects)
