"""No web page reaches a device: what a browser says first is told from all else, and held back."""

from __future__ import annotations

import contextlib
import ssl
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import A, BindingTestCase
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.request_line import HOLD_TIME, HTTP, LONG, MAX_HELD, opening_of

FORM = (
    b"POST / HTTP/1.1\r\nHost: localhost:27001\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 12\r\n\r\n\r\nRELAY ON\r\n"
)

#: What browsers have been seen to begin with, or a page can have them begin with.
REQUESTS = (
    FORM,
    b"GET / HTTP/1.1\r\nHost: meter:27001\r\nUpgrade: websocket\r\n\r\n",
    b"OPTIONS /x?y=%0d%0a HTTP/1.1\r\n\r\n",
    b"relay-on /now HTTP/1.1\r\n\r\n",
    b"'!#$%&*+-.^_`|~ /now HTTP/1.0\r\n\r\n",
    b"GET /" + b"x" * MAX_HELD + b" HTTP/1.1\r\n\r\n",
    b"x" * MAX_HELD + b" / HTTP/1.1\r\n\r\n",
    b"CONNECT meter:27001 HTTP/1.1\r\n\r\n",
    b"GET http://meter:27001/ HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)

#: What programs say to devices.
COMMANDS = (
    b"GET STATUS\r\n",
    b"GET /STATUS\r\n",
    b"GET / HTTQ/1.1\r\n",
    b"POST\r",
    b"R",
    b"RELAY ON",
    b"?",
    b"\r\n",
    b" GET / HTTP/1.1\r\n",
    b"\x01\x03\x00\x00\x00\x01\x84\x0a",
    b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01",
    b"\x16\x03\x07",
    b"\x00",
    b"\x05",
    b":10010000214601360121470136007EFE09D2190140\r\n",
    bytes(range(256)),
)

STUN = b"\x00\x01\x00\x08\x21\x12\xa4\x42twelve bytes" + b"\x80\x28\x00\x04\x01\x02\x03\x04"


def client_hello() -> bytes:
    """Return what TLS begins with, as OpenSSL writes it."""
    written = ssl.MemoryBIO()
    context = ssl.create_default_context()
    connection = context.wrap_bio(ssl.MemoryBIO(), written, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return written.read()


class OpeningTests(SynchronousTestCase):
    def test_requests(self) -> None:
        for request in REQUESTS:
            self.assertEqual(opening_of(request), HTTP, request[:30])

    def test_requests_in_pieces(self) -> None:
        """None of a usual one is passed on before it is known, wherever it is cut."""
        for request in (FORM, REQUESTS[1], REQUESTS[2], REQUESTS[-1]):
            for size in range(1, len(request)):
                self.assertIn(opening_of(request[:size]), (None, HTTP), request[:size])

    def test_long_requests_in_packets(self) -> None:
        """Nor of another, from what the first packet of a browser has at the least."""
        for request in REQUESTS:
            for size in range(512, len(request)):
                self.assertIn(opening_of(request[:size]), (None, HTTP, LONG), request[:30])

    def test_other_than_http(self) -> None:
        framed = len(STUN).to_bytes(2, "big") + STUN
        for request in (client_hello(), STUN, b"\x00\x03" + STUN[2:], framed):
            self.assertNotIn(opening_of(request), ("", HTTP, None), request[:12])
            self.assertIsNone(opening_of(request[:5]))

    def test_commands(self) -> None:
        """None of them waits."""
        for command in COMMANDS:
            self.assertEqual(opening_of(command), "", command[:30])


class ClientTests(BindingTestCase):
    """A client of a port, whose node must get nothing of a browser's."""

    def setUp(self) -> None:
        super().setUp()
        self.see(A)
        self.log.events.clear()
        self.transport = self.connect(27001)
        self.client = self.transport.protocol

    def to_node(self) -> bytes:
        """What has been sent to the node."""
        return b"".join(getattr(frame, "data", b"") for frame in self.wire.sent)

    def test_request_is_reset_and_said(self) -> None:
        for request in (*REQUESTS, client_hello(), STUN):
            transport = self.connect(27001)
            self.log.events.clear()
            transport.protocol.dataReceived(request)
            self.assertTrue(transport.disconnected)
            (line,) = self.lines()
            self.assertIn("as a browser does for any web page; http = true lets", line)
            transport.protocol.connectionLost(Failure(ConnectionDone()))
        self.client.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.to_node(), b"")
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_request_in_pieces(self) -> None:
        for number in range(len(FORM)):
            if self.transport.disconnected:
                break
            self.client.dataReceived(FORM[number : number + 1])
        self.assertTrue(self.transport.disconnected)
        self.client.connectionLost(Failure(ConnectionDone()))
        self.wire.clock.advance(HOLD_TIME)
        self.assertEqual(self.to_node(), b"")

    def test_line_that_is_too_long_to_tell(self) -> None:
        """What is said of it is true of a test pattern as well."""
        for data in (b"U" * 10000, b"GET /" + b"x" * MAX_HELD):
            transport = self.connect(27001)
            self.log.events.clear()
            transport.protocol.dataReceived(data)
            (line,) = self.lines()
            self.assertIn("more than 8 KiB of one line without a blank, which may begin", line)
            transport.protocol.connectionLost(Failure(ConnectionDone()))
        # As much passes if nothing follows.
        self.client.dataReceived(b"U" * MAX_HELD)
        self.wire.clock.advance(HOLD_TIME)
        self.assertTrue(self.to_node().startswith(b"U"))
        self.assertFalse(self.transport.disconnected)

    def test_commands_do_not_wait(self) -> None:
        self.client.dataReceived(b"GET STATUS\r\n")
        self.assertEqual(self.to_node(), b"GET STATUS\r\n")

    def test_what_comes_later_is_not_looked_at(self) -> None:
        """It goes where what came first has gone, with no step in between."""
        self.client.dataReceived(b"one")
        self.assertEqual(self.client.dataReceived, self.client.received)

    def test_beginning_of_a_request_waits(self) -> None:
        """But not for long, whatever has come."""
        self.client.dataReceived(b"G")
        self.wire.clock.advance(HOLD_TIME / 2)
        self.client.dataReceived(b"ET")
        self.assertEqual(self.to_node(), b"")
        self.wire.clock.advance(HOLD_TIME / 2)
        self.assertEqual(self.to_node(), b"GET")
        self.assertFalse(self.transport.disconnected)

    def test_end_of_the_client_is_waited_for_no_longer(self) -> None:
        self.client.dataReceived(b"G")
        self.client.readConnectionLost()
        self.assertEqual(self.to_node(), b"G")
        self.client.connectionLost(Failure(ConnectionDone()))

    def test_end_of_a_client_behind_tls(self) -> None:
        """It is the end of both sides."""
        self.client.dataReceived(b"G")
        self.client.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.to_node(), b"G")

    def test_reset_by_a_client_that_was_told_something(self) -> None:
        """Its system resets the connection though it ended in good order: it stands by that."""
        port: Any = self.client._serves
        port.deliver(b"a line")
        self.client.dataReceived(b"G")
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.to_node(), b"G")
        self.wire.clock.advance(HOLD_TIME)
        self.assertEqual(self.to_node(), b"G")
        self.assertEqual(port.outbound.bytes_lost, 0)

    def test_reset_by_the_client_itself(self) -> None:
        """It does not stand by what was held back, which is counted like the rest."""
        port: Any = self.client._serves
        self.client.dataReceived(b"GE")
        self.client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.to_node(), b"")
        self.assertEqual(port.outbound.bytes_lost, 2)
        self.wire.clock.advance(HOLD_TIME)
        self.assertEqual(self.to_node(), b"")

    def test_port_that_moves(self) -> None:
        """What was held back is lost, and that is said."""
        self.client.dataReceived(b"G")
        self.remove(A)
        self.assertIn("1 bytes for 00:13:a2:00:40:00:00:01 are lost", " ".join(self.lines()))
        self.client.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.to_node(), b"")

    def test_node_that_speaks_http(self) -> None:
        port: Any = self.client._serves
        port.outbound.settings = PortSettings(http=True)
        self.client.dataReceived(b"GET /")
        self.assertEqual(self.to_node(), b"GET /")
