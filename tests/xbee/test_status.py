"""Status codes in words."""

from __future__ import annotations

from twisted.trial import unittest

from zbtwist.xbee import status


class ATStatusTests(unittest.SynchronousTestCase):
    def test_known(self) -> None:
        texts = [status.at_status_text(code) for code in range(5)]
        self.assertEqual(
            texts,
            [
                "OK",
                "error",
                "invalid command",
                "invalid parameter",
                "remote transmission failed",
            ],
        )

    def test_of_newer_firmware(self) -> None:
        for code, words in ((0x0B, "secure session"), (0x0C, "encryption"), (0x0D, "without it")):
            self.assertIn(words, status.at_status_text(code))

    def test_flags(self) -> None:
        """DigiMesh has them in the upper bits, and answers DN with 40 for OK."""
        self.assertEqual(status.at_status_of(0x40), status.ATStatus.OK)
        self.assertEqual(status.at_status_text(0x40), "OK (without signal strength)")
        self.assertEqual(status.at_status_of(0xC2), status.ATStatus.INVALID_COMMAND)
        self.assertEqual(
            status.at_status_text(0xC2), "invalid command (without signal strength, of a remote)"
        )

    def test_unknown(self) -> None:
        self.assertEqual(status.at_status_text(0x0E), "unknown AT status 0x0e")
        self.assertEqual(status.at_status_of(0xFF), 0xFF)
        self.assertEqual(status.at_status_text(0xFF), "unknown AT status 0xff")


class DeliveryStatusTests(unittest.SynchronousTestCase):
    def test_only_0_is_success(self) -> None:
        """Whatever else a radio says, the words do not claim that the node has the packet."""
        successes = [
            code for code in range(256) if "success" in status.delivery_status_text(code).lower()
        ]
        self.assertEqual(successes, [status.DeliveryStatus.DELIVERED])

    def test_all_that_zigbee_radios_send(self) -> None:
        codes = "00 01 02 15 21 22 23 24 25 26 2b 2c 2d 2e 32 74 75"
        texts = [status.delivery_status_text(code) for code in bytes.fromhex(codes)]
        self.assertFalse([text for text in texts if "unknown" in text])
        self.assertEqual(len(set(texts)), len(texts))

    def test_some(self) -> None:
        self.assertEqual(status.delivery_status_text(0x24), "address not found")
        self.assertEqual(status.delivery_status_text(0x74), "payload too large")

    def test_unknown(self) -> None:
        self.assertEqual(status.delivery_status_text(0xBB), "unknown delivery status 0xbb")


class ModemStatusTests(unittest.SynchronousTestCase):
    def test_known(self) -> None:
        codes = (
            "00 01 02 03 04 05 06 07 0b 0c 0d 0e 0f 11 12 13 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e"
            "3f 40 42 43 44 45 80 82 83 84 87 88 8a 8e"
        )
        texts = [status.modem_status_text(code) for code in bytes.fromhex(codes)]
        self.assertFalse([text for text in texts if "unknown" in text])
        self.assertEqual(len(set(texts)), len(texts))
        self.assertEqual(texts[-1], "stack error 0x8e (Wi-Fi: joining the access point failed)")
        known = status.ModemStatusCode
        self.assertEqual(status.modem_status_text(known.JOINED), "joined the network")
        self.assertEqual(status.modem_status_text(known.LEFT), "left the network")

    def test_unknown(self) -> None:
        self.assertEqual(status.modem_status_text(0x7F), "unknown modem status 0x7f")

    def test_stack_errors(self) -> None:
        self.assertEqual(status.modem_status_text(status.STACK_ERROR), "stack error 0x80")
        self.assertEqual(status.modem_status_text(0xFF), "stack error 0xff")


class AssociationTests(unittest.SynchronousTestCase):
    def test_known(self) -> None:
        codes = (
            "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 12 13 21 22 23 24 25 27 2a 2b 2c 40"
            "41 44 ab ac ad af ff"
        )
        texts = [status.association_text(code) for code in bytes.fromhex(codes)]
        self.assertFalse([text for text in texts if "unknown" in text])
        self.assertEqual(len(set(texts)), len(texts))

    def test_sentence(self) -> None:
        self.assertEqual(status.joining_text(0x21), "The radio is joining: no PAN found (AI=21).")

    def test_unknown(self) -> None:
        self.assertEqual(status.association_text(0x99), "unknown AI 0x99")
