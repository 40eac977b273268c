"""Which ports there are to give, who has which, and the sockets that listen on them.

A node without a port gets the lowest that can be had. That is none of those which a node has or
ever had: who still knows a node by its old port must not talk to another. A port that another
program has is passed over for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint

from zbtwist.binding.errors import BindingError
from zbtwist.binding.events import PortSkipped
from zbtwist.binding.free_ports import FreePorts
from zbtwist.binding.listener import ListenAddress, Listener
from zbtwist.binding.port import NodePort
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.listen_errors import advice, is_about_this_port, is_in_use
from zbtwist.xbee.address import Address64


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
        self._make_endpoint = make_endpoint
        self._bus = bus
        self._free = FreePorts(clock, self._may_be_given)
        self.reserved: frozenset[int] = frozenset()
        self._promised: frozenset[ListenAddress] = frozenset()
        self._owners: dict[ListenAddress, NodePort] = {}
        self._listeners: dict[ListenAddress, Listener] = {}
        # Every port that was ever given, with its last node; see `zbtwist.store.store.Store.given`.
        self._given: dict[ListenAddress, Address64] = {}
        # The same by node: mostly one for each, for which a tuple takes less than a set.
        self._given_to: dict[Address64, tuple[ListenAddress, ...]] = {}
        # Ports of other programs, of which it was said that they are skipped; there are no more of
        # them than of ports.
        self._skipped: set[int] = set()

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
        self.reserved = frozenset(reserved)
        self._promised = promised
        self._free.set_range(base, last)

    # --- who has which -------------------------------------------------------------------------

    def owner_of(self, slot: ListenAddress) -> NodePort | None:
        """Return whose port that is, None if it is nobody's."""
        return self._owners.get(slot)

    def remember(self, given: dict[ListenAddress, Address64]) -> None:
        """Take it that these ports were given to these nodes."""
        for slot, address64 in given.items():
            self._give(slot, address64)

    def own(self, port: NodePort, slot: ListenAddress, by_hand: bool) -> None:
        """Let a node have a port.

        @param by_hand: a person chose it.
        """
        port.slot = slot
        port.by_hand = by_hand
        self._owners[slot] = port
        self._give(slot, port.node.address64)

    def disown(self, port: NodePort) -> None:
        """Let a node not have its port any more, if it still has it. Nobody else is given it."""
        if port.slot is not None and self._owners.get(port.slot) is port:
            del self._owners[port.slot]
            self._may_be_free(port.slot)

    def forget(self, address64: Address64) -> None:
        """Let all ports that a node ever had be given to others, but for one that it has."""
        for slot in self._given_to.pop(address64, ()):
            del self._given[slot]
            self._may_be_free(slot)

    def has_free(self) -> bool:
        """Whether there is a port to give."""
        return self._free.lowest() is not None

    def _give(self, slot: ListenAddress, address64: Address64) -> None:
        last = self._given.get(slot)
        if last is not None:
            others = tuple(other for other in self._given_to.pop(last) if other != slot)
            if others:
                self._given_to[last] = others
        self._given[slot] = address64
        self._given_to[address64] = (*self._given_to.get(address64, ()), slot)

    def _may_be_given(self, number: int) -> bool:
        """Whether a port may be given to a node that has none, unless another program has it."""
        return not (
            number in self._owners
            or number in self._listeners
            or number in self._given
            or number in self.reserved
            or number in self._promised
        )

    def _may_be_free(self, slot: ListenAddress) -> None:
        """One reason less is there not to give a port."""
        if isinstance(slot, int):
            self._free.came_back(slot)

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
        if isinstance(slot, int):
            self._skipped.discard(slot)
        return listener

    def why_not(self, slot: ListenAddress, error: CannotListenError) -> str:
        """Say why a port does not open, and what to do: a clause."""
        if slot in self.reserved:
            return "it is the control port of the gateway; give the node another, or --control"
        if slot in self._promised and is_in_use(error):
            return (
                "this gateway has it for something else (broadcast, or another node's "
                "port or listen); choose another port"
            )
        return advice(error)

    async def open_lowest(self, node: Node) -> Listener:
        """Listen on the lowest port that can be had.

        @param node: whose it is to be.
        @raise BindingError: there is none.
        """
        while (number := self._free.lowest()) is not None:
            try:
                return await self.open(number)
            except CannotListenError as error:  # noqa: PERF203
                if not is_about_this_port(error):
                    raise BindingError(f"No port can be opened: {advice(error)}.") from error
                self._free.pass_over(number)
                if number not in self._skipped:
                    self._skipped.add(number)
                    self._bus.publish(PortSkipped(node, number, advice(error)))
        raise BindingError(
            f"Every port from {self._free.base} to {self._free.last} is taken: raise --last-port, "
            "or remove a mapping."
        )

    async def close(self, listener: Listener) -> None:
        """Listen no more on one port."""
        # When the gateway stops they are closed already.
        self._listeners.pop(listener.slot, None)
        self._may_be_free(listener.slot)
        await listener.close()

    def stop(self) -> list[Deferred[None]]:
        """Listen no more, and know nothing any more of who had which port.

        @return: fire when the sockets are closed.
        """
        closed = [listener.close() for listener in self._listeners.values()]
        for kept in (self._owners, self._listeners, self._given, self._given_to):
            kept.clear()
        self._free.set_range(self._free.base, self._free.last)
        return closed
