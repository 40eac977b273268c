"""What options of a node's port may be: from the text of a person to a value, or a sentence.

Each parser is one of `zbtwist.runtime.option.Parser`; those that any option may have are there.
"""

from __future__ import annotations

from zbtwist.binding.byte_text import pieces_of
from zbtwist.decoding.makers import all_makers, maker_named
from zbtwist.runtime.option import Context, Mistake, number, seconds, word_or

#: Bytes of a banner, and of a string to a device, as they are written.
MAX_BANNER, MAX_STRING = 1024, 255

#: Pieces of a question to a device, and the most seconds from one to the next.
MAX_PIECES = 8
MAX_ASK_EVERY = 86400

#: The most bytes of a delimiter, and of a packet: no radio has longer ones.
MAX_DELIMITER = 8
MAX_PACKET_SIZE = 1024

#: What `PortSettings.pace` may be beside a rate.
AUTO = None
OFF = 0

#: The rates of a line that it may be, bits per second.
MIN_RATE, MAX_RATE = 300, 10_000_000


#: What a node is not sent to faster than.
pace = word_or(
    {"auto": AUTO, "off": OFF},
    number(MIN_RATE, MAX_RATE),
    f"auto, off, or bits per second from {MIN_RATE} to {MAX_RATE}",
)


def delimiter(text: str, context: Context) -> bytes:
    """Bytes as Python or TOML writes them, or as they are."""
    (found,) = pieces_of(text)
    if len(found) > MAX_DELIMITER:
        raise Mistake(f"must have at most {MAX_DELIMITER} bytes, not {len(found)}.")
    return found


def question(text: str, context: Context) -> tuple[bytes, ...]:
    """What a device is asked, in the pieces that it answers."""
    if not text:
        return ()
    pieces = pieces_of(text, has_ends=True)
    if not all(pieces):
        raise Mistake(rf"must have something to send before and behind each \w, not {text!r}.")
    if sum(map(len, pieces)) > MAX_STRING or len(pieces) > MAX_PIECES:
        raise Mistake(f"must have at most {MAX_STRING} bytes in {MAX_PIECES} pieces, not more.")
    return tuple(pieces)


def ask_every(text: str, context: Context) -> float:
    """How often a device is asked."""
    try:
        every: float = seconds(0, MAX_ASK_EVERY)(text, context)
    except Mistake:
        every = 0.5
    if 0 < every < 1:
        raise Mistake(f"must be 0, or a number of seconds from 1 to {MAX_ASK_EVERY}, not {text!r}.")
    return every


#: How long an answer is waited for.
reply_timeout = word_or(
    {"auto": AUTO}, seconds(0.01, 3600), "auto, or a number of seconds from 0.01 to 3600"
)


def decoder(text: str, context: Context) -> str:
    """The name of a decoder."""
    maker = maker_named(text) if text else None
    if text and maker is None:
        known = ", ".join(sorted(maker.name for maker in all_makers()))
        raise Mistake(f"must be one of {known}, or empty for none, not {text!r}.")
    question: object = () if maker is None else maker.question
    if not isinstance(question, tuple) or not all(
        isinstance(piece, bytes) and piece for piece in question
    ):
        raise Mistake(f"is {text}, whose question is no tuple of bytes: {question!r:.100}.")
    return text
