"""Surplus, dead, idle and listening clients of a node: what the settings say becomes of them."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Computer, say
from tests.radio.support import REMOTE, REMOTE16, Wire
from tests.support import record_log
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.listener import Listener
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.presence import LOOK_INTERVAL
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.observing.log_lines import LogLines
from zbtwist.runtime.allowed import Refusal
from zbtwist.runtime.substitutions import Template
from zbtwist.xbee import devices
from zbtwist.xbee.frames import TransmitRequest, TransmitStatus


class ClientsTestCase(SynchronousTestCase):
    """One node, and whoever comes."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.clock = self.wire.clock
        self.clock.advance(1000)
        # One that sleeps, and has longer to answer.
        node = Node(REMOTE, REMOTE16, label="E1", role=devices.END_DEVICE)
        outbound = Outbound(self.clock, self.wire.coordinator, NodeTable(self.wire.bus), node)
        self.port = NodePort(self.clock, node, outbound, self.wire.bus)
        LogLines(self.wire.bus)
        self.listener = Listener(27001, Computer().endpoint(27001))
        self.port.startService()
        self.successResultOf(Deferred.fromCoroutine(self.listener.open()))
        self.port.serve(self.listener)
        self.log = record_log(self)

    def tearDown(self) -> None:
        """Nothing goes on when all are gone."""
        for client in self.port.connected:
            assert isinstance(client, ConnectedClient)
            client.connectionLost()
        self.port.outbound.stop()
        self.port.stopService()
        self.wire.coordinator.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def use(self, **settings: Any) -> None:
        self.port.follow(PortSettings(**settings))

    def connect(self) -> tuple[ConnectedClient, Any]:
        client = self.listener.buildProtocol(None)
        assert isinstance(client, ConnectedClient)
        transport = StringTransport()
        client.makeConnection(transport)
        return client, transport

    def is_refused(self) -> bool:
        return isinstance(self.listener.buildProtocol(None), Refusal)

    def write(self, client: ConnectedClient, data: bytes) -> bytes:
        """Return what comes to the node of what a client writes."""
        self.wire.sent.clear()
        client.dataReceived(data)
        sent = b""
        while self.wire.sent and isinstance(self.wire.last, TransmitRequest):
            sent += self.wire.last.data
            frame_id = self.wire.last.frame_id
            self.wire.sent.clear()
            self.wire.receive(TransmitStatus(frame_id, REMOTE16, 0, 0, 0))
        return sent

    def dropped(self) -> list[str]:
        return [line for line in self.log.lines() if "is dropped" in line]


class PlacesTests(ClientsTestCase):
    """Who goes when all places are taken."""

    def test_refuse(self) -> None:
        self.use(max_clients=2)
        self.connect(), self.connect()
        self.assertTrue(self.is_refused())
        self.use(max_clients=3)
        self.assertFalse(self.is_refused())

    def test_oldest_is_kicked(self) -> None:
        self.use(max_clients=2, when_full="kick-oldest")
        (old, old_transport), (_, young_transport) = self.connect(), self.connect()
        self.write(old, b"one\n")
        _, newcomer = self.connect()
        self.assertTrue(old_transport.disconnected)
        self.assertFalse(young_transport.disconnected or newcomer.disconnected)
        (line,) = self.dropped()
        self.assertIn("it makes room for a new client, and is the oldest", line)
        old.connectionLost()
        self.connect()
        self.assertTrue(young_transport.disconnected)

    def test_idle_one_is_kicked(self) -> None:
        """Who has written nothing for the longest, however long it has been there."""
        self.use(max_clients=3, when_full="kick-idle")
        clients = [self.connect() for _ in range(3)]
        self.clock.advance(60)
        self.write(clients[0][0], b"one\n")
        self.clock.advance(1)
        self.write(clients[2][0], b"two\n")
        self.clock.advance(1)
        # What all hear says nothing of one of them.
        self.port.deliver(b"the node talks")
        self.connect()
        self.assertEqual([transport.disconnected for _, transport in clients], [False, True, False])
        (line,) = self.dropped()
        self.assertIn("has written nothing for 62 s", line)
        clients[1][0].connectionLost()
        self.connect()
        self.assertTrue(clients[0][1].disconnected)

    def test_settings_change_while_they_are_there(self) -> None:
        """When they write is noted from then on, and no more when it does not matter."""
        self.use(max_clients=2)
        (first, gone), (second, transport) = self.connect(), self.connect()
        self.write(first, b"one\n")
        self.use(max_clients=2, when_full="kick-idle")
        self.clock.advance(5)
        self.write(second, b"two\n")
        self.connect()
        self.assertTrue(gone.disconnected)
        self.assertFalse(transport.disconnected)
        self.use()
        self.clock.advance(5)
        self.assertEqual(self.write(second, b"three\n"), b"three\n")
        self.assertEqual(second.silent_for(self.clock.seconds()), 5)

    def test_doubtful_one_is_kicked_first(self) -> None:
        """One whose computer owes an answer is more likely gone than one that does not write."""
        self.use(max_clients=2, when_full="kick-idle")
        (_, quiet), (dead, transport) = self.connect(), self.connect()
        self.clock.advance(60)
        self.write(dead, b"the last\n")
        dead.__class__ = type("Dying", (ConnectedClient,), {"unanswered_for": 10.0})
        self.connect()
        self.assertTrue(transport.disconnected)
        self.assertFalse(quiet.disconnected)

    def test_70_finished_pollers_of_a_sleeping_node(self) -> None:
        """They have asked and ended their side, and wait for the answer: there is room at once."""
        pollers = []
        for _ in range(70):
            poller, transport = self.connect()
            poller.dataReceived(b"?\n")
            poller.readConnectionLost()
            pollers.append((poller, transport))
            self.clock.advance(1)
        self.assertEqual(self.port.clients, 70)
        _, newcomer = self.connect()
        self.port.deliver(b"awake")
        self.assertEqual(newcomer.value(), b"awake")
        self.assertFalse(any(transport.disconnected for _, transport in pollers))

    def test_servers_have_places_of_their_own(self) -> None:
        """Those that the configuration has the gateway connect to: they would come again."""
        self.use(max_clients=1, when_full="kick-oldest", idle_timeout=5)
        server, transport = self.connect()
        server.wish = EndpointWish("tcp:h:1", "tcp:h:1", connects=True)
        _, first = self.connect()
        self.connect()
        self.assertTrue(first.disconnected)
        self.clock.pump([LOOK_INTERVAL] * 3)
        self.assertFalse(transport.disconnected or transport.disconnecting)

    def test_finished_ones_give_way_at_last(self) -> None:
        """Where somebody is to be kicked, the oldest of them are."""
        self.use(max_clients=2, when_full="kick-oldest")
        pollers = []
        for _ in range(4):
            pollers.append(self.connect())
            pollers[-1][0].dataReceived(b"?\n")
            pollers[-1][0].readConnectionLost()
        self.connect()
        self.assertEqual([one.disconnected for _, one in pollers], [True, False, False, False])


class PresenceTests(ClientsTestCase):
    """Clients that are not there any more, or say nothing."""

    def dies(self, client: ConnectedClient) -> None:
        """Its computer answers no more from now on."""
        died_at = self.clock.seconds()
        silence = property(lambda _: self.clock.seconds() - died_at)
        client.__class__ = type("Dying", (ConnectedClient,), {"unanswered_for": silence})

    def test_dead_one(self) -> None:
        """It is noticed when keepalive would have, also if something is on its way to it."""
        (dead, transport), (_, other) = self.connect(), self.connect()
        self.dies(dead)
        self.clock.pump([LOOK_INTERVAL] * 7)
        self.assertFalse(transport.disconnected)
        self.clock.pump([LOOK_INTERVAL] * 2)
        self.assertTrue(transport.disconnected)
        self.assertFalse(other.disconnected)
        (line,) = self.dropped()
        self.assertIn("its computer has not answered for 120 s", line)

    def test_dead_one_by_other_settings(self) -> None:
        self.use(keepalive_time=10, keepalive_interval=5, keepalive_probes=1)
        dead, transport = self.connect()
        self.dies(dead)
        self.clock.advance(LOOK_INTERVAL)
        self.assertTrue(transport.disconnected)

    def test_nobody_is_asked(self) -> None:
        self.use(keepalive_time=0)
        dead, transport = self.connect()
        self.dies(dead)
        self.clock.pump([LOOK_INTERVAL] * 100)
        self.assertFalse(transport.disconnected)

    def test_dead_ones_do_not_count(self) -> None:
        """A port that is full looks at once, whenever the next look would be."""
        self.use(keepalive_time=5, keepalive_interval=1, keepalive_probes=1)
        clients = [self.connect() for _ in range(64)]
        self.clock.advance(LOOK_INTERVAL - 10)
        for client, _ in clients:
            self.dies(client)
        self.clock.advance(5)
        self.assertTrue(self.is_refused())
        self.clock.advance(1.5)
        self.assertFalse(self.is_refused())
        self.assertTrue(all(transport.disconnected for _, transport in clients))

    def test_idle_timeout(self) -> None:
        """It counts from the last byte either way, and ends the connection in good order."""
        self.use(idle_timeout=2.5)
        client, transport = self.connect()
        self.clock.pump([1, 1])
        self.write(client, b"one\n")
        self.clock.pump([1, 1])
        say(self.port.node, b"two", self.clock)
        self.clock.pump([0.5] * 4)
        self.assertFalse(transport.disconnecting)
        self.clock.pump([0.25] * 2)
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.disconnected)
        self.assertIn("nothing has passed for 2.5 s (idle-timeout)", self.log.lines()[-1])

    def test_idle_timeout_while_a_node_sleeps(self) -> None:
        """Whoever waits for what becomes of its bytes is told."""
        self.use(idle_timeout=2)
        client, transport = self.connect()
        client.dataReceived(b"one\n")
        self.clock.pump([LOOK_INTERVAL] * 2)
        self.assertFalse(transport.disconnecting or transport.disconnected)
        self.wire.receive(TransmitStatus(self.wire.last.frame_id, REMOTE16, 0, 0, 0))
        self.clock.pump([LOOK_INTERVAL] * 2)
        self.assertTrue(transport.disconnecting)

    def test_idle_timeout_of_those_that_are_there(self) -> None:
        _, transport = self.connect()
        self.clock.pump([LOOK_INTERVAL] * 9)
        self.use(idle_timeout=3)
        self.clock.pump([0.5] * 5)
        self.assertFalse(transport.disconnecting)
        self.clock.pump([0.5] * 2)
        self.assertTrue(transport.disconnecting)

    def test_never(self) -> None:
        _, transport = self.connect()
        self.clock.pump([3600] * 24)
        self.assertFalse(transport.disconnecting or transport.disconnected)


class WritersTests(ClientsTestCase):
    """Whose bytes are for the node."""

    def test_all(self) -> None:
        """With no step in between."""
        client, _ = self.connect()
        self.write(client, b"\n")
        self.assertEqual(client.dataReceived.func, self.port.outbound.write)  # type: ignore[attr-defined]

    def test_none(self) -> None:
        """It hears the node, and what it writes is thrown away, which is said once."""
        self.use(writers="none")
        tap, transport = self.connect()
        for _ in range(3):
            self.assertEqual(self.write(tap, b"one\n"), b"")
        self.port.deliver(b"heard")
        self.assertEqual(transport.value(), b"heard")
        self.assertEqual(tap.bytes_ignored, 12)
        (line,) = [line for line in self.log.lines() if "may only listen" in line]
        self.assertIn("is thrown away (writers = none)", line)

    def test_first(self) -> None:
        """The first that writes, until it is gone or writes no more."""
        self.use(writers="first")
        listener, second, third = (self.connect()[0] for _ in range(3))
        self.assertTrue(self.port.may_write(third))
        self.assertEqual(self.write(second, b"one\n"), b"one\n")
        self.assertEqual(self.write(third, b"two\n"), b"")
        self.assertEqual(
            [self.port.may_write(client) for client in (listener, second, third)],
            [False, True, False],
        )
        self.assertEqual(self.write(second, b"three\n"), b"three\n")
        second.readConnectionLost()
        self.assertEqual(self.write(third, b"four\n"), b"four\n")
        third.connectionLost()
        self.assertEqual(self.write(listener, b"five\n"), b"five\n")

    def test_settings_change(self) -> None:
        client, _ = self.connect()
        self.assertEqual(self.write(client, b"one\n"), b"one\n")
        self.use(writers="none")
        self.assertEqual(self.write(client, b"two\n"), b"")
        self.use()
        self.assertEqual(self.write(client, b"three\n"), b"three\n")


class GreetingsTests(ClientsTestCase):
    """What is said by itself when clients come and go."""

    def sent(self) -> bytes:
        """What has gone to the node since the last time; all of it arrives."""
        data = b""
        while self.wire.sent and isinstance(self.wire.last, TransmitRequest):
            data += self.wire.last.data
            frame_id = self.wire.last.frame_id
            self.wire.sent.clear()
            self.wire.receive(TransmitStatus(frame_id, REMOTE16, 0, 0, 0))
        return data

    def test_banner(self) -> None:
        """Each client has it before all else, and it is about the node and itself."""
        self.use(banner=Template(r"\N \d at \p for \I [\B]\r\n"), backlog=100)
        self.port.deliver(b"kept")
        banner = b"E1 0013a200400a3eff at 27001 for 192.168.1.1 [?]\r\n"
        _, first = self.connect()
        _, second = self.connect()
        self.port.deliver(b"!")
        self.assertEqual(first.value(), banner + b"kept!")
        self.assertEqual(second.value(), banner + b"!")
        self.assertEqual(self.port.bytes_received, 5)

    def test_banner_for_an_address_of_ipv6(self) -> None:
        self.use(banner=Template(r"\I"))
        client = self.listener.buildProtocol(None)
        assert isinstance(client, ConnectedClient)
        transport = StringTransport(peerAddress=IPv6Address("TCP", "2001:db8::7", 50312))
        client.makeConnection(transport)
        self.assertEqual(client.peer, "[2001:db8::7]:50312")
        self.assertEqual(transport.value(), b"2001:db8::7")

    def test_what_a_node_calls_itself_obeys_nobody(self) -> None:
        self.use(banner=Template(r"\N"))
        self.port.node.label = "\x1b[2JE1"
        self.assertEqual(self.connect()[1].value(), b"?[2JE1")

    def test_strings(self) -> None:
        """To the device, when the first one comes and the last one goes."""
        self.use(open_string=Template(r"\x03on\r"), close_string=Template(r"off\r"))
        first, _ = self.connect()
        self.assertEqual(self.sent(), b"\x03on\r")
        second, _ = self.connect()
        first.connectionLost()
        self.assertEqual(self.sent(), b"")
        second.connectionLost()
        self.assertEqual(self.sent(), b"off\r")
        self.connect()
        self.assertEqual(self.sent(), b"\x03on\r")

    def test_string_behind_what_was_written(self) -> None:
        """The last client is gone, and some of what it wrote waits."""
        self.use(close_string=Template("off"))
        client, _ = self.connect()
        written = bytes(range(200))
        client.dataReceived(written)
        client.connectionLost()
        sent = b""
        while part := self.sent():
            sent += part
            self.clock.advance(1)
        self.assertEqual(sent, written + b"off")

    def test_no_string_when_the_gateway_stops(self) -> None:
        self.use(close_string=Template("off"))
        client, _ = self.connect()
        self.port.stopService()
        client.connectionLost()
        self.assertEqual(self.sent(), b"")

    def test_client_that_is_reset_and_was_told_a_banner_alone(self) -> None:
        """Its system resets the connection if that is unread, whatever the program meant."""
        self.use(banner=Template("hello"))
        client, _ = self.connect()
        client.dataReceived(b"one\n")
        client.dataReceived(b"two\n")
        client.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.sent(), b"one\n")
        self.clock.advance(1)
        self.assertEqual(self.sent(), b"two\n")
