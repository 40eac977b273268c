"""The operations, on a whole gateway with a simulated network, under a clock."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

import zbtwist
from zbtwist.config import Settings
from zbtwist.control.api import TEMPERATURE_DEADLINE
from zbtwist.control.faults import RADIO_OFFLINE, ControlFault
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.gateway import Gateway
from zbtwist.xbee.address import UNKNOWN16


class APITests(SynchronousTestCase):
    def build(self, **options: Any) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.network = SimulatorOptions(
            **{"discovery_time": 1.0, "interval": 0.0, **options}
        ).build(self.reactor)
        self.gateway = Gateway(
            Settings("sim:"), self.reactor, SimulatorEndpoint(self.reactor, self.network)
        )
        self.api = self.gateway.api
        self.gateway.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.gateway.stopService()
        self.network.stop()
        self.run_for(0.1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def run_for(self, seconds: float, step: float = 0.01) -> None:
        self.reactor.pump([step] * round(seconds / step))

    def call(self, operation: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(operation)

    def test_list(self) -> None:
        self.build()
        self.assertEqual(self.api.list_nodes(), [])
        self.run_for(3)
        rows = self.api.list_nodes()
        self.assertEqual([row["tcp_port"] for row in rows], [27001, 27002, 27003])
        self.assertEqual(sorted(row["label"] for row in rows), ["ECHO", "METER", "SENSOR"])
        for row in rows:
            node = self.network.node(row["label"])
            self.assertTrue(0 < row.pop("last_seen") < 3)
            self.assertEqual(
                row,
                {
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
                },
            )

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
        self.run_for(3.5)
        for operation in (self.api.discover(), self.api.get_temperatures()):
            fault = self.failureResultOf(self.call(operation), ControlFault).value
            self.assertEqual(fault.number, RADIO_OFFLINE)
            self.assertIn("API mode", str(fault))
        self.assertEqual(self.api.list_nodes(), [])

    def test_link_lost_while_searching(self) -> None:
        self.build()
        self.run_for(3)
        search = self.call(self.api.discover())
        self.gateway.radio.protocol.transport.abortConnection()
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
            self.assertEqual(set(row), {"addr_extended", "label", "temperature"})
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
        self.assertAlmostEqual(status.pop("uptime"), 3.0, 3)
        self.assertTrue(int(status.pop("firmware"), 16))
        self.assertTrue(int(status.pop("hardware"), 16))
        self.assertEqual(
            status,
            {
                "version": zbtwist.__version__,
                "link": "up",
                "link_text": "",
                "address": self.network.radio.address64.to_bytes(8, "big").hex(":"),
                "api_mode": 1,
                "pan": f"{self.network.pan_id:016x}",
                "nodes": 3,
                "clients": 0,
                "problems": 0,
                "store": ":memory:",
                "store_text": "",
            },
        )
