"""``connect``: the gateway connects a node to a server, again and again when that is lost.

The server is a client of the node's stream as any other. The connection is kept open; or it is
opened when the node says something, which is kept until it is there, and closed when nothing has
passed for a while.

Twisted's ClientService keeps one open, too, but writes a line into the log for each try, and looks
up each attribute of the protocol on its way to it; and it opens none for data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.events import EndpointFailed
from zbtwist.binding.node_endpoint import NodeEndpoint

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: Seconds before the first and between the last tries.
FIRST_DELAY = 1.0
MAX_DELAY = 60.0
_delay = backoffPolicy(FIRST_DELAY, MAX_DELAY, 2.0, jitter=lambda: 0.0)

#: A connection that was there for so many seconds was a good one: the next comes after
#: `FIRST_DELAY`.
STEADY = 10.0

#: Seconds that a server may take to agree on TLS.
HANDSHAKE_TIMEOUT = 30.0

#: Bytes of the node that are kept until the connection is there.
MAX_KEPT = 65536


@implementer(IHandshakeListener)
class OutgoingClient(ConnectedClient):
    """A connection that the gateway has opened. With TLS it is one from the handshake on.

    @ivar was_there: it has heard the node.
    @ivar why: why it ended, a clause.
    """

    def __init__(
        self, port: NodePort, wish: EndpointWish, opened: Callable[[OutgoingClient], None]
    ) -> None:
        """
        @param opened: called when it hears the node.
        """
        super().__init__(port, wish.endpoint, wish)
        self._opened = opened
        self._shaking: IDelayedCall | None = None
        self.was_there = False
        self.why = ""

    def connectionMade(self) -> None:
        # Else it would take bytes of the node for nobody.
        transport: Any = self.transport
        if getattr(type(transport), "negotiatedProtocol", None) is None:
            self._begin()
        else:
            self._shaking = self._serves.clock.callLater(
                HANDSHAKE_TIMEOUT, transport.abortConnection
            )

    def handshakeCompleted(self) -> None:
        self._shake_no_longer()
        self._begin()

    def _shake_no_longer(self) -> None:
        shaking, self._shaking = self._shaking, None
        if shaking is not None:
            shaking.cancel()

    def _begin(self) -> None:
        self.was_there = True
        super().connectionMade()
        self._opened(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.why = _reason_of(reason.value)
        if self._shaking is not None and not self._shaking.active():
            self._shaking = None
            self.why = f"there was no TLS within {HANDSHAKE_TIMEOUT:g} s"
        self._shake_no_longer()
        if self._connection is not None:
            super().connectionLost(reason)
        else:
            self._over = True
            self.gone.callback(None)

    def close(self) -> None:
        if self._connection is None:
            self.abort()
        else:
            super().close()

    def abort(self) -> None:
        if self._connection is not None:
            super().abort()
        elif not self._over:
            self._over = True
            transport: Any = self.transport
            transport.abortConnection()

    @property
    def is_there(self) -> bool:
        """Whether it hears the node."""
        return self._port is not None

    @property
    def _is_tcp(self) -> bool:
        # It is no browser: the configuration names it.
        return False


class _Factory(Factory):
    noisy = False

    def __init__(self, endpoint: ConnectingEndpoint) -> None:
        self._endpoint = endpoint

    def buildProtocol(self, addr: object) -> OutgoingClient:
        return self._endpoint.make_client()


class ConnectingEndpoint(NodeEndpoint):
    """A connection of one node to a server."""

    log = Logger()
    is_announced = False

    def __init__(
        self,
        port: NodePort,
        wish: EndpointWish,
        make_endpoint: Callable[[str], IStreamClientEndpoint],
    ) -> None:
        """
        @param make_endpoint: returns the client endpoint for an endpoint string, or fails as it
            likes: the files that it names may be gone.
        """
        super().__init__(port, wish)
        self._make_endpoint = make_endpoint
        self._factory = _Factory(self)
        self._client: OutgoingClient | None = None
        self._keeping: Deferred[None] | None = None
        self._stopped = False
        self._failures = 0
        # What the node has said while there was no connection, and who waits for it to say
        # something.
        self._kept = bytearray()
        self._data: Deferred[None] | None = None
        self._look: IDelayedCall | None = None

    @property
    def state(self) -> str:
        if self._client is not None and self._client.is_there:
            return "connected"
        return "idle" if self._data is not None else "connecting"

    async def open(self) -> None:
        if self._keeping is None and not self._stopped:
            self._listen()
            self._keeping = Deferred.fromCoroutine(self._keep())
            self._keeping.addErrback(self._ended)

    def _ended(self, failure: Failure) -> None:
        if not (self._stopped and failure.check(CancelledError)):
            self.log.failure("A node is not connected any more", failure=failure)

    def stop(self) -> Deferred[None]:
        self._stopped = True
        self._port.hear_no_more(self)
        self.interrupted()
        client, keeping = self._client, self._keeping
        if client is not None:
            # Until it is gone, and the work ends with it.
            client.close()
        elif keeping is not None:
            keeping.cancel()
        return succeed(None)

    # --- keeping it open -----------------------------------------------------------------------

    async def _keep(self) -> None:
        clock = self._port.clock
        while not self._stopped:
            if self.wish.is_on_data and not self._kept:
                await self._until_there_is_data()
            try:
                await self._connect()
            except CancelledError:
                raise
            except Exception as error:
                # What endpoints fail with when they are cancelled is their own affair.
                if not self._stopped:
                    self._failed(_reason_of(error))
            if self._stopped:
                return
            await deferLater(clock, _delay(max(0, self._failures - 1)))

    async def _connect(self) -> None:
        """Have a connection, and wait until it is gone."""
        connecting: Any = self._make_endpoint(self.wish.endpoint).connect(self._factory)
        try:
            await connecting
            client = self._client
            assert client is not None
            if self._stopped:
                client.abort()
            await client.gone
        finally:
            self._client = None
            if self._look is not None:
                self._look.cancel()
                self._look = None
        if self._stopped:
            return
        self._listen()
        if not client.was_there:
            self._failed(client.why)
        else:
            lasted = self._port.clock.seconds() - client.opened_at
            # A server may hang up when it has what it was called for.
            is_good = self.wish.is_on_data or lasted >= STEADY
            self._failures = 1 if is_good else self._failures + 1

    def make_client(self) -> OutgoingClient:
        """Make what a connection is to be."""
        self._client = OutgoingClient(self._port, self.wish, self._connected)
        return self._client

    def _connected(self, client: OutgoingClient) -> None:
        """The server hears the node from now on."""
        self.problem = ""
        self._port.hear_no_more(self)
        if self._kept:
            kept, self._kept = bytes(self._kept), bytearray()
            client.deliver(kept)
        if self.wish.is_on_data:
            self._look_in(self.wish.idle)

    def _failed(self, reason: str) -> None:
        """
        @param reason: a clause.
        """
        self._failures += 1
        problem = f"{self.wish.endpoint} is not connected: {reason}."
        if problem != self.problem:
            self.problem = problem
            port = self._port
            port.bus.publish(EndpointFailed(port.node, self.wish.endpoint, problem))

    # --- for data ------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Keep what the node says until there is a connection."""
        if self.wish.is_on_data:
            self._port.hear(self)

    def deliver(self, data: bytes) -> None:
        """The node says something, and there is no connection."""
        kept = self._kept
        kept += data
        surplus = len(kept) - MAX_KEPT
        if surplus > 0:
            # What follows is whole: the connection begins with it.
            del kept[:surplus]
            self._port.bytes_unread += surplus
        waiting, self._data = self._data, None
        if waiting is not None:
            waiting.callback(None)

    async def _until_there_is_data(self) -> None:
        self._data = Deferred()
        try:
            await self._data
        finally:
            self._data = None

    def interrupted(self) -> None:
        self._port.bytes_unread += len(self._kept)
        self._kept.clear()

    def _look_in(self, seconds: float) -> None:
        self._look = self._port.clock.callLater(seconds, self._look_whether_it_is_idle)

    def _look_whether_it_is_idle(self) -> None:
        self._look = None
        client, port, idle = self._client, self._port, self.wish.idle
        if client is None:
            return
        last = max(port.heard_at, port.outbound.last_delivery, client.opened_at)
        left = last + idle - port.clock.seconds()
        if left > 0 or client.is_under_way:
            self._look_in(max(left, 1.0))
        else:
            client.close()


def _reason_of(error: object) -> str:
    text = str(error).strip().rstrip(".")
    return text or type(error).__name__
