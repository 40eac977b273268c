"""Who is heard and is no node: whatever that takes, from the first frame to the table of nodes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.network.admission import Admission, Admit
from zbtwist.network.announcements import Announcements
from zbtwist.network.candidates import Candidate
from zbtwist.network.inquiries import Inquiries
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.network.unknown_senders import UnknownSenders
from zbtwist.radio.errors import RadioError
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.description import NodeDescription

#: Seconds between two searches for want of turns to ask candidates one by one: the first and the
#: longest pause, each twice the one before, and the time without any after which it is the first.
SEARCH_PAUSE = 10.0
MAX_SEARCH_PAUSE = 320.0
SEARCH_CALM = 600.0
_pause = backoffPolicy(SEARCH_PAUSE, MAX_SEARCH_PAUSE, 2.0, jitter=lambda: 0.0)


class Strangers:
    """Who is told of them, in turn: `Admission` of who is heard, `Inquiries` of who is to be asked,
    `UnknownSenders` of who has said no 64-bit address.

    @ivar admission, inquiries, unknown: they.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        announcements: Announcements,
        search: Callable[[], Awaitable[object]],
        admit: Admit,
        max_nodes: int,
    ) -> None:
        """
        @param announcements: is told what one said of itself, when it is a node.
        @param search: searches for all nodes.
        """
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._announcements = announcements
        self._search = search
        self._searched_at = -inf
        # How many searches there were behind the first without a calm.
        self._searches = 0
        self.admission = Admission(clock, nodes, self._entering, self._entered, admit, max_nodes)
        self.inquiries = Inquiries(
            clock,
            radio,
            nodes,
            self.admission.candidates,
            self.admission.answered,
            self._search_for_all,
        )
        self.unknown = UnknownSenders(clock, radio, nodes, self._told_who, self._heard_at)

    def stop(self) -> None:
        """Ask nobody any more, and make nobody a node."""
        self.inquiries.stop()
        self.unknown.stop()
        self.admission.stop()

    def heard(self, address64: Address64, address16: Address16) -> Node:
        """Somebody is heard who is no node. Return it; it may be in the table now."""
        candidate = self.admission.heard(address64, address16)
        self._see_to(candidate)
        return candidate.node

    def described(self, description: NodeDescription, is_answer: bool) -> Node:
        """Somebody says who it is who is no node. Return it, as above.

        @param is_answer: to a search.
        """
        candidate = self.admission.described(description, is_answer)
        self._see_to(candidate)
        return candidate.node

    def _see_to(self, candidate: Candidate) -> None:
        """Ask a candidate who it is, unless it has answered."""
        if not candidate.has_answered and candidate.node.address64 not in self._nodes:
            self.inquiries.inquire_of_candidate(candidate)

    def _entering(self, candidate: Candidate) -> None:
        if candidate.bytes_received:
            # They came after what may be kept, which must not be heard behind the hole.
            self.unknown.forget(candidate.node.address16)

    def _entered(self, candidate: Candidate) -> None:
        node = candidate.node
        # Nobody has asked it as a node yet.
        node.next_inquiry, node.unanswered = 0.0, 0
        if candidate.reason:
            self._announcements.heard(node, candidate.reason)
        if not node.is_described or node.role is None:
            self.inquiries.inquire(node)

    def _told_who(self, address64: Address64, address16: Address16) -> bool:
        """Somebody has answered who it is, by its 16-bit address. Return whether it is a node."""
        if self._nodes.heard(address64, address16, self._clock.seconds()) is None:
            self.admission.answered(self.admission.heard(address64, address16))
        return address64 in self._nodes

    def _heard_at(self, address64: Address64) -> float:
        """Return when somebody was heard last, seconds of the clock; minus infinity for never."""
        candidate = self.admission.candidates.get(address64)
        node = candidate.node if candidate is not None else self._nodes.get(address64)
        return -inf if node is None else node.heard_at

    # --- all at once ---------------------------------------------------------------------------

    def _search_for_all(self) -> None:
        """There are too many candidates to ask them one by one: ask everybody at once, who answers
        is there. It is done less and less often while that goes on.
        """
        facts = self._radio.facts
        if facts is not None and facts.is_fleet:
            # Those who search are others, who let in whom they find.
            return
        now = self._clock.seconds()
        if now - self._searched_at < _pause(self._searches):
            return
        is_calm = now - self._searched_at > SEARCH_CALM
        self._searches = 0 if is_calm else self._searches + 1
        self._searched_at = now
        if is_calm:
            self.log.warn(
                "Frames of many come that are no nodes, more than can be asked one by one who they "
                "are: they are searched for."
            )
        Deferred.fromCoroutine(self._search_once()).addErrback(self._not_searched)

    def _not_searched(self, failure: Failure) -> None:
        if not failure.check(RadioError, CancelledError):
            self.log.failure("The search for candidates failed", failure=failure)

    async def _search_once(self) -> None:
        await self._search()
