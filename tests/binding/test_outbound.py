"""Bytes to a node: packets, turns, back-pressure, losses."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import FACTS, REMOTE, REMOTE16, Wire
from zbtwist.binding.outbound import (
    HIGH_WATER,
    LOW_WATER,
    NODE_LIMIT,
    OUTAGE_PATIENCE,
    Outbound,
)
from zbtwist.network import NodeTable
from zbtwist.radio.coordinator import TRANSMIT_TIMEOUT
from zbtwist.xbee.address import UNKNOWN16, Address16
from zbtwist.xbee.frames import TransmitRequest, TransmitStatus
from zbtwist.xbee.status import DELIVERED


class Writer:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.resets: list[str] = []

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def reset(self, reason: str) -> None:
        self.resets.append(reason)


class OutboundTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.nodes = NodeTable()
        node = self.nodes.seen(REMOTE, REMOTE16, 0.0)
        assert node is not None
        self.node = node
        node.label = "E1"
        self.outbound = Outbound(self.wire.clock, self.wire.coordinator, self.nodes, self.node)
        self.writer = Writer()

    def status(self, delivery: int = DELIVERED) -> None:
        """The status of the packet in the air comes."""
        self.wire.receive(TransmitStatus(self.wire.last.frame_id, REMOTE16, 0, delivery, 0))

    def drain(self) -> bytes:
        """Deliver packet by packet until nothing is in the air; return all that was sent."""
        while True:
            count = len(self.wire.sent)
            self.status()
            if len(self.wire.sent) == count:
                return b"".join(frame.data for frame in self.wire.sent)

    def test_packet(self) -> None:
        self.outbound.write(self.writer, b"hello")
        sent = self.wire.last
        self.assertEqual(sent, TransmitRequest(sent.frame_id, REMOTE, REMOTE16, 0, 0, b"hello"))
        self.status()
        self.assertEqual((self.outbound.bytes_sent, self.outbound.packets_sent), (5, 1))
        self.assertEqual(len(self.wire.sent), 1)

    def test_one_packet_in_the_air(self) -> None:
        for piece in (b"one", b"two", b"three"):
            self.outbound.write(self.writer, piece)
        self.assertEqual([frame.data for frame in self.wire.sent], [b"one"])
        self.status()
        # What has come meanwhile goes together.
        self.assertEqual([frame.data for frame in self.wire.sent], [b"one", b"twothree"])

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
        writers = [Writer() for _ in range(NODE_LIMIT // 4000 + 1)]
        for writer in writers:
            self.outbound.write(writer, b"x" * 4000)
            self.outbound.closed(writer)
        self.assertGreaterEqual(self.outbound.buffered, NODE_LIMIT)
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

    def test_not_delivered(self) -> None:
        other = Writer()
        self.outbound.write(self.writer, b"x" * 200)
        self.outbound.write(other, b"y")
        self.status(0x24)
        self.assertEqual(
            self.writer.resets,
            ["200 bytes for E1 (00:13:a2:00:40:0a:3e:ff) are lost: address not found"],
        )
        self.assertEqual((self.outbound.failures, self.outbound.bytes_lost), (1, 201))
        # The other would have waited as long for the same end.
        self.assertEqual(other.resets, [f"1 bytes for {self.node} are lost: address not found"])
        self.assertEqual(len(self.wire.sent), 1)
        self.assertEqual((self.outbound.buffered, self.outbound.bytes_sent), (0, 0))
        self.outbound.write(other, b"again")
        self.assertEqual(self.wire.last.data, b"again")

    def test_no_status(self) -> None:
        self.outbound.write(self.writer, b"x")
        self.wire.clock.advance(TRANSMIT_TIMEOUT)
        self.assertEqual(len(self.writer.resets), 1)
        self.outbound.write(self.writer, b"again")
        self.assertEqual(self.wire.last.data, b"again")

    def test_losses_leave_nothing_behind(self) -> None:
        """Neither bytes in the count, nor a writer that is paused for ever."""
        for _ in range(50):
            writer = Writer()
            self.outbound.write(writer, b"x" * (HIGH_WATER + 100))
            self.assertEqual(writer.calls, ["pause"])
            self.status(0x24)
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
        self.wire.clock.advance(OUTAGE_PATIENCE - 0.1)
        self.assertEqual((self.writer.resets, self.wire.sent), ([], []))
        self.up()
        self.assertEqual(self.wire.last.data, b"waiting")
        self.status()
        self.wire.clock.advance(OUTAGE_PATIENCE)
        self.assertEqual(self.writer.resets, [])

    def up(self) -> None:
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.outbound.radio_up()

    def test_packet_in_the_air_when_the_radio_goes(self) -> None:
        """What became of it is not known, so its writer is reset."""
        self.outbound.write(self.writer, b"in the air")
        self.wire.coordinator.link_down("It is gone.")
        (reset,) = self.writer.resets
        self.assertEqual(reset, f"10 bytes for {self.node} are lost: It is gone.")

    def test_long_outage(self) -> None:
        """A device does not get an old command when the radio comes back."""
        writers = [Writer() for _ in range(3)]
        self.wire.coordinator.link_down("It is gone.")
        for writer in writers:
            self.outbound.write(writer, b"x" * HIGH_WATER)
            self.outbound.closed(writer)
        self.wire.clock.advance(OUTAGE_PATIENCE)
        for writer in writers:
            self.assertEqual(
                writer.resets, [f"{HIGH_WATER} bytes for {self.node} are lost: It is gone."]
            )
        self.assertEqual(self.outbound.bytes_lost, 3 * HIGH_WATER)
        # Nobody's patience starts anew while the radio is still away.
        self.outbound.write(self.writer, b"later")
        self.assertEqual(len(self.writer.resets), 1)
        self.up()
        self.assertEqual(self.wire.sent, [])
        self.outbound.write(self.writer, b"new")
        self.assertEqual(self.wire.last.data, b"new")
        self.assertEqual(self.outbound.buffered, 0)

    def test_bytes_that_wait_when_the_radio_goes(self) -> None:
        self.outbound.write(self.writer, b"x" * 100)
        self.assertEqual(self.outbound.buffered, 16)
        self.wire.coordinator.link_down("It is gone.")
        self.assertEqual(self.outbound.buffered, 0)
        self.assertEqual(self.outbound.bytes_lost, 100)

    def test_address_follows_the_node(self) -> None:
        self.outbound.write(self.writer, b"x")
        moved = Address16(0x7777)
        self.wire.receive(TransmitStatus(self.wire.last.frame_id, moved, 0, DELIVERED, 1))
        self.assertEqual(self.node.address16, moved)
        for doubtful in (0x21, 0x24, 0x25):
            self.nodes.located(self.node, moved)
            self.outbound.write(self.writer, b"x")
            self.assertEqual(self.wire.last.address16, moved)
            self.status(doubtful)
            self.assertEqual(self.node.address16, UNKNOWN16)
        self.outbound.write(self.writer, b"x")
        self.assertEqual(self.wire.last.address16, UNKNOWN16)

    def test_stop(self) -> None:
        self.outbound.write(self.writer, b"x" * 200)
        self.outbound.stop()
        self.outbound.write(self.writer, b"y")
        self.assertEqual(self.outbound.buffered, 0)
        self.assertEqual(len(self.wire.sent), 1)
        self.wire.coordinator.link_down("over")
        self.assertEqual(self.writer.resets, [])
