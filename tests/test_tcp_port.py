"""Quiet ports, on real sockets."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial import unittest

from zbtwist.tcp_port import QuietEndpoint


class Heard(Protocol):
    def __init__(self, heard: Deferred[bytes]) -> None:
        self.heard = heard

    def dataReceived(self, data: bytes) -> None:
        self.heard.callback(data)
        assert self.transport is not None
        self.transport.loseConnection()


class QuietEndpointTests(unittest.TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = QuietEndpoint(reactor, self.port, 50, "127.0.0.1")

    async def test_connection(self) -> None:
        """It accepts connections, nothing is logged when it opens or closes, and it can be opened
        again.
        """
        log = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        for _ in range(2):
            heard: Deferred[bytes] = Deferred()
            factory = Factory.forProtocol(lambda heard=heard: Heard(heard))
            factory.noisy = False
            said = len(list(log))
            listening = await self.endpoint.listen(factory)
            self.assertEqual(listening.getHost().port, self.port)
            self.assertEqual(len(list(log)), said)
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.sendall(b"hello")
                self.assertEqual(await heard, b"hello")
                said = len(list(log))
                await listening.stopListening()
                self.assertEqual(len(list(log)), said)

    async def test_taken(self) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.port))
            other.listen()
            with self.assertRaises(CannotListenError) as caught:
                await self.endpoint.listen(Factory())
        self.assertEqual(caught.exception.port, self.port)
        self.assertIsInstance(caught.exception.socketError, OSError)
