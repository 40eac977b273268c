"""What a damaged frame tells of whose it was."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.radio.damage import Sender, senders_of
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import (
    ATCommandResponse,
    ExplicitReceive,
    Frame,
    ReceivePacket,
    TransmitStatus,
)
from zbtwist.xbee.framing import decoder_for, encode

NODE = Address64(0x0013A200_400A3EFF)
OTHER = Address64(0x0013A200_41112233)
#: What a frame of that node says of its sender.
SAID = Sender(NODE, Address16(1))
DATA = ReceivePacket(NODE, Address16(1), 1, b"twelve bytes")
#: Its payload looks like the start of frames, and has what mode 2 escapes.
AWKWARD = ReceivePacket(NODE, Address16(1), 1, b"\x7e\x00\x01\x7d\x11\x13\x7e\x00\x20")


class DamageTests(SynchronousTestCase):
    def lose(self, frame: Frame, position: int, value: int | None, mode: int = 1) -> object:
        """Damage a byte of a frame between two good ones (None takes it away) and ask whose it was.

        @return: what is known, and how many good frames are left.
        """
        wire = bytearray(encode(frame.to_bytes(), mode))
        position %= len(wire)
        wire[position : position + 1] = b"" if value is None else bytes([wire[position] ^ value])
        bad: list[bytes] = []
        decoder = decoder_for(mode, on_bad_frame=bad.append)
        good = encode(ATCommandResponse(1, "AI", 0, b"\0").to_bytes(), mode)
        found = decoder.feed(good + wire + good * 60) + decoder.give_up()
        self.assertIn(len(found), (60, 61))
        return senders_of(bad, decoder.discarded_bytes, mode)

    def test_payload(self) -> None:
        for mode in (1, 2):
            for position in (15, -1):
                self.assertEqual(self.lose(DATA, position, 0x01, mode), [SAID])
                # What looks like a frame within a damaged one cannot always be told from one.
                self.assertIn(self.lose(AWKWARD, position, 0x01, mode), ([SAID], None))

    def test_explicit(self) -> None:
        frame = ExplicitReceive(NODE, Address16(1), 0xE8, 0xE8, 0x11, 0xC105, 1, b"hello")
        self.assertEqual(self.lose(frame, -3, 0x40), [SAID])

    def test_address(self) -> None:
        """It is another address, which the caller does not know."""
        self.assertEqual(self.lose(DATA, 11, 0x01), [Sender(Address64(NODE ^ 1), Address16(1))])

    def test_anybody(self) -> None:
        for mode in (1, 2):
            # The start byte, the length, the type; or a byte is missing. Nobody else is blamed.
            for position, value in (
                (0, 1),
                (1, 1),
                (2, 1),
                (3, 1),
                (0, None),
                (2, None),
                (3, None),
            ):
                found = self.lose(DATA, position, value, mode)
                self.assertIn(found, ([SAID], None), (mode, position))
            self.assertIsNone(self.lose(DATA, 0, 0x01, mode))
            self.assertIsNone(self.lose(DATA, 3, 0x04, mode))
        self.assertIsNone(self.lose(ATCommandResponse(1, "AI", 0, b"\0"), 5, 0x01))

    def test_transmit_status(self) -> None:
        """It is missed by whoever waits for it, and nobody's bytes are lost."""
        status = TransmitStatus(1, Address16(2), 0, 0, 0)
        self.assertEqual(self.lose(status, 8, 0x21), [])

    def test_several(self) -> None:
        bad = [encode(ReceivePacket(a, Address16(1), 1, b"x").to_bytes(), 1) for a in (NODE, OTHER)]
        size = sum(map(len, bad))
        self.assertEqual(senders_of(bad, size, 1), [SAID, Sender(OTHER, Address16(1))])
        self.assertIsNone(senders_of(bad, size + 1, 1))

    def test_nothing_but_bytes(self) -> None:
        self.assertIsNone(senders_of([], 3, 1))
