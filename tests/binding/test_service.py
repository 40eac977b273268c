"""Which node has which port: given once, kept, changed by hand, asked for by the configuration."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Computer
from tests.radio.support import FACTS, Wire
from tests.support import connect, record_log
from zbtwist.binding.allocation import PASS_OVER
from zbtwist.binding.errors import BindingError, Configured, NoMapping, PortTaken
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.binding.service import FIRST_RETRY_DELAY, MAX_RETRY_DELAY, BindingService
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.observing.log_lines import LogLines
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import TransmitStatus

A, B, C, D = (Address64(0x0013A200_40000001 + n) for n in range(4))


class BindingTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Store().open()
        self.addCleanup(self.store.close)
        self.computer = Computer()
        self.start()

    def start(
        self, *wishes: PortRequest, base: int = 27001, last: int = 65535, **more: Any
    ) -> None:
        """Start a gateway that has the store of the one before."""
        self.wire = Wire()
        # A node that was seen at 0 was never seen.
        self.wire.clock.advance(1000)
        self.nodes = NodeTable(self.wire.bus)
        LogLines(self.wire.bus)
        self.bindings = BindingService(
            self.wire.clock,
            self.wire.coordinator,
            self.nodes,
            self.store,
            self.computer.endpoint,
            self.wire.bus,
        )
        self.bindings.configure(wishes, base, last, **more)
        self.log = record_log(self)
        self.bindings.startService()

    def stop(self) -> None:
        self.successResultOf(self.bindings.stopService())
        self.assertEqual(self.computer.open, {})
        self.wire.coordinator.close()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def restart(self, *wishes: PortRequest, **more: Any) -> None:
        self.stop()
        self.start(*wishes, **more)

    def see(self, *addresses: Address64) -> None:
        for address64 in addresses:
            self.nodes.seen(address64, Address16(address64 & 0xFFFF), self.wire.clock.seconds())

    def node(self, address64: Address64) -> Node:
        node = self.nodes.get(address64)
        assert node is not None
        return node

    def slot(self, address64: Address64) -> object:
        """The port of a node, if it listens there."""
        port = self.bindings.port_of(self.node(address64))
        if port is None or port.listener is None:
            return None
        self.assertIs(self.computer.open[port.slot].server, port)
        return port.slot

    def slots(self) -> dict[Address64, object]:
        return {node.address64: self.slot(node.address64) for node in self.nodes}

    def connect(self, slot: object) -> Any:
        transport: Any = StringTransport()
        transport.protocol = connect(self.computer.open[slot], transport)
        return transport

    def change(self, wanted: dict[Address64, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(self.bindings.change(wanted))

    def remove(self, address64: Address64) -> Deferred[None]:
        return Deferred.fromCoroutine(self.bindings.remove(self.node(address64)))

    def problem(self, address64: Address64) -> str:
        return self.bindings.problem_of(self.node(address64))

    def lines(self) -> list[str]:
        return self.log.lines()


class GivenTests(BindingTestCase):
    """Ports that the gateway gives by itself."""

    def test_in_order(self) -> None:
        self.see(C, A, B)
        self.assertEqual(self.slots(), {C: 27001, A: 27002, B: 27003})
        self.assertEqual(
            self.store.mappings(), [Mapping(C, 27001), Mapping(A, 27002), Mapping(B, 27003)]
        )

    def test_kept_over_a_restart(self) -> None:
        """They listen at once, also for nodes that are not seen again; new ones get others."""
        self.see(C, A, B)
        self.restart()
        self.assertEqual(self.slots(), {C: 27001, A: 27002, B: 27003})
        self.see(D, B)
        self.assertEqual(self.slots(), {C: 27001, A: 27002, B: 27003, D: 27004})

    def test_port_of_another_program_is_skipped_with_a_warning(self) -> None:
        self.computer.taken |= {27002, 27003}
        self.see(A, B, C)
        self.assertEqual(self.slots(), {A: 27001, B: 27004, C: 27005})
        warnings = [line for line in self.lines() if "skipped" in line]
        self.assertEqual(len(warnings), 2)
        self.assertIn("Port 27002 is skipped, 00:13:a2:00:40:00:00:02 gets the next", warnings[0])
        self.computer.taken.clear()
        self.wire.clock.advance(PASS_OVER)
        self.see(D)
        self.assertEqual(self.slot(D), 27002)

    def test_computer_that_cannot_listen(self) -> None:
        """A wrong interface, or too many open files: no port is used up, and it is tried again."""
        for number, words in (
            (errno.EADDRNOTAVAIL, "see --interface"),
            (errno.EMFILE, "ulimit -n"),
        ):
            self.setUp()
            self.computer.error = number
            self.computer.taken |= set(range(1, 65536))
            self.see(A, B)
            self.assertEqual(self.slots(), {A: None, B: None})
            self.assertEqual(len(self.computer.tried), 2)
            self.assertIn(words, self.problem(A))
            self.wire.clock.pump([1] * 600)
            self.assertEqual(sum("cannot be reached" in line for line in self.lines()), 2)
            self.computer.taken.clear()
            self.wire.clock.advance(MAX_RETRY_DELAY)
            self.assertEqual(self.slots(), {A: 27001, B: 27002})
            self.assertEqual(self.problem(A), "")

    def test_slow_listening_keeps_the_order(self) -> None:
        self.computer.slow = Deferred()
        self.see(A, B)
        settled = self.bindings.settled()
        self.assertNoResult(settled)
        slow, self.computer.slow = self.computer.slow, None
        slow.callback(None)
        self.successResultOf(settled)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})

    def test_reserved(self) -> None:
        self.restart(reserved={27001})
        self.see(A)
        self.assertEqual(self.slot(A), 27002)

    def test_exhaustion(self) -> None:
        """A clear state, the others unharmed, and a port as soon as there is one."""
        self.restart(base=27001, last=27002)
        self.see(A, B, C, D)
        self.assertEqual(self.slots(), {A: 27001, B: 27002, C: None, D: None})
        self.assertEqual(
            self.problem(C),
            "Every port from 27001 to 27002 is taken: raise --last-port, or remove a mapping.",
        )
        self.successResultOf(self.remove(A))
        self.assertEqual(self.slots(), {A: None, B: 27002, C: 27001, D: None})
        self.assertEqual(self.problem(C), "")
        self.bindings.configure([], 27001, 27009)
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.slot(D), 27003)

    def test_port_that_is_taken_at_start_is_waited_for(self) -> None:
        self.see(A, B)
        self.computer.taken.add(27001)
        self.restart()
        self.assertEqual(self.slots(), {A: None, B: 27002})
        self.assertIn("Port 27001 does not open: another program has it", self.problem(A))
        self.see(C)
        self.assertEqual(self.slot(C), 27003)
        for _ in range(10):
            self.wire.clock.advance(MAX_RETRY_DELAY)
        said = [line for line in self.lines() if "does not open" in line]
        self.assertEqual(len(said), 1)
        self.computer.taken.clear()
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.slots(), {A: 27001, B: 27002, C: 27003})
        self.assertEqual(self.problem(A), "")

    def test_retries_come_less_and_less_often(self) -> None:
        self.see(A)
        self.computer.taken.add(27001)
        self.restart()
        self.computer.tried.clear()
        self.wire.clock.pump([1] * 3600)
        tries = len(self.computer.tried)
        self.assertTrue(3600 / MAX_RETRY_DELAY <= tries <= 3600 / MAX_RETRY_DELAY + 7, tries)

    def test_store_fails(self) -> None:
        """The node has its port all the same, this is said, and it is saved when it can be."""
        change = self.store.change_mappings

        def refuse(*arguments: Any, **keywords: Any) -> None:
            raise StoreError("The disk is full: make room.")

        self.patch(self.store, "change_mappings", refuse)
        self.see(A, B)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertEqual(self.bindings.store_problem, "The disk is full: make room.")
        self.assertEqual(sum("The disk is full" in line for line in self.lines()), 1)
        self.patch(self.store, "change_mappings", change)
        self.wire.clock.advance(FIRST_RETRY_DELAY)
        self.assertEqual(self.bindings.store_problem, "")
        self.assertEqual(self.store.mappings(), [Mapping(A, 27001), Mapping(B, 27002)])

    def test_node_reaches_its_port(self) -> None:
        self.see(A)
        transport = self.connect(27001)
        receiver = self.node(A).receiver
        assert receiver is not None
        receiver(b"data")
        self.assertEqual(transport.value(), b"data")
        self.assertEqual(self.bindings.clients, 1)
        transport.protocol.connectionLost()

    def test_waiting_bytes_go_out_when_the_radio_is_up(self) -> None:
        self.see(A)
        self.wire.coordinator.link_down("gone")
        transport = self.connect(27001)
        transport.protocol.dataReceived(b"data")
        self.assertEqual(self.wire.sent, [])
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.wire.last.data, b"data")

    def test_stop(self) -> None:
        self.see(A)
        self.stop()
        self.see(B)
        self.assertEqual(self.computer.open, {})


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

        def refuse(*arguments: Any, **keywords: Any) -> None:
            raise StoreError("The disk is full: make room.")

        self.patch(self.store, "change_mappings", refuse)
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

    def test_port_asked_for_twice(self) -> None:
        text = self.check_nothing_changed({A: 30000, C: 30000}, BindingError)
        self.assertIn("Port 30000 is asked for", text)

    def test_reserved_port(self) -> None:
        self.restart(reserved={27000})
        self.check_nothing_changed({A: 27000}, PortTaken)

    def test_store_fails(self) -> None:
        def refuse(*arguments: Any, **keywords: Any) -> None:
            raise StoreError("The disk is full: make room.")

        self.see(A, B)
        change = self.store.change_mappings
        self.patch(self.store, "change_mappings", refuse)
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


class WishTests(BindingTestCase):
    """What the configuration asks for."""

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

    def test_listen_anew(self) -> None:
        """The interface changed: every port is opened again, and the clients stay."""
        self.see(A, B)
        client = self.connect(27001)
        self.computer.opened.clear()
        self.bindings.listen_anew()
        self.assertEqual(self.computer.opened, [27001, 27002])
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertFalse(client.disconnecting)
        client.protocol.connectionLost()


class ManyTests(BindingTestCase):
    def test_many_nodes_of_the_configuration(self) -> None:
        addresses = [Address64(A + number) for number in range(2000)]
        self.stop()
        self.start(*(PortRequest(address64, name=f"{address64:x}") for address64 in addresses))
        self.assertEqual(len(self.computer.open), 2000)


class InterruptionTests(BindingTestCase):
    """Where bytes of a node may have been lost, its clients are reset, and nobody else's."""

    def setUp(self) -> None:
        super().setUp()
        self.wire.coordinator.ready(FACTS)
        self.see(A, B)
        self.clients = {A: self.connect(27001), B: self.connect(27002)}

    def hear(self, address64: Address64) -> None:
        receiver = self.node(address64).receiver
        assert receiver is not None
        receiver(b"something")

    def outage(self, seconds: float) -> None:
        self.wire.coordinator.link_down("It is gone.")
        self.wire.clock.advance(seconds)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)

    def reset(self) -> list[Address64]:
        return [address64 for address64, client in self.clients.items() if client.disconnected]

    def test_in_the_middle_of_something(self) -> None:
        """A node that spoke shortly before an outage may have gone on in it."""
        self.hear(A)
        self.wire.clock.advance(2.0)
        self.hear(B)
        self.wire.clock.advance(0.9)
        self.outage(0.5)
        self.assertEqual(self.reset(), [B])
        self.assertIn("away for 0.5 s, and bytes of", self.lines()[-1])

    def test_the_longer_the_outage_the_more_may_be_lost(self) -> None:
        self.hear(A)
        self.wire.clock.advance(5.0)
        self.outage(4.9)
        self.assertEqual(self.reset(), [])
        self.outage(20.0)
        self.assertEqual(self.reset(), [A])

    def test_question_without_an_answer(self) -> None:
        """The answer may have come while the radio was away, from a node that does answer."""
        self.hear(A)
        self.wire.clock.advance(60.0)
        for client in self.clients.values():
            client.protocol.dataReceived(b"question")
            self.wire.receive(TransmitStatus(self.wire.last.frame_id, Address16(1), 0, 0, 0))
        self.wire.clock.advance(0.9)
        self.outage(0.5)
        self.assertEqual(self.reset(), [A])

    def test_outage_that_was_noticed_late(self) -> None:
        """A radio that hung was deaf from some moment on after its last frame."""
        self.hear(A)
        last_frame = self.wire.clock.seconds()
        self.wire.clock.advance(30.0)
        self.hear(B)
        self.wire.coordinator.link_down("It has fallen silent.", last_frame)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.reset(), [A, B])
        self.assertIn("away for 30.0 s", self.lines()[-1])

    def test_radio_that_does_not_answer(self) -> None:
        """Whoever was busy is reset when the radio is heard again, or the node, and not before."""
        self.hear(A)
        self.hear(B)
        last_frame = self.wire.clock.seconds()
        self.wire.clock.advance(5.0)
        self.wire.coordinator.mark_unresponsive(last_frame)
        self.assertEqual(self.reset(), [])
        self.hear(A)
        self.assertEqual(self.reset(), [A])
        self.wire.coordinator.mark_responsive()
        self.assertEqual(self.reset(), [A, B])

    def test_what_clients_sent_is_kept(self) -> None:
        self.clients[A].protocol.dataReceived(b"one")
        frame = self.wire.last
        self.wire.receive(TransmitStatus(frame.frame_id, Address16(1), 0, 0, 0))
        self.wire.coordinator.link_down("It is gone.")
        self.clients[A].protocol.dataReceived(b"two")
        self.wire.clock.advance(1.0)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.wire.last.data, b"two")
        self.assertEqual(self.reset(), [])

    def test_damaged_frame(self) -> None:
        self.wire.coordinator.frames_damaged([A])
        self.assertEqual(self.reset(), [A])

    def test_damaged_frame_of_anybody(self) -> None:
        self.wire.coordinator.frames_damaged(None)
        self.assertEqual(self.reset(), [A, B])

    def test_damaged_address(self) -> None:
        self.wire.coordinator.frames_damaged([C])
        self.assertEqual(self.reset(), [A, B])

    def test_damage_that_concerns_nobody(self) -> None:
        self.wire.coordinator.frames_damaged([])
        self.assertEqual(self.reset(), [])

    def test_backlog(self) -> None:
        """What is kept for the next client must not have a hole either."""
        self.bindings.configure([], 27001, settings=PortSettings(backlog=100))
        self.clients[A].protocol.connectionLost()
        self.hear(A)
        self.wire.coordinator.frames_damaged([A])
        self.hear(A)
        self.assertEqual(self.connect(27001).value(), b"something")

    def test_bytes_of_those_that_are_reset_are_not_sent(self) -> None:
        """Who is reset sends again what is to be sent, and it must not arrive twice."""
        writer = self.clients[A].protocol
        writer.dataReceived(b"in the air")
        writer.dataReceived(b"waiting")
        frame = self.wire.last
        self.wire.coordinator.frames_damaged([A])
        self.wire.receive(TransmitStatus(frame.frame_id, Address16(1), 0, 0, 0))
        self.wire.clock.advance(1.0)
        self.assertIs(self.wire.last, frame)
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        self.assertEqual(port.outbound.bytes_lost, 7)


class PolicyTests(BindingTestCase):
    def policy(self, address64: Address64) -> PortSettings:
        port = self.bindings.port_of(self.node(address64))
        assert port is not None
        return port.outbound.settings

    def test_policies(self) -> None:
        general, special = PortSettings(retries=9), PortSettings(window=3)
        self.bindings.configure([PortRequest(A, settings=special)], 27001, settings=general)
        self.see(A, B)
        self.assertEqual((self.policy(A), self.policy(B)), (special, general))
        self.bindings.configure([PortRequest(B, settings=special)], 27001)
        self.assertEqual((self.policy(A), self.policy(B)), (PortSettings(), special))

    def test_node_that_is_named_by_its_label(self) -> None:
        special = PortSettings(window=3)
        self.bindings.configure([PortRequest(label="METER", settings=special)], 27001)
        self.see(A)
        self.assertEqual(self.policy(A), PortSettings())
        self.node(A).label = "METER"
        self.nodes.changed(self.node(A))
        self.assertEqual(self.policy(A), special)
