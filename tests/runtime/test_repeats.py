"""What happens again and again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.runtime.repeats import INTERVAL, Interval, Repeats


class IntervalTests(SynchronousTestCase):
    def test_at_once_and_again_when_it_is_over(self) -> None:
        interval = Interval(10.0)
        moments = (5.0, 5.0, 14.0, 15.0, 16.0, 25.0)
        said = [now for now in moments if interval.is_over(now)]
        self.assertEqual(said, [5.0, 15.0, 25.0])

    def test_a_clock_that_is_set_back(self) -> None:
        interval = Interval(10.0)
        self.assertTrue(interval.is_over(1e9))
        self.assertTrue(interval.is_over(5.0))
        self.assertFalse(interval.is_over(6.0))


class RepeatsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[int] = []
        self.repeats = Repeats(self.clock, self.said.append)

    def test_the_first_at_once_and_the_others_once_an_interval(self) -> None:
        for _ in range(100):
            self.repeats.happened()
        self.assertEqual(self.said, [1])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.said, [1, 99])
        self.repeats.happened()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.said, [1, 99, 1])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.repeats.happened()
        self.assertEqual(self.said, [1, 99, 1, 1])

    def test_stop_says_the_rest(self) -> None:
        self.repeats.stop()
        for _ in range(3):
            self.repeats.happened()
        self.repeats.stop()
        self.assertEqual((self.said, self.clock.getDelayedCalls()), ([1, 2], []))
