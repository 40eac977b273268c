"""txXBee's class on Python 3: an XBee as a Twisted protocol that speaks in dictionaries.

A program that subclassed ``txXBee.protocol.txXBee`` changes its import to ``from zbtwist.txxbee
import txXBee``. The dictionaries are those of python-xbee 2.3.2's ``ZigBee``, on which txXBee
stood: the same names, bytes as values, no key for a variable field that is empty.

Received frames go through this package's own decoder and frame classes, and `_RESPONSES` says
for each type how its fields are called there. Frames to send are put together field by field from
`_COMMANDS`, since a program may give any bytes of the right length, whatever they mean.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet import protocol
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.frame_timeout import FrameTimeout
from zbtwist.xbee import frames
from zbtwist.xbee.address import UNKNOWN16, UNKNOWN64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.framing import decoder_for, encode
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.status import AT_OK

__all__ = ["txXBee"]

log = Logger()

Packet = dict[str, Any]


class FieldBytes(bytes):
    """The bytes of a received field. They never equal text, and warn whoever compares them with it:
    on Python 2 they did, and on Python 3 such a comparison is just false.

    @ivar field: the field's name.
    """

    field = ""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            self._warn(other)
        return bytes.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        if isinstance(other, str):
            self._warn(other)
        return bytes.__ne__(self, other)

    __hash__ = bytes.__hash__

    def _warn(self, text: str) -> None:
        warnings.warn(
            f"The field {self.field} is bytes, and never equals the text {text[:40]!r}: write "
            f"{_as_bytes(text[:40])}.",
            stacklevel=3,
        )


def _as_bytes(text: str) -> str:
    """Return how the bytes are written that a text stands for in a program of Python 2."""
    try:
        return repr(text.encode("latin-1"))
    except UnicodeEncodeError:
        return repr(text.encode())


def _fields(packet: Packet) -> Packet:
    """Name the bytes in a dictionary by their fields."""
    for name, value in packet.items():
        if type(value) is bytes:
            packet[name] = named = FieldBytes(value)
            named.field = name
        elif isinstance(value, dict):
            _fields(value)
    return packet


#: The digital lines that python-xbee knows, as a mask: DIO0 to DIO7 and DIO10 to DIO12.
_LINES = 0x1CFF


class txXBee(protocol.Protocol):
    """An XBee on a serial port, which hands up each frame as a dictionary. Subclass it::

    class Example(txXBee):
        def handle_packet(self, packet):
            if packet["id"] == "rx":
                self.tx(dest_addr_long=packet["source_addr_long"], data=b"thanks")

    SerialPort(Example(escaped=True), "/dev/ttyUSB0", reactor, baudrate=9600)
    """

    def __init__(self, escaped: bool = True) -> None:
        """
        @param escaped: True for a radio in API mode 2 (AP=2), False for mode 1 (AP=1).
        """
        self._api_mode = 2 if escaped else 1
        self._decoder = decoder_for(self._api_mode, on_bad_frame=self._bad_frame)
        self._patience: FrameTimeout | None = None

    def handle_packet(self, packet: Packet) -> None:
        """A frame came. Override this.

        A node identification and an answer to ND are given without the device type and the
        signal strength that NO may add to them.

        @param packet: the kind of frame as ``id``, and its fields as bytes; I/O samples as a list
            of dictionaries, the value of a successful ND as a dictionary.
        """

    def handle_badframe(self, packet: bytes) -> None:
        """Something came that is no dictionary. Override this, if you want to see it.

        It is either no good frame (wrong checksum, impossible length, cut short), or a good one
        that has no dictionary: its type is unknown, or its fields do not fit the type. None of
        these stops the frames that follow.

        Bad frames are handed up as they are found, so before the good ones of the same read.

        @param packet: start byte, length, data and checksum, not escaped; as many as came.
        """

    def send(self, cmd: str, **fields: bytes | str | None) -> None:
        """Send a frame.

        @param cmd: ``at``, ``queued_at``, ``remote_at``, ``tx``, ``tx_explicit``,
            ``create_source_route`` or ``register_joining_device``.
        @param fields: the frame's fields as bytes, MSB first, or as ASCII text. What is not given
            has python-xbee's default; the last field of each command may be left out. Names
            that the command does not have are ignored, as in python-xbee.
        @raise KeyError: there is no such command, or a field without a default was not given.
        @raise ValueError: a field has the wrong length, or is text that is not ASCII.
        @raise TypeError: a field is neither bytes nor text.
        @raise RuntimeError: the protocol has no serial port yet.
        """
        if cmd not in _COMMANDS:
            raise KeyError(f"there is no command {cmd!r}, only {', '.join(_COMMANDS)}")
        frame_data = b"".join([field.read(fields) for field in _COMMANDS[cmd]])
        if self.transport is None:
            raise RuntimeError(
                "there is no serial port to send to: give this protocol to a SerialPort first"
            )
        self.transport.write(encode(frame_data, self._api_mode))

    def at(self, **fields: bytes | str | None) -> None:
        """Read, set or execute an AT command: `command`, `parameter`, `frame_id`."""
        self.send("at", **fields)

    def queued_at(self, **fields: bytes | str | None) -> None:
        """Like `at`, but the value waits for AC or the next `at` to take effect."""
        self.send("queued_at", **fields)

    def remote_at(self, **fields: bytes | str | None) -> None:
        """An AT command for a node: `at`'s fields, `dest_addr_long`, `dest_addr`, `options`."""
        self.send("remote_at", **fields)

    def tx(self, **fields: bytes | str | None) -> None:
        """Bytes for a node's serial line: `data`, `frame_id`, `dest_addr_long`, `dest_addr`,
        `broadcast_radius`, `options`.
        """
        self.send("tx", **fields)

    def tx_explicit(self, **fields: bytes | str | None) -> None:
        """Bytes for an endpoint and cluster of a node: `tx`'s fields, `src_endpoint`,
        `dest_endpoint`, `cluster`, `profile`.
        """
        self.send("tx_explicit", **fields)

    def create_source_route(self, **fields: bytes | str | None) -> None:
        """Tell the radio the way to a node: `frame_id`, `dest_addr_long`, `dest_addr`, `options`,
        `hop_count`, `addresses`.
        """
        self.send("create_source_route", **fields)

    def register_joining_device(self, **fields: bytes | str | None) -> None:
        """Let a node join: `frame_id`, `dest_addr_long`, `dest_addr`, `options`, `key`."""
        self.send("register_joining_device", **fields)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came from the radio."""
        self._hand_up(self._decoder.feed(data))
        # SerialPort has the reactor it was given; a transport that has none gets no clock.
        clock = getattr(self.transport, "reactor", None)
        if self._patience is None and clock is not None:
            self._patience = FrameTimeout(cast(IReactorTime, clock), self._hand_up)
        if self._patience is not None and self._decoder.pending:
            self._patience.fed(self._decoder)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """The serial port is closed."""
        if self._patience is not None:
            self._patience.stop()

    def _hand_up(self, found: Iterable[bytes]) -> None:
        for frame_data in found:
            packet = _dictionary(frame_data)
            if packet is None:
                self._bad_frame(encode(frame_data, api_mode=1))
            else:
                self._call("handle_packet", packet)

    def _bad_frame(self, candidate: bytes) -> None:
        self._call("handle_badframe", candidate)

    def _call(self, handler: str, argument: object) -> None:
        # A mistake in the program must not cost it the frames that follow.
        try:
            getattr(self, handler)(argument)
        except Exception:
            log.failure(
                "{program}.{handler} raised; going on with the next frame",
                program=type(self).__name__,
                handler=handler,
            )


# --- What is received --------------------------------------------------------------------------


def _dictionary(frame_data: bytes) -> Packet | None:
    """Return the dictionary of a good frame, None if there is none for it."""
    known = _RESPONSES.get(frame_data[0])
    if known is None:
        return None
    name, frame_class, read = known
    try:
        return _fields({"id": name, **read(frame_class.parse(frame_data))})
    except (ValueError, IndexError, struct.error):
        return None


def _byte(value: int) -> bytes:
    return bytes((value,))


def _short(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _long(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _variable(name: str, value: object) -> Packet:
    """A field of any size has no key when it is empty."""
    return {name: value} if value else {}


def _source(
    frame: frames.ReceivePacket | frames.ExplicitReceive | frames.ManyToOneRouteRequest,
) -> Packet:
    return {
        "source_addr_long": _long(frame.address64),
        "source_addr": _short(frame.address16),
    }


def _receive(frame: frames.ReceivePacket) -> Packet:
    return {
        **_source(frame),
        "options": _byte(frame.options),
        **_variable("rf_data", frame.data),
    }


def _explicit_receive(frame: frames.ExplicitReceive) -> Packet:
    return {
        **_source(frame),
        "source_endpoint": _byte(frame.source_endpoint),
        "dest_endpoint": _byte(frame.destination_endpoint),
        "cluster": _short(frame.cluster_id),
        "profile": _short(frame.profile_id),
        "options": _byte(frame.options),
        **_variable("rf_data", frame.data),
    }


def _io_data_sample(frame: frames.ReceivePacket) -> Packet:
    packet = {**_source(frame), "options": _byte(frame.options)}
    if frame.data:
        packet["samples"] = _samples(frame.data)
    return packet


def _samples(data: bytes) -> list[dict[str, bool | int]]:
    """Read sample sets, one dictionary each.

    A radio sends one; python-xbee takes as many as the first byte says, and overlooks what
    follows them, so this does too.

    @raise ValueError: a set is cut short.
    """
    masks = data[1:4]
    words = bin(int.from_bytes(masks[2:], "big")).count("1") + any(masks[:2])
    sets = []
    for number in range(data[0]):
        start = 4 + number * 2 * words
        sample = IOSample.parse(b"\x01" + masks + data[start : start + 2 * words])
        readings: dict[str, bool | int] = {
            f"dio-{line}": up for line, up in sample.lines().items() if _LINES >> line & 1
        }
        readings.update({f"adc-{channel}": raw for channel, raw in sample.analog.items()})
        sets.append(readings)
    return sets


def _node_identification(frame: frames.NodeIdentification) -> Packet:
    node = frame.description
    return {
        "sender_addr_long": _long(frame.address64),
        "sender_addr": _short(frame.address16),
        "options": _byte(frame.options),
        "source_addr": _short(node.address16),
        "source_addr_long": _long(node.address64),
        "node_id": node.node_identifier,
        "parent_source_addr": _short(node.parent16),
        "device_type": _byte(node.role),
        "source_event": _byte(node.event),
        "digi_profile_id": _short(node.profile_id),
        "manufacturer_id": _short(node.manufacturer_id),
    }


def _at_response(frame: frames.ATCommandResponse) -> Packet:
    packet = {
        "frame_id": _byte(frame.frame_id),
        "command": frame.command.encode("latin-1"),
        "status": _byte(frame.status),
    }
    return _with_parameter(packet, frame)


def _remote_at_response(frame: frames.RemoteATCommandResponse) -> Packet:
    packet = {
        "frame_id": _byte(frame.frame_id),
        "source_addr_long": _long(frame.address64),
        "source_addr": _short(frame.address16),
        "command": frame.command.encode("latin-1"),
        "status": _byte(frame.status),
    }
    return _with_parameter(packet, frame)


def _with_parameter(
    packet: Packet, frame: frames.ATCommandResponse | frames.RemoteATCommandResponse
) -> Packet:
    """Add the value, read where python-xbee reads it: that of IS, and of a local ND."""
    if not frame.value:
        return packet
    packet["parameter"] = frame.value
    if frame.status == AT_OK:
        command = frame.command.upper()
        if command == "IS":
            packet["parameter"] = _samples(frame.value)
        elif command == "ND" and isinstance(frame, frames.ATCommandResponse):
            packet["parameter"] = _found_node(NodeDescription.parse(frame.value))
    return packet


def _found_node(node: NodeDescription) -> Packet:
    return {
        "source_addr": _short(node.address16),
        "source_addr_long": _long(node.address64),
        "node_identifier": node.node_identifier,
        "parent_address": _short(node.parent16),
        "device_type": _byte(node.role),
        "status": _byte(node.event),
        "profile_id": _short(node.profile_id),
        "manufacturer": _short(node.manufacturer_id),
    }


def _transmit_status(frame: frames.TransmitStatus) -> Packet:
    return {
        "frame_id": _byte(frame.frame_id),
        "dest_addr": _short(frame.address16),
        "retries": _byte(frame.retries),
        "deliver_status": _byte(frame.delivery_status),
        "discover_status": _byte(frame.discovery_status),
    }


def _modem_status(frame: frames.ModemStatus) -> Packet:
    return {"status": _byte(frame.status)}


def _extended_modem_status(frame: frames.ExtendedModemStatus) -> Packet:
    return {"status": _byte(frame.status), **_variable("data", frame.data)}


def _route_record(frame: frames.ReceivePacket) -> Packet:
    if not frame.data:
        raise ValueError("a route record has a number of hops")
    return {
        **_source(frame),
        "receive_options": _byte(frame.options),
        "hop_count": frame.data[:1],
        **_variable("addresses", frame.data[1:]),
    }


def _many_to_one_route_request(frame: frames.ManyToOneRouteRequest) -> Packet:
    return {**_source(frame), "reserved": _byte(frame.reserved)}


def _route_information(frame: frames.RouteInformation) -> Packet:
    return {
        "source_event": _byte(frame.source_event),
        "info_length": _byte(frame.information_length),
        "timestamp": frame.timestamp,
        "ack_timeout_count": _byte(frame.acknowledgement_timeouts),
        "tx_blocked_count": _byte(frame.blocked),
        "reserved": _byte(frame.reserved),
        "dest_addr": _long(frame.destination64),
        "source_addr": _long(frame.source64),
        "responder_addr": _long(frame.responder64),
        "receiver_addr": _long(frame.receiver64),
    }


#: By type byte: the dictionary's ``id``, the class whose layout the frame has, and its fields.
#: An I/O sample and a route record begin as a receive packet does, and are read as one: the rest
#: is given as it came, where their own classes would refuse what python-xbee lets pass.
_RESPONSES: dict[int, tuple[str, type[frames.Frame], Callable[[Any], Packet]]] = {
    0x88: ("at_response", frames.ATCommandResponse, _at_response),
    0x8A: ("status", frames.ModemStatus, _modem_status),
    0x8B: ("tx_status", frames.TransmitStatus, _transmit_status),
    0x8D: ("route_information", frames.RouteInformation, _route_information),
    0x90: ("rx", frames.ReceivePacket, _receive),
    0x91: ("rx_explicit", frames.ExplicitReceive, _explicit_receive),
    0x92: ("rx_io_data_long_addr", frames.ReceivePacket, _io_data_sample),
    0x95: ("node_id_indicator", frames.NodeIdentification, _node_identification),
    0x97: ("remote_at_response", frames.RemoteATCommandResponse, _remote_at_response),
    0x98: ("extended_status", frames.ExtendedModemStatus, _extended_modem_status),
    0xA1: ("route_record_indicator", frames.ReceivePacket, _route_record),
    0xA3: ("many_to_one_rri", frames.ManyToOneRouteRequest, _many_to_one_route_request),
}


# --- What is sent ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a command.

    @ivar size: in bytes; None for the last field, which may have any size, and be left out.
    @ivar default: what is sent when it is not given; None if it must be given.
    """

    name: str
    size: int | None = None
    default: bytes | None = None

    def read(self, given: Mapping[str, bytes | str | None]) -> bytes:
        """Return the field's bytes.

        @raise KeyError, ValueError, TypeError: as `txXBee.send` says.
        """
        value = given.get(self.name, self.default)
        if isinstance(value, str):
            try:
                value = value.encode("ascii")
            except UnicodeEncodeError as error:
                # The error is python-xbee's, but it says what to do.
                instead = _as_bytes(error.object[:40])
                error.reason = f"for the field {self.name} write bytes, {instead}"
                raise
        if not isinstance(value, bytes | bytearray | type(None)):
            raise TypeError(self._wrong_type(value))
        if self.size is None:
            return value or b""
        if self.name not in given and value is None:
            raise KeyError(f"the field {self.name} of {self.size} bytes was not given")
        # None, where a field must be, is the same TypeError here as in python-xbee.
        if len(cast(bytes, value)) != self.size:
            raise ValueError(f"the field {self.name} has {self.size} bytes, and {value!r} has not")
        return cast(bytes, value)

    def _wrong_type(self, value: object) -> str:
        text = f"the field {self.name} must be bytes, not {type(value).__name__}"
        size = self.size or 1
        if isinstance(value, int) and 0 <= value < 1 << 8 * size:
            text += f": write {value.to_bytes(size, 'big')!r}"
        return text


def _command(frame_class: type[frames.Frame], frame_id: int, *fields: _Field) -> tuple[_Field, ...]:
    return (
        _Field("id", 1, _byte(frame_class.frame_type)),
        _Field("frame_id", 1, _byte(frame_id)),
        *fields,
    )


#: Eight times FF where no 64-bit address is given.
_DESTINATION = (
    _Field("dest_addr_long", 8, _long(UNKNOWN64)),
    _Field("dest_addr", 2, _short(UNKNOWN16)),
)
_AT_COMMAND = (_Field("command", 2), _Field("parameter"))
_OPTIONS = _Field("options", 1, b"\0")
_DATA = (_Field("broadcast_radius", 1, b"\0"), _OPTIONS, _Field("data"))

#: By name: the fields in the order of the wire. A frame id other than 0 asks for an answer.
_COMMANDS: dict[str, tuple[_Field, ...]] = {
    "at": _command(frames.ATCommand, 1, *_AT_COMMAND),
    "queued_at": _command(frames.QueuedATCommand, 1, *_AT_COMMAND),
    "remote_at": _command(
        frames.RemoteATCommand,
        0,
        *_DESTINATION,
        _Field("options", 1, _byte(frames.OPTION_APPLY)),
        *_AT_COMMAND,
    ),
    "tx": _command(frames.TransmitRequest, 1, *_DESTINATION, *_DATA),
    "tx_explicit": _command(
        frames.ExplicitTransmitRequest,
        0,
        *_DESTINATION,
        _Field("src_endpoint", 1),
        _Field("dest_endpoint", 1),
        _Field("cluster", 2),
        _Field("profile", 2),
        *_DATA,
    ),
    "create_source_route": _command(
        frames.CreateSourceRoute,
        0,
        *_DESTINATION,
        _OPTIONS,
        _Field("hop_count", 1, b"\0"),
        _Field("addresses"),
    ),
    "register_joining_device": _command(
        frames.RegisterJoiningDevice, 0, *_DESTINATION, _OPTIONS, _Field("key")
    ),
}
