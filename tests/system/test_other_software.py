"""Other people's XBee software against the simulator, through a real pseudoterminal.

The simulator is the real program in a process of its own, and so is the other software, as it
blocks or has an event loop of its own. The scripts below print what they saw, a line for each.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sys
import tempfile
import termios
import textwrap
from collections.abc import Callable
from pathlib import Path

from twisted.internet import defer, error, protocol, reactor, task
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.clock import Clock
from tests.simulator.support import widen
from tests.support import left_out
from zbtwist.simulator.meter import PACKET_SIZE, parse_packet
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import PtyNode
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.pseudoterminal import LinkError, Pseudoterminal
from zbtwist.simulator.zdo import neighbours_of, routes_of
from zbtwist.xbee.address import Address64
from zbtwist.xbee.frames import ATCommand, ATCommandResponse, Frame, ReceivePacket, parse_frame
from zbtwist.xbee.framing import decoder_for, encode

# It is the same with every Python.
skip = left_out() or None

_ROOT = str(Path(__file__).resolve().parents[2])

#: No program here takes longer than this, in seconds, or it hangs.
_PATIENCE = 30.0


class _Program(protocol.ProcessProtocol):
    """A child process: its output, and how it ended."""

    def __init__(self, *arguments: str) -> None:
        self.output = b""
        self.errors = b""
        self.ended: defer.Deferred[int | None] = defer.Deferred()
        self._waiting: list[tuple[bytes, defer.Deferred[None]]] = []
        self._transport = reactor.spawnProcess(
            self,
            sys.executable,
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": _ROOT, "PYTHONUNBUFFERED": "1"},
        )

    def said(self, text: bytes) -> defer.Deferred[None]:
        """Fires when the program has said `text`."""
        said: defer.Deferred[None] = defer.Deferred()
        self._waiting.append((text, said))
        self.outReceived(b"")
        return said.addTimeout(_PATIENCE, reactor)

    def outReceived(self, data: bytes) -> None:
        self.output += data
        for text, said in list(self._waiting):
            if text in self.output:
                self._waiting.remove((text, said))
                said.callback(None)

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for _, said in waiting:
            said.errback(RuntimeError(self.errors.decode()))
        self.ended.callback(getattr(reason.value, "exitCode", None))

    def signal(self, name: str) -> None:
        self._transport.signalProcess(name)

    async def end(self) -> None:
        """Kill it, if it still runs."""
        try:
            self.signal("KILL")
        except error.ProcessExitedAlready:
            return
        if not self.ended.called:
            await self.ended


class SimulatorTestCase(TestCase):
    timeout = 60

    async def simulate(self, *arguments: str) -> _Program:
        """Start the simulator with its radio at `self.link`."""
        self.link = os.path.abspath(self.mktemp())
        program = _Program(
            "-m", "zbtwist.simulator", "--link", self.link, "--nt", "0.4", *arguments
        )
        self.addCleanup(lambda: defer.ensureDeferred(program.end()))
        await program.said(b"Ctrl-C")
        return program

    async def run_script(self, script: str, *arguments: str) -> list[str]:
        """Run a Python script with `self.link` as first argument; return the lines it prints."""
        path = self.mktemp()
        Path(path).write_text(textwrap.dedent(script))
        program = _Program(path, self.link, *arguments)
        self.addCleanup(lambda: defer.ensureDeferred(program.end()))
        code = await program.ended.addTimeout(_PATIENCE, reactor)
        self.assertEqual((code, program.errors.decode()), (0, ""))
        return program.output.decode().splitlines()


def needs(module: str) -> Callable[[type[TestCase]], type[TestCase]]:
    """Skip a test where a module of the other software is not installed."""
    try:
        __import__(module)
    except ImportError as missing:
        reason = f"{module} cannot be imported: {missing}"

        def skip(test: type[TestCase]) -> type[TestCase]:
            test.skip = reason
            return test

        return skip
    return lambda test: test


@needs("digi.xbee.devices")
class DigiXBeeTests(SimulatorTestCase):
    """Digi's own library."""

    SESSION = """
        import queue, sys, time
        from digi.xbee.devices import ZigBeeDevice

        device = ZigBeeDevice(sys.argv[1], 9600)
        device.open()
        print(device.get_protocol().description, device.operating_mode.name)
        print(device.get_64bit_addr(), device.get_16bit_addr(), device.get_node_id())
        print(device.get_role().description, device.get_ai_status().name)
        network = device.get_network()
        network.start_discovery_process()
        while network.is_discovery_running():
            time.sleep(0.02)
        print(sorted(str(node) for node in network.get_devices()))
        echo = network.discover_device("ECHO")

        received = queue.Queue()
        device.add_data_received_callback(
            lambda message: received.put((str(message.remote_device), bytes(message.data)))
        )
        sent = bytes(range(0x70, 0x84)) + b"\\x11\\x13\\x7d\\x7e"
        print(device.send_data(echo, sent).transmit_status.name)
        print(received.get(timeout=20) == (str(echo), sent))

        echo.set_parameter("NI", bytearray(b"RENAMED"))
        echo.read_device_info()
        print(bytes(echo.get_parameter("NI")), echo.get_node_id())
        echo.set_parameter("D1", bytearray(b"\\x05"))
        print(bytes(echo.get_parameter("D1")), echo.read_io_sample())
        sensor = network.get_device_by_node_id("SENSOR")
        sensor.read_device_info()
        # An S2 has no CE, by which the library tells a role.
        print(sensor.get_protocol().description, echo.get_role().description)
        print(sensor.read_io_sample().has_analog_values())
        device.reset()
        device.close()

        device.open()
        print(device.get_node_id())
        device.close()
    """

    async def session(self, api_mode: int, name: str) -> None:
        # The meter says nothing by itself: it might come before the echo.
        await self.simulate("--api-mode", str(api_mode), "--interval", "0")
        self.assertEqual(
            await self.run_script(self.SESSION),
            [
                f"Zigbee {name}",
                "0013A200415B1A00 0000 COORDINATOR",
                "Coordinator SUCCESSFULLY_JOINED",
                str([f"0013A200400A3E0{n}" for n in ("1 - METER", "2 - SENSOR", "3 - ECHO")]),
                "SUCCESS",
                "True",
                "b'RENAMED' RENAMED",
                "b'\\x05' {[IOLine.DIO1_AD1: IOValue.HIGH]}",
                "Zigbee Router",
                "True",
                "COORDINATOR",
            ],
        )

    async def test_api_mode_1(self) -> None:
        await self.session(1, "API_MODE")

    async def test_api_mode_2(self) -> None:
        await self.session(2, "ESCAPED_API_MODE")

    NEIGHBOURS = """
        import sys
        from digi.xbee.devices import RemoteZigBeeDevice, ZigBeeDevice
        from digi.xbee.models.address import XBee64BitAddress

        device = ZigBeeDevice(sys.argv[1], 9600)
        device.open()
        address = XBee64BitAddress.from_hex_string("0013A200400A3E02")
        for module in device, RemoteZigBeeDevice(device, address):
            for one in sorted(module.get_neighbors(), key=str):
                print(one.node.get_64bit_addr(), one.relationship.id, one.lq)
            for one in module.get_routes():
                print(one.destination, one.next_hop, one.status.id)
        device.close()
    """

    async def test_neighbours(self) -> None:
        """What it asks ZDO for is what the simulated modules know: see `zbtwist.simulator.zdo`."""
        await self.simulate("--nodes", "5", "--kinds", "echo", "--hops", "1+2")
        network = SimulatorOptions(kinds=("echo",), nodes=5, hops=(1, 2)).build(Clock())
        self.addCleanup(network.stop)
        expected: list[str] = []
        for module in (network.radio, network.nodes[Address64(0x0013A200_400A3E02)]):
            expected += sorted(
                f"{one.address64:016X} {one.relationship} {one.lqi}"
                for one in neighbours_of(module, network)
            )
            expected += [
                f"{one.destination:04X} {one.next_hop:04X} {one.state}"
                for one in routes_of(module, network)
            ]
        self.assertEqual(await self.run_script(self.NEIGHBOURS), expected)

    async def test_transparent_mode_is_recognized(self) -> None:
        """`open` finds out with +++ that the radio is in transparent mode, and says so."""
        await self.simulate("--api-mode", "0")
        lines = await self.run_script("""
            import sys
            from digi.xbee.devices import ZigBeeDevice
            from digi.xbee.exception import InvalidOperatingModeException

            device = ZigBeeDevice(sys.argv[1], 9600)
            device.set_sync_ops_timeout(0.2)
            try:
                device.open()
            except InvalidOperatingModeException as refusal:
                print(refusal)
        """)
        self.assertEqual(lines, ["Unsupported operating mode: AT mode (0)"])

    async def test_out_of_transparent_mode(self) -> None:
        """Its own way into command mode works, and what is set there lasts."""
        await self.simulate("--api-mode", "0")
        lines = await self.run_script("""
            import sys
            from digi.xbee.devices import ZigBeeDevice
            from digi.xbee.recovery import enter_at_command_mode

            device = ZigBeeDevice(sys.argv[1], 9600)
            port = device.serial_port
            port.open()
            print(enter_at_command_mode(port))
            for command in (b"ATAP2\\r", b"ATCN\\r"):
                port.write(command)
                print(port.read(3))
            port.close()
            device.open()
            print(device.operating_mode.name, device.get_node_id())
            device.close()
        """)
        self.assertEqual(lines, ["True", "b'OK\\r'", "b'OK\\r'", "ESCAPED_API_MODE COORDINATOR"])


@needs("zigpy_xbee.api")
class ZigpyXBeeTests(SimulatorTestCase):
    """zigpy's driver: it wants AP=2, and brings the radio there from any mode."""

    async def probe(self, api_mode: int) -> None:
        await self.simulate("--api-mode", str(api_mode))
        lines = await self.run_script("""
            import asyncio, sys
            from zigpy_xbee import api

            # It waits so long for an answer that a radio in transparent mode cannot give.
            api.AT_COMMAND_TIMEOUT = 0.3

            async def main():
                radio = api.XBee({"path": sys.argv[1], "baudrate": 9600})
                await radio.connect()
                api.AT_COMMAND_TIMEOUT = 20
                print(await radio._at_command("AP"), hex(await radio._at_command("SL")))
                meter = api.xbee_t.EUI64.convert("00:13:a2:00:40:0a:3e:01")
                print(hex(await radio._remote_at_command(meter, 0xFFFE, 2, "DD")))
                await radio.disconnect()

            import logging
            logging.disable()
            asyncio.run(main())
        """)
        self.assertEqual(lines, ["2 0x415b1a00", "0x30005"])

    async def test_from_transparent_mode(self) -> None:
        await self.probe(0)

    async def test_from_api_mode_1(self) -> None:
        await self.probe(1)

    async def test_from_api_mode_2(self) -> None:
        await self.probe(2)


class CommandLineTests(SimulatorTestCase):
    """The simulator as a program."""

    async def test_says_what_is_there(self) -> None:
        program = await self.simulate("--nodes", "4")
        output = program.output.decode()
        self.assertIn(f"API mode 1 is at {self.link}", output)
        for line in (
            "METER        00:13:a2:00:40:0a:3e:01  RS-232 adapter",
            "SENSOR       00:13:a2:00:40:0a:3e:02  wall router",
            "ECHO         00:13:a2:00:40:0a:3e:03  RS-232 adapter",
            "METER2       00:13:a2:00:40:0a:3e:04  RS-232 adapter",
            f"--serial {self.link}",
        ):
            self.assertIn(line, output)

    async def test_ends_on_signals(self) -> None:
        for name in ("INT", "TERM"):
            program = await self.simulate()
            self.assertTrue(os.path.islink(self.link))
            program.signal(name)
            self.assertEqual(await program.ended, 0)
            self.assertFalse(os.path.lexists(self.link))
            self.assertEqual(program.errors, b"")

    async def test_wrong_options(self) -> None:
        for arguments, sentence in (
            (("--nodes", "x"), "zbtwist.simulator: nodes is a whole number, not 'x'\n"),
            (("--link", _ROOT), f"zbtwist.simulator: {_ROOT} exists and is no link"),
            (("--link", "/nowhere/x"), "zbtwist.simulator: [Errno 2] No such file or directory"),
        ):
            program = _Program("-m", "zbtwist.simulator", *arguments)
            self.assertEqual(await program.ended, 1)
            self.assertTrue(program.errors.decode().startswith(sentence), program.errors)
            self.assertEqual(program.output, b"")

    async def test_replaces_a_stale_link(self) -> None:
        program = await self.simulate()
        program.signal("KILL")
        await program.ended
        self.assertTrue(os.path.islink(self.link))
        again = _Program("-m", "zbtwist.simulator", "--link", self.link)
        self.addCleanup(lambda: defer.ensureDeferred(again.end()))
        await again.said(b"Ctrl-C")
        self.assertTrue(os.path.exists(self.link))


class PseudoterminalTestCase(TestCase):
    """A pseudoterminal in this process; the program that opens it is the test."""

    timeout = 60

    def open(self, path: str) -> int:
        device = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.addCleanup(self.close, device)
        return device

    def close(self, device: int) -> None:
        try:
            os.close(device)
        except OSError as reason:
            self.assertEqual(reason.errno, errno.EBADF)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the reactor run until a condition holds."""
        while not condition():
            await task.deferLater(reactor, 0.005)

    async def read(self, device: int, size: int) -> bytes:
        """Read just so many bytes."""
        data = b""

        def more() -> bool:
            nonlocal data
            with contextlib.suppress(BlockingIOError):
                data += os.read(device, size - len(data))
            return len(data) == size

        await self.until(more)
        return data

    def read_now(self, device: int) -> bytes:
        try:
            return os.read(device, 0x10000)
        except BlockingIOError:
            return b""


class PseudoterminalTests(PseudoterminalTestCase):
    def setUp(self) -> None:
        self.received = b""
        self.openings = 0

    def make(self, link: str | None = None) -> Pseudoterminal:
        terminal = Pseudoterminal(reactor, self._receive, link, self._open)
        self.addCleanup(terminal.close)
        return terminal

    def _receive(self, data: bytes) -> None:
        self.received += data

    def _open(self) -> None:
        self.openings += 1

    async def test_both_ways(self) -> None:
        """All 256 values pass unchanged: the line is raw."""
        terminal = self.make()
        data = bytes(range(256))
        device = self.open(terminal.path)
        os.write(device, data)
        await self.until(lambda: self.received == data)
        terminal.write(data)
        self.assertEqual(await self.read(device, 256), data)

    async def test_again_and_again(self) -> None:
        terminal = self.make()
        for number in range(1, 6):
            device = self.open(terminal.path)
            await self.until(lambda: terminal.is_open)
            terminal.write(b"%d" % number)
            self.assertEqual(await self.read(device, 1), b"%d" % number)
            # Written just before the close, and not lost.
            os.write(device, b"%d" % number)
            os.close(device)
            await self.until(lambda: not terminal.is_open)
            self.assertEqual(self.openings, number)
        self.assertEqual(self.received, b"12345")

    async def test_nothing_stale(self) -> None:
        """What nobody read, and what was said to nobody, the next program does not see."""
        terminal = self.make()
        terminal.write(b"to nobody")
        device = self.open(terminal.path)
        await self.until(lambda: terminal.is_open)
        terminal.write(b"unread")
        os.close(device)
        await self.until(lambda: not terminal.is_open)
        terminal.write(b"to nobody")
        await task.deferLater(reactor, 0.1)
        device = self.open(terminal.path)
        await self.until(lambda: terminal.is_open)
        self.assertEqual(self.read_now(device), b"")
        terminal.write(b"fresh")
        self.assertEqual(await self.read(device, 5), b"fresh")

    async def test_backlog_is_bounded(self) -> None:
        terminal = self.make()
        device = self.open(terminal.path)
        await self.until(lambda: terminal.is_open)
        for _ in range(100):
            terminal.write(bytes(0x1000))
        total = 0

        def drained() -> bool:
            nonlocal total
            size = len(self.read_now(device))
            total += size
            return size == 0 and not terminal.waiting_bytes

        await self.until(drained)
        self.assertTrue(0x10000 <= total < 0x30000, total)

    async def test_pause(self) -> None:
        terminal = self.make()
        device = self.open(terminal.path)
        await self.until(lambda: terminal.is_open)
        terminal.pause()
        os.write(device, b"later")
        await task.deferLater(reactor, 0.05)
        self.assertEqual(self.received, b"")
        terminal.resume()
        await self.until(lambda: self.received == b"later")

    async def test_idle_costs_nothing(self) -> None:
        """While nobody has it open, the reactor is not kept busy."""
        terminal = self.make()
        device = self.open(terminal.path)
        await self.until(lambda: terminal.is_open)
        os.close(device)
        await self.until(lambda: not terminal.is_open)
        before = os.times()
        await task.deferLater(reactor, 0.4)
        after = os.times()
        busy = after.user + after.system - before.user - before.system
        self.assertLess(busy, 0.2)

    async def test_exclusive_program(self) -> None:
        """A program that had the device to itself does not lock out the next one.

        The kernel goes on refusing all but the superuser, so the test gives that up for a while.
        """
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        if os.geteuid() == 0:
            os.chmod(directory, 0o777)
            self.addCleanup(os.seteuid, 0)
            os.seteuid(65534)
        link = os.path.join(directory, "line")
        terminal = self.make(link)
        for _ in range(2):
            device = self.open(link)
            fcntl.ioctl(device, termios.TIOCEXCL)
            await self.until(lambda: terminal.is_open)
            os.close(device)
            await self.until(lambda: not terminal.is_open)
            await task.deferLater(reactor, 0.1)
        device = self.open(link)
        os.write(device, b"hello")
        await self.until(lambda: self.received == b"hello")

    def test_link(self) -> None:
        link = self.mktemp()
        terminal = self.make(link)
        self.assertEqual(os.readlink(link), terminal.path)
        terminal.close()
        self.assertFalse(os.path.lexists(link))
        terminal.close()

    def test_link_of_another(self) -> None:
        """A link that leads elsewhere by now is not removed."""
        link = self.mktemp()
        first = self.make(link)
        second = self.make(link)
        first.close()
        self.assertEqual(os.readlink(link), second.path)

    def test_no_real_file_is_replaced(self) -> None:
        path = self.mktemp()
        Path(path).write_text("precious")
        failure = self.assertRaises(LinkError, self.make, path)
        self.assertIn("choose another path", str(failure))
        self.assertEqual(Path(path).read_text(), "precious")
        os.remove(path)
        os.symlink("/etc/hostname", path)
        self.assertRaises(LinkError, self.make, path)
        self.assertEqual(os.readlink(path), "/etc/hostname")


class PtyNodeTests(PseudoterminalTestCase):
    """A node whose serial line any program may open."""

    async def test_both_ways(self) -> None:
        network = SimulatedNetwork(reactor)
        self.addCleanup(network.stop)
        link = self.mktemp()
        node = PtyNode(network, 0x0013A20040000001, "PTY", link=link)
        heard = bytearray()
        network.radio.serial_output = heard.extend
        network.add_node(node, announce=False)
        # Nobody paces a transparent radio.
        widen(node)
        self.assertEqual(os.readlink(link), node.path)
        network.radio.registers.store("DH", (node.address64 >> 32).to_bytes(4, "big"))
        network.radio.registers.store("DL", (node.address64 & 0xFFFFFFFF).to_bytes(4, "big"))
        network.radio.registers.store("AP", b"\0")
        network.radio.apply()
        data = bytes(range(256)) * 4
        for _ in range(2):
            device = self.open(link)
            await self.until(lambda: node.is_open)
            network.radio.receive_bytes(data)
            self.assertEqual(await self.read(device, len(data)), data)
            os.write(device, data)
            await self.until(lambda: len(heard) == len(data))
            self.assertEqual(bytes(heard), data)
            heard.clear()
            os.close(device)
            await self.until(lambda: not node.is_open)


class MeterOverPtyTests(SimulatorTestCase, PseudoterminalTestCase):
    """The simulator as a program, without any other software."""

    async def test_packets(self) -> None:
        await self.simulate("--kinds", "meter", "--interval", "0.05")
        device = self.open(self.link)
        decoder = decoder_for(1)
        os.write(device, encode(ATCommand(1, "AP").to_bytes(), 1))
        frames: list[Frame] = []

        def enough() -> bool:
            frames.extend(map(parse_frame, decoder.feed(self.read_now(device))))
            return len(frames) >= 5

        await self.until(enough)
        self.assertIn(ATCommandResponse(1, "AP", 0, b"\1"), frames)
        packets = [
            frame.data
            for frame in frames
            if isinstance(frame, ReceivePacket) and len(frame.data) == PACKET_SIZE
        ]
        self.assertGreaterEqual(len(packets), 3)
        for packet in packets:
            parse_packet(packet)
