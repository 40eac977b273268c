"""zbctl settings: the settings of a node on the terminal, in a file, and back; a successor."""

from __future__ import annotations

import re
from typing import Any, TextIO

import click

from zbtwist.cli.client import SETTINGS_TIMEOUT, Failure, Refused, Row, Unsure
from zbtwist.cli.options import (
    SAY_YES,
    Commands,
    NodeName,
    Session,
    ask_first,
    print_json,
    sure_option,
)
from zbtwist.cli.tables import Column, show_rows
from zbtwist.cli.words import number_of, text_of

#: Characters of a file that are read: more than the gateway takes.
MAX_FILE = 1 << 17

#: The characters that no document of XML has (XML 1.0, section 2.2), and so no call of the gateway.
_NO_TEXT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _value(row: Row) -> str:
    value, text = row.get("value"), text_of(row, "text")
    if isinstance(value, (int, float)) and text not in (f"{value:.0f}", f"{int(value):#x}"):
        return f"{value:.0f}  {text}"
    return text or "-"


SETTINGS_COLUMNS = (
    Column("", lambda row: text_of(row, "command"), 0),
    Column("value", _value, 1, least=16, most=24),
    Column("", lambda row: "not in flash" if row.get("unwritten") else "", 2, key="unwritten",
           style=lambda row: "red"),
    Column("what it is", lambda row: text_of(row, "name"), 3, least=24),
    Column("may be", lambda row: text_of(row, "range"), 4, key="range"),
)  # fmt: skip

CHANGE_COLUMNS = (
    Column("", lambda row: text_of(row, "command"), 0),
    Column("node", lambda row: text_of(row, "text") or "-", 1, least=12),
    Column("file", lambda row: text_of(row, "new_text") or "-", 1, least=12),
    Column("", lambda row: "" if row.get("known") else "left out", 2),
    Column("what it is", lambda row: text_of(row, "name"), 3, least=12),
)

settings = Commands(
    "settings",
    is_part=True,
    short_help="Show, save and restore the settings of nodes.",
    help="Show the settings of a node, save them in a file, and give nodes the settings of a file.",
)


def show_settings(session: Session, address: str) -> None:
    """Show the table of a node."""
    rows = session.gateway(SETTINGS_TIMEOUT).rows("settings", address)
    shown = [{**row, "unwritten": row.get("stored") is False} for row in rows]
    session.show(rows, lambda: show_rows(SETTINGS_COLUMNS, shown, "The node told no setting."))


@settings.asking("settings", name="show", short_help="Show the settings of a node.")
@click.argument("node", type=NodeName())
def show(session: Session, node: str) -> None:
    """Show all settings of NODE, and which of them are not in its flash memory.

    They are read from the node, which takes seconds, or minutes if it sleeps. "radio" is the local
    radio.
    """
    show_settings(session, address_named(node))


@settings.asking("save_settings", name="save", short_help="Save the settings of a node in a file.")
@click.argument("node", type=NodeName())
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def save(session: Session, node: str, file: str) -> None:
    """Write the settings of NODE into FILE: TOML, or a profile of XCTU if its name ends with .xml.

    - is the standard output. Keys cannot be read, and are not in it.
    """
    form = "xctu" if file.lower().endswith(".xml") else "toml"
    address = address_named(node)
    text = session.gateway(SETTINGS_TIMEOUT).call("save_settings", address, form)
    if not isinstance(text, str):
        raise Failure("The gateway's answer makes no sense: is it one?")
    if file == "-":
        session.show(text, lambda: click.echo(text, nl=False))
        return
    try:
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from None
    session.show(text, lambda: click.echo(f"The settings of {node} are in {file} now."))


@settings.asking("compare_settings", name="diff", short_help="Compare a node with a file.")
@click.argument("node", type=NodeName())
@click.argument("file", type=click.File(encoding="utf-8"))
def diff(session: Session, node: str, file: TextIO) -> None:
    """Show which settings of NODE are others than those of FILE.

    "radio" is the local radio.
    """
    gateway = session.gateway(SETTINGS_TIMEOUT)
    rows = gateway.rows("compare_settings", address_named(node), _text_of(file))
    session.show(rows, lambda: show_rows(CHANGE_COLUMNS, rows, f"{node} is as {file.name} says."))


@settings.asking("apply_settings", name="apply", short_help="Give nodes the settings of a file.")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.argument("nodes", nargs=-1, required=True, type=NodeName(), metavar="NODE...")
@click.option(
    "--write", is_flag=True, help="Write them to flash memory as well, when they were read back."
)
@sure_option
def apply(
    session: Session, file: TextIO, nodes: tuple[str, ...], write: bool, is_sure: bool
) -> None:
    """Give each NODE the settings of FILE, and read them back.

    Without --write a node is as it was when it is switched off and on. If one node fails, the
    others have their turn all the same. The local radio is given no file: zbctl at radio sets what
    it is to have.
    """
    text = _text_of(file)
    gateway = session.gateway(SETTINGS_TIMEOUT)
    answers: dict[str, Any] = {}
    failures = 0
    for node in nodes:
        try:
            try:
                answer = gateway.struct("apply_settings", address_named(node), text, is_sure, write)
            except Unsure as fault:
                _ask(fault, is_sure)
                answer = gateway.struct("apply_settings", address_named(node), text, True, write)
        except Refused as fault:  # each is told
            failures += 1
            fault.show()
            continue
        answers[node] = answer
        if not session.as_json:
            click.echo(_applied(node, answer))
    if session.as_json:
        print_json(answers, indent=2)
    if failures:
        click.get_current_context().exit(Refused.exit_code)


def replace_node(session: Session, old: str, new: str, file: TextIO | None, is_sure: bool) -> None:
    """Put a module in the place of another one."""
    gateway = session.gateway(SETTINGS_TIMEOUT)
    text = "" if file is None else _text_of(file)
    try:
        answer = gateway.struct("replace", old, new, is_sure, text)
    except Unsure as fault:
        _ask(fault, is_sure)
        answer = gateway.struct("replace", old, new, True, text)
    session.show(answer, lambda: click.echo(_replaced(new, answer)))


def _ask(fault: Unsure, is_sure: bool) -> None:
    try:
        ask_first(fault.message.removesuffix(f" {SAY_YES}"), is_sure)
    except Failure:
        # It was the gateway that said no.
        raise fault from None


def _applied(node: str, answer: Row) -> str:
    changed = _words(answer, "changed")
    if changed:
        flash = "written to flash memory" if answer.get("written") else "not in flash memory yet"
        sentence = f"{node} has {changed} as the file says, {flash}."
    else:
        sentence = f"{node} was so already."
    same, skipped = number_of(answer, "same"), _words(answer, "skipped")
    if changed and same:
        sentence += f" {same:.0f} were so already."
    return sentence + (f" Left out: {skipped}." if skipped else "")


def _replaced(new: str, answer: Row) -> str:
    port = number_of(answer, "tcp_port")
    name = text_of(answer, "label")
    changed, skipped = _words(answer, "changed"), _words(answer, "skipped")
    sentence = f"{new} is {name or 'without a name'}" + (f" at port {port:.0f}" if port else "")
    sentence += f" now. Set: {changed}." if changed else " now. Its settings were the same."
    if skipped:
        sentence += f" Left out: {skipped}."
    return " ".join(filter(None, (sentence, text_of(answer, "text"))))


def _words(row: Row, key: str) -> str:
    value = row.get(key)
    return ", ".join(map(str, value)) if isinstance(value, list) else ""


def address_named(node: str) -> str:
    """Return what the gateway calls a node that the user has named."""
    return "" if node == "radio" else node


def _text_of(file: TextIO) -> str:
    """
    @raise Failure: it is no text.
    """
    try:
        text = file.read(MAX_FILE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise Failure(f"{file.name} cannot be read: {reason}.") from None
    if _NO_TEXT.search(text):
        # Nor could they be sent.
        raise Failure(f"{file.name} cannot be read: it is no text.")
    return text
