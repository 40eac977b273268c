"""Which ports there are to give, who has which, and the sockets that listen on them.

A node without a port gets the lowest that can be had. That is none of those which a node has or
ever had: who still knows a node by its old port must not talk to another. A port that another
program has is passed over for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint

from zbtwist.binding.errors import BindingError
from zbtwist.binding.events import PortSkipped
from zbtwist.binding.listener import ListenAddress, Listener
from zbtwist.binding.port import NodePort
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.listen_errors import advice, is_about_this_port
from zbtwist.xbee.address import Address64

#: Seconds for which a port that another program has is not tried for new nodes.
PASS_OVER = 60.0


class PortPool:
    """The ports of the gateway.

    @ivar reserved: those that no node may have.
    """

    def __init__(
        self,
        clock: IReactorTime,
        make_endpoint: Callable[[ListenAddress], IStreamServerEndpoint],
        bus: EventBus,
    ) -> None:
        """There is none to give until `set_range`.

        @param make_endpoint: returns the server endpoint for a port.
        """
        self._clock = clock
        self._make_endpoint = make_endpoint
        self._bus = bus
        self._base = self._lowest = 1
        self._last = 0
        self.reserved: frozenset[int] = frozenset()
        self._promised: frozenset[ListenAddress] = frozenset()
        self._owners: dict[ListenAddress, NodePort] = {}
        self._listeners: dict[ListenAddress, Listener] = {}
        # Every port that was ever given, with its last node; see `zbtwist.store.store.Store.given`.
        self._given: dict[ListenAddress, Address64] = {}
        # Until when a port is not tried; there are no more than there are ports.
        self._passed_over: dict[int, float] = {}

    def set_range(
        self,
        base: int,
        last: int,
        reserved: Iterable[int],
        promised: frozenset[ListenAddress],
    ) -> None:
        """Say which ports there are to give.

        @param base: the first of them.
        @param last: the last of them.
        @param reserved: ports that no node may have.
        @param promised: ports that are for certain nodes.
        """
        self._base = self._lowest = base
        self._last = last
        self.reserved = frozenset(reserved)
        self._promised = promised

    # --- who has which -------------------------------------------------------------------------

    def owner_of(self, slot: ListenAddress) -> NodePort | None:
        """Return whose port that is, None if it is nobody's."""
        return self._owners.get(slot)

    def remember(self, given: dict[ListenAddress, Address64]) -> None:
        """Take it that these ports were given to these nodes."""
        self._given.update(given)

    def own(self, port: NodePort, slot: ListenAddress, by_hand: bool) -> None:
        """Let a node have a port.

        @param by_hand: a person chose it.
        """
        port.slot = slot
        port.by_hand = by_hand
        self._owners[slot] = port
        self._given[slot] = port.node.address64

    def disown(self, port: NodePort) -> None:
        """Let a node not have its port any more, if it still has it. Nobody else is given it."""
        if port.slot is not None and self._owners.get(port.slot) is port:
            del self._owners[port.slot]

    def forget(self, address64: Address64) -> None:
        """Let all ports that a node ever had be given to others, but for one that it has."""
        self._given = {slot: last for slot, last in self._given.items() if last != address64}
        self._lowest = self._base

    def has_free(self) -> bool:
        """Whether there is a port to give."""
        return next(self._free(), None) is not None

    def _free(self) -> Iterator[int]:
        """Return the ports that there are to give, the lowest first."""
        kept = (self._owners, self._given, self._listeners)
        while any(self._lowest in each for each in kept):
            self._lowest += 1
        for number in range(self._lowest, self._last + 1):
            if not (
                number in self._owners
                or number in self._listeners
                or number in self._given
                or number in self.reserved
                or number in self._promised
            ):
                yield number

    # --- the sockets ---------------------------------------------------------------------------

    def listener_at(self, slot: ListenAddress) -> Listener | None:
        """Return the socket that listens there, None if there is none."""
        return self._listeners.get(slot)

    async def open(self, slot: ListenAddress) -> Listener:
        """Listen.

        @raise CannotListenError: it cannot be done, whatever the reason: endpoints fail as they
            like, and one that does must not stop the others.
        """
        try:
            listener = Listener(slot, self._make_endpoint(slot))
            await listener.open()
        except (CannotListenError, CancelledError):
            raise
        except Exception as error:
            raise CannotListenError(None, slot, error) from error
        self._listeners[slot] = listener
        return listener

    async def open_lowest(self, node: Node) -> Listener:
        """Listen on the lowest port that can be had.

        @param node: whose it is to be.
        @raise BindingError: there is none.
        """
        for number in self._free():
            if self._passed_over.get(number, 0.0) > self._clock.seconds():
                continue
            try:
                return await self.open(number)
            except CannotListenError as error:
                if not is_about_this_port(error):
                    raise BindingError(f"No port can be opened: {advice(error)}.") from error
                self._passed_over[number] = self._clock.seconds() + PASS_OVER
                self._bus.publish(PortSkipped(node, number, advice(error)))
        raise BindingError(
            f"Every port from {self._base} to {self._last} is taken: raise --last-port, "
            "or remove a mapping."
        )

    async def close(self, listener: Listener) -> None:
        """Listen no more on one port."""
        # When the gateway stops they are closed already.
        self._listeners.pop(listener.slot, None)
        if listener.slot not in self._given:
            self._lowest = self._base
        await listener.close()

    def stop(self) -> list[Deferred[None]]:
        """Listen no more, and know nothing any more of who had which port.

        @return: fire when the sockets are closed.
        """
        closed = [listener.close() for listener in self._listeners.values()]
        for kept in (self._owners, self._listeners, self._given):
            kept.clear()
        self._lowest = self._base
        return closed
