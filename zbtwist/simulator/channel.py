"""One radio channel that all modules share, with the rates that Digi measured.

Digi sent 100,000 bytes one way between two serial lines of 115200 baud (90000976, "Data
throughput"): 35 kbit/s over one hop, 10 over four, and less to and from end devices and with
encryption. A transmission, with its acknowledgement, has the channel for as long as it takes at
that rate when its packet is full (84 bytes); the time on the serial lines is thereby in it. A
shorter packet saves the time of the bytes that it does not have, on the air and on the line, and
no more: the rest is the same for every packet.

Every module has a queue of its own. When the channel falls free, the module whose first packet has
been first for longest sends it. So an answer does not wait behind all that the coordinator holds.

A try of a packet goes wrong as a real one does. On each hop the MAC layer sends up to four times,
each lost by `Chances.loss`. If all of them are lost, or the acknowledgement from the other end is
(`Chances.acknowledgement_loss`), the module tries again after `retry_interval`, up to twice. What
waits for its next try is overtaken by what comes behind it. When all has failed the sender is told
21, whether the data arrived or not; and as the route is forgotten then, the next packet to a node
that is still not there fails by the search for it: 24 or 25.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakSet

from zope.interface import implementer

from zbtwist.simulator.air import (
    INDIRECT_MESSAGE_UNREQUESTED,
    NETWORK_ACKNOWLEDGEMENT_FAILURE,
    IAir,
    IStation,
    ITimekeeper,
    Transmission,
    TxResult,
)
from zbtwist.simulator.directions import Both
from zbtwist.xbee.devices import COORDINATOR, END_DEVICE
from zbtwist.xbee.status import DeliveryStatus

ADDRESS_NOT_FOUND = 0x24
ROUTE_NOT_FOUND = 0x25

#: A bit of a Transmit Request's options: do not try again.
OPTION_NO_RETRIES = 0x01

#: The discovery status of a packet for which a route had to be found.
ROUTE_DISCOVERY = 0x02

#: Between two routers over one hop, in bit/s: the rate that the others are in proportion to.
DIGI_RATE = 35_000

#: The payload of a full packet, in bytes.
FULL_PACKET = 84

#: Digi's rates, in bit/s: without and with encryption.
_ROUTER_TO_ROUTER = (35_000, 19_000)
_TO_END_DEVICE = (25_000, 16_000)
_FROM_END_DEVICE = (21_000, 16_000)
_FOUR_HOPS = (10_000, 5_000)

#: Seconds for a byte: 8 bits on the air at 250 kbit/s on each hop, 10 bits on a serial line.
_BYTE_ON_AIR = 8 / 250_000
_BYTE_ON_LINE = 10 / 115_200

#: Seconds that a try of the MAC layer takes when it is lost, besides its bytes: headers, the wait
#: for the acknowledgement that does not come, and a pause. Not measured; of the right order.
_LOST_TRY = 0.004

#: The part of an empty packet's time that its acknowledgement takes. Not measured.
_ACKNOWLEDGEMENT_SHARE = 0.3

#: How often the MAC layer sends on each hop, and the module in all.
_MAC_TRIES = 4
_APPLICATION_TRIES = 3

#: A real clock calls late. Up to so many seconds of that are made up for by the next packet, if it
#: comes within `_AT_ONCE` seconds: the rate is then the same as on a clock that is never late.
_MAX_LATENESS = 0.05
_AT_ONCE = 0.005

#: How often a broadcast is repeated, so that few miss it.
_BROADCAST_TRIES = 3


@dataclass(slots=True)
class Chances:
    """What goes wrong, in one direction; all are probabilities.

    @ivar loss: of each try of the MAC layer, on each hop, to be lost.
    @ivar acknowledgement_loss: of the acknowledgement from the other end to be lost.
    @ivar duplicate: of data to come out at the other end twice. Real modules sort almost all of
        these out.
    @ivar reorder: of a packet to be overtaken by the one behind it in its module.
    """

    loss: float = 0.0
    acknowledgement_loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0


@dataclass(slots=True, eq=False)
class _Attempt:
    """A transmission in its module's queue, and how far it came."""

    transmission: Transmission
    tries: int = 0
    arrived: bool = False


@implementer(IAir)
class ChannelAir:
    """
    @ivar from_radio: what goes wrong with what the coordinator sends.
    @ivar from_nodes: what goes wrong with what the nodes send.
    @ivar retry_interval: seconds from one try to the next, and from the last to the news that it
        failed: 50 ms x NH + 100 ms (90001539, "Unicast timeout"), with NH as it is by default.
    @ivar search_time: seconds until the search for a node that is not there is given up.
    @ivar busy_seconds: for how long the channel was occupied.
    @ivar lost_tries: how many tries of the MAC layer were lost.
    @ivar lost_acknowledgements: how often a packet arrived, and its sender did not learn it.
    """

    loss = Both()
    acknowledgement_loss = Both()
    duplicate = Both()
    reorder = Both()

    def __init__(self, rate: float = DIGI_RATE) -> None:
        """
        @param rate: of full packets between two routers over one hop, in bit/s; all other rates
            are in proportion.
        """
        self.rate = rate
        self.from_radio = Chances()
        self.from_nodes = Chances()
        self.retry_interval = 1.6
        self.search_time = 0.5
        self.busy_seconds = 0.0
        self.lost_tries = 0
        self.lost_acknowledgements = 0
        # In the order in which their first packets became the first. The module that is sending
        # keeps its packet, and its place, until the end.
        self._queues: dict[IStation, deque[_Attempt]] = {}
        self._busy = False
        # When the channel fell free, by the clock and by right.
        self._freed = self._due = float("-inf")
        self._start = 0.0
        self._without_route: WeakSet[IStation] = WeakSet()
        self._time: ITimekeeper
        self._chance: random.Random

    @property
    def directions(self) -> tuple[Chances, Chances]:
        return self.from_radio, self.from_nodes

    def begin(self, time: ITimekeeper, chance: random.Random) -> None:
        self._time = time
        self._chance = chance

    def seconds_for(
        self, size: int, hops: int, from_role: int, to_role: int, encrypted: bool = False
    ) -> float:
        """For how long a packet and its acknowledgement have the channel, if nothing is lost.

        @param size: bytes of payload.
        """
        if from_role == END_DEVICE:
            rate = _FROM_END_DEVICE
        elif to_role == END_DEVICE:
            rate = _TO_END_DEVICE
        else:
            rate = _ROUTER_TO_ROUTER
        bits = FULL_PACKET * 8
        one_hop = bits / _ROUTER_TO_ROUTER[encrypted]
        another_hop = (bits / _FOUR_HOPS[encrypted] - one_hop) / 3
        full = bits / rate[encrypted] + (hops - 1) * another_hop
        seconds = full - (FULL_PACKET - size) * (_BYTE_ON_LINE + hops * _BYTE_ON_AIR)
        return seconds * DIGI_RATE / self.rate

    # --- The queues ----------------------------------------------------------------------------

    def send(self, transmission: Transmission) -> None:
        attempt = _Attempt(transmission)
        if transmission.broadcast:
            self._enqueue(attempt)
            return
        (receiver,) = transmission.receivers
        asleep = receiver.seconds_until_awake()
        if asleep > transmission.patience or (asleep and not receiver.listening):
            fate = TxResult(INDIRECT_MESSAGE_UNREQUESTED)
            self._time.call_later(transmission.patience, transmission.finish, fate)
        elif not receiver.listening and receiver in self._without_route:
            status = ROUTE_NOT_FOUND if transmission.address_known else ADDRESS_NOT_FOUND
            fate = TxResult(status, discovery_status=ROUTE_DISCOVERY)
            self._time.call_later(self.search_time, transmission.finish, fate)
        elif asleep:
            way = (receiver.address64, "wakes up")
            self._time.in_order(way, asleep, lambda: self._enqueue(attempt))
        else:
            self._enqueue(attempt)

    def _enqueue(self, attempt: _Attempt) -> None:
        self._queues.setdefault(attempt.transmission.sender, deque()).append(attempt)
        if not self._busy:
            self._busy = True
            # Not at once: the sender may have more to say first, and waits for this to return.
            self._time.call_later(0, self._occupy)

    def _occupy(self) -> None:
        """Give the channel to the next module."""
        while self._queues:
            station, queue = next(iter(self._queues.items()))
            while queue and queue[0].transmission.abandoned:
                queue.popleft()
            if queue:
                now = self._time.seconds()
                lateness = self._freed - self._due if now - self._freed <= _AT_ONCE else 0.0
                self._start = now - min(lateness, _MAX_LATENESS)
                if len(queue) > 1 and self._happens(self._chances(station).reorder):
                    queue[0], queue[1] = queue[1], queue[0]
                self._try(queue[0])
                return
            del self._queues[station]
        self._busy = False

    def _release(self, seconds: float, attempt: _Attempt, acknowledged: bool) -> None:
        """A try is over, and the channel is free."""
        self.busy_seconds += seconds
        self._freed = self._time.seconds()
        self._due = min(self._start + seconds, self._freed)
        sender = attempt.transmission.sender
        queue = self._queues.pop(sender)
        queue.remove(attempt)
        if queue:
            self._queues[sender] = queue
        if acknowledged:
            self._finish(attempt, DeliveryStatus.DELIVERED)
        elif attempt.tries < self._most_tries(attempt.transmission):
            self._time.call_later(max(0.0, self.retry_interval - seconds), self._enqueue, attempt)
        else:
            self._time.call_later(
                max(0.0, self.retry_interval - seconds),
                self._finish,
                attempt,
                NETWORK_ACKNOWLEDGEMENT_FAILURE,
            )
        self._occupy()

    @staticmethod
    def _most_tries(transmission: Transmission) -> int:
        return 1 if transmission.options & OPTION_NO_RETRIES else _APPLICATION_TRIES

    def _finish(self, attempt: _Attempt, status: int) -> None:
        transmission = attempt.transmission
        discovery = 0
        if not transmission.broadcast:
            (receiver,) = transmission.receivers
            if status != DeliveryStatus.DELIVERED:
                if transmission.sender.role == COORDINATOR and not receiver.listening:
                    self._without_route.add(receiver)
            elif receiver in self._without_route:
                self._without_route.discard(receiver)
                discovery = ROUTE_DISCOVERY
        transmission.finish(TxResult(status, attempt.tries - 1, discovery))

    # --- The air -------------------------------------------------------------------------------

    def _chances(self, sender: IStation) -> Chances:
        return self.from_radio if sender.role == COORDINATOR else self.from_nodes

    def _happens(self, probability: float) -> bool:
        # What cannot happen takes no number, so that a fault changes nothing before it is set.
        return probability > 0 and self._chance.random() < probability

    def _try(self, attempt: _Attempt) -> None:
        """Send a packet, and let its fate be seen when its time has come."""
        attempt.tries += 1
        transmission = attempt.transmission
        if transmission.broadcast:
            self._try_broadcast(attempt)
            return
        (receiver,) = transmission.receivers
        sender = transmission.sender
        chances = self._chances(sender)
        hops = max(sender.hops, receiver.hops)
        lost_try = (_LOST_TRY + transmission.size * _BYTE_ON_AIR) * DIGI_RATE / self.rate
        if sender.listening:
            lost_tries, passed = self._pass(hops, chances.loss, receiver.listening)
            self.lost_tries += lost_tries
        else:
            # Who is switched off does not take the channel from the others.
            lost_tries, passed = 0, False
        seconds = lost_tries * lost_try
        acknowledged = False
        if passed:
            roles = sender.role, receiver.role
            whole = self.seconds_for(transmission.size, hops, *roles, transmission.encrypted)
            empty = self.seconds_for(0, hops, *roles, transmission.encrypted)
            arrival = seconds + whole - _ACKNOWLEDGEMENT_SHARE * empty
            seconds += whole
            self._after(arrival, self._arrive, attempt, receiver, chances)
            acknowledged = not self._happens(chances.acknowledgement_loss)
        self._after(seconds, self._end_try, seconds, attempt, receiver, acknowledged)

    def _pass(self, hops: int, loss: float, connected: bool) -> tuple[int, bool]:
        """Let the MAC layer send over all hops.

        @param connected: whether the receiver can hear it at all.
        @return: how many of its tries were lost, and whether the packet got through.
        """
        if not connected:
            return _MAC_TRIES, False
        lost = 0
        for _ in range(hops):
            here = 0
            while self._happens(loss):
                here += 1
                if here == _MAC_TRIES:
                    return lost + here, False
            lost += here
        return lost, True

    def _arrive(self, attempt: _Attempt, receiver: IStation, chances: Chances) -> None:
        # Who is heard is found without a search.
        self._without_route.discard(attempt.transmission.sender)
        duplicate = self._happens(chances.duplicate)
        if attempt.arrived and not duplicate:
            # The receiver has it already, and knows it again.
            return
        again = duplicate and not attempt.arrived
        attempt.arrived = attempt.transmission.arrive(receiver) or attempt.arrived
        if again:
            attempt.transmission.arrive(receiver)

    def _end_try(
        self, seconds: float, attempt: _Attempt, receiver: IStation, acknowledged: bool
    ) -> None:
        self.lost_acknowledgements += attempt.arrived and not acknowledged
        # Who was switched off meanwhile acknowledged nothing.
        self._release(seconds, attempt, acknowledged and attempt.arrived)

    def _try_broadcast(self, attempt: _Attempt) -> None:
        transmission = attempt.transmission
        sender = transmission.sender
        role = sender.role
        seconds = self.seconds_for(
            transmission.size, sender.hops, role, role, transmission.encrypted
        )
        missed = self._chances(sender).loss ** _BROADCAST_TRIES
        for receiver in transmission.receivers:
            asleep = receiver.seconds_until_awake()
            if sender.listening and asleep <= transmission.patience and not self._happens(missed):
                self._after(seconds + asleep, transmission.arrive, receiver)
        self._after(seconds, self._release, seconds, attempt, True)

    def _after(self, seconds: float, function: Callable[..., object], *args: object) -> None:
        """Call a function so many seconds after the beginning of this try."""
        delay = max(0.0, self._start + seconds - self._time.seconds())
        self._time.call_later(delay, function, *args)
