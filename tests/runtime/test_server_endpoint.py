"""Which kind of server endpoint an endpoint string becomes, on real sockets."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial import unittest

from tests.runtime.support import number_of, socket_path
from zbtwist.runtime.server_endpoint import server_from_string, tcp_endpoint
from zbtwist.runtime.write_at_once import WriteAtOnce


class WriteAtOnceTests(unittest.TestCase):
    """Whatever a port listens on, what is written to its connections goes out at once."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.made: Deferred[Protocol] = Deferred()

    async def listen(self, endpoint: IStreamServerEndpoint) -> IListeningPort:
        made = self.made

        class Greeter(Protocol):
            def connectionMade(self) -> None:
                made.callback(self)

        listening = await endpoint.listen(Factory.forProtocol(Greeter))
        self.addCleanup(listening.stopListening)
        return listening

    async def check(self, client: socket.socket) -> None:
        self.addCleanup(client.close)
        greeter = await self.made
        self.assertIsInstance(greeter.transport, WriteAtOnce)
        assert greeter.transport is not None
        greeter.transport.write(b"at once")
        # The reactor has had no turn since.
        client.setblocking(False)
        self.assertEqual(client.recv(100), b"at once")

    async def test_ipv4(self) -> None:
        port = await self.listen(server_from_string(self.reactor, "tcp:0:interface=127.0.0.1"))
        await self.check(socket.create_connection(("127.0.0.1", number_of(port))))

    async def test_ipv6(self) -> None:
        port = await self.listen(tcp_endpoint(self.reactor, 0, "::1"))
        await self.check(socket.create_connection(("::1", number_of(port))))

    async def test_unix(self) -> None:
        path = socket_path(self)
        await self.listen(server_from_string(self.reactor, f"unix:{path}"))
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        await self.check(client)
