"""Texts with escapes and substitutions behind a backslash, as ser2net has them in its banners,
strings and file names (ser2net.yaml(5), "FILENAME, BANNER, AND STRING FORMATTING").

The letters are the same, and what they stand for was compared with what ser2net 4.3.11 makes of
them. A serial port's device is here the address of a node.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zbtwist.runtime.option import Context, Mistake


@dataclass(frozen=True)
class About:
    """What a text may speak of.

    @ivar device: the address of the node, in 16 digits.
    @ivar name: what it is called.
    @ivar port: its TCP port.
    @ivar line: how its serial line is, such as ``9600N81``.
    @ivar peer: the address of the client; empty if it is about none.
    @ivar time: seconds since 1970.
    """

    device: str
    name: str
    port: int
    line: str
    peer: str
    time: float

    @property
    def moment(self) -> datetime:
        """The same, as the clocks here show it."""
        return datetime.fromtimestamp(self.time)


#: Characters by the letter of their escape, as C has them.
_ESCAPES = dict(zip("abfnrtv\\?'\"", b"\a\b\f\n\r\t\v\\?'\""))

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

#: What stays the same for a node, whenever and for whomever it is asked.
_LASTING: dict[str, Callable[[About], object]] = {
    "d": lambda about: about.device,
    "o": lambda about: about.name,
    "N": lambda about: about.name,
    "p": lambda about: about.port,
}

_PASSING: dict[str, Callable[[About], object]] = {
    "I": lambda about: about.peer,
    "B": lambda about: about.line,
    "s": lambda about: about.line,
    "Y": lambda about: about.moment.year,
    "y": lambda about: about.moment.timetuple().tm_yday - 1,
    "M": lambda about: _MONTHS[about.moment.month - 1],
    "m": lambda about: about.moment.month,
    "A": lambda about: _DAYS[about.moment.weekday()],
    "D": lambda about: about.moment.day,
    "e": lambda about: int(about.time),
    "U": lambda about: f"{about.moment.microsecond:06}",
    "H": lambda about: f"{about.moment.hour:02}",
    "h": lambda about: f"{(about.moment.hour - 1) % 12 + 1:02}",
    "i": lambda about: f"{about.moment.minute:02}",
    "S": lambda about: f"{about.moment.second:02}",
    "q": lambda about: "am" if about.moment.hour < 12 else "pm",
    "P": lambda about: "AM" if about.moment.hour < 12 else "PM",
}

_PIECE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.)|$)|[^\\]+", re.DOTALL)


@dataclass(frozen=True)
class Template:
    """Such a text.

    @ivar text: as a person wrote it.
    """

    text: str

    def filled(self, about: About, clean: Callable[[str], str] = str) -> bytes:
        """Return it with what its letters stand for.

        @param clean: is given each of what they stand for, and returns what is written of it.
        """
        made = bytearray()
        for piece in _PIECE.finditer(self.text):
            octal, hexadecimal, letter = piece.groups()
            if octal or hexadecimal:
                made.append(int(octal, 8) & 0xFF if octal else int(hexadecimal, 16))
            elif letter in _ESCAPES:
                made.append(_ESCAPES[letter])
            elif letter in _LASTING or letter in _PASSING:
                value = (_LASTING.get(letter) or _PASSING[letter])(about)
                made += clean(str(value)).encode("utf-8", "replace")
            else:
                made += piece[0].encode("utf-8", "replace")
        return bytes(made)

    def __str__(self) -> str:
        return self.text


def letters_of(text: str) -> set[str]:
    """Return the letters of the substitutions and escapes in a text; empty for a backslash at its
    end.
    """
    return {
        piece[3] or ""
        for piece in _PIECE.finditer(text)
        if piece[0].startswith("\\") and not (piece[1] or piece[2])
    }


def check(text: str, longest: int) -> None:
    """
    @param longest: bytes that it may have.
    @raise Mistake: something in it stands for nothing.
    """
    if len(text.encode("utf-8", "replace")) > longest:
        raise Mistake(f"must have at most {longest} bytes.")
    for letter in sorted(letters_of(text)):
        if not (letter in _LASTING or letter in _ESCAPES or letter in _PASSING):
            raise Mistake(
                f"has \\{letter}, which stands for nothing here: there are "
                f"{_known(_LASTING, _PASSING)}."
            )


def _known(*tables: dict[str, Callable[[About], object]]) -> str:
    return " ".join(f"\\{letter}" for table in tables for letter in table)


def template(longest: int) -> Callable[[str, Context], Any]:
    """A text with substitutions; None for none."""

    def parse(text: str, context: Context) -> Template | None:
        check(text, longest)
        return Template(text) if text else None

    return parse


#: Bytes of the longest path (``PATH_MAX`` of Linux), as a person writes it.
_MAX_PATH = 4000


def path_template(text: str, context: Context) -> Template | None:
    """The path of a file for each node, with what stays the same for one; None for none."""
    if not text:
        return None
    wrong = [
        piece[0]
        for piece in _PIECE.finditer(text)
        if piece[0].startswith("\\") and piece[3] not in _LASTING
    ]
    if wrong:
        raise Mistake(f"has {wrong[0]}; in a path there may be {_known(_LASTING)}.")
    if text.endswith("/") or "\0" in text or len(text.encode("utf-8", "replace")) > _MAX_PATH:
        raise Mistake(f"must be the path of a file, not {text[:100]!r}.")
    return Template(os.path.normpath(os.path.join(context.directory, os.path.expanduser(text))))


def path_of(template: Template, about: About) -> str:
    """Return the path that a template makes; what a node says of itself leads nowhere else."""
    return os.fsdecode(template.filled(about, _as_file_name))


def _as_file_name(text: str) -> str:
    name = "".join(
        character if character.isprintable() and character != "/" else "_" for character in text
    )
    return f"_{name[1:]}" if name.startswith(".") else name
