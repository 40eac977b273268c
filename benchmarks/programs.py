"""Programs that stand between a serial line and TCP: ours, and those that it is compared with."""

from __future__ import annotations

import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from benchmarks.radio_end import RadioEnd, address_of
from zbtwist.store.records import Mapping, StoredNode
from zbtwist.store.store import Store
from zbtwist.xbee.address import UNKNOWN16

ROOT = Path(__file__).resolve().parents[1]

#: Seconds that a program has to start; what works takes a fraction of it.
PATIENCE = 60.0

#: The rate that every line is set to. A pseudoterminal does not care.
BAUD_RATE = 230_400

#: The control port of a gateway; those of its nodes follow.
CONTROL_PORT = 10_000


class ProgramError(Exception):
    """A program did not start, or ended. The text is a sentence, with what it printed."""


def received(client: socket.socket, size: int) -> bytes:
    """Return what comes next, at most so many bytes.

    @raise ProgramError: the program has closed the connection.
    @raise BlockingIOError: nothing came for `PATIENCE` seconds.
    """
    data = client.recv(size)
    if not data:
        raise ProgramError("A program has closed the connection to its client.")
    return data


def free_port() -> int:
    """Return a TCP port that is free now.

    It is below those that the system gives to outgoing connections, which come and go.
    """
    for _ in range(100):
        port = random.randrange(5_000, 9_900)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ProgramError("No free port was found.")


@cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    """Where what is compiled stays until this run ends, for all programs of it."""
    return tempfile.TemporaryDirectory(prefix="zbtwist-compiled-")


def environment() -> dict[str, str]:
    """What ours runs in: from its sources, but compiled once, as it is when it is installed."""
    values = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    values.pop("PYTHONDONTWRITEBYTECODE", None)
    values["PYTHONPYCACHEPREFIX"] = _compiled().name
    return values


class Program:
    """
    @ivar name: in the tables.
    @ivar line: the other end of its serial line.
    @ivar host: the address at which it listens.
    @ivar port: its first port.
    """

    name: str
    host = "127.0.0.1"
    port: int

    def __init__(self, line: RadioEnd, directory: Path, arguments: Sequence[str | Path]) -> None:
        self.line = line
        self._log = directory / f"{type(self).__name__}-{line.master}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                arguments,
                cwd=directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def check(self) -> None:
        """
        @raise ProgramError: it has ended.
        """
        if self.process.poll() is not None:
            raise ProgramError(f"{self.name} has ended. It said:\n{self.output}")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed that."""
        end = time.monotonic() + PATIENCE
        while text not in self.output:
            self.check()
            if time.monotonic() > end:
                raise ProgramError(f"{self.name} never said {text!r}, but:\n{self.output}")
            time.sleep(0.01)

    def connect(self, port: int) -> socket.socket:
        """Return a connection, as soon as it listens."""
        end = time.monotonic() + PATIENCE
        while True:
            client = socket.socket()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Other than settimeout, it costs no system call more.
            limit = struct.pack("ll", int(PATIENCE), 0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            try:
                client.connect((self.host, port))
                return client
            except OSError:
                client.close()
            self.check()
            if time.monotonic() > end:
                raise ProgramError(f"{self.name} does not listen on port {port}.\n{self.output}")
            time.sleep(0.01)

    def close(self) -> None:
        """End it; again does no harm."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.line.close()

    def wait_until_idle(self) -> None:
        """Wait until it takes no processor time."""
        before = -1.0
        while self.processor_seconds() - before > 0.001:
            before = self.processor_seconds()
            time.sleep(0.1)

    def processor_seconds(self) -> float:
        """The processor time that its threads took so far."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        spent = 0
        for task in tasks.iterdir():
            spent += int((task / "schedstat").read_text().split()[0])
        return spent / 1e9

    def resident_bytes(self) -> int:
        """The memory that it takes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Gateway(Program):
    """The real gateway, started by twistd, which knows its nodes from its store."""

    def __init__(self, directory: Path, api_mode: int, nodes: int = 1) -> None:
        self.name = f"zbtwist, mode {api_mode}"
        self.nodes = nodes
        # Nobody else is at that address, so that all ports are free.
        self.host = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.1"
        self.control, self.port = CONTROL_PORT, CONTROL_PORT + 1
        self.api_mode = api_mode
        line = RadioEnd(api_mode)
        state = directory / f"state-{line.master}.sqlite3"
        _make_store(state, nodes, self.port)
        line.begin_to_answer()
        self.started_at = time.monotonic()
        super().__init__(
            line,
            directory,
            [
                *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()"),
                *("-n", "--pidfile=", "zbgate", "--serial", line.path, "--baud", str(BAUD_RATE)),
                *("--api-mode", str(api_mode), "--control", str(self.control)),
                *("--interface", self.host),
                *("--base-port", str(self.port), "--last-port", "65535"),
                # The nodes behind this radio have no lines of their own, and answer nothing.
                *("--state", state, "--heartbeat", "0", "--pace", "off"),
            ],
        )

    def wait_until_up(self, stop_answering: bool = True) -> None:
        """Wait until the radio is set up, and the line is quiet.

        @param stop_answering: leave the line to the measurement then.
        """
        self.wait_for(" is up: ")
        # The search ends later, without a byte on the line.
        time.sleep(0.1)
        if stop_answering:
            self.line.stop_answering()

    def wait_for_clients(self, count: int) -> None:
        """Wait until it has said so often that a client is connected."""
        end = time.monotonic() + PATIENCE
        while self.output.count(" is connected to ") < count:
            self.check()
            if time.monotonic() > end:
                raise ProgramError(f"{self.name} has not accepted {count} clients.")
            time.sleep(0.005)


def _make_store(path: Path, nodes: int, first_port: int) -> None:
    """A state file in which so many nodes have ports in a row, and names."""
    store = Store(str(path)).open()
    addresses = [address_of(node)[0] for node in range(nodes)]
    store.change_mappings(
        Mapping(address, first_port + number) for number, address in enumerate(addresses)
    )
    store.save_nodes(
        StoredNode(address, f"NODE {number}", 1, UNKNOWN16, 0xC105, 0x101E, 0x30000, 1.7e9)
        for number, address in enumerate(addresses)
    )
    store.close()


class Ser2net(Program):
    """ser2net 4, as it is by default, or told not to wait for more characters."""

    def __init__(self, directory: Path, chardelay: bool) -> None:
        program = _find("ser2net")
        self.name = "ser2net" if chardelay else "ser2net, chardelay off"
        self.port = free_port()
        line = RadioEnd(0)
        configuration = directory / f"ser2net-{line.master}.yaml"
        configuration.write_text(
            "connection: &line\n"
            f"  accepter: tcp,127.0.0.1,{self.port}\n"
            f"  connector: serialdev,{line.path},{BAUD_RATE}n81,local\n"
            f"  options:\n    chardelay: {str(chardelay).lower()}\n"
        )
        super().__init__(line, directory, [program, "-n", "-u", "-c", configuration])


class Socat(Program):
    name = "socat"

    def __init__(self, directory: Path) -> None:
        program = _find("socat")
        self.port = free_port()
        line = RadioEnd(0)
        address = f"TCP-LISTEN:{self.port},bind=127.0.0.1,reuseaddr,nodelay"
        super().__init__(line, directory, [program, address, f"{line.path},raw,echo=0"])


class Forwarder(Program):
    """forwarder.c, the limit."""

    name = "forwarder in C"

    def __init__(self, directory: Path) -> None:
        program = directory / "forwarder"
        source = Path(__file__).with_name("forwarder.c")
        subprocess.run([_find("gcc"), "-O2", "-o", program, source], check=True)
        self.port = free_port()
        line = RadioEnd(0)
        super().__init__(line, directory, [program, line.path, str(self.port)])


def _find(program: str) -> str:
    """
    @raise FileNotFoundError: it is not installed.
    """
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise FileNotFoundError(f"{program} is not installed")
    return path


def versions() -> list[tuple[str, str]]:
    """Names and versions of the programs that zbtwist is compared with."""
    found = []
    for name, option in (("ser2net", "-v"), ("socat", "-V"), ("gcc", "--version")):
        try:
            said = subprocess.run(
                [_find(name), option], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            found.append((name, "not installed"))
            continue
        words = (said.stdout + said.stderr).replace("\n", " ").split()
        number = next(word for word in words if word[0].isdigit() and "." in word)
        found.append((name, number.strip(")")))
    return found
