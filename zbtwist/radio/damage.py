"""Whose bytes a damaged frame may have had.

A frame that the serial line damaged is lost, and with it perhaps a piece of a node's stream, whose
readers must hear of it. A frame whose checksum is wrong mostly still has its length and the
addresses of its sender, so that nobody else is alarmed. It has two of them, so that one that is
damaged is not taken for another node's. Where less than that is left it may have been of anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zbtwist.xbee.address import Address16, Address64, format_address64
from zbtwist.xbee.frames import ExplicitReceive, ReceivePacket, TransmitStatus
from zbtwist.xbee.framing import OVERHEAD, START, escape


class Sender(NamedTuple):
    """Whose a damaged frame says that it is. Both addresses must be those of one node."""

    address64: Address64
    address16: Address16

    def __str__(self) -> str:
        return format_address64(self.address64)


#: Frame types with serial data of a node: the addresses are what follows the type.
_DATA = (ReceivePacket.frame_type, ExplicitReceive.frame_type)

#: Frame data of a Transmit Status. That it is missing is noticed by who waits for it.
_STATUS_SIZE = 7


#: Bytes of frame data up to the end of the addresses.
_ADDRESSED = 11


def _sender(frame: bytes) -> Sender:
    """Return what a frame of data says of its sender."""
    return Sender(
        Address64(int.from_bytes(frame[4:12], "big")),
        Address16(int.from_bytes(frame[12:14], "big")),
    )


def sender_of_half(pending: bytes) -> list[Sender] | None:
    """Say whose bytes were lost with the beginning of a frame that the line brings no end of, since
    it is closed, or read otherwise from then on.

    @param pending: what there was of it, from its start byte, unescaped.
    @return: as `senders_of`.
    """
    size = len(pending) - OVERHEAD + 1
    if pending.rfind(START) > 0 or size < 1:
        # Something is missing in it already, or who sent it: it may have been several frames.
        return None
    kind = pending[3]
    if kind in _DATA and size > _ADDRESSED:
        return [_sender(pending)]
    is_status = kind == TransmitStatus.frame_type
    return [] if is_status and int.from_bytes(pending[1:3], "big") == _STATUS_SIZE else None


def senders_of(candidates: Sequence[bytes], discarded: int, api_mode: int) -> list[Sender] | None:
    """Say whose bytes were lost.

    @param candidates: what looked like frames and were not good: start byte, length, frame data,
        checksum, unescaped, in the order in which they were looked at.
    @param discarded: how many bytes of the line were left out meanwhile, the candidates among them.
    @return: what the frames say, which may be damaged itself; None for anybody.
    """
    senders: list[Sender] = []
    accounted = 0
    whole: list[bytes] = []
    for candidate in candidates:
        if any(candidate in frame[1:] for frame in whole):
            # A false start within a frame that was looked at already.
            continue
        size = len(candidate) - OVERHEAD
        if size < 1 or int.from_bytes(candidate[1:3], "big") != size:
            return None
        kind = candidate[3]
        if kind in _DATA and size > _ADDRESSED:
            senders.append(_sender(candidate))
        elif not (kind == TransmitStatus.frame_type and size == _STATUS_SIZE):
            return None
        whole.append(candidate)
        # A damaged escape may have become two bytes that need none.
        accounted += 2 + len(escape(candidate[1:])) if api_mode == 2 else len(candidate)
    return senders if accounted >= discarded else None
