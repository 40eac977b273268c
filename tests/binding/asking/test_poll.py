"""The gateway asks by itself: beside clients, and of many nodes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.binding.asking.support import AskingTestCase
from tests.radio.support import FACTS, REMOTE, REMOTE16
from zbtwist.binding.asking.askers import LATE_TIME, REPLY_TIMEOUT
from zbtwist.binding.asking.conversation import LONGEST_TURN
from zbtwist.binding.asking.poll import PATIENCE, SLEEPER_PATIENCE
from zbtwist.binding.asking.schedule import (
    AWAY_LOOK,
    MAX_BACKOFF,
    MAX_UNDER_WAY,
    PAUSE,
    SPREAD,
    Schedule,
)
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.decoding.events import ValuesDecoded
from zbtwist.decoding.value import Value
from zbtwist.network.node import Node
from zbtwist.xbee import devices
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.status import DeliveryStatus

SILENCE = PortSettings.reply_silence


class PollTestCase(AskingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.schedule = Schedule(self.clock, self.wire.bus)
        self.addCleanup(self.end)

    def end(self) -> None:
        for port in self.ports:
            self.schedule.end(port)

    def poll(self, **settings: Any) -> None:
        """Have the node asked, and let it be its time."""
        self.follow(**{"ask_every": 10.0, "decoder": "ecm1220", **settings})
        self.schedule.look_at(self.port)
        self.until_asked()

    def until_asked(self, most: float = 2 * MAX_BACKOFF) -> float:
        """Let time pass until a packet is sent; return how much."""
        count, began = len(self.wire.sent), self.clock.seconds()
        while len(self.wire.sent) == count:
            self.assertLess(self.clock.seconds() - began, most, "nothing is asked")
            self.clock.advance(0.05)
        return self.clock.seconds() - began

    def assert_near(self, found: float, wanted: float, most: float) -> None:
        self.assertLessEqual(abs(found - wanted), most, found)

    def answer(self) -> None:
        """The device answers both pieces."""
        self.arrive()
        self.port.deliver(b"\xfc")
        self.arrive()
        self.tells(self.port)
        self.port.deliver(b"\xfc and a packet")
        self.clock.advance(SILENCE)

    def tells(self, port: NodePort) -> None:
        """A decoder has found values in what a node has just said."""
        self.wire.bus.publish(ValuesDecoded(port.node, (Value("voltage", 120.0, "V"),), 1e9))


class QuestionTests(PollTestCase):
    def test_pieces(self) -> None:
        """Each when the device has answered the one before."""
        self.poll()
        self.assertEqual(self.sent, [b"\xfc"])
        self.arrive()
        self.assertEqual(self.sent, [b"\xfc"])
        self.port.deliver(b"\xfc")
        self.assertEqual(self.sent, [b"\xfc", b"SPK"])
        self.arrive()
        self.port.deliver(b"\xfc")
        self.assert_near(self.until_asked(), 10.0, 0.2)
        self.assertEqual(self.sent[2:], [b"\xfc"])
        self.answer()

    def test_answer_sooner_than_the_status(self) -> None:
        """Or without one: the node has it, and nobody waits for that."""
        client, _ = self.connect()
        self.poll()
        self.port.deliver(b"\xfc")
        self.assertEqual(self.sent, [b"\xfc", b"SPK"])
        client.dataReceived(b"hello")
        self.tells(self.port)
        self.port.deliver(b"packet")
        self.clock.advance(0.01)
        self.assertEqual(self.sent, [b"\xfc", b"SPK", b"hello"])
        self.status()
        self.assert_near(self.until_asked(), 10.0, 0.1)
        self.assertFalse(any("the gateway" in line for line in self.lines()))
        self.answer()

    def test_device_that_is_never_silent(self) -> None:
        """Its answer ends all the same."""
        self.follow(turns=True)
        client, _ = self.connect()
        self.poll(decoder="", ask=(b"?",), turns=True)
        self.arrive()
        client.dataReceived(b"1?\n")
        for _ in range(int(LONGEST_TURN / 0.1)):
            self.port.deliver(b".")
            self.clock.advance(0.1)
        self.clock.advance(0.1)
        self.assertEqual(self.arrive(), b"1?\n")

    def test_question_that_is_set(self) -> None:
        self.poll(decoder="lines", ask=(b"READ\r\n",))
        self.assertEqual(self.sent, [b"READ\r\n"])
        self.arrive()
        self.port.deliver(b"12.5 V\r\n")
        self.assert_near(self.until_asked(), 10.0, 0.1)

    def test_no_client(self) -> None:
        """It is none, and what is kept for the next one is not its answers."""
        self.poll(backlog=100, max_clients=1, open_string=None)
        self.answer()
        self.port.deliver(b"unasked")
        self.assertEqual((self.port.clients, self.port.kept), (0, 7))
        _, transport = self.connect()
        self.assertEqual(transport.value(), b"unasked")
        self.assertFalse(any("lient" in line and "ask" in line for line in self.lines()))

    def test_clients_hear_the_answers(self) -> None:
        """Where clients take no turns, all hear all, and may write at any time."""
        client, transport = self.connect()
        self.poll()
        self.arrive()
        client.dataReceived(b"hello")
        self.arrive()
        self.port.deliver(b"\xfc")
        self.assertEqual(self.arrive(), b"SPK")
        self.assertEqual(self.sent, [b"\xfc", b"hello", b"SPK"])
        self.assertEqual(transport.value(), b"\xfc")

    def test_answer_to_somebody_else(self) -> None:
        """What comes before the question has left is not its answer."""
        client, _ = self.connect()
        self.follow(ask_every=10.0, decoder="ecm1220")
        self.schedule.look_at(self.port)
        client.dataReceived(b"hello")
        while self.port.outbound.buffered == 0:
            self.clock.advance(0.05)
        self.port.deliver(b"hello yourself")
        self.assertEqual(self.arrive(), b"hello\xfc")
        self.port.deliver(b"\xfc")
        self.assertEqual(self.arrive(), b"SPK")


class TurnTests(PollTestCase):
    """turns = reply: a client's question is never spoilt."""

    def setUp(self) -> None:
        super().setUp()
        self.client, self.transport = self.connect()
        self.follow(turns=True)
        self.client, self.transport = self.connect()

    def test_client_waits_for_all_of_it(self) -> None:
        self.poll(turns=True)
        self.client.dataReceived(b"1?\n")
        self.arrive()
        self.port.deliver(b"\xfc")
        self.assertEqual(self.arrive(), b"SPK")
        self.port.deliver(b"packet")
        self.clock.advance(SILENCE)
        self.assertEqual(self.arrive(), b"1?\n")
        self.port.deliver(b"one\n")
        self.assertEqual(self.transport.value(), b"one\n")

    def test_it_waits_for_a_client(self) -> None:
        self.client.dataReceived(b"1?\n")
        self.follow(ask_every=1.0, decoder="ecm1220", turns=True)
        self.schedule.look_at(self.port)
        self.clock.pump([0.1] * 15)
        self.assertEqual(self.arrive(), b"1?\n")
        self.port.deliver(b"one\n")
        self.clock.advance(SILENCE)
        self.assertEqual(self.arrive(), b"\xfc")
        self.assertEqual(self.transport.value(), b"one\n")

    def test_late_answer_is_not_taken_for_a_clients(self) -> None:
        self.poll(turns=True)
        self.arrive()
        self.client.dataReceived(b"1?\n")
        self.clock.advance(REPLY_TIMEOUT)
        self.port.deliver(b"\xfc")
        self.clock.advance(LATE_TIME - 0.1)
        self.assertEqual(self.sent, [b"\xfc"])
        self.clock.advance(0.1)
        self.assertEqual(self.arrive(), b"1?\n")
        self.assertEqual(self.transport.value(), b"")

    def test_client_after_a_lost_question(self) -> None:
        self.poll(turns=True)
        self.client.dataReceived(b"1?\n")
        self.status(DeliveryStatus.ADDRESS_NOT_FOUND)
        self.assertEqual(self.arrive(), b"1?\n")
        self.assertFalse(self.transport.aborted)


class FaultTests(PollTestCase):
    def test_node_that_is_not_reached(self) -> None:
        """Nobody else is told, nothing is sent again, and what clients send goes on."""
        client, transport = self.connect()
        self.poll()
        client.dataReceived(b"hello")
        self.status(DeliveryStatus.ADDRESS_NOT_FOUND)
        self.assertEqual(self.arrive(), b"hello")
        self.assertFalse(transport.aborted)
        self.assertEqual(self.port.outbound.failures, 1)

    def test_question_that_is_too_long(self) -> None:
        """It is sent in smaller packets the next time."""
        self.poll(decoder="", ask=(b"x" * 80,))
        self.status(DeliveryStatus.TOO_LARGE)
        self.until_asked()
        self.assertEqual(len(self.sent[-1]), 60)
        self.assertEqual(self.arrive(), b"x" * 80)

    def test_no_answer(self) -> None:
        """It is said once, the node is asked less and less often, and as before when it answers."""
        self.poll()
        waits = []
        for _ in range(12):
            self.arrive()
            waits.append(round(self.until_asked()))
        self.assertEqual(
            waits, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, *[round(MAX_BACKOFF)] * 3]
        )
        said = [line for line in self.lines() if "the gateway" in line]
        self.assertEqual(len(said), 1)
        self.assertIn("brings nothing: Its device says nothing.", said[0])
        self.answer()
        self.assert_near(self.until_asked(), 9.5, 0.5)
        self.answer()
        said = [line for line in self.lines() if "the gateway" in line]
        self.assertEqual(len(said), 2)
        self.assertIn("answers the gateway again", said[1])

    def test_answer_that_is_nothing_to_the_decoder(self) -> None:
        self.poll()
        for _ in range(2):
            self.arrive()
            self.port.deliver(b"\xfc")
            self.arrive()
            self.port.deliver(b"\x80\x00 at another rate")
            waited = self.until_asked()
        self.assertIn("the decoder ecm1220 finds nothing in that", self.lines()[-1])
        self.assert_near(waited, 20.0, 0.2)
        self.answer()
        self.assertIn("answers the gateway again", self.lines()[-1])

    def test_no_decoder(self) -> None:
        """Whatever comes is an answer."""
        self.poll(decoder="", ask=(b"?",))
        for _ in range(5):
            self.arrive()
            self.port.deliver(b"anything")
            self.assert_near(self.until_asked(), 10.0, 0.2)
        self.assertEqual(self.lines(), [])

    def test_half_an_answer(self) -> None:
        """The last piece counts."""
        self.poll()
        for _ in range(2):
            self.arrive()
            self.port.deliver(b"\xfc")
            self.arrive()
            self.until_asked()
        self.assertIn("brings nothing", self.lines()[-1])

    def test_one_at_a_time(self) -> None:
        """However long the node takes."""
        self.poll(ask_every=1.0)
        for _ in range(15):
            self.clock.advance(1.0)
        self.assertEqual(self.sent, [b"\xfc"])
        self.answer()
        self.assertLess(self.until_asked(), 1.0)

    def test_behind_what_does_not_get_there(self) -> None:
        """It is not kept for longer than so, and what clients have sent is."""
        self.node.role = devices.END_DEVICE
        client, transport = self.connect()
        client.dataReceived(b"hello")
        self.follow(ask_every=10.0, decoder="ecm1220")
        self.schedule.look_at(self.port)
        for _ in range(int(SLEEPER_PATIENCE / 20) + 1):
            self.clock.advance(20.0)
            self.status(DeliveryStatus.NOT_REQUESTED)
            self.clock.advance(5.0)
        self.assertEqual(set(self.sent), {b"hello"})
        [asked] = self.schedule._by_poller.values()
        self.assertEqual(asked.failures, 1)
        self.assertFalse(transport.aborted)
        self.arrive()
        self.until_asked()
        self.answer()

    def test_router_that_does_not_get_it(self) -> None:
        self.poll()
        self.assertLess(self.until_asked(), PATIENCE)
        self.answer()

    def test_sleeping_node(self) -> None:
        self.node.role = devices.END_DEVICE
        self.poll()
        self.clock.advance(SLEEPER_PATIENCE - 1)
        self.answer()
        self.assertEqual(self.sent, [b"\xfc", b"SPK"])
        self.assertEqual(self.lines(), [])

    def test_radio_that_goes_away(self) -> None:
        """Nothing is asked meanwhile, and nothing of it breaks a client's stream."""
        self.poll(at_least_once=True)
        self.answer()
        client, transport = self.connect()
        client.dataReceived(b"hello")
        while self.port.outbound.buffered == 0:
            self.clock.advance(0.05)
        # The question is behind what the client says.
        self.wire.coordinator.link_down("gone")
        self.port.outbound.radio_down()
        self.assertEqual(self.port.outbound.buffered, 5)
        self.clock.advance(5.0)
        count = len(self.sent)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.port.outbound.radio_up()
        self.assertEqual(self.arrive()[-5:], b"hello")
        self.assertEqual(len(self.sent), count + 1)
        self.assertFalse(transport.aborted)
        self.assertLess(self.until_asked(), 10 + AWAY_LOOK)

    def test_no_radio(self) -> None:
        self.wire.coordinator.link_down("gone")
        self.follow(ask_every=1.0, decoder="ecm1220")
        self.schedule.look_at(self.port)
        for _ in range(100):
            self.clock.advance(1.0)
        self.assertEqual(self.sent, [])
        self.assertEqual(self.lines(), [])
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.clock.advance(AWAY_LOOK)
        self.assertEqual(self.sent, [b"\xfc"])

    def test_port_that_is_closed(self) -> None:
        self.poll()
        self.schedule.end(self.port)
        self.assertEqual(self.port.outbound.unconfirmed, 0)
        self.port.stopService()

    def test_port_that_moves(self) -> None:
        """Its client is closed in order, for all that the gateway is asking."""
        self.poll()
        _, transport = self.connect()
        self.port.leave("its port has moved")
        self.assertFalse(transport.aborted)
        self.assertTrue(transport.disconnecting)
        self.clock.advance(1.0)

    def test_stream_that_breaks(self) -> None:
        self.poll()
        self.arrive()
        self.port.interrupted("A frame was damaged")
        self.assert_near(self.until_asked(), 10.0, 0.1)


class ScheduleTests(PollTestCase):
    def others(self, count: int, **settings: Any) -> list[NodePort]:
        """So many more nodes that are asked."""
        added = []
        for number in range(count):
            node = Node(Address64(REMOTE + 1 + number), Address16(REMOTE16 + 1 + number))
            port = self.open(node, 27002 + number)
            port.outbound.settings = PortSettings(
                pace=OFF, ask_every=10.0, decoder="gem", **settings
            )
            self.ports.append(port)
            added.append(port)
            self.schedule.look_at(port)
        return added

    def settings(self, **settings: Any) -> None:
        self.follow(**settings)
        self.schedule.look_at(self.port)

    def test_no_timer_without_one(self) -> None:
        self.settings()
        self.settings(ask_every=10.0)
        self.settings(decoder="ecm1220")
        self.settings(decoder="lines", ask_every=10.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_settings_that_change(self) -> None:
        self.poll()
        self.answer()
        self.settings(decoder="ecm1220", ask_every=100.0)
        self.assertLess(self.until_asked(), SPREAD)
        self.answer()
        # The same again is no reason to ask anew.
        self.settings(decoder="ecm1220", ask_every=100.0, max_clients=1)
        self.assert_near(self.until_asked(), 99.5, 0.2)
        # It is under way.
        self.settings(decoder="ecm1220")
        self.arrive()
        self.clock.advance(1000)
        self.assertEqual(len(self.sent), 5)

    def answer_all(self, most: float) -> list[float]:
        """Let time pass, and all be answered at once; return when each question was sent."""
        at: list[float] = []
        by_address = {port.node.address64: port for port in self.ports}
        end = self.clock.seconds() + most
        while self.clock.seconds() < end:
            while self._arrived < len(self.wire.sent):
                self._arrived += 1
                at.append(self.clock.seconds())
                address64 = self.wire.sent[-1].address64
                self.status()
                self.tells(by_address[address64])
                by_address[address64].deliver(b"packet")
            self.clock.advance(0.01)
        return at

    def test_never_all_at_once(self) -> None:
        self.others(20)
        at = self.answer_all(60.0)
        self.assert_near(len(at), 20 * 60 / 10, 20)
        gaps = [later - before for before, later in pairwise(at)]
        self.assertGreaterEqual(min(gaps), PAUSE - 0.011)
        # They stay spread over their interval.
        self.assertLess(max(gaps), 2.0)

    def test_too_many_for_the_air(self) -> None:
        """All are asked as often as each other, and it is said."""
        ports = self.others(100)
        sent: dict[int, int] = {}
        at = self.answer_all(100.0)
        for frame in self.wire.sent:
            sent[frame.address64] = sent.get(frame.address64, 0) + 1
        self.assertLessEqual(len(at), 100 / PAUSE + 1)
        self.assertGreater(len(at), 100 / PAUSE * 0.9)
        self.assertEqual(set(sent), {port.node.address64 for port in ports})
        self.assertLessEqual(max(sent.values()) - min(sent.values()), 1)
        [said] = [line for line in self.lines() if "more than the air" in line]
        self.assertIn("more than 4 times a second", said)

    def test_few_at_once(self) -> None:
        self.others(20)
        self.clock.pump([0.1] * 100)
        self.assertEqual(len(self.sent), MAX_UNDER_WAY)

    def test_those_that_do_not_answer_keep_nobody_waiting(self) -> None:
        ports = self.others(60)
        dead = set(ports[:40])
        by_address = {port.node.address64: port for port in ports}
        times: dict[NodePort, int] = dict.fromkeys(ports, 0)
        for _ in range(100 * 600):
            while self._arrived < len(self.wire.sent):
                frame = self.wire.sent[self._arrived]
                self._arrived += 1
                port = by_address[frame.address64]
                times[port] += 1
                self.status()
                if port not in dead:
                    self.tells(port)
                    port.deliver(b"packet")
            self.clock.advance(0.01)
        living = [times[port] for port in ports if port not in dead]
        self.assertGreater(min(living), 35)
        self.assertLess(max(times[port] for port in dead), 15)

    def test_end_leaves_nothing(self) -> None:
        self.others(5)
        self.clock.pump([0.1] * 50)
        self.end()
        self.assertEqual((self.schedule._nodes, self.schedule._by_poller), ({}, {}))
        self.assertEqual(self.schedule._by_node, {})
        self.assertEqual(self.wire.bus.subscribers(ValuesDecoded), [])
        self.assertAlmostEqual(self.schedule._demand, 0.0)
        self.assertIsNone(self.schedule._timer)
