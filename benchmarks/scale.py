"""Many nodes, many clients.

The real gateway with up to 10,000 nodes, which it knows from its store.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
import urllib.request
import xmlrpc.client
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

from benchmarks.measure import Spread, ratio
from benchmarks.programs import Gateway
from benchmarks.radio_end import PAYLOAD, SEARCH_SECONDS, packet
from benchmarks.report import Options, Table

API_MODE = 2

#: Clients that are connected at once.
CLIENTS = 1000

#: Nodes among which traffic is spread, at the least.
FEW = 10

#: Seconds between two frames, whose cost is measured: as on a line of 230,400 baud that is full.
PAUSE = 0.004

EXPLANATION = """\
Each row is a gateway of its own, started by twistd with a store that has so many nodes with ports.

memory
  resident, once all ports listen; and what a node adds to that of the gateway with the fewest.
listening
  seconds from the start of the process until the last port takes a connection.
discover
  seconds for ``discover()`` beyond the search itself (NT), which no node answers.
list
  seconds for ``list()``, until the last byte is there; what a client does with it is its own.
"""

FRAMES = f"""\
Frames of {PAYLOAD} bytes, one every {PAUSE * 1000:g} ms, which come from all nodes in turn or from
{FEW} of them: processor time of the gateway for each frame, with nobody connected. Every node has
said something before. Both are measured on the same gateway, in turn; "ratio" says how many times
as much a frame costs if they are spread.
"""

AT_ONCE = """\
So many clients connect, one to each node; each of their nodes sends a packet, and each client sends
one. Seconds until all are connected, until every client has its packet, and until every packet was
handed to the radio, which answers each at once; the gateway's memory for each client.
"""


def versions(options: Options) -> Iterable[tuple[str, str]]:
    return ()


def tables(options: Options) -> Iterator[Table]:
    """Measure, and give each table when it is ready; the goals last."""
    with tempfile.TemporaryDirectory() as directory:
        yield from Scale(Path(directory), options.quick).tables()


class Scale:
    def __init__(self, directory: Path, quick: bool) -> None:
        self._directory = directory
        self._sizes = (10, 30) if quick else (10, 100, 1000, 10_000)
        self._starts = 1 if quick else 3
        self._clients = 20 if quick else CLIENTS
        self._rounds = 2 if quick else 15
        self._frames = 20 if quick else 250

    def tables(self) -> Iterator[Table]:
        rows, frames, at_once = [], [], []
        with ExitStack() as stack:
            for size in self._sizes:
                gateway = self._measure(size, rows, stack)
                frames.append(self._cost_of_frames(gateway))
                clients = min(size, self._clients)
                at_once.append([f"{size:,}", f"{clients:,}", *self._at_once(gateway, clients)])
                gateway.close()
        header = ["nodes", "memory, MB", "a node, KB", "listening, s", "discover, s", "list, s"]
        yield Table("Nodes", EXPLANATION, header, rows)
        header = ["nodes", "ratio", f"µs, {FEW} nodes", "µs, all nodes"]
        yield Table("Traffic of all nodes", FRAMES, header, frames)
        header = ["nodes", "clients", "connected, s", "received, s", "sent, s", "KB a client"]
        yield Table("Clients at once", AT_ONCE, header, at_once)
        last = rows[-1]
        goals = [
            [f"memory of a node, KB, {last[0]} nodes", "≤ 5", last[2]],
            [f"listening, s, {last[0]} nodes", "≤ 1.5", last[3]],
            [f"list(), s, {last[0]} nodes", "≤ 0.5", last[5]],
            [f"cost of a frame, of that with {FEW}, {last[0]} nodes", "≤ 1.1", frames[-1][1]],
        ]
        yield Table("What was aimed at", "From the tables above.", ["what", "goal", "is"], goals)

    def _measure(self, size: int, rows: list[list[str]], stack: ExitStack) -> Gateway:
        """Start it as often as it takes, and leave the last one running."""
        listening, memory = [], []
        for start in range(self._starts):
            gateway = Gateway(self._directory, API_MODE, size)
            stack.callback(gateway.close)
            gateway.connect(gateway.port + size - 1).close()
            listening.append(time.monotonic() - gateway.started_at)
            gateway.wait_until_up(stop_answering=False)
            memory.append(float(gateway.resident_bytes()))
            if start < self._starts - 1:
                gateway.close()
        # The gateway's own search, which it begins with, would be shared.
        time.sleep(2 * SEARCH_SECONDS)
        begun = time.monotonic()
        _call(gateway, "discover")
        discover = time.monotonic() - begun - SEARCH_SECONDS
        times = []
        for _ in range(max(2, self._starts)):
            begun = time.monotonic()
            _call(gateway, "list")
            times.append(time.monotonic() - begun)
        if not rows:
            self._base = Spread.of(_pair(memory)).median
        resident = Spread.of(_pair(memory)).median
        added = (resident - self._base) / 1000 / (size - FEW) if size > FEW else 0
        rows.append(
            [
                *(f"{size:,}", f"{resident / 1e6:.1f}", f"{added:.2f}" if added else "–"),
                *(str(Spread.of(_pair(listening))), f"{discover:.2f}", str(Spread.of(times))),
            ]
        )
        return gateway

    def _cost_of_frames(self, gateway: Gateway) -> list[str]:
        gateway.line.stop_answering()
        payload = Random(1).randbytes(PAYLOAD)
        frames = [packet(node, payload, API_MODE) for node in range(gateway.nodes)]
        # Everybody has been heard before.
        for frame in 2 * frames:
            os.write(gateway.line.master, frame)
        gateway.wait_until_idle()
        few: list[float] = []
        spread: list[float] = []
        step = max(1, gateway.nodes // self._frames)
        for turn in range(self._rounds + 1):
            for costs, among in ((few, frames[:FEW]), (spread, frames[turn % step :: step])):
                spent = gateway.processor_seconds()
                for number in range(self._frames):
                    time.sleep(PAUSE)
                    os.write(gateway.line.master, among[number % len(among)])
                time.sleep(PAUSE)
                if turn:
                    # In the first turn everything is new.
                    costs.append((gateway.processor_seconds() - spent) / self._frames)
        return [
            f"{gateway.nodes:,}",
            str(ratio(spread, few)),
            *(f"{Spread.of(costs).median * 1e6:.0f}" for costs in (few, spread)),
        ]

    def _at_once(self, gateway: Gateway, count: int) -> list[str]:
        payload = Random(2).randbytes(PAYLOAD)
        memory = gateway.resident_bytes()
        begun = time.monotonic()
        clients: list[socket.socket] = []
        try:
            for number in range(count):
                client = gateway.connect(gateway.port + number)
                client.settimeout(60)
                clients.append(client)
            # The kernel accepts for the gateway, which may need longer.
            gateway.wait_for_clients(count)
            connected = time.monotonic() - begun
            begun = time.monotonic()
            for number in range(count):
                os.write(gateway.line.master, packet(number, payload, API_MODE))
            for client in clients:
                missing = PAYLOAD
                while missing:
                    missing -= len(client.recv(missing))
            received = time.monotonic() - begun
            gateway.line.begin_to_answer()
            before = gateway.line.packets
            begun = time.monotonic()
            for client in clients:
                client.sendall(payload)
            while gateway.line.packets - before < count:
                time.sleep(0.001)
                gateway.check()
            sent = time.monotonic() - begun
            added = (gateway.resident_bytes() - memory) / count / 1000
        finally:
            for client in clients:
                client.close()
        return [f"{connected:.2f}", f"{received:.2f}", f"{sent:.2f}", f"{max(added, 0):.1f}"]


def _pair(values: list[float]) -> list[float]:
    """Quartiles are of two values at least."""
    return values if len(values) > 1 else values * 2


def _call(gateway: Gateway, method: str) -> int:
    """Call a method of the control API, and return how many bytes its answer has."""
    body = xmlrpc.client.dumps((), method).encode()
    url = f"http://{gateway.host}:{gateway.control}/RPC2"
    request = urllib.request.Request(url, body, {"Content-Type": "text/xml"})
    with urllib.request.urlopen(request) as answer:
        return len(answer.read())
