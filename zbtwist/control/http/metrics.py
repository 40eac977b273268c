"""``/metrics``: the gateway's counters, for Prometheus.

The counters are plain numbers where things happen; they are read when somebody asks, so that a
frame costs nothing for being counted here. A large network has thousands of values: they are put
into words one family after the other, and the reactor runs in between; who asks meanwhile gets the
same answer.

What is told of each node is told of `MAX_NODES` nodes, those that were known first. The others
are one together, ``node="others"``, so that no network makes more series than that.

The format is the text format 0.0.4 of Prometheus ("Exposition formats").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

import zbtwist
from zbtwist.binding.port import NodePort
from zbtwist.binding.service import BindingService
from zbtwist.control.http.answers import not_found, refuse_method, text_answer
from zbtwist.health.service import HealthService
from zbtwist.network.node import Node
from zbtwist.network.service import NetworkService
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.histogram import Histogram
from zbtwist.radio.statistics import TYPES_IN, TYPES_OUT, Traffic
from zbtwist.runtime.single_flight import SingleFlight
from zbtwist.xbee.address import format_address64
from zbtwist.xbee.devices import ROLES

#: How many nodes have series of their own.
MAX_NODES = 1000

#: The node of all others together, and the type of frames that have none of a radio's types.
OTHERS = "others"
OTHER_TYPE = "other"

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

log = Logger()

#: What is told of each node with a port: the name and help of a counter, and where it is.
_NODE_COUNTERS: tuple[tuple[str, str, Callable[[NodePort], float]], ...] = (
    ("bytes_in", "Bytes from the node.", lambda port: port.bytes_received),
    ("packets_in", "Packets from the node.", lambda port: port.packets_received),
    (
        "unread_bytes",
        "Bytes from the node that came while no client was connected.",
        lambda port: port.bytes_unread,
    ),
    ("bytes_out", "Bytes delivered to the node.", lambda port: port.outbound.bytes_sent),
    ("packets_out", "Packets delivered to the node.", lambda port: port.outbound.packets_sent),
    ("retries", "Packets that were sent again.", lambda port: port.outbound.retries),
    ("failures", "Packets that were not delivered.", lambda port: port.outbound.failures),
    (
        "lost_bytes",
        "Bytes for the node that were not delivered.",
        lambda port: port.outbound.bytes_lost,
    ),
)

_NODE_GAUGES: tuple[tuple[str, str, Callable[[NodePort], float]], ...] = (
    ("clients", "TCP clients that are connected to the node's port.", lambda port: port.clients),
    (
        "waiting_bytes",
        "Bytes for the node that wait to be sent.",
        lambda port: port.outbound.buffered,
    ),
)


class CountedRadio(Protocol):
    """What is told of `zbtwist.radio.service.RadioService`, or of what stands in its place."""

    @property
    def coordinator(self) -> Coordinator: ...
    @property
    def traffic(self) -> Traffic: ...
    @property
    def protocol(self) -> Any: ...


class GatewayCollector(Collector):
    """Reads all counters, whenever they are asked for."""

    def __init__(
        self,
        radio: CountedRadio,
        network: NetworkService,
        bindings: BindingService,
        health: HealthService,
        transmit_seconds: Histogram | None = None,
        queues: Mapping[str, Callable[[], int]] | None = None,
        events: Mapping[str, int] | None = None,
    ) -> None:
        """
        @param transmit_seconds: how long packets took, from the request to its status.
        @param queues: returns the length of each queue, by the queue's name.
        @param events: how often each kind of event has happened.
        """
        self._radio = radio
        self._network = network
        self._bindings = bindings
        self._health = health
        self._transmit_seconds = transmit_seconds
        self._queues = queues or {}
        self._events = {} if events is None else events

    def collect(self) -> Iterator[Metric]:
        yield from self._gateway()
        yield from self._link()
        yield from self._frames()
        yield from self._nodes()

    def _gateway(self) -> Iterator[Metric]:
        nodes = list(self._network.nodes)
        bindings = self._bindings
        yield InfoMetricFamily("zbtwist_build", "The gateway.", {"version": zbtwist.__version__})
        yield GaugeMetricFamily("zbtwist_nodes", "Nodes that are known.", len(nodes))
        admission = self._network.admission
        yield GaugeMetricFamily(
            "zbtwist_waiting", "Who has answered and is not let in.", admission.waiting
        )
        yield GaugeMetricFamily(
            "zbtwist_strangers",
            "Who was heard and has not answered.",
            len(admission.candidates) - admission.waiting,
        )
        yield CounterMetricFamily(
            "zbtwist_strangers_dropped",
            "Who was heard, has not answered, and made room for others.",
            admission.candidates.dropped,
        )
        yield GaugeMetricFamily(
            "zbtwist_clients", "TCP clients of all nodes together.", bindings.clients
        )
        yield GaugeMetricFamily(
            "zbtwist_problems",
            "Nodes whose ports are not as they should be.",
            sum(bool(bindings.problem_of(node)) for node in nodes),
        )
        health = GaugeMetricFamily(
            "zbtwist_nodes_by_health", "Nodes, by how they are.", labels=["health"]
        )
        for state, count in self._health.counts().items():
            health.add_metric([state.value], count)
        yield health
        queues = GaugeMetricFamily(
            "zbtwist_queue_length", "What waits, by where it does.", labels=["queue"]
        )
        for name, length in self._queues.items():
            queues.add_metric([name], length())
        yield queues
        events = CounterMetricFamily(
            "zbtwist_events", "What has happened, by the name of the event.", labels=["event"]
        )
        for name, count in sorted(self._events.items()):
            events.add_metric([name], count)
        yield events
        if self._transmit_seconds is not None:
            yield _histogram(
                "zbtwist_transmit_seconds",
                "Seconds from handing a packet to the radio to its Transmit Status.",
                self._transmit_seconds,
            )

    def _link(self) -> Iterator[Metric]:
        coordinator = self._radio.coordinator
        facts = coordinator.facts
        traffic = self._radio.traffic
        protocol = self._radio.protocol
        decoder = protocol.decoder if protocol is not None else None
        yield GaugeMetricFamily(
            "zbtwist_radio_up", "1 while the radio answers, else 0.", facts is not None
        )
        if facts is not None:
            yield InfoMetricFamily(
                "zbtwist_radio",
                "The radio, while it answers.",
                {
                    "address": format_address64(facts.address64),
                    "firmware": f"{facts.firmware_version:04x}",
                    "hardware": f"{facts.hardware_version:04x}",
                    "pan": f"{facts.operating_pan_id:016x}",
                },
            )
        for name, what, value in (
            (
                "radio_bad_frames",
                "Supposed frames with an impossible length or a wrong checksum.",
                traffic.bad_frames + (decoder.bad_frames if decoder else 0),
            ),
            (
                "radio_discarded_bytes",
                "Bytes from the radio that were of no frame.",
                traffic.discarded_bytes + (decoder.discarded_bytes if decoder else 0),
            ),
            (
                "radio_malformed_frames",
                "Frames of an unknown type, or whose fields do not fit.",
                traffic.malformed_frames + (protocol.malformed_frames if protocol else 0),
            ),
            (
                "radio_late_answers",
                "Answers of the radio that no request waited for.",
                coordinator.late_answers,
            ),
            (
                "unattributed_frames",
                "Frames of a node that could not be told.",
                self._network.unattributed_frames,
            ),
        ):
            yield CounterMetricFamily(f"zbtwist_{name}", what, value)

    def _frames(self) -> Iterator[Metric]:
        traffic = self._radio.traffic
        for name, what, counts_in, counts_out in (
            ("frames", "Frames", traffic.frames_in, traffic.frames_out),
            ("frame_bytes", "Bytes of frame data", traffic.bytes_in, traffic.bytes_out),
        ):
            family = CounterMetricFamily(
                f"zbtwist_radio_{name}",
                f"{what} from the radio (in) and to it (out), by frame type.",
                labels=["direction", "type"],
            )
            for direction, types, counts in (
                ("in", TYPES_IN, counts_in),
                ("out", TYPES_OUT, counts_out),
            ):
                for number, kind in types.items():
                    family.add_metric([direction, kind], counts[number])
                others = sum(counts) - sum(counts[number] for number in types)
                family.add_metric([direction, OTHER_TYPE], others)
            yield family

    def _nodes(self) -> Iterator[Metric]:
        nodes = list(self._network.nodes)
        shown = nodes[:MAX_NODES]
        others = nodes[MAX_NODES:]
        yield self._names(shown)
        seen = GaugeMetricFamily(
            "zbtwist_node_last_seen_timestamp_seconds",
            "When the node was last heard, in seconds since 1970; 0 for never.",
            labels=["node"],
        )
        for node in shown:
            seen.add_metric([format_address64(node.address64)], self._network.nodes.last_seen(node))
        yield seen
        health = GaugeMetricFamily(
            "zbtwist_node_health", "1, and how the node is.", labels=["node", "health"]
        )
        for node in shown:
            condition = self._health.condition_of(node)
            health.add_metric([format_address64(node.address64), condition.health.value], 1)
        yield health
        ports = [
            (format_address64(node.address64), port)
            for node in shown
            if (port := self._bindings.port_of(node)) is not None
        ]
        more = [port for node in others if (port := self._bindings.port_of(node)) is not None]
        for make, rows in (
            (CounterMetricFamily, _NODE_COUNTERS),
            (GaugeMetricFamily, _NODE_GAUGES),
        ):
            for name, what, value_of in rows:
                family: Any = make(f"zbtwist_node_{name}", what, labels=["node"])
                for address, port in ports:
                    family.add_metric([address], value_of(port))
                if others:
                    family.add_metric([OTHERS], sum(map(value_of, more)))
                yield family

    def _names(self, nodes: list[Node]) -> Metric:
        """The nodes' names, apart from their counters: a new name must not begin them anew."""
        family = InfoMetricFamily("zbtwist_node", "Name, type and port of a node.", labels=["node"])
        for node in nodes:
            port = self._bindings.port_of(node)
            family.add_metric(
                [format_address64(node.address64)],
                {
                    "name": node.name or node.label or "",
                    "type": ROLES.get(node.role, "") if node.role is not None else "",
                    "port": str(port.number if port else 0),
                },
            )
        return family


def _histogram(name: str, what: str, histogram: Histogram) -> Metric:
    buckets = [
        ("+Inf" if bound == float("inf") else repr(bound), count)
        for bound, count in histogram.cumulative()
    ]
    return HistogramMetricFamily(name, what, buckets, histogram.total)


class _One(CollectorRegistry):
    """A registry of one family that is there already."""

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)


class MetricsPage(Resource):
    """Answers GET and HEAD."""

    def __init__(self, clock: IReactorTime, *collectors: Collector) -> None:
        """
        @param clock: lets the reactor run between two families.
        @param collectors: what is told beside what is known of the process.
        """
        super().__init__()
        self._clock = clock
        # Not the library's global registry: there may be two gateways in a process.
        self._collectors = (*collectors, ProcessCollector(registry=None))
        self._text = SingleFlight(self._write)

    def getChild(self, path: bytes, request: Request) -> IResource:
        return not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        answer = Deferred.fromCoroutine(self._text())
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        answer.addCallbacks(self._answer, self._failed, (request, gone), {}, (request, gone))
        return NOT_DONE_YET

    def _answer(self, text: bytes, request: Request, gone: list[Failure]) -> None:
        if gone:
            return
        request.setHeader(b"content-type", CONTENT_TYPE)
        request.setHeader(b"content-length", b"%d" % len(text))
        if request.method != b"HEAD":
            request.write(text)
        request.finish()

    def _failed(self, failure: Failure, request: Request, gone: list[Failure]) -> None:
        log.failure("The metrics could not be read", failure=failure)
        if gone:
            return
        sentence = "The gateway failed; look into its log for the reason."
        request.write(text_answer(request, http.INTERNAL_SERVER_ERROR, sentence))
        request.finish()

    async def _write(self) -> bytes:
        pieces = []
        for collector in self._collectors:
            for metric in collector.collect():
                pieces.append(generate_latest(_One(metric)))
                await deferLater(self._clock, 0)
        return b"".join(pieces)
