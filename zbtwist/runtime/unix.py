"""A listening Unix socket that can be tried again and again.

Twisted's own writes a line to the log before each try, and a try that fails keeps its lock file: no
later one gets the lock, whatever becomes of what was in the way.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from typing import Any

from twisted.internet import unix
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.lockfile import FilesystemLock

from zbtwist.runtime.quiet_port import QuietPort, QuietServerEndpoint
from zbtwist.runtime.read_to_end import ReadToEnd
from zbtwist.runtime.tcp import READ_SIZE
from zbtwist.runtime.write_at_once import SocketWriteAtOnce


class QuickUNIXConnection(ReadToEnd, SocketWriteAtOnce, unix.Server):
    """A connection; see `twisted.internet.unix.Server`."""

    bufferSize = READ_SIZE


class QuietUNIXPort(QuietPort, unix.Port):
    """A listening socket; see `twisted.internet.unix.Port`."""

    transport = QuickUNIXConnection

    def __init__(self, path: bytes, *others: Any) -> None:
        """
        @param others: as Twisted's takes them.
        """
        super().__init__(path, *others)
        # Where Twisted keeps it is not the same in all releases.
        self._path = path

    def _bind(self, listener: socket.socket) -> None:
        path = self._path
        try:
            if self.wantPID:
                self._lock(path)
            listener.bind(path)
            # A name that begins with NUL is in no directory.
            if not path.startswith(b"\0"):
                os.chmod(path, self.mode)
        except OSError:
            self._unlock()
            raise

    def _refusal(self, error: OSError) -> CannotListenError:
        return CannotListenError(None, self._path, error)

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


class QuietUNIXEndpoint(QuietServerEndpoint):
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

    def _make_port(self, factory: IProtocolFactory) -> QuietPort:
        path = os.fsencode(self._address)
        return QuietUNIXPort(
            path, factory, self._backlog, self._mode, self._reactor, int(self._lock)
        )
