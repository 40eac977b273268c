"""BindingService: which node has which port.

Ports are given in the order in which nodes are learnt, from the base port up, each once. A port
that another program has is skipped, for good, with a warning that names it. Ports are opened one
after the other, so that two nodes learnt at the same moment do not race for one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.interfaces import INodeListener, IRadio, IRadioListener
from zbtwist.network import Node
from zbtwist.radio.bring_up import RadioFacts
from zbtwist.xbee.address import Address64
from zbtwist.xbee.frames import Frame

LAST_PORT = 65535


@implementer(INodeListener, IRadioListener)
class BindingService(MultiService):
    """Gives every node a port; each `NodePort` is a child service."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        make_endpoint: Callable[[int], IStreamServerEndpoint],
        base_port: int,
    ) -> None:
        """
        @param make_endpoint: returns the server endpoint for a port number.
        @param base_port: the first port to give.
        """
        super().__init__()
        self._clock = clock
        self._radio = radio
        self._make_endpoint = make_endpoint
        self._next_port = base_port
        self._ports: dict[Address64, NodePort] = {}
        self._lock = DeferredLock()
        radio.add_listener(self)

    def port_of(self, node: Node) -> NodePort | None:
        """Return a node's port, None if it has none (yet)."""
        return self._ports.get(node.address64)

    @property
    def clients(self) -> int:
        """How many clients are connected, to all ports together."""
        return sum(port.clients for port in self._ports.values())

    def settled(self) -> Deferred[None]:
        """Return a Deferred that fires when every node known by now has its port, or cannot."""
        return self._lock.run(lambda: None)

    def stopService(self) -> Deferred[Any]:
        stopped: Deferred[Any] = super().stopService()
        self._ports.clear()
        return stopped

    # --- nodes ---------------------------------------------------------------------------------

    def node_added(self, node: Node) -> None:
        opening = self._lock.run(lambda: Deferred.fromCoroutine(self._bind(node)))
        opening.addErrback(
            lambda failure: self.log.failure(
                "{node} could not be given a port", failure=failure, node=node
            )
        )

    def node_changed(self, node: Node) -> None:
        pass

    async def _bind(self, node: Node) -> None:
        while self.running:
            number = self._next_port
            if number > LAST_PORT:
                self.log.error(
                    "There is no port left for {node}: every port up to {last} is given. "
                    "Start again with a lower --base-port.",
                    node=node,
                    last=LAST_PORT,
                )
                return
            self._next_port += 1
            port = NodePort(
                self._clock,
                node,
                number,
                self._make_endpoint(number),
                Outbound(self._radio, node),
            )
            try:
                await port.open()
            except CannotListenError as error:
                self.log.warn(
                    "Port {number} is skipped, {node} gets the next: {reason}",
                    number=number,
                    node=node,
                    reason=str(error.socketError),
                )
                continue
            port.setName(str(number))
            port.setServiceParent(self)
            self._ports[node.address64] = port
            node.receiver = port.deliver
            self.log.info("{node} is on TCP port {number}.", node=node, number=number)
            return

    # --- the radio -----------------------------------------------------------------------------

    def radio_up(self, facts: RadioFacts) -> None:
        for port in self._ports.values():
            port.outbound.pump()

    def radio_down(self, reason: str) -> None:
        pass

    def frame_received(self, frame: Frame) -> None:
        pass
