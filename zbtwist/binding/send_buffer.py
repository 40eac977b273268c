"""What a node's writers want to be sent, until it is cut into packets, and who has to wait.

Each writer (a client of the node's port) has a buffer of its own, and the writers take turns, a
packet each, so that no packet mixes the bytes of two and none can starve the others. Bytes wait a
moment for more (`PortSettings.coalesce`), unless they found the node idle or fill a packet. A
writer is paused while its buffer holds `HIGH_WATER` bytes, or all buffers of the node together
`MAX_BUFFERED`.
"""

from __future__ import annotations

from typing import Protocol

#: Bytes in a writer's buffer from which on it is paused, and down to which it is resumed. With what
#: one read from a socket brings (`zbtwist.runtime.tcp.READ_SIZE`), a buffer never holds more than
#: twice as much; one read behind TLS, or of a socket that systemd has opened, brings up to 64 KiB.
HIGH_WATER = 4096
LOW_WATER = 1024

#: Bytes in all buffers of a node from which on every writer of it is paused: writers that are gone
#: leave theirs behind to be sent, and new ones may come.
MAX_BUFFERED = 65536


class Writer(Protocol):
    """Whose bytes they are."""

    def pause(self) -> None:
        """Write no more until `resume`."""

    def resume(self) -> None:
        """Write again."""


class _Part:
    """The bytes of one writer.

    @ivar since: when the first of them came, or a later one if it is not known exactly.
    @ivar last: when the last of them came.
    """

    __slots__ = ("data", "last", "since")

    def __init__(self, now: float) -> None:
        self.data = bytearray()
        self.since = self.last = now


class SendBuffer:
    """The buffers of all writers of one node.

    @ivar parts: by writer, those that have something in them, in the order of their turns.
    @ivar size: bytes in all of them.
    @ivar is_urgent: what is there found the node idle, and waits for no more.
    """

    __slots__ = ("_paused", "is_urgent", "parts", "size")

    def __init__(self) -> None:
        self.parts: dict[Writer, _Part] = {}
        self.size = 0
        self.is_urgent = False
        # Dictionaries, since an empty one takes less than an empty set or deque, for each node.
        self._paused: dict[Writer, None] = {}

    def add(self, writer: Writer, data: bytes, now: float) -> None:
        """Take bytes, and pause their writer if that is enough for now.

        @param now: seconds of the clock, here and below.
        """
        part = self.parts.get(writer)
        if part is None:
            part = self.parts[writer] = _Part(now)
        part.last = now
        part.data += data
        self.size += len(data)
        self.apply_backpressure(writer)

    def ripe_at(self, now: float, limit: int, coalesce: float) -> float:
        """Return when there is something that need not wait for more; there must be something.

        @param limit: bytes of a full packet.
        @param coalesce: seconds that bytes wait for more.
        """
        if self.is_urgent:
            return now
        parts = self.parts.values()
        if any(len(part.data) >= limit for part in parts):
            return now
        return min(part.since for part in parts) + coalesce

    def take(self, now: float, limit: int, coalesce: float) -> tuple[Writer, bytes] | None:
        """Take a packet from the first writer whose bytes need not wait for more.

        Nobody is resumed yet: whoever is may write at once, and must not overtake the packet.

        @param limit: bytes of a full packet.
        @param coalesce: seconds that bytes wait for more.
        @return: the writer and its bytes; None if all have to wait.
        """
        ripe = now - coalesce
        for writer, part in self.parts.items():
            data = part.data
            if not (self.is_urgent or len(data) >= limit or part.since <= ripe):
                continue
            self.is_urgent = False
            del self.parts[writer]
            if len(data) <= limit:
                packet = bytes(data)
            else:
                packet = bytes(data[:limit])
                del data[:limit]
                part.since = part.last
                # Behind the others.
                self.parts[writer] = part
            self.size -= len(packet)
            return writer, packet
        return None

    def discard(self, writer: Writer) -> int:
        """Drop what one writer wrote. Return how many bytes that were."""
        part = self.parts.pop(writer, None)
        if part is None:
            return 0
        self.size -= len(part.data)
        self.release_backpressure()
        return len(part.data)

    def clear(self) -> None:
        """Drop what all wrote. Who is paused may write again."""
        self.parts.clear()
        self.size = 0
        self.is_urgent = False
        paused, self._paused = self._paused, {}
        for writer in paused:
            writer.resume()

    def writer_gone(self, writer: Writer) -> None:
        """A writer will never be resumed. What it wrote stays."""
        self._paused.pop(writer, None)

    def apply_backpressure(self, writer: Writer) -> None:
        """Pause a writer if it, or all together, have written enough for now."""
        part = self.parts.get(writer)
        full = self.size >= MAX_BUFFERED or (part is not None and len(part.data) >= HIGH_WATER)
        if full and writer not in self._paused:
            self._paused[writer] = None
            writer.pause()

    def release_backpressure(self) -> None:
        """Resume those of whom enough was taken."""
        if not self._paused or self.size >= MAX_BUFFERED:
            return
        for writer in list(self._paused):
            part = self.parts.get(writer)
            if part is None or len(part.data) <= LOW_WATER:
                del self._paused[writer]
                writer.resume()
