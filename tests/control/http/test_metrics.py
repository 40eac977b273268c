"""/metrics, of a whole gateway on a simulated network, read as Prometheus reads it."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest

from tests.clock import Clock
from tests.control.http.support import SiteTestCase, parse_response
from tests.control.support import GatewayTestCase
from tests.support import record_log
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.settings import Settings
from zbtwist.control.http import metrics
from zbtwist.control.http.metrics import GatewayCollector, MetricsPage
from zbtwist.control.http.value_metrics import ValueCollector
from zbtwist.decoding.service import DecodingService
from zbtwist.network.events import FROM_NODE, BytesPassed
from zbtwist.radio.histogram import Histogram
from zbtwist.simulator.meter_models import ECM1220Model, GEMModel
from zbtwist.xbee.address import format_address64

DASHBOARD = Path(__file__).resolve().parents[3] / "docs" / "examples" / "grafana-dashboard.json"


class MetricsTestCase(GatewayTestCase):
    """Gives each test a gateway with three nodes, and what Prometheus knows of it."""

    def setUp(self) -> None:
        self.build()
        self.run_for(3)
        self.histogram = Histogram()
        self.collector = GatewayCollector(
            self.gateway.radio,
            self.gateway.network,
            self.gateway.bindings,
            self.gateway.health,
            self.histogram,
            {"turns": lambda: 7},
        )
        self.clock = Clock()
        self.page = MetricsPage(self.clock, self.collector)

    def text(self) -> str:
        written = Deferred.fromCoroutine(self.page._text())
        self.clock.pump([0.0] * 100)
        text: bytes = self.successResultOf(written)
        return text.decode()

    def read(self) -> dict[tuple[str, str], float]:
        """The values by name and labels."""
        return {
            (
                sample.name,
                ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items())),
            ): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }

    def value(self, name: str, labels: str = "") -> float:
        return self.read()[f"zbtwist_{name}", labels]

    def node(self, label: str) -> str:
        return f"node={format_address64(self.network.node(label).address64)}"


class Values(MetricsTestCase):
    def test_the_gateway(self) -> None:
        values = self.read()
        self.assertEqual(values["zbtwist_nodes", ""], 3)
        self.assertEqual(values["zbtwist_clients", ""], 0)
        self.assertEqual(values["zbtwist_problems", ""], 0)
        self.assertEqual(values["zbtwist_queue_length", "queue=turns"], 7)
        self.assertIn("zbtwist_build_info", {name for name, _ in values})
        self.assertGreater(values["process_cpu_seconds_total", ""], 0)

    def test_the_link(self) -> None:
        self.assertEqual(self.value("radio_up"), 1)
        self.gateway.radio.coordinator.link_down("It is away.")
        self.assertEqual(self.value("radio_up"), 0)
        self.assertNotIn("zbtwist_radio_info", self.text())

    def test_frames(self) -> None:
        name, labels = "radio_frames_total", "direction=in,type=ReceivePacket"
        before = self.read()
        self.network.node("ECHO").send(b"Hello, world!")
        self.run_for(0.1)
        after = self.read()
        self.assertEqual(after[f"zbtwist_{name}", labels] - before[f"zbtwist_{name}", labels], 1)
        name = "zbtwist_radio_frame_bytes_total"
        # Type, two addresses and options, and the data.
        self.assertEqual(after[name, labels] - before[name, labels], 12 + 13)
        out = "direction=out,type=ATCommand"
        self.assertGreater(after["zbtwist_radio_frames_total", out], 5)

    def test_frames_of_no_known_type(self) -> None:
        protocol = self.gateway.radio.protocol
        assert protocol is not None
        protocol.dataReceived(bytes.fromhex("7e0001ee11"))
        values = self.read()
        self.assertEqual(values["zbtwist_radio_frames_total", "direction=in,type=other"], 1)
        self.assertEqual(values["zbtwist_radio_malformed_frames_total", ""], 1)

    def test_what_was_wrong_stays_counted(self) -> None:
        protocol = self.gateway.radio.protocol
        assert protocol is not None
        protocol.dataReceived(b"noise" + bytes.fromhex("7e0001ee11"))
        names = ("radio_discarded_bytes_total", "radio_malformed_frames_total")
        before = [self.value(name) for name in names]
        self.assertEqual(before, [5, 1])
        protocol.transport.abortConnection()  # type: ignore[union-attr]
        self.assertEqual([self.value(name) for name in names], before)
        self.run_for(3)
        self.assertNotIn(self.gateway.radio.protocol, (None, protocol))
        self.assertEqual([self.value(name) for name in names], before)

    def test_latencies(self) -> None:
        for seconds in (0.005, 0.01, 0.04, 500.0):
            self.histogram.observe(seconds)
        self.assertEqual(self.value("transmit_seconds_bucket", "le=0.01"), 2)
        self.assertEqual(self.value("transmit_seconds_bucket", "le=0.05"), 3)
        self.assertEqual(self.value("transmit_seconds_bucket", "le=120.0"), 3)
        self.assertEqual(self.value("transmit_seconds_bucket", "le=+Inf"), 4)
        self.assertEqual(self.value("transmit_seconds_count"), 4)
        self.assertAlmostEqual(self.value("transmit_seconds_sum"), 500.055)

    def test_nodes(self) -> None:
        self.network.node("ECHO").send(b"Hello, world!")
        self.run_for(0.1)
        node = self.node("ECHO")
        values = self.read()
        self.assertEqual(values["zbtwist_node_bytes_in_total", node], 13)
        self.assertEqual(values["zbtwist_node_packets_in_total", node], 1)
        self.assertEqual(values["zbtwist_node_unread_bytes_total", node], 13)
        self.assertEqual(values["zbtwist_node_bytes_out_total", node], 0)
        self.assertEqual(values["zbtwist_node_clients", node], 0)
        self.assertEqual(values["zbtwist_node_waiting_bytes", node], 0)
        seen = values["zbtwist_node_last_seen_timestamp_seconds", node]
        self.assertTrue(0 < self.reactor.seconds() - seen < 1)
        port = next(r["tcp_port"] for r in self.api.list_nodes() if r["label"] == "ECHO")
        self.assertEqual(
            values["zbtwist_node_info", f"name=ECHO,{node},port={port},type=router"], 1
        )

    def test_an_odd_name(self) -> None:
        (node,) = (n for n in self.gateway.network.nodes if n.label == "ECHO")
        node.label = 'a"b\\c\n{}'
        names = {labels for name, labels in self.read() if name == "zbtwist_node_info"}
        self.assertEqual(sum('name=a"b\\c\n{},' in labels for labels in names), 1)

    def test_many_nodes_are_one_together(self) -> None:
        self.patch(metrics, "MAX_NODES", 2)
        nodes = list(self.gateway.network.nodes)
        for label in ("ECHO", "METER", "SENSOR"):
            self.network.node(label).send(b"12345")
        self.run_for(0.1)
        rows = {
            labels: value
            for (name, labels), value in self.read().items()
            if name == "zbtwist_node_bytes_in_total"
        }
        self.assertEqual(len(rows), 3)
        self.assertEqual(rows["node=others"], 5)
        self.assertNotIn(format_address64(nodes[2].address64), self.text())

    def test_a_node_without_a_port(self) -> None:
        deferred = Deferred.fromCoroutine(self.api.remove_mapping("ECHO"))
        self.run_for(1)
        self.successResultOf(deferred)
        names = {name for name, labels in self.read() if self.node("ECHO") in labels}
        self.assertEqual(
            names,
            {
                "zbtwist_node_info",
                "zbtwist_node_health",
                "zbtwist_node_last_seen_timestamp_seconds",
            },
        )

    def test_every_family_has_help(self) -> None:
        for family in text_string_to_metric_families(self.text()):
            self.assertTrue(family.documentation.endswith("."), family.name)
            self.assertRegex(family.name, "^(zbtwist|process)_[a-z_]+$")

    def test_promtool(self) -> None:
        promtool = shutil.which("promtool")
        if promtool is None:
            raise SkipTest("promtool is not installed")
        result = subprocess.run(
            [promtool, "check", "metrics"], input=self.text(), text=True, capture_output=True
        )
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


class Page(SiteTestCase):
    """How it is served."""

    def setUp(self) -> None:
        super().setUp()
        self.fails = False
        self.reads = 0
        self.order: list[str] = []
        self.page = MetricsPage(self.clock, self)
        self.site.resource.putChild(b"metrics", self.page)

    def collect(self) -> Any:
        """A collector's."""
        self.reads += 1
        self.order.append("x")
        if self.fails:
            raise RuntimeError("it fails")
        yield GaugeMetricFamily("zbtwist_x", "X.", 1)
        self.order.append("y")
        yield GaugeMetricFamily("zbtwist_y", "Y.", 2)
        self.order.append("z")
        yield GaugeMetricFamily("zbtwist_z", "Z.", 3)

    def ask(self, method: str = "GET", below: str = "") -> Any:
        transport = self.connect()
        transport.protocol.dataReceived(
            f"{method} /metrics{below} HTTP/1.1\r\nHost: gateway:27000\r\n\r\n".encode()
        )
        return transport

    def test_get_and_head(self) -> None:
        first, second, head = self.ask(), self.ask(), self.ask("HEAD")
        self.assertEqual(first.value(), b"")
        self.clock.pump([0.0] * 50)
        status, headers, body = parse_response(first.value())
        self.assertEqual((status, headers["content-type"]), (200, metrics.CONTENT_TYPE.decode()))
        self.assertIn(b"\nzbtwist_y 2.0\n", body)
        self.assertEqual(int(headers["content-length"]), len(body))
        self.assertEqual(parse_response(second.value())[2], body)
        _, headers, nothing = parse_response(head.value())
        self.assertEqual((int(headers["content-length"]), nothing), (len(body), b""))
        # Who asks at the same time shares the answer.
        self.assertEqual(self.reads, 1)

    def test_the_reactor_runs_in_between(self) -> None:
        self.ask()
        for _ in range(2):
            self.clock.callLater(0, self.order.append, "another")
            self.clock.advance(0)
        self.assertEqual(self.order, ["x", "y", "another", "z", "another"])

    def test_a_client_that_goes(self) -> None:
        transport = self.ask()
        transport.loseConnection()
        self.clock.pump([0.0] * 50)
        self.assertEqual(transport.value(), b"")

    def test_other_methods(self) -> None:
        self.assertEqual(parse_response(self.ask("PUT").value())[0], 405)

    def test_addresses_below_are_not_there(self) -> None:
        for below in ("/", "/x"):
            self.assertEqual(parse_response(self.ask(below=below).value())[0], 404)

    def test_a_mistake_of_ours(self) -> None:
        self.fails = True
        log = record_log(self)
        status, _, body = parse_response(self.ask().value())
        self.assertEqual(status, 500)
        self.assertIn(b"look into its log", body)
        self.assertEqual(len(log.events), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class Dashboard(MetricsTestCase):
    """The dashboard in the examples asks for what there is."""

    def setUp(self) -> None:
        super().setUp()
        names = {"METER": "gem", "ECHO": "ecm1220"}
        self.decoding = DecodingService(
            self.clock, self.gateway.bus, lambda node: names.get(node.label or "", "")
        )
        self.decoding.follow(Settings(serial="sim:", port_settings=PortSettings(decoder="gem")))
        for node in self.gateway.network.nodes:
            model = GEMModel if node.label == "METER" else ECM1220Model
            for time in (0, 10):
                packet = model(random.Random(1)).packet(time)
                self.gateway.bus.publish(BytesPassed(node, FROM_NODE, packet, 1e9))
        self.page = MetricsPage(self.clock, self.collector, ValueCollector(self.decoding))

    def test_values(self) -> None:
        """What is asked for of values is what meters tell."""
        told = [
            {"name": reading.value.name, "unit": reading.value.unit}
            for node in self.decoding
            for reading in self.decoding.readings_of(node)
        ]
        shown: dict[str, set[str]] = {}
        for panel in json.loads(DASHBOARD.read_text())["panels"]:
            for target in panel.get("targets", []):
                found = re.search(r"zbtwist_node_value{([^}]*)}", target["expr"])
                if found is None:
                    continue
                conditions = re.findall(r'(\w+)(=|!~)"([^"]*)"', found[1])
                shown[panel["title"]] = {
                    each["name"]
                    for each in told
                    if all(
                        each[label] == text if sign == "=" else not re.fullmatch(text, each[label])
                        for label, sign, text in conditions
                    )
                }
        self.assertEqual(len(shown), 4)
        self.assertEqual(shown["Power"], {f"ch{number}_power" for number in range(1, 7)})
        self.assertIn("ch1_energy", shown["Energy in the time that is shown"])
        self.assertEqual(shown["Voltage"], {"voltage"})
        self.assertEqual(shown["Temperature"], {"temperature1"})

    def test_every_name(self) -> None:
        dashboard = json.loads(DASHBOARD.read_text())
        asked = set()
        labels = set()
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                asked |= set(re.findall(r"\b(?:zbtwist|process)_\w+", expression))
                labels |= set(re.findall(r"(?:by|on|group_left) ?\(([a-z, ]+)\)", expression))
        there = {name for name, _ in self.read()}
        self.assertEqual(asked - there, set())
        self.assertGreater(len(asked), 15)
        known = {"instance"}.union(
            # Made from another one.
            re.findall(r'label_replace\(.*?, "(\w+)"', DASHBOARD.read_text().replace('\\"', '"')),
            *(re.findall(r"(\w+)=", pairs) for name, pairs in self.read() if name in asked),
        )
        self.assertEqual({word for row in labels for word in row.split(", ")} - known, set())

    def test_nodes_that_were_never_heard(self) -> None:
        """They are not silent since 1970, here and in the documentation."""
        for path in (DASHBOARD, DASHBOARD.parents[1] / "metrics.rst"):
            ages = re.findall(r"time\(\) - .*", path.read_text())
            self.assertGreater(len(ages), 0)
            for age in ages:
                self.assertRegex(age, r"^time\(\) - \(zbtwist_node_last_seen[^ ]* > 0\)")

    def test_it_can_be_imported(self) -> None:
        """What Grafana needs: a data source that is asked for, and no two panels of one id."""
        dashboard = json.loads(DASHBOARD.read_text())
        self.assertEqual([row["pluginId"] for row in dashboard["__inputs"]], ["prometheus"])
        panels = dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        for panel in panels:
            if panel["type"] != "row":
                self.assertEqual(panel["datasource"]["uid"], "${DS_PROMETHEUS}")
                self.assertTrue(panel["targets"])
            self.assertLessEqual(panel["gridPos"]["x"] + panel["gridPos"]["w"], 24)
