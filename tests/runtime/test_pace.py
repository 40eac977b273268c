"""Long work has pauses, short work none."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.runtime.pace import MAX_STEPS, Pace, Stopped


class PaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.done = 0
        self.is_wanted = True

    async def work(self, steps: int) -> None:
        pace = Pace(self.clock, lambda: self.is_wanted)
        for _ in range(steps):
            self.done += 1
            await pace.step()

    def start(self, steps: int) -> Deferred[None]:
        return Deferred.fromCoroutine(self.work(steps))

    def test_short_work(self) -> None:
        self.successResultOf(self.start(MAX_STEPS - 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_long_work(self) -> None:
        working = self.start(2 * MAX_STEPS + 1)
        self.assertNoResult(working)
        self.assertEqual(self.done, MAX_STEPS)
        self.clock.advance(0)
        self.successResultOf(working)

    def test_work_that_is_not_wanted_any_more(self) -> None:
        working = self.start(MAX_STEPS + 1)
        self.is_wanted = False
        self.clock.advance(0)
        self.failureResultOf(working, Stopped)
        self.assertEqual(self.done, MAX_STEPS)
