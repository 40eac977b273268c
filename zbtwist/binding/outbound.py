"""The way of bytes to a node: sent in order, packet by packet, and what becomes of each packet.

What the writers want to be sent waits in a `SendBuffer`, and what did not arrive in `Retransmits`;
the next packet comes from there, or else from the writers. By default it goes out when the Transmit
Status of the last is in: the order is certain. A packet that finds the node idle goes at once.

Nothing overtakes a packet that is sent again. One that is given up is a hole in the stream, as is
one of which nobody knows whether it arrived. The clients are told in the one way that a stream has:
they are reset, and what they had still buffered is dropped with it, since it would arrive behind
the hole. For `PortSettings.outage` after the radio went away bytes wait for it, then the clients
are reset as well, and whoever writes later is reset at once: a device must not get an old command
when the radio comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from math import inf

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.binding.node_line import NodeLine
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.binding.quiet import Quiet
from zbtwist.binding.retransmits import REPEATED, Packet, Retransmits
from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.binding.send_buffer import LoneWriter, SendBuffer, Writer
from zbtwist.binding.verdict import Verdict, verdict_of
from zbtwist.network.events import TO_NODE, BytesPassed
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import RadioError
from zbtwist.radio.interfaces import IWay
from zbtwist.runtime.standstill import Standstill
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16, is_of_one_node
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import ADDRESS_UNCERTAIN, DeliveryStatus, delivery_status_text

# To look a member up takes longer than the rest of what is done with it.
_DELIVERED = DeliveryStatus.DELIVERED

#: Bytes of a packet, if the radio says no other limit.
_ANY_SIZE = 0xFFFF

#: Seconds by which a timer may be early, since sums of seconds are not exact to the last bit.
_EARLY = 1e-6


TOO_OLD = (
    "The gateway stood still for longer than they may wait for the radio: a device must not get an "
    "old command."
)


def _nobody(lost: int, why: str) -> None:
    """Nobody has to be told."""


class Outbound:
    """The way to one node.

    @ivar line: the node's own serial line, which may take bytes more slowly than the air.
    @ivar settings: how to send.
    @ivar lost: called with their number, and why in a sentence, when bytes are lost; whoever reads
        or writes the node's stream must notice.
    @ivar lost_later: called in the same way for a packet that was in the air when the stream broke;
        who wrote it was told then.
    @ivar arrived: called with the writer of each packet that the node has; None to call nobody.
    @ivar last_delivery: when the node was last known to have got a packet, seconds of the clock.
    @ivar bytes_sent: delivered bytes.
    @ivar packets_sent: delivered packets.
    @ivar retries: how often a packet was sent again, by the radio or by the gateway.
    @ivar failures: packets that were given up.
    @ivar bytes_lost: bytes in those packets and in the buffers that were dropped with them; of the
        packets themselves nobody may know.
    """

    # There are thousands, and with this many attributes each would have a dict of 1.6 KB: CPython
    # shares the keys of no more than 30.
    __slots__ = (
        "_answered",
        "_arrivals",
        "_clock",
        "_in_flight",
        "_later",
        "_node",
        "_nodes",
        "_observers",
        "_offset",
        "_outage",
        "_payload_limit",
        "_quiet",
        "_radio",
        "_retransmits",
        "_settings",
        "_standstill",
        "_stopped",
        "_turns",
        "_waiting",
        "_wake",
        "arrived",
        "bytes_lost",
        "bytes_sent",
        "failures",
        "last_delivery",
        "line",
        "lost",
        "lost_later",
        "packets_sent",
        "retries",
    )

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IWay,
        nodes: NodeTable,
        node: Node,
        turns: TransmitScheduler | None = None,
        settings: PortSettings | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        """
        @param radio: what brings packets to this node.
        @param turns: shared by all that use the radio; one for this node alone if None.
        @param standstill: looks whether the program stood still before what comes was read.
        """
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._node = node
        self._observers = nodes.bus.subscribers(BytesPassed)
        self._turns = turns or TransmitScheduler(clock)
        self._standstill = standstill or Standstill(clock, nodes.bus)
        self.line = NodeLine(clock, radio, node, self._turns, self._advance)
        self.lost: Callable[[int, str], None] = _nobody
        self.lost_later: Callable[[int, str], None] = _nobody
        self.arrived: Callable[[Writer], None] | None = None
        self._arrivals: tuple[Callable[[Writer], None], ...] = ()
        self._waiting = SendBuffer()
        # What is written while the way is held, which goes when it is released; None while it is
        # not. And who waits until nothing is on its way.
        self._later: SendBuffer | None = None
        self._quiet: Quiet | None = None
        self._retransmits = Retransmits()
        # Bytes of the stream that were cut into packets so far.
        self._offset = 0
        self._in_flight: dict[Packet, Deferred[TransmitStatus]] = {}
        # What the radio still has, and the node has answered.
        self._answered: dict[Packet, Deferred[TransmitStatus]] = {}
        # Smaller than the radio says, if it has refused packets of that size.
        self._payload_limit = _ANY_SIZE
        self._wake: IDelayedCall | None = None
        # Until when bytes may wait for the radio, while some do.
        self._outage: IDelayedCall | None = None
        self._stopped = False
        self.last_delivery = float("-inf")
        self.bytes_sent = 0
        self.packets_sent = 0
        self.retries = 0
        self.failures = 0
        self.bytes_lost = 0
        self.settings = settings or PortSettings()

    @property
    def settings(self) -> PortSettings:
        return self._settings

    @settings.setter
    def settings(self, settings: PortSettings) -> None:
        self._settings = settings
        pace = OFF if self._radio.has_its_pace else settings.pace
        if pace != self.line.pace:
            self.line.follow(pace)

    @property
    def wall(self) -> Callable[[], float]:
        """Says the seconds since 1970."""
        return self._nodes.wall

    @property
    def buffered(self) -> int:
        """Bytes that wait for their turn, or to be sent again."""
        later = self._later.size if self._later is not None else 0
        return self._waiting.size + self._retransmits.size + later

    @property
    def unconfirmed(self) -> int:
        """Bytes that were taken from writers, and that the node is not known to have. What stands
        alone counts only while it waits.
        """
        return self.buffered + sum(
            len(packet.data)
            for packet in self._in_flight
            if not isinstance(packet.writer, LoneWriter)
        )

    @property
    def is_radio_away(self) -> bool:
        """Whether the radio is away, or in no network."""
        return self._radio.is_away

    @property
    def payload_limit(self) -> int:
        """Bytes of a packet at the most; 0 if nothing is known of the radio."""
        return self._limit()

    @property
    def radio_line_rate(self) -> float:
        """Bytes per second of the gateway's line to its radio; infinite if it has none."""
        facts = self._radio.facts
        return facts.baud_rate / 10 if facts is not None and facts.baud_rate else inf

    @property
    def is_cut_off(self) -> bool:
        """Whether the radio is away for so long that nothing waits for it any more."""
        return self._radio.is_away and not self._may_wait()

    def is_waiting(self, writer: Writer) -> bool:
        """Whether something that a writer sent was not handed to the radio yet."""
        return writer in self._waiting.parts

    def has_bytes_of(self, writer: Writer) -> bool:
        """Whether the node is not known to have all that a writer sent."""
        if any(writer in buffer.parts for buffer in self._buffers):
            return True
        packets = (*self._in_flight, *self._retransmits.packets)
        return any(packet.writer is writer for packet in packets)

    def goes_on_with(self, writer: Writer) -> bool:
        """The same, and it may still get it: the stream has not broken since that was sent."""
        if any(writer in buffer.parts for buffer in self._buffers):
            return True
        return any(
            packet.writer is writer and not packet.is_void
            for packet in (*self._in_flight, *self._retransmits.packets)
        )

    def tell_arrivals(self, arrived: Callable[[Writer], None]) -> None:
        """Call `arrived` with the writer of each packet that the node has, as others that want to
        know it.
        """
        self._tell_arrivals(*self._arrivals, arrived)

    def tell_arrivals_no_more(self, arrived: Callable[[Writer], None]) -> None:
        """End that."""
        self._tell_arrivals(*(one for one in self._arrivals if one != arrived))

    def _tell_arrivals(self, *arrivals: Callable[[Writer], None]) -> None:
        self._arrivals = arrivals
        self.arrived = None
        if arrivals:
            self.arrived = arrivals[0] if len(arrivals) == 1 else self._tell_all

    def _tell_all(self, writer: Writer) -> None:
        for arrived in self._arrivals:
            arrived(writer)

    # --- what comes from the writers -----------------------------------------------------------

    def write(self, writer: Writer, data: bytes, is_whole: bool = False) -> None:
        """Take bytes from a writer, and pause it if that is enough for now.

        @param is_whole: they are whole, and need not wait for more, whatever the settings say.
        """
        if self._stopped or not data:
            return
        radio = self._radio
        if radio.is_away and not self._may_wait():
            self.break_stream(self._why_away(), len(data))
            return
        now = self._clock.seconds()
        is_too_old = now >= self._standstill.late_at and self._is_too_old(self._standstill.look())
        # A lone writer has only now decided what to say.
        if is_too_old and not isinstance(writer, LoneWriter):
            self.break_stream(TOO_OLD, len(data))
            return
        if self._later is not None:
            self._later.add(writer, data, now, self._settings.delimiter, is_whole)
            return
        waiting, again, settings = self._waiting, self._retransmits, self._settings
        if not (self._in_flight or waiting.parts or again.packets):
            if (
                (is_whole or not settings.gather)
                and len(data) <= self._limit()
                and not radio.is_away
                and now >= again.not_before
                and self._turns.are_free
                and now >= self.line.room_at(len(data), now)
            ):
                self.line.sent(len(data))
                self._launch(self._packet(writer, data))
                return
            waiting.is_urgent = not settings.gather
        waiting.add(writer, data, now, settings.delimiter, is_whole)
        self._advance()

    def _is_too_old(self, stood_still: float) -> bool:
        """Whether what was written while the gateway stood still for so many seconds is."""
        return stood_still > self._settings.outage

    def stood_still(self, seconds: float) -> bool:
        """The gateway stood still: what waits is older by that; drop it if it is too old.

        @return: whether what clients have written meanwhile is too old as well.
        """
        if not self._is_too_old(seconds):
            return False
        self._drop_lone(TOO_OLD)
        if self.unconfirmed:
            self.break_stream(TOO_OLD)
        return True

    @property
    def may_be_too_old(self) -> bool:
        """Whether what comes first of a new client may have waited for too long: it may have come
        while the gateway stood still.
        """
        return self._is_too_old(self._standstill.unseen)

    def opened(self, writer: Writer) -> None:
        """A writer is new: pause it at once if the node's buffers are full."""
        (self._later or self._waiting).apply_backpressure(writer)

    def ended(self, writer: Writer) -> None:
        """A writer writes no more."""
        for buffer in self._buffers:
            buffer.writer_done(writer)

    def closed(self, writer: Writer) -> None:
        """A writer is gone. What it wrote before is sent all the same."""
        for buffer in self._buffers:
            buffer.writer_gone(writer)

    def discard(self, writer: Writer) -> None:
        """A writer is reset for a reason of its own: what it wrote and was not sent is dropped, and
        what is in the air is not sent again.
        """
        self.bytes_lost += self.purge(writer)

    def purge(self, writer: Writer) -> int:
        """The same, if it is the writer itself that wants it. Return how many bytes are dropped."""
        dropped = sum(buffer.discard(writer) for buffer in self._buffers)
        for packet in self._in_flight:
            packet.is_void |= packet.writer is writer
        return dropped + self._retransmits.discard(writer)

    def break_stream(self, why: str, lost: int = 0) -> None:
        """Drop all that waits to be sent, and say so to the clients: they are reset, and send again
        what they want to be sent.

        @param why: a sentence.
        @param lost: bytes that are lost beside those.
        """
        lost += self.buffered
        self.bytes_lost += lost
        self.leave_in_the_air()
        self._clear()
        self.lost(lost, why)

    def _drop_lone(self, why: str) -> None:
        """Drop what stands alone and waits to be sent: nothing else is to be lost for its sake.

        @param why: a sentence.
        """
        waiting = [*chain.from_iterable(buffer.parts for buffer in self._buffers)]
        for writer in waiting:
            if isinstance(writer, LoneWriter):
                self.discard(writer)
                writer.lost(why)

    def leave_in_the_air(self) -> None:
        """The stream breaks: what is in the air may arrive, but is not sent again. Whoever wrote it
        may repeat it, and it would come twice, or behind a hole, or too late.
        """
        for packet in self._in_flight:
            packet.is_void = True
        self._radio.stream_broken()

    def _clear(self) -> None:
        """Drop all that waits to be sent."""
        self._retransmits.clear()
        # At last, since whoever is resumed may write at once.
        for buffer in self._buffers:
            buffer.clear()

    def stop(self) -> int:
        """Send nothing more; drop what is buffered.

        @return: how many bytes the node is not known to have.
        """
        lost = self.unconfirmed
        self._stopped = True
        self.bytes_lost += lost
        self._clear()
        self._end_quiet()
        self._end_outage()
        self._sleep()
        self.line.stop()
        for sent in [*self._in_flight.values(), *self._answered.values()]:
            sent.cancel()
        return lost

    # --- holding it ----------------------------------------------------------------------------

    @property
    def _buffers(self) -> tuple[SendBuffer, ...]:
        return (self._waiting,) if self._later is None else (self._waiting, self._later)

    def holds_back(self, writer: Writer) -> bool:
        """Whether a writer is paused, and will be resumed."""
        return any(buffer.holds_back(writer) for buffer in self._buffers)

    def hold(self) -> Deferred[None]:
        """Send what was written so far, and nothing that is written from now on until `release`.

        @return: fires when all of it is with the node's device, as far as is known.
        """
        self._later = SendBuffer()
        self._waiting.hand_over_paused(self._later)
        self._quiet = quiet = Quiet(self._clock, self._is_idle, lambda: self.line.empty_at)
        quiet.look()
        return quiet.deferred

    def _is_idle(self) -> bool:
        return not (self._in_flight or self._waiting.parts or self._retransmits.packets)

    def release(self) -> None:
        """Send again what is written."""
        self._end_quiet()
        before, later, self._later = self._waiting, self._later, None
        if later is None or self._stopped:
            return
        if before.parts:
            # What was to go before did not, for too long.
            before.take_over(later, self._clock.seconds())
        else:
            self._waiting = later
            later.is_urgent = bool(later.parts) and not self._settings.gather
        self._waiting.release_backpressure()
        if self._radio.is_away:
            self.radio_down()
        self._advance()

    def _end_quiet(self) -> None:
        """Whoever waits for the line to be quiet waits no more."""
        quiet, self._quiet = self._quiet, None
        if quiet is not None:
            quiet.deferred.cancel()

    # --- sending -------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Ask for a turn if there is something to send now; if there will be, later."""
        if self._stopped or self._radio.is_away or len(self._in_flight) >= self._settings.window:
            return
        waiting, again = self._waiting, self._retransmits
        if not (waiting.parts or again.packets):
            return
        now = self._clock.seconds()
        when = again.not_before
        if not again.packets:
            settings = self._settings
            ripe = waiting.ripe_at(now, self._limit(), settings.coalesce, settings.gather)
            when = max(when, ripe)
        when = max(when, self._room_at(now))
        if when > now + _EARLY:
            self._sleep()
            # Else what becomes of the packets in the air says when.
            if when < inf:
                self._wake = self._clock.callLater(when - now, self._awake)
        else:
            self._turns.ask(self)

    def _awake(self) -> None:
        self._wake = None
        # What waited may be too old by now.
        self._standstill.look()
        self._advance()

    def _sleep(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _limit(self) -> int:
        facts = self._radio.facts
        if facts is None:
            return 0
        return min(
            self._payload_limit, facts.payload_limit, self._settings.packet_size or _ANY_SIZE
        )

    def _room_at(self, now: float) -> float:
        """Return when the node's line has room for the next packet."""
        again = self._retransmits.packets
        size = len(again[0].data) if again else min(self._limit(), self._waiting.size)
        return self.line.room_at(size, now)

    def send_next(self) -> None:
        """It is this node's turn: see `zbtwist.binding.scheduler.Sender`."""
        if self._stopped or self._radio.is_away or len(self._in_flight) >= self._settings.window:
            return
        now = self._clock.seconds() + _EARLY
        waiting, again = self._waiting, self._retransmits
        packet = None
        if now >= again.not_before and now >= self._room_at(now):
            if again.packets:
                packet = again.packets.pop(0)
            else:
                settings = self._settings
                taken = waiting.take(now, self._limit(), settings.coalesce, settings.gather)
                packet = self._packet(*taken) if taken is not None else None
        if packet is not None:
            self.line.sent(len(packet.data))
            self._launch(packet)
            waiting.release_backpressure()
        self._advance()

    def _launch(self, packet: Packet) -> None:
        node = self._node
        sent = self._radio.transmit(
            node.address64, packet.data, node.address16, node.role == devices.END_DEVICE
        )
        self._turns.sent(packet)
        self._in_flight[packet] = sent
        sent.addBoth(self._done, packet)

    def _packet(self, writer: Writer, data: bytes) -> Packet:
        """Make a packet of the next bytes of the stream."""
        if self._observers:
            now = self._nodes.wall()
            self._nodes.bus.publish(BytesPassed(self._node, TO_NODE, data, now))
        packet = Packet(self._offset, data, writer)
        self._offset += len(data)
        return packet

    # --- what became of it ---------------------------------------------------------------------

    def answered(self, writer: Writer) -> None:
        """The node has answered what a writer sent: so it has that, whatever the radio will say,
        which may be long in saying it where an acknowledgement was lost. Nothing waits for it.
        """
        for packet in [packet for packet in self._in_flight if packet.writer is writer]:
            self._answered[packet] = self._in_flight.pop(packet)
            self._arrived(packet)
        self._advance()

    def _arrived(self, packet: Packet) -> None:
        """The node has a packet."""
        self.last_delivery = now = self._clock.seconds()
        self.line.settled(len(packet.data), True, now)
        self.bytes_sent += len(packet.data)
        self.packets_sent += 1

    def _done(self, result: TransmitStatus | Failure, packet: Packet) -> None:
        """The radio does not have a packet any more."""
        try:
            if isinstance(result, Failure):
                self._unsettled(result, packet)
            else:
                self._settled(result, packet)
            # In this order: the others have their turns first.
            if self._waiting.parts or self._retransmits.packets:
                self._advance()
        except Exception:
            self.log.failure("Sending to {node} failed", node=self._node)
        self._turns.done(packet)
        if self._quiet is not None:
            self._quiet.look()

    def _settled(self, status: TransmitStatus, packet: Packet) -> None:
        self.retries += status.retries
        if self._answered.pop(packet, None) is not None:
            return
        del self._in_flight[packet]
        delivery = status.delivery_status
        if delivery == _DELIVERED:
            self._arrived(packet)
            address16 = status.address16
            if address16 != self._node.address16 and is_of_one_node(address16):
                self._nodes.located(self._node, address16)
            if self.arrived is not None:
                self.arrived(packet.writer)
        elif not self._stopped:
            verdict = verdict_of(delivery)
            self._not_delivered(packet, verdict)
            if delivery in ADDRESS_UNCERTAIN:
                # The radio looks the address up, and a route, when it is not told one.
                self._nodes.located(self._node, UNKNOWN16)
            self._failed(packet, verdict, delivery_status_text(delivery))

    def _unsettled(self, failure: Failure, packet: Packet) -> None:
        if self._answered.pop(packet, None) is not None:
            return
        del self._in_flight[packet]
        if not self._stopped:
            error = failure.value
            if not isinstance(error, RadioError):
                failure.raiseException()
            # What the radio never had may be sent; of the rest nobody knows.
            verdict = Verdict.UNCERTAIN if error.sent else Verdict.BUSY
            self._not_delivered(packet, verdict)
            self._failed(packet, verdict, str(error))

    def _not_delivered(self, packet: Packet, verdict: Verdict) -> None:
        may_have_arrived = verdict is Verdict.UNCERTAIN
        self.line.settled(len(packet.data), may_have_arrived, self._clock.seconds())

    def _failed(self, packet: Packet, verdict: Verdict, why: str) -> None:
        """A packet did not arrive, as far as is known: send it again, or give it up."""
        settings, again = self._settings, self._retransmits
        if isinstance(packet.writer, LoneWriter):
            self.failures += 1
            self.bytes_lost += len(packet.data)
            if verdict is Verdict.TOO_LARGE and len(packet.data) > 1:
                self._payload_limit = len(packet.cut()[0].data)
            if not packet.is_void:
                packet.writer.lost(why)
            return
        if packet.is_void:
            self.failures += 1
            self.bytes_lost += len(packet.data)
            self.lost_later(len(packet.data), why)
            return
        if verdict is Verdict.TOO_LARGE and len(packet.data) > 1:
            pieces = packet.cut()
            self._payload_limit = len(pieces[0].data)
            again.add(*pieces)
            return
        if verdict is Verdict.UNCERTAIN and settings.at_least_once:
            verdict = Verdict.AGAIN
        if self._radio.is_away and verdict in REPEATED:
            # Until the radio is back, or the time for that is over.
            again.add(packet)
            if not self._may_wait():
                self.break_stream(self._why_away())
            return
        is_end_device = self._node.role == devices.END_DEVICE
        if again.try_again(packet, verdict, settings, is_end_device, self._clock.seconds()):
            self.retries += 1
        else:
            self.failures += 1
            self.break_stream(why, len(packet.data))

    # --- while the radio is away ---------------------------------------------------------------

    def radio_up(self) -> None:
        """The radio is there: send what waits."""
        self._end_outage()
        # It may be another one, or set up in another way.
        self._payload_limit = _ANY_SIZE
        self._retransmits.not_before = 0.0
        if self._radio.is_away:
            # It is in no network.
            self.radio_down()
        self._advance()

    def way_changed(self) -> None:
        """The node can be sent to again, or cannot any more."""
        if self._radio.is_away:
            self.radio_down()
        else:
            self.radio_up()

    def radio_down(self) -> None:
        """The radio is away; what waits for it has a limited time."""
        self._sleep()
        self._drop_lone(self._why_away())
        if (self._waiting.parts or self._retransmits.packets) and not self._may_wait():
            self.break_stream(self._why_away())

    def _why_away(self) -> str:
        facts = self._radio.facts
        return self._radio.offline_reason or ("" if facts is None else facts.problem)

    def _may_wait(self) -> bool:
        """Whether bytes may still wait for the radio; if so, it is seen to that they do not wait
        too long.
        """
        end = self._radio.offline_since + self._settings.outage
        left = end - self._clock.seconds()
        if left > _EARLY and self._outage is None:
            self._outage = self._clock.callLater(left, self._outage_too_long)
        return left > _EARLY

    def _outage_too_long(self) -> None:
        self._outage = None
        if self._waiting.parts or self._retransmits.packets:
            self.break_stream(self._why_away())

    def _end_outage(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            self._outage = None
