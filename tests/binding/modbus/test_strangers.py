"""How strangers broke other gateways and libraries, by their public reports."""

from __future__ import annotations

from struct import pack

from tests.binding.modbus.support import answer, read
from tests.binding.modbus.test_rtu import RTUTestCase
from tests.binding.modbus.test_tcp import TCPTestCase, exception, message, request
from zbtwist.binding.asking.askers import REPLY_TIMEOUT
from zbtwist.binding.modbus.exchange import TURNAROUND
from zbtwist.binding.modbus.frames import with_crc


class StrangersOverTCPTests(TCPTestCase):
    def test_broadcasts(self) -> None:
        """3cky/mbusd, issues 61 and 75: a write to all was waited for, and tried again."""
        for data in ("05 0001 ff00", "06 0001 0003", "0f 0001 0003 01 05", "10 0001 0001 02 0003"):
            self.master.dataReceived(message(1, 0, bytes.fromhex(data)))
            self.assertEqual(self.arrive(), with_crc(b"\0" + bytes.fromhex(data)))
            self.master.dataReceived(request(2, read(1, 0, 1)))
            self.clock.advance(TURNAROUND)
            self.assertEqual(self.arrive(), read(1, 0, 1))
            self.port.deliver(answer(1, 1))
            self.assertEqual(self.transport.take(), request(2, answer(1, 1)))

    def test_crc_that_comes_later(self) -> None:
        """3cky/mbusd, issue 71: an answer whose CRC came apart from it was given up (0B)."""
        self.master.dataReceived(request(1, read(1, 0, 10)))
        self.arrive()
        self.port.deliver(answer(1, 10)[:-2])
        self.clock.advance(0.5)
        self.port.deliver(answer(1, 10)[-2:])
        self.assertEqual(self.transport.value(), request(1, answer(1, 10)))

    def test_one_dead_slave_among_many(self) -> None:
        """3cky/mbusd, issue 36: it clogged the gateway, and connections were closed."""
        self.follow(reply_timeout=0.5)
        for unit in (*range(1, 10), 3, *range(1, 10)):
            self.master.dataReceived(request(unit, read(unit, 0, 2)))
            self.assertEqual(self.arrive(), read(unit, 0, 2))
            if unit == 3:
                self.clock.advance(0.5)
                self.assertEqual(self.transport.take(), exception(3, 3, 3, 0x0B))
            else:
                self.port.deliver(answer(unit, 2))
                self.assertEqual(self.transport.take(), request(unit, answer(unit, 2)))
        self.assertFalse(self.transport.disconnecting)

    def test_device_identification(self) -> None:
        """3cky/mbusd, issue 107: function 43 was not passed on."""
        asked = bytes.fromhex("2b 0e 01 00")
        said = bytes.fromhex("2b 0e 01 01 00 00 02 00 03 414243 01 01 44")
        self.master.dataReceived(message(1, 1, asked))
        self.assertEqual(self.arrive(), with_crc(b"\1" + asked))
        self.port.deliver(with_crc(b"\1" + said))
        self.assertEqual(self.transport.value(), message(1, 1, said))

    def test_answer_with_a_wrong_crc(self) -> None:
        """3cky/mbusd, issue 123: what is a master told then? That there is no answer."""
        self.master.dataReceived(request(1, read(1, 0, 2)))
        self.arrive()
        self.port.deliver(answer(1, 2)[:-1] + b"\0")
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.transport.value(), exception(1, 1, 3, 0x0B))

    def test_forty_masters(self) -> None:
        """3cky/mbusd, issue 68: its 33rd connection is refused."""
        masters = [self.connect() for _ in range(40)]
        for master, transport in masters:
            master.dataReceived(request(1, read(1, 0, 2)))
            self.arrive()
            self.port.deliver(answer(1, 2))
            self.assertEqual(transport.value(), request(1, answer(1, 2)))

    def test_one_register_by_function_16(self) -> None:
        """arendst/Tasmota, issue 9586: the answer was taken to be too short."""
        asked = bytes.fromhex("10 0090 0001 02 06c4")
        self.master.dataReceived(message(2, 0xF7, asked))
        self.assertEqual(self.arrive(), with_crc(b"\xf7" + asked))
        self.port.deliver(with_crc(b"\xf7" + asked[:5]))
        self.assertEqual(self.transport.value(), message(2, 0xF7, asked[:5]))

    def test_questions_that_wait_for_no_answers(self) -> None:
        """node-modbus/stream, issue 82: of requests every 200 ms some failed with 0B."""
        for number in range(10):
            self.master.dataReceived(request(number, read(1, number, 2)))
        for number in range(10):
            self.clock.advance(0.3)
            self.assertEqual(self.arrive(), read(1, number, 2))
            self.port.deliver(answer(1, 2, pack("B", number)))
        expected = [request(number, answer(1, 2, pack("B", number))) for number in range(10)]
        self.assertEqual(self.transport.value(), b"".join(expected))

    def test_message_cut_behind_its_header(self) -> None:
        """pymodbus-dev/pymodbus, issue 394: the rest was taken for a message without a header."""
        data = request(1, read(1, 0, 2))
        self.master.dataReceived(data[:7])
        self.clock.advance(5.0)
        self.master.dataReceived(data[7:])
        self.assertEqual(self.arrive(), read(1, 0, 2))

    def test_after_a_timeout(self) -> None:
        """emelianov/modbus-esp8266, issue 356: after one that was not answered the slave was said
        to be busy, without end.
        """
        for number in range(3):
            self.master.dataReceived(request(number, read(1, 0, 2)))
            self.assertEqual(self.arrive(), read(1, 0, 2))
            self.clock.advance(REPLY_TIMEOUT)
            self.assertEqual(self.transport.take(), exception(number, 1, 3, 0x0B))


class StrangersOverRTUTests(RTUTestCase):
    def test_two_answers_at_once(self) -> None:
        """morkai/h5.modbus, issue 14: answers came together, and could not be told apart."""
        (first, one), (second, two) = self.masters(2)
        first.dataReceived(read(1, 0, 2))
        second.dataReceived(read(2, 0, 2))
        self.arrive()
        self.port.deliver(answer(2, 2) + answer(1, 2))
        self.arrive()
        self.port.deliver(answer(2, 2))
        self.assertEqual((one.value(), two.value()), (answer(1, 2), answer(2, 2)))

    def test_one_byte_too_many(self) -> None:
        """mesta1/nmodbus, issue 21: a stray byte, and no request was understood any more."""
        master, transport = self.connect()
        master.dataReceived(b"\x55")
        self.clock.advance(10.0)
        for _ in range(3):
            master.dataReceived(read(1, 0, 2))
            self.assertEqual(self.arrive(), read(1, 0, 2))
            self.port.deliver(answer(1, 2))
            self.assertEqual(transport.take(), answer(1, 2))

    def test_slave_that_answers_after_the_master_has_given_up(self) -> None:
        """stephane/libmodbus, issue 83, and others: each answer was taken for the next one's, and
        so for ever.
        """
        master, transport = self.connect()
        for number in range(5):
            master.dataReceived(read(1, number, 2))
            self.clock.advance(0.6)
        self.arrive()
        for number in (0, 4):
            self.port.deliver(answer(1, 2, pack("B", number)))
            self.arrive()
        self.assertEqual(transport.value(), answer(1, 2, b"\4"))
