"""A TCP server port that opens quickly and says nothing, for a gateway with thousands of them, and
what its connections are to do when one of the two ends dies, and how that is noticed.

Connections are read in smaller pieces than Twisted's.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.tcp import Server

from zbtwist.runtime.quiet_port import QuietPort, QuietServerEndpoint
from zbtwist.runtime.read_to_end import ReadToEnd
from zbtwist.runtime.write_at_once import SocketWriteAtOnce

#: Bytes that are read from a client at once.
READ_SIZE = 4096

#: The most that the system takes, seconds and questions (``MAX_TCP_KEEPIDLE`` and so on of Linux).
MAX_KEEPALIVE = 32767
MAX_PROBES = 127


@dataclass(frozen=True)
class Keepalive:
    """When the other end's system is asked whether it is there. Systems ask after two hours, unless
    they are told.

    @ivar time: seconds of silence after which it is asked; 0 for never.
    @ivar interval: seconds between two such questions.
    @ivar probes: how many stay without an answer before the connection is lost.
    """

    time: int = 60
    interval: int = 15
    probes: int = 4

    @property
    def in_all(self) -> int:
        """Seconds after which an end that does not answer counts as gone."""
        return self.time + self.interval * self.probes


#: Where these are in Linux's ``struct tcp_info`` (``linux/tcp.h``), of which they are the first
#: part in every version: bytes for ``tcpi_probes``, and numbers of 32 bits for ``tcpi_unacked`` and
#: ``tcpi_last_ack_recv``.
_TCP_INFO = struct.Struct("=3x B 4x 16x I 28x I")


def socket_of(transport: object) -> socket.socket | None:
    """Return the socket below a transport, also through TLS; None if there is none."""
    while transport is not None:
        found = getattr(transport, "socket", None)
        if isinstance(found, socket.socket):
            return found
        transport = getattr(transport, "transport", None)
    return None


def buffered_by(transport: object, otherwise: int) -> int:
    """Return how many bytes wait in a transport for its socket.

    @param otherwise: what to return where that cannot be told, such as of TLS.
    """
    if not isinstance(transport, FileDescriptor):
        return otherwise
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


def notice_the_dead(connection: socket.socket, keepalive: Keepalive) -> None:
    """Have the system ask a silent end whether it is there."""
    # What is no TCP socket has no such options, and some systems have other names for them.
    with suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keepalive.time > 0)
        if keepalive.time:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepalive.time)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, keepalive.interval)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, keepalive.probes)


def unanswered_for(connection: socket.socket) -> float:
    """Return for how many seconds the other end's system has not answered, while it was sent
    something or asked whether it is there; 0 if it owes no answer, or that cannot be told.

    Keepalive asks nobody to whom something is on its way: then systems go on for a quarter of an
    hour. An end that answers and takes no bytes is there.
    """
    # Only Linux has it in this form.
    if not sys.platform.startswith("linux"):
        return 0.0
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        probes, unacknowledged, last_answer = _TCP_INFO.unpack(info)
    except (OSError, struct.error):
        return 0.0
    return last_answer / 1000 if probes or unacknowledged else 0.0


def reset_if_killed(connection: socket.socket, on: bool) -> None:
    """Choose what the other end sees when this program dies: a reset, or an end in good order.

    @param on: a reset. Whoever closes the connection must turn it off before, for with it what
        waits in the socket is dropped.
    """
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, 0))


def _on_its_link(interface: str, port: int) -> tuple[Any, ...]:
    """Return the address of a socket at an IPv6 address such as ``fe80::1%eth0``.

    @raise OSError: there is no such link.
    """
    flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    try:
        [(*_, found)] = socket.getaddrinfo(
            interface, port, socket.AF_INET6, socket.SOCK_STREAM, flags=flags
        )
    except socket.gaierror:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from None
    return found


class QuickConnection(ReadToEnd, SocketWriteAtOnce, Server):
    """A connection; see `twisted.internet.tcp.Server`."""

    # Twisted's makes room for 64 KiB each time, and what a client may have buffered is bounded.
    bufferSize = READ_SIZE


class QuietTCPPort(QuietPort):
    """A listening socket of an IP address."""

    transport = QuickConnection

    def _bind(self, listener: socket.socket) -> None:
        address: tuple[Any, ...] = self.interface, self.port
        if "%" in self.interface:
            # That of one link names the link, and to the system that is a number beside it.
            address = _on_its_link(*address)
        listener.bind(address)
        # It names itself, and its connections, by this.
        self._realPortNumber = self.port or listener.getsockname()[1]

    def _refusal(self, error: OSError) -> CannotListenError:
        return CannotListenError(self.interface, self.port, error)


class QuietEndpoint(QuietServerEndpoint):
    """A TCP port of an IP address."""

    def __init__(self, reactor: Any, port: int, backlog: int, interface: str) -> None:
        """
        @param reactor: a real one: what it listens on are file descriptors.
        @param backlog: how many connections the kernel lets wait.
        """
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def _make_port(self, factory: IProtocolFactory) -> QuietPort:
        return QuietTCPPort(self._port, factory, self._backlog, self._interface, self._reactor)
