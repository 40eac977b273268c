"""What listening sockets that say nothing have in common, whatever their kind, and their endpoints.

Twisted's own write a line to the log for each port that opens or closes, through its oldest
interface; that takes longer than all the rest of it. They write one for each connection that comes
when the program may open no more files, and end those they do not want in good order.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from zbtwist.runtime.open_files import last_file, shortage

#: Files that no connection takes, of any port: the store and the radio may have to be opened again.
KEPT_BACK = 8

#: How many connections one port accepts in one turn of the reactor.
ACCEPTS = 100

#: What `accept` fails with if that says nothing of the connections behind.
_OF_THIS_CONNECTION = frozenset((errno.EPERM, errno.ECONNABORTED, errno.EPROTO, errno.EINTR))
_NO_FILES = frozenset((errno.EMFILE, errno.ENFILE))

#: Seconds for which nothing is accepted after `accept` has failed otherwise: what waits there would
#: be reported again in every turn of the reactor.
PAUSE = 0.5

log = Logger()


def refuse(connection: socket.socket) -> None:
    """Reset a connection whose bytes nobody will read."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class QuietPort(tcp.Port):
    """A listening socket; see `twisted.internet.tcp.Port`, which those of Unix sockets are, too.

    One of these stands before the other bases of a class, and says how its socket is bound. A
    connection is reset that its factory builds no protocol for.

    Its factory may have a number `accepts`, in place of `ACCEPTS`; and `files_kept_back`: that many
    of the files that the program may open are not for its connections, and half of them not for its
    own socket.
    """

    reactor: Any

    def startListening(self) -> None:
        """
        @raise CannotListenError: it cannot be bound; nothing is left behind.
        """
        # When the program may open no more files, this is closed for a connection to be accepted
        # and reset; else that waits, and is reported again in every turn of the reactor.
        tcp._reservedFD.reserve()
        listener = self.createInternetSocket()
        try:
            if listener.fileno() >= last_file(self._kept_back // 2):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
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

    @property
    def _kept_back(self) -> int:
        return getattr(self.factory, "files_kept_back", KEPT_BACK)

    def doRead(self) -> None:
        """Accept what has come, some of it."""
        for _ in range(getattr(self.factory, "accepts", ACCEPTS)):
            try:
                connection, address = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OF_THIS_CONNECTION:
                    continue
                if error.errno not in _NO_FILES or not self._refuse_one():
                    self._accept_later(error)
                    return
                continue
            # A system gives the lowest number that is free.
            if connection.fileno() >= last_file(self._kept_back):
                refuse(connection)
                shortage.refused(self.reactor.seconds())
                continue
            try:
                self._accepted(connection, address)
            except Exception:
                log.failure("A connection to {port} was not taken", port=self)

    def _accepted(self, connection: socket.socket, address: Any) -> None:
        if len(address) == 4:
            # Of IPv6, whose scope is in the name.
            flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            address = (socket.getnameinfo(address, flags)[0], *address[1:])
        factory: Any = self.factory
        protocol = factory.buildProtocol(self._buildAddr(address))
        if protocol is None:
            refuse(connection)
            return
        number = self.sessionno
        self.sessionno = number + 1
        protocol.makeConnection(
            self.transport(connection, protocol, address, self, number, self.reactor)
        )

    def _refuse_one(self) -> bool:
        """There is no file for the next connection: take the reserved one.

        @return: whether there was one, too.
        """
        reserved = tcp._reservedFD
        if not reserved.available():
            return False
        with reserved:
            try:
                connection, _ = self.socket.accept()
            except BlockingIOError:
                return True
            except OSError:
                return False
            refuse(connection)
        shortage.refused(self.reactor.seconds())
        return True

    def _accept_later(self, error: OSError) -> None:
        shortage.failed(self.reactor.seconds(), error)
        self.stopReading()
        self.reactor.callLater(PAUSE, self._accept_again)

    def _accept_again(self) -> None:
        if self.connected and not self.disconnecting:
            tcp._reservedFD.reserve()
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
