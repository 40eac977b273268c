"""The frame types: one class each, beside those of the same subject.

`parse_frame` is the way in for received bytes: a table leads from the type byte to the class, and
nothing raises, since what a radio sends is not our mistake: a type that is not in the table comes
out as an `UnknownFrame`, one that does not fit its layout as a `MalformedFrame`.

Layouts: 90000976 and 90001539, "API frames". An AT command is a str of two characters, read as
Latin-1 so that any two bytes come back as they were.
"""

from __future__ import annotations

import struct

from zbtwist.xbee.frame import REGISTERED
from zbtwist.xbee.frame import Frame as Frame
from zbtwist.xbee.frame import MalformedFrame as MalformedFrame
from zbtwist.xbee.frame import UnknownFrame as UnknownFrame
from zbtwist.xbee.frame import UnparsedFrame as UnparsedFrame

# All that is in them, so that a new frame type is written in one place.
from zbtwist.xbee.frames.at_commands import *  # noqa: F403
from zbtwist.xbee.frames.clusters import *  # noqa: F403
from zbtwist.xbee.frames.ieee802154 import *  # noqa: F403
from zbtwist.xbee.frames.joining import *  # noqa: F403
from zbtwist.xbee.frames.local_radio import *  # noqa: F403
from zbtwist.xbee.frames.reception import *  # noqa: F403
from zbtwist.xbee.frames.routes import *  # noqa: F403
from zbtwist.xbee.frames.transmission import *  # noqa: F403

#: The classes by type byte.
FRAME_CLASSES = dict(sorted(REGISTERED.items()))

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
