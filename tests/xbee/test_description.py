"""What a node says of itself, as in ND answers and node identification frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.xbee.strategies import descriptions, repeatable
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.description import NodeDescription, label_text

PLAIN = bytes.fromhex("7d84 0013a20040522baa 506f6f6c00 fffe 01 00 c105 101e")


class NodeDescriptionTests(unittest.SynchronousTestCase):
    def test_fields(self) -> None:
        self.assertEqual(
            NodeDescription.parse(PLAIN),
            NodeDescription(
                address16=Address16(0x7D84),
                address64=Address64(0x0013A20040522BAA),
                node_identifier=b"Pool",
                parent16=Address16(0xFFFE),
                role=1,
                event=0,
                profile_id=0xC105,
                manufacturer_id=0x101E,
            ),
        )

    def test_optional_ends(self) -> None:
        """Each choice of NO; the order is the device type, then the signal strength."""
        for end, device_type_identifier, rssi in (
            ("", None, None),
            ("00030008", 0x00030008, None),
            ("28", None, 0x28),
            ("00030008 28", 0x00030008, 0x28),
            ("00000000 00", 0, 0),
        ):
            node = NodeDescription.parse(PLAIN + bytes.fromhex(end))
            self.assertEqual(node.device_type_identifier, device_type_identifier)
            self.assertEqual(node.rssi, rssi)
            self.assertEqual(node.to_bytes(), PLAIN + bytes.fromhex(end))

    def test_does_not_fit(self) -> None:
        """Cut anywhere, or with an end that no NO makes."""
        for size in range(len(PLAIN)):
            self.assertRaises(ValueError, NodeDescription.parse, PLAIN[:size])
        for more in (2, 3, 6, 7, 100):
            error = self.assertRaises(ValueError, NodeDescription.parse, PLAIN + bytes(more))
            self.assertIn(f"{len(PLAIN) + more} bytes", str(error))

    def test_zeros_in_the_addresses(self) -> None:
        """They do not end the node identifier, which begins behind them."""
        node = NodeDescription.parse(bytes(10) + b"N\0" + PLAIN[-8:])
        self.assertEqual((node.address16, node.address64), (0, 0))
        self.assertEqual(node.node_identifier, b"N")

    def test_no_node_identifier(self) -> None:
        node = NodeDescription.parse(PLAIN[:10] + b"\0" + PLAIN[-8:])
        self.assertEqual(node.node_identifier, b"")
        self.assertEqual(node.label, "")

    @repeatable()
    @given(descriptions)
    def test_any_comes_back(self, node: NodeDescription) -> None:
        self.assertEqual(NodeDescription.parse(node.to_bytes()), node)

    @repeatable()
    @given(st.binary(max_size=50))
    def test_any_bytes(self, data: bytes) -> None:
        """They are refused with a ValueError, or come back as they were."""
        try:
            node = NodeDescription.parse(data)
        except ValueError:
            return
        self.assertEqual(node.to_bytes(), data)


class LabelTests(unittest.SynchronousTestCase):
    def test_it_has_20_bytes(self) -> None:
        for sent, shown in (
            (b"x" * 21, "x" * 20),
            (b"x" * 19 + "ü".encode(), "x" * 19),
            (b"x" * 18 + "ü€".encode(), "x" * 18 + "ü"),
            (b"\xfc" * 200, "ü" * 20),
            (b"x" * 19 + b"\xfc", "x" * 19 + "ü"),
        ):
            self.assertEqual(label_text(sent), shown, sent)

    def test_label(self) -> None:
        node = NodeDescription(Address16(0), Address64(0), b" Pool pump ")
        self.assertEqual(node.label, "Pool pump")

    def test_texts(self) -> None:
        for sent, shown in (
            (b"Pool", "Pool"),
            (b" ", ""),
            (b"", ""),
            ("Küche".encode(), "Küche"),
            ("Küche".encode("latin-1"), "Küche"),
            (b"\x1b[31mred\x07", "[31mred"),
            (b"a\x00b\r\nc\x7f", "abc"),
            (b"\xc2\x85next", "next"),
            ("\ue000\ufffe\U0010ffffx".encode(), "x"),
            (b"<b>&", "<b>&"),
        ):
            self.assertEqual(label_text(sent), shown, sent)

    @repeatable(200)
    @given(st.binary(max_size=20))
    def test_any_bytes_can_be_shown(self, sent: bytes) -> None:
        """Each character is one that XML 1.0 takes, and the text can be encoded."""
        shown = label_text(sent)
        self.assertEqual(shown, shown.strip())
        for character in shown:
            self.assertGreaterEqual(character, " ")
            self.assertNotIn(character, "\x7f\ufffe\uffff")
        self.assertEqual(shown.encode("utf-8").decode("utf-8"), shown)
