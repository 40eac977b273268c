"""The opening handshake of a WebSocket: who may open one, and how many there may be.

The pages of other sites may not (see `zbtwist.control.http.guards`). The request is read by Twisted
and answered here, by the rules of RFC 6455, 4.2; after that the connection is the session's (see
`zbtwist.control.web.sockets`). No extension is agreed on, so no message is compressed.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from wsproto.utilities import generate_accept_token

from zbtwist.control.http.answers import not_found, refuse_method, text_answer
from zbtwist.control.http.channel import ControlChannel
from zbtwist.control.web.sockets import TRY_AGAIN_LATER, Session
from zbtwist.runtime.shares import who_gives_way

#: How many WebSockets may be open at once; other control connections have room beside them.
MAX_SOCKETS = 64

#: The version of the protocol that there is.
_VERSION = b"13"

_UPGRADE_REQUIRED = 426


class SocketResource(Resource):
    """Opens WebSockets, to this gateway's own page and to programs."""

    def __init__(self, make_session: Callable[[Request], Session]) -> None:
        """
        @param make_session: returns the session for a socket that is being opened.
        """
        super().__init__()
        self._make_session = make_session

    def getChild(self, path: bytes, request: Request) -> IResource:
        return not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        if _header(request, b"upgrade").lower() != b"websocket" or request.method != b"GET":
            return _require_upgrade(request, "This is a WebSocket: open it as one.")
        connection = _header(request, b"connection").lower().split(b",")
        key = _header(request, b"sec-websocket-key")
        if not (key and _header(request, b"host") and b"upgrade" in map(bytes.strip, connection)):
            return text_answer(
                request,
                http.BAD_REQUEST,
                "To open a WebSocket, send Host, Connection: Upgrade, and Sec-WebSocket-Key.",
            )
        if _header(request, b"sec-websocket-version") != _VERSION:
            request.setHeader(b"sec-websocket-version", _VERSION)
            return _require_upgrade(
                request, "WebSockets are of version 13 here: send Sec-WebSocket-Version: 13."
            )
        channel = request.channel
        assert isinstance(channel, ControlChannel)
        if not _make_room(channel):
            return text_answer(
                request,
                http.SERVICE_UNAVAILABLE,
                f"{MAX_SOCKETS} consoles and terminals are open; close some.",
            )
        session = self._make_session(request)
        # Not by the request, which would say how long its answer is.
        channel.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % generate_accept_token(key)
        )
        channel.upgrade(session)
        return NOT_DONE_YET


def _make_room(channel: ControlChannel) -> bool:
    """Have a place for one more WebSocket, if there is one or another gives way."""
    if channel.is_spare:
        return False
    # In the order in which they were opened.
    others = sorted(
        (session.number, other.peer, session)
        for other in channel.factory.channels
        if isinstance(session := other.upgraded, Session) and not session.over
    )
    if len(others) < MAX_SOCKETS:
        return True
    leaving = who_gives_way([(peer, session) for _, peer, session in others], channel.peer)
    if leaving is not None:
        leaving.end(TRY_AGAIN_LATER)
    return leaving is not None


def _header(request: Request, name: bytes) -> bytes:
    """Return a header, of which there may be several; empty if there is none."""
    return b",".join(request.requestHeaders.getRawHeaders(name, ()))


def _require_upgrade(request: Request, sentence: str) -> bytes:
    request.setHeader(b"upgrade", b"websocket")
    answer = text_answer(request, _UPGRADE_REQUIRED, sentence)
    # Twisted has no words for it.
    request.setResponseCode(_UPGRADE_REQUIRED, b"Upgrade Required")
    return answer
