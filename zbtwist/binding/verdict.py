"""What a delivery status means: whether the node may have the packet, and whether sending it again
can help.
"""

from __future__ import annotations

from enum import Enum

from zbtwist.xbee.status import DeliveryStatus


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


#: By delivery status (90001539, "Transmit Status"). Where no acknowledgement came it may be that
#: only this was lost.
_VERDICTS: dict[int, Verdict] = {
    DeliveryStatus.DELIVERED: Verdict.ARRIVED,
    DeliveryStatus.NO_MAC_ACKNOWLEDGEMENT: Verdict.UNCERTAIN,
    DeliveryStatus.CHANNEL_BUSY: Verdict.AGAIN,
    DeliveryStatus.INVALID_ENDPOINT: Verdict.PERMANENT,
    DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT: Verdict.UNCERTAIN,
    DeliveryStatus.NOT_JOINED: Verdict.BUSY,
    DeliveryStatus.SELF_ADDRESSED: Verdict.PERMANENT,
    DeliveryStatus.ADDRESS_NOT_FOUND: Verdict.NO_ROUTE,
    DeliveryStatus.ROUTE_NOT_FOUND: Verdict.NO_ROUTE,
    DeliveryStatus.BROADCAST_NOT_RELAYED: Verdict.PERMANENT,
    DeliveryStatus.INVALID_BINDING: Verdict.PERMANENT,
    DeliveryStatus.NO_BUFFERS: Verdict.BUSY,
    DeliveryStatus.BROADCAST_NOT_ENCRYPTED: Verdict.PERMANENT,
    DeliveryStatus.UNICAST_NOT_ENCRYPTED: Verdict.PERMANENT,
    DeliveryStatus.NO_RESOURCES: Verdict.BUSY,
    DeliveryStatus.TOO_LARGE: Verdict.TOO_LARGE,
    DeliveryStatus.NOT_REQUESTED: Verdict.ASLEEP,
}


def verdict_of(delivery_status: int) -> Verdict:
    """Return what a delivery status means; of one that is not known nothing is certain."""
    return _VERDICTS.get(delivery_status, Verdict.UNCERTAIN)
