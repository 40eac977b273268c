"""A simulated network, and the program at its radio's serial line."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import TestCase

from tests.clock import Clock
from tests.simulator.line import Line
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.node import Node


def widen(node: Node) -> None:
    """Let a node's own line take whatever the air brings: it is not what the test is about."""
    node.set_baud(921600)
    node.uart.capacity = inf


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
