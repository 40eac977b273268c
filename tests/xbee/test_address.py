"""Addresses: every text form that people write, and what is none."""

from __future__ import annotations

from hypothesis import given
from twisted.trial import unittest

from tests.xbee.strategies import repeatable, uint16, uint64
from zbtwist.xbee.address import (
    AddressError,
    digi_address16,
    digi_address64,
    format_address64,
    parse_address16,
    parse_address64,
)

NODE = 0x0013A200400A3EFF


class Address64Tests(unittest.SynchronousTestCase):
    def test_forms(self) -> None:
        for text in (
            "00:13:a2:00:40:0a:3e:ff",
            "00-13-A2-00-40-0A-3E-FF",
            "00 13 a2 00 40 0a 3e ff",
            "0013A200400A3EFF",
            "0013a200400a3eff",
            "0013A200 400A3EFF",
            "0x0013A200400A3EFF",
            "[00:13:a2:00:40:0a:3e:ff]!",
            "[00:13:A2:00:40:0A:3E:FF]",
            "[0013A200400A3EFF]!",
            "  00:13:a2:00:40:0a:3e:ff\n",
        ):
            self.assertEqual(parse_address64(text), NODE, text)

    def test_refused(self) -> None:
        """Each with a sentence that quotes it and says what to write."""
        for text in (
            "",
            "[]!",
            "1234",
            "Pool pump",
            "00:13:a2:00:40:0a:3e",
            "00:13:a2:00:40:0a:3e:ff:00",
            "00:13-a2:00-40:0a-3e:ff",
            "00:13:a2:00:40:0a:3e:fg",
            "0:13:a2:0:40:a:3e:ff",
            "0013A200400A3EF",
            "0013A200400A3EFF0",
            "0013A200:400A:3EFF",
            "[00:13:a2:00:40:0a:3e:ff",
            "00:13:a2:00:40:0a:3e:ff]!",
            "[[00:13:a2:00:40:0a:3e:ff]]",
            "-013A200400A3EFF",
            "００13A200400A3EFF",
            "0013A200400A3EFF\n0",
        ):
            error = self.assertRaises(AddressError, parse_address64, text)
            self.assertIn(repr(text), str(error))
            self.assertIn("16 hexadecimal digits", str(error))

    def test_special_ones(self) -> None:
        """The coordinator and the broadcast, whose zeros count."""
        self.assertEqual(parse_address64("00:00:00:00:00:00:00:00"), 0)
        self.assertEqual(parse_address64("000000000000FFFF"), 0xFFFF)
        self.assertEqual(format_address64(0xFFFF), "00:00:00:00:00:00:ff:ff")

    def test_printed(self) -> None:
        self.assertEqual(format_address64(NODE), "00:13:a2:00:40:0a:3e:ff")
        self.assertEqual(digi_address64(NODE), "[00:13:a2:00:40:0a:3e:ff]!")

    @repeatable()
    @given(uint64)
    def test_any_comes_back(self, address: int) -> None:
        for text in (
            format_address64(address),
            digi_address64(address),
            f"{address:016X}",
            format_address64(address).replace(":", "-").upper(),
        ):
            self.assertEqual(parse_address64(text), address)


class Address16Tests(unittest.SynchronousTestCase):
    def test_forms(self) -> None:
        for text in ("1a2b", "1A2B", "0x1a2b", "1a:2b", "1A-2B", "[1a2b]!", "[1a2b]", " 1a2b "):
            self.assertEqual(parse_address16(text), 0x1A2B, text)

    def test_refused(self) -> None:
        for text in ("", "1a2", "1a2b3", "12345678", "fffg", "1a 2b", "0x", "[1a2b", "+1a2"):
            error = self.assertRaises(AddressError, parse_address16, text)
            self.assertIn(repr(text), str(error))
            self.assertIn("4 hexadecimal digits", str(error))

    @repeatable()
    @given(uint16)
    def test_any_comes_back(self, address: int) -> None:
        self.assertEqual(parse_address16(digi_address16(address)), address)
        self.assertEqual(parse_address16(f"{address:04X}"), address)

    def test_printed(self) -> None:
        self.assertEqual(digi_address16(0xA), "[000a]!")
