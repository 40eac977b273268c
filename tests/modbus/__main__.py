"""Prints what comes of Modbus masters, and what can be written to strict slaves, on a clock;
``--write docs/modbus.rst`` keeps it there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from twisted.logger import globalLogBeginner

from tests.faults.table import replace_table, table
from tests.modbus.masters import Tally
from tests.modbus.runs import (
    FIRMWARE,
    LOSS,
    RATES,
    fit,
    long_writes,
    reads,
    requests_in_pieces,
    two_masters,
    writes,
)

MASTERS, WRITES = "masters", "writes"


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    counts = (tally.asked, tally.right, tally.wrong, tally.late, tally.none)
    return name, *map(str, counts), f"{tally.slowest:.2f} s"


def masters() -> str:
    """The table of masters."""
    rows = [
        _row("reads of 1 to 125 registers, RTU", reads("modbus-rtu", 1000)),
        _row("the same, Modbus TCP", reads("modbus-tcp", 1000)),
        _row("the same, RTU, 115200 baud", reads("modbus-rtu", 1000, baud=115200)),
        _row("requests in 8 pieces, RTU", requests_in_pieces(100, LOSS)),
    ]
    for name, protocol, settings in (
        ("RTU", "modbus-rtu", {}),
        ("Modbus TCP", "modbus-tcp", {}),
        ("``raw``", "raw", {}),
        ("``raw``, ``turns = reply``", "raw", {"turns": True, "reply_silence": 0.1}),
    ):
        for interval, tally in zip(
            ("0.2 s", "0.23 s"), two_masters(protocol, 500, LOSS, **settings)
        ):
            rows.append(_row(f"one of two masters, each {interval}, {name}", tally))
    return table(rows, ("Masters", "Asked", "Right", "Wrong", "Late", "None", "Slowest"))


def what_can_be_written() -> str:
    """The table of writes: by firmware and by the rate of the slave's line."""
    rows = []
    for name, payload in FIRMWARE.items():
        counts = [str(writes(payload, baud)) for baud in RATES]
        rows.append((name, str(fit(payload)), *counts))
    right = [long_writes(84, baud, 100).right for baud in RATES]
    rows.append(("123 registers, 84 bytes, bad air", "", *(f"{count} %" for count in right)))
    return table(rows, ("Firmware (bytes of a packet)", "One packet", *map(str, RATES)))


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.modbus", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this file")
    arguments = parser.parse_args()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    found = {MASTERS: masters(), WRITES: what_can_be_written()}
    for name, text in found.items():
        print(f"{name}:\n\n{text}\n")
    if arguments.write is not None:
        document = arguments.write.read_text("utf-8")
        for name, text in found.items():
            document = replace_table(name, text, document)
        arguments.write.write_text(document, "utf-8")


if __name__ == "__main__":
    main()
