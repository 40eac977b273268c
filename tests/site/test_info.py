from __future__ import annotations

import zbtwist
from tests.site.support import TOPICS, SiteTestCase
from zbtwist.radio.events import LinkDown
from zbtwist.runtime.event_bus import EventBus
from zbtwist.site.info import LOOK, InfoSaid


class InfoTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()
        self.connect_it()

    def test_what_is_said(self) -> None:
        facts = self.gateway.api._radio.facts
        assert facts is not None
        self.assertEqual(
            self.kept(TOPICS.info),
            {
                "version": zbtwist.__version__,
                "site": "house",
                "radio": {
                    "address": f"{facts.address64:016x}",
                    "firmware": f"{facts.firmware_version:04x}",
                    "protocol": "Zigbee",
                    "pan": f"{facts.operating_pan_id:016x}",
                    "channel": facts.channel,
                    "payload_limit": 84,
                    "baud_rate": None,
                },
                "up": True,
                "link": "",
                "nodes": 3,
                "started": 0.0,
            },
        )

    def test_a_radio_that_is_away_is_known_still(self) -> None:
        before = self.kept(TOPICS.info)
        self.network.radio.hang()
        self.run_for(90, 0.1)
        said = self.kept(TOPICS.info)
        self.assertNotEqual(said["link"], "")
        self.assertFalse(said["up"])
        self.assertEqual(said["radio"], before["radio"])

    def test_time_of_day_that_is_set(self) -> None:
        """When the gateway started follows it."""
        nodes = self.gateway.network.nodes
        wall = nodes.wall
        self.patch(nodes, "wall", lambda: wall() + 1e6)
        self.run_for(LOOK + 1)
        self.assertEqual(self.kept(TOPICS.info)["started"], 1e6)

    def test_as_many_nodes_as_there_are(self) -> None:
        self.gateway.network.nodes.remove(self.node("METER"))
        self.run_for(2)
        self.assertEqual(self.kept(TOPICS.info)["nodes"], 2)

    def test_a_noisy_line_says_it_no_oftener_than_once_a_second(self) -> None:
        made = []
        self.patch(self.part(InfoSaid), "_made", lambda: made.append(1) or b"{}")  # type: ignore[func-returns-value]
        for _ in range(1000):
            self.gateway.bus.publish(LinkDown("noise", is_noise=True))
            self.run_for(0.01)
        self.assertLessEqual(len(made), 11)

    def test_nobody_is_told_without_a_connection(self) -> None:
        bus: EventBus = self.gateway.bus
        before = len(bus.subscribers(LinkDown))
        self.client.cut()
        self.assertEqual(len(bus.subscribers(LinkDown)), before - 1)
