"""Packets of MQTT 5 to bytes and back, by the package mqtt5: its one user here.

Its releases from 0.8 on are for Python 3.11 and later. Python 3.10 has 0.3, which writes into a
buffer and has other names for some things: what differs is at the end of this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import mqtt5
from mqtt5 import (
    ConnAckPacket,
    DisconnectPacket,
    PingRespPacket,
    PubAckPacket,
    PublishPacket,
    SubAckPacket,
    UnsubAckPacket,
)

from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.topics import is_shared, is_text, is_topic

__all__ = [
    "ConnAckPacket",
    "DisconnectPacket",
    "PingRespPacket",
    "PubAckPacket",
    "PublishPacket",
    "SubAckPacket",
    "UnsubAckPacket",
]

#: Bytes of the longest fixed header; MQTT 5, section 2.1.4.
_LONGEST_HEADER = 5

_AT_MOST_ONCE, _AT_LEAST_ONCE = mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE
_IS_OLD = not hasattr(mqtt5, "TopicFilter")


class MalformedPacket(Exception):
    """What came is not MQTT 5."""


# --- reading -----------------------------------------------------------------------------------


def size_of(data: bytes | bytearray, start: int) -> int:
    """Return the bytes of the packet that begins at `start`, 0 if more must come until it is known.

    @raise MalformedPacket: none can begin so.
    """
    length = len(data)
    # Nearly all have one or two bytes of it.
    if start + 2 < length:
        first = data[start + 1]
        if first < 0x80:
            return first + 2
        second = data[start + 2]
        if second < 0x80:
            return (first & 0x7F | second << 7) + 3
    remaining = 0
    for at in range(start + 1, min(start + _LONGEST_HEADER, length)):
        byte = data[at]
        remaining |= (byte & 0x7F) << 7 * (at - start - 1)
        if byte < 0x80:
            return at - start + 1 + remaining
    if length - start >= _LONGEST_HEADER:
        raise MalformedPacket("its length has more than four bytes")
    return 0


def read(data: bytes | bytearray, start: int, end: int) -> Any:
    """Return the packet that these bytes are.

    @raise MalformedPacket: they are none.
    """
    try:
        packet, size = _read(data, start, end)
    except (ValueError, IndexError, OverflowError) as error:
        raise MalformedPacket(str(error)) from error
    except BaseException as error:
        # What is no UTF-8 makes its Rust panic, whose exception has no name in Python.
        if type(error).__name__ != "PanicException":
            raise
        raise MalformedPacket("a text in it is no UTF-8") from error
    if size != end - start:
        raise MalformedPacket("its length is wrong")
    return packet


def message_of(packet: PublishPacket) -> Message:
    """Return what was published. An answer cannot go where there are no topics."""
    response_topic = packet.response_topic or ""
    return Message(
        packet.topic,
        packet.payload or b"",
        packet.retain,
        packet.content_type or "",
        tuple(packet.user_properties),
        response_topic if response_topic and is_topic(response_topic) else "",
        packet.correlation_data,
        packet.message_expiry_interval,
    )


# --- writing -----------------------------------------------------------------------------------

#: Said when nothing else was for a while.
PINGREQ: bytes


def connect(
    client_id: str,
    user: str,
    password: bytes | None,
    keepalive: int,
    will: Message | None,
    *,
    receive_maximum: int,
    maximum_packet_size: int,
    keeps: bool = True,
    confirms: bool = True,
) -> bytes:
    """Return the packet that begins everything; the session begins anew.

    @param keepalive: seconds.
    @param receive_maximum: messages that may be under way here at once with QoS 1.
    @param maximum_packet_size: bytes of a packet that may come.
    @param keeps: the broker keeps messages, also a will.
    @param confirms: it takes a will with QoS 1.
    """
    last: Any = None
    if will is not None:
        last = mqtt5.Will(
            will.topic,
            payload=will.payload,
            qos=_AT_LEAST_ONCE if confirms else _AT_MOST_ONCE,
            retain=will.retained and keeps,
            content_type=will.content_type or None,
            user_properties=list(will.user_properties),
        )
    return _write(
        mqtt5.ConnectPacket(
            client_id,
            username=user or None,
            password=_password(password),
            clean_start=True,
            will=last,
            keep_alive=keepalive,
            receive_max=receive_maximum,
            max_packet_size=maximum_packet_size,
        )
    )


def publish(message: Message, packet_id: int | None, keeps: bool = True) -> bytes:
    """Return the packet of a message.

    @param packet_id: with it its QoS is 1, else 0.
    @param keeps: the broker keeps messages.
    @raise ValueError: there can be no such message.
    """
    topic, content_type, pairs = message.topic, message.content_type, message.user_properties
    if not is_topic(topic):
        raise ValueError(f"{topic!r} cannot be a topic.")
    texts = content_type + message.response_topic
    for name, value in pairs:
        texts += name + value
    if not is_text(texts):
        raise ValueError(f"A message of {topic} has a text that cannot be in a packet.")
    more: dict[str, Any] = {}
    if message.response_topic:
        more["response_topic"] = message.response_topic
    if message.correlation_data is not None:
        more["correlation_data"] = message.correlation_data
    if message.expires_after is not None:
        more["message_expiry_interval"] = message.expires_after
    if packet_id is not None:
        more["packet_id"], more["qos"] = packet_id, _AT_LEAST_ONCE
    if message.retained and keeps:
        more["retain"] = True
    if content_type:
        more["content_type"] = content_type
    if pairs:
        more["user_properties"] = list(pairs)
    return _write(mqtt5.PublishPacket(topic, payload=message.payload, **more))


def puback(packet_id: int) -> bytes:
    """Return the confirmation of a message."""
    return _write(mqtt5.PubAckPacket(packet_id))


def subscribe(packet_id: int, filters: Iterable[str], at_most_once: bool = False) -> bytes:
    """Return the packet that asks for messages, with QoS 1 where they have it, and not for what
    this client publishes. What comes is retained only if it was kept before.

    @param at_most_once: with QoS 0, whatever they have.
    """
    asked = [_subscription(each, at_most_once) for each in filters]
    return _write(mqtt5.SubscribePacket(packet_id, asked))


def unsubscribe(packet_id: int, filters: Sequence[str]) -> bytes:
    """Return the packet that asks for them no more."""
    return _write(mqtt5.UnsubscribePacket(packet_id, list(filters)))


def disconnect(reason: int = 0) -> bytes:
    """Return the farewell.

    @param reason: MQTT 5, section 3.14.2.1.
    """
    return _write(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode(reason)))


# --- what differs ------------------------------------------------------------------------------


def _read_new(data: bytes | bytearray, start: int, end: int) -> tuple[Any, int]:
    return mqtt5.read(memoryview(data)[start:end])


def _read_old(data: bytes | bytearray, start: int, end: int) -> tuple[Any, int]:
    old: Any = mqtt5.read
    found: tuple[Any, int] = old(bytearray(data[start:end]))
    return found


def _write_new(packet: Any) -> bytes:
    written: bytes = packet.write()
    return written


def _write_old(packet: Any) -> bytes:
    size = 1024
    while True:
        buffer = bytearray(size)
        with suppress(IndexError):
            return bytes(buffer[: packet.write(buffer)])
        size *= 4


_read, _write = (_read_old, _write_old) if _IS_OLD else (_read_new, _write_new)


def _password(password: bytes | None) -> Any:
    # The old one has text, which MQTT 5 does not ask for.
    return password.decode() if _IS_OLD and password is not None else password


def _subscription(topic_filter: str, at_most_once: bool) -> Any:
    of: Any = mqtt5
    make = of.Subscription if _IS_OLD else of.TopicFilter
    return make(
        topic_filter,
        max_qos=_AT_MOST_ONCE if at_most_once else _AT_LEAST_ONCE,
        # To say it of what a group shares is a mistake; section 3.8.3.1.
        no_local=not is_shared(topic_filter),
        retain_as_published=False,
    )


PINGREQ = _write(mqtt5.PingReqPacket())
