"""The simulated radio behind a real pseudoterminal: unplugged, plugged in again, and a bad line."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

from twisted.internet import reactor, task
from twisted.trial.unittest import TestCase

from tests.system.support import Program, wait_until
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.pseudoterminal import LinkError
from zbtwist.simulator.serial_port import HIGH_WATER, SimulatedSerialPort
from zbtwist.xbee.frames import ATCommand, ATCommandResponse
from zbtwist.xbee.framing import encode

READ_AP = encode(ATCommand(1, "AP").to_bytes(), 1)
AP_IS_1 = encode(ATCommandResponse(1, "AP", 0, b"\1").to_bytes(), 1)


def open_device(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def read_now(device: int) -> bytes | None:
    """What is there; None after a hang-up."""
    try:
        return os.read(device, 4096) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


class SerialPortTests(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.network = SimulatedNetwork(reactor)
        self.addCleanup(self.network.stop)
        self.link = os.path.abspath(self.mktemp())
        self.port = SimulatedSerialPort(reactor, self.network, self.link)
        self.addCleanup(self.port.close)

    def open(self) -> int:
        device = open_device(self.link)
        self.addCleanup(self.close, device)
        return device

    def close(self, device: int) -> None:
        with contextlib.suppress(OSError):
            os.close(device)

    async def until(self, question: Callable[[], object]) -> None:
        while not question():
            await task.deferLater(reactor, 0.005, lambda: None)

    async def talk(self, device: int) -> None:
        heard = b""

        def answered() -> bool:
            nonlocal heard
            heard += read_now(device) or b""
            return AP_IS_1 in heard

        os.write(device, READ_AP)
        await self.until(answered)

    async def test_unplug(self) -> None:
        device = self.open()
        await self.talk(device)
        for _ in range(3):
            self.port.unplug()
            self.assertEqual((self.port.plugged, self.port.path), (False, ""))
            self.assertFalse(os.path.lexists(self.link))
            self.assertIsNone(read_now(device))
            self.close(device)
            self.port.plug_in()
            self.assertEqual((self.port.plugged, self.port.path), (True, self.link))
            device = self.open()
            # Not before it has started: it would hear nothing.
            await self.until(lambda: self.network.radio.listening)
            await self.talk(device)

    async def test_something_else_is_there(self) -> None:
        self.port.unplug()
        with open(self.link, "w"):
            pass
        self.assertRaises(LinkError, self.port.plug_in)
        self.assertFalse(self.port.plugged)
        os.unlink(self.link)
        self.port.plug_in()
        self.assertTrue(self.port.plugged)

    async def test_swap_radio(self) -> None:
        before = self.network.radio.address64
        self.port.swap_radio()
        self.assertNotEqual(self.network.radio.address64, before)
        device = self.open()
        await self.until(lambda: self.network.radio.listening)
        await self.talk(device)

    async def test_stuck_line(self) -> None:
        """A program can write no more when the radio takes nothing, and all of it gets there."""
        device = self.open()
        await self.talk(device)
        self.port.line.stick()
        written = 0

        def full() -> bool:
            nonlocal written
            try:
                written += os.write(device, bytes(4096))
            except BlockingIOError:
                return self.port.line.to_radio.buffered > HIGH_WATER
            return False

        await self.until(full)
        self.assertLess(self.port.line.to_radio.buffered, 2 * HIGH_WATER + 1)
        taken = 0
        receive = self.network.radio.receive_bytes

        def count(data: bytes) -> None:
            nonlocal taken
            taken += len(data)
            receive(data)

        self.network.radio.receive_bytes = count  # type: ignore[method-assign]
        self.port.line.release()
        await self.until(lambda: taken == written)
        await self.talk(device)


class ProgramTests(TestCase):
    def test_signals(self) -> None:
        """SIGUSR1 unplugs the radio and plugs it in, SIGUSR2 resets it."""
        link = os.path.abspath(self.mktemp())
        program = Program(
            "-m", "zbtwist.simulator", "--link", link, "--nodes", "0", "--baud", "115200"
        )
        self.addCleanup(program.stop)
        program.wait_for("Ctrl-C")
        for _ in range(2):
            program.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: not os.path.lexists(link), "the link is gone")
            program.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(link), "the link is there")
        device = open_device(link)
        self.addCleanup(os.close, device)
        heard = b""

        def says(data: bytes) -> Callable[[], bool]:
            def question() -> bool:
                nonlocal heard
                heard += read_now(device) or b""
                return data in heard

            return question

        def answers() -> bool:
            os.write(device, READ_AP)
            return says(AP_IS_1)()

        wait_until(answers, "an answer")
        program.process.send_signal(signal.SIGUSR2)
        wait_until(says(b"\x7e\x00\x02\x8a\x01\x74"), "a watchdog reset")
