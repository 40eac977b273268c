"""The lines of a module: their names, what they are set up as, their units."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.xbee.at import PARAMETERS
from zbtwist.xbee.pins import (
    ANALOG,
    INPUT,
    OUTPUT_LOW,
    PIN_OF_CHANNEL,
    PIN_OF_COMMAND,
    PINS,
    SPECIAL,
    full_scale_millivolts,
    pin_named,
)

S1, S2, S2B, S2C, XBEE_3 = 0x1740, 0x1947, 0x1E46, 0x2D47, 0x4241


class PinTests(SynchronousTestCase):
    def test_every_line_has_a_command(self) -> None:
        self.assertEqual([pin.line for pin in PINS], list(range(15)))
        self.assertTrue(set(PIN_OF_COMMAND) <= set(PARAMETERS))
        self.assertEqual([PIN_OF_CHANNEL[channel].command for channel in range(4)], PINS_OF_ADC)

    def test_names(self) -> None:
        for text, command in (
            ("D0", "D0"),
            ("dio0", "D0"),
            ("AD3", "D3"),
            ("DIO1/AD1", "D1"),
            ("DIO0_AD0", "D0"),
            ("DIO10_PWM0", "P0"),
            (" p2 ", "P2"),
            ("DIO14", "P4"),
            ("rts", "D6"),
            ("SLEEP_RQ", "D8"),
            ("ON/SLEEP", "D9"),
        ):
            pin = pin_named(text)
            self.assertEqual(pin and pin.command, command, text)
        for text in ("", "D10", "DIO15", "AD4", "P5", "supply", "DIO0/AD1", "DIO0/", "/", "NI"):
            self.assertIsNone(pin_named(text), text)

    def test_words(self) -> None:
        words = {(pin.command, mode): pin.words(mode) for pin in PINS for mode in (None, *range(8))}
        for (command, mode), expected in {
            ("D0", None): "",
            ("D0", SPECIAL): "commissioning button",
            ("D0", ANALOG): "analog input",
            ("D4", ANALOG): "mode 2",
            ("D7", SPECIAL): "CTS flow control",
            ("D7", 6): "RS-485, enable low",
            ("P0", ANALOG): "PWM output",
            ("P1", 6): "mode 6",
            ("P3", SPECIAL): "serial data out",
            ("P2", INPUT): "digital input",
            ("P2", OUTPUT_LOW): "output low",
        }.items():
            self.assertEqual(words[command, mode], expected, (command, mode))
        self.assertEqual([pin.command for pin in PINS if pin.is_serial], ["D6", "D7", "P3", "P4"])
        self.assertEqual(PIN_OF_COMMAND["D1"].name(ANALOG), "AD1")
        self.assertEqual(PIN_OF_COMMAND["D1"].name(None), "DIO1")
        self.assertEqual(PIN_OF_COMMAND["P0"].name(ANALOG), "DIO10")

    def test_full_scale(self) -> None:
        """S2, S2B, S2C: 1200 mV (90000976, 90002002); XBee 3: as AV says (90001539)."""
        for hardware, reference, expected in (
            (None, None, None),
            (S1, None, None),
            (S2, None, 1200.0),
            (S2B, None, 1200.0),
            (S2C, None, 1200.0),
            (XBEE_3, None, None),
            (XBEE_3, 0, 1250.0),
            (XBEE_3, 1, 2500.0),
            (XBEE_3, 2, 3300.0),
            (XBEE_3, 3, None),
        ):
            self.assertEqual(full_scale_millivolts(hardware, reference, 3300.0), expected)


PINS_OF_ADC = ["D0", "D1", "D2", "D3"]
