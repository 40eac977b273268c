"""Modbus RTU frames: whole ones by their length and CRC, however they were cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.binding.modbus.frames import (
    MAX_FRAME,
    Request,
    RequestCutter,
    crc_of,
    is_whole,
    with_crc,
)

#: A request of each function, without its CRC, and an answer to it.
PAIRS = {
    "read coils": ("01 01 0013 0025", "01 01 05 cd6bb20e1b"),
    "read inputs": ("01 02 00c4 0016", "01 02 03 acdb35"),
    "read holding registers": ("11 03 006b 0003", "11 03 06 022b00000064"),
    "read input registers": ("11 04 0008 0001", "11 04 02 000a"),
    "write coil": ("01 05 00ac ff00", "01 05 00ac ff00"),
    "write register": ("01 06 0001 0003", "01 06 0001 0003"),
    "read exception status": ("01 07", "01 07 6d"),
    "diagnose": ("01 08 0000 a537", "01 08 0000 a537"),
    "event counter": ("01 0b", "01 0b ffff 0108"),
    "event log": ("01 0c", "01 0c 08 0000 0108 0121 2000"),
    "write coils": ("01 0f 0013 000a 02 cd01", "01 0f 0013 000a"),
    "write registers": ("01 10 0001 0002 04 000a0102", "01 10 0001 0002"),
    "report server id": ("01 11", "01 11 03 4142ff"),
    "read file record": ("01 14 07 06 0004 0001 0002", "01 14 06 05 06 0dfe0020"),
    "write file record": (
        "01 15 0d 06 0004 0007 0003 06af04be100d",
        "01 15 0d 06 0004 0007 0003 06af04be100d",
    ),
    "mask write": ("01 16 0004 00f2 0025", "01 16 0004 00f2 0025"),
    "read and write": ("01 17 0003 0006 000e 0003 06 00ff00ff00ff", "01 17 0c" + "00fe" * 6),
    "read queue": ("01 18 04de", "01 18 0006 0002 01b8 1284"),
    "device identification": ("01 2b 0e 01 00", "01 2b 0e 01 01 00 00 02 00 03 414243 01 01 44"),
    # Of these no length is known.
    "a vendor's own": ("01 41 010203", "01 41 0a0b0c0d"),
    "CANopen": ("01 2b 0d 0102", "01 2b 0d 030405"),
}
FRAMES = {
    name: tuple(with_crc(bytes.fromhex(text)) for text in pair) for name, pair in PAIRS.items()
}
READ = FRAMES["read holding registers"][0]
ANSWER = FRAMES["read holding registers"][1]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


class CRCTests(SynchronousTestCase):
    def test_examples(self) -> None:
        """Of Modbus over serial line 1.02, 6.2.2, and of a request that every manual prints."""
        self.assertEqual(crc_of(bytes.fromhex("0207")), bytes.fromhex("4112"))
        self.assertEqual(with_crc(bytes.fromhex("01030000000a"))[-2:], bytes.fromhex("c5cd"))

    def test_whole(self) -> None:
        self.assertTrue(is_whole(READ))
        for at in range(len(READ)):
            spoilt = bytearray(READ)
            spoilt[at] ^= 0x10
            self.assertFalse(is_whole(bytes(spoilt)))
        self.assertFalse(is_whole(b""))


class RequestCutterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cutter = RequestCutter()
        self.now = 0.0

    def feed(self, *parts: bytes, pause: float = 0.0) -> list[bytes]:
        found = []
        for part in parts:
            found += self.cutter.feed(part, self.now)
            self.now += pause
        return found

    def test_every_function(self) -> None:
        for name, (request, _) in FRAMES.items():
            cutter = RequestCutter()
            found = [frame for byte in request for frame in cutter.feed(bytes([byte]), 0.0)]
            self.assertEqual(found, [request], name)
            self.assertEqual((cutter.waiting, cutter.skipped), (b"", 0), name)

    @given(st.lists(st.sampled_from(sorted(FRAMES)), min_size=1), st.lists(st.integers(0, 999)))
    def test_however_they_are_cut(self, names: list[str], cuts: list[int]) -> None:
        requests = [FRAMES[name][0] for name in names]
        cutter = RequestCutter()
        found = []
        for piece in pieces(b"".join(requests), cuts):
            found += cutter.feed(piece, 0.0)
        self.assertEqual(found, requests)

    def test_pieces_that_come_slowly(self) -> None:
        """What TCP sends again comes late."""
        self.assertEqual(self.feed(READ[:3], READ[3:7], READ[7:], pause=30.0), [READ])

    def test_longest(self) -> None:
        request = with_crc(bytes.fromhex("011000000079f2") + bytes(242))
        self.assertEqual(len(request), 251)
        self.assertEqual(self.feed(request), [request])

    def test_garbage_before_it(self) -> None:
        for garbage in (b"\0", b"\xff" * 20, READ[:5], b"\r\n", bytes(range(60))):
            self.cutter = RequestCutter()
            self.assertEqual(self.feed(garbage + READ + READ)[-1:], [READ], garbage)

    def test_spoilt_request(self) -> None:
        """It is skipped, and the next one is not."""
        spoilt = READ[:-1] + bytes([READ[-1] ^ 1])
        self.assertEqual(self.feed(spoilt, READ), [READ])

    def test_beginning_whose_end_never_came(self) -> None:
        """The next request is the next one, and no rest of it."""
        write = FRAMES["write registers"][0]
        self.assertEqual(self.feed(write[:9], READ, pause=RequestCutter.STALE + 0.1), [READ])
        self.assertEqual(self.cutter.waiting, b"")

    def test_what_is_no_modbus(self) -> None:
        """It is not kept without end, and not looked through without end."""
        self.assertEqual(self.feed(bytes(range(1, 256)) * 400), [])
        self.assertTrue(self.cutter.is_lost)
        self.assertEqual(self.cutter.waiting, b"")

    @given(st.binary(max_size=3 * MAX_FRAME))
    def test_any_bytes(self, data: bytes) -> None:
        cutter = RequestCutter()
        for frame in cutter.feed(data, 0.0):
            self.assertTrue(is_whole(frame))
        self.assertLessEqual(len(cutter.waiting), MAX_FRAME)


class RequestTests(SynchronousTestCase):
    def test_every_function(self) -> None:
        for name, (request, answer) in FRAMES.items():
            asked = Request(request)
            self.assertEqual(asked.answer_in(answer), (0, len(answer)), name)
            for size in range(len(answer)):
                self.assertIsNone(asked.answer_in(answer[:size]), f"{name}, {size} bytes")
            exception = with_crc(bytes([request[0], request[1] | 0x80, 2]))
            self.assertEqual(asked.answer_in(exception), (0, 5), name)

    def test_every_length(self) -> None:
        for count in range(1, 126):
            request = Request(with_crc(bytes([7, 3, 0, 0, 0, count])))
            answer = with_crc(bytes([7, 3, 2 * count]) + bytes(2 * count))
            self.assertEqual(request.answer_in(answer), (0, len(answer)))

    def test_others(self) -> None:
        """What is an answer to something else is none to this."""
        request = Request(READ)
        for name, (_, answer) in FRAMES.items():
            if answer != ANSWER:
                self.assertIsNone(request.answer_in(answer), name)
        # Another slave, another count, another CRC.
        self.assertIsNone(request.answer_in(with_crc(b"\x12" + ANSWER[1:-2])))
        self.assertIsNone(request.answer_in(with_crc(bytes.fromhex("11 03 04 022b0000"))))
        self.assertIsNone(request.answer_in(ANSWER[:-1] + b"\0"))

    def test_writes(self) -> None:
        """Their answers say which register it was."""
        request = Request(FRAMES["write register"][0])
        self.assertIsNone(request.answer_in(with_crc(bytes.fromhex("01 06 0002 0003"))))
        request = Request(FRAMES["write registers"][0])
        self.assertIsNone(request.answer_in(with_crc(bytes.fromhex("01 10 0001 0003"))))

    def test_among_others(self) -> None:
        request = Request(READ)
        late = FRAMES["read coils"][1]
        data = late + b"\x11\x03" + ANSWER + late
        start = len(late) + 2
        self.assertEqual(request.answer_in(data), (start, start + len(ANSWER)))

    def test_its_own_echo(self) -> None:
        """Some adapters of RS-485 hear what they say."""
        self.assertEqual(Request(READ).answer_in(READ + ANSWER), (8, 8 + len(ANSWER)))

    def test_more_than_there_can_be(self) -> None:
        """Only an exception answers it."""
        request = Request(with_crc(bytes.fromhex("11 03 0000 007e")))
        self.assertIsNone(request.answer_in(with_crc(b"\x11\x03\xfc" + bytes(252))))
        self.assertEqual(request.answer_in(with_crc(b"\x11\x83\x03")), (0, 5))

    def test_broadcast(self) -> None:
        self.assertFalse(Request(with_crc(bytes.fromhex("00 06 0001 0003"))).has_answer)
        self.assertTrue(Request(READ).has_answer)

    def test_confusion(self) -> None:
        request = Request(READ)
        other = Request(with_crc(bytes.fromhex("11 03 0000 0003")))
        self.assertTrue(request.is_confused_with(other))
        self.assertFalse(request.is_confused_with(Request(READ)))
        for text in ("12 03 006b 0003", "11 04 006b 0003"):
            self.assertFalse(request.is_confused_with(Request(with_crc(bytes.fromhex(text)))))

    @given(st.sampled_from(sorted(FRAMES)), st.binary(max_size=MAX_FRAME))
    def test_any_bytes(self, name: str, data: bytes) -> None:
        place = Request(FRAMES[name][0]).answer_in(data)
        if place is not None:
            self.assertTrue(is_whole(data[slice(*place)]))
