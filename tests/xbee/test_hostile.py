"""What others may hand to a parser: any bytes, any text, any number, in any order. A parser answers
with a value, or with the one error that it says; and a decoder accounts for every byte.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.xbee.strategies import any_frame, busy_bytes, commands, repeatable
from zbtwist.xbee import at, devices, samples, status
from zbtwist.xbee.address import AddressError, parse_address16, parse_address64
from zbtwist.xbee.description import NodeDescription, label_text
from zbtwist.xbee.frames import (
    ATCommandResponse,
    IODataSample,
    NodeIdentification,
    UnparsedFrame,
    parse_frame,
)
from zbtwist.xbee.framing import MAX_ENCODABLE, FrameDecoder, decoder_for, encode

some_bytes = st.one_of(busy_bytes.map(bytes), st.binary(max_size=300))
some_text = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="0123456789abcdefABCDEF:-! []x", max_size=30),
)
some_values = st.one_of(st.none(), some_bytes, some_text, st.integers(), st.booleans())
some_commands = st.one_of(commands, st.sampled_from(sorted(at.PARAMETERS)))

#: What an owner does with a decoder: bytes, and None for giving up.
acts = st.lists(
    st.one_of(
        some_bytes,
        st.none(),
        any_frame.map(lambda frame: encode(frame.to_bytes(), 1)),
        any_frame.map(lambda frame: encode(frame.to_bytes(), 2)),
    ),
    max_size=12,
)


class ParserTests(unittest.SynchronousTestCase):
    @repeatable(150)
    @given(some_text)
    def test_addresses(self, text: str) -> None:
        self.check_address(parse_address64, 64, text)
        self.check_address(parse_address16, 16, text)

    def check_address(self, parse: Callable[[str], int], bits: int, text: str) -> None:
        try:
            address = parse(text)
        except AddressError as error:
            self.assertIn(repr(text), str(error))
        else:
            self.assertTrue(0 <= address < 1 << bits)

    @repeatable(150)
    @given(some_commands, some_bytes)
    def test_values_of_at_commands(self, command: str, value: bytes) -> None:
        decoded = at.decode_value(command, value)
        self.assertIsInstance(decoded, (int, str, bytes, type(None)))
        if isinstance(decoded, str):
            self.assertEqual(decoded, label_text(value))

    @repeatable(150)
    @given(some_commands, some_values)
    def test_values_for_at_commands(self, command: str, value: at.Value) -> None:
        """A surrogate cannot be written, which is a `ValueError`, too."""
        try:
            encoded = at.encode_value(command, value)
        except ValueError as error:
            self.assertTrue(str(error))
        else:
            self.assertIsInstance(encoded, bytes)

    @repeatable()
    @given(st.integers(0, 0xFFFF))
    def test_codes_have_words(self, code: int) -> None:
        for words in (
            status.at_status_text(code),
            status.delivery_status_text(code),
            status.modem_status_text(code),
        ):
            self.assertTrue(words)
        self.assertIsInstance(devices.product_name(code), str)

    @repeatable(150)
    @given(some_bytes, st.integers(0, 0xFFFF_FFFF))
    def test_samples(self, data: bytes, device_type_identifier: int) -> None:
        try:
            sample = samples.IOSample.parse(data)
        except ValueError:
            return
        self.assertEqual(
            set(sample.lines()), {n for n in range(16) if sample.digital_mask >> n & 1}
        )
        for channel in range(8):
            self.assertEqual(sample.millivolts(channel) is None, channel not in sample.analog)
        celsius = samples.temperature(sample, device_type_identifier)
        self.assertTrue(celsius is None or -150 < celsius < 10_000)

    @repeatable(150)
    @given(any_frame, st.data())
    def test_what_a_parsed_frame_offers(self, frame: object, data: st.DataObject) -> None:
        """All that the program asks of a frame of a radio that lies about its length."""
        good = frame.to_bytes()  # type: ignore[attr-defined]
        cut = parse_frame(good[: data.draw(st.integers(1, len(good)))])
        self.assertTrue(repr(cut))
        if isinstance(cut, UnparsedFrame):
            return
        if isinstance(cut, (NodeIdentification, IODataSample)):
            self.assertEqual(parse_frame(cut.to_bytes()), cut)
        if isinstance(cut, ATCommandResponse):
            at.decode_value(cut.command, cut.value)
            try:
                self.assertIsInstance(NodeDescription.parse(cut.value).label, str)
            except ValueError as error:
                self.assertTrue(str(error))


class DecoderTests(unittest.SynchronousTestCase):
    @repeatable(150)
    @given(acts, st.sampled_from((1, 2)), st.sampled_from((1, 20, 512, MAX_ENCODABLE)))
    def test_any_acts(self, acts: list[bytes | None], mode: int, maximum: int) -> None:
        """Each byte is in a frame, left out, or waited for; and what is waited for has a bound."""
        bad: list[bytes] = []
        decoder = decoder_for(mode, maximum, bad.append)
        fed = framed = 0
        for act in acts:
            if act is None:
                found = decoder.give_up()
                self.assertEqual(decoder.pending, b"")
            else:
                fed += len(act)
                found = decoder.feed(act)
            for frame_data in found:
                self.assertTrue(0 < len(frame_data) <= maximum)
                framed += len(encode(frame_data, 1))
            self.assertEqual(decoder.bad_frames, len(bad))
            self.assertLessEqual(len(decoder.pending), 2 * (maximum + 4) + 1)
        accounted = decoder.discarded_bytes + len(decoder.pending) + framed
        if mode == 1:
            self.assertEqual(accounted, fed)
        else:
            # Escapes of good frames come on top.
            self.assertTrue(accounted <= fed <= accounted + framed)

    @repeatable(100)
    @given(acts, st.sampled_from((1, 2)))
    def test_good_frame_after_anything(self, acts: list[bytes | None], mode: int) -> None:
        """Once the line was silent, the next frame is found, whatever was before."""
        decoder: FrameDecoder = decoder_for(mode)
        for act in acts:
            if act is not None:
                decoder.feed(act)
        decoder.give_up()
        self.assertEqual(decoder.feed(encode(b"\x8a\x7e\x11", mode)), [b"\x8a\x7e\x11"])
