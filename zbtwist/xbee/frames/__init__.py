"""The frame types: one class each, beside those of the same subject.

Layouts: 90000976 and 90001539, "API frames". An AT command is a str of two characters, read as
Latin-1 so that any two bytes come back as they were.
"""

from __future__ import annotations

from zbtwist.xbee.frame import REGISTERED
from zbtwist.xbee.frame import Frame as Frame
from zbtwist.xbee.frame import MalformedFrame as MalformedFrame
from zbtwist.xbee.frame import UnknownFrame as UnknownFrame
from zbtwist.xbee.frame import UnparsedFrame as UnparsedFrame
from zbtwist.xbee.frame import parse_frame as parse_frame

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
