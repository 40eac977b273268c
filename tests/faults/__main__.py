"""Prints what comes of streams that meet faults; `--write docs/faults.rst` keeps it there."""

from __future__ import annotations

import argparse
from pathlib import Path

from twisted.logger import globalLogBeginner

from tests.faults.table import replace_table, tables


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this file")
    arguments = parser.parse_args()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    found = tables()
    for name, text in found.items():
        print(f"{name}:\n\n{text}\n")
    if arguments.write is not None:
        document = arguments.write.read_text("utf-8")
        for name, text in found.items():
            document = replace_table(name, text, document)
        arguments.write.write_text(document, "utf-8")


if __name__ == "__main__":
    main()
