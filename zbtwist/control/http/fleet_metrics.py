"""The sites of a hub, for Prometheus; nothing of a gateway that is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from zbtwist.fleet.service import FleetService


class FleetCollector(Collector):
    """Reads how it is, whenever it is asked for."""

    def __init__(self, fleet: FleetService | None) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        if self._fleet is None:
            return
        radio = self._fleet.coordinator
        sites = GaugeMetricFamily(
            "zbtwist_fleet_sites", "Sites that were ever heard.", labels=["state"]
        )
        away = sum(site.is_away for site in radio.sites.values())
        sites.add_metric(["online"], len(radio.sites) - away)
        sites.add_metric(["away"], away)
        yield sites
        for name, what, count in (
            (
                "doubled_packets",
                "Packets of nodes that came once more, and were dropped.",
                radio.doubles,
            ),
            (
                "late_answers",
                "Answers of sites that nobody waited for.",
                radio.answers.late + radio.packets.late,
            ),
            (
                "ignored_messages",
                "Messages that make no sense, or are of more nodes or sites than there may be.",
                radio.ignored + self._fleet.ignored,
            ),
        ):
            yield CounterMetricFamily(f"zbtwist_fleet_{name}", what, count)
