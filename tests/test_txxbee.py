"""txXBee's class: held against python-xbee 2.3.2, on whose dictionaries it stood.

What python-xbee makes of a frame is its ``_split_response``; what it sends is what it writes to a
serial port, here a `BytesIO`.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.internet import task
from twisted.internet.testing import StringTransport
from twisted.trial import unittest
from xbee import ZigBee

from tests.xbee.strategies import (
    chunk_sizes,
    chunks,
    descriptions,
    frames_of,
    payloads,
    repeatable,
    samples,
)
from zbtwist.radio.frame_timeout import SILENCE
from zbtwist.txxbee import txXBee
from zbtwist.xbee import frames
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.framing import encode

#: The frames that python-xbee makes a dictionary of.
RECEIVED: list[type[frames.Frame]] = [
    frames.ATCommandResponse,
    frames.ModemStatus,
    frames.TransmitStatus,
    frames.RouteInformation,
    frames.ReceivePacket,
    frames.ExplicitReceive,
    frames.IODataSample,
    frames.NodeIdentification,
    frames.RemoteATCommandResponse,
    frames.ExtendedModemStatus,
    frames.RouteRecord,
    frames.ManyToOneRouteRequest,
]

#: The lines that python-xbee knows. It misreads a sample whose digital lines are all others.
KNOWN_LINES = 0x1CFF

_NODE64 = Address64(0x0013A200400A3EFF)
_NODE16 = Address16(0x1234)

COORDINATOR_STARTED = bytes.fromhex("8a 06")
PACKET = bytes.fromhex("90 0013a200400a3eff 1234 01 48656c6c6f")
PACKET_DICTIONARY = {
    "id": "rx",
    "source_addr_long": bytes.fromhex("0013a200400a3eff"),
    "source_addr": b"\x12\x34",
    "options": b"\x01",
    "rf_data": b"Hello",
}

DESCRIPTION = "1234 0013a200400a3eff 506f6f6c00 fffe 01 00 c105 101e"


class Recorder(txXBee):
    """Keeps what it is given, in order."""

    def __init__(self, escaped: bool = True) -> None:
        super().__init__(escaped=escaped)
        self.packets: list[dict[str, Any]] = []
        self.bad_frames: list[bytes] = []

    def handle_packet(self, packet: dict[str, Any]) -> None:
        self.packets.append(packet)

    def handle_badframe(self, packet: bytes) -> None:
        self.bad_frames.append(packet)


class SerialTransport(StringTransport):
    """A transport with a reactor, as SerialPort has."""

    def __init__(self) -> None:
        super().__init__()
        self.reactor = task.Clock()


def received(frame_data: bytes, escaped: bool = True) -> Recorder:
    """A recorder to which the frame came."""
    recorder = Recorder(escaped)
    recorder.makeConnection(StringTransport())
    recorder.dataReceived(encode(frame_data, 2 if escaped else 1))
    return recorder


def split(frame_data: bytes) -> dict[str, Any]:
    """The dictionary that python-xbee makes of a frame."""
    packet: dict[str, Any] = ZigBee(None)._split_response(frame_data)
    return packet


class DictionaryTests(unittest.SynchronousTestCase):
    """`handle_packet` gets python-xbee's dictionaries."""

    def check(self, frame_data: bytes) -> None:
        recorder = received(frame_data)
        self.assertEqual(recorder.packets, [split(frame_data)])
        self.assertEqual(recorder.bad_frames, [])

    def test_every_response(self) -> None:
        """The list above is python-xbee's."""
        types = {bytes([frame_class.frame_type]) for frame_class in RECEIVED}
        self.assertEqual(types, set(ZigBee.api_responses))

    def test_any_frame(self) -> None:
        for frame_class in RECEIVED:
            self.any_frame_of(frame_class)

    def any_frame_of(self, frame_class: type[frames.Frame]) -> None:
        @repeatable(60)
        @given(
            frames_of(
                frame_class,
                sample=samples(digital_lines=KNOWN_LINES),
                description=descriptions.map(_as_with_no_0),
            )
        )
        def check(frame: frames.Frame) -> None:
            if isinstance(frame, (frames.ATCommandResponse, frames.RemoteATCommandResponse)):
                # Their values have tests of their own.
                assume(frame.status != 0 or frame.command.upper() not in ("IS", "ND"))
            self.check(frame.to_bytes())

        check()

    def test_empty_variable_field_has_no_key(self) -> None:
        for text, missing in (
            ("90 0013a200400a3eff 1234 01", "rf_data"),
            ("91 0013a200400a3eff 1234 e8e8 0011 c105 01", "rf_data"),
            ("92 0013a200400a3eff 1234 01", "samples"),
            ("88 01 4e49 00", "parameter"),
            ("88 01 4e44 00", "parameter"),
            ("88 01 4953 00", "parameter"),
            ("97 01 0013a200400a3eff 1234 4953 00", "parameter"),
            ("98 00", "data"),
            ("a1 0013a200400a3eff 1234 01 00", "addresses"),
        ):
            frame_data = bytes.fromhex(text)
            self.check(frame_data)
            self.assertNotIn(missing, received(frame_data).packets[0])

    @repeatable()
    @given(
        st.sampled_from(("IS", "is", "Is")), samples(digital_lines=KNOWN_LINES), st.integers(0, 4)
    )
    def test_value_of_is(self, command: str, sample: Any, status: int) -> None:
        """Read into a list if the command was done, local or remote; else left as it came."""
        value = sample.to_bytes()
        local = frames.ATCommandResponse(1, command, status, value)
        self.check(local.to_bytes())
        remote = frames.RemoteATCommandResponse(1, _NODE64, _NODE16, command, status, value)
        self.check(remote.to_bytes())
        parameter = received(remote.to_bytes()).packets[0]["parameter"]
        self.assertEqual(isinstance(parameter, list), status == 0)

    @repeatable()
    @given(
        st.sampled_from(("ND", "nd", "nD")),
        descriptions.map(lambda node: _as_with_no_0(node).to_bytes()),
        st.integers(0, 4),
    )
    def test_value_of_nd(self, command: str, value: bytes, status: int) -> None:
        """Read into a dictionary if the command was done here; left as it came from a node."""
        self.check(frames.ATCommandResponse(1, command, status, value).to_bytes())
        remote = frames.RemoteATCommandResponse(1, _NODE64, _NODE16, command, status, value)
        self.check(remote.to_bytes())

    @repeatable()
    @given(
        st.integers(0, 3), st.integers(0, KNOWN_LINES), st.integers(0, 0xFF), st.binary(max_size=60)
    )
    def test_any_number_of_sample_sets(
        self, sets: int, digital_mask: int, analog_mask: int, readings: bytes
    ) -> None:
        """Where python-xbee reads what no radio sends, so does this; else it is a bad frame."""
        digital_mask &= KNOWN_LINES
        value = bytes([sets]) + digital_mask.to_bytes(2, "big") + bytes([analog_mask]) + readings
        frame_data = bytes.fromhex("92 0013a200400a3eff 1234 01") + value
        try:
            expected = [split(frame_data)]
        except IndexError:
            expected = []
        recorder = received(frame_data)
        self.assertEqual(recorder.packets, expected)
        self.assertEqual(len(recorder.bad_frames), 1 - len(expected))

    @repeatable(200)
    @given(st.sampled_from(RECEIVED), st.binary(max_size=50))
    def test_any_bytes(self, frame_class: type[frames.Frame], rest: bytes) -> None:
        """A dictionary where python-xbee gives one, a bad frame where it raises."""
        frame_data = bytes([frame_class.frame_type]) + rest
        # python-xbee looks for the end of a node identifier forever, and misreads some samples.
        if frame_class is frames.NodeIdentification:
            assume(len(frame_data) < 22 or 0 in frame_data[22:])
        if frame_class is frames.ATCommandResponse:
            assume(frame_data[2:4].upper() != b"ND")
        if frame_class is frames.IODataSample:
            mask = int.from_bytes(frame_data[13:15], "big")
            assume(mask == 0 or mask & KNOWN_LINES)
        try:
            expected = [split(frame_data)]
        except (ValueError, IndexError):
            expected = []
        recorder = received(frame_data)
        self.assertEqual(recorder.packets, expected)
        raw = [] if expected else [encode(frame_data, 1)]
        self.assertEqual(recorder.bad_frames, raw)

    @repeatable()
    @given(
        st.lists(st.sampled_from(RECEIVED[1:6]).flatmap(frames_of), max_size=5),
        chunk_sizes,
        st.booleans(),
    )
    def test_in_any_chunks(self, sent: list[frames.Frame], sizes: list[int], escaped: bool) -> None:
        """One dictionary a frame, in order, in both modes."""
        recorder = Recorder(escaped)
        recorder.makeConnection(StringTransport())
        mode = 2 if escaped else 1
        stream = b"".join(encode(frame.to_bytes(), mode) for frame in sent)
        for chunk in chunks(stream, sizes):
            recorder.dataReceived(chunk)
        self.assertEqual(recorder.packets, [split(frame.to_bytes()) for frame in sent])


def _as_with_no_0(node: NodeDescription) -> NodeDescription:
    """What a node says of itself to a radio whose NO is 0: python-xbee knows nothing else."""
    node.device_type_identifier = node.rssi = None
    return node


class DifferenceTests(unittest.SynchronousTestCase):
    """Where python-xbee has no dictionary or a wrong one."""

    def test_node_identification_with_more(self) -> None:
        """The device type and the signal strength are dropped."""
        plain = bytes.fromhex("95 0013a200400a3eff 1234 02" + DESCRIPTION)
        for more in ("", "00030005", "2a", "000300052a"):
            recorder = received(plain + bytes.fromhex(more))
            self.assertEqual(recorder.packets, [split(plain)])
            if more:
                self.assertRaises(ValueError, split, plain + bytes.fromhex(more))

    def test_found_node_with_more(self) -> None:
        plain = bytes.fromhex("88 01 4e44 00" + DESCRIPTION)
        for more in ("", "00030005", "2a", "000300052a"):
            recorder = received(plain + bytes.fromhex(more))
            self.assertEqual(recorder.packets, [split(plain)])
            if more:
                self.assertRaises(ValueError, split, plain + bytes.fromhex(more))

    def test_node_identifier_without_an_end(self) -> None:
        """python-xbee would not come back from either."""
        for text in (
            "88 01 4e44 00 1234 0013a200400a3eff 506f6f6c",
            "95 0013a200400a3eff 1234 02 1234 0013a200400a3eff 506f6f6c",
        ):
            recorder = received(bytes.fromhex(text))
            self.assertEqual((recorder.packets, len(recorder.bad_frames)), ([], 1))

    def test_unknown_type(self) -> None:
        """A type that is only sent, or that nobody knows, is a bad frame; nothing raises."""
        for number in range(256):
            if bytes([number]) in ZigBee.api_responses:
                continue
            frame_data = bytes((number, 1, 2, 3))
            self.assertRaises(KeyError, split, frame_data)
            recorder = received(frame_data)
            self.assertEqual(recorder.packets, [])
            self.assertEqual(recorder.bad_frames, [encode(frame_data, 1)])

    def test_lines_that_python_xbee_does_not_know(self) -> None:
        """DIO14 alone: its word is skipped, so that AD0 is read from the right place."""
        recorder = received(bytes.fromhex("92 0013a200400a3eff 1234 01 01 4000 01 4000 0123"))
        self.assertEqual(recorder.packets[0]["samples"], [{"adc-0": 0x123}])


class BadFrameTests(unittest.SynchronousTestCase):
    """Whatever comes, `handle_badframe` is told, and the next good frame is handed up."""

    def test_bad_checksum(self) -> None:
        """Start byte, length, data and checksum come unescaped."""
        for escaped in (True, False):
            recorder = Recorder(escaped)
            recorder.makeConnection(StringTransport())
            wire = encode(b"\x90\x7e\x11", 2 if escaped else 1)
            recorder.dataReceived(wire[:-1] + b"\x00")
            self.assertEqual(recorder.bad_frames, [bytes.fromhex("7e0003 907e11 00")])
            recorder.dataReceived(encode(PACKET, 2 if escaped else 1))
            self.assertEqual(recorder.packets, [PACKET_DICTIONARY])

    def test_cut_short(self) -> None:
        for escaped in (True, False):
            recorder = Recorder(escaped)
            recorder.makeConnection(StringTransport())
            wire = encode(PACKET, 2 if escaped else 1)
            recorder.dataReceived(wire[:-3] + wire + wire)
            self.assertEqual(recorder.packets, [PACKET_DICTIONARY] * 2)
            self.assertEqual(len(recorder.bad_frames), 1)

    def test_garbage_before_a_frame(self) -> None:
        recorder = Recorder()
        recorder.makeConnection(StringTransport())
        recorder.dataReceived(b"OK\r\x7d" + encode(PACKET, 2))
        self.assertEqual(recorder.packets, [PACKET_DICTIONARY])
        self.assertEqual(recorder.bad_frames, [])

    def test_silence_behind_a_false_start(self) -> None:
        """Mode 1 waits for a frame's end no longer than the line is silent."""
        recorder = Recorder(escaped=False)
        transport = SerialTransport()
        recorder.makeConnection(transport)
        recorder.dataReceived(b"\x7e\x01\x00")
        transport.reactor.advance(SILENCE - 0.1)
        recorder.dataReceived(encode(PACKET, 1))
        transport.reactor.advance(SILENCE - 0.1)
        self.assertEqual(recorder.packets, [])
        transport.reactor.pump([0.1] * 20)
        self.assertEqual(recorder.packets, [PACKET_DICTIONARY])
        self.assertEqual(len(recorder.bad_frames), 1)
        self.assertEqual(transport.reactor.getDelayedCalls(), [])

    def test_no_timer_without_need(self) -> None:
        """None after a whole frame, none once the port is closed."""
        recorder = Recorder(escaped=False)
        transport = SerialTransport()
        recorder.makeConnection(transport)
        recorder.dataReceived(encode(PACKET, 1))
        self.assertEqual(transport.reactor.getDelayedCalls(), [])
        recorder.dataReceived(b"\x7e\x01")
        self.assertEqual(len(transport.reactor.getDelayedCalls()), 1)
        recorder.connectionLost()
        self.assertEqual(transport.reactor.getDelayedCalls(), [])

    def test_handler_that_raises(self) -> None:
        """It is logged, and the frames that follow in the same read are handed up."""

        class Faulty(Recorder):
            def handle_packet(self, packet: dict[str, Any]) -> None:
                super().handle_packet(packet)
                if packet["id"] == "status":
                    raise ZeroDivisionError("a mistake")

            def handle_badframe(self, packet: bytes) -> None:
                super().handle_badframe(packet)
                raise LookupError("another")

        faulty = Faulty()
        faulty.makeConnection(StringTransport())
        faulty.dataReceived(encode(COORDINATOR_STARTED, 2) + b"\x7e\x00\x00" + encode(PACKET, 2))
        self.assertEqual([packet["id"] for packet in faulty.packets], ["status", "rx"])
        self.assertEqual(len(faulty.bad_frames), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_handlers_need_not_be_overridden(self) -> None:
        plain = txXBee()
        plain.makeConnection(StringTransport())
        plain.dataReceived(encode(PACKET, 2) + encode(b"\xee", 2))
        self.assertEqual(self.flushLoggedErrors(), [])


#: For each command, fields of the right length; any of them may be left out, or be wrong.
FIELDS: dict[str, list[str]] = {
    command: [field["name"] for field in layout] for command, layout in ZigBee.api_commands.items()
}
SIZES = {field["name"]: field["len"] for layout in ZigBee.api_commands.values() for field in layout}


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A command with some of its fields, most of them fit to send."""
    command = draw(st.sampled_from(sorted(FIELDS)))
    fields: dict[str, Any] = {}
    for name in FIELDS[command]:
        size = SIZES[name]
        fit = payloads if size is None else st.binary(min_size=size, max_size=size)
        text = st.text(st.characters(max_codepoint=127), min_size=size or 0, max_size=size or 20)
        odd = st.one_of(st.binary(max_size=9), st.text(max_size=3), st.none(), st.just(1))
        choice = draw(st.integers(0, 20))
        if choice < 12:
            fields[name] = draw(fit)
        elif choice < 15:
            fields[name] = draw(text)
        elif choice < 16:
            fields[name] = draw(odd)
    if draw(st.integers(0, 9)) == 0:
        fields["no_such_field"] = b"x"
    return command, fields


class SendTests(unittest.SynchronousTestCase):
    """`send` and its shorthands write python-xbee's bytes, and raise where it raises."""

    def outcomes(self, escaped: bool, command: str, fields: dict[str, Any]) -> tuple[Any, Any]:
        """What python-xbee did, and what this did: bytes, or the type of the error."""
        serial = io.BytesIO()
        theirs = ZigBee(serial, escaped=escaped)
        transport = StringTransport()
        ours = Recorder(escaped)
        ours.makeConnection(transport)
        return (
            self.outcome(theirs, serial.getvalue, command, fields),
            self.outcome(ours, transport.value, command, fields),
        )

    def outcome(
        self, xbee: Any, written: Callable[[], bytes], command: str, fields: dict[str, Any]
    ) -> Any:
        try:
            xbee.send(command, **fields)
        except Exception as error:
            return type(error)
        return written()

    @repeatable(400)
    @given(requests(), st.booleans())
    def test_any_request(self, request: tuple[str, dict[str, Any]], escaped: bool) -> None:
        theirs, ours = self.outcomes(escaped, *request)
        self.assertEqual(ours, theirs)

    def test_defaults(self) -> None:
        """With nothing more than each command needs."""
        needed = {
            "at": {"command": b"NI"},
            "queued_at": {"command": b"NI"},
            "remote_at": {"command": b"NI"},
            "tx": {},
            "tx_explicit": {
                "src_endpoint": b"\xe8",
                "dest_endpoint": b"\xe8",
                "cluster": b"\x00\x11",
                "profile": b"\xc1\x05",
            },
            "create_source_route": {},
            "register_joining_device": {},
        }
        self.assertEqual(set(needed), set(ZigBee.api_commands))
        for command, fields in needed.items():
            for escaped in (True, False):
                theirs, ours = self.outcomes(escaped, command, fields)
                self.assertIsInstance(theirs, bytes)
                self.assertEqual(ours, theirs)
            for name in fields:
                less = {other: value for other, value in fields.items() if other != name}
                self.assertEqual(self.outcomes(True, command, less), (KeyError, KeyError))

    def test_shorthands(self) -> None:
        """Each is `send` with its name, of which a subclass may have its own."""

        class Sender(txXBee):
            def send(self, cmd: str, **fields: Any) -> None:
                sent.append((cmd, fields))

        sent: list[tuple[str, Any]] = []
        for name in ZigBee.api_commands:
            getattr(Sender(), name)(data=b"x", command="NI")
        expected = [(name, {"data": b"x", "command": "NI"}) for name in ZigBee.api_commands]
        self.assertEqual(sent, expected)

    def test_errors_are_sentences(self) -> None:
        connected = Recorder()
        connected.makeConnection(StringTransport())
        error = self.assertRaises(KeyError, connected.send, "transmit", data=b"x")
        self.assertIn("'transmit'", str(error))
        self.assertIn("tx_explicit", str(error))
        error = self.assertRaises(KeyError, connected.at, parameter=b"x")
        self.assertIn("command of 2 bytes was not given", str(error))
        error = self.assertRaises(ValueError, connected.tx, dest_addr=b"\x12")
        self.assertIn("dest_addr has 2 bytes", str(error))
        error = self.assertRaises(RuntimeError, Recorder().tx, data=b"x")
        self.assertIn("SerialPort", str(error))

    def test_what_is_no_bytes(self) -> None:
        """The field is named, and what to write is said."""
        connected = Recorder()
        connected.makeConnection(StringTransport())
        for value, kind, advice in (
            ("\x00\x13\xa2\x00\x40\x0a\x3e\xff", ValueError, r"b'\x00\x13\xa2\x00@\n>\xff'"),
            (1, TypeError, "not int: write b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01'"),
            (-1, TypeError, "not int"),
            (["x"], TypeError, "not list"),
        ):
            error = self.assertRaises(kind, connected.tx, dest_addr_long=value, data=b"x")
            self.assertIn("dest_addr_long", str(error))
            self.assertIn(advice, str(error))
        error = self.assertRaises(TypeError, connected.tx, data=65)
        self.assertIn("data must be bytes, not int: write b'A'", str(error))
        error = self.assertRaises(ValueError, connected.tx, data="für")
        self.assertIn(r"b'f\xfcr'", str(error))

    def test_nothing_is_written_on_an_error(self) -> None:
        transport = StringTransport()
        connected = Recorder()
        connected.makeConnection(transport)
        self.assertRaises(ValueError, connected.tx, dest_addr=b"\x12", data=b"x")
        self.assertEqual(transport.value(), b"")


DEVICES = {
    "boiler": b"\x00\x13\xa2\x00\x40\x0a\x3e\xff",
    "tank": b"\x00\x13\xa2\x00\x40\x0a\x3e\x7e",
}


class Monitor(txXBee):
    """A program of the kind that txXBee was for: it polls one node and answers by relaying."""

    def __init__(self, clock: task.Clock, *args: Any, **kwds: Any) -> None:
        super().__init__(*args, **kwds)
        self.poll = task.LoopingCall(self.ask)
        self.poll.clock = clock
        self.supply: list[bytes] = []

    def connectionMade(self) -> None:
        self.poll.start(30.0)

    def ask(self) -> None:
        self.at(frame_id="A", command="%V")
        self.remote_at(frame_id=b"\x02", dest_addr_long=DEVICES["tank"], command="IS")

    def handle_packet(self, xbeePacketDictionary: dict[str, Any]) -> None:
        response = xbeePacketDictionary
        if response["id"] == "at_response" and response["command"] == b"%V":
            self.supply.append(response["parameter"])
        if response.get("source_addr_long", "default") == DEVICES["boiler"]:
            self.send(
                "tx",
                frame_id="\x01",
                dest_addr_long=DEVICES["tank"],
                dest_addr="\x12\x34",
                data="DATA2",
            )


class ComparisonTests(unittest.SynchronousTestCase):
    """Bytes that are compared with text, as on Python 2, where that was the same."""

    def setUp(self) -> None:
        program = Recorder(escaped=False)
        program.makeConnection(StringTransport())
        program.dataReceived(encode(bytes.fromhex("88 01 4e49 00") + b"E1", 1))
        (self.packet,) = program.packets

    def warned(self) -> list[str]:
        return [str(warning["message"]) for warning in self.flushWarnings()]

    def test_text(self) -> None:
        self.assertFalse(self.packet["command"] == "NI")
        self.assertTrue(self.packet["parameter"] != "E1")
        (command, parameter) = self.warned()
        self.assertIn("command is bytes, and never equals the text 'NI': write b'NI'", command)
        self.assertIn("parameter is bytes", parameter)

    def test_text_as_a_key(self) -> None:
        """Text and bytes have one hash, so that a dictionary compares them as well."""
        self.assertNotIn(self.packet["command"], {"NI": 1})
        self.assertTrue(self.warned())

    def test_bytes(self) -> None:
        """They are as any others."""
        command = self.packet["command"]
        self.assertEqual((command == b"NI", command != b"NI"), (True, False))
        self.assertEqual({command: 1}[b"NI"], 1)
        self.assertEqual(pickle.loads(pickle.dumps(command)), b"NI")
        self.assertEqual((command[:1], command + b"!", repr(command)), (b"N", b"NI!", "b'NI'"))
        self.assertNotEqual(command, 5)
        self.assertEqual(self.warned(), [])


class ProgramTests(unittest.SynchronousTestCase):
    """A program written for txXBee works as it did."""

    def test_program(self) -> None:
        clock = task.Clock()
        monitor = Monitor(clock, escaped=True)
        transport = StringTransport()
        monitor.makeConnection(transport)
        self.assertEqual(
            transport.value(),
            encode(bytes.fromhex("08 41 2556"), 2)
            + encode(bytes.fromhex("17 02 0013a200400a3e7e fffe 02 4953"), 2),
        )
        transport.clear()
        monitor.dataReceived(encode(bytes.fromhex("88 41 2556 00 0ce4"), 2) + encode(PACKET, 2))
        self.assertEqual(monitor.supply, [b"\x0c\xe4"])
        relayed = bytes.fromhex("10 01 0013a200400a3e7e 1234 00 00") + b"DATA2"
        self.assertEqual(transport.value(), encode(relayed, 2))
        transport.clear()
        clock.advance(30)
        self.assertNotEqual(transport.value(), b"")

    def test_mode_1(self) -> None:
        transport = StringTransport()
        monitor = Monitor(task.Clock(), escaped=False)
        monitor.makeConnection(transport)
        transport.clear()
        monitor.dataReceived(encode(PACKET, 1))
        relayed = bytes.fromhex("10 01 0013a200400a3e7e 1234 00 00") + b"DATA2"
        self.assertEqual(transport.value(), encode(relayed, 1))
