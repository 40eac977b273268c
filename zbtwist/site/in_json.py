"""JSON as it is said and heard at the broker: compact, in UTF-8, with bytes as ``{"base64": "…"}``.

What is heard is a stranger's word. Numbers that no operation takes, texts that are none and what is
nested deeper than anything is refused before anybody looks at it.
"""

from __future__ import annotations

import base64
import binascii
import json
from math import isfinite
from typing import Any

#: The content type of such messages (RFC 8259).
CONTENT_TYPE = "application/json"

#: How deep lists and objects may be in each other.
MAX_DEPTH = 16

#: Bits of a whole number: as JSON's readers elsewhere have them.
MAX_BITS = 64

#: Characters of a number: the longest that a double is written with are fewer.
MAX_DIGITS = 400

_BYTES = "base64"


class NotUnderstood(ValueError):
    """It is not JSON, or nothing that is taken. Its message is a sentence."""


def written(value: object) -> bytes:
    """Write a value.

    @param value: a dict with str keys, list, str, int, float, bool, None or bytes.
    @raise ValueError: a number is infinite, or none.
    """
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_of_bytes
    )
    # Halves of characters may be in what other programs have written.
    return text.encode("utf-8", "replace")


def _of_bytes(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    raise TypeError(f"JSON has no form for a value of {type(value)}")


def read(payload: bytes) -> Any:
    """Read a value.

    @raise NotUnderstood: a sentence.
    """
    try:
        found = json.loads(
            payload.decode(), parse_int=_whole, parse_float=_decimal, parse_constant=_no_number
        )
    except UnicodeDecodeError:
        raise NotUnderstood("It is not UTF-8.") from None
    except NotUnderstood:
        raise
    except RecursionError:
        raise NotUnderstood(_too_deep()) from None
    except ValueError as error:
        raise NotUnderstood(f"It is not JSON: {error}.") from None
    return _taken(found, MAX_DEPTH)


def _whole(text: str) -> int:
    number = int(text) if len(text) <= MAX_DIGITS else 0
    if number.bit_length() >= MAX_BITS or len(text) > MAX_DIGITS:
        raise NotUnderstood(f"A whole number has more than {MAX_BITS} bits.")
    return number


def _decimal(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise NotUnderstood("A number is too large.")
    return number


def _no_number(text: str) -> float:
    raise NotUnderstood(f"{text} is no number in JSON.")


def _too_deep() -> str:
    return f"It nests deeper than {MAX_DEPTH} lists and objects."


def _taken(value: Any, depth: int) -> Any:
    """Return a value with its bytes as such."""
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, list | dict):
        return value
    if not depth:
        raise NotUnderstood(_too_deep())
    if isinstance(value, list):
        return [_taken(each, depth - 1) for each in value]
    if value.keys() == {_BYTES}:
        return _bytes(value[_BYTES])
    return {_text(name): _taken(each, depth - 1) for name, each in value.items()}


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotUnderstood("A text has half of a character.") from None
    return text


def _bytes(text: object) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise NotUnderstood("What is said to be base64 is not.")
