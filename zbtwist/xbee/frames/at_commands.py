"""AT commands to the local radio and to other nodes, and their answers (08, 09, 17, 88, 97)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frame import Frame, register
from zbtwist.xbee.status import at_status_of

if TYPE_CHECKING:
    from typing_extensions import Self

#: Option of a remote AT command: the change takes effect at once.
OPTION_APPLY = 0x02

_REMOTE_AT = struct.Struct(">BQHB2s")
_AT_RESPONSE = struct.Struct(">B2sB")
_REMOTE_AT_RESPONSE = struct.Struct(">BQH2sB")


@register
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


@register
@dataclass(slots=True)
class QueuedATCommand(ATCommand):
    """Like `ATCommand`, but a new value waits for AC or the next `ATCommand` to take effect."""

    frame_type: ClassVar[int] = 0x09


@register
@dataclass(slots=True)
class ATCommandResponse(Frame):
    """The local radio's answer to a frame 08 or 09.

    @ivar status: with flags beside it; see `outcome`, and `zbtwist.xbee.status`.
    """

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

    @property
    def outcome(self) -> int:
        """What became of the command: an `ATStatus`, if the manuals have it."""
        return at_status_of(self.status)


@register
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


@register
@dataclass(slots=True)
class RemoteATCommandResponse(Frame):
    """Another node's answer to a frame 17, or the local radio's word that there is none.

    @ivar status: with flags beside it; see `outcome`, and `zbtwist.xbee.status`.
    """

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

    @property
    def outcome(self) -> int:
        """What became of the command: an `ATStatus`, if the manuals have it."""
        return at_status_of(self.status)
