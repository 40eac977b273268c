"""A Brultech ECM-1220 power meter: its packets, made and read, and a house that it measures.

A packet has 43 bytes: ``FE FF 01``, 37 bytes of data, ``FF FE``, and a checksum, the low byte of
the sum of all bytes before it. Numbers are least significant byte first, but for the voltage. The
counters of energy and time run over to 0.

In real-time mode it sends them unasked; how it is asked, and what its siblings say, is in
`zbtwist.simulator.meter_models`. The line is 19200 8N1.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

PACKET_SIZE = 43
_HEADER = b"\xfe\xff\x01"
_FOOTER = b"\xff\xfe"
_DATA_SIZE = 37

_ENERGY_LIMIT = 1 << 40
_SECONDS_LIMIT = 1 << 24


@dataclass(frozen=True, slots=True)
class Reading:
    """What one packet says.

    @ivar volts: line voltage, in steps of 0.1 V.
    @ivar absolute: watt-seconds through channels 1 and 2 in either direction, 5 bytes each.
    @ivar polarized: watt-seconds through channels 1 and 2 in the positive direction, 5 bytes each.
    @ivar amperes: current through channels 1 and 2, in steps of 0.01 A.
    @ivar seconds: a counter of 3 bytes.
    """

    volts: float
    absolute: tuple[int, int]
    polarized: tuple[int, int]
    amperes: tuple[float, float]
    seconds: int
    serial_number: int = 0
    unit_id: int = 0
    flags: int = 0


class PacketError(ValueError):
    """Bytes are not a packet of the meter."""


def encode_packet(reading: Reading) -> bytes:
    """
    @return: the packet that says `reading`, 43 bytes.
    """
    data = round(reading.volts * 10).to_bytes(2, "big")
    for energy in (*reading.absolute, *reading.polarized):
        data += (energy % _ENERGY_LIMIT).to_bytes(5, "little")
    data += bytes(4)
    data += reading.serial_number.to_bytes(2, "little")
    data += bytes((reading.flags, reading.unit_id))
    for amperes in reading.amperes:
        data += round(amperes * 100).to_bytes(2, "little")
    data += (reading.seconds % _SECONDS_LIMIT).to_bytes(3, "little")
    packet = _HEADER + data + _FOOTER
    return packet + bytes([sum(packet) & 0xFF])


def parse_packet(packet: bytes) -> Reading:
    """Read one packet.

    @param packet: 43 bytes.
    @raise PacketError: its size, its frame or its checksum is wrong.
    """
    if len(packet) != PACKET_SIZE:
        raise PacketError(f"a packet of the meter has {PACKET_SIZE} bytes, not {len(packet)}")
    data = packet[len(_HEADER) : len(_HEADER) + _DATA_SIZE]
    if not packet.startswith(_HEADER) or packet[-3:-1] != _FOOTER:
        raise PacketError("a packet of the meter begins with FE FF 01 and ends with FF FE")
    checksum = sum(packet[:-1]) & 0xFF
    if packet[-1] != checksum:
        raise PacketError(f"the checksum is {packet[-1]:02x}, but should be {checksum:02x}")

    def number(start: int, size: int) -> int:
        return int.from_bytes(data[start : start + size], "little")

    return Reading(
        volts=int.from_bytes(data[0:2], "big") / 10,
        absolute=(number(2, 5), number(7, 5)),
        polarized=(number(12, 5), number(17, 5)),
        amperes=(number(30, 2) / 100, number(32, 2) / 100),
        seconds=number(34, 3),
        serial_number=number(26, 2),
        unit_id=data[29],
        flags=data[28],
    )


def watts_between(earlier: Reading, later: Reading) -> tuple[float, float]:
    """The mean power through channels 1 and 2 between two readings, in W.

    @raise ValueError: no time passed between them.
    """
    seconds = (later.seconds - earlier.seconds) % _SECONDS_LIMIT
    if not seconds:
        raise ValueError("no time passed between the two readings")
    first, second = (
        (after - before) % _ENERGY_LIMIT / seconds
        for before, after in zip(earlier.absolute, later.absolute)
    )
    return first, second


@dataclass(frozen=True, slots=True)
class Load:
    """What one circuit of a household consumes, in a form whose sum over time is known exactly.

    A base that swells and ebbs, and an appliance that switches on and off.
    """

    base: float
    swing: float
    swing_period: float
    appliance: float
    appliance_period: float
    appliance_on: float

    def watts(self, time: float) -> float:
        on = time % self.appliance_period < self.appliance_on
        wave = math.sin(2 * math.pi * time / self.swing_period)
        return self.base + self.swing * wave + self.appliance * on

    def watt_seconds(self, time: float) -> float:
        rounds, rest = divmod(time, self.appliance_period)
        on = rounds * self.appliance_on + min(rest, self.appliance_on)
        phase = 2 * math.pi * time / self.swing_period
        wave = self.swing_period / (2 * math.pi) * (1 - math.cos(phase))
        return self.base * time + self.swing * wave + self.appliance * on


def household(chance: random.Random, base: float) -> Load:
    """Return one that chance chooses.

    @param base: about what it uses at the least, in W.
    """
    return Load(
        base=base * chance.uniform(0.8, 1.2),
        swing=base * chance.uniform(0.1, 0.3),
        swing_period=chance.uniform(30.0, 90.0),
        appliance=base * chance.uniform(0.5, 2.0),
        appliance_period=chance.uniform(60.0, 180.0),
        appliance_on=chance.uniform(10.0, 50.0),
    )


class Meter:
    """Measures a house that uses power in its own way."""

    def __init__(self, chance: random.Random) -> None:
        """
        @param chance: chooses the house.
        """
        self._serial_number = chance.randint(1, 0xFFFF)
        self._started = (chance.randint(10**6, 10**9), chance.randint(10**6, 10**9))
        self._seconds = chance.randint(0, 10**6)
        self._loads = (household(chance, 600.0), household(chance, 150.0))

    def read(self, time: float) -> Reading:
        """
        @param time: seconds since the meter was switched on.
        """
        # The meter counts in whole seconds.
        time = math.floor(time)
        volts = 120.0 + 1.5 * math.sin(2 * math.pi * time / 47.0)
        energy = tuple(
            started + math.floor(load.watt_seconds(time))
            for started, load in zip(self._started, self._loads)
        )
        return Reading(
            volts=round(volts, 1),
            absolute=(energy[0], energy[1]),
            polarized=(energy[0], energy[1]),
            amperes=(
                round(self._loads[0].watts(time) / volts, 2),
                round(self._loads[1].watts(time) / volts, 2),
            ),
            seconds=self._seconds + time,
            serial_number=self._serial_number,
            unit_id=3,
        )
