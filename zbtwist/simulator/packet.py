"""What passes between simulated modules, and what each of them shows the others."""

from __future__ import annotations

from dataclasses import dataclass

from zope.interface import Attribute

from zbtwist.simulator.air import IStation, TxResult
from zbtwist.xbee.address import Address16
from zbtwist.xbee.frames import DIGI_PROFILE, SERIAL_CLUSTER, SERIAL_ENDPOINT
from zbtwist.xbee.status import DeliveryStatus


class IModule(IStation):
    """A module, as the others know it."""

    address16: Address16 = Attribute("Its 16-bit address now.")
    is_anonymous: bool = Attribute(
        "Whether the coordinator does not know its 64-bit address, and says FF…FF for it."
    )
    pan_id: int = Attribute("The extended PAN that it is in.")
    rssi: int = Attribute("How strongly others hear it, in -dBm.")
    relays: tuple[IModule, ...] = Attribute(
        "The modules between it and the coordinator, its neighbour first, as far as they are "
        "modelled."
    )


@dataclass(frozen=True, slots=True)
class Packet:
    """What travels from one module to another.

    @ivar broadcast: it is for every module.
    """

    sender: IModule
    data: bytes
    cluster_id: int = SERIAL_CLUSTER
    source_endpoint: int = SERIAL_ENDPOINT
    destination_endpoint: int = SERIAL_ENDPOINT
    profile_id: int = DIGI_PROFILE
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sender learns of its packet.

    @ivar address16: where it went, FFFE if that is not known.
    """

    address16: Address16
    fate: TxResult

    @property
    def delivered(self) -> bool:
        """Whether the sender may believe that it arrived."""
        return self.fate.delivery_status == DeliveryStatus.DELIVERED
