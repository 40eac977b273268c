"""``/tap/ADDRESS``: what passes between a node and its clients, in a WebSocket.

Who looks on is no client: see `zbtwist.observing.taps`, which ``watch()`` of the control API asks
as well. Everything is text, and the page sends nothing. First comes ``open`` with the key of the
tap; then what has passed, packet by packet, at most ten messages a second, and ``values`` as with a
terminal; last ``closed``, as there. A page that comes back says how far it was,
``?tap=KEY&seq=NUMBER``, and gets what it missed, as far as it is still kept.

A page that reads slowly is sent nothing until it has read: the tap is the queue, and what was
forgotten there is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.server import Request

from zbtwist.control.faults import NOT_ALLOWED, ControlFault
from zbtwist.control.http.users import user_of
from zbtwist.control.web.sockets import Session
from zbtwist.control.web.terminal import closed_because
from zbtwist.control.web.told import Told
from zbtwist.network.node import Node
from zbtwist.observing.taps import Tap, Taps, TooManyTaps
from zbtwist.radio.errors import GATEWAY_STOPS
from zbtwist.runtime.event_bus import EventBus

#: Seconds between two messages, so that quick packets are told together.
INTERVAL = 0.1

#: The most packets in a message; of 255 bytes each, as two digits, that is some 55 kB.
MAX_TOLD = 100

#: Returns the node that an address means, or raises `ControlFault`.
FindNode = Callable[[str], Node]


class TapSession(Session):
    """One page that looks on at one node."""

    def __init__(
        self,
        request: Request,
        clock: IReactorTime,
        find_node: FindNode,
        taps: Taps,
        bus: EventBus,
    ) -> None:
        super().__init__(request, clock)
        self._find_node = find_node
        self._taps = taps
        self._bus = bus
        self._told: Told | None = None
        self._user = user_of(request)
        self._address = b"/".join(request.postpath or []).decode("latin-1")
        self._earlier = [request.args.get(name, [b""])[0] for name in (b"tap", b"seq")]
        self._tap: Tap | None = None
        self._seq = 0
        self._telling: IDelayedCall | None = None

    def opened(self) -> None:
        try:
            self._user.must_be_allowed("a tap")
            node = self._find_node(self._address)
            tap = self._taps.follow(node, self._news)
        except ControlFault as fault:
            self._close(fault.sentence, is_of_use_again=fault.number != NOT_ALLOWED)
            return
        except TooManyTaps as error:
            self._close(f"{error} Close one.")
            return
        self._tap = tap
        self._told = Told(self._clock, self._bus, node, self)
        key, seq = self._earlier
        is_same = key == tap.key.encode() and seq.isdigit() and len(seq) < 16
        self._seq = min(int(seq), tap.last_seq) if is_same else tap.last_seq
        self.send_text(json.dumps({"type": "open", "tap": tap.key, "seq": self._seq}))
        self._news()

    def unblocked(self) -> None:
        self._news()

    def stopping(self) -> None:
        self.send_text(closed_because(GATEWAY_STOPS))

    def ended(self) -> None:
        if self._told is not None:
            self._told.stop()
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        tap, self._tap = self._tap, None
        if tap is not None:
            self._taps.unfollow(tap, self._news)

    def _news(self) -> None:
        """Something has passed, or may have: it is told soon."""
        if self._telling is None and not self.blocked and not self.over:
            self._telling = self._clock.callLater(INTERVAL, self._tell)

    def _tell(self) -> None:
        self._telling = None
        tap = self._tap
        if tap is None or self.over or self.blocked:
            return
        kept = tap.since(self._seq)
        packets = kept[:MAX_TOLD]
        if packets:
            lost = packets[0].seq - self._seq - 1
            self._seq = packets[-1].seq
            self.send_text(
                json.dumps(
                    {
                        "type": "packets",
                        "seq": self._seq,
                        "lost": lost,
                        "packets": [
                            (packet.time, packet.direction, packet.data.hex()) for packet in packets
                        ],
                    }
                )
            )
        if len(kept) > len(packets):
            self._news()
        elif tap.is_over:
            self._close("The gateway does not know this node any more, or is stopping.")

    def _close(self, reason: str, *, is_of_use_again: bool = True) -> None:
        self.send_text(closed_because(reason, is_of_use_again=is_of_use_again))
        self.end()
