"""What 1-wire sensor adapters measure."""

from __future__ import annotations

from twisted.trial import unittest

from zbtwist.xbee.sensor_reading import SENSOR_ANALOG, SENSOR_WATER, SensorReading

THERMOMETER = 2


class SensorReadingTests(unittest.SynchronousTestCase):
    def test_temperature(self) -> None:
        """90000976, "XBee Sensor Read Indicator"."""
        for raw, celsius in (
            (0x016A, 22.625),
            (0x0000, 0.0),
            (0x07FF, 127.9375),
            (0x0808, -0.5),
            (0x0A80, -40.0),
        ):
            reading = SensorReading(THERMOMETER, thermometer=raw)
            self.assertEqual(reading.temperature, celsius)
            self.assertEqual(SensorReading.of_temperature(celsius), reading)

    def test_no_thermometer(self) -> None:
        """The mask says so, or the value."""
        for reading in (
            SensorReading(SENSOR_ANALOG, thermometer=0x16A),
            SensorReading(SENSOR_WATER),
            SensorReading(THERMOMETER),
        ):
            self.assertIsNone(reading.temperature)

    def test_another_size(self) -> None:
        data = SensorReading(THERMOMETER).to_bytes()
        for wrong in (data[:-1], data + b"\0", b""):
            error = self.assertRaises(ValueError, SensorReading.parse, wrong)
            self.assertIn(f"not {len(wrong)}", str(error))
