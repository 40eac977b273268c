"""A simulated network, and the program at its radio's serial line."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.simulator.line import Line
from zbtwist.simulator.network import SimulatedNetwork


class NetworkTestCase(TestCase):
    """Gives each test a network, which has no nodes unless the class says otherwise."""

    def setUp(self) -> None:
        self.use(SimulatedNetwork(Clock()))

    def use(self, network: SimulatedNetwork, api_mode: int = 1) -> None:
        """
        @param api_mode: in which the program speaks; 0 for transparent data.
        """
        self.network, self.radio = network, network.radio
        self.addCleanup(network.stop)
        self.line = Line(network, api_mode)
        self.clock = self.line.clock
