"""What happens again and again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.runtime.repeats import FREELY, INTERVAL, THINNED, Interval, Repeats, Thinned


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


class ThinnedTests(SynchronousTestCase):
    def said(self, times: int, pause: float, begins: float = 0.0) -> list[int]:
        """Let it happen so often; return how often it was unsaid, each time that it is said."""
        said = (self.thinned.happened(begins + number * pause) for number in range(times))
        return [unsaid for unsaid in said if unsaid is not None]

    def setUp(self) -> None:
        self.thinned = Thinned()

    def test_seldom(self) -> None:
        self.assertEqual(self.said(100, 21.0), [0] * 100)

    def test_often(self) -> None:
        """With how often it was not said; and what is not often any more is said at once."""
        self.assertEqual(self.said(1800, 1.0), [0] * FREELY + [599] * 2)
        self.assertEqual(self.said(1, 1.0, 2000.0), [596])

    def test_a_clock_that_is_set_back(self) -> None:
        self.assertEqual(self.said(10, 1.0, 1e9), [0] * FREELY)
        self.assertEqual(self.said(1, 1.0), [6])
        self.assertGreater(THINNED, 60)


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
