"""Quiet ports, on real sockets."""

from __future__ import annotations

import errno
import os
import resource
import socket
import struct
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial import unittest

from tests.radio.support import REMOTE, Wire
from tests.runtime.support import number_of, quiet_factory
from tests.support import present, record_log
from zbtwist.binding.listener import Listener
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime import quiet_port
from zbtwist.runtime.open_files import Shortage
from zbtwist.runtime.tcp import (
    Keepalive,
    QuietEndpoint,
    QuietTCPPort,
    notice_the_dead,
    socket_of,
    unanswered_for,
)


class QuietEndpointTests(unittest.TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = QuietEndpoint(reactor, self.port, 50, "127.0.0.1")

    def test_address_of_one_link(self) -> None:
        """The link is a number to the system."""
        bound: list[Any] = []

        class Listener:
            def bind(self, address: Any) -> None:
                bound.append(address)

        def bind(interface: str) -> None:
            port = QuietTCPPort(27001, quiet_factory(Deferred()), 50, interface, self.reactor)
            port._bind(Listener())  # type: ignore[arg-type]

        name = socket.if_indextoname(1)
        bind(f"fe80::1%{name}")
        self.assertEqual([address[1:] for address in bound], [(27001, 0, 1)])
        with self.assertRaises(OSError) as caught:
            bind("fe80::1%none")
        self.assertEqual(caught.exception.errno, errno.EADDRNOTAVAIL)

    async def test_connection(self) -> None:
        """It accepts connections, nothing is logged when it opens or closes, and it can be opened
        again.
        """
        log = record_log(self)
        for _ in range(2):
            heard: Deferred[bytes] = Deferred()
            said = len(log.events)
            listening = await self.endpoint.listen(quiet_factory(heard))
            self.assertEqual(number_of(listening), self.port)
            self.assertEqual(len(log.events), said)
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.sendall(b"hello")
                self.assertEqual(await heard, b"hello")
                said = len(log.events)
                await present(listening.stopListening())
                self.assertEqual(len(log.events), said)

    async def test_taken(self) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.port))
            other.listen()
            with self.assertRaises(CannotListenError) as caught:
                await self.endpoint.listen(Factory())
        self.assertEqual(caught.exception.port, self.port)
        self.assertIsInstance(caught.exception.socketError, OSError)

    async def test_refused_is_reset(self) -> None:
        """An end in good order would say that what was sent was taken."""

        # Before Twisted 26 it is no generic class.
        class Refusing(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        listening = await self.endpoint.listen(Refusing())
        self.addCleanup(listening.stopListening)
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.setblocking(False)
            while True:
                await deferLater(self.reactor, 0)
                try:
                    client.recv(1)
                except BlockingIOError:
                    continue
                except ConnectionResetError:
                    return
                self.fail("it was ended in good order")

    async def test_accept_that_fails_is_not_tried_in_every_turn(self) -> None:
        """Memory is short, or the reserved file is not to be had: that takes a while."""

        class Failing:
            tries = 0

            def accept(self) -> None:
                Failing.tries += 1
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

        log = record_log(self)
        self.patch(quiet_port, "shortage", Shortage())
        self.patch(quiet_port, "PAUSE", 0.0)
        port: Any = await self.endpoint.listen(quiet_factory(Deferred()))
        self.addCleanup(port.stopListening)
        true, port.socket = port.socket, Failing()
        port.doRead()
        self.assertNotIn(port, self.reactor.getReaders())
        await deferLater(self.reactor, 0)
        self.assertIn(port, self.reactor.getReaders())
        port.doRead()
        port.socket = true
        await deferLater(self.reactor, 0)
        self.assertEqual(Failing.tries, 2)
        self.assertEqual(
            log.lines(), ["Connections cannot be accepted at the moment: Cannot allocate memory."]
        )

    async def test_no_files_left(self) -> None:
        """A connection that cannot be had is closed, and not reported again in every turn."""
        listening = await self.endpoint.listen(Factory.forProtocol(Protocol))
        self.addCleanup(listening.stopListening)
        # The reactor opens files of its own when it starts.
        await deferLater(self.reactor, 0)
        with socket.socket() as client:
            client.connect(("127.0.0.1", self.port))
            client.setblocking(False)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            with socket.socket() as last:
                free = last.fileno()
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            try:
                for _ in range(100):
                    await deferLater(self.reactor, 0)
                    try:
                        end = client.recv(1)
                    except BlockingIOError:
                        continue
                    except ConnectionResetError:
                        end = b""
                    break
                else:
                    self.fail("the connection is neither taken nor closed")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(end, b"")
        self.assertTrue(tcp._reservedFD.available())


class DeadEndsTests(unittest.TestCase):
    """What the system is told of a client's socket."""

    async def test_options(self) -> None:
        """A client that died is noticed within two minutes; a gateway that dies, at once."""
        from twisted.internet import reactor

        wire = Wire()
        node = Node(REMOTE)
        nodes = NodeTable(wire.bus)
        outbound = Outbound(wire.clock, wire.coordinator, nodes, node)
        port = NodePort(wire.clock, node, outbound, wire.bus)
        listener = Listener(0, QuietEndpoint(reactor, 0, 50, "127.0.0.1"))
        await listener.open()
        self.addCleanup(listener.close)
        port.serve(listener)
        assert listener._listening is not None
        number = number_of(listener._listening)
        with socket.create_connection(("127.0.0.1", number)) as client:
            while not port.clients:
                await deferLater(reactor, 0)
            (connected,) = port._clients
            ours = socket_of(connected.transport)  # type: ignore[attr-defined]
            assert ours is not None
            self.assertEqual(self.keepalive(ours), (60, 15, 4))
            self.assertTrue(ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            self.assertEqual(self.linger(ours), (1, 0))
            # As when the program is killed: the system closes what it had.
            copy = ours.dup()
            port.deliver(b"the last")
            connected.close()
            self.assertEqual(self.linger(copy)[0], 0)
            copy.close()
            await connected.gone
            self.assertEqual((client.recv(100), client.recv(100)), (b"the last", b""))

    def keepalive(self, connection: socket.socket) -> tuple[int, ...]:
        return tuple(
            connection.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )

    def test_keepalive_that_a_person_wants(self) -> None:
        with socket.socket() as one:
            notice_the_dead(one, Keepalive(7, 3, 2))
            self.assertEqual(self.keepalive(one), (7, 3, 2))
            notice_the_dead(one, Keepalive(0, 3, 2))
            self.assertFalse(one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def test_what_owes_no_answer(self) -> None:
        """A connection to which nothing is on its way, and what is no such connection."""
        near, far = socket.socketpair()
        with socket.create_server(("127.0.0.1", 0)) as server, near, far:
            with socket.create_connection(server.getsockname()) as client:
                client.send(b"x")
                self.assertEqual(unanswered_for(client), 0)
            self.assertEqual(unanswered_for(client), 0)
            self.assertEqual(unanswered_for(near), 0)

    def linger(self, connection: socket.socket) -> tuple[int, int]:
        on, seconds = struct.unpack(
            "ii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        )
        return on, seconds
