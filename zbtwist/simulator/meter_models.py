"""Brultech's meters, by model: what a packet of each has, and how it is asked for one.

All frame a packet alike: ``FE FF``, a byte for the model, data, ``FF FE``, and a checksum, the low
byte of the sum of all bytes before it. Numbers are least significant byte first, but for the
voltage of the line, and a GEM's serial number. (Brultech's packet descriptions for ECM-1220,
ECM-1240 and GEM.)
"""

from __future__ import annotations

import math
import random
from typing import Protocol

from zbtwist.simulator.meter import Load, Meter, Reading, encode_packet, household

#: Bytes of the longest question: ``^^^NMBnnnnnAPISPK``.
LONGEST_QUESTION = 17

_CALL = b"\xfc"
_SEND_PACKET = b"SPK"
_ACKNOWLEDGEMENT = b"\xfc"

#: Where the data of an ECM is in its packet.
_DATA = slice(3, -3)


class MeterModel(Protocol):
    """A meter of some model."""

    def __init__(self, chance: random.Random) -> None:
        """
        @param chance: chooses the house that it measures.
        """

    def packet(self, time: float) -> bytes:
        """Return what it says.

        @param time: seconds since it was switched on, here and below.
        """

    def answer(self, heard: bytes, time: float) -> bytes:
        """Return what it says to a question; empty for nothing.

        @param heard: the last bytes that came, at most `LONGEST_QUESTION`; one of them is new.
        """


def _framed(model: int, data: bytes) -> bytes:
    packet = b"\xfe\xff" + bytes((model,)) + data + b"\xff\xfe"
    return packet + bytes((sum(packet) & 0xFF,))


class ECM1220Model:
    """Two channels. It answers FC with FC, and then ``SPK`` with FC and a packet."""

    calls = _CALL

    def __init__(self, chance: random.Random) -> None:
        self.meter = Meter(chance)

    def read(self, time: float) -> Reading:
        """Return what its two channels say."""
        return self.meter.read(time)

    def packet(self, time: float) -> bytes:
        return encode_packet(self.read(time))

    def answer(self, heard: bytes, time: float) -> bytes:
        if heard[-1:] in self.calls:
            return _ACKNOWLEDGEMENT
        return _ACKNOWLEDGEMENT + self.packet(time) if heard.endswith(_SEND_PACKET) else b""


class ECM1240Model(ECM1220Model):
    """Two channels, and five auxiliary ones. It may be called by FC, FD, FE or FF."""

    calls = b"\xfc\xfd\xfe\xff"

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self._auxiliary = [(chance.randrange(1 << 32), household(chance, 80.0)) for _ in range(5)]

    def packet(self, time: float) -> bytes:
        data = super().packet(time)[_DATA]
        for started, load in self._auxiliary:
            data += (_counted(started, load, time) % (1 << 32)).to_bytes(4, "little")
        # Nothing is connected to the fifth that has a voltage.
        return _framed(3, data + bytes(2))


class GEMModel:
    """A GreenEye Monitor, with 6 of its 32 channels in use, a pulse counter and a thermometer. It
    answers ``^^^APISPK``, or the same with its serial number, with a packet.
    """

    _CHANNELS = 48

    def __init__(self, chance: random.Random) -> None:
        self._serial_number = chance.randint(1, 0xFFFF)
        self._seconds = chance.randint(0, 10**6)
        self._channels = [
            (chance.randint(10**6, 10**9), household(chance, base))
            for base in (600.0, 150.0, 80.0, 40.0, 20.0, 10.0)
        ]

    def packet(self, time: float) -> bytes:
        now = math.floor(time)
        volts = 120.0 + 1.5 * math.sin(2 * math.pi * now / 47.0)
        counters = [_counted(started, load, time) for started, load in self._channels]
        energy = b"".join((each % (1 << 40)).to_bytes(5, "little") for each in counters)
        # In steps of 0.02 A.
        amperes = [
            round(load.watts(now) / volts * 50).to_bytes(2, "little") for _, load in self._channels
        ]
        parts = (
            round(volts * 10).to_bytes(2, "big"),
            *[energy.ljust(5 * self._CHANNELS, b"\0")] * 2,
            self._serial_number.to_bytes(2, "big"),
            bytes((0, 3)),
            b"".join(amperes).ljust(2 * self._CHANNELS, b"\0"),
            ((self._seconds + now) % (1 << 24)).to_bytes(3, "little"),
            (now % (1 << 24)).to_bytes(3, "little") + bytes(9),
            # 21.5 °C; the others say that there is no sensor.
            (43).to_bytes(2, "little") + (0x7FFF).to_bytes(2, "little") * 7,
        )
        return _framed(5, b"".join(parts))

    def answer(self, heard: bytes, time: float) -> bytes:
        own = b"^^^NMB%05dAPISPK" % self._serial_number
        return self.packet(time) if heard.endswith((b"^^^APISPK", own)) else b""


def _counted(started: int, load: Load, time: float) -> int:
    # A meter counts in whole seconds.
    return started + math.floor(load.watt_seconds(math.floor(time)))
