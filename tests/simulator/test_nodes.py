"""The nodes by what hangs on them, and how they come, go, move and sleep."""

from __future__ import annotations

import itertools
import random
from typing import Any

from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.clock import Clock
from tests.simulator.line import Line
from tests.simulator.support import NetworkTestCase
from tests.support import present
from zbtwist.decoding.brultech import MAKERS
from zbtwist.simulator.air import IAir, ITimekeeper, Transmission, TxResult
from zbtwist.simulator.meter import parse_packet, watts_between
from zbtwist.simulator.module import DIGITAL_PINS
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.node import SERIAL_BUFFER, Node
from zbtwist.simulator.nodes import EchoNode, MeterNode, PtyNode
from zbtwist.simulator.options import METERS, SimulatorOptions
from zbtwist.simulator.packet import Packet
from zbtwist.xbee.address import UNKNOWN16, Address64
from zbtwist.xbee.frames import (
    LOOPBACK_CLUSTER,
    ATCommand,
    ATCommandResponse,
    IODataSample,
    NodeIdentification,
    ReceivePacket,
    SensorRead,
    TransmitStatus,
)
from zbtwist.xbee.samples import (
    HUMIDITY_INPUT,
    LIGHT_INPUT,
    IOSample,
    supply_millivolts,
    temperature,
)
from zbtwist.xbee.sensor_reading import SensorReading

ADDRESS = Address64(0x0013A20040000001)


class LineTests(NetworkTestCase):
    """The digital and analog lines of a module."""

    def setUp(self) -> None:
        super().setUp()
        self.node = self.network.add_node(Node(self.network, ADDRESS, "NODE"), announce=False)
        self.heard = 0

    def set(self, command: str, value: int) -> None:
        """Set a register, with effect at once."""
        self.node.execute(command, value.to_bytes(2, "big"))
        self.node.apply()

    def samples(self) -> list[IOSample]:
        """The samples that the radio has heard since this was asked the last time."""
        self.line.run(0.1)
        heard = [frame.sample for frame in self.line.of(IODataSample)]
        new, self.heard = heard[self.heard :], len(heard)
        return new

    def test_outputs_follow_what_is_set(self) -> None:
        for pin, bit in DIGITAL_PINS.items():
            for level in (5, 4):
                self.set(pin, level)
                self.assertEqual(present(self.node.sample()).lines()[bit], level == 5, pin)
        self.assertEqual(present(self.node.sample()).digital_mask, 0x7FFF)

    def test_changes(self) -> None:
        """Those of the lines in IC are sent at once, the digital lines alone."""
        for command, value in (("D1", 3), ("D2", 3), ("D3", 4), ("D0", 2), ("IC", 0b1010)):
            self.set(command, value)
        self.assertEqual(self.samples(), [])
        self.node.set_input("D1", False)
        self.assertEqual(self.samples(), [IOSample(0b1110, 0b0100)])
        self.node.set_input("D1", False)
        self.node.set_input("D2", False)
        self.assertEqual(self.samples(), [])
        self.set("D3", 5)
        self.assertEqual(self.samples(), [IOSample(0b1110, 0b1000)])
        self.set("IC", 0)
        self.node.set_input("D1", True)
        self.assertEqual(self.samples(), [])

    def test_what_lies_at_a_line_that_is_no_input(self) -> None:
        self.node.set_input("D1", False)
        self.assertIsNone(self.node.sample())
        self.set("D1", 5)
        self.assertEqual(self.node.sample(), IOSample(0b10, 0b10))
        self.set("D1", 3)
        self.assertEqual(self.node.sample(), IOSample(0b10, 0))

    def test_supply_voltage(self) -> None:
        """It is in a sample when it is not above V+ (90000976, "V+")."""
        self.set("D1", 3)
        self.set("V+", 1000)
        self.assertEqual(self.node.sample(), IOSample(0b10, 0b10))
        self.set("V+", 0xFFFF)
        sample = present(self.node.sample())
        self.assertEqual(sample.supply_millivolts(0x2D47), self.node.registers.number("%V"))

    def test_what_is_set_is_lost_by_a_restart(self) -> None:
        self.set("D1", 5)
        self.node.execute("FR", b"")
        self.line.run(1)
        self.assertIsNone(self.node.sample())
        self.assertEqual(
            [frame.description.event for frame in self.line.of(NodeIdentification)], [3]
        )

    def test_node_that_does_not_announce_itself(self) -> None:
        """JN is what makes it (90000976, "JN")."""
        self.set("JN", 0)
        self.node.execute("WR", b"")
        self.node.execute("FR", b"")
        self.line.run(1)
        self.assertTrue(self.node.reachable)
        self.assertEqual(self.line.of(NodeIdentification), [])

    def test_loopback(self) -> None:
        """It comes back as serial data, and does not reach the device."""
        self.network.radio.transmit(
            Packet(self.network.radio, b"there and back", LOOPBACK_CLUSTER),
            *(ADDRESS, UNKNOWN16, 0),
            lambda *status: None,
        )
        self.line.run(0.1)
        self.assertEqual([frame.data for frame in self.line.of(ReceivePacket)], [b"there and back"])
        self.assertEqual(self.node.heard, b"")


class EchoTests(NetworkTestCase):
    def test_packets(self) -> None:
        """More bytes than fit into a packet come in several, each full but the last."""
        echo = self.network.add_node(EchoNode(self.network, ADDRESS, "ECHO"), announce=False)
        echo.serial_received(bytes(200))
        self.line.run(1)
        self.assertEqual([len(f.data) for f in self.line.of(ReceivePacket)], [84, 84, 32])

    def test_bounded(self) -> None:
        echo = self.network.add_node(EchoNode(self.network, ADDRESS, "ECHO"), announce=False)
        # The first packet is in the air at once, and makes no room.
        echo.send(bytes(84))
        echo.send(bytes(SERIAL_BUFFER + 5))
        self.assertEqual((echo.waiting_bytes, echo.lost_bytes), (SERIAL_BUFFER, 5))
        self.line.run(10)
        self.assertEqual(len(self.line.data), SERIAL_BUFFER + 84)

    def test_lost_packet_is_not_the_last(self) -> None:
        echo = self.network.add_node(EchoNode(self.network, ADDRESS, "ECHO"), announce=False)
        echo.reachable = False
        echo.send(b"lost")
        self.line.run(1)
        echo.reachable = True
        echo.send(b"sent")
        self.line.run(1)
        self.assertEqual(self.line.data, b"sent")


class MeterNodeTests(NetworkTestCase):
    def meter(self, interval: float) -> MeterNode:
        node = MeterNode(self.network, ADDRESS, "METER", interval=interval)
        self.network.add_node(node, announce=False)
        return node

    def test_real_time(self) -> None:
        self.meter(2.0)
        self.line.run(60.5)
        packets = [frame.data for frame in self.line.of(ReceivePacket)]
        self.assertEqual(len(packets), 30)
        readings = [parse_packet(packet) for packet in packets]
        for earlier, later in itertools.pairwise(readings):
            self.assertEqual(later.seconds - earlier.seconds, 2)
            self.assertTrue(all(power > 20 for power in watts_between(earlier, later)))

    def test_phase(self) -> None:
        node = MeterNode(self.network, ADDRESS, "METER", interval=2.0, phase=0.5)
        self.network.add_node(node, announce=False)
        self.line.run(3.0)
        self.assertEqual(len(self.line.of(ReceivePacket)), 2)

    def test_polled(self) -> None:
        node = self.meter(0)
        self.line.run(60)
        self.assertEqual(self.line.frames, [])
        self.line.transmit(node.address64, b"\xfc")
        self.assertEqual(self.line.data, b"\xfc")
        self.line.transmit(node.address64, b"SPK")
        self.assertEqual(self.line.data[:1], b"\xfc")
        parse_packet(self.line.data[1:])

    def test_polled_in_pieces(self) -> None:
        node = self.meter(0)
        for piece in (b"noise S", b"P", b"K"):
            self.line.transmit(node.address64, piece)
        self.assertEqual(len(self.line.data), 44)
        self.line.transmit(node.address64, b"SPXK")
        self.assertEqual(self.line.data, b"")

    def test_models(self) -> None:
        """Each as its decoder knows it, and asked as its maker says."""
        for number, maker in enumerate(MAKERS):
            model = METERS["meter" if maker.name == "ecm1220" else maker.name]
            node = MeterNode(self.network, ADDRESS + number, f"M{number}", interval=0, model=model)
            self.network.add_node(node, announce=False)
            decoder = maker.make()
            found: dict[str, Any] = {}
            for _ in range(2):
                for piece in maker.question:
                    self.line.transmit(node.address64, piece)
                    self.line.run(1.0)
                    self.assertTrue(self.line.data, piece)
                for value in decoder.feed(self.line.data, self.clock.seconds()):
                    found[value.name] = value.value
                self.line.run(8.0)
            self.assertGreater(found["ch1_power"], 20)
            self.assertAlmostEqual(found["voltage"], 120.0, -1)
            self.assertEqual("aux5_power" in found, maker.name == "ecm1240")
            self.assertEqual(found.get("temperature1"), 21.5 if maker.name == "gem" else None)

    def test_gem_by_its_number(self) -> None:
        node = MeterNode(self.network, ADDRESS, "GEM", interval=0, model=METERS["gem"])
        self.network.add_node(node, announce=False)
        self.line.transmit(ADDRESS, b"^^^NMB00000APISPK")
        self.assertEqual(self.line.data, b"")
        number = int.from_bytes(node.meter.packet(0.0)[485:487], "big")
        self.line.transmit(ADDRESS, b"^^^NMB%05dAPISPK" % number)
        self.line.run(1.0)
        self.assertTrue(self.line.data)

    def test_switched_off(self) -> None:
        node = self.meter(2.0)
        self.network.remove_node(node)
        self.line.run(10)
        self.assertEqual(self.line.frames, [])


class SensorTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = SimulatorOptions(kinds=("sensor",), nodes=2).build(self.clock)
        self.addCleanup(self.network.stop)
        self.line = Line(self.network)
        self.wall_router, self.sensor = self.network.nodes.values()

    def test_device_types(self) -> None:
        for node, identifier in ((self.wall_router, "00030008"), (self.sensor, "0003000d")):
            self.assertEqual(self.line.remote_at(node.address64, "DD").value.hex(), identifier)

    def test_plausible(self) -> None:
        seen = set()
        for _ in range(50):
            self.line.run(10)
            for node in (self.wall_router, self.sensor):
                answer = self.line.remote_at(node.address64, "IS")
                sample = IOSample.parse(answer.value)
                celsius = temperature(sample, node.registers.number("DD"))
                assert celsius is not None
                self.assertTrue(15 < celsius < 27, celsius)
                seen.add(celsius)
                light = sample.millivolts(LIGHT_INPUT)
                assert light is not None
                self.assertTrue(150 < light < 1050)
                humidity = sample.millivolts(HUMIDITY_INPUT)
                if node is self.wall_router:
                    self.assertIsNone(humidity)
                else:
                    assert humidity is not None
                    percent = (humidity * 108.2 / 33.2 / 5000 - 0.16) / 0.0062
                    self.assertTrue(25 < percent < 65, percent)
        self.assertGreater(len(seen), 10)

    def test_supply_voltage(self) -> None:
        """An S2 says it in its own unit (90000976, "%V")."""
        value = self.line.remote_at(self.sensor.address64, "%V").value
        raw = int.from_bytes(value, "big")
        self.assertTrue(2770 < raw < 2820, raw)
        self.assertTrue(
            3250 < supply_millivolts(raw, self.sensor.registers.number("HV")) < 3310, raw
        )

    def test_periodic_samples(self) -> None:
        self.line.remote_at(self.sensor.address64, "IR", (1000).to_bytes(2, "big"))
        self.line.run(5.05)
        frames = self.line.of(IODataSample)
        self.assertEqual([f.address64 for f in frames], [self.sensor.address64] * 5)
        self.line.remote_at(self.sensor.address64, "IR", b"\0")
        self.line.clear()
        self.line.run(5)
        self.assertEqual(self.line.frames, [])

    def test_reading_of_an_adapter(self) -> None:
        self.sensor.emit_reading(22.625)
        self.line.run(0.1)
        [frame] = self.line.of(SensorRead)
        self.assertEqual(frame.address64, self.sensor.address64)
        self.assertEqual(frame.reading, SensorReading(2, thermometer=0x16A))

    def test_pins(self) -> None:
        address = self.sensor.address64
        for pin in ("D1", "D2", "D3"):
            self.line.remote_at(address, pin, b"\0")
        self.assertEqual(self.line.remote_at(address, "IS").status, 1)
        self.line.remote_at(address, "D1", b"\3")
        self.line.remote_at(address, "P1", b"\4")
        sample = IOSample.parse(self.line.remote_at(address, "IS").value)
        self.assertEqual(sample.lines(), {1: True, 11: False})


class PtyNodeTests(NetworkTestCase):
    def test_needs_a_reactor(self) -> None:
        node = PtyNode(self.network, ADDRESS, "PTY")
        error = self.assertRaises(ValueError, self.network.add_node, node)
        self.assertIn("file descriptors", str(error))
        self.assertEqual(self.network.nodes, {})


class ComingAndGoingTests(NetworkTestCase):
    def test_join(self) -> None:
        node = self.network.add_node(Node(self.network, ADDRESS, "NEW"))
        self.line.run(0.1)
        (frame,) = self.line.frames
        assert isinstance(frame, NodeIdentification)
        self.assertEqual((frame.address64, frame.address16), (ADDRESS, node.address16))
        self.assertEqual((frame.description.label, frame.description.event), ("NEW", 2))
        self.assertEqual(self.line.transmit(ADDRESS).delivery_status, 0)

    def test_addresses_differ(self) -> None:
        for number in range(300):
            self.network.add_node(Node(self.network, ADDRESS + number, f"N{number}"))
        self.assertEqual(len({node.address16 for node in self.network.nodes.values()}), 300)

    def test_same_address_twice(self) -> None:
        self.network.add_node(Node(self.network, ADDRESS, "ONE"))
        error = self.assertRaises(
            ValueError, self.network.add_node, Node(self.network, ADDRESS, "TWO")
        )
        self.assertIn("00:13:a2:00:40:00:00:01", str(error))

    def test_name_too_long(self) -> None:
        self.assertRaises(ValueError, Node, self.network, ADDRESS, "a name that is too long")

    def test_remove(self) -> None:
        node = self.network.add_node(Node(self.network, ADDRESS, "GONE"))
        self.network.remove_node(node)
        self.assertEqual(self.line.transmit(ADDRESS, seconds=1).delivery_status, 0x24)
        self.assertRaises(KeyError, self.network.node, "GONE")
        self.assertEqual(self.line.say(ATCommand(1, "ND"), seconds=10), [])

    def test_move(self) -> None:
        node = self.network.add_node(Node(self.network, ADDRESS, "MOVED"), announce=False)
        before = node.address16
        self.network.move_node(node, 0x4321)
        self.assertNotEqual(before, 0x4321)
        self.assertEqual(self.line.transmit(ADDRESS).address16, 0x4321)
        node.send(b"from here")
        self.line.run(0.1)
        self.assertEqual([f.address16 for f in self.line.of(ReceivePacket)], [0x4321])
        self.assertEqual(self.line.remote_at(ADDRESS, "MY").value, b"\x43\x21")

    def test_asleep(self) -> None:
        """What is sent to a node that sleeps arrives when it wakes up."""
        node = self.network.add_node(Node(self.network, ADDRESS, "SLEEPY"), announce=False)
        node.fall_asleep(10.0)
        self.line.run(3.0)
        self.line.transmit(ADDRESS, b"hello", seconds=8.0)
        ((when, status),) = self.line.heard
        assert isinstance(status, TransmitStatus)
        self.assertEqual(status.delivery_status, 0)
        self.assertAlmostEqual(when, 10.0, places=1)
        self.assertEqual(node.heard, b"hello")
        answer = self.line.remote_at(ADDRESS, "MP", seconds=10)
        self.assertEqual(answer.value, b"\0\0")

    def test_asleep_too_long(self) -> None:
        node = self.network.add_node(Node(self.network, ADDRESS, "SLEEPY"), announce=False)
        node.fall_asleep(100.0)
        self.line.run(3.0)
        self.assertEqual(self.line.transmit(ADDRESS, seconds=29.0).delivery_status, 0x75)
        ((when, _),) = self.line.heard
        self.assertAlmostEqual(when, 31.0, places=1)
        self.assertEqual(node.heard, b"")

    def test_asleep_answers_discovery_late(self) -> None:
        node = self.network.add_node(Node(self.network, ADDRESS, "SLEEPY"), announce=False)
        node.fall_asleep(20.0)
        self.line.run(3.0)
        self.line.say(ATCommand(1, "ND"), seconds=10)
        self.assertEqual(self.line.frames, [])
        self.line.run(15)
        self.assertEqual(len(self.line.of(ATCommandResponse)), 1)

    def test_between_nodes(self) -> None:
        """A node's destination may be another node."""
        one = self.network.add_node(Node(self.network, ADDRESS, "ONE"), announce=False)
        two = self.network.add_node(Node(self.network, ADDRESS + 1, "TWO"), announce=False)
        self.line.remote_at(ADDRESS, "DH", (two.address64 >> 32).to_bytes(4, "big"))
        self.line.remote_at(ADDRESS, "DL", (two.address64 & 0xFFFFFFFF).to_bytes(4, "big"))
        self.line.clear()
        one.send(b"psst")
        self.line.run(0.1)
        self.assertEqual((two.heard, self.line.frames), (b"psst", []))

    def test_stop_leaves_nothing(self) -> None:
        self.network.add_node(MeterNode(self.network, ADDRESS, "METER"))
        self.network.radio.receive_bytes(b"+++")
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AirTests(TestCase):
    def test_another_air(self) -> None:
        """All that is between the modules is one object's to decide."""

        @implementer(IAir)
        class SlowAir:
            def begin(self, time: ITimekeeper, chance: random.Random) -> None:
                self.time = time

            def send(self, transmission: Transmission) -> None:
                (receiver,) = transmission.receivers
                self.time.call_later(1.0, transmission.arrive, receiver)
                fate = TxResult(0x25, retries=2)
                self.time.call_later(transmission.size / 10, transmission.finish, fate)

        clock = Clock()
        network = SimulatedNetwork(clock, air=SlowAir())
        self.addCleanup(network.stop)
        line = Line(network)
        node = network.add_node(Node(network, ADDRESS, "FAR"), announce=False)
        status = line.transmit(ADDRESS, bytes(30), seconds=4.0)
        self.assertEqual((status.delivery_status, status.retries), (0x25, 2))
        ((when, _),) = line.heard
        self.assertAlmostEqual(when, 3.0, places=3)
        self.assertEqual(len(node.heard), 30)


class DeterminismTests(TestCase):
    def record(self, seed: int) -> list[tuple[float, bytes]]:
        clock = Clock()
        network = SimulatorOptions(nodes=6, seed=seed).build(clock)
        self.addCleanup(network.stop)
        line = Line(network)
        network.announce()
        line.say(ATCommand(1, "ND"), seconds=4)
        heard = list(line.heard)
        for node in network.nodes.values():
            line.remote_at(node.address64, "IS")
            heard += line.heard
        line.clear()
        line.run(30)
        return [(when, frame.to_bytes()) for when, frame in heard + line.heard]

    def test_same_seed_same_bytes_and_times(self) -> None:
        first = self.record(1)
        self.assertGreater(len(first), 30)
        self.assertEqual(first, self.record(1))

    def test_other_seed(self) -> None:
        self.assertNotEqual(self.record(1), self.record(2))
