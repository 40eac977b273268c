from __future__ import annotations

from tests.decoding.support import AFTER, BEFORE, KWH, KWH_BEFORE, WATTS
from tests.site.support import TOPICS, SiteTestCase
from zbtwist.decoding.events import ValuesDecoded
from zbtwist.mqtt.interfaces import Message
from zbtwist.network.events import FROM_NODE, BytesPassed
from zbtwist.simulator.meter import encode_packet
from zbtwist.site.kept import PATIENCE
from zbtwist.site.nodes import ROUND


class ValueTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()
        self.set_port("ECHO", decoder="keyvalue")
        self.connect_it()

    def says(self, text: str, label: str = "ECHO") -> None:
        data = f"{text}\n".encode()
        self.gateway.bus.publish(BytesPassed(self.node(label), FROM_NODE, data, 1000.0))

    def topic(self, name: str) -> str:
        return TOPICS.value(self.node("ECHO").address64, name)

    def test_each_has_its_topic(self) -> None:
        self.says("temp=21.5C door=on")
        self.run_for(1)
        self.assertEqual(
            self.kept(self.topic("temp")),
            {"value": 21.5, "unit": "°C", "kind": "temperature", "at": 1000.0},
        )
        self.assertIs(self.kept(self.topic("door"))["value"], True)
        self.run_for(ROUND + 2, 0.1)
        self.assertEqual(
            self.kept_of("ECHO")["values"]["temp"], {"value": 21.5, "unit": "°C", "at": 1000.0}
        )

    def test_names_are_levels_of_topics_whatever_a_device_calls_them(self) -> None:
        self.says("a/b.c=1")
        self.says("Fön +#=2")
        self.run_for(1)
        names = [topic for topic in self.broker.kept if "/values/" in topic]
        self.assertEqual(names, [self.topic("a_b_c")])

    def test_the_last_one_of_a_second(self) -> None:
        for number in range(300):
            self.says(f"n={number}")
            self.run_for(0.01)
        self.run_for(1)
        said = self.broker.payloads(self.topic("n"))
        self.assertTrue(3 <= len(said) <= 5, said)
        self.assertEqual(self.kept(self.topic("n"))["value"], 299)

    def test_meter_whose_counters_are_full(self) -> None:
        """Right to the last digit, in what is sent."""
        self.set_port("ECHO", decoder="ecm1220")
        for reading, kwh in ((BEFORE, KWH_BEFORE), (AFTER, KWH)):
            self.gateway.bus.publish(
                BytesPassed(self.node("ECHO"), FROM_NODE, encode_packet(reading), 1000.0)
            )
            self.run_for(2)
            said = self.broker.kept[self.topic("ch1_energy")].payload.decode()
            self.assertIn(f'"value":{kwh},', said.replace(" ", ""))
        self.assertEqual(
            self.kept(self.topic("ch1_power")),
            {"value": WATTS, "unit": "W", "kind": "power", "at": 1000.0},
        )

    def test_said_again_on_each_connection(self) -> None:
        self.says("n=1")
        self.run_for(1)
        self.client.cut()
        self.broker.kept.clear()
        self.says("m=2")
        self.connect_it()
        self.assertEqual(self.kept(self.topic("n"))["value"], 1)
        self.assertEqual(self.kept(self.topic("m"))["value"], 2)

    def test_it_is_not_decoded_for_it_without_a_connection(self) -> None:
        heard = self.gateway.bus.subscribers(ValuesDecoded)
        self.assertEqual(len(heard), 1)
        self.client.cut()
        self.assertEqual(heard, [])

    def test_forgotten_with_the_node(self) -> None:
        self.says("n=1 m=2")
        self.run_for(1)
        node = self.node("ECHO")
        self.says("n=7")
        self.gateway.network.nodes.remove(node)
        self.run_for(3)
        self.assertNotIn(f"{node.address64:016x}", " ".join(self.broker.kept))

    def test_off_and_another_decoder(self) -> None:
        self.says("n=1")
        self.run_for(1)
        self.set_port("ECHO", mqtt="off", decoder="keyvalue")
        self.run_for(2)
        self.assertNotIn(self.topic("n"), self.broker.kept)
        self.says("n=2")
        self.run_for(2)
        self.assertNotIn(self.topic("n"), self.broker.kept)
        self.set_port("ECHO", decoder="keyvalue")
        self.run_for(2)
        self.assertEqual(self.kept(self.topic("n"))["value"], 2)
        self.set_port("ECHO", decoder="lines")
        self.run_for(2)
        self.assertNotIn(self.topic("n"), self.broker.kept)
        self.says("n=3")
        self.run_for(2)
        self.assertEqual(self.kept(self.topic("line"))["value"], "n=3")

    def test_what_was_told_in_an_earlier_run_stays(self) -> None:
        """The node may be silent for a day. It goes with the node."""
        self.client.cut()
        self.other.publish(Message(self.topic("energy"), b"{}", retained=True))
        self.connect_it()
        self.run_for(PATIENCE + 1, 0.1)
        self.assertIn(self.topic("energy"), self.broker.kept)
        topic = self.topic("energy")
        self.gateway.network.nodes.remove(self.node("ECHO"))
        self.run_for(2)
        self.assertNotIn(topic, self.broker.kept)

    def test_names_of_an_earlier_run_make_room(self) -> None:
        self.client.cut()
        for number in range(300):
            self.other.publish(Message(self.topic(f"old{number}"), b"{}", retained=True))
        self.connect_it()
        self.run_for(PATIENCE + 1, 0.1)
        kept = [topic for topic in self.broker.kept if "/values/" in topic]
        self.assertEqual(len(kept), 256)
        self.says("new=1")
        self.run_for(2)
        kept = [topic for topic in self.broker.kept if "/values/" in topic]
        self.assertEqual(len(kept), 256)
        self.assertIn(self.topic("new"), kept)
