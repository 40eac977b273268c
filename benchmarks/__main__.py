"""Runs the benchmarks, prints their tables, and writes them as a page of the documentation.

Each benchmark is a module of this package whose name is in `BENCHMARKS`. It has::

    def versions(options: Options) -> Iterable[tuple[str, str]]: ...   # of what it compares with
    def tables(options: Options) -> Iterable[Table]: ...               # as they are ready

and may have a file of its name with the ending ``.rst`` beside it: what was tried, and what came
of it. The page is made of what was run, and of nothing else.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from benchmarks.report import Options, heading, machine

#: In the order of the page. What is not there yet is left out.
BENCHMARKS = ("codec", "path", "scale", "browser", "air", "mqtt_clients", "fleet")

HERE = Path(__file__).parent

INTRODUCTION = """\
.. Written by "make bench". Change benchmarks/ instead.

Benchmarks
==========

Ours and theirs, on the same bytes, in turn, in one run. A ratio says how many times as fast ours is
(above 1) or how many times as long ours takes; each table says which. It is the median of all
rounds, and the quartiles stand behind it. A speed or a time by itself belongs to this machine and
this run; so it stands beside ratios, but for what has no peer: many nodes, and the air.

``make bench`` installs the libraries that are compared in an environment of its own, runs
everything and writes this page. Node.js with npm, ser2net, socat and gcc are used if they are
installed; what is not is left out. ``python -m benchmarks codec`` runs one part and prints it.

"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n")[0]
    )
    there = [name for name in BENCHMARKS if (HERE / f"{name}.py").exists()]
    parser.add_argument(
        "benchmark", nargs="*", help=f"which to run: {', '.join(there)}; all, if none is named"
    )
    parser.add_argument("--quick", action="store_true", help="see that it runs; measure nothing")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to this file")
    parser.add_argument(
        "--node-modules",
        type=Path,
        metavar="DIRECTORY",
        default=Path(sys.prefix, "node", "node_modules"),
        help="where npm installed what is compared; default: %(default)s",
    )
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.benchmark if name not in there]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}, only {', '.join(there)}")
    if chosen.quick and chosen.write:
        parser.error("a quick run measures nothing that could be written down")
    names = [name for name in there if name in chosen.benchmark or not chosen.benchmark]
    # So that a plain kill ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    page = run(names, Options(chosen.quick, chosen.node_modules))
    if chosen.write:
        chosen.write.write_text(page, encoding="utf-8")
    return 0


def run(names: list[str], options: Options) -> str:
    """Run these benchmarks and print their tables as they come.

    @return: the whole page.
    """
    modules = [import_module(f"benchmarks.{name}") for name in names]
    facts = list(machine())
    for module in modules:
        facts += [fact for fact in module.versions(options) if fact not in facts]
    parts = [heading("The machine", "-"), *(f":{name}: {value}" for name, value in facts), ""]
    print("\n".join(parts), flush=True)
    for module in modules:
        for part in section(module, options):
            print(part, flush=True)
            parts.append(part)
    return INTRODUCTION + "\n".join(parts)


def section(module: ModuleType, options: Options) -> Iterator[str]:
    """One benchmark's part of the page."""
    assert module.__doc__ is not None and module.__file__ is not None
    yield heading(module.__doc__.split("\n")[0].rstrip("."), "-")
    yield from map(str, module.tables(options))
    notes = Path(module.__file__).with_suffix(".rst")
    if notes.exists():
        yield notes.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
