"""What a whole gateway says at a broker in memory: what Home Assistant is told to look at is said,
and what it is told to say is done.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

from tests.site.support import SiteTestCase
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.network.events import FROM_NODE, BytesPassed
from zbtwist.simulator.meter import Meter, encode_packet
from zbtwist.xbee.pins import OUTPUT_HIGH, OUTPUT_LOW

ROOT = "homeassistant/device/zbtwist"
GATEWAY = "zbtwist_house"


def templates_of(told: Any) -> Iterator[tuple[str, str]]:
    """Yield topics and the templates that read what is said there."""
    if isinstance(told, list):
        for each in told:
            yield from templates_of(each)
    elif isinstance(told, dict):
        for key, template in told.items():
            if key.endswith("_template"):
                stem = key.removesuffix("template")
                yield told.get(f"{stem}topic") or told.get("state_topic") or told["topic"], template
            yield from templates_of(template)


class GatewayTests(SiteTestCase):
    def setUp(self) -> None:
        self.start(
            MQTTSettings(broker="tcp:b", site="house", home_assistant=True),
        )
        self.set_port("METER", decoder="ecm1220")
        self.connect_it()
        self.call(self.gateway.api.set_pin("ECHO", "D4", True, True))
        self.call(self.gateway.api.sample("SENSOR"))
        meter = Meter(random.Random(1))
        for now in (0.0, 5.0):
            data = encode_packet(meter.read(now))
            self.gateway.bus.publish(BytesPassed(self.node("METER"), FROM_NODE, data, 1.7e9))
        self.run_for(100, 0.1)

    def devices(self) -> dict[str, Any]:
        """Return what is told of devices, by the last level but one of their topics."""
        return {
            topic.split("/")[-2]: json.loads(message.payload)
            for topic, message in self.broker.kept.items()
            if topic.startswith("homeassistant/")
        }

    def test_what_is_looked_at_is_said(self) -> None:
        devices = self.devices()
        self.assertEqual(len(devices), 4)
        for device in devices.values():
            found = list(templates_of(device))
            self.assertGreater(len(found), 3)
            for topic, template in found:
                said = self.kept(topic)
                for name in re.findall(r"value_json\.(\w+)", template):
                    self.assertIn(name, said, (topic, template))
                for pin in re.findall(r"\.get\('(\w+)', \{\}\)", template):
                    self.assertIn(pin, said["pins"], (topic, template))

    def test_each_kind_is_there(self) -> None:
        devices = self.devices()
        components = devices[self.level("METER")]["components"]
        self.assertTrue({"value_ch1_power", "value_ch1_energy"} <= {*components})
        self.assertIn("analog_D1", devices[self.level("SENSOR")]["components"])
        self.assertIn("output_D4", devices[self.level("ECHO")]["components"])
        self.assertIn("search", devices[GATEWAY]["components"])

    def press(self, device: str, name: str, payload: str = "") -> None:
        component = self.devices()[device]["components"][name]
        payload = component.get(payload, payload) or component.get("payload_press", "PRESS")
        self.other.publish(Message(component["command_topic"], payload.encode()))
        self.run_for(3)

    def events(self) -> list[Any]:
        """Return the names of what has happened."""
        return [each["event"] for each in self.gateway.api.trace(0)]

    def test_what_is_told_is_done(self) -> None:
        echo = self.level("ECHO")
        for key, mode in (("payload_off", OUTPUT_LOW), ("payload_on", OUTPUT_HIGH)):
            self.press(echo, "output_D4", key)
            pins = self.node("ECHO").pins
            assert pins is not None
            self.assertEqual(pins.modes["D4"], mode)
        self.node("ECHO").pins = None
        self.press(echo, "sample")
        self.assertIsNotNone(self.node("ECHO").pins)
        before = self.events()
        for device, name, event in (
            (echo, "restart", "node_identified"),
            (GATEWAY, "search", "search_ended"),
        ):
            self.press(device, name)
            self.run_for(10)
            self.assertGreater(self.events().count(event), before.count(event))

    def test_node_that_is_forgotten(self) -> None:
        """Its device goes before what its entities look at."""
        echo = self.level("ECHO")
        self.broker.published.clear()
        self.call(self.gateway.api.forget("ECHO"))
        self.run_for(3)
        emptied = [each.topic for each in self.broker.published if not each.payload]
        self.assertEqual(emptied, [f"{ROOT}/{echo}/config", f"zbtwist/house/nodes/{echo}"])

    def test_node_of_which_nothing_is_to_be_said(self) -> None:
        self.broker.published.clear()
        self.set_port("SENSOR", mqtt="off")
        self.run_for(3)
        emptied = [each.topic for each in self.broker.published if not each.payload]
        sensor = self.level("SENSOR")
        self.assertEqual(emptied[0], f"{ROOT}/{sensor}/config")
        self.assertIn(f"zbtwist/house/nodes/{sensor}", emptied)

    def test_switched_off(self) -> None:
        self.configure(home_assistant=False)
        self.run_for(2)
        self.assertEqual(self.devices(), {})

    def test_message_has_what_a_filter_hears(self) -> None:
        """No topic of a device is one that this gateway is told something under."""
        for topic in self.broker.kept:
            if topic.startswith("homeassistant/"):
                self.assertTrue(topic.startswith(f"{ROOT}/"), topic)
