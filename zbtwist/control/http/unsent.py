"""Answers that wait for their clients to read them, all together."""

from __future__ import annotations

from typing import Protocol

#: The most bytes of all such answers; a single one may be longer.
MAX_UNSENT = 1 << 24


class Waiting(Protocol):
    """A connection whose client does not take what was written."""

    def give_way(self) -> None:
        """End at once, and drop that."""


class UnsentAnswers:
    """Counts the bytes of answers that the clients' sockets did not take at once. When there are
    too many, those go that have waited for longest.

    @ivar size: those bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        # The oldest first.
        self._sizes: dict[Waiting, int] = {}

    def add(self, connection: Waiting, size: int) -> None:
        """Bytes were written, and wait until `remove`."""
        self.size += size
        self._sizes[connection] = self._sizes.get(connection, 0) + size
        while self.size > MAX_UNSENT and len(self._sizes) > 1:
            oldest = next(one for one in self._sizes if one is not connection)
            self.remove(oldest)
            oldest.give_way()

    def remove(self, connection: Waiting) -> None:
        """It has taken everything, or is gone."""
        self.size -= self._sizes.pop(connection, 0)
