"""``telnet``: what is offered, what is escaped, and what a virtual terminal gets."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from tests.binding.serial_world import SerialTestCase, TelnetClient
from zbtwist.runtime.telnet_codec import (
    AYT,
    BINARY,
    BREAK,
    DO,
    DONT,
    ECHO,
    IAC,
    NOP,
    SB,
    SUPPRESS_GO_AHEAD,
    WILL,
    WONT,
)


class TelnetTests(SerialTestCase):
    protocol = "telnet"

    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect()
        self.go_on(0.1)
        self.client.read()

    def test_offers(self) -> None:
        self.assertEqual(
            self.client.options,
            [(WILL, SUPPRESS_GO_AHEAD), (WILL, ECHO), (WILL, BINARY), (DO, BINARY)],
        )

    def test_bytes(self) -> None:
        every = bytes(range(256))
        self.client.say(every.replace(b"\xff", b"\xff\xff"))
        self.assertEqual(bytes(self.node.heard), every)
        self.assertEqual(self.client.take(), every)

    def test_what_it_does_not_have(self) -> None:
        """Kermit waits for an answer to each."""
        self.client.options.clear()
        self.client.say(bytes((IAC, DO, 47, IAC, WILL, 24)))
        self.assertEqual(self.client.options, [(WONT, 47), (DONT, 24)])

    def refuse_binary(self, client: TelnetClient) -> None:
        client.say(bytes((IAC, WONT, BINARY, IAC, DONT, BINARY)))

    def test_terminal_that_writes(self) -> None:
        """A carriage return has a NUL behind it, also if they come apart."""
        self.client.say(b"a\r\0")
        self.assertEqual(bytes(self.node.heard), b"a\r\0")
        self.node.heard.clear()
        self.refuse_binary(self.client)
        self.client.say(b"a\r\0b\r\nc\r")
        self.client.say(b"\0")
        self.client.say(b"d\0")
        self.assertEqual(bytes(self.node.heard), b"a\rb\r\nc\rd\0")

    def test_terminal_that_reads(self) -> None:
        self.refuse_binary(self.client)
        for said, heard in (
            (b"a\rb\r\n\xffc", b"a\r\0b\r\n\xffc"),
            (b"d\r", b"d\r"),
            (b"\ne\r", b"\ne\r"),
            (b"f", b"\0f"),
        ):
            self.node.send(said)
            self.go_on(0.5)
            self.client.read()
            self.assertEqual(self.client.take(), heard)

    def test_are_you_there(self) -> None:
        """The answer is none that is taken for the device's."""
        self.client.say(bytes((IAC, AYT, IAC, BREAK)))
        self.assertEqual((self.client.commands, self.client.data), ([NOP], b""))

    def test_flood(self) -> None:
        """It costs the client its connection, and nobody else anything."""
        other = self.connect()
        for flood, why in (
            (bytes((IAC, SB)) + bytes(2000), "a telnet subnegotiation of more than 1024 bytes"),
            (bytes((IAC, NOP)) * 2000, "more than 1000 telnet commands at once"),
        ):
            client = self.connect()
            client.say(b"x" + flood)
            self.assertTrue(client.transport.is_cut)
            self.assertIn(why, "\n".join(self.log.lines("warn")))
        other.say(b"y")
        self.assertIn(b"y", other.take())

    def test_client_that_ends_at_once(self) -> None:
        """It had not read what was offered, so that its system resets the connection: what it wrote
        arrives all the same.
        """
        self.client.protocol.dataReceived(b"hello")
        self.client.protocol.connectionLost(Failure(ConnectionLost()))
        self.go_on(1.0)
        self.assertEqual(bytes(self.node.heard), b"hello")
