"""The lines of a node, on a whole gateway with a simulated network, under a clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.control.operations.test_actions import ActionTestCase
from zbtwist.control import faults
from zbtwist.simulator.module import DIGITAL_PINS


class PinOperationTests(ActionTestCase):
    def setUp(self) -> None:
        self.start(nodes=2, kinds=("echo", "sensor"))

    def rows(self, answer: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        return {row["name"]: row["text"] for row in answer}

    def asked(self) -> list[str]:
        """What the device is asked for from now on."""
        commands: list[str] = []
        execute = self.device.execute

        def executed(command: str, parameter: bytes) -> tuple[int, bytes]:
            commands.append(command)
            return execute(command, parameter)

        self.patch(self.device, "execute", executed)
        return commands

    def test_nothing_is_known(self) -> None:
        commands = self.asked()
        self.assertEqual(self.api.pins("ECHO"), [])
        self.fault(self.api.sample("NOBODY"), faults.UNKNOWN_NODE)
        self.assertEqual(commands, [])

    def test_no_line_is_set_up(self) -> None:
        """IS is an error then (90000976, "IS")."""
        (row,) = self.done(self.api.sample("ECHO"))
        self.assertEqual((row["name"], row["kind"], row["unit"]), ("supply", "supply", "mV"))
        self.assertTrue(3200 < row["value"] <= 3300)

    def test_sensor(self) -> None:
        """An S2, which says its supply voltage in units of its own."""
        rows = self.done(self.api.sample("SENSOR"))
        self.assertEqual([row["name"] for row in rows], ["AD1", "AD2", "supply"])
        for row in rows:
            self.assertEqual((row["unit"], row["output"]), ("mV", False))
            self.assertTrue(3 < row["at"] <= self.reactor.seconds())
        light, warm, supply = rows
        self.assertEqual(
            (light["pin"], light["kind"], light["mode"]), ("D1", "analog", "analog input")
        )
        self.assertAlmostEqual(light["value"], light["raw"] * 1200 / 1023)
        self.assertTrue(680 < warm["value"] < 850)
        self.assertTrue(3255 < supply["value"] <= 3301, supply)
        self.assertNotEqual(supply["raw"], round(supply["value"]))
        self.assertEqual(self.api.pins("SENSOR"), rows)

    def test_what_is_asked_for_once(self) -> None:
        self.done(self.api.at("ECHO", "D1", 3))
        self.done(self.api.at("ECHO", "D4", 4))
        self.device.registers.store("P2", b"\3")
        self.device.apply()
        commands = self.asked()
        rows = self.done(self.api.sample("ECHO"))
        # What was set through the gateway is known.
        self.assertEqual(commands, ["IS", "%V", "HV", "P2"])
        self.assertEqual(
            [(row["name"], row["mode"], row["text"], row["output"]) for row in rows[:-1]],
            [
                ("DIO1", "digital input", "high", False),
                ("DIO4", "output low", "low", True),
                ("DIO12", "digital input", "high", False),
            ],
        )
        self.device.set_input("D1", False)
        commands.clear()
        rows = self.done(self.api.sample("ECHO"))
        self.assertEqual(commands, ["IS", "%V"])
        self.assertEqual(rows[0]["text"], "low")

    def test_xbee_3(self) -> None:
        """Its analog inputs read parts of what AV says."""
        self.device.registers.state_fact("HV", 0x4241)
        self.device.registers.state_fact("VR", 0x100D)
        self.patch(self.device, "analog_inputs", lambda: {0: 1023})
        self.done(self.api.at("ECHO", "D0", 2))
        self.assertEqual(self.rows(self.done(self.api.sample("ECHO")))["AD0"], "1250 mV")
        self.done(self.api.at("ECHO", "AV", b"\1"))
        self.assertEqual(self.rows(self.api.pins("ECHO"))["AD0"], "2500 mV")

    def test_module_without_supply_voltage(self) -> None:
        execute = self.device.execute
        self.patch(self.device, "execute", lambda c, p: (2, b"") if c == "%V" else execute(c, p))
        self.assertEqual(self.done(self.api.sample("ECHO")), [])
        commands = self.asked()
        self.done(self.api.sample("ECHO"))
        self.assertNotIn("%V", commands)

    def test_nobody_there(self) -> None:
        self.device.reachable = False
        self.fault(self.api.sample("ECHO"), faults.NO_ANSWER, 15)
        self.fault(self.api.set_pin("ECHO", "D1", True), faults.NO_ANSWER, 15)

    def test_node_that_refuses(self) -> None:
        """It may want a secure session: that is no module without lines."""
        self.patch(self.device, "execute", lambda command, parameter: (0x0B, b""))
        self.fault(self.api.sample("ECHO"), faults.NODE_REFUSED)

    def test_samples_that_come_by_themselves(self) -> None:
        for command, value in (("D1", 3), ("D2", 2), ("IR", 500), ("V+", b"\xff\xff")):
            self.done(self.api.at("ECHO", command, value))
        commands = self.asked()
        self.run_for(2)
        self.assertEqual(set(self.rows(self.api.pins("ECHO"))), {"DIO1", "AD2", "supply"})
        self.assertEqual(commands, [])
        self.done(self.api.at("ECHO", "IR", 0))
        self.done(self.api.at("ECHO", "IC", 2))
        self.device.set_input("D1", False)
        self.run_for(0.1)
        rows = self.api.pins("ECHO")
        self.assertEqual(self.rows(rows)["DIO1"], "low")
        self.assertEqual(set(self.rows(rows)), {"DIO1", "AD2", "supply"})

    def test_output(self) -> None:
        self.done(self.api.at("ECHO", "D1", 4))
        for value, level in (
            *((True, 5), (False, 4), (1, 5), (0, 4)),
            *(("high", 5), ("LOW", 4), ("on", 5), ("off", 4)),
        ):
            row = self.done(self.api.set_pin("ECHO", "DIO1", value))
            self.assertEqual(self.device.registers.number("D1"), level)
            self.assertEqual((row["pin"], row["name"], row["output"]), ("D1", "DIO1", True))
            self.assertEqual((row["value"], row["text"]), (level - 4, ["low", "high"][level - 4]))
        self.assertEqual(self.api.pins("ECHO")[0], row)
        self.assertEqual(self.device.registers.flash_writes, 0)
        self.assertEqual(self.done(self.api.sample("ECHO"))[0]["text"], "low")

    def test_an_input_is_not_made_an_output(self) -> None:
        for mode, words in ((3, "digital input"), (0, "off"), (2, "analog input")):
            self.done(self.api.at("ECHO", "D1", mode))
            sentence = self.fault(self.api.set_pin("ECHO", "D1", True), faults.BAD_VALUE)
            self.assertIn(words, sentence)
            self.assertEqual(self.device.registers.number("D1"), mode)

    def test_a_button_is_no_output_either(self) -> None:
        self.fault(self.api.set_pin("ECHO", "D0", True), faults.BAD_VALUE)
        self.assertEqual(self.device.registers.number("D0"), 1)

    def test_what_the_gateway_knew_may_be_old(self) -> None:
        """The line is asked for what it is, whatever was known."""
        self.done(self.api.at("ECHO", "D1", 4))
        self.device.registers.store("D1", b"\3")
        self.device.apply()
        self.fault(self.api.set_pin("ECHO", "D1", True), faults.BAD_VALUE)
        self.assertEqual(self.device.registers.number("D1"), 3)

    def test_an_output_is_asked_for(self) -> None:
        self.done(self.api.at("ECHO", "D1", 3))
        row = self.done(self.api.set_pin("ECHO", "D1", True, True))
        self.assertEqual((row["mode"], row["text"]), ("output high", "high"))

    def test_the_serial_line_is_not_cut(self) -> None:
        """Also not if an output is asked for; a line that has no such purpose may be one."""
        for pin, before in (("D7", 1), ("P3", 1), ("P4", 1), ("CTS", 1)):
            sentence = self.fault(self.api.set_pin("ECHO", pin, False, True), faults.BAD_VALUE)
            self.assertIn("serial line", sentence)
            name = "D7" if pin == "CTS" else pin
            self.assertEqual(self.device.registers.number(name), before)
        self.done(self.api.at("ECHO", "D7", 0))
        self.assertEqual(self.done(self.api.set_pin("ECHO", "D7", True, True))["text"], "high")

    def test_values_that_are_none(self) -> None:
        for value in (2, -1, "", "maybe", "x" * 1000):
            self.fault(self.api.set_pin("ECHO", "D1", value), faults.BAD_VALUE)
        for pin in ("", "D10", "AD9", "supply", "x" * 1000):
            self.fault(self.api.set_pin("ECHO", pin, True), faults.BAD_VALUE)

    def test_simulated_lines_are_those_of_a_module(self) -> None:
        self.assertEqual(len(DIGITAL_PINS), 15)
