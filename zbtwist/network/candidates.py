"""Who was heard and is no node yet: a small table, from which who does not answer goes first.

An address in a frame is a stranger's word, and costs whoever invents it nothing. So nothing is made
for it that stays: no port, no row in the store. Who is heard again as it was is more credible, and
who has answered is most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from zbtwist.network.node import Node
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64

#: How many are remembered: at 300 invented addresses a second those of the last 13 s, so that a
#: node that speaks every ten seconds is heard twice. It is some 2 MB.
MAX_CANDIDATES = 4096
#: Seconds for which one is remembered that was heard, and one that has answered and waits, maybe
#: for a person to come to work.
HEARD_TIME = 600.0
ANSWERED_TIME = 7 * 86400.0


class Credit(IntEnum):
    """How credible it is that somebody is there."""

    HEARD = 0
    HEARD_AGAIN = 1
    ANSWERED = 2


@dataclass(slots=True, eq=False)
class Candidate:
    """
    @ivar node: as it would be in the table of nodes; it is not there.
    @ivar credit: how credible it is.
    @ivar packets: how often it was heard.
    @ivar bytes_received: bytes of its stream, which nobody has got: it has no port.
    @ivar reason: what made it say unasked who it is, as it says; 0 if it did not.
    @ivar was_asked: whether an answer of it is one to us.
    @ivar is_accepted: a person has said that it is to be let in.
    @ivar was_told: it has been said that it waits.
    """

    node: Node
    credit: Credit = Credit.HEARD
    packets: int = 0
    bytes_received: int = 0
    reason: int = 0
    was_asked: bool = False
    is_accepted: bool = False
    was_told: bool = False

    @property
    def has_answered(self) -> bool:
        """Whether it has answered something of ours."""
        return self.credit is Credit.ANSWERED


class Candidates:
    """The table.

    @ivar to_ask: those that are to be asked who they are, by how credible they are.
    @ivar dropped: how many went to make room for others.
    """

    def __init__(self, maximum: int = MAX_CANDIDATES) -> None:
        self._maximum = maximum
        self._all: dict[Address64, Candidate] = {}
        # In each, who came first is first.
        self._by_credit: dict[Credit, dict[Address64, Candidate]] = {each: {} for each in Credit}
        self.to_ask: dict[Credit, dict[Address64, Candidate]] = {each: {} for each in Credit}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Candidate]:
        """The most credible first, and of those who came first."""
        for credit in reversed(Credit):
            yield from list(self._by_credit[credit].values())

    def get(self, address64: Address64) -> Candidate | None:
        """Return the one with that address, None if there is none."""
        return self._all.get(address64)

    @property
    def answered(self) -> int:
        """How many have answered."""
        return len(self._by_credit[Credit.ANSWERED])

    @property
    def unasked(self) -> int:
        """How many wait to be asked."""
        return sum(map(len, self.to_ask.values()))

    def heard(self, address64: Address64, address16: Address16, now: float) -> Candidate:
        """Note that somebody was heard.

        @param now: seconds of the reactor's clock.
        """
        candidate = self._all.get(address64)
        if candidate is None:
            self._make_room()
            candidate = self._all[address64] = Candidate(Node(address64, address16))
            self._by_credit[Credit.HEARD][address64] = candidate
        elif candidate.credit is not Credit.ANSWERED:
            # Who is now here and now there is no more credible for it.
            is_same = candidate.node.address16 in (address16, UNKNOWN16)
            self._give_credit(candidate, Credit.HEARD_AGAIN if is_same else Credit.HEARD)
        node = candidate.node
        node.address16 = address16
        node.heard_at = now
        candidate.packets += 1
        return candidate

    def answered_us(self, candidate: Candidate) -> None:
        """Note that one has answered something of ours, also if it had to make room meanwhile."""
        address64 = candidate.node.address64
        if address64 not in self._all:
            self._make_room()
            self._all[address64] = self._by_credit[candidate.credit][address64] = candidate
        if candidate.credit is not Credit.ANSWERED:
            self._give_credit(candidate, Credit.ANSWERED)

    def ask(self, candidate: Candidate) -> None:
        """Let one be asked who it is, in its turn."""
        self.to_ask[candidate.credit][candidate.node.address64] = candidate

    def next_to_ask(self, least: Credit) -> Candidate | None:
        """Return whose turn it is to be asked, None if there is nobody as credible as that."""
        for credit in reversed(Credit):
            waiting = self.to_ask[credit]
            if waiting and credit >= least:
                return waiting.pop(next(iter(waiting)))
        return None

    def remove(self, candidate: Candidate) -> None:
        """Remember one no more, if it is there."""
        address64 = candidate.node.address64
        if self._all.get(address64) is candidate:
            del self._all[address64]
            del self._by_credit[candidate.credit][address64]
            self.to_ask[candidate.credit].pop(address64, None)

    def expire(self, now: float) -> None:
        """Remember those no more that have been silent too long."""
        for candidate in self:
            kept = ANSWERED_TIME if candidate.has_answered else HEARD_TIME
            if now - candidate.node.heard_at > kept:
                self.remove(candidate)

    def _give_credit(self, candidate: Candidate, credit: Credit) -> None:
        """Let one be as credible as that, behind those that are already."""
        address64 = candidate.node.address64
        del self._by_credit[candidate.credit][address64]
        self._by_credit[credit][address64] = candidate
        was_to_be_asked = self.to_ask[candidate.credit].pop(address64, None) is not None
        if was_to_be_asked and credit is not Credit.ANSWERED:
            self.to_ask[credit][address64] = candidate
        candidate.credit = credit

    def _make_room(self) -> None:
        if len(self._all) < self._maximum:
            return
        for credit in Credit:
            oldest = next(iter(self._by_credit[credit].values()), None)
            if oldest is not None:
                self.remove(oldest)
                self.dropped += 1
                return
