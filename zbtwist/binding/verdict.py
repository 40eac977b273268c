"""What a delivery status means: whether the node may have the packet, and whether sending it again
can help.
"""

from __future__ import annotations

from enum import Enum

from zbtwist.xbee.status import DELIVERED


class Verdict(Enum):
    """What a delivery status says of the packet."""

    #: The node has it.
    ARRIVED = "arrived"
    #: The node may have it or not.
    UNCERTAIN = "uncertain"
    #: It was not sent, or is gone; a later try may do better.
    AGAIN = "again"
    #: The radio does not know where the node is, and looks for it if it is not told.
    NO_ROUTE = "no route"
    #: The radio has no room, or no network, at the moment.
    BUSY = "busy"
    #: The node did not fetch it: it sleeps.
    ASLEEP = "asleep"
    #: It does not fit into one packet.
    TOO_LARGE = "too large"
    #: It cannot be sent at all.
    PERMANENT = "permanent"


#: By delivery status (90001539, "Transmit Status"). A MAC acknowledgement failure (01) and a
#: network acknowledgement failure (21) say that no acknowledgement came; it may be that only this
#: was lost.
_VERDICTS = {
    DELIVERED: Verdict.ARRIVED,
    0x01: Verdict.UNCERTAIN,
    0x02: Verdict.AGAIN,
    0x15: Verdict.PERMANENT,
    0x21: Verdict.UNCERTAIN,
    0x22: Verdict.BUSY,
    0x23: Verdict.PERMANENT,
    0x24: Verdict.NO_ROUTE,
    0x25: Verdict.NO_ROUTE,
    0x26: Verdict.PERMANENT,
    0x2B: Verdict.PERMANENT,
    0x2C: Verdict.BUSY,
    0x2D: Verdict.PERMANENT,
    0x2E: Verdict.PERMANENT,
    0x32: Verdict.BUSY,
    0x74: Verdict.TOO_LARGE,
    0x75: Verdict.ASLEEP,
}


def verdict_of(delivery_status: int) -> Verdict:
    """Return what a delivery status means; of one that is not known nothing is certain."""
    return _VERDICTS.get(delivery_status, Verdict.UNCERTAIN)
