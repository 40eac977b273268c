"""How many bytes went each way over the last hour, for each node and for all together.

Nothing is counted where the bytes go through: the ports' own counters are read every `INTERVAL`,
and what they have grown by is kept in rings. A node has rings only while it had traffic within the
hour, one for losses only if it lost something, and the number of nodes that have them is bounded;
what is beyond it is in the sum all the same.

Pages show the last `RECENT` of it for every node. They are told of each interval what has passed in
it, and of no node for which that is nothing.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from zbtwist.binding.port import NodePort
from zbtwist.binding.service import BindingService
from zbtwist.network.table import NodeTable
from zbtwist.xbee.address import Address64, format_address64

#: Seconds from one reading to the next, and how many are kept: an hour.
INTERVAL = 10
KEPT = 360

#: How many intervals pages show of all nodes: ten minutes.
RECENT = 60

#: How many nodes have rings at most; each has two or three of `KEPT` numbers of 4 bytes.
MAX_RECORDED = 4096

#: What a ring's number can hold.
_MOST = 0xFFFF_FFFF


def _ring() -> array[int]:
    return array("I", bytes(4 * KEPT))


@dataclass(slots=True)
class _Record:
    """
    @ivar last_active: the number of the last interval with any traffic.
    @ivar lost: None if nothing was lost within the hour.
    """

    last_active: int
    received: array[int] = field(default_factory=_ring)
    sent: array[int] = field(default_factory=_ring)
    lost: array[int] | None = None
    last_lost: int = 0

    def note(self, interval: int, received: int, sent: int, lost: int) -> None:
        at = interval % KEPT
        self.received[at] = min(received, _MOST)
        self.sent[at] = min(sent, _MOST)
        if lost:
            if self.lost is None:
                self.lost = _ring()
            self.lost[at] = min(lost, _MOST)
            self.last_lost = interval
        elif self.lost is not None:
            self.lost[at] = 0
            if self.last_lost <= interval - KEPT:
                self.lost = None
        if received or sent or lost:
            self.last_active = interval


@dataclass(slots=True)
class _Counters:
    """What a port's counters said last. A port that was given up and made again starts anew."""

    port: NodePort
    received: int = 0
    sent: int = 0
    lost: int = 0


class TrafficHistory(Service):
    """Keeps the history while it runs."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        nodes: NodeTable,
        bindings: BindingService,
        maximum: int = MAX_RECORDED,
    ) -> None:
        """
        @param maximum: how many nodes' histories are kept.
        """
        self._nodes = nodes
        self._bindings = bindings
        self._maximum = maximum
        self._intervals = 0
        self._end = nodes.wall()
        self._sum = _Record(-KEPT)
        self._records: dict[Address64, _Record] = {}
        self._counters: dict[Address64, _Counters] = {}
        self._loop = LoopingCall(self._read)
        self._loop.clock = clock

    def startService(self) -> None:
        super().startService()
        self._loop.start(INTERVAL, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    @property
    def recorded(self) -> int:
        """How many nodes have a history."""
        return len(self._records)

    def _read(self) -> None:
        now = self._intervals
        self._intervals += 1
        self._end = self._nodes.wall()
        all_received = all_sent = all_lost = 0
        counters = {}
        for node in self._nodes:
            port = self._bindings.port_of(node)
            if port is None:
                continue
            before = self._counters.get(node.address64)
            if before is None or before.port is not port:
                before = _Counters(port)
            counters[node.address64] = before
            received = port.bytes_received - before.received
            sent = port.outbound.bytes_sent - before.sent
            lost = port.outbound.bytes_lost - before.lost
            if received or sent or lost:
                before.received += received
                before.sent += sent
                before.lost += lost
                all_received += received
                all_sent += sent
                all_lost += lost
                self._record(node.address64, now).note(now, received, sent, lost)
        self._counters = counters
        self._sum.note(now, all_received, all_sent, all_lost)
        for address64, record in list(self._records.items()):
            if record.last_active <= now - KEPT:
                del self._records[address64]
            elif record.last_active < now:
                record.note(now, 0, 0, 0)

    def _record(self, address64: Address64, now: int) -> _Record:
        record = self._records.get(address64)
        if record is None:
            record = _Record(now)
            if len(self._records) < self._maximum:
                self._records[address64] = record
        return record

    def of(self, address64: Address64 | None) -> dict[str, Any]:
        """Return the history of a node, or of all together.

        @param address64: which node; None for all.
        @return: interval (seconds), end (seconds since 1970, of the last interval), received, sent
            and lost: bytes in each interval, oldest first, at most `KEPT`.
        """
        record = self._sum if address64 is None else self._records.get(address64)
        received, sent, lost = self._values(record, min(self._intervals, KEPT))
        return {
            "interval": INTERVAL,
            "end": self._end,
            "received": received,
            "sent": sent,
            "lost": lost,
        }

    def since(self, interval: int) -> dict[str, Any]:
        """Return what has passed lately, for pages.

        @param interval: how many intervals were told before; 0 for none.
        @return: empty if there is nothing to tell, else interval (seconds), number (of intervals
            so far), count (of those that are told: the last ones that were not, at most `RECENT`),
            and what was received, sent and lost in each of them, as `packed` writes it, of all
            together (``all``) and of the nodes for which it is not nothing (``nodes``, by address).
            In intervals that are left out nothing has passed.
        """
        count = min(self._intervals - interval, RECENT)
        # What is to be seen of the last hour moves on also when nothing passes any more.
        if count <= 0 or self._sum.last_active < self._intervals - count - RECENT:
            return {}
        first = self._intervals - count
        return {
            "interval": INTERVAL,
            "number": self._intervals,
            "count": count,
            "all": self._told(self._sum, count),
            "nodes": {
                format_address64(address64): self._told(record, count)
                for address64, record in self._records.items()
                if record.last_active >= first
            },
        }

    def _told(self, record: _Record, count: int) -> list[str]:
        return [
            "" if ring is None else packed(self._last(ring, count))
            for ring in (record.received, record.sent, record.lost)
        ]

    def _values(self, record: _Record | None, count: int) -> list[list[int]]:
        """Return the last values of a record: received, sent, lost; zeros where it has none."""
        rings = (None,) * 3 if record is None else (record.received, record.sent, record.lost)
        return [[0] * count if one is None else self._last(one, count).tolist() for one in rings]

    def _last(self, ring: array[int], count: int) -> array[int]:
        end = self._intervals % KEPT
        start = end - count
        return ring[start:end] if start >= 0 else ring[start:] + ring[:end]


def packed(values: array[int]) -> str:
    """Write numbers for a page: base64 of little-endian numbers of 16 bits, or of 32 if one needs
    them; empty if all are 0. Lists in JSON take several times as long, and more room.
    """
    most = max(values)
    if not most:
        return ""
    if most <= 0xFFFF:
        values = array("H", values)
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return b64encode(values).decode("ascii")
