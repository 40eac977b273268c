from __future__ import annotations

import json
from typing import Any

from twisted.logger import Logger

from tests.site.support import TOPICS, SiteTestCase
from zbtwist.mqtt.interfaces import Message
from zbtwist.site.event_feed import INTERVAL, MAX_BATCH

log = Logger(namespace="zbtwist.test")


class EventFeedTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.broker.payloads(TOPICS.events)]

    def test_events_as_the_control_port_tells_them(self) -> None:
        self.connect_it()
        self.connect("ECHO")
        self.run_for(1)
        event = self.told()[-1]
        self.assertEqual(
            (event["kind"], event["level"], event["event"], event["label"]),
            ("log", "info", "client_opened", "ECHO"),
        )
        (entry,) = self.gateway.api._events.since(event["seq"] - 1, 1)
        self.assertEqual(event, {"kind": "log", **entry.told()})
        message = next(one for one in self.broker.published if one.topic == TOPICS.events)
        self.assertEqual((message.retained, message.content_type), (False, "application/json"))

    def test_from_the_start_on_and_none_twice(self) -> None:
        self.connect_it()
        first = [event.get("event") for event in self.told()]
        self.assertIn("link_up", first)
        self.client.cut()
        log.info("meanwhile")
        self.connect_it()
        numbers = [event["seq"] for event in self.told()]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertIn("meanwhile", [event["text"] for event in self.told()])

    def test_so_many_in_a_second(self) -> None:
        self.connect_it()
        before = len(self.told())
        for number in range(5000):
            log.info(f"line {number}")
        self.run_for(1)
        self.assertLessEqual(len(self.told()) - before, MAX_BATCH / INTERVAL + MAX_BATCH)
        self.run_for(10)
        gaps = [event for event in self.told() if event["kind"] == "gap"]
        self.assertTrue(gaps)
        self.assertIn("are forgotten", gaps[0]["text"])

    def test_what_cannot_be_told_now_is_told_later(self) -> None:
        self.connect_it()
        publish, room = self.client.publish, 2

        def bounded(message: Message, at_least_once: bool = False) -> bool:
            nonlocal room
            room -= 1
            return room >= 0 and publish(message, at_least_once)

        self.patch(self.client, "publish", bounded)
        for number in range(10):
            log.info(f"line {number}")
        for _ in range(20):
            room = 2
            self.run_for(0.2)
        texts = [event["text"] for event in self.told()][-10:]
        self.assertEqual(texts, [f"line {number}" for number in range(10)])
