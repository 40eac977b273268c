"""A short form of `tests.faults.random_run`, which goes on as long as it is told."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.random_run import RandomRun
from tests.support import left_out, without_log_of_the_runner
from zbtwist.binding.port import NodePort
from zbtwist.binding.retransmits import Retransmits

#: What no gateway can know in every case: damage that a checksum does not show, and a computer
#: that slept without a clock which goes on meanwhile.
WITHOUT = ("bit errors", "bytes lost", "garbage", "asleep without clock")


class RandomRunTests(SynchronousTestCase):
    skip = left_out() or None

    def setUp(self) -> None:
        without_log_of_the_runner(self)

    def run_seed(self, seed: int, duration: float = 120.0) -> RandomRun:
        return RandomRun(seed, nodes=20, duration=duration, without=WITHOUT)

    def test_promise_is_kept(self) -> None:
        counts: Counter[str] = Counter()
        calamities: set[str] = set()
        for seed in (1, 2, 3):
            run = self.run_seed(seed)
            self.assertEqual(run.judge.violations, [], f"seed {seed}")
            counts.update(run.judge.counts)
            calamities.update(run.counts)
        self.assertGreater(counts["bytes read"], 30_000)
        self.assertGreater(counts["bytes to nodes"], 30_000)
        self.assertGreater(counts["clients reset"], 30)
        self.assertGreater(len(calamities), 15)

    def test_line_slower_than_the_air(self) -> None:
        """What is lost in the radio's buffer nobody can know; what waits there is not old."""
        run = RandomRun(3023, duration=20.0, without=WITHOUT)
        self.assertEqual(run.judge.violations, [])
        dropped = "packets lost, dropped by the gateway's radio, its line is slow"
        self.assertGreater(run.judge.counts[dropped], 5)

    def test_repeats(self) -> None:
        """To the byte, and to the microsecond."""
        digests = {self.run_seed(4, 40.0).judge.digest.hexdigest() for _ in range(2)}
        self.assertEqual(len(digests), 1)

    def kinds(self, seed: int) -> set[str]:
        counts = self.run_seed(seed, 200.0).judge.counts
        return {name.removeprefix("VIOLATION ") for name in counts if name.startswith("VIOL")}

    def test_hole_from_a_node_is_seen(self) -> None:
        self.patch(NodePort, "interrupted", lambda port, reason: None)
        self.assertIn("hole from the node", self.kinds(2))

    def test_packet_that_is_forgotten_is_seen(self) -> None:
        self.patch(Retransmits, "add", lambda again, *packets: None)
        self.assertIn("hole on the way to the node", self.kinds(1))
