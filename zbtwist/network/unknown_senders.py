"""What comes from a sender of which the radio knows no 64-bit address, and we no 16-bit one.

A radio says FF…FF for the 64-bit address of a sender that is not in its own tables (90000976,
"Receive Packet"). If no node is known by the 16-bit address, whoever has it is asked who it is (SH
and SL, addressed by the 16-bit address alone), and what came is kept until that is known, by the
answer or by anything else that the node says; then it is heard again, in its order, before anything
that came later.

If there is no answer, or too much to keep, bytes of a node's stream are lost, and nobody knows of
which: `SenderUnknown` names all whose they may have been. What there is no room for is told no
sooner than what is asked in vain: until then nodes are heard under addresses of their own, and
whoever sends much under made-up ones gains nothing by it. If the sender becomes known meanwhile, it
is told at once that bytes of it are lost, before anything that came later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.network.events import SenderUnknown
from zbtwist.network.node import Node
from zbtwist.network.table import NO_NODE, NodeTable
from zbtwist.radio.errors import RadioError, RadioOffline
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee.address import (
    UNKNOWN16,
    UNKNOWN64,
    Address16,
    Address64,
    is_of_one_node,
)

#: Seconds for which what came is kept; one question may take ten.
KEEP_TIME = 20.0
#: Seconds between a question that came to nothing and the next one.
ASK_PAUSE = 1.0
#: How many senders are asked at once.
ASKED_AT_ONCE = 8
#: Seconds for which a sender that did not answer is not asked again for the sake of frames that are
#: not of a stream: devices that are no XBee never answer.
SILENT_PAUSE = 60.0

#: How many senders there may be of which something is kept, and bytes of all of them together.
MAX_SENDERS = 256
MAX_BYTES = 0x10000
#: What a frame counts beside its data, bytes.
FRAME_COST = 64

#: Seconds in which what is lost for want of room is told together.
TOGETHER = 1.0


class SentFrame(Protocol):
    """A frame that has a sender."""

    address64: Address64
    address16: Address16


@dataclass(slots=True, eq=False)
class _Sender:
    """
    @ivar since: when the first of what is kept came, seconds of the clock.
    @ivar kept: frames, each with what is to hear it again.
    @ivar stream_bytes: bytes of a stream in them.
    @ivar cost: what they count against `MAX_BYTES`.
    """

    address16: Address16
    since: float
    kept: list[tuple[Callable[[Any], None], SentFrame]] = field(default_factory=list)
    stream_bytes: int = 0
    cost: int = 0
    timer: IDelayedCall | None = None
    asking: Deferred[None] | None = None


@dataclass(slots=True, eq=False)
class _Lost:
    """What was lost for want of room within `TOGETHER`.

    @ivar since: when the first of it came, seconds of the clock.
    @ivar last: when the last of it came.
    @ivar stream_bytes: bytes of a stream, by sender. There are no more than 16-bit addresses.
    """

    since: float
    last: float
    stream_bytes: dict[Address16, int] = field(default_factory=dict)
    timer: IDelayedCall | None = None


class UnknownSenders:
    """Keeps what comes of senders that cannot be told, and asks who they are.

    @ivar lost_frames: how many frames there were of which that did not become known.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        told: Callable[[Address64, Address16], bool],
        heard_at: Callable[[Address64], float],
    ) -> None:
        """
        @param told: is told both addresses of a sender that has said who it is; returns whether it
            is a node.
        @param heard_at: returns when the one with that address was heard last, if ever.
        """
        self._told_who = told
        self._heard_at = heard_at
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._senders: dict[Address16, _Sender] = {}
        self._cost = 0
        # In the order in which it came.
        self._lost: list[_Lost] = []
        self._turns = DeferredSemaphore(ASKED_AT_ONCE)
        # Until when those who did not answer are left alone.
        self._silent: dict[Address16, float] = {}
        self.lost_frames = 0
        nodes.moved = self._located

    def stop(self) -> None:
        """Keep nothing any more."""
        for sender in list(self._senders.values()):
            self._give_up(sender)
        for lost in list(self._lost):
            self._tell(lost)

    def keep(
        self, frame: SentFrame, hear: Callable[[Any], None], data: bytes, is_stream: bool
    ) -> None:
        """Take a frame whose sender cannot be told.

        @param hear: is called with it when it can.
        @param data: what the frame carries.
        @param is_stream: whether that is data of a node's stream.
        """
        now = self._clock.seconds()
        stream_bytes = len(data) if is_stream else 0
        address16 = frame.address16
        sender = self._senders.get(address16)
        if sender is None:
            if not stream_bytes and now < self._silent.get(address16, now):
                self.lost_frames += 1
                return
            sender = _Sender(address16, now)
        cost = FRAME_COST + len(data)
        sender.kept.append((hear, frame))
        sender.stream_bytes += stream_bytes
        sender.cost += cost
        self._cost += cost
        is_new = address16 not in self._senders
        if not is_of_one_node(address16):
            # It is nobody's address, under which nobody else can be heard: what comes next of its
            # sender must find the clients told.
            self._give_up(sender)
        elif self._cost > MAX_BYTES or (is_new and len(self._senders) >= MAX_SENDERS):
            self._lose(sender, now)
        elif is_new:
            self._senders[address16] = sender
            sender.timer = self._clock.callLater(KEEP_TIME, self._no_answer, sender)
            sender.asking = self._turns.run(self._ask, sender)
            sender.asking.addErrback(self._not_told, sender)

    # --- asking --------------------------------------------------------------------------------

    def _ask(self, sender: _Sender) -> Deferred[None]:
        return Deferred.fromCoroutine(self._ask_until_told(sender))

    async def _ask_until_told(self, sender: _Sender) -> None:
        while True:
            try:
                high = await self._radio.remote_at(UNKNOWN64, "SH", b"", sender.address16)
                low = await self._radio.remote_at(UNKNOWN64, "SL", b"", sender.address16)
            except RadioOffline:
                raise
            except RadioError:
                pass
            else:
                address64 = Address64(
                    int.from_bytes(high.rjust(4, b"\0") + low.rjust(4, b"\0"), "big")
                )
                if len(high) <= 4 and len(low) <= 4 and address64 not in NO_NODE:
                    self._told(sender, address64)
                    return
            await deferLater(self._clock, ASK_PAUSE)

    def _not_told(self, failure: Failure, sender: _Sender) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(RadioOffline):
            self.log.failure("A sender could not be asked who it is", failure=failure)
        if self._senders.get(sender.address16) is sender:
            self._give_up(sender)

    def _told(self, sender: _Sender, address64: Address64) -> None:
        """The sender has said who it is."""
        # It ends by itself now.
        sender.asking = None
        facts = self._radio.facts
        if facts is not None and facts.address64 == address64:
            self._forget(sender)
            self._take_lost(sender.address16)
        elif self._heard_at(address64) >= sender.since:
            # It was heard by its 64-bit address alone since: what is kept was overtaken.
            node = self._nodes.get(address64)
            self._give_up(sender, (address64,) if node is not None else ())
            if node is not None:
                self._nodes.located(node, sender.address16)
        elif not self._told_who(address64, sender.address16):
            # It is not let in: nobody can have had what is kept.
            self._forget(sender)
            self._take_lost(sender.address16)
            self.lost_frames += len(sender.kept)

    def forget(self, address16: Address16) -> None:
        """Keep nothing of a sender any more: it is nobody's who has clients."""
        self._take_lost(address16)
        sender = self._senders.get(address16)
        if sender is not None:
            self._forget(sender)
            self.lost_frames += len(sender.kept)

    # --- the end -------------------------------------------------------------------------------

    def _located(self, node: Node) -> None:
        """A node's 16-bit address is known now: its is what is kept of that one, or was lost."""
        lost = self._take_lost(node.address16)
        if lost:
            self._nodes.bus.publish(SenderUnknown(node.address16, lost, (node.address64,)))
        sender = self._senders.get(node.address16)
        if sender is not None:
            self._forget(sender)
            for hear, frame in sender.kept:
                hear(frame)

    def _no_answer(self, sender: _Sender) -> None:
        now = self._clock.seconds()
        if len(self._silent) >= MAX_SENDERS:
            self._silent = {one: until for one, until in self._silent.items() if until > now}
        if len(self._silent) < MAX_SENDERS:
            self._silent[sender.address16] = now + SILENT_PAUSE
        self._give_up(sender)

    def _give_up(self, sender: _Sender, candidates: tuple[Address64, ...] | None = None) -> None:
        """What is kept of a sender is lost.

        @param candidates: the nodes whose it may have been; None if that is not known.
        """
        self._forget(sender)
        self.lost_frames += len(sender.kept)
        if not sender.stream_bytes:
            return
        if candidates is None:
            candidates = self._candidates(sender.since)
        self._nodes.bus.publish(SenderUnknown(sender.address16, sender.stream_bytes, candidates))

    def _candidates(self, since: float) -> tuple[Address64, ...]:
        """Return whose something may have been that came then from an address of nobody's.

        Not of one that was heard under another address after that. What is known of the others may
        be out of date, also of one that was heard by its 64-bit address alone.
        """
        return tuple(
            node.address64
            for node in self._nodes
            if node.address16 == UNKNOWN16 or node.placed_at < since
        )

    def _lose(self, sender: _Sender, now: float) -> None:
        """There is no room for what came of a sender."""
        self._forget(sender)
        self.lost_frames += len(sender.kept)
        if not sender.stream_bytes:
            return
        if not self._lost or now - self._lost[-1].since >= TOGETHER:
            self._lost.append(_Lost(now, now))
            self._lost[-1].timer = self._clock.callLater(KEEP_TIME, self._tell, self._lost[-1])
        lost = self._lost[-1]
        lost.last = now
        before = lost.stream_bytes.get(sender.address16, 0)
        lost.stream_bytes[sender.address16] = before + sender.stream_bytes

    def _take_lost(self, address16: Address16) -> int:
        """Return how many bytes of a sender were lost that nobody was told of; somebody is now."""
        return sum(lost.stream_bytes.pop(address16, 0) for lost in self._lost)

    def _tell(self, lost: _Lost) -> None:
        self._lost.remove(lost)
        if lost.timer is not None and lost.timer.active():
            lost.timer.cancel()
        if lost.stream_bytes:
            address16 = next(iter(lost.stream_bytes))
            count = sum(lost.stream_bytes.values())
            others = len(lost.stream_bytes) - 1
            who = self._candidates(lost.last)
            self._nodes.bus.publish(SenderUnknown(address16, count, who, others))

    def _forget(self, sender: _Sender) -> None:
        """Keep nothing of a sender any more."""
        if self._senders.get(sender.address16) is sender:
            del self._senders[sender.address16]
        self._cost -= sender.cost
        if sender.timer is not None and sender.timer.active():
            sender.timer.cancel()
        if sender.asking is not None:
            sender.asking.cancel()
