"""Packets that did not arrive: which of them are sent again, when, and in which order.

Whether it can help to send a packet again says its `Verdict`. How often and for how long that is
done say the settings; between two tries the node has a pause, which grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from twisted.application.internet import backoffPolicy

from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.send_buffer import Writer
from zbtwist.binding.verdict import Verdict

#: Seconds before a packet is sent again for the first time, what they grow by, and up to what.
FIRST_BACKOFF = 0.1
BACKOFF_FACTOR = 2.0
MAX_BACKOFF = 5.0
_backoff = backoffPolicy(FIRST_BACKOFF, MAX_BACKOFF, BACKOFF_FACTOR, jitter=lambda: 0.0)

#: What is left of a packet's size after "payload too large" (74).
SHRINKAGE = 0.75

#: After these a packet is sent again.
REPEATED = (Verdict.AGAIN, Verdict.NO_ROUTE, Verdict.BUSY, Verdict.ASLEEP)


@dataclass(slots=True, eq=False)
class Packet:
    """Bytes that are sent together.

    @ivar offset: its place in the stream: bytes that were taken for packets before it.
    @ivar data: its bytes.
    @ivar writer: whose bytes they are.
    @ivar tries: how often it did not arrive.
    @ivar is_void: the stream has broken since it was sent: it is not sent again.
    @ivar since: when it did not arrive for the first time, seconds of the clock.
    """

    offset: int
    data: bytes
    writer: Writer
    tries: int = 0
    is_void: bool = False
    since: float = 0.0

    def cut(self) -> list[Packet]:
        """Return smaller packets with the same bytes: the radio does not take so many."""
        size = max(1, int(len(self.data) * SHRINKAGE))
        return [
            Packet(self.offset + start, self.data[start : start + size], self.writer)
            for start in range(0, len(self.data), size)
        ]


_offset = attrgetter("offset")


class Retransmits:
    """The packets of one node that are to be sent again.

    @ivar packets: they, in the order of the stream.
    @ivar not_before: when the pause is over, seconds of the clock.
    """

    __slots__ = ("not_before", "packets")

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.not_before = 0.0

    @property
    def size(self) -> int:
        """Bytes in all of them."""
        return sum(len(packet.data) for packet in self.packets)

    def add(self, *packets: Packet) -> None:
        """Have packets sent again, with no pause for their sake."""
        self.packets += packets
        self.packets.sort(key=_offset)

    def try_again(
        self,
        packet: Packet,
        verdict: Verdict,
        settings: PortSettings,
        is_end_device: bool,
        now: float,
    ) -> bool:
        """Have a packet that did not arrive sent again after a pause, if that can help still.

        @param is_end_device: it is for one, which may be asleep.
        @param now: seconds of the clock.
        @return: whether it is; else it is to be given up.
        """
        packet.tries += 1
        if packet.tries == 1:
            packet.since = now
        waited = now - packet.since
        if verdict is Verdict.ASLEEP or (verdict is Verdict.NO_ROUTE and is_end_device):
            goes_on = waited < settings.sleep
        elif verdict is Verdict.BUSY:
            goes_on = waited < settings.outage
        else:
            goes_on = verdict in REPEATED and packet.tries <= settings.retries
        if goes_on:
            self.add(packet)
            self.not_before = now + _backoff(packet.tries - 1)
        return goes_on

    def discard(self, writer: Writer) -> int:
        """Send none of one writer's again. Return how many bytes that were."""
        size = self.size
        self.packets = [packet for packet in self.packets if packet.writer is not writer]
        return size - self.size

    def clear(self) -> None:
        """Send none of them again."""
        self.packets.clear()
        self.not_before = 0.0
