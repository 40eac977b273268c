"""What goes to a broker: written once a turn of the reactor, and held back while it takes no more.

It takes no more while its socket is full, and, of messages with QoS 1, while it has as many to
confirm as it takes at once (Receive Maximum; MQTT 5, section 4.9). Messages wait meanwhile, up to a
bound, all in their order, whatever their QoS.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

#: Messages that wait to be sent, and their bytes.
MAX_WAITING = 8192
MAX_WAITING_BYTES = 1 << 20

#: Messages that are sent before the broker has confirmed the first, also if it takes more.
MAX_WINDOW = 32768

#: Bytes that are written before the turn is over.
MAX_BATCH = 1 << 16

_LAST_ID = 0xFFFF


@dataclass
class Counters:
    """What has passed since the program started.

    @ivar published: messages that were handed to brokers.
    @ivar dropped: those that were not, since there was no connection or too much waited.
    @ivar refused: those that a broker said that it did not take.
    @ivar received: messages that came.
    """

    published: int = 0
    dropped: int = 0
    refused: int = 0
    received: int = 0


@implementer(IPushProducer)
class Outbox:
    """
    @ivar is_paused: the socket takes no more.
    @ivar window: messages that may be without confirmation.
    @ivar last_sent: when something was written last, by the clock.
    @ivar asked: numbers of packets that are answered otherwise.
    @ivar unsent: packets that are written at the end of the turn, or when the socket takes more.
    """

    def __init__(
        self, clock: IReactorTime, counters: Counters, drained: Callable[[], None]
    ) -> None:
        """
        @param drained: called when nothing waits any more, after more than half of the bound did.
        """
        self._clock = clock
        self._counters = counters
        self._drained = drained
        self._transport: Any = None
        self.is_paused = False
        self.window = 1
        self.last_sent = 0.0
        self.asked: Container[int] = ()
        self.unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._flushing: IDelayedCall | None = None
        self._is_held = False
        # What waits: its number, 0 with QoS 0; its topic; all of it.
        self._waiting: deque[tuple[int, str, bytes]] = deque()
        self._waiting_bytes = 0
        self._was_filling = False
        # The topics of messages that were not confirmed, by their numbers; and when one was last,
        # or the first of them was sent.
        self._unconfirmed: dict[int, str] = {}
        self._confirmed_at = 0.0
        self._last_id = 0

    def begin(self, transport: Any) -> None:
        """There is a connection."""
        self._transport = transport
        transport.registerProducer(self, True)

    def end(self) -> None:
        """Write no more: what waits is dropped."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._transport is not None:
            self._transport.unregisterProducer()
            self._transport = None
        self._counters.dropped += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0

    def next_id(self) -> int:
        """Return a number for a packet that is to be answered."""
        # Messages that wait have the last ones.
        while True:
            self._last_id = self._last_id % _LAST_ID + 1
            if self._last_id not in self._unconfirmed and self._last_id not in self.asked:
                return self._last_id

    def give_back(self, packet_id: int) -> None:
        """The number that was given last is not needed."""
        if packet_id:
            self._last_id = packet_id - 1

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    @property
    def is_filling(self) -> bool:
        """Whether more than half of what may wait does."""
        return self._waiting_bytes > MAX_WAITING_BYTES // 2 or len(self._waiting) > MAX_WAITING // 2

    def publish(self, topic: str, data: bytes, packet_id: int) -> bool:
        """Send a message as soon as may be.

        @param data: the whole packet.
        @param packet_id: its number, 0 with QoS 0.
        @return: whether it is on its way; else it is dropped.
        """
        if self._waiting or not self._can_send(packet_id):
            return self._wait(topic, data, packet_id)
        self._send(packet_id, topic, data)
        return True

    def _wait(self, topic: str, data: bytes, packet_id: int) -> bool:
        size = len(data)
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
            self._counters.dropped += 1
            self.give_back(packet_id)
            return False
        self._waiting.append((packet_id, topic, data))
        self._waiting_bytes += size
        self._was_filling = self._was_filling or self.is_filling
        return True

    def confirmed(self, packet_id: int) -> str | None:
        """The broker has a message.

        @return: its topic, None if there is no such message.
        """
        topic = self._unconfirmed.pop(packet_id, None)
        if topic is not None:
            self._confirmed_at = self._clock.seconds()
            self._send_waiting()
        return topic

    @property
    def unconfirmed_for(self) -> float:
        """Seconds for which messages are to be confirmed and none was."""
        return self._clock.seconds() - self._confirmed_at if self._unconfirmed else 0.0

    def put(self, data: bytes) -> None:
        """Write a packet with the rest of this turn's, whatever waits."""
        self.unsent.append(data)
        self._unsent_bytes += len(data)
        if self.is_paused or self._transport is None:
            return
        if self._unsent_bytes > MAX_BATCH:
            self.flush()
        elif self._flushing is None and not self._is_held:
            self._flushing = self._clock.callLater(0, self._flush_later)

    def put_first(self, data: bytes) -> None:
        """Write a packet now, before all that is not written yet."""
        self.last_sent = self._clock.seconds()
        self._transport.write(data)

    def hold(self) -> None:
        """Write nothing until `flush`, which will be called in this turn."""
        self._is_held = True

    def _flush_later(self) -> None:
        self._flushing = None
        self.flush()

    def flush(self, at_any_rate: bool = False) -> None:
        """Write what there is.

        @param at_any_rate: also if the socket takes no more at the moment.
        """
        self._is_held = False
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if not self.unsent or self._transport is None or (self.is_paused and not at_any_rate):
            return
        unsent, self.unsent = self.unsent, []
        self._unsent_bytes = 0
        self.last_sent = self._clock.seconds()
        self._transport.writeSequence(unsent)

    def _can_send(self, packet_id: int) -> bool:
        return not self.is_paused and (not packet_id or len(self._unconfirmed) < self.window)

    def _send(self, packet_id: int, topic: str, data: bytes) -> None:
        if packet_id:
            if not self._unconfirmed:
                self._confirmed_at = self._clock.seconds()
            self._unconfirmed[packet_id] = topic
        self._counters.published += 1
        self.put(data)

    def _send_waiting(self) -> None:
        waiting = self._waiting
        while waiting and self._can_send(waiting[0][0]):
            packet_id, topic, data = waiting.popleft()
            self._waiting_bytes -= len(data)
            self._send(packet_id, topic, data)
        if self._was_filling and not waiting:
            self._was_filling = False
            self._drained()

    # --- the socket ----------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self.is_paused = True

    def resumeProducing(self) -> None:
        self.is_paused = False
        self.flush()
        if not self.is_paused:
            self._send_waiting()

    def stopProducing(self) -> None:
        # The connection is lost, and says so.
        self.is_paused = True
