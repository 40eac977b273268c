"""Whose a label is, where somebody relies on it: the configuration names it, or a call has.

A node identifier is what a node says of itself, so any other may say it as well. It is pinned to
the address that had it first, and what is said of the label is of that node alone from then on; of
another that says the same it is told. A person may give it to another one (`zbctl accept`).

Who was refused a label does not get it by itself, so a label is not let go of while somebody else
says that it is his: it stays pinned to the address of a node that is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

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

#: Seconds until they are written again, if the store failed.
RETRY_DELAY = 30.0


def _no_label(label: str) -> bool:
    return False


class Labels:
    """
    @ivar pins: the address of each label that is pinned.
    @ivar is_configured: whether the configuration names a label; whoever knows it sets this.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, nodes: NodeTable, store: Store, bus: EventBus) -> None:
        self._clock = clock
        self._nodes = nodes
        self._store = store
        self._bus = bus
        self.pins: dict[str, Address64] = {}
        self.is_configured: Callable[[str], bool] = _no_label
        self._unsaved: dict[str, Address64 | None] = {}
        self._has_failed = False
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
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None

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
            "name is not for it. If the name is to be its: zbctl accept "
            f"{format_address64(node.address64)}. If both are yours, name them by their addresses."
        )

    def is_relied_on(self, label: str) -> bool:
        """Whether the configuration names it, or it is pinned."""
        return label in self.pins or self.is_configured(label)

    def claimants(self, label: str) -> Iterator[Node]:
        """The known nodes that are called that, whosever it is."""
        return (node for node in self._nodes if node.label == label)

    def _has_another_claimant(self, label: str, address64: Address64) -> bool:
        everybody = chain(self._nodes, self._nodes.not_let_in())
        return any(one.label == label and one.address64 != address64 for one in everybody)

    # --- they are pinned -----------------------------------------------------------------------

    def pin(self, node: Node, is_only: bool = False) -> None:
        """Somebody relies on a node's label: it is pinned to it, unless it is to any, or another
        known node has it as well.

        @param is_only: no other has it; that was looked at already.
        """
        label = node.label
        if not label or label in self.pins or len(self.pins) >= MAX_PINS:
            return
        if is_only or all(other is node for other in self.claimants(label)):
            self._put(label, node.address64)

    def look_at(self, node: Node) -> None:
        """A node is new, or has another name: say it if that is another's."""
        if not self.is_anothers(node):
            self._told.pop(node.address64, None)
        elif self._told.get(node.address64) != node.label:
            self._told[node.address64] = label = node.label or ""
            self._bus.publish(LabelClaimed(node, self.pins[label]))

    def give(self, node: Node) -> None:
        """A person says that a node's label is its, if anybody relies on that label, and whoever
        else is called so.
        """
        label = node.label
        if label and self.is_relied_on(label):
            if self.pins.get(label) != node.address64:
                self._put(label, node.address64)
            self._told.pop(node.address64, None)

    def renamed(self, node: Node, before: str | None) -> None:
        """A person has given a node another label: the old one is let go, unless it would be
        somebody's then whom no person has meant; and the new one is its if nobody else has it now.
        """
        if before and before != node.label and self.pins.get(before) == node.address64:
            self._let_go(before, node.address64)
        if node.label and self.is_anothers(node):
            owner = self._nodes.get(self.pins[node.label])
            if owner is None or owner.label != node.label:
                self.give(node)

    def _let_go(self, label: str, address64: Address64) -> None:
        """Its owner is not called so any more."""
        if not self.is_configured(label) and not self._has_another_claimant(label, address64):
            self._put(label, None)

    def succeeded(self, node: Node, by_right: bool) -> None:
        """A node has taken the place of another one by a person's word: its old labels are let go.

        @param by_right: its label was relied on, and is its now, whoever else is called so.
        """
        for label, owner in list(self.pins.items()):
            if owner == node.address64 and label != node.label:
                self._let_go(label, owner)
        if by_right and node.label:
            self._put(node.label, node.address64)
            self._told.pop(node.address64, None)

    def forgotten(self, node: Node) -> None:
        """A node is known no more, and its row in the store is gone: let go of its labels, but for
        those that another one says are its.
        """
        address64 = node.address64
        for label, owner in list(self.pins.items()):
            if owner == address64:
                # Else whoever was refused it would have it.
                is_claimed = self._has_another_claimant(label, address64)
                self._put(label, owner if is_claimed else None)
        self._told.pop(address64, None)
        self.gone(node)

    def gone(self, node: Node) -> None:
        """One that claimed a label is forgotten, or waits no more to be let in: the label of a
        forgotten one is let go when nobody claims it any more.
        """
        label = node.label or ""
        owner = self.pins.get(label)
        if (
            owner is not None
            and owner not in self._nodes
            and not self._has_another_claimant(label, node.address64)
        ):
            self._put(label, None)

    # --- they are written ----------------------------------------------------------------------

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
        except StoreError as error:
            if not self._has_failed:
                self.log.warn("{problem} Whose names are is not saved yet.", problem=str(error))
            self._has_failed = True
            self._saving = self._clock.callLater(RETRY_DELAY, self._save)
        else:
            self._has_failed = False
            self._unsaved.clear()
