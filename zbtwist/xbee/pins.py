"""The lines of a module: how they are called, what each can be, in which units they are read.

A line is set up by an AT command of its own, D0 to D9 and P0 to P4, whose value says what the line
is; `zbtwist.xbee.at_table` has the words for that. Its number in a sample, the 0 of DIO0, is the
bit of the digital masks there (90001539, "IO Data Sample Rx Indicator").
"""

from __future__ import annotations

from dataclasses import dataclass

from zbtwist.xbee import devices
from zbtwist.xbee.at_table import PARAMETERS, SERIAL

#: What a line is, by the value of its command.
OFF, SPECIAL, ANALOG, INPUT, OUTPUT_LOW, OUTPUT_HIGH = range(6)

#: How the supply voltage is called, which has no line and no command of its own to set it up.
SUPPLY = "supply"

#: The largest reading of an analog input (90000976, "Analog and digital IO lines").
FULL_SCALE = 1023


@dataclass(frozen=True, slots=True)
class Pin:
    """
    @ivar command: the AT command that sets the line up.
    @ivar line: its number, the bit in the digital masks of samples.
    @ivar channel: the channel of its analog input, None if it has none.
    @ivar aliases: what else it is called, by its special function.
    """

    command: str
    line: int
    channel: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def is_serial(self) -> bool:
        """Whether it may carry the module's serial line: set up in another way, that is cut."""
        return PARAMETERS[self.command].group == SERIAL

    @property
    def digital_name(self) -> str:
        """How it is called as a digital line: ``DIO0``."""
        return f"DIO{self.line}"

    @property
    def analog_name(self) -> str:
        """How it is called as an analog input: ``AD0``; empty if it cannot be one."""
        return "" if self.channel is None else analog_name(self.channel)

    def name(self, mode: int | None) -> str:
        """Return how it is called as what it is; None for what is not known."""
        return (
            self.analog_name if mode == ANALOG and self.channel is not None else self.digital_name
        )

    def words(self, mode: int | None) -> str:
        """Return what it is set up as, in words; empty if that is not known."""
        if mode is None:
            return ""
        # As a Zigbee module has it, also of an S1, whose D4 and D5 can be analog (90000982, "D4").
        return PARAMETERS[self.command].words.get(mode, f"mode {mode}")


def analog_name(channel: int) -> str:
    """Return how an analog input is called."""
    return f"AD{channel}"


#: All lines, in their order. What D4 and D5 of an S1 measure is named by `analog_name`.
PINS = (
    Pin("D0", 0, 0, ("BUTTON",)),
    Pin("D1", 1, 1),
    Pin("D2", 2, 2),
    Pin("D3", 3, 3),
    Pin("D4", 4),
    Pin("D5", 5, aliases=("ASSOC", "ASSOCIATE")),
    Pin("D6", 6, aliases=("RTS",)),
    Pin("D7", 7, aliases=("CTS",)),
    Pin("D8", 8, aliases=("DTR", "SLEEP_RQ")),
    Pin("D9", 9, aliases=("ON", "ON/SLEEP")),
    Pin("P0", 10, aliases=("PWM0", "RSSI")),
    Pin("P1", 11, aliases=("PWM1",)),
    Pin("P2", 12),
    Pin("P3", 13, aliases=("DOUT",)),
    Pin("P4", 14, aliases=("DIN",)),
)

PIN_OF_COMMAND = {pin.command: pin for pin in PINS}
PIN_OF_LINE = {pin.line: pin for pin in PINS}
PIN_OF_CHANNEL = {pin.channel: pin for pin in PINS if pin.channel is not None}

_BY_NAME = {
    name: pin
    for pin in PINS
    for name in (pin.command, pin.digital_name, pin.analog_name, *pin.aliases)
    if name
}


def pin_named(text: str) -> Pin | None:
    """Return the line that a person names: ``D0``, ``DIO0``, ``AD0``, ``DIO0/AD0`` or by what it
    often is, such as ``RTS``; None if there is none of that name. Upper or lower case are the same.
    """
    name = text.strip().upper().replace(" ", "")
    found = _BY_NAME.get(name)
    if found is None:
        # Digi's own words for both of its names.
        first, _, second = name.replace("_", "/").partition("/")
        found = _BY_NAME.get(first)
        if found is None or _BY_NAME.get(second) is not found:
            return None
    return found


def full_scale_millivolts(
    hardware_version: int | None, reference: int | None, supply: float | None
) -> float | None:
    """Return the voltage at an analog input that reads `FULL_SCALE`, in mV; None if that is not
    known: no HV, or one of a module that measures against a voltage from outside, as an S1 does
    (90000982, "VREF").

    @param hardware_version: HV of the module.
    @param reference: its AV, which only an XBee 3 has (90001539, "AV").
    @param supply: its supply voltage in mV.
    """
    if hardware_version is None:
        return None
    if devices.is_series_2(hardware_version) or devices.is_series_2c(hardware_version):
        return 1200.0
    if devices.is_xbee_3(hardware_version):
        return {0: 1250.0, 1: 2500.0, 2: supply}.get(-1 if reference is None else reference)
    return None
