"""Strangers: who is let in by a person, and whose a name is."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from tests.control.support import GatewayTestCase
from tests.support import present
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.control import faults
from zbtwist.control.faults import ControlFault
from zbtwist.network.admission import Admit
from zbtwist.xbee.address import Address16, parse_address64

NOBODY = "00:13:a2:00:11:22:33:44"


class StrangerTests(GatewayTestCase):
    def done(self, operation: Any) -> Any:
        call = self.call(operation)
        self.run_for(1)
        return self.successResultOf(call)

    def fault(self, number: int, operation: Any) -> str:
        call = self.call(operation)
        self.run_for(1)
        fault = self.failureResultOf(call, ControlFault).value
        self.assertEqual(fault.number, number)
        return str(fault)

    def ports(self) -> dict[str, int]:
        return {row["label"]: row["tcp_port"] for row in self.api.list_nodes()}

    def address(self, name: str) -> str:
        return self.network.node(name).address64.to_bytes(8, "big").hex(":")

    def build_asking(self) -> None:
        self.build()
        self.gateway.network.admission.rule = Admit.ASK
        self.run_for(3)

    def test_accept(self) -> None:
        self.build_asking()
        self.assertEqual(self.api.list_nodes(), [])
        rows = self.api.waiting()
        self.assertEqual({row["label"] for row in rows}, {"ECHO", "METER", "SENSOR"})
        for row in rows:
            self.assertTrue(row["answered"])
            self.assertEqual(row["state_text"], "It waits until a person accepts it (admit = ask).")
        self.assertEqual(self.api.status()["waiting"], 3)
        self.assertTrue(self.done(self.api.accept(self.address("ECHO"))))
        self.assertEqual(self.ports(), {"ECHO": 27001})
        self.assertEqual(len(self.api.waiting()), 2)
        self.assertTrue(self.done(self.api.accept(self.address("ECHO"))))

    def echoes(self) -> None:
        """A client of ECHO gets what it sends."""
        transport = self.connect("ECHO")
        self.client.dataReceived(b"hello")
        self.run_for(1)
        self.assertEqual(transport.value(), b"hello")

    def test_one_that_waits_is_configured_by_its_address(self) -> None:
        settings = Settings(serial="sim:", admit=Admit.LISTED)
        self.build(settings)
        self.run_for(3)
        self.assertEqual(len(self.api.waiting()), 3)
        wish = NodeSettings(address64=parse_address64(self.address("ECHO")), port=28666)
        self.gateway.reconfigure(replace(settings, nodes=(wish,)))
        self.run_for(1)
        self.assertEqual(self.ports(), {"ECHO": 28666})
        self.assertEqual((len(self.api.waiting()), self.api.status()["waiting"]), (2, 2))
        self.echoes()

    def test_one_that_waits_is_bound_and_then_there_is_another_rule(self) -> None:
        settings = Settings(serial="sim:", admit=Admit.ASK)
        self.build(settings)
        self.run_for(3)
        self.done(self.api.create_mapping(self.address("ECHO"), 28555))
        [row] = self.api.list_nodes()
        self.assertEqual((row["label"], row["type"]), ("ECHO", "router"))
        self.assertEqual((len(self.api.waiting()), self.api.status()["waiting"]), (2, 2))
        transport = self.connect("ECHO")
        self.gateway.reconfigure(replace(settings, admit=Admit.ANSWERED))
        self.run_for(1)
        self.client.dataReceived(b"hello")
        self.run_for(1)
        self.assertEqual(transport.value(), b"hello")
        self.assertEqual(self.api.waiting(), [])

    def test_accept_nobody(self) -> None:
        self.build_asking()
        self.assertIn("not heard", self.fault(faults.UNKNOWN_NODE, self.api.accept(NOBODY)))
        # What a stranger calls itself is no word of a person.
        self.fault(faults.UNKNOWN_NODE, self.api.accept("ECHO"))

    def test_accept_beyond_the_maximum(self) -> None:
        self.build()
        self.gateway.network.admission.max_nodes = 2
        self.run_for(3)
        status = self.api.status()
        self.assertEqual((status["nodes"], status["waiting"]), (2, 1))
        self.assertIn("max-nodes", status["waiting_text"])
        [row] = self.api.waiting()
        self.done(self.api.accept(row["addr_extended"]))
        self.assertEqual(len(self.api.list_nodes()), 3)

    def test_accept_in_a_full_table(self) -> None:
        self.build_asking()
        self.gateway.network.nodes._maximum = 0
        self.fault(faults.BAD_VALUE, self.api.accept(self.address("ECHO")))

    def test_strangers(self) -> None:
        self.build()
        self.run_for(3)
        self.gateway.network.admission.heard(parse_address64(NOBODY), Address16(5))
        self.assertEqual(self.api.status()["strangers"], 1)
        [row] = self.api.waiting()
        self.assertEqual(row["state_text"], "It was heard, and has not answered.")

    # --- forgetting ----------------------------------------------------------------------------

    def test_forget(self) -> None:
        self.build()
        self.run_for(3)
        port = self.ports()["ECHO"]
        self.assertTrue(self.done(self.api.forget("ECHO")))
        self.assertEqual(set(self.ports()), {"METER", "SENSOR"})
        self.fault(faults.UNKNOWN_NODE, self.api.forget("ECHO"))
        self.network.node("ECHO").send(b"I am still here.")
        self.run_for(3)
        self.assertEqual(self.ports()["ECHO"], port)

    def test_forget_one_that_waits(self) -> None:
        self.build_asking()
        self.assertTrue(self.done(self.api.forget(self.address("ECHO"))))
        self.assertEqual(len(self.api.waiting()), 2)

    def test_seen_before_the_time_of_day_was_set(self) -> None:
        self.build(Settings(serial="sim:", health="passive"))
        self.run_for(3)
        nodes = self.gateway.network.nodes
        before = {row["label"]: row["last_seen"] for row in self.api.list_nodes()}
        wall = nodes.wall
        nodes.wall = lambda: wall() + 60 * 86400.0
        for rows in (self.api.list_nodes(), self.api.stats()):
            for row in rows:
                self.assertAlmostEqual(row["last_seen"], before[row["label"]] + 60 * 86400.0)
        self.assertEqual(self.gateway.network.silent_for(86400.0), [])

    def test_forget_silent(self) -> None:
        # Nobody asks ECHO, which would answer.
        self.build(Settings(serial="sim:", health="passive"))
        self.run_for(3)
        nodes = self.gateway.network.nodes
        echo = present(nodes.get(parse_address64(self.address("ECHO"))))
        # It was heard before the gateway was started, the others since; and the time was set.
        echo.heard_at = -inf
        echo.seen_before = nodes.wall() - 31 * 86400.0
        present(nodes.get(parse_address64(self.address("METER")))).seen_before = 1.0
        self.assertEqual(self.done(self.api.forget_silent(32.0)), [])
        self.assertEqual(self.done(self.api.forget_silent(30)), [f"[{self.address('ECHO')}]!"])
        self.assertEqual(set(self.ports()), {"METER", "SENSOR"})
        for days in (0.5, -1, float("nan"), float("inf")):
            self.fault(faults.BAD_VALUE, self.api.forget_silent(days))

    # --- whose a name is -----------------------------------------------------------------------

    def claim(self, label: str) -> str:
        """METER calls itself so now; return its address."""
        node = present(self.gateway.network.nodes.get(parse_address64(self.address("METER"))))
        node.label = label
        self.gateway.network.nodes.changed(node)
        return self.address("METER")

    def test_a_name_that_was_used(self) -> None:
        self.build()
        self.run_for(3)
        echo = self.address("ECHO")
        self.done(self.api.create_mapping("ECHO", 30001))
        meter = self.claim("ECHO")
        self.done(self.api.create_mapping("ECHO", 30002))
        ports = {row["addr_extended"]: row for row in self.api.list_nodes()}
        self.assertEqual(ports[f"[{echo}]!"]["tcp_port"], 30002)
        self.assertIn("It calls itself ECHO", ports[f"[{meter}]!"]["state_text"])

    def test_a_name_that_nobody_used(self) -> None:
        self.build()
        self.run_for(3)
        self.claim("ECHO")
        self.fault(faults.AMBIGUOUS_LABEL, self.api.create_mapping("ECHO", 30001))

    def test_a_name_that_was_used_and_is_another_nodes_now(self) -> None:
        self.build()
        self.run_for(3)
        self.done(self.api.create_mapping("ECHO", 30001))
        node = present(self.gateway.network.nodes.get(parse_address64(self.address("ECHO"))))
        node.label = "E1"
        self.gateway.network.nodes.changed(node)
        meter = self.claim("ECHO")
        text = self.fault(faults.AMBIGUOUS_LABEL, self.api.create_mapping("ECHO", 30002))
        self.assertIn(meter, text)
        self.done(self.api.accept(meter))
        self.done(self.api.create_mapping("ECHO", 30002))
        self.assertEqual(self.ports()["ECHO"], 30002)

    def test_forgotten_with_a_claimant_that_waits(self) -> None:
        """It is not listed by the name that it was refused."""
        wish = NodeSettings(label="METER", port=28600)
        self.build(Settings(serial="sim:", admit=Admit.LISTED, nodes=(wish,)))
        self.run_for(3)
        self.assertEqual(self.ports(), {"METER": 28600})
        echo = parse_address64(self.address("ECHO"))
        candidate = present(self.gateway.network.admission.candidates.get(echo))
        candidate.node.label = "METER"
        meter = self.network.node("METER")
        self.network.remove_node(meter)
        self.done(self.api.forget("METER"))
        self.run_for(5)
        self.assertEqual(self.ports(), {})
        self.done(self.api.accept(self.address("ECHO")))
        self.assertEqual(self.ports(), {"METER": 28600})

    def test_forgotten_claimant_that_waits(self) -> None:
        wish = NodeSettings(label="METER", port=28600)
        self.build(Settings(serial="sim:", admit=Admit.LISTED, nodes=(wish,)))
        self.run_for(3)
        echo = parse_address64(self.address("ECHO"))
        candidate = present(self.gateway.network.admission.candidates.get(echo))
        candidate.node.label = "METER"
        self.network.remove_node(self.network.node("METER"))
        self.done(self.api.forget("METER"))
        self.assertNotEqual(self.gateway.bindings.labels.pins, {})
        self.done(self.api.forget(self.address("ECHO")))
        self.assertEqual(self.gateway.bindings.labels.pins, {})

    def test_names_that_a_person_exchanges(self) -> None:
        self.build()
        self.run_for(3)
        echo, meter = self.address("ECHO"), self.address("METER")
        self.done(self.api.create_mapping("ECHO", 30001))
        self.done(self.api.rename(echo, "OLD"))
        self.done(self.api.rename(meter, "ECHO"))
        self.done(self.api.create_mapping("ECHO", 30002))
        ports = {row["addr_extended"]: row["tcp_port"] for row in self.api.list_nodes()}
        self.assertEqual(ports[f"[{meter}]!"], 30002)
