"""Asking doubtful nodes whether they are there: a small question a minute, over the whole network.

A packet of a question and its answer take a few milliseconds of the air, with the hops and the
acknowledgements some tens; one a minute is less than a thousandth of it, and a node of a thousand
that says nothing by itself has its turn once in a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.health.record import Record
from zbtwist.health.state import Moment
from zbtwist.network.node import Node
from zbtwist.radio.errors import ATRefused, RadioError, RadioOffline, TooManyRequests
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee import devices
from zbtwist.xbee.status import ATStatus

#: Seconds between two questions, to whichever nodes.
PAUSE = 60.0

#: Seconds after which a node is asked (again) that says nothing by itself, or that did not answer.
QUIET = 3600.0

#: What is asked for: the firmware version, which every module knows (90001539, "VR").
COMMAND = "VR"


class Questions:
    """Asks one node after the other."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        now: Callable[[], Moment],
        ended: Callable[[Record], object],
    ) -> None:
        """
        @param ended: called with whoever was asked, when it has answered or is waited for no more.
        """
        self._clock = clock
        self._radio = radio
        self._now = now
        self._ended = ended
        self._next_at = 0.0
        self._asking: Deferred[None] | None = None

    @property
    def may_ask(self) -> bool:
        """Whether it is time for a question."""
        return (
            self._asking is None
            and self._radio.facts is not None
            and self._clock.seconds() >= self._next_at
        )

    def ask_one(self, records: Iterable[Record]) -> None:
        """Ask the node for which an answer matters most, if there is one and it is time."""
        if not self.may_ask:
            return
        now = self._clock.seconds()
        chosen = max(
            ((urgency, record) for record in records if (urgency := _urgency(record, now))),
            key=lambda each: each[0],
            default=None,
        )
        if chosen is not None:
            self._next_at = now + PAUSE
            asking = self._asking = Deferred.fromCoroutine(self._ask(chosen[1]))
            asking.addErrback(self._failed).addBoth(self._done, chosen[1])

    def stop(self) -> None:
        """Ask nobody any more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, record: Record) -> None:
        node = record.node
        record.asked(self._now())
        try:
            await self._radio.remote_at(node.address64, COMMAND, b"", node.address16)
        except (RadioOffline, TooManyRequests):
            # That says nothing of the node.
            return
        except ATRefused as error:
            if error.status == ATStatus.TRANSMISSION_FAILED:
                record.not_answered(self._now())
        except RadioError:
            record.not_answered(self._now())

    def _done(self, result: object, record: Record) -> None:
        self._asking = None
        self._ended(record)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("A node could not be asked whether it is there", failure=failure)


def _urgency(record: Record, now: float) -> tuple[int, float] | None:
    """Return how much an answer matters: the higher the more, None for not at all."""
    node: Node = record.node
    # It sleeps, and would not hear the question for long.
    if node.role == devices.END_DEVICE:
        return None
    if record.is_late(now) or record.is_doubtful:
        # Who is asked for the first time comes first; who has not answered twice has time.
        if not record.unanswered:
            return 2, now - node.heard_at
        unasked = now - record.asked_at
        return (1, unasked) if record.unanswered < 2 or unasked >= QUIET else None
    quiet = now - max(node.heard_at, record.asked_at)
    return (0, quiet) if quiet >= QUIET else None
