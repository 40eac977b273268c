"""Nodes that nobody has: a radio that hands up frames from invented addresses, thousands of them,
among those of its real nodes. By hand, as large as you like::

    python -m tests.system.invented --count 100000 --rate 300

It starts the simulated radio as a program of its own, and the real gateway on it. Some real nodes
are known before, and others join when half of the flood is over. What is said at the end is what
became of all of them, how long the gateway took to answer, to stop and to start again, and whether
other programs of this computer could connect meanwhile. It ends with 1 if something is not as it
should be.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.system.attacks import Stream
from tests.system.support import Gateway, Program, free_ports, is_listening, wait_until
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import EchoNode
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.serial_port import SimulatedSerialPort
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import ReceivePacket
from zbtwist.xbee.framing import encode

#: Real nodes that are known before, and such as join later: every second of those says so, the
#: others are heard by what their devices say.
KNOWN, LATE = 5, 6

#: How often a late node's device says something, in seconds.
SPEAKS_EVERY = 2.0

#: What it should be at the most: seconds until a real node has its port and its name, and until
#: ``list()`` is answered.
NAMED_WITHIN, LISTED_WITHIN = 20.0, 1.0

#: Seconds between two writes of the radio.
_TICK = 0.01

_LATE_ADDRESS = 0x0013_A200_400A_4F00

LATE_NAMES = tuple(f"LATE{number}" for number in range(LATE))
#: Those of them that say that they have joined.
ANNOUNCED = LATE_NAMES[::2]


class Radio:
    """The radio's program: SIGUSR1 begins the flood, SIGUSR2 lets the late nodes join."""

    def __init__(self, reactor: Any, link: str, rate: float, count: int) -> None:
        options = SimulatorOptions(kinds=("echo",), nodes=KNOWN, discovery_time=0.3)
        self._reactor = reactor
        self._network: SimulatedNetwork = options.build(reactor)
        self._port = SimulatedSerialPort(reactor, self._network, link)
        options.set_up_line(self._port.line)
        self._chance = random.Random(14)
        self._rate = rate
        self._count = count
        self._sent = 0
        self._began_at = 0.0
        self._late: list[EchoNode] = []
        self._network.announce()

    def run(self) -> None:
        for number, work in ((signal.SIGUSR1, self._flood), (signal.SIGUSR2, self._join)):
            signal.signal(number, lambda *_, work=work: self._reactor.callFromThread(work))
        self._reactor.callWhenRunning(print, "ready", flush=True)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._network.stop)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._port.close)
        self._reactor.run()

    def _flood(self) -> None:
        self._began_at = self._reactor.seconds()
        self._invent()

    def _invent(self) -> None:
        """Say what is due of what nobody has sent."""
        due = min(self._count, int((self._reactor.seconds() - self._began_at) * self._rate))
        say = self._network.radio.serial_output
        while self._sent < due:
            address64 = Address64(self._chance.getrandbits(64))
            address16 = Address16(self._chance.randrange(1, 0xFFF8))
            frame = ReceivePacket(address64, address16, 1, b"I am here\n")
            if say is not None:
                say(encode(frame.to_bytes(), 1))
            self._sent += 1
            if self._sent == self._count // 2:
                print("half", flush=True)
        if self._sent < self._count:
            self._reactor.callLater(_TICK, self._invent)
        else:
            print("all", flush=True)

    def _join(self) -> None:
        for number, name in enumerate(LATE_NAMES):
            node = EchoNode(self._network, _LATE_ADDRESS + number, name)
            self._late.append(node)
            self._network.add_node(node, announce=name in ANNOUNCED)
        self._speak()

    def _speak(self) -> None:
        for node in self._late:
            node.send(b"I am real\n")
        self._reactor.callLater(SPEAKS_EVERY, self._speak)


@dataclass
class Figures:
    """What was seen; seconds, unless it says otherwise.

    @ivar nodes: how many the gateway lists at the end.
    @ivar with_ports: how many of them have a port.
    @ivar late: until each late node had its port and its name; who never had them is not in it.
    @ivar moved: names of the real nodes that have another port at the end, or none.
    @ivar listed: how long ``list()`` took at the most.
    @ivar stream: how long the client of a known node waited for an answer at the most.
    @ivar refused: how often another program could not connect to yet another one.
    @ivar stopped: until the gateway was gone.
    @ivar started: from its new start until the known nodes' ports listened.
    @ivar started_first: the same of the first start, with nothing known.
    @ivar megabytes: of memory at the end of the flood.
    @ivar log_lines: how many.
    @ivar errors: what should not be, in words.
    """

    nodes: int = 0
    with_ports: int = 0
    late: dict[str, float] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    listed: float = 0.0
    stream: float = 0.0
    refused: int = 0
    stopped: float = 0.0
    started: float = 0.0
    started_first: float = 0.0
    megabytes: float = 0.0
    log_lines: int = 0
    errors: list[str] = field(default_factory=list)

    def failures(self) -> list[str]:
        """Return a sentence for each that is not as it should be."""
        slow = {name: took for name, took in self.late.items() if took > NAMED_WITHIN}
        said = {
            f"{LATE - len(self.late)} late nodes never had a port and a name.": len(self.late)
            < LATE,
            f"Late nodes had them after more than {NAMED_WITHIN:g} s: {slow}.": slow,
            f"list() took {self.listed:.2f} s.": self.listed > LISTED_WITHIN,
            f"Real nodes have other ports now: {self.moved}.": self.moved,
            f"Another program could not connect {self.refused} times.": self.refused,
            **dict.fromkeys(self.errors, True),
        }
        return [sentence for sentence, is_so in said.items() if is_so]

    def __str__(self) -> str:
        lines = []
        for each in fields(self):
            value = getattr(self, each.name)
            lines.append(f"{each.name}: {f'{value:.2f}' if isinstance(value, float) else value}")
        return "\n".join(lines)


class Run:
    """One flood."""

    def __init__(self, rate: float, count: int, patience: float) -> None:
        """
        @param rate: invented frames a second.
        @param count: how many in all.
        @param patience: seconds that late nodes are waited for after the end of the flood.
        """
        self._rate, self._count, self._patience = rate, count, patience
        self._directory = Path(tempfile.mkdtemp(prefix="zbtwist-test-"))
        self._link = str(self._directory / "radio")
        self._state = str(self._directory / "state.sqlite3")
        self._is_over = threading.Event()
        self.figures = Figures()

    def do(self) -> Figures:
        """Do it; return what was seen."""
        radio = Program(
            *("-m", "tests.system.invented", "--radio", self._link),
            *("--rate", str(self._rate), "--count", str(self._count)),
        )
        try:
            radio.wait_for("ready")
            self._with_radio(radio)
        finally:
            self._is_over.set()
            radio.stop()
        return self.figures

    def _start(self, control: int) -> Gateway:
        return Gateway(self._link, "--state", self._state, control=control)

    def _with_radio(self, radio: Program) -> None:
        figures = self.figures
        began = time.monotonic()
        # Below those of outgoing connections, with room for the nodes behind it.
        gateway = self._start(free_ports(8))
        try:
            known = {name: row["tcp_port"] for name, row in gateway.nodes(KNOWN).items()}
            figures.started_first = time.monotonic() - began
            ports = self._flood(radio, gateway, known)
            figures.megabytes = _resident(gateway) / 1e6
        finally:
            figures.stopped = gateway.stop()
        self._look_at_log(gateway)
        began = time.monotonic()
        gateway = self._start(gateway.control)
        try:
            for name, port in ports.items():
                wait_until(lambda port=port: is_listening(port), f"the port of {name}", 120)  # type: ignore[misc]
            figures.started = time.monotonic() - began
            # Who was known by name is so at once, and at the same port.
            rows = {row["label"]: row["tcp_port"] for row in gateway.api.list()}
            figures.moved += [name for name, port in ports.items() if rows.get(name) != port]
        finally:
            gateway.stop()
        self._look_at_log(gateway)

    def _flood(self, radio: Program, gateway: Gateway, known: dict[str, int]) -> dict[str, int]:
        """Return the ports of all real nodes at the end."""
        figures = self.figures
        stream = Stream(min(known.values()))
        stream.start()
        watcher = threading.Thread(target=self._connect_out, daemon=True)
        watcher.start()
        real = dict(known)
        joined_at = 0.0
        end = float("inf")
        radio.process.send_signal(signal.SIGUSR1)
        while not set(LATE_NAMES) <= set(figures.late) or "all" not in radio.output:
            if not joined_at and "half" in radio.output:
                radio.process.send_signal(signal.SIGUSR2)
                joined_at = time.monotonic()
            if "all" in radio.output:
                end = min(end, time.monotonic() + self._patience)
            if time.monotonic() > end:
                break
            rows = self._list(gateway)
            for row in rows:
                name = row["label"]
                if name in LATE_NAMES and row["tcp_port"] and name not in figures.late:
                    figures.late[name] = round(time.monotonic() - joined_at, 2)
                    real[name] = row["tcp_port"]
            time.sleep(max(0.2, min(1.0, len(rows) / 2000)))
        rows = self._list(gateway)
        figures.nodes = len(rows)
        figures.with_ports = sum(bool(row["tcp_port"]) for row in rows)
        now = {row["label"]: row["tcp_port"] for row in rows}
        figures.moved += [name for name, port in real.items() if now.get(name) != port]
        stream.finish()
        self._is_over.set()
        watcher.join(10)
        figures.stream = stream.longest
        if stream.error:
            why = [line for line in gateway.output.splitlines() if " is dropped: " in line]
            figures.errors.append(f"The stream of a known node broke: {stream.error}. {why[:2]}")
        return real

    def _list(self, gateway: Gateway) -> list[dict[str, Any]]:
        began = time.monotonic()
        rows: list[dict[str, Any]] = gateway.api.list()
        self.figures.listed = max(self.figures.listed, time.monotonic() - began)
        return rows

    def _connect_out(self) -> None:
        """Another program and yet another one: their connections need ports of the system's."""
        with socket.create_server(("127.0.0.1", free_ports(1))) as server:
            while not self._is_over.wait(0.2):
                try:
                    with socket.create_connection(server.getsockname(), timeout=10):
                        server.accept()[0].close()
                except OSError:  # noqa: PERF203
                    self.figures.refused += 1

    def _look_at_log(self, gateway: Gateway) -> None:
        self.figures.log_lines += gateway.output.count("\n")
        _, _, traceback = gateway.output.partition("Traceback")
        if traceback:
            self.figures.errors.append(f"The gateway failed: {traceback[-2000:]}")


def _resident(gateway: Gateway) -> int:
    """Bytes of memory that the program has now; 0 if that cannot be told."""
    with suppress(OSError):
        status = Path(f"/proc/{gateway.process.pid}/status").read_text()
        (line,) = (one for one in status.splitlines() if one.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="invented addresses in all")
    parser.add_argument("--rate", type=float, default=300.0, help="... a second")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds for late nodes")
    parser.add_argument("--radio", metavar="LINK", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.radio:
        from twisted.internet import reactor

        Radio(reactor, given.radio, given.rate, given.count).run()
        return 0
    figures = Run(given.rate, given.count, given.patience).do()
    print(figures)
    failures = figures.failures()
    for sentence in failures:
        print(f"NOT AS IT SHOULD BE: {sentence}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
