"""What the benchmarks say: tables in reStructuredText, and the machine that they were made on."""

from __future__ import annotations

import operator
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.measure import Spread


@dataclass(frozen=True)
class Options:
    """How a benchmark is run.

    @ivar quick: only see that it runs: few rounds, whose numbers mean nothing.
    @ivar node_modules: where the Node.js packages are, if anywhere.
    """

    quick: bool
    node_modules: Path


@dataclass(frozen=True)
class Table:
    """
    @ivar title: a heading.
    @ivar text: what was done, and how to read the columns.
    @ivar rows: texts, as many in each row as in `header`; there must be one row at least.
    """

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """As reStructuredText, which can be read on a terminal too."""
        cells = [list(self.header), *map(list, self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        rule = "  ".join("=" * width for width in widths)
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
        table = "\n".join([rule, lines[0], rule, *lines[1:], rule])
        return f"{heading(self.title, '~')}\n{self.text.strip()}\n\n{table}\n"


def heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def thousands(number: float) -> str:
    return f"{number:,.0f}"


def version(package: str) -> str | None:
    """The version of an installed Python package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def goal(what: str, limit: str, found: Spread | float) -> list[str]:
    """A row for a table of what was aimed at.

    @param limit: such as ``≤ 0.9``, ``< 5`` or ``≥ 1.6``.
    """
    sign, number = limit.split()
    value = found.median if isinstance(found, Spread) else found
    compare = {"≤": operator.le, "<": operator.lt, "≥": operator.ge}[sign]
    is_met = compare(value, float(number))
    return [what, limit, str(found) if isinstance(found, Spread) else f"{found:.3g}", _MET[is_met]]


#: The header of such a table.
GOALS = ("what", "goal", "is", "")

_MET = {True: "met", False: "missed"}


def machine() -> Iterable[tuple[str, str]]:
    """What the numbers depend on, besides the programs."""
    yield "Date", time.strftime("%Y-%m-%d")
    yield "Processor", f"{_processor()}, {os.cpu_count()} cores"
    yield "Kernel", f"{platform.system()} {platform.release()}"
    yield "Load", f"{os.getloadavg()[0]:.2f} in the minute before"
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}"
    for package in ("Twisted", "pyserial"):
        yield package, version(package) or "not installed"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
