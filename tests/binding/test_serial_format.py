"""What a module's serial line can be, and what becomes of what it cannot."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.binding.serial_format import Parity, SerialFormat, SevenBits, bd_of, changed

USUAL = SerialFormat(9600, 8, Parity.NONE, 1)


class FormatTests(SynchronousTestCase):
    def test_registers(self) -> None:
        for (bd, nb, sb), text in (
            ((3, 0, 0), "9600 8N1"),
            ((7, 1, 0), "115200 8E1"),
            ((0, 2, 1), "1200 8O2"),
            ((31250, 3, 0), "31250 8M1"),
            ((3, 4, 0), "9600 8S1"),
        ):
            form = SerialFormat.of_registers(bd, nb, sb)
            self.assertEqual(str(form), text)
            self.assertEqual(form.registers, {"BD": bd, "NB": nb, "SB": sb})

    def test_seven_bits(self) -> None:
        """What has nine or ten bits between start and end is a module's with eight."""
        for text, sb in (("7E1", 0), ("7O2", 1), ("7M1", 0), ("7S1", 0), ("7N2", 0)):
            parity = next(one for one in Parity if one.name.startswith(text[1]))
            form = SerialFormat(9600, 7, parity, int(text[2]))
            self.assertEqual(form.registers, {"BD": 3, "NB": 0, "SB": sb})
            eight = SerialFormat.of_registers(3, 0, sb)
            self.assertEqual(form.bits_of_character, eight.bits_of_character)

    def test_rates(self) -> None:
        self.assertEqual(
            [bd_of(x) for x in (9600, 31250, 300, 255, 1 << 32)], [3, 31250, 300, None, None]
        )

    def test_what_cannot_be(self) -> None:
        """Each stays as it is, and what else was asked for is done."""
        for asked, text in (
            ({"data_bits": 5}, "9600 8N1"),
            ({"data_bits": 7}, "9600 8N1"),
            ({"data_bits": 7, "baud": 19200}, "19200 8N1"),
            ({"data_bits": 7, "parity": 3}, "9600 7E1"),
            ({"parity": 6}, "9600 8N1"),
            ({"stop_bits": 3, "parity": 2}, "9600 8O1"),
            ({"baud": 17}, "9600 8N1"),
        ):
            self.assertEqual(str(changed(USUAL, asked)), text)
        seven = SerialFormat(9600, 7, Parity.EVEN, 1)
        self.assertEqual(str(changed(seven, {"parity": 1})), "9600 7E1")
        self.assertEqual(str(changed(seven, {"parity": 1, "baud": 1200})), "1200 7E1")
        self.assertEqual(
            str(changed(seven, {"parity": 1, "data_bits": 7, "stop_bits": 1})), "9600 8N1"
        )

    def test_bytes_of_seven_bits(self) -> None:
        for parity, line in (
            (Parity.EVEN, b"\x41\xc3"),
            (Parity.ODD, b"\xc1\x43"),
            (Parity.MARK, b"\xc1\xc3"),
            (Parity.NONE, b"\xc1\xc3"),
            (Parity.SPACE, b"\x41\x43"),
        ):
            seven = SevenBits(parity)
            self.assertEqual(b"\x41\xc3".translate(seven.to_line), line)
            self.assertEqual(line.translate(seven.from_line), b"AC")
            self.assertEqual(line.translate(None, seven.good), b"")
            self.assertEqual(b"\x41\xc1".translate(None, seven.good) == b"", False)
