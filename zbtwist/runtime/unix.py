"""A listening Unix socket that can be tried again and again.

Twisted's own writes a line to the log before each try, and a try that fails keeps its lock file: no
later one gets the lock, whatever becomes of what was in the way.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import UNIXServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.lockfile import FilesystemLock
from zope.interface import implementer


class QuietUNIXPort(unix.Port):
    """A listening socket; see `twisted.internet.unix.Port`."""

    def startListening(self) -> None:
        # As Twisted's: with it a connection that no more files can be opened for is closed at once.
        tcp._reservedFD.reserve()
        path: bytes = self._bindPath
        # A name that begins with NUL is in no directory.
        is_file = not path.startswith(b"\0")
        listener = self.createInternetSocket()
        try:
            if self.wantPID:
                self._lock(path)
            listener.bind(path)
            if is_file:
                os.chmod(path, self.mode)
        except OSError as error:
            listener.close()
            self._unlock()
            raise CannotListenError(None, path, error) from None
        listener.listen(self.backlog)
        factory: Any = self.factory
        factory.doStart()
        self.connected = True
        self.socket = listener
        self.fileno = listener.fileno  # type: ignore[method-assign]
        self.numberAccepts = 100
        self.startReading()

    def _lock(self, path: bytes) -> None:
        """Take the lock file, and remove the socket of a program that died with it.

        @raise OSError: another program has it, or it cannot be made.
        """
        lock = FilesystemLock(path + b".lock")
        if not lock.lock():
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self.lockFile = lock
        if not lock.clean:
            # What is no socket was not left by such a program.
            with suppress(OSError):
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    os.remove(path)

    def _unlock(self) -> None:
        lock, self.lockFile = self.lockFile, None
        if lock is not None:
            lock.unlock()

    def _logConnectionLostMsg(self) -> None:
        """Say as little when it closes."""


@implementer(IStreamServerEndpoint)
class QuietUNIXEndpoint:
    """A Unix socket."""

    def __init__(self, reactor: Any, address: str, backlog: int, mode: int, lock: bool) -> None:
        """
        @param reactor: a real one: what it listens on are file descriptors.
        @param address: the path.
        @param backlog: how many connections the kernel lets wait.
        @param mode: the permissions of the file.
        @param lock: whether there is a lock file beside it, so that what a killed program leaves
            behind is not in the way.
        """
        self._reactor = reactor
        self._address = address
        self._backlog = backlog
        self._mode = mode
        self._lock = lock

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen.

        @return: fires with the port, or fails with `CannotListenError`.
        """
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        address: Any = self._address
        port = QuietUNIXPort(
            address, factory, self._backlog, self._mode, self._reactor, int(self._lock)
        )
        port.startListening()
        listening: IListeningPort = port
        return listening


def server_from_string(reactor: Any, text: str) -> IStreamServerEndpoint:
    """As Twisted's `serverFromString`, but a Unix socket can be tried again and again.

    @raise ValueError: and whatever else the parsers of endpoints raise: it is no endpoint.
    """
    endpoint: Any = serverFromString(reactor, text)
    if type(endpoint) is UNIXServerEndpoint and isinstance(reactor, PosixReactorBase):
        endpoint = QuietUNIXEndpoint(
            reactor,
            endpoint._address,
            endpoint._backlog,
            endpoint._mode,
            bool(endpoint._wantPID),
        )
    found: IStreamServerEndpoint = endpoint
    return found
