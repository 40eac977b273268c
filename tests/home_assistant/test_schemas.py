"""Home Assistant's own code takes every message.

It needs Home Assistant, which needs a Python of its own: ``HOME_ASSISTANT_PYTHON`` names one that
has the packages ``homeassistant`` and ``paho-mqtt``. Without it these tests are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.home_assistant.support import METER, TOPICS, lines, power
from tests.home_assistant.test_components import readings
from zbtwist.decoding.value import KINDS, Value
from zbtwist.home_assistant.messages import DeviceMessages
from zbtwist.home_assistant.shape import NodeShape, shape_of
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.network.node import Node
from zbtwist.xbee.description import DIGI
from zbtwist.xbee.pins import ANALOG, INPUT, OUTPUT_HIGH

PYTHON = os.environ.get("HOME_ASSISTANT_PYTHON", "")

SCRIPT = Path(__file__).with_name("schemas.py")

#: A node of which everything is known.
FULL = Node(
    METER,
    label="METER",
    manufacturer_id=DIGI,
    device_type_identifier=0x00030005,
    firmware_version=0x23A7,
    signal=40,
    temperature=21.5,
    pins=lines({"D1": INPUT, "D2": ANALOG, "D3": OUTPUT_HIGH, "P0": ANALOG}, 0b1010, {2: 1, 7: 9}),
)

VALUES = (
    *(Value(f"of_{number}", 1.0, unit) for number, unit in enumerate(KINDS)),
    *(
        Value(f"total_{number}", 1.0, unit, True)
        for number, unit in enumerate(("Wh", "kWh", "", "m³"))
    ),
    power(),
    Value("humidity", 40.0, "%"),
    Value("odd", 1.0, "µg/m³"),
    Value("truth", True),
    Value("text", "x"),
)


def messages() -> list[Message]:
    """Return messages of every sort."""
    found = []
    full = shape_of(FULL, readings(*VALUES), "ecm1220")
    for site in ("house-7", "Haus 7 (ü)", "0013a20041d7de10"):
        makes = DeviceMessages("homeassistant", SiteTopics("zbtwist", site))
        for device, shape in ((None, NodeShape()), (METER, NodeShape()), (METER, full)):
            components = makes.components(device, shape)
            gone = {"output_D7": "switch", "value_x": "sensor"}
            found += [makes.message(device, shape, components, each) for each in ({}, gone)]
        found.append(makes.removal(METER))
    return found


class SchemaTests(SynchronousTestCase):
    if not PYTHON:
        skip = "HOME_ASSISTANT_PYTHON names no Python that has Home Assistant"

    def mistakes(self, *messages: Message) -> list[list[str]]:
        text = "".join(
            json.dumps({"topic": each.topic, "payload": each.payload.decode()}) + "\n"
            for each in messages
        )
        done = subprocess.run(
            [PYTHON, str(SCRIPT)], input=text, capture_output=True, text=True, timeout=120
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_all_are_taken(self) -> None:
        made = messages()
        self.assertEqual(self.mistakes(*made), [[] for _ in made])

    def test_that_it_would_notice(self) -> None:
        makes = DeviceMessages("homeassistant", TOPICS)
        shape = shape_of(FULL, readings(power()), "ecm1220")
        components = makes.components(METER, shape)
        for name, key, value in (
            ("value_ch1_power", "unit_of_measurement", "kg"),
            ("signal", "state_class", "no such class"),
            ("restart", "no_such_key", 1),
            ("health", "value_template", "{{ value_json."),
        ):
            wrong = {**components, name: {**components[name], key: value}}
            found = self.mistakes(makes.message(METER, shape, wrong, {}))
            self.assertEqual(len(found[0]), 1, (name, found))
            self.assertIn(name, found[0][0])
