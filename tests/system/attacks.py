"""What strangers do to a gateway, beside a stream that is watched: each attack is a function.

By hand, for as long as you like: ``python -m tests.system.attacks churn 600``; without a name, all
of them. What is said at the end is the longest wait of the stream, and how the memory has grown.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

from tests.system.support import Gateway, wait_until

#: A network of so many nodes that lists of it are long, of which one is the watched one.
SIMULATED = "sim:nodes=300:kinds=echo:nt=0.3:interval=0"
NODES = 300

FORM = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n"
    b"RELAY ON\r\n"
)

_CALL = (
    "<value><struct><member><name>methodName</name><value>list</value></member></struct></value>"
)
MULTICALL = (
    "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>"
    f"{_CALL * 100}</data></array></value></param></params></methodCall>"
).encode()


class Stream(threading.Thread):
    """A client of an echo node, which looks at every byte.

    @ivar longest: seconds that an answer took at the most.
    @ivar error: what was wrong; empty if nothing was.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._goes_on = True
        self.longest = 0.0
        self.answers = 0
        self.error = ""

    def run(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=30) as client:
                while self._goes_on:
                    self._ask(client, b"question %d\n" % self.answers)
                    time.sleep(0.01)
        except (OSError, AssertionError) as error:
            self.error = f"{type(error).__name__}: {error}"

    def _ask(self, client: socket.socket, question: bytes) -> None:
        began = time.monotonic()
        client.sendall(question)
        answer = b""
        while len(answer) < len(question):
            piece = client.recv(1000)
            assert piece, "the stream ended"
            answer += piece
        assert answer == question, f"{question!r} became {answer!r}"
        self.longest = max(self.longest, time.monotonic() - began)
        self.answers += 1

    def finish(self) -> None:
        """End it."""
        self._goes_on = False
        self.join(40)


class Target:
    """A gateway, and what can be done to it."""

    def __init__(self, gateway: Gateway, nodes: int = NODES) -> None:
        """
        @param nodes: how many nodes its network has.
        """
        self.gateway = gateway
        self._nodes = nodes
        self.port = wait_until(self._ready, "all nodes with ports", 60)
        self._open: list[socket.socket] = []

    def _ready(self) -> int | None:
        with contextlib.suppress(OSError):
            rows = self.gateway.api.list()
            if len(rows) == self._nodes and all(row["tcp_port"] and row["label"] for row in rows):
                return int(rows[0]["tcp_port"])
        return None

    def connect(self, port: int = 0, data: bytes = b"") -> socket.socket:
        """Open a connection, to the control port if no other is named, and keep it open."""
        client = socket.create_connection(("127.0.0.1", port or self.gateway.control), timeout=5)
        client.setblocking(False)
        self._open.append(client)
        if data:
            with contextlib.suppress(OSError):
                client.send(data)
        return client

    def close_all(self) -> None:
        """Close what is open."""
        for client in self._open:
            client.close()
        self._open.clear()

    def look(self) -> float:
        """Ask whether the gateway is well, as whoever watches over it; return how long it took."""
        began = time.monotonic()
        with urlopen(f"http://127.0.0.1:{self.gateway.control}/healthz", timeout=10) as answer:
            assert answer.status == 200
        return time.monotonic() - began

    def resident(self) -> int:
        """Bytes of memory that the program has now; 0 if that cannot be told."""
        status = Path(f"/proc/{self.gateway.process.pid}/status")
        if not status.exists():
            return 0
        (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def descriptors(self) -> int:
        """How many files the program has open; 0 if that cannot be told."""
        folder = Path(f"/proc/{self.gateway.process.pid}/fd")
        return len([*folder.iterdir()]) if folder.exists() else 0


def request(body: bytes, path: str = "/RPC2") -> bytes:
    """Return a whole request that brings a call."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def hold(target: Target, seconds: float) -> None:
    """Connections that say nothing."""
    for _ in range(300):
        target.connect()
    time.sleep(seconds)


def slow_heads(target: Target, seconds: float) -> None:
    """A byte of a head now and then."""
    clients = [target.connect(data=b"GET / HTTP/1.1\r\n") for _ in range(200)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients:
            with contextlib.suppress(OSError):
                client.send(b"X")
        time.sleep(0.1)


def multicalls(target: Target, seconds: float) -> None:
    """Long lists, a hundred at a time, for clients that read nothing."""
    for _ in range(30):
        target.connect(data=request(MULTICALL))
    time.sleep(seconds)


def pipelines(target: Target, seconds: float) -> None:
    """As many requests as fit into a socket, of clients that read nothing."""
    data = request(b"<methodCall><methodName>list</methodName></methodCall>") * 1000
    data += b"GET /metrics HTTP/1.1\r\n\r\n" * 1000
    for _ in range(60):
        target.connect(data=data)
    time.sleep(seconds)


def forms(target: Target, seconds: float) -> None:
    """What web pages send, to a node."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        target.connect(target.port + 1, FORM).close()
        target.connect(target.port + 1, FORM[:6]).close()
        time.sleep(0.005)


def resets(target: Target, seconds: float) -> None:
    """A byte for the watched node, and a reset, again and again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client = target.connect(target.port + 1, b"\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        time.sleep(0.002)


def churn(target: Target, seconds: float) -> None:
    """A thousand clients that come and go at random, on other ports than the watched one."""
    chance = random.Random(14)
    clients: list[socket.socket] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        port = chance.choice([0, *range(target.port + 1, target.port + 17)])
        # All nodes share the air, so that only one of them has something to get.
        data = chance.choice([b"", b"\n", FORM] if port == target.port + 1 else [b"", FORM])
        with contextlib.suppress(OSError):
            clients.append(target.connect(port, data))
        if len(clients) > chance.randrange(1000):
            client = clients.pop(chance.randrange(len(clients)))
            if chance.random() < 0.5:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            target._open.remove(client)
        if chance.random() < 0.3:
            time.sleep(0.002)


ATTACKS: tuple[Callable[[Target, float], None], ...] = (
    *(hold, slow_heads, multicalls, pipelines),
    *(forms, resets, churn),
)


def run(
    target: Target, attacks: tuple[Callable[[Target, float], None], ...], seconds: float
) -> Iterator[tuple[str, Stream, float]]:
    """Do one after the other, and watch a stream meanwhile.

    @return: for each attack its name, the stream, and how long it took to be told that the gateway
        is well, seconds.
    """
    for attack in attacks:
        stream = Stream(target.port)
        stream.start()
        doing = threading.Thread(target=attack, args=(target, seconds), daemon=True)
        doing.start()
        longest = 0.0
        while doing.is_alive():
            longest = max(longest, target.look())
            time.sleep(0.1)
        stream.finish()
        target.close_all()
        yield attack.__name__, stream, longest


def main() -> None:
    """Attack a gateway of its own."""
    names = {attack.__name__: attack for attack in ATTACKS}
    chosen = tuple(names[word] for word in sys.argv[1:] if word in names) or ATTACKS
    seconds = next((float(word) for word in sys.argv[1:] if word not in names), 5.0)
    gateway = Gateway(SIMULATED)
    try:
        target = Target(gateway)
        for name, stream, answered in run(target, chosen, seconds):
            print(
                f"{name}: {stream.answers} answers, the longest after {stream.longest:.2f} s; "
                f"/healthz within {answered:.2f} s; {target.resident() / 1e6:.0f} MB, "
                f"{target.descriptors()} files open; {stream.error or 'no error'}",
                flush=True,
            )
        print(
            f"{len(gateway.output)} characters of log, tracebacks:", "Traceback" in gateway.output
        )
    finally:
        gateway.stop()


if __name__ == "__main__":
    main()
