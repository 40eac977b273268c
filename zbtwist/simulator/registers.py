"""The AT registers of a simulated module: defaults, ranges, and which of them can be set.

Three copies of the settings exist, as in the real module: what was last set (reads answer this),
what is in force (queued changes wait for AC), and what is in flash (a restart goes back to this).
Defaults and ranges: 90001539 (XBee 3 Zigbee) and 90002002 (S2C), "AT commands".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zbtwist.xbee.status import ATStatus

Value = int | bytes

#: The longest node identifier, in bytes.
MAX_IDENTIFIER = 20


@dataclass(frozen=True, slots=True)
class Register:
    """A setting.

    @ivar default: its value as the module leaves the factory; bytes for text.
    @ivar size: bytes of its value in an answer; for text the longest value.
    @ivar ranges: the numbers that it takes, each pair inclusive; empty for all that fit.
    """

    default: Value
    size: int
    ranges: tuple[tuple[int, int], ...] = ()

    def check(self, value: bytes) -> Value | None:
        """Read the parameter of an AT command.

        @return: what to store, None if the register does not take it.
        """
        if isinstance(self.default, bytes):
            return value if len(value) <= self.size else None
        number = int.from_bytes(value, "big")
        ranges = self.ranges or ((0, (1 << 8 * self.size) - 1),)
        return number if any(low <= number <= high for low, high in ranges) else None

    def to_bytes(self, value: Value) -> bytes:
        """The value as an answer carries it."""
        return value if isinstance(value, bytes) else value.to_bytes(self.size, "big")


def _number(default: int, size: int, *ranges: tuple[int, int]) -> Register:
    return Register(default, size, ranges)


#: What can be set. A pin's values: 0 off, 1 its special function, 2 analog input, 3 digital input,
#: 4 low output, 5 high output.
SETTINGS: Mapping[str, Register] = {
    # Serial line
    "AP": _number(0, 1, (0, 2)),
    "AO": _number(0, 1, (0, 0x0B)),
    "BD": _number(3, 4, (0, 0x0A), (0x4B0, 0xE1000)),
    "NB": _number(0, 1, (0, 3)),
    "SB": _number(0, 1, (0, 1)),
    "RO": _number(3, 1),
    "D6": _number(0, 1, (0, 1), (3, 5)),
    "D7": _number(1, 1, (0, 1), (3, 7)),
    "CT": _number(0x64, 2, (2, 0x28F)),
    "GT": _number(0x3E8, 2, (1, 0xCE4)),
    "CC": _number(0x2B, 1),
    # Addresses and names
    "DH": _number(0, 4),
    "DL": _number(0, 4),
    "NI": Register(b" ", MAX_IDENTIFIER),
    "DD": _number(0x00030000, 4),
    "SE": _number(0xE8, 1),
    "DE": _number(0xE8, 1),
    "CI": _number(0x11, 2),
    "TO": _number(0, 1),
    # Network
    "ID": _number(0, 8),
    "CE": _number(0, 1, (0, 1)),
    "NT": _number(0x3C, 1, (0x20, 0xFF)),
    "NO": _number(0, 1, (0, 7)),
    "NJ": _number(0xFF, 1),
    "NH": _number(0x1E, 1),
    "NW": _number(0, 2, (0, 0x64FF)),
    "BH": _number(0, 1, (0, 0x1E)),
    "AR": _number(0xFF, 1),
    "SC": _number(0x7FFF, 2, (1, 0xFFFF)),
    "SD": _number(3, 1, (0, 7)),
    "ZS": _number(0, 1, (0, 2)),
    "JV": _number(0, 1, (0, 1)),
    "JN": _number(0, 1, (0, 1)),
    "EE": _number(0, 1, (0, 1)),
    "EO": _number(0, 1),
    # Radio and sleep
    "PL": _number(4, 1, (0, 4)),
    "PM": _number(1, 1, (0, 1)),
    "SM": _number(0, 1, (0, 0), (4, 5)),
    "SN": _number(1, 2, (1, 0xFFFF)),
    "SO": _number(0, 1),
    "SP": _number(0x20, 2, (0x20, 0xAF0)),
    "ST": _number(0x1388, 2, (1, 0xFFFE)),
    "WH": _number(0, 2),
    "PO": _number(0, 2, (0, 0x3E8)),
    # Pins and samples
    "D0": _number(1, 1, (0, 5)),
    "D1": _number(0, 1, (0, 5)),
    "D2": _number(0, 1, (0, 5)),
    "D3": _number(0, 1, (0, 5)),
    "D4": _number(0, 1, (0, 0), (3, 5)),
    "D5": _number(1, 1, (0, 1), (3, 5)),
    "D8": _number(1, 1, (0, 1), (3, 5)),
    "D9": _number(1, 1, (0, 1), (3, 5)),
    "P0": _number(1, 1, (0, 5)),
    "P1": _number(0, 1, (0, 5)),
    "P2": _number(0, 1, (0, 5)),
    "P3": _number(1, 1, (0, 1), (3, 5)),
    "P4": _number(1, 1, (0, 1), (3, 5)),
    "IR": _number(0, 2, (0, 0), (0x32, 0xFFFF)),
    "IC": _number(0, 2),
    "PR": _number(0x1FFF, 2),
    "AV": _number(0, 1, (0, 2)),
    "LT": _number(0, 1, (0, 0), (0x14, 0xFF)),
    "RP": _number(0x28, 1),
    "V+": _number(0, 2),
}

#: What can only be read, and the bytes of its value. Which of them a module has is its own matter.
FACTS: Mapping[str, int] = {
    "SH": 4,
    "SL": 4,
    "MY": 2,
    "MP": 2,
    "HV": 2,
    "VR": 2,
    "%V": 2,
    "TP": 2,
    "OP": 8,
    "OI": 2,
    "CH": 1,
    "AI": 1,
    "NP": 2,
    "NC": 1,
    "DB": 1,
}

Fact = Callable[[], int]


class RegisterFile:
    """The registers of one module.

    @ivar active: the settings in force.
    @ivar flash_writes: how often the settings were written to flash.
    """

    def __init__(self, facts: Mapping[str, int | Fact], settings: Mapping[str, Value]) -> None:
        """
        @param facts: what can only be read: a number, or a function that says it when asked.
        @param settings: where this module differs from the defaults of `SETTINGS`; these are its
            factory settings, and need not be within the ranges.
        """
        self._facts = dict(facts)
        self._factory: dict[str, Value] = {
            name: settings.get(name, register.default) for name, register in SETTINGS.items()
        }
        # Copies are shared until one changes: most nodes of a large network never set anything.
        self._flash = self._factory
        self._stored = self._factory
        self.active: Mapping[str, Value] = self._factory
        self.flash_writes = 0

    def __contains__(self, command: str) -> bool:
        return command in self._stored or command in self._facts

    def is_text(self, command: str) -> bool:
        """Whether the value of `command` is text, not a number."""
        return isinstance(self._stored.get(command), bytes)

    def number(self, command: str) -> int:
        """A setting in force, or a fact, that is a number.

        @raise KeyError: there is no such number.
        """
        fact = self._facts.get(command)
        value = self.active[command] if fact is None else fact() if callable(fact) else fact
        if isinstance(value, bytes):
            raise KeyError(command)
        return value

    def text(self, command: str) -> bytes:
        """A setting in force that is text.

        @raise KeyError: there is no such text.
        """
        value = self.active[command]
        if isinstance(value, int):
            raise KeyError(command)
        return value

    def state_fact(self, command: str, value: int | Fact) -> None:
        """Let a read-only register say `value` from now on."""
        self._facts[command] = value

    def read(self, command: str) -> tuple[int, bytes]:
        """
        @return: AT status and value.
        """
        stored = self._stored.get(command)
        if stored is not None:
            return ATStatus.OK, SETTINGS[command].to_bytes(stored)
        if command not in self._facts:
            return ATStatus.INVALID_COMMAND, b""
        size = FACTS[command]
        return ATStatus.OK, (self.number(command) & (1 << 8 * size) - 1).to_bytes(size, "big")

    def store(self, command: str, value: bytes) -> int:
        """Set a register, without putting it into force.

        @return: AT status.
        """
        register = SETTINGS.get(command)
        if register is None:
            return (
                ATStatus.INVALID_PARAMETER if command in self._facts else ATStatus.INVALID_COMMAND
            )
        checked = register.check(value)
        if checked is None:
            return ATStatus.INVALID_PARAMETER
        self._stored = {**self._stored, command: checked}
        return ATStatus.OK

    def apply(self) -> dict[str, Value]:
        """Put everything that was stored into force.

        @return: what changed, with the values before.
        """
        if self.active is self._stored:
            return {}
        before = {
            name: self.active[name]
            for name, value in self._stored.items()
            if self.active[name] != value
        }
        self.active = self._stored
        return before

    def write(self) -> None:
        """Write the settings to flash."""
        self._flash = self._stored
        self.flash_writes += 1

    def restart(self) -> dict[str, Value]:
        """Go back to what flash holds, as a restart does.

        @return: what changed, with the values before.
        """
        self._stored = self._flash
        return self.apply()

    def restore_factory_settings(self) -> None:
        """Go back to the factory settings; flash stays as it is."""
        self._stored = self._factory
