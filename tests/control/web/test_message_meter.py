"""How much of a message has come: against what wsproto writes, in pieces of every size."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Event, Ping, Pong, TextMessage

from zbtwist.control.web.message_meter import MessageMeter


class MessageMeterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.meter = MessageMeter()
        self.client = Connection(ConnectionType.CLIENT)

    def feed(self, *events: Event) -> int:
        """Take the frames of a client; return how many bytes they have."""
        data = b"".join(map(self.client.send, events))
        self.meter.feed(data)
        return len(data)

    def test_nothing(self) -> None:
        self.meter.feed(b"")
        self.assertEqual(self.meter.unfinished, 0)

    def test_messages_of_every_size(self) -> None:
        """The length of a frame is written in three ways."""
        for size in (0, 1, 125, 126, 127, 65535, 65536, 100_000):
            length = self.feed(BytesMessage(b"x" * size))
            self.assertEqual(self.meter.unfinished, length)

    def test_message_in_pieces(self) -> None:
        total = 0
        for _ in range(10):
            total += self.feed(TextMessage("x" * 200, message_finished=False))
            self.assertEqual(self.meter.unfinished, total)
        total += self.feed(TextMessage("end"))
        self.assertEqual(self.meter.unfinished, total)
        length = self.feed(BytesMessage(b"the next"))
        self.assertEqual(self.meter.unfinished, length)

    def test_signs_of_life(self) -> None:
        """They may come in the middle of a message, and are no part of it."""
        total = self.feed(BytesMessage(b"one", message_finished=False))
        for sign in (Ping(b""), Pong(b"x" * 125)):
            self.feed(sign)
        self.assertEqual(self.meter.unfinished, total)
        total += self.feed(BytesMessage(b"two"))
        self.assertEqual(self.meter.unfinished, total)

    def test_empty_pieces_count(self) -> None:
        """A message of nothing but these would never end either."""
        before = 0
        for _ in range(3):
            self.feed(BytesMessage(b"", message_finished=False))
            self.assertGreater(self.meter.unfinished, before)
            before = self.meter.unfinished

    def test_length_is_known_in_advance(self) -> None:
        self.meter.feed(b"\x82\xff" + (1 << 40).to_bytes(8, "big"))
        self.assertGreater(self.meter.unfinished, 1 << 40)

    def test_frames_cut_anywhere(self) -> None:
        events = [
            BytesMessage(b"x" * 300, message_finished=False),
            Ping(b"sign"),
            BytesMessage(b"y" * 70_000),
            Pong(b""),
            TextMessage("z", message_finished=False),
        ]
        data = b"".join(map(self.client.send, events))
        whole = MessageMeter()
        whole.feed(data)
        for size in (1, 2, 3, 7, 1024):
            pieces = MessageMeter()
            for start in range(0, len(data), size):
                pieces.feed(data[start : start + size])
            self.assertEqual(pieces.unfinished, whole.unfinished)
        self.assertEqual(whole.unfinished, 7)
