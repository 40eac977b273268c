"""What a client's bytes mean is said by a protocol between it and the stream, one for each port."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from zbtwist.app.gateway import Gateway
from zbtwist.binding import protocols
from zbtwist.binding.port_protocol import PortProtocol
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings


class Loud(PortProtocol):
    """Capitals to the node, small letters to the client."""

    ended_ones: list[PortProtocol]

    def from_client(self, data: bytes) -> None:
        self.to_node(data.upper())

    def from_node(self, data: bytes) -> None:
        self.to_client(b"(" + data + b")")

    def ended(self) -> None:
        self.ended_ones.append(self)


class ProtocolTests(SynchronousTestCase):
    def setUp(self) -> None:
        protocols.PROTOCOLS["loud"] = Loud
        self.addCleanup(protocols.PROTOCOLS.pop, "loud")
        Loud.ended_ones = []
        self.reactor: Any = MemoryReactorClock()
        node = NodeSettings(label="ECHO", port_settings=PortSettings(protocol="loud"))
        self.gateway = Gateway(
            Settings(serial="sim:nodes=2:kinds=echo:nt=0.3:interval=0", nodes=(node,)),
            self.reactor,
        )
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.reactor.pump([0.01] * 300)

    def connect(self, label: str) -> tuple[Any, StringTransport]:
        rows = self.gateway.api.list_nodes()
        port = next(row["tcp_port"] for row in rows if row["label"] == label)
        (factory,) = (server[1] for server in self.reactor.tcpServers if server[0] == port)
        client = factory.buildProtocol(None)
        transport = StringTransport()
        client.makeConnection(transport)
        return client, transport

    def test_one_node_alone(self) -> None:
        for label, expected in (("ECHO", b"(HELLO)"), ("ECHO2", b"hello")):
            client, transport = self.connect(label)
            client.dataReceived(b"hello")
            self.reactor.pump([0.01] * 100)
            self.assertEqual(transport.value(), expected)
            client.connectionLost()
        self.assertEqual(len(Loud.ended_ones), 1)

    def test_slow_reader(self) -> None:
        """What waits for it is counted, and nothing passes the protocol by."""
        client, transport = self.connect("ECHO")
        client.pauseProducing()
        client.dataReceived(b"hello")
        self.reactor.pump([0.01] * 100)
        self.assertEqual(transport.value(), b"(HELLO)")
        self.assertEqual(client._unsent, len(b"(HELLO)"))
        client.resumeProducing()
        client.dataReceived(b"x")
        self.reactor.pump([0.01] * 100)
        self.assertEqual(transport.value(), b"(HELLO)(X)")
        client.connectionLost()
