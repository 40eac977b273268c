"""Nobody takes all places of a node's port: who has the most gives way."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from tests.binding.support import A, BindingTestCase
from tests.support import connect
from zbtwist.binding.port_settings import PortSettings
from zbtwist.runtime.allowed import Refusal


class ShareTests(BindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.see(A)

    def come(self, host: str) -> Any:
        """Let a client of an address come; return its connection, None if it was refused."""
        transport: Any = StringTransport(peerAddress=IPv4Address("TCP", host, 50000))
        factory = self.computer.open[27001]
        transport.protocol = connect(factory, transport)
        return None if isinstance(transport.protocol, Refusal) else transport

    def test_newcomer_of_another_address(self) -> None:
        """It gets a place of the address that has all of them, whose latest client is reset, and
        what that had written is not sent.
        """
        first, *_, last = [self.come("127.0.0.1") for _ in range(PortSettings.max_clients)]
        self.assertIsNone(self.come("127.0.0.1"))
        first.protocol.dataReceived(b"one\n")
        last.protocol.dataReceived(b"two\n")
        newcomer = self.come("127.0.0.2")
        self.assertTrue(last.disconnected)
        self.assertFalse(first.disconnected)
        self.assertIn("another address has fewer of them", " ".join(self.lines()))
        newcomer.protocol.dataReceived(b"three\n")
        outbound = newcomer.protocol._serves.outbound
        self.assertFalse(outbound.has_bytes_of(last.protocol))
        self.assertTrue(outbound.has_bytes_of(newcomer.protocol))

    def test_those_who_wait_for_the_end(self) -> None:
        clients = []
        for _ in range(2):
            for _ in range(PortSettings.max_clients):
                clients.append(self.come("127.0.0.1"))
                clients[-1].protocol.dataReceived(b"?")
                clients[-1].protocol.readConnectionLost()
        self.assertIsNone(self.come("127.0.0.1"))
        self.assertIsNotNone(self.come("127.0.0.2"))
        self.assertTrue(clients[-1].disconnected)
