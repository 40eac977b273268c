"""zbctl: the control API for people, and for shell scripts.

Each command is one call over XML-RPC, shown as a table, or as JSON just as the gateway answered.
"""

from __future__ import annotations

import re
import sys
import xmlrpc.client
from contextlib import suppress
from typing import TextIO

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from zbtwist import __version__
from zbtwist.cli.client import (
    DISCOVERY_TIMEOUT,
    PROGRESS_TIMEOUT,
    TEST_TIMEOUT,
    Gateway,
    Refused,
    Row,
    Unreachable,
    clean,
)
from zbtwist.cli.following import chosen, follow_events, show_events, tell_gaps, tracing_text
from zbtwist.cli.lists import SORTS, as_csv, in_order, with_problem
from zbtwist.cli.options import (
    INTERRUPTED,
    ATValue,
    Commands,
    NodeName,
    NodeOrPort,
    Session,
    Words,
    ask_first,
    misuse,
    print_json,
    sure_option,
)
from zbtwist.cli.progress import PROGRESS_INTERVAL, Look, error_console, run_visibly
from zbtwist.cli.settings import replace_node, settings, show_settings
from zbtwist.cli.showing import show_node
from zbtwist.cli.tables import (
    CLIENT_COLUMNS,
    GAP,
    MAX_REASONS,
    NO_NODES,
    NO_PROBLEMS,
    PIN_COLUMNS,
    STATS_COLUMNS,
    TEMPERATURE_COLUMNS,
    WAITING_COLUMNS,
    new_console,
    show_nodes,
    show_rows,
)
from zbtwist.cli.watching import AUTO, HEX, TEXT, watch_node
from zbtwist.cli.words import (
    at_answer,
    at_line,
    duration,
    link_test_lines,
    name_of,
    number_of,
    text_of,
)
from zbtwist.xbee.at import PARAMETERS, encode_value


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A NODE is a 64-bit address in any form, or the name of just one node. Exit codes: "
    f"0 done, {Refused.exit_code} the gateway said no, 2 a wrong command line, "
    f"{Unreachable.exit_code} no gateway answers, {INTERRUPTED} interrupted.",
)
@click.version_option(__version__, prog_name="zbctl", message="%(prog)s %(version)s")
def main() -> None:
    """Ask and tell a zbtwist gateway: which node has which TCP port, and how it goes."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows few characters gets question marks, not a traceback.
        with suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


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
@click.option("--csv", "is_csv", is_flag=True, help="Print a table for a spreadsheet (CSV).")
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
    if is_csv and session.as_json:
        raise misuse("Write --csv or --json.")
    rows = session.gateway().rows("list")
    if problems:
        rows = with_problem(rows)
    if sort:
        rows = in_order(rows, sort)
    if is_csv:
        click.echo(as_csv(rows), nl=False)
        return
    session.show(rows, lambda: show_nodes(rows, NO_PROBLEMS if problems else NO_NODES))


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


@main.asking("discover", "list")
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
        session.show(answer, lambda: click.echo(f"{node} is forgotten."))
        return
    addresses = session.gateway().call("forget_silent", silent_for)
    session.show(addresses, lambda: _show_forgotten(addresses))


def _show_forgotten(addresses: object) -> None:
    shown = addresses if isinstance(addresses, list) else []
    for address in shown:
        click.echo(clean(str(address)).strip("[]!"))
    count = len(shown)
    click.echo(f"{count} node{'s are' if count != 1 else ' is'} forgotten.")


@main.asking("rename", short_help="Give a node another name.")
@click.argument("node", type=NodeName())
@click.argument("label", type=Words())
def rename(session: Session, node: str, label: str) -> None:
    """Write LABEL to NODE as its node identifier (NI), to stay in its flash memory."""
    answer = session.gateway().call("rename", node, label)
    session.show(answer, lambda: click.echo(f"{node} is called {label} now."))


@main.asking("at", "settings", short_help="Read or set an AT command of a node.")
@click.argument("node", type=NodeName())
@click.argument("command", type=Words(), required=False)
@click.argument("value", type=ATValue(), required=False)
@sure_option
def at(
    session: Session,
    node: str,
    command: str | None,
    value: int | str | bytes | None,
    is_sure: bool,
) -> None:
    """Read the AT command COMMAND of NODE, or set it to VALUE; without COMMAND, show all settings.

    NODE is "radio" (or empty) for the local radio. VALUE is a decimal number, a hexadecimal one
    (0x1F), bytes (hex:0011ff), or text; text:42 is the text 42.
    """
    address = "" if node == "radio" else node
    if command is None:
        show_settings(session, address)
        return
    command = command.upper()
    why = PARAMETERS[command].why if command in PARAMETERS else ""
    if value is not None and why:
        ask_first(f"{command} may cut {node} off. {why}", is_sure)
    if isinstance(value, int) and value > xmlrpc.client.MAXINT:
        # XML-RPC has no number as large.
        try:
            value = encode_value(command, value)
        except ValueError as error:
            raise misuse(f"{error}.") from None
    arguments = [] if value is None else [value]
    answer = at_answer(session.gateway().call("at", address, command, *arguments))
    session.show(answer, lambda: click.echo(at_line(answer)))


main.add_command(settings)


@main.asking("replace", short_help="Put a module in the place of another one.")
@click.argument("old", type=NodeName())
@click.argument("new", type=NodeName())
@click.option(
    "--from",
    "file",
    type=click.File(encoding="utf-8"),
    help="File with the settings of OLD, in place of those that the gateway has read last.",
)
@sure_option
def replace(session: Session, old: str, new: str, file: TextIO | None, is_sure: bool) -> None:
    """Give the module NEW the TCP port, the name and the settings of OLD, and forget OLD.

    NEW must be in the network, and of the same kind. OLD may be dead: its settings are those that
    were read last, by at OLD, settings save or the console.
    """
    replace_node(session, old, new, file, is_sure)


@main.asking("restart", short_help="Restart a node's radio.")
@click.argument("node", type=NodeName())
def restart(session: Session, node: str) -> None:
    """Restart the radio of NODE.

    What was set and not written to flash memory (zbctl at NODE WR) is lost; clients of its port are
    reset.
    """
    answer = session.gateway().call("restart", node)
    session.show(answer, lambda: click.echo(f"{node} restarts."))


@main.asking("identify", short_help="Have a node say who it is.")
@click.argument("node", type=NodeName())
def identify(session: Session, node: str) -> None:
    """Have NODE say who it is, as if its commissioning button had been pressed once.

    The associate LEDs of all modules that hear it blink for a second.
    """
    answer = session.gateway().call("identify", node)
    session.show(answer, lambda: click.echo(f"{node} says who it is."))


@main.asking("leave", short_help="Make a node leave the network.")
@click.argument("node", type=NodeName())
def leave(session: Session, node: str) -> None:
    """Make NODE leave the network, and look for one to join.

    It comes back only if joining is permitted here, and may find another network.
    """
    answer = session.gateway().call("leave", node)
    session.show(answer, lambda: click.echo(f"{node} leaves the network."))


@main.asking("permit_join", name="permit-join", short_help="Let new nodes join for some time.")
@click.argument("seconds", type=click.IntRange(0, 254), default=60)
def permit_join(session: Session, seconds: int) -> None:
    """Let new nodes join the network for SECONDS (60); 0 ends that."""
    answer = session.gateway().struct("permit_join", seconds)
    if answer.get("always"):
        line = "Nodes may join at all times (NJ of the radio is FF); nothing was changed."
    elif seconds:
        line = f"Nodes may join for {seconds} s."
    else:
        line = "No node may join at the radio now."
    session.show(answer, lambda: click.echo(line))


@main.asking("test", "test_result", short_help="Test the way to a node.")
@click.argument("node", type=NodeName())
@click.option(
    "--count", "-c", type=click.IntRange(1, 1000), default=10, help="Packets; 10 by default."
)
@click.option(
    "--size", "-s", type=click.IntRange(24, 84), default=64, help="Bytes of each; 64 by default."
)
def test(session: Session, node: str, count: int, size: int) -> None:
    """Test the way to NODE: packets that its radio sends back are counted and timed.

    They do not reach its serial line, and streams go on meanwhile. Control-C ends the test.
    """
    gateway = session.gateway(TEST_TIMEOUT)
    console = error_console()
    if console.is_terminal:
        observer = session.gateway_within(PROGRESS_TIMEOUT)

        def look() -> Look:
            seen = observer.struct("test_result", node)
            text = text_of(seen, "text") if seen.get("running") else ""
            return Look(text, number_of(seen, "sent"), count)

        answer = run_visibly(
            console,
            "Testing",
            lambda: gateway.struct("test", node, count, size),
            look,
            PROGRESS_INTERVAL,
        )
    else:
        answer = gateway.struct("test", node, count, size)
    session.show(answer, lambda: click.echo("\n".join(link_test_lines(answer))))


@main.asking("sample", "pins", "set_pin", short_help="Show a node's lines, or set one.")
@click.argument("node", type=NodeName())
@click.argument("pin", type=Words(), required=False)
@click.argument("value", type=click.Choice(["high", "low"]), required=False)
@click.option("--known", is_flag=True, help="Ask nobody: show what is known.")
@click.option("--make-output", is_flag=True, help="Set PIN also if it is no output yet.")
def io(
    session: Session,
    node: str,
    pin: str | None,
    value: str | None,
    known: bool,
    make_output: bool,
) -> None:
    """Have NODE read its lines, and show them; or set its output PIN to VALUE, high or low.

    A PIN is called D1 or DIO1. A line that is an input is not made an output unless that is asked
    for. What is set lasts until the node restarts.
    """
    gateway = session.gateway()
    if pin is None:
        rows = gateway.rows("pins" if known else "sample", node)
        none = "Nothing is known of" if known else "No line is an input or output of"
        session.show(rows, lambda: show_rows(PIN_COLUMNS, rows, f"{none} {node}."))
        return
    if value is None:
        raise misuse(f"Write high or low after {pin}.")
    answer = gateway.struct("set_pin", node, pin, value, *([True] if make_output else []))
    line = f"{text_of(answer, 'name')} of {node} is {text_of(answer, 'text')} now."
    session.show(answer, lambda: click.echo(line))


@main.asking("status")
def status(session: Session) -> None:
    """Say how the gateway and its radio are."""
    answer = session.gateway().struct("status")
    session.show(answer, lambda: _show_status(answer))


def _show_status(answer: Row) -> None:
    console = new_console()
    longest = max((cell_len(clean(key)) for key in answer), default=0)
    for key, value in answer.items():
        if key == "uptime":
            shown = duration(number_of(answer, key))
        elif isinstance(value, float):
            shown = f"{value:g}"
        else:
            shown = clean(str(value))
        if shown:
            line = Text(clean(key.replace("_", " ")).ljust(longest + GAP))
            line.append(shown, style="red" if key == "link" and value != "up" else "")
            console.print(line, soft_wrap=True)


@main.asking("stats")
def stats(session: Session) -> None:
    """Show what went to and from each node."""
    rows = session.gateway().rows("stats")
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
