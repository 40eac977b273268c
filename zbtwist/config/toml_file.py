"""The configuration file as TOML, and every mistake in a configuration with its place.

Mistakes are gathered and said all at once, those of the file with their lines, which TOML's parser
does not keep: they are looked for only when there is a mistake.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zbtwist.runtime.endpoint_option import reason_of
from zbtwist.runtime.option import Mistake

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Bytes of a configuration file: some thousand nodes.
_MAX_FILE_SIZE = 1 << 20

#: Characters that are parsed once more to find the lines of mistakes. A statement of many lines is
#: parsed again for each of them: a hundred nodes in one list are within it.
_MAX_PARSED_AGAIN = 1 << 19

#: Characters of one sentence about a mistake, which may quote what the user wrote.
_MAX_SENTENCE = 400

#: Where a value stands in the file: ("baud",), or ("node", 3, "port"), where nodes count from 1.
Key = tuple[str | int, ...]


class ConfigError(ValueError):
    """The settings have mistakes. The text has a sentence for each, a line each."""


class FileMistake(Exception):
    """The file is not to be read at all.

    @ivar line: where, from 1; None for nowhere in it.
    """

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


def read(path: str) -> str:
    """Return the text of the file.

    @raise FileMistake: it has none.
    """
    try:
        # A named pipe would make the gateway wait, and can be read only once.
        if os.path.exists(path) and not os.path.isfile(path):
            raise FileMistake("cannot be read: it is no file.")
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE_SIZE + 1)
    except OSError as error:
        raise FileMistake(f"cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise FileMistake(f"cannot be read: {reason_of(error)}.") from error
    if len(data) > _MAX_FILE_SIZE:
        raise FileMistake(f"has more than {_MAX_FILE_SIZE} bytes.")
    try:
        # Some editors put a mark before the first line.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileMistake("is not UTF-8: save it in that encoding.", line) from error


def parse_toml(source: str) -> dict[str, Any]:
    """Return the tables of the file.

    @raise FileMistake: it is not TOML.
    """
    try:
        return tomllib.loads(source)
    except RecursionError as error:
        raise FileMistake("has lists or tables too deep in each other.") from error
    except ValueError as error:
        # Of the numbers that it knows, the parser tells the line only in its text.
        sentence, _, place = reason_of(error).partition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else source.rstrip().count("\n") + 1 if place else None
        raise FileMistake(f"is not TOML: {sentence}.", line) from error


def _find_lines(source: str) -> dict[Key, int]:
    """Return the line of each option, of each `[[node]]` and `[section]`, and of each key in one.

    TOML's parser keeps no lines, but it knows where a statement ends: lines are added until what
    there is parses by itself. So strings and lists over many lines need no second grammar here.

    @param source: TOML without mistakes.
    @return: what comes after `_MAX_PARSED_AGAIN` is not in it.
    """
    lines: dict[Key, int] = {}
    budget = _MAX_PARSED_AGAIN
    table: Key | None = ()
    nodes = 0
    statement, start = "", 1
    for number, line in enumerate(source.split("\n"), 1):
        budget -= len(statement)
        statement += line + "\n"
        if budget < 0:
            break
        try:
            found = tomllib.loads(statement)
        except (ValueError, RecursionError):
            continue
        for key, value in found.items():
            if not statement.lstrip().startswith("["):
                if table is not None:
                    lines.setdefault((*table, key), start)
                continue
            lines.setdefault((key,), start)
            table = None
            if value == {}:
                table = (key,)
            elif key == "node" and value == [{}]:
                nodes += 1
                table = ("node", nodes)
                lines[table] = start
            elif key == "node" and isinstance(value, dict):
                for inner in value:
                    lines.setdefault(("node", nodes, inner), start)
        statement, start = "", number + 1
    return lines


class Mistakes:
    """Every mistake, and where it is.

    @ivar source: the text of the file, empty if it is not known.
    @ivar of_whole_file: why it is not known.
    """

    def __init__(self, path: str | None) -> None:
        self.source = ""
        self.of_whole_file: FileMistake | None = None
        self._path = path
        self._found: list[tuple[str | Key, str]] = []

    def add(self, place: str | Key, sentence: str) -> None:
        """Note a mistake.

        @param place: the option of the command line, such as ``--baud``, or the key of the file.
        @param sentence: what is wrong with it; `place` is its subject.
        """
        self._found.append((place, sentence))

    @contextmanager
    def about(self, place: str | Key) -> Iterator[None]:
        """Note the `Mistake` that is raised within."""
        try:
            yield
        except Mistake as mistake:
            self.add(place, str(mistake))

    def concern(self, name: str) -> bool:
        """Whether there is a mistake about an option, of all nodes or of one."""
        return any(place == f"--{name}" or place[-1:] == (name,) for place, _ in self._found)

    def check(self) -> None:
        """
        @raise ConfigError: there are mistakes: those of the command line, and then those of the
            file by line.
        """
        if not self._found and self.of_whole_file is None:
            return
        sentences = [f"{place} {text}" for place, text in self._found if isinstance(place, str)]
        if self.of_whole_file is not None:
            line = self.of_whole_file.line
            where = f"--config {self._path}" if line is None else f"{self._path}:{line}:"
            sentences.append(f"{where} {self.of_whole_file}")
        in_file = [(place, text) for place, text in self._found if not isinstance(place, str)]
        lines = _find_lines(self.source) if in_file else {}
        located = [(_line_of(place, lines), place, text) for place, text in in_file]
        for line, place, text in sorted(located, key=lambda row: row[0] or 0):
            where = f"{self._path}:" if line is None else f"{self._path}:{line}:"
            sentences.append(f"{where} {_show(place)} {text}")
        raise ConfigError("\n".join(map(_one_line, sentences)))


def _line_of(place: Key, lines: Mapping[Key, int]) -> int | None:
    """Return the line of a key, or of the table that it is in."""
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None


def _show(place: Key) -> str:
    """Return a key as ``node[3].port``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += "." * bool(text) + (part if re.fullmatch(r"[\w-]+", part) else repr(part))
    return text


def _one_line(sentence: str) -> str:
    """Return a sentence fit for a terminal, whatever it quotes."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence)
    return text if len(text) <= _MAX_SENTENCE else f"{text[:_MAX_SENTENCE]}…"
