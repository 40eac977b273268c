"""How much of a WebSocket message has come that has not ended.

Twisted keeps the pieces of a message until its last one is there, and tells nobody how many they
are; of pings it does not tell at all. So the frames' heads are read here as well, and nothing else
of them (RFC 6455, 5.2). What is no WebSocket's is found elsewhere.
"""

from __future__ import annotations

_FINAL = 0x80
_CONTROL = 0x08
_MASKED = 0x80
_LENGTH = 0x7F

#: How many bytes a length has that does not fit into the second byte, by what stands there.
_LONGER = {126: 2, 127: 8}

_MASK_SIZE = 4


class MessageMeter:
    """
    @ivar unfinished: bytes of the message that has begun and not ended, or that ended last: its
        frames with their heads. A frame counts as a whole as soon as its head is there.
    """

    def __init__(self) -> None:
        self.unfinished = 0
        self._is_over = True
        self._head = b""
        # Bytes of a frame, after its head, that are still to come.
        self._rest = 0

    def feed(self, data: bytes) -> None:
        """Take what has come, in pieces of any size."""
        position = 0
        while position < len(data):
            if self._rest:
                passed = min(self._rest, len(data) - position)
                self._rest -= passed
                position += passed
                continue
            self._head += data[position : position + 1]
            position += 1
            self._read_head()

    def _read_head(self) -> None:
        head = self._head
        if len(head) < 2:
            return
        length = head[1] & _LENGTH
        more = _LONGER.get(length, 0)
        if len(head) < 2 + more:
            return
        if more:
            length = int.from_bytes(head[2:], "big")
        self._head = b""
        self._rest = length + (_MASK_SIZE if head[1] & _MASKED else 0)
        if head[0] & _CONTROL:
            return
        if self._is_over:
            self.unfinished = 0
        self._is_over = bool(head[0] & _FINAL)
        self.unfinished += len(head) + self._rest
