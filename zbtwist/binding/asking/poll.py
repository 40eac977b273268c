"""The gateway itself asks a node, for a device that says nothing unasked.

It asks as one more client of the node would, and waits for its turn where clients take turns. It is
none all the same: it has no connection, takes no place at the port and hears nothing but what comes
while it asks. What it says is no part of a client's stream, and when it is lost nobody else is told
(`zbtwist.binding.send_buffer.LoneWriter`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from zbtwist.binding.asking.conversation import LONGEST_TURN
from zbtwist.binding.asking.question import Question
from zbtwist.binding.send_buffer import LoneWriter
from zbtwist.xbee.devices import END_DEVICE

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: Seconds that a piece of a question has until the node has it, with the wait for its turn; and
#: for an end device, for which the radio keeps a packet for up to 88.5 s.
PATIENCE = 30.0
SLEEPER_PATIENCE = 90.0

RADIO_AWAY = "The radio is away."


class Poller(LoneWriter):
    """Asks one node, a question at a time.

    @ivar is_asking: a question is under way.
    """

    def __init__(self, port: NodePort, ended: Callable[[Poller, str | None], None]) -> None:
        """
        @param ended: called with this when a question is over, and with why there is no answer: a
            sentence, empty if there is one, None if the question does not matter any more.
        """
        self.port = port
        self._ended = ended
        self._poll: Poll | None = None
        self._late: IDelayedCall | None = None

    @property
    def is_asking(self) -> bool:
        return self._poll is not None

    def ask(self, pieces: Sequence[bytes]) -> None:
        """Ask; `ended` may be called meanwhile.

        @param pieces: what is sent, each when the device has answered the one before.
        """
        self._poll = poll = Poll(self, pieces)
        self.be_patient()
        self.port.asker_opened(self)
        self.port.askers.ask(poll)

    def be_patient(self) -> None:
        """Something is on its way to the node from now on."""
        self._stop_waiting()
        patience = SLEEPER_PATIENCE if self.port.node.role == END_DEVICE else PATIENCE
        self._late = self.port.clock.callLater(patience, self._too_late, patience)

    def arrived(self, poll: Poll) -> None:
        """The node has what was sent of a question."""
        # That to an earlier one, which is over, may still have been on its way.
        if poll is self._poll:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self, patience: float) -> None:
        self._late = None
        self._end(f"It has waited {patience:.0f} s, and does not get to the node.")

    def lost(self, why: str) -> None:
        self._end(why)

    def settled(self, poll: Poll, why: str | None) -> None:
        """A question is over: see `__init__`."""
        if poll is self._poll:
            self._end(why)

    def stop(self) -> None:
        """Ask no more."""
        self._end(None)

    def _end(self, why: str | None) -> None:
        if self._poll is None:
            return
        self._poll = None
        self._stop_waiting()
        self.port.asker_closed(self)
        self._ended(self, why)


class Poll(Question):
    """One question of the gateway."""

    client: Poller

    def __init__(self, poller: Poller, pieces: Sequence[bytes]) -> None:
        super().__init__(poller)
        self._askers = poller.port.askers
        self._outbound = poller.port.outbound
        self._pieces = list(pieces)
        self._is_answered = False
        # An answer that comes later than it is waited for must not be taken for somebody else's.
        self.comes_late = True
        # Until when its answer lasts at the most.
        self._until = 0.0

    def begin(self) -> None:
        self._send()

    def _send(self) -> None:
        if self._outbound.is_radio_away:
            self._askers.settled(self)
            self.client.settled(self, RADIO_AWAY)
            return
        self._is_answered = False
        self.client.be_patient()
        self._askers.send(self, self._pieces.pop(0), is_whole=True)

    def patience(self, usual: float) -> float:
        self.client.arrived(self)
        return usual

    def heard(self, data: bytes) -> None:
        if self._outbound.is_waiting(self.client):
            # That is no answer to what the node has not got.
            return
        # Else what clients send would wait for a status that may not come.
        self._outbound.answered(self.client)
        if self._pieces:
            self._send()
            return
        askers = self._askers
        if not self._is_answered:
            self._is_answered, self.comes_late = True, False
            self._until = askers.now + LONGEST_TURN
            self.client.arrived(self)
        askers.wait(self, max(0.0, min(askers.reply_silence, self._until - askers.now)))

    def not_answered(self) -> None:
        self.client.settled(self, "" if self._is_answered else "Its device says nothing.")

    def lost(self, why: str) -> None:
        self.client.settled(self, why)

    def stopped(self, why: str) -> None:
        self.client.settled(self, None)

    def is_confused_with(self, other: Question) -> bool:
        # Nobody knows what is said there.
        return True
