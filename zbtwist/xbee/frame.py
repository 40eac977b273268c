"""What the frame types have in common, and how one makes itself known.

A frame type is a class: `parse` reads frame data, `to_bytes` is its inverse. Its fields are in the
order of the wire. `register` has what is received of its type read by it, and for a class that is
laid out it makes what reads it.

`parse_frame` is the way in for received bytes: a table leads from the type byte to what reads it,
and nothing raises, since what a radio sends is not our mistake: a type that is not in the table
comes out as an `UnknownFrame`, one that does not fit its layout as a `MalformedFrame`.
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


#: Makes a frame of frame data; raises as `Frame.parse`.
Reader = Callable[[bytes], Frame]


class Tail(NamedTuple):
    """How to read and write the last field, which takes the rest of the frame data."""

    parse: Callable[[bytes], object]
    to_bytes: Callable[[Any], bytes]


#: What takes the rest as it is.
DATA = Tail(bytes, bytes)


class LaidOut(Frame):
    """A frame of fixed fields, and mostly one more that takes the rest; in the order of the class.

    @cvar layout: the layout of the fixed fields.
    @cvar tail: how to read the rest; None if there is none.
    """

    __slots__ = ()
    layout: ClassVar[struct.Struct]
    tail: ClassVar[Tail | None] = DATA
    _values: ClassVar[Callable[[Any], Any]]
    _read: ClassVar[Reader]

    @classmethod
    def parse(cls, frame_data: bytes) -> Self:
        frame: Self = cls._read(frame_data)  # type: ignore[assignment]
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

#: The classes by type byte, and what reads each.
REGISTERED: dict[int, type[Frame]] = {}
_READERS: dict[int, Reader] = {}


def register(frame_class: type[F]) -> type[F]:
    """Have frames of a type read by a class; it decorates the class when that is finished.

    @raise ValueError: another class reads that type.
    """
    number = frame_class.frame_type
    if number in REGISTERED:
        raise ValueError(f"two classes read frames of type {number:02x}")
    read: Reader = frame_class.parse
    if issubclass(frame_class, LaidOut):
        names = [field.name for field in fields(frame_class)]  # type: ignore[arg-type]
        frame_class._values = attrgetter(*names)
        frame_class._read = staticmethod(_reader_of(frame_class))
        if "parse" not in vars(frame_class):
            # With no step in between.
            read = frame_class._read
    REGISTERED[number] = frame_class
    _READERS[number] = read
    return frame_class


#: Of how many sizes it is kept how they are read: more than a decoder believes (`MAX_FRAME_DATA`).
_MAX_SIZES = 1024


class _UnpackOf(dict[int, Callable[[bytes], tuple[Any, ...]]]):
    """What reads a layout and the bytes behind it, by the size of the whole: fixed fields and data
    at once, which is the quickest way to have them. For fewer bytes than those of the layout it is
    a `ValueError`.
    """

    def __init__(self, layout: struct.Struct) -> None:
        super().__init__()
        self._layout = layout

    def __missing__(self, size: int) -> Callable[[bytes], tuple[Any, ...]]:
        rest = size - self._layout.size
        if rest < 0:
            raise ValueError(f"it has {size} bytes, where {self._layout.size} or more belong")
        unpack = struct.Struct(f"{self._layout.format}{rest}s").unpack
        if len(self) < _MAX_SIZES:
            self[size] = unpack
        return unpack


def _reader_of(frame_class: type[LaidOut]) -> Reader:
    """Return what reads the frames of a class, with as few steps as its layout needs."""
    make: Any = frame_class
    # The type byte is skipped.
    layout = struct.Struct(f">x{frame_class.layout.format.lstrip('>')}")
    size, tail = layout.size, frame_class.tail
    unpack_of = _UnpackOf(layout)

    def read_data(frame_data: bytes) -> Frame:
        frame: Frame = make(*unpack_of[len(frame_data)](frame_data))
        return frame

    def read_tail(frame_data: bytes) -> Frame:
        assert tail is not None
        fixed = layout.unpack_from(frame_data)
        frame: Frame = make(*fixed, tail.parse(frame_data[size:]))
        return frame

    def read_fixed(frame_data: bytes) -> Frame:
        if len(frame_data) > size:
            raise ValueError(f"it has {len(frame_data)} bytes, where {size} belong")
        frame: Frame = make(*layout.unpack(frame_data))
        return frame

    return read_data if tail is DATA else read_fixed if tail is None else read_tail


def parse_frame(frame_data: bytes) -> Frame:
    """Give frame data its type. Never raises.

    @param frame_data: what a `zbtwist.xbee.framing.FrameDecoder` found.
    @return: an instance of a class that was registered, else an `UnknownFrame` or a
        `MalformedFrame`.
    """
    try:
        return _READERS[frame_data[0]](frame_data)
    except (ValueError, LookupError, struct.error) as error:
        return _unparsed(frame_data, error)


def _unparsed(frame_data: bytes, error: Exception) -> UnparsedFrame:
    if not frame_data:
        return UnknownFrame(frame_data, "a frame of no type, which this program does not know")
    kind = f"a frame of type {frame_data[0]:02x}"
    if frame_data[0] not in _READERS:
        return UnknownFrame(frame_data, f"{kind}, which this program does not know")
    return MalformedFrame(frame_data, f"{kind} does not fit its layout: {error}")
