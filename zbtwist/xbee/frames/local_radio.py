"""What happens to the local radio, and its other interfaces (types 8A, 98, 2D)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from zbtwist.xbee.frame import LaidOut, Tail, register


@register
@dataclass(slots=True)
class ModemStatus(LaidOut):
    """Something happened to the local radio; see `zbtwist.xbee.status`."""

    frame_type: ClassVar[int] = 0x8A
    layout: ClassVar[struct.Struct] = struct.Struct(">B")
    tail: ClassVar[Tail | None] = None
    status: int


@register
@dataclass(slots=True)
class ExtendedModemStatus(LaidOut):
    """Stack diagnostics of some firmware (type 98)."""

    frame_type: ClassVar[int] = 0x98
    layout: ClassVar[struct.Struct] = struct.Struct(">B")
    status: int
    data: bytes = b""


@register
@dataclass(slots=True)
class UserDataRelay(LaidOut):
    """Bytes for another interface of the radio: 0 serial, 1 Bluetooth, 2 MicroPython (XBee 3)."""

    frame_type: ClassVar[int] = 0x2D
    layout: ClassVar[struct.Struct] = struct.Struct(">BB")
    frame_id: int
    interface: int
    data: bytes = b""
