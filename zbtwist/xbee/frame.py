"""What the frame types have in common, and how one makes itself known.

A frame type is a class: `parse` reads frame data, `to_bytes` is its inverse. Its fields are in the
order of the wire. `register` has what is received of its type read by it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self


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


class Tail(NamedTuple):
    """How to read and write the last field, which takes the rest of the frame data."""

    parse: Callable[[bytes], object]
    to_bytes: Callable[[Any], bytes]


#: What takes the rest as it is.
DATA = Tail(bytes, bytes)


class LaidOut(Frame):
    """A frame of fixed fields, and mostly one more that takes the rest; in the order of the class.

    The classes of the frames that all data goes by (10, 8B, 90) have a reader or a writer of
    their own besides, with fewer steps.

    @cvar layout: the layout of the fixed fields.
    @cvar tail: how to read the rest; None if there is none.
    """

    __slots__ = ()
    layout: ClassVar[struct.Struct]
    tail: ClassVar[Tail | None] = DATA
    _values: ClassVar[Callable[[Any], Any]]

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        make: Any = cls
        fixed = cls.layout
        fields = fixed.unpack_from(frame_data, 1)
        rest = frame_data[fixed.size + 1 :]
        tail = cls.tail
        if tail is DATA:
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
        if self.tail is None:
            # A getter of one name gives its value, not a tuple of it.
            values = values if isinstance(values, tuple) else (values,)
            return b"%c%b" % (self.frame_type, self.layout.pack(*values))
        fixed = self.layout.pack(*values[:-1])
        return b"%c%b%b" % (self.frame_type, fixed, self.tail.to_bytes(values[-1]))


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


F = TypeVar("F", bound=Frame)

#: What reads the frames of each type, by type byte.
REGISTERED: dict[int, type[Frame]] = {}


def register(frame_class: type[F]) -> type[F]:
    """Have frames of a type read by a class; it decorates the class when that is finished.

    @raise ValueError: another class reads that type.
    """
    number = frame_class.frame_type
    if number in REGISTERED:
        raise ValueError(f"two classes read frames of type {number:02x}")
    if issubclass(frame_class, LaidOut):
        names = [field.name for field in fields(frame_class)]  # type: ignore[arg-type]
        frame_class._values = attrgetter(*names)
    REGISTERED[number] = frame_class
    return frame_class
