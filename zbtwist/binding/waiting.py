"""What waits to be sent to a node, also while the way to it is held.

While it is held, what was written before goes on, and what is written then waits in a buffer of its
own until the way is released.
"""

from __future__ import annotations

from itertools import chain

from zbtwist.binding.send_buffer import LoneWriter, SendBuffer, Writer


class Waiting:
    """
    @ivar now: what goes as soon as it can.
    @ivar later: what goes when the way is released; None while it is not held.
    """

    __slots__ = ("later", "now")

    def __init__(self) -> None:
        self.now = SendBuffer()
        self.later: SendBuffer | None = None

    @property
    def _all(self) -> tuple[SendBuffer, ...]:
        return (self.now,) if self.later is None else (self.now, self.later)

    @property
    def size(self) -> int:
        """Bytes in all of it."""
        return self.now.size + (self.later.size if self.later is not None else 0)

    def has_bytes_of(self, writer: Writer) -> bool:
        """Whether something of a writer waits."""
        return any(writer in buffer.parts for buffer in self._all)

    def lone_writers(self) -> list[LoneWriter]:
        """Return those of whom something waits that stands alone."""
        writers = chain.from_iterable(buffer.parts for buffer in self._all)
        return [writer for writer in writers if isinstance(writer, LoneWriter)]

    def opened(self, writer: Writer) -> None:
        """A writer is new: pause it at once if there is no room."""
        (self.later or self.now).apply_backpressure(writer)

    def ended(self, writer: Writer) -> None:
        """A writer writes no more."""
        for buffer in self._all:
            buffer.writer_done(writer)

    def closed(self, writer: Writer) -> None:
        """A writer is gone. What it wrote stays."""
        for buffer in self._all:
            buffer.writer_gone(writer)

    def holds_back(self, writer: Writer) -> bool:
        """Whether a writer is paused, and will be resumed."""
        return any(buffer.holds_back(writer) for buffer in self._all)

    def discard(self, writer: Writer) -> int:
        """Drop what a writer wrote. Return how many bytes that were."""
        return sum(buffer.discard(writer) for buffer in self._all)

    def clear(self) -> None:
        """Drop all. Who is paused may write again."""
        for buffer in self._all:
            buffer.clear()

    def hold(self) -> None:
        """The way is held."""
        self.later = SendBuffer()
        self.now.hand_over_paused(self.later)

    def release(self, now: float, gather: float) -> bool:
        """The way is held no more. Return whether it was.

        @param now: seconds of the clock.
        @param gather: see `SendBuffer.ripe_at`.
        """
        later, self.later = self.later, None
        if later is None:
            return False
        if self.now.parts:
            # What was to go before did not, for too long.
            self.now.take_over(later, now)
        else:
            self.now = later
            later.is_urgent = bool(later.parts) and not gather
        self.now.release_backpressure()
        return True
