"""What one client asks a node; see `zbtwist.binding.asking.askers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zbtwist.binding.send_buffer import Writer


class Question:
    """What one client asks, until it is settled: answered, lost, or not answered in time. Whoever
    answers it says `Askers.settled`; of the rest it is told.

    @cvar comes_late: an answer that did not come in time may come later, and can be told then.
    @ivar client: who asks.
    @ivar asked_at: since when it waits for its turn, seconds of the clock.
    """

    comes_late = False
    asked_at = 0.0

    def __init__(self, client: Writer) -> None:
        self.client = client

    def begin(self) -> None:
        """It is your turn: send it to the node, by `Askers.send`, or say that it is settled."""
        raise NotImplementedError

    def patience(self, usual: float) -> float:
        """Return the seconds that it is to have, now that it has arrived.

        @param usual: those that others have.
        """
        return usual

    def heard(self, data: bytes) -> None:
        """The node says something."""
        raise NotImplementedError

    def not_answered(self) -> None:
        """Its time is over, and it is settled."""
        raise NotImplementedError

    def lost(self, why: str) -> None:
        """It did not come to the node, or the answer may be lost; and it is settled.

        @param why: a sentence.
        """
        raise NotImplementedError

    def stopped(self, why: str) -> None:
        """It will not be asked, or the answer is not waited for, since the port is closed.

        @param why: a sentence.
        """

    def is_confused_with(self, other: Question) -> bool:
        """Whether an answer to one may pass for an answer to the other, and is none."""
        return False

    def is_answered_by(self, data: bytes) -> bool:
        """Whether its answer is in these bytes."""
        return False
