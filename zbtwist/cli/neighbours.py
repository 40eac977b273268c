"""The command that asks who hears whom."""

from __future__ import annotations

from collections.abc import Iterable

import click

from zbtwist.cli.client import TEST_TIMEOUT, Row
from zbtwist.cli.options import NodeName, Session, misuse
from zbtwist.cli.root import main
from zbtwist.cli.settings import address_named
from zbtwist.cli.tables import Column, new_console, show_rows
from zbtwist.cli.words import address_of, called, duration, number_of, seconds_ago, text_of


def _lqi(row: Row) -> str:
    return f"{number_of(row, 'lqi'):.0f}"


NEIGHBOUR_COLUMNS = (
    Column("hears", lambda row: called(row) or "-", 0, least=12),
    Column("address", address_of, 1),
    Column("lqi", _lqi, 2, is_number=True),
    Column("type", lambda row: text_of(row, "type") or "-", 4),
    Column("is its", lambda row: text_of(row, "relationship") or "-", 3),
    Column("short", lambda row: address_of(row, "addr_short") or "-", 5),
)

LINK_COLUMNS = (
    Column("who", lambda row: text_of(row, "who") or "-", 0, least=12),
    Column("hears", lambda row: text_of(row, "whom") or "-", 1, least=12),
    Column("lqi", _lqi, 2, is_number=True),
    Column(
        "back",
        lambda row: f"{number_of(row, 'back'):.0f}" if row.get("back") else "-",
        3,
        is_number=True,
    ),
    Column("told", lambda row: seconds_ago(number_of(row, "at")), 4, is_number=True),
)


@main.asking("neighbours", "links", "walk", "end_walk", short_help="Show who hears whom.")
@click.argument("node", type=NodeName(), required=False)
@click.option("--walk", "begin", is_flag=True, help="Have all routers asked, one after the other.")
@click.option(
    "--pause",
    type=click.FloatRange(0.25, 3600),
    help="Seconds between two questions of --walk; 60 by default.",
)
@click.option("--end", is_flag=True, help="End that.")
def neighbours(
    session: Session, node: str | None, begin: bool, pause: float | None, end: bool
) -> None:
    """Ask the router NODE whom it hears and how well; without NODE, show what all have told.

    NODE is "radio" for the local radio. With --walk the gateway asks all routers, slowly, and goes
    on with that by itself.
    """
    if sum((node is not None, begin, end)) > 1:
        raise misuse("NODE, --walk and --end stand alone.")
    if pause is not None and not begin:
        raise misuse("--pause is for --walk.")
    if node is not None:
        answer = session.gateway(TEST_TIMEOUT).struct("neighbours", address_named(node))
        session.show(answer, lambda: _show_one(node, answer))
        return
    gateway = session.gateway()
    if begin:
        answer = gateway.struct("walk", *([] if pause is None else [pause]))
    else:
        answer = gateway.struct("end_walk" if end else "links")
    names = {} if session.as_json else dict(_names(gateway.rows("list")))
    session.show(answer, lambda: _show_all(answer, names))


def _names(rows: Iterable[Row]) -> Iterable[tuple[str, str]]:
    return ((address_of(row), called(row)) for row in rows if called(row))


def _rows(row: Row, key: str) -> list[Row]:
    value = row.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _show_one(node: str, answer: Row) -> None:
    rows = sorted(_rows(answer, "neighbours"), key=lambda row: -number_of(row, "lqi"))
    show_rows(NEIGHBOUR_COLUMNS, rows, f"{node} hears nobody.")
    routes = [one for one in _rows(answer, "routes") if text_of(one, "state") == "active"]
    if routes:
        ways = (
            f"{address_of(one, 'addr_short')} by {address_of(one, 'next_hop')}" for one in routes
        )
        new_console().print(f"It knows routes to {', '.join(ways)}.", soft_wrap=True)


def _show_all(answer: Row, names: dict[str, str]) -> None:
    console = new_console()
    rows = _rows(answer, "links")
    back = {(address_of(row), address_of(row, "neighbour")): number_of(row, "lqi") for row in rows}
    shown: list[Row] = []
    for row in rows:
        who, whom = address_of(row), address_of(row, "neighbour")
        shown.append(
            {
                "who": names.get(who, who),
                "whom": names.get(whom, whom),
                "lqi": number_of(row, "lqi"),
                "back": back.get((whom, who), 0),
                "at": number_of(row, "at"),
            }
        )
    shown.sort(key=lambda row: (str(row["who"]), -number_of(row, "lqi")))
    none = "Nobody has told whom it hears; zbctl neighbours --walk asks all routers."
    text = text_of(answer, "text")
    if shown or not text:
        show_rows(LINK_COLUMNS, shown, none)
    if text:
        console.print(text, soft_wrap=True)
    if answer.get("running"):
        pause = number_of(answer, "pause")
        console.print(f"One question in {duration(pause) if pause >= 1 else f'{pause:g} s'}.")
