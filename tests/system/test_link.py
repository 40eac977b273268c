"""The link to the radio on real pseudoterminals, in real time: pulled and plugged in again under
load, at a rate that nobody told, taken by another program, forbidden.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pty
import pwd
import random
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import tty
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.clock import Clock
from tests.support import left_out, present
from tests.system.support import PATIENCE, Gateway, Program, wait_until
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.endpoints import SerialEndpoint
from zbtwist.radio.events import LinkDown, LinkUp
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.line_settings import LineSettings
from zbtwist.radio.service import RadioService
from zbtwist.runtime.event_bus import EventBus
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import EchoNode
from zbtwist.simulator.pseudoterminal import Pseudoterminal
from zbtwist.xbee.frames import ReceivePacket, TransmitStatus

# It is the same with every Python.
skip = left_out() or None

#: How often the port is pulled, in either API mode.
PULLS = 5
#: Packets that are under way to the node all the time, of so many bytes.
WINDOW = 4
PAYLOAD = bytes(range(64))

#: A program that has a port to itself until its input ends.
TAKE_PORT = """
import serial, sys
port = serial.Serial(sys.argv[1], exclusive=True)
print("open", flush=True)
sys.stdin.read()
"""

_SPEEDS = {
    getattr(termios, f"B{rate}"): rate
    for rate in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
}


class Load:
    """Sends to a node whenever it may, and notes when something arrived."""

    def __init__(self, coordinator: Coordinator, bus: EventBus, address64: Any) -> None:
        self._coordinator = coordinator
        self.address64 = address64
        self.delivered = 0
        self.echoed = 0
        self.facts: list[RadioInfo] = []
        self.downs: list[str] = []
        self._waiting: list[tuple[int, int, Deferred[None]]] = []
        bus.subscribe(LinkUp, self._link_up)
        bus.subscribe(LinkDown, lambda event: self.downs.append(event.reason))
        coordinator.subscribe(ReceivePacket, self.echo_received)

    def _link_up(self, event: LinkUp) -> None:
        self.facts.append(event.info)
        for _ in range(WINDOW):
            self._send()

    def echo_received(self, frame: ReceivePacket) -> None:
        self.echoed += 1
        self._look()

    def _send(self) -> None:
        if self._coordinator.facts is not None:
            sending = self._coordinator.transmit(self.address64, PAYLOAD)
            sending.addCallbacks(self._sent, lambda failure: None)

    def _sent(self, status: TransmitStatus) -> None:
        self.delivered += status.delivery_status == 0
        self._look()
        self._send()

    def more(self, packets: int = 10) -> Deferred[None]:
        """Fires when so many more were delivered, and so many came back."""
        flowing: Deferred[None] = Deferred()
        self._waiting.append((self.delivered + packets, self.echoed + packets, flowing))
        return flowing

    def _look(self) -> None:
        for waiting in list(self._waiting):
            delivered, echoed, flowing = waiting
            if self.delivered >= delivered and self.echoed >= echoed:
                self._waiting.remove(waiting)
                flowing.callback(None)


class LinkTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "ttyUSB0")
        self.port: Pseudoterminal | None = None

    def build(self, baud_rate: int | None = 115200, api_mode: int = 1, **settings: Any) -> None:
        self.network = SimulatedNetwork(self.reactor, api_mode=api_mode, discovery_time=0.5)
        self.addCleanup(self.network.stop)
        node = self.network.add_node(EchoNode(self.network, 0x0013A200_400A3E01, "E1"))
        bus = EventBus()
        self.coordinator = Coordinator(self.reactor, bus)
        self.load = Load(self.coordinator, bus, node.address64)
        self.service = RadioService(
            self.reactor,
            SerialEndpoint(self.reactor, self.path, LineSettings(baud_rate)),
            self.coordinator,
            bus,
            self.path,
            **settings,
        )
        self.addCleanup(self.unplug)
        self.addCleanup(self.service.stopService)

    def plug(self) -> None:
        self.port = Pseudoterminal(self.reactor, self.written, self.path)
        self.network.radio.serial_output = self.port.write

    def unplug(self) -> None:
        self.network.radio.serial_output = None
        if self.port is not None:
            self.port.close()
            self.port = None

    def written(self, data: bytes) -> None:
        self.network.radio.receive_bytes(data)

    def sleep(self, seconds: float) -> Deferred[None]:
        return deferLater(self.reactor, seconds)

    async def until(self, question: Callable[[], object]) -> None:
        while not question():
            await self.sleep(0.005)

    async def pull(self, api_mode: int) -> None:
        """For so short that half a frame is still in the radio, and for longer."""
        chance = random.Random(api_mode)
        self.build(api_mode=api_mode)
        self.plug()
        self.service.startService()
        await self.load.more()
        for _ in range(PULLS):
            await self.sleep(chance.uniform(0.01, 0.1))
            flowing = self.load.more()
            self.unplug()
            await self.sleep(chance.choice((0.01, 0.1, 0.4)))
            # The shortest may be over before the reactor has looked at the port.
            await self.until(lambda: self.coordinator.facts is None)
            self.assertFalse(flowing.called)
            self.plug()
            await self.load.more()
        self.assertEqual(len(self.load.facts), PULLS + 1)
        # Half a frame that comes while the radio is set up is said as well.
        self.assertGreaterEqual(len(self.load.downs), PULLS)

    async def test_pulled_under_load(self) -> None:
        await self.pull(api_mode=1)

    async def test_pulled_under_load_with_escapes(self) -> None:
        await self.pull(api_mode=2)

    async def test_rate_is_found(self) -> None:
        """The radio hears the port only at its own rate."""
        self.build(None)

        def written(data: bytes) -> None:
            assert self.port is not None
            rate = _SPEEDS[termios.tcgetattr(self.port.fileno())[5]]
            if rate == 57600:
                self.network.radio.receive_bytes(data)
            else:
                self.network.radio.receive_bytes(bytes(byte >> 1 for byte in data))

        self.written = written  # type: ignore[method-assign]
        self.plug()
        self.service.startService()
        await self.load.more()
        self.assertEqual(self.service.baud_rate, 57600)

    async def test_transparent_mode(self) -> None:
        self.build(api_mode=0, configure=True)
        self.plug()
        self.service.startService()
        await self.load.more()
        self.assertEqual(self.network.radio.api_mode, 1)
        self.assertEqual(self.network.radio.flash_writes, 0)

    async def test_taken_and_given_back(self) -> None:
        """Another program has the port: a sentence, and it is had as soon as it is free."""
        self.build()
        self.plug()
        other = subprocess.Popen(
            [
                sys.executable,
                "-c",
                TAKE_PORT,
                self.path,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert other.stdin is not None
        assert other.stdout is not None
        self.addCleanup(other.stdout.close)
        self.addCleanup(other.wait)
        self.addCleanup(other.stdin.close)
        self.assertEqual(other.stdout.readline(), b"open\n")
        before = self.coordinator.offline_reason
        self.service.startService()
        await self.until(lambda: self.coordinator.offline_reason != before)
        self.assertEqual(
            self.coordinator.offline_reason,
            f"{self.path} is in use by another program: stop it first "
            f"(fuser {self.path} tells which one it is).",
        )
        other.stdin.close()
        other.wait()
        await self.load.more()

    async def test_line_gets_stuck(self) -> None:
        """Nothing is taken off the port, as with CTS off: little waits, and it goes on later."""
        self.build()
        self.plug()
        self.service.startService()
        await self.load.more()
        assert self.port is not None
        self.port.pause()
        sending = [self.coordinator.transmit(self.load.address64, PAYLOAD) for _ in range(1000)]
        await self.sleep(0.1)
        transport = present(self.service.protocol).transport
        assert isinstance(transport, FileDescriptor)
        # A frame for each id, whatever the kernel has taken of them.
        self.assertLessEqual(waiting_bytes(transport), 255 * 100)
        self.port.resume()
        self.assertEqual({status.delivery_status for status in await gatherResults(sending)}, {0})


class ProgramTests(SynchronousTestCase):
    """The whole gateway as a program, a radio that is another, and clients behind real sockets."""

    def start_simulator(self) -> Program:
        simulator = Program(
            *("-m", "zbtwist.simulator", "--link", self.path),
            *("--nodes", "1", "--kinds", "echo", "--nt", "0.3"),
        )
        self.addCleanup(simulator.stop)
        simulator.wait_for("Ctrl-C")
        return simulator

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.addCleanup(client.close)
        return client

    def hear_echo(self, client: socket.socket) -> None:
        """Write something that nobody wrote before, and read it."""
        self.said += 1
        words = b"%d " % self.said
        client.sendall(words)
        heard = b""
        while len(heard) < len(words):
            data = client.recv(1000)
            self.assertTrue(data, "an orderly end")
            heard += data
        self.assertEqual(heard, words)

    def until_reset(self, client: socket.socket) -> None:
        """Go on until the end, which must be RST; nothing is to be read."""
        with self.assertRaises(ConnectionResetError):
            self.assertEqual(client.recv(1000), b"", "read from behind the hole")
            self.fail("an orderly end")

    def flow_again(self) -> None:
        """Connect until there is an echo. Who connects while the radio is set up is reset again."""
        while True:
            with contextlib.suppress(ConnectionResetError):
                self.hear_echo(self.connect())
                return

    def test_pulled_under_load(self) -> None:
        """Clients are reset, and data flows again soon after the return."""
        self.path = os.path.abspath(self.mktemp())
        self.said = 0
        simulator = self.start_simulator()
        gateway = Gateway(self.path)
        self.addCleanup(gateway.stop)
        (row,) = gateway.nodes(1).values()
        self.port = row["tcp_port"]
        for pull in range(3):
            client = self.connect()
            for _ in range(20):
                self.hear_echo(client)
            if pull < 2:
                simulator.process.send_signal(signal.SIGUSR1)
                wait_until(lambda: not os.path.lexists(self.path), "the radio is gone")
                # What is written meanwhile is kept, and does not come back on this connection.
                client.sendall(b"meanwhile ")
                simulator.process.send_signal(signal.SIGUSR1)
                wait_until(lambda: os.path.exists(self.path), "the radio is there")
            else:
                # A program that is killed leaves its link behind, and it may come to lead to the
                # pseudoterminal of the next program that makes one.
                os.remove(self.path)
                simulator.stop(signal.SIGKILL)
                client.sendall(b"meanwhile ")
                simulator = self.start_simulator()
            self.until_reset(client)
            self.flow_again()


def waiting_bytes(transport: FileDescriptor) -> int:
    """How much a transport of Twisted holds back."""
    return (
        len(transport.dataBuffer)
        - transport.offset
        + sum(len(data) for data in transport._tempDataBuffer)
    )


class ForbiddenTests(SynchronousTestCase):
    def test_real_device(self) -> None:
        """The kernel says no; the sentence names the group of the device."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        tty.setraw(master)
        path = os.ttyname(slave)
        # To its group, and not to its owner. Who is not root may give it to a group of his only.
        is_root = os.geteuid() == 0
        group = (
            next(one for one in grp.getgrall() if one.gr_gid not in (0, 65534))
            if is_root
            else grp.getgrgid(os.getgid())
        )
        os.chown(path, -1, group.gr_gid)
        os.chmod(path, 0o060)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        child = os.fork()
        if not child:
            # The superuser may open everything.
            try:
                with contextlib.suppress(PermissionError):
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                opening = SerialEndpoint(Clock(), path).connect(Factory.forProtocol(Protocol))
                os.write(writer, self.failureResultOf(opening).getErrorMessage().encode())
            finally:
                os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        user = pwd.getpwuid(65534 if is_root else os.geteuid()).pw_name
        name = group.gr_name
        advice = (
            f"{user} is in its group, {name}, so something else forbids it, such as DeviceAllow "
        )
        advice += "in a systemd unit or the limits of a container."
        if is_root:
            advice = f"it is for the group {name}, so say sudo usermod -aG {name} {user}, and log "
            advice += "in again."
        self.assertEqual(os.read(reader, 1000).decode(), f"This user may not open {path}: {advice}")
