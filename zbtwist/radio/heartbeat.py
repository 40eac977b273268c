"""Notices a radio that has fallen silent, and one that left its network or joined it.

A half-open TCP connection or a hung USB adapter never fails by itself. So when the radio has
answered nothing for a while, neither a command nor a packet, it is asked for AI; any answer that
comes meanwhile is as good. A frame that is no answer shows that the radio is heard, but not that it
takes what it is told: one that is busy with the air is waited for somewhat longer than one that
says nothing at all, and not for ever.

AI also tells whether the radio is in a network. While it is not, it is asked every `JOIN_POLL`
seconds, since the modem status that tells of joining may be lost.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.xbee.status import ASSOCIATED

#: How often in a row the radio is asked and says nothing until it counts as silent, and the seconds
#: that each of these tries has.
TRIES = 2
TRY_TIMEOUT = 3.0
#: The seconds of all tries, of a radio that answers none and goes on to say what nodes say. They
#: grow, so that few questions are added to those that it has not come to yet.
WAITS = (TRY_TIMEOUT, TRY_TIMEOUT, 6.0, 12.0)
#: Seconds between two questions while the radio is in no network.
JOIN_POLL = 2.0
#: Seconds that do not matter: a clock's sums are not exact.
_TINY = 0.001


class Heartbeat:
    """Watches a radio whose link is up.

    @ivar seconds: without an answer until the radio is asked; 0 for never.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        coordinator: Coordinator,
        fallen_silent: Callable[[], None],
        association_changed: Callable[[int], None],
        seconds: float,
    ) -> None:
        """
        @param fallen_silent: called when the radio does not answer, whatever else it says; nothing
            is watched any more.
        @param association_changed: called with AI when the radio has joined or left, or is out for
            another reason; nothing is watched any more.
        """
        self._clock = clock
        self._coordinator = coordinator
        self._fallen_silent = fallen_silent
        self._association_changed = association_changed
        self.seconds = seconds
        self._started = 0.0
        self._association = ASSOCIATED
        self._watching: Deferred[int | None] | None = None

    def start(self, association: int, asks_now: bool = False) -> None:
        """Watch from now on.

        @param association: AI as the radio told it last.
        @param asks_now: see `ask_now`.
        """
        is_out = association == self._association != ASSOCIATED
        if self._watching is not None and is_out and not asks_now:
            # It says once more that it is in no network. When it is asked is not put off by that:
            # it may say so without end.
            return
        self.stop()
        self._started = self._clock.seconds()
        self._association = association
        self._watching = Deferred.fromCoroutine(self._watch(association, asks_now))
        self._watching.addCallbacks(self._ended, self._failed)

    def ask_now(self) -> None:
        """The radio may have been deaf: hear at once whether it is there, if it is watched. If it
        is, the coordinator is told that it is responsive.
        """
        if self._watching is not None:
            self.start(self._association, asks_now=True)

    def stop(self) -> None:
        """Watch no more."""
        if self._watching is not None:
            watching, self._watching = self._watching, None
            watching.cancel()

    @property
    def _heard_at(self) -> float:
        return max(self._started, self._coordinator.last_frame)

    def _ended(self, association: int | None) -> None:
        self._watching = None
        if association is None:
            self._fallen_silent()
        else:
            self._association_changed(association)

    def _failed(self, failure: Failure) -> None:
        self._watching = None
        if not failure.check(CancelledError):
            self.log.failure("The heartbeat has ended", failure=failure)

    async def _watch(self, association: int, asks_now: bool) -> int | None:
        """Return AI when it is another one, None when the radio is silent."""
        joined = association == ASSOCIATED
        is_doubtful = asks_now
        while True:
            if asks_now:
                asks_now = False
            elif not joined:
                await deferLater(self._clock, JOIN_POLL)
            elif not self.seconds:
                never: Deferred[None] = Deferred()
                await never
            else:
                answered_at = max(self._started, self._coordinator.last_answer)
                silence = self._clock.seconds() - answered_at
                if self.seconds - silence > _TINY:
                    await deferLater(self._clock, self.seconds - silence)
                    continue
            answer = await self._ask(association, is_doubtful)
            is_doubtful = False
            if answer != association:
                return answer

    async def _ask(self, association: int, is_deaf: bool) -> int | None:
        """Return AI; that of before if the radio does not tell, but answers; None if it is silent.

        @param is_deaf: whether the coordinator was told already that the radio may be deaf.
        """
        coordinator = self._coordinator
        began = self._clock.seconds()
        heard = self._heard_at
        silences = 0
        for seconds in WAITS:
            asked = self._clock.seconds()
            try:
                value = await coordinator.at("AI", timeout=seconds + coordinator.allowance)
                association = int.from_bytes(value, "big")
            except ATRefused:
                pass
            except RadioError:
                # A late answer of an earlier try counts, as does one to somebody else's question.
                if coordinator.last_answer <= began:
                    if self._heard_at > asked:
                        silences = 0
                        self._responds(is_deaf)
                        is_deaf = False
                        continue
                    if not is_deaf:
                        # It may have been deaf for longer. That is said before it is heard again:
                        # whatever comes then may be from behind a hole.
                        coordinator.mark_unresponsive(heard)
                        is_deaf = True
                    silences += 1
                    if silences == TRIES:
                        return None
                    continue
            self._responds(is_deaf)
            return association
        return None

    def _responds(self, was_deaf: bool) -> None:
        """The radio says something."""
        if was_deaf:
            self._coordinator.mark_responsive()
