"""Nodes that join with a key of their own (types 24, A4; XBee 3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frame import LaidOut, Tail, register


@register
@dataclass(slots=True)
class RegisterJoiningDevice(LaidOut):
    """Let a node join with a key of its own (XBee 3)."""

    frame_type: ClassVar[int] = 0x24
    layout: ClassVar[struct.Struct] = struct.Struct(">BQHB")
    frame_id: int
    address64: Address64
    address16: Address16
    options: int
    key: bytes


@register
@dataclass(slots=True)
class RegisterJoiningDeviceStatus(LaidOut):
    """The answer to a frame 24: 0 is success."""

    frame_type: ClassVar[int] = 0xA4
    layout: ClassVar[struct.Struct] = struct.Struct(">BB")
    tail: ClassVar[Tail | None] = None
    frame_id: int
    status: int
