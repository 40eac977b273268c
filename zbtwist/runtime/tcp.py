"""A TCP server port that opens quickly and says nothing, for a gateway with thousands of them, and
what its connections are to do when one of the two ends dies.

Connections are read in smaller pieces than Twisted's.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
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

#: Seconds of silence after which the other end's system is asked whether it is there, seconds
#: between two such questions, and how many stay without an answer before the connection is lost.
#: Systems ask after two hours, unless they are told.
KEEPALIVE_IDLE = 60
KEEPALIVE_INTERVAL = 15
KEEPALIVE_PROBES = 4


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


def notice_the_dead(connection: socket.socket) -> None:
    """Have the system ask a silent end whether it is there, as the constants above say."""
    # What is no TCP socket has no such options, and some systems have other names for them.
    with suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)


def reset_if_killed(connection: socket.socket, on: bool) -> None:
    """Choose what the other end sees when this program dies: a reset, or an end in good order.

    @param on: a reset. Whoever closes the connection must turn it off before, for with it what
        waits in the socket is dropped.
    """
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, 0))


class QuickConnection(ReadToEnd, SocketWriteAtOnce, Server):
    """A connection; see `twisted.internet.tcp.Server`."""

    # Twisted's makes room for 64 KiB each time, and what a client may have buffered is bounded.
    bufferSize = READ_SIZE


class QuietTCPPort(QuietPort):
    """A listening socket of an IP address."""

    transport = QuickConnection

    def _bind(self, listener: socket.socket) -> None:
        listener.bind((self.interface, self.port))
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
