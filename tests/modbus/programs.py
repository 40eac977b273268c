"""Other people's masters, pymodbus and mbpoll, against a strict slave on a node's pseudoterminal:
the real gateway, on the simulator, in a bad air. ``python -m tests.modbus.programs`` runs it for
long.
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.modbus.masters import Tally
from tests.modbus.slave import original
from tests.system.support import PATIENCE, Gateway, Program

#: Seconds that masters wait for an answer.
TIMEOUT = 10.0

MBPOLL = shutil.which("mbpoll")


class Plant:
    """A gateway with one node, and a slave on its line.

    @ivar gateway: the program.
    @ivar port: where the node is.
    """

    def __init__(self, protocol: str, baud: int, loss: float, *options: str) -> None:
        self.gateway = Gateway(
            f"sim:nodes=1:kinds=pty:nt=0.3:air=digi:loss={loss}:node_baud={baud}",
            *("--protocol", protocol),
            *options,
        )
        try:
            self.port = int(self.gateway.nodes(1)["PTY"]["tcp_port"])
            said = re.search(r"its serial line is (\S+)", self.gateway.output)
            assert said is not None, self.gateway.output
            path = said[1].rstrip(".")
            self.slave = Program("-m", "tests.modbus.pty_slave", path, str(baud))
            self.slave.wait_for("ready")
        except BaseException:
            self.gateway.stop()
            raise

    def stop(self) -> None:
        self.slave.stop()
        self.gateway.stop()


def pymodbus_client(port: int, is_tcp: bool) -> Any:
    """Return a connected client of pymodbus."""
    from pymodbus import FramerType
    from pymodbus.client import ModbusTcpClient

    framer = FramerType.SOCKET if is_tcp else FramerType.RTU
    client = ModbusTcpClient("127.0.0.1", port=port, framer=framer, timeout=TIMEOUT)
    assert client.connect()
    return client


def judge(tally: Tally, values: list[int] | None, expected: list[int], began: float) -> None:
    """Count what became of one question."""
    tally.asked += 1
    if values == expected:
        tally.right += 1
        tally.slowest = max(tally.slowest, time.monotonic() - began)
    elif values is None:
        tally.none += 1
    else:
        tally.wrong += 1


def poll(
    port: int,
    is_tcp: bool,
    count: int,
    question: Callable[[int], tuple[int, int, int]],
    interval: float = 0.0,
) -> Tally:
    """Ask with pymodbus.

    @param question: returns unit, register and count.
    @param interval: seconds between two questions.
    """
    from pymodbus.exceptions import ModbusException

    client, tally = pymodbus_client(port, is_tcp), Tally()
    due = time.monotonic()
    for number in range(count):
        unit, register, size = question(number)
        began = time.monotonic()
        try:
            answer = client.read_holding_registers(register, count=size, device_id=unit)
            values = None if answer.isError() else list(answer.registers)
        except ModbusException:
            values = None
        expected = [original(unit, register + at) for at in range(size)]
        judge(tally, values, expected, began)
        due += interval
        time.sleep(max(0.0, due - time.monotonic()))
    client.close()
    return tally


def write_and_read(port: int, is_tcp: bool, sizes: list[int]) -> Tally:
    """Write so many registers at once, with pymodbus, and read them again."""
    client, tally = pymodbus_client(port, is_tcp), Tally()
    for size in sizes:
        began = time.monotonic()
        values = [size * 100 + at for at in range(size)]
        written = client.write_registers(1000, values, device_id=9)
        answer = client.read_holding_registers(1000, count=size, device_id=9)
        said = None if written.isError() or answer.isError() else list(answer.registers)
        judge(tally, said, values, began)
    client.close()
    return tally


def two_pollers(port: int, is_tcp: bool, count: int) -> list[Tally]:
    """Two masters at once, every 0.2 s and 0.23 s, for as many other registers of one slave."""
    tallies: list[Tally] = []

    def run(first: int, interval: float) -> None:
        tallies.append(poll(port, is_tcp, count, lambda n: (1, first + 2 * n, 10), interval))

    threads = [
        threading.Thread(target=run, args=arguments) for arguments in ((0, 0.2), (20_000, 0.23))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tallies


def mbpoll(port: int, count: int) -> Tally:
    """Ask with mbpoll, which speaks Modbus TCP: 1 to 125 registers."""
    tally = Tally()
    for number in range(count):
        register, size = 3 * number, 1 + number * 37 % 125
        began = time.monotonic()
        asked = (*("-m", "tcp", "-p", str(port), "-a", "5", "-0", "-r", str(register)), "-c")
        run = subprocess.run(
            [str(MBPOLL), *asked, str(size), "-1", "-o", "10", "127.0.0.1"],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
        )
        said = [int(value) for value in re.findall(r"^\[\d+\]:\s+(\d+)", run.stdout, re.MULTILINE)]
        expected = [original(5, register + at) for at in range(size)]
        judge(tally, said or None, expected, began)
    return tally


def torn_request(port: int, count: int) -> Tally:
    """Send RTU requests in eight pieces, a byte each but for the last."""
    from tests.modbus.masters import read
    from tests.modbus.slave import crc

    tally = Tally()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count):
            request, answer = (one + crc(one) for one in read(1, number, 10))
            began = time.monotonic()
            for at in range(7):
                connection.sendall(request[at : at + 1])
                time.sleep(0.01)
            connection.sendall(request[7:])
            heard = b""
            while len(heard) < len(answer):
                heard += connection.recv(1000)
            judge(tally, list(heard), list(answer), began)
    return tally


class Chatterer:
    """A client of a Unix socket that says something now and then, which nobody answers.

    @ivar said: how often it has.
    """

    def __init__(self, path: str, interval: float) -> None:
        """
        @param interval: seconds.
        """
        self.said = 0
        self._interval = interval
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(self._interval):
            self._socket.sendall(b"!")
            self.said += 1

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._socket.close()


def beside_a_chatterer(protocol: str, baud: int, interval: float, count: int) -> Tally:
    """Ask beside a client of the node's that speaks another protocol, takes turns, and is never
    answered.
    """
    with tempfile.TemporaryDirectory() as directory:
        other = ("--listen", f"unix:{directory}/{{address}}:protocol=raw")
        plant = Plant(protocol, baud, 0.0, "--turns", "reply", *other)
        try:
            # Beside it is the lock of the endpoint.
            (path,) = (str(path) for path in Path(directory).iterdir() if path.is_socket())
            chatterer = Chatterer(path, interval)
            try:
                return poll(plant.port, protocol == "modbus-tcp", count, lambda n: (1, n, 10))
            finally:
                chatterer.stop()
        finally:
            plant.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.modbus.programs", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="reads of each (1000)")
    parser.add_argument("--baud", type=int, default=9600, help="of the slave's line (9600)")
    parser.add_argument("--loss", type=float, default=0.2, help="of each try in the air (0.2)")
    arguments = parser.parse_args()
    count = arguments.count
    for protocol in ("modbus-rtu", "modbus-tcp"):
        is_tcp = protocol == "modbus-tcp"
        plant = Plant(protocol, arguments.baud, arguments.loss)
        try:
            reads = poll(plant.port, is_tcp, count, lambda n: (1 + n % 3, 7 * n, 1 + n * 37 % 125))
            print(f"pymodbus, {protocol}, 1 to 125 registers: {reads}", flush=True)
            for tally in two_pollers(plant.port, is_tcp, count // 2):
                print(f"one of two, pymodbus, {protocol}: {tally}", flush=True)
            wrote = write_and_read(plant.port, is_tcp, list(range(1, 38)))
            print(f"pymodbus, {protocol}, writes of 1 to 37 registers: {wrote}", flush=True)
            if is_tcp and MBPOLL:
                print(f"mbpoll, 1 to 125 registers: {mbpoll(plant.port, count // 5)}", flush=True)
            if not is_tcp:
                torn = torn_request(plant.port, 100)
                print(f"requests in 8 pieces: {torn}", flush=True)
        finally:
            plant.stop()
    for protocol, interval in (("modbus-rtu", 0.4), ("modbus-tcp", 3.0)):
        beside = beside_a_chatterer(protocol, arguments.baud, interval, min(50, count))
        print(f"{protocol}, beside a client that writes every {interval:g} s: {beside}", flush=True)
    # In pieces, as far as the slave's line is slow enough.
    plant = Plant("modbus-tcp", 9600, 0.0)
    try:
        wrote = write_and_read(plant.port, True, list(range(38, 124)))
        print(f"pymodbus, 9600 baud, nothing lost, writes of 38 to 123 registers: {wrote}")
    finally:
        plant.stop()


if __name__ == "__main__":
    main()
