"""A strict Modbus slave on the serial line of a node.

A pause of 3.5 characters ends a frame for it, and what is no whole frame then it does not answer.
It says its answers at the rate of its line. It shares nothing with the gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import pack, unpack

from tests.faults.world import Device

#: Seconds that it thinks.
THINKING = 0.01

#: Characters of silence that end a frame, and the seconds that do so above 19200 baud (Modbus over
#: serial line 1.02, 2.5.1.1).
SILENCE, SHORTEST_SILENCE = 3.5, 0.00175
_FAST = 10 / 19200


def crc(data: bytes) -> bytes:
    """The CRC of a frame, bit by bit as the specification has it (1.02, 6.2.2)."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return pack("<H", value)


def original(unit: int, register: int) -> int:
    """What is in a register that nobody has written."""
    return (unit * 8191 + register * 257 + 11) & 0xFFFF


class Registers:
    """The slaves of one line, by their addresses.

    @ivar written: registers that were written, by slave and number.
    @ivar answered: how many requests were answered.
    """

    def __init__(self, units: range = range(1, 248)) -> None:
        self.units = units
        self.written: dict[tuple[int, int], int] = {}
        self.answered = 0

    def value(self, unit: int, register: int) -> int:
        return self.written.get((unit, register), original(unit, register))

    def answer(self, frame: bytes) -> bytes:
        """Return the answer to what was heard between two silences; empty if there is none."""
        if len(frame) < 4 or crc(frame[:-2]) != frame[-2:]:
            return b""
        unit, function = frame[0], frame[1]
        if unit not in (0, *self.units):
            return b""
        said = self._answer(unit, function, frame[2:-2])
        if not unit:
            return b""
        self.answered += 1
        said = bytes([unit]) + said
        return said + crc(said)

    def _answer(self, unit: int, function: int, data: bytes) -> bytes:
        first, count = unpack(">HH", data[:4])
        if function in (3, 4) and 1 <= count <= 125:
            values = [self.value(unit, first + number) for number in range(count)]
            return pack(f">BB{count}H", function, 2 * count, *values)
        if function == 6:
            self.written[unit, first] = count
            return bytes([function]) + data
        if function == 16 and 1 <= count <= 123 and len(data) == 5 + 2 * count:
            values = list(unpack(f">{count}H", data[5:]))
            self.written.update({(unit, first + n): value for n, value in enumerate(values)})
            return bytes([function]) + data[:4]
        return bytes([function | 0x80, 3 if function in (3, 4, 16) else 1])


def silence_of(seconds_for_byte: float) -> float:
    """Return the seconds that end a frame."""
    return max(SILENCE * seconds_for_byte, SHORTEST_SILENCE if seconds_for_byte < _FAST else 0.0)


class StrictSlave(Device):
    """
    @ivar registers: what it has.
    @ivar torn: how often a silence came within what was sent to it: no whole frame.
    @ivar thinking: returns the seconds that it thinks about the next request.
    """

    thinking: Callable[[], float] = staticmethod(lambda: THINKING)

    def start(self) -> None:
        super().start()
        self.registers_of_device = Registers()
        self.torn = 0
        self._frame = b""
        self._end = 0.0

    def serial_received(self, data: bytes) -> None:
        """A packet has gone over the line; its last byte has just come."""
        super().serial_received(data)
        now, line = self.network.seconds(), self.uart
        silence = silence_of(line.seconds_for_byte)
        if self._frame and now - len(data) * line.seconds_for_byte - self._end > silence:
            self._frame_ended()
        self._frame += data
        self._end = now
        self.network.call_later(silence, self._silent_since, now)

    def _silent_since(self, end: float) -> None:
        # What has begun to come meanwhile belongs to it: the line has no pause before it.
        if end == self._end and not self.uart.buffered:
            self._frame_ended()

    def _frame_ended(self) -> None:
        frame, self._frame = self._frame, b""
        answer = self.registers_of_device.answer(frame)
        if answer:
            seconds = self.thinking() + len(answer) * self.uart.seconds_for_byte
            self.network.call_later(seconds, self.send, answer)
        elif frame and frame[0]:
            self.torn += 1
