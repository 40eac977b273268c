"""A node's stream: who hears the node, and who writes to it.

Bytes from the node go to every client, and while there is none the last of them are kept for the
next one if the settings say so (`PortSettings.backlog`). A client that reads too slowly is bounded:
when its socket takes no more, at most `zbtwist.binding.client.MAX_UNSENT` bytes are kept for it;
then it is dropped, because the other clients and the node must not wait for it.

Where bytes may be missing, either way, the stream is broken: nobody may take what follows for the
next byte, and a stream has one way to say so, which is that it ends. Clients are reset.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from zbtwist.binding.asking.askers import Askers
from zbtwist.binding.client import NodeClient
from zbtwist.binding.losses import Losses
from zbtwist.binding.noted import Noted
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port_settings import ALL, NONE, REPLY_TIMES
from zbtwist.binding.send_buffer import Writer
from zbtwist.binding.stream_events import AnswersDropped, StreamBroken
from zbtwist.network.events import FROM_NODE, TO_NODE
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus

#: A node that was busy less than so many seconds before an outage was in the middle of something.
IN_THE_MIDDLE = 1.0


class Hearer(Protocol):
    """Who hears a node."""

    def deliver(self, data: bytes, /) -> None:
        """The node says something."""


class NodeStream:
    """The bytes from and to one node, without where its clients come in.

    @ivar node: whose they are.
    @ivar outbound: takes the clients' bytes.
    @ivar noted: where it puts itself down; see `Noted`.
    @ivar losses: what becomes known of what clients sent and the node did not get.
    @ivar drops_again: clients are being reset for what was lost, which goes on.
    @ivar bytes_received: bytes from the node.
    @ivar packets_received: packets from the node.
    @ivar bytes_unread: those of them that no client got: none was connected, and they were not
        kept.
    """

    # There are thousands, and with as many attributes as a port has each would have a dict of
    # 1.6 KB: CPython shares the keys of no more than 30.
    __slots__ = (
        "_askers",
        "_backlog",
        "_clients",
        "_deaf_since",
        "_hearer",
        "_hearers",
        "_writer",
        "bus",
        "bytes_received",
        "bytes_unread",
        "clock",
        "drops_again",
        "losses",
        "node",
        "noted",
        "outbound",
        "packets_received",
    )

    def __init__(
        self, clock: IReactorTime, node: Node, outbound: Outbound, bus: EventBus, noted: Noted
    ) -> None:
        """
        @param bus: is told what happens to the stream.
        @param noted: the `Noted` of all ports.
        """
        self.noted = noted
        self.clock = clock
        self.bus = bus
        self._clients: dict[NodeClient, None] = {}
        # Who is told what the node says: clients, and in place of those that ask, who knows which
        # of them it is for.
        self._hearers: dict[Hearer, None] = {}
        # The only one; None if there are more, or none.
        self._hearer: Hearer | None = None
        self._askers: Askers | None = None
        self.node = node
        self.outbound = outbound
        self.bytes_received = 0
        self.packets_received = 0
        self.bytes_unread = 0
        self._backlog = bytearray()
        self.losses = Losses(clock, node, bus)
        self.drops_again = False
        # Who alone may write, if only the first one may.
        self._writer: NodeClient | None = None
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

    # --- who hears the node --------------------------------------------------------------------

    def join(self, client: NodeClient) -> None:
        """A client hears the node, and may write to `outbound`, from now on."""
        self._clients[client] = None
        if client.asks:
            self.asker_opened(client)
        else:
            self.hear(client)

    def part(self, client: NodeClient) -> None:
        """It is gone. What it wrote before is sent all the same."""
        self._clients.pop(client, None)
        if self._writer is client:
            self._writer = None
        self.hear_no_more(client)
        if client.asks:
            self.asker_closed(client)
        else:
            self.outbound.closed(client)

    def deliver(self, data: bytes) -> None:
        """Send bytes of the node to every client."""
        hearer = self._hearer
        # Who waits for the bytes has them before they are counted.
        if hearer is not None:
            hearer.deliver(data)
        elif self._hearers:
            # A client may be dropped on the way.
            for hearer in list(self._hearers):
                hearer.deliver(data)
        else:
            self._keep(data)
        self.bytes_received += len(data)
        self.packets_received += 1

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

    @property
    def kept(self) -> int:
        """Bytes that are kept for the next client."""
        return len(self._backlog)

    def hear(self, hearer: Hearer) -> None:
        """Have somebody hear the node: a client, or who is none."""
        self._hearers[hearer] = None
        self._hearers_changed()
        self.noted.busy[self] = None

    def hear_no_more(self, hearer: Hearer) -> None:
        """End that."""
        self._hearers.pop(hearer, None)
        self._hearers_changed()

    def _hearers_changed(self) -> None:
        self._hearer = next(iter(self._hearers)) if len(self._hearers) == 1 else None

    @property
    def heard_at(self) -> float:
        """When the node said something last, seconds of the clock."""
        return self.node.data_at

    def may_still_answer(self, since: float) -> bool:
        """Whether the answer to what a client said may still come.

        @param since: when all of that had arrived, seconds of the clock.
        """
        settings, now = self.outbound.settings, self.clock.seconds()
        return (
            # What is kept for the next client must not be given to one that is gone.
            not settings.backlog
            and now - max(self.node.data_at, since) < settings.reply_time
            and now - since < settings.reply_time * REPLY_TIMES
        )

    def was_busy_since(self, moment: float) -> bool:
        """Whether bytes came from the node at that moment of the clock or later; or, if it is one
        that says something at all, went to it: they may have been a question.
        """
        heard = self.node.data_at
        return heard >= moment or (heard > float("-inf") and self.outbound.last_delivery >= moment)

    def give_kept(self, client: NodeClient) -> None:
        """Give a client what was kept for the next one."""
        if self._backlog:
            kept, self._backlog = self._backlog, bytearray()
            client.deliver(bytes(kept))

    # --- who writes to it ----------------------------------------------------------------------

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

    def left_unread(self, client: NodeClient, lost: int) -> None:
        """A client is ended by the gateway, with bytes that it has sent and that were not read."""
        self.outbound.bytes_lost += lost
        why = f"client {client.peer} was ended before they were read."
        self.bus.publish(StreamBroken(self.node, TO_NODE, lost, why, self.losses.goes_on))

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

    # --- who asks it ---------------------------------------------------------------------------

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
        self.hear(self.askers)

    def asker_ended(self, client: Writer) -> None:
        """A client that asks this node has ended its side; it may be said more than once."""
        self.askers.ended(client)

    def asker_closed(self, client: Writer) -> None:
        """It is gone."""
        askers = self.askers
        askers.left(client)
        self.outbound.closed(client)
        if not askers.clients:
            self.hear_no_more(askers)

    def _count_dropped(self, size: int) -> None:
        self.bytes_unread += size

    def _say_dropped(self, count: int) -> None:
        self.bus.publish(AnswersDropped(self.node, count))

    # --- holes in it ---------------------------------------------------------------------------

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
