"""What nodes do, said in the log: one appears, joins, is switched on, gets another name.

Ports, clients, failures and the link speak for themselves, where they happen. A node may say the
same thing many times within a moment, so that it is heard: that is one line.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from zbtwist.network.interfaces import INodeListener
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee.address import Address64, format_address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    DIGI_PROFILE,
    NODE_IDENTIFICATION_CLUSTER,
    ExplicitReceive,
    NodeIdentification,
)

#: Seconds within which a node that says the same thing again is not repeated.
REPEAT_INTERVAL = 10.0

#: What makes a node identify itself (90000976, "Node Identification Indicator", source event).
_EVENTS = {
    1: "{node} says who it is: its button was pressed.",
    2: "{node} has joined the network.",
    3: "{node} was switched on.",
}


@implementer(INodeListener)
class NodeLog:
    """Hears of nodes and of what they say, and writes lines into the log.

    It must hear the radio after the `NetworkService`, which learns the names.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, nodes: NodeTable, radio: IRadio) -> None:
        self._clock = clock
        self._nodes = nodes
        # As large as the table at most: only its nodes are in it.
        self._labels: dict[Address64, str | None] = {}
        self._said: dict[Address64, tuple[int, float]] = {}
        nodes.add_listener(self)
        radio.subscribe(NodeIdentification, lambda frame: self._identified(frame.description))
        radio.subscribe(ExplicitReceive, self._heard)

    def node_added(self, node: Node) -> None:
        self._labels[node.address64] = node.label
        self.log.info("A new node: {node}.", node=node)

    def node_changed(self, node: Node) -> None:
        # What is known of a node from an earlier run is no news.
        before = self._labels.setdefault(node.address64, node.label)
        if node.label == before:
            return
        self._labels[node.address64] = node.label
        if node.label:
            self.log.info(
                "{address} is called {label}{instead}.",
                address=format_address64(node.address64),
                label=node.label,
                instead=f" now, no longer {before}" if before else "",
            )

    def _heard(self, frame: ExplicitReceive) -> None:
        if frame.cluster_id == NODE_IDENTIFICATION_CLUSTER and frame.profile_id == DIGI_PROFILE:
            try:
                description = NodeDescription.parse(frame.data)
            except ValueError:
                # The network has said so.
                return
            self._identified(description)

    def _identified(self, description: NodeDescription) -> None:
        node = self._nodes.get(description.address64)
        sentence = _EVENTS.get(description.event)
        if node is None or sentence is None:
            return
        now = self._clock.seconds()
        event, when = self._said.get(node.address64, (0, 0.0))
        if event == description.event and now - when < REPEAT_INTERVAL:
            return
        self._said[node.address64] = (description.event, now)
        self.log.info(sentence, node=node)
