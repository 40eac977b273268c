"""`serial:` as a Twisted client endpoint, and its string parser.

The port is opened for this program alone: by a lock (flock) that other serial programs honour, and
by TIOCEXCL, which makes the kernel refuse the rest. When it is closed its lines stay as they are:
on many boards DTR puts the module to sleep, or resets it, and a gateway that restarts is no reason
for that.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import os
import pwd
import stat
import termios
from collections.abc import Callable
from functools import partial
from typing import Any

import serial
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.serialport import SerialPort
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.radio.baud_rates import ISerialLine
from zbtwist.radio.errors import SerialOpenError
from zbtwist.radio.line_settings import HOLD, OFF, ON, LineSettings, settings_of
from zbtwist.runtime.write_at_once import WriteAtOnce

#: Seconds that closing a port may take to write what is still buffered.
CLOSE_TIMEOUT = 0.3

#: Bytes that wait for a line that takes no more (CTS) before those who write are told. It is much
#: to the line, 17 s at 9600 baud, and little to the memory.
WRITE_MARK = 0x4000


#: Bytes that are read at once; the kernel has no more than 4 KiB for a terminal.
READ_SIZE = 8192


@implementer(IAddress)
class SerialAddress:
    """The "address" of a serial line: the path of its device."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"SerialAddress({self.path!r})"


class _Port(serial.Serial):
    """A port that can be opened without a word on DTR and RTS; see `LineSettings`."""

    holds_dtr = holds_rts = False

    def _update_dtr_state(self) -> None:
        if not self.holds_dtr:
            super()._update_dtr_state()  # type: ignore[misc]

    def _update_rts_state(self) -> None:
        if not self.holds_rts:
            super()._update_rts_state()  # type: ignore[misc]


def open_exclusively(path: str, *, dtr: str = ON, rts: str = ON, **settings: Any) -> serial.Serial:
    """Open a serial port as pyserial does, and lock everyone else out of it.

    @param dtr: what becomes of DTR, see `LineSettings`; the kernel itself raises both lines when
        it opens a port on which they are low.
    @param rts: the same of RTS.
    """
    port = _Port(exclusive=True, **settings)
    port.port = path
    port.dtr, port.rts = dtr != OFF, rts != OFF
    port.holds_dtr, port.holds_rts = dtr == HOLD, rts == HOLD
    port.open()
    _keep_lines(port.fileno())
    # A pty keeps the flag after the last close, as long as its master is open: a program that was
    # killed would leave it behind for good. The lock alone has to do there.
    if not os.path.realpath(path).startswith("/dev/pts/"):
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    return port


def _keep_lines(descriptor: int) -> None:
    """Have the kernel leave DTR and RTS as they are when the port is closed."""
    # What has no such lines need not know of them.
    with contextlib.suppress(termios.error):
        attributes = termios.tcgetattr(descriptor)
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


@implementer(ISerialLine)
class ExclusiveSerialPort(WriteAtOnce, SerialPort):
    """A SerialPort that nobody else has open, and that closes even if nobody reads."""

    reactor: Any
    bufferSize = WRITE_MARK
    _closing: IDelayedCall | None = None
    _received: Callable[[bytes], None]
    _descriptor = -1

    #: It is at this computer.
    is_remote = False

    def __init__(
        self, protocol: Any, path: str, reactor: Any, *, dtr: str, rts: str, **settings: Any
    ) -> None:
        self._serialFactory = partial(  # type: ignore[assignment]
            open_exclusively, dtr=dtr, rts=rts
        )
        super().__init__(protocol, path, reactor, **settings)

    def startReading(self) -> None:
        # SerialPort asks pyserial each time for the descriptor.
        self._received = self.protocol.dataReceived
        self._descriptor = self.fileno()
        super().startReading()

    @property
    def baud_rate(self) -> int:
        """Bits per second."""
        rate: int = self._serial.baudrate
        return rate

    def set_baud_rate(self, baud_rate: int) -> None:
        self._serial.baudrate = baud_rate
        self._serial.reset_input_buffer()

    def set_low_latency(self, on: bool) -> None:
        """Have the driver pass on what comes at once, or as it would by itself.

        Adapters by FTDI hold back what comes for up to 16 ms, unless they are told otherwise.

        @raise NotImplementedError, ValueError: it has no such mode, or does not let this user set
            it. Most hold nothing back and have none.
        """
        self._serial.set_low_latency_mode(on)

    def doRead(self) -> Exception | None:
        # As Twisted's, with fewer steps.
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self._received(data)
        return None

    def write_some(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def loseConnection(self) -> None:
        """Write what is buffered and close; after `CLOSE_TIMEOUT`, close all the same."""
        super().loseConnection()
        self._close_in(CLOSE_TIMEOUT)

    def abortConnection(self) -> None:
        """Close without writing what is buffered."""
        self._close_in(0)

    def connectionLost(self, reason: Failure) -> None:
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        super().connectionLost(reason)

    def _close_in(self, seconds: float) -> None:
        if not self.connected:
            return
        if self._closing is None:
            self._closing = self.reactor.callLater(seconds, self._close_now)
        elif seconds == 0:
            self._closing.reset(0)

    def _close_now(self) -> None:
        self.stopReading()
        self.stopWriting()
        # The kernel would wait for a line that takes nothing (CTS) before it closes the port.
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno(), termios.TCOFLUSH)
        self.connectionLost(Failure(CONNECTION_DONE))


class LineEndpoint:
    """What an endpoint is that opens a serial line.

    @ivar line: how it is opened.
    """

    def __init__(self, line: LineSettings) -> None:
        self.line = line


@implementer(IStreamClientEndpoint)
class SerialEndpoint(LineEndpoint):
    """Connects a protocol to a serial port."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        path: str,
        line: LineSettings | None = None,
        port_factory: Callable[..., object] = ExclusiveSerialPort,
    ) -> None:
        """
        @param path: the device, such as ``/dev/ttyUSB0``.
        @param port_factory: called as `ExclusiveSerialPort`.
        """
        super().__init__(line or LineSettings())
        self._reactor = reactor
        self.path = path
        # Whether it was said that the driver refuses.
        self._is_refusal_said = False
        self._port_factory = port_factory

    def __repr__(self) -> str:
        return f"serial:{self.path}:baudrate={self.line.baud_rate or 'auto'}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open the port.

        @return: fires with the protocol, or fails with `SerialOpenError`, whose text is a sentence
            that says what to do.
        """
        return execute(self._open, protocolFactory)

    def _open(self, factory: IProtocolFactory) -> IProtocol:
        protocol = factory.buildProtocol(SerialAddress(self.path))
        if protocol is None:
            raise SerialOpenError(f"Nothing wants to talk to {self.path}.")
        line = self.line
        try:
            port = self._port_factory(
                protocol,
                self.path,
                self._reactor,
                baudrate=line.first_rate,
                rtscts=line.rtscts,
                parity=line.parity[0].upper(),
                stopbits=line.stop_bits,
                dtr=line.dtr,
                rts=line.rts,
            )
        except (OSError, ValueError, termios.error) as error:
            raise SerialOpenError(_explain(self.path, line.first_rate, error)) from error
        if isinstance(port, ExclusiveSerialPort):
            self._set_latency(port)
        return protocol

    def _set_latency(self, port: ExclusiveSerialPort) -> None:
        try:
            # The driver keeps it from one opening to the next, so it is set either way.
            port.set_low_latency(self.line.low_latency)
        except (NotImplementedError, ValueError) as error:
            if self.line.low_latency and not self._is_refusal_said:
                self._is_refusal_said = True
                self.log.debug(
                    "The driver of {path} has no mode of low latency, or this user may not set "
                    "it: {error!r}",
                    path=self.path,
                    error=error,
                )


def _explain(path: str, baud_rate: int, error: Exception) -> str:
    """Say in one sentence why a port did not open, and what to do."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return (
            f"There is no serial port {path}: plug the radio in, or name another port "
            "(ls /dev/serial/by-id lists those that are there)."
        )
    if number in (errno.EACCES, errno.EPERM):
        return f"This user may not open {path}: {_permission(path)}."
    if number in (errno.EBUSY, errno.EAGAIN):
        return (
            f"{path} is in use by another program: stop it first "
            f"(fuser {path} tells which one it is)."
        )
    if isinstance(error, ValueError):
        return f"{path} does not take {baud_rate} baud: name another rate with --baud."
    if number is None or number in (errno.EISDIR, errno.ENOTTY, errno.EINVAL):
        return f"{path} is not a serial port: name another with --serial."
    return f"{path} cannot be used as a serial port: {error}."


def _permission(path: str) -> str:
    """Say how this user may get a port that belongs to others, as a clause."""
    try:
        status = os.stat(path)
    except OSError:
        return f"see with ls -lL {path} which group it has, and add the user to that group"
    user = _name(os.geteuid(), pwd.getpwuid)
    group = _name(status.st_gid, grp.getgrgid)
    wanted = stat.S_IRGRP | stat.S_IWGRP
    if status.st_mode & wanted != wanted or not status.st_gid:
        return (
            f"it is for no group that users could be in (group {group}, mode "
            f"{stat.S_IMODE(status.st_mode):03o}), so set GROUP and MODE in a udev rule"
        )
    if status.st_gid in (os.getegid(), *os.getgroups()):
        return (
            f"{user} is in its group, {group}, so something else forbids it, such as DeviceAllow "
            "in a systemd unit or the limits of a container"
        )
    return f"it is for the group {group}, so say sudo usermod -aG {group} {user}, and log in again"


def _name(number: int, look_up: Callable[[int], tuple[Any, ...]]) -> str:
    """Return the name of a user or a group; its number if it has none."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class SerialEndpointParser:
    """Parses ``serial:/dev/ttyUSB0:baudrate=115200:rtscts=yes``; a baudrate may be ``auto``.

    A path may hold colons (``serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0``): what is
    not ``name=value`` belongs to it.
    """

    prefix = "serial"

    def parseStreamClient(self, reactor: Any, *path: Any, **words: Any) -> SerialEndpoint:
        line = settings_of(words, self.prefix)
        if not any(path):
            raise ValueError("serial: needs the path of a port, such as serial:/dev/ttyUSB0")
        return SerialEndpoint(reactor, ":".join(path), line)
