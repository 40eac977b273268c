"""Bytes to a node: cut into packets, sent in order, sent again, writers held back meanwhile.

Each writer (a TCP client of the node's port) has a buffer of its own, and the writers take turns,
a packet each, so that no packet mixes the bytes of two and none can starve the others. By default
the next packet goes out when the Transmit Status of the last is in: the order is certain. A packet
that finds the node idle goes at once; while the node is busy, bytes wait a moment for more
(`PortSettings.coalesce`). A writer is paused while its buffer holds `HIGH_WATER` bytes, or all
buffers of the node together `NODE_LIMIT`.

A packet that did not arrive is sent again where that can help (`zbtwist.binding.verdict.Verdict`),
and nothing overtakes it. One that is given up is a hole in the stream, as is one of which nobody
knows whether it arrived. The clients are told in the one way that a stream has: they are reset, and
what they had still buffered is dropped with it, since it would arrive behind the hole. While the
radio is away bytes wait for `PortSettings.outage`, then the clients are reset as well, and whoever
writes later is reset at once: a device must not get an old command when the radio comes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import Protocol

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.binding.verdict import Verdict, verdict_of
from zbtwist.network.events import TO_NODE, BytesPassed
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import RadioError
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import ADDRESS_UNCERTAIN, DELIVERED, delivery_status_text

#: Bytes in a writer's buffer from which on it is paused, and down to which it is resumed. With what
#: one read from a socket brings (`zbtwist.runtime.tcp.READ_SIZE`), a buffer never holds more than
#: twice as much; one read of an endpoint string's socket brings up to 64 KiB.
HIGH_WATER = 4096
LOW_WATER = 1024

#: Bytes in all buffers of a node from which on every writer of it is paused: writers that are gone
#: leave theirs behind to be sent, and new ones may come.
NODE_LIMIT = 65536

#: Seconds before a packet is sent again for the first time, what they grow by, and up to what.
FIRST_BACKOFF = 0.1
BACKOFF_FACTOR = 2.0
LAST_BACKOFF = 5.0
_backoff = backoffPolicy(FIRST_BACKOFF, LAST_BACKOFF, BACKOFF_FACTOR, jitter=lambda: 0.0)

#: What is left of the payload limit after "payload too large" (74).
SHRINKAGE = 0.75

#: Seconds by which a timer may be early, since sums of seconds are not exact to the last bit.
_EARLY = 1e-6


class Writer(Protocol):
    """Whose bytes they are."""

    def pause(self) -> None:
        """Write no more until `resume`."""

    def resume(self) -> None:
        """Write again."""


class _Buffer:
    """The bytes of one writer.

    @ivar since: when the first of them came, or a later one if it is not known exactly.
    """

    __slots__ = ("data", "last", "since")

    def __init__(self, now: float) -> None:
        self.data = bytearray()
        self.since = self.last = now


class _Packet:
    """
    @ivar offset: its place in the stream: bytes that were taken for packets before it.
    @ivar writer: whose bytes it has.
    @ivar tries: how often it did not arrive.
    @ivar since: when it did not arrive for the first time.
    """

    __slots__ = ("data", "offset", "since", "tries", "writer")

    def __init__(self, offset: int, data: bytes, writer: Writer) -> None:
        self.offset = offset
        self.writer = writer
        self.data = data
        self.tries = 0
        self.since = 0.0


def _nobody(lost: int, why: str) -> None:
    """Nobody has to be told."""


class Outbound:
    """The way to one node.

    @ivar settings: how to send.
    @ivar lost: called with their number, and why in a sentence, when bytes are lost; whoever reads
        or writes the node's stream must notice.
    @ivar last_delivery: when the node was last known to have got a packet, seconds of the clock.
    @ivar last_writer: whose packet that was.
    @ivar bytes_sent: delivered bytes.
    @ivar packets_sent: delivered packets.
    @ivar retries: how often a packet was sent again, by the radio or by the gateway.
    @ivar failures: packets that were given up.
    @ivar bytes_lost: bytes in those packets and in the buffers that were dropped with them; of the
        packets themselves nobody may know.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        node: Node,
        turns: TransmitScheduler | None = None,
        settings: PortSettings | None = None,
    ) -> None:
        """
        @param turns: shared by all that use the radio; one for this node alone if None.
        """
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._node = node
        self._observers = nodes.bus.subscribers(BytesPassed)
        self._turns = turns or TransmitScheduler(clock)
        self.settings = settings or PortSettings()
        self.lost: Callable[[int, str], None] = _nobody
        self._buffers: dict[Writer, _Buffer] = {}
        self._order: deque[Writer] = deque()
        self._paused: set[Writer] = set()
        self._buffered = 0
        # Bytes of the stream that were cut into packets so far.
        self._offset = 0
        self._in_flight: dict[_Packet, Deferred[TransmitStatus]] = {}
        # Packets to be sent again, in the order of the stream.
        self._retransmits: list[_Packet] = []
        # Smaller than the radio says, if it has refused packets of that size.
        self._payload_limit = 0xFFFF
        # The bytes found the node idle: their packet waits for no more.
        self._at_once = False
        self._not_before = 0.0
        self._wake: IDelayedCall | None = None
        self._patience: IDelayedCall | None = None
        self._stopped = False
        self.last_delivery = float("-inf")
        self.last_writer: Writer | None = None
        self.bytes_sent = 0
        self.packets_sent = 0
        self.retries = 0
        self.failures = 0
        self.bytes_lost = 0

    @property
    def buffered(self) -> int:
        """Bytes that wait for their turn, or to be sent again."""
        return self._buffered + sum(len(packet.data) for packet in self._retransmits)

    @property
    def unconfirmed(self) -> int:
        """Bytes that were taken from writers, and that the node is not known to have."""
        return self.buffered + sum(len(packet.data) for packet in self._in_flight)

    def has_bytes_of(self, writer: Writer) -> bool:
        """Whether the node is not known to have all that a writer sent."""
        if writer in self._buffers:
            return True
        packets = (*self._in_flight, *self._retransmits)
        return any(packet.writer is writer for packet in packets)

    # --- what comes from the writers -----------------------------------------------------------

    def write(self, writer: Writer, data: bytes) -> None:
        """Take bytes from a writer, and pause it if that is enough for now."""
        if self._stopped or not data:
            return
        if self._radio.facts is None and not self._is_patient():
            self._drop(len(data), self._radio.offline_reason)
            return
        now = self._clock.seconds()
        buffer = self._buffers.get(writer)
        if buffer is None:
            if not (self._in_flight or self._order or self._retransmits):
                if len(data) <= self._limit() and now >= self._not_before and self._turns.are_free:
                    self._launch(self._packet(data, writer))
                    return
                self._at_once = True
            buffer = self._buffers[writer] = _Buffer(now)
            self._order.append(writer)
        buffer.last = now
        buffer.data += data
        self._buffered += len(data)
        self._apply_backpressure(writer)
        self._advance()

    def opened(self, writer: Writer) -> None:
        """A writer is new: pause it at once if the node's buffers are full."""
        self._apply_backpressure(writer)

    def closed(self, writer: Writer) -> None:
        """A writer is gone. What it wrote before is sent all the same."""
        self._paused.discard(writer)
        if self.last_writer is writer:
            self.last_writer = None

    def forget(self, writer: Writer) -> None:
        """A writer is reset for a reason of its own: what it wrote and was not sent is dropped."""
        buffer = self._buffers.pop(writer, None)
        if buffer is not None:
            self._order.remove(writer)
            self._buffered -= len(buffer.data)
            self.bytes_lost += len(buffer.data)
            self._release_backpressure()

    def abandon(self, why: str) -> bool:
        """Drop what was written and not sent: everybody is reset, and sends again what it wants to
        be sent.

        @param why: a sentence.
        @return: whether there was anything, so that everybody is reset.
        """
        if not self.buffered:
            return False
        self._drop(0, why)
        return True

    def stop(self) -> int:
        """Send nothing more; drop what is buffered.

        @return: how many bytes the node is not known to have.
        """
        lost = self.unconfirmed
        self._stopped = True
        self.bytes_lost += lost
        self._forget()
        self._be_patient_again()
        self._sleep()
        for sent in list(self._in_flight.values()):
            sent.cancel()
        return lost

    # --- sending -------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Ask for a turn if there is something to send now; if there will be, later."""
        if (
            self._stopped
            or self._radio.facts is None
            or len(self._in_flight) >= self.settings.window
        ):
            return
        if not (self._order or self._retransmits):
            return
        now = self._clock.seconds()
        when = self._not_before
        if not self._retransmits:
            when = max(when, self._next_ripe(now))
        if when > now + _EARLY:
            self._sleep()
            self._wake = self._clock.callLater(when - now, self._awake)
        else:
            self._turns.ask(self)

    def _next_ripe(self, now: float) -> float:
        """When there is something in the buffers that need not wait for more bytes."""
        if self._at_once:
            return now
        limit = self._limit()
        buffers = self._buffers.values()
        if any(len(buffer.data) >= limit for buffer in buffers):
            return now
        return min(buffer.since for buffer in buffers) + self.settings.coalesce

    def _awake(self) -> None:
        self._wake = None
        self._advance()

    def _sleep(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _limit(self) -> int:
        facts = self._radio.facts
        return min(self._payload_limit, facts.payload_limit) if facts is not None else 0

    def send_next(self) -> None:
        """It is this node's turn: see `zbtwist.binding.scheduler.Sender`."""
        if (
            self._stopped
            or self._radio.facts is None
            or len(self._in_flight) >= self.settings.window
        ):
            return
        now = self._clock.seconds()
        if now + _EARLY < self._not_before:
            self._advance()
            return
        packet = self._retransmits.pop(0) if self._retransmits else self._cut(now)
        if packet is None:
            self._advance()
            return
        self._launch(packet)
        self._release_backpressure()
        self._advance()

    def _launch(self, packet: _Packet) -> None:
        node = self._node
        sent = self._radio.transmit(
            node.address64, packet.data, node.address16, node.role == devices.END_DEVICE
        )
        self._turns.sent(packet)
        self._in_flight[packet] = sent
        sent.addBoth(self._done, packet)

    def _cut(self, now: float) -> _Packet | None:
        """Take a packet from the writer whose turn it is, if its bytes need not wait for more."""
        limit = self._limit()
        ripe = now + _EARLY - self.settings.coalesce
        for _ in range(len(self._order)):
            writer = self._order[0]
            buffer = self._buffers[writer]
            data = buffer.data
            if self._at_once or len(data) >= limit or buffer.since <= ripe:
                break
            self._order.rotate(-1)
        else:
            return None
        self._at_once = False
        self._order.popleft()
        if len(data) <= limit:
            packet = bytes(data)
            del self._buffers[writer]
        else:
            packet = bytes(data[:limit])
            del data[:limit]
            buffer.since = buffer.last
            self._order.append(writer)
        self._buffered -= len(packet)
        return self._packet(packet, writer)

    def _packet(self, data: bytes, writer: Writer) -> _Packet:
        """Make a packet of the next bytes of the stream."""
        if self._observers:
            now = self._nodes.wall()
            self._nodes.bus.publish(BytesPassed(self._node, TO_NODE, data, now))
        packet = _Packet(self._offset, data, writer)
        self._offset += len(data)
        return packet

    # --- what became of it ---------------------------------------------------------------------

    def _done(self, result: TransmitStatus | Failure, packet: _Packet) -> None:
        """The radio does not have a packet any more."""
        try:
            if isinstance(result, Failure):
                self._unsettled(result, packet)
            else:
                self._settled(result, packet)
            # In this order: the others have their turns first.
            if self._order or self._retransmits:
                self._advance()
        except Exception:
            self.log.failure("Sending to {node} failed", node=self._node)
        self._turns.done(packet)

    def _settled(self, status: TransmitStatus, packet: _Packet) -> None:
        del self._in_flight[packet]
        self.retries += status.retries
        delivery = status.delivery_status
        if delivery == DELIVERED:
            self.last_delivery = self._clock.seconds()
            self.last_writer = packet.writer
            self.bytes_sent += len(packet.data)
            self.packets_sent += 1
            if status.address16 not in (self._node.address16, UNKNOWN16):
                self._nodes.located(self._node, status.address16)
        elif not self._stopped:
            if delivery in ADDRESS_UNCERTAIN:
                # The radio looks the address up, and a route, when it is not told one.
                self._nodes.located(self._node, UNKNOWN16)
            self._failed(packet, verdict_of(delivery), delivery_status_text(delivery))

    def _unsettled(self, failure: Failure, packet: _Packet) -> None:
        del self._in_flight[packet]
        if not self._stopped:
            error = failure.value
            if not isinstance(error, RadioError):
                failure.raiseException()
            # What the radio never had may be sent; of the rest nobody knows.
            verdict = Verdict.UNCERTAIN if error.sent else Verdict.BUSY
            self._failed(packet, verdict, str(error))

    def _failed(self, packet: _Packet, verdict: Verdict, why: str) -> None:
        """A packet did not arrive, as far as is known: send it again, or give it up."""
        settings = self.settings
        if verdict is Verdict.TOO_LARGE and len(packet.data) > 1:
            self._shrink(packet)
            return
        if verdict is Verdict.UNCERTAIN and settings.at_least_once:
            verdict = Verdict.AGAIN
        if self._radio.facts is None and verdict in _REPEATED:
            # Until the radio is back, or patience is at its end.
            self._send_again(packet)
            self._is_patient()
            return
        now = self._clock.seconds()
        packet.tries += 1
        if packet.tries == 1:
            packet.since = now
        waited = now - packet.since
        asleep = verdict is Verdict.ASLEEP or (
            verdict is Verdict.NO_ROUTE and self._node.role == devices.END_DEVICE
        )
        if asleep:
            goes_on = waited < settings.sleep
        elif verdict is Verdict.BUSY:
            goes_on = waited < settings.outage
        else:
            goes_on = verdict in _REPEATED and packet.tries <= settings.retries
        if not goes_on:
            self._give_up(packet, why)
            return
        self.retries += 1
        self._send_again(packet)
        self._not_before = now + _backoff(packet.tries - 1)

    def _send_again(self, *packets: _Packet) -> None:
        self._retransmits += packets
        self._retransmits.sort(key=_offset)

    def _shrink(self, packet: _Packet) -> None:
        """The radio does not take packets of this size: cut this one, and smaller ones later."""
        data = packet.data
        self._payload_limit = size = max(1, int(len(data) * SHRINKAGE))
        self._send_again(
            *(
                _Packet(packet.offset + start, data[start : start + size], packet.writer)
                for start in range(0, len(data), size)
            )
        )

    def _give_up(self, packet: _Packet, why: str) -> None:
        self.failures += 1
        self._drop(len(packet.data), why)

    def _drop(self, lost: int, why: str) -> None:
        """Give up so many bytes, and all that waits behind them, and say so to the clients."""
        lost += self.buffered
        self.bytes_lost += lost
        self._forget()
        self.lost(lost, why)

    def _forget(self) -> None:
        self._buffers.clear()
        self._order.clear()
        self._retransmits.clear()
        self._buffered = 0
        self._at_once = False
        self._not_before = 0.0
        paused, self._paused = self._paused, set()
        for writer in paused:
            writer.resume()

    # --- while the radio is away ---------------------------------------------------------------

    def radio_up(self) -> None:
        """The radio is there: send what waits."""
        self._be_patient_again()
        # It may be another one, or set up in another way.
        self._payload_limit = 0xFFFF
        self._not_before = 0.0
        self._advance()

    def radio_down(self) -> None:
        """The radio is away; what waits for it has a limited time."""
        self._sleep()
        if self._buffers or self._retransmits:
            self._is_patient()

    def _is_patient(self) -> bool:
        """Whether bytes may wait for the radio; the first that do start the time."""
        if self._patience is None:
            self._patience = self._clock.callLater(self.settings.outage, self._lose_patience)
        return self._patience.active()

    def _lose_patience(self) -> None:
        if self._buffers or self._retransmits:
            self._drop(0, self._radio.offline_reason)

    def _be_patient_again(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None

    # --- holding writers back ------------------------------------------------------------------

    def _apply_backpressure(self, writer: Writer) -> None:
        buffer = self._buffers.get(writer)
        full = self._buffered >= NODE_LIMIT or (
            buffer is not None and len(buffer.data) >= HIGH_WATER
        )
        if full and writer not in self._paused:
            self._paused.add(writer)
            writer.pause()

    def _release_backpressure(self) -> None:
        if not self._paused or self._buffered >= NODE_LIMIT:
            return
        for writer in list(self._paused):
            buffer = self._buffers.get(writer)
            if buffer is None or len(buffer.data) <= LOW_WATER:
                self._paused.discard(writer)
                writer.resume()


#: After these a packet is sent again.
_REPEATED = (Verdict.AGAIN, Verdict.NO_ROUTE, Verdict.BUSY, Verdict.ASLEEP)

_offset = attrgetter("offset")
