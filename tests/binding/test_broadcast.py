"""A port whose bytes go to all nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Computer
from tests.radio.support import FACTS, Wire
from tests.support import connect, record_log
from zbtwist.binding.broadcast import LARGEST, PAUSE, Broadcast
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.config.settings import Settings
from zbtwist.network.events import FROM_NODE, TO_NODE, BytesPassed
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.observing.log_lines import LogLines
from zbtwist.runtime.allowed import networks
from zbtwist.runtime.option import Context
from zbtwist.xbee.address import BROADCAST64, UNKNOWN16, Address64
from zbtwist.xbee.frames import TransmitRequest, TransmitStatus

NOT_RELAYED = 0x26


class BroadcastTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.clock = self.wire.clock
        self.computer = Computer()
        self.log = record_log(self)
        LogLines(self.wire.bus)
        self.turns = TransmitScheduler(self.clock)
        self.settings = Settings(serial="sim:", broadcast="27900")
        self.broadcast = Broadcast(
            self.clock,
            self.wire.coordinator,
            NodeTable(self.wire.bus),
            self.turns,
            self.computer.endpoint,
            self.wire.bus,
            self.settings,
        )
        self.broadcast.startService()
        self.addCleanup(self.stop)
        self.client = self.connect()

    def stop(self) -> None:
        self.broadcast.stopService()
        self.turns.stop()
        self.wire.coordinator.close()
        self.client.protocol.connectionLost()
        self.assertEqual((self.computer.open, self.clock.getDelayedCalls()), ({}, []))

    def connect(self, slot: object = 27900) -> Any:
        transport: Any = StringTransport()
        transport.protocol = connect(self.computer.open[slot], transport)
        return transport

    def change(self, **settings: Any) -> None:
        old, self.settings = self.settings, replace(self.settings, **settings)
        self.broadcast.reconfigure(old, self.settings)

    def sent(self) -> list[bytes]:
        """What was sent by broadcast since this was asked last."""
        requests, self.wire.sent[:] = list(self.wire.sent), []
        for request in requests:
            self.assertIsInstance(request, TransmitRequest)
            self.assertEqual((request.address64, request.address16), (BROADCAST64, UNKNOWN16))
            self.last = request
        return [request.data for request in requests]

    def status(self, delivery_status: int = 0) -> None:
        """The radio says that it has sent it."""
        self.wire.receive(TransmitStatus(self.last.frame_id, UNKNOWN16, 0, delivery_status, 0))

    def test_to_all(self) -> None:
        self.client.protocol.dataReceived(b"hello")
        self.assertEqual(self.sent(), [b"hello"])
        self.assertIn("Client", self.log.lines()[-1])
        self.assertIn("all nodes (00:00:00:00:00:00:ff:ff) on port 27900.", self.log.lines()[-1])

    def test_one_a_second(self) -> None:
        """Each is small, and the radio has others' packets meanwhile."""
        self.client.protocol.dataReceived(b"x" * (LARGEST * 3))
        self.assertEqual(self.sent(), [b"x" * LARGEST])
        self.status()
        self.assertEqual((self.turns.in_flight, self.sent()), (0, []))
        self.clock.advance(PAUSE - 0.01)
        self.assertEqual(self.sent(), [])
        self.clock.advance(0.02)
        self.assertEqual(self.sent(), [b"x" * LARGEST])
        self.clock.advance(PAUSE + 1)
        self.assertEqual(self.sent(), [], "the radio has not said that it is sent")
        self.status()
        self.clock.advance(0.02)
        self.assertEqual(self.sent(), [b"x" * LARGEST])

    def test_they_have_turns_with_those_of_nodes(self) -> None:
        for number in range(self.turns.limit):
            self.turns.sent(number, self.clock.seconds())
        self.client.protocol.dataReceived(b"hello")
        self.assertEqual(self.sent(), [])
        self.turns.done(0)
        self.assertEqual(self.sent(), [b"hello"])

    def test_client_that_writes_too_much_waits(self) -> None:
        self.client.protocol.dataReceived(bytes(5000))
        self.assertEqual(self.client.producerState, "paused")

    def test_not_relayed(self) -> None:
        """If the radio says that nobody heard it, the client is told."""
        self.client.protocol.dataReceived(b"hello")
        self.sent()
        self.status(NOT_RELAYED)
        self.clock.advance(PAUSE)
        self.assertTrue(self.client.disconnected)

    def test_radio_that_is_away(self) -> None:
        self.wire.coordinator.link_down("It is gone.")
        self.client.protocol.dataReceived(b"hello")
        self.clock.advance(5)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.clock.advance(1)
        self.assertEqual(self.sent(), [b"hello"])

    def test_what_nodes_say(self) -> None:
        """It comes only if it is wanted, and nobody looks on when nobody is there."""
        node = Node(Address64(1))
        observers = self.wire.bus.subscribers(BytesPassed)
        self.assertEqual(observers, [])
        self.change(broadcast_hears=True)
        self.assertEqual(len(observers), 1)
        for direction, data in ((FROM_NODE, b"heard"), (TO_NODE, b"unheard")):
            self.wire.bus.publish(BytesPassed(node, direction, data, 0.0))
        self.assertEqual(self.client.value(), b"heard")
        self.client.protocol.connectionLost()
        self.assertEqual(observers, [])
        self.client = self.connect()
        self.assertEqual(len(observers), 1)
        self.change(broadcast_hears=False)
        self.assertEqual(observers, [])

    def test_taken_port(self) -> None:
        self.computer.taken.add("unix:/all")
        self.change(broadcast="unix:/all")
        self.client.protocol.connectionLost()
        self.clock.pump([1] * 10)
        said = [line for line in self.log.lines() if "lacks an endpoint" in line]
        self.assertEqual(len(said), 1)
        self.computer.taken.clear()
        self.clock.pump([1] * 60)
        self.client = self.connect("unix:/all")

    def test_none(self) -> None:
        self.change(broadcast=None)
        self.assertTrue(self.client.disconnecting)
        self.client.protocol.connectionLost()
        self.assertEqual(self.computer.open, {})
        self.change(broadcast="27901")
        self.client = self.connect(27901)

    def test_who_may_connect(self) -> None:
        allow = networks("10.0.0.0/8", Context(None, "/"))
        self.change(port_settings=PortSettings(allow=allow))
        factory = self.computer.open[27900]
        stranger = factory.buildProtocol(IPv4Address("TCP", "192.168.0.1", 1))
        self.assertEqual(type(stranger).__name__, "Refusal")
