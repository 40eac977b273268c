"""Whose a label is, where somebody relies on it: the configuration names it, or a call has.

A node identifier is what a node says of itself, so any other may say it as well. It is pinned to
the address that had it first, and what is said of the label is of that node alone from then on; of
another that says the same it is told. A person may give it to another one (`zbctl accept`), and
whoever forgets a node lets go of its labels.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.binding.events import LabelClaimed
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.rest import Rest
from zbtwist.store.errors import StoreError
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address64, format_address64

#: How many labels are pinned, since nodes may be called otherwise again and again.
MAX_PINS = 0x10000


class Labels:
    """
    @ivar pins: the address of each label that is pinned.
    """

    def __init__(self, clock: IReactorTime, nodes: NodeTable, store: Store, bus: EventBus) -> None:
        self._clock = clock
        self._nodes = nodes
        self._store = store
        self._bus = bus
        self.pins: dict[str, Address64] = {}
        self._unsaved: dict[str, Address64 | None] = {}
        self._rest = Rest(clock)
        self._saving: IDelayedCall | None = None
        # Of whom it has been said that it calls itself as another; of known nodes alone.
        self._told: dict[Address64, str] = {}

    def load(self) -> None:
        """Read what was pinned, from the store."""
        self.pins.update(self._store.pins())

    def stop(self) -> None:
        """Write what is not written yet."""
        if self._saving is not None:
            self._saving.cancel()
            self._save()

    # --- asking --------------------------------------------------------------------------------

    def owner_of(self, label: str) -> Address64 | None:
        """Return whose that label is; None if it is not pinned."""
        return self.pins.get(label)

    def is_anothers(self, node: Node) -> bool:
        """Whether a node calls itself as another one was called first."""
        return self.pins.get(node.label or "", node.address64) != node.address64

    def problem_of(self, node: Node) -> str:
        """Return a sentence: whose name a node says is its; empty if nothing is wrong with it."""
        if not self.is_anothers(node):
            return ""
        owner = self.pins[node.label or ""]
        shown = format_address64(owner)
        return (
            f"It calls itself {node.label}, as {shown} was called first, and what is said of that "
            f"name is not for it. If it takes that one's place: zbctl forget {shown}. If both are "
            "yours, name them by their addresses."
        )

    # --- they are pinned -----------------------------------------------------------------------

    def pin(self, node: Node) -> None:
        """Somebody relies on a node's label: it is pinned to it, unless it is to any, or another
        known node has it as well.
        """
        label = node.label
        if not label or label in self.pins or len(self.pins) >= MAX_PINS:
            return
        if all(other is node or other.label != label for other in self._nodes):
            self._put(label, node.address64)

    def look_at(self, node: Node) -> None:
        """A node is new, or has another name: say it if that is another's."""
        if not self.is_anothers(node):
            self._told.pop(node.address64, None)
        elif self._told.get(node.address64) != node.label:
            self._told[node.address64] = label = node.label or ""
            self._bus.publish(LabelClaimed(node, self.pins[label]))

    def give(self, node: Node) -> None:
        """A person says that a node's label is its."""
        if node.label and self.is_anothers(node):
            self._put(node.label, node.address64)
            self._told.pop(node.address64, None)

    def renamed(self, node: Node, before: str | None) -> None:
        """A person has given a node another label: the old one is let go, and the new one is its if
        nobody else has it now.
        """
        if before and self.pins.get(before) == node.address64 and before != node.label:
            self._put(before, None)
        if node.label and self.is_anothers(node):
            owner = self._nodes.get(self.pins[node.label])
            if owner is None or owner.label != node.label:
                self.give(node)

    def forget(self, address64: Address64) -> list[str]:
        """Let go of all labels of a node whose row in the store is removed; return them."""
        let_go = [label for label, owner in self.pins.items() if owner == address64]
        for label in let_go:
            self._put(label, None)
        self._told.pop(address64, None)
        return let_go

    def _put(self, label: str, address64: Address64 | None) -> None:
        if address64 is None:
            self.pins.pop(label, None)
        else:
            self.pins[label] = address64
        self._unsaved[label] = address64
        if self._saving is None:
            # Of all that come now, at once.
            self._saving = self._clock.callLater(self._rest.left, self._save)

    def _save(self) -> None:
        self._saving = None
        try:
            with self._rest.after():
                self._store.save_pins(self._unsaved)
        except StoreError:
            # The store's problem is said by others; it is written with the next one.
            return
        self._unsaved.clear()
