"""A hub, and what becomes of streams when something happens between it and the sites."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.faults.connection import RESET
from tests.faults.world import FAST_LINE, Device
from tests.fleet.support import Fleet, HubProgram, SiteProgram
from tests.support import present, record_log
from zbtwist.control.faults import ControlFault
from zbtwist.control.http.fleet_metrics import FleetCollector
from zbtwist.fleet import radio as radio_module
from zbtwist.fleet.service import FleetService
from zbtwist.fleet.site import STRIPPED
from zbtwist.fleet.way import EXPIRY, TRANSMIT_TIMEOUT
from zbtwist.health.events import HealthChanged
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.mqtt.stream_messages import Counts
from zbtwist.radio.info import NO_RADIO
from zbtwist.runtime.event_bus import Event
from zbtwist.xbee.address import Address64

SITE = SiteTopics("zbtwist", "site-1")


def stripped(message: Message) -> tuple[Message]:
    """As what speaks MQTT 3.1.1 hands it on."""
    return (Message(message.topic, message.payload, message.retained),)


class FleetTestCase(SynchronousTestCase):
    def build(self, sites: int = 1, nodes: int = 1, hubs: int = 1, **more: Any) -> Fleet:
        self.log = record_log(self)
        self.fleet = fleet = Fleet(sites, nodes, hubs, **more)
        self.addCleanup(self.stop)
        self.hub, self.site = fleet.hubs[0], fleet.sites[0]
        self.device = self.site.devices[0]
        self.got: list[bytes] = []
        self.device.listener = self.got.append
        return fleet

    def stop(self) -> None:
        self.fleet.stop()
        self.assertEqual([str(call) for call in self.fleet.clock.getDelayedCalls()], [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def connect(self, hub: HubProgram | None = None) -> Any:
        client: Any = (hub or self.hub).connect_client(self.device)
        client.heard = []
        client.received = client.heard.append
        return client

    def call(self, operation: Any, seconds: float = 3.0) -> Any:
        """Return what an operation returns within so many seconds."""
        result = Deferred.fromCoroutine(operation)
        self.fleet.run(seconds)
        return self.successResultOf(result)


class NodesTests(FleetTestCase):
    def test_every_node_of_every_site_has_a_port(self) -> None:
        self.build(sites=3, nodes=4)
        rows = self.hub.rows()

        self.assertEqual(
            sorted(rows), sorted(f"site-{s}-{n}" for s in (1, 2, 3) for n in (1, 2, 3, 4))
        )
        self.assertEqual(
            sorted(row["tcp_port"] for row in rows.values()), list(range(40000, 40012))
        )
        self.assertEqual({row["state"] for row in rows.values()}, {"listening"})
        self.assertEqual(
            {rows[f"site-{s}-1"]["site"] for s in (1, 2, 3)}, {*("site-1", "site-2", "site-3")}
        )
        self.assertNotIn("site", self.site.gateway.api.list_nodes()[0])

    def test_hub_of_some_sites(self) -> None:
        self.build(sites=3, of=("site-1", "site-3"))
        self.assertEqual(sorted(self.hub.rows()), ["site-1-1", "site-3-1"])

    def test_what_sites_say_of_them(self) -> None:
        fleet = self.build(nodes=2)
        (row, _) = self.hub.rows().values()
        self.assertEqual((row["type"], row["device_type"]), ("router", "0x00030005"))
        self.assertGreater(row["last_seen"], 0)

        self.call(self.site.gateway.api.rename("site-1-1", "KITCHEN"))
        fleet.run(3)
        self.assertIn("KITCHEN", self.hub.rows())

    def test_ports_are_the_same_after_a_restart(self) -> None:
        fleet = self.build(sites=2, nodes=3)
        path = self.mktemp()
        self.hub.kill()
        self.hub.settings = replace(self.hub.settings, state=path)
        self.hub.start()
        fleet.run(3)
        before = {label: row["tcp_port"] for label, row in self.hub.rows().items()}
        self.hub.stop()
        self.hub.kill()
        # The other site is the first to be heard.
        fleet.sites[0].kill()
        self.hub.start()
        fleet.run(3)
        fleet.sites[0].start()
        fleet.run(6)

        self.assertEqual(len(before), 6)
        self.assertEqual({label: row["tcp_port"] for label, row in self.hub.rows().items()}, before)

    def test_forgotten_at_its_site(self) -> None:
        fleet = self.build()
        self.call(self.site.gateway.api.forget("site-1-1"))
        fleet.run(2)
        client = self.connect()
        client.write(b"x")
        fleet.run(15)

        row = self.hub.rows()["site-1-1"]
        self.assertEqual((row["site"], row["tcp_port"]), ("", 40000))
        self.assertEqual(client.ended, RESET)

    def test_settings_and_searches_go_to_the_site(self) -> None:
        fleet = self.build(sites=2)
        api = self.hub.gateway.api
        self.assertEqual(self.call(api.at("site-1-1", "NI")), "site-1-1")
        self.assertEqual(self.call(api.at("site-1-1", "D4", 5)), "")
        self.assertEqual(self.device.registers.read("D4")[1], b"\5")
        self.assertEqual(self.call(api.at("site-2-1", "BD")), 10)
        rows = self.call(api.discover(), 5)
        self.assertEqual(len(rows), 2)
        fleet.sites[1].kill()
        fleet.run(1)
        failed = Deferred.fromCoroutine(api.at("site-2-1", "NI"))
        fleet.run(1)
        fault = self.failureResultOf(failed, ControlFault).value
        self.assertEqual(fault.sentence, "Site site-2 is offline.")

    def test_metrics(self) -> None:
        fleet = self.build(sites=3)
        radio = self.hub.radio
        fleet.sites[1].kill()
        fleet.run(1)
        radio.doubles, radio.ignored = 5, 2
        service = self.hub.gateway.radio
        assert isinstance(service, FleetService)
        registry = CollectorRegistry()
        registry.register(FleetCollector(service))
        said = generate_latest(registry).decode()
        for line in (
            'zbtwist_fleet_sites{state="online"} 2.0',
            'zbtwist_fleet_sites{state="away"} 1.0',
            "zbtwist_fleet_doubled_packets_total 5.0",
            "zbtwist_fleet_late_answers_total 0.0",
            "zbtwist_fleet_ignored_messages_total 2.0",
        ):
            self.assertIn(line, said.splitlines())

    def test_metrics_of_no_hub(self) -> None:
        self.build()
        self.assertEqual(list(FleetCollector(None).collect()), [])

    def test_refused_by_the_node(self) -> None:
        fleet = self.build()
        failed = Deferred.fromCoroutine(self.hub.gateway.api.at("site-1-1", "ZZ"))
        fleet.run(3)
        fault = self.failureResultOf(failed, ControlFault).value
        self.assertIn("refused ZZ", fault.sentence)

    def test_names_that_are_given_at_the_hub(self) -> None:
        """They hold: the site, and what it says of the node, have them as well."""
        fleet = self.build(nodes=2)
        hub, site = self.hub.gateway.api, self.site.gateway.api
        self.assertIs(self.call(hub.rename("site-1-1", "KITCHEN")), True)
        self.assertEqual(self.call(hub.at("site-1-2", "NI", "CELLAR")), "")
        # The site describes them anew.
        for device in self.site.devices:
            device.send(b"x")
        self.call(site.at("KITCHEN", "D4", 5))
        self.call(site.at("CELLAR", "D4", 5))
        fleet.run(30)

        names = ["CELLAR", "KITCHEN"]
        self.assertEqual(sorted(row["label"] for row in site.list_nodes()), names)
        self.assertEqual(sorted(self.hub.rows()), names)
        kept = fleet.broker.kept[SITE.node(self.device.address64)]
        self.assertEqual(json.loads(kept.payload)["label"], "KITCHEN")
        self.assertEqual([line for line in self.log.lines() if "no longer KITCHEN" in line], [])

    def test_there_is_no_radio_to_be_asked(self) -> None:
        self.build()
        api = self.hub.gateway.api
        for operation in (
            *(api.at("", "NI"), api.at("", "NT", 60), api.settings(""), api.permit_join(60)),
            *(api.neighbours(""), api.neighbours("site-1-1"), api.walk(), api.test("site-1-1")),
        ):
            failed = Deferred.fromCoroutine(operation)
            self.fleet.run(1)
            fault = self.failureResultOf(failed, ControlFault).value
            self.assertEqual(fault.sentence, NO_RADIO)
        self.assertEqual(api.links()["text"], NO_RADIO)

    def test_restart_of_a_node_through_the_hub(self) -> None:
        self.build()
        client = self.connect()
        self.call(self.hub.gateway.api.at("site-1-1", "FR"), 5)
        self.assertEqual(client.ended, RESET)


class StreamsTests(FleetTestCase):
    def test_bytes_both_ways(self) -> None:
        fleet = self.build()
        client = self.connect()
        client.write(b"question")
        fleet.run(1)
        self.device.send(b"answer")
        fleet.run(1)

        self.assertEqual((self.got, client.heard), ([b"question"], [b"answer"]))
        self.assertEqual(client.ended, "")

    def test_large_transfer(self) -> None:
        fleet = self.build()
        client = self.connect()
        sent = bytes(range(256)) * 40
        self.assertEqual(client.write(sent), len(sent))
        fleet.run(60)

        self.assertEqual(b"".join(self.got), sent)
        self.assertEqual(client.ended, "")

    def test_window_keeps_the_order(self) -> None:
        # The site sends what is in the air one after the other, whatever the hub's window is.
        fleet = self.build(window=8)
        fleet.sites[0].network.air.loss = 0.0  # type: ignore[attr-defined]
        client = self.connect()
        sent = bytes(range(256)) * 20
        client.write(sent)
        fleet.run(30)

        self.assertEqual(b"".join(self.got), sent)

    def test_two_hubs_do_not_know_each_other(self) -> None:
        fleet = self.build(hubs=2)
        one, other = (self.connect(hub) for hub in fleet.hubs)
        one.write(b"one")
        other.write(b"other")
        fleet.run(1)
        self.device.send(b"both")
        fleet.run(1)

        self.assertEqual(sorted(self.got), [b"one", b"other"])
        self.assertEqual((one.heard, other.heard), ([b"both"], [b"both"]))

    def test_broker_away_for_a_moment(self) -> None:
        fleet = self.build()
        client = self.connect()
        fleet.broker.cut()
        client.write(b"waits")
        fleet.run(5)
        fleet.broker.join()
        fleet.run(2)

        # Nothing was said meanwhile, and what was written has waited.
        self.assertEqual((self.got, client.ended), ([b"waits"], ""))
        self.device.send(b"x")
        fleet.run(1)
        self.assertEqual((client.heard, client.ended), ([b"x"], ""))

    def test_node_speaks_while_the_broker_is_away(self) -> None:
        fleet = self.build()
        client, silent = self.connect(), self.connect()
        fleet.broker.cut()
        self.device.send(b"lost")
        fleet.run(1)
        fleet.broker.join()
        fleet.run(3)

        # Also if it says nothing more.
        self.assertEqual((client.ended, silent.ended), (RESET, RESET))
        self.assertEqual(client.heard, [])

    def test_broker_away_for_long(self) -> None:
        fleet = self.build()
        client = self.connect()
        fleet.broker.cut()
        client.write(b"old")
        fleet.run(11)
        self.assertEqual(client.ended, RESET)
        silent = self.connect()
        fleet.broker.join()
        fleet.run(2)

        self.assertEqual((self.got, silent.ended), ([], ""))

    def test_answer_that_is_lost(self) -> None:
        fleet = self.build()
        client = self.connect()
        packets = self.hub.radio.packets.topic
        fleet.broker.passes = lambda message: () if message.topic == packets else (message,)
        client.write(b"once")
        fleet.run(1.5)
        self.assertEqual(self.got, [b"once"])
        fleet.broker.passes = lambda message: (message,)
        fleet.run(3)
        client.write(b"again")
        fleet.run(1)

        # It was asked for again, and not sent again.
        self.assertEqual((self.got, client.ended), ([b"once", b"again"], ""))

    def test_packet_that_is_lost(self) -> None:
        fleet = self.build()
        client = self.connect()
        fleet.broker.passes = lambda message: () if message.topic.endswith("/tx") else (message,)
        client.write(b"one")
        fleet.run(0.5)
        fleet.broker.passes = lambda message: (message,)
        fleet.run(4)

        self.assertEqual((self.got, client.ended), ([b"one"], ""))

    def test_site_that_answers_nothing(self) -> None:
        fleet = self.build()
        client = self.connect()
        packets = self.hub.radio.packets.topic
        fleet.broker.passes = lambda message: () if message.topic == packets else (message,)
        client.write(b"once")
        fleet.run(TRANSMIT_TIMEOUT - 3)
        # It is there, as it says when it is asked.
        self.assertEqual(client.ended, "")
        fleet.run(6)

        self.assertEqual((self.got, client.ended), ([b"once"], RESET))
        self.assertNotIn("Site site-1 does not answer.", self.log.lines())
        self.assertEqual(self.hub.radio.packets.pending, {})

    def test_a_stream_that_breaks_is_ended_at_the_site(self) -> None:
        # The node does not answer: the site tries again and again.
        fleet = self.build()
        client = self.connect()
        self.site.network.nodes.pop(self.device.address64)
        client.write(b"never")
        fleet.run(0.05)
        self.interrupt()
        fleet.run(0.1)

        ended = [m for m in fleet.broker.published if ("end", "1") in m.user_properties]
        self.assertEqual([m.topic for m in ended], [SITE.tx(self.device.address64)])
        self.assertEqual(client.ended, RESET)

    def test_what_waits_at_the_site_before_a_packet_that_is_lost(self) -> None:
        """It comes behind nothing that is written later."""
        fleet = self.build(window=4)
        client = self.connect()
        self.site.network.nodes.pop(self.device.address64)
        passing = [True, True, False]

        def passes(message: Message) -> tuple[Message, ...]:
            is_lost = message.topic.endswith("/tx") and passing and not passing.pop(0)
            return () if is_lost else (message,)

        fleet.broker.passes = passes
        client.write(b"".join(bytes([at]) * 84 for at in range(4)))
        fleet.run(0.1)
        self.assertEqual((client.ended, passing), (RESET, []))
        self.site.network.nodes[self.device.address64] = self.device
        fresh = self.connect()
        fresh.write(b"new")
        fleet.run(TRANSMIT_TIMEOUT)

        self.assertEqual((self.got[-1], fresh.ended), (b"new", ""))
        self.assertNotIn(bytes([1]) * 84, self.got)

    def interrupt(self) -> None:
        """Let the node's stream at the hub break."""
        node = present(self.hub.gateway.network.nodes.get(self.device.address64))
        present(self.hub.gateway.bindings.port_of(node)).interrupted("For another reason")

    def test_an_old_packet_ends_no_new_stream(self) -> None:
        fleet = self.build(window=2)
        client = self.connect()
        packets = self.hub.radio.packets.topic
        fleet.broker.passes = lambda message: () if message.topic == packets else (message,)
        client.write(b"old")
        fleet.run(1)
        self.interrupt()
        fleet.run(TRANSMIT_TIMEOUT - 3)
        fresh = self.connect()
        fresh.write(b"new")
        fleet.run(3.5)
        fleet.broker.passes = lambda message: (message,)
        fleet.run(TRANSMIT_TIMEOUT + 5)

        self.assertEqual((self.got, fresh.ended), ([b"old", b"new"], ""))

    def test_old_command(self) -> None:
        # The site's gateway is cut off; its client is reset; when it is back nothing is sent.
        fleet = self.build()
        client = self.connect()
        fleet.broker.passes = lambda message: () if message.topic.endswith("/tx") else (message,)
        client.write(b"old")
        fleet.run(0.5)
        client.write(b"waits")
        fleet.run(0.1)
        self.site.client.cut()
        fleet.broker.passes = lambda message: (message,)
        fleet.run(11)
        self.assertEqual(client.ended, RESET)
        self.site.client.join()
        fleet.run(TRANSMIT_TIMEOUT + 3)

        self.assertEqual(self.got, [])

    def test_messages_expire(self) -> None:
        fleet = self.build()
        client = self.connect()
        client.write(b"x")
        fleet.run(0.1)
        (message,) = (m for m in fleet.broker.published if m.topic.endswith("/tx"))
        self.assertEqual(message.expires_after, EXPIRY)

    def test_doubled_and_late(self) -> None:
        fleet = self.build()
        client = self.connect()
        fleet.broker.passes = lambda message: (message, message)
        client.write(b"question")
        fleet.run(1)
        self.device.send(b"answer")
        fleet.run(1)
        rx = [m for m in fleet.broker.published if m.topic.endswith("/rx")]
        self.device.send(b"next")
        fleet.run(1)
        for message in rx:
            self.hub.client.filters["zbtwist/+/nodes/+/rx"](message)

        self.assertEqual(b"".join(self.got), b"question")
        self.assertEqual((client.heard, client.ended), ([b"answer", b"next"], ""))
        self.assertGreater(self.hub.radio.doubles, 0)

    def test_a_packet_is_missing(self) -> None:
        fleet = self.build()
        client = self.connect()
        self.device.send(b"one")
        fleet.run(1)
        fleet.broker.passes = lambda message: ()
        self.device.send(b"two")
        fleet.run(1)
        fleet.broker.passes = lambda message: (message,)
        self.assertEqual(client.ended, "")
        self.device.send(b"three")
        fleet.run(1)

        self.assertEqual((client.heard, client.ended), ([b"one"], RESET))

    def test_hole_that_the_site_knows(self) -> None:
        fleet = self.build()
        client = self.connect()
        node = present(self.site.gateway.network.nodes.get(self.device.address64))
        present(self.site.gateway.bindings.port_of(node)).interrupted("A frame was damaged")
        fleet.run(1)

        self.assertEqual(client.ended, RESET)

    def test_node_that_is_not_said(self) -> None:
        fleet = self.build()
        ports = replace(self.site.settings.port_settings, mqtt="values")
        self.site.gateway.bindings.configure((), 21000, settings=ports)
        self.site.site.reconfigure(self.site.settings.mqtt)
        fleet.run(70)
        client = self.connect()
        client.write(b"x")
        fleet.run(12)

        self.assertEqual(client.ended, RESET)
        self.assertTrue(any('mqtt = "stream"' in line for line in self.log.lines()))


class SitesTests(FleetTestCase):
    def test_a_site_is_killed(self) -> None:
        fleet = self.build()
        client = self.connect()
        self.site.kill()
        fleet.run(1)
        self.assertEqual(client.ended, "")
        client.write(b"x")
        fleet.run(11)

        self.assertEqual(client.ended, RESET)
        self.assertIn("Site site-1 is offline.", self.log.lines())
        late = self.connect()
        late.write(b"x")
        fleet.run(0.1)
        self.assertEqual(late.ended, RESET)

    def test_nothing_waits_for_what_was_on_its_way_to_a_site_that_was_killed(self) -> None:
        """Or that could not be reached: when it is back, what clients write goes at once."""
        fleet = self.build()
        for away, back in (
            (self.site.kill, self.site.start),
            (self.hub.client.cut, self.hub.client.join),
        ):
            client = self.connect()
            fleet.broker.passes = lambda message: (
                () if message.topic.endswith("/tx") else (message,)
            )
            client.write(b"lost")
            fleet.run(0.5)
            away()
            client.write(b"too late")
            fleet.run(11)
            self.assertEqual(client.ended, RESET)
            fleet.broker.passes = lambda message: (message,)
            back()
            fleet.run(4)
            self.got.clear()
            self.connect().write(b"x")
            fleet.run(0.5)
            self.assertEqual(self.got, [b"x"])

    def test_nothing_waits_for_long_for_what_did_not_come_to_a_site(self) -> None:
        """The site was there all the while, and the way to it was cut."""
        fleet = self.build()
        client = self.connect()
        fleet.broker.passes = lambda message: [message][: not message.topic.endswith("/tx")]
        client.write(b"lost")
        fleet.run(0.5)
        # The stream breaks for another reason.
        node = present(self.hub.gateway.network.nodes.get(self.device.address64))
        present(self.hub.gateway.bindings.port_of(node)).interrupted("For another reason")
        fleet.run(0.1)
        self.assertEqual(client.ended, RESET)
        self.connect().write(b"x")
        fleet.run(5)
        fleet.broker.passes = lambda message: (message,)
        fleet.run(3)
        self.assertEqual(self.got, [b"x"])

    def test_several_packets_are_on_their_way_to_a_site_that_was_killed(self) -> None:
        fleet = self.build(window=4)
        client = self.connect()
        self.site.network.nodes.pop(self.device.address64)
        client.write(bytes(4 * 84))
        fleet.run(0.1)
        self.site.kill()
        fleet.run(0.1)
        self.site.start()
        fleet.run(TRANSMIT_TIMEOUT)

        self.assertEqual(client.ended, RESET)
        self.assertEqual(self.hub.radio.packets.pending, {})

    def test_packet_whose_time_is_up_while_its_site_is_away(self) -> None:
        fleet = self.build()
        client = self.connect()
        fleet.broker.passes = lambda message: [message][: not message.topic.endswith("/tx")]
        client.write(b"x")
        fleet.run(0.5)
        self.site.kill()
        fleet.run(TRANSMIT_TIMEOUT + 2)

        self.assertEqual(client.ended, RESET)
        self.assertEqual(self.hub.radio.packets.pending, {})

    def test_a_site_that_stands_still(self) -> None:
        """Its process is stopped: the broker says nothing of it, and nothing is answered."""
        fleet = self.build()
        client = self.connect()
        fleet.run(30)
        before = len(fleet.broker.published)
        fleet.broker.passes = lambda message: (
            () if message.topic.startswith("zbtwist/site-1/") else (message,)
        )
        client.write(b"x")
        fleet.run(12.5)
        self.assertEqual(self.log.lines().count("Site site-1 does not answer."), 1)
        questions = [m for m in fleet.broker.published[before:] if m.topic == SITE.streams]
        self.assertLessEqual(len(questions), 2)
        fleet.run(TRANSMIT_TIMEOUT - 12.5 + 2)
        self.assertEqual(client.ended, RESET)
        for _ in range(2):
            late = self.connect()
            late.write(b"x")
            fleet.run(0.1)
            self.assertEqual(late.ended, RESET)
        self.assertEqual(self.hub.radio.packets.pending, {})

        # What it says shows that it goes on.
        fleet.run(300)
        fleet.broker.passes = lambda message: (message,)
        self.device.send(b"back")
        fleet.run(0.5)
        self.assertFalse(self.hub.radio.sites["site-1"].is_away)
        self.connect().write(b"new")
        fleet.run(0.5)
        self.assertEqual(self.got, [b"new"])

    def test_the_others_go_on(self) -> None:
        fleet = self.build(sites=2)
        client = self.connect()
        fleet.sites[1].kill()
        client.write(b"x")
        fleet.run(1)
        self.assertEqual((self.got, client.ended), ([b"x"], ""))

    def test_how_nodes_of_a_site_that_is_away_are(self) -> None:
        """That it is away is said of each, and not that it is silent; nor when it is back."""
        fleet = self.build(sites=2)
        changes: list[Event] = []
        self.hub.gateway.bus.subscribe(HealthChanged, changes.append)
        for _ in range(20):
            for site in fleet.sites:
                site.devices[0].send(b"says this each 20 s")
            fleet.run(20)
        self.assertEqual({row["health"] for row in self.hub.gateway.api.list_nodes()}, {"ok"})
        del changes[:]

        self.site.kill()
        fleet.run(1)
        rows = {row["site"]: row for row in self.hub.gateway.api.list_nodes()}
        self.assertEqual(rows["site-2"]["health"], "ok")
        row = rows["site-1"]
        said = row["health"], row["health_text"]
        self.assertEqual(said, ("not-answering", "Site site-1 is offline."))
        self.assertAlmostEqual(row["health_since"], self.hub.gateway.network.nodes.wall() - 1, 0)
        for _ in range(10):
            fleet.sites[1].devices[0].send(b"says this each 20 s")
            fleet.run(20)

        self.site.start()
        fleet.run(3)
        rows = {row["site"]: row for row in self.hub.gateway.api.list_nodes()}
        self.assertEqual(rows["site-1"]["health"], "ok")
        self.assertEqual(changes, [])

    def test_a_site_is_restarted(self) -> None:
        fleet = self.build()
        client = self.connect()
        self.site.kill()
        self.site.start()
        fleet.run(3)

        self.assertEqual(client.ended, RESET)
        self.assertIn("The gateway of site site-1 was started anew.", self.log.lines())

    def test_what_is_late_of_the_run_before(self) -> None:
        fleet = self.build()
        self.device.send(b"old")
        fleet.run(1)
        (old,) = (m for m in fleet.broker.published if m.topic.endswith("/rx"))
        self.site.kill()
        self.site.start()
        fleet.run(5)
        client = self.connect()
        self.hub.client.filters["zbtwist/+/nodes/+/rx"](old)
        self.device.send(b"new")
        fleet.run(1)

        self.assertEqual((client.heard, client.ended), ([b"new"], ""))

    def test_first_packet_of_a_stream_is_not_sent_twice_over_a_restart(self) -> None:
        fleet = self.build()
        client = self.connect()
        packets = self.hub.radio.packets.topic
        fleet.broker.passes = lambda message: () if message.topic == packets else (message,)
        client.write(b"once")
        fleet.run(0.5)
        self.site.kill()
        self.site.start()
        fleet.broker.passes = lambda message: (message,)
        fleet.run(10)

        self.assertEqual((self.got, client.ended), ([b"once"], RESET))

    def test_site_that_says_online_and_is_not_there(self) -> None:
        fleet = self.build()
        stranger = fleet.broker.joined()
        stranger.publish(Message("zbtwist/ghost/state", b"online", retained=True))
        fleet.run(20)
        ghost = self.hub.radio.sites["ghost"]

        self.assertTrue(ghost.is_away)
        self.assertEqual(ghost.offline_reason, "Site ghost does not answer.")
        self.assertEqual(self.log.lines().count("Site ghost does not answer."), 1)

    def test_bridge_of_mqtt_3(self) -> None:
        """It takes the properties of all messages: that is said once, and again when it was right
        in between.
        """
        fleet = self.build(nodes=2)
        said = STRIPPED.format(site="site-1")
        self.hub.kill()
        fleet.broker.passes = stripped
        self.hub.start()
        for _ in range(20):
            self.device.send(b"not heard")
            fleet.run(10)
        site = self.hub.radio.sites["site-1"]
        self.assertEqual(site.offline_reason, said)
        lines = self.log.lines()
        self.assertEqual((lines.count(said), "Site site-1 does not answer." in lines), (1, False))
        rows = self.hub.gateway.api.list_nodes()
        self.assertEqual({row["health_text"] for row in rows}, {said})

        fleet.broker.passes = lambda message: (message,)
        self.device.send(b"heard")
        fleet.run(70)
        self.assertEqual(site.offline_reason, "")

        # A bridge that was set otherwise shows at the next packet, though nothing is written.
        fleet.broker.passes = stripped
        self.device.send(b"not heard")
        fleet.run(10)
        self.assertEqual(site.offline_reason, said)
        self.assertEqual(self.log.lines().count(said), 2)

    def test_bridge_that_falls_back_to_mqtt_3(self) -> None:
        """Without its properties a packet is of no stream, and goes to the node whenever it comes:
        it is not said again, though it is not answered.
        """
        fleet = self.build()
        client = self.connect()
        client.write(b"before")
        fleet.run(1)
        fleet.broker.passes = stripped
        client.write(b"once")
        fleet.run(TRANSMIT_TIMEOUT + 5)

        self.assertEqual((self.got, client.ended), ([b"before", b"once"], RESET))
        self.assertEqual(self.hub.radio.packets.pending, {})

    def test_broker_that_takes_the_numbers_away(self) -> None:
        """Nor is it if what it answers to shows that it does not get all of it."""
        fleet = self.build()
        client = self.connect()
        client.write(b"before")
        fleet.run(1)
        # The node does not answer: the site tries again and again.
        self.site.network.nodes.pop(self.device.address64)
        fleet.broker.passes = lambda message: (replace(message, user_properties=()),)
        client.write(b"once")
        fleet.run(TRANSMIT_TIMEOUT + 5)

        said = [m for m in fleet.broker.published if m.topic.endswith("/tx")]
        self.assertEqual([m.payload for m in said if m.payload], [b"before", b"once"])
        self.assertEqual(client.ended, RESET)

    def test_site_that_is_silent_by_itself(self) -> None:
        """What came without properties says nothing of one whose messages have them again."""
        fleet = self.build()
        fleet.broker.passes = lambda message: (
            () if message.topic == SITE.streams else stripped(message)
        )
        self.device.send(b"x")
        fleet.run(10)
        site = self.hub.radio.sites["site-1"]
        self.assertEqual(site.offline_reason, STRIPPED.format(site="site-1"))
        fleet.broker.passes = lambda message: () if message.topic == SITE.streams else (message,)
        self.device.send(b"x")
        fleet.run(70)
        self.assertEqual(site.offline_reason, "Site site-1 does not answer.")

    def test_what_was_lost_of_what_is_kept(self) -> None:
        fleet = self.build(sites=1, nodes=3)
        self.hub.kill()
        for topic in list(fleet.broker.kept):
            # As a broker that drops what is too much for one client.
            if "/nodes/" in topic or topic.endswith("/state"):
                del fleet.broker.kept[topic]
        self.hub.start()
        fleet.run(1)
        self.assertEqual(self.hub.rows(), {})
        self.device.send(b"x")
        fleet.run(20)

        rows = self.hub.rows()
        self.assertEqual(sorted(rows), ["site-1-1", "site-1-2", "site-1-3"])
        self.assertEqual({row["device_type"] for row in rows.values()}, {"0x00030005"})
        self.assertEqual({row["site"] for row in rows.values()}, {"site-1"})

    def test_node_that_moves(self) -> None:
        fleet = self.build(sites=2)
        client = self.connect()
        self.device.send(b"here")
        fleet.run(1)
        other = fleet.sites[1]
        topic = SiteTopics("zbtwist", "site-2").rx(self.device.address64)
        run = self.hub.radio.sites["site-2"].run
        properties = (("n", "1"), ("run", run))
        other.client.publish(Message(topic, b"there", user_properties=properties))
        fleet.run(1)

        self.assertEqual((client.heard, client.ended), ([b"here"], RESET))
        self.assertEqual(self.hub.rows()["site-1-1"]["site"], "site-2")
        # What the other site says of it does not bring it back at once.
        said = fleet.broker.kept[SITE.node(self.device.address64)]
        self.site.client.publish(said)
        fleet.run(1)
        self.assertEqual(self.hub.rows()["site-1-1"]["site"], "site-2")
        self.device.send(b"back")
        fleet.run(1)
        self.assertEqual(self.hub.rows()["site-1-1"]["site"], "site-1")

    def test_node_of_two_tables_is_where_it_was_heard_last(self) -> None:
        fleet = self.build(sites=2)
        topic = SiteTopics("zbtwist", "site-2").node(self.device.address64)
        said = json.loads(fleet.broker.kept[SITE.node(self.device.address64)].payload)
        other = fleet.sites[1].client
        fleet.run(61)
        other.publish(Message(topic, json.dumps({**said, "last_seen": 1.0}).encode()))
        fleet.run(1)
        self.assertEqual(self.hub.rows()["site-1-1"]["site"], "site-1")
        said["last_seen"] += 100
        other.publish(Message(topic, json.dumps(said).encode()))
        fleet.run(1)
        self.assertEqual(self.hub.rows()["site-1-1"]["site"], "site-2")

    def describe_at_the_other(self, later: float) -> None:
        """Let the second site say that it has heard the node so much later than the first."""
        address64 = self.device.address64
        said = json.loads(self.fleet.broker.kept[SITE.node(address64)].payload)
        said["last_seen"] += later
        topic = SiteTopics("zbtwist", "site-2").node(address64)
        self.fleet.sites[1].client.publish(Message(topic, json.dumps(said).encode()))
        self.fleet.run(1)

    def site_of_it(self) -> str:
        site: str = self.hub.rows()["site-1-1"]["site"]
        return site

    def test_node_of_two_tables_is_at_the_site_that_is_there(self) -> None:
        fleet = self.build(sites=2)
        other = fleet.sites[1].client
        fleet.run(61)
        self.describe_at_the_other(100)
        self.assertEqual(self.site_of_it(), "site-2")
        # One that is back soon is waited for.
        other.cut()
        fleet.run(7)
        other.join()
        fleet.run(12)
        self.assertEqual(self.site_of_it(), "site-2")
        other.cut()
        fleet.run(12)
        self.assertEqual(self.site_of_it(), "site-1")

        client = self.connect()
        client.write(b"question")
        fleet.run(1)
        self.device.send(b"answer")
        fleet.run(1)
        self.assertEqual(self.got, [b"question"])
        self.assertEqual((client.heard, client.ended), ([b"answer"], ""))

    def test_node_of_two_tables_goes_back_to_the_site_that_heard_it_last(self) -> None:
        fleet = self.build(sites=2)
        self.describe_at_the_other(-100)
        self.device.send(b"x")
        fleet.run(1)
        self.assertEqual(self.site_of_it(), "site-1")
        self.site.client.cut()
        fleet.run(12)
        self.assertEqual(self.site_of_it(), "site-2")
        self.site.client.join()
        fleet.run(12)
        self.assertEqual(self.site_of_it(), "site-1")

    def test_node_of_a_site_that_is_away_is_at_one_that_says_so_next(self) -> None:
        fleet = self.build(sites=2)
        self.site.client.cut()
        fleet.run(12)
        self.assertEqual(self.site_of_it(), "site-1")
        self.describe_at_the_other(-100)
        self.assertEqual(self.site_of_it(), "site-2")

    def test_both_sites_of_a_node_are_away(self) -> None:
        fleet = self.build(sites=2)
        self.describe_at_the_other(-100)
        for site in fleet.sites:
            site.client.cut()
        fleet.run(30)
        self.assertEqual(self.site_of_it(), "site-1")
        fleet.sites[1].client.join()
        fleet.run(12)
        self.assertEqual(self.site_of_it(), "site-2")

    def test_a_broker_that_was_away_moves_no_node(self) -> None:
        fleet = self.build(sites=2)
        self.describe_at_the_other(-100)
        client = self.connect()
        fleet.broker.cut()
        fleet.run(30)
        fleet.broker.join()
        fleet.run(30)
        self.assertEqual((self.site_of_it(), client.ended), ("site-1", ""))

    def test_node_that_its_site_has_forgotten_is_at_the_other(self) -> None:
        fleet = self.build(sites=2)
        self.describe_at_the_other(-100)
        topic = SITE.node(self.device.address64)
        self.site.client.publish(Message(topic, b""))
        fleet.run(12)
        self.assertEqual(self.site_of_it(), "site-2")

    def test_node_that_the_other_site_has_forgotten_stays(self) -> None:
        fleet = self.build(sites=2)
        self.describe_at_the_other(-100)
        topic = SiteTopics("zbtwist", "site-2").node(self.device.address64)
        fleet.sites[1].client.publish(Message(topic, b""))
        self.site.client.cut()
        fleet.run(30)
        self.assertEqual(self.site_of_it(), "site-1")

    def test_first_client_of_a_node_that_is_new_to_a_hub(self) -> None:
        """Its site has answered long before."""
        fleet = self.build()
        self.device = self.join(self.site, 1, "new")
        fleet.run(3)
        client = self.connect()
        client.write(b"question")
        fleet.run(1)
        self.device.send(b"answer")
        fleet.run(1)

        self.assertEqual((client.heard, client.ended), ([b"answer"], ""))

    def test_first_client_of_a_node_that_the_site_has_heard_before_the_hub(self) -> None:
        """What was said before does not come: it is counted from there on."""
        fleet = self.build()
        fleet.broker.passes = lambda message: [message][: "/nodes/" not in message.topic]
        self.device = self.join(self.site, 1, "new")
        fleet.run(3)
        self.device.send(b"early")
        fleet.run(1)
        fleet.broker.passes = lambda message: (message,)
        self.describe_again()
        client = self.connect()
        self.device.send(b"one")
        fleet.run(1)

        self.assertEqual((client.heard, client.ended), ([b"one"], ""))

    def test_client_of_a_node_that_has_moved_by_what_a_site_says(self) -> None:
        fleet = self.build(sites=2)
        other = fleet.sites[1]
        self.device = self.join(other, 0x10, "both")
        fleet.run(3)
        self.device.send(b"at the other")
        fleet.run(70)
        topics = SiteTopics("zbtwist", "site-1")
        said = json.loads(
            fleet.broker.kept[SiteTopics("zbtwist", "site-2").node(self.device.address64)].payload
        )
        there = self.connect()
        said["last_seen"] += 100
        payload = json.dumps(said).encode()
        self.site.client.publish(Message(topics.node(self.device.address64), payload))
        fleet.run(1)
        client = self.connect()
        properties = (("n", "1"), ("run", self.hub.radio.sites["site-1"].run))
        self.site.client.publish(
            Message(topics.rx(self.device.address64), b"here", user_properties=properties)
        )
        fleet.run(1)

        self.assertEqual((there.ended, client.heard, client.ended), (RESET, [b"here"], ""))

    def join(self, site: SiteProgram, number: int, label: str) -> Device:
        """Let a node come to a site's network."""
        device = Device(site.network, site.devices[0].address64 + number, label)
        device.set_baud(FAST_LINE)
        site.network.add_node(device)
        return device

    def describe_again(self) -> None:
        """Bring what the site said of the node to the hub."""
        topic = SITE.node(self.device.address64)
        self.site.client.publish(self.fleet.broker.kept[topic])
        self.fleet.run(1)


class HubAsSiteTests(FleetTestCase):
    def test_not_below_the_same_base(self) -> None:
        self.build()
        gateway: Any = self.hub.gateway
        self.assertEqual(gateway._parts_at_broker(None, MQTTSettings(broker="tcp:b")), ())
        self.assertIn("The [mqtt] section has the base zbtwist", self.log.lines("error")[0])


class StrangersTests(FleetTestCase):
    """What a broker brings is a stranger's word."""

    def test_whatever_comes(self) -> None:
        fleet = self.build()
        client = self.connect()
        address = f"{self.device.address64:016x}"
        radio = self.hub.radio
        stranger = fleet.broker.joined()
        payloads = (
            b"",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b"[" * 100_000,
            b"9" * 5000,
            b'{"last_seen":1e400}',
        )
        properties: list[tuple[tuple[str, str], ...]] = [
            (),
            (("n", "x"), ("run", "r")),
            (("n", "-1"), ("run", "r")),
            (("n", "9" * 30), ("run", "r")),
            (("n", "1"), ("run", "")),
            (("n", "1"), ("run", "x" * 99)),
        ]
        for topic in (
            "zbtwist/site-1/state",
            f"zbtwist/site-9/nodes/{address}x",
            "zbtwist/site-9/nodes/0013a200999999/rx",
            f"zbtwist/site-1/nodes/{address}/rx",
            "zbtwist/hubs/state",
            "zbtwist/site-1/nodes/ffffffffffffffff",
            "zbtwist/site-1/nodes/000000000000ffff/rx",
            radio.packets.topic,
            radio.answers.topic,
        ):
            for payload in payloads:
                for each in properties:
                    if not topic.endswith("state"):
                        stranger.publish(Message(topic, payload, user_properties=each))
        for payload in payloads:
            stranger.publish(Message("zbtwist/site-9/nodes/0013a20099999999", payload))
        fleet.run(1)
        client.write(b"still here")
        fleet.run(1)

        self.assertEqual((self.got, client.ended), ([b"still here"], ""))
        self.assertEqual(set(radio.sites) - {"site-1", "site-9"}, set())
        self.assertGreater(radio.ignored, 0)

    def test_bytes_without_properties_in_place_of_a_site(self) -> None:
        """Somebody else speaks: the site is asked now and then, and goes on."""
        fleet = self.build()
        client = self.connect()
        stranger = fleet.broker.joined()
        before = fleet.broker.payloads(SITE.streams)
        for _ in range(600):
            stranger.publish(Message(SITE.rx(self.device.address64), b"lie"))
            self.device.send(b".")
            fleet.run(0.1)

        questions = fleet.broker.payloads(SITE.streams)[len(before) :]
        self.assertLessEqual(len(questions), 2)
        self.assertEqual((b"".join(client.heard), client.ended), (b"." * 600, ""))
        self.assertEqual(self.hub.radio.sites["site-1"].offline_reason, "")

    def test_sites_and_nodes_are_bounded(self) -> None:
        self.patch(radio_module, "MAX_SITES", 3)
        self.patch(radio_module, "MAX_WAYS", 5)
        self.patch(radio_module, "MAX_TOPICS", 4)
        fleet = self.build()
        stranger = fleet.broker.joined()
        for number in range(20):
            topics = SiteTopics("zbtwist", f"s{number}")
            stranger.publish(Message(topics.state, b"online"))
            at_site = SiteTopics("zbtwist", "site-1")
            address = Address64(0x0013A200_99000000 + number)
            properties = (("n", "1"), ("run", self.hub.radio.sites["site-1"].run))
            stranger.publish(Message(at_site.rx(address), b"x", user_properties=properties))
            stranger.publish(Message(at_site.node(address), b"{}"))
        fleet.run(2)
        radio = self.hub.radio

        self.assertEqual((len(radio.sites), len(radio._ways)), (3, 5))
        self.assertLessEqual(len(radio._by_topic), 4)
        self.device.send(b"x")
        fleet.run(1)

    def test_counts_that_lie(self) -> None:
        fleet = self.build()
        radio = self.hub.radio
        site = radio.sites["site-1"]
        client = self.connect()
        lie = Counts(site.run, 84, {self.device.address64: 1000, 0x0013A200_98000000: 7})
        radio._counted(site, lie)
        fleet.run(3)
        # It is believed: bytes are lost, the client is told, and it goes on.
        self.assertEqual(client.ended, RESET)
        for payload in (b"", b"{}", b'{"run":1}', b'{"run":"r","payload_limit":84,"packets":[]}'):
            self.assertIsNone(Counts.parse(payload))
        for packets in ({"x": 1}, {"0013a20040000001": -1}, {"0013a20040000001": 1 << 60}):
            said = {"run": "r", "payload_limit": 84, "packets": packets}
            self.assertIsNone(Counts.parse(json.dumps(said).encode()))
