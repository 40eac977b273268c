"""One class per frame type: `parse` reads frame data, `to_bytes` is its inverse.

`parse_frame` is the way in for received bytes: a table leads from the type byte to the class, and
nothing raises, since what a radio sends is not our mistake: a type that is not in the table comes
out as an `UnknownFrame`, one that does not fit its layout as a `MalformedFrame`.

Fields are in the order of the wire. Layouts: 90000976 and 90001539, "API frames"; types 00 to 01
and 80 to 89: 90000982 (XBee 802.15.4), "API frames". An AT command is a str of two characters,
read as Latin-1 so that any two bytes come back as they were.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.samples import IOSample

if TYPE_CHECKING:
    from typing_extensions import Self

#: Endpoint, cluster and profile of a node's serial data (90000976, "Explicit Addressing").
SERIAL_ENDPOINT = 0xE8
DIGI_PROFILE = 0xC105
SERIAL_CLUSTER = 0x0011
IO_SAMPLE_CLUSTER = 0x0092
NODE_IDENTIFICATION_CLUSTER = 0x0095

#: Transmit options of frames 10 and 11.
OPTION_NO_RETRIES = 0x01
OPTION_ENCRYPTION = 0x20
OPTION_EXTENDED_TIMEOUT = 0x40

#: Option of a remote AT command: the change takes effect at once.
OPTION_APPLY = 0x02

#: Receive options of frames 90, 91, 92 and 95.
RECEIVED_ACKNOWLEDGED = 0x01
RECEIVED_BROADCAST = 0x02

_TRANSMIT_REQUEST = struct.Struct(">BBQHBB")
_TRANSMIT_STATUS = struct.Struct(">xBHBBB")
_RECEIVE_PACKET = struct.Struct(">xQHB")
_REMOTE_AT = struct.Struct(">BQHB2s")
_AT_RESPONSE = struct.Struct(">B2sB")
_REMOTE_AT_RESPONSE = struct.Struct(">BQH2sB")


class Frame:
    """The frame data of one API frame.

    @cvar frame_type: the type byte.
    """

    __slots__ = ()
    frame_type: ClassVar[int]

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        """
        @param frame_data: type byte and fields, without start byte, length and checksum.
        @raise ValueError, struct.error: it does not fit the layout of this type.
        """
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """The frame data: what `parse` reads."""
        raise NotImplementedError


class _Tail(NamedTuple):
    """How to read and write the last field, which takes the rest of the frame data."""

    parse: Callable[[bytes], object]
    to_bytes: Callable[[Any], bytes]


def _hops(data: bytes) -> list[Address16]:
    count = data[0]
    if len(data) != 1 + 2 * count:
        raise ValueError(f"{count} hops need {2 * count} bytes, not {len(data) - 1}")
    return list(struct.unpack_from(f">{count}H", data, 1))


def _pack_hops(hops: list[Address16]) -> bytes:
    return struct.pack(f">B{len(hops)}H", len(hops), *hops)


_DATA = _Tail(bytes, bytes)
_HOPS = _Tail(_hops, _pack_hops)
_SAMPLE = _Tail(IOSample.parse, IOSample.to_bytes)
_DESCRIPTION = _Tail(NodeDescription.parse, NodeDescription.to_bytes)


class _LaidOut(Frame):
    """A frame of fixed fields, and mostly one more that takes the rest; in the order of the class.

    The classes of the frames that all data goes by (10, 8B, 90) have a reader or a writer of
    their own besides, with fewer steps.

    @cvar _fixed: the layout of the fixed fields.
    @cvar _tail: how to read the rest; None if there is none.
    @cvar _values: returns the fields; made by `_table`.
    """

    __slots__ = ()
    _fixed: ClassVar[struct.Struct]
    _tail: ClassVar[_Tail | None] = _DATA
    _values: ClassVar[Callable[[Any], Any]]

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        make: Any = cls
        fixed = cls._fixed
        fields = fixed.unpack_from(frame_data, 1)
        rest = frame_data[fixed.size + 1 :]
        tail = cls._tail
        if tail is _DATA:
            frame: Self = make(*fields, rest)
        elif tail is not None:
            frame = make(*fields, tail.parse(rest))
        elif rest:
            raise ValueError(f"it has {len(frame_data)} bytes, where {fixed.size + 1} belong")
        else:
            frame = make(*fields)
        return frame

    def to_bytes(self) -> bytes:
        values = type(self)._values(self)
        if self._tail is None:
            # A getter of one name gives its value, not a tuple of it.
            values = values if isinstance(values, tuple) else (values,)
            return b"%c%b" % (self.frame_type, self._fixed.pack(*values))
        fixed = self._fixed.pack(*values[:-1])
        return b"%c%b%b" % (self.frame_type, fixed, self._tail.to_bytes(values[-1]))


# --- AT commands -------------------------------------------------------------------------------


@dataclass(slots=True)
class ATCommand(Frame):
    """Read (no parameter), set or execute an AT command on the local radio, at once."""

    frame_type: ClassVar[int] = 0x08
    frame_id: int
    command: str
    parameter: bytes = b""

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        if len(frame_data) < 4:
            raise ValueError(f"an AT command frame has 4 bytes or more, not {len(frame_data)}")
        return cls(frame_data[1], frame_data[2:4].decode("latin-1"), frame_data[4:])

    def to_bytes(self) -> bytes:
        return (
            bytes((self.frame_type, self.frame_id))
            + self.command.encode("latin-1")
            + self.parameter
        )


@dataclass(slots=True)
class QueuedATCommand(ATCommand):
    """Like `ATCommand`, but a new value waits for AC or the next `ATCommand` to take effect."""

    frame_type: ClassVar[int] = 0x09


@dataclass(slots=True)
class ATCommandResponse(Frame):
    """The local radio's answer to a frame 08 or 09; `status`: see `zbtwist.xbee.status`."""

    frame_type: ClassVar[int] = 0x88
    frame_id: int
    command: str
    status: int
    value: bytes = b""

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        frame_id, command, status = _AT_RESPONSE.unpack_from(frame_data, 1)
        return cls(frame_id, command.decode("latin-1"), status, frame_data[5:])

    def to_bytes(self) -> bytes:
        command = self.command.encode("latin-1")
        return b"\x88" + _AT_RESPONSE.pack(self.frame_id, command, self.status) + self.value


@dataclass(slots=True)
class RemoteATCommand(Frame):
    """An AT command for another node; `options`: `OPTION_APPLY`."""

    frame_type: ClassVar[int] = 0x17
    frame_id: int
    address64: Address64
    address16: Address16
    options: int
    command: str
    parameter: bytes = b""

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        frame_id, address64, address16, options, command = _REMOTE_AT.unpack_from(frame_data, 1)
        command = command.decode("latin-1")
        return cls(frame_id, address64, address16, options, command, frame_data[15:])

    def to_bytes(self) -> bytes:
        return (
            b"\x17"
            + _REMOTE_AT.pack(
                self.frame_id,
                self.address64,
                self.address16,
                self.options,
                self.command.encode("latin-1"),
            )
            + self.parameter
        )


@dataclass(slots=True)
class RemoteATCommandResponse(Frame):
    """Another node's answer to a frame 17, or the local radio's word that there is none."""

    frame_type: ClassVar[int] = 0x97
    frame_id: int
    address64: Address64
    address16: Address16
    command: str
    status: int
    value: bytes = b""

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        frame_id, address64, address16, command, status = _REMOTE_AT_RESPONSE.unpack_from(
            frame_data, 1
        )
        command = command.decode("latin-1")
        return cls(frame_id, address64, address16, command, status, frame_data[15:])

    def to_bytes(self) -> bytes:
        return (
            b"\x97"
            + _REMOTE_AT_RESPONSE.pack(
                self.frame_id,
                self.address64,
                self.address16,
                self.command.encode("latin-1"),
                self.status,
            )
            + self.value
        )


# --- Data to nodes -----------------------------------------------------------------------------


@dataclass(slots=True)
class TransmitRequest(_LaidOut):
    """Bytes for a node's serial line.

    @ivar broadcast_radius: hops a broadcast may take, 0 for as many as the network allows.
    @ivar options: `OPTION_NO_RETRIES` and its neighbours.
    """

    frame_type: ClassVar[int] = 0x10
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BQHBB")
    frame_id: int
    address64: Address64
    address16: Address16
    broadcast_radius: int
    options: int
    data: bytes

    def to_bytes(self) -> bytes:
        return (
            _TRANSMIT_REQUEST.pack(
                0x10,
                self.frame_id,
                self.address64,
                self.address16,
                self.broadcast_radius,
                self.options,
            )
            + self.data
        )


@dataclass(slots=True)
class ExplicitTransmitRequest(_LaidOut):
    """Bytes for an endpoint and cluster of a node."""

    frame_type: ClassVar[int] = 0x11
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BQHBBHHBB")
    frame_id: int
    address64: Address64
    address16: Address16
    source_endpoint: int
    destination_endpoint: int
    cluster_id: int
    profile_id: int
    broadcast_radius: int
    options: int
    data: bytes


@dataclass(slots=True)
class TransmitStatus(_LaidOut):
    """What became of a frame 10 or 11.

    @ivar address16: the address that the packet went to, FFFE if none was found.
    @ivar retries: how often the packet was sent again.
    @ivar delivery_status: 0 for delivered; see `zbtwist.xbee.status`.
    @ivar discovery_status: 0 for no search; 1 address, 2 route, 3 both; 40 extended timeout.
    """

    frame_type: ClassVar[int] = 0x8B
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BHBBB")
    _tail: ClassVar[_Tail | None] = None
    frame_id: int
    address16: Address16
    retries: int
    delivery_status: int
    discovery_status: int

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        return cls(*_TRANSMIT_STATUS.unpack(frame_data))


# --- Data and news from nodes ------------------------------------------------------------------


@dataclass(slots=True)
class ReceivePacket(_LaidOut):
    """Bytes from a node's serial line (AO=0)."""

    frame_type: ClassVar[int] = 0x90
    _fixed: ClassVar[struct.Struct] = struct.Struct(">QHB")
    address64: Address64
    address16: Address16
    options: int
    data: bytes

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        address64, address16, options = _RECEIVE_PACKET.unpack_from(frame_data)
        return cls(address64, address16, options, frame_data[12:])


@dataclass(slots=True)
class ExplicitReceive(_LaidOut):
    """Bytes from an endpoint and cluster of a node (AO other than 0)."""

    frame_type: ClassVar[int] = 0x91
    _fixed: ClassVar[struct.Struct] = struct.Struct(">QHBBHHB")
    address64: Address64
    address16: Address16
    source_endpoint: int
    destination_endpoint: int
    cluster_id: int
    profile_id: int
    options: int
    data: bytes


@dataclass(slots=True)
class IODataSample(_LaidOut):
    """A node's I/O sample, sent by its own clock or on a change."""

    frame_type: ClassVar[int] = 0x92
    _fixed: ClassVar[struct.Struct] = struct.Struct(">QHB")
    _tail: ClassVar[_Tail | None] = _SAMPLE
    address64: Address64
    address16: Address16
    options: int
    sample: IOSample


@dataclass(slots=True)
class NodeIdentification(_LaidOut):
    """A node says who it is: it joined, was switched on, or its button was pressed.

    `address64` is the sender, `description.address64` the node spoken of.
    """

    frame_type: ClassVar[int] = 0x95
    _fixed: ClassVar[struct.Struct] = struct.Struct(">QHB")
    _tail: ClassVar[_Tail | None] = _DESCRIPTION
    address64: Address64
    address16: Address16
    options: int
    description: NodeDescription


@dataclass(slots=True)
class ModemStatus(_LaidOut):
    """Something happened to the local radio; see `zbtwist.xbee.status`."""

    frame_type: ClassVar[int] = 0x8A
    _fixed: ClassVar[struct.Struct] = struct.Struct(">B")
    _tail: ClassVar[_Tail | None] = None
    status: int


@dataclass(slots=True)
class ExtendedModemStatus(_LaidOut):
    """Stack diagnostics of some firmware (type 98)."""

    frame_type: ClassVar[int] = 0x98
    _fixed: ClassVar[struct.Struct] = struct.Struct(">B")
    status: int
    data: bytes = b""


# --- Routes ------------------------------------------------------------------------------------


@dataclass(slots=True)
class CreateSourceRoute(_LaidOut):
    """Tell the radio the way to a node; no answer follows. Hops: from the node back to here."""

    frame_type: ClassVar[int] = 0x21
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BQHB")
    _tail: ClassVar[_Tail | None] = _HOPS
    frame_id: int
    address64: Address64
    address16: Address16
    options: int
    hops: list[Address16]


@dataclass(slots=True)
class RouteRecord(_LaidOut):
    """The way a node's packet came. Hops: from the node's neighbour to ours."""

    frame_type: ClassVar[int] = 0xA1
    _fixed: ClassVar[struct.Struct] = struct.Struct(">QHB")
    _tail: ClassVar[_Tail | None] = _HOPS
    address64: Address64
    address16: Address16
    options: int
    hops: list[Address16]


@dataclass(slots=True)
class ManyToOneRouteRequest(_LaidOut):
    """A data collector made itself known."""

    frame_type: ClassVar[int] = 0xA3
    _fixed: ClassVar[struct.Struct] = struct.Struct(">QHB")
    _tail: ClassVar[_Tail | None] = None
    address64: Address64
    address16: Address16
    reserved: int = 0


@dataclass(slots=True)
class RouteInformation(_LaidOut):
    """Where a packet went, or where it stuck (type 8D)."""

    frame_type: ClassVar[int] = 0x8D
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BB4sBBBQQQQ")
    _tail: ClassVar[_Tail | None] = None
    source_event: int
    information_length: int
    timestamp: bytes
    acknowledgement_timeouts: int
    blocked: int
    reserved: int
    destination64: Address64
    source64: Address64
    responder64: Address64
    receiver64: Address64


# --- Joining -----------------------------------------------------------------------------------


@dataclass(slots=True)
class RegisterJoiningDevice(_LaidOut):
    """Let a node join with a key of its own (XBee 3)."""

    frame_type: ClassVar[int] = 0x24
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BQHB")
    frame_id: int
    address64: Address64
    address16: Address16
    options: int
    key: bytes


@dataclass(slots=True)
class RegisterJoiningDeviceStatus(_LaidOut):
    """The answer to a frame 24: 0 is success."""

    frame_type: ClassVar[int] = 0xA4
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BB")
    _tail: ClassVar[_Tail | None] = None
    frame_id: int
    status: int


@dataclass(slots=True)
class UserDataRelay(_LaidOut):
    """Bytes for another interface of the radio: 0 serial, 1 Bluetooth, 2 MicroPython (XBee 3)."""

    frame_type: ClassVar[int] = 0x2D
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BB")
    frame_id: int
    interface: int
    data: bytes = b""


# --- 802.15.4 firmware -------------------------------------------------------------------------


@dataclass(slots=True)
class TX64(_LaidOut):
    """802.15.4: bytes to a 64-bit address."""

    frame_type: ClassVar[int] = 0x00
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BQB")
    frame_id: int
    address64: Address64
    options: int
    data: bytes


@dataclass(slots=True)
class TX16(_LaidOut):
    """802.15.4: bytes to a 16-bit address."""

    frame_type: ClassVar[int] = 0x01
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BHB")
    frame_id: int
    address16: Address16
    options: int
    data: bytes


@dataclass(slots=True)
class RX64(_LaidOut):
    """802.15.4: bytes from a 64-bit address; `rssi` in -dBm."""

    frame_type: ClassVar[int] = 0x80
    _fixed: ClassVar[struct.Struct] = struct.Struct(">QBB")
    address64: Address64
    rssi: int
    options: int
    data: bytes


@dataclass(slots=True)
class RX16(_LaidOut):
    """802.15.4: bytes from a 16-bit address; `rssi` in -dBm."""

    frame_type: ClassVar[int] = 0x81
    _fixed: ClassVar[struct.Struct] = struct.Struct(">HBB")
    address16: Address16
    rssi: int
    options: int
    data: bytes


@dataclass(slots=True)
class IO64(RX64):
    """802.15.4: I/O samples from a 64-bit address, in `data` as sent."""

    frame_type: ClassVar[int] = 0x82


@dataclass(slots=True)
class IO16(RX16):
    """802.15.4: I/O samples from a 16-bit address, in `data` as sent."""

    frame_type: ClassVar[int] = 0x83


@dataclass(slots=True)
class TXStatus(_LaidOut):
    """802.15.4: what became of a frame 00 or 01; 0 is success."""

    frame_type: ClassVar[int] = 0x89
    _fixed: ClassVar[struct.Struct] = struct.Struct(">BB")
    _tail: ClassVar[_Tail | None] = None
    frame_id: int
    status: int


# --- What is none of these ---------------------------------------------------------------------


@dataclass(slots=True)
class UnparsedFrame(Frame):
    """A frame with a good checksum that has no class, or does not fit it; `to_bytes` gives it back.

    @ivar frame_data: all of it, the type byte included.
    @ivar reason: a sentence for the log.
    """

    frame_data: bytes
    reason: str

    def to_bytes(self) -> bytes:
        return self.frame_data


@dataclass(slots=True)
class UnknownFrame(UnparsedFrame):
    """Its type is not in the table."""


@dataclass(slots=True)
class MalformedFrame(UnparsedFrame):
    """Its type is known, its fields do not fit."""


def _table(*classes: type[Frame]) -> dict[int, type[Frame]]:
    for frame_class in classes:
        if issubclass(frame_class, _LaidOut):
            names = [field.name for field in fields(frame_class)]  # type: ignore[arg-type]
            frame_class._values = attrgetter(*names)
    return {frame_class.frame_type: frame_class for frame_class in classes}


FRAME_CLASSES = _table(
    TX64,
    TX16,
    ATCommand,
    QueuedATCommand,
    TransmitRequest,
    ExplicitTransmitRequest,
    RemoteATCommand,
    CreateSourceRoute,
    RegisterJoiningDevice,
    UserDataRelay,
    RX64,
    RX16,
    IO64,
    IO16,
    ATCommandResponse,
    TXStatus,
    ModemStatus,
    TransmitStatus,
    RouteInformation,
    ReceivePacket,
    ExplicitReceive,
    IODataSample,
    NodeIdentification,
    RemoteATCommandResponse,
    ExtendedModemStatus,
    RouteRecord,
    ManyToOneRouteRequest,
    RegisterJoiningDeviceStatus,
)

_PARSERS = {number: frame_class.parse for number, frame_class in FRAME_CLASSES.items()}


def parse_frame(frame_data: bytes) -> Frame:
    """Give frame data its type. Never raises.

    @param frame_data: what a `zbtwist.xbee.framing.FrameDecoder` found.
    @return: an instance of one of `FRAME_CLASSES`, else an `UnknownFrame` or a `MalformedFrame`.
    """
    try:
        return _PARSERS[frame_data[0]](frame_data)
    except (ValueError, LookupError, struct.error) as error:
        return _unparsed(frame_data, error)


def _unparsed(frame_data: bytes, error: Exception) -> UnparsedFrame:
    if not frame_data:
        return UnknownFrame(frame_data, "a frame of no type, which this program does not know")
    kind = f"a frame of type {frame_data[0]:02x}"
    if frame_data[0] not in _PARSERS:
        return UnknownFrame(frame_data, f"{kind}, which this program does not know")
    return MalformedFrame(frame_data, f"{kind} does not fit its layout: {error}")
