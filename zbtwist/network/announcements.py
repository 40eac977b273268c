"""What nodes say of themselves unasked: one has joined, was switched on, its button was pressed.

A node may say the same thing many times within a moment, so that it is heard: that is one event.
And a name that was not known, or is another one, is an event, however it was learnt.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from zbtwist.network.events import NodeAdded, NodeChanged, NodeForgotten, NodeIdentified, NodeNamed
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64

#: Seconds within which a node that says the same thing again is not repeated.
REPEAT_INTERVAL = 10.0

#: What makes a node identify itself: see `NodeIdentified.reason`.
_REASONS = (1, 2, 3)


class Announcements:
    """Hears of nodes and of what they say, and publishes what is news."""

    def __init__(self, clock: IReactorTime, bus: EventBus) -> None:
        self._clock = clock
        self._bus = bus
        # As large as the table at most: only its nodes are in it.
        self._labels: dict[Address64, str | None] = {}
        self._said: dict[Address64, tuple[int, float]] = {}
        bus.subscribe(NodeAdded, self._added)
        bus.subscribe(NodeChanged, self._changed)
        bus.subscribe(NodeForgotten, self._forgotten)

    def _added(self, event: NodeAdded) -> None:
        self._labels[event.node.address64] = event.node.label

    def _changed(self, event: NodeChanged) -> None:
        node = event.node
        # What is known of a node from an earlier run is no news.
        before = self._labels.setdefault(node.address64, node.label)
        if node.label != before:
            self._labels[node.address64] = node.label
            if node.label:
                self._bus.publish(NodeNamed(node, before or ""))

    def _forgotten(self, event: NodeForgotten) -> None:
        self._labels.pop(event.node.address64, None)
        self._said.pop(event.node.address64, None)

    def heard(self, node: Node, reason: int) -> None:
        """A node has said who it is.

        @param reason: why it did, as it says; 0 for an answer.
        """
        if reason not in _REASONS:
            return
        now = self._clock.seconds()
        said, when = self._said.get(node.address64, (0, 0.0))
        if said == reason and now - when < REPEAT_INTERVAL:
            return
        self._said[node.address64] = (reason, now)
        self._bus.publish(NodeIdentified(node, reason))
