"""The serial line: chunks, silence, counters, and mistakes of our own."""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.radio.support import REMOTE, REMOTE16, Owner
from tests.support import producer_of
from zbtwist.radio.damage import Sender
from zbtwist.radio.frame_timeout import MAX_FRAME, SILENCE
from zbtwist.radio.hearers import only
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.statistics import Traffic
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.xbee.frames import (
    ATCommand,
    Frame,
    MalformedFrame,
    ModemStatus,
    ReceivePacket,
    TransmitStatus,
    UnknownFrame,
)
from zbtwist.xbee.framing import encode

#: What a damaged frame of that node says of its sender.
SAID = Sender(REMOTE, REMOTE16)

PACKET = ReceivePacket(REMOTE, REMOTE16, 1, b"~}\x11\x13 bytes that mode 2 escapes")


class ProtocolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.owner = Owner()
        self.frames, self.damage = self.owner.frames, self.owner.damage
        self.protocol = RadioProtocol(self.clock, 1, self.owner)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def test_made_and_lost(self) -> None:
        self.assertEqual(self.owner.made, [self.protocol])
        self.protocol.connectionLost()
        self.assertEqual(self.owner.lost, [self.protocol])

    def test_send_in_both_modes(self) -> None:
        frame = ATCommand(0x11, "NI", b"~}")
        self.protocol.send(frame)
        self.assertEqual(self.transport.value(), encode(frame.to_bytes(), 1))
        self.transport.clear()
        self.protocol.set_api_mode(2)
        self.protocol.send(frame)
        self.assertEqual(self.transport.value(), encode(frame.to_bytes(), 2))

    def test_receive_a_byte_at_a_time(self) -> None:
        for mode in (1, 2):
            self.protocol.set_api_mode(mode)
            wire = encode(PACKET.to_bytes(), mode)
            for index in range(len(wire)):
                self.protocol.dataReceived(wire[index : index + 1])
        self.assertEqual(self.frames, [PACKET, PACKET])
        self.assertEqual(self.protocol.decoder.good_frames, 2)

    def test_counters_survive_a_change_of_mode(self) -> None:
        self.protocol.dataReceived(encode(PACKET.to_bytes(), 1) + b"garbage\x7e\x00")
        self.protocol.set_api_mode(2)
        self.assertEqual(self.protocol.api_mode, 2)
        self.assertEqual(self.protocol.decoder.good_frames, 1)
        self.assertEqual(self.protocol.decoder.discarded_bytes, len(b"garbage\x7e\x00"))

    def test_damage(self) -> None:
        """Whoever's bytes may be lost is named, each time, and nobody while all is well."""
        for mode in (1, 2):
            self.protocol.set_api_mode(mode)
            good = encode(PACKET.to_bytes(), mode)
            bad = good[:-1] + bytes([good[-1] ^ 1])
            self.protocol.dataReceived(good + bad)
            # In mode 2 what follows shows where it ends.
            self.protocol.dataReceived(good)
            self.protocol.dataReceived(b"noise" + good)
            self.protocol.dataReceived(good)
            self.assertIn(self.damage, ([[SAID], None], [None, None]))
            self.damage.clear()

    def test_damage_is_said_before_anything_is_written(self) -> None:
        """Nobody may read what was behind the hole before the connection ends."""
        said: list[object] = []
        batch = WriteBatch()
        owner = Owner(lambda frame: batch.at_end(lambda: said.append("written")))
        self.patch(owner, "frames_damaged", said.append)
        protocol = RadioProtocol(self.clock, 1, owner, batch=batch)
        good = encode(PACKET.to_bytes(), 1)
        bad = good[:-1] + bytes([good[-1] ^ 1])
        for data in (bad + good, good + bad, good + bad + good, b"noise" + good):
            protocol.dataReceived(data)
            self.assertIn(said[0], ([SAID], None))
            self.assertEqual(set(said[1:]), {"written"})
            said.clear()

    def test_damage_that_silence_shows(self) -> None:
        self.protocol.dataReceived(encode(PACKET.to_bytes(), 1)[:-1])
        self.assertEqual(self.damage, [])
        self.clock.advance(SILENCE)
        self.assertEqual(self.damage, [None])

    def test_hostile_damage(self) -> None:
        """What is kept to find out whose frames they were is bounded."""
        self.protocol.dataReceived(b"\x7e" * 100_000)
        self.assertEqual(self.damage, [None])

    def test_unknown_and_malformed_are_handed_up(self) -> None:
        self.protocol.dataReceived(encode(b"\xee123", 1) + encode(b"\x8b\x01", 1))
        self.assertEqual([type(frame) for frame in self.frames], [UnknownFrame, MalformedFrame])
        self.assertEqual(self.protocol.malformed_frames, 2)

    def test_taker_is_asked_first(self) -> None:
        """Of its type alone; and what it does not take goes the way of all frames."""
        asked: list[tuple[bytes, float]] = []

        def take(frame_data: bytes, now: float) -> bool:
            asked.append((frame_data, now))
            return frame_data == PACKET.to_bytes()

        self.owner.hearers.takers[ReceivePacket.frame_type] = take
        self.clock.advance(5)
        other = ReceivePacket(REMOTE, REMOTE16, 1, b"not taken")
        for frame_data in (PACKET.to_bytes(), other.to_bytes(), b"\x90short", b"\x8a\x00"):
            self.protocol.dataReceived(encode(frame_data, 1))
        self.assertEqual([when for _, when in asked], [5.0, 5.0, 5.0])
        kinds = [ReceivePacket, MalformedFrame, ModemStatus]
        self.assertEqual([type(frame) for frame in self.frames], kinds)
        self.assertEqual(self.frames[0], other)
        self.assertEqual(self.protocol.malformed_frames, 1)

    def test_who_hears_may_have_others_hear_the_rest(self) -> None:
        """When a frame came is known to those who heard it, and to the others not by that."""
        rest: list[Frame] = []
        others = only(self.clock, rest.append)

        def hear(frame: Frame) -> None:
            self.frames.append(frame)
            self.owner.hearers = others

        first = self.owner.hearers = only(self.clock, hear)
        began = self.clock.seconds()
        self.clock.advance(2)
        packet = encode(PACKET.to_bytes(), 1)
        self.protocol.dataReceived(packet)
        self.assertEqual((first.last_frame, others.last_frame), (began + 2, began))
        self.owner.hearers = first
        self.protocol.dataReceived(packet + encode(b"\x8a\x00", 1))
        self.assertEqual((self.frames, rest), ([PACKET, PACKET], [ModemStatus(0)]))
        self.assertEqual(others.last_frame, began + 2)

    def test_silence_ends_a_false_start(self) -> None:
        self.protocol.dataReceived(b"\x7e\x00\x70" + encode(PACKET.to_bytes(), 1))
        self.assertEqual(self.frames, [])
        self.clock.advance(SILENCE)
        self.assertEqual(self.frames, [PACKET])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_frame_is_waited_for(self) -> None:
        """Frame after frame, each in pieces with pauses between them."""
        wire = encode(PACKET.to_bytes(), 1)
        for _ in range(5):
            for piece in (wire[:1], wire[1:5], wire[5:20], wire[20:-1], wire[-1:]):
                self.protocol.dataReceived(piece)
                self.clock.advance(SILENCE * 0.49)
        self.assertEqual(self.frames, [PACKET] * 5)
        self.clock.advance(SILENCE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_false_start_is_not_waited_for_while_frames_go_by(self) -> None:
        """The line is never silent, and no frame is late by more than `MAX_FRAME`."""
        self.protocol.dataReceived(b"\x7e\x02\x00")
        wire = encode(ReceivePacket(REMOTE, REMOTE16, 1, b"").to_bytes(), 1)
        for _ in range(20):
            self.protocol.dataReceived(wire)
            self.clock.pump([0.1] * 3)
            if self.frames:
                break
        self.assertLessEqual(self.clock.seconds(), MAX_FRAME + SILENCE)
        self.assertEqual(len(self.frames), round(self.clock.seconds() / 0.3))

    def test_connection_lost_in_a_frame(self) -> None:
        self.protocol.dataReceived(b"\x7e\x00")
        self.protocol.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_half_a_frame_is_a_damaged_one(self) -> None:
        """At the line's end, and where the rate or the mode changes. Whose it was is said before
        the line is said to be gone.
        """
        for mode in (1, 2):
            half = encode(ReceivePacket(REMOTE, REMOTE16, 1, b"plain").to_bytes(), mode)[:-1]
            for end in ("connectionLost", "start_over", "set_api_mode"):
                for part, whose in ((half, [SAID]), (half[:9], None), (half[:2], None)):
                    owner = Owner()
                    traffic = Traffic(EventBus())
                    protocol = RadioProtocol(self.clock, mode, owner, traffic)
                    protocol.makeConnection(StringTransport())
                    order: list[object] = []
                    self.patch(owner, "frames_damaged", order.append)
                    self.patch(owner, "protocol_lost", lambda *_, order=order: order.append("lost"))
                    protocol.dataReceived(encode(PACKET.to_bytes(), mode) + part)
                    self.assertEqual(order, [])
                    arguments = (3 - mode,) if end == "set_api_mode" else ()
                    getattr(protocol, end)(*arguments)
                    is_lost = end == "connectionLost"
                    self.assertEqual(order, [whose, "lost"] if is_lost else [whose])
                    self.assertEqual(protocol.decoder.discarded_bytes, len(part))
                    self.assertEqual(traffic.bad_frames, int(is_lost))

    def test_half_a_status_is_nobodys(self) -> None:
        """Who waits for it notices."""
        wire = encode(TransmitStatus(1, REMOTE16, 0, 0, 0).to_bytes(), 1)
        self.protocol.dataReceived(wire[:-2])
        self.protocol.connectionLost()
        self.assertEqual(self.damage, [[]])

    def test_half_a_frame_that_may_be_of_several(self) -> None:
        """In mode 1 another may have begun in what is taken for the first one's."""
        wire = encode(ReceivePacket(REMOTE, REMOTE16, 1, b"plain").to_bytes(), 1)
        self.protocol.dataReceived(wire[:13] + wire[:4])
        self.protocol.connectionLost()
        self.assertEqual(self.damage, [None])

    def test_our_mistake_costs_one_frame(self) -> None:
        seen = []

        def mistaken(frame: Frame) -> None:
            seen.append(frame)
            raise RuntimeError("a mistake")

        protocol = RadioProtocol(self.clock, 1, Owner(mistaken))
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(encode(PACKET.to_bytes(), 1) * 2)
        self.assertEqual(seen, [PACKET, PACKET])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_frame_that_changes_the_mode(self) -> None:
        """What comes behind it in the same read is not waited for in the old mode."""
        protocol = RadioProtocol(self.clock, 1, Owner(lambda frame: protocol.set_api_mode(2)))
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(encode(PACKET.to_bytes(), 1) + b"\x7e\x00")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(protocol.decoder.discarded_bytes, 2)


class RawTests(SynchronousTestCase):
    def test_bytes_that_are_no_frames(self) -> None:
        frames: list[Frame] = []
        raw: list[bytes] = []
        protocol = RadioProtocol(Clock(), 1, Owner(frames.append))
        transport = StringTransport()
        protocol.makeConnection(transport)
        wire = encode(PACKET.to_bytes(), 1)
        protocol.dataReceived(wire[:5])
        protocol.listen_raw(raw.append)
        protocol.write(b"+++")
        protocol.dataReceived(wire)
        protocol.listen_raw(None)
        self.assertEqual((frames, raw, transport.value()), ([], [wire], b"+++"))
        protocol.dataReceived(wire)
        self.assertEqual(frames, [PACKET])

    def test_start_over(self) -> None:
        frames: list[Frame] = []
        protocol = RadioProtocol(Clock(), 1, Owner(frames.append))
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(b"\x7e\x01\x00")
        protocol.start_over()
        protocol.dataReceived(encode(PACKET.to_bytes(), 1))
        self.assertEqual(frames, [PACKET])
        self.assertEqual(protocol.decoder.discarded_bytes, 3)

    def test_slow_frame_after_starting_over(self) -> None:
        """It is waited for as long as any other, whatever was waited for before."""
        clock = Clock()
        frames: list[Frame] = []
        protocol = RadioProtocol(clock, 1, Owner(frames.append))
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(b"\x7e")
        clock.advance(SILENCE)
        clock.advance(MAX_FRAME)
        protocol.start_over()
        for byte in encode(ReceivePacket(REMOTE, REMOTE16, 1, b"").to_bytes(), 1):
            protocol.dataReceived(bytes([byte]))
            clock.advance(0.1)
        self.assertEqual(len(frames), 1)


class CongestionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.owner = Owner()
        self.protocol = RadioProtocol(Clock(), 1, self.owner)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def test_transport_is_full(self) -> None:
        producer = producer_of(self.transport)
        producer.pauseProducing()
        producer.pauseProducing()
        self.assertTrue(self.protocol.is_congested)
        producer.resumeProducing()
        self.assertFalse(self.protocol.is_congested)
        self.assertEqual(self.owner.congestion, [True, False])

    def test_lost_while_full(self) -> None:
        """Nobody is told to go on: there is nothing to write to."""
        producer_of(self.transport).pauseProducing()
        producer_of(self.transport).stopProducing()
        self.protocol.connectionLost()
        self.assertEqual(self.owner.congestion, [True])
        self.assertFalse(self.protocol.is_congested)
