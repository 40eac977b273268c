"""An endpoint of a node beside its port: what all kinds have in common, and one that listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IStreamServerEndpoint

from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.listener import Listener
from zbtwist.runtime.listen_errors import advice

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort


class NodeEndpoint:
    """One endpoint of one node.

    @cvar is_announced: that it is open is an event of its own.
    @ivar wish: what the configuration says of it.
    @ivar problem: a sentence: why it cannot be had now; empty while it can.
    """

    is_announced = True

    def __init__(self, port: NodePort, wish: EndpointWish) -> None:
        """
        @param port: of the node whose it is.
        """
        self.wish = wish
        self.problem = ""
        self._port = port

    @property
    def state(self) -> str:
        """How it is, in a word."""
        raise NotImplementedError

    @property
    def is_to_be_tried(self) -> bool:
        """Whether `open` is to be called again: it is not what it is to be."""
        return False

    def interrupted(self) -> None:
        """Bytes of the node may have been lost: what is kept must not be followed by others."""

    async def open(self) -> None:
        """Begin. What goes wrong is the `problem`."""
        raise NotImplementedError

    def stop(self) -> Deferred[None]:
        """End.

        @return: fires when there is nothing left of it but clients that are about to be gone.
        """
        raise NotImplementedError

    def end_clients(self, reason: str) -> None:
        """End its clients; those in good order of whom all has arrived.

        @param reason: a clause.
        """
        port = self._port
        leaving = [client for client in port.connected if client.wish is self.wish]
        port.dismiss(leaving, reason)


class OpenedEndpoint(NodeEndpoint):
    """One that others come to, through a socket that is opened.

    @ivar opened: what `listen` returned while it is open; None while it is not.
    """

    opened: Any = None
    _stopped = False

    @property
    def state(self) -> str:
        return "taken" if self.is_to_be_tried else "listening"

    @property
    def is_to_be_tried(self) -> bool:
        return self.opened is None

    async def open(self) -> None:
        try:
            self.opened = await self.listen()
        except CancelledError:
            raise
        except Exception as error:
            # Endpoints fail as they like, and one that does must not stop the others.
            self.problem = f"{self.wish.endpoint} does not open: {advice(error)}."
            return
        self.problem = ""
        if self._stopped:
            await self.stop()
        else:
            self.is_open()

    async def listen(self) -> Any:
        """Open the socket."""
        raise NotImplementedError

    def is_open(self) -> None:
        """It is."""

    def stop(self) -> Deferred[None]:
        self._stopped = True
        opened, self.opened = self.opened, None
        return succeed(None) if opened is None else self.close(opened)

    def close(self, opened: Any) -> Deferred[None]:
        """Close what `listen` returned."""
        raise NotImplementedError


class ListeningEndpoint(OpenedEndpoint):
    """A socket that listens."""

    def __init__(
        self,
        port: NodePort,
        wish: EndpointWish,
        make_endpoint: Callable[[str], IStreamServerEndpoint],
    ) -> None:
        """
        @param make_endpoint: returns the server endpoint for an endpoint string.
        """
        super().__init__(port, wish)
        self._make_endpoint = make_endpoint

    async def listen(self) -> Listener:
        text = self.wish.endpoint
        listener = Listener(text, self._make_endpoint(text), self.wish)
        await listener.open()
        return listener

    def is_open(self) -> None:
        self.opened.server = self._port

    def close(self, opened: Listener) -> Deferred[None]:
        return opened.close()
