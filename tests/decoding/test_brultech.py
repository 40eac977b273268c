from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from zbtwist.decoding.brultech import (
    ECM1220,
    ECM1240,
    GEM,
    MAKERS,
    MAX_GAP,
    MAX_METERS,
    MAX_PAUSE,
    BrultechDecoder,
)
from zbtwist.decoding.interfaces import IDecoder, IDecoderMaker
from zbtwist.decoding.value import Value
from zbtwist.simulator.meter import Meter, Reading, encode_packet

READING = Reading(
    volts=120.3,
    absolute=(3_600_000_000, 7_200_036),
    polarized=(3_600_000_000, 3_600_018),
    amperes=(12.34, 0.01),
    seconds=1000,
    serial_number=42,
    unit_id=3,
)


def values(found: list[Value] | tuple[Value, ...]) -> dict[str, float | str | bool]:
    return {value.name: value.value for value in found}


def packet_of(kind: int, data: bytes) -> bytes:
    packet = b"\xfe\xff" + bytes((kind,)) + data + b"\xff\xfe"
    return packet + bytes((sum(packet) & 0xFF,))


class ECM1220Tests(SynchronousTestCase):
    def setUp(self) -> None:
        self.decoder = ECM1220()
        self.now = 100.0

    def say(self, reading: Reading) -> dict[str, float | str | bool]:
        """The meter sends a packet, some seconds after the last."""
        self.now += 5.0
        return values(list(self.decoder.feed(encode_packet(reading), self.now)))

    def later(self, seconds: int, *watt_seconds: int) -> Reading:
        """The reading that follows `READING` after so many seconds and watt-seconds."""
        absolute = tuple(a + more for a, more in zip(READING.absolute, watt_seconds))
        polarized = tuple(a + more for a, more in zip(READING.polarized, watt_seconds))
        return replace(
            READING,
            seconds=READING.seconds + seconds,
            absolute=(absolute[0], absolute[1]),
            polarized=(polarized[0], polarized[1]),
        )

    def test_interfaces(self) -> None:
        verifyObject(IDecoder, self.decoder)
        for maker in MAKERS:
            verifyObject(IDecoderMaker, maker)
            verifyObject(IDecoder, maker.make())

    def test_first_packet(self) -> None:
        self.assertEqual(
            self.say(READING),
            {
                "voltage": 120.3,
                "ch1_current": 12.34,
                "ch2_current": 0.01,
                "ch1_energy": 1000.0,
                "ch1_energy_positive": 1000.0,
                "ch2_energy": 2.00001,
                "ch2_energy_positive": 1.000005,
            },
        )

    def test_units(self) -> None:
        self.say(READING)
        found = self.decoder.feed(encode_packet(self.later(5, 500, 5)), self.now + 5)
        units = {value.name: (value.unit, value.kind, value.is_total) for value in found}
        self.assertEqual(units["voltage"], ("V", "voltage", False))
        self.assertEqual(units["ch1_current"], ("A", "current", False))
        self.assertEqual(units["ch1_power"], ("W", "power", False))
        self.assertEqual(units["ch1_energy"], ("kWh", "energy", True))
        self.assertTrue(all(value.is_fit for value in found))

    def test_power_is_the_mean_between_two_packets(self) -> None:
        self.say(READING)
        found = self.say(self.later(5, 5003, 10))
        self.assertEqual(found["ch1_power"], 1000.6)
        self.assertEqual(found["ch2_power"], 2.0)
        self.assertEqual(found["ch1_power_negative"], 0.0)

    def test_negative_power(self) -> None:
        self.say(READING)
        later = self.later(10, 1000, 0)
        found = self.say(
            replace(later, polarized=(READING.polarized[0] + 250, READING.polarized[1]))
        )
        self.assertEqual(found["ch1_power"], 100.0)
        self.assertEqual(found["ch1_power_positive"], 25.0)
        self.assertEqual(found["ch1_power_negative"], 75.0)

    def test_counters_that_are_full(self) -> None:
        end = 1 << 40
        self.say(replace(READING, absolute=(end - 100, 5), polarized=(end - 100, 5)))
        later = replace(self.later(4, 0, 0), absolute=(300, 5), polarized=(300, 5))
        found = self.say(later)
        self.assertEqual(found["ch1_power"], 100.0)
        self.assertEqual(found["ch1_energy"], round(300 / 3_600_000, 6))

    def test_seconds_that_are_full(self) -> None:
        self.say(replace(READING, seconds=(1 << 24) - 2))
        later = self.later(0, 500, 0)
        self.assertEqual(self.say(replace(later, seconds=3))["ch1_power"], 100.0)

    def test_counter_that_fell(self) -> None:
        self.say(READING)
        found = self.say(replace(self.later(5, 0, 50), absolute=(7, READING.absolute[1] + 50)))
        self.assertNotIn("ch1_power", found)
        self.assertEqual(found["ch2_power"], 10.0)

    def test_reset(self) -> None:
        self.say(READING)
        found = self.say(replace(self.later(5, 500, 50), flags=1))
        self.assertNotIn("ch1_power", found)
        self.assertNotIn("ch2_power", found)
        self.assertIn("ch1_energy", found)

    def test_no_time_passed(self) -> None:
        self.say(READING)
        self.assertNotIn("ch1_power", self.say(READING))

    def test_too_much_time_passed(self) -> None:
        self.say(READING)
        self.assertNotIn("ch1_power", self.say(self.later(MAX_GAP + 1, 500, 50)))
        self.assertIn("ch1_power", self.say(self.later(MAX_GAP + 6, 1000, 100)))

    def test_several_meters(self) -> None:
        self.say(READING)
        other = replace(READING, serial_number=7, absolute=(0, 0), polarized=(0, 0))
        found = self.say(other)
        self.assertEqual(found["m300007_ch1_energy"], 0.0)
        self.assertNotIn("ch1_energy", found)
        self.assertEqual(self.say(self.later(10, 1000, 0))["ch1_power"], 100.0)

    def test_too_many_meters(self) -> None:
        for number in range(MAX_METERS):
            self.assertTrue(self.say(replace(READING, serial_number=number)))
        self.assertEqual(self.say(replace(READING, serial_number=99)), {})
        self.assertTrue(self.say(replace(READING, serial_number=1)))

    def test_pieces(self) -> None:
        packet = encode_packet(READING)
        found = [value for byte in packet for value in self.decoder.feed(bytes((byte,)), 1.0)]
        self.assertEqual(values(found)["voltage"], 120.3)

    def test_pieces_of_two_packets(self) -> None:
        packet = encode_packet(READING)
        self.assertEqual(self.decoder.feed(packet[:20], 1.0), [])
        self.assertEqual(self.decoder.feed(packet[20:], 1.1 + MAX_PAUSE), [])
        self.assertTrue(self.decoder.feed(packet, 2.0 + MAX_PAUSE))

    def test_broken(self) -> None:
        packet = encode_packet(READING)
        self.decoder.feed(packet[:20], 1.0)
        self.decoder.broken()
        self.assertEqual(self.decoder.feed(packet[20:], 1.0), [])

    def test_what_stands_between_packets(self) -> None:
        packet = encode_packet(READING)
        noise = b"\xfc\x00\xfe\xff\x01\xfe\xff" + packet[:30]
        self.assertEqual(len(self.decoder.feed(noise + packet + b"\0\0" + packet, 1.0)), 14)

    def test_wrong_checksum(self) -> None:
        packet = encode_packet(READING)
        self.assertEqual(self.decoder.feed(packet[:-1] + bytes((packet[-1] ^ 1,)), 1.0), [])

    @given(st.binary(max_size=300), st.integers(0, 43))
    def test_any_bytes_before_a_packet(self, noise: bytes, cut: int) -> None:
        decoder = ECM1220()
        packet = encode_packet(READING)
        decoder.feed(noise, 1.0)
        decoder.feed(packet[cut:], 1.0)
        found = values(list(decoder.feed(packet, 10.0)))
        self.assertEqual(found["voltage"], 120.3)

    @given(
        st.integers(0, 2**32),
        st.lists(st.tuples(st.integers(0, 42), st.integers(0, 42)), max_size=8),
    )
    def test_cut_stream_yields_no_wrong_value(self, seed: int, cuts: list[tuple[int, int]]) -> None:
        """Of each packet any part may be lost: all that is told is what whole ones say."""
        meter = Meter(random.Random(seed))
        decoder = ECM1220()
        for number, (start, end) in enumerate(cuts):
            reading = meter.read(5 * number)
            packet = encode_packet(reading)
            found = values(list(decoder.feed(packet[:start] + packet[end:], 5.0 * number)))
            if found:
                self.assertEqual(found["voltage"], round(reading.volts, 1))
                self.assertEqual(found["ch1_energy"], round(reading.absolute[0] / 3_600_000, 6))
                self.assertLess(float(found.get("ch1_power", 0)), 5000)

    @given(st.lists(st.binary(max_size=100), max_size=20))
    def test_memory_is_bounded(self, pieces: list[bytes]) -> None:
        decoder = ECM1220()
        for piece in pieces:
            decoder.feed(piece, 1.0)
            self.assertLess(len(decoder._pending), 43)


class OtherMeterTests(SynchronousTestCase):
    def test_ecm1240(self) -> None:
        data = bytearray(59)
        data[0:2] = (1203).to_bytes(2, "big")
        data[26:28] = (42).to_bytes(2, "little")
        data[34:37] = (100).to_bytes(3, "little")
        end = 1 << 32
        decoder = ECM1240()
        data[53:57] = (end - 36).to_bytes(4, "little")
        data[57:59] = (50).to_bytes(2, "little")
        first = values(list(decoder.feed(packet_of(3, bytes(data)), 1.0)))
        self.assertEqual(first["aux5_voltage"], 5.0)
        self.assertEqual(first["aux5_energy"], round((end - 36) / 3_600_000, 6))
        data[53:57] = (64).to_bytes(4, "little")
        data[34:37] = (110).to_bytes(3, "little")
        second = values(list(decoder.feed(packet_of(3, bytes(data)), 11.0)))
        self.assertEqual(second["aux5_power"], 10.0)
        self.assertNotIn("aux5_power_positive", second)

    def gem(self, size: int, seconds: int, watt_seconds: int) -> bytes:
        data = bytearray(size)
        data[0:2] = (1234).to_bytes(2, "big")
        data[2 + 5 * 31 : 7 + 5 * 31] = watt_seconds.to_bytes(5, "little")
        data[242 + 5 * 31 : 247 + 5 * 31] = watt_seconds.to_bytes(5, "little")
        data[486 + 62 : 488 + 62] = (150).to_bytes(2, "little")
        data[582:585] = seconds.to_bytes(3, "little")
        data[585:588] = (77).to_bytes(3, "little")
        data[597:599] = (0x8000 | 21).to_bytes(2, "little")
        data[599:601] = (1023).to_bytes(2, "little")
        return packet_of(5, bytes(data))

    def test_gem(self) -> None:
        for size in (613, 619):
            decoder = GEM()
            packet = self.gem(size, 100, 3_600_000)
            # Longer than any packet of a radio.
            found = [
                value
                for start in range(0, len(packet), 84)
                for value in decoder.feed(packet[start : start + 84], 1.0)
            ]
            self.assertEqual(
                values(found),
                {
                    "voltage": 123.4,
                    "ch32_current": 3.0,
                    "ch32_energy": 1.0,
                    "ch32_energy_positive": 1.0,
                    "pulses1": 77,
                    "temperature1": -10.5,
                },
            )
            found = list(decoder.feed(self.gem(size, 108, 3_600_800), 9.0))
            self.assertEqual(values(found)["ch32_power"], 100.0)

    def test_gem_of_several(self) -> None:
        """The serial number stands behind the 48 channels, most significant byte first."""
        decoder = GEM()
        decoder.feed(self.gem(613, 100, 3_600_000), 1.0)
        data = bytearray(self.gem(613, 100, 3_600_000)[3:-3])
        data[482:484] = (4321).to_bytes(2, "big")
        data[485] = 6
        found = values(list(decoder.feed(packet_of(5, bytes(data)), 2.0)))
        self.assertIn("m604321_ch32_energy", found)

    @given(st.binary(max_size=800))
    def test_hostile(self, data: bytes) -> None:
        for kind in (ECM1220, ECM1240, GEM):
            decoder: BrultechDecoder = kind()
            for start in (b"", b"\xfe\xff" + bytes((kind.kind,))):
                for value in decoder.feed(start + data, 1.0):
                    self.assertTrue(value.is_fit)
