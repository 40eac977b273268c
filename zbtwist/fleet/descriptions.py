"""What sites say of their nodes: who they are, and at which site one is that nobody has heard yet.

Each site has all of it kept by the broker, and says it anew when it changes. A node may be in the
tables of two sites: see `zbtwist.fleet.places`.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from twisted.internet.interfaces import IReactorTime

from zbtwist.fleet.radio import FleetRadio
from zbtwist.fleet.site import Site
from zbtwist.fleet.site_requests import description_of
from zbtwist.fleet.way import NodeWay
from zbtwist.mqtt.settings import STREAM
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.xbee.address import UNKNOWN16, Address64
from zbtwist.xbee.frames import ATCommandResponse
from zbtwist.xbee.status import ATStatus

#: What a hop count, a signal and a temperature may be.
_MAX_HOPS, _MAX_SIGNAL, _MAX_DEGREES = 30, 255, 1000.0


class Descriptions:
    """Takes it.

    @ivar ignored: descriptions of more nodes than there may be.
    """

    def __init__(self, clock: IReactorTime, radio: FleetRadio, nodes: NodeTable) -> None:
        """
        @param nodes: the table; who is not in it is told to it as one who has answered a search.
        """
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self.ignored = 0
        radio.described = self._described

    def _described(self, site: Site, address64: Address64, said: dict[str, Any] | None) -> None:
        way = self._radio.way(address64)
        if way is None:
            self.ignored += 1
        elif said is not None:
            self._take(site, way, said)
        elif way.site is site:
            self._radio.place(way, None)
            way.seen = 0.0
            way.is_described = False
            self._radio.places.look_soon()
        else:
            way.is_not_at(site)

    def _take(self, site: Site, way: NodeWay, said: dict[str, Any]) -> None:
        last_seen = _number(said.get("last_seen")) or 0.0
        is_said = said.get("mqtt") == STREAM
        if way.site is not site:
            if not self._radio.places.is_at(way, site, last_seen, is_said):
                return
            self._radio.place(way, site)
            # How many packets there were of one that is new there; nobody has missed those after
            # the answer, so the first client is not to be reset for the first of them.
            site.look()
        way.seen = last_seen
        way.is_described = True
        self._radio.has_stream(way, is_said)
        self._note(way.address64, said, last_seen)

    def _note(self, address64: Address64, said: dict[str, Any], last_seen: float) -> None:
        description = description_of(
            address64, said.get("label"), said.get("type"), said.get("device_type"), said
        )
        node = self._nodes.get(address64)
        if node is None:
            # Its site has let it in, as one that was found by a search of ours.
            value = description.to_bytes()
            self._radio.hearers.hear(ATCommandResponse(0, "ND", ATStatus.OK, value))
            node = self._nodes.get(address64)
            if node is None:
                return
            node.heard_at, node.seen_before = float("-inf"), 0.0
        elif node.describe(description):
            self._nodes.changed(node)
        self._note_state(node, said, last_seen)

    def _note_state(self, node: Node, said: dict[str, Any], last_seen: float) -> None:
        if last_seen > self._nodes.last_seen(node):
            # The site's clock may be another one.
            age = max(self._nodes.wall() - last_seen, 0.0)
            node.heard_at = max(node.heard_at, self._clock.seconds() - age)
        signal, hops = _number(said.get("signal")), _number(said.get("hops"))
        if signal is not None and 0 < -signal <= _MAX_SIGNAL:
            node.signal = int(-signal)
        if hops is not None and 1 <= hops <= _MAX_HOPS:
            # Over whom it goes is known there alone.
            node.route = (UNKNOWN16,) * (int(hops) - 1)
        degrees = _number(said.get("temperature"))
        if degrees is not None and abs(degrees) <= _MAX_DEGREES:
            node.temperature = degrees


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and isfinite(value) else None  # type: ignore[arg-type]
