"""What the configuration asks for nodes is found without a look at all of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.binding.requests import PortRequest, PortRequests
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64

A, B, C = map(Address64, (1, 2, 3))


class PortRequestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.by_address = PortRequest(A, slot=5000)
        self.by_label = PortRequest(label="E1", slot=5001)
        self.elsewhere = PortRequest(label="E2", slot="unix:/x")
        self.nameless = PortRequest(B)
        self.all = (self.by_address, self.by_label, self.elsewhere, self.nameless)
        self.requests = PortRequests(self.all)

    def test_for_node(self) -> None:
        self.assertEqual(self.requests.for_node(Node(C)), [])
        self.assertEqual(self.requests.for_node(Node(A, label="E9")), [self.by_address])
        self.assertEqual(self.requests.for_node(Node(C, label="E1")), [self.by_label])
        self.assertEqual(
            self.requests.for_node(Node(A, label="E1")), [self.by_address, self.by_label]
        )

    def test_as_each_of_them_says(self) -> None:
        """The index and `PortRequest.is_for` are of one mind."""
        for address64 in (A, B, C):
            for label in (None, "", "E1", "E2", "E3"):
                node = Node(address64, label=label)
                found = self.requests.for_node(node)
                for request in self.all:
                    by_label = request.address64 is None
                    self.assertEqual(
                        request in found, request.is_for(node), (node, request, by_label)
                    )

    def test_slots(self) -> None:
        self.assertEqual(self.requests.slots, {5000, 5001, "unix:/x"})

    def test_with_nodes(self) -> None:
        nodes = NodeTable(EventBus())
        for address64, label in ((A, "E9"), (B, "E1"), (C, "E1")):
            node = nodes.add(address64)
            assert node is not None
            node.label = label
        a, b, c = nodes
        self.assertEqual(
            list(self.requests.with_nodes(nodes)),
            [
                (self.by_address, [a]),
                (self.by_label, [b, c]),
                (self.elsewhere, []),
                (self.nameless, [b]),
            ],
        )
