"""Senders without a 64-bit address whose 16-bit one is not known."""

from __future__ import annotations

from tests.network.support import NetworkTestCase
from tests.radio.support import FACTS, LOCAL, REMOTE
from zbtwist.network.events import SenderUnknown
from zbtwist.network.unknown_senders import (
    ASK_PAUSE,
    ASKED_AT_ONCE,
    FRAME_COST,
    KEEP_TIME,
    MAX_BYTES,
    MAX_SENDERS,
    SILENT_PAUSE,
)
from zbtwist.xbee.address import UNKNOWN16, UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ExplicitReceive,
    IODataSample,
    NodeIdentification,
    RemoteATCommand,
    RemoteATCommandResponse,
    RouteRecord,
    SensorRead,
)
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.sensor_reading import SensorReading

#: The 16-bit address of a sender that nobody knows.
STRANGER16 = Address16(0x7777)
OTHER = Address64(0x0013A200_40000002)
OTHER16 = Address16(0x2222)


class UnknownSenderTests(NetworkTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.up()
        # It is at another address now than the one it had.
        self.received = self.known()
        self.advance(1.0)

    def say(self, data: bytes, address16: Address16 = STRANGER16) -> None:
        """Bytes come without a 64-bit address."""
        self.hear(data, UNKNOWN64, address16)

    def tell(self, who: Address64 = REMOTE, **other: object) -> None:
        """The sender answers SH and SL."""
        self.assertEqual(self.wire.last.command, "SH")
        self.answer(0, (who >> 32).to_bytes(4, "big"), **other)
        if self.wire.last.command == "SL":
            self.answer(0, (who & 0xFFFF_FFFF).to_bytes(4, "big"), **other)

    def lost(self) -> list[SenderUnknown]:
        return [event for event in self.events if isinstance(event, SenderUnknown)]

    # --- it becomes known ----------------------------------------------------------------------

    def test_asked(self) -> None:
        self.say(b"1")
        sent = self.wire.last
        self.assertEqual(
            sent, RemoteATCommand(sent.frame_id, UNKNOWN64, STRANGER16, sent.options, "SH")
        )
        self.say(b"2")
        self.assertEqual(self.asked(), ["SH"])
        self.tell()
        self.assertEqual(self.asked(), ["SH", "SL"])
        self.say(b"3")
        self.hear(b"4", address16=STRANGER16)
        self.assertEqual(self.received, [b"1", b"2", b"3", b"4"])
        self.assertEqual(self.node().address16, STRANGER16)
        self.assertEqual((self.lost(), self.network.unattributed_frames), ([], 0))
        self.network.stopService()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_answers_have_no_64_bit_address_either(self) -> None:
        self.say(b"1")
        self.tell(address64=UNKNOWN64)
        self.assertEqual(self.received, [b"1"])

    def test_answer_has_the_64_bit_address(self) -> None:
        """Then SL is not waited for."""
        self.say(b"1")
        self.answer(0, b"\x00\x13\xa2\x00", address64=REMOTE)
        self.assertEqual(self.received, [b"1"])
        self.assertEqual(self.network.unattributed_frames, 0)

    def test_nothing_overtakes_what_is_kept(self) -> None:
        """The node says its 64-bit address before the answer is there."""
        self.say(b"1")
        self.say(b"2")
        self.hear(b"3", address16=STRANGER16)
        self.say(b"4")
        self.assertEqual(self.received, [b"1", b"2", b"3", b"4"])
        self.advance(KEEP_TIME)
        self.assertEqual(self.lost(), [])

    def test_overtaken(self) -> None:
        """The node was heard by its 64-bit address alone: what it said before cannot follow."""
        self.known(OTHER, OTHER16)
        self.say(b"1")
        self.hear(b"2", address16=UNKNOWN16)
        self.tell()
        self.assertEqual(self.received, [b"2"])
        [event] = self.lost()
        self.assertEqual((event.bytes_lost, event.candidates), (1, (REMOTE,)))
        self.assertEqual(self.node().address16, STRANGER16)

    def test_it_says_who_it_is(self) -> None:
        """By a node identification, or an answer to a search."""
        self.say(b"1")
        description = NodeDescription(STRANGER16, REMOTE, b"E1")
        self.wire.receive(NodeIdentification(UNKNOWN64, STRANGER16, 2, description))
        self.assertEqual(self.received, [b"1"])

    def test_packet_arrives_there(self) -> None:
        """A Transmit Status said where the node is."""
        self.say(b"1")
        self.network.nodes.located(self.node(), STRANGER16)
        self.assertEqual(self.received, [b"1"])

    def test_asked_again(self) -> None:
        """The first question got lost, and the second one had an answer that makes no sense."""
        self.say(b"1")
        self.answer(4, address16=UNKNOWN16)
        self.advance(ASK_PAUSE)
        self.answer(0, b"\x00\x13\xa2\x00")
        self.answer(0, b"\x01" * 5)
        self.advance(ASK_PAUSE)
        self.tell()
        self.assertEqual(self.received, [b"1"])

    def test_new_node(self) -> None:
        self.say(b"1")
        self.tell(OTHER)
        self.assertEqual(self.node(OTHER).address16, STRANGER16)
        # And then it is asked for its name, as all are.
        self.assertEqual(self.wire.last.command, "NI")

    def test_our_own_radio(self) -> None:
        self.say(b"1")
        self.tell(LOCAL)
        self.assertEqual((len(self.network.nodes), self.lost()), (1, []))
        self.advance(2 * KEEP_TIME)
        self.assertEqual(self.lost(), [])

    def test_other_frames(self) -> None:
        """Samples and routes make their sender known, too."""
        frames = [
            IODataSample(UNKNOWN64, STRANGER16, 1, IOSample(1, 1)),
            SensorRead(UNKNOWN64, STRANGER16, 1, SensorReading(2, thermometer=0x150)),
            RouteRecord(UNKNOWN64, STRANGER16, 1, [Address16(5)]),
            ExplicitReceive(UNKNOWN64, STRANGER16, 0xE8, 0xE8, 0x0011, 0xC105, 1, b"1"),
        ]
        for frame in frames:
            self.wire.receive(frame)
        self.tell()
        node = self.node()
        self.assertEqual((node.temperature, node.route, self.received), (21.0, (5,), [b"1"]))

    def test_two_of_them(self) -> None:
        """Their samples are not taken for those of one node, as other programs do that go by the
        64-bit address alone.
        """
        for address16 in (STRANGER16, OTHER16):
            self.wire.receive(IODataSample(UNKNOWN64, address16, 0, IOSample(3, 0)))
        first, second = [frame for frame in self.wire.sent if frame.command == "SH"]
        for sent, address64 in ((second, OTHER), (first, REMOTE)):
            high = (address64 >> 32).to_bytes(4, "big")
            self.wire.receive(
                RemoteATCommandResponse(sent.frame_id, address64, sent.address16, "SH", 0, high)
            )
        self.assertEqual((self.node().address16, self.node(OTHER).address16), (STRANGER16, OTHER16))

    def test_many_at_once(self) -> None:
        """After a restart of the radio all may come so."""
        for number in range(1, 101):
            self.say(b"x", Address16(number))
        self.assertEqual(self.asked(), ["SH"] * ASKED_AT_ONCE)
        for number in range(1, 101):
            self.network.nodes.seen(Address64(number), Address16(number), 0.0)
        self.assertEqual(len(self.network.nodes), 101)
        self.assertEqual((self.lost(), self.network.unattributed_frames), ([], 0))

    # --- it does not ---------------------------------------------------------------------------

    def test_no_answer(self) -> None:
        """Whoever it may be is said: not the node that was heard elsewhere meanwhile."""
        self.known(OTHER, OTHER16)
        third = self.network.nodes.add(Address64(3))
        assert third is not None
        self.say(b"12")
        self.advance(1.0)
        self.say(b"345")
        self.hear(b"x", OTHER, OTHER16)
        self.advance(KEEP_TIME)
        [event] = self.lost()
        self.assertEqual(event, SenderUnknown(STRANGER16, 5, (REMOTE, Address64(3))))
        self.assertIn("5 bytes came from the 16-bit address 7777", str(event))
        self.assertEqual(
            event.values(), {"address16": "7777", "others": 0, "bytes_lost": 5, "nodes": 2}
        )
        self.assertEqual(self.network.unattributed_frames, 2)
        # The next bytes are another matter.
        self.say(b"6")
        self.tell()
        self.assertEqual(self.received, [b"6"])

    def test_link_goes_down(self) -> None:
        """There will be no answer."""
        for number in range(ASKED_AT_ONCE + 1):
            self.say(b"x", Address16(0x5000 + number))
        self.wire.coordinator.link_down("It is gone.")
        self.assertEqual(len(self.lost()), ASKED_AT_ONCE + 1)
        self.wire.coordinator.close()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """What is kept is lost, which clients must notice before their ports are closed."""
        self.say(b"x")
        self.network.stopService()
        self.assertEqual(len(self.lost()), 1)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_device_that_is_no_xbee(self) -> None:
        """A Zigbee device asks for services, by broadcast and without its 64-bit address. No
        stream is broken, and it is not asked each time.
        """
        asks = bytes.fromhex("01fdff040100010ffc")
        frame = ExplicitReceive(UNKNOWN64, STRANGER16, 0, 0, 0x0006, 0x0000, 2, asks)
        self.wire.receive(frame)
        self.advance(KEEP_TIME)
        asked = len(self.wire.sent)
        self.assertTrue(1 <= asked <= 5, self.asked())
        self.wire.receive(frame)
        self.assertEqual(len(self.wire.sent), asked)
        self.advance(SILENT_PAUSE)
        self.wire.receive(frame)
        self.assertEqual(len(self.wire.sent), asked + 1)
        self.assertEqual((self.lost(), self.network.unattributed_frames), ([], 2))

    def test_nobodys_16_bit_address(self) -> None:
        """There is nobody to ask."""
        for address16 in (UNKNOWN16, Address16(0xFFFF), Address16(0xFFFC)):
            self.say(b"x", address16)
        self.assertEqual((self.wire.sent, len(self.lost())), ([], 3))

    def test_too_many_bytes(self) -> None:
        size = 84
        fits = MAX_BYTES // (size + FRAME_COST)
        for _ in range(fits):
            self.say(bytes(size))
        self.assertEqual(self.lost(), [])
        self.say(bytes(size))
        self.say(b"next")
        self.assertEqual(self.lost(), [])
        # Whose they were becomes known with what comes next, and is told before that is heard.
        self.known(OTHER, OTHER16)
        order: list[object] = []
        self.network.nodes.bus.subscribe(SenderUnknown, order.append)
        self.node().receiver = order.append
        self.tell()
        lost = SenderUnknown(STRANGER16, (fits + 1) * size, (REMOTE,))
        self.assertEqual(order, [lost, b"next"])
        self.advance(2 * KEEP_TIME)
        self.assertEqual(self.lost(), [lost])

    def test_too_many_frames(self) -> None:
        """Also if they carry nothing."""
        for _ in range(MAX_BYTES // FRAME_COST + 1):
            self.wire.receive(RouteRecord(UNKNOWN64, STRANGER16, 1, []))
        self.assertEqual(self.network.unattributed_frames, MAX_BYTES // FRAME_COST + 1)

    def test_too_many_senders(self) -> None:
        """It is told no sooner than of those that are asked in vain, together, and not of who was
        heard under another address meanwhile.
        """
        self.known(OTHER, OTHER16)
        for number in range(0x4000, 0x4000 + 2 * MAX_SENDERS):
            self.say(b"x", Address16(number))
        self.assertEqual(len(self.network._unknown._senders), MAX_SENDERS)
        self.advance(KEEP_TIME / 2)
        self.assertEqual(self.lost(), [])
        self.hear(b"y", OTHER, OTHER16)
        self.advance(KEEP_TIME / 2)
        self.assertEqual({event.candidates for event in self.lost()}, {(REMOTE,)})
        self.assertEqual(sum(event.bytes_lost for event in self.lost()), 2 * MAX_SENDERS)
        (together,) = (event for event in self.lost() if event.others)
        self.assertEqual((together.bytes_lost, together.others), (MAX_SENDERS, MAX_SENDERS - 1))
        self.assertIn(" and 255 others without", str(together))
        self.assertEqual(self.network._unknown._lost, [])

    def test_too_many_senders_for_long(self) -> None:
        """A node is told as late as after one frame, and what waits to be told is bounded."""
        self.known(OTHER, OTHER16)
        for second in range(3 * round(KEEP_TIME)):
            for number in range(0x4000, 0x4000 + 2 * MAX_SENDERS):
                self.say(b"x", Address16(number))
            if second % 5 == 0:
                self.hear(b"y", OTHER, OTHER16)
            self.assertLessEqual(len(self.network._unknown._lost), KEEP_TIME + 1)
            self.advance(1.0)
        self.assertGreater(len(self.lost()), 2 * KEEP_TIME)
        self.assertEqual({event.candidates for event in self.lost()}, {(REMOTE,)})

    def test_stop_with_what_is_not_told_yet(self) -> None:
        for number in range(0x4000, 0x4001 + MAX_SENDERS):
            self.say(b"x", Address16(number))
        self.network.stopService()
        self.assertEqual(len(self.lost()), MAX_SENDERS + 1)
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_heard_by_its_64_bit_address_alone(self) -> None:
        """That does not say where it is: what was lost may have been its."""
        self.known(OTHER, OTHER16)
        self.advance(1.0)
        self.say(b"1")
        self.hear(b"2", OTHER, UNKNOWN16)
        self.advance(KEEP_TIME)
        [event] = self.lost()
        self.assertEqual(set(event.candidates), {REMOTE, OTHER})

    def test_too_many_silent_ones(self) -> None:
        for number in range(1, 2 * MAX_SENDERS):
            self.wire.receive(RouteRecord(UNKNOWN64, Address16(number), 1, []))
            if number % 100 == 0:
                self.wire.clock.advance(KEEP_TIME + 1)
        self.wire.clock.advance(KEEP_TIME + 1)
        self.assertLessEqual(len(self.network._unknown._silent), MAX_SENDERS)

    def test_before_the_radio_is_set_up(self) -> None:
        """Frames come while it is: they are asked for as well."""
        self.wire.coordinator.link_down("It is gone.")
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.say(b"1")
        self.tell()
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.received, [b"1"])

    def test_full_table(self) -> None:
        self.network.admission.max_nodes = 1
        self.say(b"1")
        self.tell(OTHER)
        self.hear(b"2", OTHER, STRANGER16)
        self.assertEqual((len(self.network.nodes), self.lost()), (1, []))
        self.assertEqual(self.network.unattributed_frames, 1)
