"""UDP sockets: where they are, and that nobody has the reactor alone by them."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase

from zbtwist.runtime.udp import DATAGRAMS, READ_SIZE, UDPEndpoint, UDPPort


class Heard(DatagramProtocol):
    noisy = False

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.next: Deferred[bytes] = Deferred()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.datagrams.append(datagram)
        waiting, self.next = self.next, Deferred()
        waiting.callback(datagram)


class UDPTests(TestCase):
    def free_port(self, family: int = socket.AF_INET, host: str = "127.0.0.1") -> int:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
            number: int = probe.getsockname()[1]
        return number

    async def test_there_and_back(self) -> None:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            number, heard = self.free_port(family, host), Heard()
            interface = host.replace(":", "\\:")
            port = await UDPEndpoint(reactor, f"udp:{number}:interface={interface}").listen(heard)
            self.addCleanup(port.stopListening)
            with socket.socket(family, socket.SOCK_DGRAM) as peer:
                peer.connect((host, number))
                for datagram in (b"", b"x" * (READ_SIZE + 10)):
                    coming = heard.next
                    peer.send(datagram)
                    await coming
                self.assertEqual(heard.datagrams, [b"", b"x" * READ_SIZE])
                assert heard.transport is not None
                heard.transport.write(b"back", peer.getsockname()[:2])
                peer.settimeout(10)
                self.assertEqual(peer.recv(100), b"back")

    async def test_taken(self) -> None:
        number = self.free_port()
        text = f"udp:{number}:interface=127.0.0.1"
        port = await UDPEndpoint(reactor, text).listen(Heard())
        self.addCleanup(port.stopListening)
        with self.assertRaises(CannotListenError):
            await UDPEndpoint(reactor, text).listen(Heard())

    def test_some_in_a_turn(self) -> None:
        """However many have come, also empty ones."""

        class Endless:
            def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
                return b"", ("10.0.0.1", 1)

        heard = Heard()
        port = UDPPort(0, heard, "", READ_SIZE, reactor)
        endless: Any = Endless()
        port.socket = endless
        port.doRead()
        self.assertEqual(len(heard.datagrams), DATAGRAMS)
