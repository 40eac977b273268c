"""Those who wanted to be clients of a node and may not: said now and then, however many come."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from zbtwist.binding.client_events import ClientBarred, ClientRefused
from zbtwist.binding.listener import ListenAddress
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.repeats import Repeats


class TurnedAway:
    """Those of one port. `stop` it with the port."""

    __slots__ = (
        "_barred",
        "_barred_at",
        "_barred_peer",
        "_bus",
        "_node",
        "_refused",
        "_refused_at",
        "_were_there",
    )

    def __init__(self, clock: IReactorTime, node: Node, bus: EventBus) -> None:
        self._node = node
        self._bus = bus
        self._barred = Repeats(clock, self._say_barred)
        self._barred_at: ListenAddress = 0
        self._barred_peer = ""
        self._refused = Repeats(clock, self._say_refused)
        self._refused_at: ListenAddress = 0
        self._were_there = 0

    def stop(self) -> None:
        """Say what is unsaid, and no more."""
        self._refused.stop()
        self._barred.stop()

    def barred(self, where: ListenAddress, peer: str) -> None:
        """Somebody has an address from which nobody may be a client."""
        self._barred_at, self._barred_peer = where, peer
        self._barred.happened()

    def refused(self, where: ListenAddress, were_there: int) -> None:
        """There is no place.

        @param were_there: clients that have them all. It is told later, when some may have gone.
        """
        self._refused_at, self._were_there = where, were_there
        self._refused.happened()

    def _say_barred(self, count: int) -> None:
        self._bus.publish(ClientBarred(self._node, self._barred_at, self._barred_peer, count))

    def _say_refused(self, count: int) -> None:
        self._bus.publish(ClientRefused(self._node, self._refused_at, self._were_there, count))
