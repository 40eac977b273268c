"""The MQTT broker, for Prometheus; nothing if there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from zbtwist.mqtt.service import BrokerService


class BrokerCollector(Collector):
    """Reads what has passed, whenever it is asked for."""

    def __init__(self, broker: Callable[[], BrokerService | None]) -> None:
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        broker = self._broker()
        if broker is None:
            return
        yield GaugeMetricFamily(
            "zbtwist_mqtt_connected",
            "1 while the MQTT broker is connected, else 0.",
            broker.is_connected,
        )
        yield GaugeMetricFamily(
            "zbtwist_mqtt_waiting", "Messages that wait to be sent.", broker.waiting
        )
        counters = broker.counters
        for name, what, count in (
            ("published", "Messages that were handed to the broker.", counters.published),
            (
                "dropped",
                "Messages that were not: there was no connection, or too much waited.",
                counters.dropped,
            ),
            ("refused", "Messages that the broker did not take.", counters.refused),
            ("received", "Messages that came from the broker.", counters.received),
        ):
            yield CounterMetricFamily(f"zbtwist_mqtt_{name}", what, count)
