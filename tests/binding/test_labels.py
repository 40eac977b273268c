"""A label that somebody relies on is its that had it first."""

from __future__ import annotations

from tests.binding.support import A, B, BindingTestCase, full_disk
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.xbee.address import Address64

OWN = PortSettings(retries=1)


class LabelTests(BindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.restart(PortRequest(label="BOILER", slot=30000, name="boiler", settings=OWN))

    def call_it(self, address64: Address64, label: str = "BOILER") -> None:
        """A node says that this is its name."""
        self.see(address64)
        self.node(address64).label = label
        self.nodes.changed(self.node(address64))

    def settings(self, address64: Address64) -> PortSettings:
        port = self.bindings.port_of(self.node(address64))
        assert port is not None
        return port.outbound.settings

    def is_first(self, first: Address64, second: Address64) -> None:
        self.assertEqual(self.slots()[first], 30000)
        self.assertNotIn(self.slots()[second], (30000, None))
        self.assertIs(self.settings(first), OWN)
        self.assertIsNot(self.settings(second), OWN)
        self.assertEqual((self.node(first).name, self.node(second).name), ("boiler", ""))
        self.assertEqual(self.problem(first), "")
        self.assertIn("It calls itself BOILER, as 00:13:a2:00:40:00:00:0", self.problem(second))

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
        self.restart(PortRequest(label="BOILER", slot=30000, name="boiler", settings=OWN))
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
