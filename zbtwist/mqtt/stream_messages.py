"""What the two ends of a byte stream over a broker say to each other: how packets are numbered, and
how it is answered what became of them. docs/mqtt.rst has it for others.

From a node: each packet has the number that it has among those of the node, from 1 on, and a word
for the run of the gateway that counts. A packet that is missing is a gap in that; one that comes
twice has the number of another. Where bytes were lost before the gateway had them, that takes a
number as well, of a message that is marked, and empty.

To a node: each packet names its stream, and has its number in it, from 0 on. It goes to the node
when all before it have, and not at all behind one that did not.

What comes is a stranger's word: whatever is not as it should be is none of this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.site_topics import address_level, address_of_level

#: Names of user properties.
RUN, NUMBER, HOLE, STREAM, END = "run", "n", "hole", "stream", "end"

#: Of messages whose payload is the bytes of a node.
BYTES = "application/octet-stream"
JSON = "application/json"

#: Characters of the word for a run, and of a stream's name.
MAX_WORD = 64

#: Bytes of the JSON of an answer, and nodes that one may tell of.
MAX_ANSWER = 1 << 20
MAX_COUNTS = 65536

#: Characters of a sentence in one.
MAX_TEXT = 300

_NUMBER = re.compile(r"[0-9]{1,18}")
_WORD = re.compile(rf"[!-~]{{1,{MAX_WORD}}}")

#: What a number beyond these is written with, in JavaScript and elsewhere, is not exact.
_MAX_COUNT = 1 << 53


class Outcome(Enum):
    """What became of a packet to a node.

    @cvar DELIVERED: the node's radio has it.
    @cvar FAILED: it was given up; that it has arrived all the same cannot be excluded.
    @cvar UNKNOWN: it may have arrived, or may still.
    @cvar REFUSED: it was not sent.
    @cvar EXPIRED: it was not sent, since it came too late.
    """

    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Numbered:
    """What the properties of a packet from a node say.

    @ivar run: the word for the run of the gateway that counts.
    @ivar number: of the packet, 1 or more.
    @ivar has_hole: bytes are lost before it.
    """

    run: str
    number: int
    has_hole: bool


@dataclass(frozen=True, slots=True)
class InStream:
    """What the properties of a packet to a node say.

    @ivar stream: the name of the stream.
    @ivar number: of the packet, 0 or more.
    @ivar run: the run of the gateway that it is for; empty for any.
    @ivar is_end: it is no packet: what of the stream was not sent is not wanted any more.
    """

    stream: str
    number: int
    run: str
    is_end: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a packet to a node.

    @ivar code: the delivery status of the radio, None if there is none.
    @ivar text: a sentence.
    """

    outcome: Outcome
    code: int | None = None
    text: str = ""

    def to_bytes(self) -> bytes:
        """Write it as it is said."""
        return _written({"status": self.outcome.value, "code": self.code, "text": self.text})

    @classmethod
    def parse(cls, payload: bytes) -> Answer | None:
        """The inverse; None if it is none."""
        said = read_object(payload)
        if said is None:
            return None
        status, code, text = (said.get(name) for name in ("status", "code", "text"))
        try:
            outcome = Outcome(status)
        except ValueError:
            return None
        is_code = isinstance(code, int) and 0 <= code <= 0xFF
        return cls(outcome, code if is_code else None, shown(text))


@dataclass(frozen=True, slots=True)
class Counts:
    """What a gateway answers that was asked for its streams.

    @ivar run: the word for its run.
    @ivar payload_limit: bytes of a packet to a node at the most, 0 if its radio is away.
    @ivar packets: how many it has counted, by node; none for those without any.
    """

    run: str
    payload_limit: int
    packets: Mapping[int, int]

    def to_bytes(self) -> bytes:
        """Write it as it is said."""
        packets = {address_level(address64): n for address64, n in self.packets.items()}
        return _written({"run": self.run, "payload_limit": self.payload_limit, "packets": packets})

    @classmethod
    def parse(cls, payload: bytes) -> Counts | None:
        """The inverse; None if it is none."""
        said = read_object(payload)
        if said is None:
            return None
        run, limit, packets = (said.get(name) for name in ("run", "payload_limit", "packets"))
        if not (isinstance(run, str) and _WORD.fullmatch(run) and isinstance(limit, int)):
            return None
        if not isinstance(packets, dict) or len(packets) > MAX_COUNTS:
            return None
        counts: dict[int, int] = {}
        for level, count in packets.items():
            address64 = address_of_level(level)
            if address64 is None or not isinstance(count, int) or not 0 <= count < _MAX_COUNT:
                return None
            counts[address64] = count
        return cls(run, min(max(limit, 0), 0xFFFF), counts)


def is_stripped(message: Message) -> bool:
    """Whether a message with something in it has no property at all: those of gateways have at
    least a content type. What speaks MQTT 3.1.1 hands it on so.
    """
    return bool(message.payload) and not (message.content_type or message.user_properties)


def numbered(message: Message) -> Numbered | None:
    """Return what a packet from a node says of itself; None if it is not numbered."""
    run = number = ""
    has_hole = False
    for name, value in message.user_properties:
        if name == NUMBER:
            number = value
        elif name == RUN:
            run = value
        elif name == HOLE:
            has_hole = value == "1"
    if not (_NUMBER.fullmatch(number) and _WORD.fullmatch(run)):
        return None
    return Numbered(run, int(number), has_hole)


def in_stream(message: Message) -> InStream | None:
    """Return what a packet to a node says of itself; None if it is of no stream.

    @raise ValueError: it says something that makes no sense. The message is a sentence.
    """
    found = dict(message.user_properties)
    stream = found.get(STREAM)
    if stream is None:
        return None
    run, is_end = found.get(RUN, ""), found.get(END) == "1"
    # An end needs none, unless it is asked what became of a packet.
    number = found.get(NUMBER, "0" if is_end else "")
    if not _WORD.fullmatch(stream) or len(run) > MAX_WORD:
        raise ValueError(f"A stream, and a run, is named by 1 to {MAX_WORD} ASCII characters.")
    if not _NUMBER.fullmatch(number):
        raise ValueError("A packet of a stream needs its number, n, a decimal one from 0 on.")
    return InStream(stream, int(number), run, is_end)


def read_object(payload: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a payload is; None if it is none, or too large."""
    if len(payload) > MAX_ANSWER:
        return None
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def shown(text: object) -> str:
    """Return a stranger's text as it may stand in a log and on a terminal: one short line."""
    if not isinstance(text, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_TEXT]).strip()


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
