"""``udp:PORT``: a UDP socket by a string, such as those of Twisted's endpoints, which has none."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from twisted.internet import udp
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import _parse
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from zbtwist.runtime.endpoint_option import LAST_PORT

#: How the strings begin.
UDP = "udp:"

#: How many addresses datagrams may be sent to.
MAX_PEERS = 16

#: Bytes of a datagram that are read. No radio has a packet as large, so that of a larger one nobody
#: need know more.
READ_SIZE = 2048

#: How many are read in one turn of the reactor.
DATAGRAMS = 32

#: An IP address and a port.
Address = tuple[str, int]

log = Logger()


@dataclass(frozen=True)
class UDPPlace:
    """Where datagrams come, and where they go.

    @ivar port: the UDP port.
    @ivar interface: the IP address of this computer; "" for all of version 4, "::" for all.
    @ivar peers: where they go; nowhere in particular if there are none.
    """

    port: int
    interface: str = ""
    peers: tuple[Address, ...] = ()

    @classmethod
    def from_string(cls, text: str) -> UDPPlace:
        """
        @param text: ``udp:PORT``, with ``:HOST:PORT`` for each peer, and ``:interface=ADDRESS``.
        @raise ValueError: it is something else; a sentence without its end.
        """
        words, named = _parse(text)
        interface = named.pop("interface", "")
        if named or len(words) % 2:
            raise ValueError("write udp:PORT, and behind it :HOST:PORT for each peer")
        port, *rest = map(_port, words[1::2])
        hosts = [str(_ip(word)) for word in words[2::2]]
        if len(hosts) > MAX_PEERS:
            raise ValueError(f"it names {len(hosts)} peers, and there may be {MAX_PEERS}")
        if interface or hosts:
            versions = {_ip(host).version for host in (interface, *hosts) if host}
            if len(versions) > 1:
                raise ValueError("its addresses must be all of IPv4 or all of IPv6")
            if not interface and versions == {6}:
                interface = "::"
        return cls(port, interface, tuple(zip(hosts, rest)))


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 0 < number <= LAST_PORT:
        raise ValueError(f"{text!r} is no UDP port, those are 1 to {LAST_PORT}")
    return number


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no IP address, and a name is not looked up here") from None


class UDPPort(udp.Port):
    """A UDP socket; see `twisted.internet.udp.Port`.

    Twisted's counts the bytes that it reads in one turn, and goes on for as long as empty datagrams
    come: whoever sends them would have the program alone.
    """

    def doRead(self) -> None:
        """Take what has come, some of it."""
        for _ in range(DATAGRAMS):
            try:
                data, address = self.socket.recvfrom(self.maxPacketSize)
            except OSError:
                # There is none, or what is said is about one that was sent.
                return
            try:
                self.protocol.datagramReceived(data, address[:2])
            except Exception:
                log.failure("A datagram was not taken")


class UDPEndpoint:
    """A UDP port of an IP address."""

    def __init__(self, reactor: Any, text: str) -> None:
        """
        @param text: see `UDPPlace.from_string`.
        @raise ValueError: the same.
        """
        self._reactor = reactor
        self.place = UDPPlace.from_string(text)

    def listen(self, protocol: DatagramProtocol) -> Deferred[IListeningPort]:
        """Have a protocol get datagrams.

        @return: fires with the port, or fails with `CannotListenError`.
        """
        return execute(self._listen, protocol)

    def _listen(self, protocol: DatagramProtocol) -> IListeningPort:
        place = self.place
        port = UDPPort(place.port, protocol, place.interface, READ_SIZE, self._reactor)
        port.startListening()
        listening: IListeningPort = port
        return listening
