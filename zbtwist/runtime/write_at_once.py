"""Transports that write at once what the socket or line takes; the reactor writes the rest.

Twisted's own leave all of it to the reactor's next turn, which costs a third of the time of the
whole way of a message.
"""

from __future__ import annotations

from typing import Any

from zbtwist.runtime.write_batch import WriteBatch


class WriteAtOnce:
    """Stands before a `twisted.internet.abstract.FileDescriptor` among the bases of a class.

    @ivar batch: what is being read at the moment: writing waits for its end. Several writes become
        one then.
    """

    batch = WriteBatch()
    disconnected: Any = False
    # Something that was written is still to be taken.
    _waits = False
    # What the batch has brought so far.
    _fresh: list[bytes] | None = None
    _is_flushing = False

    def write_some(self, data: bytes) -> int:
        """Give the socket or line bytes; return how many it has taken.

        @raise OSError: it takes none, or is broken.
        """
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Write at once, or at the end of the batch."""
        fresh = self._fresh
        if fresh is not None:
            fresh.append(data)
            return
        if not (self._waits or self.disconnected):
            if self.batch.is_on and not self._is_flushing:
                self._fresh = [data]
                self.batch.at_end(self.flush)
                return
            try:
                sent = self.write_some(data)
            except OSError:
                # It takes nothing, or is broken; the reactor finds that out as well, and ends the
                # connection as it should be.
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        super().write(data)  # type: ignore[misc]

    def flush(self) -> None:
        """Write what the batch has brought."""
        fresh, self._fresh = self._fresh, None
        if fresh:
            self._is_flushing = True
            self.write(b"".join(fresh))
            self._is_flushing = False

    def startWriting(self) -> None:
        self._waits = True
        super().startWriting()  # type: ignore[misc]

    def stopWriting(self) -> None:
        self._waits = False
        super().stopWriting()  # type: ignore[misc]

    def loseConnection(self, *arguments: Any) -> None:
        """Write what there is, then close."""
        self.flush()
        super().loseConnection(*arguments)  # type: ignore[misc]

    def abortConnection(self) -> None:
        """Close, and drop what was not written."""
        self._fresh = None
        super().abortConnection()  # type: ignore[misc]


class SocketWriteAtOnce(WriteAtOnce):
    """The same for a `twisted.internet.tcp.Connection`."""

    socket: Any

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **others)
        # With no step in between.
        self.write_some = self.socket.send  # type: ignore[method-assign]
