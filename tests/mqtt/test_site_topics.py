from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.mqtt.support import fits
from zbtwist.mqtt.site_topics import (
    SiteTopics,
    address_level,
    address_of_level,
    node_of,
    site_of,
)
from zbtwist.mqtt.topics import is_filter, is_topic

A = 0x0013A200400A3E01


class SiteTopicsTests(SynchronousTestCase):
    def test_their_names(self) -> None:
        topics = SiteTopics("zbtwist", "house-7")

        named = {
            topics.state: "zbtwist/house-7/state",
            topics.info: "zbtwist/house-7/info",
            topics.events: "zbtwist/house-7/events",
            topics.node(A): "zbtwist/house-7/nodes/0013a200400a3e01",
            topics.rx(A): "zbtwist/house-7/nodes/0013a200400a3e01/rx",
            topics.tx(A): "zbtwist/house-7/nodes/0013a200400a3e01/tx",
            topics.value(A, "power"): "zbtwist/house-7/nodes/0013a200400a3e01/values/power",
            topics.setting(A, "D1"): "zbtwist/house-7/nodes/0013a200400a3e01/set/D1",
            topics.request("list"): "zbtwist/house-7/request/list",
        }

        for topic, expected in named.items():
            self.assertEqual(topic, expected)
            self.assertTrue(is_topic(topic))

    def test_filters_for_all_nodes_and_for_all_sites(self) -> None:
        one = SiteTopics("a/b", "s")
        for topics in (one, SiteTopics("a/b", "+")):
            for found, topic in {
                topics.all_nodes: one.node(A),
                topics.all_rx: one.rx(A),
                topics.all_tx: one.tx(A),
                topics.all_values: one.value(A, "x"),
                topics.all_settings: one.setting(A, "D1"),
                topics.all_requests: one.request("list"),
            }.items():
                self.assertTrue(is_filter(found))
                self.assertTrue(fits(found, topic))
        self.assertFalse(fits(one.all_rx, SiteTopics("a/b", "other").rx(A)))

    def test_what_a_topic_is_of(self) -> None:
        topics = SiteTopics("a/b", "s")

        self.assertEqual(node_of("a/b", topics.node(A)), ("s", A, []))
        self.assertEqual(node_of("a/b", topics.value(A, "x")), ("s", A, ["values", "x"]))
        self.assertEqual(site_of("a/b", topics.state), "s")
        for topic in ("a/b/s/info", "a/b/s/nodes", "a/bc/s/nodes/0013a200400a3e01", "a/b"):
            self.assertIsNone(node_of("a/b", topic))
        self.assertIsNone(site_of("a/b", "a/b/s"))
        self.assertIsNone(site_of("a", "b/s/state"))

    def test_addresses(self) -> None:
        self.assertEqual(address_level(A), "0013a200400a3e01")
        self.assertEqual(address_of_level("0013a200400a3e01"), A)
        for level in ("", "13a200400a3e01", "0013A200400A3E01", "0x13a200400a3e01", "+", "٠" * 16):
            self.assertIsNone(address_of_level(level))
