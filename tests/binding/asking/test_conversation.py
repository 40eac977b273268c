"""turns = reply: a node belongs to whoever asks it, until the answer."""

from __future__ import annotations

from tests.binding.asking.support import AskingTestCase
from tests.radio.support import FACTS
from zbtwist.binding.asking.askers import END_DEVICE_TIMEOUT, LEFT_TIMEOUT, REPLY_TIMEOUT
from zbtwist.binding.asking.conversation import HIGH_WATER, LONGEST_PIECES, LONGEST_TURN
from zbtwist.binding.port_settings import PortSettings
from zbtwist.xbee import devices
from zbtwist.xbee.status import DeliveryStatus

SILENCE = PortSettings.reply_silence
OUTAGE = PortSettings.outage


class ConversationTests(AskingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.follow(turns=True)
        self.first, self.one = self.connect()
        self.second, self.two = self.connect()

    def test_whoever_asks_gets_the_answer(self) -> None:
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.assertEqual(self.arrive(), b"1?\n")
        self.port.deliver(b"one ")
        self.clock.advance(SILENCE - 0.01)
        self.port.deliver(b"is it\n")
        self.assertEqual(self.arrive(), b"")
        self.clock.advance(SILENCE)
        self.assertEqual(self.arrive(), b"2?\n")
        self.port.deliver(b"two\n")
        self.assertEqual((self.one.value(), self.two.value()), (b"one is it\n", b"two\n"))

    def test_answer_sooner_than_the_status(self) -> None:
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.port.deliver(b"one\n")
        self.arrive()
        self.clock.advance(SILENCE)
        self.assertEqual(self.sent, [b"1?\n", b"2?\n"])
        self.assertEqual(self.one.value(), b"one\n")
        self.arrive()

    def test_no_answer(self) -> None:
        """The time begins when the question has arrived."""
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.clock.advance(1.0)
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT - 0.01)
        self.assertEqual(self.sent, [b"1?\n"])
        self.clock.advance(0.01)
        self.assertEqual(self.arrive(), b"2?\n")

    def test_time_that_is_set(self) -> None:
        self.follow(turns=True, reply_timeout=0.2, reply_silence=0.05)
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        self.clock.advance(0.2)
        self.assertEqual(self.arrive(), b"2?\n")
        self.first.dataReceived(b"3?\n")
        self.port.deliver(b"two\n")
        self.clock.advance(0.05)
        self.assertEqual(self.arrive(), b"3?\n")

    def test_end_device(self) -> None:
        self.node.role = devices.END_DEVICE
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        self.clock.advance(END_DEVICE_TIMEOUT - 0.02)
        self.assertEqual(self.arrive(), b"")
        self.clock.advance(0.01)
        self.assertEqual(self.arrive(), b"2?\n")

    def test_slow_line(self) -> None:
        """What the longest question and answer take there comes on top: 512 bytes, 4.35 s."""
        self.follow(turns=True, pace=1200)
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT + 4.3)
        self.assertEqual(self.arrive(), b"")
        self.clock.advance(0.1)
        self.assertEqual(self.arrive(), b"2?\n")

    def test_whoever_goes_on_asking(self) -> None:
        """It does not keep the node from the others, nor its answer from itself."""
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        self.port.deliver(b"one\n")
        self.first.dataReceived(b"3?\n")
        self.clock.advance(SILENCE)
        self.assertEqual(self.arrive(), b"2?\n")
        self.port.deliver(b"two\n")
        self.clock.advance(SILENCE)
        self.assertEqual(self.arrive(), b"3?\n")
        self.port.deliver(b"three\n")
        self.assertEqual((self.one.value(), self.two.value()), (b"one\nthree\n", b"two\n"))

    def test_whoever_never_stops_and_gets_no_answer(self) -> None:
        """It has the node for a while, then others have their turn, and then it again."""
        self.first.dataReceived(b"1?\n")
        self.arrive()
        self.second.dataReceived(b"2?\n")
        began = self.clock.seconds()
        while self.arrive() != b"2?\n":
            self.assertLess(self.clock.seconds() - began, LONGEST_PIECES + REPLY_TIMEOUT + 0.1)
            self.clock.advance(0.1)
            self.first.dataReceived(b"!")
        self.port.deliver(b"two\n")
        self.clock.advance(SILENCE)
        self.assertEqual((self.one.value(), self.two.value()), (b"", b"two\n"))
        self.assertEqual(set(self.arrive()), set(b"!"))

    def test_whoever_asks_again_and_gets_no_answer(self) -> None:
        """What comes that late is another question, and waits for its turn."""
        self.first.dataReceived(b"1?\n")
        self.arrive()
        self.second.dataReceived(b"2?\n")
        self.clock.advance(LONGEST_PIECES)
        self.first.dataReceived(b"1?\n")
        self.clock.advance(REPLY_TIMEOUT - LONGEST_PIECES)
        self.assertEqual(self.arrive(), b"2?\n")

    def test_upload_without_an_end(self) -> None:
        """The same of one whose bytes never have all arrived."""
        self.first.dataReceived(b"1" * 84)
        self.second.dataReceived(b"2?\n")
        began = self.clock.seconds()
        while (packet := self.arrive()) != b"2?\n":
            self.assertLessEqual(set(packet), set(b"1"))
            self.assertLess(self.clock.seconds() - began, 2 * (LONGEST_TURN + REPLY_TIMEOUT))
            if self.one.producerState != "paused":
                self.first.dataReceived(b"1" * 100)
            self.clock.advance(0.1)

    def test_alone(self) -> None:
        """Nothing waits for anything while nobody else asks."""
        for data in (b"1", b"?", b"\n"):
            self.first.dataReceived(data)
            self.assertEqual(self.arrive(), data)
        self.port.deliver(b"one\n")
        self.first.dataReceived(b"2?\n")
        self.assertEqual(self.arrive(), b"2?\n")

    def test_device_that_is_never_silent(self) -> None:
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        for _ in range(int(LONGEST_TURN / 0.1) - 1):
            self.clock.advance(0.1)
            self.port.deliver(b".")
        self.assertEqual(self.arrive(), b"")
        self.clock.advance(0.11)
        self.assertEqual(self.arrive(), b"2?\n")

    def test_what_nobody_asked_for(self) -> None:
        self.port.deliver(b"hello\n")
        self.assertEqual((self.one.value(), self.two.value()), (b"", b""))
        self.assertEqual(self.port.bytes_unread, 6)
        self.assertIn("has said what is no answer to what it was asked", self.lines()[-1])

    def test_it_is_said_now_and_then(self) -> None:
        for _ in range(1000):
            self.port.deliver(b"hello\n")
        self.clock.advance(60.0)
        said = [line for line in self.lines() if "no answer" in line]
        self.assertEqual(len(said), 2)
        self.assertIn("asked, 999 times: it is thrown away", said[1])
        self.assertEqual(self.port.bytes_unread, 6000)

    def test_asker_that_is_gone(self) -> None:
        """Its turn is for the next; what it has asked is still being answered, for a moment."""
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        self.first.connectionLost()
        self.port.deliver(b"one\n")
        self.clock.advance(LEFT_TIMEOUT)
        self.assertEqual(self.arrive(), b"2?\n")
        self.assertEqual(self.two.value(), b"")

    def test_asker_that_is_gone_before_its_turn(self) -> None:
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.second.connectionLost()
        self.arrive()
        self.clock.advance(2 * REPLY_TIMEOUT)
        self.assertEqual(self.sent, [b"1?\n"])

    def test_asker_that_is_gone_while_its_question_waits_for_the_radio(self) -> None:
        self.wire.coordinator.link_down("gone")
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.first.connectionLost()
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.port.outbound.radio_up()
        self.assertEqual(self.sent, [b"2?\n"])

    def test_half_closed(self) -> None:
        """It is kept for its turn and its answer."""
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.second.readConnectionLost()
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.arrive(), b"2?\n")
        self.port.deliver(b"two\n")
        self.assertEqual(self.two.value(), b"two\n")
        self.assertTrue(self.two.connected)
        self.clock.pump([0.1] * 15)
        self.assertTrue(self.two.disconnecting)

    def test_half_closed_while_another_waits(self) -> None:
        """It may be gone, and is waited for as one that is."""
        self.first.dataReceived(b"1?\n")
        self.arrive()
        self.first.readConnectionLost()
        self.clock.advance(LEFT_TIMEOUT)
        self.second.dataReceived(b"2?\n")
        self.clock.advance(0)
        self.assertEqual(self.arrive(), b"2?\n")

    def test_half_closed_in_the_middle_of_its_answer(self) -> None:
        """That is waited for all the same."""
        self.first.dataReceived(b"1?\n")
        self.arrive()
        self.first.readConnectionLost()
        self.second.dataReceived(b"2?\n")
        for _ in range(5):
            self.clock.advance(0.4)
            self.port.deliver(b"one\n")
        self.clock.advance(0.4)
        self.assertEqual((self.one.value(), self.two.value()), (5 * b"one\n", b""))
        self.clock.advance(0.2)
        self.assertEqual(self.arrive(), b"2?\n")

    def test_half_closed_ones_are_behind_the_others(self) -> None:
        third, _ = self.connect()
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.second.readConnectionLost()
        third.dataReceived(b"3?\n")
        asked = []
        for _ in range(3):
            asked.append(self.arrive())
            self.port.deliver(b"yes\n")
            self.clock.advance(PortSettings.reply_silence)
        self.assertEqual(asked, [b"1?\n", b"3?\n", b"2?\n"])

    def test_lost_question(self) -> None:
        """Whoever asked is reset, and nobody else."""
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.status(DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT)
        self.assertEqual((self.one.aborted, self.two.aborted), (True, False))
        self.assertEqual(self.sent, [b"1?\n", b"2?\n"])

    def test_answer_that_may_be_lost(self) -> None:
        self.first.dataReceived(b"1?\n")
        self.arrive()
        self.port.interrupted("A frame was damaged")
        self.assertEqual((self.one.aborted, self.two.aborted), (True, False))

    def test_much_that_waits(self) -> None:
        """Whoever sends it is paused."""
        self.first.dataReceived(b"1?\n")
        # No line that a browser begins with.
        self.second.dataReceived(b"\n" + b"2" * HIGH_WATER)
        self.assertEqual(self.two.producerState, "paused")
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.sent[1], b"\n" + b"2" * 83)
        self.arrive()
        self.assertEqual(self.two.producerState, "producing")

    def test_too_old(self) -> None:
        """A device must not get an old command."""
        self.follow(turns=True, reply_timeout=OUTAGE + 1)
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        self.clock.advance(OUTAGE + 1)
        self.assertEqual(self.sent, [b"1?\n"])
        self.assertTrue(self.two.aborted)
        self.assertIn("waited 11 s for its turn", "".join(self.lines()))

    def test_port_that_is_closed(self) -> None:
        """Whose bytes were not sent is reset."""
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        _, three = self.connect()
        self.arrive()
        self.port.leave("its port has moved")
        self.assertEqual([one.aborted for one in (self.one, self.two, three)], [False, True, False])
        self.clock.advance(1.0)

    def test_settings_that_change(self) -> None:
        """Who takes turns goes on doing so, and who may write is looked at."""
        self.follow(turns=True, writers="first")
        for client in (self.first, self.second):
            client.settings_changed()
        self.first.dataReceived(b"1?\n")
        self.second.dataReceived(b"2?\n")
        self.arrive()
        self.port.deliver(b"one\n")
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.sent, [b"1?\n"])
        self.assertEqual((self.one.value(), self.two.value()), (b"one\n", b""))

    def test_who_does_not_take_turns(self) -> None:
        """A client from before hears all of it, and may write at any time."""
        self.follow()
        third, three = self.connect()
        self.first.dataReceived(b"1?\n")
        self.assertEqual(self.arrive(), b"1?\n")
        third.dataReceived(b"3?\n")
        self.assertEqual(self.arrive(), b"3?\n")
        self.port.deliver(b"one\n")
        self.assertEqual((self.one.value(), three.value()), (b"one\n", b"one\n"))
