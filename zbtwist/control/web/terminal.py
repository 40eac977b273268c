"""``/terminal/ADDRESS``: a node's stream in a WebSocket.

A terminal is one more client of the node's port, beside those that come over TCP: it hears all that
they hear, and its bytes wait for their turn among theirs. Bytes are bytes messages, both ways; what
the gateway has to say of the stream are text messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from zbtwist.binding.port import NodePort
from zbtwist.control.faults import ControlFault
from zbtwist.control.web.sockets import GOING_AWAY, NORMAL, Session

#: Returns the port of the node that an address means, or raises `ControlFault`.
FindPort = Callable[[str], NodePort]


class TerminalSession(Session):
    """One terminal: a `zbtwist.binding.client.PortClient`."""

    # A WebSocket has no half that could end before the other.
    has_ended = False

    def __init__(self, request: Request, clock: IReactorTime, find_port: FindPort) -> None:
        super().__init__(request, clock)
        self._find_port = find_port
        self._address = b"/".join(request.postpath or []).decode("latin-1")
        self._port: NodePort | None = None
        self._unsent = 0
        self.peer = f"{self.peer} (terminal)"

    def opened(self) -> None:
        try:
            port = self._find_port(self._address)
        except ControlFault as fault:
            self._say_closed(fault.sentence)
            return
        if not port.has_room():
            self._say_closed(f"{port.node} has as many clients as it may have; close one.")
            return
        self._port = port
        self.send_text(json.dumps({"type": "open"}))
        port.client_opened(self)

    def bytes_received(self, message: bytes) -> None:
        if self._port is not None:
            self._port.outbound.write(self, message)

    def unblocked(self) -> None:
        self._unsent = 0

    def stopping(self) -> None:
        self._say("The gateway is stopping.")

    def ended(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.client_closed(self)

    def _say(self, reason: str) -> None:
        self.send_text(json.dumps({"type": "closed", "reason": reason}))

    def _say_closed(self, reason: str, code: int = NORMAL) -> None:
        self._say(reason)
        self.end(code)

    # --- as a client of the port ---------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        if self.blocked and self._port is not None:
            self._unsent += len(data)
            if self._port.drop_if_slow(self, self._unsent):
                self.abort()
                return
        self.send_bytes(data)

    def pause(self) -> None:
        self.hold(True)

    def resume(self) -> None:
        self.hold(False)

    def reset(self, reason: str) -> None:
        if self.over or self._port is None:
            return
        self.log.warn(
            "Client {peer} of {node} is dropped: {reason}.",
            peer=self.peer,
            node=self._port.node,
            reason=reason.rstrip("."),
        )
        self._say_closed(f"{reason[:1].upper()}{reason[1:].rstrip('.')}.")

    def close(self) -> None:
        self._say_closed(
            "The node's port is closed: its mapping was changed, or the gateway stops.", GOING_AWAY
        )
