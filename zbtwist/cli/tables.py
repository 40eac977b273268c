"""Tables that never wrap.

Of the columns those that matter least are left out, and the texts that may be cut are cut, until a
row fits the terminal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from zbtwist.cli.client import Row
from zbtwist.cli.words import (
    address_of,
    amount,
    called,
    client_state,
    device_of,
    duration,
    hops_of,
    last_seen,
    name_of,
    number_of,
    port_of,
    read_at,
    reason_of,
    seconds_ago,
    short_of,
    signal_of,
    state_of,
    state_style,
    text_of,
    type_of,
    value_of,
    values_of,
    whole,
)

#: How many of the reasons why nodes have no port are told below a list.
MAX_REASONS = 10

#: Columns of output that is no terminal: as many as it takes.
UNLIMITED = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """
    @ivar rank: a column of a higher rank is left out sooner.
    @ivar least: how many characters must stay of a longer text; 0 if it is not to be cut.
    @ivar most: how many characters it gets before others have what they want; 0 for all it wants.
    @ivar is_number: written to the right.
    @ivar whole: shows it in full, for the program at the other end of a pipe.
    @ivar key: the column is left out if no row tells this; "" if it is always there.
    """

    heading: str
    show: Callable[[Row], str]
    rank: int
    least: int = 0
    is_number: bool = False
    key: str = ""
    whole: Callable[[Row], str] | None = None
    style: Callable[[Row], str] = lambda row: ""
    most: int = 0


def counter(heading: str, key: str, rank: int, is_always: bool = True) -> Column:
    """Return the column of a counter, which is short for people."""
    told = "" if is_always else key
    return Column(heading, amount(key), rank, is_number=True, key=told, whole=whole(key))


NODE_COLUMNS = (
    Column("name", lambda row: called(row) or "-", 0, least=12),
    Column("address", address_of, 1),
    Column("port", port_of, 2, is_number=True),
    Column("state", state_of, 4, key="state", style=state_style),
    Column("site", lambda row: text_of(row, "site") or "-", 3, least=6, key="site"),
    Column("type", type_of, 3),
    # The node's own, where the configuration has another; commands take both.
    Column("label", lambda row: text_of(row, "label") or "-", 5, least=10, key="name"),
    Column("device", device_of, 6, least=10),
    Column("last heard", last_seen, 7, is_number=True, key="last_seen"),
    Column("short", lambda row: short_of(row, "addr_short"), 8),
    Column("parent", lambda row: short_of(row, "addr_parent"), 9),
    # Behind those that scripts may count.
    Column("signal", lambda row: signal_of(row) or "-", 10, is_number=True, key="signal"),
    Column("hops", hops_of, 11, is_number=True, key="hops"),
    counter("lost", "lost", 12, is_always=False),
    Column("values", values_of, 6, least=20, key="values"),
)

WAITING_COLUMNS = (
    Column("name", lambda row: called(row) or "-", 2, least=12),
    Column("address", address_of, 0),
    Column("answered", lambda row: "yes" if row.get("answered") else "no", 3),
    counter("heard", "packets", 4),
    Column("last heard", last_seen, 5, is_number=True, key="last_seen"),
    Column("why", lambda row: text_of(row, "state_text"), 1, least=20),
    Column("type", type_of, 6),
    counter("bytes", "bytes_in", 7),
    Column("short", lambda row: short_of(row, "addr_short"), 8),
)

TEMPERATURE_COLUMNS = (
    Column("name", lambda row: called(row) or "-", 0, least=12),
    Column("address", address_of, 1),
    Column("°C", lambda row: f"{number_of(row, 'temperature'):.1f}", 0, is_number=True),
)

VALUE_COLUMNS = (
    Column("name", lambda row: text_of(row, "node") or text_of(row, "label") or "-", 0, least=12),
    Column("value of", lambda row: text_of(row, "name"), 0, least=12),
    Column("value", value_of, 0, least=12, is_number=True),
    Column("heard", lambda row: seconds_ago(number_of(row, "at")), 2, is_number=True),
    Column("address", address_of, 1),
)

STATS_COLUMNS = (
    # Addresses that are cut look all the same.
    Column("node", name_of, 0, least=len("00:13:a2:00:40:0a:3e:ff")),
    Column("port", port_of, 1, is_number=True),
    counter("clients", "clients", 5),
    counter("bytes in", "bytes_in", 2),
    counter("bytes out", "bytes_out", 3),
    counter("lost", "bytes_lost", 4),
    Column("last heard", last_seen, 6, is_number=True, key="last_seen"),
    counter("failures", "failures", 7),
    counter("retries", "retries", 8),
    counter("packets in", "packets_in", 9),
    counter("packets out", "packets_out", 10),
    counter("unread", "bytes_unread", 11),
    Column("address", address_of, 12),
)

PIN_COLUMNS = (
    Column("line", lambda row: text_of(row, "name") or "-", 0),
    Column("pin", lambda row: text_of(row, "pin") or "-", 3),
    Column("value", lambda row: text_of(row, "text") or "-", 1, is_number=True),
    Column("set up as", lambda row: text_of(row, "mode") or "-", 2, least=12),
    Column("read", read_at, 4, is_number=True),
)

CLIENT_COLUMNS = (
    Column("client", lambda row: text_of(row, "peer") or "-", 0),
    Column("connected", lambda row: duration(number_of(row, "seconds")), 1, is_number=True),
    counter("unsent", "unsent", 2),
    counter("ignored", "ignored", 4, is_always=False),
    Column("", client_state, 3),
)

GAP = 2

#: In place of a table of nodes.
NO_PROBLEMS = "All nodes are as they should be."
NO_NODES = "No node is known yet; zbctl discover searches for them."


def fit(
    columns: Sequence[Column], rows: Sequence[Row], width: int, is_whole: bool = False
) -> list[tuple[Column, int, list[str]]]:
    """Choose the columns that fit into `width` characters.

    @param is_whole: whether numbers are written in full.
    @return: each column in its place, its width, and its texts; some may be longer than that.
    """
    columns = [c for c in columns if not c.key or any(row.get(c.key) for row in rows)]
    texts = {
        column: list(map((is_whole and column.whole) or column.show, rows)) for column in columns
    }
    full = {
        column: max(map(cell_len, [column.heading, *texts[column]]), default=0)
        for column in columns
    }
    widths = {
        column: min(full[column], column.least or full[column])
        for column in sorted(columns, key=lambda column: column.rank)
    }

    def room() -> int:
        return width - sum(widths.values()) - GAP * (len(widths) - 1)

    while room() < 0 and len(widths) > 1:
        widths.popitem()
    for wanted in ({c: min(full[c], c.most or full[c]) for c in widths}, full):
        for column in widths:
            widths[column] += max(0, min(room(), wanted[column] - widths[column]))
    return [(column, widths[column], texts[column]) for column in columns if column in widths]


def show_table(console: Console, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table with a line for each row."""
    chosen = fit(columns, rows, console.width, not console.is_terminal)
    headings = [Text(column.heading, style="bold") for column, _, _ in chosen]
    cells = [
        [Text(text, style=column.style(row)) for text, row in zip(texts, rows)]
        for column, _, texts in chosen
    ]
    for line in (headings, *zip(*cells)):
        for cell, (column, width, _) in zip(line, chosen):
            cell.truncate(width, overflow="ellipsis")
            cell.align("right" if column.is_number else "left", width)
        whole = Text(" " * GAP).join(line)
        whole.rstrip()
        console.print(whole, no_wrap=True, overflow="crop")


def new_console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # Nothing is cut for the program at the other end of a pipe.
        console.width = UNLIMITED
    return console


def show_rows(columns: Sequence[Column], rows: Sequence[Row], if_none: str) -> None:
    """Print a table, or the sentence `if_none` in its place."""
    console = new_console()
    if rows:
        show_table(console, columns, rows)
    else:
        console.print(if_none, soft_wrap=True)


def show_nodes(rows: list[Row], if_none: str = NO_NODES) -> None:
    show_rows(NODE_COLUMNS, rows, if_none)
    console = new_console()
    reasons = [f"{name_of(row)}: {reason}" for row in rows if (reason := reason_of(row))]
    for reason in reasons[:MAX_REASONS]:
        console.print(Text(reason), soft_wrap=True)
    if len(reasons) > MAX_REASONS:
        console.print(f"{len(reasons) - MAX_REASONS} more; zbctl list --json has them all.")
