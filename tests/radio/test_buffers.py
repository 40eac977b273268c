"""What fits into a radio's buffers."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import FACTS
from zbtwist.radio.buffers import packets_at_once


class BufferTests(SynchronousTestCase):
    def test_modules(self) -> None:
        for hardware, firmware, payload, packets in (
            # Zigbee: S2, S2B, S2C, XBee 3.
            (0x1947, 0x2064, 84, None),
            (0x1E46, 0x21A7, 84, None),
            (0x2D47, 0x4060, 84, None),
            (0x4241, 0x1012, 255, None),
            # 802.15.4: S1, S2C, XBee 3.
            (0x1744, 0x10EF, 100, 1),
            (0x2E48, 0x2003, 100, 1),
            (0x4241, 0x2014, 114, 1),
            (0x2E48, 0x2003, 60, 2),
            # Not known.
            (0, 0, 72, None),
        ):
            info = replace(
                FACTS, hardware_version=hardware, firmware_version=firmware, payload_limit=payload
            )
            self.assertEqual(packets_at_once(info), packets, f"{hardware:04X} {firmware:04X}")
