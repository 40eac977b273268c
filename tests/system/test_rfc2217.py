"""Programs that speak RFC 2217 set a simulated node's serial line: pyserial, gensiot, and ser2net
with pyserial behind it; and pyserial's own tests of ports, where they can be had.

The gateway runs in this process, so that the node's line can be looked at; the others in theirs, or
in a thread.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import which
from typing import Any, TypeVar

import serial
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from tests.support import left_out, present
from tests.system.support import PATIENCE, free_ports, is_listening, wait_until
from zbtwist.app.gateway import Gateway
from zbtwist.binding.endpoint_wish import listen
from zbtwist.binding.modem_lines import modem_lines
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.settings import Settings
from zbtwist.runtime.com_port import SET_MODEMSTATE_MASK
from zbtwist.runtime.option import Context
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.nodes import EchoNode
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.registers import Value

T = TypeVar("T")

ADDRESS = 0x0013A200_400A3E77

#: Bytes that mean something to telnet, to a terminal, or to XON/XOFF.
BYTES = b"a\xffb\r\0\n\xff\xff\x11\x13\xff\xfa\x2c"

#: What of pyserial's tests does not pass, and why.
NOT_PASSED: Mapping[str, str] = {
    "test.Test_MoreTimeouts.test_WriteTimeout": "pyserial has no write_timeout with rfc2217://",
    "test.Test4_Nonblocking.test2_Loopback": "pyserial reads one byte at a time with timeout=0",
    "test.Test4_Nonblocking.test2_LoopbackTimeout": "the same",
    "test_advanced.Test_ChangeAttributes.test_BaudrateSetting": "a module has no 300 baud",
    "test_cancel.TestCancelRead.test_cancel_once": "pyserial has no cancel_read with rfc2217://",
    "test_cancel.TestCancelWrite.test_cancel_once": "the same, and 300 baud",
}

#: Runs pyserial's tests: their directory, the port, those that do not pass, and a file for what did
#: not. Some sleep for 50 ms and expect an answer then; on a busy computer they need another try.
RUN_TESTS = """
import json, os, sys, unittest
directory, port, expected, report = sys.argv[1:]
sys.path.insert(0, directory)
suite = unittest.TestSuite()
for name in sorted(os.listdir(directory)):
    if name.startswith("test") and name.endswith(".py"):
        module = __import__(name[:-3])
        module.PORT = port
        suite.addTest(unittest.findTestCases(module))
runner = unittest.TextTestRunner(verbosity=2)
result = runner.run(suite)
run = result.testsRun
failed = {test.id(): why for test, why in result.failures + result.errors}
for _ in range(9):
    again = [name for name in failed if name not in json.loads(expected)]
    if not again:
        break
    result = runner.run(unittest.defaultTestLoader.loadTestsFromNames(again))
    for name in again:
        del failed[name]
    failed.update((test.id(), why) for test, why in result.failures + result.errors)
with open(report, "w") as file:
    json.dump({"run": run, "failed": failed}, file)
"""


class Loopback(EchoNode):
    """What it says is what it hears, RTS is wired to CTS, and DTR to DSR."""

    LINES = "rts=D4,cts=D3,dtr=D2,dsr=D1"
    WIRES = (("D4", "D3"), ("D2", "D1"))

    def settings_changed(self, before: Mapping[str, Value]) -> None:
        super().settings_changed(before)
        for output, line in self.WIRES:
            self.set_input(line, self.is_high(output))


def needed(name: str) -> str:
    """Return where a program is."""
    path = which(name)
    if path is None:
        raise SkipTest(f"{name} is not installed")
    return path


def lines(port: Any) -> tuple[bool, ...]:
    """Return CTS, DSR, RI and DCD, as pyserial has them; nothing as long as it was not told, since
    ser2net passes on changes only.
    """
    try:
        return port.cts, port.dsr, port.ri, port.cd
    except serial.SerialException:
        return ()


class RFC2217Tests(TestCase):
    timeout = 150

    async def setUp(self) -> None:  # type: ignore[override]
        options = SimulatorOptions(kinds=("echo",), nodes=0, discovery_time=0.3)
        endpoint = SimulatorEndpoint(reactor, options)
        first = free_ports(5)
        lines = modem_lines(Loopback.LINES, Context(None, "/"))
        self.telnet_port, self.raw_port = first + 3, first + 4
        endpoints = (
            f"tcp:{self.telnet_port}:interface=127.0.0.1:protocol=telnet\n"
            f"tcp:{self.raw_port}:interface=127.0.0.1:protocol=raw"
        )
        port_settings = PortSettings(
            protocol="rfc2217", modem_lines=lines, listen=listen(endpoints, Context(reactor, "/"))
        )
        settings = Settings(
            serial="sim:", control=str(first), base_port=first + 1, port_settings=port_settings
        )
        self.gateway = Gateway(settings, reactor, endpoint)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.spare_port = first + 2
        pins = {"D1": 3, "D3": 3, "IC": 0b1010}
        await self.until(lambda: endpoint.network)
        network = present(endpoint.network)
        self.node = Loopback(network, ADDRESS, "LOOP", pins)
        network.add_node(self.node)
        self.addCleanup(network.stop)
        await self.until(lambda: is_listening(first + 1) and self.gateway.api.list_nodes())
        self.number = first + 1
        self.url = f"rfc2217://127.0.0.1:{self.number}"

    @staticmethod
    async def until(question: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not question():
            assert time.monotonic() < end
            await deferLater(reactor, 0.05)

    @property
    def line(self) -> str:
        """The node's line, as the simulator has it."""
        return str(self.node.uart)

    def blocking(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        return deferToThread(function, *arguments)

    def check_port(self, url: str) -> None:
        """Open a port with pyserial, set all of it, and look at the node's line each time."""
        with serial.serial_for_url(url, baudrate=19200, timeout=10) as port:
            seen = [self.line]
            for name, value in (
                ("baudrate", 57600),
                ("parity", "E"),
                ("stopbits", 2),
                ("parity", "O"),
                ("baudrate", 115200),
                ("stopbits", 1),
                ("parity", "N"),
            ):
                setattr(port, name, value)
                seen.append(self.line)
                port.write(BYTES)
                self.assertEqual(port.read(len(BYTES)), BYTES)
            port.rtscts = True
            flow = [self.node.registers.number(pin) for pin in ("D6", "D7")]
            port.rtscts = False
            # The mask that there is anyway; ser2net now and then forgets that of a new client.
            telnet: Any = port
            telnet.rfc2217_send_subnegotiation(bytes([SET_MODEMSTATE_MASK]), b"\xff")
            for is_on in (False, True):
                port.rts = is_on
                wait_until(lambda is_on=is_on: lines(port)[:1] == (is_on,), "CTS follows RTS")  # type: ignore[misc]
            self.assertEqual(lines(port), (True, True, False, True))
            port.send_break(0.01)
        expected = "19200 8N1, 57600 8N1, 57600 8E1, 57600 8E2, 57600 8O2, 115200 8O2, 115200 8O1"
        self.assertEqual(seen, [*expected.split(", "), "115200 8N1"])
        self.assertEqual(flow, [1, 1])

    async def test_pyserial(self) -> None:
        await self.blocking(self.check_port, self.url)
        self.assertEqual(self.node.uart.spoiled_bytes, 0)
        self.assertEqual(self.node.registers.flash_writes, 0)

    async def test_seven_bits_of_pyserial(self) -> None:
        """Each byte with its parity, as a meter reads it."""

        def say() -> bytes:
            with serial.serial_for_url(
                self.url, baudrate=2400, bytesize=7, parity="E", timeout=10
            ) as port:
                port.write(b"/?!\r\n")
                answer: bytes = port.read(5)
                return answer

        self.assertEqual(await self.blocking(say), b"/?!\r\n")
        self.assertEqual((self.line, bytes(self.node.heard)), ("2400 8N1", b"\xaf\x3f\x21\x8d\x0a"))

    async def test_gensiot(self) -> None:
        """It is told by keys, and says itself how the line is."""
        gensiot = needed("gensiot")

        def run() -> bytes:
            url = f"telnet(rfc2217=true),tcp,127.0.0.1,{self.number}"
            program = subprocess.Popen(
                [gensiot, "-e", "28", "-i", "stdio(self)", url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert program.stdin is not None
            # It takes the keys one by one, and says nothing of when it is ready for the next.
            for keys, line in (
                (b"hello\xffx", "9600 8N1"),
                (b"\x1cs57600\n", "57600 8N1"),
                (b"\x1ce", "57600 8E1"),
                (b"\x1c2", "57600 8E2"),
                (b"\x1cr", "57600 8E2"),
            ):
                program.stdin.write(keys)
                program.stdin.flush()
                wait_until(lambda line=line: self.line == line, f"{line} after {keys!r}")  # type: ignore[misc]
            wait_until(lambda: self.node.registers.number("D6") == 1, "RTS flow control")
            wait_until(lambda: len(self.node.heard) == 7, "its bytes")
            program.stdin.write(b"\x1cd")
            program.stdin.flush()
            time.sleep(1.0)
            program.stdin.write(b"\x1cq")
            return program.communicate(timeout=PATIENCE)[0]

        said = await self.blocking(run)
        self.assertIn(b"hello\xffx", said)
        self.assertIn(b"57600E82", said)

    async def test_telnet_and_raw(self) -> None:
        """Beside each other, at one node: all hear the same bytes, each as it speaks."""
        gensiot = needed("gensiot")
        await self.until(lambda: is_listening(self.telnet_port) and is_listening(self.raw_port))

        def run() -> tuple[bytes, bytes, bytes]:
            url = f"telnet(rfc2217=false),tcp,127.0.0.1,{self.telnet_port}"
            with (
                socket.create_connection(("127.0.0.1", self.raw_port), timeout=PATIENCE) as raw,
                serial.serial_for_url(self.url, baudrate=19200, timeout=PATIENCE) as port,
            ):
                program = subprocess.Popen(
                    [gensiot, "-i", "stdio(self)", url],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                assert program.stdin is not None and program.stdout is not None
                program.stdin.write(BYTES)
                program.stdin.flush()
                heard = program.stdout.read(len(BYTES)), port.read(len(BYTES))
                program.kill()
                program.communicate()
                return *heard, raw.recv(len(BYTES), socket.MSG_WAITALL)

        self.assertEqual(await self.blocking(run), (BYTES, BYTES, BYTES))

    async def test_ser2net(self) -> None:
        """What a client asks ser2net for it asks the gateway for."""
        ser2net = needed("ser2net")
        configuration = Path(tempfile.mkdtemp(prefix="zbtwist-test-")) / "ser2net.yaml"
        configuration.write_text(
            "connection: &node\n"
            f"  accepter: telnet(rfc2217),tcp,127.0.0.1,{self.spare_port}\n"
            f"  connector: telnet(rfc2217=true),tcp,127.0.0.1,{self.number}\n"
        )
        program = subprocess.Popen(
            [ser2net, "-d", "-u", "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # A connection would take it from the next one.
            listens = f":{self.spare_port:04X} 00000000:0000 0A"
            await self.until(lambda: listens in Path("/proc/net/tcp").read_text())
            await self.blocking(self.check_port, f"rfc2217://127.0.0.1:{self.spare_port}")
        finally:
            program.kill()
            program.wait()

    async def test_tests_of_pyserial(self) -> None:
        """They are in its source distribution only, which pip fetches."""
        if left_out():
            raise SkipTest(left_out())
        directory = Path(tempfile.mkdtemp(prefix="zbtwist-test-"))
        tests = await self.blocking(_fetch_tests, directory)
        report = directory / "report.json"
        run = await self.blocking(
            lambda: subprocess.run(
                [
                    *(sys.executable, "-W", "ignore", "-c", RUN_TESTS, tests, self.url),
                    *(json.dumps([*NOT_PASSED]), str(report)),
                ],
                capture_output=True,
                cwd=directory,
                text=True,
            )
        )
        self.assertTrue(report.exists(), run.stderr)
        found = json.loads(report.read_text())
        unexpected = {name: why for name, why in found["failed"].items() if name not in NOT_PASSED}
        self.assertEqual(unexpected, {})
        self.assertGreater(found["run"], 60)


def _fetch_tests(directory: Path) -> str:
    """Return where pyserial's tests are."""
    fetched = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"),
            *("--no-binary", ":all:", "--dest", str(directory), f"pyserial=={serial.__version__}"),
        ],
        capture_output=True,
        text=True,
    )
    archives = list(directory.glob("pyserial-*.tar.gz"))
    if not archives:
        raise SkipTest(f"pyserial's tests cannot be had: {fetched.stderr.strip()[-200:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(directory, filter="data")
    return str(next(directory.glob("pyserial-*/test")))
