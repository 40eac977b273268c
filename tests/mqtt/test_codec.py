from __future__ import annotations

import contextlib
from typing import Any

import mqtt5
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.mqtt.wire import NO_UTF8, encode, publish_packet, silence_errors
from tests.xbee.strategies import repeatable
from zbtwist.mqtt import codec
from zbtwist.mqtt.codec import MalformedPacket
from zbtwist.mqtt.interfaces import Message

EVERYTHING = Message(
    "a/b",
    b"payload",
    True,
    "application/json",
    (("n", "1"), ("n", "2"), ("run", "x")),
    "answers/here",
    b"\0\1",
    5,
)


def read(data: bytes) -> Any:
    return codec.read(data, 0, len(data))


class CodecTests(SynchronousTestCase):
    def test_a_message_there_and_back(self) -> None:
        for message in (EVERYTHING, Message("a", b"")):
            packet = read(codec.publish(message, None))
            self.assertEqual(codec.message_of(packet), message)
            self.assertEqual((int(packet.qos), packet.packet_id), (0, None))

    def test_bytes_are_those_of_the_standard(self) -> None:
        """MQTT 5, sections 3.3, 3.4, 3.8, 3.10, 3.12 and 3.14."""
        self.assertEqual(codec.publish(Message("a/b", b"x"), None), b"\x30\7\0\3a/b\0x")
        self.assertEqual(
            codec.publish(Message("a/b", b"x", True, user_properties=(("n", "1"),)), 10),
            b"\x33\x10\0\3a/b\0\x0a\7\x26\0\1n\0\0011x",
        )
        # A reason and properties may be left out, or be there.
        self.assertIn(codec.puback(10), (b"\x40\2\0\x0a", b"\x40\4\0\x0a\0\0"))
        self.assertIn(codec.disconnect(), (b"\xe0\0", b"\xe0\2\0\0"))
        self.assertEqual(codec.PINGREQ, b"\xc0\0")
        # QoS 1 and No Local; of a group QoS 1 alone.
        self.assertEqual(
            codec.subscribe(1, ["a/+", "$share/g/a"]),
            b"\x82\x16\0\1\0\0\3a/+\5\0\x0a$share/g/a\1",
        )
        self.assertEqual(codec.unsubscribe(2, ["a"]), b"\xa2\6\0\2\0\0\1a")

    def test_connect(self) -> None:
        """Section 3.1: Clean Start, will with QoS 1 that is retained; Receive Maximum 10, Maximum
        Packet Size 1,000.
        """
        will = Message("w", b"off", True)
        limits: dict[str, Any] = {"receive_maximum": 10, "maximum_packet_size": 1000}
        self.assertEqual(
            codec.connect("id", "me", b"pw", 60, will, **limits),
            b"\x10\x28\0\4MQTT\5\xee\0\x3c\x08\x21\0\x0a\x27\0\0\3\xe8\0\2id\0\0\1w\0\3off\0\2me"
            b"\0\2pw",
        )
        plain = codec.connect("id", "", None, 60, will, **limits, keeps=False, confirms=False)
        self.assertEqual(plain[9], 0x06)
        self.assertEqual(codec.connect("id", "", None, 60, None, **limits)[9], 0x02)

    def test_what_a_broker_does_not_keep(self) -> None:
        self.assertFalse(read(codec.publish(EVERYTHING, None, keeps=False)).retain)

    def test_long_ones(self) -> None:
        payload = bytes(300_000)
        data = codec.publish(Message("a", payload), 7)
        self.assertEqual(codec.size_of(data, 0), len(data))
        self.assertEqual(read(data).payload, payload)

    def test_messages_that_cannot_be(self) -> None:
        for message in (
            Message("", b""),
            Message("a/+", b""),
            Message("#", b""),
            Message("a\ud800", b""),
            Message("x" * 70_000, b""),
            Message("a", b"", content_type="x" * 70_000),
            Message("a", b"", user_properties=(("a", "\ud800"),)),
            Message("a", b"", user_properties=(("x" * 70_000, ""),)),
        ):
            with self.assertRaises(ValueError, msg=repr(message)[:60]):
                codec.publish(message, None)

    def test_an_answer_goes_to_no_filter(self) -> None:
        data = b"\x30\x0a\0\1a\6\x08\0\3a/#"
        self.assertEqual(codec.message_of(read(data)), Message("a", b""))

    def test_sizes(self) -> None:
        """Section 1.5.5."""
        for data, size in (
            (b"", 0),
            (b"\x30", 0),
            (b"\x30\x00", 2),
            (b"\x30\x7f", 129),
            (b"\x30\x80", 0),
            (b"\x30\x80\x01", 131),
            (b"\x30\xff\xff\xff\x7f", 268_435_460),
        ):
            self.assertEqual(codec.size_of(data, 0), size, data)
            self.assertEqual(codec.size_of(b"ab" + data, 2), size, data)
        self.assertRaises(MalformedPacket, codec.size_of, b"\x30\xff\xff\xff\xff", 0)

    def test_packets_that_are_none(self) -> None:
        silence_errors(self)
        for data in (
            b"\0\0",
            b"\x30\0",
            b"\x36\5\0\1a\0\1",
            b"\x30\7\0\3a/b\xffx",
            NO_UTF8,
            b"\xd0\1\0",
            b"\x20\2\0\0",
        ):
            with self.assertRaises(MalformedPacket, msg=data):
                packet = read(data)
                # The codec of Python 3.10 takes this for whole; nothing leans on it.
                if data == b"\x20\2\0\0" and isinstance(packet, mqtt5.ConnAckPacket):
                    raise MalformedPacket

    @repeatable(150)
    @given(st.binary(max_size=60))
    def test_anything(self, data: bytes) -> None:
        """It is a packet, or malformed, and nothing else."""
        silence_errors(self)
        with contextlib.suppress(MalformedPacket):
            size = codec.size_of(data, 0)
            if size and size <= len(data):
                codec.read(data, 0, size)

    @repeatable(150)
    @given(
        st.integers(0, 255),
        st.binary(max_size=40),
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=4),
    )
    def test_almost_packets(self, kind: int, body: bytes, changes: list[tuple[int, int]]) -> None:
        """The same of those that are nearly right, whose lengths are."""
        silence_errors(self)
        for good in (
            bytes([kind, len(body)]) + body,
            publish_packet("a/b", b"x" * 20, user_properties=[("a", "b")], content_type="t"),
            encode(mqtt5.ConnAckPacket(reason_str="hello", server_keep_alive=5)),
        ):
            data = bytearray(good)
            for at, byte in changes:
                if 2 <= at < len(data):
                    data[at] = byte
            with contextlib.suppress(MalformedPacket):
                codec.read(bytes(data), 0, len(data))

    @repeatable(150)
    @given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
    def test_any_text(self, topic: str, name: str, value: str) -> None:
        """A message of it is sent as it is, or is a ValueError."""
        message = Message(topic, b"x", user_properties=((name, value),), content_type=value)
        try:
            data = codec.publish(message, None)
        except ValueError:
            return
        self.assertEqual(codec.message_of(read(data)), message)
