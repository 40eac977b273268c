"""One request of a Modbus master to a slave behind a node, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zbtwist.binding.asking.askers import Askers
from zbtwist.binding.asking.question import Question
from zbtwist.binding.modbus.frames import MAX_FRAME, Request
from zbtwist.binding.modbus.strict import refusal

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient
    from zbtwist.binding.outbound import Outbound

#: Seconds that slaves have for what they were all told, since nobody answers (Modbus over serial
#: line 1.02, 2.4.1: 100 to 200 ms).
TURNAROUND = 0.2

#: Seconds within which no answer can come: the shortest packet over one hop has the air for 9 ms,
#: each way (90000976, "Data throughput").
SOONEST = 0.005


class Exchange(Question):
    """
    @ivar request: what is asked.
    @ivar is_refused: it is not sent, since its slave could not get it whole.
    """

    comes_late = True

    def __init__(
        self,
        client: NodeClient,
        askers: Askers,
        outbound: Outbound,
        request: Request,
        done: Callable[[Exchange, bytes, str], object],
    ) -> None:
        """
        @param askers: those of the slave's node.
        @param outbound: the way there.
        @param done: called once, with this, the answer, which is empty if there is none, and why
            there is none: a sentence, empty if nobody knows.
        """
        super().__init__(client)
        self.request = request
        self.is_refused = False
        self.comes_late = request.has_answer
        self._askers = askers
        self._outbound = outbound
        self._done = done
        self._heard = b""
        self._begun_at = 0.0

    def begin(self) -> None:
        self._begun_at = self._askers.now
        why = refusal(self._outbound, len(self.request.frame))
        if why:
            self.is_refused = True
            self._done(self, b"", why)
            self._askers.settled(self)
            return
        self._askers.send(self, self.request.frame, is_whole=True)

    def patience(self, usual: float) -> float:
        return usual if self.request.has_answer else min(usual, TURNAROUND)

    def heard(self, data: bytes) -> None:
        if self._askers.now - self._begun_at < SOONEST:
            # It may be the last answer, twice.
            self._askers.drop(data)
            return
        data = self._heard + data
        place = self.request.answer_in(data) if self.request.has_answer else None
        if place is None:
            # The beginning of an answer is no longer than that.
            surplus = max(0, len(data) - MAX_FRAME)
            self._askers.drop(data[:surplus])
            self._heard = data[surplus:]
            return
        start, end = place
        self._heard = b""
        self._askers.drop(data[:start] + data[end:])
        self._outbound.answered(self.client)
        # The answer first: who has it may ask again at once.
        self._done(self, data[start:end], "")
        self._askers.settled(self)

    def not_answered(self) -> None:
        self._give_back()
        self._done(self, b"", "")

    def lost(self, why: str) -> None:
        self._give_back()
        self._done(self, b"", why)

    def stopped(self, why: str) -> None:
        self.lost(why)

    def _give_back(self) -> None:
        heard, self._heard = self._heard, b""
        self._askers.drop(heard)

    def is_confused_with(self, other: Question) -> bool:
        return isinstance(other, Exchange) and self.request.is_confused_with(other.request)

    def is_answered_by(self, data: bytes) -> bool:
        return self.request.answer_in(data) is not None
