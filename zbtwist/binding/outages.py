"""What becomes of the nodes' streams when the link to the radio goes and comes, or damages frames,
or when it is not known whose bytes came.

What a node said meanwhile is lost, and may have been nothing: each `NodeStream` decides whether it
has a hole. What clients sent waits for a time, in `Outbound`.

A noisy line damages something in each read, up or down, many times a second. So that costs a look
only at the ports that it concerns, and not at those of all nodes.
"""

from __future__ import annotations

from collections.abc import Iterable

from zbtwist.binding.node_ports import NodePorts
from zbtwist.binding.port import NodePort
from zbtwist.binding.stream import NodeStream
from zbtwist.binding.stream_events import StreamBroken
from zbtwist.network.events import SenderUnknown
from zbtwist.radio.damage import Sender
from zbtwist.radio.events import (
    FramesDamaged,
    LinkDown,
    LinkHeard,
    LinkSilent,
    LinkUp,
    NetworkAway,
    StreamHole,
    WaysChanged,
)
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.standstill import StoodStill
from zbtwist.xbee.address import UNKNOWN16


class Outages:
    """Hears of the link, and tells the ports that are concerned."""

    def __init__(self, bus: EventBus, radio: IRadio, ports: NodePorts) -> None:
        self._radio = radio
        self._ports = ports
        self._bus = bus
        # Since when all ports know that they hear nothing; None while the radio is up.
        self._deaf_since: float | None = None
        bus.subscribe(LinkUp, self._up)
        bus.subscribe(LinkDown, self._down)
        bus.subscribe(NetworkAway, self._away)
        bus.subscribe(LinkSilent, self._silent)
        bus.subscribe(LinkHeard, self._heard)
        bus.subscribe(FramesDamaged, self._damaged)
        bus.subscribe(StoodStill, self._stood_still)
        bus.subscribe(SenderUnknown, self._unknown)
        bus.subscribe(StreamHole, self._hole)
        bus.subscribe(WaysChanged, self._ways_changed)

    def _up(self, event: LinkUp) -> None:
        self._deaf_since = None
        self._ports.take_awake()
        for port in self._ports:
            port.radio_is_heard()
            port.outbound.radio_up()

    def _down(self, event: LinkDown) -> None:
        if event.is_counted:
            for port in self._ports:
                port.outbound.radio_down()
            return
        since = self._radio.down_since
        # Noise while the radio is looked for says it again and again, each time since now.
        awake = self._ports.take_awake()
        is_known = self._deaf_since is not None and since >= self._deaf_since
        streams: Iterable[NodeStream] = awake if is_known else self._ports
        for stream in streams:
            stream.radio_is_deaf(since)
            stream.outbound.radio_down()
        if not is_known:
            self._deaf_since = since

    def _away(self, event: NetworkAway) -> None:
        for port in self._ports:
            port.outbound.radio_down()

    def _silent(self, event: LinkSilent) -> None:
        since = self._radio.down_since
        for port in self._ports:
            port.radio_is_deaf(since)

    def _heard(self, event: LinkHeard) -> None:
        for port in self._ports:
            port.radio_is_heard()

    def _stood_still(self, event: StoodStill) -> None:
        for port in self._ports:
            port.stood_still(event.seconds)

    def _damaged(self, event: FramesDamaged) -> None:
        senders = event.senders
        ports: list[NodeStream | None] = [self._port_of(sender) for sender in senders or ()]
        if senders is None or None in ports:
            # An address is what was damaged: it may have been anybody's. Of a port that nobody
            # reads only an observer would want to hear.
            is_observed = self._bus.subscribers(StreamBroken)
            concerned = self._ports if is_observed else self._ports.with_something_to_lose()
            ports = [*concerned]
        for port in ports:
            if port is not None:
                port.interrupted(
                    "A frame was damaged on the way from the radio, and bytes of "
                    f"{port.node} may be lost"
                )

    def _hole(self, event: StreamHole) -> None:
        port = self._ports.get(event.address64)
        if port is not None and (event.is_certain or port.has_something_to_lose):
            are = "are" if event.is_certain else "may be"
            reason = f"Bytes of {port.node} {are} lost: {event.reason}"
            port.interrupted(reason, event.reason)

    def _ways_changed(self, event: WaysChanged) -> None:
        for address64 in event.addresses:
            port = self._ports.get(address64)
            if port is not None:
                port.outbound.way_changed()

    def _port_of(self, sender: Sender) -> NodePort | None:
        """Return whose a damaged frame is for certain. One bit may make a node's address another's,
        but hardly both of its addresses those of one other node.
        """
        port = self._ports.get(sender.address64)
        is_it = port is not None and sender.address16 == port.node.address16 != UNKNOWN16
        return port if is_it else None

    def _unknown(self, event: SenderUnknown) -> None:
        for address64 in event.candidates:
            port = self._ports.get(address64)
            if port is not None:
                port.interrupted(
                    "Bytes came from a node that could not be told, and may have been of "
                    f"{port.node}"
                )
