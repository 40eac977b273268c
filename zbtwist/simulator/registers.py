"""The AT registers of a simulated module: defaults, ranges, and which of them can be set.

Three copies of the settings exist, as in the real module: what was last set (reads answer this),
what is in force (queued changes wait for AC), and what is in flash (a restart goes back to this).
Defaults, ranges, and which module has which: `zbtwist.xbee.at_table`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from zbtwist.xbee.at_table import PARAMETERS, Parameter, rows_of
from zbtwist.xbee.modules import Module
from zbtwist.xbee.status import ATStatus

Value = int | bytes


@dataclass(frozen=True, slots=True)
class Register:
    """A setting.

    @ivar default: its value as the module leaves the factory; bytes for text and keys.
    @ivar size: bytes of its value in an answer; for text the longest value.
    @ivar ranges: the numbers that it takes, each pair inclusive; empty for all that fit.
    @ivar is_secret: a key, which nothing reads.
    """

    default: Value
    size: int
    ranges: tuple[tuple[int, int], ...] = ()
    is_secret: bool = False

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
        if self.is_secret:
            # OK, and no value (90001539, "KY").
            return b""
        return value if isinstance(value, bytes) else value.to_bytes(self.size, "big")


#: What can be set, of any Zigbee module.
SETTINGS: Mapping[str, Register] = {
    row.name: Register(row.default, row.size, row.ranges, row.write_only)
    for row in PARAMETERS.values()
    if row.default is not None
}

#: What can only be read, and the bytes of its value. Which of them a module has is its own matter.
FACTS: Mapping[str, int] = {row.name: row.size for row in PARAMETERS.values() if row.read_only}

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
        self._rows = self._rows_of_module()
        self._factory: dict[str, Value] = {
            name: settings.get(name, register.default) for name, register in SETTINGS.items()
        }
        # Copies are shared until one changes: most nodes of a large network never set anything.
        self._flash = self._factory
        self._stored = self._factory
        self.active: Mapping[str, Value] = self._factory
        self.flash_writes = 0

    def _rows_of_module(self) -> Mapping[str, Parameter]:
        hardware, firmware = self._facts.get("HV"), self._facts.get("VR")
        assert isinstance(hardware, int) and isinstance(firmware, int)
        return rows_of(Module(hardware, firmware))

    def __contains__(self, command: str) -> bool:
        return command in self._rows and (command in self._stored or command in self._facts)

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
        """Let a read-only register say `value` from now on.

        With another HV or VR it is another module, which may have other commands.
        """
        self._facts[command] = value
        if command in ("HV", "VR"):
            self._rows = self._rows_of_module()

    def read(self, command: str) -> tuple[int, bytes]:
        """
        @return: AT status and value.
        """
        if command not in self._rows:
            return ATStatus.INVALID_COMMAND, b""
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
        register = SETTINGS.get(command) if command in self._rows else None
        if register is None:
            return (
                ATStatus.INVALID_PARAMETER if command in self._facts else ATStatus.INVALID_COMMAND
            )
        checked = replace(register, ranges=self._rows[command].ranges).check(value)
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
