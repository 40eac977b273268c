"""Ports that are changed and removed by hand: whole or not at all."""

from __future__ import annotations

from typing import Any

from tests.binding.support import A, B, BindingTestCase, C, D, full_disk
from zbtwist.binding.errors import BindingError, NoMapping, PortTaken
from zbtwist.binding.retries import MAX_RETRY_DELAY
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping
from zbtwist.xbee.address import Address64


class ByHandTests(BindingTestCase):
    def test_new_node(self) -> None:
        """It need not have been seen."""
        self.successResultOf(self.change({A: 30000}))
        self.assertEqual(self.slots(), {A: 30000})
        self.assertEqual(self.store.mappings(), [Mapping(A, 30000, by_hand=True)])
        self.see(A, B)
        self.assertEqual(self.slots(), {A: 30000, B: 27001})

    def test_move(self) -> None:
        """The old port closes, and its clients with it; the others stay."""
        self.see(A, B)
        moved, other = self.connect(27001), self.connect(27002)
        self.successResultOf(self.change({A: 30000}))
        self.assertEqual(self.slots(), {A: 30000, B: 27002})
        self.assertNotIn(27001, self.computer.open)
        self.assertTrue(moved.disconnecting)
        self.assertFalse(other.disconnecting)
        self.assertTrue(any("it moves to port 30000" in line for line in self.lines()))
        self.restart_without_clients(moved, other)
        self.assertEqual(self.slots(), {A: 30000, B: 27002})

    def restart_without_clients(self, *transports: Any) -> None:
        for transport in transports:
            transport.protocol.connectionLost()
        self.restart()

    def test_port_that_a_node_was_moved_from_is_not_given_to_another(self) -> None:
        """Who still knows the node by it must not talk to another; `remove` sets it free."""
        self.see(A, B)
        self.successResultOf(self.change({A: 30000}))
        self.see(C)
        self.assertEqual(self.slot(C), 27003)
        self.restart()
        self.see(D)
        self.assertEqual(self.slot(D), 27004)
        self.successResultOf(self.remove(A))
        self.see(Address64(5))
        self.assertEqual(self.slot(Address64(5)), 27001)

    def test_port_that_a_node_was_moved_from_can_be_taken_by_hand(self) -> None:
        self.see(A, B)
        self.successResultOf(self.change({A: 30000}))
        self.successResultOf(self.change({B: 27001}))
        self.assertEqual(self.slots(), {A: 30000, B: 27001})

    def test_what_could_not_be_saved_does_not_come_back(self) -> None:
        """The node is bound or removed by hand before its first mapping could be written."""
        change = self.store.change_mappings
        self.patch(self.store, "change_mappings", full_disk)
        self.see(A, B)
        self.patch(self.store, "change_mappings", change)
        self.successResultOf(self.change({A: 30000}))
        self.assertIn("The disk is full", self.bindings.store_problem)
        self.successResultOf(self.remove(B))
        self.assertEqual(self.bindings.store_problem, "")
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.store.mappings(), [Mapping(A, 30000, by_hand=True)])

    def test_unbound_node_is_bound_by_hand(self) -> None:
        self.see(A)
        self.successResultOf(self.remove(A))
        self.successResultOf(self.change({A: 30000}))
        self.assertFalse(self.bindings.is_unbound(self.node(A)))

    def test_same_port(self) -> None:
        """Fixing the port that a node has disturbs nobody."""
        self.see(A)
        client = self.connect(27001)
        self.successResultOf(self.change({A: 27001}))
        self.assertFalse(client.disconnecting)
        self.assertEqual(self.store.mappings(), [Mapping(A, 27001, by_hand=True)])
        client.protocol.connectionLost()

    def test_swap(self) -> None:
        """The sockets change hands without being closed."""
        self.see(A, B, C)
        opened = list(self.computer.opened)
        self.successResultOf(self.change({A: 27002, B: 27001}))
        self.assertEqual(self.slots(), {A: 27002, B: 27001, C: 27003})
        self.assertEqual(self.computer.opened, opened)
        self.restart()
        self.assertEqual(self.slots(), {A: 27002, B: 27001, C: 27003})

    def test_ring_with_a_new_end(self) -> None:
        self.see(A, B)
        self.successResultOf(self.change({A: 27002, B: 30000, C: 27001}))
        self.assertEqual(self.slots(), {A: 27002, B: 30000, C: 27001})

    def check_nothing_changed(self, wanted: dict[Address64, Any], error: type[Exception]) -> str:
        self.see(A, B)
        clients = [self.connect(27001), self.connect(27002)]
        before = self.slots(), self.store.mappings(), set(self.computer.open)
        failure = self.failureResultOf(self.change(wanted), error)
        self.assertEqual((self.slots(), self.store.mappings(), set(self.computer.open)), before)
        for client in clients:
            self.assertFalse(client.disconnecting)
            client.protocol.connectionLost()
        self.see(D)
        self.assertEqual(self.slot(D), 27003)
        return str(failure.value)

    def test_port_of_another_node(self) -> None:
        text = self.check_nothing_changed({A: 30000, C: 27002}, PortTaken)
        self.assertIn("Port 27002 belongs to 00:13:a2:00:40:00:00:02", text)

    def test_port_of_another_program(self) -> None:
        """Also when it is the last of many that cannot listen."""
        self.computer.taken.add(30003)
        text = self.check_nothing_changed({A: 30000, B: 27001, C: 30003}, PortTaken)
        self.assertIn("Port 30003 does not open: another program has it", text)

    def test_port_of_something_else_in_the_file(self) -> None:
        """The port of all nodes, or a `listen`."""
        self.bindings.configure([], 27001, taken_ports=[30003])
        self.computer.taken.add(30003)
        text = self.check_nothing_changed({A: 30000, C: 30003}, PortTaken)
        self.assertIn("Port 30003 does not open: this gateway has it for something", text)

    def test_port_asked_for_twice(self) -> None:
        text = self.check_nothing_changed({A: 30000, C: 30000}, BindingError)
        self.assertIn("Port 30000 is asked for", text)

    def test_reserved_port(self) -> None:
        self.restart(reserved={27000})
        self.check_nothing_changed({A: 27000}, PortTaken)

    def test_store_fails(self) -> None:
        self.see(A, B)
        change = self.store.change_mappings
        self.patch(self.store, "change_mappings", full_disk)
        self.failureResultOf(self.change({A: 30000}), StoreError)
        self.patch(self.store, "change_mappings", change)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertNotIn(30000, self.computer.open)

    def test_table_is_full(self) -> None:
        self.nodes._maximum = 2
        text = self.check_nothing_changed_full()
        self.assertIn("no room", text)

    def check_nothing_changed_full(self) -> str:
        self.see(A, B)
        failure = self.failureResultOf(self.change({C: 30000}), BindingError)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        return str(failure.value)

    def test_mapping_whose_port_was_taken(self) -> None:
        self.see(A)
        self.computer.taken.add(27001)
        self.restart()
        self.successResultOf(self.change({A: 30000}))
        self.assertEqual((self.slot(A), self.problem(A)), (30000, ""))


class RemoveTests(BindingTestCase):
    def test_remove(self) -> None:
        self.see(A, B)
        client = self.connect(27001)
        self.successResultOf(self.remove(A))
        self.assertTrue(client.disconnecting)
        client.protocol.connectionLost()
        self.assertEqual(self.slots(), {A: None, B: 27002})
        self.assertNotIn(27001, self.computer.open)
        self.assertEqual(self.store.mappings(), [Mapping(B, 27002)])
        self.assertTrue(self.bindings.is_unbound(self.node(A)))

    def test_removed_node_has_no_port_until_it_is_asked_for(self) -> None:
        self.see(A, B)
        self.successResultOf(self.remove(A))
        self.see(A)
        self.assertIsNone(self.slot(A))
        self.restart()
        self.see(A, C)
        self.assertEqual(self.slots(), {B: 27002, A: None, C: 27001})
        self.bindings.node_found(self.node(A))
        self.assertEqual(self.slot(A), 27003)
        self.restart()
        self.assertEqual(self.slots(), {C: 27001, B: 27002, A: 27003})

    def test_data_of_a_removed_node_go_nowhere(self) -> None:
        self.see(A)
        self.successResultOf(self.remove(A))
        self.assertIsNone(self.node(A).receiver)

    def test_node_that_was_never_seen_is_forgotten(self) -> None:
        """A mistyped address does not stay for ever."""
        self.successResultOf(self.change({A: 30000}))
        self.successResultOf(self.remove(A))
        self.assertIsNone(self.nodes.get(A))
        self.assertEqual(self.store.nodes(), [])
        self.see(A)
        self.assertEqual(self.slot(A), 27001)

    def test_nothing_to_remove(self) -> None:
        self.see(A)
        self.successResultOf(self.remove(A))
        self.failureResultOf(self.remove(A), NoMapping)
