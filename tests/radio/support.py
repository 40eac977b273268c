"""A radio on the other end of a coordinator, as far as a test needs one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.clock import Clock
from zbtwist.radio.baud_rates import ISerialLine
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.damage import Sender
from zbtwist.radio.events import FramesDamaged, LinkDown, LinkHeard, LinkSilent, LinkUp
from zbtwist.radio.hearers import only
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.interfaces import IProtocolOwner
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.runtime.event_bus import EventBus
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import FRAME_CLASSES, ATCommandResponse, Frame, TransmitStatus

LOCAL = Address64(0x0013A200_00000001)
REMOTE = Address64(0x0013A200_400A3EFF)
REMOTE16 = Address16(0x1A2B)

FACTS = RadioInfo(LOCAL, api_mode=1, payload_limit=84, discovery_time=6.0)


@implementer(IProtocolOwner)
class Owner:
    """Remembers what a radio's protocol says."""

    def __init__(self, frame_received: Callable[[Frame], None] | None = None) -> None:
        self.frames: list[Frame] = []
        self.hearers = only(Clock(), frame_received or self.frames.append)
        self.damage: list[list[Sender] | None] = []
        self.congestion: list[bool] = []
        self.made: list[RadioProtocol] = []
        self.lost: list[RadioProtocol] = []

    def frames_damaged(self, senders: list[Sender] | None) -> None:
        self.damage.append(senders)

    def congestion_changed(self, congested: bool) -> None:
        self.congestion.append(congested)

    def protocol_made(self, protocol: RadioProtocol) -> None:
        self.made.append(protocol)

    def protocol_lost(self, protocol: RadioProtocol, reason: Failure) -> None:
        self.lost.append(protocol)


class Listener:
    """Remembers what becomes of a radio's link, and the frames that come."""

    def __init__(self, coordinator: Coordinator, bus: EventBus) -> None:
        self.heard: list[object] = []
        heard = self.heard.append
        bus.subscribe(LinkUp, lambda event: heard(event.info))
        bus.subscribe(LinkDown, lambda event: heard(event.reason))
        bus.subscribe(LinkSilent, lambda event: heard("deaf"))
        bus.subscribe(LinkHeard, lambda event: heard("heard"))
        bus.subscribe(FramesDamaged, lambda event: heard(event.senders))
        for frame_type in FRAME_CLASSES.values():
            coordinator.subscribe(frame_type, self.frame_received)

    def frame_received(self, frame: Frame) -> None:
        # An answer is of interest to who asked, except that of a node to a search.
        is_answer = isinstance(frame, TransmitStatus | ATCommandResponse)
        if not is_answer or (isinstance(frame, ATCommandResponse) and frame.command == "ND"):
            self.heard.append(frame)


class Wire:
    """A coordinator whose link is up, and what it sent."""

    def __init__(self, ready: bool = True, first_id: int | None = None) -> None:
        self.clock = Clock()
        self.bus = EventBus()
        self.coordinator = Coordinator(self.clock, self.bus, first_id)
        self.sent: list[Any] = []
        self.listener = Listener(self.coordinator, self.bus)
        self.coordinator.link_up(self.sent.append)
        if ready:
            self.coordinator.ready(FACTS)
            self.listener.heard.clear()

    @property
    def last(self) -> Any:
        """The frame that was sent last."""
        return self.sent[-1]

    def receive(self, frame: Frame) -> None:
        """The radio sends a frame."""
        self.coordinator.hearers.hear(frame)


def start(request: Awaitable[Any]) -> Deferred[Any]:
    """Start a request, which may be a coroutine."""
    if isinstance(request, Deferred):
        return request
    return Deferred.fromCoroutine(request)  # type: ignore[arg-type]


@implementer(ISerialLine)
class SimulatedPort:
    """A serial port with a simulated radio: at another rate than the radio's, bytes are not what
    they were.
    """

    is_remote = False

    #: Rates that the port cannot do.
    impossible = (921600,)

    def __init__(
        self,
        protocol: Any,
        clock: Clock,
        network: SimulatedNetwork,
        baud_rate: int,
        radio_rate: int,
    ) -> None:
        self.baud_rate = baud_rate
        self.radio_rate = radio_rate
        self.tried = [baud_rate]
        self._protocol = protocol
        self._clock = clock
        self._radio = network.radio
        self._radio.serial_output = self._radio_says
        protocol.makeConnection(self)

    def set_baud_rate(self, baud_rate: int) -> None:
        self.tried.append(baud_rate)
        if baud_rate in self.impossible:
            raise ValueError("no such rate")
        self.baud_rate = baud_rate

    def write(self, data: bytes) -> None:
        self._clock.callLater(0, self._radio.receive_bytes, self._garble(data))

    def _radio_says(self, data: bytes) -> None:
        self._clock.callLater(0, self._protocol.dataReceived, self._garble(data))

    def loseConnection(self) -> None:
        self.abortConnection()

    def abortConnection(self) -> None:
        if self._radio.serial_output is not None:
            self._radio.serial_output = None
            self._clock.callLater(0, self._protocol.connectionLost, Failure(ConnectionAborted()))

    def _garble(self, data: bytes) -> bytes:
        if self.baud_rate == self.radio_rate:
            return data
        return bytes((byte * 7 + 3) & 0xFF for byte in data)
