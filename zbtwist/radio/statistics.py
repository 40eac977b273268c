"""What passes on the serial line: counted by frame type, and shown to whoever watches.

It outlives the links, each of which has a protocol of its own. Counting is an addition to a list of
plain ints; while nobody watches, `Traffic.watchers` is empty, and that is all that is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from zbtwist.radio.events import FramePassed
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.frames import FRAME_CLASSES

#: A frame type is one byte.
_TYPES = 256

#: The names of the frame types that come from a radio, and that go to one, by their type byte.
TYPES_IN = {number: kind.__name__ for number, kind in FRAME_CLASSES.items() if number >= 0x80}
TYPES_OUT = {number: kind.__name__ for number, kind in FRAME_CLASSES.items() if number < 0x80}


class Traffic:
    """Frames and bytes by frame type and direction, since the gateway started.

    Bytes are those of the frame data: from the type byte on, without start byte, length, checksum
    and escapes.

    @ivar frames_in: frames from the radio, by their type.
    @ivar bytes_in: bytes from the radio, by the type of their frames.
    @ivar frames_out: frames to the radio.
    @ivar bytes_out: bytes to the radio.
    @ivar malformed_frames: good checksum, but an unknown type or fields that do not fit; these and
        the following are of links that have ended: each link's protocol has its own.
    @ivar bad_frames: false starts and bad checksums.
    @ivar discarded_bytes: bytes that were of no frame.
    @ivar watchers: who wants to see the frames: see `show`.
    """

    __slots__ = (
        "_bus",
        "bad_frames",
        "bytes_in",
        "bytes_out",
        "discarded_bytes",
        "frames_in",
        "frames_out",
        "malformed_frames",
        "watchers",
    )

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self.watchers: Sequence[object] = bus.subscribers(FramePassed)
        self.frames_in = [0] * _TYPES
        self.bytes_in = [0] * _TYPES
        self.frames_out = [0] * _TYPES
        self.bytes_out = [0] * _TYPES
        self.malformed_frames = 0
        self.bad_frames = 0
        self.discarded_bytes = 0

    def show(self, outgoing: bool, frame_data: bytes, api_mode: int) -> None:
        """Show the watchers a frame, see `FramePassed`; to be called only if there are any."""
        self._bus.publish(FramePassed(outgoing, frame_data, api_mode))
