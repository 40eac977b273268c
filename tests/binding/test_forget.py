"""Forgetting nodes."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.binding.support import A, B, BindingTestCase, C, full_disk
from zbtwist.binding import assignment
from zbtwist.binding.errors import Configured
from zbtwist.binding.requests import PortRequest
from zbtwist.network.persistence import SAVE_DELAY, NodePersister
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping
from zbtwist.xbee.address import Address64


class ForgetTests(BindingTestCase):
    def forget(self, *addresses: Address64) -> Deferred[None]:
        nodes = [self.node(address64) for address64 in addresses]
        return Deferred.fromCoroutine(self.bindings.forget(nodes))

    def test_forget(self) -> None:
        self.see(A, B)
        client = self.connect(27001)
        self.successResultOf(self.forget(A))
        self.assertTrue(client.disconnecting)
        client.protocol.connectionLost()
        self.assertEqual(self.slots(), {B: 27002})
        self.assertNotIn(27001, self.computer.open)
        self.assertEqual(self.store.mappings(), [Mapping(B, 27002)])
        self.assertEqual([node.address64 for node in self.store.nodes()], [B])
        self.restart()
        self.assertEqual(self.slots(), {B: 27002})

    def test_heard_again_it_is_a_new_node(self) -> None:
        self.see(A)
        port = self.bindings.port_of(self.node(A))
        self.successResultOf(self.forget(A))
        self.see(C, A)
        self.assertEqual(self.slots(), {C: 27001, A: 27002})
        self.assertIsNot(self.bindings.port_of(self.node(A)), port)

    def test_one_that_was_unbound(self) -> None:
        self.see(A)
        self.successResultOf(self.remove(A))
        self.successResultOf(self.forget(A))
        self.see(A)
        self.assertEqual(self.slots(), {A: 27001})

    def test_many(self) -> None:
        self.patch(assignment, "FORGOTTEN_AT_ONCE", 10)
        many = self.crowd(150, first=1)
        self.see(A)
        forgotten = self.forget(*many)
        self.wire.clock.pump([0.1] * 10)
        self.successResultOf(forgotten)
        self.assertEqual(self.slots(), {A: 27151})
        self.assertEqual(self.store.mappings(), [Mapping(A, 27151)])
        # Each has no line of its own.
        self.assertEqual(len([line for line in self.lines() if "no port any more" in line]), 0)
        [line] = [line for line in self.lines() if "forgotten, by hand" in line]
        self.assertTrue(
            line.startswith("150 nodes are forgotten, by hand: 00:00:00:00:00:00:00:01")
        )
        self.assertTrue(line.endswith("00:00:00:00:00:00:00:14, and 130 more."), line)

    def test_the_log_says_which(self) -> None:
        self.see(A, B, C)
        self.successResultOf(self.forget(A))
        self.successResultOf(self.forget(B, C))
        one, both = [line for line in self.lines() if "forgotten, by hand" in line]
        self.assertEqual(one, "A node is forgotten, by hand: 00:13:a2:00:40:00:00:01.")
        shown = "00:13:a2:00:40:00:00:02, 00:13:a2:00:40:00:00:03"
        self.assertEqual(both, f"2 nodes are forgotten, by hand: {shown}.")

    def test_full_disk(self) -> None:
        self.see(A)
        self.patch(self.store, "forget_nodes", full_disk)
        self.failureResultOf(self.forget(A), StoreError)
        self.assertEqual(self.slots(), {A: 27001})

    def test_one_that_the_configuration_names(self) -> None:
        self.restart(PortRequest(A, name="boiler"))
        self.see(B)
        self.failureResultOf(self.forget(B, A), Configured)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})

    def test_one_that_waits_for_a_port(self) -> None:
        """It gets none afterwards."""
        self.see(A)
        node = self.node(A)
        self.successResultOf(self.forget(A))
        self.successResultOf(Deferred.fromCoroutine(self.bindings._give_ports([node])))
        self.assertEqual(self.store.mappings(), [])

    def test_it_is_not_written_again(self) -> None:
        persister = NodePersister(self.wire.clock, self.nodes, self.store, self.wire.bus)
        persister.startService()
        self.see(A)
        node = self.node(A)
        self.nodes.changed(node)
        self.successResultOf(self.forget(A))
        self.nodes.changed(node)
        self.wire.clock.advance(SAVE_DELAY + 1)
        self.assertEqual(self.store.nodes(), [])
        persister.stopService()
        self.assertEqual(self.store.nodes(), [])

    def test_its_name_is_given_to_a_successor(self) -> None:
        self.restart(PortRequest(label="BOILER", slot=30000))
        for address64 in (A, B):
            self.see(address64)
            self.node(address64).label = "BOILER"
            self.nodes.changed(self.node(address64))
        self.assertEqual(self.slots(), {A: 30000, B: 27002})
        self.successResultOf(self.forget(A))
        self.wire.clock.advance(1)
        self.assertEqual(self.slots(), {B: 27002})
        self.bindings.let_have_label(self.node(B))
        self.wire.clock.advance(1)
        self.assertEqual(self.slots(), {B: 30000})
        self.assertEqual(self.store.pins(), {"BOILER": B})
