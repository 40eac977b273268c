"""An option: what a person may set, and what is known of it, said once.

The settings are dataclasses, and each field that a person may set is made by `option`: its name,
type, default, unit, bounds and help stand there and nowhere else. The command line, the check of
the configuration file, and the tables of the documentation are made from `options_of` the class.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, datetime, time
from functools import cache
from typing import Any


class Mistake(Exception):
    """What is wrong with a value: a sentence without its subject."""


@dataclass(frozen=True, slots=True)
class Context:
    """
    @ivar directory: what relative paths are relative to.
    """

    reactor: Any
    directory: str


#: Takes the text of one value and what it is relative to, and returns the value, or raises a
#: `Mistake`.
Parser = Callable[[str, Context], Any]

#: What TOML's types are called in a sentence. A date is a datetime, a whole number may be a bool.
_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (str, "text in quotes"),
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a decimal number"),
    (list, "a list"),
    (dict, "a table"),
    (datetime, "a date"),
    (date, "a date"),
    (time, "a time"),
)

_METADATA = "option"
_SECTION = "section"


def type_name(kind: type) -> str:
    """Return what a type of TOML is called in a sentence."""
    return next(name for known, name in _TYPE_NAMES if issubclass(kind, known))


@dataclass(frozen=True, slots=True)
class Option:
    """
    @ivar name: what it is called on the command line, behind ``--``, and in the file.
    @ivar attribute: of the settings.
    @ivar parse: makes the attribute's value of a text, or raises `Mistake`.
    @ivar types: what the file may have.
    @ivar help: what it is, a sentence without its end, for the command line.
    @ivar default: what it is unless somebody says so, as it would be written; empty for nothing.
    @ivar unit: of the number, in words; empty for none.
    @ivar more: sentences that only the documentation has, in reStructuredText.
    @ivar letter: its short name on the command line.
    @ivar per_node: whether a ``[[node]]`` table may have it, too.
    @ivar is_unique: whether no two nodes may have the same value.
    @ivar example: what it may be, as the file has it, where the default says nothing.
    @ivar of_all: where it is said for all nodes, if not under its own name: a section of the file
        and an attribute there.
    @ivar is_list: whether there may be several: a list in the file, and on the command line the
        option again and again. The parser is given them as the lines of its text.
    @ivar at_start: what it is about, if it counts only from the next start of the gateway on: the
        beginning of a sentence. Empty if it counts at once.
    """

    name: str
    attribute: str
    parse: Parser
    types: tuple[type, ...] = (str,)
    help: str = ""
    default: str = ""
    unit: str = ""
    more: str = ""
    letter: str | None = None
    per_node: bool = False
    is_unique: bool = False
    example: str = ""
    at_start: str = ""
    of_all: tuple[str, str] | None = None
    is_list: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether it stands alone on the command line."""
        return self.types == (bool,)

    def of_file(self, value: Any, context: Context) -> Any:
        """Return the attribute's value for a value of the file.

        @raise Mistake: it is wrong.
        """
        if type(value) not in self.types:
            wanted = " or ".join(map(type_name, self.types))
            raise Mistake(f"must be {wanted}, not {type_name(type(value))}.")
        if isinstance(value, list):
            for each in value:
                if not isinstance(each, str) or not each.isprintable():
                    raise Mistake("must be a list of printable texts in quotes.")
            value = "\n".join(value)
        # TOML's numbers end here; Python refuses to write some that go on.
        if isinstance(value, int) and value.bit_length() > 63:
            raise Mistake("is too large a number.")
        return self.parse(str(value), context)


def option(
    value: Any,
    parse: Parser,
    types: tuple[type, ...] = (str,),
    help: str = "",
    *,
    name: str = "",
    default: str | None = None,
    **more: Any,
) -> Any:
    """Return a field of the settings that a person may set; see `Option`.

    @param value: the default; `MISSING` if somebody must say it.
    @param name: as it is called, if that is not the field's name.
    @param default: the same as it would be written, if that is not how Python writes it.
    """
    if default is None:
        default = _as_written(value)

    def made(attribute: str) -> Option:
        return Option(
            name or attribute.replace("_", "-"), attribute, parse, types, help, default, **more
        )

    return field(default=value, metadata={_METADATA: made})


def _as_written(value: object) -> str:
    if value is None or value is MISSING or isinstance(value, bool):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def section(kind: type) -> Any:
    """Return a field of the settings that is a table of the file of its own: ``[mqtt]``.

    @param kind: the dataclass of its options, which are said in the file only. If it has a
        ``check``, that is given those that are said, by attribute and without mistakes, and yields
        what is wrong between them: the name of an option, or nothing for the section, and the rest
        of the sentence.
    """
    return field(default_factory=kind, metadata={_SECTION: kind})


@cache
def sections_of(settings: type) -> dict[str, type]:
    """Return the sections of a class of settings, by name."""
    return {
        each.name: each.metadata[_SECTION] for each in fields(settings) if _SECTION in each.metadata
    }


@cache
def options_of(*settings: type) -> dict[str, Option]:
    """Return the options of classes of settings, by name, in the order of their fields."""
    made = (
        each.metadata[_METADATA](each.name)
        for kind in settings
        for each in fields(kind)
        if _METADATA in each.metadata
    )
    return {one.name: one for one in made}


# --- what any option may be --------------------------------------------------------------------


def number(low: int, high: int) -> Parser:
    """A whole number."""

    def parse(text: str, context: Context) -> int:
        if re.fullmatch(r"\s*[0-9]{1,9}\s*", text) and low <= int(text) <= high:
            return int(text)
        raise Mistake(f"must be a number from {low} to {high}, not {text!r}.")

    return parse


def seconds(low: float, high: float) -> Parser:
    """A time."""

    def parse(text: str, context: Context) -> float:
        if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*", text) and low <= float(text) <= high:
            return float(text)
        raise Mistake(f"must be a number of seconds from {low:g} to {high:g}, not {text!r}.")

    return parse


def flag(text: str, context: Context) -> bool:
    """Yes or no."""
    # The command line has only the name; the file has TOML's words as Python writes them.
    return text != "False"


def switch(text: str, context: Context) -> bool:
    """Yes or no, where the command line has to say which, since yes is the default."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise Mistake(f"must be true or false, not {text!r}.")


def choice(meanings: dict[str, Any]) -> Parser:
    """One of some words."""

    def parse(text: str, context: Context) -> Any:
        if text not in meanings:
            *others, last = meanings
            words = f"{', '.join(others)} or {last}" if others else last
            raise Mistake(f"must be {words}, not {text!r}.")
        return meanings[text]

    return parse


def word_or(words: dict[str, Any], parse_other: Parser, wanted: str) -> Parser:
    """One of some words, or something else.

    @param wanted: what it may be, for the sentence on what is neither.
    """

    def parse(text: str, context: Context) -> Any:
        if text in words:
            return words[text]
        try:
            return parse_other(text, context)
        except Mistake:
            raise Mistake(f"must be {wanted}, not {text!r}.") from None

    return parse


def file_path(text: str, context: Context, wanted: str = "the path of a file") -> str:
    """A file, which need not be there, as an absolute path."""
    if not text or "\0" in text or text.endswith("/"):
        raise Mistake(f"must be {wanted}, not {text!r}.")
    return absolute(text, context)


def absolute(path: str, context: Context) -> str:
    """Return the absolute path that a path stands for."""
    return os.path.normpath(os.path.join(context.directory, os.path.expanduser(path)))


def printable(longest: int) -> Parser:
    """A text of some bytes, without anything strange in it."""

    def parse(text: str, context: Context) -> str:
        if text == text.strip() and text.isprintable() and 0 < len(text.encode()) <= longest:
            return text
        raise Mistake(
            f"must have 1 to {longest} bytes of UTF-8, printable and with no blank at either end, "
            f"not {text!r}."
        )

    return parse
