"""A node's settings as a file that people read, write and compare: TOML, or a profile of XCTU.

The same settings are always the same text, so that a comparison of two files shows what differs and
nothing else. Keys cannot be read from a module (90001539, "KY"), and the file says so; whoever adds
them has them set.

XCTU's profile is XML: ``data/profile/description_file``, which names the firmware, and
``settings/setting@command`` with hexadecimal numbers (profiles of XCTU 6 as people publish them).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from zbtwist.network.settings import Setting, SettingsTable
from zbtwist.xbee.at_table import PARAMETERS, Kind, rows_of
from zbtwist.xbee.modules import Module

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The format of the file, in case there will be another one.
FORMAT = 1

#: Characters of a file that is read, and settings in it: no module has half as many.
MAX_TEXT = 1 << 16
MAX_SETTINGS = 256

_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
_COMMAND = re.compile(r"[!-~]{2}")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PROFILE_NAME = re.compile(r"_([0-9A-Fa-f]{4})(?=[_.])")

#: How XCTU writes a name that is one blank, as modules leave the factory.
_BLANK = "0x20"

#: How XCTU calls descriptions of firmware, before its number and behind it, as far as is known.
_DESCRIPTIONS = {
    "S2": ("XB24-ZB", ""),
    "S2B": ("XBP24-ZB", "_S2B"),
    "S2C": ("XB24C", ""),
    "XBee 3": ("XB3-24Z", ""),
}
#: What such a name tells of the hardware.
_SERIES = (
    (re.compile(r"_S2B\b"), "S2B"),
    (re.compile("^XBP?24C"), "S2C"),
    (re.compile("^XB3"), "XBee 3"),
)

Value = int | str | bytes


class FileError(ValueError):
    """A file makes no sense. The text is a sentence for the user."""


@dataclass(slots=True)
class SettingsFile:
    """
    @ivar values: by command.
    @ivar hardware: HV of the module that they are of; None if nobody says.
    @ivar firmware: its VR, likewise.
    @ivar series: of the module, if the file tells that and no HV.
    @ivar name: its node identifier, for people.
    @ivar may_name: whether its node identifier is one of the settings to be given. It is not if the
        node that they are for may be another one than the file is of.
    """

    values: dict[str, Value] = field(default_factory=dict)
    hardware: int | None = None
    firmware: int | None = None
    series: str = ""
    address: str = ""
    name: str = ""
    may_name: bool = True

    def misfit(self, module: Module) -> str:
        """Return why these settings are not for that module, a sentence; empty if they are."""
        if self.hardware is not None and self.firmware is not None:
            of = Module(self.hardware, self.firmware)
            differs = (of.series, of.protocol, of.role) != (
                module.series,
                module.protocol,
                module.role,
            )
            # Of modules that nobody knows, only the same will do.
            if differs or (not of.series and of != module):
                return (
                    f"The settings are of {of}{_as(of.role)}, and this is "
                    f"{module}{_as(module.role)}: their settings mean different things. Take a "
                    "module of the same kind and firmware, or set what you need with at."
                )
            return ""
        said = Module(module.hardware, self.firmware) if self.firmware is not None else module
        if (
            (self.series and self.series != module.series)
            or said.protocol != module.protocol
            or said.role != module.role
        ):
            return (
                f"The settings are of {self.series or 'a module'} with firmware "
                f"{self.firmware or 0:04X}, and this is {module}: their settings mean different "
                "things. Take a module of the same kind and firmware."
            )
        return ""


def _as(role: str) -> str:
    return f" ({role})" if role else ""


# --- writing -----------------------------------------------------------------------------------


def to_toml(table: SettingsTable, address: str, name: str) -> str:
    """Return the file of a node's settings."""
    module = table.module
    lines = [
        f"# Settings of {_comment(name) or 'a node'} ({address}): {module}.",
        "# Numbers may be written in decimal or hexadecimal (0x1f), other values in quotes.",
        *_about_keys(module),
        "",
        f"format = {FORMAT}",
        f'address = "{address}"',
        f"name = {_quoted(name)}",
        f'hardware = "{module.hardware:04X}"',
        f'firmware = "{module.firmware:04X}"',
        "",
        "[settings]",
    ]
    group = ""
    for command, setting in table.settings.items():
        row = setting.row
        if not row.is_setting:
            continue
        if row.group != group:
            group = row.group
            lines += ["", f"# {group}"]
        key = command if _BARE.fullmatch(command) else f'"{command}"'
        lines.append(f"{f'{key} = {_toml_value(setting)}':28}  # {_explained(setting)}")
    return "\n".join(lines) + "\n"


def _about_keys(module: Module) -> list[str]:
    keys = [row.name for row in rows_of(module).values() if row.write_only]
    if not keys:
        return []
    return [
        f"# Keys ({', '.join(keys)}) cannot be read from a module and are not here. To have one",
        f'# set, add it below: {keys[0]} = "hex:00112233445566778899aabbccddeeff".',
    ]


def _toml_value(setting: Setting) -> str:
    row = setting.row
    if row.is_number:
        number = setting.number
        return f"0x{number:0{2 * row.size}x}" if row.is_hexadecimal else str(number)
    text = _text_of(setting.value) if row.kind is Kind.TEXT else None
    return _quoted(f"hex:{setting.value.hex()}" if text is None else text)


def _text_of(value: bytes) -> str | None:
    """Return the text of a value; None if it has none that is the same bytes again."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and not text.startswith("hex:") else None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(c for c in escaped if c.isprintable())}"'


def _comment(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _explained(setting: Setting) -> str:
    row = setting.row
    if not row.is_number:
        return row.meaning
    text = row.text_of(setting.number)
    return (
        row.meaning
        if text in (str(setting.number), f"{setting.number:#x}")
        else f"{row.meaning}: {text}"
    )


def to_xctu(table: SettingsTable) -> str:
    """Return a profile of XCTU of a node's settings."""
    module = table.module
    before, behind = _DESCRIPTIONS.get(module.series, ("XB", ""))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "",
        "<data>",
        "  <profile>",
        f"    <description_file>{before}_{module.firmware:04X}{behind}.xml</description_file>",
        "    <settings>",
    ]
    values = {
        command: _xctu_value(setting)
        for command, setting in table.settings.items()
        if setting.row.is_setting
    }
    # As XCTU does: they are there, and empty.
    values.update((row.name, "") for row in rows_of(module).values() if row.write_only)
    lines += [
        f'      <setting command="{escape(command, {chr(34): "&quot;"})}">{value}</setting>'
        for command, value in values.items()
    ]
    return "\n".join([*lines, "    </settings>", "  </profile>", "</data>", ""])


def _xctu_value(setting: Setting) -> str:
    if setting.row.is_number:
        return f"{setting.number:X}"
    if setting.row.kind is Kind.TEXT:
        text = "".join(c for c in setting.value.decode("utf-8", "replace") if c.isprintable())
        return _BLANK if text == " " else escape(text)
    return setting.value.hex().upper()


# --- reading -----------------------------------------------------------------------------------


def read(text: str) -> SettingsFile:
    """Read a file of either format.

    @raise FileError: it makes no sense.
    """
    if len(text) > MAX_TEXT:
        raise FileError(
            f"The settings have {len(text)} characters, and no module's have {MAX_TEXT}: it is "
            "another file."
        )
    made = _read_xctu(text) if text.lstrip("\ufeff \r\n\t").startswith("<") else _read_toml(text)
    if not made.values:
        raise FileError("There are no settings in it: it is another file, or empty.")
    if len(made.values) > MAX_SETTINGS:
        raise FileError(f"There are {len(made.values)} settings in it, and no module has as many.")
    for command in made.values:
        if not _COMMAND.fullmatch(command):
            raise FileError(
                f"{command[:30]!r} is no AT command: those have two characters, such as NI."
            )
    return made


def _read_toml(text: str) -> SettingsFile:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise FileError(f"The settings are no TOML: {error or 'too deep'}.") from None
    settings = document.pop("settings", {})
    if document.pop("format", FORMAT) != FORMAT:
        raise FileError("The settings are of a later version of this program: use that one.")
    made = SettingsFile()
    for key in ("hardware", "firmware"):
        value = document.pop(key, None)
        if value is None:
            continue
        if not isinstance(value, str) or not _HEX4.fullmatch(value):
            raise FileError(f'{key} must be four hexadecimal digits, such as {key} = "2D47".')
        setattr(made, key, int(value, 16))
    for key in ("address", "name"):
        value = document.pop(key, "")
        if isinstance(value, str):
            setattr(made, key, value)
    if document:
        raise FileError(
            f"{next(iter(document))[:30]!r} is nothing that stands before [settings]: settings "
            "stand below that line."
        )
    if not isinstance(settings, dict):
        raise FileError("[settings] must be a table: write each setting in a line below it.")
    for command, value in settings.items():
        if command.upper() in made.values:
            raise _twice(command)
        made.values[command.upper()] = _value_of(command, value)
    return made


def _twice(command: str) -> FileError:
    return FileError(
        f"{command[:30].upper()} stands there twice: take out the one that is not meant."
    )


def _value_of(command: str, value: Any) -> Value:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise FileError(
            f"{command[:30]} must be a number, or text in quotes, not {str(value)[:30]!r}."
        )
    if value.startswith("hex:"):
        try:
            return bytes.fromhex(value[4:])
        except ValueError:
            raise FileError(
                f"{command[:30]} needs an even number of hexadecimal digits behind hex:."
            ) from None
    return value


class _Profile:
    """What expat finds in a profile."""

    def __init__(self) -> None:
        self.description = ""
        self.settings: dict[str, str] = {}
        self._path: list[str] = []
        self._command = ""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._path.append(tag)
        if len(self._path) > 8:
            raise FileError("The settings are no profile of XCTU: it is too deep.")
        if tag == "setting":
            self._command = attributes.get("command", "").upper()
            if self._command in self.settings:
                raise _twice(self._command)
            self.settings[self._command] = ""

    def end(self, tag: str) -> None:
        self._path.pop()

    def text(self, data: str) -> None:
        tag = self._path[-1] if self._path else ""
        if tag == "setting":
            self.settings[self._command] += data
        elif tag == "description_file":
            self.description += data


def _read_xctu(text: str) -> SettingsFile:
    profile = _Profile()
    parser = expat.ParserCreate()
    parser.StartElementHandler = profile.start
    parser.EndElementHandler = profile.end
    parser.CharacterDataHandler = profile.text

    def refuse(*_: object) -> None:
        raise FileError("A profile with a DOCTYPE is not read: take it out.")

    parser.StartDoctypeDeclHandler = refuse
    try:
        # What it says of its encoding was true of the file.
        parser.Parse(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")).encode(), True)
    except expat.ExpatError as error:
        raise FileError(f"The settings are no XML: {error}.") from None
    description = profile.description.strip()
    found = _PROFILE_NAME.search(description)
    made = SettingsFile(firmware=int(found[1], 16) if found else None)
    made.series = next((series for like, series in _SERIES if like.search(description)), "")
    for command, value in profile.settings.items():
        # A key, which XCTU cannot read either.
        if value.strip():
            made.values[command] = _xctu_number_or_text(command, value)
    return made


def _xctu_number_or_text(command: str, value: str) -> Value:
    row = PARAMETERS.get(command)
    if row is not None and row.kind is Kind.TEXT:
        return " " if value.strip() == _BLANK else value.strip()
    try:
        if row is not None and row.kind is Kind.BYTES:
            return bytes.fromhex(value.strip())
        return int(value.strip(), 16)
    except ValueError:
        raise FileError(f"{command[:30]} is {value.strip()[:30]!r}, which is no number.") from None
