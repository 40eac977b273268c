"""What the 802.15.4 firmware has in place of types 10, 90 and 8B (types 00 to 01 and 80 to 89).

Layouts: 90000982 (XBee 802.15.4), "API frames".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frame import LaidOut, Tail, register


@register
@dataclass(slots=True)
class TX64(LaidOut):
    """802.15.4: bytes to a 64-bit address."""

    frame_type: ClassVar[int] = 0x00
    layout: ClassVar[struct.Struct] = struct.Struct(">BQB")
    frame_id: int
    address64: Address64
    options: int
    data: bytes


@register
@dataclass(slots=True)
class TX16(LaidOut):
    """802.15.4: bytes to a 16-bit address."""

    frame_type: ClassVar[int] = 0x01
    layout: ClassVar[struct.Struct] = struct.Struct(">BHB")
    frame_id: int
    address16: Address16
    options: int
    data: bytes


@register
@dataclass(slots=True)
class RX64(LaidOut):
    """802.15.4: bytes from a 64-bit address; `rssi` in -dBm."""

    frame_type: ClassVar[int] = 0x80
    layout: ClassVar[struct.Struct] = struct.Struct(">QBB")
    address64: Address64
    rssi: int
    options: int
    data: bytes


@register
@dataclass(slots=True)
class RX16(LaidOut):
    """802.15.4: bytes from a 16-bit address; `rssi` in -dBm."""

    frame_type: ClassVar[int] = 0x81
    layout: ClassVar[struct.Struct] = struct.Struct(">HBB")
    address16: Address16
    rssi: int
    options: int
    data: bytes


@register
@dataclass(slots=True)
class IO64(RX64):
    """802.15.4: I/O samples from a 64-bit address, in `data` as sent."""

    frame_type: ClassVar[int] = 0x82


@register
@dataclass(slots=True)
class IO16(RX16):
    """802.15.4: I/O samples from a 16-bit address, in `data` as sent."""

    frame_type: ClassVar[int] = 0x83


@register
@dataclass(slots=True)
class TXStatus(LaidOut):
    """802.15.4: what became of a frame 00 or 01; 0 is success."""

    frame_type: ClassVar[int] = 0x89
    layout: ClassVar[struct.Struct] = struct.Struct(">BB")
    tail: ClassVar[Tail | None] = None
    frame_id: int
    status: int
