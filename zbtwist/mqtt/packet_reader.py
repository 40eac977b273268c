"""What a broker says, cut into packets; MQTT 5, chapter 2.1."""

from __future__ import annotations

from typing import Any

from zbtwist.mqtt import codec

#: Bytes of a packet that may come.
MAX_PACKET = 1 << 20


class TooLarge(Exception):
    """A packet has more bytes than may come."""


class PacketReader:
    def __init__(self) -> None:
        self._data: bytes | bytearray = b""
        # Where in it the next packet begins.
        self._start = 0

    def __len__(self) -> int:
        """How many bytes wait."""
        return len(self._data) - self._start

    def add(self, data: bytes) -> None:
        """There are more bytes."""
        if not self._data:
            self._data = data
            return
        # There may be very many pieces of a packet.
        if isinstance(self._data, bytes):
            self._data = bytearray(self._data[self._start :])
        else:
            del self._data[: self._start]
        self._start = 0
        self._data += data

    def next(self) -> Any:
        """Take the next packet.

        @return: a packet of `zbtwist.mqtt.codec`; None if it has not come as a whole.
        @raise TooLarge: it has more than `MAX_PACKET` bytes; says how many.
        @raise zbtwist.mqtt.codec.MalformedPacket: it is none.
        """
        data, start = self._data, self._start
        size = codec.size_of(data, start)
        if size > MAX_PACKET:
            raise TooLarge(size)
        end = start + size
        if not size or len(data) < end:
            return None
        packet = codec.read(data, start, end)
        if len(data) == end:
            self.clear()
        else:
            self._start = end
        return packet

    def next_begins_with(self, data: bytes) -> bool:
        """Whether what comes next begins so."""
        return self._data.startswith(data, self._start)

    def clear(self) -> None:
        """Forget all of it."""
        self._data, self._start = b"", 0
