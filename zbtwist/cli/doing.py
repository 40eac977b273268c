"""The commands that reach a node's radio: settings, tests, lines, and what it is told to do."""

from __future__ import annotations

import xmlrpc.client
from typing import TextIO

import click

from zbtwist.cli.client import (
    PROGRESS_TIMEOUT,
    TEST_TIMEOUT,
)
from zbtwist.cli.options import (
    ATValue,
    NodeName,
    Session,
    Words,
    ask_first,
    misuse,
    sure_option,
)
from zbtwist.cli.progress import PROGRESS_INTERVAL, Look, error_console, run_visibly
from zbtwist.cli.root import main
from zbtwist.cli.settings import address_named, replace_node, settings, show_settings
from zbtwist.cli.tables import (
    PIN_COLUMNS,
    show_rows,
)
from zbtwist.cli.words import (
    at_answer,
    at_line,
    link_test_lines,
    number_of,
    text_of,
)
from zbtwist.xbee.at import PARAMETERS, encode_value


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
    address = address_named(node)
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


@main.asking("test", "test_result", "end_test", short_help="Test the way to a node.")
@click.argument("node", type=NodeName())
@click.option(
    "--count", "-c", type=click.IntRange(1, 1000), default=10, help="Packets; 10 by default."
)
@click.option(
    "--size", "-s", type=click.IntRange(24, 84), default=64, help="Bytes of each; 64 by default."
)
@click.option("--end", is_flag=True, help="End the test of NODE that somebody else has begun.")
def test(session: Session, node: str, count: int, size: int, end: bool) -> None:
    """Test the way to NODE: packets that its radio sends back are counted and timed.

    They do not reach its serial line, and streams go on meanwhile. Control-C ends the test.
    """
    if end:
        answer = session.gateway().struct("end_test", node)
        lines = link_test_lines(answer) if answer.get("began") else [f"{node} was never tested."]
        session.show(answer, lambda: click.echo("\n".join(lines)))
        return
    gateway = session.gateway(TEST_TIMEOUT)
    console = error_console()
    if console.is_terminal:
        observer = session.gateway_within(PROGRESS_TIMEOUT)

        def look() -> Look:
            seen = observer.struct("test_result", node)
            # Why one did not come back is said at the end: here the bar needs the room.
            text = text_of(seen, "text").partition(";")[0] if seen.get("running") else ""
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
