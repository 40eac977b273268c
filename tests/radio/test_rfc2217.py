"""A serial line at a serial server that speaks RFC 2217, which is here in memory."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint, ITransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.clock import Clock
from tests.radio.support import Owner
from zbtwist.radio.baud_rates import ISerialLine
from zbtwist.radio.errors import SerialOpenError
from zbtwist.radio.line_settings import LineSettings
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.rfc2217 import (
    ANSWER_TIMEOUT,
    RATE_TIMEOUT,
    ComPortConnection,
    Rfc2217Endpoint,
    Rfc2217EndpointParser,
)
from zbtwist.runtime.telnet_codec import MAX_SUBNEGOTIATION

WILL, WONT, DO, DONT = (bytes([0xFF, verb]) for verb in (0xFB, 0xFC, 0xFD, 0xFE))
COM_PORT = b"\x2c"


def said(command: int, value: bytes) -> bytes:
    """What is said of the line, as it is sent."""
    return b"\xff\xfa\x2c" + bytes([command]) + value.replace(b"\xff", b"\xff\xff") + b"\xff\xf0"


class Line(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.is_lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_lost = True


class Server(StringTransport):
    """The other end, which says nothing by itself."""

    def __init__(self, connection: ComPortConnection) -> None:
        super().__init__()
        self.connection = connection
        connection.makeConnection(self)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """It has none."""

    def say(self, data: bytes) -> None:
        self.connection.dataReceived(data)

    def heard(self) -> bytes:
        heard: bytes = self.value()
        self.clear()
        return heard

    def answer(self, **other: int) -> None:
        """Say that the line is set as was asked for, but for what is named."""
        rate = other.get("rate", 9600)
        self.say(
            said(101, rate.to_bytes(4, "big"))
            + said(102, bytes([other.get("size", 8)]))
            + said(103, bytes([other.get("parity", 1)]))
            + said(104, bytes([other.get("stop", 1)]))
        )


@implementer(IStreamClientEndpoint)
class Way:
    """How the server is reached."""

    def __init__(self) -> None:
        self.servers: list[Server] = []

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        connection = protocolFactory.buildProtocol(None)
        self.servers.append(Server(connection))
        connected: Deferred[Any] = Deferred()
        connected.callback(connection)
        return connected


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.way = Way()

    def connect(self, **line: Any) -> Deferred[Any]:
        endpoint = Rfc2217Endpoint(self.clock, "10.0.0.9", 4000, LineSettings(**line), self.way)
        opening = endpoint.connect(Factory.forProtocol(Line))
        self.server = self.way.servers[-1]
        return opening

    def open(self, **line: Any) -> Line:
        opening = self.connect(**line)
        self.server.say(DO + COM_PORT)
        self.server.answer()
        opened = self.successResultOf(opening)
        self.server.heard()
        assert isinstance(opened, Line)
        return opened

    def refusal(self, opening: Deferred[Any]) -> str:
        failure = self.failureResultOf(opening, SerialOpenError)
        self.assertTrue(self.server.disconnected)
        return str(failure.value)

    def test_negotiation(self) -> None:
        """The option is asked for, then the line is set, and then it is open."""
        opening = self.connect(baud_rate=115200, parity="even", stop_bits=2)
        self.assertEqual(
            self.server.heard(),
            WILL + COM_PORT + WILL + b"\0" + WILL + b"\3" + DO + b"\0" + DO + b"\3",
        )
        self.server.say(WILL + b"\0" + DO + b"\0" + WILL + b"\1" + DO + COM_PORT)
        self.assertEqual(
            self.server.heard(),
            DONT
            + b"\1"
            + said(10, b"\0")
            + said(11, b"\0")
            + said(1, b"\0\x01\xc2\0")
            + said(2, b"\x08")
            + said(3, b"\x03")
            + said(4, b"\x02")
            + said(5, b"\x01")
            + said(5, b"\x08")
            + said(5, b"\x0b")
            + said(12, b"\x01"),
        )
        self.server.say(b"of before")
        self.assertNoResult(opening)
        self.server.answer(rate=115200, parity=3, stop=2)
        line = self.successResultOf(opening)
        self.assertEqual((line.received, line.transport.baud_rate), (b"", 115200))
        self.clock.advance(60)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        verifyObject(ISerialLine, line.transport)

    def test_lines(self) -> None:
        """DTR and RTS, and the flow control."""
        for settings, wanted in (
            ({"dtr": "off", "rts": "off"}, (1, 9, 12)),
            ({"dtr": "hold", "rts": "hold"}, (1,)),
            ({"rtscts": True}, (3, 8)),
        ):
            self.connect(**settings)
            self.server.heard()
            self.server.say(DO + COM_PORT)
            controls = b"".join(said(5, bytes([value])) for value in wanted)
            self.assertIn(said(4, b"\1") + controls + said(12, b"\1"), self.server.heard())

    def test_every_byte(self) -> None:
        line = self.open()
        everything = bytes(range(256))
        escaped = everything + b"\xff"
        line.transport.write(everything)  # type: ignore[union-attr]
        self.assertEqual(self.server.heard(), escaped)
        for byte in escaped:
            self.server.say(bytes([byte]))
        self.assertEqual(line.received, everything)

    def test_server_that_asks_first(self) -> None:
        """As ser2net does; each is answered once."""
        opening = self.connect()
        self.server.heard()
        self.server.say(DO + b"\0" + WILL + b"\0" + DO + COM_PORT + DO + COM_PORT)
        self.assertNotIn(WILL, self.server.heard())
        self.server.answer()
        self.successResultOf(opening)

    def test_other_rate(self) -> None:
        """What comes before the server has it came at the old one."""
        line = self.open()
        transport: Any = line.transport
        transport.set_baud_rate(57600)
        self.assertEqual(self.server.heard(), said(1, b"\0\0\xe1\0"))
        self.server.say(b"old")
        self.server.say(said(101, b"\0\0\xe1\0") + b"new")
        self.assertEqual((line.received, transport.baud_rate), (b"new", 57600))
        transport.set_baud_rate(31)
        self.server.say(said(101, b"\0\0\x25\x80") + b"!")
        self.assertEqual((line.received, transport.baud_rate), (b"new!", 9600))
        self.assertRaises(ValueError, transport.set_baud_rate, -1)

    def test_server_that_does_not_answer_to_another_rate(self) -> None:
        line = self.open()
        transport: Any = line.transport
        transport.set_baud_rate(57600)
        self.server.say(b"old")
        self.clock.advance(RATE_TIMEOUT)
        self.server.say(b"new")
        self.assertEqual(line.received, b"new")

    def test_no_rfc_2217(self) -> None:
        """Telnet without the option, and a raw server, are told from each other."""
        opening = self.connect()
        self.server.say(DONT + COM_PORT)
        self.assertEqual(
            self.refusal(opening),
            "The serial server 10.0.0.9:4000 speaks telnet, and not RFC 2217: have it speak RFC "
            "2217, or set it to raw and write tcp:10.0.0.9:4000.",
        )
        opening = self.connect()
        self.server.say(b"~raw")
        self.clock.advance(ANSWER_TIMEOUT)
        self.assertIn("10.0.0.9:4000 says nothing of RFC 2217", self.refusal(opening))

    def test_server_that_sets_nothing(self) -> None:
        opening = self.connect()
        self.server.say(DO + COM_PORT)
        self.clock.advance(ANSWER_TIMEOUT)
        self.assertIn("does not say what its serial line is set to", self.refusal(opening))

    def test_line_that_cannot_be_so(self) -> None:
        for setting, value, sentence in (
            ("rate", 19200, "does not set its serial line to 9600 baud, but to 19200 baud"),
            ("size", 7, "to 8 data bits, but to 7 data bits"),
            ("parity", 3, "to the parity none, but to the parity even"),
            ("stop", 2, "to 1 stop bits, but to 2 stop bits"),
        ):
            opening = self.connect()
            self.server.say(DO + COM_PORT)
            self.server.answer(**{setting: value})
            self.assertIn(sentence, self.refusal(opening))

    def test_server_that_hangs_up(self) -> None:
        """With the words that it has for that, as ser2net."""
        opening = self.connect()
        self.server.say(b"Port already in use\r\n")
        self.server.connection.connectionLost(connectionDone)
        failure = self.failureResultOf(opening, SerialOpenError)
        self.assertEqual(
            str(failure.value),
            "The serial server closes the connection, and says: Port already in use. See that "
            "nobody else is connected to it, and that it can open its serial port.",
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_later(self) -> None:
        line = self.open()
        self.server.connection.connectionLost(connectionDone)
        self.assertTrue(line.is_lost)

    def test_as_a_transport(self) -> None:
        line = self.open()
        transport: Any = line.transport
        verifyObject(ITransport, transport)
        verifyObject(IConsumer, transport)
        transport.writeSequence([b"a\xff", b"b"])
        self.assertEqual(self.server.heard(), b"a\xff\xffb")
        self.assertEqual(transport.getPeer(), self.server.getPeer())
        self.assertEqual(transport.getHost(), self.server.getHost())
        producer = RadioProtocol(self.clock, 1, Owner())
        transport.registerProducer(producer, True)
        transport.unregisterProducer()
        self.assertIsNone(self.server.producer)
        transport.loseConnection()
        self.assertTrue(self.server.disconnecting)
        transport.abortConnection()
        self.assertTrue(self.server.disconnected)

    def test_nobody_wants_it_any_more(self) -> None:
        endpoint = Rfc2217Endpoint(self.clock, "10.0.0.9", 4000, LineSettings(), self.way)
        factory = Factory()
        self.patch(factory, "buildProtocol", lambda address: None)
        opening = endpoint.connect(factory)
        self.server = self.way.servers[-1]
        self.server.say(DO + COM_PORT)
        self.server.answer()
        self.assertIn("has nobody here to talk to", self.refusal(opening))

    def test_try_that_is_given_up(self) -> None:
        opening = self.connect()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(self.server.disconnected)
        self.server.connection.connectionLost(connectionDone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_telnet_at_all(self) -> None:
        """What goes beyond every bound costs the connection."""
        line = self.open()
        self.server.say(b"\xff\xfa" + b"x" * 2 * MAX_SUBNEGOTIATION)
        self.assertTrue(self.server.disconnected)
        self.server.connection.connectionLost(connectionDone)
        self.assertTrue(line.is_lost)

    def test_what_is_no_answer(self) -> None:
        """Other options, empty ones, and answers to what was not asked."""
        line = self.open()
        self.server.say(
            b"\xff\xfa\x18\x01\xff\xf0\xff\xfa\x2c\xff\xf0" + said(107, b"\x30") + said(1, b"")
        )
        self.server.say(said(101, b"\0\0\0\1") + b"\xff\xf1on")
        transport: Any = line.transport
        self.assertEqual((line.received, transport.baud_rate), (b"on", 9600))

    def test_server_that_takes_no_more(self) -> None:
        """By the connection, and by its own word, as a radio's line hears it."""
        told: list[bool] = []
        owner = Owner()
        owner.congestion_changed = told.append  # type: ignore[assignment, method-assign]
        endpoint = Rfc2217Endpoint(self.clock, "10.0.0.9", 4000, LineSettings(), self.way)
        opening = endpoint.connect(Factory.forProtocol(lambda: RadioProtocol(self.clock, 1, owner)))
        self.server = self.way.servers[-1]
        self.server.say(DO + COM_PORT)
        self.server.answer()
        protocol = self.successResultOf(opening)
        assert isinstance(protocol, RadioProtocol)
        producer: Any = self.server.producer
        self.server.say(said(108, b""))
        producer.pauseProducing()
        self.assertEqual(told, [True])
        self.server.say(said(109, b""))
        self.assertEqual(told, [True])
        producer.resumeProducing()
        self.assertEqual(told, [True, False])


#: What a server may say, and beginnings of it.
_PIECES = st.one_of(
    st.sampled_from(
        [DO + COM_PORT, DONT + COM_PORT, WILL + b"\0", WONT + b"\0", b"\xff", b"\xff\xf0", b"~"]
    ),
    st.binary(max_size=4),
    st.builds(said, st.integers(0, 255), st.binary(max_size=5)),
)


class StrangerTests(SynchronousTestCase):
    @given(st.lists(_PIECES, max_size=30))
    def test_whatever_a_server_says(self, pieces: list[bytes]) -> None:
        """It costs the connection at most, and nothing goes on behind it."""
        clock, way = Clock(), Way()
        endpoint = Rfc2217Endpoint(clock, "10.0.0.9", 4000, LineSettings(), way)
        opening = endpoint.connect(Factory.forProtocol(Line))
        opening.addErrback(lambda failure: failure.trap(SerialOpenError))
        (server,) = way.servers
        for piece in pieces:
            if not server.disconnected:
                server.say(piece)
        server.connection.connectionLost(connectionDone)
        self.successResultOf(opening)
        self.assertEqual(clock.getDelayedCalls(), [])


class ParserTests(SynchronousTestCase):
    def test_refused(self) -> None:
        parser = Rfc2217EndpointParser()
        for where in ((), ("host",), ("host", "x"), ("", "4000"), ("host", "0"), ("a", "1", "2")):
            error = self.assertRaises(ValueError, parser.parseStreamClient, None, *where)
            self.assertIn("rfc2217:HOST:PORT", str(error))
        error = self.assertRaises(
            ValueError, parser.parseStreamClient, None, "host", "4000", baud="9600"
        )
        self.assertIn("rfc2217: has no option baud; it takes baudrate, rtscts", str(error))
