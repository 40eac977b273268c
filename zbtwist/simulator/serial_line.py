"""The serial line between the simulated radio and its reader: its rate, and what goes wrong on it.

A line has two directions, each a `Wire` with a buffer. Bytes leave the buffer in a later turn of
the clock: all at once, or at the line's rate, or in pieces. On the way they may be spoiled, lost or
joined by others. A wire that is stuck takes nothing off its buffer, as when CTS is off. Nothing of
this happens unless it is asked for, and all chance is seeded.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from zbtwist.simulator.directions import Both

#: Bits on the line for each byte: a start bit, eight bits, a stop bit.
BITS_PER_BYTE = 10

#: Bytes of a module's serial transmit buffer. Digi prints the size of the receive buffer only, and
#: this is the smallest of them (XBee S2C 802.15.4, "Flow control").
TRANSMIT_BUFFER = 174

#: Seconds of bytes that come in one piece where the line has a rate.
_PIECE_SECONDS = 0.002

log = Logger()


def _do_nothing() -> None:
    """Nobody asked to be told."""


class Wire:
    """One direction of a line.

    The first three are probabilities, for each byte.

    @ivar bit_errors: of one of its bits to be turned over.
    @ivar lost_bytes: of it to be lost.
    @ivar garbage: of a byte that nobody sent to follow it.
    @ivar largest_piece: what is written arrives in pieces of 1 to so many bytes; 0 for all at once.
    @ivar piece_delay: up to so many seconds pass before each piece.
    @ivar baud: the rate, in bit/s; 0 for no limit.
    @ivar capacity: how many bytes wait at most, None for no limit; what comes then is lost.
    @ivar overrun_bytes: how many bytes were lost so.
    @ivar take: called with what arrives; None drops it.
    @ivar emptied: called when nothing waits any more.
    @ivar waiting: the bytes that wait; who tests a line may change them.
    @ivar spoiler: returns what arrives of what leaves the buffer; None for all of it.
    @ivar watcher: called with what leaves the buffer, and with what arrives of it.
    """

    def __init__(
        self, clock: IReactorTime, chance: random.Random, capacity: int | None = None
    ) -> None:
        self._clock = clock
        self._chance = chance
        self.capacity = capacity
        self.bit_errors = 0.0
        self.lost_bytes = 0.0
        self.garbage = 0.0
        self.largest_piece = 0
        self.piece_delay = 0.0
        self.baud = 0
        self.overrun_bytes = 0
        self.take: Callable[[bytes], None] | None = None
        self.emptied: Callable[[], None] = _do_nothing
        self.spoiler: Callable[[bytes], bytes] | None = None
        self.watcher: Callable[[bytes, bytes], None] | None = None
        self.waiting = bytearray()
        self._turn: IDelayedCall | None = None
        self._release: IDelayedCall | None = None
        self._stuck = False
        self._paused = False

    @property
    def buffered(self) -> int:
        """How many bytes wait."""
        return len(self.waiting)

    def has_room(self, size: int) -> bool:
        """Return whether the sender's own buffer takes so many bytes in one.

        It does on a line without a rate, which carries all at once; and where it is empty, since
        a module that takes so large packets has a larger one.
        """
        waiting = len(self.waiting)
        return not (self.baud and waiting) or waiting + size <= TRANSMIT_BUFFER

    @property
    def stuck(self) -> bool:
        """Whether nothing gets through until it is released."""
        return self._stuck

    def write(self, data: bytes) -> None:
        """Send bytes; they arrive in a later turn."""
        if self.capacity is not None:
            room = max(0, self.capacity - len(self.waiting))
            if len(data) > room:
                if not self.overrun_bytes:
                    log.warn("the simulated radio's line overruns: its reader is too slow")
                self.overrun_bytes += len(data) - room
                data = data[:room]
        self.waiting += data
        self._soon()

    def pause(self) -> None:
        """The receiver wants no more for now."""
        self._paused = True
        self._cancel_turn()

    def resume(self) -> None:
        """The receiver wants more."""
        self._paused = False
        self._soon()

    def stick(self, seconds: float | None = None) -> None:
        """Let nothing through, for so many seconds or until `release`."""
        self._cancel_release()
        self._stuck = True
        self._cancel_turn()
        if seconds is not None:
            self._release = self._clock.callLater(seconds, self._time_is_up)

    def release(self) -> None:
        """Let everything through again."""
        self._cancel_release()
        self._stuck = False
        self._soon()

    def _time_is_up(self) -> None:
        self._release = None
        self.release()

    def clear(self) -> None:
        """Forget what waits, and who takes it."""
        self._cancel_turn()
        self.waiting.clear()
        self._paused = False
        self.take = None
        self.emptied = _do_nothing

    def stop(self) -> None:
        """Leave nothing in the clock."""
        self.clear()
        self._cancel_release()

    # --- Turns ---------------------------------------------------------------------------------

    def _cancel_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _cancel_release(self) -> None:
        if self._release is not None:
            self._release.cancel()
            self._release = None

    def _soon(self) -> None:
        if self._turn is not None or self._stuck or self._paused or not self.waiting:
            return
        size: int | None = None
        delay = 0.0
        if self.baud:
            size = max(1, int(self.baud / BITS_PER_BYTE * _PIECE_SECONDS))
        if self.largest_piece:
            piece = self._chance.randint(1, int(self.largest_piece))
            size = piece if size is None else min(size, piece)
        if self.baud and size is not None:
            size = min(size, len(self.waiting))
            delay = size * BITS_PER_BYTE / self.baud
        if self.piece_delay:
            delay += self._chance.uniform(0, self.piece_delay)
        self._turn = self._clock.callLater(delay, self._carry, size)

    def _carry(self, size: int | None) -> None:
        self._turn = None
        sent = bytes(self.waiting[:size])
        del self.waiting[:size]
        data = self._spoil(sent)
        if self.spoiler is not None:
            data = self.spoiler(data)
        if self.watcher is not None:
            self.watcher(sent, data)
        if data and self.take is not None:
            self.take(data)
        self._soon()
        if not self.waiting:
            self.emptied()

    def _spoil(self, data: bytes) -> bytes:
        if not (self.bit_errors or self.lost_bytes or self.garbage):
            return data
        spoiled = bytearray()
        for value in data:
            if not self._happens(self.lost_bytes):
                turned = 1 << self._chance.randrange(8) if self._happens(self.bit_errors) else 0
                spoiled.append(value ^ turned)
            if self._happens(self.garbage):
                spoiled.append(self._chance.randrange(256))
        return bytes(spoiled)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability


class SerialLine:
    """Both directions; what is set here is set for both.

    @ivar to_radio: from the gateway to the radio.
    @ivar from_radio: from the radio to the gateway.
    """

    bit_errors = Both()
    lost_bytes = Both()
    garbage = Both()
    largest_piece = Both()
    piece_delay = Both()
    baud = Both()

    def __init__(self, clock: IReactorTime, seed: int = 0, capacity: int | None = None) -> None:
        """
        @param seed: where all chance comes from.
        @param capacity: how many bytes of the radio wait for a reader that has paused.
        """
        self.to_radio = Wire(clock, random.Random(f"{seed} line to the radio"))
        self.from_radio = Wire(clock, random.Random(f"{seed} line from the radio"), capacity)

    @property
    def directions(self) -> tuple[Wire, Wire]:
        return self.to_radio, self.from_radio

    def stick(self, seconds: float | None = None) -> None:
        """CTS is off: the radio takes nothing, for so many seconds or until `release`."""
        self.to_radio.stick(seconds)

    def release(self) -> None:
        """CTS is on again."""
        self.to_radio.release()

    def clear(self) -> None:
        """Forget what is on the line, as when it is closed."""
        for wire in self.directions:
            wire.clear()

    def stop(self) -> None:
        """Leave nothing in the clock."""
        for wire in self.directions:
            wire.stop()
