"""gather, delimiter and packet-size: what a client sends in pieces goes together."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Writer
from tests.binding.test_outbound import OutboundTestCase
from tests.clock import MemoryReactorClock
from tests.radio.support import FACTS
from zbtwist.binding.port_values import MAX_DELIMITER
from zbtwist.config.load import load
from zbtwist.config.toml_file import ConfigError

GATHER = 0.02


class GatherTests(OutboundTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.follow(gather=GATHER)

    def pieces(self, *data: bytes, pause: float = GATHER / 2, writer: Writer | None = None) -> None:
        for piece in data:
            self.outbound.write(writer or self.writer, piece)
            self.wire.clock.advance(pause)

    def test_first_bytes(self) -> None:
        """They wait for a silence as all others do, though the node is idle."""
        self.pieces(b"one ", b"two ", b"three")
        self.assertEqual(self.data, [])
        self.wire.clock.advance(GATHER / 2)
        self.assertEqual(self.data, [b"one two three"])
        self.status()
        self.pieces(b"four ", b"five", pause=GATHER)
        self.status()
        self.assertEqual(self.data[1:], [b"four ", b"five"])

    def test_while_the_node_is_busy(self) -> None:
        self.pieces(b"one", pause=GATHER)
        self.pieces(b"two ", b"three")
        self.status()
        self.assertEqual(self.data, [b"one"])
        self.wire.clock.advance(GATHER / 2)
        self.assertEqual(self.data, [b"one", b"two three"])

    def test_full_packet(self) -> None:
        """It waits for nothing, and its rest for a silence."""
        self.outbound.write(self.writer, b"x" * (FACTS.payload_limit + 1))
        self.assertEqual(self.data, [b"x" * FACTS.payload_limit])
        self.status()
        self.assertEqual(len(self.data), 1)
        self.wire.clock.advance(GATHER)
        self.assertEqual(self.data[1:], [b"x"])

    def test_packet_size(self) -> None:
        self.follow(gather=GATHER, packet_size=4)
        self.pieces(b"ab", b"cd", b"ef")
        self.assertEqual(self.data, [b"abcd"])
        self.status()
        self.wire.clock.advance(GATHER)
        self.assertEqual(self.data[1:], [b"ef"])

    def test_packet_size_alone(self) -> None:
        self.follow(packet_size=4)
        self.outbound.write(self.writer, b"abcdef")
        self.status()
        self.wire.clock.advance(GATHER)
        self.assertEqual(self.data, [b"abcd", b"ef"])

    def test_larger_than_the_radio_can(self) -> None:
        self.follow(packet_size=1000)
        self.outbound.write(self.writer, b"x" * 200)
        self.assertEqual(self.data, [b"x" * FACTS.payload_limit])

    def test_delimiter(self) -> None:
        self.follow(gather=GATHER, delimiter=b"\r\n")
        self.outbound.write(self.writer, b"one\r")
        self.assertEqual(self.data, [])
        self.outbound.write(self.writer, b"\ntwo")
        self.assertEqual(self.data, [b"one\r\n"])
        self.status()
        self.outbound.write(self.writer, b"\r\nthree\r\nfour")
        self.assertEqual(self.data[1:], [b"two\r\nthree\r\n"])
        self.status()
        self.wire.clock.advance(GATHER)
        self.assertEqual(self.data[2:], [b"four"])

    def test_delimiter_behind_a_full_packet(self) -> None:
        self.follow(gather=GATHER, delimiter=b"\n")
        line = b"x" * FACTS.payload_limit + b"y\n"
        self.outbound.write(self.writer, line + b"z")
        self.status()
        self.status()
        self.assertEqual(self.data, [line[:-2], b"y\n"])
        self.wire.clock.advance(GATHER)
        self.assertEqual(self.data[2:], [b"z"])

    def test_writers_do_not_wait_for_each_other(self) -> None:
        other = Writer()
        self.pieces(b"one", pause=GATHER / 2)
        self.pieces(b"two", pause=GATHER / 2, writer=other)
        self.assertEqual(self.data, [b"one"])
        self.status()
        self.wire.clock.advance(GATHER / 2)
        self.assertEqual(self.data, [b"one", b"two"])

    def test_whoever_never_pauses(self) -> None:
        """Packets fill up: nothing waits without end."""
        self.pieces(*[b"x"] * (FACTS.payload_limit + 1))
        self.assertEqual(self.data, [b"x" * FACTS.payload_limit])

    def test_off(self) -> None:
        """By default the first bytes of an idle node go at once."""
        self.follow()
        self.outbound.write(self.writer, b"one")
        self.assertEqual(self.data, [b"one"])


class DelimiterTests(SynchronousTestCase):
    def load(self, text: str) -> bytes:
        options = {"serial": "sim:", "gather": "0.02", "delimiter": text}
        return load(MemoryReactorClock(), options).port_settings.delimiter

    def test_forms(self) -> None:
        for text, delimiter in (
            (r"\r\n", b"\r\n"),
            ("\r\n", b"\r\n"),
            (r"\x03", b"\x03"),
            (";", b";"),
            (r"\\\0", b"\\\0"),
            ("", b""),
        ):
            self.assertEqual(self.load(text), delimiter, text)

    def test_mistakes(self) -> None:
        for text in (r"\q", r"\x1", "\\", "\\" * 3, "x" * (MAX_DELIMITER + 1)):
            with self.assertRaises(ConfigError, msg=text):
                self.load(text)

    def test_it_needs_gather(self) -> None:
        with self.assertRaises(ConfigError) as caught:
            load(MemoryReactorClock(), {"serial": "sim:", "delimiter": ";"})
        self.assertIn("--delimiter", str(caught.exception))
        self.assertIn("needs gather", str(caught.exception))

    def test_it_needs_gather_in_a_node(self) -> None:
        path = self.mktemp()
        for text in (
            '[[node]]\nlabel = "A"\ndelimiter = ";"',
            'gather=1\n[[node]]\nlabel="A"\ngather = 0\ndelimiter=";"',
        ):
            with open(path, "w") as file:
                file.write(text)
            with self.assertRaises(ConfigError) as caught:
                load(MemoryReactorClock(), {"serial": "sim:", "config": path})
            self.assertIn("node[1]", str(caught.exception))
