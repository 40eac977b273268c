"""Which devices are told, when, and what becomes of those that go."""

from __future__ import annotations

import json
from typing import Any

from tests.home_assistant.support import (
    METER,
    OF_GATEWAY,
    OF_METER,
    TOPICS,
    HomeAssistantTestCase,
    Wanted,
    lines,
    power,
)
from tests.support import present, record_calls
from zbtwist.decoding.value import Value
from zbtwist.home_assistant.messages import DeviceMessages
from zbtwist.home_assistant.service import (
    BIRTH_PAUSE,
    BIRTH_REST,
    LISTEN,
    MAX_BYTES,
    MAX_LISTEN,
    MAX_LOOKS,
    MAX_MESSAGES,
    MAX_STRANGE,
    PATIENCE,
    REST,
    TAKEOVER,
)
from zbtwist.home_assistant.shape import NodeShape, ValueShape
from zbtwist.home_assistant.told import MAX_GATEWAYS
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import LOOK
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.xbee.address import Address64
from zbtwist.xbee.pins import ANALOG, INPUT, OFF, OUTPUT_LOW

STATUS = "homeassistant/status"


class TellingTests(HomeAssistantTestCase):
    def test_gateway_and_node(self) -> None:
        self.up()
        self.assertEqual([each.topic for each in self.broker.published], [OF_GATEWAY, OF_METER])
        self.assertTrue(all(each.retained for each in self.broker.published))
        gateway, meter = self.kept(OF_GATEWAY)["device"], self.kept()["device"]
        self.assertEqual(gateway["identifiers"], ["zbtwist_house-7"])
        self.assertEqual(meter["identifiers"], ["zbtwist_0013a200400a3e01"])
        self.assertEqual((meter["name"], meter["via_device"]), ("METER", "zbtwist_house-7"))

    def test_nothing_is_said_again(self) -> None:
        self.says(power())
        self.up()
        self.broker.published.clear()
        self.says(power(3000.0))
        self.run_for(300)
        self.assertEqual(self.broker.published, [])

    def test_site_that_is_not_known_yet(self) -> None:
        self.stop()
        self.topics = None
        self.start()
        self.up()
        self.assertEqual(self.broker.published, [])
        self.topics = TOPICS
        self.run_for(LISTEN + 6)
        self.assertEqual(len(self.told()), 1)

    def test_site_that_has_another_name(self) -> None:
        """Nodes are the same devices; they look elsewhere."""
        self.up()
        self.topics = SiteTopics("zbtwist", "house-8")
        self.run_for(LISTEN + REST)
        self.assertEqual(len(self.told()), 2)
        self.assertEqual(self.kept()["device"]["via_device"], "zbtwist_house-8")
        self.assertEqual(self.told(OF_GATEWAY)[-1], {})
        self.assertIn(OF_GATEWAY.replace("-7", "-8"), self.broker.kept)

    def test_name_that_is_new(self) -> None:
        """It is the same device, and the same entities."""
        self.up()
        before = self.kept()
        self.meter.label = "KITCHEN"
        self.run_for(REST + 6)
        after = self.kept()
        self.assertEqual(after["device"].pop("name"), "KITCHEN")
        self.assertEqual(before["device"].pop("name"), "METER")
        self.assertEqual(before, after)

    def test_rate_of_one_device(self) -> None:
        self.up()
        for number in range(60):
            self.meter.label = f"N{number}"
            self.run_for(1)
        self.assertLessEqual(len(self.told()), 1 + 60 / REST)
        self.run_for(REST + 5)
        self.assertEqual(self.kept()["device"]["name"], "N59")

    def test_rate_of_many(self) -> None:
        for number in range(500):
            self.nodes.add(Address64(METER + 1 + number))
        self.client.join()
        self.run_for(LISTEN - 1)
        counts, before = [], 0
        for _ in range(45):
            self.run_for(1)
            counts.append(len(self.broker.published) - before)
            before = len(self.broker.published)
        self.assertEqual(max(counts), MAX_MESSAGES)
        self.assertEqual(len({each.topic for each in self.broker.published}), 502)
        self.assertEqual(len(self.broker.published), 502)
        self.assertEqual(self.broker.published[0].topic, OF_GATEWAY)

    def test_bytes_at_once(self) -> None:
        for number in range(30):
            node = present(self.nodes.add(Address64(METER + 1 + number)))
            self.says(*(power(name=f"ch{each}_power") for each in range(256)), node=node)
        self.client.join()
        self.run_for(LISTEN - 1)
        before = 0
        for _ in range(40):
            self.run_for(1)
            sizes = [len(each.payload) for each in self.broker.published[before:]]
            before += len(sizes)
            self.assertLess(sum(sizes[:-1]), MAX_BYTES)
        self.assertEqual(before, 32)

    def test_looks_of_one_turn(self) -> None:
        """So many nodes that nothing is to be told of hold nobody up."""
        for number in range(2 * MAX_LOOKS + 50):
            self.nodes.add(Address64(METER + 1 + number))
        self.up(60)
        looks = record_calls(self, self.service, "_shape_of")
        for _ in range(9):
            looks.clear()
            self.run_for(1)
            self.assertLessEqual(len(looks), MAX_LOOKS)
        self.nodes.get(Address64(METER + 200)).label = "LATE"  # type: ignore[union-attr]
        self.run_for(REST + 3)
        topic = OF_METER.replace(f"{METER:016x}", f"{METER + 200:016x}")
        self.assertEqual(self.kept(topic)["device"]["name"], "LATE")

    def test_looks_of_one_turn_after_a_reconnection(self) -> None:
        """All is held against what the broker has, and not at once."""
        for number in range(100):
            self.nodes.add(Address64(METER + 1 + number))
        self.up(60)
        self.client.cut()
        self.client.join()
        made = record_calls(self, self.service, "_message")
        for _ in range(20):
            made.clear()
            self.run_for(1)
            self.assertLessEqual(len(made), MAX_MESSAGES)
        self.assertEqual(len(self.broker.published), 102)

    def test_broker_that_takes_no_more(self) -> None:
        self.client.join()
        self.client.is_full = True
        self.run_for(30)
        self.client.is_full = False
        self.run_for(6)
        self.assertEqual(len(self.told()), 1)

    def test_message_that_the_broker_never_takes(self) -> None:
        """It keeps nobody else from being told, and is not tried again and again."""
        publish, refused = self.client.publish, 0

        def refuse(message: Message, at_least_once: bool = False) -> bool:
            nonlocal refused
            if message.topic != OF_GATEWAY:
                return publish(message, at_least_once)
            refused += 1
            return False

        self.patch(self.client, "publish", refuse)
        self.up(120)
        self.assertEqual((len(self.told()), refused), (1, 1))

    def test_gateway_that_takes_no_commands(self) -> None:
        """What would give one is not there, and a switch is looked at."""
        self.meter.pins = lines({"D1": OUTPUT_LOW, "P0": ANALOG})
        self.up()
        self.service.reconfigure(Wanted(commands=LOOK))
        self.run_for(2 * REST + 6)
        platforms = {each["platform"] for each in self.components().values()}
        self.assertEqual(platforms, {"sensor", "binary_sensor"})
        self.assertEqual(self.components()["input_D1"]["platform"], "binary_sensor")
        self.assertNotIn("search", self.kept(OF_GATEWAY)["components"])
        self.service.reconfigure(Wanted())
        self.run_for(2 * REST + 6)
        self.assertEqual(self.components()["output_D1"]["platform"], "switch")
        self.assertIn("search", self.kept(OF_GATEWAY)["components"])


class KeptTests(HomeAssistantTestCase):
    """What the broker has kept of what was told before."""

    def test_gateway_that_starts_anew(self) -> None:
        """A meter that has said nothing yet keeps its entities, and nothing is told again."""
        self.meter.pins = lines({"D1": OUTPUT_LOW, "D2": INPUT})
        self.meter.signal, self.meter.temperature = 40, 21.5
        self.says(power(), Value("ch1_energy", 1.5, "kWh", True), Value("note", "ok"))
        self.up()
        before = dict(self.broker.kept)
        self.meter.pins, self.meter.signal, self.meter.temperature = None, None, None
        self.restart()
        self.run_for(60)
        self.assertEqual(self.broker.published, [])
        self.assertEqual(self.broker.kept, before)

    def test_decoder_that_is_another_then(self) -> None:
        self.says(power())
        self.up()
        self.decoders[self.meter] = "lines"
        self.restart()
        self.run_for(REST)
        self.assertEqual(
            [each["components"].get("value_ch1_power") for each in self.told()],
            [{"platform": "sensor"}, None],
        )

    def test_node_that_was_forgotten_meanwhile(self) -> None:
        self.up()
        self.nodes.remove(self.meter)
        self.restart()
        self.run_for(PATIENCE - 60)
        self.assertEqual(self.told(), [])
        self.run_for(70)
        self.assertEqual(self.told(), [{}])

    def test_node_that_is_found_later(self) -> None:
        """As all are, without a state file."""
        self.says(power())
        self.up()
        self.nodes.remove(self.meter)
        self.restart()
        self.run_for(30)
        self.meter = present(self.nodes.add(METER))
        self.meter.label = "METER"
        self.decoders[self.meter] = "ecm1220"
        self.run_for(2 * PATIENCE)
        self.assertEqual(self.told(), [])

    def test_node_of_which_nothing_is_said_now(self) -> None:
        self.up()
        self.unsaid.add(self.meter)
        self.restart()
        self.assertEqual(self.told(), [{}])

    def test_removal_that_was_not_finished(self) -> None:
        self.meter.pins = lines({"D1": OUTPUT_LOW})
        self.up()
        self.meter.pins.modes["D1"] = OFF
        for _ in range(int(REST) + 5):
            self.run_for(1)
            if len(self.components()["output_D1"]) == 1:
                break
        self.restart()
        self.run_for(REST)
        self.assertNotIn("output_D1", self.components())

    def test_broker_that_has_lost_all(self) -> None:
        self.up()
        self.client.cut()
        self.broker.kept.clear()
        self.up()
        self.assertEqual(len(self.told()), 2)
        self.assertEqual(len(self.told(OF_GATEWAY)), 2)

    def test_broker_that_has_lost_nothing(self) -> None:
        self.up()
        self.client.cut()
        self.up()
        self.assertEqual(len(self.told()), 1)

    def test_what_others_have_put_there(self) -> None:
        """It is nobody's device, or makes no sense."""
        stranger = self.broker.joined()
        root = "homeassistant/device/zbtwist"
        for payload in (b"", b"{", b"[]", b"null", b"{}", b'{"components":[]}', b"\xff"):
            stranger.publish(Message(OF_METER, payload, retained=True))
            self.restart()
            self.assertIn("health", self.components(), payload)
        odd: dict[str, Any] = {
            "value_": {"platform": "sensor", "x": 1},
            "value_No Name": {"platform": "sensor", "x": 1},
            "input_D99": {"platform": "binary_sensor", "x": 1},
            "output_D1": {"platform": "sensor", "x": 1},
            "x" * 10000: {"platform": "sensor"},
            "y": {"platform": 5},
            "z": None,
        }
        stranger.publish(Message(OF_METER, json.dumps({"components": odd}).encode(), retained=True))
        stranger.publish(Message(f"{root}/nobody/config", b"{}", retained=True))
        self.restart()
        self.run_for(REST)
        self.assertEqual({*self.components()} & {*odd}, set())

    def test_bound_of_strange_devices(self) -> None:
        stranger = self.broker.joined()
        root = "homeassistant/device/zbtwist"
        for number in range(3 * MAX_STRANGE):
            stranger.publish(Message(f"{root}/{number:016x}/config", b"{}", retained=True))
        self.up(LISTEN + PATIENCE + 60)
        left = [topic for topic in self.broker.kept if topic.startswith(root)]
        self.assertLessEqual(abs(len(left) - 2 * MAX_STRANGE - 2), 2)
        self.assertIn(OF_METER, left)

    def test_broker_that_goes_on_saying_what_it_has(self) -> None:
        self.client.join()
        for _ in range(int(MAX_LISTEN)):
            self.run_for(1)
            self.client.arrival(
                "homeassistant/device/zbtwist/+/config",
                Message(OF_METER, b"{}", retained=True),
            )()
        self.run_for(6)
        self.assertEqual(len(self.told()), 1)


class OtherGatewayTests(HomeAssistantTestCase):
    """A node that another gateway tells of, or has told of."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.broker.joined()
        self.makes = DeviceMessages("homeassistant", SiteTopics("zbtwist", "house-8"))

    def is_there(self, is_there: bool = True) -> None:
        state = b"online" if is_there else b"offline"
        self.other.publish(Message("zbtwist/house-8/state", state, retained=True))

    def tells(self) -> None:
        shape = NodeShape(decoder="ecm1220", values={"ch9_power": ValueShape("value", True, "W")})
        components = self.makes.components(METER, shape)
        self.other.publish(self.makes.message(METER, shape, components, {}))

    def teller(self) -> str:
        return str(self.kept()["device"]["via_device"])[-7:]

    def hear(self) -> None:
        """The node says something here."""
        self.meter.heard_at = self.clock.seconds()

    def test_one_that_is_there(self) -> None:
        self.is_there()
        self.tells()
        self.up(60)
        self.assertEqual(self.teller(), "house-8")
        self.run_for(TAKEOVER)
        self.hear()
        self.run_for(6)
        self.assertEqual(self.teller(), "house-7")

    def test_one_that_is_not_there_any_more(self) -> None:
        """As if this one had another name before. What the node has told stays."""
        self.tells()
        self.decoders[self.meter] = "ecm1220"
        self.up(60)
        self.assertEqual(self.teller(), "house-7")
        self.assertIn("value_ch9_power", self.components())

    def test_one_that_goes(self) -> None:
        self.is_there()
        self.tells()
        self.up(60)
        self.is_there(False)
        self.run_for(6)
        self.assertEqual(self.teller(), "house-7")

    def test_node_that_goes_there(self) -> None:
        """Nothing is said of it here any more, and it stays when it is forgotten."""
        self.is_there()
        self.up()
        self.tells()
        self.run_for(60)
        self.assertEqual(self.teller(), "house-8")
        self.meter.label = "OTHER"
        self.run_for(60)
        self.nodes.remove(self.meter)
        self.run_for(60)
        self.assertEqual(self.teller(), "house-8")
        self.service.reconfigure(Wanted(False))
        self.run_for(5)
        self.assertEqual({*self.broker.kept} - {"zbtwist/house-8/state"}, {OF_METER})

    def test_node_that_it_forgets(self) -> None:
        self.is_there()
        self.tells()
        self.up(60)
        self.other.publish(self.makes.removal(METER))
        self.run_for(REST + 6)
        self.assertEqual(self.teller(), "house-7")

    def test_two_that_hear_it(self) -> None:
        """They take turns, slowly."""
        self.is_there()
        self.up()
        for _ in range(1000):
            self.hear()
            self.run_for(1)
            if self.teller() == "house-7":
                self.tells()
        self.assertLessEqual(len(self.told()), 3 + 2 * 1000 / TAKEOVER)

    def test_nodes_of_others(self) -> None:
        """Nothing of them is remembered, or removed."""
        self.is_there()
        shape = NodeShape()
        for number in range(50):
            address = Address64(METER + 100 + number)
            components = self.makes.components(address, shape)
            self.other.publish(self.makes.message(address, shape, components, {}))
        self.other.publish(self.makes.message(None, shape, self.makes.components(None, shape), {}))
        self.up(PATIENCE + 60)
        self.assertEqual(len(self.service._told), 2)
        self.assertEqual(len(self.broker.kept), 54)

    def test_bound_of_gateways(self) -> None:
        self.up()
        for number in range(MAX_GATEWAYS + 100):
            self.service._gateways.heard(Message(f"zbtwist/{number}/state", b"online"))
        self.assertEqual(len(self.service._gateways), MAX_GATEWAYS)


class GoingTests(HomeAssistantTestCase):
    def test_component(self) -> None:
        """It is said to be removed once, and then left out."""
        self.meter.pins = lines({"D1": OUTPUT_LOW})
        self.up()
        self.assertEqual(self.components()["output_D1"]["platform"], "switch")
        self.meter.pins.modes["D1"] = INPUT
        self.run_for(6)
        self.assertEqual(self.components()["output_D1"], {"platform": "switch"})
        self.assertEqual(self.components()["input_D1"]["platform"], "binary_sensor")
        self.run_for(REST)
        self.assertNotIn("output_D1", self.components())
        self.run_for(60)
        self.assertEqual(len(self.told()), 3)

    def test_component_while_the_broker_takes_nothing(self) -> None:
        self.meter.pins = lines({"D1": OUTPUT_LOW})
        self.up()
        self.client.is_full = True
        self.meter.pins.modes["D1"] = OFF
        self.run_for(30)
        self.client.is_full = False
        self.run_for(5)
        self.assertEqual(self.components()["output_D1"], {"platform": "switch"})

    def test_node_that_is_forgotten(self) -> None:
        self.up()
        self.nodes.remove(self.meter)
        self.run_for(REST + 1)
        self.assertNotIn(OF_METER, self.broker.kept)
        self.assertEqual(self.told()[1:], [{}])

    def test_node_that_is_forgotten_and_found(self) -> None:
        """Home Assistant has its time to remove it."""
        self.up()
        self.run_for(REST)
        self.nodes.remove(self.meter)
        self.run_for(2)
        self.meter = present(self.nodes.add(METER))
        self.run_for(REST - 3)
        self.assertNotIn(OF_METER, self.broker.kept)
        self.run_for(8)
        self.assertEqual(self.kept()["device"]["name"], "00:13:a2:00:40:0a:3e:01")

    def test_node_of_which_nothing_is_to_be_said(self) -> None:
        self.up()
        self.unsaid.add(self.meter)
        self.run_for(REST + 1)
        self.assertNotIn(OF_METER, self.broker.kept)
        self.unsaid.clear()
        self.run_for(REST + 6)
        self.assertIn(OF_METER, self.broker.kept)

    def test_home_assistant_is_switched_off(self) -> None:
        self.up()
        self.service.reconfigure(Wanted(False))
        self.run_for(2)
        self.assertEqual(self.broker.kept, {})
        self.assertEqual(self.client.filters, {})
        self.service.reconfigure(Wanted())
        self.run_for(LISTEN + 6)
        self.assertIn(OF_METER, self.broker.kept)

    def test_switched_off_while_the_broker_is_away(self) -> None:
        self.up()
        self.client.cut()
        self.service.reconfigure(Wanted(False))
        self.run_for(5)
        self.client.join()
        self.run_for(2)
        self.assertEqual(self.broker.kept, {})

    def test_another_prefix(self) -> None:
        self.up()
        self.service.reconfigure(Wanted(discovery_prefix="ha/x"))
        self.run_for(LISTEN + 6)
        self.assertEqual(
            {*self.broker.kept},
            {each.replace("homeassistant", "ha/x") for each in (OF_GATEWAY, OF_METER)},
        )

    def test_end_of_the_gateway(self) -> None:
        """Its state says that it is offline; the devices stay."""
        self.up()
        self.stop()
        self.assertEqual({*self.broker.kept}, {OF_GATEWAY, OF_METER})


class BirthTests(HomeAssistantTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.up()
        self.run_for(REST)
        self.broker.published.clear()
        self.home_assistant = self.broker.joined()

    def is_born(self, payload: bytes = b"online") -> None:
        self.home_assistant.publish(Message(STATUS, payload))

    def test_all_is_told_again(self) -> None:
        self.is_born()
        self.run_for(BIRTH_PAUSE - 1)
        self.assertEqual(self.told(), [])
        self.run_for(2)
        self.assertEqual(len(self.told()), 1)
        self.assertEqual(len(self.told(OF_GATEWAY)), 1)

    def test_birth_after_birth(self) -> None:
        for _ in range(200):
            self.is_born()
            self.run_for(1)
        self.assertLessEqual(len(self.told()), 1 + 200 / BIRTH_REST)
        self.run_for(BIRTH_REST)
        self.assertGreater(len(self.told()), 3)

    def test_what_is_no_birth(self) -> None:
        self.is_born(b"offline")
        self.is_born(b"")
        self.home_assistant.publish(Message(STATUS, b"online", retained=True))
        self.run_for(10)
        self.broker.published.clear()
        # One that is kept is no news.
        self.client.cut()
        self.up(30)
        self.assertEqual(self.told(), [])

    def test_device_that_a_person_removes(self) -> None:
        """It is there again when Home Assistant starts, and not sooner."""
        self.home_assistant.publish(Message(OF_METER, b"", retained=True))
        self.run_for(60)
        self.assertNotIn(OF_METER, self.broker.kept)
        self.is_born()
        self.run_for(BIRTH_PAUSE + 1)
        self.assertIn(OF_METER, self.broker.kept)
