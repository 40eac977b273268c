"""What Digi's 1-wire sensor adapters measure: from the end of a frame 94 to degrees, and back.

A reading is ``sensors (1) | A, B, C, D (2 each) | thermometer (2)``; ``sensors`` says which there
are, and what is not there reads FFFF (90000976, "XBee Sensor Read Indicator").
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: Bits of the first byte: the A/D converter, the thermometer, and water at the sensor.
SENSOR_ANALOG = 0x01
SENSOR_THERMOMETER = 0x02
SENSOR_WATER = 0x60

_NOTHING = 0xFFFF
_LAYOUT = struct.Struct(">B5H")

#: The thermometer counts sixteenths of a degree; from here on they are below zero.
_BELOW_ZERO = 0x800
_SIXTEENTHS = 16


@dataclass(slots=True)
class SensorReading:
    """One reading of an adapter.

    @ivar sensors: what there is: `SENSOR_ANALOG` and its neighbours.
    @ivar analog: the four A/D values, A to D: 255 for 5.1 V.
    @ivar thermometer: what the thermometer says, in its own terms; see `temperature`.
    """

    sensors: int
    analog: tuple[int, int, int, int] = (_NOTHING,) * 4
    thermometer: int = _NOTHING

    @classmethod
    def parse(cls, data: bytes) -> SensorReading:
        """
        @param data: what follows the options in a frame 94.
        @raise ValueError: it has another size.
        """
        if len(data) != _LAYOUT.size:
            raise ValueError(f"a sensor reading has {_LAYOUT.size} bytes, not {len(data)}")
        sensors, first, second, third, fourth, thermometer = _LAYOUT.unpack(data)
        return cls(sensors, (first, second, third, fourth), thermometer)

    @classmethod
    def of_temperature(cls, celsius: float) -> SensorReading:
        """Return the reading of an adapter that has a thermometer and nothing else."""
        raw = round(abs(celsius) * _SIXTEENTHS) & _BELOW_ZERO - 1
        return cls(SENSOR_THERMOMETER, thermometer=raw | (_BELOW_ZERO if celsius < 0 else 0))

    def to_bytes(self) -> bytes:
        """The inverse of `parse`."""
        return _LAYOUT.pack(self.sensors, *self.analog, self.thermometer)

    @property
    def temperature(self) -> float | None:
        """°C; None without a thermometer."""
        raw = self.thermometer
        if not self.sensors & SENSOR_THERMOMETER or raw == _NOTHING:
            return None
        if raw < _BELOW_ZERO:
            return raw / _SIXTEENTHS
        return -(raw & _BELOW_ZERO - 1) / _SIXTEENTHS
