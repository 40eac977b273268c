"""Clients that come and go at random; see `tests.system.churn`, which does it for longer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.attacks import Target
from tests.system.churn import gateway_with_a_log, watch
from tests.system.test_strangers import GROWTH, LONGEST
from zbtwist.observing.log_rate import OF_ONE

CLIENTS = 150
SECONDS = 3.0

#: Seconds that a client stays at the most.
STAY = 0.5

#: Ports of nodes that they come to.
PORTS = 3

#: Lines of a start, of the nodes that are found, and of what the control port says.
OTHER_LINES = 200


class ChurnTests(SynchronousTestCase):
    skip = left_out() or None

    def test_come_and_go(self) -> None:
        """The stream goes on, nothing is left open, and the log tells how much it does not tell."""
        nodes = 20
        gateway = gateway_with_a_log(f"sim:nodes={nodes}:kinds=echo:nt=0.3:interval=0")
        self.addCleanup(gateway.stop)
        outcome = watch(Target(gateway, nodes), CLIENTS, SECONDS, STAY, PORTS)
        self.assertEqual(outcome.complaints(LONGEST, GROWTH), [], outcome)
        self.assertGreater(outcome.counts.connections, CLIENTS)
        self.assertGreater(outcome.answers, 0)
        # Opened, closed, dropped and refused; and the line on those that are held back.
        kinds = 4
        self.assertLess(outcome.log_lines, PORTS * kinds * (OF_ONE.at_once + 1) + OTHER_LINES)
