"""The settings of a node: its AT table, as a file and back, and a successor with the same."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, TypedDict, TypeVar

from zbtwist.control.faults import (
    BAD_ADDRESS,
    BAD_VALUE,
    MAY_CUT_OFF,
    NO_ANSWER,
    NODE_REFUSED,
    ControlFault,
    shown,
)
from zbtwist.control.operations.commands import CommandOperations, exact, fault_of
from zbtwist.control.operations.mappings import told_of_ports
from zbtwist.control.operations.table import operation
from zbtwist.control.settings_file import FileError, SettingsFile, read, to_toml, to_xctu
from zbtwist.network.node import Node
from zbtwist.network.restoring import Change, NotRestored
from zbtwist.network.settings import Setting, SettingsTable
from zbtwist.radio.errors import RadioError
from zbtwist.store.errors import StoreError
from zbtwist.store.records import StoredSettings
from zbtwist.xbee.address import (
    AddressError,
    digi_address64,
    format_address64,
    parse_address64,
)
from zbtwist.xbee.at import encode_as
from zbtwist.xbee.at_table import PARAMETERS, Kind, Parameter, rows_of
from zbtwist.xbee.description import label_text
from zbtwist.xbee.modules import Module

T = TypeVar("T")

#: Words for the formats of a file.
TOML, XCTU = "toml", "xctu"


class SettingRow(TypedDict):
    """One command in ``settings()``."""

    command: Annotated[str, "two characters, as for ``at``"]
    name: Annotated[str, "what it is"]
    group: Annotated[str, "what it belongs to, such as ``Network``; rows come in groups"]
    value: Annotated[int | str | bytes, "int, string or base64, as ``at`` returns it"]
    text: Annotated[str, "the value in words, such as ``9600 bit/s``"]
    unit: Annotated[str, "what one of a number is, such as ``100 ms``; empty for none"]
    range: Annotated[str, "what may be set, such as ``0 to 7``; empty if nothing"]
    words: Annotated[list[list[object]], "of an enumerated value, a ``[number, text]`` for each"]
    stored: Annotated[
        bool,
        "false: it was set through the gateway, and is lost when the node restarts, until ``at`` "
        "with ``WR``; of the local radio nobody knows, and it is true",
    ]
    read_only: Annotated[bool, "it cannot be set"]
    why: Annotated[
        str, "why setting it may cut the node off, a sentence to ask with; empty if it does not"
    ]


class ChangeRow(TypedDict):
    """One command in ``compare_settings()``."""

    command: Annotated[str, "two characters"]
    name: Annotated[str, "what it is"]
    text: Annotated[str, "what the node has, in words; empty for a key, which cannot be read"]
    new_text: Annotated[str, "what the file has, likewise"]
    known: Annotated[
        bool,
        "false: it is left out, since the node does not have it, it cannot be set, or it is a name "
        "(NI) and the file is not surely of this node",
    ]
    why: Annotated[str, "as in ``settings()``"]


class Applied(TypedDict):
    """What ``apply_settings()`` did."""

    changed: Annotated[list[str], "commands that were set, and read back"]
    skipped: Annotated[
        list[str],
        "commands of the file that were left out: the node does not have them, they cannot be set, "
        "or it is a name (NI) and the file is not surely of this node",
    ]
    same: Annotated[int, "how many were so already"]
    written: Annotated[bool, "they are in its flash memory"]


class Replaced(TypedDict):
    """What ``replace()`` did."""

    addr_extended: Annotated[str, "the successor"]
    label: Annotated[str, "its node identifier"]
    tcp_port: Annotated[int, "its port; 0 if there was none to hand on"]
    changed: Annotated[list[str], "commands that were set, and read back"]
    skipped: Annotated[list[str], "commands that it does not have"]
    text: Annotated[str, "what could not be handed on, in a sentence; empty if all was"]


def _text(row: Parameter, value: bytes) -> str:
    if row.is_number:
        return row.text_of(Setting(row, value).number)
    return label_text(value) if row.kind is Kind.TEXT else value.hex()


class SettingsOperations(CommandOperations):
    """Reading, saving and restoring."""

    @operation("settings", ends_with_asker=True, page="settings")
    async def settings(self, address: str) -> list[SettingRow]:
        """Read the table of AT commands of a node, as far as its hardware and firmware have them;
        an empty address is the local radio.

        That is 40 to 80 questions over the air, one after the other, with rests for the streams: it
        takes some seconds, more over several hops, and minutes if the node sleeps. At most two
        tables are read at once. It ends when the caller goes away.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, RADIO_OFFLINE, NO_ANSWER,
            NODE_REFUSED.
        """
        node = self._resolver.node(address) if address else None
        table = await self._table(node)
        return [_row(node, setting) for setting in table.settings.values()]

    def known_settings(self, address: str) -> list[SettingRow]:
        """Return the settings of a node as they were read last, or set since, as `settings` does it
        and without asking it; none if they never were. What can only be read is not among them.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        node = self._resolver.node(address)
        with suppress(StoreError, FileError, ValueError):
            table = self._kept_table(node)
            if table is not None:
                return [_row(node, setting) for setting in table.settings.values()]
        return []

    async def set_setting(self, address: str, command: str, value: int | str | bytes) -> SettingRow:
        """Set a setting of a node as `at` does, and read it back.

        @return: its row in `settings`.
        @raise ControlFault: as `at`; BAD_VALUE also if it is no setting.
        """
        node = self._resolver.node(address)
        row = PARAMETERS.get(command)
        with suppress(StoreError, FileError, ValueError):
            # Another protocol's may be another one.
            table = self._kept_table(node)
            if table is not None and command in table.settings:
                row = table.settings[command].row
        if row is None or not row.is_setting:
            raise ControlFault(BAD_VALUE, f"{shown(command)} is no setting: it was not sent.")
        await self.at(address, command, value)
        answer = await self._command(node, command, None)
        return _row(node, Setting(row, answer))

    @operation("save_settings", ends_with_asker=True, page="save_settings")
    async def save_settings(self, address: str, form: str = TOML) -> str:
        """Return the settings of a node as the text of a file, for ``apply_settings``; they are
        read as ``settings`` does it.

        ``form`` is ``toml``, which people read and compare, or ``xctu``, a profile (``.xml``) of
        Digi's XCTU. Keys cannot be read, and are not in it. The gateway keeps them as well, in case
        the node must be replaced.

        @raise ControlFault: as `settings`, and BAD_VALUE.
        """
        if form not in (TOML, XCTU):
            raise ControlFault(BAD_VALUE, f"{shown(form)} is no form of a file: say toml or xctu.")
        node = self._resolver.node(address) if address else None
        table = await self._table(node)
        return to_xctu(table) if form == XCTU else self._as_toml(node, table)

    @operation("compare_settings", ends_with_asker=True, page="compare_settings")
    async def compare_settings(self, address: str, text: str) -> list[ChangeRow]:
        """Say what ``apply_settings`` would change on a node; an empty address is the local radio,
        which can be compared only.

        @param text: of a file, in either form.
        @raise ControlFault: as `save_settings`; BAD_VALUE too if the file is of other hardware.
        """
        node = self._resolver.node(address) if address else None
        file = _read(text)
        table = await self._table(node)
        changes, skipped = _changes(self._for(node, file), table)
        rows: list[ChangeRow] = [
            {
                "command": change.row.name,
                "name": change.row.meaning,
                "text": "" if change.before is None else _text(change.row, change.before),
                "new_text": "" if change.row.write_only else _text(change.row, change.after),
                "known": True,
                "why": change.row.why,
            }
            for change in changes
            if not change.is_sameness
        ]
        rows += [
            {
                "command": command,
                "name": "",
                "text": "",
                "new_text": str(file.values[command]),
                "known": False,
                "why": "",
            }
            for command in skipped
        ]
        return rows

    @operation("apply_settings", changes=True, page="apply_settings")
    async def apply_settings(
        self, address: str, text: str, sure: bool = False, write: bool = False
    ) -> Applied:
        """Give a node the settings of a file, in either form; those that it has already are left
        alone. A file leaves the node identifier (NI) as it is unless it says that it is of this
        node; a profile of XCTU says of none.

        What is changed is set without effect first, what may cut the node off last; then all is put
        into force (AC), and read back. Only if ``write`` is true is it written to flash memory
        (WR): until then a node that is switched off and on is as it was. A change that may cut the
        node off is fault 11, and nothing is done, unless ``sure`` is true; ``compare_settings``
        says which are. Settings of other hardware are fault 9. What a fault says of a change that
        was broken off names what was set and what was not.

        @raise ControlFault: as `compare_settings`, and MAY_CUT_OFF.
        """
        if not address:
            raise ControlFault(
                BAD_ADDRESS,
                "The local radio is not given the settings of a file, since all nodes could be "
                "lost with it: compare them, and set what you need with at().",
            )
        node = self._resolver.node(address)
        file = _read(text)
        table = await self._table(node)
        changes, skipped = _changes(self._for(node, file), table)
        wanted = [change for change in changes if not change.is_sameness]
        _must_be_meant(node, wanted, sure)
        await self._make_changes(node, table, wanted, write)
        return {
            "changed": [change.row.name for change in wanted],
            "skipped": skipped,
            "same": len(changes) - len(wanted),
            "written": write,
        }

    @operation("replace", changes=True, page="replace")
    async def replace(self, old: str, new: str, sure: bool = False, text: str = "") -> Replaced:
        """Put a module in the place of another one: it gets its settings, which are written to its
        flash memory, its node identifier and its TCP port. The old one is forgotten.

        The settings are those of the file ``text``, or those that the gateway has read last of the
        old one (``settings``, ``save_settings``), or what it answers now. If it has none of these,
        name and port alone are handed on. As in ``apply_settings``, ``sure`` must be true for
        changes that may cut the new one off, and settings of other hardware are fault 9; then
        nothing has changed.

        @raise ControlFault: as `apply_settings`, and PORT_TAKEN, GATEWAY_FAILED.
        """
        gone, successor = self._resolver.node(old), self._resolver.node(new)
        if gone is successor:
            raise ControlFault(BAD_VALUE, f"{gone} cannot take its own place: name another node.")
        with told_of_ports():
            self._bindings.check_replaceable(gone, successor)
        await self._ready_radio()
        file, missing = await self._settings_of(gone, text)
        if gone.label:
            file.values.setdefault("NI", gone.label)
        table = await self._table(successor)
        changes, skipped = _changes(file, table)
        wanted = [change for change in changes if not change.is_sameness]
        _must_be_meant(successor, wanted, sure)
        label = next(
            (label_text(one.after) for one in wanted if one.row.name == "NI"), successor.label or ""
        )
        await self._make_changes(successor, table, wanted, write=True, is_named=False)
        with told_of_ports():
            await self._bindings.replace(gone, successor, label)
        port = self._bindings.port_of(successor)
        return {
            "addr_extended": digi_address64(successor.address64),
            "label": successor.label or "",
            "tcp_port": port.number if port else 0,
            "changed": [change.row.name for change in wanted],
            "skipped": skipped,
            "text": missing,
        }

    # --- what these consist of -----------------------------------------------------------------

    def _for(self, node: Node | None, file: SettingsFile) -> SettingsFile:
        """Return a file as it is meant for a node: the name of another one is none of its settings.

        A profile of XCTU does not say whose it is, and neither may a file that somebody wrote: that
        names nobody, since what is applied to many would give all of them one name.
        """
        whose = node if node is not None else self._radio.facts
        file.may_name = False
        with suppress(AddressError):
            file.may_name = (
                whose is not None
                and bool(file.address)
                and parse_address64(file.address) == whose.address64
            )
        return file

    async def _settings_of(self, node: Node, text: str) -> tuple[SettingsFile, str]:
        """Return the settings of a node that may be dead, and what is missing of them."""
        if text:
            return _read(text), ""
        with suppress(StoreError, FileError):
            kept = self._store.settings_of(node.address64)
            if kept is not None:
                return read(kept.text), ""
        try:
            return read(self._as_toml(node, await self._network.settings.read(node))), ""
        except RadioError:
            return SettingsFile(), (
                f"No settings of {node} were ever read, and it does not answer: the new one keeps "
                "its own."
            )

    async def _table(self, node: Node | None) -> SettingsTable:
        await self._ready_radio(in_network=node is not None)
        try:
            table = await self._network.settings.read(node)
        except RadioError as error:
            raise fault_of(error) from None
        if node is not None:
            self._keep(node, table)
        return table

    def _as_toml(self, node: Node | None, table: SettingsTable) -> str:
        if node is None:
            facts = self._radio.facts
            address = format_address64(facts.address64) if facts is not None else ""
            return to_toml(table, address, "the local radio")
        return to_toml(table, format_address64(node.address64), node.label or "")

    def _keep(self, node: Node, table: SettingsTable) -> None:
        """Keep the settings of a node for its successor; nothing else depends on that."""
        kept = StoredSettings(
            node.address64, self._as_toml(node, table), self._network.nodes.wall()
        )
        with suppress(StoreError):
            self._store.keep_settings(kept)

    async def _command(
        self, node: Node | None, command: str, value: int | str | bytes | None
    ) -> bytes:
        answer = await super()._command(node, command, value)
        if node is not None and value is not None:
            self._keep_change(node, command, value)
        return answer

    def _keep_change(self, node: Node, command: str, value: int | str | bytes) -> None:
        """Let the settings that are kept of a node follow one that was set."""
        with suppress(StoreError, FileError, ValueError):
            table = self._kept_table(node)
            if table is not None and command in table.settings:
                row = table.settings[command].row
                changed = Setting(row, encode_as(row, command, value))
                self._keep(node, replace(table, settings={**table.settings, command: changed}))

    def _kept_table(self, node: Node) -> SettingsTable | None:
        """Return the settings that are kept of a node; None if there are none.

        @raise StoreError: they cannot be had.
        @raise FileError: they make no sense.
        @raise ValueError: likewise.
        """
        kept = self._store.settings_of(node.address64)
        if kept is None:
            return None
        file = read(kept.text)
        if file.hardware is None or file.firmware is None:
            return None
        module = Module(file.hardware, file.firmware)
        rows = rows_of(module)
        settings = {
            name: Setting(rows[name], encode_as(rows[name], name, value))
            for name, value in file.values.items()
            if name in rows
        }
        return SettingsTable(module, settings)

    async def _make_changes(
        self,
        node: Node,
        table: SettingsTable,
        changes: Sequence[Change],
        write: bool,
        is_named: bool = True,
    ) -> None:
        """
        @param is_named: another name is known at once, not when the caller says it.
        @raise ControlFault: not all could be done.
        """
        try:
            await self._network.restorer.change(node, changes, write)
        except NotRestored as error:
            number = NODE_REFUSED if error.has_refused else NO_ANSWER
            raise ControlFault(number, str(error)) from None
        settings = dict(table.settings)
        for change in changes:
            name = change.row.name
            if name in settings:
                settings[name] = Setting(change.row, change.after)
            if name == "NI" and is_named:
                node.label = label_text(change.after)
                self._network.nodes.changed(node)
        self._keep(node, replace(table, settings=settings))


def _row(node: Node | None, setting: Setting) -> SettingRow:
    row = setting.row
    return {
        "command": row.name,
        "name": row.meaning,
        "group": row.group,
        "value": _value(setting),
        "text": _text(row, setting.value),
        "unit": row.unit_text,
        "range": row.range_text,
        "words": [[number, text] for number, text in row.words.items()],
        "stored": node is None or row.name not in node.unwritten,
        "read_only": row.read_only,
        "why": row.why,
    }


def _value(setting: Setting) -> int | str | bytes:
    if setting.row.is_number:
        return exact(setting.number)
    return label_text(setting.value) if setting.row.kind is Kind.TEXT else setting.value


def _read(text: str) -> SettingsFile:
    try:
        return read(text)
    except FileError as error:
        raise ControlFault(BAD_VALUE, str(error)) from None


def _changes(file: SettingsFile, table: SettingsTable) -> tuple[list[Change], list[str]]:
    """Return what a file says of a node's settings, also what is so already; and the commands that
    the node does not have, or nobody can set.

    @raise ControlFault: with `BAD_VALUE`: the file is of other hardware, or has such a value.
    """
    misfit = file.misfit(table.module)
    if misfit:
        raise ControlFault(BAD_VALUE, misfit)
    rows = rows_of(table.module)
    changes: list[Change] = []
    skipped: list[str] = []
    for command, value in file.values.items():
        setting = table.settings.get(command)
        row = setting.row if setting is not None else rows.get(command)
        if row is None or not (row.write_only or (setting is not None and row.is_setting)):
            skipped.append(command)
            continue
        try:
            after = encode_as(row, command, value)
        except ValueError as error:
            raise ControlFault(BAD_VALUE, f"{error}.") from None
        if not after or (row.size and len(after) > max(row.size, 8)):
            raise ControlFault(
                BAD_VALUE, f"{command} takes {row.range_text}, and not {shown(str(value))}."
            )
        change = Change(row, setting.value if setting is not None else None, after)
        if command == "NI" and not (file.may_name or change.is_sameness):
            skipped.append(command)
        else:
            changes.append(change)
    return changes, skipped


def _must_be_meant(node: Node, changes: Sequence[Change], sure: bool) -> None:
    """
    @raise ControlFault: with `MAY_CUT_OFF`, if changes may cut the node off, and nobody is sure.
    """
    if sure:
        return
    whys: dict[str, list[str]] = {}
    for change in changes:
        if change.row.why:
            whys.setdefault(change.row.why, []).append(change.row.name)
    if whys:
        reasons = " ".join(f"{', '.join(names)}: {why}" for why, names in whys.items())
        raise ControlFault(
            MAY_CUT_OFF,
            f"This may cut {node} off, and was not done. {reasons} Call again with sure if "
            "that is meant.",
        )
