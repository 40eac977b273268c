"""The history of the traffic."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.binding.service import BindingService
from zbtwist.control.web.traffic import _MOST, INTERVAL, KEPT, RECENT, TrafficHistory
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.coordinator import Coordinator
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64, format_address64

ONE, TWO = Address64(1), Address64(2)


class Ports(BindingService):
    """Says which port a node has, and is no service beyond that."""

    def __init__(self) -> None:
        self.ports: dict[Address64, NodePort] = {}

    def port_of(self, node: Node) -> NodePort | None:
        return self.ports.get(node.address64)


class TrafficTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.bus = EventBus()
        self.nodes = NodeTable(self.bus, wall=self.clock.seconds)
        self.ports = Ports()
        for address64 in (ONE, TWO, Address64(3)):
            self.add_port(address64)
        # A node without a port.
        self.nodes.add(Address64(4))
        self.traffic = TrafficHistory(self.clock, self.nodes, self.ports, maximum=2)
        self.traffic.startService()
        self.addCleanup(self.traffic.stopService)

    def add_port(self, address64: Address64) -> NodePort:
        node = self.nodes.add(address64)
        assert node is not None
        outbound = Outbound(self.clock, Coordinator(self.clock, self.bus), self.nodes, node)
        port = self.ports.ports[address64] = NodePort(self.clock, node, outbound, self.bus)
        return port

    def pass_bytes(self, address64: Address64, received: int, sent: int = 0) -> None:
        port = self.ports.ports[address64]
        port.bytes_received += received
        port.outbound.bytes_sent += sent

    def wait(self, intervals: int = 1) -> None:
        self.clock.pump([INTERVAL] * intervals)

    def assertHistory(
        self, address64: Address64 | None, received: list[int], sent: list[int]
    ) -> None:
        history = self.traffic.of(address64)
        self.assertEqual((history["received"], history["sent"]), (received, sent))

    def lose(self, address64: Address64, lost: int) -> None:
        self.ports.ports[address64].outbound.bytes_lost += lost


class TrafficTests(TrafficTestCase):
    """The hour that is kept."""

    def test_nothing_yet(self) -> None:
        self.assertHistory(None, [], [])
        self.assertHistory(ONE, [], [])

    def test_each_and_all(self) -> None:
        self.pass_bytes(ONE, 10, 1)
        self.wait()
        self.pass_bytes(ONE, 20)
        self.pass_bytes(TWO, 5, 6)
        self.wait(2)
        self.assertHistory(ONE, [10, 20, 0], [1, 0, 0])
        self.assertHistory(TWO, [0, 5, 0], [0, 6, 0])
        self.assertHistory(None, [10, 25, 0], [1, 6, 0])
        self.assertHistory(Address64(3), [0, 0, 0], [0, 0, 0])
        history = self.traffic.of(None)
        self.assertEqual((history["interval"], history["end"]), (INTERVAL, 3 * INTERVAL))

    def test_an_hour_is_kept(self) -> None:
        self.pass_bytes(ONE, 7)
        self.wait(KEPT)
        self.assertHistory(None, [7] + [0] * (KEPT - 1), [0] * KEPT)
        self.assertHistory(ONE, [7] + [0] * (KEPT - 1), [0] * KEPT)
        for received in range(1, 4):
            self.pass_bytes(ONE, received)
            self.wait()
        self.assertHistory(None, [0] * (KEPT - 3) + [1, 2, 3], [0] * KEPT)
        self.assertHistory(ONE, [0] * (KEPT - 3) + [1, 2, 3], [0] * KEPT)

    def test_only_nodes_with_traffic_are_recorded(self) -> None:
        self.wait()
        self.assertEqual(self.traffic.recorded, 0)
        self.pass_bytes(ONE, 1)
        self.wait()
        self.assertEqual(self.traffic.recorded, 1)
        self.wait(KEPT - 1)
        self.assertHistory(ONE, [1] + [0] * (KEPT - 1), [0] * KEPT)
        self.wait()
        self.assertEqual(self.traffic.recorded, 0)
        self.assertHistory(ONE, [0] * KEPT, [0] * KEPT)

    def test_their_number_is_bounded(self) -> None:
        """What others send is in the sum all the same."""
        for address64 in (ONE, TWO, Address64(3)):
            self.pass_bytes(address64, 1)
        self.wait()
        self.assertEqual(self.traffic.recorded, 2)
        self.assertHistory(Address64(3), [0], [0])
        self.assertHistory(None, [3], [0])

    def test_port_that_is_made_anew(self) -> None:
        """Its counters begin at 0 again."""
        self.pass_bytes(ONE, 100)
        self.wait()
        del self.ports.ports[ONE]
        self.wait()
        self.add_port(ONE)
        self.pass_bytes(ONE, 30)
        self.wait()
        self.add_port(ONE)
        self.pass_bytes(ONE, 4)
        self.wait()
        self.assertHistory(ONE, [100, 0, 30, 4], [0, 0, 0, 0])

    def test_losses(self) -> None:
        """They are traffic, too, and kept for an hour."""
        self.lose(ONE, 9)
        self.wait()
        self.pass_bytes(ONE, 1)
        self.wait()
        self.assertEqual(self.traffic.of(ONE)["lost"], [9, 0])
        self.assertEqual(self.traffic.of(None)["lost"], [9, 0])
        self.assertEqual(self.traffic.of(TWO)["lost"], [0, 0])
        self.wait(KEPT - 2)
        self.assertEqual(self.traffic.of(ONE)["lost"], [9] + [0] * (KEPT - 1))
        self.wait()
        self.assertEqual(self.traffic.of(ONE)["lost"], [0] * KEPT)

    def test_more_than_a_number_holds(self) -> None:
        self.pass_bytes(ONE, 1 << 40)
        self.wait()
        self.assertHistory(ONE, [0xFFFF_FFFF], [0])

    def test_it_rests_when_it_is_stopped(self) -> None:
        self.traffic.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.traffic.startService()
        self.wait()
        self.assertHistory(None, [0], [0])


def unpacked(texts: list[str], count: int) -> tuple[list[int], ...]:
    """Return the numbers that a page reads of received, sent and lost."""
    numbers = []
    for text in texts:
        data = b64decode(text)
        size = len(data) // count if data else 1
        numbers.append(
            [int.from_bytes(data[at * size : (at + 1) * size], "little") for at in range(count)]
        )
    return tuple(numbers)


class RecentTests(TrafficTestCase):
    """What pages are told."""

    def told(self, before: int = 0) -> tuple[Any, ...]:
        """Return the number, and what all and each node have received, sent and lost."""
        traffic = self.traffic.since(before)
        if not traffic:
            return ()
        count = traffic["count"]
        nodes = {address: unpacked(texts, count) for address, texts in traffic["nodes"].items()}
        return traffic["number"], unpacked(traffic["all"], count), nodes

    def test_nothing(self) -> None:
        self.assertEqual(self.told(), ())
        self.wait(5)
        self.assertEqual(self.told(), ())

    def test_only_what_has_passed(self) -> None:
        self.pass_bytes(ONE, 10, 1)
        self.lose(TWO, 3)
        self.wait()
        one, two = map(format_address64, (ONE, TWO))
        nodes = {one: ([10], [1], [0]), two: ([0], [0], [3])}
        self.assertEqual(self.told(), (1, ([10], [1], [3]), nodes))
        self.assertEqual(self.told(1), ())
        self.pass_bytes(ONE, 20)
        self.wait()
        self.assertEqual(self.told(1), (2, ([20], [0], [0]), {one: ([20], [0], [0])}))
        _, all_together, nodes = self.told()
        self.assertEqual(all_together, ([10, 20], [1, 0], [3, 0]))
        self.assertEqual(nodes.keys(), {one, two})

    def test_it_moves_on_when_nothing_passes(self) -> None:
        """Until nothing of it is to be seen any more; then nobody is told that time passes."""
        self.pass_bytes(ONE, 10)
        self.wait()
        tellings = 0
        told = 1
        for _ in range(3 * RECENT):
            self.wait()
            if news := self.told(told):
                told, _, nodes = news
                self.assertEqual(nodes, {})
                tellings += 1
        self.assertEqual(tellings, RECENT)
        self.assertEqual(self.told(), ())
        self.pass_bytes(ONE, 7)
        self.wait()
        number, _, nodes = self.told(told)
        self.assertEqual(number, 3 * RECENT + 2)
        [(received, _, _)] = nodes.values()
        self.assertEqual(received, [0] * (RECENT - 1) + [7])

    def test_large_numbers(self) -> None:
        for received in (0xFFFF, 0x10000, _MOST + 1):
            self.pass_bytes(ONE, received)
            self.wait()
        self.assertEqual(self.told()[1][0], [0xFFFF, 0x10000, _MOST])
        self.assertEqual(self.told(1)[1][0], [0x10000, _MOST])

    def test_longer_than_the_rings(self) -> None:
        """What is told is of the last ten minutes, wherever that is in them."""
        for number in range(KEPT + 5):
            self.pass_bytes(ONE, number + 1)
            self.wait()
        last = [number + 1 for number in range(KEPT + 5 - RECENT, KEPT + 5)]
        self.assertEqual(self.told()[1][0], last)
        self.assertEqual(self.told(KEPT + 2)[1][0], last[-3:])
