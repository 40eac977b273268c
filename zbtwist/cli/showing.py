"""All that is known of one node, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from zbtwist.cli.client import Row
from zbtwist.cli.following import show_events
from zbtwist.cli.tables import GAP, PIN_COLUMNS, new_console, show_table
from zbtwist.cli.words import (
    address_of,
    called,
    client_state,
    duration,
    last_seen,
    link_test_lines,
    moment_of,
    name_of,
    number_of,
    port_of,
    readings_of,
    seconds_ago,
    signal_of,
    state_of,
    state_style,
    text_of,
    type_of,
    value_of,
)


def show_node(row: Row) -> None:
    """Print what ``show()`` answered."""
    console = new_console()
    address = address_of(row)
    console.print(Text(f"{called(row)} ({address})" if called(row) else address, style="bold"))
    facts = [(what, text, style) for what, text, style in _facts(row) if text]
    longest = max(cell_len(what) for what, _, _ in facts)
    for what, text, style in facts:
        line = Text(what.ljust(longest + GAP))
        line.append(text, style=style)
        console.print(line, soft_wrap=True)
    pins = _rows(row, "pins")
    if pins:
        _begin(console, "Lines")
        show_table(console, PIN_COLUMNS, pins)
    events = _rows(row, "events")
    if events:
        _begin(console, "Last events")
        show_events(events)


def _begin(console: Console, heading: str) -> None:
    console.print()
    console.print(Text(heading, style="bold"))


def _facts(row: Row) -> Iterable[tuple[str, str, str]]:
    """Yield what is said in a line each: its heading, itself, its style."""
    since = number_of(row, "since")
    state = state_of(row)
    if since and text_of(row, "state") == "listening":
        state = f"{state} since {moment_of(since)}"
    yield "state", state, state_style(row)
    yield "why", text_of(row, "state_text") or text_of(row, "why"), ""
    yield "port", port_of(row) + (", by hand" if row.get("by_hand") else ""), ""
    label = text_of(row, "label")
    yield "label", label if label != called(row) else "", ""
    yield "type", ", ".join(filter(None, (type_of(row), text_of(row, "device")))), ""
    yield "firmware", text_of(row, "firmware"), ""
    yield "last heard", last_seen(row), ""
    if row.get("missed_search"):
        yield "search", "it did not answer the last one", "yellow"
    for what in ("short", "parent"):
        address16 = address_of(row, f"addr_{what}")
        yield what, address16 if address16 != "fffe" else "", ""
    yield "signal", signal_of(row), ""
    yield "route", _route(row), ""
    yield "hears", _hears(_struct(row, "neighbours")), ""
    if row.get("has_temperature"):
        yield "temperature", f"{number_of(row, 'temperature'):.1f} °C", ""
    for reading in readings_of(row):
        said = f"{value_of(reading)}, {seconds_ago(number_of(reading, 'at'))}"
        yield text_of(reading, "name"), said, ""
    stats = _struct(row, "stats")
    unread = number_of(stats, "bytes_unread")
    yield "from it", _passed(stats, "in") + (f"; {unread:.0f} of them unread" * bool(unread)), ""
    yield "to it", _passed(stats, "out") + "; " + _trouble(stats), ""
    queued, kept = number_of(row, "queued"), number_of(row, "kept")
    yield "queued", f"{queued:.0f} bytes for it" if queued else "", ""
    yield "kept", f"{kept:.0f} bytes for the next client" if kept else "", ""
    for endpoint in _rows(row, "endpoints"):
        problem = text_of(endpoint, "state_text")
        yield "endpoint", _endpoint(endpoint), "yellow" if problem else ""
    for client in _rows(row, "clients"):
        yield "client", _client(client), ""
    read_at = number_of(row, "settings_read")
    yield "settings", f"read {seconds_ago(read_at)}" if read_at else "", ""
    unwritten = row.get("unwritten")
    if isinstance(unwritten, list) and unwritten:
        yield "not in flash", ", ".join(map(str, unwritten)), "yellow"
    test = _struct(row, "test")
    if test.get("began"):
        yield "last test", f"{moment_of(number_of(test, 'began'))}: {link_test_lines(test)[0]}", ""


def _route(row: Row) -> str:
    """Say over which nodes a packet of it comes."""
    hops = number_of(row, "hops")
    if hops < 1:
        return ""
    through = [
        (name_of(hop) or address_of(hop, "addr_short"))
        + f" ({signal_of(hop)})" * bool(hop["signal"])
        for hop in _rows(row, "route")
        if "signal" in hop
    ]
    return f"{hops:.0f} hop{'s' * (hops != 1)}" + (f", by {', '.join(through)}" if through else "")


def _hears(told: Row) -> str:
    """Say whom it hears and how well, the best first."""
    at, neighbours = number_of(told, "at"), _rows(told, "neighbours")
    if not at:
        return ""
    neighbours.sort(key=lambda one: -number_of(one, "lqi"))
    names = [f"{name_of(one)} ({number_of(one, 'lqi'):.0f})" for one in neighbours]
    return f"{', '.join(names) or 'nobody'}, as it told {seconds_ago(at)}"


def _passed(stats: Row, way: str) -> str:
    packets = number_of(stats, f"packets_{way}")
    return f"{number_of(stats, f'bytes_{way}'):.0f} bytes in {packets:.0f} packets"


def _trouble(stats: Row) -> str:
    return (
        f"{number_of(stats, 'retries'):.0f} sent again, "
        f"{number_of(stats, 'failures'):.0f} given up, "
        f"{number_of(stats, 'bytes_lost'):.0f} bytes lost"
    )


def _endpoint(endpoint: Row) -> str:
    """Say what else leads to a node, and how that is."""
    words = [text_of(endpoint, key) for key in ("endpoint", "protocol", "state")]
    return ", ".join(words)


def _client(client: Row) -> str:
    """Say who a client is, and how it goes."""
    came_by = text_of(client, "endpoint")
    words = [text_of(client, "peer") + f" at {came_by}" * bool(came_by)]
    words += [f"for {duration(number_of(client, 'seconds'))}"]
    unsent = number_of(client, "unsent")
    if unsent:
        words.append(f"{unsent:.0f} bytes wait for it")
    state = client_state(client)
    return ", ".join([*words, *([f"it {state}"] if state else [])])


def _rows(row: Row, key: str) -> list[Row]:
    value: Any = row.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _struct(row: Row, key: str) -> Row:
    value: Any = row.get(key)
    return value if isinstance(value, dict) else {}
