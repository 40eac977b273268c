"""Command mode: the ``+++`` that opens it, and the dialogue of text in it.

The serial line is silent for GT, then come three CC characters, then it is silent for GT again:
only then are the characters a request, else they are data (90001539, "Enter Command mode"). They
are held back meanwhile. In command mode each line is answered; CN, or CT without a command, ends
it, and either way what was set comes into force.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from zbtwist.simulator.interfaces import ILocalRadio
from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.registers import RegisterFile
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.status import ATStatus

_OK = b"OK\r"
_ERROR = b"ERROR\r"
_SEQUENCE_LENGTH = 3

#: The longest command line, in bytes; a longer one is an error.
MAX_LINE = 256


class EscapeWatch:
    """Looks for the request to enter command mode among the bytes of the serial line."""

    def __init__(
        self,
        network: IMedium,
        registers: RegisterFile,
        data_received: Callable[[bytes], None],
        requested: Callable[[], None],
    ) -> None:
        """
        @param data_received: called with what is not part of a request.
        @param requested: called when a request is complete.
        """
        self._network = network
        self._registers = registers
        self._data_received = data_received
        self._requested = requested
        self._held = b""
        self._timer: IDelayedCall | None = None
        self._last_byte = float("-inf")

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the serial line."""
        now = self._network.seconds()
        guard = self._guard_time()
        silent = now - self._last_byte >= guard
        self._last_byte = now
        self._network.cancel(self._timer)
        candidate = self._held + data
        character = bytes([self._registers.number("CC")])
        if (
            (self._held or silent)
            and len(candidate) <= _SEQUENCE_LENGTH
            and not candidate.strip(character)
        ):
            self._held = candidate
            self._timer = self._network.call_later(guard, self._silence)
            return
        self._held = b""
        self._data_received(candidate)

    def touch(self) -> None:
        """The line is not silent: bytes came that were for somebody else."""
        self._last_byte = self._network.seconds()

    def _guard_time(self) -> float:
        return self._registers.number("GT") / 1000

    def _silence(self) -> None:
        held, self._held = self._held, b""
        if len(held) == _SEQUENCE_LENGTH:
            self._requested()
        else:
            self._data_received(held)


class CommandMode:
    """The dialogue, from the first OK to CN or the timeout."""

    def __init__(self, radio: ILocalRadio, ended: Callable[[], None]) -> None:
        """
        @param ended: called when the radio goes back to work.
        """
        self._radio = radio
        self._ended = ended
        self._line = b""
        self._timer: IDelayedCall | None = None
        self._answer(_OK)
        self._wait()

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the serial line.

        @return: what came behind the end of command mode.
        """
        *lines, self._line = (self._line + data).replace(b"\n", b"").split(b"\r")
        self._line = self._line[: MAX_LINE + 1]
        for position, line in enumerate(lines):
            if self._command_line(line):
                return b"\r".join([*lines[position + 1 :], self._line])
            self._wait()
        return b""

    def stop(self) -> None:
        """End it without a word, as a restart does."""
        self._radio.network.cancel(self._timer)
        self._ended()

    def _wait(self) -> None:
        self._radio.network.cancel(self._timer)
        seconds = self._radio.registers.number("CT") / 10
        self._timer = self._radio.network.call_later(seconds, self._end)

    def _end(self) -> None:
        self._radio.network.cancel(self._timer)
        self._radio.apply()
        self._ended()

    def _answer(self, text: bytes) -> None:
        self._radio.write(text)

    def _found(self, found: NodeDescription) -> None:
        # One value a line, in the order of the frame.
        numbers = (
            found.parent16,
            found.role,
            found.event,
            found.profile_id,
            found.manufacturer_id,
            *(n for n in (found.device_type_identifier, found.rssi) if n is not None),
        )
        self._answer(
            b"%04X\r%X\r%X\r"
            % (found.address16, found.address64 >> 32, found.address64 & 0xFFFF_FFFF)
            + found.node_identifier
            + b"\r"
            + b"".join(b"%X\r" % number for number in numbers)
            + b"\r"
        )

    def _command_line(self, line: bytes) -> bool:
        """Execute a line such as ``ATNT 20,WR``.

        @return: whether it ended command mode.
        """
        line = line.strip()
        if len(line) > MAX_LINE or line[:2].upper() != b"AT":
            self._answer(_ERROR)
            return False
        commands = line[2:].lstrip()
        if not commands:
            self._answer(_OK)
            return False
        for text in commands.split(b","):
            command = text.strip()[:2].upper().decode("latin-1")
            if command == "CN":
                self._answer(_OK)
                self._end()
                return True
            self._execute(command, text.lstrip()[2:])
        return False

    def _execute(self, command: str, text: bytes) -> None:
        is_text = self._radio.registers.is_text(command) or command in ("ND", "DN")
        if is_text:
            parameter = text.removeprefix(b" ")
        else:
            digits = text.strip().decode("latin-1").removeprefix("0x")
            try:
                parameter = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
            except ValueError:
                self._answer(_ERROR)
                return
        if command == "ND":
            self._radio.discover(parameter, self._found, lambda: self._answer(b"\r"))
            return
        if command == "DN":
            self._radio.look_up(parameter, lambda node: self._answer(_OK if node else _ERROR))
            return
        status, value = self._radio.execute(command, parameter)
        if status != ATStatus.OK:
            self._answer(_ERROR)
        elif is_text and not parameter:
            self._answer(value + b"\r")
        elif value:
            self._answer(f"{int.from_bytes(value, 'big'):X}\r".encode("ascii"))
        else:
            self._answer(_OK)
