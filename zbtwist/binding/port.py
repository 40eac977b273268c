"""A node's port and its clients.

Bytes from the node go to every client, and while there is none the last of them are kept for the
next one if the settings say so (`PortSettings.backlog`). A client that reads too slowly is bounded:
when its socket takes no more, at most `zbtwist.binding.client.MAX_UNSENT` bytes are kept for it;
then it is dropped, because the other clients and the node must not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from zbtwist.binding.asking.askers import Askers
from zbtwist.binding.client import NodeClient
from zbtwist.binding.client_events import ClientClosed, ClientOpened, ClientsEnded
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.greetings import greet, take_leave
from zbtwist.binding.listener import ListenAddress, Listener
from zbtwist.binding.losses import Losses
from zbtwist.binding.node_endpoint import NodeEndpoint
from zbtwist.binding.node_uart import NodeUart
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.places import make_room
from zbtwist.binding.port_settings import ALL, NONE, REPLY_TIMES, PortSettings
from zbtwist.binding.presence import Presence
from zbtwist.binding.send_buffer import Writer
from zbtwist.binding.stream_events import AnswersDropped, StreamBroken
from zbtwist.binding.turned_away import TurnedAway
from zbtwist.network.events import FROM_NODE, TO_NODE
from zbtwist.network.node import Node
from zbtwist.network.settings import Asks
from zbtwist.runtime.allowed import lets_in
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.shares import peer_of
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.xbee.address import Address64

#: A node that was busy less than so many seconds before an outage was in the middle of something.
IN_THE_MIDDLE = 1.0

#: Seconds that clients have to take what is buffered for them when the port closes.
CLOSE_TIMEOUT = 0.5


def _nobody(node: Address64 | str) -> NodePort | None:
    """No other node is known."""
    return None


class Noted:
    """Which ports damage, outages and retries concern. There are thousands, mostly of nodes that
    are silent and that nobody is connected to, and noise on the line must not cost a look at each.

    @ivar busy: the ports that may have something to lose; see `NodePort.has_something_to_lose`.
    @ivar awake: the ports that are new, or whose node was heard, since the radio went away the
        last time.
    @ivar closed: the ports that do not open where their clients look for them.
    @ivar portless: the ports of nodes for which there was none to give; who has waited longest is
        first.
    """

    def __init__(self) -> None:
        # Dicts keep the order, and forget a port as quickly as sets.
        self.busy: dict[NodePort, None] = {}
        self.awake: dict[NodePort, None] = {}
        self.closed: dict[NodePort, None] = {}
        self.portless: dict[NodePort, None] = {}

    def forget(self, port: NodePort) -> None:
        """It is no port any more."""
        for kept in (self.busy, self.awake, self.closed, self.portless):
            kept.pop(port, None)


class Hearer(Protocol):
    """Who hears a node."""

    def deliver(self, data: bytes, /) -> None:
        """The node says something."""


class NodePort(Service):
    """The port of one node, whether it listens at the moment or not.

    @ivar node: whose port this is.
    @ivar outbound: takes the clients' bytes.
    @ivar slot: where its clients are to find it; None if there is nowhere.
    @ivar endpoints: what else leads to it, by what the configuration says of that.
    @ivar by_hand: a person chose the slot; else the gateway did.
    @ivar problem: a sentence: why it does not listen; empty while it does.
    @ivar noted: where it puts itself down; see `Noted`.
    @ivar losses: what becomes known of what clients sent and the node did not get.
    @ivar find: returns the port of the node with that address or node identifier; None if there is
        none, or none that it can be relied on to be.
    @ivar asks: tells nodes AT commands, for clients that set the serial line; None if none may.
    @ivar drops_again: clients are being reset for what was lost, which goes on.
    @ivar bytes_received: bytes from the node.
    @ivar packets_received: packets from the node.
    @ivar bytes_unread: those of them that no client got: none was connected, and they were not
        kept.
    """

    # There are thousands, and with this many attributes each would have a dict of 1.6 KB: CPython
    # shares the keys of no more than 30.
    __slots__ = (
        "_askers",
        "_backlog",
        "_clients",
        "_deaf_since",
        "_heard",
        "_hearers",
        "_turned_away",
        "_uart",
        "_writer",
        "asks",
        "batch",
        "bus",
        "by_hand",
        "bytes_received",
        "bytes_unread",
        "clock",
        "drops_again",
        "endpoints",
        "find",
        "listener",
        "losses",
        "node",
        "noted",
        "outbound",
        "packets_received",
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
        self.noted = noted or Noted()
        self.clock = clock
        self.bus = bus
        self.batch = batch or WriteBatch()
        self.presence = presence or Presence(clock)
        self._clients: dict[NodeClient, None] = {}
        # Who is told what the node says: clients, and in place of those that ask, who knows which
        # of them it is for.
        self._hearers: dict[Hearer, None] = {}
        self._askers: Askers | None = None
        self.listener: Listener | None = None
        self.node = node
        self.outbound = outbound
        self.slot: ListenAddress | None = None
        self.endpoints: dict[EndpointWish, NodeEndpoint] = {}
        self.by_hand = False
        self.problem = ""
        self.bytes_received = 0
        self.packets_received = 0
        self.bytes_unread = 0
        self._backlog = bytearray()
        self.losses = Losses(clock, node, bus)
        self.asks: Asks | None = None
        self._uart: NodeUart | None = None
        self.drops_again = False
        # Of most ports there are none.
        self._turned_away: TurnedAway | None = None
        # Who alone may write, if only the first one may.
        self._writer: NodeClient | None = None
        self._heard = float("-inf")
        self.find: Callable[[Address64 | str], NodePort | None] = _nobody
        # Since when the radio may have missed what the node said; None if it does not.
        self._deaf_since: float | None = None
        node.receiver = self.deliver
        outbound.lost = self._bytes_lost
        outbound.lost_later = self._bytes_lost_later

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    @property
    def connected(self) -> list[NodeClient]:
        """Who is connected."""
        return list(self._clients)

    @property
    def heard_at(self) -> float:
        """When the node said something last, seconds of the clock."""
        return self._heard

    @property
    def askers(self) -> Askers:
        """Whose turn it is to ask the node."""
        if self._askers is None:
            self._askers = Askers(
                self.clock, self.node, self.outbound, self._count_dropped, self._say_dropped
            )
        return self._askers

    def asker_opened(self, client: Writer) -> None:
        """A client asks this node from now on; it may be one of another node's port, or the gateway
        itself.
        """
        self.askers.joined(client)
        self._hearers[self.askers] = None
        self.noted.busy[self] = None

    def asker_closed(self, client: Writer) -> None:
        """It is gone."""
        askers = self.askers
        askers.left(client)
        self.outbound.closed(client)
        if not askers.clients:
            self._hearers.pop(askers, None)

    def _count_dropped(self, size: int) -> None:
        self.bytes_unread += size

    def _say_dropped(self, count: int) -> None:
        self.bus.publish(AnswersDropped(self.node, count))

    @property
    def kept(self) -> int:
        """Bytes that are kept for the next client."""
        return len(self._backlog)

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

    def reset_clients(self, reason: str) -> None:
        """The stream has a hole: end the connection of everybody who hears it, so that its other
        end notices. Whoever asks is told that the question is lost.

        @param reason: a sentence, for the log.
        """
        for client in list(self._clients):
            if client.is_told_of_losses and not client.asks:
                client.reset(reason)
        if self._askers is not None:
            self._askers.broken(reason)

    def may_still_answer(self, since: float) -> bool:
        """Whether the answer to what a client said may still come.

        @param since: when all of that had arrived, seconds of the clock.
        """
        settings, now = self.outbound.settings, self.clock.seconds()
        return (
            # What is kept for the next client must not be given to one that is gone.
            not settings.backlog
            and now - max(self._heard, since) < settings.reply_time
            and now - since < settings.reply_time * REPLY_TIMES
        )

    def was_busy_since(self, moment: float) -> bool:
        """Whether bytes came from the node at that moment of the clock or later; or, if it is one
        that says something at all, went to it: they may have been a question.
        """
        heard = self._heard
        return heard >= moment or (heard > float("-inf") and self.outbound.last_delivery >= moment)

    def radio_is_deaf(self, since: float) -> None:
        """What the node says is missed from now on.

        @param since: from when on it may have been missed.
        """
        # What is noticed later may have begun sooner.
        self._deaf_since = since if self._deaf_since is None else min(since, self._deaf_since)
        self.node.receiver = self._deliver_after_outage

    def radio_is_heard(self) -> None:
        """The outage is over: reset the clients if the node may have said something in it.

        If it was busy as shortly before the outage as that was long, it is taken to have been in
        the middle of something. Nobody else's clients are concerned.
        """
        since, self._deaf_since = self._deaf_since, None
        if since is None:
            return
        self.node.receiver = self.deliver
        outage = self.clock.seconds() - since
        if self.was_busy_since(since - max(outage, IN_THE_MIDDLE)):
            self.interrupted(
                f"The radio was away for {outage:.1f} s, and bytes of {self.node} may be lost"
            )

    def _deliver_after_outage(self, data: bytes) -> None:
        """The node is heard before the radio is set up again."""
        self.noted.awake[self] = None
        self.radio_is_heard()
        self.deliver(data)

    def stood_still(self, seconds: float) -> None:
        """The gateway stood still: reset the clients whose bytes have waited for too long in it,
        or in their sockets.

        @param seconds: for how long.
        """
        if self.outbound.stood_still(seconds):
            for client in list(self._clients):
                if client.has_unread:
                    client.reset(f"the gateway stood still for {seconds:.1f} s")

    @property
    def has_something_to_lose(self) -> bool:
        """Whether a hole in the node's stream is one in what somebody reads, or will."""
        return bool(self._hearers or self._backlog or self.outbound.buffered)

    def interrupted(self, reason: str, cause: str = "") -> None:
        """Bytes of the node may have been lost: nobody may take what follows for the next byte.

        @param reason: a sentence, for the log.
        @param cause: what of it stands behind what is said of bytes to the node that are lost by
            it, where the sentence itself is about lost bytes; empty for all of it.
        """
        self.bytes_unread += len(self._backlog)
        self._backlog.clear()
        for endpoint in self.endpoints.values():
            endpoint.interrupted()
        self.bus.publish(StreamBroken(self.node, FROM_NODE, None, reason))
        self._break_stream(reason, cause)

    def _break_stream(self, reason: str, cause: str = "") -> None:
        """Reset the clients, and drop what they sent and is not on its way.

        @param reason: a sentence.
        @param cause: see `interrupted`.
        """
        if self.outbound.buffered:
            self.outbound.break_stream(cause or reason)
        else:
            self.outbound.leave_in_the_air()
            self.reset_clients(reason)

    def _bytes_lost(self, lost: int, why: str) -> None:
        """Bytes of clients did not come to the node."""
        self.losses.happened(lost, why)
        broken = StreamBroken(self.node, TO_NODE, lost, why, self.losses.goes_on)
        self.bus.publish(broken)
        self.drops_again = self.losses.goes_on
        self.reset_clients(str(broken))
        self.drops_again = False

    def _bytes_lost_later(self, lost: int, why: str) -> None:
        """Bytes of clients that were reset did not come to the node either."""
        self.losses.happened(lost, why, is_break=False)
        self.bus.publish(StreamBroken(self.node, TO_NODE, lost, why, self.losses.goes_on))

    @staticmethod
    def _abort_all(clients: list[NodeClient]) -> None:
        for client in clients:
            client.abort()

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

    def lets_write(self, client: NodeClient) -> bool:
        """Whether a client's bytes are for the node; see `PortSettings.writers`. If only those of
        the first are, and there is none, it is the first from now on.
        """
        may_write = self.may_write(client)
        if may_write and self.outbound.settings.writers != ALL:
            self._writer = client
        return may_write

    def may_write(self, client: NodeClient) -> bool:
        """Whether a client's bytes would be for the node now."""
        writers, writer = self.outbound.settings.writers, self._writer
        if writers in (ALL, NONE):
            return writers == ALL
        return writer is None or writer is client or writer.writes_no_more

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

    def client_opened(self, client: NodeClient) -> None:
        """A client is there: it hears the node, and may write to `outbound`, from now on."""
        self._clients[client] = None
        self.noted.busy[self] = None
        if client.asks:
            self.asker_opened(client)
        else:
            self._hearers[client] = None
        where, again = self.where(client.wish), self.losses.goes_on
        self.bus.publish(ClientOpened(self.node, where, client.peer, goes_on=again))
        self.presence.opened(client)
        self.outbound.opened(client)
        greet(self, client)
        if self._backlog:
            kept, self._backlog = self._backlog, bytearray()
            client.deliver(bytes(kept))
        if self.outbound.may_be_too_old and client.has_unread:
            client.reset("it may have written while the gateway stood still")

    def hear(self, hearer: Hearer) -> None:
        """Have somebody hear the node who is no client."""
        self._hearers[hearer] = None
        self.noted.busy[self] = None

    def hear_no_more(self, hearer: Hearer) -> None:
        """End that."""
        self._hearers.pop(hearer, None)

    def left_unread(self, client: NodeClient, lost: int) -> None:
        """A client is ended by the gateway, with bytes that it has sent and that were not read."""
        self.outbound.bytes_lost += lost
        why = f"client {client.peer} was ended before they were read."
        self.bus.publish(StreamBroken(self.node, TO_NODE, lost, why, self.losses.goes_on))

    def client_closed(self, client: NodeClient) -> None:
        """A client is gone. What it wrote before is sent all the same."""
        self._clients.pop(client, None)
        self.presence.closed(client)
        if self._writer is client:
            self._writer = None
        self._hearers.pop(client, None)
        if client.asks:
            self.asker_closed(client)
        else:
            self.outbound.closed(client)
        if self.running and not self._clients:
            take_leave(self, client)
        where, again = self.where(client.wish), self.losses.goes_on
        self.bus.publish(ClientClosed(self.node, where, client.peer, goes_on=again))

    def deliver(self, data: bytes) -> None:
        """Send bytes of the node to every client."""
        self.bytes_received += len(data)
        self.packets_received += 1
        self._heard = self.clock.seconds()
        hearers = self._hearers
        if not hearers:
            self._keep(data)
        elif len(hearers) == 1:
            for hearer in hearers:
                hearer.deliver(data)
                break
        else:
            # A client may be dropped on the way.
            for hearer in list(hearers):
                hearer.deliver(data)

    def _keep(self, data: bytes) -> None:
        """Keep the last bytes for the next client, as many as the settings allow."""
        backlog = self._backlog
        backlog += data
        surplus = len(backlog) - self.outbound.settings.backlog
        if surplus > 0:
            del backlog[:surplus]
            self.bytes_unread += surplus
        if backlog:
            self.noted.busy[self] = None
