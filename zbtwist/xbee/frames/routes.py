"""The ways of packets through the network (types 21, A1, A3, 8D)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frame import LaidOut, Tail, register


def _hops(data: bytes) -> list[Address16]:
    count = data[0]
    if len(data) != 1 + 2 * count:
        raise ValueError(f"{count} hops need {2 * count} bytes, not {len(data) - 1}")
    return list(struct.unpack_from(f">{count}H", data, 1))


def _pack_hops(hops: list[Address16]) -> bytes:
    return struct.pack(f">B{len(hops)}H", len(hops), *hops)


_HOPS = Tail(_hops, _pack_hops)


@register
@dataclass(slots=True)
class CreateSourceRoute(LaidOut):
    """Tell the radio the way to a node; no answer follows. Hops: from the node back to here."""

    frame_type: ClassVar[int] = 0x21
    layout: ClassVar[struct.Struct] = struct.Struct(">BQHB")
    tail: ClassVar[Tail | None] = _HOPS
    frame_id: int
    address64: Address64
    address16: Address16
    options: int
    hops: list[Address16]


@register
@dataclass(slots=True)
class RouteRecord(LaidOut):
    """The way a node's packet came. Hops: from the node's neighbour to ours."""

    frame_type: ClassVar[int] = 0xA1
    layout: ClassVar[struct.Struct] = struct.Struct(">QHB")
    tail: ClassVar[Tail | None] = _HOPS
    address64: Address64
    address16: Address16
    options: int
    hops: list[Address16]


@register
@dataclass(slots=True)
class ManyToOneRouteRequest(LaidOut):
    """A data collector made itself known."""

    frame_type: ClassVar[int] = 0xA3
    layout: ClassVar[struct.Struct] = struct.Struct(">QHB")
    tail: ClassVar[Tail | None] = None
    address64: Address64
    address16: Address16
    reserved: int = 0


@register
@dataclass(slots=True)
class RouteInformation(LaidOut):
    """Where a packet went, or where it stuck (type 8D)."""

    frame_type: ClassVar[int] = 0x8D
    layout: ClassVar[struct.Struct] = struct.Struct(">BB4sBBBQQQQ")
    tail: ClassVar[Tail | None] = None
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
