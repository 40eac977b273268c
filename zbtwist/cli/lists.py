"""Lists in another order, only those with a problem, or as a table to take away."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from zbtwist.cli.client import Row
from zbtwist.cli.words import (
    address_of,
    called,
    device_of,
    number_of,
    reason_of,
    short_of,
    state_of,
    text_of,
)

#: The worst comes first, and what is not among these, which is a trouble of its port, before it.
_STATES = ("not answering", "losing", "silent", "weak", "unknown", "asleep", "ok", "listening")


def with_problem(rows: Sequence[Row]) -> list[Row]:
    """Return the nodes that are not as they should be."""
    return [row for row in rows if reason_of(row)]


def _by_words(text: str) -> tuple[tuple[int, Any], ...]:
    """Return by what a person sorts names: E2 comes before E10."""
    pieces = re.split(r"(\d{1,18})", text.casefold())
    return tuple((0, int(piece)) if piece.isdecimal() else (1, piece) for piece in pieces if piece)


def _state(row: Row) -> int:
    state = state_of(row)
    return _STATES.index(state) if state in _STATES else -1


#: By what a list is sorted, by the words of ``--sort``: None is a blank, which comes last.
SORTS: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: _by_words(called(row)) or None,
    "address": lambda row: address_of(row) or None,
    "port": lambda row: row.get("tcp_port") or None,
    "state": _state,
    "type": lambda row: text_of(row, "type") or None,
    "label": lambda row: _by_words(text_of(row, "label")) or None,
    "device": lambda row: _by_words(device_of(row).strip("-")) or None,
    # Who was heard last comes first.
    "heard": lambda row: -number_of(row, "last_seen") or None,
    # The weakest first, and who has lost most.
    "signal": lambda row: -number_of(row, "signal") or None,
    "hops": lambda row: number_of(row, "hops") if number_of(row, "hops") > 0 else None,
    "lost": lambda row: -number_of(row, "lost"),
}


def in_order(rows: Sequence[Row], column: str) -> list[Row]:
    """Return the rows sorted by a column; those where it is blank come last."""
    key = SORTS[column]

    def place(row: Row) -> tuple[bool, Any]:
        value = key(row)
        return value is None, () if value is None else value

    return sorted(rows, key=place)


def _heard(row: Row) -> str:
    seen = number_of(row, "last_seen")
    try:
        return (
            datetime.fromtimestamp(seen).astimezone().isoformat(timespec="seconds") if seen else ""
        )
    except (ValueError, OverflowError, OSError):
        return ""


def _number(key: str, sign: int = 1, least: float = 0) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        value = number_of(row, key)
        return f"{sign * value:.0f}" if value > least else ""

    return show


#: What is in a table to take away: heading, and how it is written.
Table = dict[str, Callable[[Row], str]]

NODES: Table = {
    "name": called,
    "address": address_of,
    "port": _number("tcp_port"),
    "state": state_of,
    "why": reason_of,
    "type": lambda row: text_of(row, "type"),
    "label": lambda row: text_of(row, "label"),
    "device": lambda row: device_of(row).strip("-"),
    "last heard": _heard,
    "signal": _number("signal", -1),
    "hops": _number("hops"),
    "lost": _number("lost", least=-1),
    # A blank where the list has a dash.
    "short": lambda row: short_of(row, "addr_short").strip("-"),
    "parent": lambda row: short_of(row, "addr_parent").strip("-"),
}


COUNTERS: Table = {
    "name": called,
    "address": address_of,
    "port": _number("tcp_port"),
    "clients": _number("clients", least=-1),
    "bytes in": _number("bytes_in", least=-1),
    "bytes out": _number("bytes_out", least=-1),
    "packets in": _number("packets_in", least=-1),
    "packets out": _number("packets_out", least=-1),
    "lost": _number("bytes_lost", least=-1),
    "failures": _number("failures", least=-1),
    "retries": _number("retries", least=-1),
    "unread": _number("bytes_unread", least=-1),
    "last heard": _heard,
}


def as_csv(table: Table, rows: Sequence[Row]) -> str:
    """Return the rows as RFC 4180 has them, with a line of headings, for a spreadsheet."""
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(table)
    writer.writerows([_safe(show(row)) for show in table.values()] for row in rows)
    return output.getvalue()


def _safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: names are chosen by whoever has a
    radio.
    """
    is_number = re.fullmatch(r"-?\d+", text)
    return f"'{text}" if text[:1] in tuple("=+-@") and text and not is_number else text
