"""A node's port: every client hears the node, a slow one is dropped, the number is bounded."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Computer, say
from tests.clock import MemoryReactorClock
from tests.radio.support import REMOTE, REMOTE16, Wire
from tests.support import record_log
from zbtwist.binding.client import MAX_UNSENT, REPLY_POLL
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.listener import Listener
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import CLOSE_TIMEOUT, NodePort
from zbtwist.binding.port_settings import REPLY_TIMES, PortSettings
from zbtwist.binding.send_buffer import HIGH_WATER
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.observing.event_counts import EventCounts
from zbtwist.observing.log_lines import LogLines
from zbtwist.runtime.allowed import Refusal
from zbtwist.runtime.repeats import INTERVAL
from zbtwist.runtime.write_at_once import SocketWriteAtOnce
from zbtwist.xbee.frames import TransmitStatus

#: Seconds of silence that end what a client that has ended its side is kept for.
SILENCE = PortSettings.reply_time


class TCPConnection(SocketWriteAtOnce, Connection):
    """Twisted's own, on a pair of sockets that have no addresses."""

    connected = 1

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 12345)

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass


class NodePortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.node = Node(REMOTE, REMOTE16, label="E1")
        self.computer = Computer()
        outbound = Outbound(
            self.wire.clock, self.wire.coordinator, NodeTable(self.wire.bus), self.node
        )
        self.port = NodePort(self.wire.clock, self.node, outbound, self.wire.bus)
        LogLines(self.wire.bus)
        self.listener = Listener(27001, self.computer.endpoint(27001))
        self.port.startService()
        self.successResultOf(Deferred.fromCoroutine(self.listener.open()))
        self.port.serve(self.listener)
        self.log = record_log(self)

    def connect(self) -> tuple[ConnectedClient, Any]:
        client = self.listener.buildProtocol(None)
        assert isinstance(client, ConnectedClient)
        transport = StringTransport()
        client.makeConnection(transport)
        return client, transport

    def lines(self) -> list[str]:
        return self.log.lines()

    def test_every_client_hears_the_node(self) -> None:
        self.port.deliver(b"nobody hears this")
        transports = [self.connect()[1] for _ in range(3)]
        self.port.deliver(b"one")
        self.port.deliver(b"two")
        self.assertEqual([transport.value() for transport in transports], [b"onetwo"] * 3)
        self.assertEqual(self.port.packets_received, 3)
        self.assertEqual(self.port.bytes_received, len(b"nobody hears thisonetwo"))
        self.assertEqual(self.port.bytes_unread, len(b"nobody hears this"))

    def test_the_node_hears_every_client(self) -> None:
        for data in (b"one", b"two"):
            client, _ = self.connect()
            client.dataReceived(data)
        self.assertEqual(self.wire.last.data, b"one")

    def test_fast_writer_is_paused(self) -> None:
        client, transport = self.connect()
        client.dataReceived(b"\n" + b"x" * (HIGH_WATER + 1000))
        self.assertEqual(transport.producerState, "paused")
        self.port.outbound.stop()

    def connect_tcp(
        self,
    ) -> tuple[ConnectedClient, TCPConnection, socket.socket, MemoryReactorClock]:
        """A client, the socket it is behind, its other end, and a reactor that had no turn yet."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
            self.addCleanup(end.close)
        reactor = MemoryReactorClock()
        client = self.listener.buildProtocol(None)
        assert isinstance(client, ConnectedClient)
        tcp = TCPConnection(ours, client, reactor)
        client.makeConnection(tcp)
        return client, tcp, theirs, reactor

    def test_tcp_socket_is_written_to_at_once(self) -> None:
        _, _, theirs, reactor = self.connect_tcp()
        self.port.deliver(b"one")
        self.assertEqual(theirs.recv(100), b"one")
        self.assertEqual(reactor.getWriters(), [])

    def test_burst_is_written_as_one(self) -> None:
        _, _, theirs, _ = self.connect_tcp()
        self.port.batch.begin()
        self.port.deliver(b"one")
        self.port.deliver(b"two")
        self.assertRaises(BlockingIOError, theirs.recv, 100)
        self.port.batch.end()
        self.assertEqual(theirs.recv(100), b"onetwo")

    def test_rest_is_written_by_the_reactor(self) -> None:
        """In order, whatever was written at once and whatever had to wait."""
        _, tcp, theirs, reactor = self.connect_tcp()
        sent = bytearray()
        while not reactor.getWriters():
            piece = b"%d " % len(sent) * 1000
            self.port.deliver(piece)
            sent += piece
        self.port.deliver(b"later")
        sent += b"later"
        came = bytearray()
        while reactor.getWriters():
            came += theirs.recv(1 << 20)
            tcp.doWrite()
        self.port.deliver(b"the end")
        sent += b"the end"
        came += theirs.recv(1 << 20)
        self.assertEqual(came, sent)

    def test_slow_tcp_reader_is_dropped(self) -> None:
        _, tcp, _, _ = self.connect_tcp()
        piece = b"x" * 65536
        for _ in range(100):
            self.port.deliver(piece)
        self.assertIn("reads too slowly", self.lines()[-1])
        self.assertTrue(tcp.disconnecting or tcp._aborting)

    def test_socket_that_breaks(self) -> None:
        """It is found out by the reactor; nobody else notices."""
        _, tcp, theirs, reactor = self.connect_tcp()
        theirs.close()
        self.port.deliver(b"one")
        self.assertEqual(reactor.getWriters(), [tcp])
        self.assertIsInstance(tcp.doWrite(), Exception)

    def test_close_in_a_burst(self) -> None:
        """What came before goes out before."""
        client, _, theirs, _ = self.connect_tcp()
        self.port.batch.begin()
        self.port.deliver(b"one")
        client.close()
        self.assertEqual(theirs.recv(100), b"one")
        self.port.batch.end()

    def test_reset_in_a_burst(self) -> None:
        """What came before is not sent behind the back of the reset."""
        client, _, theirs, _ = self.connect_tcp()
        self.port.batch.begin()
        self.port.deliver(b"one")
        client.reset("Bytes are lost.")
        self.port.batch.end()
        self.assertRaises(BlockingIOError, theirs.recv, 100)

    def test_slow_reader_is_dropped(self) -> None:
        client, slow = self.connect()
        _, quick = self.connect()
        slow.producer.pauseProducing()
        piece = b"x" * 1024
        for _ in range(MAX_UNSENT // len(piece)):
            self.port.deliver(piece)
        self.assertFalse(slow.disconnected)
        self.port.deliver(piece)
        self.assertTrue(slow.disconnected)
        dropped = [line for line in self.lines() if "is dropped" in line]
        self.assertEqual(len(dropped), 1)
        self.assertIn("E1 (00:13:a2:00:40:0a:3e:ff) on port 27001", dropped[0])
        self.assertIn("reads too slowly", dropped[0])
        # Nothing more is kept for it, and the other client missed nothing.
        kept = len(slow.value())
        self.port.deliver(piece)
        self.assertEqual(len(slow.value()), kept)
        self.assertEqual(len(quick.value()), MAX_UNSENT + 2 * len(piece))
        client.connectionLost(Failure(ConnectionDone()))

    def test_reader_that_catches_up_is_kept(self) -> None:
        _, transport = self.connect()
        for _ in range(5):
            transport.producer.pauseProducing()
            self.port.deliver(b"x" * MAX_UNSENT)
            transport.producer.resumeProducing()
        self.assertFalse(transport.disconnecting)

    def test_who_may_connect(self) -> None:
        """It is asked for each connection, by the settings as they are."""
        near, far = (IPv4Address("TCP", f"192.168.{number}.7", 50000) for number in (1, 2))
        allow = (ip_network("192.168.1.0/24"),)
        self.port.outbound.settings = replace(self.port.outbound.settings, allow=allow)
        self.assertIsInstance(self.listener.buildProtocol(near), ConnectedClient)
        self.assertIsInstance(self.listener.buildProtocol(far), Refusal)
        self.assertIn("is turned away: allow has no network", self.lines()[-1])
        self.assertIn("192.168.2.7", self.lines()[-1])
        before = len(self.lines())
        for _ in range(40):
            self.assertIsInstance(self.listener.buildProtocol(far), Refusal)
        self.wire.clock.advance(INTERVAL)
        (line,) = self.lines()[before:]
        self.assertIn("A client, and 39 more, of E1", line)
        self.port.outbound.settings = replace(self.port.outbound.settings, allow=())
        self.assertIsInstance(self.listener.buildProtocol(far), ConnectedClient)

    def test_number_of_clients_is_bounded(self) -> None:
        clients = [self.connect()[0] for _ in range(PortSettings.max_clients)]
        self.assertIsInstance(self.listener.buildProtocol(None), Refusal)
        self.assertIn("is refused", self.lines()[-1])
        clients[0].connectionLost()
        self.assertEqual(self.port.clients, PortSettings.max_clients - 1)
        self.assertIsInstance(self.listener.buildProtocol(None), ConnectedClient)

    def test_refused_ones_are_two_lines_a_minute(self) -> None:
        """However many come, and all are counted."""
        counts = EventCounts(self.wire.bus)
        for _ in range(PortSettings.max_clients):
            self.connect()
        before = len(self.lines())
        for _ in range(60):
            self.listener.buildProtocol(None)
            self.wire.clock.advance(1)
        self.assertEqual(
            self.lines()[before:],
            [
                f"{who} of {self.node} on port 27001 {verb} refused: 64 are connected already."
                for who, verb in (("A client", "is"), ("A client, and 58 more,", "are"))
            ],
        )
        self.assertEqual(counts["client_refused"], 60)
        self.wire.clock.advance(2 * INTERVAL)
        self.assertEqual(len(self.lines()), before + 2)
        self.listener.buildProtocol(None)
        self.assertEqual(len(self.lines()), before + 3)
        # Those that were there then count, not those that are when it is said.
        self.listener.buildProtocol(None)
        for client in self.port.connected[:2]:
            assert isinstance(client, ConnectedClient)
            client.connectionLost()
        self.connect()
        self.port.reset_clients("test")
        self.port.stopService()
        self.assertIn("64 are connected already", self.lines()[-1])

    def test_refused_is_reset_and_not_read(self) -> None:
        for _ in range(PortSettings.max_clients):
            self.connect()
        theirs, ours = socket.socketpair()
        self.addCleanup(theirs.close)
        theirs.send(b"an order")
        reactor = MemoryReactorClock()
        refused = self.listener.buildProtocol(None)
        connection = TCPConnection(ours, refused, reactor)
        refused.makeConnection(connection)
        connection.doRead()
        self.assertEqual(ours.recv(8, socket.MSG_PEEK), b"an order")
        reactor.advance(0)
        self.assertEqual(ours.fileno(), -1)

    def test_clients_that_have_ended_do_not_count(self) -> None:
        """But as many as may stay at most, so that they are bounded as well."""
        clients = [self.connect()[0] for _ in range(PortSettings.max_clients)]
        for client in clients:
            client.dataReceived(b"?")
            client.readConnectionLost()
        clients += [self.connect()[0] for _ in range(PortSettings.max_clients)]
        self.assertIsInstance(self.listener.buildProtocol(None), Refusal)
        clients[-1].readConnectionLost()
        self.assertIsInstance(self.listener.buildProtocol(None), Refusal)
        clients[0].connectionLost()
        self.assertIsInstance(self.listener.buildProtocol(None), ConnectedClient)
        for client in clients[1:]:
            client.connectionLost()
        self.port.outbound.stop()

    def test_lost_bytes_reset_every_client(self) -> None:
        writer, writing = self.connect()
        _, listening = self.connect()
        writer.dataReceived(b"x")
        self.wire.coordinator.link_down("It is gone.")
        for transport in (writing, listening):
            self.assertTrue(transport.disconnected)
        lost, first, second = self.lines()[-3:]
        self.assertEqual(lost, "1 bytes for E1 (00:13:a2:00:40:0a:3e:ff) are lost: It is gone.")
        for line in (first, second):
            self.assertIn("is dropped: 1 bytes for E1", line)

    def test_lost_bytes_of_a_client_that_is_gone(self) -> None:
        client, _ = self.connect()
        client.dataReceived(b"x")
        client.connectionLost()
        self.wire.coordinator.link_down("It is gone.")
        self.assertIn("1 bytes for E1 (00:13:a2:00:40:0a:3e:ff) are lost", self.lines()[-1])

    def test_stop_with_bytes_that_were_not_sent(self) -> None:
        """The end of the connection must not look as if all had been sent."""
        client, transport = self.connect()
        client.dataReceived(b"x" * 200)
        self.port.stopService()
        self.assertTrue(transport.disconnected)
        self.assertIn("200 bytes for E1", self.lines()[-1])
        client.connectionLost()

    def status(self, delivery: int = 0) -> None:
        frame_id = self.wire.last.frame_id
        self.wire.receive(TransmitStatus(frame_id, REMOTE16, 0, delivery, 0))

    def test_client_that_ended_its_side(self) -> None:
        """It is kept until what it sent has arrived, and for the answer."""
        client, transport = self.connect()
        client.dataReceived(b"question")
        client.readConnectionLost()
        self.wire.clock.advance(5.0)
        self.assertFalse(transport.disconnecting)
        self.status()
        self.wire.clock.advance(0.5)
        self.port.deliver(b"answer")
        self.wire.clock.advance(SILENCE - 0.1)
        self.assertFalse(transport.disconnecting)
        self.assertEqual(transport.value(), b"answer")
        self.wire.clock.pump([REPLY_POLL] * 3)
        self.assertTrue(transport.disconnecting)
        client.connectionLost()
        self.wire.coordinator.close()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_client_that_ended_its_side_beside_another_writer(self) -> None:
        """The answer may still come, whoever has written last."""
        other, _ = self.connect()
        client, transport = self.connect()
        client.dataReceived(b"question")
        client.readConnectionLost()
        other.dataReceived(b"another question")
        self.status()
        self.status()
        self.wire.clock.pump([REPLY_POLL] * 5)
        self.assertFalse(transport.disconnecting)
        self.port.deliver(b"answer")
        self.assertEqual(transport.value(), b"answer")
        self.wire.clock.pump([REPLY_POLL] * 12)
        self.assertTrue(transport.disconnecting)
        other.connectionLost()
        client.connectionLost()

    def test_client_that_ended_its_side_beside_a_chatty_node(self) -> None:
        """A node that is never silent keeps nobody for ever; how long, the settings say."""
        for settings in (PortSettings(), PortSettings(reply_time=0.3)):
            self.port.outbound.settings = settings
            client, transport = self.connect()
            client.dataReceived(b"question")
            client.readConnectionLost()
            self.wire.clock.advance(4.0)
            self.status()
            began = self.wire.clock.seconds()
            while not transport.disconnecting:
                say(self.node, b"chat", self.wire.clock)
                self.wire.clock.advance(REPLY_POLL)
            kept = self.wire.clock.seconds() - began
            self.assertLess(abs(kept - settings.reply_time * REPLY_TIMES), 2.1 * REPLY_POLL)
            client.connectionLost()

    def test_loss_after_the_client_ended_its_side(self) -> None:
        client, transport = self.connect()
        client.dataReceived(b"question")
        client.readConnectionLost()
        self.status(0x21)
        self.assertTrue(transport.disconnected)

    def test_client_that_ended_and_said_nothing(self) -> None:
        """As most do at their end: it is gone at once, and so where bytes are kept for the next."""
        client, transport = self.connect()
        client.readConnectionLost()
        self.assertTrue(transport.disconnecting)
        self.port.outbound.settings = PortSettings(backlog=100)
        client, transport = self.connect()
        client.dataReceived(b"question")
        self.status()
        client.readConnectionLost()
        self.assertTrue(transport.disconnecting)

    def test_paused_client_that_ended_is_not_resumed(self) -> None:
        client, transport = self.connect()
        client.dataReceived(b"\n" * HIGH_WATER * 2)
        self.assertEqual(transport.producerState, "paused")
        client.readConnectionLost()
        client.resume()
        self.assertEqual(transport.producerState, "paused")
        client.abort()
        client.connectionLost()

    def test_leave_with_bytes_that_were_not_sent(self) -> None:
        client, transport = self.connect()
        client.dataReceived(b"x" * 200)
        self.port.leave("it moves")
        self.assertTrue(transport.disconnected)
        self.assertEqual(self.port.outbound.buffered, 0)
        client.connectionLost()

    def test_node_that_is_heard_before_the_radio_is_set_up(self) -> None:
        """What comes behind the hole is not given to who read what was before it."""
        client, transport = self.connect()
        say(self.node, b"before", self.wire.clock)
        self.port.radio_is_deaf(self.wire.clock.seconds())
        self.wire.clock.advance(0.5)
        receiver = self.node.receiver
        assert receiver is not None
        receiver(b"behind")
        self.assertTrue(transport.disconnected)
        self.assertEqual(transport.value(), b"before")
        client.connectionLost()
        # Who comes then reads on, also when the radio is up.
        _, newcomer = self.connect()
        receiver(b"on")
        self.port.radio_is_heard()
        receiver(b"!")
        self.assertEqual(newcomer.value(), b"on!")
        self.assertFalse(newcomer.disconnected)

    def test_backlog(self) -> None:
        """The last bytes are kept for the next client; those before them are counted."""
        self.port.outbound.settings = PortSettings(backlog=10)
        for piece in (b"0123", b"4567", b"89ab"):
            self.port.deliver(piece)
        self.assertEqual(self.port.bytes_unread, 2)
        _, first = self.connect()
        self.assertEqual(first.value(), b"23456789ab")
        _, second = self.connect()
        self.port.deliver(b"live")
        self.assertEqual((first.value(), second.value()), (b"23456789ablive", b"live"))
        self.assertEqual(self.port.bytes_unread, 2)

    def test_no_backlog(self) -> None:
        self.port.deliver(b"0123")
        self.assertEqual(self.port.bytes_unread, 4)
        self.assertEqual(self.connect()[1].value(), b"")

    def test_leave(self) -> None:
        """The clients go, and the socket is free for another node."""
        client, transport = self.connect()
        self.port.deliver(b"last words")
        self.assertIs(self.port.leave("it moves"), self.listener)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.value(), b"last words")
        self.assertIn(
            "The client of E1 (00:13:a2:00:40:0a:3e:ff) is disconnected: it moves.",
            self.lines(),
        )
        self.assertIsInstance(self.listener.buildProtocol(None), Refusal)
        self.assertIn(27001, self.computer.open)
        client.connectionLost()
        self.assertIsNone(self.port.leave("again"))

    def test_listener_of_another_kind(self) -> None:
        """A Unix socket has no TCP port."""
        other = Listener("unix:/run/meter", self.computer.endpoint("unix:/run/meter"))
        self.successResultOf(Deferred.fromCoroutine(other.open()))
        self.port.serve(other)
        self.assertEqual(self.port.number, 0)
        self.successResultOf(other.close())
        self.assertNotIn("unix:/run/meter", self.computer.open)

    def test_stop(self) -> None:
        client, transport = self.connect()
        self.port.deliver(b"last words")
        stopped = self.port.stopService()
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.value(), b"last words")
        self.assertNoResult(stopped)
        client.connectionLost()
        self.successResultOf(stopped)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_stop_does_not_wait_for_long(self) -> None:
        client, transport = self.connect()
        stopped = self.port.stopService()
        aborted: list[bool] = []

        def abort() -> None:
            aborted.append(True)
            client.connectionLost()

        transport.abortConnection = abort
        self.wire.clock.advance(CLOSE_TIMEOUT)
        self.assertEqual(aborted, [True])
        self.successResultOf(stopped)
