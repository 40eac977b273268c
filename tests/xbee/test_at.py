"""AT commands: values in, bytes out, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.xbee.strategies import repeatable
from zbtwist.xbee.at import BAUD_RATES, PARAMETERS, Kind, decode_value, encode_value


class DecodeTests(unittest.SynchronousTestCase):
    def test_numbers(self) -> None:
        self.assertEqual(decode_value("NT", b"\x3c"), 60)
        self.assertEqual(decode_value("SL", bytes.fromhex("400a3eff")), 0x400A3EFF)
        self.assertEqual(decode_value("%V", bytes.fromhex("0ce4")), 3300)
        self.assertEqual(decode_value("DB", b"\xff"), 255)

    def test_numbers_of_other_sizes(self) -> None:
        """Firmware differs in how many bytes it sends."""
        self.assertEqual(decode_value("NP", b"\x54"), 84)
        self.assertEqual(decode_value("BD", b"\x03"), 3)
        self.assertEqual(decode_value("BD", bytes.fromhex("0000000000000003")), 3)

    def test_temperature_is_signed(self) -> None:
        self.assertEqual(decode_value("TP", bytes.fromhex("0019")), 25)
        self.assertEqual(decode_value("TP", bytes.fromhex("fff6")), -10)

    def test_text(self) -> None:
        self.assertEqual(decode_value("NI", b"Pool pump "), "Pool pump")
        self.assertEqual(decode_value("NI", b""), "")

    def test_bytes(self) -> None:
        """Of a command whose value has a layout of its own, and of one that is not in the table."""
        self.assertEqual(decode_value("IS", b"\x01\x00"), b"\x01\x00")
        self.assertEqual(decode_value("XX", b"\x01\x00"), b"\x01\x00")
        self.assertEqual(decode_value("XX", b""), b"")

    def test_empty_number(self) -> None:
        """The answer to a setting has no value: that is not 0."""
        self.assertIsNone(decode_value("NT", b""))
        self.assertIsNone(decode_value("TP", b""))


class EncodeTests(unittest.SynchronousTestCase):
    def test_numbers(self) -> None:
        """As many bytes as the command has."""
        self.assertEqual(encode_value("NT", 60), b"\x3c")
        self.assertEqual(encode_value("ID", 0x1234), bytes.fromhex("0000000000001234"))
        self.assertEqual(encode_value("DD", 0x00030008), bytes.fromhex("00030008"))
        self.assertEqual(encode_value("TP", -10), bytes.fromhex("fff6"))

    def test_text(self) -> None:
        self.assertEqual(encode_value("NI", "Küche"), "Küche".encode())
        self.assertEqual(encode_value("NI", "x" * 20), b"x" * 20)

    def test_nothing_and_bytes(self) -> None:
        """None reads or executes; bytes are the caller's affair."""
        for command in ("NI", "NT", "ND", "WR", "XX"):
            self.assertEqual(encode_value(command, None), b"")
            self.assertEqual(encode_value(command, b"\x00\x01"), b"\x00\x01")

    def test_commands_that_are_not_in_the_table(self) -> None:
        """A number in as few bytes as hold it, a text as it is."""
        self.assertEqual(encode_value("XX", 0), b"\x00")
        self.assertEqual(encode_value("XX", 255), b"\xff")
        self.assertEqual(encode_value("XX", 256), b"\x01\x00")
        self.assertEqual(encode_value("XX", "abc"), b"abc")

    def test_too_large(self) -> None:
        for command, value in (("NT", 256), ("NT", -1), ("TP", 0x8000), ("XX", -1)):
            error = self.assertRaises(ValueError, encode_value, command, value)
            self.assertIn(command, str(error))
            self.assertIn(str(value), str(error))

    def test_text_too_long(self) -> None:
        """A limit of bytes, not of characters."""
        error = self.assertRaises(ValueError, encode_value, "NI", "ü" * 11)
        self.assertIn("at most 20 bytes", str(error))
        self.assertIn("22", str(error))

    def test_wrong_kind(self) -> None:
        for command, value, words in (
            ("NT", "60", "takes a number or bytes"),
            ("WR", "now", "takes a number or bytes"),
            ("NI", 5, "takes no number"),
            ("WR", 1, "takes no number"),
            ("IS", 1, "takes no number"),
        ):
            error = self.assertRaises(ValueError, encode_value, command, value)
            self.assertIn(words, str(error))


class TableTests(unittest.SynchronousTestCase):
    def test_names(self) -> None:
        for name, parameter in PARAMETERS.items():
            self.assertEqual(name, parameter.name)
            self.assertEqual(len(name.encode("ascii")), 2)
            self.assertTrue(parameter.meaning)
        self.assertNotIn("XX", PARAMETERS)

    def test_commands_used(self) -> None:
        """All that the gateway asks for."""
        used = (
            "AP AO BD NB SB D6 D7 SH SL MY MP NI ND DN NT NO NP ID OP OI CH CE AI DD HV VR %V TP DB"
            " IS WR FR NR CB"
        )
        self.assertEqual(set(used.split()) - set(PARAMETERS), set())

    def test_numbers_have_sizes(self) -> None:
        for parameter in PARAMETERS.values():
            if parameter.kind in (Kind.UNSIGNED, Kind.SIGNED):
                self.assertIn(parameter.size, (1, 2, 4, 8))

    def test_baud_rates(self) -> None:
        self.assertEqual(BAUD_RATES[3], 9600)
        self.assertEqual(BAUD_RATES[7], 115200)
        self.assertEqual(BAUD_RATES[10], 921600)

    @repeatable(200)
    @given(
        st.sampled_from(sorted(PARAMETERS)),
        st.integers(0, 65).flatmap(lambda bits: st.integers(-(2**bits), 2**bits)),
    )
    def test_numbers_come_back(self, command: str, value: int) -> None:
        """What is taken comes back the same; what is not is a ValueError."""
        try:
            encoded = encode_value(command, value)
        except ValueError:
            return
        self.assertEqual(len(encoded), PARAMETERS[command].size)
        self.assertEqual(decode_value(command, encoded), value)

    @repeatable()
    @given(st.text(max_size=25))
    def test_text_as_utf_8(self, text: str) -> None:
        encoded = text.encode("utf-8")
        if len(encoded) > 20:
            self.assertRaises(ValueError, encode_value, "NI", text)
        else:
            self.assertEqual(encode_value("NI", text), encoded)
