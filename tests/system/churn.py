"""Clients that come and go at random by the thousand, beside a stream that is watched.

By hand: ``python -m tests.system.churn --minutes 10``. What is said at the end is the longest wait
of the stream, what was wrong, and the gateway's files, memory and log before and after. The exit
status is 1 if something is not as it is promised.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import json
import random
import re
import resource
import selectors
import socket
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.pages import ROOT
from tests.system.attacks import FORM, SIMULATED, Stream, Target
from tests.system.support import Gateway, wait_until

#: How many ports of nodes they come to, besides the control port. Of those the first is crowded:
#: more come than a port takes. The watched node is another one.
PORTS = 40

#: Seconds that a client stays at the most; within a tenth of that the next one takes its place.
LONGEST_STAY = 20.0

#: The file of the log in the gateway's directory.
LOG = "churn.log"

#: What is promised of the stream on a computer that has nothing else to do, in seconds.
LONGEST_WAIT = 1.0

#: Bytes that the memory may grow by.
GROWTH = 20_000_000


@dataclass
class Counts:
    """What the clients did.

    @ivar connections: how many there were.
    @ivar refused: how many of them failed at once.
    @ivar at_once: how many clients there were at the same time at the most.
    """

    connections: int = 0
    refused: int = 0
    at_once: int = 0


class _Client:
    """One of those who come and go."""

    def __init__(self, chance: random.Random, control: int, ports: list[int], stay: float) -> None:
        """
        @param stay: for how many seconds it stays at the most.
        """
        self._chance = chance
        self._control = control
        self._ports = ports
        self._stay = stay
        self._is_half_closed = False
        self.socket: socket.socket | None = None

    def act(self, counts: Counts, reading: selectors.BaseSelector) -> float:
        """Do what is next; return after how many seconds to do it again."""
        chance = self._chance
        if self.socket is None:
            self._come(counts)
            if self.socket is None:
                return chance.uniform(0, self._stay / 10)
            if chance.random() < 0.5:
                reading.register(self.socket, selectors.EVENT_READ)
            return chance.uniform(0, self._stay)
        if not self._is_half_closed and chance.random() < 0.3:
            # It has said all, and stays to hear what there is.
            self._is_half_closed = True
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            return chance.uniform(0, self._stay / 4)
        self.leave(reading)
        return chance.uniform(0, self._stay / 10)

    def _come(self, counts: Counts) -> None:
        chance = self._chance
        # One in five comes to the crowded port, one in twenty to the control port.
        where = chance.random()
        port = chance.choice(self._ports)
        if where < 0.2:
            port = self._ports[0]
        elif where < 0.25:
            port = self._control
        client = socket.socket()
        client.settimeout(10)
        counts.connections += 1
        try:
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            client.send(self._what_to_say(port))
        except OSError:
            counts.refused += 1
            client.close()
        else:
            self.socket = client
            self._is_half_closed = False

    def _what_to_say(self, port: int) -> bytes:
        chance = self._chance
        if port == self._control:
            return chance.choice([b"", FORM, b"GET /metrics HTTP/1.1\r\n\r\n", b"GET / HT"])
        # All nodes share the air with the watched one, so few have something to say.
        if chance.random() < 0.1:
            return chance.choice([b"\n", b"a question\n", FORM, b"x" * 200])
        return b""

    def leave(self, reading: selectors.BaseSelector) -> None:
        """Close it: every other one resets."""
        if self.socket is not None:
            with contextlib.suppress(KeyError):
                reading.unregister(self.socket)
            if self._chance.random() < 0.5:
                linger = struct.pack("ii", 1, 0)
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.socket.close()
            self.socket = None


def come_and_go(
    control: int, ports: list[int], clients: int, seconds: float, stay: float = LONGEST_STAY
) -> Counts:
    """Let clients come and go for a while; then all are gone.

    @param stay: for how many seconds one stays at the most.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * clients + 100)), hard))
    chance = random.Random(14)
    counts = Counts()
    reading = selectors.DefaultSelector()
    everybody = [_Client(chance, control, ports, stay) for _ in range(clients)]
    began = time.monotonic()
    # When each does something; the number decides between two of the same moment.
    due = [(began + chance.uniform(0, stay / 4), number) for number in range(clients)]
    heapq.heapify(due)
    here = 0
    while (now := time.monotonic()) < began + seconds:
        when, number = due[0]
        for key, _ in reading.select(min(0.1, max(0.0, when - now))):
            _read(key.fileobj, reading)
        if when > now:
            continue
        client = everybody[number]
        here -= client.socket is not None
        wait = client.act(counts, reading)
        here += client.socket is not None
        counts.at_once = max(counts.at_once, here)
        heapq.heapreplace(due, (time.monotonic() + wait, number))
    for client in everybody:
        client.leave(reading)
    return counts


def _read(client: object, reading: selectors.BaseSelector) -> None:
    assert isinstance(client, socket.socket)
    try:
        data = client.recv(65536)
    except OSError:
        data = b""
    if not data:
        reading.unregister(client)


@dataclass
class Outcome:
    """What has become of a gateway that clients came to and left.

    @ivar counts: what they did.
    @ivar answers, longest, error: of the stream beside them: how many there were, how many seconds
        one took at the most, what was wrong.
    @ivar well: seconds until /healthz answered or failed, at the most.
    @ivar late: seconds that this program here was late after a short sleep, at the most: as long
        the gateway may have waited for a processor as well.
    @ivar files, memory: how many files it had open, and bytes of memory; before, and after.
    @ivar log_bytes, log_lines: of the log, with the files before it.
    @ivar held_back: how many more lines there would be.
    @ivar stood_still: seconds that it got no processor, each time; a computer with much else to do
        makes it wait, and the stream with it.
    @ivar mistakes: lines of the log that tell of what must not be.
    """

    counts: Counts
    answers: int
    longest: float
    error: str
    well: float
    late: float
    files: tuple[int, int]
    memory: tuple[int, int]
    log_bytes: int
    log_lines: int
    held_back: int
    stood_still: list[float]
    mistakes: list[str]

    def complaints(self, longest: float = LONGEST_WAIT, growth: int = GROWTH) -> list[str]:
        """Return what is not as it is promised.

        @param longest: seconds that the stream, and /healthz, may wait.
        @param growth: bytes that the memory may grow by.
        """
        return [
            sentence
            for is_wrong, sentence in (
                (self.error, f"The stream: {self.error}"),
                (self.longest > longest, f"The stream waited {self.longest:.2f} s."),
                (self.well > longest, f"/healthz took {self.well:.2f} s."),
                (self.files[1] > self.files[0], f"Files are left open: {self.files}."),
                (self.memory[1] - self.memory[0] > growth, f"Memory has grown: {self.memory}."),
                (self.mistakes, "\n".join(self.mistakes[:20])),
            )
            if is_wrong
        ]

    def __str__(self) -> str:
        did = self.counts
        before, after = (size / 1e6 for size in self.memory)
        return (
            f"{did.connections} connections, {did.at_once} at once, {did.refused} refused at once\n"
            f"the stream: {self.answers} answers, the longest after {self.longest:.3f} s; "
            f"{self.error or 'no error'}\n"
            f"/healthz within {self.well:.3f} s\n"
            f"files open: {self.files[0]} before, {self.files[1]} after\n"
            f"memory: {before:.1f} MB before, {after:.1f} MB after\n"
            f"log: {self.log_bytes / 1e6:.2f} MB, {self.log_lines} lines, {self.held_back} more "
            f"held back; {len(self.mistakes)} errors\n"
            f"no processor {len(self.stood_still)} times, {sum(self.stood_still):.1f} s in all; "
            f"here for up to {self.late:.2f} s"
        )


def gateway_with_a_log(simulated: str = SIMULATED) -> Gateway:
    """Start a gateway that writes its log into `LOG` in its directory."""
    return Gateway(simulated, twistd=("-n", "--logfile", LOG))


def watch(
    target: Target, clients: int, seconds: float, stay: float = LONGEST_STAY, ports: int = PORTS
) -> Outcome:
    """Let them come and go, in a program of their own, and look at the gateway meanwhile."""
    gateway = target.gateway
    first = target.port + 1
    orders = [gateway.control, clients, seconds, stay, *range(first, first + ports)]
    stream = Stream(target.port)
    stream.start()
    wait_until(lambda: stream.answers, "the stream answers")
    files, memory = target.descriptors(), target.resident()
    command = [sys.executable, "-m", "tests.system.churn", "--orders", json.dumps(orders)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as crowd:
        well = late = 0.0
        while crowd.poll() is None:
            began = time.monotonic()
            with contextlib.suppress(OSError):
                target.look()
            answered = time.monotonic()
            time.sleep(0.1)
            well = max(well, answered - began)
            late = max(late, time.monotonic() - answered - 0.1)
        assert crowd.stdout is not None
        counts = Counts(**json.loads(crowd.stdout.read()))
    # The one that is left is the stream; what half-closed ones have said goes out first.
    wait_until(lambda: gateway.api.status()["clients"] <= 1, "all are gone", 120)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: target.descriptors() <= files, "their files are closed")
    after = target.descriptors(), target.resident()
    stream.finish()
    gateway.stop()
    log = "".join(path.read_text() for path in Path(gateway.directory).glob(f"{LOG}*"))
    held_back = re.findall("… and ([0-9,]+) more like this", log)
    lines = log.splitlines()
    return Outcome(
        counts,
        *(stream.answers, stream.longest, stream.error, well, late),
        (files, after[0]),
        (memory, after[1]),
        *(len(log.encode()), len(lines)),
        sum(int(number.replace(",", "")) for number in held_back),
        [float(seconds) for seconds in re.findall(r"stood still for ([0-9.]+) s", log)],
        [line for line in lines if re.search(r"Traceback|#error\]|#critical\]", line)],
    )


def main() -> int:
    """Do it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--orders", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.orders:
        control, clients, seconds, stay, *ports = json.loads(arguments.orders)
        print(json.dumps(asdict(come_and_go(control, ports, clients, seconds, stay))))
        return 0
    gateway = gateway_with_a_log()
    try:
        outcome = watch(Target(gateway), arguments.clients, 60 * arguments.minutes)
    finally:
        gateway.stop()
    print(outcome)
    complaints = outcome.complaints()
    for complaint in complaints:
        print(complaint)
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
