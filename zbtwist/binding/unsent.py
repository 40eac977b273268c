"""What a node has not got: what waits, what is sent again, and when it is given up.

Nothing overtakes a packet that is sent again. One that is given up is a hole in the stream, as is
one of which nobody knows whether it arrived. The clients are told in the one way that a stream has:
they are reset, and what they had still buffered is dropped with it, since it would arrive behind
the hole. For `PortSettings.outage` after the radio went away bytes wait for it, then the clients
are reset as well, and whoever writes later is reset at once: a device must not get an old command
when the radio comes back.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.binding.node_line import NodeLine
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.retransmits import REPEATED, Packet, Retransmits
from zbtwist.binding.send_buffer import LoneWriter, Writer
from zbtwist.binding.verdict import Verdict
from zbtwist.binding.waiting import Waiting
from zbtwist.network.node import Node
from zbtwist.radio.interfaces import IWay
from zbtwist.runtime.early import EARLY
from zbtwist.runtime.standstill import Standstill
from zbtwist.xbee import devices
from zbtwist.xbee.frames import TransmitStatus

#: Bytes of a packet, if the radio says no other limit.
ANY_SIZE = 0xFFFF

TOO_OLD = (
    "The gateway stood still for longer than they may wait for the radio: a device must not get an "
    "old command."
)


def _nobody(lost: int, why: str) -> None:
    """Nobody has to be told."""


class Unsent:
    """Bytes to one node that it is not known to have.

    @ivar line: the node's own serial line, which may take bytes more slowly than the air.
    @ivar lost: called with their number, and why in a sentence, when bytes are lost; whoever reads
        or writes the node's stream must notice.
    @ivar lost_later: called in the same way for a packet that was in the air when the stream broke;
        who wrote it was told then.
    @ivar retries: how often a packet was sent again, by the radio or by the gateway.
    @ivar failures: packets that were given up.
    @ivar bytes_lost: bytes in those packets and in the buffers that were dropped with them; of the
        packets themselves nobody may know.
    """

    # There are thousands, and with as many attributes as `Outbound` has each would have a dict of
    # 1.6 KB: CPython shares the keys of no more than 30.
    __slots__ = (
        "_clock",
        "_in_flight",
        "_node",
        "_outage",
        "_payload_limit",
        "_radio",
        "_retransmits",
        "_settings",
        "_standstill",
        "_waiting",
        "bytes_lost",
        "failures",
        "line",
        "lost",
        "lost_later",
        "retries",
    )

    line: NodeLine

    def __init__(
        self,
        clock: IReactorTime,
        radio: IWay,
        node: Node,
        settings: PortSettings,
        standstill: Standstill,
    ) -> None:
        """
        @param radio: what brings packets to this node.
        @param standstill: looks whether the program stood still before what comes was read.
        """
        self._clock = clock
        self._radio = radio
        self._node = node
        self._settings = settings
        self._standstill = standstill
        self.lost: Callable[[int, str], None] = _nobody
        self.lost_later: Callable[[int, str], None] = _nobody
        self._waiting = Waiting()
        self._retransmits = Retransmits()
        self._in_flight: dict[Packet, Deferred[TransmitStatus]] = {}
        # Smaller than the radio says, if it has refused packets of that size.
        self._payload_limit = ANY_SIZE
        # Until when bytes may wait for the radio, while some do.
        self._outage: IDelayedCall | None = None
        self.retries = 0
        self.failures = 0
        self.bytes_lost = 0

    def _advance(self) -> None:
        """Send what may be sent now, in turn; and later what may be later."""
        raise NotImplementedError

    def _sleep(self) -> None:
        """Send nothing later, unless something happens."""
        raise NotImplementedError

    @property
    def buffered(self) -> int:
        """Bytes that wait for their turn, or to be sent again."""
        return self._waiting.size + self._retransmits.size

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

    def is_waiting(self, writer: Writer) -> bool:
        """Whether something that a writer sent was not handed to the radio yet."""
        return writer in self._waiting.now.parts

    def has_bytes_of(self, writer: Writer) -> bool:
        """Whether the node is not known to have all that a writer sent."""
        if self._waiting.has_bytes_of(writer):
            return True
        packets = (*self._in_flight, *self._retransmits.packets)
        return any(packet.writer is writer for packet in packets)

    def goes_on_with(self, writer: Writer) -> bool:
        """The same, and it may still get it: the stream has not broken since that was sent."""
        if self._waiting.has_bytes_of(writer):
            return True
        return any(
            packet.writer is writer and not packet.is_void
            for packet in (*self._in_flight, *self._retransmits.packets)
        )

    # --- giving it up --------------------------------------------------------------------------

    def discard(self, writer: Writer) -> None:
        """A writer is reset for a reason of its own: what it wrote and was not sent is dropped, and
        what is in the air is not sent again.
        """
        self.bytes_lost += self.purge(writer)

    def purge(self, writer: Writer) -> int:
        """The same, if it is the writer itself that wants it. Return how many bytes are dropped."""
        dropped = self._waiting.discard(writer)
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
        for writer in self._waiting.lone_writers():
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
        self._waiting.clear()

    # --- what did not arrive -------------------------------------------------------------------

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

    # --- after a standstill --------------------------------------------------------------------

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

    # --- while the radio is away ---------------------------------------------------------------

    @property
    def is_radio_away(self) -> bool:
        """Whether the radio is away, or in no network."""
        return self._radio.is_away

    @property
    def is_cut_off(self) -> bool:
        """Whether the radio is away for so long that nothing waits for it any more."""
        return self._radio.is_away and not self._may_wait()

    def radio_up(self) -> None:
        """The radio is there: send what waits."""
        self._end_outage()
        # It may be another one, or set up in another way.
        self._payload_limit = ANY_SIZE
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
        if (self._waiting.now.parts or self._retransmits.packets) and not self._may_wait():
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
        if left > EARLY and self._outage is None:
            self._outage = self._clock.callLater(left, self._outage_too_long)
        return left > EARLY

    def _outage_too_long(self) -> None:
        self._outage = None
        if self._waiting.now.parts or self._retransmits.packets:
            self.break_stream(self._why_away())

    def _end_outage(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            self._outage = None
