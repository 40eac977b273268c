"""What listening sockets that say nothing have in common, whatever their kind, and their endpoints.

Twisted's own write a line to the log for each port that opens or closes, through its oldest
interface; that takes longer than all the rest of it.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer


class QuietPort(tcp.Port):
    """A listening socket; see `twisted.internet.tcp.Port`, which those of Unix sockets are, too.

    One of these stands before the other bases of a class, and says how its socket is bound.
    """

    def startListening(self) -> None:
        """
        @raise CannotListenError: it cannot be bound; nothing is left behind.
        """
        # With it Twisted accepts and closes what comes when the program may open no more files;
        # else the connection waits, and is reported again in every turn of the reactor.
        tcp._reservedFD.reserve()
        listener = self.createInternetSocket()
        try:
            self._bind(listener)
        except OSError as error:
            listener.close()
            raise self._refusal(error) from None
        listener.listen(self.backlog)
        factory: Any = self.factory
        factory.doStart()
        self.connected = True
        self.socket = listener
        self.fileno = listener.fileno  # type: ignore[method-assign]
        self.numberAccepts = 100
        self.startReading()

    def _bind(self, listener: socket.socket) -> None:
        """
        @raise OSError: it cannot be done.
        """
        raise NotImplementedError

    def _refusal(self, error: OSError) -> CannotListenError:
        """Say what could not be bound."""
        raise NotImplementedError

    def _logConnectionLostMsg(self) -> None:
        """Say as little when it closes."""


@implementer(IStreamServerEndpoint)
class QuietServerEndpoint:
    """Where such a port listens."""

    def _make_port(self, factory: IProtocolFactory) -> QuietPort:
        raise NotImplementedError

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen.

        @return: fires with the port, or fails with `CannotListenError`.
        """
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        port = self._make_port(factory)
        port.startListening()
        listening: IListeningPort = port
        return listening
