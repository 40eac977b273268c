"""What the gateway does with ports by itself: a node that has none is given one, and every port
that a node has is to listen.

A port that another program has is passed over for a new node; for a node whose port it is, it is
tried again and again, and the node keeps it. A node for which there is no port waits until there is
one.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.binding.allocation import PortPool
from zbtwist.binding.errors import BindingError
from zbtwist.binding.events import MAX_LINES, MappingChanged, PortFailed
from zbtwist.binding.listener import Listener
from zbtwist.binding.mappings import Mappings
from zbtwist.binding.node_ports import NodePorts
from zbtwist.binding.port import NodePort
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.repeats import Repeats
from zbtwist.store.records import Mapping


class PortProvider:
    """Gives ports to nodes, and lets ports listen. What it cannot do is said once, as the problem
    of the port, and is for `try_again`.
    """

    log = Logger()

    def __init__(
        self,
        ports: NodePorts,
        pool: PortPool,
        mappings: Mappings,
        bus: EventBus,
        clock: IReactorTime,
    ) -> None:
        self._ports = ports
        self._pool = pool
        self._mappings = mappings
        self._bus = bus
        self._failures = Repeats(clock, self._say_failed)
        self._last_failed: NodePort | None = None

    def stop(self) -> None:
        """Say nothing more."""
        self._last_failed = None
        self._failures.stop()

    async def give(self, nodes: Iterable[Node]) -> bool:
        """Give nodes that have none the lowest ports that can be had.

        First all of them are opened, and their mappings are written in one commit; then they are
        said to be the nodes' own. When there is none for one of them, there is none for those after
        it either, and none is tried for them.

        @return: whether all have one.
        @raise Stopped: the service stops.
        """
        if not self._ports.running:
            return False
        pace = self._ports.pace()
        opened: list[tuple[NodePort, Listener]] = []
        refusal = ""
        for node in nodes:
            port = self._ports.get(node.address64)
            if port is not None and port.slot is not None:
                continue
            port = self._ports.add(node)
            if not refusal:
                try:
                    opened.append((port, await self._pool.open_lowest(node)))
                except BindingError as error:
                    refusal = str(error)
            if refusal:
                self._cannot(port, refusal, is_one_of_many=True)
            await pace.step()
        self._mappings.keep(
            (Mapping(port.node.address64, listener.slot), port.node) for port, listener in opened
        )
        for port, listener in opened:
            self._pool.own(port, listener.slot, by_hand=False)
            port.serve(listener)
            self._bus.publish(MappingChanged(port.node, listener.slot))
            await pace.step()
        return not refusal

    async def listen_all(self) -> None:
        """Let every port listen that has somewhere to listen."""
        await self._listen_on(list(self._ports))

    async def listen_anew(self) -> None:
        """Open every port again. Clients stay connected."""
        await self._listen_on(list(self._ports), is_anew=True)

    async def _listen_on(self, ports: list[NodePort], is_anew: bool = False) -> None:
        pace = self._ports.pace()
        is_quiet = len(ports) > MAX_LINES
        listening = 0
        for port in ports:
            if is_anew:
                listener, port.listener = port.listener, None
                if listener is not None:
                    await self._pool.close(listener)
            listening += await self._listen(port, is_quiet)
            await pace.step()
        if is_quiet and listening:
            self.log.info("{count} nodes are on their ports.", count=listening)

    async def try_again(self) -> None:
        """See to every port that has a problem. The others cost nothing."""
        await self._listen_on(self._ports.closed())
        await self.give_to_waiting()

    async def give_to_waiting(self) -> None:
        """Give the ports that there are to those who wait for one."""
        if self._pool.has_free():
            await self.give(port.node for port in self._ports.portless())

    async def _listen(self, port: NodePort, is_quiet: bool = False) -> bool:
        """Let a node's port listen. Return whether it does.

        @param is_quiet: it is one of many, whose number is said.
        """
        if port.listener is not None or port.slot is None or not self._ports.running:
            return port.listener is not None
        try:
            listener = await self._pool.open(port.slot)
        except CannotListenError as error:
            why = self._pool.why_not(port.slot, error)
            self._cannot(port, f"Port {port.slot} does not open: {why}.", is_quiet)
            return False
        port.serve(listener)
        self._bus.publish(MappingChanged(port.node, port.slot, port.slot, is_one_of_many=is_quiet))
        return True

    def _cannot(self, port: NodePort, problem: str, is_one_of_many: bool = False) -> None:
        """A node has no port, or its port does not listen: say it once.

        @param is_one_of_many: there may be thousands more, of which the number is said.
        """
        if problem == port.problem:
            return
        port.cannot_listen(problem)
        if is_one_of_many:
            self._last_failed = port
            self._failures.happened()
        else:
            self._bus.publish(PortFailed(port.node, problem))

    def _say_failed(self, count: int) -> None:
        """
        @param count: how many have failed since this was called last.
        """
        port = self._last_failed
        if port is None or not port.problem:
            # It has a port meanwhile; others may wait for theirs.
            port = next(self._ports.portless(), None)
        if port is not None:
            nodes = min(count, self._ports.problems)
            self._bus.publish(PortFailed(port.node, port.problem, nodes))
