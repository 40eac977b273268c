"""The operations, on a whole gateway with a simulated network, under a clock."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.testing import StringTransport

import zbtwist
from tests.control.support import GatewayTestCase
from tests.support import present
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.control import faults
from zbtwist.control import resolver as directory
from zbtwist.control.faults import RADIO_OFFLINE, ControlFault
from zbtwist.control.http import value_metrics
from zbtwist.control.http.value_metrics import ValueCollector
from zbtwist.control.operations.base import BRING_UP_PATIENCE
from zbtwist.control.operations.temperatures import TEMPERATURE_DEADLINE
from zbtwist.network.events import NodeNamed
from zbtwist.network.persistence import SAVE_DELAY, SEEN_INTERVAL
from zbtwist.observing import tracer as tracing
from zbtwist.radio.line_health import MANY
from zbtwist.radio.probe import WAITS
from zbtwist.simulator.endpoint import SimulatorTransport
from zbtwist.xbee.address import UNKNOWN16, parse_address64


class APITests(GatewayTestCase):
    def test_list(self) -> None:
        self.build()
        self.assertEqual(self.api.list_nodes(), [])
        self.run_for(3)
        rows = self.api.list_nodes()
        self.assertEqual([row["tcp_port"] for row in rows], [27001, 27002, 27003])
        self.assertEqual(sorted(row["label"] for row in rows), ["ECHO", "METER", "SENSOR"])
        for row in rows:
            node = self.network.node(row["label"])
            self.assertTrue(0 < row["last_seen"] < 3)
            self.assertEqual(
                row,
                {
                    "last_seen": row["last_seen"],
                    "addr_extended": f"[{node.address64.to_bytes(8, 'big').hex(':')}]!",
                    "addr_short": f"[{node.address16:04x}]!",
                    "addr_parent": "[fffe]!",
                    "type": "router",
                    "label": row["label"],
                    "profile_id": 0xC105,
                    "manufacturer_id": 0x101E,
                    "device_type": "0x00030008" if row["label"] == "SENSOR" else "0x00030005",
                    "tcp_port": row["tcp_port"],
                    "name": "",
                    "state": "listening",
                    "state_text": "",
                    "by_hand": False,
                    "missed_search": False,
                    "health": "ok",
                    "health_text": "",
                    "health_since": row["health_since"],
                    "signal": row["signal"],
                    "hops": row["hops"],
                    "lost": 0.0,
                    "values": [],
                },
            )
            self.assertTrue(0 <= row["health_since"] < 3)

    def test_values(self) -> None:
        node = NodeSettings(label="METER", port_settings=PortSettings(decoder="ecm1220"))
        self.build(Settings(serial="sim:", nodes=(node,)), interval=5.0)
        self.run_for(20)
        rows = {row["name"]: row for row in self.api.values()}
        self.assertEqual(rows["ch1_power"]["unit"], "W")
        self.assertEqual(rows["ch1_power"]["label"], "METER")
        self.assertTrue(rows["ch1_energy"]["total"])
        (meter,) = (row for row in self.api.list_nodes() if row["label"] == "METER")
        told = {each["name"]: each["value"] for each in meter["values"]}
        self.assertEqual(told, {name: row["value"] for name, row in rows.items()})
        self.assertEqual(self.api.show("METER")["values"], meter["values"])
        value, time = ValueCollector(self.gateway.decoding).collect()
        self.assertEqual(
            {sample.labels["name"]: sample.value for sample in value.samples},
            {name: row["value"] for name, row in rows.items()},
        )
        self.assertEqual(len(time.samples), len(rows))

    def test_values_are_bounded_in_metrics(self) -> None:
        node = NodeSettings(label="METER", port_settings=PortSettings(decoder="ecm1220"))
        self.build(Settings(serial="sim:", nodes=(node,)), interval=5.0)
        self.assertEqual(list(ValueCollector(self.gateway.decoding).collect()), [])
        self.run_for(20)
        self.patch(value_metrics, "MAX_VALUES", 3)
        value, time = ValueCollector(self.gateway.decoding).collect()
        self.assertEqual((len(value.samples), len(time.samples)), (3, 3))

    def test_list_of_what_is_not_known(self) -> None:
        self.build(nodes=0)
        self.run_for(2)
        nodes = self.gateway.network.nodes
        nodes.seen(0x13A200400A3EFF, UNKNOWN16, 0.0)  # type: ignore[arg-type]
        (row,) = self.api.list_nodes()
        self.assertEqual(row["addr_extended"], "[00:13:a2:00:40:0a:3e:ff]!")
        self.assertEqual(row["addr_short"], "[fffe]!")
        for key in ("type", "label", "device_type"):
            self.assertEqual(row[key], "")

    def test_discover(self) -> None:
        self.build(nodes=30)
        self.run_for(0.5)
        first, second = self.call(self.api.discover()), self.call(self.api.discover())
        self.run_for(3)
        rows = self.successResultOf(first)
        self.assertEqual(len(rows), 30)
        self.assertEqual([row["tcp_port"] for row in rows], list(range(27001, 27031)))
        self.assertEqual(self.successResultOf(second), rows)

    def test_offline(self) -> None:
        self.build(api_mode=0)
        self.run_for(8)
        for operation in (self.api.discover(), self.api.get_temperatures()):
            # It is being looked for again and again.
            call = self.call(operation)
            self.run_for(sum(WAITS) + 0.1)
            fault = self.failureResultOf(call, ControlFault).value
            self.assertEqual(fault.number, RADIO_OFFLINE)
            self.assertIn("API mode", str(fault))
        self.assertEqual(self.api.list_nodes(), [])

    def test_the_first_command_waits_for_the_radio(self) -> None:
        """A program that was made for a gateway of Digi's searches first of all."""
        self.build(api_mode=0)
        calls = [
            self.call(operation)
            for operation in (
                self.api.discover(),
                self.api.get_temperatures(),
                self.api.at("", "NP"),
            )
        ]
        # The first look for the radio is over.
        self.run_for(sum(WAITS) + 0.1)
        for call in calls:
            self.assertNoResult(call)
        radio = self.network.radio
        radio.execute("AP", b"\x01")
        radio.apply()
        self.run_for(4)
        found, temperatures, payload = map(self.successResultOf, calls)
        self.assertEqual(len(found), 3)
        self.assertEqual(temperatures, [])
        self.assertEqual(payload, radio.longest_payload)

    def test_it_does_not_wait_for_ever(self) -> None:
        self.build(api_mode=0)
        call = self.call(self.api.discover())
        self.run_for(BRING_UP_PATIENCE - 0.1)
        self.assertNoResult(call)
        self.run_for(0.2)
        fault = self.failureResultOf(call, ControlFault).value
        self.assertEqual(fault.number, RADIO_OFFLINE)

    def test_joining(self) -> None:
        """A radio in no network says why, and can be told another one."""
        self.build()
        radio = self.network.radio
        execute = radio.execute
        self.patch(radio, "execute", lambda c, p: (0, b"\x21") if c == "AI" else execute(c, p))
        self.run_for(3)
        sentence = "The radio is joining: no PAN found (AI=21)."
        status = self.api.status()
        self.assertEqual((status["link"], status["link_text"]), ("joining", sentence))
        self.assertTrue(status["firmware"])
        for operation in (self.api.discover(), self.api.get_temperatures()):
            fault = self.failureResultOf(self.call(operation), ControlFault).value
            self.assertEqual((fault.number, str(fault)), (RADIO_OFFLINE, sentence))
        call = self.call(self.api.at("", "ID", 0x1234))
        self.run_for(1)
        self.successResultOf(call)

    def test_link_lost_while_searching(self) -> None:
        self.build()
        self.run_for(3)
        search = self.call(self.api.discover())
        line = present(self.gateway.radio.protocol).transport
        assert isinstance(line, SimulatorTransport)
        line.abortConnection()
        self.run_for(0.01)
        fault = self.failureResultOf(search, ControlFault).value
        self.assertEqual(fault.number, RADIO_OFFLINE)

    def test_temperatures(self) -> None:
        """TP where there is one; else the sensor's formula; others are left out."""
        self.build(nodes=6)
        self.run_for(3)
        reading = self.call(self.api.get_temperatures())
        self.run_for(1)
        rows = {row["label"]: row for row in self.successResultOf(reading)}
        self.assertLessEqual({"SENSOR", "SENSOR2"}, set(rows))
        for label, row in rows.items():
            self.assertEqual(set(row), {"addr_extended", "label", "name", "temperature"})
            self.assertIsInstance(row["temperature"], float)
            self.assertTrue(10 < row["temperature"] < 40, row)
            status, value = self.network.node(label).execute("TP", b"")
            if status == 0:
                self.assertEqual(row["temperature"], int.from_bytes(value, "big", signed=True))

    def test_temperatures_have_one_deadline(self) -> None:
        self.build(nodes=9)
        self.run_for(3)
        for label in ("SENSOR", "METER2", "ECHO3"):
            self.network.node(label).fall_asleep(100.0)
        reading = self.call(self.api.get_temperatures())
        self.run_for(TEMPERATURE_DEADLINE + 0.1)
        labels = {row["label"] for row in self.successResultOf(reading)}
        self.assertNotIn("SENSOR", labels)
        self.assertIn("SENSOR2", labels)

    def test_status(self) -> None:
        self.build()
        status = self.api.status()
        self.assertEqual((status["link"], status["address"], status["pan"]), ("down", "", ""))
        self.assertIn("not opened", status["link_text"])
        self.run_for(3)
        status = self.api.status()
        self.assertAlmostEqual(status["uptime"], 3.0, 3)
        self.assertTrue(int(status["firmware"], 16))
        self.assertTrue(int(status["hardware"], 16))
        self.assertEqual(
            status,
            {
                "uptime": status["uptime"],
                "firmware": status["firmware"],
                "hardware": status["hardware"],
                "version": zbtwist.__version__,
                "link": "up",
                "link_text": "",
                "address": self.network.radio.address64.to_bytes(8, "big").hex(":"),
                "api_mode": 1,
                "pan": f"{self.network.pan_id:016x}",
                "channel": self.network.radio.execute("CH", b"")[1][0],
                "nodes": 3,
                "waiting": 0,
                "strangers": 0,
                "waiting_text": "",
                "clients": 0,
                "problems": 0,
                "health": {
                    "ok": 3,
                    **dict.fromkeys(("weak", "losing", "not-answering", "silent"), 0),
                    **dict.fromkeys(("asleep", "unknown"), 0),
                },
                "store": ":memory:",
                "store_text": "",
                "broadcast": {},
                "mqtt": {},
            },
        )

    def test_status_of_the_broadcast_port(self) -> None:
        self.build(Settings(serial="sim:", broadcast="27900"))
        self.run_for(3)
        (factory,) = (server[1] for server in self.reactor.tcpServers if server[0] == 27900)
        client = factory.buildProtocol(None)
        client.makeConnection(StringTransport())
        self.connected.append(client)
        client.dataReceived(b"stop\n")
        self.run_for(2)
        self.assertEqual(
            self.api.status()["broadcast"],
            {
                "endpoint": "27900",
                "state": "listening",
                "reason": "",
                "clients": 1,
                "bytes_out": 5.0,
                "bytes_lost": 0.0,
            },
        )

    def test_status_of_a_line_that_changes_bytes(self) -> None:
        """The radio is up, and that is not all that there is to say."""
        self.build()
        self.run_for(3)
        for _ in range(MANY):
            present(self.gateway.radio.protocol).dataReceived(b"noise")
        status = self.api.status()
        self.assertEqual(status["link"], "up")
        self.assertIn("come damaged again and again", status["link_text"])


class ByHandTests(GatewayTestCase):
    """What a person asks for, and what is said if it cannot be."""

    def setUp(self) -> None:
        self.build()
        self.run_for(3)

    def ports(self) -> dict[str, int]:
        return {row["label"]: row["tcp_port"] for row in self.api.list_nodes()}

    def fault(self, number: int, operation: Any, seconds: float = 0.0) -> str:
        call = self.call(operation)
        self.run_for(seconds)
        fault = self.failureResultOf(call, ControlFault).value
        self.assertEqual(fault.number, number, fault)
        self.assertTrue(fault.sentence.endswith("."), fault.sentence)
        return str(fault)

    def done(self, operation: Any, seconds: float = 0.0) -> Any:
        call = self.call(operation)
        self.run_for(seconds)
        return self.successResultOf(call)

    def address(self, name: str) -> str:
        return self.network.node(name).address64.to_bytes(8, "big").hex(":")

    def test_create_mapping_by_label_and_by_any_form_of_address(self) -> None:
        self.done(self.api.create_mapping("ECHO", 30001))
        self.done(self.api.create_mapping(f"[{self.address('METER')}]!", 30002))
        self.done(self.api.create_mapping(self.address("SENSOR").replace(":", "").upper(), 30003))
        self.assertEqual(self.ports(), {"ECHO": 30001, "METER": 30002, "SENSOR": 30003})
        self.assertTrue(all(row["by_hand"] for row in self.api.list_nodes()))

    def test_name_of_the_configuration(self) -> None:
        """It is what the log and the console call the node, so it is known here as well."""
        echo = self.address("ECHO")
        node = self.gateway.network.nodes.get(parse_address64(echo))
        assert node is not None
        node.name = "Boiler room"
        self.done(self.api.create_mapping("Boiler room", 30001))
        self.done(self.api.create_mapping("ECHO", 30002))
        self.assertEqual(self.ports()["ECHO"], 30002)
        for rows in (self.api.list_nodes(), self.api.stats()):
            self.assertEqual({row["name"] for row in rows}, {"", "Boiler room"})
        node.name = "METER"
        text = self.fault(faults.AMBIGUOUS_LABEL, self.api.remove_mapping("METER"))
        self.assertIn(echo, text)

    def test_long_texts(self) -> None:
        """They are refused before anything looks at them closely, and are not said again."""
        for text in (":" * 40_000, "0" * 1_000_000 + "x", "[" + "-" * 1_000_000, "x" * 101):
            self.patch(directory, "parse_address64", None)
            sentence = self.fault(faults.BAD_ADDRESS, self.api.remove_mapping(text))
            self.assertLess(len(sentence), 200)

    def test_node_never_seen(self) -> None:
        self.done(self.api.create_mapping("0013A200 400A3EFF", 30001))
        row = self.api.list_nodes()[-1]
        self.assertEqual(row["addr_extended"], "[00:13:a2:00:40:0a:3e:ff]!")
        self.assertEqual((row["tcp_port"], row["state"], row["last_seen"]), (30001, "listening", 0))

    def test_who_is_meant(self) -> None:
        self.network.node("METER").registers.store("NI", b"ECHO")
        self.network.node("METER").apply()
        self.done(self.api.discover(), 3)
        for text, number in (
            ("", faults.BAD_ADDRESS),
            ("00:13:a2", faults.BAD_ADDRESS),
            ("[00:13:a2:00:40:0a:3e]!", faults.BAD_ADDRESS),
            ("0013A200400A3EFF0", faults.BAD_ADDRESS),
            ("00:13:a2:00:40:0a:3e:zz", faults.BAD_ADDRESS),
            ("0000000000000000", faults.BAD_ADDRESS),
            ("000000000000ffff", faults.BAD_ADDRESS),
            ("ffffffffffffffff", faults.BAD_ADDRESS),
            (self.api.status()["address"], faults.BAD_ADDRESS),
            ("NOBODY", faults.UNKNOWN_NODE),
            ("E1", faults.UNKNOWN_NODE),
            ("ECHO", faults.AMBIGUOUS_LABEL),
        ):
            self.fault(number, self.api.create_mapping(text, 30001))
        self.fault(faults.UNKNOWN_NODE, self.api.remove_mapping("00:13:a2:00:11:22:33:44"))

    def test_bad_ports(self) -> None:
        before = self.ports()
        for port in (0, -1, 65536):
            self.fault(faults.BAD_PORT, self.api.create_mapping("ECHO", port))
        text = self.fault(faults.PORT_TAKEN, self.api.create_mapping("ECHO", before["METER"]))
        self.assertIn("METER", text)
        self.fault(faults.PORT_TAKEN, self.api.create_mapping("ECHO", 27000))
        self.assertEqual(self.ports(), before)

    def test_list_with_one_bad_row_changes_nothing(self) -> None:
        before = self.api.list_nodes()
        good = [(self.address("ECHO"), 30001), ("00:13:a2:00:11:22:33:44", 30002)]
        for bad, number in (
            (("NOBODY", 30003), faults.UNKNOWN_NODE),
            (("SENSOR", 0), faults.BAD_PORT),
            (("SENSOR", before[0]["tcp_port"]), faults.PORT_TAKEN),
            (("ECHO", 30009), faults.BAD_VALUE),
        ):
            for rows in ([*good, bad], [bad, *good]):
                self.fault(number, self.api.bind_using_list(rows))
                self.assertEqual(self.api.list_nodes(), before)
        text = self.fault(faults.BAD_PORT, self.api.bind_using_list([*good, ("SENSOR", 0)]))
        self.assertTrue(text.startswith("Row 3: "), text)

    def test_a_row_that_is_none_is_named_and_nothing_is_done(self) -> None:
        before = self.api.list_nodes()
        good: list[object] = [["ECHO", 30001], [self.address("METER"), 30002]]
        for row, given in (
            ([], "array of ()"),
            (["E2"], "array of (string)"),
            ([27006, "E2"], "array of (int, string)"),
            (["E2", True], "array of (string, boolean)"),
            (["E2", 27006.0], "array of (string, double)"),
            (["E2", 27006, 1], "array of (string, int, int)"),
            ([1] * 500_000, "…"),
            ({"address": "E2", "tcp_port": 27006}, "struct"),
            ("E2", "string"),
            (27006, "int"),
        ):
            operation = self.api.bind_using_list([*good, row, *good])
            sentence = self.fault(faults.BAD_REQUEST, operation)
            self.assertTrue(sentence.startswith("Row 3: "), sentence)
            self.assertTrue(sentence.endswith(f"{given}.") or given == "…", sentence)
            self.assertLess(len(sentence), 200)
        self.assertEqual(self.api.list_nodes(), before)

    def test_stop_while_thousands_are_bound(self) -> None:
        """Whoever asked is told, and nothing has changed."""
        self.build()
        rows = [[f"0013a200{number:08x}", 30000 + number] for number in range(1000)]
        binding = self.call(self.api.bind_using_list(rows))
        self.assertNoResult(binding)
        self.stop_now()
        fault = self.failureResultOf(binding, ControlFault).value
        self.assertEqual(fault.number, faults.GATEWAY_FAILED)
        self.assertIn("stops", fault.sentence)

    def test_a_port_in_digits(self) -> None:
        """Shells, and languages in which numbers are text, send it so."""
        for text in ("30005", " 30006 "):
            self.done(self.api.create_mapping("ECHO", text))
            self.assertEqual(self.ports()["ECHO"], int(text))
        self.done(self.api.bind_using_list([["ECHO", "30007"], ["METER", 30008]]))
        self.assertLessEqual({"ECHO": 30007, "METER": 30008}.items(), self.ports().items())

    def test_a_port_in_other_words(self) -> None:
        before = self.ports()
        for text in ("", "x", "-1", "1.5", "0x10", "1e3", "٣", "9" * 100_000):
            for operation, start in (
                (self.api.create_mapping("ECHO", text), ""),
                (self.api.bind_using_list([["METER", 30001], ["ECHO", text]]), "Row 2: "),
            ):
                sentence = self.fault(faults.BAD_PORT, operation)
                self.assertTrue(sentence.startswith(start + repr(text[:60])[:-1]), sentence)
                self.assertLess(len(sentence), 200)
        self.assertEqual(self.ports(), before)

    def test_swap(self) -> None:
        before = self.ports()
        self.done(self.api.bind_using_list([("ECHO", before["METER"]), ("METER", before["ECHO"])]))
        self.assertEqual(self.ports(), {**before, "ECHO": before["METER"], "METER": before["ECHO"]})

    def test_remove_and_discover(self) -> None:
        self.done(self.api.remove_mapping("ECHO"))
        row = self.api.list_nodes()[-1]
        self.assertEqual((row["label"], row["tcp_port"], row["state"]), ("ECHO", 0, "unbound"))
        self.fault(faults.UNKNOWN_NODE, self.api.remove_mapping("ECHO"))
        self.run_for(5)
        self.assertEqual(self.ports()["ECHO"], 0)
        self.done(self.api.discover(), 3)
        self.assertNotEqual(self.ports()["ECHO"], 0)

    def test_rename(self) -> None:
        node = self.network.node("ECHO")
        self.done(self.api.rename("ECHO", "Küche"), 1)
        self.assertEqual(node.identifier, "Küche".encode())
        self.assertEqual(node.registers.flash_writes, 1)
        self.assertIn("Küche", self.ports())
        self.done(self.api.rename("Küche", "ECHO"), 1)

    def test_named_by_an_at_command(self) -> None:
        named: list[tuple[str, str | None]] = []
        self.gateway.bus.subscribe(
            NodeNamed, lambda event: named.append((event.before, event.node.label))
        )
        for name in ("Küche", "Küche".encode()):
            self.assertEqual(self.done(self.api.at("ECHO", "ni", name), 1), "")
            self.assertIn("Küche", self.ports())
            self.assertEqual(self.done(self.api.at("Küche", "NI"), 1), "Küche")
            self.done(self.api.at("Küche", "NI", "ECHO"), 1)
            self.assertIn("ECHO", self.ports())
        self.assertEqual(named, [("ECHO", "Küche"), ("Küche", "ECHO")] * 2)
        # That of the local radio is no node's.
        self.done(self.api.at("", "NI", "RADIO"), 1)
        self.assertNotIn("RADIO", self.ports())

    def test_not_named_if_it_did_not_answer(self) -> None:
        self.network.node("ECHO").reachable = False
        self.fault(faults.NO_ANSWER, self.api.at("ECHO", "NI", "E1"), 15)
        self.assertIn("ECHO", self.ports())

    def test_rename_is_refused(self) -> None:
        for label in ("", " x", "x ", "a\x00b", "a\nb", "x" * 21, "ü" * 11):
            self.fault(faults.BAD_VALUE, self.api.rename("ECHO", label))
        self.network.node("ECHO").reachable = False
        self.fault(faults.NO_ANSWER, self.api.rename("ECHO", "E1"), 15)
        self.assertIn("ECHO", self.ports())

    def test_at(self) -> None:
        node = self.network.node("ECHO")
        self.assertEqual(self.done(self.api.at("ECHO", "NI"), 1), "ECHO")
        self.assertEqual(self.done(self.api.at("ECHO", "dd"), 1), 0x30005)
        self.assertEqual(self.done(self.api.at("", "NP"), 1), 84)
        self.assertEqual(self.done(self.api.at("ECHO", "D1", 4), 1), "")
        self.assertEqual(node.execute("D1", b"")[1], b"\x04")
        self.assertEqual(self.done(self.api.at("ECHO", "D1", b"\x05"), 1), "")
        self.assertEqual(self.done(self.api.at("ECHO", "D1"), 1), 5)
        self.assertIsInstance(self.done(self.api.at("SENSOR", "IS"), 1), bytes)

    def test_at_tells_large_numbers_exactly(self) -> None:
        """A double tells whole numbers up to 53 bits; what is larger comes as its bytes."""
        for command, answer, expected in (
            ("OP", b"\x7f\xff\xff\xff", 2**31 - 1),
            ("OP", b"\xff\xff\xff\xff", 2**32 - 1),
            ("OP", b"\x00\x20" + bytes(6), 2**53),
            ("OP", b"\x00\x20" + bytes(5) + b"\x01", b"\x00\x20" + bytes(5) + b"\x01"),
            ("OP", b"\xff" * 8, b"\xff" * 8),
            ("TP", b"\xf0" + bytes(7), b"\xf0" + bytes(7)),
        ):

            async def at(command: str, value: bytes, answer: bytes = answer) -> bytes:
                return answer

            self.patch(self.gateway.radio.coordinator, "at", at)
            given = self.done(self.api.at("", command))
            self.assertEqual((type(given), given), (type(expected), expected))

    def test_at_is_refused(self) -> None:
        for command in ("", "N", "NIX", "\x00\x01", "é1"):
            self.fault(faults.BAD_VALUE, self.api.at("ECHO", command))
        self.fault(faults.BAD_VALUE, self.api.at("", "ND"))
        self.fault(faults.BAD_VALUE, self.api.at("", "AP", 0))
        self.fault(faults.BAD_VALUE, self.api.at("ECHO", "NT", 256))
        self.fault(faults.BAD_VALUE, self.api.at("ECHO", "NT", "text"))
        for value in ("x" * 1_000_000, bytes(256), 1 << 1_000_000):
            for address in ("", "ECHO"):
                self.fault(faults.BAD_VALUE, self.api.at(address, "ZZ", value))
        text = self.fault(faults.NODE_REFUSED, self.api.at("ECHO", "ZZ"), 1)
        self.assertIn("invalid command", text)
        text = self.fault(faults.NODE_REFUSED, self.api.at("", "NT", 1), 1)
        self.assertIn("invalid parameter", text)
        self.network.node("ECHO").reachable = False
        self.fault(faults.NO_ANSWER, self.api.at("ECHO", "NI"), 15)

    def test_at_says_what_it_cannot_do(self) -> None:
        """A key cannot be read; and on the air a value of no bytes is a question."""
        asked: list[str] = []
        node = self.network.node("ECHO")
        execute = node.execute
        self.patch(
            node,
            "execute",
            lambda c, p: asked.append(c) or execute(c, p),  # type: ignore[func-returns-value]
        )
        for address in ("", "ECHO"):
            for command in ("KY", "nk"):
                text = self.fault(faults.BAD_VALUE, self.api.at(address, command))
                self.assertIn("cannot be read", text)
            for command in ("NI", "D1", "KY", "AC", "ZZ"):
                for value in ("", b""):
                    text = self.fault(faults.BAD_VALUE, self.api.at(address, command, value))
                    self.assertIn(f"{command} cannot be set to an empty value", text)
        self.assertEqual(asked, [])

    def test_offline(self) -> None:
        self.gateway.radio.coordinator.link_down("It is gone.")
        self.gateway.radio.coordinator.expect(False)
        self.fault(faults.RADIO_OFFLINE, self.api.at("ECHO", "NI"))
        self.fault(faults.RADIO_OFFLINE, self.api.rename("ECHO", "E1"))
        # Mappings do not need the radio.
        self.done(self.api.create_mapping("ECHO", 30001))

    def test_stats(self) -> None:
        node = self.network.node("ECHO")
        node.send(b"from the node")
        self.run_for(0.1)
        (row,) = (row for row in self.api.stats() if row["label"] == "ECHO")
        last_seen = row["last_seen"]
        self.assertTrue(self.reactor.seconds() - 0.2 < last_seen < self.reactor.seconds())
        self.assertEqual(
            row,
            {
                "last_seen": last_seen,
                "addr_extended": f"[{self.address('ECHO')}]!",
                "label": "ECHO",
                "name": "",
                "tcp_port": self.ports()["ECHO"],
                "bytes_in": 13.0,
                "packets_in": 1.0,
                "bytes_unread": 13.0,
                "bytes_out": 0.0,
                "packets_out": 0.0,
                "retries": 0.0,
                "failures": 0.0,
                "bytes_lost": 0.0,
                "clients": 0,
                "health": "ok",
                "signal": row["signal"],
                "hops": row["hops"],
                "lost": 0.0,
            },
        )

    def test_trace(self) -> None:
        events = self.api.trace(0)
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        self.assertTrue(any("is up" in event["text"] for event in events))
        self.done(self.api.remove_mapping("ECHO"))
        (event,) = self.api.trace(events[-1]["seq"])
        self.assertIn("ECHO", event["text"])
        self.assertEqual(event["level"], "info")


class TracingTests(GatewayTestCase):
    """Frames as events, switched while the gateway runs."""

    def setUp(self) -> None:
        self.build()
        self.run_for(3)

    def frames(self) -> list[str]:
        """The frames with data that were traced."""
        events = [event for event in self.api.trace(0) if event["kind"] == "frame"]
        return [event["text"] for event in events if "RouteRecord" not in event["text"]]

    def address(self, label: str) -> str:
        return f"[{self.network.node(label).address64.to_bytes(8, 'big').hex(':')}]!"

    def test_off(self) -> None:
        self.assertEqual(self.api.frames(), {"all": False, "nodes": [], "file": ""})
        self.assertEqual(self.frames(), [])
        self.assertFalse(self.gateway.radio.traffic.watchers)

    def test_all(self) -> None:
        self.assertEqual(self.api.frames(True), {"all": True, "nodes": [], "file": ""})
        self.network.node("ECHO").send(b"hello")
        self.run_for(0.1)
        (text,) = self.frames()
        self.assertTrue(text.startswith("received ReceivePacket from ECHO: "), text)
        self.assertTrue(text.endswith("data='hello'"), text)
        self.api.frames(False)
        self.network.node("ECHO").send(b"hello")
        self.run_for(0.1)
        self.assertEqual(len(self.frames()), 1)
        said = [event["text"] for event in self.api.trace(0) if event["kind"] == "log"][-2:]
        self.assertEqual(
            said,
            [
                "The frames of all nodes are traced from now on, by hand.",
                "The frames of all nodes are traced no more.",
            ],
        )

    def test_one_node(self) -> None:
        answer = self.api.frames(True, "ECHO")
        self.assertEqual(answer["nodes"], [self.address("ECHO")])
        for label in ("ECHO", "METER"):
            self.network.node(label).send(b"hello")
        self.run_for(0.1)
        (text,) = self.frames()
        self.assertIn("from ECHO", text)
        self.api.frames(True, "METER")
        self.assertEqual(len(self.api.frames(False, "ECHO")["nodes"]), 1)
        self.assertEqual(self.api.frames(False), {"all": False, "nodes": [], "file": ""})

    def test_a_node_that_was_not_seen(self) -> None:
        answer = self.api.frames(True, "00:13:a2:00:40:0a:3e:ee")
        self.assertEqual(answer["nodes"], ["[00:13:a2:00:40:0a:3e:ee]!"])

    def test_refused(self) -> None:
        for on, address, number in (
            (True, "NOBODY", faults.UNKNOWN_NODE),
            (True, "00:13", faults.BAD_ADDRESS),
        ):
            fault = self.assertRaises(ControlFault, self.api.frames, on, address)
            self.assertEqual(fault.number, number)
        self.api.frames(True)
        fault = self.assertRaises(ControlFault, self.api.frames, False, "ECHO")
        self.assertEqual(fault.number, faults.BAD_VALUE)
        self.assertTrue(str(fault).endswith("."))

    def test_too_many_nodes(self) -> None:
        self.patch(tracing, "MAX_TRACED", 1)
        self.api.frames(True, "ECHO")
        fault = self.assertRaises(ControlFault, self.api.frames, True, "METER")
        self.assertEqual(fault.number, faults.BAD_VALUE)

    def test_a_file(self) -> None:
        self.stop_now()
        path = os.path.join(os.path.abspath(self.mktemp()), "trace.pcapng")
        os.mkdir(os.path.dirname(path))
        self.build(Settings(serial="sim:", trace_file=path))
        self.run_for(3)
        self.assertEqual(self.api.frames(), {"all": False, "nodes": [], "file": path})
        self.assertEqual(self.frames(), [])
        self.gateway.reconfigure(Settings(serial="sim:", trace_file=path + "2"))
        self.assertEqual(self.api.frames()["file"], path + "2")
        self.assertGreater(os.path.getsize(path), os.path.getsize(path + "2"))
        self.gateway.reconfigure(Settings(serial="sim:"))
        self.assertEqual(self.api.frames()["file"], "")

    def test_a_new_name_is_told(self) -> None:
        renamed = self.call(self.api.rename("ECHO", "Boiler"))
        self.run_for(1)
        self.successResultOf(renamed)
        texts = [event["text"] for event in self.api.trace(0)]
        address = self.address("Boiler").strip("[]!")
        self.assertIn(f"{address} is called Boiler now, no longer ECHO.", texts)


class RestartTests(GatewayTestCase):
    """A node keeps its port."""

    def test_fifty_nodes_twenty_restarts(self) -> None:
        """Nodes that answer in any order, that join meanwhile, that are away: no port changes."""
        state = os.path.join(self.mktemp(), "state.sqlite3")
        ports: dict[str, int] = {}
        for restart in range(20):
            self.build(
                Settings(serial="sim:", state=state), kinds=("echo",), nodes=50, seed=restart
            )
            for node in list(self.network.nodes.values())[30 + restart :]:
                self.network.remove_node(node)
            # Before the radio has said a word, every known node has its port.
            self.assertLessEqual(ports.items(), self.ports().items())
            self.run_for(4, 0.05)
            now = self.ports()
            self.assertLessEqual(ports.items(), now.items())
            self.assertGreaterEqual(len(now), 30 + restart)
            self.assertEqual(len(set(now.values())), len(now))
            ports = now
            self.stop_now()
        self.assertEqual(sorted(ports.values()), list(range(27001, 27001 + len(ports))))

    def ports(self) -> dict[str, int]:
        return {row["addr_extended"]: row["tcp_port"] for row in self.api.list_nodes()}

    def test_names_are_there_before_the_radio(self) -> None:
        settings = Settings(serial="sim:", state=os.path.join(self.mktemp(), "state.sqlite3"))
        self.build(settings)
        self.run_for(3)
        before = self.api.list_nodes()
        self.stop_now()
        self.build(settings)
        after = self.api.list_nodes()
        for row in [*before, *after]:
            # Where a node is in the network is for the network to say.
            row["addr_short"] = ""
            # And how it is, for the network of this run.
            row["health"] = row["health_text"] = ""
            row["health_since"] = 0.0
        self.assertEqual(after, before)

    def test_names_are_saved_while_it_runs(self) -> None:
        """A crash does not cost them."""
        settings = Settings(serial="sim:", state=os.path.join(self.mktemp(), "state.sqlite3"))
        self.build(settings)
        self.run_for(3 + SAVE_DELAY, 0.05)
        stored = {node.label for node in self.gateway.store.nodes()}
        self.assertEqual(stored, {"ECHO", "METER", "SENSOR"})
        self.run_for(SEEN_INTERVAL, 1.0)
        self.network.node("ECHO").send(b"x")
        self.run_for(SEEN_INTERVAL, 1.0)
        (seen,) = (n.last_seen for n in self.gateway.store.nodes() if n.label == "ECHO")
        self.assertGreater(seen, SEEN_INTERVAL)
