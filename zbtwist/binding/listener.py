"""A listening socket, which serves one node at a time and can pass from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IListeningPort,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol, ServerFactory

from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.runtime.allowed import Refusal

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: What a port can be: a TCP port number, or a server endpoint string.
ListenAddress = int | str


#: Files that clients of nodes do not take: the control port, the store and the radio need some.
FILES_KEPT_BACK = 32


class Listener(ServerFactory):
    """A listening socket. It serves one node at a time, and can pass from one to another.

    @ivar slot: what it listens on: a TCP port number, or a server endpoint string.
    @ivar wish: what the configuration says of it; None for the port of a node.
    @ivar server: whose clients its connections are; None refuses them.
    """

    noisy = False
    files_kept_back = FILES_KEPT_BACK

    def __init__(
        self,
        slot: ListenAddress,
        endpoint: IStreamServerEndpoint,
        wish: EndpointWish | None = None,
    ) -> None:
        self.slot = slot
        self.wish = wish
        self.server: NodePort | None = None
        self._endpoint = endpoint
        self._listening: IListeningPort | None = None

    async def open(self) -> None:
        """Listen.

        @raise CannotListenError: the port is taken, or not allowed.
        """
        self._listening = await self._endpoint.listen(self)

    def close(self) -> Deferred[None]:
        """Listen no more."""
        listening, self._listening = self._listening, None
        self.server = None
        if listening is None:
            return succeed(None)
        # A port that has no connections says nothing, others say when they are gone.
        return listening.stopListening() or succeed(None)

    @property
    def tcp_port(self) -> int:
        """The number of the TCP port, 0 for another kind of socket."""
        if isinstance(self.slot, int):
            return self.slot
        host = self._listening.getHost() if self._listening is not None else None
        return getattr(host, "port", 0)

    def buildProtocol(self, addr: object) -> Protocol:
        client = self.server.accept(addr, self.wish) if self.server is not None else None
        # None would be an end in good order on some transports, and a traceback of TLS's.
        return client if client is not None else Refusal()
