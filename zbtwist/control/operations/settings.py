"""The settings of a node: its AT table, read, set, and saved as a file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Annotated, TypedDict, TypeVar

from zbtwist.control.faults import BAD_VALUE, ControlFault, shown
from zbtwist.control.operations.commands import CommandOperations, exact, fault_of
from zbtwist.control.operations.table import operation
from zbtwist.control.settings_file import FileError, read, to_toml, to_xctu
from zbtwist.network.node import Node
from zbtwist.network.settings import Setting, SettingsTable
from zbtwist.radio.errors import RadioError
from zbtwist.store.errors import StoreError
from zbtwist.store.records import StoredSettings
from zbtwist.xbee.address import format_address64
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


def words_of(row: Parameter, value: bytes) -> str:
    """Return the value of a setting as people read it."""
    if row.is_number:
        return row.text_of(Setting(row, value).number)
    return label_text(value) if row.kind is Kind.TEXT else value.hex()


class SettingsOperations(CommandOperations):
    """Reading, setting and saving."""

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

    # --- what these consist of -----------------------------------------------------------------

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


def _row(node: Node | None, setting: Setting) -> SettingRow:
    row = setting.row
    return {
        "command": row.name,
        "name": row.meaning,
        "group": row.group,
        "value": _value(setting),
        "text": words_of(row, setting.value),
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
