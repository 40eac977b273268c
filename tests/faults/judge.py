"""Who judges what comes of streams in a world in which everything goes wrong at once.

The judge knows each packet of a device, when it was on the way, and when the radio was away. What a
client reads must be packet after packet. Where one is missing the client must have been reset,
unless nobody could know: the node's own radio has given the packet up, the gateway's had no room
for it, or the node was quiet before an outage for longer than that lasted.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Any

from tests.faults.streams import Said
from tests.faults.world import Device, World
from zbtwist.binding.stream import IN_THE_MIDDLE
from zbtwist.simulator.packet import Outcome, Packet
from zbtwist.simulator.serial_line import BITS_PER_BYTE
from zbtwist.xbee.frames import SERIAL_CLUSTER
from zbtwist.xbee.status import DeliveryStatus

#: Packets of a device that are remembered.
REMEMBERED = 400

#: Bytes of a device that wait for the air; it says no more then.
MUCH = 4000

#: Bytes that are said in one, at the most.
LONGEST = 300

#: Seconds that do not matter: a packet is acknowledged a little later than it arrives.
TINY = 0.2


@dataclass(slots=True)
class SaidPacket:
    """A packet of a device.

    @ivar start, end: its place in what the device has said.
    @ivar began: when its radio had it.
    @ivar ended: when its radio was through with it, and the line with its frame.
    @ivar arrived: whether the radio has acknowledged it.
    @ivar dropped: whether the gateway's radio had no room for it, its line being slower than the
        air. Nobody is told of that.
    """

    start: int
    end: int
    began: float
    ended: float = inf
    arrived: bool = False
    dropped: bool = False


class Judge:
    """
    @ivar violations: a paragraph for each broken promise.
    @ivar counts: of what.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.violations: list[str] = []
        self.counts: dict[str, int] = {}
        self.digest = sha256()
        self._log: deque[str] = deque(maxlen=40)
        # From when to when the radio was away; and how long that was in truth.
        self.outages: deque[list[float]] = deque(maxlen=200)
        # When the gateway was started; what was heard before it does not know.
        self.started = 0.0

    def note(self, what: str) -> None:
        """Something happens that may be the reason of what follows."""
        self._log.append(f"{self.world.now:10.3f} {what}")

    def count(self, what: str, number: int = 1) -> None:
        """Count something."""
        self.counts[what] = self.counts.get(what, 0) + number

    def passed(self, *what: object) -> None:
        """Something arrived: a run that is repeated has the same of it."""
        self.digest.update(repr((round(self.world.now, 6), *what)).encode())

    def broken(self, kind: str, what: str) -> None:
        """The promise is broken."""
        self.count(f"VIOLATION {kind}")
        if len(self.violations) < 50:
            log = "\n    ".join(self._log)
            self.violations.append(f"{self.world.now:.3f} s: {kind}: {what}\n    {log}")

    # --- outages --------------------------------------------------------------------------------

    def away(self) -> list[float]:
        """The radio is away, or deaf, from now on; give what is returned to `back`."""
        outage = [self.world.now, inf, inf]
        self.outages.append(outage)
        return outage

    def back(self, outage: list[float]) -> None:
        """It is there again. When the gateway hears it is another thing."""
        outage[1] = self.world.now

    def heard(self) -> None:
        """The gateway has it set up."""
        for outage in self.outages:
            if outage[1] < inf and outage[2] == inf:
                outage[2] = self.world.now

    def forget(self, patience: float) -> None:
        """Outages of which the gateway has not heard by now it will never hear of."""
        now = self.world.now
        for outage in self.outages:
            if outage[2] == inf and outage[1] < now - patience:
                outage[2] = now

    def excuse(self, speaker: Speaker, packet: SaidPacket) -> str:
        """Return why nobody could know that a packet is missing; empty if that could be known."""
        if packet.dropped:
            return "dropped by the gateway's radio, its line is slow"
        met = False
        for began, back, heard in self.outages:
            if packet.began <= heard + TINY and packet.ended >= began - TINY:
                met = True
                length = (back if back < inf else self.world.now) - began
                if speaker.heard_before(began) < began - max(length, IN_THE_MIDDLE) + TINY:
                    return "quiet before the outage"
        if not met and packet.ended < inf and not packet.arrived:
            return "given up by its own radio"
        return ""


class Speaker:
    """What a node's device says.

    @ivar said: all of it.
    @ivar is_silent: it says nothing at the moment.
    """

    def __init__(self, judge: Judge, device: Device, style: str, seed: int) -> None:
        """
        @param style: "meter" says something each second or so, "bursts" much now and then,
            "polled" when it has heard something.
        """
        self.judge = judge
        self.device = device
        self.style = style
        self.said = Said(200_000)
        self.packets: deque[SaidPacket] = deque(maxlen=REMEMBERED)
        self.is_silent = False
        self._chance = random.Random(f"{seed} speaker {device.address64:x}")
        self._cut = 0
        self._answer = False
        if style != "polled":
            self._later()

    def _later(self) -> None:
        pause = self._chance.uniform(0.4, 0.9)
        if self.style == "bursts":
            pause = self._chance.expovariate(1 / 20)
        self.judge.world.later(pause, self._tick)

    def _tick(self) -> None:
        self._later()
        self.speak(self._chance.choice((1, 1, 3, 8)) if self.style == "bursts" else 1)

    def speak(self, times: int = 1) -> None:
        """Say something, unless the air is far behind."""
        for _ in range(times):
            if self.is_silent or not self.device.reachable or self.device.waiting_bytes > MUCH:
                return
            data = self._chance.randbytes(self._chance.choice((12, 20, 50, 84, 100, LONGEST)))
            self.said.add(data)
            self.device.send(data)

    def asked(self) -> None:
        """It has heard something."""
        if self.style == "polled" and not self._answer:
            self._answer = True
            self.judge.world.later(self._chance.uniform(0.01, 0.6), self._answers)

    def _answers(self) -> None:
        self._answer = False
        self.speak()

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it waits for the air, or is in it."""
        return not self.device.waiting_bytes and not (
            self.packets and self.packets[-1].ended == inf
        )

    def sends(self, data: bytes) -> SaidPacket:
        """Its radio has a packet to send."""
        packet = SaidPacket(self._cut, self._cut + len(data), self.judge.world.now)
        self._cut += len(data)
        self.packets.append(packet)
        return packet

    def heard_before(self, moment: float) -> float:
        """When the gateway has heard it for the last time before a moment."""
        for packet in reversed(self.packets):
            if (
                packet.arrived
                and not packet.dropped
                and packet.ended <= moment + TINY
                and not any(
                    began <= packet.ended <= heard for began, _, heard in self.judge.outages
                )
            ):
                return packet.ended if packet.ended >= self.judge.started else -inf
        return -inf

    def lost_without_excuse(self, start: int, end: int) -> str:
        """What of a piece of the stream should not be missing without a reset."""
        for packet in self.packets:
            if packet.start < end and packet.end > start:
                excuse = self.judge.excuse(self, packet)
                if not excuse:
                    return str(packet)
                self.judge.count(f"packets lost, {excuse}")
        return ""


def watch_packets(world: World, speakers: Mapping[int, Speaker]) -> None:
    """Let the speakers know what becomes of their packets."""
    network: Any = world.network
    transmit = network.transmit
    on_the_way: dict[int, SaidPacket] = {}

    def dropped(packet: Packet) -> None:
        if id(packet) in on_the_way:
            on_the_way[id(packet)].dropped = True

    def watched(
        packet: Packet,
        address64: int,
        address16: int = 0xFFFE,
        finished: Callable[[Outcome], None] | None = None,
        options: int = 0,
    ) -> Any:
        speaker = speakers.get(packet.sender.address64)
        if speaker is not None and packet.cluster_id == SERIAL_CLUSTER and not packet.broadcast:
            said = on_the_way[id(packet)] = speaker.sends(packet.data)

            def ended(outcome: Outcome) -> None:
                del on_the_way[id(packet)]
                _finished(world, said, finished, outcome)

            network.radio.dropped = dropped
            return transmit(packet, address64, address16, ended, options)
        return transmit(packet, address64, address16, finished, options)

    network.transmit = watched


def _finished(
    world: World, said: SaidPacket, finished: Callable[[Outcome], None] | None, outcome: Outcome
) -> None:
    # It may wait on the line.
    line = world.endpoint.line.from_radio
    said.ended = world.now + (line.buffered * BITS_PER_BYTE / line.baud if line.baud else 0.0)
    said.arrived = outcome.fate.delivery_status == DeliveryStatus.DELIVERED
    if finished is not None:
        finished(outcome)
