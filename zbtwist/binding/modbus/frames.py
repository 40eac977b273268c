"""Modbus RTU frames: whole ones by their length and CRC, however they were cut on their way.

On a serial line a pause ends a frame (Modbus over serial line 1.02, 2.5.1.1). TCP and radios make
pauses of their own and lose others, so nothing here goes by them. How long a frame is say its
function and the counts in it (Modbus application protocol 1.1b3, 6); where they do not, the first
length at which the CRC is right.
"""

from __future__ import annotations

from collections.abc import Callable

#: Bytes of a frame at the most: an address, 253 of function and data, and the CRC (1.02, 2.5.1).
MAX_FRAME = 256

#: Bytes of the shortest one: address, function, CRC.
MIN_FRAME = 4

#: The address that all slaves hear and none answers (1.02, 2.1).
BROADCAST = 0

#: The last of those that a slave may have (1.02, 2.2).
LAST_SLAVE = 247

#: What a function has in an answer that says why not (1.1b3, 7).
EXCEPTION = 0x80

#: Bytes of such an answer.
EXCEPTION_SIZE = 5

READ_COILS, READ_INPUTS, READ_HOLDING, READ_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
DIAGNOSE, MASK_WRITE, READ_WRITE, READ_QUEUE, ENCAPSULATED = 8, 22, 23, 24, 43

# How long a frame is, of its bytes so far: None if more of them are needed to tell.
_Length = Callable[[bytes], int | None]


def _fixed(size: int) -> _Length:
    return lambda frame: size


def _counted(size: int, at: int) -> _Length:
    """One whose byte `at` says how many more there are than `size`."""
    return lambda frame: size + frame[at] if len(frame) > at else None


def _queue_answer(frame: bytes) -> int | None:
    return 6 + int.from_bytes(frame[2:4], "big") if len(frame) > 3 else None


def _identification(frame: bytes) -> int | None:
    """Read Device Identification: as many objects, each with its length (1.1b3, 6.21)."""
    if len(frame) < 8:
        return None
    at = 8
    for _ in range(frame[7]):
        if len(frame) < at + 2:
            return None
        at += 2 + frame[at + 1]
    return at + 2


_DEVICE_IDENTIFICATION = 0x0E


def _encapsulated(request: bool) -> _Length:
    def length(frame: bytes) -> int | None:
        if len(frame) < 3:
            return None
        if frame[2] != _DEVICE_IDENTIFICATION:
            return 0
        return 7 if request else _identification(frame)

    return length


#: By function; of others no length is known.
_REQUESTS: dict[int, _Length] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, DIAGNOSE), _fixed(8)),
    **dict.fromkeys((7, 11, 12, 17), _fixed(4)),
    **dict.fromkeys((WRITE_COILS, WRITE_REGISTERS), _counted(9, 6)),
    **dict.fromkeys((20, 21), _counted(5, 2)),
    MASK_WRITE: _fixed(10),
    READ_WRITE: _counted(13, 10),
    READ_QUEUE: _fixed(6),
    ENCAPSULATED: _encapsulated(True),
}
_ANSWERS: dict[int, _Length] = {
    **dict.fromkeys((1, 2, 3, 4, 12, 17, 20, 21, READ_WRITE), _counted(5, 2)),
    **dict.fromkeys((5, 6, DIAGNOSE, WRITE_COILS, WRITE_REGISTERS, 11), _fixed(8)),
    7: _fixed(5),
    MASK_WRITE: _fixed(10),
    READ_QUEUE: _queue_answer,
    ENCAPSULATED: _encapsulated(False),
}


def _table() -> tuple[int, ...]:
    """Of each low byte, what it does to the CRC: polynomial A001, reflected (1.02, 6.2.2)."""
    values = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
        values.append(value)
    return tuple(values)


_TABLE = _table()


def crc_of(data: bytes) -> bytes:
    """Return the CRC of address, function and data, as it follows them."""
    # A byte at a time: Python has no faster one of this polynomial. It is some 15 microseconds for
    # the longest frame, and the air carries no more than some dozens a second.
    crc, table = 0xFFFF, _TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def with_crc(data: bytes) -> bytes:
    """Return a frame of its address, function and data."""
    return data + crc_of(data)


def is_whole(frame: bytes) -> bool:
    """Whether its CRC is right."""
    return len(frame) >= MIN_FRAME and crc_of(frame[:-2]) == frame[-2:]


def _whole_at(data: bytes, at: int, length_of: _Length | None) -> int | None:
    """Return the end of the frame that begins at `at`; None if more bytes may be needed to tell, 0
    if there is none.
    """
    rest = data[at : at + MAX_FRAME]
    if len(rest) < 2:
        return None
    length = length_of(rest) if length_of is not None else 0
    if length is None:
        return None
    if not length:
        return _first_right(rest, at, len(data) - at)
    if length > MAX_FRAME:
        return 0
    if length > len(rest):
        return None
    return at + length if is_whole(rest[:length]) else 0


def _first_right(rest: bytes, at: int, there: int) -> int | None:
    """The same where no length is known: the first at which the CRC is right."""
    crc, table = 0xFFFF, _TABLE
    for size, byte in enumerate(rest[:-2], 1):
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
        if size >= MIN_FRAME - 2 and rest[size : size + 2] == crc.to_bytes(2, "little"):
            return at + size + 2
    return None if there < MAX_FRAME else 0


class RequestCutter:
    """What a master sends, cut into whole requests.

    @ivar waiting: the beginning of a request; empty for none.
    @ivar skipped: bytes since the last request, or the beginning, that were no part of one.
    @ivar skipped_in_all: bytes that were no part of any.
    """

    #: Seconds after which the beginning of a request is taken for one whose end never comes, if
    #: what comes next is a whole request by itself. TCP sends what was lost again sooner than that.
    STALE = 1.0

    #: Bytes in a row that may be no part of a request; whoever sends more does not speak Modbus.
    MAX_SKIPPED = 1024

    __slots__ = ("_is_in_step", "_last", "skipped", "skipped_in_all", "waiting")

    def __init__(self) -> None:
        self.waiting = b""
        self._last = 0.0
        # Whether a request begins at the next byte. Else one of which no length is known is not
        # looked for: at some length the CRC is right by chance.
        self._is_in_step = True
        self.skipped = self.skipped_in_all = 0

    @property
    def is_lost(self) -> bool:
        """Whether too much of what came was no request. Nothing more is looked for then."""
        return self.skipped > self.MAX_SKIPPED

    def feed(self, data: bytes, now: float) -> list[bytes]:
        """Take bytes, and return the requests that are whole by now.

        @param now: seconds of a clock.
        """
        is_stale = now - self._last > self.STALE
        if is_stale and (self.waiting or not self._is_in_step) and _ends_well(data):
            self._skip(len(self.waiting))
            self._is_in_step = True
        else:
            data = self.waiting + data
        self._last = now
        found: list[bytes] = []
        at = 0
        while at < len(data) and not self.is_lost:
            end = _request_end(data, at, self._is_in_step)
            if end:
                found.append(data[at:end])
                self.skipped = 0
                self._is_in_step = True
                at = end
                continue
            start = _next_request(data, at, is_open=end is None)
            if start == at:
                break
            self._is_in_step = False
            self._skip(start - at)
            at = start
        self.waiting = b"" if self.is_lost else data[at:]
        return found

    def _skip(self, size: int) -> None:
        self.skipped += size
        self.skipped_in_all += size


def _request_end(data: bytes, at: int, is_in_step: bool) -> int | None:
    """See `_whole_at`."""
    if len(data) < at + 2:
        return None
    length_of = _REQUESTS.get(data[at + 1])
    return _whole_at(data, at, length_of) if length_of is not None or is_in_step else 0


def _ends_well(data: bytes) -> bool:
    """Whether bytes are whole requests, and nothing else."""
    at: int | None = 0
    while at is not None and at < len(data):
        at = _request_end(data, at, True) or None
    return at is not None


def _next_request(data: bytes, at: int, is_open: bool) -> int:
    """Return where the next request begins: the first that is whole, or else that may become so.

    @param is_open: the one at `at` may become so.
    """
    if is_open and (len(data) < at + 2 or data[at + 1] in _REQUESTS):
        return at
    last = min(len(data), at + MAX_FRAME)
    first_open = at if is_open else last
    for start in range(at + 1, last):
        end = _request_end(data, start, False)
        if end:
            return start
        if end is None:
            first_open = min(first_open, start)
    return first_open


class Request:
    """A whole request, and what its answer is told by.

    @ivar frame: its bytes, with the CRC.
    @ivar unit: the slave's address.
    @ivar function: what is asked for.
    """

    __slots__ = ("_size", "_start", "frame", "function", "unit")

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.unit, self.function = frame[0], frame[1]
        # What follows the function in the answer, and the bytes of the whole; None for any.
        self._start, self._size = _answer_to(frame)

    @property
    def has_answer(self) -> bool:
        """Whether somebody answers it."""
        return self.unit != BROADCAST

    def is_confused_with(self, other: Request) -> bool:
        """Whether what answers one of them may pass for an answer to the other, and is none: they
        ask the same slave for the same kind of thing, and not for the same.
        """
        return (
            self.unit == other.unit
            and self.function == other.function
            and self.frame != other.frame
        )

    def answer_in(self, data: bytes) -> tuple[int, int] | None:
        """Return where in the bytes of a node its answer begins and ends; None if there is none
        yet.
        """
        unit, at = bytes([self.unit]), -1
        while (at := data.find(unit, at + 1)) >= 0:
            end = self._answer_end(data, at)
            if end:
                return at, end
        return None

    def _answer_end(self, data: bytes, at: int) -> int | None:
        if len(data) < at + EXCEPTION_SIZE:
            return None
        function = data[at + 1]
        if function == self.function | EXCEPTION:
            end = at + EXCEPTION_SIZE
            return end if is_whole(data[at:end]) else 0
        if function != self.function or not data.startswith(self._start, at + 2):
            return 0
        if self._size is not None:
            end = at + self._size
            return end if len(data) >= end and is_whole(data[at:end]) else 0
        return _whole_at(data, at, _ANSWERS.get(function))


def _answer_to(request: bytes) -> tuple[bytes, int | None]:
    """Return what an answer has behind its function, and its size, as far as the request says."""
    function = request[1]
    if function in (READ_COILS, READ_INPUTS):
        size = (int.from_bytes(request[4:6], "big") + 7) // 8
    elif function in (READ_HOLDING, READ_REGISTERS, READ_WRITE):
        size = 2 * int.from_bytes(request[4:6], "big")
    elif function in (WRITE_COIL, WRITE_REGISTER, MASK_WRITE):
        return request[2:], len(request)
    elif function in (WRITE_COILS, WRITE_REGISTERS):
        return request[2:6], 8
    elif function == DIAGNOSE:
        return request[2:4], 8
    else:
        return b"", None
    # One that asks for more than there can be is answered by an exception.
    return (bytes([size]), 5 + size) if size < 252 else (b"", 0)
