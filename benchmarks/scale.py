"""Many nodes, many clients.

The real gateway with up to 10,000 nodes, which it knows from its store.
"""

from __future__ import annotations

import os
import selectors
import socket
import tempfile
import threading
import time
import urllib.request
import xmlrpc.client
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.measure import Spread, ratio
from benchmarks.programs import Gateway, ProgramError, received
from benchmarks.radio_end import PAYLOAD, SEARCH_SECONDS, packet
from benchmarks.report import GOALS, Options, Table, goal

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
  resident, once all ports listen; and what a node adds to that of the gateway with the fewest, then
  and after ``discover()``, ``list()`` and two frames of each node.
listening
  seconds from the start of the process until the last port takes a connection.
discover
  seconds for ``discover()`` beyond the search itself (NT), which no node answers.
list
  seconds for ``list()``, until the last byte is there; what a client does with it is its own.
"""

FRAMES = f"""\
Frames of {PAYLOAD} bytes, one every {PAUSE * 1000:g} ms, each of another node or all of {FEW}:
processor time of the gateway for each frame, with nobody connected. Every node has said something
before. Both are measured on the same gateway, in turn; "ratio" says how many times as much a frame
costs if they are spread. Nearly all of it is what it costs to wake up; so the same follows for
frames without a pause, as many as there are nodes.
"""

AT_ONCE = """\
So many clients connect, one to each node; each of their nodes sends a packet, and each client sends
one. Seconds until all are connected, until every client has its packet, and until every packet was
handed to the radio, which answers each at once; the gateway's memory for each client.
"""

#: Nodes of the gateway whose console is looked at, and seconds between two frames of them.
LOOKED_AT = 300
LOOKED_AT_PAUSE = 0.02

#: Pages that look: those that read, and those that do not.
LOOKERS = ((0, 0), (1, 0), (10, 1))

LOOKING = f"""\
Frames of {PAYLOAD} bytes, at most one every {LOOKED_AT_PAUSE * 1000:g} ms, from all nodes in turn,
{FEW} of which have a client. So many pages of the console look on, and so many more that read
nothing: the gateway's share of a core, and the median of the milliseconds from a frame on the line
to its bytes at the client. All are measured on the same gateway, in turn.
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
        self._looked_at = 20 if quick else LOOKED_AT
        self._seconds = 0.2 if quick else 5.0
        self._looking_rounds = 2 if quick else 6
        # Resident bytes with the fewest nodes: at the start, and later.
        self._base: list[float] = []
        self._goals: list[list[str]] = []

    def tables(self) -> Iterator[Table]:
        rows: list[list[str]] = []
        frames: list[list[str]] = []
        at_once: list[list[str]] = []
        with ExitStack() as stack:
            for size in self._sizes:
                self._goals.clear()
                gateway = self._measure(size, rows, stack)
                frames.append(self._cost_of_frames(gateway))
                rows[-1].insert(3, self._memory_of_a_node(gateway, 1, gateway.resident_bytes()))
                clients = min(size, self._clients)
                at_once.append([f"{size:,}", f"{clients:,}", *self._at_once(gateway, clients)])
                gateway.close()
        header = ["nodes", "memory, MB", "a node, KB", "later"]
        header += ["listening, s", "discover, s", "list, s"]
        yield Table("Nodes", EXPLANATION, header, rows)
        times = [f"µs, {FEW} nodes", "µs, all"]
        header = ["nodes", "ratio", *times, "without pause", *times]
        yield Table("Traffic of all nodes", FRAMES, header, frames)
        header = ["nodes", "clients", "connected, s", "received, s", "sent, s", "KB a client"]
        yield Table("Clients at once", AT_ONCE, header, at_once)
        header = ["nodes", "pages", "reading nothing", "% of a core", "to the client, ms"]
        yield Table("The console", LOOKING, header, self._looking())
        text = "With the most nodes; from the tables above."
        yield Table("What was aimed at", text, GOALS, self._goals)

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
        resident = Spread.of(_pair(memory)).median
        rows.append(
            [
                *(f"{size:,}", f"{resident / 1e6:.1f}"),
                self._memory_of_a_node(gateway, 0, resident),
                *(str(Spread.of(_pair(listening))), f"{discover:.2f}", str(Spread.of(times))),
            ]
        )
        self._goals.append(goal("listening, s", "≤ 1.5", Spread.of(_pair(listening))))
        self._goals.append(goal("list(), s", "≤ 0.5", Spread.of(times)))
        return gateway

    def _memory_of_a_node(self, gateway: Gateway, when: int, resident: float) -> str:
        """What each node takes beyond the fewest, in KB.

        @param when: 0 at the start, 1 later.
        """
        if len(self._base) == when:
            self._base.append(resident)
        if gateway.nodes <= FEW or (when and gateway.nodes < 1000):
            # Among few nodes, what is not theirs hides it.
            return "–"
        added = (resident - self._base[when]) / 1000 / (gateway.nodes - FEW)
        if not when:
            self._goals.append(goal("memory of a node, KB", "≤ 5", added))
        return f"{added:.2f}"

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
        crowd = self._cost_without_pause(gateway, frames[:FEW] * (len(frames) // FEW), frames)
        cells = []
        for what, pair in (("", (few, spread)), (", without pause", crowd)):
            times = ratio(pair[1], pair[0])
            self._goals.append(goal(f"cost of a frame, of that with {FEW}{what}", "≤ 1.1", times))
            cells += [str(times), *(f"{Spread.of(one).median * 1e6:.3g}" for one in pair)]
        return [f"{gateway.nodes:,}", *cells]

    def _cost_without_pause(
        self, gateway: Gateway, *streams: list[bytes]
    ) -> tuple[list[float], ...]:
        costs: tuple[list[float], ...] = tuple([] for _ in streams)
        for turn in range(max(2, self._rounds // 2) + 1):
            for found, frames in zip(costs, streams):
                gateway.wait_until_idle()
                spent = gateway.processor_seconds()
                rest = memoryview(b"".join(frames))
                while rest:
                    rest = rest[os.write(gateway.line.master, rest[:4096]) :]
                gateway.wait_until_idle()
                if turn:
                    found.append((gateway.processor_seconds() - spent) / len(frames))
        return costs

    def _looking(self) -> list[list[str]]:
        payload = Random(3).randbytes(PAYLOAD)
        shares: dict[tuple[int, int], list[float]] = {pages: [] for pages in LOOKERS}
        delays: dict[tuple[int, int], list[float]] = {pages: [] for pages in LOOKERS}
        with ExitStack() as stack:
            gateway = Gateway(self._directory, API_MODE, self._looked_at)
            stack.callback(gateway.close)
            # It goes on to answer: pages make the gateway ask it how strongly it hears the nodes.
            gateway.wait_until_up(stop_answering=False)
            clients = [
                stack.enter_context(gateway.connect(gateway.port + node)) for node in range(FEW)
            ]
            for client in clients:
                client.settimeout(60)
            frames = [packet(node, payload, API_MODE) for node in range(gateway.nodes)]
            for turn in range(self._looking_rounds):
                for number in range(len(LOOKERS)):
                    pages = LOOKERS[(turn + number) % len(LOOKERS)]
                    with _Pages(gateway, *pages):
                        gateway.wait_until_idle()
                        spent, begun = gateway.processor_seconds(), time.monotonic()
                        waited = self._listen(gateway, frames, clients)
                        share = gateway.processor_seconds() - spent
                        shares[pages].append(100 * share / (time.monotonic() - begun))
                    delays[pages].append(1000 * waited)
        return [
            [
                *(f"{gateway.nodes:,}", str(reading), str(stuck)),
                *(str(Spread.of(found[reading, stuck])) for found in (shares, delays)),
            ]
            for reading, stuck in LOOKERS
        ]

    def _listen(self, gateway: Gateway, frames: list[bytes], clients: list[socket.socket]) -> float:
        """Let all nodes speak for some seconds; return the median of the seconds that it takes."""
        waited = []
        end = time.monotonic() + self._seconds
        number = 0
        while number < len(clients) or time.monotonic() < end:
            node = number % len(frames)
            begun = time.perf_counter()
            os.write(gateway.line.master, frames[node])
            if node < len(clients):
                missing = PAYLOAD
                while missing:
                    missing -= len(received(clients[node], missing))
                waited.append(time.perf_counter() - begun)
            time.sleep(LOOKED_AT_PAUSE)
            number += 1
        return median(waited)

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
                    missing -= len(received(client, missing))
            came = time.monotonic() - begun
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
        return [f"{connected:.2g}", f"{came:.2g}", f"{sent:.2g}", f"{max(added, 0):.1f}"]


class _Pages:
    """Pages of the console that look at a gateway, within a ``with``."""

    def __init__(self, gateway: Gateway, reading: int, stuck: int) -> None:
        self._sockets = [self._open(gateway) for _ in range(reading + stuck)]
        self._reading = self._sockets[:reading]
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @staticmethod
    def _open(gateway: Gateway) -> socket.socket:
        page = socket.create_connection((gateway.host, gateway.control), timeout=60)
        page.sendall(
            f"GET /live HTTP/1.1\r\nHost: {gateway.host}:{gateway.control}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += page.recv(1)
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise ProgramError(f"The gateway opens no console: {answer.decode()}")
        return page

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        os.write(self._wake[1], b"!")
        self._thread.join()
        for page in self._sockets:
            page.close()
        for end in self._wake:
            os.close(end)

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake[0], selectors.EVENT_READ)
            for page in self._reading:
                selector.register(page, selectors.EVENT_READ, page)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    if not key.data.recv(65536):
                        selector.unregister(key.data)


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
