"""A fleet on a broker.

Sites at a mosquitto on this computer, the real hub behind it, and clients of the nodes' ports.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

from benchmarks.programs import PATIENCE, ProgramError, environment, free_port, received
from benchmarks.report import Options, Table, thousands

#: Bytes of a packet of a node: when it was said, and filling.
PACKET = 72
STAMP = struct.Struct(">q")

#: Packets a second of all nodes together, where they are the same for all rows.
RATE = 500

#: Seconds after which all sites have answered: who connects before that is reset once.
SETTLING = 3.0

#: Nodes that have a client.
READERS = 100

EXPLANATION = f"""\
Sites that are connected, with 50 nodes each; each site is a connection to the broker of its own.
All nodes together say {RATE} packets of {PACKET} bytes a second; {READERS} of them, or all, have a
client. What is measured begins when each of them has said one.

listening
  seconds from the start of the hub until the last node has its port, with an empty state file.
memory
  of the hub, resident.
hub, broker
  processor time for each packet, in µs; for the broker with what it takes to receive it.
p50, p99
  milliseconds from the moment at which a site publishes a packet until its bytes are at the client.
"""

PLAIN = f"""\
The same from a program that writes {PACKET} bytes to a TCP connection to one that reads them, at
the same pace, beside a fleet of 20 sites. "There and back" is from a client of the hub to the node,
which says at once what it was told, and back: a message each way, and the answer to the packet.
"""

MOST = """\
As many packets as sites can say, of 50 nodes, each with a client: packets a second that came to the
clients, once and in order, and what the hub took for each. They are 20,000 in a burst: of many more
the broker drops some for a hub that is slower than what comes, and their clients are reset.
"""


def versions(options: Options) -> Iterable[tuple[str, str]]:
    program = _mosquitto()
    said = (
        ""
        if program is None
        else subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    )
    words = said.split()
    return [("mosquitto", words[2] if len(words) > 2 else "not installed")]


def tables(options: Options) -> Iterator[Table]:
    """Measure, and give each table when it is ready."""
    if _mosquitto() is None:
        return
    sizes = (1, 2) if options.quick else (1, 20, 100, 200)
    seconds = 1.0 if options.quick else 6.0
    rows = []
    for sites in sizes:
        with Fleet(sites, 50, RATE) as fleet:
            rows.append(_row(fleet, seconds))
    header = ["sites", "nodes", "listening, s", "memory, MB", "hub, µs", "broker, µs"]
    yield Table("Sites", EXPLANATION, [*header, "p50, ms", "p99, ms"], rows)
    with Fleet(2 if options.quick else 20, 50, RATE) as fleet:
        yield Table(
            "Beside plain TCP", PLAIN, ["way", "p50, ms", "p99, ms"], list(_ways(fleet, seconds))
        )
    with Fleet(1, 50, 0) as fleet:
        rows = [_most(fleet, 2000 if options.quick else 20_000)]
    yield Table("As many as it carries", MOST, ["packets a second", "hub, µs"], rows)


def _row(fleet: Fleet, seconds: float) -> list[str]:
    readers = [fleet.connect(number) for number in fleet.some(READERS)]
    # The first packet of a node costs more: it is found out whose it is. What waits in sockets was
    # said before.
    _read(readers, min(seconds, 3.0) + fleet.sites * fleet.nodes / RATE)
    before = fleet.hub.processor_seconds(), fleet.broker.processor_seconds(), fleet.said()
    latencies = _read(readers, seconds)
    after = fleet.hub.processor_seconds(), fleet.broker.processor_seconds(), fleet.said()
    packets = max(1, after[2] - before[2])
    return [
        thousands(fleet.sites),
        thousands(fleet.sites * fleet.nodes),
        f"{fleet.listening:.1f}",
        f"{fleet.hub.resident_bytes() / 1e6:.0f}",
        *(f"{(after[at] - before[at]) / packets * 1e6:.0f}" for at in (0, 1)),
        *_spread(latencies),
    ]


def _spread(seconds: list[float]) -> list[str]:
    if len(seconds) < 2:
        raise ProgramError("Hardly a packet came.")
    cuts = quantiles(seconds, n=100, method="inclusive")
    return [f"{1000 * cuts[49]:.2f}", f"{1000 * cuts[98]:.2f}"]


def _read(clients: list[socket.socket], seconds: float) -> list[float]:
    """Return how long each packet took that comes within so many seconds."""
    found: list[float] = []
    rest = dict.fromkeys(clients, b"")
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ, client)
        while time.monotonic() < end:
            for key, _ in selector.select(0.1):
                client = key.data
                data = rest[client] + received(client, 65536)
                now = time.monotonic_ns()
                whole = len(data) - len(data) % PACKET
                found += [
                    (now - STAMP.unpack_from(data, at)[0]) / 1e9 for at in range(0, whole, PACKET)
                ]
                rest[client] = data[whole:]
    return found


def _ways(fleet: Fleet, seconds: float) -> Iterator[list[str]]:
    client = fleet.connect(0)
    yield ["site, broker, hub, client", *_spread(_read([client], seconds))]
    yield ["plain TCP", *_spread(_plain(seconds, RATE / (fleet.sites * fleet.nodes)))]
    client.close()
    client = fleet.connect(1)
    yield ["there and back", *_spread(_there_and_back(client, int(seconds * 50)))]


def _plain(seconds: float, rate: float) -> list[float]:
    program = (
        "import socket, struct, sys, time\n"
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
        "s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
        "while True:\n"
        f"    s.sendall(struct.pack('>q', time.monotonic_ns()) + bytes({PACKET - STAMP.size}))\n"
        "    time.sleep(float(sys.argv[2]))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [sys.executable, "-c", program, str(port), str(1 / max(rate, 1.0))]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            client, _ = server.accept()
            with client:
                return _read([client], seconds)
        finally:
            process.kill()
            process.wait()


def _there_and_back(client: socket.socket, count: int) -> list[float]:
    found = []
    for number in range(count):
        mark = b"<%08d>" % number
        begun = time.perf_counter()
        client.sendall(mark)
        heard = b""
        while mark not in heard:
            # What the node says by itself comes between.
            heard += received(client, 65536)
        found.append(time.perf_counter() - begun)
    return found


def _most(fleet: Fleet, packets: int) -> list[str]:
    clients = [fleet.connect(number) for number in range(fleet.nodes)]
    time.sleep(1.0)
    each = packets // fleet.nodes
    missing = dict.fromkeys(clients, each * PACKET)
    before = fleet.hub.processor_seconds()
    fleet.say(f"burst {each}")
    begun = 0.0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ, client)
        while any(missing.values()):
            ready = selector.select(PATIENCE)
            if not ready:
                raise ProgramError("Packets are missing.")
            begun = begun or time.monotonic()
            for key, _ in ready:
                client = key.data
                missing[client] -= len(received(client, 1 << 20))
    took = time.monotonic() - begun
    spent = fleet.hub.processor_seconds() - before
    return [thousands(each * fleet.nodes / took), f"{spent / (each * fleet.nodes) * 1e6:.0f}"]


class _Process:
    """A program of the fleet, whose time and memory are told."""

    def __init__(self, directory: Path, name: str, command: list[str]) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def processor_seconds(self) -> float:
        tasks = Path(f"/proc/{self.process.pid}/task")
        spent = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
        return spent / 1e9

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + PATIENCE
        while text not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > end:
                said = self.log.read_text(errors="replace")
                raise ProgramError(f"{self.name} never said {text!r}, but:\n{said[-2000:]}")
            time.sleep(0.02)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Fleet:
    """A broker, sites in a process, a hub.

    @ivar listening: seconds until the hub had a port for each node.
    """

    def __init__(self, sites: int, nodes: int, rate: int) -> None:
        """
        @param rate: packets a second of all nodes together.
        """
        self.sites, self.nodes = sites, nodes
        self._rate = rate
        self._stack = ExitStack()

    def __enter__(self) -> Fleet:
        stack = self._stack
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        settings = directory / "mosquitto.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
        )
        try:
            program = _mosquitto()
            assert program is not None
            self.broker = self._run(directory, "broker", [program, "-c", str(settings)])
            self._wait_for_port("127.0.0.1", port)
            arguments = [str(port), str(self.sites), str(self.nodes), str(self._rate)]
            self._count = directory / "count"
            self._sites = self._run(
                directory,
                "sites",
                [sys.executable, "-m", "benchmarks.fleet_sites", *arguments, str(self._count)],
            )
            self._sites.wait_for("all are connected")
            self.host = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.1"
            begun = time.monotonic()
            self.hub = self._run(directory, "hub", self._hub_command(port))
            last = 10_000 + self.sites * self.nodes
            self._wait_for_port(self.host, last)
            self.listening = time.monotonic() - begun
            time.sleep(SETTLING)
        except BaseException:
            stack.close()
            raise
        return self

    def __exit__(self, *of_error: object) -> None:
        self._stack.close()

    def _run(self, directory: Path, name: str, command: list[str]) -> _Process:
        process = _Process(directory, name, command)
        self._stack.callback(process.close)
        return process

    def _hub_command(self, port: int) -> list[str]:
        return [
            *(sys.executable, "-c", "from zbtwist.app.command import main; main()"),
            *("--serial", f"mqtt:127.0.0.1:{port}", "--control", "10000", "--interface", self.host),
            *("--no-auth", "--base-port", "10001", "--last-port", "65535", "--state", ":memory:"),
            *("--max-nodes", "20000", "--health", "passive"),
        ]

    def _wait_for_port(self, host: str, port: int) -> None:
        end = time.monotonic() + 5 * PATIENCE
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((host, port)) == 0:
                    return
            if time.monotonic() > end:
                raise ProgramError(f"Nobody listens on port {port} of {host}.")
            time.sleep(0.05)

    def some(self, count: int) -> list[int]:
        """Return so many of the nodes' numbers, spread over all."""
        nodes = self.sites * self.nodes
        return random.Random(nodes).sample(range(nodes), min(count, nodes))

    def connect(self, number: int) -> socket.socket:
        """Connect a client to a port."""
        client = socket.create_connection((self.host, 10_001 + number), PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What waits there from before is not to be timed.
        self._stack.callback(client.close)
        return client

    def said(self) -> int:
        """Return how many packets nodes have said by now."""
        return int(json.loads(self._count.read_text() or "0"))

    def say(self, line: str) -> None:
        """Tell the sites something."""
        assert self._sites.process.stdin is not None
        self._sites.process.stdin.write(line.encode() + b"\n")
        self._sites.process.stdin.flush()


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
