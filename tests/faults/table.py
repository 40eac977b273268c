"""The results of all runs as a table, and its place in the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from tests.faults.fault import Fault
from tests.faults.matrix import FAULTS, OTHER_POLICIES, UNKNOWABLE
from tests.faults.runs import Result, run

#: Where the tables are kept.
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.rst"

_HEADINGS = (
    "Fault",
    "Happened",
    "Stream",
    "Ends in",
    "Sent",
    "Lost",
    "Doubled",
    "Reordered",
    "Resets",
    "Flows after",
)

MATRIX, OTHERS, HIDDEN = "matrix", "other policies", "unknowable"

#: The faults of each table.
TABLES = {MATRIX: FAULTS, OTHERS: OTHER_POLICIES, HIDDEN: UNKNOWABLE}


def all_runs() -> Iterator[tuple[str, Fault, str]]:
    """Every run: the name of its table, the fault, the direction."""
    for name, faults in TABLES.items():
        for fault in faults:
            for direction in fault.directions:
                yield name, fault, direction


def row(fault: Fault, result: Result) -> tuple[str, ...]:
    """The cells of a run."""
    tally = result.tally
    numbers = (tally.sent, tally.lost, tally.doubled, tally.reordered, tally.resets)
    again = "never" if result.again is None else f"{result.again:.2f} s"
    happened = ", ".join(f"{result.seen[sign]} {sign}" for sign, _ in fault.signs(result.direction))
    return (result.name, happened, result.direction, result.verdict, *map(str, numbers), again)


def table(rows: Iterable[tuple[str, ...]], headings: tuple[str, ...] = _HEADINGS) -> str:
    """Return rows as a reStructuredText table."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    rule = "  ".join("=" * width for width in widths)
    texts = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    ]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule])


def tables() -> dict[str, str]:
    """Run everything, and return the tables by name."""
    rows: dict[str, list[tuple[str, ...]]] = {name: [] for name in TABLES}
    for name, fault, direction in all_runs():
        rows[name].append(row(fault, run(fault, direction)))
    return {name: table(found) for name, found in rows.items()}


def _frame(name: str) -> tuple[str, str]:
    return f".. begin {name}\n\n", f"\n\n.. end {name}"


@cache
def documented_rows(name: str, text: str) -> list[tuple[str, ...]]:
    """Return the rows of a table in the documentation.

    @raise ValueError: it is not there.
    """
    begin, end = _frame(name)
    start = text.index(begin) + len(begin)
    lines = text[start : text.index(end, start)].splitlines()
    rule = lines[0]
    places = [0]
    for width in map(len, rule.split("  ")):
        places.append(places[-1] + width + 2)
    return [
        tuple(line[one:other].strip() for one, other in pairwise(places)) for line in lines[3:-1]
    ]


def replace_table(name: str, new: str, text: str) -> str:
    """Return the documentation with another table.

    @raise ValueError: the place is not there.
    """
    begin, end = _frame(name)
    start = text.index(begin) + len(begin)
    return text[:start] + new + text[text.index(end, start - 2) :]
