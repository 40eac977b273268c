"""What is known of one node's lines: what each is set up as, and what it read last.

Readings are kept as they came; volts are made of them where somebody looks, since what they mean
may become known later: it takes the node's HV, and with an XBee 3 its AV.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from zbtwist.xbee.pins import (
    ANALOG,
    FULL_SCALE,
    INPUT,
    OUTPUT_HIGH,
    OUTPUT_LOW,
    PIN_OF_CHANNEL,
    PIN_OF_LINE,
    PINS,
    SUPPLY,
    Pin,
    analog_name,
    full_scale_millivolts,
)
from zbtwist.xbee.samples import SUPPLY_VOLTAGE, IOSample, supply_millivolts

#: What a line reads.
DIGITAL_KIND, ANALOG_KIND, SUPPLY_KIND, OTHER_KIND = "digital", "analog", "supply", "other"

_OUTPUTS = (OUTPUT_LOW, OUTPUT_HIGH)


class Reading(NamedTuple):
    """What was read of a line: as it came, and when, in seconds since 1970."""

    raw: int
    at: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line for people and programs.

    @ivar command: the AT command that sets it up, such as ``D1``; empty for the supply voltage.
    @ivar name: ``DIO1``, ``AD1``, ``supply``.
    @ivar kind: `DIGITAL_KIND` and its neighbours.
    @ivar mode: what it is set up as, in words; empty if that is not known.
    @ivar reading: None if it was not read.
    @ivar value: 0 or 1 of a digital line; else in `unit`. 0 if it was not read.
    @ivar unit: ``mV``; empty if there is none, or it is not known how to make volts of a reading.
    @ivar is_output: whether it can be set.
    """

    command: str
    name: str
    kind: str
    mode: str
    reading: Reading | None
    value: float
    unit: str
    is_output: bool

    @property
    def text(self) -> str:
        """What was read, in words; empty if nothing was."""
        if self.reading is None:
            return ""
        if self.kind == DIGITAL_KIND:
            return "high" if self.value else "low"
        if self.unit:
            return f"{self.value:.0f} {self.unit}"
        return f"{self.reading.raw} of {FULL_SCALE}" if self.kind == ANALOG_KIND else ""


@dataclass(slots=True)
class NodePins:
    """What is known of the lines of a node. It has no more entries than a module has lines.

    @ivar modes: what lines are set up as, by their AT command.
    @ivar digital: the digital ones, by their number.
    @ivar analog: the analog ones, by their channel; 7 is the supply voltage.
    @ivar hardware_version: HV; None until it is known.
    @ivar reference: AV of an XBee 3; None until it is known.
    @ivar has_supply_command: whether the module knows %V; None until it was asked.
    """

    modes: dict[str, int] = field(default_factory=dict)
    digital: dict[int, Reading] = field(default_factory=dict)
    analog: dict[int, Reading] = field(default_factory=dict)
    hardware_version: int | None = None
    reference: int | None = None
    has_supply_command: bool | None = None

    def take(
        self, sample: IOSample, at: float, has_digital: bool = False, has_analog: bool = False
    ) -> dict[str, int]:
        """Note what a sample says.

        @param at: seconds since 1970.
        @param has_digital: whether it has all digital lines that there are, as every sample has
            that has one of them: what is not in it is none any more.
        @param has_analog: the same of the analog ones, as IS reads them.
        @return: what is not as it was, as it was read, by the names of the lines.
        """
        changed: dict[str, int] = {}
        if has_digital:
            for line in [one for one in self.digital if not sample.digital_mask >> one & 1]:
                self._is_not(PIN_OF_LINE[line].command, (INPUT, *_OUTPUTS))
                del self.digital[line]
        if has_analog:
            for channel in [one for one in self.analog if one not in sample.analog]:
                if channel != SUPPLY_VOLTAGE:
                    if channel in PIN_OF_CHANNEL:
                        self._is_not(PIN_OF_CHANNEL[channel].command, (ANALOG,))
                    del self.analog[channel]
        for line, is_high in sample.lines().items():
            pin = PIN_OF_LINE.get(line)
            if pin is None:
                continue
            before = self.digital.get(line)
            self.digital[line] = Reading(is_high, at)
            if before is None or before.raw != is_high:
                changed[pin.digital_name] = int(is_high)
            if self.modes.get(pin.command) in _OUTPUTS:
                self.modes[pin.command] = OUTPUT_HIGH if is_high else OUTPUT_LOW
        for channel, raw in sample.analog.items():
            pin = PIN_OF_CHANNEL.get(channel)
            if pin is not None:
                self.modes[pin.command] = ANALOG
            before = self.analog.get(channel)
            self.analog[channel] = Reading(raw, at)
            if before is None or before.raw != raw:
                changed[SUPPLY if channel == SUPPLY_VOLTAGE else analog_name(channel)] = raw
        return changed

    def _is_not(self, command: str, modes: tuple[int, ...]) -> None:
        """A line is not what it was known to be, if it was known to be one of these."""
        if self.modes.get(command) in modes:
            del self.modes[command]

    def set_up(self, pin: Pin, mode: int, at: float, is_written: bool) -> dict[str, int]:
        """Note what a line is set up as.

        @param is_written: whether it was set just now, and not only read.
        @return: as `take`.
        """
        before = self.modes.get(pin.command)
        self.modes[pin.command] = mode
        if before is not None and before != mode and not {before, mode} <= {*_OUTPUTS}:
            # What it read was read of something else.
            self.digital.pop(pin.line, None)
            if pin.channel is not None:
                self.analog.pop(pin.channel, None)
        if mode not in _OUTPUTS or not is_written:
            return {}
        return self.take(IOSample(1 << pin.line, (mode == OUTPUT_HIGH) << pin.line), at)

    def restarted(self) -> None:
        """The module starts anew, perhaps with other settings."""
        self.modes.clear()
        self.reference = None

    @property
    def supply(self) -> float | None:
        """The supply voltage in mV; None if it, or its unit, is not known."""
        reading = self.analog.get(SUPPLY_VOLTAGE)
        if reading is None or self.hardware_version is None:
            return None
        return supply_millivolts(reading.raw, self.hardware_version)

    def lines(self) -> Iterator[Line]:
        """Return the lines of which something is known, in their order, the supply voltage last."""
        full_scale = full_scale_millivolts(self.hardware_version, self.reference, self.supply)
        for pin in PINS:
            mode = self.modes.get(pin.command)
            analog = self.analog.get(pin.channel) if pin.channel is not None else None
            digital = self.digital.get(pin.line)
            if mode is not None or analog is not None or digital is not None:
                yield _line(pin, mode, analog, digital, full_scale)
        for channel in sorted(self.analog):
            if channel not in PIN_OF_CHANNEL and channel != SUPPLY_VOLTAGE:
                yield _analog_line("", analog_name(channel), "", self.analog[channel], full_scale)
        if SUPPLY_VOLTAGE in self.analog:
            millivolts, reading = self.supply, self.analog[SUPPLY_VOLTAGE]
            value, unit = (reading.raw, "") if millivolts is None else (millivolts, "mV")
            yield Line("", SUPPLY, SUPPLY_KIND, "supply voltage", reading, value, unit, False)


def _line(
    pin: Pin,
    mode: int | None,
    analog: Reading | None,
    digital: Reading | None,
    full_scale: float | None,
) -> Line:
    words = pin.words(mode)
    if (mode == ANALOG and pin.channel is not None) or (mode is None and digital is None):
        return _analog_line(pin.command, pin.name(ANALOG), words, analog, full_scale)
    is_digital = digital is not None or (mode is not None and mode >= 3)
    value = 0.0 if digital is None else float(digital.raw)
    kind = DIGITAL_KIND if is_digital else OTHER_KIND
    is_output = mode in _OUTPUTS
    return Line(pin.command, pin.digital_name, kind, words, digital, value, "", is_output)


def _analog_line(
    command: str, name: str, words: str, reading: Reading | None, full_scale: float | None
) -> Line:
    value = 0.0 if reading is None else float(reading.raw)
    unit = ""
    if full_scale is not None:
        value, unit = value * full_scale / FULL_SCALE, "mV"
    return Line(command, name, ANALOG_KIND, words, reading, value, unit, False)
