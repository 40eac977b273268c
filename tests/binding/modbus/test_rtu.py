"""protocol = modbus-rtu: masters that send RTU frames over TCP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from tests.binding.asking.support import AskingTestCase, Transport
from tests.binding.modbus.support import answer, read, write
from tests.radio.support import FACTS, REMOTE16
from zbtwist.binding.asking.askers import LATE_TIME, LEFT_TIMEOUT, MAX_OWED, REPLY_TIMEOUT
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.modbus.exchange import TURNAROUND
from zbtwist.binding.modbus.frames import with_crc
from zbtwist.binding.port_settings import PortSettings
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import DeliveryStatus


class RTUTestCase(AskingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.follow()

    def follow(self, **settings: Any) -> None:
        super().follow(**{"protocol": "modbus-rtu", **settings})

    def masters(self, count: int) -> list[tuple[ConnectedClient, Transport]]:
        return [self.connect() for _ in range(count)]


class RequestTests(RTUTestCase):
    def test_in_pieces(self) -> None:
        """However the client's TCP has cut a request, it is one packet."""
        master, transport = self.connect()
        for byte in read(1, 0, 10):
            self.assertEqual(self.sent, [])
            master.dataReceived(bytes([byte]))
        self.assertEqual(self.arrive(), read(1, 0, 10))
        reply = answer(1, 10)
        for byte in reply:
            self.assertEqual(transport.value(), b"")
            self.port.deliver(bytes([byte]))
        self.assertEqual(transport.value(), reply)

    def test_a_packet_as_long_as_the_radio_can(self) -> None:
        """Where its firmware fragments, the longest request is one packet."""
        self.wire.coordinator.ready(replace(FACTS, payload_limit=255))
        master, _ = self.connect()
        request = write(1, 0, 123)
        self.assertEqual(len(request), 255)
        master.dataReceived(request)
        self.assertEqual(self.sent, [request])
        self.arrive()

    def test_in_as_few_packets_as_can_be(self) -> None:
        master, _ = self.connect()
        master.dataReceived(write(1, 0, 123))
        self.assertEqual(self.arrive(), write(1, 0, 123))
        self.assertEqual([len(data) for data in self.sent], [84, 84, 84, 3])

    def test_the_last_piece_waits_for_nothing(self) -> None:
        """Neither for more, nor for its client's silence."""
        self.follow(coalesce=5.0, gather=5.0)
        master, _ = self.connect()
        master.dataReceived(write(1, 0, 50))
        self.assertEqual(self.arrive(), write(1, 0, 50))

    def test_what_is_no_request(self) -> None:
        """None of it reaches the node."""
        master, transport = self.connect()
        master.dataReceived(b"GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
        self.assertEqual(self.sent, [])
        master.dataReceived(b"x" * 2000)
        self.assertTrue(transport.aborted)
        self.assertIn("no Modbus RTU request whose CRC is right", self.lines()[-1])
        self.assertEqual(self.sent, [])

    def test_spoilt_request(self) -> None:
        """It is not passed on, and that is said."""
        master, _ = self.connect()
        master.dataReceived(read(1, 0, 1)[:-1] + b"\0" + read(1, 10, 1))
        self.assertEqual(self.arrive(), read(1, 10, 1))
        self.assertIn("gets none of 8 bytes of ", self.lines()[-1])

    def test_unit_22_is_no_handshake_of_TLS(self) -> None:
        master, _ = self.connect()
        for byte in read(0x16, 0x0100, 1):
            master.dataReceived(bytes([byte]))
        self.assertEqual(self.arrive(), read(0x16, 0x0100, 1))

    def test_modbus_tcp(self) -> None:
        master, transport = self.connect()
        master.dataReceived(bytes.fromhex("0001 0000 0006 01 03 0000 000a"))
        self.assertTrue(transport.aborted)
        self.assertIn("it speaks Modbus TCP to a port that has protocol", self.lines()[-1])

    def test_broadcast(self) -> None:
        """Nobody answers, and the next request waits until all have done it."""
        master, transport = self.connect()
        all_of_them, one = with_crc(bytes.fromhex("00 06 0001 0003")), read(1, 0, 1)
        master.dataReceived(all_of_them + one)
        self.assertEqual(self.arrive(), all_of_them)
        self.clock.advance(TURNAROUND)
        self.assertEqual(self.arrive(), one)
        self.port.deliver(answer(1, 1))
        self.assertEqual(transport.value(), answer(1, 1))

    def test_who_may_not_write(self) -> None:
        """Reads nothing either: to read is to ask."""
        self.follow(writers="first")
        (first, one), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 1))
        second.dataReceived(read(1, 10, 1))
        self.assertEqual(self.arrive(), read(1, 0, 1))
        self.port.deliver(answer(1, 1))
        self.assertEqual(self.arrive(), b"")
        self.assertEqual((one.value(), two.value()), (answer(1, 1), b""))
        self.assertEqual(second.bytes_ignored, 8)


class AnswerTests(RTUTestCase):
    def test_to_its_asker_alone(self) -> None:
        (first, one), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        second.dataReceived(read(1, 10, 2))
        self.assertEqual(self.arrive(), read(1, 0, 2))
        self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(self.arrive(), read(1, 10, 2))
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual((one.value(), two.value()), (answer(1, 2, b"\1"), answer(1, 2, b"\2")))
        self.assertEqual(self.port.bytes_unread, 0)

    def test_they_take_turns(self) -> None:
        """Whoever asks again waits for those who have not been asked for."""
        masters = self.masters(3)
        for number, (master, _) in enumerate(masters):
            master.dataReceived(read(1, number, 1))
        asked = [self.arrive()]
        for _ in range(5):
            at = int.from_bytes(asked[-1][2:4], "big")
            self.port.deliver(answer(1, 1))
            asked.append(self.arrive())
            masters[at][0].dataReceived(read(1, at, 1))
        self.assertEqual([request[3] for request in asked], [0, 1, 2, 0, 1, 2])

    def test_foreign(self) -> None:
        """What is no answer to what was asked is thrown away, counted and said."""
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.arrive()
        for strange in (answer(2, 2), answer(1, 3), answer(1, 2)[:-1] + b"\0", b"hello"):
            self.port.deliver(strange)
        self.assertEqual(transport.value(), b"")
        self.port.deliver(answer(1, 2))
        self.assertEqual(transport.value(), answer(1, 2))
        self.assertEqual(self.port.bytes_unread, 9 + 11 + 9 + 5)
        self.assertIn("no answer to what it was asked", "".join(self.lines()))

    def test_two_in_one_packet(self) -> None:
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.arrive()
        self.port.deliver(answer(1, 3) + answer(1, 2) + answer(1, 2))
        self.assertEqual(transport.value(), answer(1, 2))

    def test_exception(self) -> None:
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.arrive()
        self.port.deliver(with_crc(b"\x01\x83\x02"))
        self.assertEqual(transport.value(), with_crc(b"\x01\x83\x02"))

    def test_noise_without_end(self) -> None:
        """No more of it is kept than an answer is long."""
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 125))
        self.arrive()
        for _ in range(1000):
            self.port.deliver(b"\x01\x03\xfa" + b"x" * 81)
        self.assertGreater(self.port.bytes_unread, 83_000)
        reply = answer(1, 125)
        for start in range(0, len(reply), 84):
            self.port.deliver(reply[start : start + 84])
        self.assertEqual(transport.value(), reply)


class LateTests(RTUTestCase):
    def test_late(self) -> None:
        """It is not taken for the answer to the next question, which waits until it has come."""
        (first, one), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        second.dataReceived(read(1, 10, 2))
        self.assertEqual(self.arrive(), b"")
        reply = answer(1, 2, b"\1")
        self.port.deliver(reply[:4])
        self.port.deliver(reply[4:])
        self.assertEqual(self.arrive(), read(1, 10, 2))
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual((one.value(), two.value()), (b"", answer(1, 2, b"\2")))

    def test_never(self) -> None:
        master, _ = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        master.dataReceived(read(1, 10, 2))
        self.clock.advance(LATE_TIME - 0.02)
        self.assertEqual(self.arrive(), b"")
        self.clock.advance(0.01)
        self.assertEqual(self.arrive(), read(1, 10, 2))

    def test_what_cannot_be_mistaken_does_not_wait(self) -> None:
        """Another slave behind the node, another function, or the same again."""
        for other in (read(2, 10, 2), read(1, 10, 2, 4), read(1, 0, 2)):
            master, _ = self.connect()
            master.dataReceived(read(1, 0, 2))
            self.arrive()
            self.clock.advance(REPLY_TIMEOUT)
            master.dataReceived(other)
            self.assertEqual(self.arrive(), other)
            self.clock.advance(3 * REPLY_TIMEOUT)

    def test_others_do_not_wait_behind_it(self) -> None:
        (first, _), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        first.dataReceived(read(1, 10, 2))
        second.dataReceived(read(2, 0, 2))
        self.assertEqual(self.arrive(), read(2, 0, 2))
        self.port.deliver(answer(2, 2))
        self.assertEqual(two.value(), answer(2, 2))
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.arrive(), read(1, 10, 2))

    def test_many(self) -> None:
        """Not all of them are remembered."""
        master, _ = self.connect()
        self.follow(reply_timeout=0.1)
        for unit in range(1, MAX_OWED + 20):
            master.dataReceived(read(unit, 0, 1))
            self.arrive()
            self.clock.advance(0.1)
        self.assertLessEqual(len(self.port.askers._owed), MAX_OWED)

    def test_master_that_has_given_up(self) -> None:
        """It asks something else, and does not get the answer to what it asked before."""
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.arrive()
        self.clock.advance(1.0)
        master.dataReceived(read(1, 10, 2))
        self.assertEqual(self.arrive(), b"")
        self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(transport.value(), b"")
        self.assertEqual(self.arrive(), read(1, 10, 2))
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual(transport.value(), answer(1, 2, b"\2"))

    def test_master_that_tries_again(self) -> None:
        """It asks the same, and gets the answer that was under way; nothing is written twice."""
        master, transport = self.connect()
        master.dataReceived(write(1, 0, 1))
        self.arrive()
        self.clock.advance(1.0)
        master.dataReceived(write(1, 0, 1))
        self.port.deliver(with_crc(write(1, 0, 1)[:6]))
        self.assertEqual(transport.value(), with_crc(write(1, 0, 1)[:6]))
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.sent, [write(1, 0, 1)])

    def test_master_that_has_given_up_before_its_turn(self) -> None:
        (first, _), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        second.dataReceived(read(1, 10, 2))
        second.dataReceived(read(1, 20, 2))
        self.arrive()
        self.port.deliver(answer(1, 2))
        self.assertEqual(self.arrive(), read(1, 20, 2))
        self.port.deliver(answer(1, 2))
        self.assertEqual(two.value(), answer(1, 2))

    def test_master_that_is_gone(self) -> None:
        (first, _), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        second.dataReceived(read(1, 10, 2))
        self.arrive()
        first.connectionLost(Failure(ConnectionLost()))
        self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(self.arrive(), read(1, 10, 2))
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual(two.value(), answer(1, 2, b"\2"))

    def test_master_that_is_gone_and_no_answer(self) -> None:
        (first, _), (second, _) = self.masters(2)
        first.dataReceived(read(2, 0, 2))
        second.dataReceived(read(1, 10, 2))
        self.arrive()
        first.connectionLost(Failure(ConnectionLost()))
        self.clock.advance(LEFT_TIMEOUT)
        self.assertEqual(self.arrive(), read(1, 10, 2))

    def test_answer_that_comes_when_nobody_asks(self) -> None:
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        self.port.deliver(answer(1, 2))
        self.assertEqual((transport.value(), self.port.bytes_unread), (b"", 9))

    def test_answer_that_comes_twice(self) -> None:
        """It is not taken for that to the next question, which has just been sent."""
        (first, one), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        second.dataReceived(read(1, 10, 2))
        self.arrive()
        for _ in range(2):
            self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(self.arrive(), read(1, 10, 2))
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual((one.value(), two.value()), (answer(1, 2, b"\1"), answer(1, 2, b"\2")))


class LossTests(RTUTestCase):
    def test_answer_sooner_than_the_report(self) -> None:
        """The radio may try for seconds where only acknowledgements are lost. The answer says that
        the request has arrived, and the next one does not wait; nor is it lost by report 21.
        """
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        first = self.wire.last.frame_id
        self.clock.advance(0.1)
        self.port.deliver(answer(1, 2))
        master.dataReceived(read(1, 10, 2))
        self.assertEqual(self.sent, [read(1, 0, 2), read(1, 10, 2)])
        self.assertEqual((self.port.outbound.bytes_sent, self.port.outbound.packets_sent), (8, 1))
        failed = DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT
        self.wire.receive(TransmitStatus(first, REMOTE16, 2, failed, 0))
        self.assertEqual((self.port.outbound.failures, self.port.outbound.retries), (0, 2))
        self.clock.advance(0.1)
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual(transport.value(), answer(1, 2) + answer(1, 2, b"\2"))
        self.assertFalse(transport.aborted)

    def test_lost_request(self) -> None:
        """Its master has no answer, and its connection; the next one is asked."""
        (first, one), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        second.dataReceived(read(2, 0, 2))
        self.status(DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT)
        self.assertFalse(one.aborted or two.aborted)
        self.assertEqual(self.sent[1:], [read(2, 0, 2)])
        self.assertIn("does not get a Modbus request (unit 1, function 3)", self.lines()[-1])

    def test_lost_request_that_had_arrived(self) -> None:
        """Report 21 may be wrong: its answer is not taken for that to another question."""
        (first, _), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        second.dataReceived(read(1, 10, 2))
        self.status(DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT)
        self.assertEqual(len(self.sent), 1)
        self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(self.sent[1:], [read(1, 10, 2)])
        self.arrive()
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual(two.value(), answer(1, 2, b"\2"))

    def test_radio_that_is_away(self) -> None:
        self.wire.coordinator.link_down("It is unplugged.")
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.clock.advance(PortSettings.outage)
        self.assertFalse(transport.aborted)
        self.assertIn("It is unplugged.", self.lines()[-1])
        self.assertEqual(self.port.outbound.buffered, 0)

    def test_half_closed(self) -> None:
        master, transport = self.connect()
        master.dataReceived(read(1, 0, 2))
        self.arrive()
        master.readConnectionLost()
        self.clock.pump([0.1] * 20)
        self.assertFalse(transport.disconnecting)
        self.port.deliver(answer(1, 2))
        self.clock.pump([0.1] * 15)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.value(), answer(1, 2))


class StrictTests(RTUTestCase):
    def test_refused(self) -> None:
        self.follow(strict=True)
        master, _ = self.connect()
        master.dataReceived(write(1, 0, 37))
        self.assertEqual(self.arrive(), write(1, 0, 37))
        master.dataReceived(write(1, 0, 38))
        self.port.deliver(with_crc(write(1, 0, 37)[:6]))
        self.assertEqual(self.arrive(), b"")
        self.assertIn(
            "a request of 85 bytes does not fit into one packet, which has 84, and the slave would "
            "take each piece for a frame (strict = true): write at most 37 registers at once",
            self.lines()[-1],
        )
        self.assertEqual(self.port.outbound.unconfirmed, 0)

    def test_line_that_is_slow_enough(self) -> None:
        """It is still busy with a piece when the next one comes."""
        self.follow(strict=True, pace=9600)
        master, _ = self.connect()
        master.dataReceived(write(1, 0, 38))
        self.assertEqual(self.arrive(), write(1, 0, 38))

    def test_slow_line_of_the_radio(self) -> None:
        """It brings the next piece too late for any."""
        self.wire.coordinator.ready(replace(FACTS, baud_rate=9600))
        self.follow(strict=True, pace=9600)
        master, _ = self.connect()
        master.dataReceived(write(1, 0, 38))
        self.assertEqual(self.sent, [])

    def test_others(self) -> None:
        master, _ = self.connect()
        master.dataReceived(write(1, 0, 38))
        self.assertEqual(self.arrive(), write(1, 0, 38))
