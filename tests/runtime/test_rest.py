"""How often work is done that everything else waits for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.runtime.rest import AT_ONCE, INTERVAL, MAX_REST, RATIO, Rest


class RestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.rest = Rest(self.clock)

    def work(self, seconds: float = 0.0) -> None:
        with self.rest.after():
            self.clock.rightNow += seconds

    def work_for(self, seconds: float) -> int:
        """Work as often as may be; return how often that was."""
        end = self.clock.seconds() + seconds
        count = 0
        while self.clock.seconds() < end:
            if not self.rest.left:
                self.work()
                count += 1
            self.clock.advance(self.rest.left or 0.001)
        return count

    def test_at_first(self) -> None:
        self.assertEqual(self.rest.left, 0)

    def test_some_times_as_long_as_the_work(self) -> None:
        self.work(0.01)
        self.assertAlmostEqual(self.rest.left, 0.01 * RATIO)
        self.clock.advance(0.01 * RATIO)
        self.assertAlmostEqual(self.rest.left, 0)

    def test_not_longer_than_that(self) -> None:
        self.work(100 * MAX_REST)
        self.assertAlmostEqual(self.rest.left, MAX_REST)

    def test_quick_work(self) -> None:
        """Some of it at once, and the rest a few times a second."""
        for _ in range(AT_ONCE - 1):
            self.assertEqual(self.rest.left, 0)
            self.work()
        self.work()
        self.assertAlmostEqual(self.rest.left, INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertLess(abs(self.work_for(10) - 10 / INTERVAL), 3)

    def test_what_is_saved_is_bounded(self) -> None:
        self.clock.advance(10_000)
        self.assertLess(abs(self.work_for(10) - AT_ONCE - 10 / INTERVAL), 3)

    def test_who_does_not_wait_owes_nothing(self) -> None:
        for _ in range(10 * AT_ONCE):
            self.work()
        self.assertAlmostEqual(self.rest.left, INTERVAL)
