"""The serial endpoint, on real ptys; what it says when a port does not open; its string parser."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import sys
import termios
import tty
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import serial
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectError
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.clock import Clock, MemoryReactorClock
from tests.radio.support import Owner
from tests.support import record_log
from zbtwist.radio import endpoints
from zbtwist.radio.baud_rates import ISerialLine, payload_rate, rate_for_the_air, rates_to_try
from zbtwist.radio.endpoints import (
    WRITE_MARK,
    SerialAddress,
    SerialEndpoint,
    SerialEndpointParser,
)
from zbtwist.radio.errors import SerialOpenError
from zbtwist.radio.line_settings import LineSettings
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.xbee.at import BAUD_RATES


class Line(Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.expected: tuple[int, Deferred[bytes]] | None = None
        self.lost: Deferred[None] = Deferred()

    def expect(self, size: int) -> Deferred[bytes]:
        self.expected = (size, Deferred())
        return self.expected[1]

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.expected and len(self.received) >= self.expected[0]:
            self.expected[1].callback(self.received)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class LatencyTests(SynchronousTestCase):
    """Adapters that hold bytes back are told not to; other drivers do not mind."""

    def open(self, answer: Exception | None, **options: Any) -> list[bool]:
        """Open a port twice; return what its driver was asked for."""
        asked: list[bool] = []

        def set_low_latency_mode(port: serial.Serial, on: bool) -> None:
            asked.append(on)
            if answer is not None:
                raise answer

        self.patch(serial.Serial, "set_low_latency_mode", set_low_latency_mode)
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        path = os.ttyname(slave)
        os.close(slave)
        self.log = record_log(self)
        endpoint = SerialEndpoint(MemoryReactorClock(), path, LineSettings(**options))
        for _ in range(2):
            line: Any = self.successResultOf(endpoint.connect(Factory.forProtocol(Line)))
            line.transport.connectionLost(Failure(CONNECTION_DONE))
        return asked

    def notes(self) -> list[str]:
        return self.log.lines("debug", "zbtwist.radio")

    def test_asked(self) -> None:
        self.assertEqual(self.open(None), [True, True])
        self.assertEqual(self.notes(), [])

    def test_turned_off(self) -> None:
        """Also where it was on: the driver keeps it."""
        self.assertEqual(self.open(None, low_latency=False), [False, False])
        self.assertEqual(self.open(ValueError("no"), low_latency=False), [False, False])
        self.assertEqual(self.notes(), [])

    def test_refused(self) -> None:
        """It is noted once, for who wants to know."""
        for refusal in (ValueError("Failed to update"), NotImplementedError()):
            self.assertEqual(self.open(refusal), [True, True])
            (note,) = self.notes()
            self.assertIn("has no mode of low latency", note)
            self.assertIn(repr(refusal), note)

    def test_real_driver_without_it(self) -> None:
        """A pseudoterminal has no such mode."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        endpoint = SerialEndpoint(MemoryReactorClock(), os.ttyname(slave))
        line: Any = self.successResultOf(endpoint.connect(Factory.forProtocol(Line)))
        line.transport.connectionLost(Failure(CONNECTION_DONE))


class Drain(FileDescriptor):
    """Reads whatever comes, and forgets it."""

    def __init__(self, fd: int, reactor: Any) -> None:
        super().__init__(reactor)
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        os.read(self.fileno(), 0x1000)


#: What the kernel takes of what is written to a pseudoterminal that nobody reads, at most.
KERNEL_BUFFER = 0x20000


class PtyTests(TestCase):
    """A port that opens."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.master, slave = pty.openpty()
        tty.setraw(self.master)
        self.path = os.ttyname(slave)
        self.slave = slave
        self.addCleanup(os.close, self.master)
        self.addCleanup(os.close, slave)

    def endpoint(self, **settings: Any) -> SerialEndpoint:
        return SerialEndpoint(self.reactor, self.path, LineSettings(**settings))

    async def connect(self) -> Line:
        line: Any = await self.endpoint(baud_rate=115200).connect(Factory.forProtocol(Line))
        return line  # type: ignore[no-any-return]

    async def test_both_ways(self) -> None:
        line = await self.connect()
        arrived = line.expect(5)
        os.write(self.master, b"\x7e\x11\x13\x00\xff")
        self.assertEqual(await arrived, b"\x7e\x11\x13\x00\xff")
        transport: Any = line.transport
        transport.write(b"\x7e\x0d\x0a\x03\xff")
        transport.loseConnection()
        await line.lost
        self.assertEqual(os.read(self.master, 100), b"\x7e\x0d\x0a\x03\xff")

    async def test_exclusive(self) -> None:
        line = await self.connect()
        with self.assertRaises(SerialOpenError) as caught:
            await self.connect()
        self.assertEqual(
            str(caught.exception),
            f"{self.path} is in use by another program: stop it first "
            f"(fuser {self.path} tells which one it is).",
        )
        with self.assertRaises(serial.SerialException):
            serial.Serial(self.path, exclusive=True)
        transport: Any = line.transport
        transport.loseConnection()
        await line.lost
        # Nothing of the lock is left.
        again = await self.connect()
        transport = again.transport
        transport.abortConnection()
        await again.lost

    async def test_other_programs_are_kept_out_by_the_kernel(self) -> None:
        """TIOCEXCL, which a pty is spared because it would keep the flag."""
        asked: list[int] = []
        ioctl = fcntl.ioctl

        def watch(fd: int, request: int, *arguments: Any) -> Any:
            if request == termios.TIOCEXCL:
                asked.append(request)
                return 0
            return ioctl(fd, request, *arguments)

        self.patch(fcntl, "ioctl", watch)
        self.patch(os.path, "realpath", lambda path: "/dev/ttyUSB0")
        endpoints.open_exclusively(self.path).close()
        self.assertEqual(asked, [termios.TIOCEXCL])
        self.patch(os.path, "realpath", lambda path: "/dev/pts/5")
        endpoints.open_exclusively(self.path).close()
        self.assertEqual(asked, [termios.TIOCEXCL])

    async def test_rtscts_and_rate_reach_the_port(self) -> None:
        for rtscts in (False, True):
            line: Any = await self.endpoint(baud_rate=57600, rtscts=rtscts).connect(
                Factory.forProtocol(Line)
            )
            _, _, control, _, in_rate, out_rate, _ = termios.tcgetattr(self.slave)
            self.assertEqual(bool(control & termios.CRTSCTS), rtscts)
            self.assertEqual((in_rate, out_rate), (termios.B57600, termios.B57600))
            line.transport.abortConnection()
            await line.lost

    async def test_parity_and_stop_bits_reach_the_port(self) -> None:
        line: Any = await self.endpoint(parity="even", stop_bits=2).connect(
            Factory.forProtocol(Line)
        )
        _, _, control, *_ = termios.tcgetattr(self.slave)
        self.assertTrue(control & termios.CSTOPB)
        # The kernel takes a parity from no pseudoterminal.
        self.assertEqual(line.transport._serial.parity, serial.PARITY_EVEN)
        line.transport.abortConnection()
        await line.lost

    async def test_lines_stay_when_the_port_is_closed(self) -> None:
        """HUPCL is off, also after the rate was changed."""
        line: Any = await self.endpoint().connect(Factory.forProtocol(Line))
        line.transport.set_baud_rate(57600)
        _, _, control, *_ = termios.tcgetattr(self.slave)
        self.assertFalse(control & termios.HUPCL)
        line.transport.abortConnection()
        await line.lost

    async def test_dtr_and_rts(self) -> None:
        """A pseudoterminal has no such lines, so that it is seen what the port is asked for."""
        asked: list[tuple[int, int]] = []
        ioctl = fcntl.ioctl

        def watch(fd: int, request: int, *arguments: Any) -> Any:
            if request in (termios.TIOCMBIS, termios.TIOCMBIC):
                asked.append((request, int.from_bytes(arguments[0], sys.byteorder)))
                return 0
            return ioctl(fd, request, *arguments)

        self.patch(fcntl, "ioctl", watch)
        up, down = termios.TIOCMBIS, termios.TIOCMBIC
        for settings, wanted in (
            ({}, [(up, termios.TIOCM_DTR), (up, termios.TIOCM_RTS)]),
            ({"dtr": "off"}, [(down, termios.TIOCM_DTR), (up, termios.TIOCM_RTS)]),
            ({"dtr": "hold"}, [(up, termios.TIOCM_RTS)]),
            ({"dtr": "hold", "rts": "hold"}, []),
            ({"rts": "off"}, [(up, termios.TIOCM_DTR), (down, termios.TIOCM_RTS)]),
            ({"rtscts": True, "rts": "off"}, [(up, termios.TIOCM_DTR)]),
        ):
            asked.clear()
            line: Any = await self.endpoint(**settings).connect(Factory.forProtocol(Line))
            self.assertEqual(asked, wanted, settings)
            line.transport.abortConnection()
            await line.lost

    async def test_rate_to_be_found_out(self) -> None:
        """The port begins at 9600, and can be changed while it is open."""
        line: Any = await self.endpoint(baud_rate=None).connect(Factory.forProtocol(Line))
        port = ISerialLine(line.transport)
        self.assertEqual(port.baud_rate, 9600)
        os.write(self.master, b"at the old rate")
        port.set_baud_rate(230400)
        self.assertEqual(port.baud_rate, 230400)
        self.assertEqual(termios.tcgetattr(self.slave)[4:6], [termios.B230400] * 2)
        arrived = line.expect(3)
        os.write(self.master, b"new")
        self.assertEqual(await arrived, b"new")
        with self.assertRaises((OSError, ValueError, termios.error)):
            port.set_baud_rate(-1)
        line.transport.abortConnection()
        await line.lost

    async def test_line_that_takes_no_more(self) -> None:
        """What waits is told, as soon as it is more than the mark, and when it is gone."""
        told: list[bool] = []
        lost: Deferred[None] = Deferred()

        def congestion_changed(congested: bool) -> None:
            told.append(congested)
            if not congested:
                drained.callback(None)

        drained: Deferred[None] = Deferred()
        owner = Owner()
        owner.congestion_changed = congestion_changed  # type: ignore[method-assign]
        owner.protocol_lost = lambda *_: lost.callback(None)  # type: ignore[method-assign]
        protocol = RadioProtocol(Clock(), 1, owner)
        connecting = self.endpoint().connect(Factory.forProtocol(lambda: protocol))
        self.assertIs(await connecting, protocol)
        written = 0
        while not told:
            self.assertLessEqual(written, WRITE_MARK + KERNEL_BUFFER)
            protocol.write(b"x" * 1000)
            written += 1000
        self.assertEqual(told, [True])

        drain = Drain(self.master, self.reactor)
        self.reactor.addReader(drain)
        await drained
        self.assertEqual(told, [True, False])
        self.reactor.removeReader(drain)
        transport: Any = protocol.transport
        transport.abortConnection()
        await lost

    async def test_closes_although_nobody_reads(self) -> None:
        line = await self.connect()
        transport: Any = line.transport
        transport.write(b"x" * 1_000_000)
        transport.loseConnection()
        await line.lost


class RefusalTests(SynchronousTestCase):
    """One sentence that says what to do."""

    def refusal(self, error: Exception, path: str = "/dev/ttyUSB7") -> str:
        def refuse(*args: Any, **settings: Any) -> None:
            raise error

        endpoint = SerialEndpoint(Clock(), path, LineSettings(31), port_factory=refuse)
        failure = self.failureResultOf(endpoint.connect(Factory.forProtocol(Line)), ConnectError)
        return str(failure.value)

    def test_missing(self) -> None:
        endpoint = SerialEndpoint(Clock(), "/dev/there-is-no-such-port")
        failure = self.failureResultOf(endpoint.connect(Factory.forProtocol(Line)))
        self.assertEqual(
            failure.getErrorMessage(),
            "There is no serial port /dev/there-is-no-such-port: plug the radio in, or name "
            "another port (ls /dev/serial/by-id lists those that are there).",
        )

    def forbidden(self, mode: int, group: int, mine: Sequence[int] = ()) -> str:
        """What is said of a port of that mode and group to a user with those groups."""
        self.patch(os, "stat", lambda path: SimpleNamespace(st_mode=mode, st_gid=group))
        self.patch(os, "geteuid", lambda: 1000)
        self.patch(os, "getegid", lambda: 1000)
        self.patch(os, "getgroups", lambda: list(mine))
        for module, look_up, names in (
            ("grp", "getgrgid", {0: "root", 986: "uucp"}),
            ("pwd", "getpwuid", {1000: "meter"}),
        ):
            # As the system does for a number that it does not know, it raises KeyError.
            self.patch(
                getattr(endpoints, module), look_up, lambda number, names=names: (names[number],)
            )
        return self.refusal(serial.SerialException(errno.EACCES, "Permission denied"))

    def test_forbidden(self) -> None:
        """The group is the port's own, whatever the system calls it."""
        self.assertEqual(
            self.forbidden(0o20660, 986),
            "This user may not open /dev/ttyUSB7: it is for the group uucp, so say sudo usermod "
            "-aG uucp meter, and log in again.",
        )

    def test_forbidden_to_a_group_without_a_name(self) -> None:
        self.assertIn("usermod -aG 1234 meter", self.forbidden(0o20660, 1234))

    def test_forbidden_to_every_group(self) -> None:
        """There is none that would help."""
        for mode, group, shown in (
            (0o20640, 986, "group uucp, mode 640"),
            (0o20000, 986, "group uucp, mode 000"),
            (0o20660, 0, "group root, mode 660"),
        ):
            sentence = self.forbidden(mode, group)
            self.assertIn(shown, sentence)
            self.assertIn("udev", sentence)
            self.assertNotIn("usermod", sentence)

    def test_forbidden_to_who_is_in_the_group(self) -> None:
        sentence = self.forbidden(0o20660, 986, [100, 986])
        self.assertIn("meter is in its group, uucp, so something else forbids it", sentence)

    def test_forbidden_and_not_to_be_looked_at(self) -> None:
        """No group is named if none is known."""
        error = serial.SerialException(errno.EACCES, "Permission denied")
        self.assertEqual(
            self.refusal(error, "/nowhere/ttyUSB7"),
            "This user may not open /nowhere/ttyUSB7: see with ls -lL /nowhere/ttyUSB7 which group "
            "it has, and add the user to that group.",
        )

    def test_in_use(self) -> None:
        for number in (errno.EBUSY, errno.EAGAIN):
            self.assertIn(
                "is in use by another program",
                self.refusal(serial.SerialException(number, "")),
            )

    def test_rate(self) -> None:
        self.assertEqual(
            self.refusal(ValueError("Invalid baud rate")),
            "/dev/ttyUSB7 does not take 31 baud: name another rate with --baud.",
        )

    def test_no_serial_port(self) -> None:
        path = self.mktemp()
        os.close(os.open(path, os.O_CREAT))
        for wrong in (path, os.path.dirname(os.path.abspath(path)), "/dev/null"):
            endpoint = SerialEndpoint(Clock(), wrong)
            failure = self.failureResultOf(endpoint.connect(Factory.forProtocol(Line)))
            self.assertEqual(
                failure.getErrorMessage(),
                f"{wrong} is not a serial port: name another with --serial.",
            )


class ParserTests(SynchronousTestCase):
    def parse(self, text: str) -> SerialEndpoint:
        endpoint = clientFromString(MemoryReactorClock(), text)
        self.assertIsInstance(endpoint, SerialEndpoint)
        return endpoint  # type: ignore[no-any-return]

    def test_path(self) -> None:
        endpoint = self.parse("serial:/dev/ttyUSB0")
        self.assertEqual(
            (endpoint.path, endpoint.line.baud_rate, endpoint.line.rtscts),
            ("/dev/ttyUSB0", 9600, False),
        )

    def test_options(self) -> None:
        self.assertTrue(self.parse("serial:/dev/ttyUSB0").line.low_latency)
        self.assertFalse(self.parse("serial:/dev/ttyUSB0:lowlatency=no").line.low_latency)
        endpoint = self.parse("serial:/dev/ttyUSB0:baudrate=115200:rtscts=yes")
        self.assertEqual(
            (endpoint.path, endpoint.line.baud_rate, endpoint.line.rtscts),
            ("/dev/ttyUSB0", 115200, True),
        )

    def test_rate_to_be_found_out(self) -> None:
        endpoint = self.parse("serial:/dev/ttyUSB0:baudrate=auto")
        self.assertIsNone(endpoint.line.baud_rate)
        self.assertEqual(repr(endpoint), "serial:/dev/ttyUSB0:baudrate=auto")

    def test_colons(self) -> None:
        path = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0"
        endpoint = self.parse(f"serial:{path}:baudrate=57600")
        self.assertEqual((endpoint.path, endpoint.line.baud_rate), (path, 57600))

    def test_refused(self) -> None:
        parser = SerialEndpointParser()
        for arguments, options in (
            ((), {}),
            (("",), {}),
            (("/dev/x",), {"baudrate": "fast"}),
            (("/dev/x",), {"baudrate": "0"}),
            (("/dev/x",), {"rtscts": "maybe"}),
            (("/dev/x",), {"lowlatency": "maybe"}),
            (("/dev/x",), {"parity": "E"}),
            (("/dev/x",), {"stopbits": "3"}),
            (("/dev/x",), {"dtr": "low"}),
            (("/dev/x",), {"databits": "7"}),
        ):
            with self.assertRaises(ValueError):
                parser.parseStreamClient(None, *arguments, **options)

    def test_address(self) -> None:
        self.assertEqual(repr(SerialAddress("/dev/x")), "SerialAddress('/dev/x')")


class RatesTests(SynchronousTestCase):
    def test_likely_ones_first_and_each_once(self) -> None:
        rates = rates_to_try()
        self.assertEqual(rates[:5], (9600, 115200, 57600, 38400, 230400))
        self.assertEqual(sorted(rates), sorted(BAUD_RATES))

    def test_the_last_one_first(self) -> None:
        self.assertEqual(rates_to_try(38400)[:3], (38400, 9600, 115200))
        self.assertEqual(sorted(rates_to_try(38400)), sorted(BAUD_RATES))
        # BD also takes a rate itself.
        self.assertEqual(rates_to_try(31250)[:2], (31250, 9600))

    def test_what_a_line_carries(self) -> None:
        """A frame of 84 bytes takes 106 ms at 9600 baud."""
        self.assertAlmostEqual(payload_rate(9600, 84), 84 * 8 / 0.10625, 6)
        self.assertEqual([rate_for_the_air(size) for size in (84, 255, 20)], [57600, 57600, 115200])
