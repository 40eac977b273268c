"""Bytes of a field that know its name, for whoever takes them for text as on Python 2."""

from __future__ import annotations

import warnings
from typing import Any

Packet = dict[str, Any]


class FieldBytes(bytes):
    """The bytes of a received field. They never equal text, and warn whoever compares them with it:
    on Python 2 they did, and on Python 3 such a comparison is just false.

    @ivar field: the field's name.
    """

    field = ""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            self._warn(other)
        return bytes.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        if isinstance(other, str):
            self._warn(other)
        return bytes.__ne__(self, other)

    __hash__ = bytes.__hash__

    def _warn(self, text: str) -> None:
        warnings.warn(
            f"The field {self.field} is bytes, and never equals the text {text[:40]!r}: write "
            f"{as_bytes(text[:40])}.",
            stacklevel=3,
        )


def as_bytes(text: str) -> str:
    """Return how the bytes are written that a text stands for in a program of Python 2."""
    try:
        return repr(text.encode("latin-1"))
    except UnicodeEncodeError:
        return repr(text.encode())


def named(packet: Packet) -> Packet:
    """Name the bytes in a dictionary by their fields."""
    for name, value in packet.items():
        if type(value) is bytes:
            packet[name] = field = FieldBytes(value)
            field.field = name
        elif isinstance(value, dict):
            named(value)
    return packet
