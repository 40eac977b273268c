"""The settings of each node's port."""

from __future__ import annotations

from dataclasses import replace

from tests.binding.support import A, B, BindingTestCase
from tests.radio.support import FACTS
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.xbee.address import Address64


class BufferTests(BindingTestCase):
    """What is given to the radio at once."""

    def test_radio_with_a_small_buffer(self) -> None:
        turns = self.bindings.turns
        self.bindings.configure([], 27001, in_flight=9)
        self.assertEqual(turns.limit, 9)
        self.wire.coordinator.link_down("It is gone.")
        small = replace(FACTS, hardware_version=0x1744, firmware_version=0x10EF, payload_limit=100)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(small)
        self.assertEqual(turns.limit, 1)
        self.bindings.configure([], 27001, in_flight=5)
        self.assertEqual(turns.limit, 1)
        self.wire.coordinator.link_down("It is gone.")
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(turns.limit, 5)


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
