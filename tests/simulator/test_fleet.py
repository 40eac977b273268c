from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.mqtt.support import MemoryBroker
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.mqtt.stream_messages import Counts, numbered
from zbtwist.simulator.fleet import MAX_NODES, MAX_SITES, LightSite, size_of

TOPICS = SiteTopics("zbtwist", "site-1")
FIRST = 0x0013A200_50010000


class LightSiteTests(SynchronousTestCase):
    """It says and hears what a gateway would."""

    def setUp(self) -> None:
        self.broker = MemoryBroker()
        client = self.broker.client()
        self.site = LightSite(client, TOPICS, FIRST, 3)
        client.join()
        self.other = self.broker.joined()
        self.heard: list[Message] = []
        self.answers: list[Any] = []
        self.other.subscribe(TOPICS.all_rx, self.heard.append)
        self.other.subscribe("a", lambda message: self.answers.append(message.payload))

    def tell(self, data: bytes, number: int, *more: tuple[str, str]) -> None:
        properties = (("stream", "s"), ("n", str(number)), *more)
        self.other.publish(
            Message(TOPICS.tx(FIRST), data, user_properties=properties, response_topic="a")
        )

    def test_what_it_says_of_its_nodes(self) -> None:
        self.assertEqual(self.broker.kept[TOPICS.state].payload, b"online")
        said = json.loads(self.broker.kept[TOPICS.node(FIRST + 2)].payload)
        self.assertEqual((said["label"], said["mqtt"]), ("site-1-3", "stream"))

    def test_nodes_speak_and_answer(self) -> None:
        node = self.site.nodes[FIRST]
        self.site.say(node, b"one")
        self.tell(b"two", 0)
        self.tell(b"two", 0)
        self.tell(b"four", 3)

        self.assertEqual([m.payload for m in self.heard], [b"one", b"two"])
        self.assertEqual([one.number for one in map(numbered, self.heard) if one], [1, 2])
        statuses = [json.loads(answer)["status"] for answer in self.answers]
        self.assertEqual(statuses, ["delivered", "delivered", "refused"])

    def test_stream_that_ends(self) -> None:
        self.tell(b"one", 0)
        for number in (0, 1):
            self.tell(b"", number, ("end", "1"))
        self.tell(b"two", 1)
        self.assertEqual([m.payload for m in self.heard], [b"one"])
        statuses = [json.loads(answer)["status"] for answer in self.answers]
        self.assertEqual(statuses, ["delivered", "delivered", "refused", "refused"])

    def test_counts(self) -> None:
        self.site.say(self.site.nodes[FIRST + 1], b"x")
        self.other.publish(Message(TOPICS.streams, b"", response_topic="a"))
        counts = Counts.parse(self.answers[0])
        assert counts is not None
        self.assertEqual(dict(counts.packets), {FIRST: 0, FIRST + 1: 1, FIRST + 2: 0})

    def test_whatever_comes(self) -> None:
        for topic in (TOPICS.tx(1), TOPICS.tx(FIRST)):
            for properties in ((), (("stream", ""), ("n", "x")), (("stream", "s"),)):
                self.other.publish(Message(topic, b"", user_properties=properties))
        self.assertEqual((self.heard, self.answers), ([], []))


class SizeTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        self.assertEqual(size_of("200x50"), (200, 50))
        for text in (
            "",
            "200",
            "x",
            "0x5",
            "-1x5",
            f"{MAX_SITES + 1}x1",
            f"1x{MAX_NODES + 1}",
            "²x1",
        ):
            self.assertRaises(ValueError, size_of, text)
