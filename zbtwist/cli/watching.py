"""What passes between a node and its clients, packet by packet, as it comes."""

from __future__ import annotations

from datetime import datetime

import click
from rich.text import Text

from zbtwist.cli.client import Gateway, Row
from zbtwist.cli.following import ask_for_ever
from zbtwist.cli.options import Session, print_json
from zbtwist.cli.progress import error_console
from zbtwist.cli.tables import new_console
from zbtwist.cli.words import number_of, text_of

#: Seconds between two looks.
WATCH_INTERVAL = 0.5

#: How bytes are shown.
AUTO, TEXT, HEX = "auto", "text", "hex"

_SHORT = {"\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\"}


def watch_node(session: Session, gateway: Gateway, node: str, form: str) -> None:
    """Show what passes, for ever; a gateway that restarts is waited for."""
    seq = -1
    if (console := error_console()).is_terminal:
        # Or whoever waits wonders for what.
        console.print("What passes from now on is shown; Control-C ends it.", style="dim")

    def ask() -> None:
        nonlocal seq
        answer = gateway.struct("watch", node, seq)
        lost = number_of(answer, "lost")
        if lost:
            click.echo(f"zbctl: {lost:.0f} packets before these are forgotten.", err=True)
        packets = answer.get("packets")
        for packet in packets if isinstance(packets, list) else []:
            _show(session, packet, form)
        seq = int(number_of(answer, "seq"))

    ask_for_ever(ask, WATCH_INTERVAL)


def _show(session: Session, packet: Row, form: str) -> None:
    data = packet.get("data")
    data = data if isinstance(data, bytes) else b""
    if session.as_json:
        print_json({**packet, "data": data.hex()})
        return
    is_to_node = text_of(packet, "direction") == "to_node"
    when = f"{datetime.fromtimestamp(number_of(packet, 'time')):%H:%M:%S.%f}"[:-3]
    line = Text(f"{when}  ")
    line.append(f"{'to' if is_to_node else 'from':<4}  ", style="cyan" if is_to_node else "green")
    line.append(shown(data, form))
    new_console().print(line, soft_wrap=True)


def shown(data: bytes, form: str = AUTO) -> str:
    """Return bytes as text on one line if that is what they are, else in hexadecimal.

    @param form: `AUTO`; `TEXT` or `HEX` whatever they are.
    """
    if form == HEX or (form == AUTO and not _is_text(data)):
        return data.hex(" ")
    return "".join(
        _SHORT.get(character) or (character if character.isprintable() else _escaped(character))
        for character in data.decode("utf-8", "surrogateescape")
    )


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t" for character in text)


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
