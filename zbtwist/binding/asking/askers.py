"""Whose turn it is to ask a node: one question at a time, of all clients that ask it.

A node's device answers one question after the other, and says to nobody in particular what it says.
So a client that asks waits for its turn, and what the node says from then on is its own until the
question is settled. Clients take turns, a question each. What comes while nobody asks, or is no
answer to what is asked, is thrown away and counted: a late answer must not be taken for that to the
next question.

A client that has ended its side may wait for its answer, or be gone: most programs that close say
no more than that. So it asks when nobody wants to who writes still, and keeps none of them waiting
for long; and those of one address that have ended, of which there may be many, take one turn
together.

Where it can be told which questions an answer may belong to, one that was not answered in time
holds up those that its late answer could be mistaken for, and no others; see
`zbtwist.binding.asking.question.Question.is_confused_with`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import chain
from math import inf
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.binding.asking.question import Question
from zbtwist.network.node import Node
from zbtwist.runtime.early import EARLY
from zbtwist.runtime.repeats import Repeats
from zbtwist.xbee.devices import END_DEVICE

if TYPE_CHECKING:
    from zbtwist.binding.outbound import Outbound
    from zbtwist.binding.send_buffer import Writer

#: Seconds that an answer is waited for by default, since the question has arrived: the node's
#: radio sends an answer that was not acknowledged again after 1.6 s (90001539, "Unicast timeout").
REPLY_TIMEOUT = 3.0

#: The same for an end device, which may fall asleep in between.
END_DEVICE_TIMEOUT = 5.0

#: Bytes of the longest question and its answer, for the time that they take on the node's line.
LINE_BYTES = 512

#: Seconds that a node has for the answer to a client that has left, or that has ended its side
#: while others wait, since it has the question or has last said something: two that talk at the
#: same time on one line would spoil both. Many masters wait as long themselves, so that whoever
#: asks after one of them has given up need not wait.
LEFT_TIMEOUT = 1.0

#: Seconds for which an answer may still come that did not come in time; or as long as it had, where
#: that is longer. The node's radio tries a packet three times, 1.6 s apart, and the next one then.
LATE_TIME = 3.0

#: Questions of one client that wait; more are refused.
MAX_QUESTIONS = 16

#: Questions without an answer that are remembered, since it may come late.
MAX_OWED = 64

#: Bytes of the node that are kept to tell whether they are a late answer.
MAX_STRAY = 512


class Askers:
    """All that ask one node.

    @ivar clients: they; whoever is not among them hears all that the node says.
    """

    def __init__(
        self,
        clock: IReactorTime,
        node: Node,
        outbound: Outbound,
        dropped: Callable[[int], object],
        say_dropped: Callable[[int], None],
    ) -> None:
        """
        @param outbound: the way to the node.
        @param dropped: called with the number of bytes that were no answer to what was asked.
        @param say_dropped: called with how often there were some, since it was called last; once a
            minute at the most after the first time.
        """
        self._clock = clock
        self._node = node
        self._outbound = outbound
        self._dropped = dropped
        self._drops = Repeats(clock, say_dropped)
        self.clients: dict[Writer, None] = {}
        # Those that wait for their turn, by who asks: whose turn is next comes first.
        self._waiting: dict[Writer, deque[Question]] = {}
        self._current: Question | None = None
        self._has_arrived = False
        # When the node got the current question, or has last said something since.
        self._active_at = 0.0
        # When the current question has no more time; or, while there is none, when one of those
        # that wait may be asked.
        self._timer: IDelayedCall | None = None
        # Until when answers to questions may come late, the oldest question first.
        self._owed: dict[Question, float] = {}
        self._stray = b""
        self._going = False
        outbound.tell_arrivals(self._arrived)

    # --- what clients do -----------------------------------------------------------------------

    def joined(self, client: Writer) -> None:
        """A client is there that asks."""
        self.clients[client] = None

    def left(self, client: Writer) -> None:
        """It is gone, and so are its questions. What has arrived is being answered: that is still
        waited for, but not for long.
        """
        self.clients.pop(client, None)
        self._waiting.pop(client, None)
        current = self._current
        if current is None or current.client is not client:
            return
        self._outbound.discard(client)
        if not (self._has_arrived or self._outbound.has_bytes_of(client)):
            self._end()
            self._go_on()
        elif self._has_arrived:
            self._hurry()
        elif self._timer is None or self._timer.getTime() > self._clock.seconds() + LEFT_TIMEOUT:
            self._wait(LEFT_TIMEOUT)

    def ended(self, client: Writer) -> None:
        """It has ended its side, and may be gone; it may be said more than once."""
        current = self._current
        if current is not None and current.client is client:
            self._hurry()

    def ask(self, question: Question) -> bool:
        """Have a question asked when its turn comes, which may be at once.

        @return: False if its client has too many that wait.
        """
        questions = self._waiting.setdefault(question.client, deque())
        if len(questions) >= MAX_QUESTIONS:
            return False
        question.asked_at = self._clock.seconds()
        questions.append(question)
        self._go_on()
        self._hurry()
        return True

    def withdraw(self, question: Question) -> bool:
        """A question is not to be asked any more.

        @return: whether it was still waiting for its turn.
        """
        questions = self._waiting.get(question.client)
        if questions is None or question not in questions:
            return False
        questions.remove(question)
        if not questions:
            del self._waiting[question.client]
        return True

    def others_wait(self, client: Writer) -> bool:
        """Whether somebody else waits for a turn."""
        return len(self._waiting) > (client in self._waiting)

    # --- what questions do ---------------------------------------------------------------------

    def send(self, question: Question, data: bytes, is_whole: bool = False) -> None:
        """Send a question to the node; `Question.lost` may be called meanwhile.

        @param is_whole: see `zbtwist.binding.outbound.Outbound.write`.
        """
        if self._current is question:
            self._has_arrived = False
            self._stop_waiting()
            self._outbound.write(question.client, data, is_whole)
            is_gone = self._current is question and not (
                self._has_arrived or self._outbound.has_bytes_of(question.client)
            )
            if is_gone:
                # The way takes nothing any more.
                self.broken("The node's port is closed.")

    def settled(self, question: Question) -> None:
        """A question is answered, or needs no answer."""
        if question is self._current:
            self._end()
            self._go_on()

    def wait(self, question: Question, seconds: float) -> None:
        """Let a question have no more than so many seconds from now on."""
        if question is self._current:
            self._wait(seconds)

    def has_arrived(self, question: Question) -> bool:
        """Whether the node has a question."""
        return question is self._current and self._has_arrived

    @property
    def now(self) -> float:
        """Seconds of the clock."""
        return self._clock.seconds()

    @property
    def reply_silence(self) -> float:
        """Seconds of silence that end an answer of which nothing else tells the end."""
        return self._outbound.settings.reply_silence

    @property
    def longest_wait(self) -> float:
        """Seconds that a question waits for its turn: a device must not get an old command."""
        settings = self._outbound.settings
        return settings.sleep if self._node.role == END_DEVICE else settings.outage

    @property
    def reply_timeout(self) -> float:
        """Seconds that an answer is waited for, since the question has arrived."""
        timeout = self._outbound.settings.reply_timeout
        if timeout is not None:
            return timeout
        usual = END_DEVICE_TIMEOUT if self._node.role == END_DEVICE else REPLY_TIMEOUT
        return usual + LINE_BYTES / self._outbound.line.known_rate

    # --- what the node, and the way to it, do --------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """The node says something."""
        if self._current is None:
            self.drop(data)
        else:
            self._active_at = self._clock.seconds()
            self._current.heard(data)

    def drop(self, data: bytes) -> None:
        """What the node has said is no answer to what is asked. It may be a late one, which is
        waited for no more then.
        """
        if not data:
            return
        self._dropped(len(data))
        self._drops.happened()
        if self._owed:
            self._stray = (self._stray + data)[-MAX_STRAY:]
            for question in self._owed:
                if question.is_answered_by(self._stray):
                    del self._owed[question]
                    self._stray = b""
                    self._go_on()
                    break

    def _arrived(self, writer: object) -> None:
        """The node has a packet of a writer."""
        current = self._current
        if (
            current is not None
            and writer is current.client
            and not (self._has_arrived or self._outbound.has_bytes_of(current.client))
        ):
            self._has_arrived = True
            self._active_at = self._clock.seconds()
            self._wait(current.patience(self.reply_timeout))
            self._hurry()

    def broken(self, why: str) -> None:
        """The way to the node has lost something: what is asked, or its answer.

        @param why: a sentence.
        """
        current = self._current
        if current is not None:
            self._owe(current)
            self._end()
            current.lost(why)
            self._go_on()

    def stop(self, why: str) -> None:
        """Ask nothing more: the port is closed.

        @param why: a sentence.
        """
        unsettled = [*chain.from_iterable(self._waiting.values())]
        self._waiting.clear()
        self._owed.clear()
        for question in unsettled:
            question.stopped(why)
        if self._current is not None:
            self._current.stopped(why)
        self._end()
        self._drops.stop()

    # --- turns ---------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Give turns while the node is free. Whoever has one may call back meanwhile."""
        if self._going:
            return
        self._going = True
        try:
            while self._current is None and self._waiting:
                self._stop_waiting()
                question = self._next()
                if question is None:
                    break
                waited = self.now - question.asked_at
                if waited > self.longest_wait:
                    question.lost(f"It has waited {waited:.0f} s for its turn, behind others.")
                    continue
                self._current = question
                self._stray = b""
                question.begin()
        finally:
            self._going = False

    def _next(self) -> Question | None:
        """Take the question whose turn it is; None if all that wait have to go on waiting."""
        now = self._clock.seconds()
        soonest = inf
        # Those that have ended their side are behind the others; the sort keeps the order of each.
        for client in sorted(self._waiting, key=self._has_ended):
            for question in self._waiting[client]:
                until = self._free_at(question, now)
                if until <= now:
                    self._take(question)
                    return question
                soonest = min(soonest, until)
        self._timer = self._clock.callLater(soonest - now, self._awake)
        return None

    def _take(self, question: Question) -> None:
        """Take a question out of those that wait. Whoever asks it is behind the others now, with
        all of its address that have ended their side if it has.
        """
        client = question.client
        behind = [client]
        if self._has_ended(client):
            share = client.share
            behind += [
                one
                for one in self._waiting
                if one is not client and one.share == share and self._has_ended(one)
            ]
        for one in behind:
            self._waiting[one] = self._waiting.pop(one)
        self.withdraw(question)

    def _has_ended(self, client: Writer) -> bool:
        """Whether a client has ended its side, or has left."""
        return client.writes_no_more or client not in self.clients

    def _hurry(self) -> None:
        """Have nobody wait for long behind what a client asks that has left, or may have."""
        current = self._current
        if current is None or not self._has_arrived or not self._has_ended(current.client):
            return
        if current.client not in self.clients or not all(map(self._has_ended, self._waiting)):
            seconds = max(0.0, self._active_at + LEFT_TIMEOUT - self._clock.seconds())
            if self._timer is None or self._timer.getTime() > self._clock.seconds() + seconds:
                self._wait(seconds)

    def _free_at(self, question: Question, now: float) -> float:
        """Return when no late answer can be mistaken for that to a question any more."""
        free = now
        for owed, until in list(self._owed.items()):
            if until <= now + EARLY:
                del self._owed[owed]
            elif owed.is_confused_with(question):
                free = max(free, until)
        return free

    def _awake(self) -> None:
        self._timer = None
        self._go_on()

    def _end(self) -> None:
        self._current = None
        self._has_arrived = False
        self._stop_waiting()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.reset(seconds)
        else:
            self._timer = self._clock.callLater(seconds, self._too_late)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        current = self._current
        assert current is not None
        self._owe(current)
        self._end()
        current.not_answered()
        self._go_on()

    def _owe(self, question: Question) -> None:
        """The answer to a question may still come."""
        if question.comes_late:
            if len(self._owed) >= MAX_OWED:
                del self._owed[next(iter(self._owed))]
            timeout = self.reply_timeout
            late = max(LATE_TIME, timeout)
            if self._has_ended(question.client):
                # It may not have been waited for as long as others are.
                late += timeout
            self._owed[question] = self._clock.seconds() + late
