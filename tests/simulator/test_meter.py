"""The power meter: its packets, and what it measures."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from zbtwist.simulator.meter import (
    Meter,
    PacketError,
    Reading,
    encode_packet,
    parse_packet,
    watts_between,
)

_energies = st.integers(0, 2**40 - 1)
_readings = st.builds(
    Reading,
    volts=st.integers(0, 2500).map(lambda tenths: tenths / 10),
    absolute=st.tuples(_energies, _energies),
    polarized=st.tuples(_energies, _energies),
    amperes=st.tuples(*[st.integers(0, 65535).map(lambda hundredths: hundredths / 100)] * 2),
    seconds=st.integers(0, 2**24 - 1),
    serial_number=st.integers(0, 65535),
    unit_id=st.integers(0, 255),
    flags=st.integers(0, 255),
)

#: Written by hand from the meter's description.
PACKET = bytes.fromhex(
    "fe ff 01"
    "04b3"  # 120.3 V, most significant byte first
    "0102030405 1112131415 2122232425 3132333435"
    "00000000 3412 02 07"  # reserved, serial number, flags, unit
    "e803 0a00 563412"  # 10 A, 0.1 A, seconds
    "ff fe ae"
)
READING = Reading(
    volts=120.3,
    absolute=(0x0504030201, 0x1514131211),
    polarized=(0x2524232221, 0x3534333231),
    amperes=(10.0, 0.1),
    seconds=0x123456,
    serial_number=0x1234,
    unit_id=7,
    flags=2,
)


class PacketTests(TestCase):
    def test_known_packet(self) -> None:
        self.assertEqual(len(PACKET), 43)
        self.assertEqual(encode_packet(READING).hex(), PACKET.hex())
        self.assertEqual(parse_packet(PACKET), READING)

    @given(_readings)
    def test_both_ways(self, reading: Reading) -> None:
        self.assertEqual(parse_packet(encode_packet(reading)), reading)

    def test_damaged(self) -> None:
        """Each single byte that is wrong is noticed."""
        for position in range(len(PACKET)):
            damaged = bytearray(PACKET)
            damaged[position] ^= 0x10
            self.assertRaises(PacketError, parse_packet, bytes(damaged))

    def test_wrong_size(self) -> None:
        for packet in (b"", PACKET[:-1], PACKET + b"\0"):
            error = self.assertRaises(PacketError, parse_packet, packet)
            self.assertIn("43 bytes", str(error))

    def test_wrong_frame_with_good_checksum(self) -> None:
        for wrong in (b"\xff\xfe" + PACKET[2:], PACKET[:40] + b"\xfe\xff" + PACKET[42:]):
            error = self.assertRaises(PacketError, parse_packet, wrong)
            self.assertIn("FE FF 01", str(error))


class MeterTests(TestCase):
    def setUp(self) -> None:
        self.meter = Meter(random.Random(7))

    def test_plausible(self) -> None:
        watts = set()
        before = self.meter.read(0)
        for time in range(1, 600):
            reading = self.meter.read(time)
            self.assertTrue(118 <= reading.volts <= 122)
            self.assertEqual(reading.seconds, before.seconds + 1)
            for channel, power in enumerate(watts_between(before, reading)):
                self.assertTrue(20 < power < 3000, power)
                # The current fits, but for what changed within the second.
                self.assertTrue(0 < reading.amperes[channel] < 30)
                watts.add(round(power))
            before = reading
        self.assertGreater(len(watts), 100)

    def test_energy_agrees_with_current(self) -> None:
        """Over a long time, volts times amperes is what the counters say."""
        readings = [self.meter.read(time) for time in range(3601)]
        for channel in range(2):
            counted = readings[-1].absolute[channel] - readings[0].absolute[channel]
            summed = sum(r.volts * r.amperes[channel] for r in readings[:-1])
            self.assertAlmostEqual(counted / summed, 1.0, places=2)

    def test_repeats(self) -> None:
        again = Meter(random.Random(7))
        self.assertEqual(again.read(12.7), self.meter.read(12.7))
        self.assertNotEqual(Meter(random.Random(8)).read(12.7), self.meter.read(12.7))

    def test_counters_run_over(self) -> None:
        early = parse_packet(encode_packet(self.meter.read(2**24 - 10)))
        late = parse_packet(encode_packet(self.meter.read(2**24 + 10)))
        self.assertTrue(all(power > 20 for power in watts_between(early, late)))

    def test_no_time(self) -> None:
        reading = self.meter.read(1)
        self.assertRaises(ValueError, watts_between, reading, reading)
