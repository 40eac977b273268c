"""A WebSocket of the control port: how much it may hold, and how it ends.

wsproto knows the frames; what is to be done about them is here. The size of a message and what
waits for a slow reader are bounded; a reader that has gone without a word is noticed; and every
socket is told why it ends. Who may open one is said in `zbtwist.control.web.handshake`.

Back-pressure is one rule: while the other end takes nothing, nothing is read from it either. So
answers cannot pile up, not even those to its pings. And what was read at once is looked at piece by
piece, with a turn of the reactor between two of them: there may be thousands of messages in it, and
the nodes' streams must not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from zope.interface import implementer

from zbtwist.control.http.channel import UpgradedProtocol
from zbtwist.runtime.host_port import host_and_port
from zbtwist.runtime.work_turns import Turn, WorkTurns

#: The longest message that is taken, in bytes or characters.
MAX_MESSAGE = 65536

#: The most bytes of a message that has not ended, with the heads of its frames.
MAX_UNFINISHED = 2 * 65536

#: How many bytes are looked at in one turn of the reactor. The shortest call of a page has 39, the
#: shortest ping 6.
PIECE = 1024

#: Seconds between two signs of life that are asked for, and without one until the end.
PING_INTERVAL = 20.0
SILENCE = 60.0

#: Seconds that the other end has to take the last words, and when the gateway stops.
CLOSE_TIMEOUT = 3.0
STOP_TIMEOUT = 0.5

#: Close codes: RFC 6455, 7.4.1.
NORMAL = 1000
GOING_AWAY = 1001
POLICY = 1008
TOO_BIG = 1009
#: https://www.iana.org/assignments/websocket
TRY_AGAIN_LATER = 1013

#: The head of a frame, in bytes, at its shortest: RFC 6455, 5.2, with the mask that clients use.
_HEAD = 6


_NUMBERS = count()


@implementer(IPushProducer)
class Session(UpgradedProtocol):
    """One WebSocket. What it is for is said by a subclass, in `opened`, `text_received`,
    `bytes_received`, `unblocked`, `stopping` and `ended`.

    @ivar number: how many were opened before it.
    @ivar peer: who is at the other end, for the log.
    @ivar blocked: the other end takes no more at the moment.
    @ivar over: nothing more is sent or heard.
    @ivar gone: fires when the connection is lost.
    """

    log = Logger()
    transport: Any

    def __init__(self, request: Request, clock: IReactorTime) -> None:
        self._clock = clock
        self.number = next(_NUMBERS)
        channel: Any = request.channel
        self._turns: WorkTurns = channel.factory.turns
        self._turn: Turn | None = None
        self._websocket = Connection(ConnectionType.SERVER)
        self._held = False
        self._reading = True
        self._unread = b""
        self._next_piece: IDelayedCall | None = None
        # The message that has begun and not ended, and its bytes with the heads of their frames.
        self._message: Any = None
        self._unfinished = 0
        self._last_sign = clock.seconds()
        self._timer: IDelayedCall | None = None
        self.blocked = False
        self.over = False
        self.gone: Deferred[None] = Deferred()
        address = request.getClientAddress()
        host, port = getattr(address, "host", None), getattr(address, "port", 0)
        self.peer = host_and_port(host, port) if host else str(address)

    # --- for subclasses ------------------------------------------------------------------------

    def opened(self) -> None:
        """The other end is there."""

    def text_received(self, message: str) -> None:
        """It has sent text. This kind of session takes none, if it is not overridden."""
        self.end(POLICY)

    def bytes_received(self, message: bytes) -> None:
        """It has sent bytes. This kind of session takes none, if it is not overridden."""
        self.end(POLICY)

    def unblocked(self) -> None:
        """It has taken everything."""

    def stopping(self) -> None:
        """The gateway stops, and closes the socket next: time for the last words."""

    def ended(self) -> None:
        """The connection is lost; called once."""

    def send_text(self, text: str) -> None:
        """Send a text message."""
        self._send(TextMessage(text))

    def send_bytes(self, data: bytes) -> None:
        """Send a bytes message."""
        self._send(BytesMessage(data))

    def hold(self, held: bool) -> None:
        """Read nothing, or read again."""
        self._held = held
        self._read_or_not()

    def end(self, code: int = NORMAL) -> None:
        """Send what is buffered and close.

        @param code: one of this module's close codes.
        """
        if not self.over:
            self._say_goodbye(CloseConnection(code))

    def abort(self) -> None:
        """Close without sending what is buffered."""
        if not self.over:
            self._end()
        self.transport.abortConnection()

    # --- the socket ----------------------------------------------------------------------------

    def _send(self, event: Event) -> None:
        if not self.over:
            self.transport.write(self._websocket.send(event))

    def _say_goodbye(self, goodbye: CloseConnection) -> None:
        """Say it first, or in answer to that of the other end."""
        self._end()
        self.transport.write(self._websocket.send(goodbye))
        self.transport.loseConnection()

    def _end(self) -> None:
        self.over = True
        self._unread = b""
        self._message = None
        # A transport that waits for its producer to send the rest never closes.
        self.transport.unregisterProducer()
        self._set_timer(CLOSE_TIMEOUT, self.transport.abortConnection)

    def _set_timer(self, delay: float, call: Callable[[], object]) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(delay, call)

    def _check(self) -> None:
        """Ask for a sign of life, unless there has been none for too long."""
        now = self._clock.seconds()
        if self._held or self._unread:
            # We do not listen, so the other end may have been silent or not.
            self._last_sign = now
        if now - self._last_sign >= SILENCE:
            self.log.info("The console at {peer} is dropped: it is silent.", peer=self.peer)
            self.abort()
            return
        if not self.blocked:
            self._send(Ping())
        if not self.over:
            self._set_timer(PING_INTERVAL, self._check)

    def stop(self) -> None:
        """The gateway stops: say so and close, soon."""
        if not self.over:
            self.stopping()
            self.end(GOING_AWAY)
        if not self.gone.called:
            self._set_timer(STOP_TIMEOUT, self.transport.abortConnection)

    def _read_or_not(self) -> None:
        listening = not self._held and not self.blocked
        is_waiting = self._turn is not None and self._turn.is_waiting
        if listening and self._unread and self._next_piece is None and not is_waiting:
            self._next_piece = self._clock.callLater(0, self._look_at_next_piece)
        wanted = listening and not self._unread
        if wanted != self._reading and not self.over:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def pauseProducing(self) -> None:
        self.blocked = True
        self._last_sign = self._clock.seconds()
        self._read_or_not()

    def resumeProducing(self) -> None:
        self.blocked = False
        self._last_sign = self._clock.seconds()
        self._read_or_not()
        if not self.over:
            self.unblocked()

    def stopProducing(self) -> None:
        """The connection is going away; `connectionLost` comes next."""

    # --- what comes ----------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self._set_timer(PING_INTERVAL, self._check)
        self.opened()

    def dataReceived(self, data: bytes) -> None:
        if self.over:
            return
        self._last_sign = self._clock.seconds()
        waiting = self._unread
        self._unread += data
        if not (waiting or self._held or self.blocked or self._next_piece):
            self._ask_for_turn()
        self._read_or_not()

    def _look_at_next_piece(self) -> None:
        self._next_piece = None
        self._ask_for_turn()

    def _ask_for_turn(self) -> None:
        if self._turn is None or not self._turn.is_waiting:
            self._turn = self._turns.ask(self._look_if_possible)

    def _look_if_possible(self) -> None:
        if not (self._held or self.blocked or self.over):
            self._look_at_piece()
        self._read_or_not()

    def _look_at_piece(self) -> None:
        data, self._unread = self._unread[:PIECE], self._unread[PIECE:]
        self._websocket.receive_data(data)
        for event in self._websocket.events():
            match event:
                case TextMessage() | BytesMessage():
                    self._take_part(event)
                case Ping():
                    self._send(event.response())
                case CloseConnection():
                    # It has said goodbye, or nonsense; wsproto knows what to answer.
                    self._say_goodbye(event.response())
            if self.over:
                return

    def _take_part(self, part: TextMessage | BytesMessage) -> None:
        """Take a frame of a message, or what has come of it."""
        data: Any = part.data
        self._unfinished += _HEAD + len(data.encode() if isinstance(data, str) else data)
        # Not a list of parts: one of nothing but nearly empty ones would take much more room.
        message = data if self._message is None else self._message + data
        if self._unfinished > MAX_UNFINISHED or len(message) > MAX_MESSAGE:
            self.end(TOO_BIG)
        elif not part.message_finished:
            self._message = message
        else:
            self._message = None
            self._unfinished = 0
            if isinstance(message, str):
                self.text_received(message)
            else:
                self.bytes_received(bytes(message))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True
        for timer in (self._timer, self._next_piece):
            if timer is not None and timer.active():
                timer.cancel()
        if self._turn is not None:
            self._turn.cancel()
        self.ended()
        self.gone.callback(None)
