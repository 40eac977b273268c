from __future__ import annotations

from collections.abc import Iterable

from tests.site.support import TOPICS, SiteTestCase
from zbtwist.mqtt.interfaces import Message
from zbtwist.network.events import PinsChanged
from zbtwist.site.kept import MAX_STRANGE, PATIENCE
from zbtwist.site.nodes import ROUND, NodesSaid


class NodeTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()
        self.connect_it()

    def said(self, label: str) -> int:
        return len(self.broker.payloads(TOPICS.node(self.node(label).address64)))

    def test_what_is_said(self) -> None:
        node = self.node("METER")
        said = self.kept_of("METER")
        self.assertEqual(
            {name: said[name] for name in ("address", "label", "name", "type", "mqtt", "health")},
            {
                "address": f"{node.address64:016x}",
                "label": "METER",
                "name": "",
                "type": "router",
                "mqtt": "values",
                "health": "ok",
            },
        )
        self.assertEqual(said["address16"], f"{node.address16:04x}")
        self.assertEqual(said["tcp_port"], 27001)
        self.assertEqual(said["device_type"][:2], "0x")
        for name in ("signal", "hops", "temperature", "supply"):
            self.assertIsNone(said[name])
        self.assertEqual((said["pins"], said["values"], said["lost"]), ({}, {}, 0))
        self.assertEqual(said["last_seen"], self.gateway.network.nodes.last_seen(node))

    def test_a_signal_is_negative(self) -> None:
        self.node("METER").signal = 61
        self.run_for(ROUND + 2, 0.1)
        self.assertEqual(self.kept_of("METER")["signal"], -61)

    def test_a_change_is_said_within_a_second(self) -> None:
        self.call(self.api.rename("METER", "MAINS"))
        self.run_for(1.2)
        self.assertEqual(self.kept_of("MAINS")["label"], "MAINS")

    def test_a_node_that_says_much_is_not_said_each_time(self) -> None:
        before = self.said("METER")
        node = self.node("METER")
        for _ in range(round(2 * ROUND / 0.1)):
            self.gateway.network.nodes.heard(node.address64, node.address16, self.reactor.seconds())
            self.run_for(0.1, 0.1)
        self.assertIn(self.said("METER") - before, (1, 2, 3))
        seen = self.gateway.network.nodes.last_seen(node)
        self.assertLess(seen - self.kept_of("METER")["last_seen"], ROUND + 2)

    def test_a_node_that_is_as_it_was_is_not_said_again(self) -> None:
        self.run_for(2 * ROUND, 0.1)
        before = self.said("ECHO")
        self.run_for(3 * ROUND, 0.1)
        self.assertEqual(self.said("ECHO"), before)

    def test_lines(self) -> None:
        self.call(self.api.at("ECHO", "D1", 3))
        self.call(self.api.at("ECHO", "D4", 4))
        self.call(self.api.sample("ECHO"))
        self.call(self.api.sample("SENSOR"))
        self.run_for(3)
        pins = self.kept_of("ECHO")["pins"]
        self.assertEqual(pins["D1"], {"mode": "digital input", "value": 1})
        self.assertEqual(pins["D4"], {"mode": "output low", "value": 0})
        self.run_for(ROUND, 0.1)
        said = self.kept_of("SENSOR")
        self.assertEqual(said["pins"].keys(), {"D1", "D2"})
        self.assertEqual(
            (said["pins"]["D1"]["mode"], said["pins"]["D1"]["unit"]), ("analog input", "V")
        )
        self.assertTrue(0 < said["pins"]["D1"]["value"] < 1.2)
        self.assertTrue(3.2 < said["supply"] < 3.4)

    def test_what_a_line_reads_is_said_at_once(self) -> None:
        node = self.node("ECHO")
        looked: list[object] = []
        self.patch(self.part(NodesSaid), "changed", looked.append)
        self.gateway.bus.publish(PinsChanged(node, {"AD1": 7, "supply": 3}))
        self.assertEqual(looked, [node])

    def test_nobody_reads_lines_for_it_without_a_connection(self) -> None:
        heard = self.gateway.bus.subscribers(PinsChanged)
        self.assertEqual(len(heard), 1)
        self.client.cut()
        self.assertEqual(heard, [])

    def test_a_forgotten_node_is_kept_no_more(self) -> None:
        topic = TOPICS.node(self.node("METER").address64)
        self.assertIn(topic, self.broker.kept)
        self.gateway.network.nodes.remove(self.node("METER"))
        self.run_for(2)
        self.assertNotIn(topic, self.broker.kept)
        self.run_for(2 * ROUND, 0.1)
        self.assertNotIn(topic, self.broker.kept)

    def test_one_that_is_forgotten_as_it_changes(self) -> None:
        node = self.node("METER")
        self.gateway.network.nodes.changed(node)
        self.gateway.network.nodes.remove(node)
        self.gateway.network.nodes.changed(node)
        self.run_for(3)
        self.assertNotIn(TOPICS.node(node.address64), self.broker.kept)

    def test_off(self) -> None:
        topic = TOPICS.node(self.node("METER").address64)
        self.set_port("METER", mqtt="off")
        self.run_for(2)
        self.assertNotIn(topic, self.broker.kept)
        self.assertEqual(self.kept_of("ECHO")["label"], "ECHO")
        self.set_port("METER", mqtt="stream")
        self.run_for(2)
        self.assertEqual(self.kept_of("METER")["mqtt"], "stream")


class KeptBeforeTests(SiteTestCase):
    """What the broker has kept since before a connection."""

    def setUp(self) -> None:
        self.start()

    def keep(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self.other.publish(Message(topic, b"{}", retained=True))

    def test_a_node_that_was_forgotten_meanwhile(self) -> None:
        self.connect_it()
        node = self.node("METER")
        topic = TOPICS.node(node.address64)
        self.client.cut()
        self.gateway.network.nodes.remove(node)
        self.connect_it()
        self.assertIn(topic, self.broker.kept)
        self.run_for(PATIENCE + 1, 0.1)
        self.assertNotIn(topic, self.broker.kept)

    def test_a_node_that_is_found_again_in_time_is_kept(self) -> None:
        """A gateway without a state file finds its nodes when it searches."""
        self.connect_it()
        node = self.node("METER")
        self.client.cut()
        self.gateway.network.nodes.remove(node)
        self.connect_it()
        self.call(self.api.discover())
        self.run_for(PATIENCE + 1, 0.1)
        self.assertEqual(self.kept_of("METER")["label"], "METER")
        self.assertNotIn(b"", self.broker.payloads(TOPICS.node(node.address64)))

    def test_what_is_of_nobody(self) -> None:
        here = self.level("METER")
        strange = [
            "zbtwist/house/nodes/nobody",
            "zbtwist/house/nodes/0013a200ffffffff",
            "zbtwist/house/nodes/0013a200ffffffff/values/power",
            f"zbtwist/house/nodes/{here}/values/power",
        ]
        others = ["zbtwist/barn/nodes/0013a200ffffffff", "zbtwist/house/nodes", "zbtwist/house/x"]
        self.keep([*strange, *others])
        self.connect_it()
        self.run_for(PATIENCE + 1, 0.1)
        for topic in strange:
            self.assertNotIn(topic, self.broker.kept)
        for topic in others:
            self.assertIn(topic, self.broker.kept)

    def test_there_may_be_very_much(self) -> None:
        self.keep(f"zbtwist/house/nodes/{number}" for number in range(MAX_STRANGE + 7))
        self.connect_it()
        self.run_for(PATIENCE, 0.1)
        self.run_for(20)
        left = [topic for topic in self.broker.kept if len(topic.split("/")[-1]) < 6]
        self.assertEqual(len(left), 7 + 2)

    def test_what_others_say_in_its_place_is_not_minded(self) -> None:
        self.connect_it()
        before = len(self.client.published)
        for _ in range(100):
            self.other.publish(Message("zbtwist/house/nodes/1", b"x"))
        self.run_for(1)
        self.assertEqual(len(self.client.published), before)

    def test_what_others_remove_or_spoil_is_said_again(self) -> None:
        self.connect_it()
        topic = TOPICS.node(self.node("METER").address64)
        for payload in (b"", b"{}"):
            self.other.publish(Message(topic, payload, retained=True))
            self.run_for(2)
            self.assertEqual(self.kept_of("METER")["label"], "METER")

    def test_who_does_so_all_the_time_is_told_once_a_second(self) -> None:
        self.connect_it()
        topic = TOPICS.node(self.node("METER").address64)
        before = len(self.client.published)
        for _ in range(500):
            self.other.publish(Message(topic, b"", retained=True))
            self.run_for(0.01)
        self.assertLessEqual(len(self.client.published) - before, 6)
