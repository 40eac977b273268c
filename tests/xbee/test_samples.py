"""I/O samples: lines, volts, degrees; and what is no sample."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.xbee.strategies import repeatable, samples
from zbtwist.xbee.samples import (
    IOSample,
    SampleError,
    has_temperature_sensor,
    supply_millivolts,
    temperature,
)

WALL_ROUTER = 0x00030008
SENSOR_LTH = 0x0003000D
SENSOR_LT = 0x0003000E
RS232_ADAPTER = 0x00030005


class IOSampleTests(unittest.SynchronousTestCase):
    def test_digital_and_analog(self) -> None:
        """DIO0, DIO2 and DIO12, AD1 and the supply voltage."""
        data = bytes.fromhex("01 1005 82 1001 0200 0ce4")
        sample = IOSample.parse(data)
        self.assertEqual(sample, IOSample(0x1005, 0x1001, {1: 0x200, 7: 3300}))
        self.assertEqual(sample.analog_mask, 0x82)
        self.assertEqual(sample.lines(), {0: True, 2: False, 12: True})
        self.assertEqual(sample.supply_millivolts(0x4241), 3300)
        self.assertEqual(sample.to_bytes(), data)

    def test_analog_only(self) -> None:
        """Without digital lines there is no word for them."""
        sample = IOSample.parse(bytes.fromhex("01 0000 05 0001 0002"))
        self.assertIsNone(sample.digital)
        self.assertEqual(sample.analog, {0: 1, 2: 2})
        self.assertEqual(sample.lines(), {})

    def test_digital_only(self) -> None:
        sample = IOSample.parse(bytes.fromhex("01 8000 00 7fff"))
        self.assertEqual(sample.lines(), {15: False})
        self.assertEqual(sample.analog, {})
        self.assertIsNone(sample.supply_millivolts(0x1947))
        self.assertIsNone(sample.millivolts(0))

    def test_supply_voltage_of_the_old_modules(self) -> None:
        """90000976, "%V": S2 and S2B say 0x900 at 2700 mV."""
        for hardware_version in (0x1941, 0x1A44, 0x1E46):
            self.assertEqual(supply_millivolts(0x900, hardware_version), 2700)
            self.assertEqual(IOSample(analog={7: 0x900}).supply_millivolts(hardware_version), 2700)
        self.assertEqual(supply_millivolts(2700, 0x2D47), 2700)

    def test_nothing_sampled(self) -> None:
        self.assertEqual(IOSample.parse(bytes.fromhex("01 0000 00")), IOSample())

    def test_refused(self) -> None:
        """Cut short, too long, or of another number of sets."""
        for text in (
            "",
            "01 0000",
            "01 0001 00",
            "01 0001 00 00",
            "01 0001 01 0001 00",
            "01 0001 01 0001",
            "01 0000 00 00",
            "01 0001 00 0001 0001",
            "00 0001 00 0001",
            "02 0001 00 0001 0001",
        ):
            self.assertRaises(SampleError, IOSample.parse, bytes.fromhex(text))

    def test_refusal_says_what_was_expected(self) -> None:
        error = self.assertRaises(SampleError, IOSample.parse, bytes.fromhex("01 0001 01 0001"))
        self.assertIn("8 bytes", str(error))
        self.assertIn("not 1 and 6", str(error))

    @repeatable()
    @given(samples())
    def test_any_comes_back(self, sample: IOSample) -> None:
        self.assertEqual(IOSample.parse(sample.to_bytes()), sample)

    @repeatable()
    @given(st.binary(max_size=24).map(lambda rest: b"\1" + rest))
    def test_any_bytes(self, data: bytes) -> None:
        """They are refused as a sample, or come back as they were."""
        try:
            sample = IOSample.parse(data)
        except SampleError:
            return
        self.assertEqual(sample.to_bytes(), data)


class VoltageTests(unittest.SynchronousTestCase):
    def test_scale(self) -> None:
        """1023 is the full 1200 mV."""
        sample = IOSample(analog={0: 0, 1: 1023, 2: 682, 3: 341})
        self.assertEqual([sample.millivolts(n) for n in range(4)], [0, 1200, 800, 400])


class TemperatureTests(unittest.SynchronousTestCase):
    def test_formula(self) -> None:
        """682 is 800 mV, and that is 30 °C; a wall router warms itself by 4."""
        sample = IOSample(analog={2: 682})
        self.assertEqual(temperature(sample, SENSOR_LTH), 30.0)
        self.assertEqual(temperature(sample, SENSOR_LT), 30.0)
        self.assertEqual(temperature(sample, WALL_ROUTER), 26.0)

    def test_below_freezing(self) -> None:
        celsius = temperature(IOSample(analog={2: 341}), SENSOR_LT)
        assert celsius is not None
        self.assertAlmostEqual(celsius, -10.0)

    def test_module_does_not_matter(self) -> None:
        """The product is in the low word of DD."""
        self.assertEqual(temperature(IOSample(analog={2: 682}), 0x0002000D), 30.0)

    def test_devices_without_a_sensor(self) -> None:
        """AD2 of another product is no temperature."""
        for device in (RS232_ADAPTER, 0, 0x000D0005):
            self.assertIsNone(temperature(IOSample(analog={2: 682}), device))
            self.assertFalse(has_temperature_sensor(device))
        for device in (WALL_ROUTER, SENSOR_LTH, SENSOR_LT):
            self.assertTrue(has_temperature_sensor(device))

    def test_sample_without_the_input(self) -> None:
        self.assertIsNone(temperature(IOSample(analog={1: 682, 3: 682}), SENSOR_LTH))
