"""Nodes that are to be given ports, and when: each time costs a commit, and so those that come
while the store rests are given theirs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.network.node import Node
from zbtwist.runtime.rest import Rest
from zbtwist.xbee.address import Address64


class Portless:
    """Keeps them until it is time."""

    def __init__(
        self, clock: IReactorTime, rest: Rest, give: Callable[[Iterable[Node]], object]
    ) -> None:
        """
        @param rest: between two commits.
        @param give: called with them when it is time.
        """
        self._clock = clock
        self._rest = rest
        self._give = give
        # There are no more of them than there are nodes.
        self._nodes: dict[Address64, Node] = {}
        self._call: IDelayedCall | None = None

    def add(self, node: Node) -> None:
        """A node is to be given a port; say `give_soon` after that."""
        self._nodes[node.address64] = node

    def give_soon(self) -> None:
        """Do it after the rest."""
        if self._nodes and self._call is None:
            left = self._rest.left
            if left:
                self._call = self._clock.callLater(left, self.give_now)
            else:
                self.give_now()

    def give_now(self) -> None:
        """Do it, whether the rest is over or not."""
        self._wait_no_more()
        if self._nodes:
            nodes, self._nodes = self._nodes, {}
            self._give(nodes.values())

    def stop(self) -> None:
        """Give none any more."""
        self._wait_no_more()
        self._nodes.clear()

    def _wait_no_more(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
