"""A label that somebody relies on is its that had it first."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.binding.support import A, B, BindingTestCase, C, full_disk
from zbtwist.binding.errors import NodeGone
from zbtwist.binding.labels import RETRY_DELAY
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.network.node import Node
from zbtwist.network.persistence import NodePersister
from zbtwist.store.records import StoredNode
from zbtwist.xbee.address import Address64

OWN = PortSettings(retries=1)


def boiler() -> PortRequest:
    return PortRequest(label="BOILER", slot=30000, name="boiler", settings=OWN)


class LabelTestCase(BindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.restart(boiler())

    def call_it(self, address64: Address64, label: str = "BOILER") -> None:
        """A node says that this is its name."""
        self.see(address64)
        self.node(address64).label = label
        self.nodes.changed(self.node(address64))

    def settings(self, address64: Address64) -> PortSettings:
        port = self.bindings.port_of(self.node(address64))
        assert port is not None
        return port.outbound.settings

    def forget(self, *addresses: Address64) -> None:
        nodes = [self.node(address64) for address64 in addresses]
        self.successResultOf(Deferred.fromCoroutine(self.bindings.forget(nodes)))
        self.wire.clock.advance(1)

    def rename(self, address64: Address64, label: str) -> None:
        """A person does it."""
        node = self.node(address64)
        before, node.label = node.label, label
        self.bindings.renamed(node, before)
        self.wire.clock.advance(1)

    def accept(self, address64: Address64) -> None:
        self.bindings.let_have_label(self.node(address64))
        self.wire.clock.advance(1)

    def pins(self) -> dict[str, Address64]:
        """They are the same in the store."""
        self.assertEqual(self.store.pins(), self.bindings.labels.pins)
        return self.store.pins()

    def is_first(self, first: Address64, second: Address64) -> None:
        self.assertEqual(self.slots()[first], 30000)
        self.assertNotIn(self.slots()[second], (30000, None))
        self.assertIs(self.settings(first), OWN)
        self.assertIsNot(self.settings(second), OWN)
        self.assertEqual((self.node(first).name, self.node(second).name), ("boiler", ""))
        self.assertEqual(self.problem(first), "")
        self.assertIn("It calls itself BOILER, as 00:13:a2:00:40:00:00:0", self.problem(second))


class LabelTests(LabelTestCase):
    def test_another_that_says_the_same(self) -> None:
        """It gets neither port nor settings, and that is said once."""
        self.call_it(A)
        for _ in range(3):
            self.call_it(B)
        self.is_first(A, B)
        said = [line for line in self.lines() if "calls itself as" in line]
        self.assertEqual(len(said), 1)

    def test_after_a_restart(self) -> None:
        """Whoever is heard first then."""
        self.call_it(A)
        self.wire.clock.advance(1)
        self.restart(boiler())
        self.call_it(B)
        self.call_it(A)
        self.is_first(A, B)

    def test_written_at_the_end(self) -> None:
        self.call_it(A)
        self.stop()
        self.assertEqual(self.store.pins(), {"BOILER": A})
        self.start()

    def test_full_disk(self) -> None:
        self.patch(self.store, "save_pins", full_disk)
        self.call_it(A)
        self.wire.clock.advance(1)
        self.call_it(B)
        self.is_first(A, B)

    def test_full_disk_for_a_while(self) -> None:
        """What could not be written is written when it can be, though nothing else is new."""
        save = self.store.save_pins
        self.patch(self.store, "save_pins", full_disk)
        self.call_it(A)
        self.wire.clock.pump([1] * 100)
        self.assertEqual(len([line for line in self.lines() if "Whose names are" in line]), 1)
        self.patch(self.store, "save_pins", save)
        self.wire.clock.advance(RETRY_DELAY)
        self.assertEqual(self.pins(), {"BOILER": A})

    def test_full_disk_until_the_end(self) -> None:
        save = self.store.save_pins
        self.patch(self.store, "save_pins", full_disk)
        self.call_it(A)
        self.wire.clock.advance(1)
        self.patch(self.store, "save_pins", save)
        self.stop()
        self.assertEqual(self.store.pins(), {"BOILER": A})
        self.start()

    def test_full_disk_at_the_end(self) -> None:
        self.patch(self.store, "save_pins", full_disk)
        self.call_it(A)
        self.stop()
        self.start()

    def test_first_that_calls_itself_otherwise_now(self) -> None:
        self.call_it(A)
        self.call_it(A, "E1")
        self.call_it(B)
        self.assertNotEqual(self.slots()[B], 30000)
        self.assertIn("as 00:13:a2:00:40:00:00:01 was called first", self.problem(B))

    def test_a_person_lets_another_have_it(self) -> None:
        self.call_it(A)
        self.call_it(A, "E1")
        self.call_it(B)
        self.successResultOf(self.remove(A))
        self.bindings.let_have_label(self.node(B))
        self.assertEqual(self.slot(B), 30000)
        self.assertEqual(self.problem(B), "")

    def test_new_settings(self) -> None:
        """What is in the file for the label later is for the first, too."""
        self.call_it(A)
        self.call_it(B)
        other = PortSettings(retries=2)
        self.bindings.configure([PortRequest(label="BOILER", settings=other)], 27001)
        self.assertIs(self.settings(A), other)
        self.assertIsNot(self.settings(B), other)

    def test_a_label_of_two_that_nobody_relied_on(self) -> None:
        """Nobody knows which had it first: as it always was, a person must say."""
        self.restart()
        for address64 in (A, B):
            self.call_it(address64, "E1")
        self.bindings.configure([PortRequest(label="E1", slot=30001)], 27001)
        self.assertIn("2 nodes are called E1", self.problem(A))

    def test_a_label_that_nobody_relies_on(self) -> None:
        for address64 in (A, B):
            self.call_it(address64, "E1")
        self.assertEqual((self.problem(A), self.problem(B)), ("", ""))
        self.assertEqual(self.bindings.labels.pins, {})

    def test_listed(self) -> None:
        self.call_it(A)
        self.see(B)
        self.node(B).label = "BOILER"
        self.assertEqual(
            [self.bindings.is_listed(self.node(each)) for each in (A, B)], [True, False]
        )


class StoredTests(LabelTestCase):
    """Nodes that the store knows from before anybody relied on their names."""

    def start_with(self, *stored: StoredNode) -> None:
        self.stop()
        self.store.save_nodes(stored)
        start = self.bindings.__class__.startService
        persisters: list[NodePersister] = []

        def start_both(bindings: object) -> None:
            persister = NodePersister(self.wire.clock, self.nodes, self.store, self.wire.bus)
            persisters.append(persister)
            persister.startService()
            start(self.bindings)

        self.patch(self.bindings.__class__, "startService", start_both)
        self.start(boiler())
        self.addCleanup(persisters[0].stopService)
        self.wire.clock.advance(1)

    def test_it_is_the_first(self) -> None:
        self.start_with(StoredNode(A, "BOILER"))
        self.assertEqual(self.pins(), {"BOILER": A})
        self.call_it(B)
        self.is_first(A, B)

    def test_two_of_them(self) -> None:
        """Nobody knows which is meant, until a person says so."""
        self.start_with(StoredNode(A, "BOILER"), StoredNode(B, "BOILER"))
        self.assertEqual(self.pins(), {})
        self.assertIn("2 nodes are called BOILER", self.problem(A))
        self.accept(A)
        self.is_first(A, B)


class ForgottenTests(LabelTestCase):
    """The node that had the name first is forgotten."""

    def setUp(self) -> None:
        super().setUp()
        self.call_it(A)
        self.call_it(B)

    def test_who_was_refused_does_not_get_it(self) -> None:
        self.forget(A)
        for _ in range(2):
            self.assertEqual(self.slots(), {B: 27002})
            self.assertEqual((self.node(B).name, self.pins()), ("", {"BOILER": A}))
            self.assertIn("zbctl accept 00:13:a2:00:40:00:00:02", self.problem(B))
            self.restart(boiler())
            self.call_it(B)

    def test_nor_does_who_comes_then(self) -> None:
        """Which of both is the right one is for a person to say."""
        self.forget(A)
        self.call_it(C)
        self.assertNotEqual(self.slot(C), 30000)
        self.accept(C)
        self.is_first(C, B)
        self.assertEqual(self.pins(), {"BOILER": C})

    def test_first_comes_back(self) -> None:
        self.forget(A)
        self.call_it(A)
        self.is_first(A, B)

    def test_who_was_refused_is_forgotten_too(self) -> None:
        for order in ((A, B), (B, A)):
            self.forget(*order)
            self.assertEqual(self.pins(), {})
            self.call_it(C)
            self.assertEqual(self.slot(C), 30000)
            self.forget(C)
            self.call_it(A)
            self.call_it(B)

    def test_one_after_the_other(self) -> None:
        self.forget(A)
        self.forget(B)
        self.assertEqual(self.pins(), {})

    def test_who_was_refused_waits_to_be_let_in(self) -> None:
        self.forget(B)
        waits = Node(B, label="BOILER")
        self.nodes.not_let_in = lambda: iter([waits])
        self.forget(A)
        self.assertEqual(self.pins(), {"BOILER": A})
        self.assertFalse(self.bindings.is_listed(waits))
        self.bindings.labels.gone(waits)
        self.wire.clock.advance(1)
        self.assertEqual(self.pins(), {})


class ReplacedTests(LabelTestCase):
    """Another module takes the place of the one that had the name."""

    def replace(self, old: Address64, new: Address64, label: str) -> None:
        replacing = self.bindings.replace(self.node(old), self.node(new), label)
        self.successResultOf(Deferred.fromCoroutine(replacing))
        self.wire.clock.advance(1)

    def test_name_follows(self) -> None:
        self.call_it(A)
        self.call_it(B)
        self.call_it(C, "SPARE")
        self.bindings.labels.pin(self.node(C))
        self.replace(A, C, "BOILER")
        self.is_first(C, B)
        self.assertEqual(self.pins(), {"BOILER": C})
        self.forget(C)
        self.assertEqual(self.slots(), {B: 27002})

    def test_nobody_else_has_it(self) -> None:
        self.call_it(A)
        self.call_it(C, "SPARE")
        self.replace(A, C, "BOILER")
        self.assertEqual((self.pins(), self.slots()), ({"BOILER": C}, {C: 30000}))

    def test_of_two_that_nobody_relied_on(self) -> None:
        """A person has said which of them is meant."""
        self.restart()
        self.call_it(A)
        self.call_it(B)
        self.bindings.configure([boiler()], 27001)
        self.call_it(C, "SPARE")
        self.replace(A, C, "BOILER")
        self.assertEqual(self.pins(), {"BOILER": C})

    def test_old_name_that_another_says(self) -> None:
        """Who was refused the successor's old name does not get that one, either."""
        self.call_it(A)
        self.call_it(C, "SPARE")
        self.bindings.labels.pin(self.node(C))
        self.call_it(B, "SPARE")
        self.replace(A, C, "BOILER")
        self.assertEqual(self.pins(), {"BOILER": C, "SPARE": C})

    def test_forgotten_meanwhile(self) -> None:
        """Its settings were written before, which takes long over the air."""
        self.call_it(A)
        self.call_it(C, "SPARE")
        old, new = self.node(A), self.node(C)
        self.forget(A)
        # It is heard again, and is another one.
        self.call_it(A)
        slots = self.slots()
        self.assertIn(A, slots)
        self.assertIn("no port to hand on", self.refused(old, new))
        old = self.node(A)
        self.forget(C)
        self.assertIn("takes nobody's place", self.refused(old, new))
        self.wire.clock.advance(1)
        self.assertEqual(self.slots()[A], slots[A])

    def refused(self, old: Node, new: Node) -> str:
        """Try it, and return why it cannot be."""
        replacing = Deferred.fromCoroutine(self.bindings.replace(old, new, "BOILER"))
        return str(self.failureResultOf(replacing, NodeGone).value)


class SeveralTests(LabelTestCase):
    """A name of several nodes comes to be one's again."""

    def test_renamed_and_renamed_again(self) -> None:
        self.call_it(A)
        self.call_it(B)
        self.rename(A, "KETTLE")
        self.assertEqual(self.slot(B), 27002)
        self.rename(A, "BOILER")
        self.is_first(A, B)
        self.assertEqual(self.pins(), {"BOILER": A})

    def test_renamed_with_nobody_else(self) -> None:
        """Who is called so next is nobody that a person has named."""
        self.call_it(A)
        self.rename(A, "KETTLE")
        self.call_it(B)
        self.assertEqual(self.pins(), {"BOILER": A})
        self.rename(B, "OTHER")
        self.rename(B, "BOILER")
        self.assertEqual(self.pins(), {"BOILER": B})

    def ambiguous(self) -> None:
        self.restart()
        for address64 in (A, B):
            self.call_it(address64)
        self.bindings.configure([boiler()], 27001)
        self.assertIn("2 nodes are called BOILER", self.problem(A))

    def test_accept(self) -> None:
        self.ambiguous()
        self.accept(A)
        self.is_first(A, B)
        self.assertEqual(self.pins(), {"BOILER": A})

    def test_accept_of_a_name_that_nobody_relies_on(self) -> None:
        for address64 in (A, B):
            self.call_it(address64, "E1")
            self.accept(address64)
        self.assertEqual((self.pins(), self.problem(A), self.problem(B)), ({}, "", ""))

    def test_the_other_is_forgotten(self) -> None:
        self.ambiguous()
        self.forget(B)
        self.assertEqual((self.pins(), self.slots()), ({"BOILER": A}, {A: 30000}))
        self.call_it(B)
        self.is_first(A, B)

    def test_the_other_is_renamed(self) -> None:
        self.ambiguous()
        self.rename(B, "KETTLE")
        self.assertEqual((self.pins(), self.slot(A)), ({"BOILER": A}, 30000))

    def test_the_other_calls_itself_otherwise(self) -> None:
        self.ambiguous()
        self.call_it(B, "KETTLE")
        self.wire.clock.pump([1] * 100)
        self.assertEqual((self.pins(), self.slot(A)), ({"BOILER": A}, 30000))
