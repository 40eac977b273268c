"""Whether the radio is still in the API mode in which it was found.

Somebody may set another one while the radio is up, from its other interface or over the air, and a
radio that restarts goes back to the one in its flash memory. It says that it has restarted (8A), if
that is not lost. From then on what has no byte to escape still gets through, in both directions,
and nothing else does: mostly the questions of the heartbeat and their answers do, and no packet for
an address of Digi's, each of which has a 13 (90000976, "API frame specifications"; 90001539, "API
operating mode").

So it is asked for AP when there is a sign of that: a frame that came damaged, or a packet or a
command for a node that has no answer yet. Both are mostly something else, noise or a node that is
away; the question does no harm then. While there is no sign, nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.probe import MODE_QUESTION, WAITS, mode_in
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.xbee.frames import ATCommandResponse, parse_frame

#: Seconds from one question to the next, however many signs there are.
PAUSE = 2.5


class ModeWatch:
    """Asks a radio that is up for its API mode."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, coordinator: Coordinator, changed: Callable[[int], None]
    ) -> None:
        """
        @param clock: times it.
        @param coordinator: whose answers come first where it waits for the same one.
        @param changed: called with the mode, 1 or 2, if it is another one.
        """
        self._clock = clock
        self._coordinator = coordinator
        self._changed = changed
        self._asked_at = -inf
        self._asking: Deferred[None] | None = None
        self._answered: Deferred[int] | None = None

    def look(self, protocol: RadioProtocol) -> None:
        """There is a sign: ask, unless that is under way. Sooner than `PAUSE` seconds after the
        last time it is put off: the sign may be of something that has happened since.

        @param protocol: the line of the radio.
        """
        if self._asking is None:
            self._asking = Deferred.fromCoroutine(self._ask(protocol))
            self._asking.addErrback(self._failed)

    def stop(self) -> None:
        """Ask no more, until the next sign."""
        if self._asking is not None:
            asking, self._asking = self._asking, None
            asking.cancel()

    async def _ask(self, protocol: RadioProtocol) -> None:
        """Ask, and say so if it is another mode. If there is no answer the radio is silent, and
        that is for the heartbeat.
        """
        await deferLater(self._clock, max(0.0, self._asked_at + PAUSE - self._clock.seconds()))
        takers = self._coordinator.hearers.takers
        kind = ATCommandResponse.frame_type
        takers[kind] = self._take
        known = (None, protocol.api_mode)
        try:
            mode = await self._answer(protocol)
            if mode not in known:
                # Noise can make one answer of another, with a good checksum; not twice.
                mode = await self._answer(protocol)
        finally:
            self._answered = None
            takers.pop(kind, None)
        self._asking = None
        if mode is not None and mode not in known:
            self._changed(mode)

    async def _answer(self, protocol: RadioProtocol) -> int | None:
        """Ask some times.

        @return: the mode, 1 or 2; None if there was no answer.
        """
        for wait in WAITS:
            answered = self._answered = Deferred()
            self._asked_at = self._clock.seconds()
            # It has an id of its own, with which nothing is to be escaped, and no place among the
            # requests: all ids may be in use by what the radio has not understood.
            protocol.send(MODE_QUESTION)
            with suppress(TimeoutError):
                return await answered.addTimeout(wait + self._coordinator.allowance, self._clock)
        return None

    def _take(self, frame_data: bytes, now: float) -> bool:
        frame = parse_frame(frame_data)
        mode = mode_in(frame)
        if mode is None or not isinstance(frame, ATCommandResponse):
            return False
        answered, self._answered = self._answered, None
        # Somebody else may have asked the same, with the same id.
        is_for_us = not self._coordinator.awaits(frame)
        if answered is not None:
            answered.callback(mode)
        return is_for_us

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._asking = None
            self.log.failure("The radio could not be asked for its API mode", failure=failure)
