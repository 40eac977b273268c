"""A gateway on the simulated network: nodes that are not told of as they should be."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.support import present
from zbtwist.app.gateway import Gateway
from zbtwist.config.settings import Settings
from zbtwist.network.node import Node
from zbtwist.network.unknown_senders import KEEP_TIME
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.node import Node as SimulatedNode
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN64, Address16
from zbtwist.xbee.frames import ReceivePacket


class SimulatedNetworkTests(SynchronousTestCase):
    """A client is connected to a node, which sends back what it hears."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        options = SimulatorOptions(kinds=("echo", "echo"), discovery_time=0.3)
        endpoint = SimulatorEndpoint(self.reactor, options)
        self.gateway = Gateway(Settings(serial="sim:"), self.reactor, endpoint)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.run_for(2)
        self.air = present(endpoint.network)
        self.device: SimulatedNode = next(iter(self.air.nodes.values()))
        port = present(self.gateway.bindings.port_of(self.node)).number
        factory: Any
        [factory] = [server[1] for server in self.reactor.tcpServers if server[0] == port]
        self.client = StringTransport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.client)

    @property
    def node(self) -> Node:
        return present(self.gateway.network.nodes.get(self.device.address64))

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.01] * round(seconds / 0.01))

    def test_radio_that_does_not_know_the_sender(self) -> None:
        """It has moved as well: nobody is reset, nothing is missing."""
        self.device.is_anonymous = True
        self.air.move_node(self.device)
        for number in range(10):
            self.device.send(bytes([number]))
            self.run_for(0.01)
        self.run_for(1.0)
        self.assertEqual(self.client.value(), bytes(range(10)))
        self.assertFalse(self.client.disconnected)
        self.assertEqual(self.node.address16, self.device.address16)

    def test_stranger(self) -> None:
        """It may be the node of this client, and does not answer."""
        frame = ReceivePacket(UNKNOWN64, Address16(0x7777), 1, b"whose?")
        self.gateway.radio.coordinator.hearers.hear(frame)
        self.run_for(KEEP_TIME - 1)
        self.assertFalse(self.client.disconnected)
        self.run_for(2)
        self.assertTrue(self.client.disconnected)

    def test_end_device_that_no_search_has_found(self) -> None:
        """It is waited for while it sleeps, for longer than a router would be."""
        self.node.role = None
        self.device.fall_asleep(28.0)
        self.device.send(b"I am here.")
        self.run_for(7.0)
        self.assertEqual(self.node.role, devices.END_DEVICE)
        self.protocol.dataReceived(b"question")
        self.run_for(30.0)
        self.assertEqual(self.client.value(), b"I am here.question")
        self.assertFalse(self.client.disconnected)

    def test_sensor_adapter(self) -> None:
        """It says nothing but readings."""
        self.gateway.network.nodes.remove(self.node)
        self.device.emit_reading(-3.5)
        self.run_for(1.0)
        self.assertEqual((self.node.temperature, self.node.label), (-3.5, "ECHO"))
