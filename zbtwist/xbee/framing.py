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
  for more than `MAX_FRAME_DATA` bytes; and the owner, who has a clock, calls `give_up` when a
  frame's beginning is too old, or the line silent behind it (see `zbtwist.radio.frame_timeout`).

Both decoders expect what nearly every frame is, whole and good. That is seen without a loop over
single bytes: searching, escaping and adding up are done by methods of bytes and by zlib. Only where
it is not so, they look closely.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from zlib import adler32

START = 0x7E
START_BYTE = b"\x7e"
ESCAPE = 0x7D
ESCAPE_BYTE = b"\x7d"

#: The longest frame data, in bytes, that a decoder believes. A Zigbee radio's longest frame is a
#: 255-byte payload (NP's upper limit) and some 20 bytes of header; the rest is room.
MAX_FRAME_DATA = 512

#: The longest frame data, in bytes, that the length field can say.
MAX_ENCODABLE = 0xFFFF

#: Start byte, length and checksum: what framing adds to the frame data in mode 1.
OVERHEAD = 4

_LENGTH = struct.Struct(">H")
_START_AND_LENGTH = struct.Struct(">BH")
_BYTES = [bytes((value,)) for value in range(256)]
_ESCAPED_PAIR = re.compile(rb"\x7d(.?)", re.DOTALL)

#: The most bytes whose sum is certain to stay below the modulus of Adler-32, 65521.
_ADLER_EXACT = 256


def encode(frame_data: bytes, api_mode: int) -> bytes:
    """Frame `frame_data` for the wire.

    @param frame_data: frame type and fields, 1 to 65535 bytes.
    @param api_mode: 1 (as is) or 2 (escaped).
    @return: start byte, length, frame data and checksum, escaped as the mode asks.
    @raise ValueError: the frame data is empty or too long for the length field.
    """
    size = len(frame_data)
    if not 0 < size <= MAX_ENCODABLE:
        raise ValueError(f"frame data must be 1 to {MAX_ENCODABLE} bytes, not {size}")
    total = adler32(frame_data) if size <= _ADLER_EXACT else _one_and_sum(frame_data)
    body = _LENGTH.pack(size) + frame_data + _BYTES[-total & 0xFF]
    if api_mode == 2:
        body = escape(body)
    return START_BYTE + body


def _one_and_sum(data: bytes) -> int:
    """Return 1 + the sum of the bytes; only its low byte is of use.

    The lower half of an Adler-32 (RFC 1950) is just that, modulo 65521, and zlib is several times
    faster than `sum`. Behind frame data whose checksum is right, the low byte of the whole is 0.
    """
    if len(data) <= _ADLER_EXACT:
        return adler32(data)
    total = 1
    for position in range(0, len(data), _ADLER_EXACT):
        total += adler32(data[position : position + _ADLER_EXACT]) - 1
    return total


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
    # The four pairs that a radio sends are undone in C, until no 7D is left: each was of a pair
    # then, and there was no other pair. 13 is the first, since it is in all of Digi's addresses.
    plain = data.replace(b"\x7d\x33", b"\x13")
    if ESCAPE not in plain:
        return plain
    plain = plain.replace(b"\x7d\x31", b"\x11")
    if ESCAPE not in plain:
        return plain
    plain = plain.replace(b"\x7d\x5e", b"\x7e")
    if ESCAPE not in plain:
        return plain
    size = len(plain) - plain.count(ESCAPE_BYTE)
    plain = plain.replace(b"\x7d\x5d", b"\x7d")
    if len(plain) == size:
        return plain
    return _ESCAPED_PAIR.sub(lambda pair: bytes([pair[1][0] ^ 0x20]) if pair[1] else b"", data)


class FrameDecoder:
    """Finds frame data in a byte stream. Make one with `decoder_for`.

    Nothing raises: what is not a frame is counted and left out.

    @ivar good_frames: how many frames were found.
    @ivar bad_frames: how many candidates had a wrong checksum or an impossible length, or were cut
        short.
    @ivar discarded_bytes: how many bytes of the stream, as received, belong to no good frame.
    @ivar pending: the bytes held back because they may be the beginning of a frame.
    @ivar beginnings: how many beginnings were held back so far: while it stays, `pending` is the
        same one.
    """

    api_mode: int

    def __init__(
        self,
        maximum_frame_data: int = MAX_FRAME_DATA,
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
        self.pending = b""
        # How many bytes `pending` must hold before another look can find anything new.
        self._needed = 0
        self.beginnings = 0

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
        held = bool(self.pending)
        if held:
            data = self.pending + data
        size = len(data)
        if size < self._needed:
            self.pending = data
            return []
        frames: list[bytes] = []
        position = 0
        maximum = self._maximum
        needed = 0
        while size - position >= OVERHEAD:
            start, length = _START_AND_LENGTH.unpack_from(data, position)
            if start != START:
                position = self._skip(data, position)
                continue
            if not 0 < length <= maximum:
                self._false_start(data[position : position + 3])
                position += 1
                continue
            end = position + OVERHEAD + length
            if end > size:
                needed = end - position
                break
            frame_data = data[position + 3 : end - 1]
            total = adler32(frame_data) if length <= _ADLER_EXACT else _one_and_sum(frame_data)
            if total + data[end - 1] & 0xFF:
                self._false_start(data[position:end])
                position += 1
                continue
            frames.append(frame_data)
            position = end
        else:
            if position < size:
                position = self._skip(data, position)
            if position < size:
                needed = OVERHEAD
        self.pending = data[position:]
        self._needed = needed
        if needed and (position or not held):
            self.beginnings += 1
        self.good_frames += len(frames)
        return frames

    def give_up(self) -> list[bytes]:
        frames: list[bytes] = []
        while self.pending:
            candidate, self.pending, self._needed = self.pending, b"", 0
            self._false_start(candidate)
            frames += self.feed(candidate[1:])
        return frames

    def _skip(self, data: bytes, position: int) -> int:
        """Discard what is before the next start byte; return its position, or the end."""
        start = data.find(START, position)
        if start < 0:
            start = len(data)
        self.discarded_bytes += start - position
        return start

    def _false_start(self, candidate: bytes) -> None:
        # Only the start byte is lost for sure: the search goes on behind it.
        self.discarded_bytes += 1
        self._bad(candidate)


class EscapedDecoder(FrameDecoder):
    """API mode 2: every unescaped 7E starts a frame."""

    api_mode = 2

    def feed(self, data: bytes) -> list[bytes]:
        pending = self.pending
        if pending:
            starts = START in data
            data = pending + data
            if len(data) < self._needed and not starts:
                self.pending = data
                return []
        elif (
            # A line that is not full brings one at a time, and mostly whole. Escapes only make it
            # longer.
            len(data) > OVERHEAD
            and data[2] + OVERHEAD <= len(data)
            and data[0] == START
            and START not in (piece := data[1:])
        ):
            frame_data = _frame_in(piece, self._maximum)
            if frame_data:
                self.good_frames += 1
                return [frame_data]
        frames: list[bytes] = []
        # What stands before the first 7E follows a frame that is already done, or no frame.
        before, *pieces = data.split(START_BYTE)
        self.discarded_bytes += len(before)
        self.pending = b""
        self._needed = 0
        maximum = self._maximum
        last = len(pieces) - 1
        is_new = last > 0 or not pending
        if pieces:
            needed = self._needed_at_least(pieces[last])
            if needed:
                self._hold(pieces.pop(), needed, is_new)
        for index, piece in enumerate(pieces):
            frame_data = _frame_in(piece, maximum)
            if frame_data:
                frames.append(frame_data)
                continue
            body = unescape(piece)
            missing = self._missing(body) if index == last else 0
            if missing:
                self._hold(piece, 1 + len(piece) + missing, is_new)
            else:
                self._look_closely(piece, body, frames)
        self.good_frames += len(frames)
        return frames

    def give_up(self) -> list[bytes]:
        if self.pending:
            self._discard(self.pending[1:])
            self.pending = b""
            self._needed = 0
        return []

    def _hold(self, piece: bytes, needed: int, is_new: bool) -> None:
        """Keep the last piece until there are `needed` bytes of it, its start byte included."""
        self.pending = START_BYTE + piece
        self._needed = needed
        if is_new:
            self.beginnings += 1

    def _needed_at_least(self, piece: bytes) -> int:
        """See at a glance, for the most frequent lengths, that the last piece is too short.

        This spares a look at each beginning whose end is in the next read. Escapes only make the
        frame longer, so what is too short for the length as it is, is too short.

        @return: how many bytes it needs, its start byte included; 0 if a glance does not tell.
        """
        if len(piece) < 2 or piece[0] or piece[1] == ESCAPE:
            return 0
        size = piece[1] + 3
        return 1 + size if 3 < size <= self._maximum + 3 and len(piece) < size else 0

    def _missing(self, body: bytes) -> int:
        """How many bytes, without escapes, the beginning of a frame lacks at least.

        @return: 0 if more bytes will not make a frame of it that it is not now.
        """
        if len(body) < 2:
            return 3 - len(body)
        length = body[0] << 8 | body[1]
        return max(length + 3 - len(body), 0) if 0 < length <= self._maximum else 0

    def _look_closely(self, piece: bytes, body: bytes, frames: list[bytes]) -> None:
        """Judge a piece that is not just one good frame."""
        size = (body[0] << 8 | body[1]) + 3 if len(body) > 1 else 0
        if not 3 < size <= self._maximum + 3 or len(body) < size:
            self._discard(piece)
            return
        # What follows the checksum is nobody's; so is a lone 7D, which `unescape` leaves out.
        body = body[:size]
        escaped_size = _escaped_size(piece, size)
        self.discarded_bytes += len(piece) - escaped_size
        if _one_and_sum(body[2:]) & 0xFF:
            self.discarded_bytes += 1 + escaped_size
            self._bad(START_BYTE + body)
        else:
            frames.append(body[2:-1])

    def _discard(self, piece: bytes) -> None:
        self.discarded_bytes += 1 + len(piece)
        self._bad(START_BYTE + unescape(piece))


def _frame_in(piece: bytes, maximum: int) -> bytes:
    """Return the frame data if what follows a start byte is just one good frame; else nothing.

    @param piece: without other start bytes.
    @param maximum: the longest frame data to believe, in bytes.
    """
    body = unescape(piece)
    length = len(body) - 3
    if 0 < length <= maximum and body[0] << 8 | body[1] == length:
        frame_data = body[2:-1]
        total = adler32(frame_data) if length <= _ADLER_EXACT else _one_and_sum(frame_data)
        # A lone 7D, which `unescape` leaves out, is not the frame's.
        if not total + body[-1] & 0xFF and piece[-1] != ESCAPE:
            return frame_data
    return b""


def _escaped_size(piece: bytes, size: int) -> int:
    """How many bytes of the escaped `piece` make its first `size` unescaped bytes."""
    position = 0
    for _ in range(size):
        position += 2 if piece[position] == ESCAPE else 1
    return position


def decoder_for(
    api_mode: int,
    maximum_frame_data: int = MAX_FRAME_DATA,
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
