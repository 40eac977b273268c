"""A TCP server port that opens quickly and says nothing, for a gateway with thousands of them.

Twisted's own writes a line to the log for each port that opens or closes, through its oldest
interface; that takes longer than all the rest of it. Connections are read in smaller pieces than
Twisted's.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.tcp import Port, Server
from zope.interface import implementer

#: Bytes that are read from a client at once.
READ_SIZE = 4096


class QuickConnection(Server):
    """A connection; see `twisted.internet.tcp.Server`."""

    def doRead(self) -> ConnectionLost | ConnectionDone | None:  # type: ignore[override]
        # As Twisted's, which makes room for 64 KiB each time, and with a step less.
        try:
            data = self.socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None


class QuietPort(Port):
    """A listening socket; see `twisted.internet.tcp.Port`."""

    transport = QuickConnection

    def startListening(self) -> None:
        listener = self.createInternetSocket()
        try:
            listener.bind((self.interface, self.port))
        except OSError as error:
            listener.close()
            raise CannotListenError(self.interface, self.port, error) from None
        listener.listen(self.backlog)
        # It names itself, and its connections, by this.
        self._realPortNumber = self.port
        factory: Any = self.factory
        factory.doStart()
        self.connected = True
        self.socket = listener
        self.fileno = listener.fileno  # type: ignore[method-assign]
        self.numberAccepts = 100
        self.startReading()

    def _logConnectionLostMsg(self) -> None:
        """Say as little when it closes."""


@implementer(IStreamServerEndpoint)
class QuietEndpoint:
    """A TCP port of an IPv4 address."""

    def __init__(self, reactor: Any, port: int, backlog: int, interface: str) -> None:
        """
        @param reactor: a real one: what it listens on are file descriptors.
        @param backlog: how many connections the kernel lets wait.
        """
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen.

        @return: fires with the port, or fails with `CannotListenError`.
        """
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        port = QuietPort(self._port, factory, self._backlog, self._interface, self._reactor)
        port.startListening()
        listening: IListeningPort = port
        return listening
