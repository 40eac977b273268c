"""How each node is, under its topic.

A change is said within a second: of its name, its port, its health, a line that it has read. What
changes with everything that a node says or hardly ever matters (when it was heard last, how
strongly, its temperature, values) is looked at once in `ROUND`, one of `PARTS` of all nodes after
the other, and said if anything is not as it was said last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from zbtwist.binding.events import EndpointFailed, MappingChanged, PortFailed
from zbtwist.health.events import HealthChanged
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.network.events import (
    NodeAdded,
    NodeChanged,
    NodeEvent,
    NodeForgotten,
    NodeIdentified,
    PinsChanged,
)
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import Event, EventBus
from zbtwist.site.in_json import written
from zbtwist.site.interfaces import IsSaid
from zbtwist.site.retained import Retained, Saying
from zbtwist.xbee.address import Address64

#: Seconds within which all nodes are looked at, and parts in which that is done, one a second.
ROUND = 60.0
PARTS = 60

#: What makes a node another one than was said.
_CHANGES: tuple[type[NodeEvent], ...] = (
    *(NodeAdded, NodeChanged, NodeIdentified, HealthChanged),
    *(PinsChanged, MappingChanged, PortFailed, EndpointFailed),
)


class NodesSaid:
    """Says it."""

    def __init__(
        self,
        clock: IReactorTime,
        bus: EventBus,
        nodes: NodeTable,
        retained: Retained,
        is_said: IsSaid,
        describe: Callable[[Node], dict[str, Any]],
    ) -> None:
        """
        @param describe: returns what is said of a node, for JSON.
        """
        self._bus = bus
        self._nodes = nodes
        self._retained = retained
        self._is_said = is_said
        self._describe = describe
        self._topics: SiteTopics | None = None
        self._part = 0
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._hearing: list[tuple[type[Event], Callable[[Any], None]]] = [
            *((kind, self._happened) for kind in _CHANGES),
            (NodeForgotten, self._forgotten),
        ]

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        self._topics = topics

    def connected(self) -> None:
        for kind, hear in self._hearing:
            self._bus.subscribe(kind, hear)
        self._looking.start(ROUND / PARTS, now=False)
        self._retained.say_all(self._all())

    def lost(self) -> None:
        for kind, hear in self._hearing:
            self._bus.unsubscribe(kind, hear)
        self._looking.stop()

    def follow(self) -> None:
        self._retained.say_all(self._all(), is_news=True)

    # --- saying ----------------------------------------------------------------------------------

    def is_ours(self, address64: int) -> bool:
        """Whether the broker is told of the node with that address."""
        node = self._nodes.get(Address64(address64))
        return node is not None and self._is_said(node)

    def look_at(self, address64: int) -> None:
        """What was said last of the node with that address may be something else now."""
        node = self._nodes.get(Address64(address64))
        if node is not None:
            self.changed(node)

    def changed(self, node: Node) -> None:
        """A node may not be as it was said last."""
        if self._topics is not None and self._is_told(node):
            self._retained.say(self._topics.node(node.address64), partial(self._made, node))

    def _is_told(self, node: Node) -> bool:
        """Whether the broker is to hear of a node, if only that there is nothing more to hear."""
        if self._topics is None or self._nodes.get(node.address64) is not node:
            return False
        return self._is_said(node) or self._topics.node(node.address64) in self._retained

    def _all(self) -> Iterator[Saying]:
        for node in self._nodes:
            if self._topics is not None and self._is_told(node):
                yield self._topics.node(node.address64), partial(self._made, node)

    def _made(self, node: Node) -> bytes:
        # It may have been forgotten since.
        if self._nodes.get(node.address64) is not node or not self._is_said(node):
            return b""
        return written(self._describe(node))

    def _look(self) -> None:
        self._part = (self._part + 1) % PARTS
        for node in list(self._nodes)[self._part :: PARTS]:
            self.changed(node)

    # --- what happens ----------------------------------------------------------------------------

    def _happened(self, event: NodeEvent) -> None:
        self.changed(event.node)

    def _forgotten(self, event: NodeForgotten) -> None:
        if self._topics is not None:
            self._retained.empty(self._topics.node(event.node.address64))
