"""``python -m tests.system.broker_away``: a gateway whose broker is away for long, under streams.

A client talks to a node by TCP all the while, and nobody may notice there. Nodes say something, of
which the broker hears what comes while it is there: the numbers tell what is missing. It is said
what memory the gateway had before and after.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.system.brokers import Mosquitto
from tests.system.forked import ZBGATE
from tests.system.support import Gateway, echo, free_ports, wait_until

_NUMBER = re.compile(r"nodes/([0-9a-f]{16})/rx .*\bn:(\d+)")


class Hearer(threading.Thread):
    """Somebody who subscribes to all bytes of all nodes.

    @ivar numbers: those of the packets of each node, as they came.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.numbers: dict[str, list[int]] = {}
        command = ["mosquitto_sub", "-V", "5", "-p", str(port), "-t", "zbtwist/+/nodes/+/rx"]
        self.process = subprocess.Popen(
            [*command, "-F", "%t %P"], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.start()

    def run(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = _NUMBER.search(line)
            if found:
                self.numbers.setdefault(found[1], []).append(int(found[2]))

    @property
    def count(self) -> int:
        return sum(map(len, self.numbers.values()))

    def missing(self) -> int:
        """Return how many numbers are left out between the first and the last of each node."""
        return sum(numbers[-1] - numbers[0] + 1 - len(numbers) for numbers in self.numbers.values())

    def is_in_order(self) -> bool:
        return all(numbers == sorted(set(numbers)) for numbers in self.numbers.values())


def memory_of(gateway: Gateway) -> float:
    """Return how much it has, in MB."""
    pages = int(Path(f"/proc/{gateway.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@dataclass
class Outcome:
    """
    @ivar lines: that went to a node and back meanwhile.
    @ivar slowest: seconds that one of them took at the most.
    @ivar heard: packets that were heard afterwards.
    @ivar missing: those between, which were not heard, by their numbers.
    @ivar is_in_order: of each node the numbers grow.
    @ivar memory: of the gateway, in MB: before, at the most, afterwards.
    """

    lines: int
    slowest: float
    heard: int
    missing: int
    is_in_order: bool
    memory: tuple[float, float, float]


def run(seconds: float, is_stopped: bool) -> Outcome:
    """
    @param is_stopped: the broker stands still, and is not gone.
    """
    directory = tempfile.mkdtemp(prefix="zbtwist-test-")
    broker = Mosquitto()
    broker.start()
    control = free_ports(30)
    config = Path(directory, "zbtwist.toml")
    config.write_text(
        'serial = "sim:nodes=20:kinds=echo+meter:nt=0.3:interval=0.5"\nstate = ":memory:"\n'
        f"control = {control}\nbase-port = {control + 1}\n"
        f'[mqtt]\nbroker = "tcp:127.0.0.1:{broker.port}"\nsite = "house"\nnodes = "stream"\n'
    )
    gateway = Gateway(None, "--config", str(config), program=ZBGATE, control=control)
    try:
        port = gateway.nodes(20)["ECHO"]["tcp_port"]
        hearer = Hearer(broker.port)
        wait_until(lambda: hearer.count > 100, "packets come")
        before = most = memory_of(gateway)
        if is_stopped:
            broker.tell(signal.SIGSTOP)
        else:
            broker.stop(signal.SIGKILL)
        until = time.monotonic() + seconds
        slowest, lines = 0.0, 0
        while time.monotonic() < until:
            began = time.monotonic()
            line = b"line %d\n" % lines
            assert echo(port, line) == line
            slowest = max(slowest, time.monotonic() - began)
            most = max(most, memory_of(gateway))
            lines += 1
            time.sleep(0.1)
        away = hearer.count
        if is_stopped:
            broker.tell(signal.SIGCONT)
        else:
            broker.start()
        wait_until(lambda: hearer.count > away + 100, "packets come again", 120)
        memory = before, most, memory_of(gateway)
        hearer.process.kill()
        heard = hearer.count - away
        return Outcome(lines, slowest, heard, hearer.missing(), hearer.is_in_order(), memory)
    finally:
        gateway.stop()
        broker.remove()
        shutil.rmtree(directory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.system.broker_away", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="(10)")
    parser.add_argument("--stopped", action="store_true", help="it stands still, and is not gone")
    given = parser.parse_args()
    print(run(60 * given.minutes, given.stopped))


if __name__ == "__main__":
    main()
