"""I/O samples: from the value of IS or a frame 92 to volts, lines and degrees, and back.

A sample is ``01 | digital mask (2) | analog mask (1) | digital lines (2, only if the digital mask
is not 0) | one word (2) for each bit of the analog mask, lowest first`` (90000976, "IO Data Sample
Rx Indicator"). Analog inputs read 0 to 1023 of 1200 mV; bit 7 is the supply voltage, as %V has it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from zbtwist.xbee import devices

#: The analog channel that carries the supply voltage.
SUPPLY_VOLTAGE = 7
LIGHT_INPUT = 1
TEMPERATURE_INPUT = 2
HUMIDITY_INPUT = 3

_FULL_SCALE = 1023
_REFERENCE_MILLIVOLTS = 1200.0
#: S2 and S2B say their supply voltage in so many parts of the reference (90000976, "%V"); what came
#: after them says mV (90002002, "%V").
_SERIES_2_SUPPLY_STEPS = 1024
#: A wall router's own electronics warm its sensor by this much (90000833).
_WALL_ROUTER_HEAT = 4.0

_HEADER = struct.Struct(">BHB")


class SampleError(ValueError):
    """Bytes are not an I/O sample."""


@dataclass(slots=True)
class IOSample:
    """One reading of a module's lines.

    @ivar digital_mask: which digital lines are sampled, bit 0 for DIO0.
    @ivar digital: the state of the lines, None where the mask is 0.
    @ivar analog: raw reading by channel number, 0 to 7; 7 is the supply voltage.
    """

    digital_mask: int = 0
    digital: int | None = None
    analog: dict[int, int] = field(default_factory=dict)

    @property
    def analog_mask(self) -> int:
        """Which analog channels are sampled, bit 0 for AD0."""
        return sum(1 << channel for channel in self.analog)

    @classmethod
    def parse(cls, data: bytes) -> IOSample:
        """
        @param data: the value of IS, or what follows the options in a frame 92.
        @raise SampleError: it is cut short, too long, or not of one sample set.
        """
        if len(data) < _HEADER.size:
            raise SampleError(f"an I/O sample has at least {_HEADER.size} bytes, not {len(data)}")
        sets, digital_mask, analog_mask = _HEADER.unpack_from(data)
        channels = [channel for channel in range(8) if analog_mask >> channel & 1]
        words = len(channels) + (digital_mask != 0)
        expected = _HEADER.size + 2 * words
        if sets != 1 or len(data) != expected:
            raise SampleError(
                f"an I/O sample with these masks has one set and {expected} bytes, "
                f"not {sets} and {len(data)}"
            )
        values = list(struct.unpack_from(f">{words}H", data, _HEADER.size))
        digital = values.pop(0) if digital_mask else None
        return cls(digital_mask, digital, dict(zip(channels, values)))

    def to_bytes(self) -> bytes:
        """The inverse of `parse`."""
        words = [] if self.digital is None else [self.digital]
        words += [self.analog[channel] for channel in sorted(self.analog)]
        return _HEADER.pack(1, self.digital_mask, self.analog_mask) + struct.pack(
            f">{len(words)}H", *words
        )

    def lines(self) -> dict[int, bool]:
        """Return the state of each sampled digital line by its number."""
        digital = self.digital or 0
        return {n: bool(digital >> n & 1) for n in range(16) if self.digital_mask >> n & 1}

    def millivolts(self, channel: int) -> float | None:
        """Return the voltage at analog input 0 to 6 in mV, None if it is not sampled."""
        raw = self.analog.get(channel)
        return None if raw is None else raw * _REFERENCE_MILLIVOLTS / _FULL_SCALE

    def supply_millivolts(self, hardware_version: int) -> float | None:
        """Return the module's supply voltage in mV, None if the sample does not have it.

        @param hardware_version: HV of the module, which says in which unit it measures.
        """
        raw = self.analog.get(SUPPLY_VOLTAGE)
        return None if raw is None else supply_millivolts(raw, hardware_version)


def supply_millivolts(raw: int, hardware_version: int) -> float:
    """Return a supply voltage in mV.

    @param raw: the value of %V, or of the supply voltage in an I/O sample.
    @param hardware_version: HV of the module.
    """
    if devices.is_series_2(hardware_version):
        return raw * _REFERENCE_MILLIVOLTS / _SERIES_2_SUPPLY_STEPS
    return raw


def has_temperature_sensor(device_type_identifier: int) -> bool:
    """Whether a sample of a device with this DD carries a temperature."""
    return devices.product_of(device_type_identifier) in (
        devices.WALL_ROUTER,
        devices.SENSOR_LTH,
        devices.SENSOR_LT,
    )


def temperature(sample: IOSample, device_type_identifier: int) -> float | None:
    """The temperature that a Digi device measured.

    @param device_type_identifier: the device's DD, which says how to read the sample.
    @return: °C, None if the device has no such sensor or the sample lacks its input.
    """
    millivolts = sample.millivolts(TEMPERATURE_INPUT)
    if millivolts is None or not has_temperature_sensor(device_type_identifier):
        return None
    celsius = (millivolts - 500.0) / 10.0
    if devices.product_of(device_type_identifier) == devices.WALL_ROUTER:
        celsius -= _WALL_ROUTER_HEAT
    return celsius
