"""The mappings in the store, and those that could not be written yet.

A node gets its port even while its mapping cannot be written: the disk is full, but the node is
there. What a person asks for is written, or it is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.binding.listener import ListenAddress
from zbtwist.network.node import Node
from zbtwist.network.persistence import remembered
from zbtwist.runtime.rest import Rest
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address64


class Mappings:
    """
    @ivar problem: a sentence: why mappings are not being saved; empty while they are.
    @ivar rest: between two writings of what the gateway made by itself.
    """

    log = Logger()

    def __init__(
        self, store: Store, clock: IReactorTime, last_seen: Callable[[Node], float]
    ) -> None:
        """
        @param last_seen: tells when a node was heard of, as `NodeTable.last_seen`.
        """
        self._store = store
        self._last_seen = last_seen
        self.rest = Rest(clock)
        self._unsaved: dict[Address64, tuple[Mapping, Node]] = {}
        self._unbound: set[Address64] = set()
        self.problem = ""

    @property
    def path(self) -> str:
        """Where they are kept."""
        return self._store.path

    def load(self) -> list[Mapping]:
        """Return all of them, from the store."""
        self._unbound = self._store.unbound()
        return self._store.mappings()

    def given(self) -> dict[ListenAddress, Address64]:
        """Return every port that was ever given, with its last node, from the store."""
        return self._store.given()

    def is_unbound(self, address64: Address64) -> bool:
        """Whether a node's mapping was removed, so that it gets none by itself."""
        return address64 in self._unbound

    def let_be_bound(self, address64: Address64) -> None:
        """Let a node get a mapping by itself, also if it had one that was removed."""
        self._unbound.discard(address64)

    def keep(self, made: Iterable[tuple[Mapping, Node]]) -> None:
        """Write mappings that the gateway made, in one commit, with what is known of their nodes.
        If that fails, `problem` says why, and `write_again` does it.
        """
        self._unsaved.update((mapping.address64, (mapping, node)) for mapping, node in made)
        self.write_again()

    def write_again(self) -> None:
        """Write what could not be written before, if there is something."""
        if not self._unsaved:
            return
        mappings, nodes = zip(*self._unsaved.values(), strict=True)
        try:
            with self.rest.after():
                self._store.change_mappings(
                    mappings, nodes=[remembered(node, self._last_seen) for node in nodes]
                )
        except StoreError as error:
            if not self.problem:
                self.log.error(
                    "{problem} Until then, new nodes may get other ports after a restart.",
                    problem=str(error),
                )
            self.problem = str(error)
        else:
            self._unsaved.clear()
            self.problem = ""

    def change(self, wanted: dict[Address64, ListenAddress]) -> None:
        """Write what a person asked for, all or nothing.

        @param wanted: ports by address.
        @raise StoreError: it cannot be written.
        """
        self._store.change_mappings(
            [Mapping(address64, slot, by_hand=True) for address64, slot in wanted.items()]
        )
        for address64 in wanted:
            self._written(address64)
            self._unbound.discard(address64)

    def remove(self, address64: Address64) -> None:
        """Remove a node's mapping. It gets none by itself from now on.

        @raise StoreError: it cannot be written.
        """
        self._store.change_mappings(remove=[address64])
        self._written(address64)
        self._unbound.add(address64)

    def replace(self, old: Address64, new: Address64, slot: ListenAddress) -> None:
        """Write that a node has the port of another one, which is gone.

        @raise StoreError: it cannot be written.
        """
        self._store.change_mappings([Mapping(new, slot, by_hand=True)], remove=[old])
        for address64 in (old, new):
            self._written(address64)
            self._unbound.discard(address64)

    def forget(self, address64: Address64) -> None:
        """Forget a node whose mapping was removed already; nothing depends on it."""
        with suppress(StoreError):
            self.forget_all([address64])

    def forget_all(self, addresses: list[Address64]) -> None:
        """Forget nodes, with their mappings, all or none.

        @raise StoreError: it cannot be written.
        """
        self._store.forget_nodes(addresses)
        for address64 in addresses:
            self._written(address64)
            self._unbound.discard(address64)

    def _written(self, address64: Address64) -> None:
        """What could not be written of a node before is of no interest any more."""
        self._unsaved.pop(address64, None)
        if not self._unsaved:
            self.problem = ""
