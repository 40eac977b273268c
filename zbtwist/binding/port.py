"""A node's listening port and its clients.

Bytes from the node go to every client. A client that reads too slowly is bounded: Twisted says when
the socket takes no more, and from then on at most `MAXIMUM_UNSENT` bytes are kept for it; then it
is dropped, with a line in the log, because the other clients and the node must not wait for it.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import (
    IListeningPort,
    IPushProducer,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.binding.outbound import Outbound

#: Bytes kept for a client whose socket takes no more, on top of what the socket's own buffers hold.
MAXIMUM_UNSENT = 262144

#: Clients that one node's port serves at once.
MAXIMUM_CLIENTS = 64

#: Seconds that clients have to take what is buffered for them when the port closes.
CLOSE_TIMEOUT = 0.5


@implementer(IPushProducer)
class NodeClient(Protocol):
    """One TCP connection to a node's port; to the node's `Outbound` it is a writer."""

    log = Logger()

    def __init__(self, port: NodePort) -> None:
        self._port = port
        self._blocked = False
        self._unsent = 0
        # No more to be done with the transport: it is lost, or about to be.
        self._over = False
        self.gone: Deferred[None] = Deferred()
        self.peer = "?"

    @property
    def _tcp(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        tcp = self._tcp
        peer = tcp.getPeer()
        host, number = getattr(peer, "host", None), getattr(peer, "port", None)
        self.peer = f"{host}:{number}" if host else str(peer)
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):
            # A Unix socket has neither.
            getattr(tcp, option, bool)(True)
        tcp.registerProducer(self, True)
        self._port.client_opened(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._over = True
        self._port.client_closed(self)
        self.gone.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self._port.outbound.write(self, data)

    # --- from the node -------------------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """Send bytes of the node to this client."""
        if self._over:
            return
        if self._blocked:
            self._unsent += len(data)
            if self._unsent > MAXIMUM_UNSENT:
                self.reset(f"it reads too slowly, {self._unsent} bytes wait for it")
                return
        self._tcp.write(data)

    def pauseProducing(self) -> None:
        """The socket takes no more: count from now on."""
        self._blocked = True
        self._unsent = 0

    def resumeProducing(self) -> None:
        """The socket has taken everything."""
        self._blocked = False

    def stopProducing(self) -> None:
        """The connection is going away; nothing to do."""

    # --- to the node: see zbtwist.binding.outbound.Writer --------------------------------------

    def pause(self) -> None:
        if not self._over:
            self._tcp.pauseProducing()

    def resume(self) -> None:
        if not self._over:
            self._tcp.resumeProducing()

    def reset(self, reason: str) -> None:
        what = "had closed already" if self._over else "is dropped"
        self.log.warn(
            "Client {peer} of {node} on port {port} {what}: {reason}.",
            peer=self.peer,
            node=self._port.node,
            port=self._port.number,
            what=what,
            reason=reason.rstrip("."),
        )
        self.abort()

    # --- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Send what is buffered and close."""
        if self._over:
            return
        self._tcp.unregisterProducer()
        self._tcp.loseConnection()

    def abort(self) -> None:
        """Close without sending what is buffered."""
        if not self._over:
            self._over = True
            self._tcp.abortConnection()


class NodePort(Service, ServerFactory):
    """The server of one node.

    @ivar node: whose port this is.
    @ivar number: the TCP port.
    @ivar outbound: takes the clients' bytes.
    @ivar bytes_received: bytes from the node.
    @ivar packets_received: packets from the node.
    @ivar bytes_unread: those of them that came while no client was connected.
    """

    log = Logger()
    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        node: Any,
        number: int,
        endpoint: IStreamServerEndpoint,
        outbound: Outbound,
    ) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._listening: IListeningPort | None = None
        self._clients: dict[NodeClient, None] = {}
        self.node = node
        self.number = number
        self.outbound = outbound
        self.bytes_received = 0
        self.packets_received = 0
        self.bytes_unread = 0

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    async def open(self) -> None:
        """Listen.

        @raise CannotListenError: the port is taken, or not allowed.
        """
        self._listening = await self._endpoint.listen(self)

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        self.outbound.stop()
        waiting: list[Deferred[Any]] = []
        if self._listening is not None:
            stopped = self._listening.stopListening()
            self._listening = None
            if stopped is not None:
                waiting.append(stopped)
        clients = list(self._clients)
        for client in clients:
            waiting.append(client.gone)
            client.close()
        all_gone = DeferredList(waiting)
        if not all_gone.called:
            timer = self._clock.callLater(CLOSE_TIMEOUT, self._abort_all, clients)
            all_gone.addCallback(lambda _: timer.cancel() if timer.active() else None)
        return all_gone

    @staticmethod
    def _abort_all(clients: list[NodeClient]) -> None:
        for client in clients:
            client.abort()

    def buildProtocol(self, addr: object) -> NodeClient | None:
        if len(self._clients) >= MAXIMUM_CLIENTS:
            self.log.warn(
                "A client of {node} on port {port} is refused: {count} are connected already.",
                node=self.node,
                port=self.number,
                count=len(self._clients),
            )
            return None
        return NodeClient(self)

    def client_opened(self, client: NodeClient) -> None:
        self._clients[client] = None
        self.log.info(
            "Client {peer} is connected to {node} on port {port}.",
            peer=client.peer,
            node=self.node,
            port=self.number,
        )
        self.outbound.opened(client)

    def client_closed(self, client: NodeClient) -> None:
        self._clients.pop(client, None)
        self.outbound.closed(client)
        self.log.info(
            "Client {peer} is gone from {node} on port {port}.",
            peer=client.peer,
            node=self.node,
            port=self.number,
        )

    def deliver(self, data: bytes) -> None:
        """Send bytes of the node to every client."""
        self.bytes_received += len(data)
        self.packets_received += 1
        clients = self._clients
        if not clients:
            self.bytes_unread += len(data)
        elif len(clients) == 1:
            for client in clients:
                client.deliver(data)
                break
        else:
            # A client may be dropped on the way.
            for client in list(clients):
                client.deliver(data)
