"""A real connection on the clock of a test: what is written arrives, and ends are told apart."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory

from tests.clock import MemoryReactorClock
from tests.faults.connection import CLOSED, GONE, RESET
from tests.faults.sockets import SocketConnection
from tests.faults.support import ClientTestCase, Recorder


class SocketConnectionTests(ClientTestCase):
    def setUp(self) -> None:
        self.clock: Any = MemoryReactorClock()
        self.client = SocketConnection(self.clock, Factory.forProtocol(Recorder))
        self.addCleanup(self.client.stop)
        self.transport = self.client.transport
        self.use(self.client, self.transport.protocol)

    def go_on(self) -> None:
        self.clock.advance(0.0)
        while self.client.go_on():
            pass

    def test_both_ways(self) -> None:
        self.client.write(b"question")
        self.transport.write(b"answer")
        self.go_on()
        self.assertEqual((self.gateway.got, self.heard), (b"question", b"answer"))

    def test_gateway_does_not_read(self) -> None:
        self.transport.pauseProducing()
        self.client.write(b"x")
        self.go_on()
        self.assertEqual(self.gateway.got, b"")
        self.transport.resumeProducing()
        self.go_on()
        self.assertEqual(self.gateway.got, b"x")

    def test_client_writes_more_than_fits(self) -> None:
        data = bytes(10_000_000)
        written = self.client.write(data)
        self.assertLess(written, len(data))

        def more() -> None:
            nonlocal written
            written += self.client.write(data[written:])

        self.client.has_room = more
        self.go_on()
        self.assertEqual((written, len(self.gateway.got)), (len(data), len(data)))

    def test_gateway_closes(self) -> None:
        self.transport.write(b"last words")
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.go_on()
        self.assertEqual((self.heard, self.client.ended), (b"last words", CLOSED))
        self.assertEqual(self.gateway.told[-1], "ConnectionDone")

    def test_gateway_aborts(self) -> None:
        """What was in the socket before is read, and then the reset."""
        self.gateway.transport.socket.send(b"too late")
        self.transport.abortConnection()
        self.go_on()
        self.assertEqual((self.heard, self.client.ended), (b"too late", RESET))
        self.assertEqual(self.client.write(b"x"), 0)
        self.assertTrue(self.client.is_over)

    def test_client_closes(self) -> None:
        self.client.write(b"last words")
        self.client.close()
        self.go_on()
        self.assertEqual((self.gateway.got, self.client.ended), (b"last words", GONE))
        self.assertEqual(self.gateway.told[-1], "ConnectionDone")

    def test_client_aborts(self) -> None:
        self.client.abort()
        self.go_on()
        self.assertEqual(self.gateway.told[-1], "ConnectionLost")
