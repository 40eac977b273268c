"""Asking nodes over the air: AT commands, and who a node is of which that is not known.

A node that was heard, and has not said who it is, is asked for its name (NI) and device type (DD)
soon after, when it is awake for sure; and for its sleep mode (SM) if nothing tells its role. A
candidate is asked for its name, to see whether there is anybody who answers.

Each is asked once at a time, nodes before candidates, and of those the credible first, who always
find a turn beside those that were heard once. Who does not answer is asked less and less often.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from zbtwist.network.candidates import Candidate, Candidates, Credit
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import ATRefused, RadioError, RadioOffline
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee import devices
from zbtwist.xbee.address import COORDINATOR16, UNKNOWN16
from zbtwist.xbee.description import label_text
from zbtwist.xbee.status import OWN_STATUSES, ATStatus

#: How many are asked who they are at once; and beside how many inquiries one begins that is of a
#: candidate which was heard again, or once.
INQUIRIES_AT_ONCE = 4
BESIDE_WHICH_IS_ASKED = {Credit.ANSWERED: 4, Credit.HEARD_AGAIN: 3, Credit.HEARD: 2}
#: Seconds between two inquiries of a node that did not answer the first; then twice as many, up to
#: the longest pause.
INQUIRY_PAUSE = 60.0
MAX_INQUIRY_PAUSE = 3600.0
_pause = backoffPolicy(INQUIRY_PAUSE, MAX_INQUIRY_PAUSE, 2.0, jitter=lambda: 0.0)
#: With more candidates that wait for their turn, they are better asked all at once, by a search.
MAX_UNASKED = 64


class Inquiries:
    """Asks nodes for what is not known of them, few at a time and none too often."""

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        candidates: Candidates,
        answered: Callable[[Candidate], None],
        search: Callable[[], None],
    ) -> None:
        """
        @param answered: is told of a candidate that has.
        @param search: is called when there are too many candidates to ask them one by one.
        """
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._candidates = candidates
        self._answered = answered
        self._search = search
        # Each once.
        self._waiting: dict[Node, None] = {}
        self._running: set[Deferred[None]] = set()

    def stop(self) -> None:
        """Ask nobody any more."""
        self._waiting.clear()
        for waiting in self._candidates.to_ask.values():
            waiting.clear()
        for inquiry in list(self._running):
            inquiry.cancel()

    def inquire(self, node: Node) -> None:
        """Ask a node for what is not known of it, soon, unless it was asked a moment ago."""
        if self._radio.facts is not None and self._is_to_be_asked(node):
            self._waiting[node] = None
            self.go_on()

    def inquire_of_candidate(self, candidate: Candidate) -> None:
        """Ask a candidate who it is, soon, unless it was asked a moment ago."""
        if self._is_to_be_asked(candidate.node):
            self._candidates.ask(candidate)
            self.go_on()
            if self._candidates.unasked > MAX_UNASKED:
                self._search()

    def _is_to_be_asked(self, node: Node) -> bool:
        now = self._clock.seconds()
        if now < node.next_inquiry:
            return False
        node.next_inquiry = now + _pause(node.unanswered)
        return True

    def go_on(self) -> None:
        """Ask those whose turn it is."""
        while self._waiting and len(self._running) < INQUIRIES_AT_ONCE:
            node = next(iter(self._waiting))
            del self._waiting[node]
            self._begin(self._ask(node))
        if self._radio.facts is None:
            # They are asked when it has searched, which is the first that it does.
            return
        for credit, most in BESIDE_WHICH_IS_ASKED.items():
            while len(self._running) < most:
                candidate = self._candidates.next_to_ask(credit)
                if candidate is None:
                    break
                self._begin(self._ask_candidate(candidate))

    def _begin(self, asking: Coroutine[Any, Any, None]) -> None:
        inquiry = Deferred.fromCoroutine(asking)
        if not inquiry.called:
            self._running.add(inquiry)
            inquiry.addBoth(self._ended, inquiry)

    def _ended(self, result: object, inquiry: Deferred[None]) -> None:
        self._running.discard(inquiry)
        self.go_on()

    async def _ask(self, node: Node) -> None:
        try:
            if node.label is None:
                node.label = label_text(await self.remote_at(node, "NI"))
                self._nodes.changed(node)
            await self.device_type_of(node)
            if node.role is None:
                await self._ask_role(node)
        except RadioError as error:
            # It is asked again when it is heard again; see INQUIRY_PAUSE.
            node.unanswered += not isinstance(error, RadioOffline)
        else:
            node.unanswered = 0

    async def _ask_candidate(self, candidate: Candidate) -> None:
        node = candidate.node
        candidate.was_asked = True
        try:
            node.label = label_text(await self.remote_at(node, "NI"))
        except ATRefused as error:
            if error.status not in OWN_STATUSES:
                node.unanswered += 1
                return
        except RadioError as error:
            node.unanswered += not isinstance(error, RadioOffline)
            return
        node.unanswered = 0
        self._answered(candidate)

    async def _ask_role(self, node: Node) -> None:
        try:
            # An end device sleeps, in whichever way (90000976, "SM").
            sleeps = any(await self.remote_at(node, "SM"))
        except ATRefused as error:
            # The firmware of an S2 coordinator does not know it.
            if error.status != ATStatus.INVALID_COMMAND:
                raise
            sleeps = False
        if node.role is not None:
            # It has said so meanwhile.
            return
        if sleeps:
            node.role = devices.END_DEVICE
        elif node.address16 == COORDINATOR16:
            node.role = devices.COORDINATOR
        else:
            node.role = devices.ROUTER
        self._nodes.changed(node)

    async def device_type_of(self, node: Node) -> int:
        """Return a node's DD, and ask the node for it if it is not known.

        @raise RadioError: it did not tell.
        """
        if node.device_type_identifier is None:
            value = await self.remote_at(node, "DD")
            node.device_type_identifier = int.from_bytes(value, "big")
            self._nodes.changed(node)
        return node.device_type_identifier

    async def remote_at(
        self, node: Node, command: str, parameter: bytes = b"", *, apply: bool = True
    ) -> bytes:
        """An AT command to a node, by both its addresses. See `IRadio.remote_at`."""
        address16 = node.address16
        how = {} if apply else {"apply": False}
        try:
            return await self._radio.remote_at(node.address64, command, parameter, address16, **how)
        except ATRefused as error:
            if error.status == ATStatus.TRANSMISSION_FAILED and node.address16 == address16:
                # As after a packet that found nobody: the radio looks the address up next time.
                self._nodes.located(node, UNKNOWN16)
            raise
