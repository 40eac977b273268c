"""A node's serial line to its device: its rate, its buffer, and what finds no room in it.

What the air brings goes into the module's serial transmit buffer, and from there to the device at
the rate of BD. A packet for which there is no room is dropped whole; its sender has been told that
it arrived (90000976, "Serial transmit buffer"). While the device has RTS off nothing leaves the
buffer. Each packet reaches the device at once, when its last byte has gone over the line.

What the device says has no such line: it is in the module at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.serial_line import TRANSMIT_BUFFER
from zbtwist.xbee.at import PARAMETERS, baud_rate_of, bits_of_character

#: The settings that the line goes by.
LINE_SETTINGS = frozenset(("BD", "NB", "SB"))


class Uart:
    """
    @ivar capacity: bytes that the buffer holds. A packet that finds it empty fits in anyway: a
        module that takes so large packets has a larger one.
    @ivar baud: its rate, bits per second.
    @ivar parity: ``none``, ``even``, ``odd`` or ``mark``.
    @ivar stop_bits: 1 or 2.
    @ivar seconds_for_byte: how long each takes.
    @ivar sent_bytes: bytes that the device has got.
    @ivar dropped_packets: packets for which there was no room.
    @ivar dropped_bytes: their bytes.
    @ivar spoiled_bytes: bytes that were still to be sent, in part or whole, when the line was set
        up in another way.
    @ivar dropped: called with each packet for which there was no room; None to call nobody.
    """

    def __init__(self, network: IMedium, device: Callable[[bytes], object]) -> None:
        """
        @param device: takes what comes over the line.
        """
        self._network = network
        self._device = device
        self.capacity: float = TRANSMIT_BUFFER
        self.baud = 0
        self.parity = ""
        self.stop_bits = 0
        self.seconds_for_byte = 0.0
        self.sent_bytes = 0
        self.dropped_packets = 0
        self.dropped_bytes = 0
        self.spoiled_bytes = 0
        self.dropped: Callable[[bytes], object] | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        # Of the first packet: bytes that were sent by a moment, since when the rest is; and the
        # call at its end.
        self._done = 0.0
        self._since = 0.0
        self._end: IDelayedCall | None = None
        self._rts = True

    def set_up(self, bd: int, nb: int, sb: int) -> None:
        """Let the line be as the registers say."""
        self._interrupt()
        before = str(self)
        self.baud = baud_rate_of(bd)
        self.parity = PARAMETERS["NB"].text_of(nb)
        self.stop_bits = 2 if sb else 1
        if str(self) != before:
            self.spoiled_bytes += self.buffered
        self.seconds_for_byte = bits_of_character(nb, sb) / self.baud
        self._go_on()

    def __str__(self) -> str:
        return f"{self.baud} 8{self.parity[:1].upper()}{self.stop_bits}"

    @property
    def rts(self) -> bool:
        """Whether the device takes anything."""
        return self._rts

    @rts.setter
    def rts(self, rts: bool) -> None:
        self._interrupt()
        self._rts = rts
        self._go_on()

    @property
    def buffered(self) -> int:
        """Bytes that the device has not got yet."""
        # What is just being sent is still there, and sums of seconds are not exact. A clock that
        # calls late does not slow the line down.
        return max(0, self._waiting_bytes - int(self._sent_of_first() + 1e-6))

    def send(self, data: bytes) -> None:
        """A packet came from the air."""
        if self._waiting and self.buffered + len(data) > self.capacity:
            self.dropped_packets += 1
            self.dropped_bytes += len(data)
            if self.dropped is not None:
                self.dropped(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._end is None:
            self._since = self._network.seconds()
            self._go_on()

    def clear(self) -> None:
        """The module restarts, or is switched off: what waits is gone."""
        self._interrupt()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._done = 0.0

    def _sent_of_first(self) -> float:
        if self._end is None:
            return self._done
        return self._done + (self._network.seconds() - self._since) / self.seconds_for_byte

    def _interrupt(self) -> None:
        self._done = self._sent_of_first()
        self._since = self._network.seconds()
        self._network.cancel(self._end)
        self._end = None

    def _go_on(self) -> None:
        if self._waiting and self._rts:
            end = self._since + self._seconds_left()
            delay = max(0.0, end - self._network.seconds())
            self._end = self._network.call_later(delay, self._through)

    def _seconds_left(self) -> float:
        return max(0.0, len(self._waiting[0]) - self._done) * self.seconds_for_byte

    def _through(self) -> None:
        """The first packet is with the device."""
        self._end = None
        self._since += self._seconds_left()
        self._done = 0.0
        data = self._waiting.popleft()
        self._waiting_bytes -= len(data)
        self.sent_bytes += len(data)
        self._go_on()
        self._device(data)
