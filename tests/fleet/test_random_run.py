from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fleet.random_run import RandomRun
from tests.support import left_out


class RandomRunTests(SynchronousTestCase):
    """All arrives, once and in order, or the client is reset."""

    def run_with(self, seed: int, seconds: float) -> None:
        run = RandomRun(seed)
        try:
            run.run(seconds)
            to_nodes, from_nodes = run.judge()
        finally:
            run.fleet.stop()
        said = f"seed {seed}: {to_nodes} {from_nodes} {run.happened}"
        self.assertTrue(to_nodes.is_faithful, said)
        self.assertTrue(from_nodes.is_faithful, said)
        self.assertGreater(to_nodes.got, 10_000, said)
        self.assertGreater(from_nodes.got, 10_000, said)
        self.assertGreater(to_nodes.resets, 0, said)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_random_faults(self) -> None:
        self.run_with(0, 60)

    def test_more_of_them(self) -> None:
        for seed in range(1, 3):
            self.run_with(seed, 60)

    test_more_of_them.skip = left_out() or None  # type: ignore[attr-defined]
