"""What a node's entities are, by what is known of it."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.home_assistant.support import METER, TOPICS, lines, power
from zbtwist.decoding.brultech import ECM1220
from zbtwist.decoding.service import MAX_NAMES, Reading
from zbtwist.decoding.value import KINDS, MAX_NAME, Value
from zbtwist.health.state import PROBLEMS
from zbtwist.home_assistant.components import AWAY
from zbtwist.home_assistant.kept import MAX_PAYLOAD, Kept
from zbtwist.home_assistant.messages import DeviceMessages
from zbtwist.home_assistant.shape import NodeShape, ValueShape, shape_of
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.network.node import Node
from zbtwist.network.node_pins import NodePins
from zbtwist.simulator.meter import Meter, encode_packet
from zbtwist.xbee.description import DIGI
from zbtwist.xbee.pins import ANALOG, INPUT, OFF, OUTPUT_HIGH, OUTPUT_LOW, SPECIAL

MESSAGES = DeviceMessages("homeassistant", TOPICS)

NODE = "zbtwist/house-7/nodes/0013a200400a3e01"

#: What every node has.
ALWAYS = {"connectivity", "health", "last_seen", "restart", "identify", "sample"}


def readings(*values: Value) -> list[Reading]:
    return [Reading(value, 1.7e9) for value in values]


def shape(
    *values: Value, before: NodeShape | None = None, decoder: str = "ecm1220", **of_node: Any
) -> NodeShape:
    return shape_of(Node(METER, **of_node), readings(*values), decoder, before)


def components(what: NodeShape) -> dict[str, Any]:
    return MESSAGES.components(METER, what)


def message(what: NodeShape) -> Message:
    return MESSAGES.message(METER, what, MESSAGES.components(METER, what), {})


class NodeTests(SynchronousTestCase):
    def test_of_which_nothing_is_known(self) -> None:
        self.assertEqual({*components(shape())}, ALWAYS)
        device = json.loads(message(shape()).payload)["device"]
        self.assertEqual(device["name"], "00:13:a2:00:40:0a:3e:01")
        self.assertNotIn("model", device)

    def test_what_it_is(self) -> None:
        what = shape(
            label="METER",
            name="Kitchen",
            manufacturer_id=DIGI,
            device_type_identifier=0x00030005,
            firmware_version=0x23A7,
            pins=NodePins(hardware_version=0x1E42),
        )
        device = json.loads(message(what).payload)["device"]
        self.assertEqual(
            device,
            {
                "identifiers": ["zbtwist_0013a200400a3e01"],
                "name": "Kitchen",
                "serial_number": "00:13:a2:00:40:0a:3e:01",
                "via_device": "zbtwist_house-7",
                "manufacturer": "Digi",
                "model": "RS-232 adapter",
                "sw_version": "23A7",
                "hw_version": "1E42",
            },
        )

    def test_identifiers_do_not_have_its_name(self) -> None:
        plain, named = components(shape()), components(shape(label="METER"))
        self.assertEqual(plain, named)
        self.assertEqual(
            {each["unique_id"] for each in plain.values()},
            {f"zbtwist_0013a200400a3e01_{each}" for each in ALWAYS},
        )

    def test_what_its_module_measures(self) -> None:
        what = shape(signal=40, temperature=21.5, pins=lines({}, analog={7: 2800}))
        found = components(what)
        self.assertEqual({*found} - ALWAYS, {"signal", "supply", "temperature"})
        self.assertEqual(found["signal"]["unit_of_measurement"], "dBm")
        self.assertEqual(found["supply"]["unit_of_measurement"], "V")
        self.assertTrue(
            all(found[each]["entity_category"] == "diagnostic" for each in what.measured)
        )
        # What was known stays.
        self.assertEqual(shape(before=what).measured, what.measured)

    def test_when_it_is_there(self) -> None:
        """If gateway and radio are, and if it does not fail to say what it is expected to."""
        told = json.loads(message(shape()).payload)
        self.assertEqual(told["availability_mode"], "all")
        gateway, radio, node = told["availability"]
        self.assertEqual(
            [each["topic"] for each in (gateway, radio, node)],
            ["zbtwist/house-7/state", "zbtwist/house-7/info", NODE],
        )
        for health in AWAY:
            self.assertIn(health, PROBLEMS)
            self.assertIn(f"'{health.value}'", node["value_template"])
        # How it is, is told of one that is away as well; nobody knows while the radio is.
        for name in ("connectivity", "health"):
            self.assertEqual(told["components"][name]["availability"], [gateway, radio])
        self.assertEqual(told["components"]["last_seen"]["availability"], [gateway])

    def test_buttons(self) -> None:
        found = components(shape())
        for name in ("restart", "identify", "sample"):
            self.assertEqual(found[name]["command_topic"], f"{NODE}/set/{name}")


class PinTests(SynchronousTestCase):
    def test_modes(self) -> None:
        modes = {
            "D0": SPECIAL,
            "D1": INPUT,
            "D2": ANALOG,
            "D3": OUTPUT_LOW,
            "D4": OUTPUT_HIGH,
            "D5": OFF,
            "P0": ANALOG,
            "P1": SPECIAL,
        }
        what = shape(pins=lines(modes, 0b10, {2: 512}))
        self.assertEqual(
            what.pins,
            {"D1": "input", "D2": "analog", "D3": "output", "D4": "output", "P0": "pwm"},
        )
        found = components(what)
        self.assertEqual(
            {name: each["platform"] for name, each in found.items() if name not in ALWAYS},
            {
                "input_D1": "binary_sensor",
                "analog_D2": "sensor",
                "output_D3": "switch",
                "output_D4": "switch",
                "pwm_P0": "number",
            },
        )
        self.assertEqual(found["analog_D2"]["name"], "AD2")
        self.assertEqual(found["output_D3"]["command_topic"], f"{NODE}/set/D3")

    def test_lines_whose_modes_are_not_known(self) -> None:
        what = shape(pins=lines({}, 0b1010, {0: 100, 4: 7, 7: 3000}))
        self.assertEqual(what.pins, {"D0": "analog", "D1": "input", "D3": "input", "AD4": "analog"})
        self.assertIn("value_json.pins", components(what)["analog_AD4"]["value_template"])

    def test_module_that_has_restarted(self) -> None:
        """It does not say what its lines are until it is asked."""
        before = shape(pins=lines({"D1": OUTPUT_HIGH, "D2": ANALOG}, 0b10, {2: 5}))
        pins = lines({"D1": OUTPUT_HIGH, "D2": ANALOG}, 0b10, {2: 5})
        pins.restarted()
        self.assertEqual(shape(pins=pins, before=before).pins, before.pins)
        pins.modes = {"D1": INPUT, "D2": OFF}
        self.assertEqual(shape(pins=pins, before=before).pins, {"D1": "input"})


class ValueTests(SynchronousTestCase):
    def test_meter(self) -> None:
        """The energy page takes what has these three."""
        decoder, meter = ECM1220(), Meter(random.Random(1))
        told: dict[str, Value] = {}
        for now in (0.0, 5.0):
            for value in decoder.feed(encode_packet(meter.read(now)), now):
                told[value.name] = value
        found = components(shape(*told.values()))
        energy = found["value_ch1_energy"]
        self.assertEqual(energy["device_class"], "energy")
        self.assertEqual(energy["state_class"], "total_increasing")
        self.assertEqual(energy["unit_of_measurement"], "kWh")
        self.assertEqual(energy["state_topic"], f"{NODE}/values/ch1_energy")
        power = found["value_ch1_power"]
        self.assertEqual(power["name"], "Ch1 power")
        self.assertEqual(
            (power["device_class"], power["state_class"], power["unit_of_measurement"]),
            ("power", "measurement", "W"),
        )

    def test_energy_that_may_be_anything(self) -> None:
        """It is none that can be added up."""
        found = components(shape(Value("energy", 1.0, "kWh")))["value_energy"]
        self.assertNotIn("state_class", found)

    def test_other_units(self) -> None:
        found = components(shape(Value("humidity", 40.0, "%"), Value("n", 3.0), Value("x", True)))
        self.assertNotIn("device_class", found["value_humidity"])
        self.assertEqual(found["value_humidity"]["unit_of_measurement"], "%")
        self.assertNotIn("unit_of_measurement", found["value_n"])
        self.assertEqual(found["value_n"]["state_class"], "measurement")
        self.assertEqual(found["truth_x"]["platform"], "binary_sensor")

    def test_text(self) -> None:
        found = components(shape(Value("note", "hello")))["value_note"]
        self.assertFalse({"state_class", "unit_of_measurement", "device_class"} & {*found})

    def test_text_that_is_a_number_now_and_then(self) -> None:
        text = shape(Value("x", "n/a"), before=shape(Value("x", 1.0, "W")))
        self.assertEqual(text.values, {"x": ValueShape("value")})
        self.assertEqual(shape(Value("x", 2.0, "W"), before=text).values, text.values)

    def test_values_that_are_not_told_now(self) -> None:
        before = shape(power(), Value("note", "x"))
        self.assertEqual(shape(power(), before=before).values, before.values)
        self.assertEqual(shape(before=before, decoder="").values, {})
        self.assertEqual(shape(before=before, decoder="lines").values, {})

    def test_bound(self) -> None:
        """At it, what was told last stays."""
        before = shape(*(Value(f"old{each}", 1.0) for each in range(MAX_NAMES)))
        new = [Value(f"new{each}", 1.0) for each in range(10)]
        now = shape(Value("old0", 1.0), *new, before=before).values
        self.assertEqual(len(now), MAX_NAMES)
        self.assertTrue({"old0", *(each.name for each in new)} <= {*now})

    def test_large_meter(self) -> None:
        """A GreenEye Monitor of 32 channels has a message of some tens of kilobytes."""
        values = [power(name=f"ch{channel}_{what}") for channel in range(32) for what in "abcdef"]
        self.assertLess(len(message(shape(*values)).payload), 100_000)

    def test_size(self) -> None:
        """That of all values that a node may have is below what is read back."""
        names = [f"{each:03d}".ljust(MAX_NAME, "x") for each in range(MAX_NAMES)]
        what = shape(*(Value(each, 1.0, "kWh", True) for each in names), label="x" * 64)
        self.assertLess(len(message(what).payload), MAX_PAYLOAD)


class KeptTests(SynchronousTestCase):
    def test_shape_comes_back(self) -> None:
        values = [Value(f"of_{kind}", 1.0, unit) for unit, kind in KINDS.items()]
        values += [Value("total", 1.0, "kWh", True), Value("count", 1.0, is_total=True)]
        values += [Value("plain", 1.0), Value("text", "x"), Value("truth", False)]
        modes = {"D1": INPUT, "D2": ANALOG, "D3": OUTPUT_LOW, "P0": ANALOG}
        pins = lines(modes, 0b10, {2: 512, 7: 3000})
        what = shape(*values, signal=40, temperature=20.0, pins=pins, firmware_version=0x23A7)
        self.assertEqual(Kept(message(what)).shape, what)

    def test_too_large(self) -> None:
        payload = message(shape(power())).payload
        self.assertTrue(Kept(Message("x", payload)).platforms)
        self.assertEqual(Kept(Message("x", payload + b" " * MAX_PAYLOAD)).platforms, {})
        self.assertEqual(Kept(Message("x", b"[" * 100_000)).platforms, {})


class TopicTests(SynchronousTestCase):
    def test_names_of_sites(self) -> None:
        """Home Assistant takes letters, digits, _ and - alone; no two sites have the same."""
        fit = re.compile(r"homeassistant/device/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")
        topics = set()
        for site in ("house-7", "house 7", "house.7", "house_7", "haus-ü", "0013a20041d7de10"):
            topic = DeviceMessages("homeassistant", SiteTopics("zbtwist", site)).topic(None)
            self.assertTrue(fit.fullmatch(topic), topic)
            topics.add(topic)
        self.assertEqual(len(topics), 6)

    def test_devices(self) -> None:
        for device in (None, METER):
            self.assertEqual(MESSAGES.device_of(MESSAGES.topic(device)), device)
        self.assertRaises(ValueError, MESSAGES.device_of, "homeassistant/device/x/METER/config")
