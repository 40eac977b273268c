"""The shared channel: its rates, who gets it, and what goes wrong on it."""

from __future__ import annotations

import itertools

from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.clock import Clock
from tests.simulator.line import Line
from tests.simulator.support import NetworkTestCase, widen
from zbtwist.simulator.air import IAir, SimpleAir
from zbtwist.simulator.channel import ChannelAir
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.node import Node
from zbtwist.simulator.nodes import EchoNode
from zbtwist.simulator.packet import Packet
from zbtwist.xbee.address import BROADCAST64, UNKNOWN16
from zbtwist.xbee.devices import COORDINATOR, END_DEVICE, ROUTER
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    ReceivePacket,
    TransmitRequest,
    TransmitStatus,
)
from zbtwist.xbee.framing import encode

ADDRESS = 0x0013A20040000001


class Saturated:
    """A program at the radio that sends the next full packet to a node when the last is settled.

    @ivar statuses: all of them, with their times.
    """

    def __init__(self, line: Line, node: Node, frame_id: int = 1) -> None:
        self.line = line
        self.node = node
        self.frame_id = frame_id
        self.count = 0
        self.statuses: list[tuple[float, TransmitStatus]] = []
        before = line.network.radio.serial_output
        assert before is not None

        def said(data: bytes) -> None:
            before(data)
            when, frame = line.heard[-1]
            if isinstance(frame, TransmitStatus) and frame.frame_id == frame_id:
                self.statuses.append((when, frame))
                self.next()

        line.network.radio.serial_output = said
        self.next()

    def next(self) -> None:
        self.count += 1
        data = self.count.to_bytes(4, "big") + bytes(80)
        request = TransmitRequest(self.frame_id, self.node.address64, UNKNOWN16, 0, 0, data)
        self.line.network.clock.callLater(
            0, self.line.network.radio.receive_bytes, encode(request.to_bytes(), 1)
        )

    @property
    def delivered(self) -> int:
        return sum(status.delivery_status == 0 for _, status in self.statuses)

    def rate(self, seconds: float) -> float:
        """Delivered bits per second."""
        return self.delivered * 84 * 8 / seconds


class ChannelTestCase(NetworkTestCase):
    def setUp(self) -> None:
        self.build()

    def build(self, seed: int = 0, rate: float = 35_000) -> None:
        self.air = ChannelAir(rate)
        self.use(SimulatedNetwork(Clock(), seed, air=self.air))

    def add(self, name: str = "NODE", kind: type[Node] = Node) -> Node:
        node = kind(self.network, ADDRESS + len(self.network.nodes), name)
        return self.network.add_node(node, announce=False)


class RateTests(ChannelTestCase):
    def assert_rate(self, expected: float, hops: int = 1, role: int = ROUTER) -> None:
        node = self.add()
        node.hops, node.role = hops, role
        sender = Saturated(self.line, node)
        self.line.run(100.0)
        self.assertApproximates(sender.rate(100.0) / expected, 1.0, 0.005)

    def test_interface(self) -> None:
        for air in (ChannelAir(), SimpleAir()):
            verifyObject(IAir, air)

    def test_one_hop(self) -> None:
        self.assert_rate(35_000)

    def test_four_hops(self) -> None:
        self.assert_rate(10_000, hops=4)

    def test_to_end_device(self) -> None:
        self.assert_rate(25_000, role=END_DEVICE)

    def test_encrypted(self) -> None:
        self.line.at("EE", b"\1")
        self.assert_rate(19_000)

    def test_four_hops_encrypted(self) -> None:
        self.line.at("EE", b"\1")
        self.assert_rate(5_000, hops=4)

    def test_late_clock(self) -> None:
        """A clock that calls everything a little late does not make the channel slower."""
        sender = Saturated(self.line, self.add())
        for _ in range(4000):
            self.clock.advance(0.005)
        self.assertApproximates(sender.rate(20.0) / 35_000, 1.0, 0.005)

    def test_another_rate(self) -> None:
        self.build(rate=70_000)
        self.assert_rate(70_000)

    def test_from_end_device(self) -> None:
        node = self.add()
        node.role = END_DEVICE
        node.send(bytes(60_000))
        self.line.run(20.0)
        self.assertApproximates(len(self.line.data) * 8 / 20.0 / 21_000, 1.0, 0.005)

    def test_between(self) -> None:
        """More hops take longer, more bytes take longer, and an empty packet is not for nothing."""
        times = [self.air.seconds_for(84, hops, COORDINATOR, ROUTER) for hops in range(1, 7)]
        self.assertEqual(times, sorted(set(times)))
        sizes = [self.air.seconds_for(size, 1, COORDINATOR, ROUTER) for size in range(256)]
        self.assertEqual(sizes, sorted(set(sizes)))
        self.assertGreater(sizes[0], 0.005)
        self.assertAlmostEqual(sizes[84], 0.0192)


class ArbitrationTests(ChannelTestCase):
    def say(self, *nodes: Node, size: int = 84, seconds: float = 0.0) -> None:
        self.line.say(
            *(
                TransmitRequest(1 + n, node.address64, UNKNOWN16, 0, 0, bytes(size))
                for n, node in enumerate(nodes)
            ),
            seconds=seconds,
        )

    def test_answer_does_not_wait_for_the_queue(self) -> None:
        echo = self.add("ECHO", EchoNode)
        widen(echo)
        self.say(*[echo] * 20, seconds=1.0)
        kinds = [type(frame) for frame in self.line.frames]
        first = kinds.index(ReceivePacket)
        self.assertLessEqual(kinds[:first].count(TransmitStatus), 2)
        self.assertEqual(kinds.count(ReceivePacket), 20)

    def test_one_at_a_time(self) -> None:
        nodes = [self.add(f"N{number}") for number in range(5)]
        self.say(*nodes, seconds=1.0)
        times = [when for when, _ in self.line.heard]
        for earlier, later in itertools.pairwise(times):
            self.assertAlmostEqual(later - earlier, 0.0192, places=4)
        self.assertAlmostEqual(self.air.busy_seconds, 5 * 0.0192)

    def test_two_stations_share(self) -> None:
        """The coordinator and a node that both always have something to say."""
        one, two = self.add("ONE"), self.add("TWO")
        sender = Saturated(self.line, one)
        two.send(bytes(60_000))
        self.line.run(20.0)
        received = len(self.line.of(ReceivePacket))
        self.assertApproximates(sender.delivered / received, 1.0, 0.01)
        bits = (sender.delivered + received) * 84 * 8
        self.assertApproximates(bits / 20.0 / 35_000, 1.0, 0.005)

    def test_three_stations_share(self) -> None:
        nodes = [self.add(f"N{number}") for number in range(3)]
        for node in nodes:
            node.send(bytes(60_000))
        self.line.run(20.0)
        counts = [
            sum(frame.address64 == node.address64 for frame in self.line.of(ReceivePacket))
            for node in nodes
        ]
        self.assertLessEqual(max(counts) - min(counts), 1)

    def test_all_use_the_channel(self) -> None:
        """Discovery, remote commands and broadcasts have to wait as well."""
        node = self.add()
        node.send(bytes(60_000))
        self.line.run(0.001)
        before = self.clock.seconds()
        answer = self.line.remote_at(node.address64, "NI", seconds=0.1)
        self.assertEqual(answer.value, b"NODE")
        when = next(w for w, f in self.line.heard if f == answer)
        self.assertGreater(when - before, 0.0192)
        self.line.transmit(BROADCAST64, b"all", seconds=0.1)
        self.assertEqual(node.heard, b"all")
        self.line.say(ATCommand(1, "ND"), seconds=7.0)
        self.assertEqual(len(self.line.of(ATCommandResponse)), 1)


class FaultTests(ChannelTestCase):
    def run_saturated(self, seconds: float, node: Node | None = None) -> Saturated:
        sender = Saturated(self.line, node or self.add())
        self.line.run(seconds)
        return sender

    def test_loss_costs_time(self) -> None:
        self.air.loss = 0.2
        sender = self.run_saturated(60.0)
        # One try in five is lost, and takes 6.7 ms; one packet in 625 waits for 1.6 s.
        self.assertTrue(24_000 < sender.rate(60.0) < 34_000, sender.rate(60.0))

    def test_retries_are_counted(self) -> None:
        self.air.loss = 0.7
        sender = self.run_saturated(400.0)
        statuses = [status for _, status in sender.statuses]
        self.assertEqual({status.delivery_status for status in statuses}, {0, 0x21})
        self.assertEqual({s.retries for s in statuses if not s.delivery_status}, {0, 1, 2})
        self.assertEqual({s.retries for s in statuses if s.delivery_status}, {2})

    def test_delivered_once_whatever_the_loss(self) -> None:
        """Each packet is there once if the status is 0, and never twice."""
        node = self.add()
        heard: list[bytes] = []
        self.patch(node, "hear", lambda packet: heard.append(packet.data))
        self.air.loss = self.air.acknowledgement_loss = 0.6
        sender = self.run_saturated(400.0, node)
        numbers = [int.from_bytes(data[:4], "big") for data in heard]
        self.assertEqual(len(numbers), len(set(numbers)))
        delivered = {
            number
            for number, (_, status) in enumerate(sender.statuses, 1)
            if status.delivery_status == 0
        }
        self.assertLess(delivered, set(numbers))

    def test_all_acknowledgements_lost(self) -> None:
        """21 although it was delivered: once, and after three tries."""
        node = self.add()
        self.air.acknowledgement_loss = 1.0
        status = self.line.transmit(node.address64, b"data", seconds=6.0)
        self.assertEqual((status.delivery_status, status.retries), (0x21, 2))
        self.assertEqual(node.heard, b"data")
        ((when, _),) = self.line.heard
        self.assertAlmostEqual(when, 4.8, places=1)

    def test_no_retries(self) -> None:
        node = self.add()
        self.air.loss = 1.0
        status = self.line.transmit(node.address64, b"data", options=1, seconds=2.0)
        self.assertEqual((status.delivery_status, status.retries), (0x21, 0))

    def test_directions(self) -> None:
        node = self.add()
        self.air.from_nodes.loss = 1.0
        self.assertEqual(self.air.loss, 1.0)
        self.assertEqual(self.line.transmit(node.address64).delivery_status, 0)
        node.send(b"lost")
        self.line.run(10)
        self.assertEqual(self.line.of(ReceivePacket), [])
        self.air.loss = 0.0
        node.send(b"found")
        self.line.run(1)
        self.assertEqual([f.data for f in self.line.of(ReceivePacket)], [b"found"])

    def test_duplicate(self) -> None:
        node = self.add()
        self.air.duplicate = 1.0
        self.assertEqual(self.line.transmit(node.address64, b"twice").delivery_status, 0)
        self.assertEqual(node.heard, b"twicetwice")
        node.send(b"also")
        self.line.run(1)
        self.assertEqual([f.data for f in self.line.of(ReceivePacket)], [b"also"] * 2)

    def test_reorder(self) -> None:
        node = self.add()
        self.air.reorder = 1.0
        self.line.say(
            *(TransmitRequest(n, node.address64, UNKNOWN16, 0, 0, bytes([n])) for n in range(1, 6)),
            seconds=1.0,
        )
        self.assertEqual(sorted(node.heard), [1, 2, 3, 4, 5])
        self.assertNotEqual(node.heard, bytes([1, 2, 3, 4, 5]))

    def test_retry_is_overtaken(self) -> None:
        """A node that is not there does not hold up the others."""
        away, here = self.add("AWAY"), self.add("HERE")
        away.reachable = False
        self.line.say(
            TransmitRequest(1, away.address64, UNKNOWN16, 0, 0, b"x"),
            TransmitRequest(2, here.address64, UNKNOWN16, 0, 0, b"x"),
            seconds=0.1,
        )
        self.assertEqual(
            [(f.frame_id, f.delivery_status) for f in self.line.of(TransmitStatus)], [(2, 0)]
        )
        self.line.run(5)
        self.assertEqual(
            [(f.frame_id, f.delivery_status) for f in self.line.of(TransmitStatus)],
            [(2, 0), (1, 0x21)],
        )

    def test_route_and_address_are_searched(self) -> None:
        node = self.add()
        node.reachable = False
        self.assertEqual(self.line.transmit(node.address64, seconds=6).delivery_status, 0x21)
        status = self.line.transmit(node.address64, seconds=1)
        self.assertEqual((status.delivery_status, status.discovery_status & 2), (0x24, 2))
        request = TransmitRequest(7, node.address64, node.address16, 0, 0, b"x")
        self.line.say(request, seconds=1)
        (status,) = self.line.of(TransmitStatus)
        self.assertEqual((status.delivery_status, status.discovery_status), (0x25, 2))
        node.reachable = True
        self.line.say(request)
        (status,) = self.line.of(TransmitStatus)
        self.assertEqual((status.delivery_status, status.discovery_status), (0, 2))
        self.line.say(request)
        (status,) = self.line.of(TransmitStatus)
        self.assertEqual((status.delivery_status, status.discovery_status), (0, 0))

    def test_switched_off_on_the_way(self) -> None:
        node = self.add()
        self.line.say(TransmitRequest(1, node.address64, UNKNOWN16, 0, 0, bytes(84)), seconds=0.005)
        node.reachable = False
        self.line.run(6)
        self.assertEqual([f.delivery_status for f in self.line.of(TransmitStatus)], [0x21])
        self.assertEqual(node.heard, b"")

    def test_broadcast_reaches_almost_all(self) -> None:
        nodes = [self.add(f"N{number}") for number in range(200)]
        self.air.loss = 0.5
        self.assertEqual(self.line.transmit(BROADCAST64, b"x").delivery_status, 0)
        heard = sum(node.heard == b"x" for node in nodes)
        self.assertTrue(150 < heard < 200, heard)

    def test_abandoned(self) -> None:
        node = self.add()
        ended: list[object] = []
        on_air, waiting = (
            self.network.transmit(Packet(self.network.radio, b"x"), node.address64, 0, ended.append)
            for _ in range(2)
        )
        self.line.run(0.001)
        assert on_air is not None and waiting is not None
        on_air.abandon()
        waiting.abandon()
        self.line.run(10)
        self.assertEqual((ended, node.heard), ([], b""))
        self.assertEqual(self.line.transmit(node.address64).delivery_status, 0)


class SleepTests(ChannelTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.node = self.add("SLEEPY")
        self.line.run(3.0)

    def test_waits_until_awake(self) -> None:
        self.node.fall_asleep(10.0)
        self.line.say(
            *(
                TransmitRequest(n, self.node.address64, UNKNOWN16, 0, 0, bytes([n]))
                for n in range(1, 6)
            ),
            seconds=6.9,
        )
        self.assertEqual(self.line.frames, [])
        self.line.run(1.0)
        self.assertEqual(self.node.heard, bytes([1, 2, 3, 4, 5]))
        self.assertEqual({f.delivery_status for f in self.line.of(TransmitStatus)}, {0})

    def test_others_do_not_wait(self) -> None:
        self.node.fall_asleep(10.0)
        other = self.add("OTHER")
        self.line.say(
            TransmitRequest(1, self.node.address64, UNKNOWN16, 0, 0, b"x"),
            TransmitRequest(2, other.address64, UNKNOWN16, 0, 0, b"x"),
            seconds=0.1,
        )
        self.assertEqual([f.frame_id for f in self.line.of(TransmitStatus)], [2])

    def test_not_requested(self) -> None:
        """The parent drops what its child does not ask for in 28 s, and says so."""
        self.node.fall_asleep(100.0)
        self.assertEqual(self.line.transmit(self.node.address64, seconds=29).delivery_status, 0x75)
        self.assertEqual(self.node.heard, b"")

    def test_extended_timeout(self) -> None:
        self.node.fall_asleep(80.0)
        status = self.line.transmit(self.node.address64, b"x", options=0x40, seconds=80)
        self.assertEqual((status.delivery_status, self.node.heard), (0, b"x"))
        self.node.fall_asleep(200.0)
        status = self.line.transmit(self.node.address64, b"y", options=0x40, seconds=90)
        self.assertEqual((status.delivery_status, self.node.heard), (0x75, b"x"))


class DeterminismTests(TestCase):
    def record(self, seed: int) -> list[tuple[float, bytes]]:
        clock = Clock()
        air = ChannelAir()
        network = SimulatedNetwork(clock, seed, air=air)
        self.addCleanup(network.stop)
        air.loss, air.acknowledgement_loss, air.duplicate = 0.5, 0.1, 0.1
        air.reorder = 0.1
        line = Line(network)
        nodes = [EchoNode(network, ADDRESS + number, f"ECHO{number}") for number in range(5)]
        for node in nodes:
            network.add_node(node)
        senders = [Saturated(line, node, 1 + number) for number, node in enumerate(nodes)]
        line.run(60.0)
        self.assertTrue(all(sender.delivered for sender in senders))
        return [(when, frame.to_bytes()) for when, frame in line.heard]

    def test_same_seed_same_bytes_and_times(self) -> None:
        first = self.record(1)
        self.assertGreater(len(first), 500)
        self.assertEqual(first, self.record(1))

    def test_other_seed(self) -> None:
        self.assertNotEqual(self.record(1), self.record(2))
