"""Whose bytes a damaged frame may have had.

A frame that the serial line damaged is lost, and with it perhaps a piece of a node's stream, whose
readers must hear of it. A frame whose checksum is wrong mostly still has its length and the address
of its sender, so that nobody else is alarmed. Where less than that is left it may have been of
anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

from zbtwist.xbee.address import Address64
from zbtwist.xbee.frames import ExplicitReceive, ReceivePacket, TransmitStatus
from zbtwist.xbee.framing import OVERHEAD, START, escape

#: Frame types with serial data of a node: the address is what follows the type.
_DATA = (ReceivePacket.frame_type, ExplicitReceive.frame_type)

#: Frame data of a Transmit Status. That it is missing is noticed by who waits for it.
_STATUS_SIZE = 7


def sender_of_half(pending: bytes) -> list[Address64] | None:
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
    if kind in _DATA and size > 9:
        return [Address64(int.from_bytes(pending[4:12], "big"))]
    is_status = kind == TransmitStatus.frame_type
    return [] if is_status and int.from_bytes(pending[1:3], "big") == _STATUS_SIZE else None


def senders_of(
    candidates: Sequence[bytes], discarded: int, api_mode: int
) -> list[Address64] | None:
    """Say whose bytes were lost.

    @param candidates: what looked like frames and were not good: start byte, length, frame data,
        checksum, unescaped, in the order in which they were looked at.
    @param discarded: how many bytes of the line were left out meanwhile, the candidates among them.
    @return: the addresses that the frames had, which may be damaged themselves; None for anybody.
    """
    senders: list[Address64] = []
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
        if kind in _DATA and size > 9:
            senders.append(Address64(int.from_bytes(candidate[4:12], "big")))
        elif not (kind == TransmitStatus.frame_type and size == _STATUS_SIZE):
            return None
        whole.append(candidate)
        # A damaged escape may have become two bytes that need none.
        accounted += 2 + len(escape(candidate[1:])) if api_mode == 2 else len(candidate)
    return senders if accounted >= discarded else None
