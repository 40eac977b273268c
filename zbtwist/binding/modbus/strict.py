"""What a slave that goes by pauses can get whole over the air.

A slave ends a frame at a pause of 3.5 characters (Modbus over serial line 1.02, 2.5.1.1). What fits
into one packet comes without a pause. Of what does not, the next piece is sent when the radio has
reported on the last; there is no pause only if the node's own line is still busy with that one, as
a slow line is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbtwist.radio.buffers import REQUEST_BYTES

if TYPE_CHECKING:
    from zbtwist.binding.outbound import Outbound

#: Seconds from a packet's arrival to that of the next on a quiet channel, beside the time on the
#: radio's own line: the way of the report, and about 19 ms in the air (90000976, "Data
#: throughput"), and as much again for a try that is lost.
NEXT_PACKET = 0.04


def refusal(outbound: Outbound, size: int) -> str:
    """Return why a frame is not sent to a strict slave, a sentence; empty if it is sent.

    @param size: bytes of the frame.
    """
    if not outbound.settings.strict:
        return ""
    packet, line = outbound.payload_limit, outbound.line
    if not 0 < packet < size:
        return ""
    line.want_to_know()
    if comes_without_pause(packet, line.known_rate, outbound.radio_line_rate):
        return ""
    return (
        f"a request of {size} bytes does not fit into one packet, which has {packet}, and the "
        f"slave would take each piece for a frame (strict = true): write at most "
        f"{max(0, (packet - 9) // 2)} registers at once, or use a radio whose packets are longer "
        "(NP)."
    )


def comes_without_pause(packet: int, line_rate: float, radio_line_rate: float) -> bool:
    """Whether a node's line is still busy with a full packet when the next one comes.

    @param packet: bytes of a full packet.
    @param line_rate: bytes per second of the node's line.
    @param radio_line_rate: those of the gateway's radio.
    """
    return packet / line_rate > NEXT_PACKET + (packet + REQUEST_BYTES) / radio_line_rate
