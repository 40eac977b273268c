"""What nodes say at the broker, and what is asked of it."""

from __future__ import annotations

import json
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.site.streams_support import ANSWERS, TOPICS, A, StreamsTestCase
from tests.support import record_log
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import STREAM, VALUES
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.mqtt.stream_messages import numbered
from zbtwist.site.streams import may_answer_at


class FromNodeTests(StreamsTestCase):
    def test_packets_are_numbered(self) -> None:
        self.says(b"one")
        self.says(b"two")

        self.assertEqual([message.payload for message in self.heard], [b"one", b"two"])
        first = self.heard[0]
        self.assertEqual(first.topic, "zbtwist/house/nodes/0013a20040000001/rx")
        self.assertEqual(first.user_properties, (("n", "1"), ("run", "run-1")))
        self.assertEqual(first.content_type, "application/octet-stream")
        self.assertFalse(first.retained)
        self.assertEqual([one.number for one in map(numbered, self.heard) if one], [1, 2])

    def test_what_is_not_published_is_counted(self) -> None:
        self.client.cut()
        self.says(b"lost")
        self.client.join()
        self.says(b"next")

        self.assertEqual([m.user_properties[0] for m in self.heard], [("n", "2")])

    def test_hole_is_said_before_what_comes_behind_it(self) -> None:
        self.says(b"one")
        self.port.interrupted("A frame was damaged")
        self.says(b"two")

        self.assertEqual([message.payload for message in self.heard], [b"one", b"", b"two"])
        hole = numbered(self.heard[1])
        assert hole is not None
        self.assertEqual((hole.number, hole.has_hole), (2, True))

    def test_hole_that_is_found_behind_an_outage(self) -> None:
        # The port finds out with the first packet that comes behind it.
        self.says(b"one")
        self.port.radio_is_deaf(self.wire.clock.seconds())
        self.wire.clock.advance(1)
        self.device.receiver(b"two")

        self.assertEqual([message.payload for message in self.heard], [b"one", b"", b"two"])

    def test_only_nodes_whose_settings_say_so(self) -> None:
        self.begin(PortSettings(pace=OFF, mqtt=VALUES))
        self.streams.follow()
        self.says(b"one")
        self.assertEqual(self.heard, [])

        self.begin(PortSettings(pace=OFF, mqtt=STREAM))
        self.streams.follow()
        self.says(b"two")

        # What it said meanwhile is a hole, and nobody can know how many packets that were.
        self.assertEqual([message.payload for message in self.heard], [b"", b"two"])

    def test_forgotten_node(self) -> None:
        port = self.port
        self.nodes.remove(self.device)
        self.bindings._ports.remove(port)
        self.tell(b"x", "late")

        self.assertEqual(self.outcomes, [("late", "refused")])
        node = self.see_one(A)
        node.receiver(b"back")
        self.assertEqual([message.payload for message in self.heard], [b"", b"back"])

    def test_stop(self) -> None:
        self.streams.moved(None)
        self.says(b"one")
        self.tell(b"x", "1")

        self.assertEqual((self.heard, self.answers), ([], []))
        self.assertEqual(self.sent, [])

    def test_under_another_name(self) -> None:
        self.says(b"one")
        self.streams.moved(SiteTopics("zbtwist", "other"))
        self.says(b"two")
        self.hub.subscribe(SiteTopics("zbtwist", "other").all_rx, self.heard.append)
        self.says(b"three")
        self.tell(b"old name", "old")

        # Who has heard it before is told that this counts anew.
        self.assertEqual(self.heard[-1].user_properties, (("n", "2"), ("run", "run-1.2")))
        self.assertEqual(self.answers, [])
        self.streams.moved(None)
        self.streams.moved(None)


class CountsTests(StreamsTestCase):
    def ask(self, **more: object) -> list[Message]:
        asked = Message(TOPICS.streams, b"", response_topic=ANSWERS, correlation_data=b"?")
        before = len(self.broker.published)
        self.hub.unsubscribe(ANSWERS)
        self.hub.publish(replace(asked, **more))  # type: ignore[arg-type]
        return self.broker.published[before + 1 :]

    def test_counts(self) -> None:
        self.says(b"one")
        self.says(b"two")
        (answer,) = self.ask()

        self.assertEqual(answer.correlation_data, b"?")
        self.assertEqual(
            json.loads(answer.payload),
            {"run": "run-1", "payload_limit": 84, "packets": {"0013a20040000001": 2}},
        )

    def test_what_is_retained_is_no_question(self) -> None:
        self.assertEqual(self.ask(retained=True)[:0], [])
        self.assertEqual(self.ask(response_topic=""), [])

    def test_question_that_cannot_be_answered(self) -> None:
        """That is said once, though a hub goes on to ask; and again when one could be answered in
        between.
        """
        log = record_log(self)
        said = (
            "What asks at 'zbtwist/house/streams' cannot be answered, since it names no response "
            "topic. If it is a hub, something between it and this gateway speaks MQTT 3.1.1"
        )
        for _ in range(3):
            self.ask(response_topic="")
            self.wire.clock.advance(60)
        self.assertEqual([line.startswith(said) for line in log.lines()], [True])
        for _ in range(50):
            self.ask()
            self.ask(response_topic="")
        self.assertEqual([line.startswith(said) for line in log.lines()], [True] * 2)

    def test_not_answered_where_it_would_be_taken_for_something_else(self) -> None:
        self.assertEqual(self.ask(response_topic=TOPICS.tx(A)), [])
        self.assertEqual(self.ask(response_topic="zbtwist/other/request/forget"), [])


class AnswerTopicTests(SynchronousTestCase):
    def test_topics(self) -> None:
        for topic in ("a/b", "zbtwist/hubs/1/answers", "zbtwistle/x/nodes", "zbtwist/house/my"):
            self.assertTrue(may_answer_at("zbtwist", topic), topic)
        for topic in (
            "",
            "#",
            "a/+",
            "$SYS/x",
            "zbtwist/house/nodes/0013a20040000001/tx",
            "zbtwist/house/nodes/0013a20040000001",
            "zbtwist/house/request/at",
            "zbtwist/house/state",
            "zbtwist/house/streams",
        ):
            self.assertFalse(may_answer_at("zbtwist", topic), topic)
