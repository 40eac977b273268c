"""How many bytes went each way over the last hour, for each node and for all together.

Nothing is counted where the bytes go through: the ports' own counters are read every `INTERVAL`,
and what they have grown by is kept in rings. A node has a ring only while it had traffic within the
hour, and the number of rings is bounded; what nodes beyond it send is in the sum all the same.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from zbtwist.binding.port import NodePort
from zbtwist.binding.service import BindingService
from zbtwist.network.table import NodeTable
from zbtwist.xbee.address import Address64

#: Seconds from one reading to the next, and how many are kept: an hour.
INTERVAL = 10
KEPT = 360

#: How many nodes have rings at most; each has two of `KEPT` numbers of 4 bytes.
MAX_RECORDED = 4096

#: What a ring's number can hold.
_MOST = 0xFFFF_FFFF


def _ring() -> array[int]:
    return array("I", bytes(4 * KEPT))


@dataclass(slots=True)
class _Record:
    """
    @ivar last_active: the number of the last interval with any traffic.
    """

    last_active: int
    received: array[int] = field(default_factory=_ring)
    sent: array[int] = field(default_factory=_ring)

    def note(self, interval: int, received: int, sent: int) -> None:
        self.received[interval % KEPT] = min(received, _MOST)
        self.sent[interval % KEPT] = min(sent, _MOST)
        if received or sent:
            self.last_active = interval


@dataclass(slots=True)
class _Counters:
    """What a port's counters said last. A port that was given up and made again starts anew."""

    port: NodePort
    received: int = 0
    sent: int = 0


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
        self._sum = _Record(0)
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
        all_received = all_sent = 0
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
            if received or sent:
                before.received += received
                before.sent += sent
                all_received += received
                all_sent += sent
                self._record(node.address64, now).note(now, received, sent)
        self._counters = counters
        self._sum.note(now, all_received, all_sent)
        for address64, record in list(self._records.items()):
            if record.last_active <= now - KEPT:
                del self._records[address64]
            elif record.last_active < now:
                record.note(now, 0, 0)

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
        @return: interval (seconds), end (seconds since 1970, of the last interval), received and
            sent: bytes in each interval, oldest first, at most `KEPT`.
        """
        record = self._sum if address64 is None else self._records.get(address64)
        count = min(self._intervals, KEPT)
        return {
            "interval": INTERVAL,
            "end": self._end,
            "received": self._unrolled(record.received) if record else [0] * count,
            "sent": self._unrolled(record.sent) if record else [0] * count,
        }

    def _unrolled(self, ring: array[int]) -> list[int]:
        if self._intervals < KEPT:
            return ring[: self._intervals].tolist()
        start = self._intervals % KEPT
        return (ring[start:] + ring[:start]).tolist()
