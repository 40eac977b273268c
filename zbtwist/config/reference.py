"""The table of options in docs/configuration.rst, made from the table of options.

    python -m zbtwist.config.reference docs/configuration.rst

writes it into the page, between the two lines that say so.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from zbtwist.config.options import OPTIONS, Option

BEGIN = "\n.. made by python -m zbtwist.config.reference\n\n"
END = "\n.. end of what is made\n"

#: Characters of the columns; lines of the page have 100.
_COLUMNS = (15, 15, 66)

#: Longer defaults are said in the text.
_MAX_DEFAULT = 15


def table() -> str:
    """Return the table, in reStructuredText."""
    edge = " ".join("=" * width for width in _COLUMNS)
    rows = [edge, _line("option", "default", "what it is"), edge]
    for name, option in OPTIONS.items():
        rows += _row(name, option)
    return "\n".join([*rows, edge, ""])


def _row(name: str, option: Option) -> list[str]:
    text = f"{_marked(option.help)}."
    default = "no" if option.is_flag else option.default
    if len(default) > _MAX_DEFAULT:
        text += f" By default it is {_marked(default)}."
        default = ""
    if option.more:
        text += f" {option.more}"
    lines = textwrap.wrap(text, _COLUMNS[2], break_long_words=False, break_on_hyphens=False)
    first = _line(f"``{name}``", default, lines[0])
    return [first, *(_line("", "", line) for line in lines[1:])]


def _marked(text: str) -> str:
    """Return a text of the command line with its literal words as such."""
    return re.sub(
        r"(?<!\S)(--[a-z-]+|:memory:|sim:|tcp:\S+?|/\w\S*?|\$[A-Z_]+)(?=[,;.)]?(?:\s|$))",
        r"``\1``",
        text,
    )


def _line(*cells: str) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, _COLUMNS)).rstrip()


def with_table(page: str) -> str:
    """Return a page with the table as it is now.

    @raise ValueError: the page has no place for it.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no two lines that say where the table is")
    return f"{before}{BEGIN}{table()}{END}{after}"


def main(path: Path) -> None:
    path.write_text(with_table(path.read_text()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
