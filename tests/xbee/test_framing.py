"""Framing: whatever comes between them, good frames come out whole, in order, and are counted.

The decoders are held against `find_plain` and `find_escaped`, which look at the complete stream,
byte by byte, with no thought for speed or for chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import assume, example, given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.xbee.strategies import (
    any_frame,
    busy_bytes,
    chunk_sizes,
    chunks,
    payloads,
    repeatable,
)
from zbtwist.xbee.frames import Frame, parse_frame
from zbtwist.xbee.framing import (
    MAX_ENCODABLE,
    MAX_FRAME_DATA,
    FrameDecoder,
    decoder_for,
    encode,
    escape,
    unescape,
)

#: A modem status, a receive packet, and frame data full of what framing minds.
STATUS = bytes.fromhex("8a 06")
PACKET = bytes.fromhex("90 0013a200400a3eff 1234 01 48656c6c6f")
BUSY = bytes.fromhex("90 7e7d11137e7d1113 7e7d 11 13 7e 00 02 7d 7d 5e 7e")


@dataclass
class ProbeResult:
    """What a reference model finds: frame data, and where in the stream each began and ended."""

    frames: list[bytes]
    places: list[tuple[int, int]]
    bad_frames: int


def has_frame(body: bytes, maximum: int) -> int:
    """How many bytes the frame at the beginning of `body` has, 0 if there is none.

    @param body: what follows a start byte, not escaped.
    """
    if len(body) < 4:
        return 0
    length = int.from_bytes(body[:2], "big")
    if not 1 <= length <= maximum or len(body) < 2 + length + 1:
        return 0
    if sum(body[2 : 2 + length + 1]) % 256 != 255:
        return 0
    return 2 + length + 1


def find_plain(stream: bytes, maximum: int = MAX_FRAME_DATA) -> ProbeResult:
    """Mode 1: at each byte in turn, a frame or not; behind a frame, go on."""
    found = ProbeResult([], [], 0)
    position = 0
    while position < len(stream):
        if stream[position] == 0x7E:
            size = has_frame(stream[position + 1 :], maximum)
            if size:
                found.frames.append(stream[position + 3 : position + size])
                found.places.append((position, position + 1 + size))
                position += 1 + size
                continue
            found.bad_frames += 1
        position += 1
    return found


def find_escaped(stream: bytes, maximum: int = MAX_FRAME_DATA) -> ProbeResult:
    """Mode 2: one chance for each 7E, in the bytes up to the next 7E."""
    found = ProbeResult([], [], 0)
    starts = [position for position, byte in enumerate(stream) if byte == 0x7E]
    for start, stop in zip(starts, [*starts[1:], len(stream)]):
        body = bytearray()
        ends = []  # where in the stream each byte of the body ended
        position = start + 1
        while position < stop:
            byte = stream[position]
            position += 1
            if byte == 0x7D:
                if position == stop:
                    break
                byte = stream[position] ^ 0x20
                position += 1
            body.append(byte)
            ends.append(position)
        size = has_frame(bytes(body), maximum)
        if size:
            found.frames.append(bytes(body[2 : size - 1]))
            found.places.append((start, ends[size - 1]))
        else:
            found.bad_frames += 1
    return found


MODELS = {1: find_plain, 2: find_escaped}

#: Beginnings that promise more than they hold, frames with one bit wrong, halves of frames.
false_starts = st.builds(
    lambda length, tail: b"\x7e" + length.to_bytes(2, "big") + tail,
    st.integers(0, MAX_FRAME_DATA + 2),
    busy_bytes.map(bytes),
)


@st.composite
def spoilt_frames(draw: st.DrawFn) -> bytes:
    """A good frame of either mode with a bit turned, or with its end or beginning lost."""
    wire = encode(draw(st.binary(min_size=1, max_size=30)), draw(st.sampled_from((1, 2))))
    at = draw(st.integers(0, len(wire) - 1))
    turned = bytes([wire[at] ^ 1 << draw(st.integers(0, 7))])
    return draw(st.sampled_from((wire[:at], wire[at:], wire[:at] + turned + wire[at + 1 :])))


garbage = st.one_of(
    st.sampled_from((b"", b"\x7d", b"\x7e")),
    busy_bytes.map(bytes),
    false_starts,
    spoilt_frames(),
    st.binary(max_size=60),
)
#: What comes over the line: garbage, a frame, garbage, a frame...
traffic = st.lists(st.tuples(garbage, any_frame), min_size=1, max_size=6)


def on_the_wire(
    parts: list[tuple[bytes, Frame]], tail: bytes, api_mode: int
) -> tuple[bytes, list[tuple[int, int]]]:
    """Join the parts.

    @return: the stream, and where in it each frame begins and ends.
    """
    stream = b""
    places = []
    for noise, frame in parts:
        start = len(stream) + len(noise)
        stream += noise + encode(frame.to_bytes(), api_mode)
        places.append((start, len(stream)))
    return stream + tail, places


class EncodeTests(unittest.SynchronousTestCase):
    def test_plain(self) -> None:
        self.assertEqual(encode(STATUS, 1).hex(), "7e00028a066f")

    def test_escaped(self) -> None:
        """Everything behind the start byte is escaped: data, length and checksum."""
        data = bytes.fromhex("7e7d1113")
        self.assertEqual(encode(data, 2).hex(), "7e00047d5e7d5d7d317d33e0")
        length = bytes(0x11)
        self.assertEqual(encode(length, 2)[:4].hex(), "7e007d31")
        checksum = bytes([0xFF - 0x7E])
        self.assertEqual(encode(checksum, 2).hex(), "7e0001817d5e")

    def test_longest(self) -> None:
        """The length field's limit is the only one on what is sent."""
        self.assertEqual(encode(bytes(MAX_ENCODABLE), 1)[:3].hex(), "7effff")

    def test_checksum_of_many_large_bytes(self) -> None:
        """Their sum is more than 65520, where an Adler-32, which adds for us, begins anew."""
        for size in (255, 256, 257, 258, 511, 512, 513, 1000, MAX_ENCODABLE):
            data = b"\xff" * size
            wire = encode(data, 1)
            self.assertEqual(wire[-1], 0xFF - sum(data) % 256, size)
            for mode in (1, 2):
                decoder = decoder_for(mode, maximum_frame_data=MAX_ENCODABLE)
                self.assertEqual(decoder.feed(encode(data, mode)), [data], (mode, size))

    def test_impossible_sizes(self) -> None:
        for size in (0, MAX_ENCODABLE + 1):
            error = self.assertRaises(ValueError, encode, bytes(size), 1)
            self.assertIn(f"not {size}", str(error))

    @repeatable(200)
    @given(st.one_of(payloads, busy_bytes.map(bytes)))
    def test_escape_and_back(self, data: bytes) -> None:
        escaped = escape(data)
        self.assertFalse(set(b"\x7e\x11\x13") & set(escaped))
        self.assertEqual(unescape(escaped), data)

    @repeatable(200)
    @given(st.lists(st.sampled_from(b"\x7d\x5d\x5e\x31\x33\x20\x7e"), max_size=12).map(bytes))
    def test_unescape_takes_any_pair(self, data: bytes) -> None:
        """A pair that no radio sends is undone as well, and a 7D at the end is left out."""
        expected = bytearray()
        rest = iter(data)
        for byte in rest:
            if byte != 0x7D:
                expected.append(byte)
                continue
            following = next(rest, None)
            if following is not None:
                expected.append(following ^ 0x20)
        self.assertEqual(unescape(data), bytes(expected))


class DecoderForTests(unittest.SynchronousTestCase):
    def test_modes(self) -> None:
        self.assertEqual([decoder_for(mode).api_mode for mode in (1, 2)], [1, 2])

    def test_transparent_mode_has_no_frames(self) -> None:
        for mode in (0, 3, -1):
            error = self.assertRaises(ValueError, decoder_for, mode)
            self.assertIn(f"not {mode}", str(error))


class DecoderTests(unittest.SynchronousTestCase):
    """Both modes, by examples."""

    def check(
        self, decoder: FrameDecoder, good: int, bad: int, discarded: int, pending: bytes = b""
    ) -> None:
        counted = (decoder.good_frames, decoder.bad_frames, decoder.discarded_bytes)
        self.assertEqual(counted, (good, bad, discarded))
        self.assertEqual(decoder.pending, pending)

    def test_every_chunk_size(self) -> None:
        """One byte at a time, two, ..., all at once."""
        sent = [STATUS, BUSY, PACKET, bytes(range(256)), BUSY]
        for mode in (1, 2):
            stream = b"".join(encode(data, mode) for data in sent)
            for size in range(1, len(stream) + 1):
                decoder = decoder_for(mode)
                got = [frame for chunk in chunks(stream, [size]) for frame in decoder.feed(chunk)]
                self.assertEqual(got, sent)
                self.check(decoder, len(sent), 0, 0)

    def test_a_frame_comes_out_with_its_last_byte(self) -> None:
        for mode in (1, 2):
            decoder = decoder_for(mode)
            wire = encode(PACKET, mode)
            for byte in wire[:-1]:
                self.assertEqual(decoder.feed(bytes([byte])), [])
            self.check(decoder, 0, 0, 0, wire[:-1])
            self.assertEqual(decoder.feed(wire[-1:]), [PACKET])
            self.check(decoder, 1, 0, 0)

    def test_nothing_fed(self) -> None:
        for mode in (1, 2):
            decoder = decoder_for(mode)
            self.assertEqual(decoder.feed(b""), [])
            decoder.feed(b"\x7e\x00")
            self.assertEqual(decoder.feed(b""), [])
            self.check(decoder, 0, 0, 0, b"\x7e\x00")

    def test_garbage_without_a_start(self) -> None:
        """It is discarded at once, not kept."""
        for mode in (1, 2):
            decoder = decoder_for(mode)
            self.assertEqual(decoder.feed(b"OK\rhello"), [])
            self.check(decoder, 0, 0, 8)
            self.assertEqual(decoder.feed(b"??" + encode(STATUS, mode) + b"!"), [STATUS])
            self.check(decoder, 1, 0, 11)

    def test_truncated(self) -> None:
        """A frame that was cut anywhere does not cost the next one."""
        for mode in (1, 2):
            wire = encode(PACKET, mode)
            for kept in range(1, len(wire)):
                decoder = decoder_for(mode)
                got = decoder.feed(wire[:kept] + encode(STATUS, mode) + encode(BUSY, mode))
                got += decoder.give_up()
                self.assertEqual(got, [STATUS, BUSY], f"mode {mode}, {kept} bytes kept")
                self.check(decoder, 2, 1, kept)

    def test_bad_checksum(self) -> None:
        for mode in (1, 2):
            wire = bytearray(encode(PACKET, mode))
            wire[-1] ^= 0x01
            looked_at: list[bytes] = []
            decoder = decoder_for(mode, on_bad_frame=looked_at.append)
            self.assertEqual(decoder.feed(bytes(wire) + encode(STATUS, mode)), [STATUS])
            self.check(decoder, 1, 1, len(wire))
            plain = bytearray(encode(PACKET, 1))
            plain[-1] ^= 0x01
            self.assertEqual(looked_at, [bytes(plain)])

    def test_impossible_lengths(self) -> None:
        """None, and more than is believed, are known as such without waiting."""
        for mode in (1, 2):
            for length in (b"\x00\x00", b"\x02\x01", b"\xff\xff"):
                decoder = decoder_for(mode)
                got = decoder.feed(b"\x7e" + length + b"abc" + encode(STATUS, mode))
                self.assertEqual(got, [STATUS])
                self.check(decoder, 1, 1, 6)

    def test_no_frame_data(self) -> None:
        """A length of 0 with the checksum of nothing is no frame either."""
        for mode in (1, 2):
            decoder = decoder_for(mode)
            self.assertEqual(decoder.feed(b"\x7e\x00\x00\xff" + encode(STATUS, mode)), [STATUS])
            self.check(decoder, 1, 1, 4)

    def test_longest_believed(self) -> None:
        for mode in (1, 2):
            decoder = decoder_for(mode, maximum_frame_data=20)
            longest, longer = bytes(20), bytes(21)
            self.assertEqual(decoder.feed(encode(longest, mode)), [longest])
            self.assertEqual(decoder.feed(encode(longer, mode)), [])
            self.check(decoder, 1, 1, 25)
            self.assertEqual(decoder_for(mode).feed(encode(bytes(512), mode)), [bytes(512)])

    def test_goes_on_after_giving_up(self) -> None:
        for mode in (1, 2):
            decoder = decoder_for(mode)
            decoder.feed(encode(PACKET, mode)[:-1])
            self.assertEqual(decoder.give_up(), [])
            self.assertEqual(decoder.give_up(), [])
            self.check(decoder, 0, 1, len(encode(PACKET, mode)) - 1)
            self.assertEqual(decoder.feed(encode(STATUS, mode)), [STATUS])

    def test_giving_up_with_nothing_pending(self) -> None:
        for mode in (1, 2):
            decoder = decoder_for(mode)
            decoder.feed(encode(STATUS, mode))
            self.assertEqual(decoder.give_up(), [])
            self.check(decoder, 1, 0, 0)


class PlainDecoderTests(unittest.SynchronousTestCase):
    """What only mode 1 has: a 7E that may be data."""

    def test_false_start_hides_frames_for_no_longer_than_it_says(self) -> None:
        """As soon as its checksum is known to be wrong, what is in it comes out."""
        decoder = decoder_for(1)
        wire = encode(STATUS, 1)
        self.assertEqual(decoder.feed(b"\x7e\x00\x0f" + wire * 2), [])
        self.assertEqual(decoder.feed(wire), [STATUS] * 3)
        self.assertEqual(decoder.discarded_bytes, 3)
        self.assertEqual(decoder.bad_frames, 1)

    def test_wait_is_bounded(self) -> None:
        """The longest false length holds good frames back for its own size, and loses none."""
        decoder = decoder_for(1)
        wire = encode(PACKET, 1)
        got = decoder.feed(b"\x7e" + MAX_FRAME_DATA.to_bytes(2, "big"))
        count = MAX_FRAME_DATA // len(wire) + 1
        for _ in range(count):
            got += decoder.feed(wire)
        self.assertEqual(got, [PACKET] * count)

    def test_silence_ends_the_wait(self) -> None:
        decoder = decoder_for(1)
        decoder.feed(b"\x7e\x01\x00" + encode(STATUS, 1) + b"\x7e\x00\x30" + encode(PACKET, 1))
        self.assertEqual(decoder.give_up(), [STATUS, PACKET])
        self.assertEqual((decoder.good_frames, decoder.bad_frames), (2, 2))
        self.assertEqual(decoder.discarded_bytes, 6)
        self.assertEqual(decoder.pending, b"")

    def test_start_byte_in_the_data(self) -> None:
        """A frame inside a good frame is data."""
        inner = encode(STATUS, 1)
        decoder = decoder_for(1)
        self.assertEqual(decoder.feed(encode(b"\x90" + inner, 1)), [b"\x90" + inner])
        self.assertEqual(decoder.discarded_bytes, 0)

    def test_escape_byte_means_nothing(self) -> None:
        data = b"\x7d\x5e\x7d"
        self.assertEqual(decoder_for(1).feed(encode(data, 1)), [data])

    def test_pending_is_bounded(self) -> None:
        for length in (1, 511, 512, 513, 0xFFFF):
            decoder = decoder_for(1)
            for byte in b"\x7e" + length.to_bytes(2, "big") + bytes(2000):
                decoder.feed(bytes([byte]))
                self.assertLess(len(decoder.pending), MAX_FRAME_DATA + 4)

    def test_nothing_but_start_bytes(self) -> None:
        """The length 7E7E is impossible, so each is a false start."""
        decoder = decoder_for(1)
        self.assertEqual(decoder.feed(b"\x7e" * 1000 + encode(STATUS, 1)), [STATUS])
        self.assertEqual((decoder.bad_frames, decoder.discarded_bytes), (1000, 1000))


class EscapedDecoderTests(unittest.SynchronousTestCase):
    """What only mode 2 has: escapes, and a 7E that is always a start."""

    def test_escape_split_over_chunks(self) -> None:
        decoder = decoder_for(2)
        wire = encode(b"\x90\x7e\x11", 2)
        cut = wire.index(b"\x7d") + 1
        self.assertEqual(decoder.feed(wire[:cut]), [])
        self.assertEqual(decoder.pending, wire[:cut])
        self.assertEqual(decoder.feed(wire[cut:]), [b"\x90\x7e\x11"])
        self.assertEqual(decoder.discarded_bytes, 0)

    def test_escaped_length(self) -> None:
        for cut in range(1, 6):
            decoder = decoder_for(2)
            wire = encode(bytes(0x11), 2)
            self.assertEqual(decoder.feed(wire[:cut]) + decoder.feed(wire[cut:]), [bytes(0x11)])

    def test_no_frame_is_waited_for_past_a_start(self) -> None:
        decoder = decoder_for(2)
        self.assertEqual(decoder.feed(b"\x7e\x02\x00" + encode(STATUS, 2)), [STATUS])
        self.assertEqual((decoder.bad_frames, decoder.discarded_bytes), (1, 3))

    def test_escape_before_a_start(self) -> None:
        """A 7E is a start even behind a 7D, whose partner was lost."""
        for before in (b"\x7d", b"\x7e\x7d", b"\x7e\x00\x02\x8a\x7d"):
            for cut in range(len(before) + 1):
                decoder = decoder_for(2)
                stream = before + encode(STATUS, 2)
                self.assertEqual(decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]), [STATUS])
                self.assertEqual(decoder.discarded_bytes, len(before))
                self.assertEqual(decoder.bad_frames, before.count(b"\x7e"))

    def test_lone_escape_behind_a_frame(self) -> None:
        """It belongs to no frame, good or bad, and is counted."""
        for after in (b"\x7d", b"\x7d" + encode(PACKET, 2)):
            decoder = decoder_for(2)
            got = decoder.feed(encode(STATUS, 2) + after)
            self.assertEqual(got[:1], [STATUS])
            self.assertEqual((decoder.bad_frames, decoder.discarded_bytes), (0, 1))
        wrong = b"\x7e\x00\x02\x8a\x06\x70\x7d"
        decoder = decoder_for(2)
        self.assertEqual(decoder.feed(wrong + encode(STATUS, 2)), [STATUS])
        self.assertEqual((decoder.bad_frames, decoder.discarded_bytes), (1, len(wrong)))

    def test_lone_escape_at_the_end(self) -> None:
        decoder = decoder_for(2)
        decoder.feed(b"\x7e\x00\x02\x8a\x7d")
        self.assertEqual(decoder.pending, b"\x7e\x00\x02\x8a\x7d")
        self.assertEqual(decoder.give_up(), [])
        self.assertEqual((decoder.bad_frames, decoder.discarded_bytes), (1, 5))
        self.assertEqual(decoder.pending, b"")

    def test_unusual_escapes(self) -> None:
        """Any byte may come escaped; the frame's bytes on the wire are then more."""
        wire = b"\x7e\x7d\x20\x7d\x22\x7d\xaa\x7d\x26\x7d\x4f"
        decoder = decoder_for(2)
        self.assertEqual(decoder.feed(b"x" + wire + b"yz"), [STATUS])
        self.assertEqual((decoder.bad_frames, decoder.discarded_bytes), (0, 3))

    def test_bad_frame_is_shown_unescaped(self) -> None:
        looked_at: list[bytes] = []
        decoder = decoder_for(2, on_bad_frame=looked_at.append)
        decoder.feed(b"\x7e\x00\x02\x7d\x5e\x7d\x31\x99rest\x7e\x00\x05ab\x7e")
        decoder.give_up()
        self.assertEqual(looked_at, [b"\x7e\x00\x02\x7e\x11\x99", b"\x7e\x00\x05ab", b"\x7e"])

    def test_pending_is_bounded(self) -> None:
        """Escaped, a byte takes two; so the bound is twice that of mode 1."""
        for flood in (b"\x00", b"\x7d", b"\x7d\x5d", b"\x7d\x7d\x00"):
            for start in (b"\x7e", b"\x7e\x02\x00", b"\x7e\x02\x01", b"\x7e\x7d"):
                decoder = decoder_for(2)
                for byte in start + flood * 2000:
                    decoder.feed(bytes([byte]))
                    self.assertLessEqual(len(decoder.pending), 2 * (MAX_FRAME_DATA + 4))


class AnyStreamTests(unittest.SynchronousTestCase):
    """Properties, over whatever Hypothesis thinks of."""

    def run_through(self, mode: int, stream: bytes, sizes: list[int], maximum: int) -> list[bytes]:
        """Feed it all, give up at the end, and hold every count against the model's.

        @return: the frame data that came out.
        """
        model = MODELS[mode](stream, maximum)
        looked_at: list[bytes] = []
        decoder = decoder_for(mode, maximum, looked_at.append)
        got: list[bytes] = []
        fed = 0

        def check_the_sum() -> None:
            in_good_frames = sum(stop - start for start, stop in model.places[: len(got)])
            accounted = in_good_frames + decoder.discarded_bytes + len(decoder.pending)
            self.assertEqual(fed, accounted)
            self.assertLessEqual(len(decoder.pending), mode * (maximum + 4))

        for chunk in chunks(stream, sizes):
            got += decoder.feed(chunk)
            fed += len(chunk)
            check_the_sum()
        got += decoder.give_up()
        check_the_sum()
        self.assertEqual(decoder.pending, b"")
        self.assertEqual(got, model.frames)
        self.assertEqual(decoder.good_frames, len(got))
        self.assertEqual(decoder.bad_frames, model.bad_frames)
        self.assertEqual(len(looked_at), model.bad_frames)
        return got

    @repeatable(150)
    @given(traffic, garbage, chunk_sizes)
    @example([(b"\x7e\x00\x0c", parse_frame(STATUS)), (b"\x7e", parse_frame(PACKET))], b"\x7e", [1])
    def test_frames_among_garbage_plain(
        self, parts: list[tuple[bytes, Frame]], tail: bytes, sizes: list[int]
    ) -> None:
        """Every frame comes out; what else comes out was a frame to look at, wholly in the garbage.

        Left out is the one case that no reader of bytes can tell: a start in the garbage whose
        length and checksum are right by chance, and which takes bytes of a frame that was sent.
        """
        stream, places = on_the_wire(parts, tail, 1)
        found = find_plain(stream).places
        by_chance = [place for place in found if place not in places]
        assume(not any(start < b and a < stop for a, b in by_chance for start, stop in places))
        got = self.run_through(1, stream, sizes, MAX_FRAME_DATA)
        sent = [data for place, data in zip(found, got) if place in places]
        self.assertEqual([parse_frame(data) for data in sent], [frame for _, frame in parts])

    @repeatable(150)
    @given(traffic, garbage, chunk_sizes)
    @example([(b"\x7e\x7d", parse_frame(STATUS)), (b"\x7d", parse_frame(PACKET))], b"\x7d", [1])
    def test_frames_among_garbage_escaped(
        self, parts: list[tuple[bytes, Frame]], tail: bytes, sizes: list[int]
    ) -> None:
        """Every frame comes out, whatever the garbage is: nothing is left out here."""
        stream, places = on_the_wire(parts, tail, 2)
        found = find_escaped(stream).places
        got = self.run_through(2, stream, sizes, MAX_FRAME_DATA)
        sent = [data for place, data in zip(found, got) if place in places]
        self.assertEqual([parse_frame(data) for data in sent], [frame for _, frame in parts])

    @repeatable(150)
    @given(
        st.lists(st.one_of(garbage, st.binary(max_size=100)), max_size=10).map(b"".join),
        chunk_sizes,
        st.sampled_from((1, 5, 30, MAX_FRAME_DATA)),
        st.sampled_from((1, 2)),
    )
    def test_any_bytes(self, stream: bytes, sizes: list[int], maximum: int, mode: int) -> None:
        """Nothing raises, and the decoder agrees with the model to the byte."""
        self.run_through(mode, stream, sizes, maximum)

    @repeatable(60)
    @given(st.binary(min_size=1, max_size=MAX_FRAME_DATA), chunk_sizes)
    def test_any_frame_data(self, data: bytes, sizes: list[int]) -> None:
        for mode in (1, 2):
            got = self.run_through(mode, encode(data, mode), sizes, MAX_FRAME_DATA)
            self.assertEqual(got, [data])
