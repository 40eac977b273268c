"""The connection in memory holds back and ends as a TCP connection does."""

from __future__ import annotations

from twisted.internet.protocol import Factory

from tests.clock import Clock
from tests.faults.connection import CLOSED, GONE, RESET, SOCKET, WRITE_BUFFER, Connection
from tests.faults.support import ClientTestCase, Recorder


class ConnectionTests(ClientTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.client = Connection(self.clock, Factory.forProtocol(Recorder), 1)
        self.transport = self.client.gateway_end
        self.use(self.client, self.transport.protocol)

    def go_on(self) -> None:
        self.clock.pump([0.0] * 10)

    def test_gateway_does_not_read(self) -> None:
        """The sockets take so much and no more, until it reads again."""
        room: list[None] = []
        self.client.has_room = lambda: room.append(None)
        self.transport.pauseProducing()
        self.assertEqual(self.client.write(bytes(100_000)), SOCKET)
        self.assertEqual(self.client.write(b"x"), 0)
        self.go_on()
        self.assertEqual((self.gateway.got, room), (b"", []))
        self.transport.resumeProducing()
        self.go_on()
        self.assertEqual((len(self.gateway.got), room), (SOCKET, [None]))

    def test_client_does_not_read(self) -> None:
        """The producer is paused while too much waits, and resumed when the socket has all."""
        self.client.stop_reading()
        self.transport.write(bytes(SOCKET))
        self.go_on()
        self.transport.write(bytes(WRITE_BUFFER))
        self.go_on()
        self.assertEqual(self.gateway.told, [])
        self.transport.write(b"x")
        self.assertEqual(self.gateway.told, ["pause"])
        self.go_on()
        self.assertEqual(self.transport.buffered, WRITE_BUFFER + 1)
        self.client.read_again()
        self.go_on()
        self.assertEqual(self.gateway.told, ["pause", "resume"])
        self.assertEqual(len(self.heard), SOCKET + WRITE_BUFFER + 1)

    def test_gateway_closes(self) -> None:
        """What it wrote before is read."""
        self.transport.write(b"last words")
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.go_on()
        self.assertEqual((self.heard, self.client.ended), (b"last words", CLOSED))
        self.assertEqual(self.gateway.told, ["ConnectionDone"])

    def test_gateway_aborts(self) -> None:
        """What was not read is gone, on both sides, though it was under way."""
        self.transport.write(b"never")
        self.client.write(b"never")
        self.transport.abortConnection()
        self.go_on()
        self.assertEqual((self.heard, self.gateway.got, self.client.ended), (b"", b"", RESET))
        self.assertEqual(self.gateway.told, ["stop", "ConnectionAborted"])
        self.assertEqual(self.client.write(b"x"), 0)

    def test_client_closes(self) -> None:
        """What it wrote before is read, also if that is later."""
        self.transport.pauseProducing()
        self.client.write(b"last words")
        self.client.close()
        self.go_on()
        self.assertEqual(self.gateway.told, [])
        self.transport.resumeProducing()
        self.go_on()
        self.assertEqual((self.gateway.got, self.client.ended), (b"last words", GONE))
        self.assertEqual(self.gateway.told, ["stop", "ConnectionDone"])
