"""Which node a unit of Modbus TCP is: whom the configuration means, and nobody who says so."""

from __future__ import annotations

from tests.binding.support import A, B, BindingTestCase
from zbtwist.binding.modbus.units import Units
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequests
from zbtwist.config.settings import Settings
from zbtwist.xbee.address import Address64


class WhoIsMeantTests(BindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bindings.configure(PortRequests((), ["TANK"]), 27001)

    def call(self, address64: Address64, label: str) -> None:
        """A node says how it is called."""
        self.see(address64)
        node = self.node(address64)
        node.label = label
        self.nodes.changed(node)

    def found(self, node: Address64 | str) -> NodePort | None:
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        return port.find(node)

    def test_by_address_and_by_label(self) -> None:
        self.call(A, "PUMP")
        self.call(B, "TANK")
        self.assertIs(self.found(B), self.bindings.port_of(self.node(B)))
        self.assertIs(self.found("TANK"), self.bindings.port_of(self.node(B)))
        self.assertIs(self.found("PUMP"), self.bindings.port_of(self.node(A)))
        self.assertIsNone(self.found("MIXER"))
        self.assertIsNone(self.found(Address64(1)))

    def test_whoever_says_the_same(self) -> None:
        """A name that a table has is that of the node that had it first."""
        self.call(B, "TANK")
        self.call(A, "TANK")
        self.assertIs(self.found("TANK"), self.bindings.port_of(self.node(B)))

    def test_nobody_can_tell_which(self) -> None:
        self.call(A, "PUMP")
        self.call(B, "PUMP")
        self.assertIsNone(self.found("PUMP"))

    def test_name_in_a_new_configuration(self) -> None:
        """The node that is known by it then is the one."""
        self.call(A, "PUMP")
        self.bindings.configure(PortRequests((), ["PUMP"]), 27001)
        self.call(B, "PUMP")
        self.assertIs(self.found("PUMP"), self.bindings.port_of(self.node(A)))

    def test_reconfigure(self) -> None:
        """A table that changes is followed, also if nothing is said of single nodes."""
        self.call(A, "PUMP")
        old = Settings(serial="sim:")
        table = (Units(2, 2, None, "PUMP"),)
        new = Settings(serial="sim:", port_settings=PortSettings(units=table))
        self.assertEqual(new.requests().labels, {"PUMP"})
        self.bindings.reconfigure(old, new)
        self.call(B, "PUMP")
        port = self.found("PUMP")
        assert port is not None
        self.assertEqual(port.node.address64, A)
        self.assertEqual(port.outbound.settings.units, table)
