"""What simulated modules answer when they are asked for their neighbours."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.simulator.hearing import MAX_NEIGHBOURS, heard_by
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.node import Node
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.packet import Packet
from zbtwist.simulator.zdo import (
    MAX_ROUTES,
    NEIGHBOURS_AT_ONCE,
    answer_to,
    neighbours_of,
    routes_of,
)
from zbtwist.xbee.zdo import (
    ANSWER,
    CHILD,
    NEIGHBOURS_CLUSTER,
    NO_RELATION,
    PARENT,
    ROUTES_CLUSTER,
    ZDO_ENDPOINT,
    ZDO_PROFILE,
    neighbours_in,
    question,
    routes_in,
)


class TableTests(SynchronousTestCase):
    def build(self, **options: Any) -> SimulatedNetwork:
        network = SimulatorOptions(kinds=("echo",), interval=0.0, **options).build(Clock())
        self.addCleanup(network.stop)
        return network

    def ask(
        self, network: SimulatedNetwork, node: Node, cluster: int, data: bytes
    ) -> Packet | None:
        asked = Packet(network.radio, data, cluster, ZDO_ENDPOINT, ZDO_ENDPOINT, ZDO_PROFILE)
        return answer_to(asked, node, network)

    def test_chain(self) -> None:
        """Who is one hop nearer, or one farther, as the packets go."""
        network = self.build(nodes=3, hops=(1, 2, 3))
        first, second, third = network.nodes.values()
        kinds = {one.address64: one.relationship for one in neighbours_of(second, network)}
        self.assertEqual(kinds, {first.address64: PARENT, third.address64: NO_RELATION})
        self.assertEqual([heard.module for heard in heard_by(network.radio, network)], [first])
        self.assertEqual(heard_by(network.radio, network)[0].rssi, first.rssi)
        ways = {route.destination: route.next_hop for route in routes_of(first, network)}
        self.assertEqual(
            ways,
            {0: 0, second.address16: second.address16, third.address16: second.address16},
        )
        self.assertEqual(
            {route.next_hop for route in routes_of(network.radio, network)}, {first.address16}
        )

    def test_both_ends(self) -> None:
        """Who hears a router is heard by it, if both have room for it in their tables."""
        network = self.build(nodes=12)
        for node in network.nodes.values():
            for heard in heard_by(node, network):
                back = [one.module for one in heard_by(heard.module, network)]
                self.assertIn(node, back)

    def test_switched_off(self) -> None:
        network = self.build(nodes=2, hops=(1, 2))
        first, second = network.nodes.values()
        second.reachable = False
        self.assertEqual(heard_by(first, network)[0].module, network.radio)
        self.assertEqual(len(heard_by(first, network)), 1)

    def test_end_device(self) -> None:
        network = self.build(nodes=3)
        sleeper, *routers = network.nodes.values()
        sleeper.fall_asleep(1.0)
        for router in routers:
            self.assertNotIn(sleeper, [one.module for one in heard_by(router, network)])
        (child,) = (
            one
            for one in neighbours_of(network.radio, network)
            if one.address64 == sleeper.address64
        )
        self.assertEqual((child.relationship, child.role, child.is_awake), (CHILD, 2, False))
        self.assertIsNone(self.ask(network, sleeper, NEIGHBOURS_CLUSTER, question(1, 0)))

    def test_large(self) -> None:
        network = self.build(nodes=300)
        for module in (network.radio, network.nodes[next(iter(network.nodes))]):
            self.assertEqual(len(neighbours_of(module, network)), MAX_NEIGHBOURS)
        self.assertEqual(len(routes_of(network.radio, network)), MAX_ROUTES)

    def test_pages(self) -> None:
        network = self.build(nodes=40)
        node = next(iter(network.nodes.values()))
        found: list[Any] = []
        while True:
            answer = self.ask(network, node, NEIGHBOURS_CLUSTER, question(9, len(found)))
            assert answer is not None
            self.assertEqual(answer.cluster_id, NEIGHBOURS_CLUSTER | ANSWER)
            self.assertLessEqual(len(answer.data), 84)
            page = neighbours_in(answer.data)
            self.assertEqual((page.transaction, page.start), (9, len(found)))
            self.assertLessEqual(len(page.entries), NEIGHBOURS_AT_ONCE)
            found += page.entries
            if not page.entries:
                break
        self.assertEqual(found, neighbours_of(node, network))
        answer = self.ask(network, node, ROUTES_CLUSTER, question(9, 0))
        assert answer is not None
        self.assertEqual(routes_in(answer.data).total, 1)

    def test_what_is_no_question(self) -> None:
        network = self.build(nodes=1)
        (node,) = network.nodes.values()
        self.assertIsNone(self.ask(network, node, NEIGHBOURS_CLUSTER, b"\1"))
        self.assertIsNone(self.ask(network, node, 0x0005, b"\1\2"))
        self.assertIsNone(answer_to(Packet(network.radio, b"\1\0"), node, network))
