"""All that is known of one node; its clients, and what passes there."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

from tests.control.support import GatewayTestCase
from tests.support import present
from zbtwist.control import faults
from zbtwist.control.faults import ControlFault
from zbtwist.observing.taps import LEASE, MAX_PACKETS
from zbtwist.xbee.address import Address16


class NodeTestCase(GatewayTestCase):
    def setUp(self) -> None:
        self.build(kinds=("echo",), nodes=2)
        self.run_for(2)

    def fault(self, number: int, call: Any, *arguments: object) -> str:
        with self.assertRaises(ControlFault) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.number, number)
        return str(caught.exception)

    def send(self, data: bytes, label: str = "ECHO") -> None:
        self.connect(label)
        self.client.dataReceived(data)
        self.run_for(1)


class ShowTests(NodeTestCase):
    def test_all_is_there(self) -> None:
        row: Any = self.api.show("ECHO")
        (listed,) = (one for one in self.api.list_nodes() if one["label"] == "ECHO")
        self.assertEqual({key: row[key] for key in listed}, listed)
        self.assertEqual(row["why"], listed["health_text"])
        self.assertEqual((row["route"], row["clients"], row["pins"]), ([], [], []))
        self.assertEqual((row["settings"], row["settings_read"], row["unwritten"]), ("", 0.0, []))
        self.assertEqual((row["has_temperature"], row["test"]["began"]), (False, 0.0))
        self.assertEqual((row["device"], row["firmware"]), ("RS-232 adapter", ""))
        self.assertIn("node_added", [event["event"] for event in row["events"]])
        self.assertEqual(
            {event["addr_extended"] for event in row["events"]}, {row["addr_extended"]}
        )

    def test_what_has_become_of_it(self) -> None:
        self.send(b"x" * 10)
        self.network_settings()
        node = next(node for node in self.gateway.network.nodes if node.label == "ECHO")
        (other,) = (one for one in self.gateway.network.nodes if one is not node)
        node.temperature, node.unwritten = 21.5, frozenset(("D1",))
        other.signal = 60
        node.route = (other.address16, Address16(0xABCD))
        row: Any = self.api.show("ECHO")
        (client,) = row["clients"]
        self.assertEqual((client["peer"], client["ended"]), (self.client.peer, False))
        self.assertAlmostEqual(client["seconds"], 31.0, 1)
        self.assertEqual((row["stats"]["bytes_in"], row["stats"]["bytes_out"]), (10.0, 10.0))
        self.assertEqual((row["temperature"], row["unwritten"]), (21.5, ["D1"]))
        known, unknown = row["route"]
        self.assertEqual((known["label"], known["signal"]), (other.label, 60))
        self.assertEqual(
            (unknown["addr_short"], unknown["addr_extended"], unknown["health"]),
            ("[abcd]!", "", ""),
        )
        self.assertIn("[settings]", row["settings"])
        self.assertGreater(row["settings_read"], 0)
        self.assertEqual(row["firmware"], "4060")

    def network_settings(self) -> None:
        saving = self.call(self.api.save_settings("ECHO"))
        self.run_for(30, 0.05)
        self.successResultOf(saving)

    def test_firmware_is_known_from_its_settings_after_a_restart(self) -> None:
        self.network_settings()
        node = next(node for node in self.gateway.network.nodes if node.label == "ECHO")
        self.assertEqual(node.firmware_version, 0x4060)
        node.firmware_version = None
        self.assertEqual(self.api.show("ECHO")["firmware"], "4060")

    def test_any_client_can_read_it(self) -> None:
        """No nil, and no whole number beyond 32 bits."""
        self.send(b"x")
        row: Any = self.api.show("ECHO")
        xmlrpc.client.dumps((row,), methodresponse=True, allow_none=False)

    def test_last_events_are_bounded(self) -> None:
        for _ in range(30):
            self.connect("ECHO")
        self.assertEqual(len(self.api.show("ECHO")["events"]), 20)

    def test_nobody(self) -> None:
        for call in (self.api.show, self.api.clients, self.api.watch):
            self.fault(faults.UNKNOWN_NODE, call, "NOBODY")


class ClientTests(NodeTestCase):
    def test_disconnect(self) -> None:
        one, other = self.connect("ECHO"), self.connect("ECHO")
        peers = [row["peer"] for row in self.api.clients("ECHO")]
        self.assertEqual(len(peers), 2)
        self.client.peer = "10.0.0.7:50312"
        self.assertIs(self.api.disconnect("10.0.0.7:50312"), True)
        self.assertEqual((one.disconnected, other.disconnected), (False, True))
        self.connected.pop().connectionLost()
        self.assertEqual(len(self.api.clients("ECHO")), 1)
        self.assertIn("by hand", self.api.trace(0, "ECHO")[-2]["text"])

    def test_nobody_is_called_so(self) -> None:
        self.assertIn("clients()", self.fault(faults.BAD_VALUE, self.api.disconnect, "1.2.3.4:5"))


class TraceOfANodeTests(NodeTestCase):
    def test_its_events_and_its_frames(self) -> None:
        self.api.frames(True)
        self.send(b"x", "ECHO")
        rows = self.api.trace(0, "ECHO")
        self.assertEqual({row["kind"] for row in rows}, {"log", "frame"})
        address = self.api.show("ECHO")["addr_extended"]
        self.assertEqual({row["addr_extended"] for row in rows}, {address})
        self.assertEqual(self.api.trace(rows[-2]["seq"], "ECHO"), rows[-1:])
        self.assertLess(len(rows), len(self.api.trace(0)))


class WatchTests(NodeTestCase):
    def test_both_ways(self) -> None:
        first = self.api.watch("ECHO")
        self.assertEqual(first, {"seq": 0, "lost": 0, "packets": []})
        self.send(b"hello")
        seen = self.api.watch("ECHO", first["seq"])
        self.assertEqual(
            [(row["seq"], row["direction"], row["data"]) for row in seen["packets"]],
            [(1, "to_node", b"hello"), (2, "from_node", b"hello")],
        )
        self.assertEqual(self.api.watch("ECHO", 2)["packets"], [])
        # Somebody else, from now on.
        self.assertEqual(self.api.watch("ECHO"), {"seq": 2, "lost": 0, "packets": []})

    def test_what_is_forgotten_is_counted(self) -> None:
        self.api.watch("ECHO")
        self.connect("ECHO")
        node = next(node for node in self.gateway.network.nodes if node.label == "ECHO")
        tap = self.gateway.api._taps.of(node)
        for number in range(MAX_PACKETS):
            if number % 100 == 0:
                self.api.watch("ECHO")
            self.client.dataReceived(b"x" * 80)
            self.run_for(0.1, 0.05)
        seen = self.api.watch("ECHO", 0)
        self.assertEqual(len(seen["packets"]), MAX_PACKETS)
        self.assertEqual(seen["lost"], tap.last_seq - MAX_PACKETS)
        self.assertGreater(seen["lost"], 0)

    def test_nothing_is_taken_from_what_is_kept(self) -> None:
        node = next(node for node in self.gateway.network.nodes if node.label == "ECHO")
        port = present(self.gateway.bindings.port_of(node))
        self.send(b"hello")
        before = (port.bytes_received, port.kept, port.clients)
        self.api.watch("ECHO")
        self.assertEqual((port.bytes_received, port.kept, port.clients), before)

    def test_it_ends_when_nobody_asks(self) -> None:
        self.api.watch("ECHO")
        self.send(b"hello")
        self.run_for(2 * LEASE, 1)
        self.send(b"hello")
        # Another tap, whose numbers begin anew.
        self.assertEqual(self.api.watch("ECHO", 2), {"seq": 0, "lost": 0, "packets": []})
