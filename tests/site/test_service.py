from __future__ import annotations

from tests.site.support import TOPICS, SiteTestCase
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.site.nodes import NodesSaid

BY_ADDRESS = SiteTopics("zbtwist", "0013a20040000001")


class NameTests(SiteTestCase):
    def test_as_the_settings_say(self) -> None:
        self.start()
        self.assertEqual(self.client.client_id, "house")
        self.assertEqual(self.client.will, Message(TOPICS.state, b"offline", retained=True))

    def test_as_the_radio_once_that_is_known(self) -> None:
        self.start(MQTTSettings(broker="tcp:b"))
        facts = self.gateway.api._radio.facts
        assert facts is not None
        address = f"{facts.address64:016x}"
        self.assertEqual(self.client.client_id, address)
        self.connect_it()
        self.assertEqual(self.kept(f"zbtwist/{address}/info")["site"], address)

    def test_nobody_before_the_radio_is_known(self) -> None:
        self.start(MQTTSettings(broker="tcp:b"))
        self.site.stopService()
        self.site._address64 = None
        self.client.client_id = ""
        self.site.startService()
        self.assertEqual((self.client.client_id, self.site.topics), ("", None))


class ConnectionTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()

    def test_it_is_there_and_says_all(self) -> None:
        self.connect_it()
        nodes = [TOPICS.node(node.address64) for node in self.gateway.network.nodes]
        self.assertEqual(len(nodes), 3)
        self.assertEqual(self.client.published[0], Message(TOPICS.state, b"online", retained=True))
        self.assertEqual(sorted(self.broker.kept), sorted([TOPICS.state, TOPICS.info, *nodes]))

    def test_it_says_all_anew_on_each_connection(self) -> None:
        self.connect_it()
        before = dict(self.broker.kept)
        self.client.cut()
        self.assertEqual(self.broker.kept[TOPICS.state].payload, b"offline")
        # A broker that has lost what it kept.
        self.broker.kept.clear()
        self.run_for(5)
        self.connect_it()
        self.assertEqual(self.broker.kept.keys(), before.keys())

    def test_without_a_connection_nothing_is_made(self) -> None:
        described = []
        self.patch(self.part(NodesSaid), "_describe", lambda node: described.append(node))
        self.node("METER").label = "OTHER"
        self.gateway.network.nodes.changed(self.node("OTHER"))
        self.run_for(70)
        self.assertEqual((described, self.broker.published), ([], []))
        self.assertEqual(self.client.dropped, 0)

    def test_it_says_that_it_stops(self) -> None:
        self.connect_it()
        self.stop_now()
        # As the client does in the end.
        self.client.cut()
        self.assertEqual(self.broker.kept[TOPICS.state].payload, b"offline")
        self.assertEqual(self.client.filters, {})

    def test_a_will_that_comes_late(self) -> None:
        """The broker noticed late that the connection before this one is gone."""
        self.connect_it()
        self.other.publish(Message(TOPICS.state, b"offline", retained=True))
        self.run_for(1.1)
        self.assertEqual(self.broker.kept[TOPICS.state].payload, b"online")
        said = len(self.broker.payloads(TOPICS.state))
        for _ in range(100):
            self.other.publish(Message(TOPICS.state, b"", retained=True))
        self.run_for(3)
        self.assertEqual(len(self.broker.payloads(TOPICS.state)), said + 101)

    def test_what_it_said_before_is_no_news(self) -> None:
        self.other.publish(Message(TOPICS.state, b"offline", retained=True))
        self.connect_it()
        self.run_for(3)
        self.assertEqual(self.broker.payloads(TOPICS.state), [b"offline", b"online"])

    def test_five_hundred_nodes_hold_nobody_up(self) -> None:
        self.stop_now()
        self.start(nodes=500)
        self.run_for(5)
        self.assertEqual(len(self.gateway.network.nodes), 500)
        self.client.join()
        most, before = 0, 0
        for _ in range(600):
            self.reactor.advance(0.005)
            said = len(self.client.published)
            most, before = max(most, said - before), said
        self.assertEqual(
            sum(topic.startswith("zbtwist/house/nodes/") for topic in self.broker.kept), 500
        )
        self.assertLessEqual(most, 101)


class MovingTests(SiteTestCase):
    """What becomes of what the broker keeps when the gateway has another name."""

    def setUp(self) -> None:
        self.start()
        self.connect_it()
        self.count = len(self.broker.kept)

    def test_another_site(self) -> None:
        self.configure(site="barn")
        self.run_for(3)
        self.assertEqual(self.client.client_id, "barn")
        self.assertEqual(len(self.broker.kept), self.count)
        for topic in self.broker.kept:
            self.assertTrue(topic.startswith("zbtwist/barn/"), topic)
        self.assertEqual(self.broker.kept["zbtwist/barn/state"].payload, b"online")

    def test_another_base(self) -> None:
        self.configure(base="a/b")
        self.run_for(3)
        self.assertEqual({topic[:10] for topic in self.broker.kept}, {"a/b/house/"})

    def test_whoever_follows_hears_that_the_old_one_is_gone(self) -> None:
        heard: list[bytes] = []
        self.other.subscribe(TOPICS.state, lambda message: heard.append(message.payload))
        self.configure(site="barn")
        self.run_for(3)
        self.assertEqual(heard[:2], [b"online", b"offline"])
        self.assertEqual(heard[-1], b"")

    def test_while_there_is_no_connection(self) -> None:
        self.client.cut()
        self.configure(site="barn")
        self.configure(site="shed")
        self.run_for(1)
        self.assertEqual(self.broker.kept[TOPICS.state].payload, b"offline")
        self.connect_it()
        self.run_for(2)
        self.assertEqual({topic.split("/")[1] for topic in self.broker.kept}, {"shed"})

    def test_back_again(self) -> None:
        self.configure(site="barn")
        self.configure(site="house")
        self.run_for(3)
        self.assertEqual({topic.split("/")[1] for topic in self.broker.kept}, {"house"})
        self.assertEqual(len(self.broker.kept), self.count)
        self.run_for(70)
        self.assertEqual(len(self.broker.kept), self.count)

    def test_again_and_again(self) -> None:
        for number in range(20):
            self.configure(site=f"s{number}")
            self.run_for(2)
        self.assertEqual({topic.split("/")[1] for topic in self.broker.kept}, {"s19"})
        self.run_for(70)
        self.assertEqual(
            sorted(self.client.filters),
            sorted(
                f"zbtwist/s19/{rest}"
                for rest in (
                    "state",
                    *("nodes/+", "nodes/+/values/+", "nodes/+/set/+", "nodes/+/tx"),
                    *("request/+", "streams"),
                )
            ),
        )

    def test_the_connection_is_lost_on_the_way(self) -> None:
        self.configure(site="barn")
        self.client.cut()
        self.assertEqual(self.client.client_id, "barn")
        self.connect_it()
        self.run_for(2)
        self.assertEqual({topic.split("/")[1] for topic in self.broker.kept}, {"barn"})
