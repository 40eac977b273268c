"""Who becomes a node, and so has a port and a row in the store.

Who is only heard is a candidate. One that has answered something of ours becomes a node (or what
else `Admit` says), no more of them at once than a network has that is searched for the first time,
and then so many a second; and none beyond a maximum, unless a person says so. Nodes that are known
have nothing to do with that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from math import inf

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.network.candidates import Candidate, Candidates
from zbtwist.network.events import NodeForgotten, NodesWaiting
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.repeats import Repeats
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.description import NodeDescription

#: How many become nodes at once, and how many a second when there have been so many.
NODES_AT_ONCE = 1000
NODES_PER_SECOND = 5.0
#: How many nodes there may be, unless the settings say otherwise.
DEFAULT_MAX_NODES = 4096
#: Seconds between two looks at the candidates for those that have been silent too long.
EXPIRY_INTERVAL = 60.0


class Admit(Enum):
    """Who becomes a node without a person.

    @cvar ALL: whoever is heard.
    @cvar ANSWERED: who has answered something of ours.
    @cvar LISTED: of those, whom the configuration names.
    @cvar ASK: nobody.
    """

    ALL = "all"
    ANSWERED = "answered"
    LISTED = "listed"
    ASK = "ask"


def _nobody(node: Node) -> bool:
    return False


class Admission:
    """Keeps the candidates, and makes nodes of them.

    @ivar candidates: they.
    @ivar rule: who becomes a node.
    @ivar max_nodes: how many nodes there may be.
    @ivar at_once: how many become nodes at once, before it is so many a second.
    @ivar is_listed: whether the configuration names a node; whoever knows it sets this.
    @ivar entering: is called with a candidate just before it becomes a node, and
    @ivar entered: just after that.
    """

    def __init__(
        self,
        clock: IReactorTime,
        nodes: NodeTable,
        entering: Callable[[Candidate], None],
        entered: Callable[[Candidate], None],
        rule: Admit = Admit.ANSWERED,
        max_nodes: int = DEFAULT_MAX_NODES,
    ) -> None:
        self._clock = clock
        self._nodes = nodes
        self.entering = entering
        self.entered = entered
        self.rule = rule
        self.max_nodes = max_nodes
        self.is_listed: Callable[[Node], bool] = _nobody
        self.candidates = Candidates()
        self.at_once = NODES_AT_ONCE
        self._room = inf
        self._room_at = clock.seconds()
        self._next: IDelayedCall | None = None
        self._expiry: IDelayedCall | None = None
        self._waiting = Repeats(clock, self._tell)
        self._last_to_wait: Node | None = None
        nodes.bus.subscribe(NodeForgotten, self._forgotten)
        nodes.let_in = self._let_in
        nodes.not_let_in = lambda: (one.node for one in self.candidates)

    def stop(self) -> None:
        """Make nobody a node any more."""
        for call in (self._next, self._expiry):
            if call is not None:
                call.cancel()
        self._next = self._expiry = None
        self._waiting.stop()

    # --- asking --------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many have answered and are no nodes."""
        return self.candidates.answered

    def why_not(self, candidate: Candidate) -> str:
        """Return why one is no node, a sentence."""
        if not candidate.has_answered and self.rule is not Admit.ALL:
            return "It was heard, and has not answered."
        if self.rule is Admit.ASK:
            return "It waits until a person accepts it (admit = ask)."
        if self.rule is Admit.LISTED and not self.is_listed(candidate.node):
            return "The configuration does not name it (admit = listed)."
        return self.why_none or "It is let in soon."

    @property
    def why_none(self) -> str:
        """A sentence: why nobody becomes a node now who otherwise would; empty if they do."""
        if self._is_full:
            return (
                f"{len(self._nodes)} nodes are known, and max-nodes lets no more in: forget those "
                "that are gone (zbctl forget), or raise it."
            )
        if self._next is not None:
            return (
                f"More than {self.at_once} new nodes have come; of the others "
                f"{NODES_PER_SECOND:g} are let in a second."
            )
        return ""

    @property
    def _is_full(self) -> bool:
        return len(self._nodes) >= self.max_nodes

    # --- they are heard ------------------------------------------------------------------------

    def heard(self, address64: Address64, address16: Address16) -> Candidate:
        """Note that somebody was heard who is no node. It may be one then."""
        candidate = self._noted(address64, address16)
        if self.rule is Admit.ALL:
            self._admit_if_it_may(candidate)
        return candidate

    def described(self, description: NodeDescription, is_answer: bool) -> Candidate:
        """Note what somebody says of itself who is no node. It may be one then.

        @param is_answer: to a search of ours.
        """
        candidate = self._noted(description.address64, description.address16)
        candidate.node.describe(description)
        if is_answer:
            self.answered(candidate)
        else:
            candidate.reason = description.event
            if self.rule is Admit.ALL:
                self._admit_if_it_may(candidate)
        return candidate

    def _noted(self, address64: Address64, address16: Address16) -> Candidate:
        if self._expiry is None:
            self._expiry = self._clock.callLater(EXPIRY_INTERVAL, self._expire)
        return self.candidates.heard(address64, address16, self._clock.seconds())

    def answered(self, candidate: Candidate) -> None:
        """It has answered something of ours."""
        address64 = candidate.node.address64
        if address64 not in self._nodes:
            # There may be another by now: it had to make room, and was heard again.
            candidate = self.candidates.get(address64) or candidate
            self.candidates.answered_us(candidate)
            self._admit_if_it_may(candidate)
        else:
            # It became a node while it was being asked.
            self._nodes.changed(candidate.node)

    def accept(self, candidate: Candidate) -> Node:
        """A person lets one in, also if there are too many."""
        candidate.is_accepted = True
        return self._admit(candidate)

    # --- they become nodes ---------------------------------------------------------------------

    def admit_waiting(self) -> None:
        """Let those in that may be: there is room for more, or there are other settings."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        for candidate in self.candidates:
            if not candidate.has_answered and self.rule is not Admit.ALL:
                break
            self._admit_if_it_may(candidate)
            if self._next is not None or self._is_full:
                break

    def _may_enter(self, candidate: Candidate) -> bool:
        match self.rule:
            case Admit.ALL:
                return True
            case Admit.ANSWERED:
                return candidate.has_answered
            case Admit.LISTED:
                return candidate.has_answered and self.is_listed(candidate.node)
            case Admit.ASK:
                return False

    def _admit_if_it_may(self, candidate: Candidate) -> None:
        if not self._may_enter(candidate):
            if self.rule is Admit.ASK:
                self._waits(candidate)
        elif self._is_full:
            self._waits(candidate)
        elif self._has_room():
            self._room -= 1
            self._admit(candidate)
        else:
            self._try_soon()
            self._waits(candidate)

    def _forgotten(self, event: NodeForgotten) -> None:
        if self.waiting:
            self._try_soon()

    def _try_soon(self) -> None:
        if self._next is None:
            self._next = self._clock.callLater(1 / NODES_PER_SECOND, self._try_next)

    def _try_next(self) -> None:
        self._next = None
        self.admit_waiting()

    def _has_room(self) -> bool:
        now = self._clock.seconds()
        room = self._room + (now - self._room_at) * NODES_PER_SECOND
        self._room, self._room_at = min(room, float(self.at_once)), now
        # Sums of parts of a second are not quite whole.
        return self._room >= 0.999

    def _let_in(self, address64: Address64) -> None:
        """It is to be a node, whatever the rule: a person or the configuration has named it."""
        candidate = self.candidates.get(address64)
        if candidate is not None:
            self._admit(candidate)

    def _admit(self, candidate: Candidate) -> Node:
        """Make a node of one. It is done nowhere else: its `Node` is the one in the table then."""
        self.candidates.remove(candidate)
        known = self._nodes.get(candidate.node.address64)
        if known is not None:
            return known
        self.entering(candidate)
        self._nodes.enter(candidate.node)
        self.entered(candidate)
        return candidate.node

    # --- they wait -----------------------------------------------------------------------------

    def _waits(self, candidate: Candidate) -> None:
        """Say that somebody waits, once of each."""
        if candidate.has_answered and not candidate.was_told:
            candidate.was_told = True
            self._last_to_wait = candidate.node
            self._waiting.happened()

    def _tell(self, count: int) -> None:
        node = self._last_to_wait
        if node is not None and self.waiting:
            self._nodes.bus.publish(NodesWaiting(node, self.waiting, self.why_none))

    def _expire(self) -> None:
        self._expiry = None
        self.candidates.expire(self._clock.seconds())
        if len(self.candidates):
            self._expiry = self._clock.callLater(EXPIRY_INTERVAL, self._expire)
