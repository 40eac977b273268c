from __future__ import annotations

from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from zbtwist.decoding.interfaces import IDecoder, IDecoderMaker
from zbtwist.decoding.text import (
    MAKERS,
    MAX_LINE,
    MAX_VALUES,
    JSONDecoder,
    KeyValueDecoder,
    LineDecoder,
)
from zbtwist.decoding.value import MAX_TEXT, name_of


def told(decoder: LineDecoder, data: bytes) -> list[tuple[str, object, str]]:
    return [(value.name, value.value, value.unit) for value in decoder.feed(data, 1.0)]


class LineTests(SynchronousTestCase):
    def test_interfaces(self) -> None:
        for maker in MAKERS:
            verifyObject(IDecoderMaker, maker)
            verifyObject(IDecoder, maker.make())

    def test_lines(self) -> None:
        decoder = LineDecoder()
        self.assertEqual(told(decoder, b"hel"), [])
        self.assertEqual(
            told(decoder, b"lo\r\n\r\nyou\r"), [("line", "hello", ""), ("line", "you", "")]
        )

    def test_number(self) -> None:
        self.assertEqual(
            told(LineDecoder(), b" 12.50 kwh\n"),
            [("line", "12.50 kwh", ""), ("value", 12.5, "kWh")],
        )

    def test_no_number(self) -> None:
        for line in (
            b"1,234 W",
            b"0,5",
            b"1.234,5",
            b"nan",
            b"inf",
            b"1e999",
            b"0x10",
            b"1" * 400,
            b"-",
        ):
            self.assertEqual([name for name, *_ in told(LineDecoder(), line + b"\n")], ["line"])

    def test_what_cannot_be_printed(self) -> None:
        self.assertEqual(
            told(LineDecoder(), b"a\x1b[2Jb\xff\n"), [("line", "a\ufffd[2Jb\ufffd", "")]
        )

    def test_text_is_bounded(self) -> None:
        ((_, text, _),) = told(LineDecoder(), b"x" * 1000 + b"\n")
        self.assertEqual(text, "x" * MAX_TEXT)

    def test_line_that_does_not_end(self) -> None:
        decoder = LineDecoder()
        for _ in range(100):
            self.assertEqual(told(decoder, b"x" * 1000), [])
            self.assertLessEqual(len(decoder._pending), MAX_LINE)
        self.assertEqual(told(decoder, b"its end\nnext\n"), [("line", "next", "")])

    def test_broken(self) -> None:
        decoder = LineDecoder()
        decoder.feed(b"temp", 1.0)
        decoder.broken()
        self.assertEqual(told(decoder, b"21\nnext\n"), [("line", "next", "")])


class KeyValueTests(SynchronousTestCase):
    examples: ClassVar = {
        b"temp=21.5C hum=40%": [("temp", 21.5, "°C"), ("hum", 40.0, "%")],
        b"Temperature: 21.5 C Humidity: 40 %": [
            ("temperature", 21.5, "°C"),
            ("humidity", 40.0, "%"),
        ],
        b'a:-1,b: 2e3 , c = .5 V; door=on name="Big one"': [
            ("a", -1.0, ""),
            ("b", 2000.0, ""),
            ("c", 0.5, "V"),
            ("door", True, ""),
            ("name", "Big one", ""),
        ],
        b"time: 12:30:05": [("time", "12:30:05", "")],
        b"Power: 1,234 W": [],
        b"Power: 1,234 W Voltage: 230 V": [("voltage", 230.0, "V")],
        b"a=1,234,567;b=-0,5 kW, c=1.234,5 W,d=12 345,6 e=EUR 1,000 f=7": [("f", 7.0, "")],
        b"a=1,b=2,2nd=3": [("a", 1.0, ""), ("b", 2.0, ""), ("nd", 3.0, "")],
        b"t=21.5,12:30:05": [("t", 21.5, "")],
        b't=21.5, 7 s="1,234 W"': [("t", 21.5, ""), ("s", "1,234 W", "")],
        b"x=nan": [("x", "nan", "")],
        b"no pairs in this line": [],
        b"=5": [],
    }

    def test_examples(self) -> None:
        for line, expected in self.examples.items():
            self.assertEqual(told(KeyValueDecoder(), line + b"\n"), expected, line)

    def test_values_are_bounded(self) -> None:
        line = " ".join(f"n{number}=1" for number in range(200)).encode()
        self.assertEqual(len(told(KeyValueDecoder(), line + b"\n")), MAX_VALUES)


class JSONTests(SynchronousTestCase):
    def test_object(self) -> None:
        self.assertEqual(
            told(
                JSONDecoder(),
                b'{"Temp":21.5,"gps":{"lat":1,"fix":true},"list":[1],"t":"x\\u0000"}\n',
            ),
            [("temp", 21.5, ""), ("gps_lat", 1, ""), ("gps_fix", True, ""), ("t", "x\ufffd", "")],
        )

    def test_number_in_a_text(self) -> None:
        """It is what the device says: a text."""
        self.assertEqual(
            told(JSONDecoder(), b'{"a":"1,234 W","b":1,"c":"2"}\n'),
            [("a", "1,234 W", ""), ("b", 1, ""), ("c", "2", "")],
        )

    def test_what_is_no_object(self) -> None:
        for line in (b"[1]", b"5", b"{", b'{"a":}', b"[" * 3000, b'{"a":NaN,"b":1e999,"":1}'):
            self.assertEqual(told(JSONDecoder(), line + b"\n"), [], line)

    def test_large_numbers(self) -> None:
        self.assertEqual(told(JSONDecoder(), b'{"a":' + b"9" * 4000 + b"}\n"), [])

    def test_values_and_depth_are_bounded(self) -> None:
        line = ("{" + ",".join(f'"n{number}":1' for number in range(200)) + "}").encode()
        self.assertEqual(len(told(JSONDecoder(), line + b"\n")), MAX_VALUES)
        deep = b'{"a":' * 20 + b"1" + b"}" * 20
        self.assertEqual(told(JSONDecoder(), deep + b"\n"), [])


class HostileTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=200), max_size=10))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        for decoder in (LineDecoder(), KeyValueDecoder(), JSONDecoder()):
            for piece in pieces:
                for value in decoder.feed(piece, 1.0):
                    self.assertTrue(value.is_fit, value)

    @given(st.text(alphabet='a1=: .-"%;,\t', max_size=300))
    def test_any_pairs(self, line: str) -> None:
        for value in KeyValueDecoder().feed(line.encode() + b"\n", 1.0):
            self.assertTrue(value.is_fit, value)


class NameTests(SynchronousTestCase):
    def test_names(self) -> None:
        for text, name in {"Outside temp. (°C)": "outside_temp_c", "__": "", "ä": ""}.items():
            self.assertEqual(name_of(text), name)
        self.assertEqual(name_of("x" * 100), "x" * 40)
