"""Connections that are read to their end, also when nothing can be written to them any more.

A client that sends all it has and closes at once is gone before that is read. When something is
written to it then, its system answers with a reset, and Twisted ends the connection, with all that
its socket still holds. But that was sent in good order, and nothing was said against it. So when
writing fails while something is there to be read, only that direction ends.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Any

from twisted.python.failure import Failure


def unread_in(connection: socket.socket) -> int:
    """Return how many bytes have come to a socket and were not read; 0 if it is closed."""
    try:
        answer = fcntl.ioctl(connection, termios.FIONREAD, b"\0" * 4)
    except (OSError, ValueError):
        return 0
    [size] = struct.unpack("i", answer)
    return int(size)


class ReadToEnd:
    """Stands before a `twisted.internet.tcp.Connection` among the bases of a class.

    Its protocol hears by ``writeConnectionLost`` that nothing more can be written.

    @ivar reads_to_end: whether the connection is one of those.
    """

    reads_to_end = False
    # Nobody wants to read now.
    _is_held = False

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`."""
        self._is_held = True
        super().pauseProducing()  # type: ignore[misc]

    def resumeProducing(self) -> None:
        """Read again."""
        self._is_held = False
        super().resumeProducing()  # type: ignore[misc]

    def loseConnection(self, *arguments: Any) -> None:
        """Write what there is, then close."""
        self.reads_to_end = False
        super().loseConnection(*arguments)  # type: ignore[misc]

    def abortConnection(self) -> None:
        """Close, and drop what was not written."""
        self.reads_to_end = False
        super().abortConnection()  # type: ignore[misc]

    def connectionLost(self, reason: Failure) -> None:
        """The reactor can read or write no more, and has taken the connection out."""
        connection: Any = self
        if not (self.reads_to_end and unread_in(connection.socket)):
            super().connectionLost(reason)  # type: ignore[misc]
            return
        connection.dataBuffer, connection.offset = b"", 0
        connection._tempDataBuffer, connection._tempDataLen = [], 0
        if not connection._writeDisconnected:
            connection._writeDisconnected = True
            connection.protocol.writeConnectionLost()
        if not self._is_held:
            connection.startReading()
