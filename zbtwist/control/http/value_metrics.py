"""Decoded values of nodes, for Prometheus: numbers and truths; texts are no measurements."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from zbtwist.decoding.service import DecodingService
from zbtwist.xbee.address import format_address64

#: Values that are told at the most: each is a time series of its own in whoever asks.
MAX_VALUES = 10_000


class ValueCollector(Collector):
    """Reads them, whenever they are asked for."""

    def __init__(self, decoding: DecodingService) -> None:
        self._decoding = decoding

    def collect(self) -> Iterator[Metric]:
        labels = ["node", "name", "unit"]
        family = GaugeMetricFamily(
            "zbtwist_node_value", "What a node has told last, decoded.", labels=labels
        )
        seen = GaugeMetricFamily(
            "zbtwist_node_value_timestamp_seconds",
            "When that was, in seconds since 1970.",
            labels=labels,
        )
        left = MAX_VALUES
        for node in self._decoding:
            address = format_address64(node.address64)
            for reading in self._decoding.readings_of(node):
                value = reading.value
                if isinstance(value.value, str) or not left:
                    continue
                left -= 1
                family.add_metric([address, value.name, value.unit], value.value)
                seen.add_metric([address, value.name, value.unit], reading.time)
        if left < MAX_VALUES:
            yield family
            yield seen
