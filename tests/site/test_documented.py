"""docs/mqtt.rst, held against what a gateway says."""

from __future__ import annotations

import json
from typing import Any

from tests.pages import DOCS, blocks_of
from tests.site.support import TOPICS, SiteTestCase
from zbtwist.network.events import FROM_NODE, BytesPassed

#: What is in those whose names are data.
_NAMED = ("pins", "values")


def documented() -> dict[str, Any]:
    """Return the examples of messages, by the topics that they are introduced by."""
    found = {}
    page = (DOCS / "mqtt.rst").read_text().split("\n")
    for block in blocks_of(DOCS / "mqtt.rst"):
        if block.text.startswith("{"):
            line = int(block.place.rpartition(":")[2])
            found[page[line - 3].rstrip(":").strip("`")] = json.loads(block.text)
    return found


def kinds(value: Any, name: str = "") -> Any:
    """Return what a message consists of."""
    if isinstance(value, dict):
        if name in _NAMED:
            return {"any": kinds(next(iter(value.values())))} if value else {}
        return {key: kinds(each, key) for key, each in value.items()}
    return "number" if isinstance(value, int | float) else type(value).__name__


class DocumentedTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()
        self.set_port("SENSOR", decoder="keyvalue")
        self.connect_it()
        node = self.node("SENSOR")
        node.signal, node.route, node.temperature = 61, (), 22.5
        self.call(self.api.sample("SENSOR"))
        self.gateway.bus.publish(BytesPassed(node, FROM_NODE, b"temp=21.5C\n", 1795343190.2))
        self.connect("METER")
        self.run_for(61, 0.1)
        self.documented = documented()

    def test_nodes(self) -> None:
        topic = f"nodes/{self.level('SENSOR')}"
        said = self.kept(f"{TOPICS.root}/{topic}")
        example = self.documented[topic]
        self.assertEqual(list(example), list(said))
        self.assertEqual(kinds(example), kinds(said))
        for name in ("label", "type", "address16", "profile_id", "manufacturer_id", "device_type"):
            self.assertEqual(example[name], said[name])

    def test_values(self) -> None:
        topic = f"nodes/{self.level('SENSOR')}/values/temp"
        self.assertEqual(self.documented[topic], self.kept(f"{TOPICS.root}/{topic}"))

    def test_info(self) -> None:
        said = self.kept(TOPICS.info)
        example = self.documented["info"]
        self.assertEqual(list(example), list(said))
        # A simulated line has no rate.
        said["radio"]["baud_rate"] = 115200
        self.assertEqual(kinds(example), kinds(said))
        self.assertEqual(example["radio"], said["radio"])

    def test_events(self) -> None:
        said = next(
            event
            for event in map(json.loads, self.broker.payloads(TOPICS.events))
            if event.get("event") == "client_opened"
        )
        example = self.documented["events"]
        self.assertEqual(list(example), list(said))
        self.assertEqual(kinds(example), kinds(said))

    def test_all_of_them(self) -> None:
        """But for those of streams, which have tests of their own."""
        topics = {topic.rpartition("/")[2] for topic in self.documented}
        self.assertLessEqual({"info", self.level("SENSOR"), "temp", "events"}, topics)
