"""Bytes to a node: cut into packets, one in the air at a time, writers held back meanwhile.

Each writer (a TCP client of the node's port) has a buffer of its own, and the writers take turns,
a packet each, so that no packet mixes the bytes of two and none can starve the others. The next
packet goes out when the Transmit Status of the last is in: the order is certain. A writer is paused
while its buffer holds `HIGH_WATER` bytes, or all buffers of the node together `NODE_LIMIT`.

A packet that was not delivered is a hole in its writer's stream. The writer is told in the one way
that a stream has: it is reset, and what it had still buffered is dropped with it. So is every other
writer that has bytes for this node waiting: they would wait as long for the same end. While the
radio is away bytes wait for `OUTAGE_PATIENCE`, then their writers are reset as well, and whoever
writes later is reset at once: a device must not get an old command when the radio comes back.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.interfaces import IRadio
from zbtwist.network import Node, NodeTable
from zbtwist.radio.errors import RadioError
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import ADDRESS_DOUBTFUL, DELIVERED, delivery_status_text

#: Bytes in a writer's buffer from which on it is paused, and down to which it is resumed. With what
#: one read from a socket brings, a buffer never holds more than HIGH_WATER + 65536 bytes.
HIGH_WATER = 4096
LOW_WATER = 1024

#: Bytes in all buffers of a node from which on every writer of it is paused: writers that are gone
#: leave theirs behind to be sent, and new ones may come.
NODE_LIMIT = 65536


#: Seconds that bytes wait for a radio that is away.
OUTAGE_PATIENCE = 10.0


class Writer(Protocol):
    """Whose bytes they are."""

    def pause(self) -> None:
        """Write no more until `resume`."""

    def resume(self) -> None:
        """Write again."""

    def reset(self, reason: str) -> None:
        """Bytes are lost: end the stream so that its other end notices. `reason` is a sentence."""


class Outbound:
    """The way to one node.

    @ivar bytes_sent: delivered bytes.
    @ivar packets_sent: delivered packets.
    @ivar retries: how often the radio sent a packet again.
    @ivar failures: packets that were not delivered.
    @ivar bytes_lost: bytes in those packets and in the buffers that were dropped with them.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, radio: IRadio, nodes: NodeTable, node: Node) -> None:
        self._clock = clock
        self._radio = radio
        self._patience: IDelayedCall | None = None
        self._nodes = nodes
        self._node = node
        self._buffers: dict[Writer, bytearray] = {}
        self._turns: deque[Writer] = deque()
        self._paused: set[Writer] = set()
        self._buffered = 0
        self._in_flight: Deferred[TransmitStatus] | None = None
        self._stopped = False
        self.bytes_sent = 0
        self.packets_sent = 0
        self.retries = 0
        self.failures = 0
        self.bytes_lost = 0

    @property
    def buffered(self) -> int:
        """Bytes that wait for their turn."""
        return self._buffered

    def write(self, writer: Writer, data: bytes) -> None:
        """Take bytes from a writer, and pause it if that is enough for now."""
        if self._stopped or not data:
            return
        if self._radio.facts is None and not self._is_patient():
            self._drop({writer: len(data)}, self._radio.offline_reason)
            return
        buffer = self._buffers.get(writer)
        if buffer is None:
            buffer = self._buffers[writer] = bytearray()
            self._turns.append(writer)
        buffer += data
        self._buffered += len(data)
        self._hold_back(writer)
        self.pump()

    def opened(self, writer: Writer) -> None:
        """A writer is new: pause it at once if the node's buffers are full."""
        self._hold_back(writer)

    def closed(self, writer: Writer) -> None:
        """A writer is gone. What it wrote before is sent all the same."""
        self._paused.discard(writer)

    def pump(self) -> None:
        """Send the next packet, if there is one and none is in the air and the radio is up."""
        while self._in_flight is None and self._turns and not self._stopped:
            facts = self._radio.facts
            if facts is None:
                return
            writer = self._turns.popleft()
            buffer = self._buffers[writer]
            packet = bytes(buffer[: facts.payload_limit])
            del buffer[: len(packet)]
            self._buffered -= len(packet)
            if buffer:
                self._turns.append(writer)
            else:
                del self._buffers[writer]
            node = self._node
            self._in_flight = sent = self._radio.transmit(node.address64, packet, node.address16)
            sent.addCallbacks(
                self._settled,
                self._unsettled,
                callbackArgs=(writer, packet),
                errbackArgs=(writer, packet),
            )
            sent.addErrback(self._bug)
            self._let_go()

    def stop(self) -> None:
        """Send nothing more; drop what is buffered."""
        self._stopped = True
        self._forget()
        self._be_patient_again()
        if self._in_flight is not None:
            self._in_flight.cancel()

    def _settled(self, status: TransmitStatus, writer: Writer, packet: bytes) -> None:
        self._in_flight = None
        self.retries += status.retries
        if status.delivery_status == DELIVERED:
            self.bytes_sent += len(packet)
            self.packets_sent += 1
            if status.address16 not in (self._node.address16, UNKNOWN16):
                self._nodes.located(self._node, status.address16)
        else:
            if status.delivery_status in ADDRESS_DOUBTFUL:
                # The radio looks the address up again when it is not told one.
                self._nodes.located(self._node, UNKNOWN16)
            self._lost(writer, packet, delivery_status_text(status.delivery_status))
        self.pump()

    def _unsettled(self, failure: Failure, writer: Writer, packet: bytes) -> None:
        self._in_flight = None
        if self._stopped:
            return
        failure.trap(RadioError)
        self._lost(writer, packet, failure.getErrorMessage())
        self.pump()

    def _lost(self, writer: Writer, packet: bytes, why: str) -> None:
        self.failures += 1
        self._drop({writer: len(packet)}, why)

    def _drop(self, lost: dict[Writer, int], why: str) -> None:
        """Give up so many bytes of writers and all that is buffered, and reset the writers."""
        for writer, buffer in self._buffers.items():
            lost[writer] = lost.get(writer, 0) + len(buffer)
        self._forget()
        for writer, count in lost.items():
            self.bytes_lost += count
            writer.reset(f"{count} bytes for {self._node} are lost: {why}")

    def _forget(self) -> None:
        self._buffers.clear()
        self._turns.clear()
        paused, self._paused = self._paused, set()
        self._buffered = 0
        for writer in paused:
            writer.resume()

    # --- while the radio is away ---------------------------------------------------------------

    def _is_patient(self) -> bool:
        """Whether bytes may wait for the radio; the first that do start the time."""
        if self._patience is None:
            self._patience = self._clock.callLater(OUTAGE_PATIENCE, self._lose_patience)
        return self._patience.active()

    def _lose_patience(self) -> None:
        self._drop({}, self._radio.offline_reason)

    def radio_up(self) -> None:
        """The radio is there: send what waits."""
        self._be_patient_again()
        self.pump()

    def radio_down(self) -> None:
        """The radio is away; what waits for it has a limited time."""
        if self._buffers:
            self._is_patient()

    def _be_patient_again(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None

    def _hold_back(self, writer: Writer) -> None:
        full = len(self._buffers.get(writer, b"")) >= HIGH_WATER or self._buffered >= NODE_LIMIT
        if full and writer not in self._paused:
            self._paused.add(writer)
            writer.pause()

    def _let_go(self) -> None:
        if not self._paused or self._buffered >= NODE_LIMIT:
            return
        for writer in list(self._paused):
            if len(self._buffers.get(writer, b"")) <= LOW_WATER:
                self._paused.discard(writer)
                writer.resume()

    def _bug(self, failure: Failure) -> None:
        self.log.failure("Sending to {node} failed", failure=failure, node=self._node)
