"""The calls in docs/control-api.rst, made from the table of operations.

    python -m zbtwist.control.reference docs

writes them into the page, between the two lines that say so.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from zbtwist.control.api import OPERATIONS
from zbtwist.control.http.procedures import SYSTEM_OPERATIONS
from zbtwist.control.operations.table import Key, Operation

_MADE = re.compile(
    r"(?<=\n\.\. made by python -m zbtwist\.control\.reference\n\n).*?"
    r"(?=\n\.\. end of what is made\n)",
    re.DOTALL,
)

#: Characters of a line, and of the columns of a table of keys, which is indented.
_WIDTH = 100
_COLUMNS = (21, 7, 66)
_INDENT = "    "


def calls() -> str:
    """Return all calls with what they do, in reStructuredText."""
    tables: dict[tuple[Key, ...], str] = {}
    operations = (*OPERATIONS.values(), *SYSTEM_OPERATIONS.values())
    all_keys = {one.keys: one.name for one in reversed(operations) if one.keys}
    return "\n".join(
        _entry(one, tables.setdefault(one.keys, one.name), all_keys) for one in operations
    )


def _entry(operation: Operation, like: str, all_keys: Mapping[tuple[Key, ...], str]) -> str:
    """
    @param like: the first operation that returns such structs.
    @param all_keys: who returns which.
    """
    has_table = bool(operation.keys) and like == operation.name
    returned = operation.returned
    keys = operation.keys
    # One that has all of another's, and more, has only those in its table.
    lengths = range(len(keys) - 1, 0, -1)
    common = next((keys[:length] for length in lengths if keys[:length] in all_keys), ())
    if has_table and common:
        returned += f", as ``{all_keys[common]}``, and besides:"
    elif keys:
        returned += ":" if has_table else f", as ``{like}``."
    else:
        returned += "."
    takes = [f"{one.name} ({' or '.join(one.types)})" for one in operation.parameters]
    types = f"*Takes* {', '.join(takes)}. " if takes else ""
    paragraphs = [*re.split(r"\n{2,}", operation.text), f"{types}*Returns* {returned}"]
    body = "\n\n".join(
        textwrap.fill(
            paragraph, _WIDTH - len(_INDENT), break_long_words=False, break_on_hyphens=False
        )
        for paragraph in paragraphs
    )
    if has_table:
        body += "\n\n" + "\n".join(_table(keys[len(common) :]))
    return f"{', '.join(_forms(operation))}\n{textwrap.indent(body, _INDENT)}\n"


def _forms(operation: Operation) -> Iterable[str]:
    names = [parameter.name for parameter in operation.parameters]
    least = sum(not parameter.is_optional for parameter in operation.parameters)
    for count in range(least, len(names) + 1):
        yield f"``{operation.name}({', '.join(names[:count])})``"


def _table(keys: Iterable[Key]) -> Iterable[str]:
    edge = _line(*("=" * width for width in _COLUMNS))
    yield edge
    for key in keys:
        first, *more = textwrap.wrap(
            key.text, _COLUMNS[2], break_long_words=False, break_on_hyphens=False
        )
        types = key.types[0] if len(key.types) == 1 else "varies"
        yield _line(f"``{key.name}``", types, first)
        for line in more:
            yield _line("", "", line)
    yield edge


def _line(*cells: str) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, _COLUMNS)).rstrip()


def with_calls(page: str) -> str:
    """Return a page with the calls as they are now.

    @raise ValueError: the page has no place for them.
    """
    page, places = _MADE.subn(lambda _: calls(), page)
    if places != 1:
        raise ValueError("the page has no two lines that say where the calls are")
    return page


def main(docs: Path) -> None:
    page = docs / "control-api.rst"
    page.write_text(with_calls(page.read_text()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
