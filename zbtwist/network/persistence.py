"""Keeps the node table and the store in step, so that a restart knows every node by its name.

A name is written at once, and types some seconds after they changed, many together; when a node was
last seen is written now and then, and at the end. Mappings are not its business: those are written
by the binding service, with what is known of their nodes by then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from zbtwist.network.events import NodeAdded, NodeChanged, NodeEvent, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.rest import Rest
from zbtwist.store.errors import StoreError
from zbtwist.store.records import StoredNode
from zbtwist.store.store import Store
from zbtwist.xbee.description import label_text

#: Seconds between a change and its writing.
SAVE_DELAY = 5.0
#: Seconds between two writings of when nodes were last seen.
SEEN_INTERVAL = 600.0

#: What a `Node` and a `StoredNode` both have. The 16-bit address is not remembered: another node
#: may have it by the next start.
_REMEMBERED = (
    "label",
    "role",
    "parent16",
    "profile_id",
    "manufacturer_id",
    "device_type_identifier",
    "unwritten",
)


def remembered(node: Node, last_seen: Callable[[Node], float]) -> StoredNode:
    """Return what the store is to know of a node.

    @param last_seen: tells when it was heard of, as `NodeTable.last_seen`.
    """
    values = {name: getattr(node, name) for name in _REMEMBERED}
    return StoredNode(node.address64, last_seen=last_seen(node), **values)


class NodePersister(Service):
    """Reads the nodes when it starts, and writes them as they change."""

    log = Logger()

    def __init__(self, clock: IReactorTime, nodes: NodeTable, store: Store, bus: EventBus) -> None:
        self._clock = clock
        self._nodes = nodes
        self._store = store
        self._changed: set[Node] = set()
        self._rest = Rest(clock)
        self._calls: dict[Any, IDelayedCall] = {}
        self._reported = False
        for kind in (NodeAdded, NodeChanged):
            bus.subscribe(kind, self._note)
        bus.subscribe(NodeForgotten, lambda event: self._changed.discard(event.node))

    def startService(self) -> None:
        super().startService()
        for stored in self._store.nodes():
            node = self._nodes.add(stored.address64)
            if node is None:
                break
            for name in _REMEMBERED:
                setattr(node, name, getattr(stored, name))
            node.seen_before = stored.last_seen
            if node.label:
                # Earlier versions kept whatever came.
                node.label = label_text(node.label.encode(errors="replace"))
        self._later(SEEN_INTERVAL, self._save_all)

    def stopService(self) -> None:
        super().stopService()
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()
        self._save(self._nodes)

    def _note(self, event: NodeEvent) -> None:
        if self.running:
            self._changed.add(event.node)
            if self._is_renamed(event.node):
                # Not before all that have come with it are known, and after a rest.
                self._later(self._rest.left, self._save_names)
            else:
                self._later(SAVE_DELAY, self._save_changed)

    def _is_renamed(self, node: Node) -> bool:
        return node.label != self._store.labels.get(node.address64)

    def _later(self, seconds: float, what: Any) -> None:
        if what not in self._calls:
            self._calls[what] = self._clock.callLater(seconds, self._run, what)

    def _run(self, what: Any) -> None:
        del self._calls[what]
        what()

    def _save_changed(self) -> None:
        changed, self._changed = self._changed, set()
        if not self._save(changed):
            self._changed |= changed
            self._later(SEEN_INTERVAL, self._save_changed)

    def _save_names(self) -> None:
        # One may have been written with its mapping meanwhile.
        if any(map(self._is_renamed, self._changed)):
            self._save_changed()
        elif self._changed:
            self._later(SAVE_DELAY, self._save_changed)

    def _save_all(self) -> None:
        self._save(self._nodes)
        self._later(SEEN_INTERVAL, self._save_all)

    def _save(self, nodes: Any) -> bool:
        try:
            with self._rest.after():
                self._store.save_nodes(remembered(node, self._nodes.last_seen) for node in nodes)
        except StoreError as error:
            if not self._reported:
                self.log.warn("{problem} Names of nodes are not saved.", problem=str(error))
            self._reported = True
            return False
        self._reported = False
        return True
