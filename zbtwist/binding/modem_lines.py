"""The lines beside the data of a serial port, and the pins of a node that stand for them.

A module has no DTR of its own, and no break. What a person names pins for is set and read there
(option ``modem-lines``). What has no pin is remembered as it was asked for, and its answer is that
it is so: programs open a port by setting DTR and RTS, and wait for the answer.

At a module's pins, as at those of any UART, a line that is on is low.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zbtwist.network.node import Node
from zbtwist.runtime.option import Context, Mistake
from zbtwist.xbee.pins import OUTPUT_HIGH, OUTPUT_LOW, Pin, pin_named

#: What a client sets, and what it reads.
OUTPUTS = DTR, RTS, BREAK = "dtr", "rts", "break"
INPUTS = CTS, DSR, RI, DCD = "cts", "dsr", "ri", "dcd"

#: What is behind a pin that is high when its line is on.
_HIGH = ":high"

#: The pins that carry the data themselves.
_DATA_PINS = ("P3", "P4")

#: How lines are that have no pin, or whose pin was not read yet: as a program needs them to go on.
_UNKNOWN = {CTS: True, DSR: True, RI: False, DCD: True, DTR: True, RTS: True, BREAK: False}


@dataclass(frozen=True, slots=True)
class ModemLine:
    """
    @ivar name: one of `OUTPUTS` or `INPUTS`.
    @ivar pin: which stands for it.
    @ivar is_high: whether the pin is high when the line is on.
    """

    name: str
    pin: Pin
    is_high: bool = False

    def mode_of(self, is_on: bool) -> int:
        """Return what the pin is to be set up as."""
        return OUTPUT_HIGH if is_on == self.is_high else OUTPUT_LOW

    def __str__(self) -> str:
        return f"{self.name}={self.pin.command}{_HIGH if self.is_high else ''}"


def modem_lines(text: str, context: Context) -> tuple[ModemLine, ...]:
    """Read the option: a line each, such as ``dtr=D4``; see `zbtwist.runtime.option.Parser`."""
    lines = tuple(_line(word) for word in re.split(r"[,\s]+", text) if word)
    for values in ([line.name for line in lines], [line.pin.command for line in lines]):
        for line, value in zip(lines, values):
            if values.count(value) > 1:
                raise Mistake(f"has {line}, and {value} once more: each stands there once.")
    return lines


def _line(word: str) -> ModemLine:
    name, _, place = word.partition("=")
    is_high = place.endswith(_HIGH)
    pin = pin_named(place.removesuffix(_HIGH)) if place else None
    if name not in (*OUTPUTS, *INPUTS) or pin is None:
        raise Mistake(
            f"must be lines and their pins, such as dtr=D4 or cts=D1:high, not {word!r}; the lines "
            f"are {', '.join((*OUTPUTS, *INPUTS))}, the pins D0 to D9 and P0 to P4."
        )
    if pin.command in _DATA_PINS:
        raise Mistake(f"cannot have {word}: {pin.command} carries the bytes of the serial line.")
    return ModemLine(name, pin, is_high)


class ModemState:
    """How the lines of one node are.

    @ivar said: those without a pin, or whose pin was set, as they were set last.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.said: dict[str, bool] = {}

    def is_on(self, name: str, lines: Iterable[ModemLine]) -> bool:
        """Whether a line is on, as far as is known.

        @param lines: those that have pins.
        """
        pins = self._node.pins
        for line in lines:
            if line.name == name and pins is not None:
                reading = pins.digital.get(line.pin.line)
                if reading is not None:
                    return bool(reading.raw) == line.is_high
        return self.said.get(name, _UNKNOWN[name])

    def inputs(self, lines: Iterable[ModemLine]) -> Mapping[str, bool]:
        """Return those that a client reads."""
        return {name: self.is_on(name, lines) for name in INPUTS}
