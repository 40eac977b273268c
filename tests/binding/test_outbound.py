"""Bytes to a node: packets, turns, retries, back-pressure, losses."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Writer
from tests.radio.support import FACTS, REMOTE, REMOTE16, Wire
from tests.support import mistake
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.binding.retransmits import FIRST_BACKOFF, MAX_BACKOFF
from zbtwist.binding.send_buffer import HIGH_WATER, LOW_WATER, MAX_BUFFERED
from zbtwist.network.table import NodeTable
from zbtwist.radio.request import EXTENDED_TRANSMIT_TIMEOUT, TRANSMIT_TIMEOUT
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16, Address16
from zbtwist.xbee.frames import OPTION_EXTENDED_TIMEOUT, TransmitRequest, TransmitStatus
from zbtwist.xbee.status import DeliveryStatus

OUTAGE = PortSettings.outage


class OutboundTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.nodes = NodeTable(self.wire.bus)
        node = self.nodes.seen(REMOTE, REMOTE16, 0.0)
        assert node is not None
        self.node = node
        node.label = "E1"
        self.outbound = Outbound(self.wire.clock, self.wire.coordinator, self.nodes, self.node)
        # The pace of the node's own line is the subject of another file.
        self.follow()
        self.losses: list[str] = []
        self.outbound.lost = lambda lost, why: self.losses.append(f"{lost} bytes are lost: {why}")
        self.writer = Writer()

    def follow(self, **policy: Any) -> None:
        self.outbound.settings = PortSettings(**{"pace": OFF, **policy})

    def write(self, data: bytes, writer: Writer | None = None) -> None:
        """Bytes come, and have waited for more long enough."""
        self.outbound.write(writer or self.writer, data)
        self.wire.clock.advance(PortSettings.coalesce)

    def status(self, delivery: int = DeliveryStatus.DELIVERED) -> None:
        """The status of the packet in the air comes."""
        self.wire.receive(TransmitStatus(self.wire.last.frame_id, REMOTE16, 0, delivery, 0))

    @property
    def data(self) -> list[bytes]:
        """What was in the packets that were sent."""
        return [frame.data for frame in self.wire.sent]

    def drain(self) -> bytes:
        """Deliver packet by packet until nothing is in the air; return all that was sent."""
        while True:
            count = len(self.wire.sent)
            self.status()
            self.wire.clock.advance(PortSettings.coalesce)
            if len(self.wire.sent) == count:
                return b"".join(self.data)


class OutboundTests(OutboundTestCase):
    def test_our_mistake_is_logged(self) -> None:
        """When a status cannot be handled, the next ones can."""
        patched = self.patch(self.nodes, "located", mistake)
        self.write(b"one")
        frame_id = self.wire.last.frame_id
        self.wire.receive(
            TransmitStatus(frame_id, Address16(0x5555), 0, DeliveryStatus.DELIVERED, 0)
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        patched.restore()
        self.write(b"two")
        self.status()
        self.assertEqual((self.data, self.outbound.unconfirmed), ([b"one", b"two"], 0))

    def test_packet(self) -> None:
        self.outbound.write(self.writer, b"hello")
        sent = self.wire.last
        self.assertEqual(sent, TransmitRequest(sent.frame_id, REMOTE, REMOTE16, 0, 0, b"hello"))
        self.assertEqual(self.outbound.unconfirmed, 5)
        self.status()
        self.assertEqual((self.outbound.bytes_sent, self.outbound.packets_sent), (5, 1))
        self.assertEqual(len(self.wire.sent), 1)
        self.assertEqual(self.outbound.unconfirmed, 0)

    def test_one_packet_in_the_air(self) -> None:
        for piece in (b"one", b"two", b"three"):
            self.write(piece)
        self.assertEqual(self.data, [b"one"])
        self.status()
        # What has come meanwhile goes together.
        self.assertEqual(self.data, [b"one", b"twothree"])

    def test_coalescing(self) -> None:
        """Bytes that find the node busy wait a moment for more; a full packet does not."""
        self.outbound.write(self.writer, b"one")
        self.outbound.write(self.writer, b"two")
        self.status()
        self.assertEqual(self.data, [b"one"])
        self.wire.clock.advance(PortSettings.coalesce / 2)
        self.outbound.write(self.writer, b"three")
        self.assertEqual(self.data, [b"one"])
        self.wire.clock.advance(PortSettings.coalesce / 2)
        self.assertEqual(self.data, [b"one", b"twothree"])
        self.outbound.write(self.writer, b"x" * FACTS.payload_limit)
        self.status()
        self.assertEqual(self.data[2:], [b"x" * FACTS.payload_limit])

    def test_coalescing_is_over_when_the_packet_is_full(self) -> None:
        self.outbound.write(self.writer, b"one")
        self.outbound.write(self.writer, b"x")
        self.status()
        self.outbound.write(self.writer, b"x" * FACTS.payload_limit)
        self.assertEqual(self.data, [b"one", b"x" * FACTS.payload_limit])

    def test_no_coalescing(self) -> None:
        self.follow(coalesce=0.0)
        self.outbound.write(self.writer, b"one")
        self.outbound.write(self.writer, b"two")
        self.status()
        self.assertEqual(self.data, [b"one", b"two"])

    def test_one_that_waits_for_more_does_not_hold_up_another_writer(self) -> None:
        self.outbound.write(self.writer, b"one")
        self.outbound.write(self.writer, b"small")
        other = Writer()
        self.outbound.write(other, b"x" * FACTS.payload_limit)
        self.status()
        self.assertEqual(self.data, [b"one", b"x" * FACTS.payload_limit])

    def test_window(self) -> None:
        self.follow(window=3)
        self.outbound.write(self.writer, b"x" * FACTS.payload_limit * 5)
        self.assertEqual(len(self.wire.sent), 3)
        self.status()
        self.assertEqual(len(self.wire.sent), 4)

    def test_payload_limit(self) -> None:
        data = bytes(range(256)) * 3
        self.outbound.write(self.writer, data)
        self.assertEqual(self.drain(), data)
        sizes = [len(frame.data) for frame in self.wire.sent]
        self.assertEqual(sizes[:-1], [FACTS.payload_limit] * (len(sizes) - 1))
        self.assertEqual(self.outbound.buffered, 0)

    def test_writers_take_turns(self) -> None:
        other = Writer()
        limit = FACTS.payload_limit
        self.outbound.write(self.writer, b"a" * 3 * limit)
        self.outbound.write(other, b"b" * 2 * limit)
        self.drain()
        self.assertEqual(
            [frame.data for frame in self.wire.sent],
            [letter * limit for letter in (b"a", b"a", b"b", b"a", b"b")],
        )

    def test_paused_and_resumed(self) -> None:
        self.outbound.write(self.writer, b"x" * (HIGH_WATER + FACTS.payload_limit - 1))
        self.assertEqual(self.writer.calls, ["pause"])
        while self.writer.calls == ["pause"]:
            before = self.outbound.buffered
            self.status()
        self.assertEqual(self.writer.calls, ["pause", "resume"])
        self.assertGreater(before, LOW_WATER)
        self.assertLessEqual(self.outbound.buffered, LOW_WATER)

    def test_small_writes_are_not_paused(self) -> None:
        self.outbound.write(self.writer, b"x" * (HIGH_WATER - 1))
        self.assertEqual(self.writer.calls, [])

    def test_node_limit(self) -> None:
        """Many writers, each below its own mark, and those that are gone."""
        writers = [Writer() for _ in range(MAX_BUFFERED // 4000 + 1)]
        for writer in writers:
            self.outbound.write(writer, b"x" * 4000)
            self.outbound.closed(writer)
        self.assertGreaterEqual(self.outbound.buffered, MAX_BUFFERED)
        newcomer = Writer()
        self.outbound.opened(newcomer)
        self.assertEqual(newcomer.calls, ["pause"])
        self.drain()
        self.assertEqual(newcomer.calls, ["pause", "resume"])

    def test_closed_writer_is_still_sent(self) -> None:
        self.outbound.write(self.writer, b"x" * 200)
        self.outbound.closed(self.writer)
        self.assertEqual(self.drain(), b"x" * 200)
        self.assertEqual(self.writer.calls, [])

    # --- what is sent again, and what is not ---------------------------------------------------

    def test_sent_again(self) -> None:
        """It is not overtaken by what is behind it, and the pauses grow."""
        for delivery in (0x02, 0x24, 0x25):
            self.write(b"first")
            self.write(b"second")
            backoff = FIRST_BACKOFF
            for _ in range(PortSettings.retries):
                self.status(delivery)
                sent = len(self.wire.sent)
                self.wire.clock.advance(backoff - 0.01)
                self.assertEqual(len(self.wire.sent), sent)
                self.wire.clock.advance(0.02)
                self.assertEqual(self.data[sent:], [b"first"])
                backoff *= 2
            self.assertEqual(self.drain()[-11:], b"firstsecond")
        self.assertEqual(self.losses, [])
        self.assertEqual(self.outbound.retries, 3 * PortSettings.retries)
        self.assertEqual((self.outbound.failures, self.outbound.bytes_lost), (0, 0))

    def test_backoff_has_an_end(self) -> None:
        self.follow(retries=100)
        self.write(b"x")
        for _ in range(20):
            self.status(0x24)
            self.wire.clock.advance(MAX_BACKOFF)
        self.assertEqual(len(self.wire.sent), 21)

    def test_given_up(self) -> None:
        self.follow(retries=2)
        self.write(b"x" * 200)
        self.write(b"y", Writer())
        for pause in (0.1, 0.2):
            self.status(0x24)
            self.wire.clock.advance(pause)
        self.status(0x24)
        self.assertEqual(
            self.losses,
            ["201 bytes are lost: address not found"],
        )
        self.assertEqual((self.outbound.failures, self.outbound.bytes_lost), (1, 201))
        self.assertEqual((self.outbound.buffered, self.outbound.bytes_sent), (0, 0))
        self.assertEqual(len(self.wire.sent), 3)
        # What comes later has nothing to wait for.
        self.outbound.write(self.writer, b"again")
        self.assertEqual(self.wire.last.data, b"again")

    def test_hopeless(self) -> None:
        for delivery in (0x15, 0x23, 0x26, 0x2B, 0x2D, 0x2E):
            self.write(b"x")
            self.status(delivery)
            self.wire.clock.advance(60.0)
            self.assertEqual(len(self.losses), 1)
            del self.losses[:], self.wire.sent[:]

    def test_doubtful(self) -> None:
        """It may have arrived, so it must not be sent again. A status that nobody knows is one."""
        for delivery in (0x01, 0x21, 0xEE):
            self.write(b"x")
            self.status(delivery)
            self.wire.clock.advance(60.0)
            self.assertEqual((len(self.losses), len(self.wire.sent)), (1, 1))
            del self.losses[:], self.wire.sent[:]

    def test_doubtful_and_at_least_once(self) -> None:
        self.follow(at_least_once=True)
        self.write(b"x")
        for pause in (0.1, 0.2):
            self.status(0x21)
            self.wire.clock.advance(pause)
        self.assertEqual(self.data, [b"x"] * 3)
        # It is looked for again.
        self.assertEqual(self.wire.last.address16, UNKNOWN16)
        self.status()
        self.assertEqual((self.losses, self.outbound.bytes_sent), ([], 1))

    def test_no_status(self) -> None:
        self.outbound.write(self.writer, b"x")
        self.wire.clock.advance(TRANSMIT_TIMEOUT)
        self.assertEqual(len(self.losses), 1)
        self.outbound.write(self.writer, b"again")
        self.assertEqual(self.wire.last.data, b"again")

    def test_no_status_and_at_least_once(self) -> None:
        self.follow(at_least_once=True)
        self.outbound.write(self.writer, b"x")
        self.wire.clock.advance(TRANSMIT_TIMEOUT)
        self.wire.clock.advance(FIRST_BACKOFF)
        self.assertEqual((self.data, self.losses), ([b"x", b"x"], []))

    def test_radio_without_room_or_network(self) -> None:
        """However often, for as long as an outage may last."""
        for delivery in (0x22, 0x2C, 0x32):
            self.follow(retries=0)
            self.write(b"x")
            begin = self.wire.clock.seconds()
            while not self.losses:
                self.status(delivery)
                self.wire.clock.advance(MAX_BACKOFF)
            self.assertGreater(self.wire.clock.seconds() - begin, OUTAGE)
            self.assertLess(self.wire.clock.seconds() - begin, OUTAGE + 2 * MAX_BACKOFF)
            self.losses.clear()

    def test_too_large(self) -> None:
        """The packets get smaller, and stay so until the radio comes anew."""
        data = bytes(range(200))
        self.outbound.write(self.writer, data)
        self.status(0x74)
        self.status(0x74)
        self.assertEqual([len(piece) for piece in self.data], [84, 63, 47])
        del self.wire.sent[:2]
        self.assertEqual(self.drain(), data)
        self.assertLessEqual(max(map(len, self.data)), 47)
        self.assertEqual(self.losses, [])
        self.up()
        self.outbound.write(self.writer, data)
        self.assertEqual(len(self.wire.last.data), 84)

    def test_too_large_and_sent_again(self) -> None:
        """A piece of a packet that was too large comes before its rest, if sent again too."""
        data = bytes(range(80))
        self.outbound.write(self.writer, data)
        self.status(0x74)
        for delivery in (0x02, 0x24, 0x32):
            self.assertEqual(self.wire.last.data, data[:60])
            self.status(delivery)
            self.wire.clock.advance(4 * FIRST_BACKOFF)
        del self.wire.sent[:-1]
        self.assertEqual(self.drain(), data)
        self.assertEqual(self.losses, [])

    def test_too_large_and_sent_again_with_a_wide_window(self) -> None:
        self.follow(window=3, coalesce=0.0)
        data = bytes(range(80))
        self.outbound.write(self.writer, data)
        self.status(0x74)
        for frame in reversed(self.wire.sent[1:]):
            self.wire.receive(TransmitStatus(frame.frame_id, REMOTE16, 0, 0x02, 0))
        self.wire.clock.advance(FIRST_BACKOFF)
        self.assertEqual(self.data[3:], [data[:60], data[60:]])

    def test_too_large_however_small(self) -> None:
        self.outbound.write(self.writer, b"xyz")
        while not self.losses:
            self.status(0x74)
        self.assertEqual(self.outbound.bytes_lost, 3)

    def test_wide_window_sends_again_in_order(self) -> None:
        self.follow(window=2, coalesce=0.0)
        for piece in (b"a", b"b"):
            self.outbound.write(self.writer, piece)
        first, second = self.wire.sent
        for frame in (second, first):
            self.wire.receive(TransmitStatus(frame.frame_id, REMOTE16, 0, 0x02, 0))
        self.wire.clock.advance(FIRST_BACKOFF)
        self.assertEqual(self.data[2:], [b"a", b"b"])

    # --- end devices ---------------------------------------------------------------------------

    def test_extended_timeout(self) -> None:
        self.node.role = devices.END_DEVICE
        self.outbound.write(self.writer, b"x")
        self.assertEqual(self.wire.last.options, OPTION_EXTENDED_TIMEOUT)
        self.wire.clock.advance(EXTENDED_TRANSMIT_TIMEOUT - 1)
        self.assertEqual(self.losses, [])
        self.wire.clock.advance(1)
        self.assertEqual(len(self.losses), 1)

    def test_sleeper(self) -> None:
        """What it did not fetch waits on, far longer than retries would take, but not for ever."""
        self.node.role = devices.END_DEVICE
        for delivery in (0x24, 0x25, 0x75):
            self.write(b"x")
            begin = self.wire.clock.seconds()
            while self.wire.clock.seconds() - begin < PortSettings.sleep:
                self.assertEqual(self.losses, [])
                self.status(delivery)
                self.wire.clock.advance(MAX_BACKOFF)
            self.status(delivery)
            self.assertEqual(len(self.losses), 1)
            self.losses.clear()

    # --- without a radio -----------------------------------------------------------------------

    def test_losses_leave_nothing_behind(self) -> None:
        """Neither bytes in the count, nor a writer that is paused for ever."""
        for _ in range(50):
            writer = Writer()
            self.outbound.write(writer, b"x" * (HIGH_WATER + 100))
            self.assertEqual(writer.calls, ["pause"])
            self.status(0x21)
            self.assertEqual(writer.calls, ["pause", "resume"])
            self.outbound.closed(writer)
        self.assertEqual(self.outbound.buffered, 0)
        self.outbound.write(self.writer, b"x")
        self.assertEqual(self.writer.calls, [])

    def test_closed_writer_is_not_resumed(self) -> None:
        self.outbound.write(self.writer, b"x" * (HIGH_WATER + 100))
        self.outbound.closed(self.writer)
        self.drain()
        self.assertEqual(self.writer.calls, ["pause"])

    def test_offline(self) -> None:
        """What comes while the radio is away waits for it, for a short time."""
        self.wire.coordinator.link_down("It is gone.")
        self.outbound.write(self.writer, b"waiting")
        self.wire.clock.advance(OUTAGE - 0.1)
        self.assertEqual((self.losses, self.wire.sent), ([], []))
        self.up()
        self.assertEqual(self.wire.last.data, b"waiting")
        self.status()
        self.wire.clock.advance(OUTAGE)
        self.assertEqual(self.losses, [])

    def up(self) -> None:
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.outbound.radio_up()

    def test_packet_in_the_air_when_the_radio_goes(self) -> None:
        """What became of it is not known, so its writer is reset."""
        self.outbound.write(self.writer, b"in the air")
        self.wire.coordinator.link_down("It is gone.")
        self.assertEqual(self.losses, ["10 bytes are lost: It is gone."])

    def test_at_least_once_without_a_radio(self) -> None:
        """What was in the air is sent again, before what waits, when the radio is back."""
        self.follow(at_least_once=True)
        self.write(b"in the air")
        self.write(b" and behind")
        self.wire.coordinator.link_down("It is gone.")
        self.assertEqual((self.losses, self.outbound.buffered), ([], 21))
        self.up()
        self.assertEqual(self.drain()[10:], b"in the air and behind")

    def test_packet_that_the_radio_never_had(self) -> None:
        """It waited for a frame id when the radio went, so it is not lost."""
        self.wire.coordinator.set_congested(True)
        self.outbound.write(self.writer, b"held back")
        self.assertEqual(self.wire.sent, [])
        self.wire.coordinator.link_down("It is gone.")
        self.assertEqual(self.losses, [])
        self.up()
        self.assertEqual((self.data, self.losses), ([b"held back"], []))

    def test_congested_line(self) -> None:
        self.wire.coordinator.set_congested(True)
        self.outbound.write(self.writer, b"held back")
        self.assertEqual(self.wire.sent, [])
        self.wire.coordinator.set_congested(False)
        self.assertEqual(self.data, [b"held back"])

    def test_line_that_stays_congested(self) -> None:
        """The time runs; the packet was not sent, and is not in doubt."""
        self.wire.coordinator.set_congested(True)
        self.outbound.write(self.writer, b"held back")
        self.wire.clock.advance(TRANSMIT_TIMEOUT)
        self.assertEqual(self.losses, [])
        self.wire.coordinator.set_congested(False)
        self.wire.clock.advance(FIRST_BACKOFF)
        self.assertEqual(self.data, [b"held back"])

    def test_packet_in_the_air_when_the_stream_breaks(self) -> None:
        """Who wrote it is told, and may repeat it: it is not sent again by itself."""
        later: list[int] = []
        self.outbound.lost_later = lambda lost, why: later.append(lost)
        for delivery in (0x02, 0x24, 0x22, 0x32, 0x75, 0x74):
            self.outbound.write(self.writer, b"toggle")
            self.outbound.break_stream("A frame was damaged.")
            self.outbound.write(self.writer, b"again")
            sent = len(self.wire.sent)
            self.status(delivery)
            self.wire.clock.advance(PortSettings.coalesce)
            self.assertEqual(self.data[sent:], [b"again"], hex(delivery))
            self.status()
            self.wire.clock.advance(MAX_BACKOFF)
            self.assertEqual(len(self.wire.sent), sent + 1)
        self.assertEqual(later, [6] * 6)
        self.assertEqual(self.outbound.bytes_lost, 36)

    def test_packet_in_the_air_of_a_writer_that_is_reset(self) -> None:
        """The same where it is reset for a reason of its own, and what waits to be sent again."""
        for first in (0x02, None):
            self.outbound.write(self.writer, b"toggle")
            if first:
                self.status(first)
            self.outbound.discard(self.writer)
            if first is None:
                self.status(0x02)
            self.wire.clock.advance(MAX_BACKOFF)
            self.assertEqual(self.outbound.unconfirmed, 0)
        self.assertEqual(self.data, [b"toggle"] * 2)
        self.assertEqual(self.outbound.bytes_lost, 12)

    def test_long_outage(self) -> None:
        """A device does not get an old command when the radio comes back."""
        writers = [Writer() for _ in range(3)]
        self.wire.coordinator.link_down("It is gone.")
        for writer in writers:
            self.outbound.write(writer, b"x" * HIGH_WATER)
            self.outbound.closed(writer)
        self.wire.clock.advance(OUTAGE)
        self.assertEqual(self.losses, [f"{3 * HIGH_WATER} bytes are lost: It is gone."])
        self.assertEqual(self.outbound.bytes_lost, 3 * HIGH_WATER)
        # Nobody's patience starts anew while the radio is still away.
        self.outbound.write(self.writer, b"later")
        self.assertEqual(len(self.losses), 2)
        self.up()
        self.assertEqual(self.wire.sent, [])
        self.outbound.write(self.writer, b"new")
        self.assertEqual(self.wire.last.data, b"new")
        self.assertEqual(self.outbound.buffered, 0)

    def test_outage_begins_when_the_radio_goes(self) -> None:
        """And not when somebody writes: a client that was silent for the most of it does not get
        the whole time anew, and one that writes behind it is reset at once.
        """
        self.wire.coordinator.link_down("It is gone.")
        self.wire.clock.advance(OUTAGE - 1.0)
        self.outbound.write(self.writer, b"late")
        # To look for it again, and again in vain, is no new outage.
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.link_down("It is gone still.")
        self.assertEqual(self.losses, [])
        self.wire.clock.advance(1.0)
        self.assertEqual(self.losses, ["4 bytes are lost: It is gone still."])
        self.wire.clock.advance(3.0)
        self.outbound.write(self.writer, b"too late")
        self.assertEqual(self.losses[1:], ["8 bytes are lost: It is gone still."])
        self.up()
        self.assertEqual(self.wire.sent, [])

    def test_bytes_that_wait_when_the_radio_goes(self) -> None:
        self.outbound.write(self.writer, b"x" * 100)
        self.assertEqual(self.outbound.buffered, 16)
        self.wire.coordinator.link_down("It is gone.")
        self.assertEqual(self.outbound.buffered, 0)
        self.assertEqual(self.outbound.bytes_lost, 100)

    def test_address_that_no_node_can_have(self) -> None:
        """A status may say that there is none in more ways than one."""
        self.nodes.located(self.node, Address16(0x7777))
        for nobody in (0xFFFD, 0xFFFE, 0xFFFF):
            self.outbound.write(self.writer, b"x")
            self.wire.receive(TransmitStatus(self.wire.last.frame_id, Address16(nobody), 0, 0, 0))
            self.assertEqual(self.node.address16, 0x7777)
        self.assertEqual(self.outbound.bytes_sent, 3)

    def test_address_follows_the_node(self) -> None:
        self.outbound.write(self.writer, b"x")
        moved = Address16(0x7777)
        self.wire.receive(
            TransmitStatus(self.wire.last.frame_id, moved, 0, DeliveryStatus.DELIVERED, 1)
        )
        self.assertEqual(self.node.address16, moved)
        for doubtful in (0x21, 0x24, 0x25):
            self.nodes.located(self.node, moved)
            self.outbound.write(self.writer, b"x")
            self.assertEqual(self.wire.last.address16, moved)
            self.status(doubtful)
            self.assertEqual(self.node.address16, UNKNOWN16)
            self.wire.clock.advance(FIRST_BACKOFF)
            self.status()
            self.assertEqual(self.outbound.buffered, 0)
            self.nodes.located(self.node, UNKNOWN16)
        self.outbound.write(self.writer, b"x")
        self.assertEqual(self.wire.last.address16, UNKNOWN16)

    def test_stop(self) -> None:
        self.outbound.write(self.writer, b"x" * 200)
        self.assertEqual(self.outbound.stop(), 200)
        self.assertEqual(self.outbound.bytes_lost, 200)
        self.outbound.write(self.writer, b"y")
        self.assertEqual(self.outbound.buffered, 0)
        self.assertEqual(len(self.wire.sent), 1)
        self.wire.coordinator.link_down("over")
        self.assertEqual(self.losses, [])


class HoldTests(OutboundTestCase):
    """What is written goes out first, and the rest waits until the way is released."""

    def hold(self) -> list[str]:
        """Hold the way; return a list that says when nothing is on it."""
        quiet: list[str] = []
        self.outbound.hold().addCallbacks(
            lambda _: quiet.append("quiet"), lambda failure: quiet.append(failure.type.__name__)
        )
        return quiet

    def test_nothing_on_its_way(self) -> None:
        self.assertEqual(self.hold(), ["quiet"])
        self.write(b"later")
        self.assertEqual((self.data, self.outbound.buffered), ([], 5))
        self.outbound.release()
        self.assertEqual(self.data, [b"later"])

    def test_what_was_written(self) -> None:
        self.write(b"one")
        self.write(b"two")
        quiet = self.hold()
        self.write(b"three")
        self.status()
        self.assertEqual((self.data, quiet), ([b"one", b"two"], []))
        self.status()
        self.assertEqual((self.data, quiet), ([b"one", b"two"], ["quiet"]))
        self.outbound.release()
        self.assertEqual(self.data, [b"one", b"two", b"three"])
        self.status()
        self.write(b"four")
        self.assertEqual(self.data[3:], [b"four"])

    def test_sent_again(self) -> None:
        """It is not quiet before what did not arrive has."""
        self.write(b"one")
        quiet = self.hold()
        self.status(DeliveryStatus.CHANNEL_BUSY)
        self.assertEqual(quiet, [])
        self.wire.clock.advance(FIRST_BACKOFF)
        self.status()
        self.assertEqual((self.data, quiet), ([b"one", b"one"], ["quiet"]))

    def test_line_of_the_node(self) -> None:
        """Its buffer has to be empty as well."""
        self.follow(pace=1200)
        self.write(bytes(84))
        quiet = self.hold()
        self.status()
        self.wire.clock.advance(0.5)
        self.assertEqual(quiet, [])
        self.wire.clock.advance(0.5)
        self.assertEqual(quiet, ["quiet"])

    def test_released_too_soon(self) -> None:
        """The order is kept all the same."""
        self.write(b"one")
        self.write(b"two")
        quiet = self.hold()
        self.write(b"three")
        self.outbound.release()
        self.assertEqual(quiet, ["CancelledError"])
        self.assertEqual(self.drain(), b"onetwothree")

    def test_writers_are_paused(self) -> None:
        """They are resumed once, when there is room in what waits."""
        self.write(b"x" * (HIGH_WATER + 100))
        self.hold()
        self.assertEqual(self.writer.calls, ["pause"])
        self.assertTrue(self.outbound.holds_back(self.writer))
        self.drain()
        self.assertEqual(self.writer.calls, ["pause"])
        other = Writer()
        self.write(b"y" * HIGH_WATER, other)
        self.assertTrue(other.is_paused)
        self.outbound.release()
        self.assertEqual(self.writer.calls, ["pause", "resume"])
        self.assertTrue(other.is_paused)
        self.drain()
        self.assertFalse(other.is_paused)

    def test_released_too_soon_while_writers_are_paused(self) -> None:
        self.write(b"x" * (HIGH_WATER + 100))
        self.hold()
        self.outbound.release()
        self.assertTrue(self.writer.is_paused)
        self.drain()
        self.assertFalse(self.writer.is_paused)

    def test_broken_meanwhile(self) -> None:
        """All that waits is dropped, and the way is quiet."""
        self.write(b"one")
        quiet = self.hold()
        self.write(b"three")
        self.status(DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT)
        self.assertEqual(len(self.losses), 1)
        self.assertEqual((self.outbound.buffered, self.outbound.bytes_lost), (0, 8))
        self.assertEqual(quiet, ["quiet"])
        self.outbound.release()
        self.write(b"four")
        self.assertEqual(self.data, [b"one", b"four"])

    def test_writers_that_leave(self) -> None:
        other = Writer()
        self.write(b"one")
        self.hold()
        self.write(b"two")
        self.write(b"x" * 90, other)
        self.assertTrue(self.outbound.has_bytes_of(other))
        self.assertEqual(self.outbound.purge(other), 90)
        self.assertFalse(self.outbound.has_bytes_of(other))
        self.outbound.ended(self.writer)
        self.outbound.closed(self.writer)
        self.outbound.opened(other)
        self.outbound.release()
        self.assertEqual(self.drain(), b"onetwo")

    def test_stopped_meanwhile(self) -> None:
        self.write(b"one")
        quiet = self.hold()
        self.write(b"two")
        self.assertEqual(self.outbound.stop(), 6)
        self.outbound.release()
        self.assertEqual((self.data, quiet), ([b"one"], ["CancelledError"]))

    def test_radio_that_goes_away(self) -> None:
        """What was written meanwhile waits for it, and not for longer than anything."""
        self.hold()
        self.wire.coordinator.link_down("It is gone.")
        self.write(b"two")
        self.outbound.radio_down()
        self.outbound.release()
        self.assertEqual(self.losses, [])
        self.wire.clock.advance(OUTAGE)
        self.assertEqual(len(self.losses), 1)
