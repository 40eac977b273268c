"""Brultech's meters: packets of three kinds, found in a stream, and what their counters become.

A packet is ``FE FF``, a byte for its kind, data, ``FF FE`` and a checksum, the low byte of the sum
of all bytes before it. Its size is that of its kind. All of that must fit, and its bytes must have
come within `MAX_PAUSE` of each other: a checksum of one byte fits by chance once in 256 times.
(Brultech's packet descriptions for ECM-1220, ECM-1240 and GEM.)

The counters count watt-seconds, absolute ones in both directions, polarized ones in the positive
direction only. Energy is told as the meter counts it; its counters begin at 0 again when they are
full. Power is the mean between two packets of one meter, over the end of a counter as well. When
the meter was reset, or a counter fell that was not full, there is none for that pair of packets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from twisted.plugin import IPlugin
from zope.interface import implementer

from zbtwist.decoding.interfaces import IDecoder, IDecoderMaker
from zbtwist.decoding.value import Value

_HEADER = b"\xfe\xff"
_FOOTER = b"\xff\xfe"
#: Header, kind, footer and checksum.
_OVERHEAD = 6

#: Seconds between the pieces of one packet. A meter sends it without a pause and then none for
#: seconds; the radio may need tries.
MAX_PAUSE = 2.0

#: Seconds between two packets, after which no power is told of them.
MAX_GAP = 86400

#: Watts of one channel: twice what the largest transformer for these meters carries at 240 V.
MAX_WATTS = 200_000

_SECONDS_LIMIT = 1 << 24
_WATT_SECONDS_OF_KWH = 3_600_000

#: Meters of which one stream may have packets; those after them are left out.
MAX_METERS = 4


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter of watt-seconds.

    @ivar name: of its channel.
    @ivar size: bytes.
    """

    name: str
    size: int
    watt_seconds: int

    def grown(self, before: Counter) -> int:
        """Return by how much it has grown, over its end as well."""
        return (self.watt_seconds - before.watt_seconds) % (1 << 8 * self.size)


@dataclass(frozen=True, slots=True)
class Packet:
    """What one packet says.

    @ivar meter: whose it is: unit id, and the serial number in five digits.
    @ivar resets: how often the meter was reset, modulo 8; 0 where it does not say.
    @ivar seconds: a counter of three bytes.
    @ivar counters: absolute energy by channel.
    @ivar positive: polarized energy by channel; fewer than `counters` where a channel has none.
    @ivar plain: the values that are told as they are.
    """

    meter: str
    resets: int
    seconds: int
    counters: tuple[Counter, ...]
    positive: tuple[Counter, ...]
    plain: tuple[Value, ...]


def _little(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")


def _big(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "big")


def _meter(unit: int, serial: int) -> str:
    return f"{unit}{serial:05d}"


def _parse_ecm1220(data: bytes) -> Packet:
    return Packet(
        meter=_meter(data[29], _little(data, 26, 2)),
        resets=data[28] & 7,
        seconds=_little(data, 34, 3),
        counters=(Counter("ch1", 5, _little(data, 2, 5)), Counter("ch2", 5, _little(data, 7, 5))),
        positive=(Counter("ch1", 5, _little(data, 12, 5)), Counter("ch2", 5, _little(data, 17, 5))),
        plain=(
            Value("voltage", _big(data, 0, 2) / 10, "V"),
            Value("ch1_current", _little(data, 30, 2) / 100, "A"),
            Value("ch2_current", _little(data, 32, 2) / 100, "A"),
        ),
    )


def _parse_ecm1240(data: bytes) -> Packet:
    common = _parse_ecm1220(data)
    auxiliary = tuple(
        Counter(f"aux{number + 1}", 4, _little(data, 37 + 4 * number, 4)) for number in range(5)
    )
    return Packet(
        common.meter,
        common.resets,
        common.seconds,
        common.counters + auxiliary,
        common.positive,
        (*common.plain, Value("aux5_voltage", _little(data, 57, 2) / 10, "V")),
    )


def _parse_gem(data: bytes) -> Packet:
    channels = range(1, 33)
    counters = [Counter(f"ch{n}", 5, _little(data, 2 + 5 * (n - 1), 5)) for n in channels]
    positive = [Counter(f"ch{n}", 5, _little(data, 242 + 5 * (n - 1), 5)) for n in channels]
    # What nothing is connected to has counted nothing, and would only hide the others.
    used = {counter.name for counter in counters if counter.watt_seconds}
    plain = [Value("voltage", _big(data, 0, 2) / 10, "V")]
    plain += [
        Value(f"ch{n}_current", _little(data, 486 + 2 * (n - 1), 2) * 2 / 100, "A")
        for n in channels
        if f"ch{n}" in used
    ]
    for number in range(4):
        pulses = _little(data, 585 + 3 * number, 3)
        if pulses:
            plain.append(Value(f"pulses{number + 1}", pulses, is_total=True))
    for number in range(8):
        raw = _little(data, 597 + 2 * number, 2)
        celsius = (raw & 0x7FFF) / 2 * (-1 if raw & 0x8000 else 1)
        # Without a sensor it says more than that.
        if raw and abs(celsius) <= 255:
            plain.append(Value(f"temperature{number + 1}", celsius, "°C"))
    return Packet(
        meter=_meter(data[485], _big(data, 482, 2)),
        resets=0,
        seconds=_little(data, 582, 3),
        counters=tuple(counter for counter in counters if counter.name in used),
        positive=tuple(counter for counter in positive if counter.name in used),
        plain=tuple(plain),
    )


@implementer(IDecoder)
class BrultechDecoder:
    """Finds the packets of one kind of meter.

    @cvar kind: the third byte of its packets.
    @cvar sizes: how many data bytes they have; the first that fits counts.
    """

    kind: ClassVar[int]
    sizes: ClassVar[tuple[int, ...]]

    def __init__(self) -> None:
        self._pending = b""
        self._heard_at = 0.0
        self._last: dict[str, Packet] = {}

    @staticmethod
    def parse(data: bytes) -> Packet:
        """Read the data of a packet."""
        raise NotImplementedError

    def feed(self, data: bytes, now: float) -> Sequence[Value]:
        """See `IDecoder`."""
        if now - self._heard_at > MAX_PAUSE:
            self._pending = b""
        self._heard_at = now
        self._pending += data
        return [value for packet in self._packets() for value in self._values(packet)]

    def broken(self) -> None:
        """See `IDecoder`."""
        self._pending = b""

    def _packets(self) -> Iterator[Packet]:
        """Take the whole packets out of what is pending."""
        beginning = _HEADER + bytes((self.kind,))
        while True:
            start = self._pending.find(beginning)
            if start < 0:
                # A beginning may be cut.
                self._pending = self._pending[-(len(beginning) - 1) :]
                return
            self._pending = self._pending[start:]
            size = self._size()
            if size is None:
                return
            if size:
                data, self._pending = self._pending[3 : 3 + size], self._pending[size + _OVERHEAD :]
                yield self.parse(data)
            else:
                self._pending = self._pending[1:]

    def _size(self) -> int | None:
        """Return how many bytes of data the packet has that is pending; 0 if it is none, None if
        more has to come first.
        """
        for size in self.sizes:
            packet = self._pending[: size + _OVERHEAD]
            if len(packet) < size + _OVERHEAD:
                return None
            if packet[-3:-1] == _FOOTER and packet[-1] == sum(packet[:-1]) & 0xFF:
                return size
        return 0

    def _values(self, packet: Packet) -> Iterator[Value]:
        last = self._last.get(packet.meter)
        if last is None and len(self._last) >= MAX_METERS:
            return
        is_first = not self._last or next(iter(self._last)) == packet.meter
        self._last[packet.meter] = packet
        # Most streams are of one meter, whose values need no longer names.
        prefix = "" if is_first else f"m{packet.meter}_"
        values = [*packet.plain, *self._energy(packet)]
        if last is not None:
            values += _power(last, packet)
        for value in values:
            yield Value(prefix + value.name, value.value, value.unit, value.is_total)

    def _energy(self, packet: Packet) -> Iterator[Value]:
        positive = {counter.name: counter.watt_seconds for counter in packet.positive}
        for counter in packet.counters:
            yield _kwh(f"{counter.name}_energy", counter.watt_seconds)
            if counter.name in positive:
                yield _kwh(f"{counter.name}_energy_positive", positive[counter.name])


def _kwh(name: str, watt_seconds: int) -> Value:
    return Value(name, round(watt_seconds / _WATT_SECONDS_OF_KWH, 6), "kWh", is_total=True)


def _power(before: Packet, now: Packet) -> Iterator[Value]:
    """Return the mean power of each channel between two packets, as far as it can be told."""
    seconds = (now.seconds - before.seconds) % _SECONDS_LIMIT
    if not 0 < seconds <= MAX_GAP or now.resets != before.resets:
        return
    absolute = _mean(before.counters, now.counters, seconds)
    positive = _mean(before.positive, now.positive, seconds)
    for name, watts in absolute.items():
        yield Value(f"{name}_power", round(watts, 1), "W")
        of_these = positive.get(name)
        if of_these is not None and of_these <= watts:
            yield Value(f"{name}_power_positive", round(of_these, 1), "W")
            yield Value(f"{name}_power_negative", round(watts - of_these, 1), "W")


def _mean(before: Sequence[Counter], now: Sequence[Counter], seconds: int) -> dict[str, float]:
    earlier = {counter.name: counter for counter in before}
    means = {
        counter.name: counter.grown(earlier[counter.name]) / seconds
        for counter in now
        if counter.name in earlier
    }
    return {name: watts for name, watts in means.items() if watts <= MAX_WATTS}


class ECM1220(BrultechDecoder):
    """An ECM-1220: two channels."""

    kind = 1
    sizes = (37,)
    parse = staticmethod(_parse_ecm1220)


class ECM1240(BrultechDecoder):
    """An ECM-1240: two channels, and five auxiliary ones."""

    kind = 3
    sizes = (59,)
    parse = staticmethod(_parse_ecm1240)


class GEM(BrultechDecoder):
    """A GreenEye Monitor: 32 channels, pulses and temperatures; with a time stamp or without."""

    kind = 5
    sizes = (613, 619)
    parse = staticmethod(_parse_gem)


@implementer(IPlugin, IDecoderMaker)
class BrultechMaker:
    """Makes the decoders of one kind."""

    def __init__(self, name: str, decoder: type[BrultechDecoder], *question: bytes) -> None:
        self.name = name
        self.question = question
        self.make = decoder


MAKERS = (
    # An ECM answers FC with FC, an ECM-1240 by FC, FD, FE or FF, and then SPK with FC and a packet.
    BrultechMaker("ecm1220", ECM1220, b"\xfc", b"SPK"),
    BrultechMaker("ecm1240", ECM1240, b"\xfc", b"SPK"),
    BrultechMaker("gem", GEM, b"^^^APISPK"),
)
