"""``/terminal/ADDRESS``: a node's stream in a WebSocket.

A terminal is one more client of the node's port, beside those that come over TCP: it hears all that
they hear, and its bytes wait for their turn among theirs. Bytes are bytes messages, both ways; what
the gateway has to say of the stream are text messages: ``values`` is what the node's decoder makes
of it (`zbtwist.control.web.told`). The last is ``closed`` with the ``reason``, a sentence; and with
``"retry": false`` if it is of no use to try again.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from zbtwist.binding.client import NodeClient
from zbtwist.binding.port import NodePort
from zbtwist.control.faults import NOT_ALLOWED, ControlFault
from zbtwist.control.http.users import user_of
from zbtwist.control.web.sockets import GOING_AWAY, NORMAL, Session
from zbtwist.control.web.told import Told
from zbtwist.radio.errors import GATEWAY_STOPS
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.shares import peer_of


def closed_because(reason: str, *, is_of_use_again: bool = True) -> str:
    """Return what a page is told when a stream ends, or cannot begin.

    @param reason: a sentence.
    @param is_of_use_again: whether trying again may lead to something.
    """
    more = {} if is_of_use_again else {"retry": False}
    return json.dumps({"type": "closed", "reason": reason, **more})


#: Returns the port of the node that an address means, or raises `ControlFault`.
FindPort = Callable[[str], NodePort]


class TerminalSession(Session, NodeClient):
    """One terminal."""

    is_raw = True

    def __init__(
        self, request: Request, clock: IReactorTime, find_port: FindPort, bus: EventBus
    ) -> None:
        Session.__init__(self, request, clock)
        NodeClient.__init__(self)
        self._find_port = find_port
        self._bus = bus
        self._told: Told | None = None
        self._user = user_of(request)
        self._address = b"/".join(request.postpath or []).decode("latin-1")
        self.peer = f"{self.peer} (terminal)"
        self.share = peer_of(request.getClientAddress())

    # --- as a WebSocket ------------------------------------------------------------------------

    def opened(self) -> None:
        try:
            self._user.must_be_allowed("a terminal")
            port = self._find_port(self._address)
        except ControlFault as fault:
            self.send_text(
                closed_because(fault.sentence, is_of_use_again=fault.number != NOT_ALLOWED)
            )
            self.end()
            return
        if not port.make_room(self.share):
            self._say_closed(f"{port.node} has as many clients as it may have; close one.")
            return
        self.send_text(json.dumps({"type": "open"}))
        self._told = Told(self._clock, self._bus, port.node, self)
        self.attach(port)

    def bytes_received(self, message: bytes) -> None:
        if self._port is not None:
            self.received(message)

    def unblocked(self) -> None:
        self.drained()

    def stopping(self) -> None:
        self._say(GATEWAY_STOPS)

    def ended(self) -> None:
        if self._told is not None:
            self._told.stop()
        self.detach()

    def _say(self, reason: str) -> None:
        self.send_text(closed_because(reason))

    def _say_closed(self, reason: str, code: int = NORMAL) -> None:
        self._say(reason)
        self.end(code)

    # --- as a client of the port ---------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self.over

    @property
    def has_unread(self) -> bool:
        # It is in the hands of those who speak HTTP.
        return True

    def send(self, data: bytes) -> None:
        self.send_bytes(data)

    def pause(self) -> None:
        self.hold(True)

    def resume(self) -> None:
        self.hold(False)

    def leave(self, reason: str) -> None:
        self.cut(reason)

    def cut(self, reason: str) -> None:
        self._say_closed(f"{reason[:1].upper()}{reason[1:]}.")

    def close(self) -> None:
        self._say_closed(
            "The node's port is closed: its mapping was changed, or the gateway stops.", GOING_AWAY
        )
