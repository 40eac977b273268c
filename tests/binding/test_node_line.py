"""The pace of a node's own line: what has room in its buffer, and how the node is asked for it."""

from __future__ import annotations

from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import A, B, BindingTestCase, Writer
from tests.radio.support import FACTS, LOCAL, REMOTE, REMOTE16, Wire
from tests.support import record_log
from zbtwist.binding.node_line import (
    BUFFER,
    RENEWAL,
    RENEWAL_PAUSE,
    SHARE,
    SLOWEST,
    TRIES,
    TRY_PAUSE,
    NodeLine,
)
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.binding.retransmits import Packet
from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.network.events import NodeIdentified
from zbtwist.network.table import NodeTable
from zbtwist.radio.coordinator import REMOTE_AT_TIMEOUT
from zbtwist.xbee.frames import (
    RemoteATCommand,
    RemoteATCommandResponse,
    TransmitRequest,
    TransmitStatus,
)
from zbtwist.xbee.status import ATStatus, DeliveryStatus

FULL = 84

#: A node as it leaves the factory.
FACTORY = {"BD": 3, "NB": 0, "SB": 0, "AP": 0}


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.clock = self.wire.clock
        nodes = NodeTable(self.wire.bus)
        node = nodes.seen(REMOTE, REMOTE16, 0.0)
        assert node is not None
        self.node = node
        self.outbound = Outbound(self.clock, self.wire.coordinator, nodes, node)
        self.writer = Writer()

    def tearDown(self) -> None:
        self.outbound.stop()
        self.wire.coordinator.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def write(self, size: int) -> None:
        self.outbound.write(self.writer, bytes(size))

    def status(self, delivery: int = DeliveryStatus.DELIVERED) -> None:
        """The status of the last packet comes."""
        packet = self.packets[-1]
        self.wire.receive(TransmitStatus(packet.frame_id, REMOTE16, 0, delivery, 0))

    @property
    def packets(self) -> list[Any]:
        return [frame for frame in self.wire.sent if isinstance(frame, TransmitRequest)]

    @property
    def questions(self) -> list[str]:
        return [frame.command for frame in self.wire.sent if isinstance(frame, RemoteATCommand)]

    def answer(self, value: int = 0, status: int = ATStatus.OK) -> None:
        """The node answers the last question."""
        frame = next(f for f in reversed(self.wire.sent) if isinstance(f, RemoteATCommand))
        data = value.to_bytes(4, "big") if status == ATStatus.OK else b""
        self.wire.receive(
            RemoteATCommandResponse(frame.frame_id, REMOTE, REMOTE16, frame.command, status, data)
        )

    def answer_all(self, **values: int) -> None:
        """The node answers all questions."""
        registers = {**FACTORY, **values}
        for _ in registers:
            self.answer(registers[self.questions[-1]])

    def learn(self, **values: int) -> None:
        """The node was asked, and its buffer is empty again."""
        self.write(2 * FULL)
        self.status()
        self.answer_all(**values)
        self.wire.sent.clear()
        self.clock.advance(10.0)
        self.status_of_rest()
        self.clock.advance(10.0)
        self.wire.sent.clear()

    def status_of_rest(self) -> None:
        if self.packets:
            self.status()

    @property
    def rate(self) -> float:
        return self.outbound.line.rate

    # --- asking --------------------------------------------------------------------------------

    def test_node_that_gets_little_is_not_asked(self) -> None:
        for _ in range(20):
            self.write(10)
            self.status()
            self.clock.advance(0.5)
        self.assertEqual((len(self.packets), self.questions), (20, []))

    def test_first_packet_goes_at_once(self) -> None:
        self.write(FULL)
        self.assertEqual((len(self.packets), self.questions), (1, []))

    def test_asked_when_it_matters(self) -> None:
        """What the slowest line has no room for waits for the answer, and goes with it."""
        self.write(2 * FULL)
        self.status()
        self.assertEqual((len(self.packets), self.questions), (1, ["BD"]))
        self.answer(7)
        self.assertEqual(self.questions, ["BD", "NB"])
        for _ in range(3):
            self.answer()
        self.clock.advance(0.01)
        self.assertEqual((len(self.packets), self.questions), (2, ["BD", "NB", "SB", "AP"]))

    def test_what_the_answers_mean(self) -> None:
        for values, bytes_a_second in (
            ({}, 960.0),
            ({"BD": 0}, 120.0),
            ({"BD": 19200}, 1920.0),
            ({"NB": 1}, 9600 / 11),
            ({"NB": 3}, 9600 / 11),
            ({"NB": 2, "SB": 1}, 9600 / 12),
            # Its real rate.
            ({"BD": 7}, 111111 / 10),
        ):
            self.outbound.line.changed()
            self.learn(**values)
            self.assertAlmostEqual(self.rate / SHARE, bytes_a_second, 3, str(values))

    def test_format(self) -> None:
        """As ser2net writes it, as far as it is known."""
        line = self.outbound.line
        self.assertEqual(line.format, "?")
        self.learn(BD=7, NB=2, SB=1)
        self.assertEqual(line.format, "115200O82")
        line.told(57600, 11, True, "57600E81")
        self.assertEqual(line.format, "57600E81")
        line.changed()
        self.assertEqual(line.format, "?")
        self.outbound.settings = PortSettings(pace=19200)
        self.assertEqual(line.format, "19200")

    def test_line_that_is_faster_than_any_air(self) -> None:
        self.learn(BD=8)
        self.assertEqual(self.rate, inf)

    def test_node_without_SB(self) -> None:
        """As an S2 is."""
        self.write(2 * FULL)
        self.status()
        self.answer(3)
        self.answer(0)
        self.answer(status=ATStatus.INVALID_COMMAND)
        self.answer(0)
        self.assertAlmostEqual(self.rate, 960 * SHARE)

    def test_node_in_API_mode(self) -> None:
        """Each packet becomes a frame on its line."""
        self.learn(AP=1)
        self.write(10)
        self.status()
        line = self.outbound.line
        now = self.clock.seconds()
        emptied = line.room_at(BUFFER, now) - now
        self.assertAlmostEqual(emptied, (10 + 22 - (BUFFER + 22) / 2) / (960 * SHARE), 1)
        self.assertLess(line.room_at(10, now), now + 1e-9)
        self.write(FULL)
        self.status()
        self.write(FULL)
        self.assertEqual(len(self.packets), 2)

    def test_no_answer_soon(self) -> None:
        """Nothing is assumed that would be too much for the slowest line."""
        self.write(4 * FULL)
        self.status()
        self.clock.advance(0.9 * REMOTE_AT_TIMEOUT)
        self.status()
        self.assertLess(self.rate, SLOWEST / 10)

    def test_node_that_does_not_answer(self) -> None:
        """It is asked some times, and then sent to as fast as it takes; said once, at debug."""
        log = record_log(self)
        self.write(2 * FULL)
        self.status()
        for _ in range(TRIES):
            self.clock.advance(REMOTE_AT_TIMEOUT)
            self.clock.advance(TRY_PAUSE)
            self.status_of_rest_and_write()
        self.assertEqual(self.questions, ["BD"] * TRIES)
        self.clock.advance(REMOTE_AT_TIMEOUT)
        self.assertEqual(self.rate, inf)
        before = len(self.packets)
        self.write(50 * FULL)
        for _ in range(50):
            self.status()
        self.assertEqual(len(self.packets), before + 50)
        self.clock.advance(RENEWAL_PAUSE)
        self.write(1)
        self.status()
        self.assertEqual(self.questions, ["BD"] * (TRIES + 1))
        self.clock.advance(REMOTE_AT_TIMEOUT)
        said = [e for e in log.events if "does not say how fast" in str(e.get("log_format"))]
        self.assertEqual([event["log_level"] for event in said], [LogLevel.debug])

    def status_of_rest_and_write(self) -> None:
        self.status()
        self.write(1)
        self.status()

    def test_node_that_refuses(self) -> None:
        self.write(3 * FULL)
        self.status()
        self.answer(status=ATStatus.INVALID_COMMAND)
        self.assertEqual((self.rate, len(self.packets)), (inf, 2))

    def test_question_that_is_lost(self) -> None:
        """Status 4 is the radio's word, and not the node's: it is asked again."""
        self.write(3 * FULL)
        self.status()
        self.answer(status=ATStatus.TRANSMISSION_FAILED)
        self.assertLess(self.rate, inf)
        self.clock.advance(TRY_PAUSE)
        self.status()
        self.assertEqual(self.questions, ["BD", "BD"])
        self.answer_all()
        self.assertAlmostEqual(self.rate, 960 * SHARE)

    def test_asked_again_after_a_while(self) -> None:
        self.learn()
        self.clock.advance(RENEWAL)
        self.write(1)
        self.status()
        self.assertEqual(self.questions, ["BD"])
        self.assertAlmostEqual(self.rate, 960 * SHARE)
        # What is known is worth more than no answer.
        for _ in range(TRIES):
            self.clock.advance(REMOTE_AT_TIMEOUT)
            self.clock.advance(TRY_PAUSE)
            self.write(1)
            self.status()
        self.assertEqual(self.questions, ["BD"] * TRIES)
        self.clock.advance(REMOTE_AT_TIMEOUT)
        self.assertAlmostEqual(self.rate, 960 * SHARE)

    def test_radio_that_goes_away(self) -> None:
        """A question that it took with it is asked again when it is back."""
        self.write(3 * FULL)
        self.status()
        self.wire.coordinator.link_down("It is gone.")
        self.outbound.radio_down()
        facts = self.wire.coordinator.facts
        self.assertIsNone(facts)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.outbound.radio_up()
        self.clock.advance(1.0)
        self.status()
        self.assertEqual(self.questions, ["BD", "BD"])

    def test_question_takes_a_turn(self) -> None:
        """The radio has a place for it as for a packet."""
        self.write(2 * FULL)
        self.status()
        self.assertEqual(self.outbound._turns.in_flight, 1)
        self.answer_all()
        self.assertEqual(self.outbound._turns.in_flight, len(self.outbound._in_flight))

    def test_told(self) -> None:
        """What a line is set to counts at once; whether its bytes are in frames is asked for."""
        line = self.outbound.line
        line.told(9600, 10, is_set=True)
        self.assertAlmostEqual(line.rate, SHARE * 960)
        self.write(10)
        self.status()
        self.assertAlmostEqual(line.empty_at - self.clock.seconds(), 32 / line.rate)
        # What is in the buffer goes at the new rate as well.
        line.told(19200, 10, is_set=True)
        self.assertAlmostEqual(line.empty_at - self.clock.seconds(), 32 / line.rate)
        self.assertEqual(len(self.packets), 1)
        self.outbound.settings = PortSettings(pace=OFF)
        line.told(9600, 10, is_set=True)
        self.assertEqual((line.rate, line.empty_at), (inf, -inf))

    def test_told_otherwise_than_a_person_says(self) -> None:
        """What is only read does not count, and what was set does."""
        self.outbound.settings = PortSettings(pace=4800)
        line = self.outbound.line
        line.told(9600, 10, is_set=False)
        self.assertAlmostEqual(line.rate, SHARE * 480)
        line.told(9600, 10, is_set=True)
        self.assertAlmostEqual(line.rate, SHARE * 960)

    def test_stopped_while_it_is_asked(self) -> None:
        self.write(2 * FULL)
        self.status()
        self.outbound.stop()
        self.assertEqual(self.outbound._turns.in_flight, 0)
        self.wire.coordinator.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    # --- room ----------------------------------------------------------------------------------

    def test_room(self) -> None:
        """The next packet goes when the buffer holds it beside what has not left yet."""
        self.learn()
        self.write(4 * FULL)
        self.status()
        self.status()
        self.assertEqual(len(self.packets), 2)
        seconds = (3 * FULL - BUFFER) / (960 * SHARE)
        self.clock.advance(seconds - 0.001)
        self.assertEqual(len(self.packets), 2)
        self.clock.advance(0.002)
        self.assertEqual(len(self.packets), 3)

    def test_packet_that_arrives_late(self) -> None:
        """Nothing of it has left the buffer before it was there."""
        self.learn()
        self.write(4 * FULL)
        self.clock.advance(5.0)
        self.status()
        self.status()
        self.assertEqual(len(self.packets), 2)

    def test_packet_that_did_not_arrive(self) -> None:
        """It takes no room."""
        self.learn()
        self.write(2 * FULL)
        for _ in range(3):
            self.status(DeliveryStatus.CHANNEL_BUSY)
            self.clock.advance(1.0)
        before = self.clock.seconds()
        self.status()
        self.status()
        self.assertEqual(self.clock.seconds(), before)
        self.assertAlmostEqual(
            self.outbound.line.room_at(BUFFER * 2 // 3, before) - before,
            (2 * FULL + BUFFER * 2 // 3 - BUFFER) / (960 * SHARE),
        )

    def test_packet_that_may_have_arrived(self) -> None:
        """It takes room each time."""
        self.outbound.settings = PortSettings(at_least_once=True)
        self.learn(BD=0)
        self.write(FULL)
        self.status(DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT)
        self.clock.advance(0.2)
        self.status(DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT)
        self.clock.advance(0.3)
        self.assertEqual(len(self.packets), 2)
        self.clock.advance(1.0)
        self.assertEqual(len(self.packets), 3)

    def test_window(self) -> None:
        """Packets in the air may arrive all at once."""
        self.outbound.settings = PortSettings(window=4)
        self.learn()
        self.write(8 * FULL)
        self.clock.advance(5.0)
        self.assertEqual(len(self.packets), 2)

    def test_large_packets(self) -> None:
        """One that is larger than the buffer goes when that is empty."""
        turns = TransmitScheduler(self.clock)
        under_way: list[Packet] = []
        line = NodeLine(self.clock, self.wire.coordinator, self.node, turns, list, under_way)
        line.follow(9600)
        now = self.clock.seconds()
        self.assertEqual(line.room_at(255, now), now)
        under_way.append(Packet(0, bytes(255), self.writer))
        self.assertEqual(line.room_at(255, now), inf)
        under_way.clear()
        line.settled(255, True, now)
        self.assertAlmostEqual(line.room_at(255, now) - now, 127.5 / (960 * SHARE))

    # --- settings ------------------------------------------------------------------------------

    def test_off(self) -> None:
        self.outbound.settings = PortSettings(pace=OFF)
        self.write(10 * FULL)
        for _ in range(10):
            self.status()
        self.assertEqual((len(self.packets), self.questions, self.rate), (10, [], inf))

    def test_rate_that_a_person_says(self) -> None:
        self.outbound.settings = PortSettings(pace=4800)
        self.write(10 * FULL)
        self.status()
        self.status()
        self.clock.advance(0.01)
        self.assertEqual((len(self.packets), self.questions), (2, []))
        self.assertAlmostEqual(self.rate, 480 * SHARE)

    def test_setting_that_changes(self) -> None:
        """It counts at once, also for what waits; an answer that comes later does not."""
        self.write(3 * FULL)
        self.status()
        self.outbound.settings = PortSettings(pace=OFF)
        self.assertEqual(len(self.packets), 2)
        self.answer(3)
        self.assertEqual((self.rate, self.questions), (inf, ["BD"]))
        self.outbound.settings = PortSettings()
        self.status()
        self.write(2 * FULL)
        self.status()
        self.assertEqual(self.questions, ["BD", "BD"])


class ChangedTests(BindingTestCase):
    """What makes the gateway ask anew."""

    def rate(self, address64: Any = A) -> float:
        port = self.bindings.port_of(self.node(address64))
        assert port is not None
        return port.outbound.line.rate

    def learn(self) -> None:
        self.see(A, B)
        for address64 in (A, B):
            port = self.bindings.port_of(self.node(address64))
            assert port is not None
            port.outbound.line._learnt(3, 0, 0, 0)

    def test_switched_on(self) -> None:
        self.learn()
        self.wire.bus.publish(NodeIdentified(self.node(A), 1))
        self.assertAlmostEqual(self.rate(), 960 * SHARE)
        self.wire.bus.publish(NodeIdentified(self.node(A), 3))
        self.assertLess(self.rate(), SLOWEST / 10)
        self.assertAlmostEqual(self.rate(B), 960 * SHARE)

    def test_set_over_the_air(self) -> None:
        self.learn()
        for parameter, value, expected in ((b"", b"\3", 960 * SHARE), (b"\7", b"", None)):
            done = Deferred.fromCoroutine(self.wire.coordinator.remote_at(A, "BD", parameter))
            frame_id = self.wire.last.frame_id
            self.wire.receive(RemoteATCommandResponse(frame_id, A, REMOTE16, "BD", 0, value))
            self.successResultOf(done)
            if expected is not None:
                self.assertAlmostEqual(self.rate(), expected)
        self.assertLess(self.rate(), SLOWEST / 10)
        # Nobody has a line for those.
        self.wire.receive(RemoteATCommandResponse(1, LOCAL, REMOTE16, "BD", 0, b""))
