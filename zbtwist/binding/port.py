"""A node's port: where its clients come in, who may, and how they are let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from zbtwist.binding.client import NodeClient
from zbtwist.binding.client_events import ClientClosed, ClientOpened, ClientsEnded
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.greetings import greet, take_leave
from zbtwist.binding.listener import ListenAddress, Listener
from zbtwist.binding.node_endpoint import NodeEndpoint
from zbtwist.binding.node_uart import NodeUart
from zbtwist.binding.noted import Noted
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.places import make_room
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.presence import Presence
from zbtwist.binding.stream import NodeStream
from zbtwist.binding.turned_away import TurnedAway
from zbtwist.network.node import Node
from zbtwist.network.settings import Asks
from zbtwist.runtime.allowed import lets_in
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.shares import peer_of
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.xbee.address import Address64

#: Seconds that clients have to take what is buffered for them when the port closes.
CLOSE_TIMEOUT = 0.5


def _nobody(node: Address64 | str) -> NodePort | None:
    """No other node is known."""
    return None


class NodePort(NodeStream, Service):
    """The port of one node, whether it listens at the moment or not.

    @ivar slot: where its clients are to find it; None if there is nowhere.
    @ivar endpoints: what else leads to it, by what the configuration says of that.
    @ivar by_hand: a person chose the slot; else the gateway did.
    @ivar problem: a sentence: why it does not listen; empty while it does.
    @ivar find: returns the port of the node with that address or node identifier; None if there is
        none, or none that it can be relied on to be.
    @ivar asks: tells nodes AT commands, for clients that set the serial line; None if none may.
    """

    __slots__ = (
        "_turned_away",
        "_uart",
        "asks",
        "batch",
        "by_hand",
        "endpoints",
        "find",
        "listener",
        "presence",
        "problem",
        "slot",
    )

    def __init__(
        self,
        clock: IReactorTime,
        node: Node,
        outbound: Outbound,
        bus: EventBus,
        batch: WriteBatch | None = None,
        noted: Noted | None = None,
        presence: Presence | None = None,
    ) -> None:
        """
        @param bus: is told what happens to clients and to the stream.
        @param batch: what is being read at the moment, at whose end clients are written to.
        @param noted: the `Noted` of all ports.
        @param presence: looks whether clients are there, those of all ports.
        """
        super().__init__(clock, node, outbound, bus, noted or Noted())
        self.batch = batch or WriteBatch()
        self.presence = presence or Presence(clock)
        self.listener: Listener | None = None
        self.slot: ListenAddress | None = None
        self.endpoints: dict[EndpointWish, NodeEndpoint] = {}
        self.by_hand = False
        self.problem = ""
        self.asks: Asks | None = None
        self._uart: NodeUart | None = None
        # Of most ports there are none.
        self._turned_away: TurnedAway | None = None
        self.find: Callable[[Address64 | str], NodePort | None] = _nobody

    @property
    def uart(self) -> NodeUart:
        """The node's serial line, for clients that may set it."""
        if self._uart is None:
            assert self.asks is not None
            self._uart = NodeUart(self.clock, self.asks, self.node, self.outbound, self.bus)
        return self._uart

    def commanded(self, command: str) -> None:
        """The node has carried out a command that may have changed its serial line."""
        if self._uart is not None:
            self._uart.heard(command)

    def follow(self, settings: PortSettings) -> None:
        """Have these settings from now on."""
        if settings == self.outbound.settings:
            return
        before, self.outbound.settings = self.outbound.settings, settings
        # In the middle of a protocol a client cannot begin with another one.
        leaving = [each for each in self.connected if each.manner(before) != each.manner(settings)]
        self.dismiss(leaving, f"{self.node} has other settings of protocol or turns now")
        for client in self.connected:
            client.settings_changed()
        self.presence.look_soon()

    def interrupted(self, reason: str, cause: str = "") -> None:
        for endpoint in self.endpoints.values():
            endpoint.interrupted()
        super().interrupted(reason, cause)

    # --- where clients come in -----------------------------------------------------------------

    @property
    def number(self) -> int:
        """The TCP port, 0 if there is none."""
        if self.listener is not None:
            return self.listener.tcp_port
        return self.slot if isinstance(self.slot, int) else 0

    def where(self, wish: EndpointWish | None) -> ListenAddress:
        """Return where clients of an endpoint come in: its text, or the TCP port.

        @param wish: what the configuration says of the endpoint; None for the port itself.
        """
        return wish.endpoint if wish is not None else self.number

    def serve(self, listener: Listener) -> None:
        """Take the connections of a socket from now on."""
        self.listener = listener
        self.problem = ""
        self.noted.closed.pop(self, None)
        self.noted.portless.pop(self, None)
        listener.server = self

    def cannot_listen(self, problem: str) -> None:
        """It listens nowhere, and is to.

        @param problem: why, a sentence.
        """
        self.problem = problem
        is_portless = self.slot is None
        (self.noted.closed if is_portless else self.noted.portless).pop(self, None)
        (self.noted.portless if is_portless else self.noted.closed)[self] = None

    def leave(self, reason: str) -> Listener | None:
        """Take no more connections, and close those there are.

        @param reason: for the log, a clause.
        @return: the socket, which is still open; None if there was none.
        """
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.server = None
        # Those of other endpoints keep theirs.
        leaving = [client for client in self._clients if client.wish is None]
        if leaving:
            self.bus.publish(ClientsEnded(self.node, len(leaving), reason))
        if leaving or self.outbound.unconfirmed:
            # In order, unless what was sent has not all arrived.
            why = f"{reason[:1].upper()}{reason[1:]} before all was sent"
            if self._askers is not None:
                self._askers.stop(why)
            if self.outbound.unconfirmed:
                self._break_stream(why)
            self.close_clients(leaving)
        return listener

    # --- who comes in --------------------------------------------------------------------------

    def accept(
        self, address: object = None, wish: EndpointWish | None = None
    ) -> ConnectedClient | None:
        """Return a client for a new connection; None refuses it.

        @param address: the `IAddress` of the other end.
        @param wish: what the configuration says of its endpoint; None for the port itself.
        """
        if not self.lets_in(address, wish):
            return None
        share = peer_of(address)
        return ConnectedClient(self, share, wish) if self.make_room(share, wish) else None

    def lets_in(self, address: object, wish: EndpointWish | None) -> bool:
        """Whether somebody may be a client, by his address. If not, that is published, now and
        then. See `accept`.
        """
        if lets_in(self.outbound.settings.allow, address):
            return True
        self._turn_away().barred(self.where(wish), str(getattr(address, "host", address)))
        return False

    def _turn_away(self) -> TurnedAway:
        if self._turned_away is None:
            self._turned_away = TurnedAway(self.clock, self.node, self.bus)
        return self._turned_away

    def make_room(self, share: str, wish: EndpointWish | None = None) -> bool:
        """Have a place for one more client, if there is one or another gives way. If not, that is
        published, now and then.

        @param share: who wants it, see `zbtwist.runtime.shares.peer_of`.
        @param wish: by which endpoint, see `accept`.
        """
        settings, now = self.outbound.settings, self.clock.seconds()
        in_the_way = make_room(self._clients, share, settings, self.presence, now)
        if in_the_way:
            self._turn_away().refused(self.where(wish), in_the_way)
        return not in_the_way

    def client_opened(self, client: NodeClient) -> None:
        """A client is there: it hears the node, and may write to `outbound`, from now on."""
        self.join(client)
        where, again = self.where(client.wish), self.losses.goes_on
        self.bus.publish(ClientOpened(self.node, where, client.peer, goes_on=again))
        self.presence.opened(client)
        self.outbound.opened(client)
        greet(self, client)
        self.give_kept(client)
        if self.outbound.may_be_too_old and client.has_unread:
            client.reset("it may have written while the gateway stood still")

    def client_closed(self, client: NodeClient) -> None:
        """A client is gone. What it wrote before is sent all the same."""
        self.presence.closed(client)
        self.part(client)
        if self.running and not self._clients:
            take_leave(self, client)
        where, again = self.where(client.wish), self.losses.goes_on
        self.bus.publish(ClientClosed(self.node, where, client.peer, goes_on=again))

    # --- how they are let go -------------------------------------------------------------------

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        if self._turned_away is not None:
            self._turned_away.stop()
        self.losses.stop()
        if self._askers is not None:
            self._askers.stop("The port is closed before all was sent.")
        lost = self.outbound.stop()
        if lost:
            self.reset_clients(f"{lost} bytes for {self.node} were not sent before the port closed")
        self.node.receiver = None
        return self.close_clients(list(self._clients))

    def close_clients(self, clients: list[NodeClient]) -> Deferred[Any]:
        """Close clients in order, within a bounded time.

        @return: fires when they are gone.
        """
        for client in clients:
            client.close()
        gone = DeferredList([client.gone for client in clients])
        if not gone.called:
            timer = self.clock.callLater(CLOSE_TIMEOUT, self._abort_all, clients)
            gone.addCallback(lambda _: timer.cancel() if timer.active() else None)
        return gone

    def dismiss(self, clients: list[NodeClient], reason: str) -> None:
        """End clients: in order those of whom all has arrived and is answered.

        @param reason: for the others, a clause.
        """
        for client in clients:
            if client.is_under_way:
                client.give_way(reason)
        self.close_clients(clients)

    @staticmethod
    def _abort_all(clients: list[NodeClient]) -> None:
        for client in clients:
            client.abort()
