"""What a node's writers want to be sent, until it is cut into packets, and who has to wait.

Each writer (a client of the node's port) has a buffer of its own, so that no packet mixes the bytes
of two. They take turns, a packet each: first the addresses that they are at, then the writers of
each, so that nobody gets more by being many. Those that write no more, of which there may be
thousands, are one of the writers of their address together.

Bytes wait a moment for more (`PortSettings.coalesce`), unless they found the node idle or fill a
packet; or until their writer is silent (`PortSettings.gather`), or has written a delimiter, so that
what belongs together is sent together. A writer is paused while its buffer holds `HIGH_WATER`
bytes, or all buffers of the node together `MAX_BUFFERED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Protocol

#: Bytes in a writer's buffer from which on it is paused, and down to which it is resumed. With what
#: one read from a socket brings (`zbtwist.runtime.tcp.READ_SIZE`), a buffer never holds more than
#: twice as much; one read behind TLS, or of a socket that systemd has opened, brings up to 64 KiB.
HIGH_WATER = 4096
LOW_WATER = 1024

#: Bytes in all buffers of a node from which on every writer of it is paused: writers that are gone
#: leave theirs behind to be sent, and new ones may come.
MAX_BUFFERED = 65536


# Where those are who write no more.
_DONE = object()


class Writer(Protocol):
    """Whose bytes they are.

    @ivar share: with whom it shares turns, see `zbtwist.runtime.shares.peer_of`; it stays.
    """

    share: str

    @property
    def writes_no_more(self) -> bool:
        """Whether it has ended its side, or is gone."""

    def pause(self) -> None:
        """Write no more until `resume`."""

    def resume(self) -> None:
        """Write again."""


class LoneWriter:
    """A writer whose bytes are no part of anybody's stream: each piece stands alone. So it breaks
    no stream when one does not arrive: that is said to its writer and to nobody else, and it is not
    sent again.
    """

    share = ""
    writes_no_more = False

    def pause(self) -> None:
        """It writes too little for that to matter."""

    def resume(self) -> None:
        """The same."""

    def lost(self, why: str) -> None:
        """Something that it wrote did not arrive, as far as is known.

        @param why: a sentence.
        """
        raise NotImplementedError


class _Part:
    """The bytes of one writer.

    @ivar writer: whose they are.
    @ivar since: when the first of them came, or a later one if it is not known exactly.
    @ivar last: when the last of them came.
    @ivar whole: bytes up to the end of the last delimiter, which wait for no more.
    """

    __slots__ = ("data", "last", "since", "whole", "writer")

    def __init__(self, writer: Writer, now: float) -> None:
        self.writer = writer
        self.data = bytearray()
        self.since = self.last = now
        self.whole = 0

    def due(self, coalesce: float, gather: float) -> float:
        """Return when the bytes have waited long enough; see `SendBuffer.take`."""
        return self.last + gather if gather else self.since + coalesce


class SendBuffer:
    """The buffers of all writers of one node.

    @ivar parts: by writer, those that have something in them.
    @ivar size: bytes in all of them.
    @ivar is_urgent: what is there found the node idle, and waits for no more.
    """

    __slots__ = ("_paused", "_turns", "is_urgent", "parts", "size")

    def __init__(self) -> None:
        self.parts: dict[Writer, _Part] = {}
        self.size = 0
        self.is_urgent = False
        # Dictionaries, since an empty one takes less than an empty set or deque, for each node.
        self._paused: dict[Writer, None] = {}
        # By address, in the order of their turns: its writers, in theirs. Those that write no more
        # are in the lane of `_DONE`.
        self._turns: dict[str, dict[object, dict[Writer, None]]] = {}

    def _enqueue(self, writer: Writer) -> None:
        """A writer has something in its buffer: its turn comes behind the others'."""
        lanes = self._turns.get(writer.share)
        if lanes is None:
            lanes = self._turns[writer.share] = {}
        lane = _DONE if writer.writes_no_more else writer
        writers = lanes.get(lane)
        if writers is None:
            writers = lanes[lane] = {}
        writers[writer] = None

    def _dequeue(self, writer: Writer) -> None:
        """A writer had its turn, or has nothing any more: the others of its address, and the other
        addresses, come before it.
        """
        lanes = self._turns.pop(writer.share)
        lane = writer if writer in lanes else _DONE
        writers = lanes.pop(lane)
        del writers[writer]
        if writers:
            lanes[lane] = writers
        if lanes:
            self._turns[writer.share] = lanes

    def _next_ones(self) -> Iterator[_Part]:
        """Return the buffers whose turn may come next, in this order."""
        for lanes in self._turns.values():
            for writers in lanes.values():
                for writer in writers:
                    yield self.parts[writer]
                    break

    def add(
        self,
        writer: Writer,
        data: bytes,
        now: float,
        delimiter: bytes = b"",
        is_whole: bool = False,
    ) -> None:
        """Take bytes, and pause their writer if that is enough for now.

        @param now: seconds of the clock, here and below.
        @param delimiter: what ends something that waits for no more; empty for nothing.
        @param is_whole: these bytes end it.
        """
        part = self.parts.get(writer)
        if part is None:
            part = self.parts[writer] = _Part(writer, now)
            self._enqueue(writer)
        part.last = now
        part.data += data
        if is_whole:
            part.whole = len(part.data)
        elif delimiter:
            # It may have begun in what was there before.
            start = max(part.whole, len(part.data) - len(data) - len(delimiter) + 1)
            at = part.data.rfind(delimiter, start)
            if at >= 0:
                part.whole = at + len(delimiter)
        self.size += len(data)
        self.apply_backpressure(writer)

    def ripe_at(self, now: float, limit: int, coalesce: float, gather: float = 0.0) -> float:
        """Return when there is something that need not wait for more; there must be something.

        @param limit: bytes of a full packet.
        @param coalesce: seconds that bytes wait for more.
        @param gather: seconds of its writer's silence that they wait for instead; 0 for none.
        """
        if self.is_urgent:
            return now
        first = inf
        for part in self._next_ones():
            if len(part.data) >= limit or part.whole:
                return now
            first = min(first, part.due(coalesce, gather))
        return first

    def take(
        self, now: float, limit: int, coalesce: float, gather: float = 0.0
    ) -> tuple[Writer, bytes] | None:
        """Take a packet from the first writer whose bytes need not wait for more.

        Nobody is resumed yet: whoever is may write at once, and must not overtake the packet.

        @param limit: bytes of a full packet.
        @param coalesce: seconds that bytes wait for more.
        @param gather: see `ripe_at`.
        @return: the writer and its bytes; None if all have to wait.
        """
        for part in self._next_ones():
            writer, data, size = part.writer, part.data, limit
            if not (self.is_urgent or len(data) >= limit or part.due(coalesce, gather) <= now):
                if not part.whole:
                    continue
                size = part.whole
            self.is_urgent = False
            self._dequeue(writer)
            if len(data) <= size:
                packet = bytes(data)
                del self.parts[writer]
            else:
                packet = bytes(data[:size])
                del data[:size]
                part.since = part.last
                part.whole = max(0, part.whole - size)
                self._enqueue(writer)
            self.size -= len(packet)
            return writer, packet
        return None

    def discard(self, writer: Writer) -> int:
        """Drop what one writer wrote. Return how many bytes that were."""
        part = self.parts.pop(writer, None)
        if part is None:
            return 0
        self._dequeue(writer)
        self.size -= len(part.data)
        self.release_backpressure()
        return len(part.data)

    def hand_over_paused(self, other: SendBuffer) -> None:
        """Let another buffer resume those who are paused, when there is room in that."""
        other._paused.update(self._paused)
        self._paused.clear()

    def take_over(self, other: SendBuffer, now: float) -> None:
        """Take what another buffer has, behind what is there."""
        for part in list(other.parts.values()):
            self.add(part.writer, bytes(part.data), now)
        other.hand_over_paused(self)

    def holds_back(self, writer: Writer) -> bool:
        """Whether a writer is paused."""
        return writer in self._paused

    def clear(self) -> None:
        """Drop what all wrote. Who is paused may write again."""
        self.parts.clear()
        self._turns.clear()
        self.size = 0
        self.is_urgent = False
        paused, self._paused = self._paused, {}
        for writer in paused:
            writer.resume()

    def writer_done(self, writer: Writer) -> None:
        """A writer writes no more. What it wrote stays, and waits with that of all such."""
        if writer in self.parts:
            self._dequeue(writer)
            self._enqueue(writer)

    def writer_gone(self, writer: Writer) -> None:
        """The same, and it will never be resumed."""
        self._paused.pop(writer, None)
        self.writer_done(writer)

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
