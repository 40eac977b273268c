"""A client that sends all it has and closes at once, on real sockets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.trial import unittest

from tests.radio.support import REMOTE, REMOTE16, Wire
from tests.runtime.support import number_of, socket_path
from tests.support import present, record_log
from zbtwist.binding.listener import Listener
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.observing.log_lines import LogLines
from zbtwist.runtime.read_to_end import unread_in
from zbtwist.runtime.server_endpoint import server_from_string
from zbtwist.xbee.frames import TransmitRequest, TransmitStatus

UPLOAD = bytes(range(250)) * 80


class UploadTests(unittest.TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.wire = Wire()
        self.outbound = Outbound(
            self.wire.clock, self.wire.coordinator, NodeTable(self.wire.bus), Node(REMOTE)
        )
        # The node's own line is no part of it, and nobody answers for it.
        self.outbound.settings = PortSettings(pace=OFF)
        self.port = NodePort(self.wire.clock, self.outbound._node, self.outbound, self.wire.bus)
        LogLines(self.wire.bus)
        self.log = record_log(self)
        self.addCleanup(self.port.stopService)

    async def listen(self, endpoint: IStreamServerEndpoint) -> Listener:
        listener = Listener(0, endpoint)
        await listener.open()
        self.addCleanup(listener.close)
        self.port.serve(listener)
        return listener

    async def upload(self, address: Any, family: int = socket.AF_INET) -> None:
        """Send it, and close; then the device says something, until the client's system tells that
        nobody is there.
        """
        with socket.socket(family) as client:
            client.connect(address)
            client.sendall(UPLOAD)
        while not self.wire.sent:
            await deferLater(self.reactor, 0)
        (connected,) = self.port._clients
        while not (connected.has_left or connected.is_over):
            self.port.deliver(b"chat")
            await deferLater(self.reactor, 0)

    def next_arrives(self) -> bytes:
        sent = self.wire.last
        assert isinstance(sent, TransmitRequest)
        self.wire.receive(TransmitStatus(sent.frame_id, REMOTE16, 0, 0, 0))
        self.wire.clock.advance(0.01)
        return sent.data

    async def all_that_arrives(self) -> bytes:
        arrived = bytearray()
        while self.port.clients or self.outbound.unconfirmed:
            if self.wire.coordinator.outstanding:
                arrived += self.next_arrives()
            self.port.deliver(b"more chat")
            await deferLater(self.reactor, 0)
        return bytes(arrived)

    async def test_all_arrives(self) -> None:
        """What its socket holds is sent as well, though nothing can be written to it any more."""
        listener = await self.listen(server_from_string(self.reactor, "tcp:0:interface=127.0.0.1"))
        await self.upload(("127.0.0.1", number_of(present(listener._listening))))
        self.assertEqual(await self.all_that_arrives(), UPLOAD)
        self.assertEqual(self.outbound.bytes_lost, 0)

    async def test_unix_socket(self) -> None:
        path = socket_path(self)
        await self.listen(server_from_string(self.reactor, f"unix:{path}"))
        await self.upload(path, socket.AF_UNIX)
        self.assertEqual(await self.all_that_arrives(), UPLOAD)

    async def reset(self, *said: bytes) -> None:
        """A client writes while the radio has a packet of another, and resets its connection.

        @param said: what the node says meanwhile.
        """
        listener = await self.listen(server_from_string(self.reactor, "tcp:0:interface=127.0.0.1"))
        address = ("127.0.0.1", number_of(present(listener._listening)))
        with socket.create_connection(address) as client:
            client.sendall(b"first\n")
            await self.until(lambda: self.wire.sent)
            client.sendall(b"second\n")
            await self.until(lambda: self.outbound.buffered)
            for data in said:
                self.port.deliver(data)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.until(lambda: not self.port.clients)

    async def until(self, question: Callable[[], object]) -> None:
        while not question():
            await deferLater(self.reactor, 0)

    async def test_what_a_reset_client_left_is_dropped(self) -> None:
        """It does not stand by it. What is on its way goes on."""
        await self.reset()
        self.assertEqual((self.outbound.buffered, self.outbound.bytes_lost), (0, 7))
        self.assertEqual(self.next_arrives(), b"first\n")
        self.assertEqual(len(self.wire.sent), 1)

    async def test_reset_that_may_be_of_a_client_that_closed(self) -> None:
        """Its system resets the connection when it has not read all that the node said."""
        await self.reset(b"chat")
        self.assertEqual(self.outbound.buffered, 7)
        self.next_arrives()
        self.assertEqual(self.next_arrives(), b"second\n")

    async def test_what_is_not_read_is_said(self) -> None:
        """Where it cannot be sent it is counted, and the log tells."""
        listener = await self.listen(server_from_string(self.reactor, "tcp:0:interface=127.0.0.1"))
        await self.upload(("127.0.0.1", number_of(present(listener._listening))))
        (connected,) = self.port._clients
        unread = unread_in(connected.transport.socket)  # type: ignore[attr-defined]
        self.assertGreater(unread, 10_000)
        arrived = self.next_arrives()
        self.port.leave("it moves")
        while self.port.clients:
            await deferLater(self.reactor, 0)
        in_the_air = self.outbound.unconfirmed
        self.assertEqual(self.outbound.bytes_lost, len(UPLOAD) - len(arrived) - in_the_air)
        self.assertIn(f"{unread} bytes for", "\n".join(self.log.lines()))
