"""Bytes to frame data and back, in API modes 1 and 2.

A frame on the wire is ``7E | length (2 bytes, MSB first) | frame data | checksum``. In mode 2 the
bytes 7E, 7D, 11 and 13 after the start byte travel as ``7D, byte ^ 20``; length and checksum are
of the unescaped bytes (90000976, "API frame specifications"; 90001539, "API operating mode").

Resynchronisation, which differs because the modes do:

* Mode 2: an unescaped 7E always starts a frame, so the stream is split at every 7E and each piece
  stands or falls by itself. A frame is never waited for past the next 7E.
* Mode 1: a 7E may also be data. A candidate whose length is impossible, or whose checksum is wrong,
  was a false start, and the search goes on from the byte after its 7E, so that a good frame inside
  the supposed one is found. A false start with a plausible length has to be waited for, but never
  for more than `MAXIMUM_FRAME_DATA` bytes; and the owner, who has a clock, calls `give_up` when a
  frame's beginning is too old, or the line silent behind it (see `zbtwist.radio.patience`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

START = 0x7E
START_BYTE = b"\x7e"
ESCAPE_BYTE = b"\x7d"

#: The longest frame data, in bytes, that a decoder believes. A Zigbee radio's longest frame is a
#: 255-byte payload (NP's upper limit) and some 20 bytes of header; the rest is room.
MAXIMUM_FRAME_DATA = 512

#: The longest frame data, in bytes, that the length field can say.
LONGEST_ENCODABLE = 0xFFFF

#: Start byte, length and checksum: what framing adds to the frame data in mode 1.
OVERHEAD = 4

_ESCAPED_PAIR = re.compile(rb"\x7d(.?)", re.DOTALL)


def encode(frame_data: bytes, api_mode: int) -> bytes:
    """Frame `frame_data` for the wire.

    @param frame_data: frame type and fields, 1 to 65535 bytes.
    @param api_mode: 1 (as is) or 2 (escaped).
    @return: start byte, length, frame data and checksum, escaped as the mode asks.
    @raise ValueError: the frame data is empty or too long for the length field.
    """
    size = len(frame_data)
    if not 0 < size <= LONGEST_ENCODABLE:
        raise ValueError(f"frame data must be 1 to {LONGEST_ENCODABLE} bytes, not {size}")
    body = b"%c%c%b%c" % (size >> 8, size & 0xFF, frame_data, 0xFF - (sum(frame_data) & 0xFF))
    if api_mode == 2:
        body = escape(body)
    return START_BYTE + body


def escape(data: bytes) -> bytes:
    """Escape `data` for API mode 2: 7D first, since the other replacements make new 7Ds."""
    return (
        data.replace(b"\x7d", b"\x7d\x5d")
        .replace(b"\x7e", b"\x7d\x5e")
        .replace(b"\x11", b"\x7d\x31")
        .replace(b"\x13", b"\x7d\x33")
    )


def unescape(data: bytes) -> bytes:
    """Undo `escape`: any ``7D, byte`` is read as ``byte ^ 20``; a 7D at the end is left out."""
    escapes = data.count(ESCAPE_BYTE)
    if not escapes:
        return data
    # The four pairs that a radio sends are undone in C. The count proves that there was no other
    # pair: each 7D of the input stood before 5D, 5E, 31 or 33, and none before another 7D.
    known = (
        data.count(b"\x7d\x5d")
        + data.count(b"\x7d\x5e")
        + data.count(b"\x7d\x31")
        + data.count(b"\x7d\x33")
    )
    if known == escapes:
        return (
            data.replace(b"\x7d\x5e", b"\x7e")
            .replace(b"\x7d\x31", b"\x11")
            .replace(b"\x7d\x33", b"\x13")
            .replace(b"\x7d\x5d", b"\x7d")
        )
    return _ESCAPED_PAIR.sub(lambda pair: bytes([pair[1][0] ^ 0x20]) if pair[1] else b"", data)


class FrameDecoder:
    """Finds frame data in a byte stream. Make one with `decoder_for`.

    Nothing raises: what is not a frame is counted and left out.

    @ivar good_frames: how many frames were found.
    @ivar bad_frames: how many candidates had a wrong checksum or an impossible length, or were cut
        short.
    @ivar discarded_bytes: how many bytes of the stream, as received, belong to no good frame.
    """

    api_mode: int

    def __init__(
        self,
        maximum_frame_data: int = MAXIMUM_FRAME_DATA,
        on_bad_frame: Callable[[bytes], None] | None = None,
    ) -> None:
        """
        @param maximum_frame_data: the longest frame data to believe, in bytes.
        @param on_bad_frame: called with each bad candidate (start byte, length, data, checksum;
            unescaped), for those who want to look at it.
        """
        self.good_frames = 0
        self.bad_frames = 0
        self.discarded_bytes = 0
        self._maximum = maximum_frame_data
        self._on_bad_frame = on_bad_frame
        self._pending = b""
        # How many bytes `_pending` must hold before another look can find anything new.
        self._needed = 0
        self._beginnings = 0

    @property
    def pending(self) -> bytes:
        """The bytes held back because they may be the beginning of a frame."""
        return self._pending

    @property
    def beginnings(self) -> int:
        """How many beginnings were held back so far: while it stays, `pending` is the same one."""
        return self._beginnings

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream.

        @param data: any number of bytes.
        @return: the frame data of each good frame that is now complete, in order.
        """
        raise NotImplementedError

    def give_up(self) -> list[bytes]:
        """The line fell silent: what is pending is not a frame's beginning after all.

        @return: the frame data of each good frame that was behind the false start.
        """
        raise NotImplementedError

    def _bad(self, candidate: bytes) -> None:
        self.bad_frames += 1
        if self._on_bad_frame is not None:
            self._on_bad_frame(candidate)


class PlainDecoder(FrameDecoder):
    """API mode 1: frames travel as they are."""

    api_mode = 1

    def feed(self, data: bytes) -> list[bytes]:
        held = bool(self._pending)
        if held:
            data = self._pending + data
        size = len(data)
        if size < self._needed:
            self._pending = data
            return []
        frames: list[bytes] = []
        position = 0
        self._needed = 0
        maximum = self._maximum
        while True:
            start = data.find(START, position)
            if start < 0:
                self.discarded_bytes += size - position
                self._pending = b""
                break
            self.discarded_bytes += start - position
            if size - start < OVERHEAD:
                self._pending = data[start:]
                self._needed = OVERHEAD
                break
            length = data[start + 1] << 8 | data[start + 2]
            if not 0 < length <= maximum:
                self._false_start(data[start : start + 3])
                position = start + 1
                continue
            end = start + OVERHEAD + length
            if end > size:
                self._pending = data[start:]
                self._needed = end - start
                break
            if sum(data[start + 3 : end]) & 0xFF == 0xFF:
                frames.append(data[start + 3 : end - 1])
                position = end
            else:
                self._false_start(data[start:end])
                position = start + 1
        if self._pending and (start or not held):
            self._beginnings += 1
        self.good_frames += len(frames)
        return frames

    def give_up(self) -> list[bytes]:
        frames: list[bytes] = []
        while self._pending:
            candidate, self._pending, self._needed = self._pending, b"", 0
            self._false_start(candidate)
            frames += self.feed(candidate[1:])
        return frames

    def _false_start(self, candidate: bytes) -> None:
        # Only the start byte is lost for sure: the search goes on behind it.
        self.discarded_bytes += 1
        self._bad(candidate)


class EscapedDecoder(FrameDecoder):
    """API mode 2: every unescaped 7E starts a frame."""

    api_mode = 2

    def feed(self, data: bytes) -> list[bytes]:
        pending = self._pending
        if pending:
            data = pending + data
            if len(data) < self._needed and data.find(START, len(pending)) < 0:
                self._pending = data
                return []
        frames: list[bytes] = []
        pieces = data.split(START_BYTE)
        # What stands before the first 7E follows a frame that is already done, or no frame.
        self.discarded_bytes += len(pieces[0])
        self._pending = b""
        self._needed = 0
        last = len(pieces) - 1
        for index in range(1, last + 1):
            self._piece(pieces[index], index == last, frames)
        if self._pending and (last > 1 or not pending):
            self._beginnings += 1
        self.good_frames += len(frames)
        return frames

    def give_up(self) -> list[bytes]:
        if self._pending:
            self._discard(self._pending[1:])
            self._pending = b""
            self._needed = 0
        return []

    def _piece(self, piece: bytes, may_continue: bool, frames: list[bytes]) -> None:
        """Judge the bytes between one 7E and the next, or the end of what has come so far."""
        body = unescape(piece)
        have = len(body)
        if have < 2:
            if may_continue:
                self._pending = START_BYTE + piece
                self._needed = OVERHEAD
            else:
                self._discard(piece)
            return
        length = body[0] << 8 | body[1]
        if not 0 < length <= self._maximum:
            self._discard(piece)
            return
        missing = length + 3 - have
        if missing > 0:
            if may_continue:
                self._pending = START_BYTE + piece
                self._needed = len(self._pending) + missing
            else:
                self._discard(piece)
            return
        size = len(piece)
        # What follows the checksum is nobody's; so is a lone 7D, which `unescape` leaves out.
        if missing < 0 or piece[-1] == 0x7D:
            size = _escaped_size(piece, length + 3)
            body = body[: length + 3]
            self.discarded_bytes += len(piece) - size
        if sum(body) - body[0] - body[1] & 0xFF == 0xFF:
            frames.append(body[2:-1])
        else:
            self.discarded_bytes += 1 + size
            self._bad(START_BYTE + body)

    def _discard(self, piece: bytes) -> None:
        self.discarded_bytes += 1 + len(piece)
        self._bad(START_BYTE + unescape(piece))


def _escaped_size(piece: bytes, size: int) -> int:
    """How many bytes of the escaped `piece` make its first `size` unescaped bytes."""
    position = 0
    for _ in range(size):
        position += 2 if piece[position] == 0x7D else 1
    return position


def decoder_for(
    api_mode: int,
    maximum_frame_data: int = MAXIMUM_FRAME_DATA,
    on_bad_frame: Callable[[bytes], None] | None = None,
) -> FrameDecoder:
    """
    @param api_mode: 1 or 2.
    @return: a decoder for that mode; see `FrameDecoder` for the other parameters.
    @raise ValueError: there are no frames in that mode.
    """
    if api_mode == 1:
        return PlainDecoder(maximum_frame_data, on_bad_frame)
    if api_mode == 2:
        return EscapedDecoder(maximum_frame_data, on_bad_frame)
    raise ValueError(f"API mode must be 1 or 2, not {api_mode!r}")
