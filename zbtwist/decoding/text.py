"""Lines of text: as they are, as names with values, and as JSON.

A line ends with CR, LF or both. One that is longer than `MAX_LINE` is left out up to its end, and
so is the rest of one whose beginning was lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from zbtwist.decoding.interfaces import IDecoder, IDecoderMaker
from zbtwist.decoding.value import KINDS, MAX_TEXT, Value, name_of

#: The longest line, bytes.
MAX_LINE = 4096

#: The longest number with its unit, characters.
MAX_NUMBER = 40

#: The largest number that JSON may say: of whole ones, none beyond that is exact elsewhere.
MAX_SIZE = 2**53

#: Values of one line, and how deep objects may be in each other.
MAX_VALUES = 64
MAX_DEPTH = 4

_ENDS = re.compile(rb"[\r\n]+")

#: A number as instruments write it, and what may stand behind it.
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)\s*([^\s\d]{0,8})")

#: ``temperature = 21.5 C``, ``hum:40%``; several in a line, with blanks or commas between them.
#: A word that follows belongs to the value, unless it is the next name. A comma between digits is
#: part of a word: it may stand for thousands, or for the decimal point.
_WORD = r"[^\s,;]+(?:(?<=\d),(?=\d)(?!\w+\s*[=:])[^\s,;]+)*"
_PAIR = re.compile(
    r"([A-Za-z][\w .\-/]{0,60}?)\s*[=:]\s*"
    rf"""("[^"]*"|{_WORD}(?:\s+(?![\w.\-/]+\s*[=:]){_WORD})?)"""
)

_UNITS = {**{unit.lower(): unit for unit in KINDS}, "c": "°C", "f": "°F", "degc": "°C", "v": "V"}

_TRUTHS = {"true": True, "false": False, "on": True, "off": False}


@implementer(IDecoder)
class LineDecoder:
    """Finds lines; a subclass makes values of them."""

    def __init__(self) -> None:
        self._pending = b""
        # The rest of the line that is coming is not to be taken for one.
        self._skips = False

    def feed(self, data: bytes, now: float) -> Sequence[Value]:
        """See `IDecoder`."""
        *lines, self._pending = _ENDS.split(self._pending + data)
        if self._skips and lines:
            self._skips = False
            del lines[0]
        if len(self._pending) > MAX_LINE:
            self._pending, self._skips = b"", True
        return [
            value
            for line in lines
            if line.strip() and len(line) <= MAX_LINE
            for value in self.values(line.decode("utf-8", "replace").strip())
        ]

    def broken(self) -> None:
        """See `IDecoder`."""
        self._pending, self._skips = b"", True

    def values(self, line: str) -> Iterator[Value]:
        """Return what a line says."""
        yield Value("line", _printable(line))
        if _number_in(line) is not None:
            yield from _valued("value", line)


class KeyValueDecoder(LineDecoder):
    """``name=value`` or ``name: value``, one or several in a line."""

    def values(self, line: str) -> Iterator[Value]:
        """See `LineDecoder`."""
        for count, pair in enumerate(_PAIR.finditer(line)):
            if count == MAX_VALUES:
                return
            text = pair[2]
            # Which number a comma makes is not known, and the half before it is nobody's.
            if text.startswith('"') or "," not in text:
                yield from _valued(name_of(pair[1]), text.strip('"'))


class JSONDecoder(LineDecoder):
    """One object in a line; those in it have their names joined to its own."""

    def values(self, line: str) -> Iterator[Value]:
        """See `LineDecoder`."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict):
            for count, value in enumerate(_flattened("", found, MAX_DEPTH)):
                if count == MAX_VALUES:
                    return
                yield value


def _flattened(prefix: str, found: Any, depth: int) -> Iterator[Value]:
    if isinstance(found, dict) and depth:
        for key, inner in found.items():
            yield from _flattened(f"{prefix}_{key}" if prefix else key, inner, depth - 1)
        return
    name = name_of(prefix)
    if not name:
        return
    if isinstance(found, str):
        yield Value(name, _printable(found))
    elif isinstance(found, bool) or (isinstance(found, int | float) and abs(found) <= MAX_SIZE):
        yield Value(name, found)


def _number_in(text: str) -> re.Match[str] | None:
    """Return the number and the unit that a text is, None if it is not."""
    # Longer ones would cost the pattern more than they are worth.
    number = _NUMBER.fullmatch(text) if len(text) <= MAX_NUMBER else None
    return number if number is not None and isfinite(float(number[1])) else None


def _valued(name: str, text: str) -> Iterator[Value]:
    """Return a number with its unit, a truth, or a text."""
    if not name:
        return
    number = _number_in(text)
    if number is not None:
        unit = _printable(number[2])
        yield Value(name, float(number[1]), _UNITS.get(unit.lower(), unit))
    elif text.lower() in _TRUTHS:
        yield Value(name, _TRUTHS[text.lower()])
    else:
        yield Value(name, _printable(text))


def _printable(text: str) -> str:
    """Return a text that a page and a log can show, of bounded length."""
    return "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:MAX_TEXT]
    )


@implementer(IPlugin, IDecoderMaker)
class TextMaker:
    """Makes the decoders of one kind of lines."""

    question: tuple[bytes, ...] = ()

    def __init__(self, name: str, decoder: type[LineDecoder]) -> None:
        self.name = name
        self.make = decoder


MAKERS = (
    TextMaker("lines", LineDecoder),
    TextMaker("keyvalue", KeyValueDecoder),
    TextMaker("json", JSONDecoder),
)
