"""A fleet of real programs, with a fault at every hop."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.brokers import Mosquitto
from tests.system.fleet import Checker, Fleet, until_all_flows


class FleetTests(SynchronousTestCase):
    skip = Mosquitto.why_not or left_out() or None

    def test_faults_at_every_hop(self) -> None:
        # Two gateways, and two programs that stand for two sites each; half at each broker.
        fleet = Fleet(2, 5, 2, 2)
        self.addCleanup(fleet.stop)
        ports = fleet.ports()
        names = (
            *("gateway-0/ECHO", "gateway-1/ECHO2"),
            *("site-1/site-1-1", "site-2/site-2-1", "site-3/site-3-1", "site-4/site-4-2"),
        )
        checkers = [
            Checker(10 * hub + at, ports[hub][name])
            for hub in (0, 1)
            for at, name in enumerate(names)
        ]
        try:
            until_all_flows(checkers, fleet)
            for fault in (
                lambda: fleet.kill_site(0),
                lambda: fleet.kill_site(2),
                fleet.restart_broker,
                fleet.cut_bridge,
                fleet.restart_hub,
                fleet.freeze_broker,
            ):
                fault()
                until_all_flows(checkers, fleet)
            # Nobody but it knows of them.
            self.assertEqual(fleet.ports(), ports)
        finally:
            for checker in checkers:
                checker.end()
        self.assertEqual([checker.problem for checker in checkers], [""] * len(checkers))
