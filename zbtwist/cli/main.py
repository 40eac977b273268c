"""zbctl: the control API for people, and for shell scripts.

Each command is one call over XML-RPC, shown as a table, or as JSON just as the gateway answered.
"""

from __future__ import annotations

import re
import xmlrpc.client

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from zbtwist.cli import doing, neighbours  # noqa: F401  # whose commands are there then
from zbtwist.cli.client import (
    DISCOVERY_TIMEOUT,
    PROGRESS_TIMEOUT,
    Gateway,
    Row,
    clean,
)
from zbtwist.cli.following import chosen, follow_events, show_events, tell_gaps, tracing_text
from zbtwist.cli.lists import COUNTERS, NODES, SORTS, as_csv, in_order, with_problem
from zbtwist.cli.options import (
    NodeName,
    NodeOrPort,
    Session,
    Words,
    misuse,
    print_json,
)
from zbtwist.cli.progress import PROGRESS_INTERVAL, Look, error_console, run_visibly
from zbtwist.cli.root import main
from zbtwist.cli.showing import show_node
from zbtwist.cli.tables import (
    CLIENT_COLUMNS,
    GAP,
    MAX_REASONS,
    NO_NODES,
    NO_PROBLEMS,
    STATS_COLUMNS,
    TEMPERATURE_COLUMNS,
    VALUE_COLUMNS,
    WAITING_COLUMNS,
    new_console,
    show_nodes,
    show_rows,
)
from zbtwist.cli.watching import AUTO, HEX, TEXT, watch_node
from zbtwist.cli.words import (
    broadcast_state,
    broker_state,
    duration,
    name_of,
    number_of,
)

csv_option = click.option(
    "--csv", "is_csv", is_flag=True, help="Print a table for a spreadsheet (CSV)."
)

#: What the program is called by; the commands below are its parts.
__all__ = ["main"]


@main.asking("list", "waiting", name="list")
@click.option(
    "--waiting", is_flag=True, help="List who was heard and is no node, and why, instead."
)
@click.option("--problems", is_flag=True, help="Only the nodes that are not as they should be.")
@click.option(
    "--sort",
    type=click.Choice(list(SORTS)),
    metavar="COLUMN",
    help=f"Sort by {', '.join(SORTS)}: the worst or the first comes first, blanks last.",
)
@csv_option
def list_nodes(
    session: Session, waiting: bool, problems: bool, sort: str | None, is_csv: bool
) -> None:
    """List the known nodes and their ports."""
    if waiting:
        if problems or sort or is_csv:
            raise misuse("--waiting stands alone.")
        rows = session.gateway().rows("waiting")
        session.show(rows, lambda: show_rows(WAITING_COLUMNS, rows, "Nobody waits to be let in."))
        return
    _not_both(session, is_csv)
    rows = session.gateway().rows("list")
    if problems:
        rows = with_problem(rows)
    if sort:
        rows = in_order(rows, sort)
    if is_csv:
        click.echo(as_csv(NODES, rows), nl=False)
        return
    session.show(rows, lambda: show_nodes(rows, NO_PROBLEMS if problems else NO_NODES))


def _not_both(session: Session, is_csv: bool) -> None:
    if is_csv and session.as_json:
        raise misuse("Write --csv or --json.")


@main.asking("show", short_help="Show all that is known of a node.")
@click.argument("node", type=NodeName())
def show(session: Session, node: str) -> None:
    """Show all that is known of NODE, without asking it: how it is and why, its route, counters,
    clients, lines, and last events.
    """
    row = session.gateway().struct("show", node)
    session.show(row, lambda: show_node(row))


@main.asking("watch", short_help="Show what passes between a node and its clients.")
@click.argument("node", type=NodeName())
@click.option("--text", "form", flag_value=TEXT, help="Show all bytes as text.")
@click.option("--hex", "form", flag_value=HEX, help="Show all bytes in hexadecimal.")
def watch(session: Session, node: str, form: str | None) -> None:
    """Show the bytes from NODE and to it as they pass, packet by packet, until Control-C.

    Who watches is no client of the node, and nothing is taken from anybody. What is no text is
    shown in hexadecimal.
    """
    watch_node(session, session.gateway(), node, form or AUTO)


@main.asking("clients", short_help="List the clients of a node.")
@click.argument("node", type=NodeName())
def clients(session: Session, node: str) -> None:
    """List who is connected to the port of NODE."""
    rows = session.gateway().rows("clients", node)
    session.show(rows, lambda: show_rows(CLIENT_COLUMNS, rows, f"{node} has no client."))


@main.asking("disconnect", short_help="Disconnect a client.")
@click.argument("peer", type=Words())
def disconnect(session: Session, peer: str) -> None:
    """Reset the client PEER, as clients has it: ADDRESS:PORT. It may connect again."""
    answer = session.gateway().call("disconnect", peer)
    session.show(answer, lambda: click.echo(f"{peer} is disconnected."))


@main.asking("discover", "list", short_help="Search the network.")
def discover(session: Session) -> None:
    """Search the network, and list all nodes then, and which of them did not answer."""
    gateway = session.gateway(DISCOVERY_TIMEOUT)
    console = error_console()
    if console.is_terminal:
        rows = _discover_visibly(console, gateway, session.gateway_within(PROGRESS_TIMEOUT))
    else:
        rows = gateway.rows("discover")
    session.show(rows, lambda: _show_found(rows))


def _show_found(rows: list[Row]) -> None:
    show_nodes(rows)
    missing = [name_of(row) for row in rows if row.get("missed_search")]
    if missing:
        named = ", ".join(missing[:MAX_REASONS])
        if len(missing) > MAX_REASONS:
            named += f" and {len(missing) - MAX_REASONS} more"
        known = "known node" if len(missing) == 1 else "known nodes"
        line = f"{len(missing)} {known} did not answer: {named}."
        new_console().print(Text(line), soft_wrap=True)


def _discover_visibly(console: Console, gateway: Gateway, observer: Gateway) -> list[Row]:
    """Search with a progress bar. How long a search takes is the radio's to know."""

    def look() -> Look:
        count = len(observer.rows("list"))
        return Look(f"{count} node{'s' * (count != 1)} known")

    return run_visibly(
        console, "Searching", lambda: gateway.rows("discover"), look, PROGRESS_INTERVAL
    )


@main.asking("get_temperatures")
def temperatures(session: Session) -> None:
    """Ask every node that can measure for its temperature."""
    rows = session.gateway().rows("get_temperatures")
    session.show(rows, lambda: show_rows(TEMPERATURE_COLUMNS, rows, "No node told a temperature."))


@main.asking("values", short_help="Show what nodes with a decoder have told.")
def values(session: Session) -> None:
    """Show the last value of each name that nodes with a decoder have told."""
    rows = session.gateway().rows("values")
    session.show(rows, lambda: show_rows(VALUE_COLUMNS, rows, "No node has told a value."))


@main.asking("create_mapping", "bind_using_list", short_help="Give nodes their TCP ports.")
@click.argument(
    "pairs", nargs=-1, required=True, type=NodeOrPort(), metavar="NODE PORT [NODE PORT]..."
)
def bind(session: Session, pairs: tuple[str, ...]) -> None:
    """Give each NODE the TCP port PORT from now on, also after a restart.

    Several are bound all or none. A port that another node has must be freed first, with unbind.
    """
    nodes, words = pairs[::2], pairs[1::2]
    if len(nodes) > len(words):
        raise misuse(f"Write a PORT after each NODE; {nodes[-1]!r} has none.")
    for word in words:
        if not re.fullmatch("[0-9]{1,5}", word) or not 1 <= int(word) <= 65535:
            raise misuse(f"A PORT is a number from 1 to 65535, not {word!r}.")
    mappings = [(node, int(word)) for node, word in zip(nodes, words)]
    if len(mappings) == 1:
        answer = session.gateway().call("create_mapping", *mappings[0])
    else:
        answer = session.gateway().call("bind_using_list", mappings)
    lines = "\n".join(f"{node} has port {number} now." for node, number in mappings)
    session.show(answer, lambda: click.echo(lines))


@main.asking("remove_mapping", short_help="Take a node's TCP port away.")
@click.argument("node", type=NodeName())
def unbind(session: Session, node: str) -> None:
    """Close the port of NODE and forget that it was the node's.

    The node has none until bind gives it one, or a discover finds it again.
    """
    answer = session.gateway().call("remove_mapping", node)
    session.show(answer, lambda: click.echo(f"{node} has no port now."))


@main.asking("accept", short_help="Let a node in that waits.")
@click.argument("node", type=NodeName())
def accept(session: Session, node: str) -> None:
    """Let NODE in, by its address: it was heard, and list --waiting has it.

    It is a node from then on, and has a port.
    """
    answer = session.gateway().call("accept", node)
    session.show(answer, lambda: click.echo(f"{node} is let in."))


@main.asking("forget", "forget_silent", short_help="Forget nodes that are gone.")
@click.argument("node", type=NodeName(), required=False)
@click.option(
    "--silent-for",
    type=click.FloatRange(1),
    metavar="DAYS",
    help="All nodes that have not been heard for so many days, in place of one.",
)
def forget(session: Session, node: str | None, silent_for: float | None) -> None:
    """Close the port of NODE and forget it, with its name and counters.

    If it is heard again, it is a new node. Nodes that the configuration file names stay.
    """
    if (node is None) == (silent_for is None):
        raise misuse("Write a NODE, or --silent-for DAYS.")
    if node is not None:
        answer = session.gateway().call("forget", node)
        session.show(
            answer,
            lambda: click.echo(f"{node} is forgotten. If it is heard again, it is a new node."),
        )
        return
    addresses = session.gateway().call("forget_silent", silent_for)
    session.show(addresses, lambda: _show_forgotten(addresses))


def _show_forgotten(addresses: object) -> None:
    shown = addresses if isinstance(addresses, list) else []
    for address in shown:
        click.echo(clean(str(address)).strip("[]!"))
    count = len(shown)
    click.echo(f"{count} node{'s are' if count != 1 else ' is'} forgotten.")


@main.asking("status")
def status(session: Session) -> None:
    """Say how the gateway and its radio are."""
    answer = session.gateway().struct("status")
    session.show(answer, lambda: _show_status(answer))


#: What `status` has that is shown in a line of its own kind.
_SAID_IN_WORDS = {"mqtt": broker_state, "broadcast": broadcast_state}


def _show_status(answer: Row) -> None:
    console = new_console()
    # How the nodes are is said beside it.
    titles = {key: {"problems": "port problems"}.get(key, clean(key)) for key in answer}
    longest = max(map(cell_len, titles.values()), default=0)
    for key, value in answer.items():
        if key == "uptime":
            shown = duration(number_of(answer, key))
        elif isinstance(value, float):
            shown = f"{value:g}"
        elif key in _SAID_IN_WORDS:
            shown = _SAID_IN_WORDS[key](value) if isinstance(value, dict) else ""
        elif isinstance(value, dict):
            # How many there are of what; what there is none of says nothing.
            counts = ((clean(str(name)).replace("-", " "), value[name]) for name in value)
            shown = ", ".join(f"{clean(str(count))} {name}" for name, count in counts if count)
        else:
            shown = clean(str(value))
        if shown:
            line = Text(titles[key].replace("_", " ").ljust(longest + GAP))
            line.append(shown, style="red" if key == "link" and value != "up" else "")
            console.print(line, soft_wrap=True)


@main.asking("stats")
@csv_option
def stats(session: Session, is_csv: bool) -> None:
    """Show what went to and from each node."""
    _not_both(session, is_csv)
    rows = session.gateway().rows("stats")
    if is_csv:
        click.echo(as_csv(COUNTERS, rows), nl=False)
        return
    session.show(rows, lambda: show_rows(STATS_COLUMNS, rows, NO_NODES))


@main.asking("trace", "frames", short_help="Show the gateway's last events, and frames.")
@click.argument("node", type=NodeName(), required=False)
@click.option(
    "--since",
    type=click.IntRange(0, xmlrpc.client.MAXINT),
    metavar="SEQ",
    default=0,
    help="Only the events after the one with this number.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on with new events, until Control-C.")
@click.option(
    "--only",
    type=click.Choice(["log", "frames"]),
    help="Only the events of the log, or only the frames.",
)
@click.option(
    "--frames",
    type=click.Choice(["on", "off"]),
    help="Have the gateway trace frames from now on, or no more.",
)
def trace(
    session: Session,
    node: str | None,
    since: int,
    follow: bool,
    only: str | None,
    frames: str | None,
) -> None:
    """Show the gateway's last events, or those of NODE: joins, bindings, clients, failures.

    With --frames, switch the tracing of frames, of all nodes or of NODE; while it is on, each frame
    is an event as well. It stays on until it is switched off, or the gateway restarts.
    """
    gateway = session.gateway()
    switched = (frames == "on", *([node] if node else []))
    if frames is not None:
        answer = gateway.struct("frames", *switched)
        if not follow:
            session.show(answer, lambda: click.echo(tracing_text(answer)))
            return
    # With --frames it is their node, and all that happens is shown.
    of_node = node if frames is None and node else ""
    if follow:
        follow_events(session, gateway, since, only, switched if frames == "on" else (), of_node)
        return
    events = gateway.rows("trace", since, *filter(None, (of_node,)))
    if session.as_json:
        print_json(chosen(events, only), indent=2)
    else:
        if not of_node:
            tell_gaps(events, since)
        show_events(chosen(events, only))


if __name__ == "__main__":
    main(prog_name="zbctl")
