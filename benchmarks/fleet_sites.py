"""The sites of the benchmark of a fleet: ``PORT SITES NODES RATE FILE``.

Each packet begins with the moment at which it is published, by the monotonic clock, which is the
same for all programs of a computer. The number of packets so far is written into the file; a line
``burst COUNT`` has every node say so many at once.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from twisted.internet import reactor, stdio
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineOnlyReceiver

from benchmarks.fleet import PACKET, STAMP
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.simulator.fleet import LightNode, SimulatedFleet

#: Packets that are published in one turn, of a burst.
AT_ONCE = 200

_FILLING = bytes(PACKET - STAMP.size)


def words(node: LightNode) -> bytes:
    return STAMP.pack(time.monotonic_ns()) + _FILLING


class Orders(LineOnlyReceiver):
    delimiter = b"\n"

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet

    def lineReceived(self, line: bytes) -> None:
        self._left = int(line.split()[1]) * len(self._fleet._nodes)
        self._at = 0
        self._say_some()

    def _say_some(self) -> None:
        nodes = self._fleet._nodes
        count = min(AT_ONCE, self._left)
        # A connection that takes no more is given time.
        if not any(site._broker.is_full for site in self._fleet.sites):
            for _ in range(count):
                site, node = nodes[self._at % len(nodes)]
                site.say(node, words(node))
                self._at += 1
            self._left -= count
        if self._left:
            reactor.callLater(0, self._say_some)


def main() -> None:
    port, sites, nodes, rate = map(int, sys.argv[1:5])
    count = Path(sys.argv[5])
    interval = sites * nodes / rate if rate else 0.0
    settings = MQTTSettings(broker=f"tcp:127.0.0.1:{port}")
    fleet = SimulatedFleet(reactor, settings, sites, nodes, interval, words=words)

    def write() -> None:
        count.write_text(str(sum(node.count for _, node in fleet._nodes)))

    def look() -> None:
        if all(site._broker.is_connected for site in fleet.sites):
            print("all are connected", flush=True)
        else:
            reactor.callLater(0.1, look)

    count.write_text("0")
    LoopingCall(write).start(0.1)
    stdio.StandardIO(Orders(fleet))
    fleet.startService()
    look()
    reactor.run()


if __name__ == "__main__":
    main()
