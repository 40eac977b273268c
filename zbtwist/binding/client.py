"""A client of a node's port: what all have in common, whatever they are behind.

That is who hears and writes: that a client that reads too slowly is bounded, that one
which has ended its side is kept for what is still to come, and what is said of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from zbtwist.binding.asking.conversation import Conversation
from zbtwist.binding.client_events import ClientDropped, ClientIdle, ClientIgnored
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.port_protocol import PortProtocol, Raw
from zbtwist.binding.protocols import PROTOCOLS

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort
    from zbtwist.binding.port_settings import PortSettings

#: Bytes kept for a client whose socket takes no more, on top of what the socket's own buffers hold.
MAX_UNSENT = 262144

#: Seconds between two looks whether a client that has ended its side may be let go.
REPLY_POLL = 0.1


class NodeClient:
    """Who hears a node and writes to it: to the node's `Outbound` it is a writer.

    A subclass says how bytes come to the other end (`send`), how it is held (`pause`, `resume`)
    and how it ends (`close`, `cut`, `abort`). It calls `attach` when the other end is there, and
    `detach` when it is gone; `received` with its bytes; it sets `blocked` while its buffers take no
    more, and calls `drained` when they are empty again.

    @cvar is_raw: its bytes are the node's, whatever protocol the port speaks.
    @cvar is_told_of_losses: it is reset when bytes of the stream are lost.
    @ivar protocol: what it speaks, a name of `PROTOCOLS`; None for what its node's port does.
    @ivar wish: the endpoint by which it came; None for the port itself.
    @ivar peer: who it is, for the log.
    @ivar opened_at: since when it is there, seconds of the clock.
    @ivar wrote_at: when it wrote last, or came; it is noted only while that matters.
    @ivar bytes_ignored: what it wrote and may not write: see `PortSettings.writers`.
    @ivar share: with whom it shares places and turns, see `zbtwist.runtime.shares.peer_of`.
    @ivar blocked: the other end takes no more at the moment: what is written has to wait.
    @ivar has_ended: it writes no more, and is only waiting for what is still to come.
    @ivar has_left: it hears no more, and is only there until all that it had sent is read.
    @ivar has_written: it has sent something: there may be an answer.
    @ivar gone: fires when it will neither hear nor write any more.
    @ivar received: takes what the other end sends.
    @ivar deliver: takes bytes of the node; does not block, and keeps a bounded number of them.
    """

    peer = "?"
    share = ""
    has_ended = False
    has_left = False
    has_written = False
    is_raw = False
    is_told_of_losses = True
    protocol: str | None = None
    wish: EndpointWish | None = None
    blocked = False

    gone: Deferred[None]

    def __init__(self) -> None:
        self._port: NodePort | None = None
        self.opened_at = self.wrote_at = 0.0
        self.bytes_ignored = 0
        self._protocol: PortProtocol | None = None
        self._conversation: Conversation | None = None
        self._unsent = 0
        self._ending: IDelayedCall | None = None
        # When all that it had sent had arrived, after it had ended its side; None before.
        self._arrived_at: float | None = None

    # --- for a subclass to say -----------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send bytes to the other end."""
        raise NotImplementedError

    def pause(self) -> None:
        """Read no more of the other end until `resume`."""
        raise NotImplementedError

    def resume(self) -> None:
        """Read again."""
        raise NotImplementedError

    def close(self) -> None:
        """The port goes away: pass on what is buffered, then end, soon."""
        raise NotImplementedError

    def leave(self, reason: str) -> None:
        """Nothing passes: end in good order. `reason` is a clause."""
        self.close()

    def cut(self, reason: str) -> None:
        """End at once, so that the other end notices. `reason` is a clause."""
        raise NotImplementedError

    def abort(self) -> None:
        """End at once."""
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether it is about to be gone."""
        raise NotImplementedError

    @property
    def writes_no_more(self) -> bool:
        """Whether it has ended its side, or is gone."""
        return self.has_ended or self.has_left or self._port is None

    @property
    def was_called(self) -> bool:
        """Whether the gateway has connected itself to it, as the configuration says."""
        return self.wish is not None and self.wish.connects

    @property
    def unread(self) -> int:
        """Bytes that the other end has sent and that were not read, as far as is known."""
        return 0

    @property
    def buffered(self) -> int:
        """Bytes that wait for the other end, at the most."""
        return self._unsent

    @property
    def has_unread(self) -> bool:
        """Whether something may have come that was not read."""
        return self.unread > 0

    @property
    def unanswered_for(self) -> float:
        """For how many seconds its system owes an answer, as far as is known."""
        return 0.0

    # --- what is common ------------------------------------------------------------------------

    def attach(self, port: NodePort) -> None:
        """The other end is there: hear the node from now on."""
        self._port = port
        self.opened_at = self.wrote_at = port.clock.seconds()
        if port.outbound.settings.turns and not self.is_raw:
            self._conversation = Conversation(self, port.askers)
        make = Raw if self.is_raw else PROTOCOLS[self.protocol or port.outbound.settings.protocol]
        self._protocol = make(self._way_to_node(port), self.write)
        self._protocol.started(self, port)
        self.received = self._protocol.from_client
        self.deliver = self._protocol.from_node
        port.client_opened(self)

    def _way_to_node(self, port: NodePort) -> Callable[[bytes], None]:
        """Return what takes its bytes: the way itself, unless it matters who writes or when."""
        conversation = self._conversation
        way: Callable[[bytes], None] = partial(port.outbound.write, self)
        if conversation is not None:
            way = conversation.write
        if port.outbound.settings.minds_who_writes:
            return partial(self._write_if_it_may, way)
        return way

    def _write_if_it_may(self, way: Callable[[bytes], None], data: bytes) -> None:
        if self.may_write(len(data)):
            way(data)

    def may_write(self, size: int) -> bool:
        """Whether it may write: what it may not write is counted, and said once.

        @param size: bytes.
        """
        port = self._port
        if port is None:
            return False
        if not port.outbound.settings.minds_who_writes:
            return True
        self.wrote_at = port.clock.seconds()
        if port.lets_write(self):
            return True
        if not self.bytes_ignored:
            writers = port.outbound.settings.writers
            port.bus.publish(ClientIgnored(port.node, port.where(self.wish), self.peer, writers))
        self.bytes_ignored += size
        return False

    def settings_changed(self) -> None:
        """The settings of the port are others."""
        if self._port is not None and self._protocol is not None:
            # When it wrote before need not have been noted.
            self.wrote_at = self._port.clock.seconds()
            self._protocol.lead_to(self._way_to_node(self._port))
            self.received = self._protocol.from_client

    def manner(self, settings: PortSettings) -> tuple[str, bool]:
        """Return the protocol that it speaks by these settings, and whether it takes turns."""
        if self.is_raw:
            return "", False
        return self.protocol or settings.protocol, settings.turns

    @property
    def asks(self) -> bool:
        """Whether it asks the node, and hears the answers to that alone; else it hears all."""
        is_of_protocol = self._protocol is not None and not self._protocol.hears_all
        return is_of_protocol or self._conversation is not None

    @property
    def is_under_way(self) -> bool:
        """Whether something that it sent has not come to the node, or is to be answered."""
        return (
            (self._port is not None and self._port.outbound.has_bytes_of(self))
            or (self._protocol is not None and self._protocol.is_busy)
            or (self._conversation is not None and self._conversation.is_busy)
        )

    @property
    def is_held_back(self) -> bool:
        """Whether it is paused, and will be resumed, by who takes its bytes."""
        return (self._port is not None and self._port.outbound.holds_back(self)) or (
            self._conversation is not None and self._conversation.is_paused
        )

    def detach(self) -> None:
        """The other end is gone."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        port, self._port = self._port, None
        if port is not None:
            port.client_closed(self)
        if self._protocol is not None:
            self._protocol.ended()

    def write(self, data: bytes) -> None:
        """Send bytes to the other end, unless too many wait for it already."""
        if not (self.is_over or self.has_left or (self.blocked and self._is_too_slow(len(data)))):
            self.send(data)

    def drained(self) -> None:
        """The other end has taken everything."""
        self._unsent = 0

    def _is_too_slow(self, size: int) -> bool:
        """Count bytes that are about to wait for the other end. If they are too many it is reset,
        and what it wrote and was not sent goes with it.
        """
        self._unsent += size
        if self._unsent > MAX_UNSENT:
            # It may have taken some of it meanwhile.
            self._unsent = min(self._unsent, self.buffered + size)
        if self._unsent <= MAX_UNSENT or self._port is None:
            return False
        self._port.outbound.discard(self)
        self.reset(f"it reads too slowly, {self._unsent} bytes wait for it")
        return True

    def reset(self, reason: str) -> None:
        """Bytes are lost: end at once, so that the other end notices.

        @param reason: a sentence.
        """
        port = self._port
        if port is None or self.is_over:
            return
        reason = reason.rstrip(".")
        where, again = port.where(self.wish), port.drops_again
        port.bus.publish(ClientDropped(port.node, where, self.peer, reason, goes_on=again))
        self.cut(reason)

    def give_way(self, reason: str) -> None:
        """It is reset for a reason of its own, and what it wrote and was not sent is dropped.

        @param reason: a clause.
        """
        if self._port is not None:
            self._port.outbound.discard(self)
        self.reset(reason)

    def silent_for(self, now: float) -> float:
        """Return for how many seconds it has written nothing."""
        return now - self.wrote_at

    def next_look(self, now: float) -> float:
        """End it if it is not there any more, or nothing has passed for too long.

        @param now: seconds of the clock.
        @return: in how many seconds that may be so.
        """
        port = self._port
        if port is None or self.is_over:
            return inf
        settings, silence = port.outbound.settings, self.unanswered_for
        if silence and settings.keepalive_time and silence >= settings.keepalive.in_all:
            self.reset(f"its computer has not answered for {silence:.0f} s")
        elif settings.idle_timeout and not (self.was_called or self.has_ended or self.has_left):
            left = settings.idle_timeout - (now - max(self.wrote_at, port.heard_at))
            if left > 0:
                return left
            # What it wrote may still be lost, and then it is to be told.
            if not self.is_under_way:
                seconds = settings.idle_timeout
                port.bus.publish(ClientIdle(port.node, port.where(self.wish), self.peer, seconds))
                self.leave(f"nothing has passed for {seconds:g} s")
        return inf

    def end_when_all_is_said(self) -> None:
        """The other end writes no more. It is kept until what it sent has arrived, so that it can
        be reset if that is lost, and then for the answer: see `NodePort.may_still_answer`.
        """
        self.has_ended = True
        self._ending = None
        port = self._port
        if port is None or self.is_over:
            return
        port.outbound.ended(self)
        if self.asks:
            port.asker_ended(self)
        if self._protocol is not None:
            self._protocol.client_ended()
        if self._arrived_at is None and not self.is_under_way:
            self._arrived_at = port.clock.seconds()
        if self._arrived_at is None or (
            self.has_written and port.may_still_answer(self._arrived_at)
        ):
            self._ending = port.clock.callLater(REPLY_POLL, self.end_when_all_is_said)
        else:
            self.close()
