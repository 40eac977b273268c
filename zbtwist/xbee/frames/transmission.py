"""Data to nodes, and what became of it (types 10, 11, 8B)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frame import LaidOut, Tail, register

#: Transmit options of frames 10 and 11.
OPTION_NO_RETRIES = 0x01
OPTION_ENCRYPTION = 0x20
OPTION_EXTENDED_TIMEOUT = 0x40

_TRANSMIT_REQUEST = struct.Struct(">BBQHBB")


@register
@dataclass(slots=True)
class TransmitRequest(LaidOut):
    """Bytes for a node's serial line.

    @ivar broadcast_radius: hops a broadcast may take, 0 for as many as the network allows.
    @ivar options: `OPTION_NO_RETRIES` and its neighbours.
    """

    frame_type: ClassVar[int] = 0x10
    layout: ClassVar[struct.Struct] = struct.Struct(">BQHBB")
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


@register
@dataclass(slots=True)
class ExplicitTransmitRequest(LaidOut):
    """Bytes for an endpoint and cluster of a node."""

    frame_type: ClassVar[int] = 0x11
    layout: ClassVar[struct.Struct] = struct.Struct(">BQHBBHHBB")
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


@register
@dataclass(slots=True)
class TransmitStatus(LaidOut):
    """What became of a frame 10 or 11.

    @ivar address16: the address that the packet went to, FFFE if none was found.
    @ivar retries: how often the packet was sent again.
    @ivar delivery_status: 0 for delivered; see `zbtwist.xbee.status`.
    @ivar discovery_status: 0 for no search; 1 address, 2 route, 3 both; 40 extended timeout.
    """

    frame_type: ClassVar[int] = 0x8B
    layout: ClassVar[struct.Struct] = struct.Struct(">BHBBB")
    tail: ClassVar[Tail | None] = None
    frame_id: int
    address16: Address16
    retries: int
    delivery_status: int
    discovery_status: int
