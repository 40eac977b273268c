"""Frames to send, put together field by field.

A program may give any bytes of the right length, whatever they mean, so these are not made of this
package's frame classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from zbtwist.txxbee.field_bytes import as_bytes
from zbtwist.txxbee.numbers import byte, long, short
from zbtwist.xbee import frames
from zbtwist.xbee.address import UNKNOWN16, UNKNOWN64


@dataclass(frozen=True, slots=True)
class Field:
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
                instead = as_bytes(error.object[:40])
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


def _command(frame_class: type[frames.Frame], frame_id: int, *fields: Field) -> tuple[Field, ...]:
    return (
        Field("id", 1, byte(frame_class.frame_type)),
        Field("frame_id", 1, byte(frame_id)),
        *fields,
    )


#: Eight times FF where no 64-bit address is given.
_DESTINATION = (
    Field("dest_addr_long", 8, long(UNKNOWN64)),
    Field("dest_addr", 2, short(UNKNOWN16)),
)
_AT_COMMAND = (Field("command", 2), Field("parameter"))
_OPTIONS = Field("options", 1, b"\0")
_DATA = (Field("broadcast_radius", 1, b"\0"), _OPTIONS, Field("data"))

#: By name: the fields in the order of the wire. A frame id other than 0 asks for an answer.
COMMANDS: dict[str, tuple[Field, ...]] = {
    "at": _command(frames.ATCommand, 1, *_AT_COMMAND),
    "queued_at": _command(frames.QueuedATCommand, 1, *_AT_COMMAND),
    "remote_at": _command(
        frames.RemoteATCommand,
        0,
        *_DESTINATION,
        Field("options", 1, byte(frames.OPTION_APPLY)),
        *_AT_COMMAND,
    ),
    "tx": _command(frames.TransmitRequest, 1, *_DESTINATION, *_DATA),
    "tx_explicit": _command(
        frames.ExplicitTransmitRequest,
        0,
        *_DESTINATION,
        Field("src_endpoint", 1),
        Field("dest_endpoint", 1),
        Field("cluster", 2),
        Field("profile", 2),
        *_DATA,
    ),
    "create_source_route": _command(
        frames.CreateSourceRoute,
        0,
        *_DESTINATION,
        _OPTIONS,
        Field("hop_count", 1, b"\0"),
        Field("addresses"),
    ),
    "register_joining_device": _command(
        frames.RegisterJoiningDevice, 0, *_DESTINATION, _OPTIONS, Field("key")
    ),
}
