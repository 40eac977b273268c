"""`rfc2217:HOST:PORT`: a serial line at a serial server that lets its clients set it.

Bytes pass as they are: telnet's escapes are put in and taken out here, and both sides are asked to
be binary (RFC 856). The line is set before anything of it is believed, and the server must say of
each setting that it has it (RFC 2217, 3): one that has another is said in a sentence, and not used.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.radio.baud_rates import ISerialLine
from zbtwist.radio.endpoints import LineEndpoint
from zbtwist.radio.errors import SerialOpenError
from zbtwist.radio.line_health import hang_up
from zbtwist.radio.line_settings import HOLD, ON, LineSettings, settings_of
from zbtwist.radio.protocol import MAX_OVERHEARD
from zbtwist.runtime.com_port import (
    COM_PORT,
    DTR_OFF,
    DTR_ON,
    HARDWARE_FLOW,
    NO_FLOW,
    PARITIES,
    PURGE_DATA,
    PURGE_RECEIVED,
    RATE_SIZE,
    RESUME,
    RTS_OFF,
    RTS_ON,
    SET_BAUDRATE,
    SET_CONTROL,
    SET_DATASIZE,
    SET_LINESTATE_MASK,
    SET_MODEMSTATE_MASK,
    SET_PARITY,
    SET_STOPSIZE,
    SUSPEND,
    TO_CLIENT,
)
from zbtwist.runtime.host_port import host_and_port
from zbtwist.runtime.telnet_codec import (
    BINARY,
    DO,
    DONT,
    SUPPRESS_GO_AHEAD,
    WILL,
    WONT,
    Side,
    State,
    TelnetError,
    TelnetParser,
    escaped,
    subnegotiation,
)

#: Seconds that a server has to agree to the option, and then to the settings: less than a try to
#: open the line has (`zbtwist.radio.retrying_endpoint`), so that there is a sentence for each.
ANSWER_TIMEOUT = 2.2

#: Seconds for which what comes is thrown away after another rate was asked for, unless the server
#: says sooner that it has it.
RATE_TIMEOUT = 1.0

#: What the settings are called in a sentence.
_NAMES = {
    SET_BAUDRATE: "baud",
    SET_DATASIZE: "data bits",
    SET_PARITY: "the parity {}",
    SET_STOPSIZE: "stop bits",
}
_PARITY_NAMES = {number: name for name, number in PARITIES.items()}

_OURS = frozenset((BINARY, SUPPRESS_GO_AHEAD, COM_PORT))


@implementer(ISerialLine, ITransport, IConsumer, IPushProducer)
class ComPortConnection(Protocol):
    """A connection to such a server, and the transport of who speaks to the line behind it.

    @ivar baud_rate: bits per second, as the server has said, or was asked for since.
    """

    is_remote = True

    def __init__(
        self, clock: IReactorTime, where: str, line: LineSettings, factory: IProtocolFactory
    ) -> None:
        """
        @param where: the server, for sentences.
        @param factory: makes the protocol that speaks to the line, when it is set.
        """
        self._clock = clock
        self._where = where
        self._line = line
        self._factory = factory
        self.baud_rate = line.first_rate
        #: Fires with that protocol, or fails with `SerialOpenError`.
        self.opened: Deferred[IProtocol] = Deferred()
        self._protocol: IProtocol | None = None
        self._parser = TelnetParser(self)
        self._ours = Side(self._send, WILL, WONT, _OURS)
        self._theirs = Side(self._send, DO, DONT, _OURS)
        # What the server has to say it has.
        self._wanted: dict[int, int] = {}
        self._timer: IDelayedCall | None = None
        # Rates that were asked for and not answered, and until when what comes before their
        # answers is taken to have come at another one.
        self._unanswered = 0
        self._deaf_until = 0.0
        # What it says in place of opening the line.
        self._heard = b""
        self._producer: Any = None
        # Who has it wait: the connection, the server.
        self._held: set[str] = set()
        self._connection: Any = None

    # --- the connection ------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._connection = self.transport
        self._connection.setTcpNoDelay(True)
        for option in (COM_PORT, BINARY, SUPPRESS_GO_AHEAD):
            self._ours.ask(option)
        for option in (BINARY, SUPPRESS_GO_AHEAD):
            self._theirs.ask(option)
        self._wait("says nothing of RFC 2217")

    def dataReceived(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
        except TelnetError as error:
            self._refuse(f"is no telnet server: {error}")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._wait_no_more()
        if not self.opened.called:
            self.opened.errback(SerialOpenError(hang_up(self._heard, is_at_once=False)))
        elif self._protocol is not None:
            self._protocol.connectionLost(reason)

    def _send(self, data: bytes) -> None:
        self._connection.write(data)

    def _tell(self, command: int, value: int) -> None:
        size = RATE_SIZE if command == SET_BAUDRATE else 1
        self._send(subnegotiation(COM_PORT, bytes([command]) + value.to_bytes(size, "big")))

    def _refuse(self, why: str) -> None:
        """It cannot be used.

        @param why: a clause whose subject is the server.
        """
        self._wait_no_more()
        if not self.opened.called:
            self.opened.errback(SerialOpenError(f"The serial server {self._where} {why}."))
        self._connection.abortConnection()

    def _advice(self, problem: str) -> str:
        return f"{problem}: have it speak RFC 2217, or set it to raw and write tcp:{self._where}"

    def _wait(self, otherwise: str) -> None:
        """Wait for an answer.

        @param otherwise: what is wrong if none comes, a clause whose subject is the server.
        """
        self._wait_no_more()
        advice = self._advice(otherwise)
        self._timer = self._clock.callLater(ANSWER_TIMEOUT, self._refuse, advice)

    def _wait_no_more(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    # --- what the server says ------------------------------------------------------------------

    def data_came(self, data: bytes) -> None:
        """See `zbtwist.runtime.telnet_codec.Hears`, here and below. What came before the line was
        set came in another way.
        """
        if self._protocol is None:
            self._heard = (self._heard + data)[:MAX_OVERHEARD]
        elif not self._unanswered or self._clock.seconds() >= self._deaf_until:
            self._protocol.dataReceived(data)

    def command_came(self, command: int) -> None:
        """None of them is about the line."""

    def option_came(self, verb: int, option: int) -> None:
        side = self._theirs if verb in (WILL, WONT) else self._ours
        before = self._ours.state_of(COM_PORT)
        side.heard(option, verb in (WILL, DO))
        now = self._ours.state_of(COM_PORT)
        if now is before or self.opened.called:
            return
        if now is State.YES:
            self._set_line()
        elif now is State.REFUSED:
            self._refuse(self._advice("speaks telnet, and not RFC 2217"))

    def subnegotiation_came(self, option: int, payload: bytes) -> None:
        if option != COM_PORT or len(payload) < 1:
            return
        command = payload[0] - TO_CLIENT
        value = int.from_bytes(payload[1 : 1 + RATE_SIZE], "big")
        if command in (SUSPEND, RESUME):
            self._hold("server", command == SUSPEND)
        elif self.opened.called:
            if command == SET_BAUDRATE and self._unanswered:
                self._unanswered -= 1
                if not self._unanswered:
                    self.baud_rate = value
        elif command in self._wanted:
            self._answered(command, value)

    # --- setting the line ----------------------------------------------------------------------

    def _set_line(self) -> None:
        line = self._line
        self._wanted = {
            SET_BAUDRATE: line.first_rate,
            SET_DATASIZE: 8,
            SET_PARITY: PARITIES[line.parity],
            SET_STOPSIZE: line.stop_bits,
        }
        self._tell(SET_LINESTATE_MASK, 0)
        self._tell(SET_MODEMSTATE_MASK, 0)
        for command, value in self._wanted.items():
            self._tell(command, value)
        # What these come to is not waited for: not every server has the lines.
        self._tell(SET_CONTROL, HARDWARE_FLOW if line.rtscts else NO_FLOW)
        if line.dtr != HOLD:
            self._tell(SET_CONTROL, DTR_ON if line.dtr == ON else DTR_OFF)
        if line.rts != HOLD and not line.rtscts:
            self._tell(SET_CONTROL, RTS_ON if line.rts == ON else RTS_OFF)
        self._tell(PURGE_DATA, PURGE_RECEIVED)
        self._wait("does not say what its serial line is set to")

    def _answered(self, command: int, value: int) -> None:
        wanted = self._wanted[command]
        if value != wanted:
            self._refuse(
                f"does not set its serial line to {_in_words(command, wanted)}, but to "
                f"{_in_words(command, value)}: name what it can with --baud, --parity and "
                "--stop-bits, or let it have other settings itself"
            )
            return
        del self._wanted[command]
        if not self._wanted:
            self._wait_no_more()
            self._open()

    def _open(self) -> None:
        protocol = self._factory.buildProtocol(self._connection.getPeer())
        if protocol is None:
            self._refuse("has nobody here to talk to")
            return
        self._protocol = protocol
        protocol.makeConnection(self)
        self.opened.callback(protocol)

    # --- as a serial line ----------------------------------------------------------------------

    def set_baud_rate(self, baud_rate: int) -> None:
        """Carry on at another rate; what came before the server has it is thrown away."""
        if not 0 < baud_rate < 1 << 32:
            raise ValueError(f"{baud_rate} baud")
        self.baud_rate = baud_rate
        self._unanswered += 1
        self._deaf_until = self._clock.seconds() + RATE_TIMEOUT
        self._tell(SET_BAUDRATE, baud_rate)

    # --- as a transport ------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        self._connection.write(escaped(data))

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self._connection.loseConnection()

    def abortConnection(self) -> None:
        """Close without writing what is buffered."""
        self._connection.abortConnection()

    def getPeer(self) -> IAddress:
        address: IAddress = self._connection.getPeer()
        return address

    def getHost(self) -> IAddress:
        address: IAddress = self._connection.getHost()
        return address

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell somebody when the line takes no more, and when it does again."""
        self._producer = producer
        self._connection.registerProducer(self, streaming)

    def unregisterProducer(self) -> None:
        """Tell nobody any more."""
        self._producer = None
        self._connection.unregisterProducer()

    def pauseProducing(self) -> None:
        self._hold("connection", True)

    def resumeProducing(self) -> None:
        self._hold("connection", False)

    def stopProducing(self) -> None:
        """The connection is going away, and says so itself."""

    def _hold(self, who: str, is_held: bool) -> None:
        was_held = bool(self._held)
        (self._held.add if is_held else self._held.discard)(who)
        if self._producer is not None and bool(self._held) != was_held:
            if self._held:
                self._producer.pauseProducing()
            else:
                self._producer.resumeProducing()


def _in_words(command: int, value: int) -> str:
    name = _NAMES[command]
    if command == SET_PARITY:
        return name.format(_PARITY_NAMES.get(value, value))
    return f"{value} {name}"


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, connection: ComPortConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: object) -> ComPortConnection:
        return self._connection


@implementer(IStreamClientEndpoint)
class Rfc2217Endpoint(LineEndpoint):
    """Connects a protocol to a serial line at a serial server."""

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        line: LineSettings | None = None,
        endpoint: IStreamClientEndpoint | None = None,
    ) -> None:
        """
        @param host: the serial server, by its name or IP address.
        @param endpoint: how it is reached, if not by TCP.
        """
        super().__init__(line or LineSettings())
        self._reactor = reactor
        self._where = host_and_port(host, port)
        # What checks an endpoint's port looks for it here.
        self._port = port
        self._endpoint = endpoint or HostnameEndpoint(reactor, host, port)

    def __repr__(self) -> str:
        return f"rfc2217:{self._where}:baudrate={self.line.baud_rate or 'auto'}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        @return: fires with the protocol when the line is set, or fails with `SerialOpenError`,
            whose text is a sentence that says what to do.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        connection = ComPortConnection(self._reactor, self._where, self.line, factory)
        await self._endpoint.connect(_ConnectionFactory(connection))
        try:
            return await connection.opened
        except CancelledError:
            connection.abortConnection()
            raise


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class Rfc2217EndpointParser:
    """Parses ``rfc2217:HOST:PORT:baudrate=115200``, with the options of ``serial:``."""

    prefix = "rfc2217"

    def parseStreamClient(self, reactor: Any, *where: Any, **words: Any) -> Rfc2217Endpoint:
        line = settings_of(words, self.prefix)
        host, port = where if len(where) == 2 else ("", "")
        if not (host and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError("rfc2217: needs a host and a TCP port, such as rfc2217:HOST:PORT")
        return Rfc2217Endpoint(reactor, host, int(port), line)
