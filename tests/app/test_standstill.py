"""The whole gateway stood still: what is taken for lost, and what for too old."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.support import record_log
from zbtwist.app.command_line import _go_by_a_steady_clock
from zbtwist.app.gateway import Gateway
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.settings import Settings
from zbtwist.runtime.standstill import LATE, TICK
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import ReceivePacket, TransmitStatus
from zbtwist.xbee.framing import encode

BUSY = Address64(0x0013A200_400A3E01)
QUIET = Address64(0x0013A200_400A3E02)
PORTS = {BUSY: 27001, QUIET: 27002}


class StandstillTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.gateway = Gateway(
            Settings(serial="sim:nt=0.3:interval=0", base_port=27001), self.reactor
        )
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.run_for(2)
        self.log = record_log(self)
        self.clients = {address: self.connect(address) for address in PORTS}
        # Long ago.
        self.say(QUIET)
        self.run_for(100)
        self.say(BUSY)
        self.run_for(0.7)

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.1] * round(seconds / 0.1))

    def stand_still(self, seconds: float) -> None:
        """Time goes by, and nothing is done in it."""
        self.reactor.rightNow += seconds

    def connect(self, address: Address64) -> Any:
        [factory] = [server[1] for server in self.reactor.tcpServers if server[0] == PORTS[address]]
        transport: Any = StringTransport()
        transport.client = factory.buildProtocol(None)
        transport.client.makeConnection(transport)
        return transport

    def write(self, address: Address64, data: bytes) -> None:
        client: Any = self.clients[address]
        client.client.dataReceived(data)

    def say(self, address: Address64, data: bytes = b"something") -> None:
        """The radio hands a packet of a node up."""
        protocol = self.gateway.radio.protocol
        assert protocol is not None
        frame = ReceivePacket(address, Address16(0xFFFE), 1, data)
        protocol.dataReceived(encode(frame.to_bytes(), 1))

    def reset(self) -> list[Address64]:
        return [address for address, client in self.clients.items() if client.disconnected]

    def said(self) -> str:
        return "\n".join(self.log.lines("warn", "zbtwist"))

    def test_node_that_was_busy(self) -> None:
        """It may have gone on meanwhile, and nobody was there to read it."""
        self.stand_still(3.0)
        self.run_for(1.0)
        self.assertEqual(self.reset(), [BUSY])
        self.assertIn("The gateway stood still for 3.", self.said())
        self.assertIsNotNone(self.gateway.radio.coordinator.facts)

    def test_what_comes_first_behind_it(self) -> None:
        """It is behind the hole, and nobody reads it as if it followed."""
        self.clients[BUSY].clear()
        self.stand_still(3.0)
        self.say(BUSY, b"behind")
        self.assertEqual(self.reset(), [BUSY])
        self.assertEqual(self.clients[BUSY].value(), b"")

    def test_line_lost_meanwhile(self) -> None:
        """That it is gone is read after that, but may be as old as the last tick."""
        before = self.reactor.seconds()
        self.stand_still(LATE - 2 * TICK)
        line: Any = self.gateway.radio.protocol
        line.transport.abortConnection()
        self.run_for(3.0)
        self.assertLessEqual(self.gateway.radio.coordinator.down_since, before)
        self.assertEqual(self.reset(), [BUSY])

    def test_line_lost_meanwhile_while_the_radio_is_set_up(self) -> None:
        """Nodes are heard then as well."""
        radio: Any = self.gateway.radio
        radio._work.link.reset()
        self.say(BUSY)
        self.assertEqual(self.reset(), [BUSY])
        self.clients[BUSY] = self.connect(BUSY)
        self.run_for(0.1)
        self.say(BUSY)
        self.stand_still(30.0)
        radio.protocol.transport._disconnect(Failure(ConnectionLost()))
        self.run_for(3.0)
        self.assertEqual(self.reset(), [BUSY])

    def test_old_command(self) -> None:
        """What was written meanwhile may be as old as that; a device does not get it."""
        self.stand_still(PortSettings.outage + 1)
        self.write(QUIET, b"open the valve")
        self.run_for(1.0)
        self.assertIn(QUIET, self.reset())
        self.assertEqual(self.sent(QUIET), (0, 14))

    def test_young_command(self) -> None:
        self.stand_still(PortSettings.outage - 1)
        self.write(QUIET, b"open the valve")
        self.run_for(1.0)
        self.assertNotIn(QUIET, self.reset())
        self.assertEqual(self.sent(QUIET), (14, 0))

    def test_command_that_waited(self) -> None:
        """It came before, and its turn had not come."""
        self.write(QUIET, b"first")
        self.write(QUIET, b"second")
        self.stand_still(PortSettings.outage + 1)
        self.run_for(1.0)
        self.assertIn(QUIET, self.reset())
        self.assertEqual(self.sent(QUIET), (5, 6))

    def test_packet_in_the_air(self) -> None:
        """The radio says behind it that it was not sent: it is not sent then."""
        node = self.gateway.network.nodes.get(QUIET)
        assert node is not None
        port = self.gateway.bindings.port_of(node)
        assert port is not None
        self.write(QUIET, b"open the valve")
        [packet] = port.outbound._in_flight
        self.stand_still(40.0)
        protocol = self.gateway.radio.protocol
        assert protocol is not None
        requests = self.gateway.radio.coordinator
        [frame_id] = [one for one, request in requests._pending.items() if request.is_packet]
        busy = TransmitStatus(frame_id, Address16(0xFFFE), 0, 0x02, 0)
        protocol.dataReceived(encode(busy.to_bytes(), 1))
        self.assertTrue(packet.is_void)
        self.assertIn(QUIET, self.reset())
        self.assertEqual(port.outbound.unconfirmed, 0)

    def test_client_that_comes_and_writes_meanwhile(self) -> None:
        """What it wrote may be as old as that; it is taken in behind it."""
        self.stand_still(PortSettings.outage + 1)
        self.patch(ConnectedClient, "unread", 14)
        late = self.connect(QUIET)
        self.assertTrue(late.disconnected)
        self.run_for(2.0)
        self.assertFalse(self.connect(QUIET).disconnected)

    def sent(self, address: Address64) -> tuple[int, int]:
        """The bytes that arrived, and those that are lost."""
        node = self.gateway.network.nodes.get(address)
        assert node is not None
        port = self.gateway.bindings.port_of(node)
        assert port is not None
        return port.outbound.bytes_sent, port.outbound.bytes_lost

    def test_busy_computer(self) -> None:
        """A second without a processor is no reason to reset anybody."""
        self.stand_still(LATE - 2 * TICK)
        self.run_for(2.0)
        self.say(BUSY)
        self.assertEqual(self.reset(), [])
        self.assertEqual(self.said(), "")


class SteadyClockTests(SynchronousTestCase):
    def test_clock(self) -> None:
        """It is none that can be set, and it goes on while the computer sleeps."""
        reactor = EPollReactor()
        self.addCleanup(reactor.disconnectAll)
        self.patch(time, "time", lambda: 0.0)
        _go_by_a_steady_clock(reactor)
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.assertGreaterEqual(reactor.seconds(), before)
        self.assertLess(reactor.seconds() - before, 3600)
        other = MemoryReactorClock()
        _go_by_a_steady_clock(other)
        self.assertEqual(other.seconds(), 0.0)
