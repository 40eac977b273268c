"""What a file says of a node's settings: compared with what it has, given to it, to a successor."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, TypedDict

from zbtwist.control.faults import (
    BAD_ADDRESS,
    BAD_VALUE,
    MAY_CUT_OFF,
    NO_ANSWER,
    NODE_REFUSED,
    ControlFault,
    shown,
)
from zbtwist.control.operations.mappings import told_of_ports
from zbtwist.control.operations.settings import SettingsOperations, words_of
from zbtwist.control.operations.table import operation
from zbtwist.control.settings_file import FileError, SettingsFile, read
from zbtwist.network.node import Node
from zbtwist.network.restoring import Change, NotRestored
from zbtwist.network.settings import Setting, SettingsTable
from zbtwist.radio.errors import RadioError
from zbtwist.store.errors import StoreError
from zbtwist.xbee.address import AddressError, digi_address64, parse_address64
from zbtwist.xbee.at import encode_as
from zbtwist.xbee.at_table import rows_of
from zbtwist.xbee.description import label_text


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


class RestoringOperations(SettingsOperations):
    """Comparing, restoring, and replacing."""

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
                "text": "" if change.before is None else words_of(change.row, change.before),
                "new_text": "" if change.row.write_only else words_of(change.row, change.after),
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
