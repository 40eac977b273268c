"""The way of bytes to a node: sent in order, packet by packet, and what becomes of each packet.

What the writers want to be sent waits in a `SendBuffer`, and what did not arrive in `Retransmits`;
the next packet comes from there, or else from the writers. By default it goes out when the Transmit
Status of the last is in: the order is certain. A packet that finds the node idle goes at once.

What does not arrive, and what cannot go, is dealt with in `zbtwist.binding.unsent`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.binding.node_line import NodeLine
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.binding.quiet import Quiet
from zbtwist.binding.retransmits import Packet
from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.binding.send_buffer import LoneWriter, Writer
from zbtwist.binding.unsent import TOO_OLD, Unsent
from zbtwist.binding.verdict import Verdict, verdict_of
from zbtwist.network.events import TO_NODE, BytesPassed
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import RadioError
from zbtwist.radio.interfaces import IWay
from zbtwist.runtime.early import EARLY
from zbtwist.runtime.standstill import Standstill
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16, is_of_one_node
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import ADDRESS_UNCERTAIN, DeliveryStatus, delivery_status_text

# To look a member up takes longer than the rest of what is done with it.
_DELIVERED = DeliveryStatus.DELIVERED


class Outbound(Unsent):
    """The way to one node.

    @ivar settings: how to send.
    @ivar arrived: called with the writer of each packet that the node has; None to call nobody.
    @ivar last_delivery: when the node was last known to have got a packet, seconds of the clock.
    @ivar bytes_sent: delivered bytes.
    @ivar packets_sent: delivered packets.
    """

    __slots__ = (
        "_answered",
        "_arrivals",
        "_nodes",
        "_observers",
        "_offset",
        "_quiet",
        "_stopped",
        "_turns",
        "_wake",
        "arrived",
        "bytes_sent",
        "last_delivery",
        "packets_sent",
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
        settings = settings or PortSettings()
        standstill = standstill or Standstill(clock, nodes.bus)
        super().__init__(clock, radio, node, settings, standstill)
        self._nodes = nodes
        self._observers = nodes.bus.subscribers(BytesPassed)
        self._turns = turns or TransmitScheduler(clock)
        self.line = NodeLine(clock, radio, node, self._turns, self._advance, self._in_flight)
        self.arrived: Callable[[Writer], None] | None = None
        self._arrivals: tuple[Callable[[Writer], None], ...] = ()
        self._stopped = False
        # Who waits until nothing is on its way.
        self._quiet: Quiet | None = None
        # Bytes of the stream that were cut into packets so far.
        self._offset = 0
        # What the radio still has, and the node has answered.
        self._answered: dict[Packet, Deferred[TransmitStatus]] = {}
        self._wake: IDelayedCall | None = None
        self.last_delivery = float("-inf")
        self.bytes_sent = 0
        self.packets_sent = 0
        self.settings = settings

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
    def payload_limit(self) -> int:
        """Bytes of a packet at the most; 0 if nothing is known of the radio."""
        return self._limit()

    @property
    def radio_line_rate(self) -> float:
        """Bytes per second of the gateway's line to its radio; infinite if it has none."""
        facts = self._radio.facts
        return facts.baud_rate / 10 if facts is not None and facts.baud_rate else inf

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
        later = self._waiting.later
        if later is not None:
            later.add(writer, data, now, self._settings.delimiter, is_whole)
            return
        waiting, again, settings = self._waiting.now, self._retransmits, self._settings
        if not (self._in_flight or waiting.parts or again.packets):
            line = self.line
            if (
                (is_whole or not settings.gather)
                and len(data) <= self._limit()
                and not radio.is_away
                and now >= again.not_before
                and self._turns.are_free
                and not (line.seconds_per_byte and now < line.room_at(len(data), now))
            ):
                self._launch(self._packet(writer, data), now)
                return
            waiting.is_urgent = not settings.gather
        waiting.add(writer, data, now, settings.delimiter, is_whole)
        self._advance()

    def opened(self, writer: Writer) -> None:
        """A writer is new: pause it at once if the node's buffers are full."""
        self._waiting.opened(writer)

    def ended(self, writer: Writer) -> None:
        """A writer writes no more."""
        self._waiting.ended(writer)

    def closed(self, writer: Writer) -> None:
        """A writer is gone. What it wrote before is sent all the same."""
        self._waiting.closed(writer)

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

    def holds_back(self, writer: Writer) -> bool:
        """Whether a writer is paused, and will be resumed."""
        return self._waiting.holds_back(writer)

    def hold(self) -> Deferred[None]:
        """Send what was written so far, and nothing that is written from now on until `release`.

        @return: fires when all of it is with the node's device, as far as is known.
        """
        self._waiting.hold()
        self._quiet = quiet = Quiet(self._clock, self._is_idle, lambda: self.line.empty_at)
        quiet.look()
        return quiet.deferred

    def _is_idle(self) -> bool:
        return not (self._in_flight or self._waiting.now.parts or self._retransmits.packets)

    def release(self) -> None:
        """Send again what is written."""
        self._end_quiet()
        was_held = self._waiting.release(self._clock.seconds(), self._settings.gather)
        if not was_held or self._stopped:
            return
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
        waiting, again = self._waiting.now, self._retransmits
        if not (waiting.parts or again.packets):
            return
        now = self._clock.seconds()
        when = again.not_before
        if not again.packets:
            settings = self._settings
            ripe = waiting.ripe_at(now, self._limit(), settings.coalesce, settings.gather)
            when = max(when, ripe)
        when = max(when, self._room_at(now))
        if when > now + EARLY:
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

    def _room_at(self, now: float) -> float:
        """Return when the node's line has room for the next packet."""
        again = self._retransmits.packets
        size = len(again[0].data) if again else min(self._limit(), self._waiting.now.size)
        return self.line.room_at(size, now)

    def _limit(self) -> int:
        # Asked for each packet, and to ask `min` would take three times as long.
        facts = self._radio.facts
        if facts is None:
            return 0
        limit = facts.payload_limit
        if self._payload_limit < limit:
            limit = self._payload_limit
        size = self._settings.packet_size
        return size if 0 < size < limit else limit

    def send_next(self) -> None:
        """It is this node's turn: see `zbtwist.binding.scheduler.Sender`."""
        if self._stopped or self._radio.is_away or len(self._in_flight) >= self._settings.window:
            return
        moment = self._clock.seconds()
        now = moment + EARLY
        waiting, again = self._waiting.now, self._retransmits
        packet = None
        if now >= again.not_before and now >= self._room_at(now):
            if again.packets:
                packet = again.packets.pop(0)
            else:
                settings = self._settings
                taken = waiting.take(now, self._limit(), settings.coalesce, settings.gather)
                packet = self._packet(*taken) if taken is not None else None
        if packet is not None:
            self._launch(packet, moment)
            waiting.release_backpressure()
        self._advance()

    def _launch(self, packet: Packet, now: float) -> None:
        node = self._node
        sent = self._radio.transmit(
            node.address64, packet.data, node.address16, node.role == devices.END_DEVICE
        )
        self._turns.sent(packet, now)
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

    def _done(self, result: TransmitStatus | Failure, packet: Packet) -> None:
        """The radio does not have a packet any more."""
        try:
            if isinstance(result, Failure):
                self._unsettled(result, packet)
            else:
                self._settled(result, packet)
            # In this order: the others have their turns first.
            if self._waiting.now.parts or self._retransmits.packets:
                self._advance()
        except Exception:
            self.log.failure("Sending to {node} failed", node=self._node)
        self._turns.done(packet)
        if self._quiet is not None:
            self._quiet.look()

    def _arrived(self, packet: Packet) -> None:
        """The node has a packet."""
        self.last_delivery = now = self._clock.seconds()
        self.line.settled(len(packet.data), True, now)
        self.bytes_sent += len(packet.data)
        self.packets_sent += 1

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
