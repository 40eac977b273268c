"""What happens again and again."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.repeats import INTERVAL, Repeats


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
