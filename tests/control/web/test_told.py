"""Decoded values in the console: of a meter whose counters have come to their end."""

from __future__ import annotations

from typing import Any

from wsproto.events import BytesMessage

from tests.control.web.support import ConsoleTestCase, Page
from tests.decoding.support import AFTER, BEFORE, KWH, KWH_BEFORE, WATTS
from tests.support import producer_of
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.settings import Settings
from zbtwist.control.web.told import DELAY, MAX_SHOWN
from zbtwist.decoding.events import ValuesDecoded
from zbtwist.network.events import FROM_NODE, BytesPassed
from zbtwist.simulator.meter import Reading, encode_packet

ADDRESS = "0013a200400a3e03"


class ToldTests(ConsoleTestCase):
    def setUp(self) -> None:
        self.settings = Settings(
            serial="sim:nt=0.3:interval=0", port_settings=PortSettings(decoder="ecm1220")
        )
        super().setUp()

    def say(self, *readings: Reading) -> None:
        for reading in readings:
            self.gateway.bus.publish(
                BytesPassed(self.node("ECHO"), FROM_NODE, encode_packet(reading), 1_000_100.0)
            )

    def values(self, page: Page) -> list[Any]:
        return [message for message in page.messages() if message["type"] == "values"]

    def test_feed(self) -> None:
        """Of each node what matters most, to its last digit."""
        page = self.open()
        (snapshot,) = page.messages()
        self.assertEqual({node["told"] for node in snapshot["nodes"]}, {None})
        self.say(BEFORE)
        self.run_for(1)
        told = [n["told"] for m in page.messages() for n in m.get("nodes", ()) if "told" in n]
        self.assertEqual(told, [["ch1_energy", KWH_BEFORE, "kWh", 1_000_100]])
        self.say(AFTER)
        self.run_for(1)
        told = [n["told"] for m in page.messages() for n in m.get("nodes", ()) if "told" in n]
        self.assertEqual(told, [["ch1_power", WATTS, "W", 1_000_100]])

    def test_panel(self) -> None:
        """All of them, which are those of the list."""
        self.say(BEFORE, AFTER)
        page = self.open()
        page.messages()
        page.call("show", "00:13:a2:00:40:0a:3e:03")
        self.run_for(0.2)
        (answer,) = [each for each in page.messages() if each["type"] == "answer"]
        told = {each["name"]: each["value"] for each in answer["result"]["values"]}
        self.assertEqual((told["ch1_power"], told["ch1_energy"]), (WATTS, KWH))

    def test_terminal_and_tap(self) -> None:
        """The values come behind their bytes, the most telling ones first."""
        for path in ("terminal", "tap"):
            page = self.open(f"/{path}/{ADDRESS}")
            self.say(BEFORE, AFTER)
            self.run_for(2 * DELAY)
            (message,) = self.values(page)
            self.assertEqual(message["values"][0], ["ch1_power", WATTS, "W"])
            self.assertIn(["ch1_energy", KWH, "kWh"], message["values"])
            self.assertEqual(len(message["values"]), MAX_SHOWN)
            self.assertEqual((message["more"], message["time"]), (13 - MAX_SHOWN, 1_000_100.0))
            page.lose()
            self.turns()
        self.assertEqual(self.gateway.bus.subscribers(ValuesDecoded), [])

    def test_order(self) -> None:
        page = self.open(f"/tap/{ADDRESS}")
        page.messages()
        self.say(BEFORE)
        self.run_for(0.5)
        self.assertEqual([each["type"] for each in page.messages()], ["packets", "values"])

    def test_terminal_of_an_echo(self) -> None:
        """As it is in a network: what it sends comes back, and is decoded."""
        page = self.open(f"/terminal/{ADDRESS}")
        for reading in (BEFORE, AFTER):
            page.send(BytesMessage(encode_packet(reading)))
            self.run_for(1)
        before, after = self.values(page)
        self.assertEqual(before["values"][0], ["ch1_energy", KWH_BEFORE, "kWh"])
        self.assertEqual(after["values"][0], ["ch1_power", WATTS, "W"])

    def test_another_node(self) -> None:
        page = self.open("/terminal/0013a200400a3e02")
        self.say(BEFORE)
        self.run_for(1)
        self.assertEqual(self.values(page), [])

    def test_page_that_does_not_read(self) -> None:
        """It is told the last of each name, when it has read."""
        page = self.open(f"/terminal/{ADDRESS}")
        page.messages()
        producer = producer_of(page.transport)
        producer.pauseProducing()
        self.say(BEFORE)
        self.run_for(1)
        self.assertEqual(self.values(page), [])
        producer.resumeProducing()
        self.say(AFTER)
        self.run_for(1)
        (message,) = self.values(page)
        self.assertEqual(message["values"][0], ["ch1_power", WATTS, "W"])
