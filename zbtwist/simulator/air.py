"""What becomes of one transmission: how long it takes, and how it ends.

All of the radio waves are behind `IAir.judge`, so that a model of them (distance, collisions,
routes) can take the place of the simple one here.
"""

from __future__ import annotations

from dataclasses import dataclass

from zope.interface import Attribute, Interface, implementer

from zbtwist.xbee.status import DELIVERED

NETWORK_ACKNOWLEDGEMENT_FAILURE = 0x21


@dataclass(frozen=True, slots=True)
class Passage:
    """The fate of one packet.

    @ivar delay: seconds until the receiver has it.
    @ivar answer_delay: seconds until the sender knows how it ended.
    @ivar delivery_status: what the sender is told; see `zbtwist.xbee.status`.
    @ivar delivered: whether the receiver has it, whatever the sender is told.
    @ivar retries: how often it was sent again.
    """

    delay: float
    answer_delay: float
    delivery_status: int = DELIVERED
    delivered: bool = True
    retries: int = 0


class IStation(Interface):
    """What the air has to know of a module."""

    reachable = Attribute("False while it is switched off or out of range.")

    def seconds_until_awake() -> float:
        """How long it will sleep on, in seconds; 0 if it is awake."""


class IAir(Interface):
    """Decides about transmissions."""

    def judge(sender: IStation, receiver: IStation, size: int) -> Passage:
        """
        @param size: bytes of payload.
        @return: what becomes of a packet that is sent now.
        """


@implementer(IAir)
class SimpleAir:
    """Every module hears every other one, at once and in one hop."""

    #: Seconds for which a parent keeps a packet for a child that sleeps.
    patience = 28.0

    def __init__(self, hop_delay: float = 0.002, failure_delay: float = 0.5) -> None:
        """
        @param hop_delay: seconds that a packet takes, and its acknowledgement again.
        @param failure_delay: seconds until a sender gives up on a receiver that is not there.
        """
        self.hop_delay = hop_delay
        self.failure_delay = failure_delay

    def judge(self, sender: IStation, receiver: IStation, size: int) -> Passage:
        asleep = receiver.seconds_until_awake()
        if not (sender.reachable and receiver.reachable) or asleep > self.patience:
            return Passage(
                self.failure_delay,
                self.failure_delay,
                NETWORK_ACKNOWLEDGEMENT_FAILURE,
                delivered=False,
                retries=3,
            )
        delay = asleep + self.hop_delay
        return Passage(delay, delay + self.hop_delay)
