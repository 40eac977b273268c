"""Durations by classes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.radio.histogram import TRANSMIT_BOUNDS, Histogram


class Histograms(SynchronousTestCase):
    def test_classes(self) -> None:
        histogram = Histogram((1.0, 2.0))
        for seconds in (0.0, 1.0, 1.5, 2.5, 1e9):
            histogram.observe(seconds)
        self.assertEqual(histogram.counts, [2, 1, 2])
        self.assertEqual(histogram.cumulative(), [(1.0, 2), (2.0, 3), (float("inf"), 5)])
        self.assertEqual(histogram.total, 1e9 + 5.0)

    def test_the_bounds_ascend(self) -> None:
        self.assertEqual(sorted(set(TRANSMIT_BOUNDS)), list(TRANSMIT_BOUNDS))
        self.assertEqual(Histogram().bounds, TRANSMIT_BOUNDS)
