"""The options in docs/configuration.rst and in docs/examples/zbtwist.toml, and those of a section
in the page of its subject, made from the settings.

    python -m zbtwist.config.reference docs

writes them into all, between the two lines that say so.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from zbtwist.config.gateway_options import OPTIONS, SECTIONS
from zbtwist.runtime.option import Option, options_of

_BEGIN = " made by python -m zbtwist.config.reference\n\n"
_END = " end of what is made\n"

#: Characters of the columns; lines of the page have 100.
COLUMNS = (22, 15, 61)

#: Longer defaults are said in the text.
_MAX_DEFAULT = 15


def table(options: Mapping[str, Option] = OPTIONS) -> str:
    """Return a table of options, in reStructuredText."""
    edge = " ".join("=" * width for width in COLUMNS)
    rows = [edge, _line("option", "default", "what it is"), edge]
    for name, option in options.items():
        rows += _row(name, option)
    return "\n".join([*rows, edge, ""])


def _row(name: str, option: Option) -> list[str]:
    text = f"{_marked(option.help)}."
    default = "no" if option.is_flag else f"{option.default} {option.unit}".strip()
    if len(default) > _MAX_DEFAULT:
        text += f" By default it is {_marked(default)}."
        default = ""
    if option.more:
        text += f" {option.more}"
    if option.per_node:
        text += " A node may have its own."
    lines = textwrap.wrap(text, COLUMNS[2], break_long_words=False, break_on_hyphens=False)
    first = _line(f"``{name}``", default, lines[0])
    return [first, *(_line("", "", line) for line in lines[1:])]


def _marked(text: str) -> str:
    """Return a text of the command line with its literal words as such."""
    return re.sub(
        r"(?<!\S)(--[a-z-]+|:memory:|sim:|(?:tcp|tls):\S+?|/\w\S*?|\$[A-Z_]+)(?=[,;.)]?(?:\s|$))",
        r"``\1``",
        text,
    )


def _line(*cells: str) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, COLUMNS)).rstrip()


def example() -> str:
    """Return the options as a file has them, all but the one that must be said commented out."""
    parts = [_example_of(item) for item in OPTIONS.items()]
    for name, kind in SECTIONS.items():
        parts.append(f"# What [{name}] has must stand behind this line.\n[{name}]\n")
        parts += map(_example_of, options_of(kind).items())
    return "\n".join(parts)


def _example_of(item: tuple[str, Option]) -> str:
    name, option = item
    text = f"{option.help}."
    if option.default or option.is_flag:
        said = f"# {name} = {option.example or _as_toml(option)}"
    elif option.letter:
        said = f"{name} = {option.example}"
    else:
        text += " There is none unless you name it:"
        said = f"#     {name} = {option.example}"
    lines = textwrap.wrap(text, 97, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines) + said + "\n"


def _as_toml(option: Option) -> str:
    if option.is_flag:
        return "false"
    is_number = int in option.types and option.default.replace(".", "").isdecimal()
    return option.default if is_number else f'"{option.default}"'


def with_options(page: str, mark: str, options: str) -> str:
    """Return a page with the options as they are now.

    @param mark: how the lines begin that say where they are.
    @raise ValueError: the page has no place for them.
    """
    first, last = f"\n{mark}{_BEGIN}", f"\n{mark}{_END}"
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError("the page has no two lines that say where the options are")
    return f"{before}{first}{options}{last}{after}"


#: Where the options stand, how the lines around them begin, and what makes them.
PAGES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("configuration.rst", "..", table),
    ("examples/zbtwist.toml", "#", example),
    *((f"{name}.rst", "..", partial(table, options_of(kind))) for name, kind in SECTIONS.items()),
)


def main(docs: Path) -> None:
    for name, mark, make in PAGES:
        page = docs / name
        page.write_text(with_options(page.read_text(), mark, make()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
