"""``turns = "reply"``: a node belongs to the client that asks it, whatever it speaks.

Nothing is known here of what is said. So a client that sends something has the node until the
answer has come and is followed by a silence, or until none has come in time. What other clients
send meanwhile waits, and they hear nothing of the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbtwist.binding.asking.askers import Askers
from zbtwist.binding.asking.question import Question

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient

#: Bytes that wait for their turn, from which on their client is paused.
HIGH_WATER = 4096

#: Seconds after which a turn is over, since its question has arrived, if the node is never silent;
#: and for which its client may send without a pause, since it began, while others wait.
LONGEST_TURN = 5.0

#: Seconds for which its client may send piece after piece, each when the node has the one before,
#: while others wait.
LONGEST_PIECES = 2.0


class Conversation(Question):
    """What one client says to a node, and hears of it, turn by turn.

    @ivar is_paused: the client is to write no more until it is resumed here.
    """

    client: NodeClient

    def __init__(self, client: NodeClient, askers: Askers) -> None:
        super().__init__(client)
        self._askers = askers
        self._unsent = bytearray()
        self.is_paused = False
        self._has_turn = False
        self._is_answered = False
        # Until when this turn lasts at the most.
        self._until = 0.0
        # Since when this turn lasts while others wait.
        self._since = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether something of it has not come to the node."""
        return bool(self._unsent) or (self._has_turn and not self._askers.has_arrived(self))

    def write(self, data: bytes) -> None:
        """The client sends bytes."""
        if self._has_turn and self._may_go_on:
            self._is_answered = False
            self._askers.send(self, data)
            return
        waits = bool(self._unsent)
        self._unsent += data
        if not (waits or self._has_turn):
            self._askers.ask(self)
        if len(self._unsent) >= HIGH_WATER and not self.is_paused:
            self.is_paused = True
            self.client.pause()

    @property
    def _may_go_on(self) -> bool:
        """Whether what comes now belongs to this turn. Each piece of a question has the time of a
        whole one for its answer: whoever never stops would have the node for himself.
        """
        askers = self._askers
        if not askers.others_wait(self.client):
            self._since = askers.now
            return True
        longest = LONGEST_PIECES if askers.has_arrived(self) else LONGEST_TURN
        return not self._is_answered and askers.now - self._since < longest

    def begin(self) -> None:
        self._has_turn, self._is_answered = True, False
        self._since = self._askers.now
        data = bytes(self._unsent)
        self._unsent.clear()
        self._askers.send(self, data)
        if self.is_paused:
            self.is_paused = False
            self.client.resume()

    def patience(self, usual: float) -> float:
        self._until = self._askers.now + max(usual, LONGEST_TURN)
        return self._askers.reply_silence if self._is_answered else usual

    def heard(self, data: bytes) -> None:
        self._is_answered = True
        self.client.deliver(data)
        askers = self._askers
        if askers.has_arrived(self):
            askers.wait(self, max(0.0, min(askers.reply_silence, self._until - askers.now)))

    def not_answered(self) -> None:
        self._has_turn = False
        if self._unsent:
            self._askers.ask(self)

    def stopped(self, why: str) -> None:
        if self.is_busy:
            self.lost(why)

    def lost(self, why: str) -> None:
        self._has_turn = False
        self._unsent.clear()
        self.client.reset(why)
