"""The events of a gateway, shown once or followed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NoReturn

import click
from rich.text import Text

from zbtwist.cli.client import Gateway, Row, Unreachable, clean
from zbtwist.cli.options import Session, print_json
from zbtwist.cli.tables import new_console
from zbtwist.cli.words import moment, number_of, text_of

#: Seconds between two looks at new events.
FOLLOW_INTERVAL = 1.0


def tracing_text(answer: Row) -> str:
    """Say what is traced."""
    nodes = answer.get("nodes")
    addresses = [clean(str(node)).strip("[]!") for node in nodes] if isinstance(nodes, list) else []
    if answer.get("all"):
        who = "The frames of all nodes are"
    elif len(addresses) == 1:
        who = f"The frames of {addresses[0]} are"
    elif addresses:
        who = f"The frames of {len(addresses)} nodes ({', '.join(addresses[:3])}, …) are"
    else:
        return "No frames are traced now."
    return f"{who} traced now; zbctl trace --follow shows them."


def chosen(events: list[Row], only: str | None) -> list[Row]:
    if only is None:
        return events
    return [event for event in events if (text_of(event, "kind") == "frame") == (only == "frames")]


def follow_events(
    session: Session,
    gateway: Gateway,
    since: int,
    only: str | None,
    switched: tuple[object, ...],
    node: str = "",
) -> None:
    """Show events as they come, for ever; a gateway that restarts is waited for.

    Each question asks for the last event that is known once more: if it is another one by now, the
    numbers are those of another run.

    @param node: show the events of this node alone; empty shows all.
    @param switched: what to tell another run of the gateway about frames; empty for nothing.
    """
    # Of an older gateway only this is asked where it is needed.
    of_node = (node,) if node else ()
    last: Row | None = None

    def ask() -> None:
        nonlocal last, since
        events = gateway.rows("trace", since if last is None else since - 1, *of_node)
        if last is not None:
            events, is_new_run = _after(last, events)
            if is_new_run:
                events = gateway.rows("trace", 0, *of_node)
                last, since = None, 0
                click.echo("zbctl: the gateway was restarted.", err=True)
                if switched:
                    gateway.struct("frames", *switched)
        if session.as_json:
            for event in chosen(events, only):
                print_json(event)
        else:
            if not node:
                # Of a node they are those of others.
                tell_gaps(events, since)
            show_events(chosen(events, only))
        if events:
            last = events[-1]
            since = _seq(last)

    ask_for_ever(ask, FOLLOW_INTERVAL)


def ask_for_ever(ask: Callable[[], None], interval: float) -> NoReturn:
    """Ask a gateway again and again, and show what it answers; one that restarts is waited for.

    @param interval: seconds between two questions.
    @raise Unreachable: it was not there the first time.
    """
    was_there = is_away = False
    while True:
        try:
            ask()
        except Unreachable as error:
            if not was_there:
                raise
            if not is_away:
                click.echo(f"zbctl: {error.message} It is waited for.", err=True)
            is_away = True
        else:
            was_there, is_away = True, False
        sys.stdout.flush()
        time.sleep(interval)


def _seq(event: Row) -> int:
    return int(number_of(event, "seq"))


def _after(last: Row, events: list[Row]) -> tuple[list[Row], bool]:
    """
    @param events: what the gateway has from `last` on.
    @return: what came after that, and whether the events are of another run of the gateway.
    """
    if not events or _seq(events[0]) < _seq(last):
        return [], True
    if _seq(events[0]) > _seq(last):
        # It is forgotten, as are perhaps some that followed it.
        return events, False
    return events[1:], events[0] != last


def tell_gaps(events: list[Row], since: int) -> None:
    """Say on stderr what is missing after `since`; before it nobody asked."""
    if not events:
        return
    first = _seq(events[0])
    if first <= since:
        click.echo("zbctl: the gateway was restarted.", err=True)
        since = 0
    if since and first > since + 1:
        click.echo(f"zbctl: {first - since - 1} events before these are forgotten.", err=True)
    # Of either kind: what happens often makes room for what happens seldom.
    missing = _seq(events[-1]) - first + 1 - len(events)
    if missing > 0:
        click.echo(f"zbctl: {missing} events among these are forgotten.", err=True)


_LEVEL_STYLES = {"warn": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}


def show_events(events: list[Row]) -> None:
    console = new_console()
    for event in events:
        level = text_of(event, "level")
        shown = "frame" if text_of(event, "kind") == "frame" else level
        line = Text(f"{number_of(event, 'seq'):5.0f}  {moment(event)}  ")
        line.append(f"{shown:<8}  ", style=_LEVEL_STYLES.get(level, ""))
        line.append(text_of(event, "text"))
        console.print(line, soft_wrap=True)
