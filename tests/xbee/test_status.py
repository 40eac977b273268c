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

    def test_unknown(self) -> None:
        self.assertEqual(status.at_status_text(0x0B), "unknown AT status 0x0b")


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
        codes = (0x00, 0x01, 0x02, 0x03, 0x06, 0x07, 0x0D, 0x11)
        texts = [status.modem_status_text(code) for code in codes]
        self.assertFalse([text for text in texts if "unknown" in text])
        known = status.ModemStatusCode
        self.assertEqual(status.modem_status_text(known.JOINED), "joined the network")
        self.assertEqual(status.modem_status_text(known.LEFT), "left the network")

    def test_unknown(self) -> None:
        self.assertEqual(status.modem_status_text(0x7F), "unknown modem status 0x7f")

    def test_stack_errors(self) -> None:
        self.assertEqual(status.modem_status_text(status.STACK_ERROR), "stack error 0x80")
        self.assertEqual(status.modem_status_text(0xFF), "stack error 0xff")
