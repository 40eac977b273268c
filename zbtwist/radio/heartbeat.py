"""Notices a radio that has fallen silent, and one that left its network or joined it.

A half-open TCP connection or a hung USB adapter never fails by itself. So when no frame has come
for a while, the radio is asked for AI; any frame that comes meanwhile is as good as the answer. AI
also tells whether the radio is in a network. While it is not, it is asked every `JOIN_POLL`
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

#: How often the radio is asked before it counts as silent, and the seconds that each try has.
TRIES = 2
TRY_TIMEOUT = 3.0
#: Seconds between two questions while the radio is in no network.
JOIN_POLL = 2.0
#: Seconds that do not matter: a clock's sums are not exact.
_TINY = 0.001


class Heartbeat:
    """Watches a radio whose link is up.

    @ivar seconds: of silence until the radio is asked; 0 for never.
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
        @param fallen_silent: called when the radio does not answer; nothing is watched any more.
        @param association_changed: called with AI when the radio has joined or left; nothing is
            watched any more.
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
        """Return the new AI when the radio joined or left, None when it is silent."""
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
                silence = self._clock.seconds() - self._heard_at
                if self.seconds - silence > _TINY:
                    await deferLater(self._clock, self.seconds - silence)
                    continue
            answer = await self._ask(association, is_doubtful)
            is_doubtful = False
            if answer is None or (answer == ASSOCIATED) != joined:
                return answer

    async def _ask(self, association: int, is_doubtful: bool) -> int | None:
        heard = self._heard_at
        for attempt in range(TRIES):
            asked = self._clock.seconds()
            try:
                value = await self._coordinator.at("AI", timeout=TRY_TIMEOUT)
                association = int.from_bytes(value, "big")
            except ATRefused:
                pass
            except RadioError:
                # It is alive if it said anything at all; then it is asked again in its time.
                if self._heard_at <= asked:
                    if not (attempt or is_doubtful):
                        # It may have been deaf for longer. That is said before it is heard again:
                        # whatever comes then may be from behind a hole.
                        self._coordinator.mark_unresponsive(heard)
                    continue
            if attempt or is_doubtful:
                self._coordinator.mark_responsive()
            return association
        return None
