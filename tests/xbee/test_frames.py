"""Frame classes: the vectors, one example of each type they lack, what does not fit, any fields.

`tests/vectors/xbee-frames.json` was made with Digi's own library; see its `made_with`.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from tests.xbee.strategies import any_frame, frames_of, repeatable
from zbtwist.xbee import frames
from zbtwist.xbee.address import UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frame import Frame, register
from zbtwist.xbee.framing import decoder_for, encode
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.sensor_reading import SensorReading

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "xbee-frames.json").read_text()
)["vectors"]

SAMPLE_FIELDS = ("digital_mask", "analog_mask", "digital", "analog")


def as_vector(value: object, name: str) -> object:
    """Write a field as the vectors do: addresses and bytes in hexadecimal, numbers as numbers."""
    if isinstance(value, bytes):
        return value.hex()
    if name == "hops":
        assert isinstance(value, list)
        return [f"{hop:04x}" for hop in value]
    if name == "address64":
        return f"{value:016x}"
    if name == "address16":
        return f"{value:04x}"
    if name == "analog":
        assert isinstance(value, dict)
        return [[channel, raw] for channel, raw in value.items()]
    return value


class VectorTests(unittest.SynchronousTestCase):
    def test_all_there(self) -> None:
        self.assertEqual(len(VECTORS), 400)
        self.assertEqual(len({vector["type"] for vector in VECTORS}), 21)

    def test_a_type_has_one_class(self) -> None:
        class Another(Frame):
            frame_type = 0x10

        error = self.assertRaises(ValueError, register, Another)
        self.assertIn("type 10", str(error))
        self.assertIs(frames.FRAME_CLASSES[0x10], frames.TransmitRequest)

    def test_decode(self) -> None:
        """In both modes each vector is one frame, of its type, with all its fields."""
        for vector in VECTORS:
            for mode in (1, 2):
                decoder = decoder_for(mode)
                (frame_data,) = decoder.feed(bytes.fromhex(vector[f"api{mode}"]))
                self.assertEqual(decoder.discarded_bytes, 0)
                frame = frames.parse_frame(frame_data)
                self.assertEqual(f"{frame.frame_type:02x}", vector["type"])
                self.assertIs(type(frame), frames.FRAME_CLASSES[int(vector["type"], 16)])
                self.assertEqual(self.fields(frame, vector), vector["fields"], vector["api1"])

    def fields(self, frame: frames.Frame, vector: dict[str, Any]) -> dict[str, object]:
        got = {}
        for name in vector["fields"]:
            if isinstance(frame, frames.IODataSample) and name == "data":
                value: object = frame.sample.to_bytes()
            elif isinstance(frame, frames.IODataSample) and name in SAMPLE_FIELDS:
                value = getattr(frame.sample, name)
            else:
                value = getattr(frame, name)
            got[name] = as_vector(value, name)
        return got

    def test_no_field_is_left_out(self) -> None:
        """The vectors name every field of our classes, so that the test above covers them all."""
        for vector in VECTORS:
            frame_class = frames.FRAME_CLASSES[int(vector["type"], 16)]
            ours = {field.name for field in dataclasses.fields(frame_class)}  # type: ignore[arg-type]
            self.assertEqual(ours - set(vector["fields"]), ours & {"sample"})

    def test_encode(self) -> None:
        """Built from its fields, each vector has its bytes again, in both modes."""
        for vector in VECTORS:
            frame = self.build(vector)
            for mode in (1, 2):
                self.assertEqual(encode(frame.to_bytes(), mode).hex(), vector[f"api{mode}"])

    def build(self, vector: dict[str, Any]) -> frames.Frame:
        frame_class = frames.FRAME_CLASSES[int(vector["type"], 16)]
        fields = dict(vector["fields"])
        if frame_class is frames.IODataSample:
            sample = {name: fields.pop(name) for name in SAMPLE_FIELDS}
            del fields["data"]
            fields["sample"] = IOSample(
                sample["digital_mask"], sample["digital"], dict(sample["analog"])
            )
        for name, value in fields.items():
            if name in ("address64", "address16"):
                fields[name] = int(value, 16)
            elif name == "hops":
                fields[name] = [int(hop, 16) for hop in value]
            elif isinstance(value, str) and name != "command":
                fields[name] = bytes.fromhex(value)
        return frame_class(**fields)


class ExampleTests(unittest.SynchronousTestCase):
    """The types without a vector, by hand from the manuals' tables."""

    def check(self, data: str, expected: frames.Frame) -> None:
        frame_data = bytes.fromhex(data)
        self.assertEqual(frames.parse_frame(frame_data), expected)
        self.assertEqual(expected.to_bytes(), frame_data)

    def test_register_joining_device(self) -> None:
        self.check(
            "24 01 0013a200400a3eff fffe 00 5a6967426565",
            frames.RegisterJoiningDevice(
                frame_id=1,
                address64=Address64(0x0013A200400A3EFF),
                address16=Address16(0xFFFE),
                options=0,
                key=b"ZigBee",
            ),
        )

    def test_io_samples_of_802_15_4(self) -> None:
        """One set, DIO0 and AD1: the sample is left as it was sent."""
        self.check(
            "82 0013a200400a3eff 28 00 01 0401 0001 0200",
            frames.IO64(Address64(0x0013A200400A3EFF), rssi=40, options=0, data=b"\1\4\1\0\1\2\0"),
        )
        self.check(
            "83 1234 28 02 01 0401 0001 0200",
            frames.IO16(Address16(0x1234), rssi=40, options=2, data=b"\1\4\1\0\1\2\0"),
        )

    def test_route_information(self) -> None:
        self.check(
            "8d 12 27 9c93817f 00 01 00"
            "0013a2004052aaaa 0013a2004052dddd 0013a20040521234 0013a2004052cccc",
            frames.RouteInformation(
                source_event=0x12,
                information_length=39,
                timestamp=bytes.fromhex("9c93817f"),
                acknowledgement_timeouts=0,
                blocked=1,
                reserved=0,
                destination64=Address64(0x0013A2004052AAAA),
                source64=Address64(0x0013A2004052DDDD),
                responder64=Address64(0x0013A20040521234),
                receiver64=Address64(0x0013A2004052CCCC),
            ),
        )

    def test_node_identification(self) -> None:
        """With each choice of NO: nothing more, the device type, the signal strength, both."""
        for extra, device_type_identifier, rssi in (
            ("", None, None),
            ("00030005", 0x00030005, None),
            ("2a", None, 42),
            ("00030005 2a", 0x00030005, 42),
        ):
            self.check(
                "95 0013a20040522baa 7d84 02"
                "7d84 0013a20040522baa 506f6f6c00 fffe 01 02 c105 101e" + extra,
                frames.NodeIdentification(
                    address64=Address64(0x0013A20040522BAA),
                    address16=Address16(0x7D84),
                    options=2,
                    description=NodeDescription(
                        address16=Address16(0x7D84),
                        address64=Address64(0x0013A20040522BAA),
                        node_identifier=b"Pool",
                        parent16=Address16(0xFFFE),
                        role=1,
                        event=2,
                        profile_id=0xC105,
                        manufacturer_id=0x101E,
                        device_type_identifier=device_type_identifier,
                        rssi=rssi,
                    ),
                ),
            )

    def test_node_identification_for_another(self) -> None:
        """A router may speak for a node behind it."""
        frame = frames.parse_frame(
            bytes.fromhex(
                "95 0013a20000000001 0001 02 0002 0013a20000000002 00 0001 02 01 c105 101e"
            )
        )
        assert isinstance(frame, frames.NodeIdentification)
        self.assertEqual((frame.address64, frame.address16), (Address64(0x0013A20000000001), 1))
        description = frame.description
        self.assertEqual(
            (description.address64, description.address16), (Address64(0x0013A20000000002), 2)
        )
        self.assertEqual(description.node_identifier, b"")

    def test_extended_modem_status(self) -> None:
        self.check("98 03", frames.ExtendedModemStatus(status=3))
        self.check("98 00 0102", frames.ExtendedModemStatus(status=0, data=b"\1\2"))

    def test_many_to_one_route_request(self) -> None:
        self.check(
            "a3 0013a200400a3eff 0000 00",
            frames.ManyToOneRouteRequest(Address64(0x0013A200400A3EFF), Address16(0)),
        )

    def test_sample_of_digital_lines_only(self) -> None:
        """No analog channel; the vectors have few of them."""
        self.check(
            "92 0013a200400a3eff 1234 01 01 0003 00 0001",
            frames.IODataSample(
                Address64(0x0013A200400A3EFF), Address16(0x1234), 1, IOSample(3, 1)
            ),
        )

    def test_sample_without_64_bit_address(self) -> None:
        """Of an XBee 3 802.15.4 with MY, as a user of xbee-api shows it."""
        self.check(
            "92 ffffffffffffffff af2e 00 01 0003 00 0000",
            frames.IODataSample(UNKNOWN64, Address16(0xAF2E), 0, IOSample(3, 0)),
        )

    def test_sensor_read(self) -> None:
        """The example of 90000976: a humidity sensor, at 22.625 °C."""
        reading = SensorReading(3, (0x02, 0xCE, 0xEA, 0x52), 0x16A)
        self.check(
            "94 0013a20040522baa dd6c 01 03 000200ce00ea0052 016a",
            frames.SensorRead(Address64(0x0013A20040522BAA), Address16(0xDD6C), 1, reading),
        )
        self.assertEqual(reading.temperature, 22.625)


#: The shortest frame of each type, in hexadecimal.
SHORTEST = {
    0x00: "00 01 0013a200400a3eff 00",
    0x01: "01 01 1234 00",
    0x08: "08 01 4e49",
    0x09: "09 01 4e49",
    0x10: "10 01 0013a200400a3eff fffe 00 00",
    0x11: "11 01 0013a200400a3eff fffe e8 e8 0011 c105 00 00",
    0x17: "17 01 0013a200400a3eff fffe 02 4e49",
    0x21: "21 00 0013a200400a3eff fffe 00 00",
    0x24: "24 01 0013a200400a3eff fffe 00",
    0x2D: "2d 01 01",
    0x80: "80 0013a200400a3eff 28 00",
    0x81: "81 1234 28 00",
    0x82: "82 0013a200400a3eff 28 00",
    0x83: "83 1234 28 00",
    0x88: "88 01 4e49 00",
    0x89: "89 01 00",
    0x8A: "8a 06",
    0x8B: "8b 01 1234 00 00 00",
    0x8D: "8d 12 27 9c93817f 00 01 00" + "0013a2004052aaaa" * 4,
    0x90: "90 0013a200400a3eff 1234 01",
    0x91: "91 0013a200400a3eff 1234 e8 e8 0011 c105 01",
    0x92: "92 0013a200400a3eff 1234 01 01 0000 00",
    0x94: "94 0013a200400a3eff 1234 01 03 000200ce00ea0052 016a",
    0x95: "95 0013a200400a3eff 1234 02 1234 0013a200400a3eff 00 fffe 01 02 c105 101e",
    0x97: "97 01 0013a200400a3eff 1234 4e49 00",
    0x98: "98 00",
    0xA1: "a1 0013a200400a3eff 1234 01 00",
    0xA3: "a3 0013a200400a3eff 1234 00",
    0xA4: "a4 01 00",
}

#: The types that end where their layout does.
FIXED = (0x21, 0x89, 0x8A, 0x8B, 0x8D, 0x92, 0x94, 0xA1, 0xA3, 0xA4)


class OddFramesTests(unittest.SynchronousTestCase):
    """What a radio may send and no class fits."""

    def test_any_size(self) -> None:
        """How a size is read is kept for as many as there may be, and no more; all are read."""
        for size in range(3000):
            data = bytes(size)
            sent = frames.ReceivePacket(Address64(1), Address16(2), 3, data)
            self.assertEqual(frames.parse_frame(sent.to_bytes()), sent)

    def malformed(self, frame_data: bytes) -> frames.MalformedFrame:
        frame = frames.parse_frame(frame_data)
        assert isinstance(frame, frames.MalformedFrame), frame
        self.assertEqual(frame.frame_data, frame_data)
        self.assertEqual(frame.to_bytes(), frame_data)
        self.assertIn(f"type {frame_data[0]:02x}", frame.reason)
        return frame

    def test_too_short(self) -> None:
        """One byte less than the shortest, and any less than that, is malformed in every type."""
        self.assertEqual(set(SHORTEST), set(frames.FRAME_CLASSES))
        for number, text in SHORTEST.items():
            shortest = bytes.fromhex(text)
            frame = frames.parse_frame(shortest)
            self.assertIs(type(frame), frames.FRAME_CLASSES[number])
            self.assertEqual(frame.to_bytes(), shortest)
            for size in range(1, len(shortest)):
                self.malformed(shortest[:size])

    def test_too_long(self) -> None:
        for number in FIXED:
            self.malformed(bytes.fromhex(SHORTEST[number]) + b"\0")

    def test_node_identification_with_odd_ends(self) -> None:
        shortest = bytes.fromhex(SHORTEST[0x95])
        for extra in (2, 3, 6, 7):
            self.malformed(shortest + bytes(extra))

    def test_node_identifier_without_an_end(self) -> None:
        self.malformed(
            bytes.fromhex("95 0013a200400a3eff 1234 02 1234 0013a200400a3eff") + b"x" * 30
        )

    def test_wrong_number_of_hops(self) -> None:
        for text in (
            "a1 0013a200400a3eff 1234 01 02 0001",
            "a1 0013a200400a3eff 1234 01 00 0001",
            "21 00 0013a200400a3eff 1234 00 01 000102",
        ):
            self.malformed(bytes.fromhex(text))

    def test_reason_says_what_was_expected(self) -> None:
        frame = self.malformed(b"\x8a\x00\x00")
        self.assertIn("it has 3 bytes, where 2 belong", frame.reason)

    def test_unknown(self) -> None:
        """Every type that has no class, and no type at all."""
        for number in set(range(256)) - set(frames.FRAME_CLASSES):
            frame_data = bytes((number, 1, 2))
            frame = frames.parse_frame(frame_data)
            assert isinstance(frame, frames.UnknownFrame), frame
            self.assertEqual(frame.to_bytes(), frame_data)
            self.assertIn(f"type {number:02x}", frame.reason)
        nothing = frames.parse_frame(b"")
        assert isinstance(nothing, frames.UnknownFrame)
        self.assertEqual(nothing.to_bytes(), b"")

    def test_every_type_of_the_plan_has_a_class(self) -> None:
        expected = "00 01 08 09 10 11 17 21 24 2d 80 81 82 83 88 89 8a 8b 8d 90 91 92 94 95 97 98"
        self.assertEqual(
            [f"{number:02x}" for number in sorted(frames.FRAME_CLASSES)],
            [*expected.split(), "a1", "a3", "a4"],
        )


class AnyFrameTests(unittest.SynchronousTestCase):
    def test_round_trip(self) -> None:
        """Any fields, in each class: the same fields again, and the type byte before them."""
        for frame_class in frames.FRAME_CLASSES.values():

            @repeatable(40)
            @given(frames_of(frame_class))
            def round_trip(frame: frames.Frame) -> None:
                frame_data = frame.to_bytes()
                self.assertEqual(frame_data[0], frame.frame_type)
                again = frames.parse_frame(frame_data)
                self.assertIs(type(again), type(frame))
                self.assertEqual(again, frame)

            round_trip()

    @repeatable(500)
    @given(
        st.one_of(
            st.binary(max_size=80),
            st.tuples(st.sampled_from(sorted(frames.FRAME_CLASSES)), st.binary(max_size=60)).map(
                lambda parts: bytes([parts[0]]) + parts[1]
            ),
        )
    )
    def test_any_bytes(self, frame_data: bytes) -> None:
        """Nothing raises, and nothing is lost."""
        self.assertEqual(frames.parse_frame(frame_data).to_bytes(), frame_data)

    @repeatable(300)
    @given(any_frame, st.data())
    def test_nearly_a_frame(self, frame: frames.Frame, data: st.DataObject) -> None:
        """A frame with bytes lost, added or changed: again nothing raises and nothing is lost."""
        good = frame.to_bytes()
        at = data.draw(st.integers(1, len(good)))
        lost = data.draw(st.integers(0, 3))
        frame_data = good[:at] + data.draw(st.binary(max_size=3)) + good[at + lost :]
        self.assertEqual(frames.parse_frame(frame_data).to_bytes(), frame_data)
