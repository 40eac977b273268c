"""How one module's packet gets to another: the seam to the radio waves, and the simplest air.

An air is given a `Transmission`. It calls the receiver's function when the receiver has the data
(never, once, or twice), and `finish` when the sender knows how it ended. A sender that restarts
abandons its transmissions: nothing more comes of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall
from zope.interface import Attribute, Interface, implementer

from zbtwist.xbee.address import Address64
from zbtwist.xbee.status import DeliveryStatus

NETWORK_ACKNOWLEDGEMENT_FAILURE = 0x21
INDIRECT_MESSAGE_UNREQUESTED = 0x75

#: A bit of a Transmit Request's options: wait longer for an end device (90001539).
OPTION_EXTENDED_TIMEOUT = 0x40

#: Seconds for which a parent keeps a packet for a child that sleeps: the longest SP.
PATIENCE = 28.0

#: The same when the sender asked for the extended timeout: the packet is sent up to three times,
#: each time with 50 ms x NH for the way (90001539, "Extended timeout"); NH is 30.
EXTENDED_PATIENCE = 3 * (PATIENCE + 1.5)


@dataclass(frozen=True, slots=True)
class TxResult:
    """What the sender of a packet is told.

    @ivar delivery_status: see `zbtwist.xbee.status`.
    @ivar retries: how often the module sent it again, not counting what the MAC layer did.
    @ivar discovery_status: 2 if a route had to be found.
    """

    delivery_status: int = DeliveryStatus.DELIVERED
    retries: int = 0
    discovery_status: int = 0


class IStation(Interface):
    """What the air has to know of a module."""

    address64: Address64 = Attribute("Its 64-bit address.")
    role: int = Attribute("0 coordinator, 1 router, 2 end device.")
    listening: bool = Attribute("False while it is switched off, restarting or out of range.")
    hops: int = Attribute("How many hops it is away from the coordinator.")

    def seconds_until_awake() -> float:
        """How long it will sleep on, in seconds; 0 if it is awake."""


class ITimekeeper(Interface):
    """The time in which the air lives."""

    def seconds() -> float:
        """What the clock says."""

    def call_later(delay: float, function: Callable[..., object], *args: object) -> IDelayedCall:
        """Call a function in `delay` seconds."""

    def in_order(way: Hashable, delay: float, function: Callable[[], object]) -> None:
        """Call a function in `delay` seconds, but after what came before on the same way."""


@dataclass(slots=True, eq=False)
class Transmission:
    """One packet on its way.

    @ivar receivers: who is to have it, and what to call when it does; one if it is no broadcast.
    @ivar size: bytes of payload.
    @ivar finished: called when the sender learns what became of it.
    @ivar broadcast: it is for all, and nobody acknowledges it.
    @ivar options: those of the Transmit Request.
    @ivar address_known: whether the sender named the 16-bit address.
    @ivar encrypted: whether the network is (EE).
    @ivar abandoned: the sender forgot it.
    """

    sender: IStation
    receivers: Mapping[IStation, Callable[[], object]]
    size: int
    finished: Callable[[TxResult], object]
    broadcast: bool = False
    options: int = 0
    address_known: bool = True
    encrypted: bool = False
    abandoned: bool = False

    @property
    def patience(self) -> float:
        """Seconds for which a parent keeps it for a child that sleeps."""
        return EXTENDED_PATIENCE if self.options & OPTION_EXTENDED_TIMEOUT else PATIENCE

    def abandon(self) -> None:
        """Forget it: nothing is called any more."""
        self.abandoned = True

    def arrive(self, receiver: IStation) -> bool:
        """Give it to a receiver.

        @return: whether the receiver has it.
        """
        if self.abandoned or not receiver.listening:
            return False
        self.receivers[receiver]()
        return True

    def finish(self, fate: TxResult) -> None:
        """Tell the sender."""
        if not self.abandoned:
            self.finished(fate)


class IAir(Interface):
    """Carries transmissions."""

    def begin(time: ITimekeeper, chance: random.Random) -> None:
        """
        Get ready; called once, before anything else.

        @param time: all time comes from it.
        @param chance: all chance comes from it.
        """

    def send(transmission: Transmission) -> None:
        """Carry a packet; nothing of it is called before this returns."""


@implementer(IAir)
class SimpleAir:
    """Every module hears every other one, in one hop, at any time: no packet waits for another."""

    def __init__(self, hop_delay: float = 0.002, failure_delay: float = 0.5) -> None:
        """
        @param hop_delay: seconds that a packet takes, and its acknowledgement again.
        @param failure_delay: seconds until a sender gives up on a receiver that is not there.
        """
        self.hop_delay = hop_delay
        self.failure_delay = failure_delay
        self._time: ITimekeeper

    def begin(self, time: ITimekeeper, chance: random.Random) -> None:
        self._time = time

    def send(self, transmission: Transmission) -> None:
        if transmission.broadcast:
            self._broadcast(transmission)
            return
        (receiver,) = transmission.receivers
        sender = transmission.sender
        back = (receiver.address64, sender.address64, "status")
        asleep = receiver.seconds_until_awake()
        if not (sender.listening and receiver.listening):
            failure, delay = NETWORK_ACKNOWLEDGEMENT_FAILURE, self.failure_delay
        elif asleep > transmission.patience:
            failure, delay = INDIRECT_MESSAGE_UNREQUESTED, transmission.patience
        else:
            arrived: list[bool] = []

            def status() -> None:
                failed = TxResult(NETWORK_ACKNOWLEDGEMENT_FAILURE, retries=2)
                transmission.finish(TxResult() if arrived[0] else failed)

            delay = asleep + self.hop_delay
            way = (sender.address64, receiver.address64)
            self._time.in_order(way, delay, lambda: arrived.append(transmission.arrive(receiver)))
            self._time.in_order(back, delay + self.hop_delay, status)
            return
        self._time.in_order(back, delay, lambda: transmission.finish(TxResult(failure, retries=2)))

    def _broadcast(self, transmission: Transmission) -> None:
        sender = transmission.sender
        for receiver in transmission.receivers:
            asleep = receiver.seconds_until_awake()
            if sender.listening and asleep <= transmission.patience:
                way = (sender.address64, receiver.address64)
                self._time.in_order(
                    way,
                    asleep + self.hop_delay,
                    lambda receiver=receiver: transmission.arrive(receiver),  # type: ignore[misc]
                )
        self._time.in_order(
            (sender.address64, sender.address64, "status"),
            2 * self.hop_delay,
            lambda: transmission.finish(TxResult()),
        )
