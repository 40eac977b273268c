"""What the configuration asks for: followed node by node, said and tried again."""

from __future__ import annotations

from collections.abc import Iterator

from tests.binding.support import A, B, BindingTestCase, C
from zbtwist.binding.errors import Configured
from zbtwist.binding.requests import PortRequest
from zbtwist.binding.retries import MAX_RETRY_DELAY
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.pace import Stopped
from zbtwist.xbee.address import Address64


class WishTests(BindingTestCase):
    def test_by_address(self) -> None:
        self.restart(PortRequest(A, slot=30000, name="meter"))
        self.assertEqual(self.slots(), {A: 30000})
        self.assertEqual(str(self.node(A)), "meter (00:13:a2:00:40:00:00:01)")
        self.see(A, B)
        self.assertEqual(self.slots(), {A: 30000, B: 27001})

    def test_by_label(self) -> None:
        self.restart(PortRequest(label="E1", slot=30000))
        self.see(A)
        self.assertEqual(self.slot(A), 27001)
        self.node(A).label = "E1"
        self.nodes.changed(self.node(A))
        self.assertEqual(self.slot(A), 30000)

    def test_label_of_two(self) -> None:
        self.restart(PortRequest(label="E1", slot=30000))
        self.see(A, B)
        for address64 in (A, B):
            self.node(address64).label = "E1"
        self.nodes.changed(self.node(A))
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertIn("2 nodes are called E1", self.problem(A))

    def test_wished_port_is_not_given_to_another(self) -> None:
        self.restart(PortRequest(label="E1", slot=27001))
        self.see(A)
        self.assertEqual(self.slot(A), 27002)

    def test_endpoint(self) -> None:
        self.restart(PortRequest(A, slot="unix:/run/meter"))
        self.assertEqual(self.slots(), {A: "unix:/run/meter"})
        self.restart()
        self.assertEqual(self.slots(), {A: "unix:/run/meter"})

    def test_node_moves_from_its_given_port(self) -> None:
        self.see(A, B)
        self.restart(PortRequest(A, slot=30000))
        self.assertEqual(self.slots(), {A: 30000, B: 27002})

    def test_mapping_stays_when_it_is_not_asked_for_any_more(self) -> None:
        self.restart(PortRequest(A, slot=30000))
        self.restart()
        self.assertEqual(self.slots(), {A: 30000})

    def test_two_nodes_want_one_port(self) -> None:
        """The one that has it keeps it; the other has it when it is free."""
        self.see(A, B)
        self.restart(PortRequest(B, slot=27001))
        self.see(A, B)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertIn("Port 27001 belongs to", self.problem(B))
        self.successResultOf(self.remove(A))
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.slots(), {A: None, B: 27001})
        self.assertEqual(self.problem(B), "")

    def test_nodes_exchange_their_ports(self) -> None:
        self.see(A, B)
        self.restart(PortRequest(A, slot=27002), PortRequest(B, slot=27001))
        self.assertEqual(self.slots(), {A: 27002, B: 27001})

    def test_node_that_is_named_before_it_is_seen(self) -> None:
        """It gets a port as every other, also if only its name is in the file."""
        self.bindings.configure([PortRequest(A, name="third")], 27001)
        self.see(A)
        self.assertEqual(self.slot(A), 27001)

    def test_by_hand_against_the_configuration(self) -> None:
        """Refused, since the next start would undo it."""
        self.restart(PortRequest(A, slot=30000), PortRequest(label="E2", slot=30001))
        self.see(A, B)
        self.node(B).label = "E2"
        self.nodes.changed(self.node(B))
        self.assertEqual(self.slots(), {A: 30000, B: 30001})
        for address64 in (A, B):
            failure = self.failureResultOf(self.change({address64: 30005}), Configured)
            self.assertIn("change it there", failure.getErrorMessage())
            self.failureResultOf(self.remove(address64), Configured)
        self.successResultOf(self.change({A: 30000}))
        self.assertEqual(self.slots(), {A: 30000, B: 30001})

    def test_node_whose_wish_cannot_be_granted(self) -> None:
        """It gets no other port meanwhile: who configured one looks for it there."""
        self.computer.taken.add(30000)
        self.restart(PortRequest(A, slot=30000))
        self.see(A)
        self.assertIsNone(self.slot(A))
        self.assertIn("Port 30000 does not open", self.problem(A))
        self.assertFalse(self.bindings.is_unbound(self.node(A)))
        self.computer.taken.clear()
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.slot(A), 30000)

    def test_many_wishes_that_cannot_be_granted(self) -> None:
        """Trying them again does not look through all nodes for each."""
        self.computer.taken.update(range(30000, 30100))
        self.restart(*(PortRequest(Address64(A + n), slot=30000 + n) for n in range(100)))
        walks: list[NodeTable] = []
        whole = NodeTable.__iter__

        def walk(nodes: NodeTable) -> Iterator[Node]:
            walks.append(nodes)
            return whole(nodes)

        self.patch(NodeTable, "__iter__", walk)
        self.computer.tried.clear()
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(sorted(self.computer.tried), list(range(30000, 30100)))
        self.assertLess(len(walks), 10)

    def test_endpoint_that_fails_in_its_own_way(self) -> None:
        """It does not stop the others, is said, and tried again."""
        self.computer.raises = FileNotFoundError(2, "No such file or directory")
        self.computer.taken.add("unix:/nowhere/x")
        self.restart(
            PortRequest(A, slot="unix:/nowhere/x"), PortRequest(B, slot=30000, name="second")
        )
        self.see(C)
        self.assertEqual(self.slots()[B], 30000)
        self.assertEqual(self.slot(C), 27001)
        self.assertEqual(self.node(B).name, "second")
        self.assertIn("its directory is not there", self.problem(A))
        self.computer.taken.clear()
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.slot(A), "unix:/nowhere/x")

    def test_changed_while_running(self) -> None:
        """Only what changed is touched."""
        self.restart(PortRequest(A, slot=30000), PortRequest(B, slot=30001))
        first, second = self.connect(30000), self.connect(30001)
        self.bindings.configure([PortRequest(A, slot=30000), PortRequest(B, slot=30002)], 27001)
        self.assertEqual(self.slots(), {A: 30000, B: 30002})
        self.assertFalse(first.disconnecting)
        self.assertTrue(second.disconnecting)
        for transport in (first, second):
            transport.protocol.connectionLost()


class ManyTests(BindingTestCase):
    def test_many_nodes_of_the_configuration(self) -> None:
        addresses = [Address64(A + number) for number in range(2000)]
        self.stop()
        self.start(*(PortRequest(address64, name=f"{address64:x}") for address64 in addresses))
        # It is done in pieces, so that the streams have their turns.
        self.assertLess(len(self.computer.open), 2000)
        self.wire.clock.advance(0)
        self.assertEqual(len(self.computer.open), 2000)

    def many(self) -> list[PortRequest]:
        return [PortRequest(Address64(A + number), slot=30000 + number) for number in range(1000)]

    def test_many_that_move(self) -> None:
        """In pieces, and all or none: their number is said, not each."""
        self.restart(*self.many())
        self.wire.clock.advance(0)
        moved = [PortRequest(one.address64, slot=40000 + n) for n, one in enumerate(self.many())]
        self.bindings.configure(moved, 27001)
        self.assertEqual(self.slot(A), 30000)
        self.wire.clock.advance(0)
        self.assertEqual(self.slots(), {one.address64: one.slot for one in moved})
        self.assertEqual(self.lines()[-1], "1000 nodes are on other ports now, by hand.")

    def test_one_that_cannot_be_had(self) -> None:
        """It is said of that one, and all others move together; whoever wants its port waits."""
        self.restart(*self.many())
        self.wire.clock.advance(0)
        moved = [PortRequest(Address64(A + n), slot=30001 + n) for n in range(1000)]
        self.computer.taken.add(31000)
        before = len(self.lines())
        self.bindings.configure(moved[500:], 27001)
        self.wire.clock.advance(0)
        # The last cannot have its port, and so nobody can have that of the one behind.
        self.assertEqual(self.slot(Address64(A + 999)), 30999)
        self.assertEqual(self.slot(Address64(A + 500)), 30500)
        self.assertEqual(len(self.lines()[before:]), 500)
        self.computer.taken.clear()
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.wire.clock.pump([1.0] * 600)
        self.assertEqual(self.slot(Address64(A + 500)), 30501)

    def test_some_that_cannot_be_had(self) -> None:
        self.restart(*self.many())
        self.wire.clock.advance(0)
        self.computer.taken.update((40003, 40007))
        before = len(self.lines())
        self.bindings.configure(
            [PortRequest(Address64(A + n), slot=40000 + n) for n in range(1000)], 27001
        )
        self.wire.clock.advance(0)
        self.assertEqual(self.slot(Address64(A + 3)), 30003)
        self.assertEqual(self.slot(Address64(A + 999)), 40999)
        said = self.lines()[before:]
        self.assertEqual(len(said), 3, said)
        self.assertIn("998 nodes are on other ports now, by hand.", said)

    def test_stop_when_some_are_open(self) -> None:
        """By hand, too; nothing is left open, and nothing fails."""
        ports = {Address64(A + number): 30000 + number for number in range(1000)}
        changing = self.change(ports)
        self.wire.clock.callLater(0, self.bindings.stopService)
        self.wire.clock.advance(0)
        self.failureResultOf(changing, Stopped)
        self.assertEqual(self.computer.open, {})
        self.start()

    def test_stop_while_all_are_opened_anew(self) -> None:
        self.restart(*self.many())
        self.wire.clock.advance(0)
        self.bindings.listen_anew()
        self.wire.clock.callLater(0, self.bindings.stopService)
        self.wire.clock.advance(0)
        self.assertEqual(self.computer.open, {})
        self.start()
        self.wire.clock.advance(0)

    def test_all_are_opened_anew(self) -> None:
        """Their number is said, not each."""
        self.restart(*self.many())
        self.wire.clock.advance(0)
        before = len(self.lines())
        self.bindings.listen_anew()
        self.wire.clock.advance(0)
        self.assertEqual(len(self.computer.open), 1000)
        self.assertEqual(self.lines()[before:], ["1000 nodes are on their ports."])

    def test_others_in_between(self) -> None:
        """Those that are not asked for any more are not followed, nor are their names."""
        self.bindings.configure(
            [PortRequest(Address64(A + number), name=f"N{number}") for number in range(1000)], 27001
        )
        self.assertEqual(self.node(A).name, "N0")
        self.bindings.configure([PortRequest(A, name="other")], 27001)
        self.wire.clock.advance(0)
        self.assertEqual([node.name for node in self.nodes if node.name], ["other"])

    def test_stop_in_between(self) -> None:
        """What was opened for it is closed, and nothing has changed."""
        self.restart(*self.many())
        self.bindings.stopService()
        self.wire.clock.advance(0)
        self.assertEqual(self.computer.open, {})
        self.assertEqual(self.store.mappings(), [])
