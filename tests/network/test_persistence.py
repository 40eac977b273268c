"""What a start knows of the nodes after a kill."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.network.persistence import SAVE_DELAY, NodePersister
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.rest import MAX_REST
from zbtwist.store.records import StoredNode
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address16, Address64

A, B, C = (Address64(0x0013A200_40000001 + n) for n in range(3))


class NodePersisterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.bus = EventBus()
        self.set_by = 1e9
        self.nodes = NodeTable(
            self.bus, wall=lambda: self.clock.seconds() + self.set_by, steady=self.clock.seconds
        )
        self.store = Store().open()
        self.addCleanup(self.store.close)
        self.persister = NodePersister(self.clock, self.nodes, self.store, self.bus)
        self.persister.startService()
        self.addCleanup(self.persister.stopService)
        self.saves: list[int] = []
        save = self.store.save_nodes

        def counted(nodes: Any) -> None:
            some = list(nodes)
            self.saves.append(len(some))
            save(some)

        self.patch(self.store, "save_nodes", counted)

    def labels(self) -> dict[Address64, str | None]:
        return {node.address64: node.label for node in self.store.nodes()}

    def learn(self, address64: Address64, label: str) -> None:
        node = self.nodes.seen(address64, Address16(1), self.clock.seconds())
        assert node is not None
        node.label = label
        self.nodes.changed(node)

    def test_a_name_is_written_at_once(self) -> None:
        self.learn(A, "one")
        self.clock.advance(0)
        self.assertEqual(self.labels(), {A: "one"})
        self.learn(A, "two")
        self.clock.advance(0)
        self.assertEqual(self.labels(), {A: "two"})

    def test_many_names_at_once_are_one_commit(self) -> None:
        for number in range(200):
            self.learn(Address64(A + number), "x")
        self.clock.advance(0)
        self.assertEqual(self.saves, [200])

    def test_names_have_rests_on_a_slow_disk(self) -> None:
        save = self.store.save_nodes

        def slowly(nodes: Any) -> None:
            self.clock.rightNow += 0.5
            save(nodes)

        self.patch(self.store, "save_nodes", slowly)
        self.learn(A, "one")
        self.clock.advance(0)
        for address in (B, C):
            self.learn(address, "x")
            self.clock.advance(0)
        self.assertEqual(self.labels(), {A: "one"})
        self.clock.advance(MAX_REST)
        self.assertEqual(self.labels(), {A: "one", B: "x", C: "x"})
        self.assertEqual(self.saves, [1, 2])

    def test_one_that_went_with_its_mapping_is_not_written_again(self) -> None:
        self.learn(A, "one")
        self.store.labels[A] = "one"
        self.clock.advance(0)
        self.assertEqual(self.saves, [])
        self.clock.advance(SAVE_DELAY)
        self.assertEqual(self.saves, [1])

    def test_all_else_is_written_later(self) -> None:
        node = self.nodes.seen(A, Address16(1), self.clock.seconds())
        assert node is not None
        node.parent16 = Address16(7)
        self.nodes.changed(node)
        self.clock.advance(SAVE_DELAY - 0.1)
        self.assertEqual(self.saves, [])
        self.clock.advance(0.1)
        self.assertEqual(self.saves, [1])

    def test_when_a_node_was_seen_after_the_time_of_day_was_set(self) -> None:
        """A computer without a clock of its own boots in the past: the next start must not take
        who was heard a moment ago for one that has been silent for months.
        """
        self.store.save_nodes([StoredNode(B, "silent", last_seen=5e8)])
        self.persister.stopService()
        self.persister.startService()
        self.learn(A, "one")
        self.set_by += 60 * 86400
        self.clock.advance(4)
        self.persister.stopService()
        seen = {node.address64: node.last_seen for node in self.store.nodes()}
        self.assertEqual(seen, {A: 1e9 + 60 * 86400, B: 5e8})
        self.persister.startService()

    def test_a_name_of_an_earlier_version_is_cut(self) -> None:
        """It has bytes, and not characters, and no half of one at its end."""
        self.store.save_nodes([StoredNode(A, "x" * 100), StoredNode(B, "x" + "ä" * 19)])
        nodes = NodeTable(self.bus)
        persister = NodePersister(self.clock, nodes, self.store, self.bus)
        persister.startService()
        self.assertEqual([node.label for node in nodes], ["x" * 20, "x" + "ä" * 9])
        persister.stopService()
