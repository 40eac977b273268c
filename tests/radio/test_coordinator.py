"""Requests and their answers."""

from __future__ import annotations

import random
import struct

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import FACTS, LOCAL, REMOTE, REMOTE16, Wire, start
from tests.support import mistake
from zbtwist.radio import coordinator
from zbtwist.radio.coordinator import AT_TIMEOUT, DISCOVERY_MARGIN, REMOTE_AT_TIMEOUT
from zbtwist.radio.errors import ATRefused, NoAnswer, RadioOffline, TooManyRequests
from zbtwist.radio.frame_ids import QUARANTINE
from zbtwist.radio.request import EXTENDED_TRANSMIT_TIMEOUT, TRANSMIT_TIMEOUT
from zbtwist.radio.requests import IDS_FOR_DATA, MAX_WAITING
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    Frame,
    ModemStatus,
    QueuedATCommand,
    ReceivePacket,
    RemoteATCommand,
    RemoteATCommandResponse,
    TransmitRequest,
    TransmitStatus,
)


class ATTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()

    def test_answer(self) -> None:
        request = start(self.wire.coordinator.at("NP"))
        sent = self.wire.last
        self.assertEqual(sent, ATCommand(sent.frame_id, "NP"))
        self.assertNoResult(request)
        self.wire.receive(ATCommandResponse(sent.frame_id, "NP", 0, b"\x00\x54"))
        self.assertEqual(self.successResultOf(request), b"\x00\x54")
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_queued(self) -> None:
        request = start(self.wire.coordinator.queued_at("NI", b"E1"))
        sent = self.wire.last
        self.assertEqual(sent, QueuedATCommand(sent.frame_id, "NI", b"E1"))
        self.wire.receive(ATCommandResponse(sent.frame_id, "NI", 0))
        self.assertEqual(self.successResultOf(request), b"")

    def test_refused(self) -> None:
        request = start(self.wire.coordinator.at("TP"))
        self.wire.receive(ATCommandResponse(self.wire.last.frame_id, "TP", 2))
        refusal = self.failureResultOf(request, ATRefused).value
        self.assertEqual((refusal.command, refusal.status), ("TP", 2))
        self.assertEqual(str(refusal), "The radio refused TP: invalid command")

    def test_status_with_flags(self) -> None:
        """DigiMesh answers DN with 40, which is OK."""
        request = start(self.wire.coordinator.at("DN", b"E1"))
        self.wire.receive(ATCommandResponse(self.wire.last.frame_id, "DN", 0x40, b"\xff\xfe"))
        self.assertEqual(self.successResultOf(request), b"\xff\xfe")
        request = start(self.wire.coordinator.remote_at(REMOTE, "NI"))
        frame_id = self.wire.last.frame_id
        self.wire.receive(RemoteATCommandResponse(frame_id, REMOTE, UNKNOWN16, "NI", 0xC4))
        self.assertEqual(self.failureResultOf(request, ATRefused).value.status, 4)

    def test_no_answer(self) -> None:
        request = start(self.wire.coordinator.at("NP"))
        self.wire.clock.advance(AT_TIMEOUT - 0.1)
        self.assertNoResult(request)
        self.wire.clock.advance(0.1)
        failure = self.failureResultOf(request, NoAnswer)
        self.assertEqual(
            failure.getErrorMessage(), "No answer to a NP command for the radio within 3 s."
        )

    def test_remote(self) -> None:
        request = start(self.wire.coordinator.remote_at(REMOTE, "NI", b"E9", REMOTE16))
        sent = self.wire.last
        self.assertEqual(sent, RemoteATCommand(sent.frame_id, REMOTE, REMOTE16, 0x02, "NI", b"E9"))
        self.wire.receive(RemoteATCommandResponse(sent.frame_id, REMOTE, REMOTE16, "NI", 0, b""))
        self.assertEqual(self.successResultOf(request), b"")

    def test_remote_that_is_not_reached(self) -> None:
        """The radio says so in its place: the node refused nothing."""
        request = start(self.wire.coordinator.remote_at(REMOTE, "NI"))
        sent = self.wire.last
        self.wire.receive(RemoteATCommandResponse(sent.frame_id, REMOTE, UNKNOWN16, "NI", 4))
        self.assertEqual(
            self.failureResultOf(request, ATRefused).getErrorMessage(),
            "00:13:a2:00:40:0a:3e:ff did not acknowledge NI: it is off, out of reach, or asleep",
        )

    def test_remote_refusal_names_the_node(self) -> None:
        request = start(self.wire.coordinator.remote_at(REMOTE, "NI"))
        sent = self.wire.last
        self.wire.receive(RemoteATCommandResponse(sent.frame_id, REMOTE, REMOTE16, "NI", 3))
        self.assertEqual(
            self.failureResultOf(request, ATRefused).getErrorMessage(),
            "00:13:a2:00:40:0a:3e:ff refused NI: invalid parameter",
        )

    def test_remote_no_answer(self) -> None:
        request = start(self.wire.coordinator.remote_at(REMOTE, "NI"))
        self.wire.clock.advance(REMOTE_AT_TIMEOUT)
        self.failureResultOf(request, NoAnswer)


class TransmitTests(SynchronousTestCase):
    def test_status(self) -> None:
        wire = Wire()
        sending = wire.coordinator.transmit(REMOTE, b"data", REMOTE16)
        sent = wire.last
        self.assertEqual(sent, TransmitRequest(sent.frame_id, REMOTE, REMOTE16, 0, 0, b"data"))
        status = TransmitStatus(sent.frame_id, REMOTE16, 1, 0x21, 0)
        wire.receive(status)
        self.assertEqual(self.successResultOf(sending), status)

    def test_how_long_it_took(self) -> None:
        wire = Wire()
        for seconds in (0.015, 2.0):
            wire.coordinator.transmit(REMOTE, b"data")
            self.assertEqual(wire.coordinator.outstanding, 1)
            wire.clock.advance(seconds)
            wire.receive(TransmitStatus(wire.last.frame_id, REMOTE16, 1, 0, 0))
        histogram = wire.coordinator.transmit_seconds
        self.assertAlmostEqual(histogram.total, 2.015)
        self.assertEqual(next(bound for bound, n in histogram.cumulative() if n == 1), 0.02)

    def test_congested_line(self) -> None:
        """Packets wait for it, commands do not."""
        wire = Wire()
        wire.coordinator.set_congested(True)
        sending = wire.coordinator.transmit(REMOTE, b"data")
        start(wire.coordinator.at("AI")).addErrback(lambda _: None)
        self.assertEqual([type(frame) for frame in wire.sent], [ATCommand])
        self.assertEqual(wire.coordinator.waiting, 1)
        wire.coordinator.set_congested(False)
        self.assertEqual(wire.last.data, b"data")
        wire.coordinator.link_down("over")
        self.assertTrue(self.failureResultOf(sending, RadioOffline).value.sent)

    def test_what_was_never_sent(self) -> None:
        wire = Wire()
        wire.coordinator.set_congested(True)
        sending = wire.coordinator.transmit(REMOTE, b"data")
        wire.coordinator.link_down("over")
        self.assertFalse(self.failureResultOf(sending, RadioOffline).value.sent)

    def test_no_status(self) -> None:
        wire = Wire()
        sending = wire.coordinator.transmit(REMOTE, b"data")
        wire.clock.advance(TRANSMIT_TIMEOUT)
        self.failureResultOf(sending, NoAnswer)


class FrameIdTests(SynchronousTestCase):
    """Ids never collide, and an answer never reaches the wrong request."""

    def test_all_in_use(self) -> None:
        wire = Wire()
        requests = [start(wire.coordinator.at("NP")) for _ in range(300)]
        ids = [frame.frame_id for frame in wire.sent]
        self.assertEqual(sorted(ids), list(range(1, 256)))
        # Each answer frees one id, which the next in line gets.
        for index in range(45):
            wire.receive(ATCommandResponse(ids[index], "NP", 0, bytes([index])))
            self.assertEqual(self.successResultOf(requests[index]), bytes([index]))
        self.assertEqual(len(wire.sent), 300)
        outstanding = [frame.frame_id for frame in wire.sent[45:]]
        self.assertEqual(len(set(outstanding)), 255)

    def test_waiting_is_bounded(self) -> None:
        wire = Wire()
        for _ in range(255 + MAX_WAITING):
            start(wire.coordinator.at("NP")).addErrback(lambda _: None)
        self.failureResultOf(start(wire.coordinator.at("NP")), TooManyRequests)
        wire.coordinator.link_down("over")

    def test_longest_rested_first(self) -> None:
        wire = Wire(first_id=3)
        for expected in [*range(3, 256), *range(1, 256), 1, 2]:
            request = start(wire.coordinator.at("NP"))
            self.assertEqual(wire.last.frame_id, expected)
            wire.receive(ATCommandResponse(expected, "NP", 0))
            self.successResultOf(request)

    def test_they_begin_anywhere(self) -> None:
        """The radio may still have packets of a former run, whose ids began somewhere as well."""
        for first_id in (1, 77, 255):
            self.patch(random, "randint", lambda low, high, chosen=first_id: chosen)
            wire = Wire()
            wire.coordinator.transmit(REMOTE, b"1").addErrback(lambda _: None)
            self.assertEqual(wire.last.frame_id, first_id)
            for _ in range(254):
                wire.coordinator.transmit(REMOTE, b"1").addErrback(lambda _: None)
            self.assertEqual({frame.frame_id for frame in wire.sent}, set(range(1, 256)))

    def test_status_of_another_packet(self) -> None:
        """A former run sent to another node with the same id: that is not this packet's fate."""
        elsewhere = {Address16(0x0B0B): Address64(REMOTE + 1), REMOTE16: REMOTE}
        for delivery in (0x00, 0x21, 0x24):
            for known in (UNKNOWN16, REMOTE16):
                wire = Wire()
                wire.coordinator.owner_of = elsewhere.get
                sending = wire.coordinator.transmit(REMOTE, b"new", known)
                frame_id = wire.last.frame_id
                wire.receive(TransmitStatus(frame_id, Address16(0x0B0B), 0, delivery, 0))
                self.assertNoResult(sending)
                self.assertEqual(wire.coordinator.late_answers, 1)
                self.assertEqual(wire.coordinator.outstanding, 1)
                status = TransmitStatus(frame_id, REMOTE16, 0, 0, 0)
                wire.receive(status)
                self.assertEqual(self.successResultOf(sending), status)

    def test_status_with_an_address_that_nobody_has(self) -> None:
        """A node that has moved, one that was not found, and firmware without such addresses."""
        for address16 in (0x7777, 0xFFFD, 0xFFFE, 0xFFFF):
            for known in (UNKNOWN16, REMOTE16):
                wire = Wire()
                owners = {REMOTE16: REMOTE, Address16(0xFFFD): Address64(REMOTE + 1)}
                wire.coordinator.owner_of = owners.get
                sending = wire.coordinator.transmit(REMOTE, b"1", known)
                wire.receive(TransmitStatus(wire.last.frame_id, Address16(address16), 0, 0x00, 0))
                self.assertEqual(self.successResultOf(sending).address16, address16)

    def use_ids(self, wire: Wire, times: int) -> set[int]:
        """Send packets that arrive at once."""
        used = set()
        for _ in range(times):
            wire.coordinator.transmit(REMOTE, b"2")
            used.add(wire.last.frame_id)
            wire.receive(TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0))
        return used

    def test_id_rests_while_its_status_may_come(self) -> None:
        """A packet for a node that sleeps, in the air when the link is lost: the radio has it for
        two minutes, whatever becomes of the link.
        """
        for sleeps, seconds in ((True, EXTENDED_TRANSMIT_TIMEOUT), (False, TRANSMIT_TIMEOUT)):
            wire = Wire()
            wire.coordinator.transmit(REMOTE, b"1", sleeps=sleeps).addErrback(lambda _: None)
            first = wire.last.frame_id
            wire.clock.advance(5.0)
            wire.coordinator.link_down("gone")
            wire.coordinator.link_up(wire.sent.append)
            wire.clock.advance(seconds + QUARANTINE - 5.1)
            self.assertNotIn(first, self.use_ids(wire, 300))
            wire.clock.advance(0.2)
            self.assertIn(first, self.use_ids(wire, 300))

    def test_radio_that_has_restarted(self) -> None:
        """It reports on nothing of before: no id needs to rest."""
        wire = Wire()
        for _ in range(255):
            wire.coordinator.transmit(REMOTE, b"1").addErrback(lambda _: None)
        wire.coordinator.link_down("It was reset.")
        wire.coordinator.link_up(wire.sent.append)
        command = start(wire.coordinator.at("AI"))
        frame_id = wire.last.frame_id
        waiting = wire.coordinator.transmit(REMOTE, b"2")
        self.assertEqual(wire.coordinator.waiting, 1)
        wire.coordinator.forget_packets()
        self.assertEqual(wire.last.data, b"2")
        self.assertNotEqual(wire.last.frame_id, frame_id)
        wire.receive(TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0))
        self.successResultOf(waiting)
        self.assertEqual(len(self.use_ids(wire, 600)), 254)
        wire.receive(ATCommandResponse(frame_id, "AI", 0, b"\0"))
        self.successResultOf(command)
        self.assertEqual(len(self.use_ids(wire, 600)), 255)
        wire.coordinator.close()
        self.assertEqual(wire.clock.getDelayedCalls(), [])

    def test_command_gives_back_an_id_that_rests(self) -> None:
        """For all that a command was answered with it, it is for no packet yet."""
        for seconds in (1.0, QUARANTINE + 1.0):
            wire = Wire()
            for _ in range(255):
                wire.coordinator.transmit(REMOTE, b"1").addErrback(lambda _: None)
            wire.clock.advance(TRANSMIT_TIMEOUT)
            request = start(wire.coordinator.at("AP", timeout=1000.0))
            frame_id = wire.last.frame_id
            wire.clock.advance(seconds)
            is_resting = seconds < QUARANTINE
            wire.receive(ATCommandResponse(frame_id, "AP", 0, b"\1"))
            self.successResultOf(request)
            sending = wire.coordinator.transmit(REMOTE, b"2")
            sending.addErrback(lambda _: None)
            self.assertEqual(wire.coordinator.waiting, int(is_resting))
            wire.clock.advance(QUARANTINE)
            self.assertEqual(wire.coordinator.waiting, 0)
            if not is_resting:
                self.assertIn(frame_id, self.use_ids(wire, 254))

    def test_id_of_a_packet_without_status_rests(self) -> None:
        """A late status must not speak for another packet."""
        wire = Wire()
        sending = wire.coordinator.transmit(REMOTE, b"1")
        first = wire.last.frame_id
        wire.clock.advance(TRANSMIT_TIMEOUT)
        self.failureResultOf(sending, NoAnswer)
        for _ in range(600):
            wire.coordinator.transmit(REMOTE, b"2")
            self.assertNotEqual(wire.last.frame_id, first)
            wire.receive(TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0))
        wire.clock.advance(QUARANTINE)
        used = set()
        for _ in range(255):
            wire.coordinator.transmit(REMOTE, b"3").addErrback(lambda _: None)
            used.add(wire.last.frame_id)
        self.assertIn(first, used)

    def test_each_packet_has_its_own_time(self) -> None:
        """Whatever is sent before and after it, delivered or not, and to a node that sleeps."""
        wire = Wire()
        wire.coordinator.transmit(REMOTE, b"asleep", sleeps=True).addErrback(lambda _: None)
        ended: list[tuple[int, float]] = []

        def failed(_: Failure, number: int) -> None:
            ended.append((number, wire.clock.seconds()))

        for number in range(8):
            wire.clock.advance(1.0)
            sending = wire.coordinator.transmit(REMOTE, b"x")
            if number % 2:
                wire.receive(TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0))
            else:
                sending.addErrback(failed, number)
        self.assertEqual(wire.coordinator.outstanding, 5)
        self.assertEqual(len(wire.clock.getDelayedCalls()), 1)
        for _ in range(400):
            wire.clock.advance(0.25)
        expected = [(number, 1.0 + number + TRANSMIT_TIMEOUT) for number in (0, 2, 4, 6)]
        self.assertEqual(ended, expected)
        self.assertEqual(wire.coordinator.outstanding, 1)
        wire.clock.advance(EXTENDED_TRANSMIT_TIMEOUT - wire.clock.seconds() - 0.1)
        self.assertEqual(wire.coordinator.outstanding, 1)
        wire.clock.advance(0.1)
        self.assertEqual(wire.coordinator.outstanding, 0)
        wire.coordinator.close()
        self.assertEqual(wire.clock.getDelayedCalls(), [])

    def test_close_while_packets_end(self) -> None:
        """Nothing is left in the clock."""
        wire = Wire()
        first = wire.coordinator.transmit(REMOTE, b"x")
        first.addErrback(lambda _: wire.coordinator.close())
        wire.clock.advance(1.0)
        wire.coordinator.transmit(REMOTE, b"x").addErrback(lambda _: None)
        wire.clock.advance(TRANSMIT_TIMEOUT - 1.0)
        wire.coordinator.link_down("over")
        wire.coordinator.close()
        self.assertEqual(wire.clock.getDelayedCalls(), [])

    def test_time_of_a_packet_of_a_link_that_was_lost(self) -> None:
        """It ended with the link; those of the next one have their whole time."""
        wire = Wire()
        wire.coordinator.transmit(REMOTE, b"x").addErrback(lambda _: None)
        wire.clock.advance(TRANSMIT_TIMEOUT - 1)
        wire.coordinator.link_down("gone")
        wire.coordinator.link_up(wire.sent.append)
        sending = wire.coordinator.transmit(REMOTE, b"x")
        wire.clock.advance(TRANSMIT_TIMEOUT - 0.1)
        self.assertNoResult(sending)
        wire.clock.advance(0.1)
        self.failureResultOf(sending, NoAnswer)

    def test_commands_go_on_when_every_packet_is_without_status(self) -> None:
        wire = Wire()
        for _ in range(255):
            wire.coordinator.transmit(REMOTE, b"1").addErrback(lambda _: None)
        wire.clock.advance(TRANSMIT_TIMEOUT)
        request = start(wire.coordinator.at("AP"))
        frame_id = wire.last.frame_id
        # The late status of the packet that had the id before.
        wire.receive(TransmitStatus(frame_id, REMOTE16, 0, 0, 0))
        self.assertNoResult(request)
        wire.receive(ATCommandResponse(frame_id, "AP", 0, b"\1"))
        self.assertEqual(self.successResultOf(request), b"\1")

    def test_time_runs_while_a_request_waits(self) -> None:
        wire = Wire()
        for _ in range(255):
            wire.coordinator.transmit(REMOTE, b"1").addErrback(lambda _: None)
        late = wire.coordinator.transmit(REMOTE, b"2")
        self.assertEqual(len(wire.sent), 255)
        wire.clock.advance(TRANSMIT_TIMEOUT)
        self.failureResultOf(late, NoAnswer)
        self.assertEqual(len(wire.sent), 255)

    def test_remote_commands_leave_ids_for_data(self) -> None:
        wire = Wire()
        commands = [start(wire.coordinator.remote_at(REMOTE, "TP")) for _ in range(400)]
        self.assertEqual(len(wire.sent), 255 - IDS_FOR_DATA)
        for _ in range(IDS_FOR_DATA):
            wire.coordinator.transmit(REMOTE, b"1").addErrback(lambda _: None)
        self.assertEqual(len(wire.sent), 255)
        for frame in wire.sent[:50]:
            wire.receive(
                RemoteATCommandResponse(frame.frame_id, REMOTE, REMOTE16, "TP", 0, b"\0\x15")
            )
        self.assertEqual(sum(command.called for command in commands), 50)
        self.assertEqual([frame.frame_type for frame in wire.sent[255:]], [0x17] * 50)
        wire.clock.advance(REMOTE_AT_TIMEOUT)
        for command in commands[50:]:
            self.failureResultOf(command, NoAnswer)
        again = start(wire.coordinator.remote_at(REMOTE, "TP"))
        self.assertEqual(wire.last.frame_type, 0x17)
        again.addErrback(lambda _: None)

    def test_sleeping_nodes_do_not_stop_the_rest(self) -> None:
        """Commands that nobody answers, again and again, beside data."""
        wire = Wire()
        for _ in range(30):
            for _ in range(45):
                start(wire.coordinator.remote_at(REMOTE, "TP")).addErrback(lambda _: None)
            sending = wire.coordinator.transmit(REMOTE, b"1")
            wire.receive(TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0))
            self.successResultOf(sending)
            wire.clock.advance(5)

    def test_frame_that_cannot_be_made(self) -> None:
        wire = Wire()

        def send(frame: Frame) -> None:
            frame.to_bytes()
            wire.sent.append(frame)

        wire.coordinator.link_up(send)
        unwritable = Address16(0x10000)
        self.failureResultOf(wire.coordinator.transmit(REMOTE, b"1", unwritable), struct.error)
        self.assertEqual(wire.clock.getDelayedCalls()[1:], [])
        sending = wire.coordinator.transmit(REMOTE, b"2")
        wire.receive(TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0))
        self.successResultOf(sending)

    def unanswered(self, wire: Wire) -> None:
        request = start(wire.coordinator.at("NP"))
        wire.clock.advance(AT_TIMEOUT)
        self.failureResultOf(request, NoAnswer)

    def test_late_answer(self) -> None:
        wire = Wire()
        self.unanswered(wire)
        late = ATCommandResponse(wire.last.frame_id, "NP", 0, b"late")
        request = start(wire.coordinator.at("NP"))
        wire.receive(late)
        self.assertNoResult(request)
        self.assertEqual(wire.coordinator.late_answers, 1)
        self.assertEqual(wire.listener.heard, [])

    def test_doubled_answer(self) -> None:
        wire = Wire()
        sending = wire.coordinator.transmit(REMOTE, b"1")
        status = TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0)
        wire.receive(status)
        wire.receive(status)
        self.assertEqual(self.successResultOf(sending), status)
        self.assertEqual(wire.coordinator.late_answers, 1)

    def test_wrong_kind(self) -> None:
        """Same id, but another command, another type of frame, or another node."""
        wire = Wire()
        request = start(wire.coordinator.remote_at(REMOTE, "NI"))
        frame_id = wire.last.frame_id
        wire.receive(ATCommandResponse(frame_id, "NI", 0, b"x"))
        wire.receive(TransmitStatus(frame_id, REMOTE16, 0, 0, 0))
        wire.receive(RemoteATCommandResponse(frame_id, REMOTE, REMOTE16, "DD", 0, b"x"))
        wire.receive(RemoteATCommandResponse(frame_id, LOCAL, REMOTE16, "NI", 0, b"x"))
        self.assertNoResult(request)
        self.assertEqual(wire.coordinator.late_answers, 4)
        wire.receive(RemoteATCommandResponse(frame_id, REMOTE, REMOTE16, "NI", 0, b"E1"))
        self.assertEqual(self.successResultOf(request), b"E1")

    def test_cancelled(self) -> None:
        wire = Wire()
        request = start(wire.coordinator.at("NP"))
        frame_id = wire.last.frame_id
        request.cancel()
        self.failureResultOf(request, CancelledError)
        wire.receive(ATCommandResponse(frame_id, "NP", 0, b"x"))
        self.assertEqual(wire.coordinator.late_answers, 1)

    def test_cancelled_while_waiting(self) -> None:
        wire = Wire()
        for _ in range(255):
            start(wire.coordinator.at("NP")).addErrback(lambda _: None)
        waiting = start(wire.coordinator.at("NT"))
        after = start(wire.coordinator.at("NO"))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        wire.receive(ATCommandResponse(7, "NP", 0))
        self.assertEqual(wire.last, ATCommand(7, "NO"))
        wire.receive(ATCommandResponse(7, "NO", 0, b"\1"))
        self.assertEqual(self.successResultOf(after), b"\1")


class DiscoverTests(SynchronousTestCase):
    def test_search(self) -> None:
        wire = Wire()
        search = start(wire.coordinator.discover())
        sent = wire.last
        self.assertEqual(sent, ATCommand(sent.frame_id, "ND"))
        first = NodeDescription(REMOTE16, REMOTE, b"E1")
        second = NodeDescription(REMOTE16, LOCAL, b"E2", rssi=40)
        for found in (first, second):
            answer = ATCommandResponse(sent.frame_id, "ND", 0, found.to_bytes())
            wire.receive(answer)
            self.assertEqual(wire.listener.heard[-1], answer)
        wire.clock.advance(FACTS.discovery_time + DISCOVERY_MARGIN - 0.01)
        self.assertNoResult(search)
        wire.clock.advance(0.01)
        self.assertEqual(self.successResultOf(search), [first, second])

    def test_empty_end(self) -> None:
        """802.15.4 firmware says when it is done."""
        wire = Wire()
        search = start(wire.coordinator.discover())
        wire.receive(ATCommandResponse(wire.last.frame_id, "ND", 0))
        self.assertEqual(self.successResultOf(search), [])

    def test_refused(self) -> None:
        wire = Wire()
        search = start(wire.coordinator.discover())
        wire.receive(ATCommandResponse(wire.last.frame_id, "ND", 1))
        self.failureResultOf(search, ATRefused)

    def test_nonsense(self) -> None:
        wire = Wire()
        search = start(wire.coordinator.discover())
        wire.receive(ATCommandResponse(wire.last.frame_id, "ND", 0, b"nonsense"))
        self.assertNoResult(search)
        wire.clock.advance(60)
        self.assertEqual(self.successResultOf(search), [])

    def test_late_node(self) -> None:
        """A sleeping node that answers after the search is news all the same."""
        wire = Wire()
        search = start(wire.coordinator.discover())
        frame_id = wire.last.frame_id
        wire.clock.advance(FACTS.discovery_time + DISCOVERY_MARGIN)
        self.assertEqual(self.successResultOf(search), [])
        late = ATCommandResponse(
            frame_id, "ND", 0, NodeDescription(REMOTE16, REMOTE, b"E1").to_bytes()
        )
        wire.receive(late)
        self.assertEqual(wire.listener.heard, [late])
        self.assertEqual(wire.coordinator.late_answers, 1)


class LinkTests(SynchronousTestCase):
    def test_link_that_is_lost_again_while_it_is_set_up(self) -> None:
        """Frames may have come in between, so the listeners hear of that outage as well."""
        wire = Wire()
        wire.clock.advance(10)
        wire.coordinator.link_down("It is gone.")
        wire.coordinator.link_down("It is still gone.")
        self.assertEqual(wire.listener.heard, ["It is gone."])
        wire.clock.advance(10)
        wire.coordinator.link_up(wire.sent.append)
        wire.receive(ModemStatus(7))
        wire.listener.heard.clear()
        wire.clock.advance(1)
        wire.coordinator.link_down("It is gone again.")
        self.assertEqual(wire.listener.heard, ["It is gone again."])
        self.assertEqual(wire.coordinator.down_since, 21)

    def test_damage_while_it_is_set_up(self) -> None:
        wire = Wire()
        wire.coordinator.link_down("It is gone.")
        wire.coordinator.link_up(wire.sent.append)
        wire.listener.heard.clear()
        wire.clock.advance(1)
        wire.coordinator.frames_damaged(None)
        self.assertEqual(wire.listener.heard, ["It is gone."])
        self.assertEqual(wire.coordinator.down_since, 1)

    def test_offline(self) -> None:
        wire = Wire()
        offline = coordinator.Coordinator(wire.clock, wire.bus)
        self.assertEqual(
            self.failureResultOf(start(offline.at("NP")), RadioOffline).getErrorMessage(),
            "The gateway has not opened the radio yet.",
        )
        self.failureResultOf(offline.transmit(REMOTE, b""), RadioOffline)

    def test_packet_that_cannot_be_written(self) -> None:
        """It fails, and its frame id is free again."""
        wire = Wire()
        wire.coordinator.link_up(mistake)
        for _ in range(300):
            self.failureResultOf(wire.coordinator.transmit(REMOTE, b""), ZeroDivisionError)
        self.assertEqual((wire.coordinator.outstanding, wire.coordinator.waiting), (0, 0))
        self.assertEqual(wire.clock.getDelayedCalls(), [])

    def test_link_down_fails_everything(self) -> None:
        wire = Wire()
        requests = [start(wire.coordinator.at("NP")) for _ in range(260)]
        wire.coordinator.link_down("It was unplugged.")
        for request in requests:
            failure = self.failureResultOf(request, RadioOffline)
            self.assertEqual(failure.getErrorMessage(), "It was unplugged.")
        self.assertEqual(wire.listener.heard, ["It was unplugged."])
        self.assertEqual(len(wire.sent), 255)

    def test_down_since(self) -> None:
        """The moment of the first news counts, unless that says that it comes late."""
        wire = Wire()
        wire.receive(ModemStatus(0x06))
        wire.clock.advance(5.0)
        self.assertEqual(wire.coordinator.last_frame, 0.0)
        wire.coordinator.link_down("gone")
        wire.clock.advance(5.0)
        wire.coordinator.link_down("still gone")
        self.assertEqual(wire.coordinator.down_since, 5.0)
        wire.coordinator.ready(FACTS)
        wire.coordinator.link_down("silent", wire.coordinator.last_frame)
        self.assertEqual(wire.coordinator.down_since, 0.0)

    def test_stale_answer_after_reopening(self) -> None:
        """What the old link left behind does not answer the new link's requests."""
        wire = Wire()
        sending = wire.coordinator.transmit(REMOTE, b"old")
        stale = TransmitStatus(wire.last.frame_id, REMOTE16, 0, 0, 0)
        wire.coordinator.link_down("gone")
        self.failureResultOf(sending, RadioOffline)
        wire.coordinator.link_up(wire.sent.append)
        again = wire.coordinator.transmit(REMOTE, b"new")
        wire.receive(stale)
        self.assertNoResult(again)
        self.assertEqual(wire.coordinator.late_answers, 1)

    def test_close_leaves_no_timer(self) -> None:
        wire = Wire()
        start(wire.coordinator.at("NP")).addErrback(lambda _: None)
        wire.coordinator.link_down("over")
        wire.coordinator.close()
        self.assertEqual(wire.clock.getDelayedCalls(), [])

    def test_other_frames_go_to_listeners(self) -> None:
        wire = Wire()
        frames = [ModemStatus(6), ReceivePacket(REMOTE, REMOTE16, 1, b"x")]
        for frame in frames:
            wire.receive(frame)
        self.assertEqual(wire.listener.heard, frames)
