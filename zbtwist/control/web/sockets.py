"""WebSockets on the control port: who may open one, how much it may hold, and how it ends.

Twisted's WebSocket does the talking. What it leaves open is here: pages of other sites are refused;
the number of sockets, the size of a message and what waits for a slow reader are bounded; a reader
that has gone without a word is noticed; and every socket is told why it ends.

Back-pressure is one rule: while the other end takes nothing, nothing is read from it either. So
answers cannot pile up, not even those to its pings. And what was read at once is looked at piece by
piece, with a turn of the reactor between two of them: there may be thousands of messages in it, and
the nodes' streams must not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import Request
from twisted.web.websocket import WebSocketResource, WebSocketTransport
from wsproto.utilities import LocalProtocolError
from zope.interface import implementer

from zbtwist.control.http.answers import not_found, refuse_method, text_answer
from zbtwist.control.http.guards import is_cross_site
from zbtwist.control.http.site import ControlChannel
from zbtwist.control.web.message_meter import MessageMeter

#: The longest message that is taken, in bytes or characters.
MAX_MESSAGE = 65536

#: The most bytes of a message that has not ended, with the heads of its frames.
MAX_UNFINISHED = 2 * 65536

#: How many bytes are looked at in one turn of the reactor. The shortest call of a page has 39, the
#: shortest ping 6.
PIECE = 1024

#: How many WebSockets may be open at once; other control connections have room beside them.
MAX_SOCKETS = 64

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

_UPGRADE_REQUIRED = 426


@implementer(IPushProducer)
class Session:
    """One WebSocket. What it is for is said by a subclass, in `opened`, `text_received`,
    `bytes_received`, `unblocked`, `stopping` and `ended`.

    @ivar peer: who is at the other end, for the log.
    @ivar blocked: the other end takes no more at the moment.
    @ivar over: nothing more is sent or heard.
    @ivar gone: fires when the connection is lost.
    """

    log = Logger()

    def __init__(self, request: Request, clock: IReactorTime) -> None:
        channel = request.channel
        assert isinstance(channel, ControlChannel)
        self._channel = channel
        self._clock = clock
        self._held = False
        self._reading = True
        self._unread = b""
        self._next_piece: IDelayedCall | None = None
        self._meter = MessageMeter()
        self._last_sign = clock.seconds()
        self._timer: IDelayedCall | None = None
        self.blocked = False
        self.over = False
        self.gone: Deferred[None] = Deferred()
        address = request.getClientAddress()
        host, port = getattr(address, "host", None), getattr(address, "port", None)
        self.peer = f"{host}:{port}" if host else str(address)

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
        self._send(lambda: self._socket.sendTextMessage(text))

    def send_bytes(self, data: bytes) -> None:
        """Send a bytes message."""
        self._send(lambda: self._socket.sendBytesMessage(data))

    def hold(self, held: bool) -> None:
        """Read nothing, or read again."""
        self._held = held
        self._read_or_not()

    def end(self, code: int = NORMAL) -> None:
        """Send what is buffered and close.

        @param code: one of this module's close codes.
        """
        if self.over:
            return
        self._end()
        try:
            self._socket.loseConnection(code)
        except LocalProtocolError:
            # The other end has said goodbye first.
            self._transport.loseConnection()

    def abort(self) -> None:
        """Close without sending what is buffered."""
        if not self.over:
            self._end()
        self._transport.abortConnection()

    # --- the socket ----------------------------------------------------------------------------

    @property
    def _transport(self) -> Any:
        return self._channel.transport

    def _send(self, send: Callable[[], None]) -> None:
        if self.over:
            return
        try:
            send()
        except LocalProtocolError:
            # The other end has said goodbye, but its connection is still there.
            self.end()

    def _end(self) -> None:
        self.over = True
        self._unread = b""
        # A transport that waits for its producer to send the rest never closes.
        self._socket.detachProducer()
        self._set_timer(CLOSE_TIMEOUT, self._transport.abortConnection)

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
            self._send(self._socket.ping)
        if not self.over:
            self._set_timer(PING_INTERVAL, self._check)

    def stop(self) -> None:
        """The gateway stops: say so and close, soon."""
        if not self.over:
            self.stopping()
            self.end(GOING_AWAY)
        if not self.gone.called:
            self._set_timer(STOP_TIMEOUT, self._transport.abortConnection)

    def _read_or_not(self) -> None:
        listening = not self._held and not self.blocked
        if listening and self._unread and self._next_piece is None:
            self._next_piece = self._clock.callLater(0, self._look_at_next_piece)
        wanted = listening and not self._unread
        if wanted != self._reading and not self.over:
            self._reading = wanted
            if wanted:
                self._transport.resumeProducing()
            else:
                self._transport.pauseProducing()

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

    # --- twisted.web.websocket.WebSocketProtocol -----------------------------------------------

    def negotiationStarted(self, transport: WebSocketTransport) -> None:
        self._socket = transport

    def negotiationFinished(self) -> None:
        # The HTTP channel was the producer before.
        self._socket.detachProducer()
        self._socket.attachProducer(self)
        self._receive: Callable[[bytes], None] = self._channel.dataReceived
        self._channel.dataReceived = self._data_received  # type: ignore[method-assign]
        self._channel.upgraded(self.stop)
        self._set_timer(PING_INTERVAL, self._check)
        self.opened()

    def _data_received(self, data: bytes) -> None:
        if self.over:
            return
        self._last_sign = self._clock.seconds()
        waiting = self._unread
        self._unread += data
        if not (waiting or self._held or self.blocked or self._next_piece):
            self._look_at_piece()
        self._read_or_not()

    def _look_at_next_piece(self) -> None:
        self._next_piece = None
        if not self._held and not self.blocked:
            self._look_at_piece()
        self._read_or_not()

    def _look_at_piece(self) -> None:
        data, self._unread = self._unread[:PIECE], self._unread[PIECE:]
        self._meter.feed(data)
        if self._meter.unfinished > MAX_UNFINISHED:
            self.end(TOO_BIG)
            return
        try:
            self._receive(data)
        except LocalProtocolError:
            # It goes on talking after it has said goodbye.
            if not self.over:
                self.abort()
        if self._transport.disconnecting and not self.over:
            # It has said goodbye, or nonsense, and Twisted has answered that.
            self._end()

    def textMessageReceived(self, message: str) -> None:
        if self._is_taken(message):
            self.text_received(message)

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        if self._is_taken(data):
            self.bytes_received(bytes(data))

    def _is_taken(self, message: str | bytes | bytearray) -> bool:
        if len(message) > MAX_MESSAGE:
            self.end(TOO_BIG)
        return not self.over

    def pongReceived(self, payload: bytes) -> None:
        """Whatever comes is a sign of life."""

    def connectionLost(self, reason: Failure) -> None:
        self.over = True
        for timer in (self._timer, self._next_piece):
            if timer is not None and timer.active():
                timer.cancel()
        self.ended()
        self.gone.callback(None)


class _Factory:
    """Makes the sessions of one resource; see twisted.web.websocket.WebSocketServerFactory."""

    def __init__(self, make_session: Callable[[Request], Session]) -> None:
        self.buildProtocol = make_session


class SocketResource(WebSocketResource):
    """Opens WebSockets, to this gateway's own page and to programs."""

    def __init__(self, make_session: Callable[[Request], Session]) -> None:
        """
        @param make_session: returns the session for a socket that is being opened.
        """
        super().__init__(_Factory(make_session))

    def getChild(self, path: bytes, request: Request) -> IResource:
        return not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        if is_cross_site(request):
            return text_answer(
                request, http.FORBIDDEN, "WebSockets of other sites' pages are refused."
            )
        upgrade = (request.getHeader(b"upgrade") or b"").lower()
        if upgrade != b"websocket" or request.method != b"GET":
            request.setHeader(b"upgrade", b"websocket")
            answer = text_answer(request, _UPGRADE_REQUIRED, "This is a WebSocket: open it as one.")
            request.setResponseCode(_UPGRADE_REQUIRED, b"Upgrade Required")
            return answer
        channels = request.channel.factory.channels
        if sum(channel.end_websocket is not None for channel in channels) >= MAX_SOCKETS:
            return text_answer(
                request,
                http.SERVICE_UNAVAILABLE,
                f"{MAX_SOCKETS} consoles and terminals are open; close some.",
            )
        opened: bytes | int = super().render_GET(request)
        return opened
