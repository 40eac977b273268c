"""Asking nodes over the air: AT commands, and who a node is of which that is not known.

A node that was heard, and has not said who it is, is asked for its name (NI) and device type (DD)
soon after, when it is awake for sure; and for its sleep mode (SM) if nothing tells its role.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee import devices
from zbtwist.xbee.address import COORDINATOR16, UNKNOWN16
from zbtwist.xbee.description import label_text
from zbtwist.xbee.status import ATStatus

#: How many nodes are asked who they are at once.
INQUIRIES_AT_ONCE = 4
#: Seconds between two inquiries of a node that did not answer the first.
INQUIRY_PAUSE = 60.0


class Inquiries:
    """Asks nodes for what is not known of them, few at a time and none too often."""

    def __init__(self, clock: IReactorTime, radio: IRadio, nodes: NodeTable) -> None:
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._waiting: deque[Node] = deque()
        self._running: set[Deferred[None]] = set()

    def stop(self) -> None:
        """Ask nobody any more."""
        self._waiting.clear()
        for inquiry in list(self._running):
            inquiry.cancel()

    def inquire(self, node: Node) -> None:
        """Ask a node for what is not known of it, soon, unless it was asked a moment ago."""
        now = self._clock.seconds()
        if now < node.next_inquiry or self._radio.facts is None:
            return
        node.next_inquiry = now + INQUIRY_PAUSE
        self._waiting.append(node)
        self._start()

    def _start(self) -> None:
        while self._waiting and len(self._running) < INQUIRIES_AT_ONCE:
            inquiry = Deferred.fromCoroutine(self._ask(self._waiting.popleft()))
            if not inquiry.called:
                self._running.add(inquiry)
                inquiry.addBoth(self._ended, inquiry)

    def _ended(self, result: object, inquiry: Deferred[None]) -> None:
        self._running.discard(inquiry)
        self._start()

    async def _ask(self, node: Node) -> None:
        try:
            if node.label is None:
                node.label = label_text(await self.remote_at(node, "NI"))
                self._nodes.changed(node)
            await self.device_type_of(node)
            if node.role is None:
                await self._ask_role(node)
        except RadioError:
            # It is asked again when it is heard again; see INQUIRY_PAUSE.
            return

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

    async def remote_at(self, node: Node, command: str, parameter: bytes = b"") -> bytes:
        """An AT command to a node, by both its addresses. See `IRadio.remote_at`."""
        address16 = node.address16
        try:
            return await self._radio.remote_at(node.address64, command, parameter, address16)
        except ATRefused as error:
            if error.status == ATStatus.TRANSMISSION_FAILED and node.address16 == address16:
                # As after a packet that found nobody: the radio looks the address up next time.
                self._nodes.located(node, UNKNOWN16)
            raise
