"""What shows that a fault did happen.

Whoever watches a world counts what goes wrong in it, and what is out of the ordinary. Each row of
the matrix says which of these it wants to see, and how often.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from tests.faults.world import Device, World
from zbtwist.binding.client_events import ClientClosed
from zbtwist.radio.events import LinkDown, LinkSilent
from zbtwist.simulator.air import Transmission, TxResult
from zbtwist.simulator.serial_line import Wire
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.devices import COORDINATOR
from zbtwist.xbee.frames import (
    ExplicitReceive,
    Frame,
    ModemStatus,
    ReceivePacket,
    TransmitStatus,
)

#: Seconds between two looks at what lasts for a while.
LOOK = 0.1

#: Seconds after which a status is late.
LATE = 0.5

LOST_TRIES = "lost tries"
LOST_ACKNOWLEDGEMENTS = "lost acknowledgements"
TRIED_AGAIN = "packets tried again"
DOUBLED = "packets twice"
OVERTAKEN = "packets overtaken"
BESIDE = "packets beside another"
FOUR_HOPS = "packets over four hops"
OTHERS = "packets of others"
LATE_STATUS = "late statuses"
LOST_STATUS = "lost statuses"
NEW_ADDRESS = "new addresses"
EXPLICIT = "frames 91"
OUTAGE = "outages"
NO_ANSWER = "AI without an answer"
SPOILED = "spoiled reads"
SINGLE = "single bytes"
SLOW = "slow reads"
ESCAPES = "escapes"
ASLEEP = "x 0.1 s asleep"
SWITCHED_OFF = "x 0.1 s off"
HELD = "x 0.1 s held up"
UNREAD = "x 0.1 s unread"
TWO_CLIENTS = "x 0.1 s two clients"
HUNG = "x 0.1 s hung"
STOPPED = "stopped"
HALF_CLOSED = "half-closed"
MOVED = "moved"
STILL = "standstills"
CLOCK_SET = "clock set"
KILLED = "killed"
FORMER_STATUS = "former statuses"
HALF_DEAF = "half-deaf"
HIDDEN = "x FF…FF"
UPLOADED = "uploads"
ENDED = "clients ended"
SLOW_RADIO = "slow radio"
SAME_READ = "frames in that read"


def status(number: int) -> str:
    """The sign of a Transmit Status."""
    return f"x {number:02X}"


def modem_status(number: int) -> str:
    """The sign of a Modem Status."""
    return f"x 8A {number:02X}"


class Signs:
    """Watches a world.

    @ivar counts: how often what was seen.
    @ivar under_way: packets to the node that the radio has not told of yet.
    """

    def __init__(self, world: World, device: Device) -> None:
        self.counts: Counter[str] = Counter()
        self._world = world
        self._device = device
        self._address16 = UNKNOWN16
        self._fates: deque[float] = deque()
        self._numbers: Counter[int] = Counter()
        self._last_arrived: Counter[int] = Counter()
        self.under_way = 0
        # What the radio says and the air is given takes no listeners, so it is watched from within.
        radio: Any = world.network.radio
        radio.write_frame = _after(self._said, radio.write_frame)
        refusals: Any = world.refusals
        refusals.send = _after(self._sent, refusals.send)
        self._lost_tries = world.air.lost_tries
        self._lost_acknowledgements = world.air.lost_acknowledgements
        for wire in world.endpoint.line.directions:
            self._watch_wire(wire)
        bus = world.gateway.bus
        bus.subscribe(ClientClosed, lambda event: self._count(ENDED))
        bus.subscribe(LinkDown, lambda event: self._count(OUTAGE))
        bus.subscribe(LinkSilent, lambda event: self._count(NO_ANSWER))

    # --- the radio ------------------------------------------------------------------------------

    def _count(self, sign: str) -> None:
        self.counts[sign] += 1

    def _said(self, frame: Frame) -> None:
        if isinstance(frame, TransmitStatus):
            self.counts[status(frame.delivery_status)] += 1
            if self._fates and self._world.now - self._fates.popleft() > LATE:
                self.counts[LATE_STATUS] += 1
        elif isinstance(frame, ModemStatus):
            self.counts[modem_status(frame.status)] += 1
        elif isinstance(frame, ExplicitReceive):
            self.counts[EXPLICIT] += 1
        if isinstance(frame, (TransmitStatus, ReceivePacket)):
            if frame.address16 == UNKNOWN16:
                return
            if self._address16 not in (UNKNOWN16, frame.address16):
                self.counts[NEW_ADDRESS] += 1
            self._address16 = frame.address16

    # --- the air --------------------------------------------------------------------------------

    def _sent(self, transmission: Transmission) -> None:
        if transmission.broadcast:
            return
        ((receiver, arrive),) = transmission.receivers.items()
        sender = transmission.sender
        number = self._numbers[sender.address64] = self._numbers[sender.address64] + 1
        counts = self.counts
        counts[FOUR_HOPS] += max(sender.hops, receiver.hops) == 4
        address = self._device.address64
        counts[OTHERS] += address not in (sender.address64, receiver.address64)
        is_ours = receiver.address64 == address
        counts[BESIDE] += is_ours and self.under_way > 0
        self.under_way += is_ours
        arrived = False

        def arrives() -> None:
            nonlocal arrived
            counts[DOUBLED] += arrived
            if number < self._last_arrived[sender.address64]:
                counts[OVERTAKEN] += 1
            arrived = True
            self._last_arrived[sender.address64] = number
            arrive()

        finished = transmission.finished

        def finish(fate: TxResult) -> None:
            counts[TRIED_AGAIN] += fate.retries > 0
            self.under_way -= is_ours
            if sender.role == COORDINATOR:
                self._fates.append(self._world.now)
            finished(fate)

        transmission.receivers = {receiver: arrives}
        transmission.finished = finish

    # --- the line -------------------------------------------------------------------------------

    def _watch_wire(self, wire: Wire) -> None:
        def carried(sent: bytes, arrived: bytes) -> None:
            counts = self.counts
            counts[SPOILED] += arrived != sent
            counts[SINGLE] += len(sent) == 1
            counts[SLOW] += wire.baud > 0
            if self._world.network.radio.api_mode == 2:
                counts[ESCAPES] += sent.count(b"\x7d")

        wire.watcher = carried

    # --- what lasts -----------------------------------------------------------------------------

    def look(self) -> None:
        """Look now and then, from now on."""
        self._world.later(LOOK, self.look)
        counts, device, world = self.counts, self._device, self._world
        line = world.endpoint.line
        counts[ASLEEP] += device.seconds_until_awake() > 0
        counts[SWITCHED_OFF] += not device.reachable
        counts[HELD] += line.to_radio.stuck and line.to_radio.buffered > 0
        counts[HUNG] += world.network.radio.is_hung
        counts[STOPPED] = not world.gateway.running
        node = world.gateway.network.nodes.get(device.address64)
        port = world.gateway.bindings.port_of(node) if node is not None else None
        counts[TWO_CLIENTS] += port is not None and port.clients > 1

    def settle(self) -> None:
        """All is over."""
        self.counts[LOST_STATUS] += len(self._fates)
        air = self._world.air
        self.counts[LOST_TRIES] += air.lost_tries - self._lost_tries
        self.counts[LOST_ACKNOWLEDGEMENTS] += (
            air.lost_acknowledgements - self._lost_acknowledgements
        )

    def missing(self, wanted: Iterable[tuple[str, int]]) -> str:
        """Return what was not seen as often as is wanted, as a clause; empty if all was."""
        lacks = [
            f"{count} {sign} wanted, {self.counts[sign]} seen"
            for sign, count in wanted
            if self.counts[sign] < count
        ]
        return "; ".join(lacks)


def _after(first: Callable[..., object], then: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls both."""

    def both(*arguments: Any, **named: Any) -> Any:
        first(*arguments, **named)
        return then(*arguments, **named)

    return both
