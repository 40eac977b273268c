"""protocol = modbus-tcp: masters of Modbus TCP."""

from __future__ import annotations

from struct import pack
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.asking.support import AskingTestCase, Transport
from tests.binding.modbus.support import answer, read, write
from zbtwist.binding.asking.askers import (
    LATE_TIME,
    LEFT_TIMEOUT,
    MAX_QUESTIONS,
    REPLY_TIMEOUT,
)
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.modbus.frames import with_crc
from zbtwist.binding.modbus.tcp import ModbusTCP
from zbtwist.binding.modbus.units import Units, units
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.network.node import Node
from zbtwist.runtime.option import Context, Mistake
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.status import DeliveryStatus

OTHER = Address64(0x0013A200_40000099)


def message(number: int, unit: int, data: bytes) -> bytes:
    return pack(">HHHB", number, 0, 1 + len(data), unit) + data


def request(number: int, frame: bytes) -> bytes:
    """An RTU frame as Modbus TCP has it."""
    return message(number, frame[0], frame[1:-2])


def exception(number: int, unit: int, function: int, code: int) -> bytes:
    return message(number, unit, bytes([function | 0x80, code]))


class TCPTestCase(AskingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.follow()
        self.master, self.transport = self.connect()

    def follow(self, **settings: Any) -> None:
        super().follow(**{"protocol": "modbus-tcp", **settings})


class MessageTests(TCPTestCase):
    def test_exchange(self) -> None:
        """The header goes, the CRC comes; and the other way."""
        self.master.dataReceived(request(0x1234, read(17, 0, 2)))
        self.assertEqual(self.arrive(), read(17, 0, 2))
        self.port.deliver(answer(17, 2, b"\7"))
        self.assertEqual(self.transport.value(), request(0x1234, answer(17, 2, b"\7")))

    def test_in_pieces(self) -> None:
        for byte in request(1, read(1, 0, 2)):
            self.assertEqual(self.sent, [])
            self.master.dataReceived(bytes([byte]))
        self.assertEqual(self.arrive(), read(1, 0, 2))

    def test_several_at_once(self) -> None:
        """Each gets its own answer, under its own number."""
        self.master.dataReceived(b"".join(request(7 + n, read(1, n, 2)) for n in range(5)))
        for number in range(5):
            self.assertEqual(self.arrive(), read(1, number, 2))
            self.port.deliver(answer(1, 2, bytes([number])))
        self.assertEqual(
            self.transport.value(),
            b"".join(request(7 + n, answer(1, 2, bytes([n]))) for n in range(5)),
        )

    def test_same_read_again(self) -> None:
        """A master that has given up asks once more: one answer is for both, and nothing piles up
        before the slave.
        """
        self.master.dataReceived(request(1, read(1, 0, 2)))
        self.arrive()
        self.master.dataReceived(request(2, read(1, 0, 2)) + request(3, read(1, 2, 2)))
        self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(
            self.transport.take(), request(1, answer(1, 2, b"\1")) + request(2, answer(1, 2, b"\1"))
        )
        self.assertEqual(self.arrive(), read(1, 2, 2))
        self.master.dataReceived(request(4, read(1, 0, 2)))
        self.port.deliver(answer(1, 2))
        self.assertEqual(self.arrive(), read(1, 0, 2))

    def test_same_number_again(self) -> None:
        """A master that tries again with the same number has one answer, and the slave one
        question: a coil is not toggled twice.
        """
        for asked, answered in (
            (write(1, 0, 1), with_crc(write(1, 0, 1)[:6])),
            (read(1, 0, 2), answer(1, 2)),
        ):
            for _ in range(4):
                self.master.dataReceived(request(7, asked))
            self.assertEqual(self.arrive(), asked)
            self.port.deliver(answered)
            self.assertEqual(self.transport.take(), request(7, answered))
            self.clock.advance(REPLY_TIMEOUT)
            self.assertEqual(self.arrive(), b"")
            self.master.dataReceived(request(7, asked))
            self.assertEqual(self.arrive(), asked)
            self.port.deliver(answered)
            self.assertEqual(self.transport.take(), request(7, answered))

    def test_same_number_again_and_no_answer(self) -> None:
        for _ in range(2):
            self.master.dataReceived(request(7, write(1, 0, 1)))
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.transport.value(), exception(7, 1, 16, 0x0B))
        self.assertFalse(self.master.is_under_way)

    def test_same_number_again_when_there_are_too_many(self) -> None:
        """It is none more."""
        count = MAX_QUESTIONS + 1
        self.master.dataReceived(b"".join(request(n, write(1, n, 1)) for n in range(count)))
        self.master.dataReceived(request(0, write(1, 0, 1)))
        self.assertEqual(self.transport.value(), b"")

    def test_same_write_by_another_number(self) -> None:
        """It is a new one; and so is another by the same number."""
        again = request(2, write(1, 0, 1)), request(1, write(1, 5, 1)), request(1, write(2, 0, 1))
        self.master.dataReceived(request(1, write(1, 0, 1)) + b"".join(again))
        for asked in (write(1, 0, 1), write(1, 0, 1), write(1, 5, 1), write(2, 0, 1)):
            self.assertEqual(self.arrive(), asked)
            self.port.deliver(with_crc(asked[:6]))

    def test_too_many_at_once(self) -> None:
        count = MAX_QUESTIONS + 3
        self.master.dataReceived(b"".join(request(n, read(1, n, 2)) for n in range(count)))
        # One is asked, and so many wait.
        self.assertEqual(
            self.transport.value(),
            b"".join(exception(n, 1, 3, 6) for n in range(MAX_QUESTIONS + 1, count)),
        )

    def test_two_masters(self) -> None:
        other, two = self.connect()
        self.master.dataReceived(b"".join(request(n, read(1, n, 2)) for n in range(3)))
        other.dataReceived(request(0, read(1, 9, 2)))
        asked = []
        for _ in range(4):
            asked.append(self.arrive()[3])
            self.port.deliver(answer(1, 2, bytes([asked[-1]])))
        self.assertEqual(asked, [0, 1, 9, 2])
        self.assertEqual(two.value(), request(0, answer(1, 2, b"\x09")))

    def test_no_answer(self) -> None:
        self.master.dataReceived(request(5, read(1, 0, 2)))
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.transport.value(), exception(5, 1, 3, 0x0B))

    def test_slave_that_is_dead(self) -> None:
        """What the same master asks another one meanwhile does not wait behind it."""
        self.follow(reply_timeout=0.5)
        self.master.dataReceived(b"".join(request(n, read(1, n, 2)) for n in range(3)))
        self.master.dataReceived(request(9, read(2, 0, 2)))
        self.arrive()
        self.clock.advance(0.5)
        self.assertEqual(self.arrive(), read(2, 0, 2))
        self.port.deliver(answer(2, 2))
        self.assertEqual(
            self.transport.value(), exception(0, 1, 3, 0x0B) + request(9, answer(2, 2))
        )
        self.clock.advance(LATE_TIME)
        self.assertEqual(self.arrive(), read(1, 1, 2))

    def test_not_delivered(self) -> None:
        self.master.dataReceived(request(5, read(1, 0, 2)))
        self.status(DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT)
        self.assertEqual(self.transport.value(), exception(5, 1, 3, 0x0B))

    def test_radio_that_is_away(self) -> None:
        self.wire.coordinator.link_down("It is unplugged.")
        self.master.dataReceived(request(5, read(1, 0, 2)))
        self.clock.advance(PortSettings.outage)
        self.master.dataReceived(request(6, read(1, 0, 2)))
        self.assertEqual(
            self.transport.value(), exception(5, 1, 3, 0x0A) + exception(6, 1, 3, 0x0A)
        )

    def test_strict(self) -> None:
        self.follow(strict=True)
        values = pack(">BHHB", 16, 0, 100, 200) + bytes(200)
        self.master.dataReceived(message(5, 1, values))
        self.assertEqual(self.transport.value(), exception(5, 1, 16, 0x0A))
        self.assertEqual(self.sent, [])

    def test_broadcast(self) -> None:
        """Nobody answers it, not even the gateway."""
        self.master.dataReceived(message(1, 0, bytes.fromhex("06 0001 0003")))
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT)
        self.assertEqual(self.transport.value(), b"")

    def test_any_unit(self) -> None:
        for unit in (1, 247, 248, 255):
            self.master.dataReceived(request(1, read(unit, 0, 2)))
            self.assertEqual(self.arrive(), read(unit, 0, 2))
            self.port.deliver(answer(unit, 2))
            self.assertEqual(self.transport.take(), request(1, answer(unit, 2)))

    def test_no_header(self) -> None:
        """Of what follows it cannot be told where it begins."""
        strange = "0001 0000 0001 01", "0001 0000 00ff 01", "0001 0001 0006 01"
        for number, data in enumerate((read(1, 0, 2), *map(bytes.fromhex, strange))):
            master, transport = self.connect()
            master.dataReceived(data)
            self.assertTrue(transport.aborted, number)
        self.assertIn("no header of Modbus TCP; for RTU frames over TCP", "".join(self.lines()))
        self.assertEqual(self.sent, [])

    def test_master_that_is_gone(self) -> None:
        other, two = self.connect()
        self.master.dataReceived(b"".join(request(n, read(1, n, 2)) for n in range(3)))
        other.dataReceived(request(0, read(1, 9, 2)))
        self.arrive()
        self.master.connectionLost(Failure(ConnectionDone()))
        self.port.deliver(answer(1, 2))
        self.assertEqual(self.arrive(), read(1, 9, 2))
        self.port.deliver(answer(1, 2, b"\x09"))
        self.assertEqual(self.arrive(), b"")
        self.assertEqual(two.value(), request(0, answer(1, 2, b"\x09")))

    def test_masters_that_have_given_up(self) -> None:
        """They end their side, as programs do that close, and a dead slave holds up the living one
        no longer than they would have waited.
        """
        for _ in range(4):
            self.master.dataReceived(request(1, read(9, 0, 2)))
            self.assertEqual(self.arrive(), read(9, 0, 2))
            self.clock.advance(LEFT_TIMEOUT)
            self.master.readConnectionLost()
            living, transport = self.connect()
            living.dataReceived(request(1, read(1, 0, 2)))
            self.clock.advance(0)
            self.assertEqual(self.arrive(), read(1, 0, 2))
            self.port.deliver(answer(1, 2))
            self.assertEqual(transport.value(), request(1, answer(1, 2)))
            living.readConnectionLost()
            self.master, _ = self.connect()

    def test_master_that_gives_up_while_another_waits(self) -> None:
        other, _ = self.connect()
        self.master.dataReceived(request(1, read(9, 0, 2)))
        self.arrive()
        self.clock.advance(0.4)
        other.dataReceived(request(1, read(1, 0, 2)))
        self.clock.advance(0.1)
        self.master.readConnectionLost()
        self.clock.advance(LEFT_TIMEOUT - 0.6)
        self.assertEqual(self.arrive(), b"")
        self.clock.advance(0.1)
        self.assertEqual(self.arrive(), read(1, 0, 2))

    def test_masters_that_have_given_up_are_behind_the_others(self) -> None:
        """What they asked is asked when nobody else wants to, one for each address in turn."""
        gone = [self.connect()[0] for _ in range(5)]
        for number, master in enumerate(gone):
            master.share = "10.0.0.2" if number == 4 else "10.0.0.1"
            master.dataReceived(request(1, read(1, number, 2)))
            master.readConnectionLost()
        for number in (100, 101):
            self.master.dataReceived(request(number, read(1, number, 2)))
        asked = []
        for _ in range(7):
            asked.append(self.arrive()[3])
            self.port.deliver(answer(1, 2))
        # The first had its turn when nobody else was there.
        self.assertEqual(asked, [0, 100, 101, 1, 4, 2, 3])

    def test_half_closed(self) -> None:
        """It has its answer, if that is late, too, while nobody else wants the line."""
        self.master.dataReceived(request(1, read(1, 0, 2)))
        self.master.readConnectionLost()
        self.arrive()
        self.clock.advance(REPLY_TIMEOUT - 0.1)
        self.port.deliver(answer(1, 2))
        self.assertEqual(self.transport.value(), request(1, answer(1, 2)))

    def test_half_closed_beside_another(self) -> None:
        """It has its answer as well, if that comes soon."""
        other, two = self.connect()
        self.master.dataReceived(request(1, read(1, 0, 2)))
        self.master.readConnectionLost()
        other.dataReceived(request(1, read(1, 9, 2)))
        self.arrive()
        self.clock.advance(LEFT_TIMEOUT - 0.1)
        self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(self.transport.value(), request(1, answer(1, 2, b"\1")))
        self.assertEqual(self.arrive(), read(1, 9, 2))
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual(two.value(), request(1, answer(1, 2, b"\2")))

    def test_port_that_is_closed(self) -> None:
        self.master.dataReceived(request(1, read(1, 0, 2)) + request(2, read(1, 2, 2)))
        self.arrive()
        self.port.leave("its port has moved")
        self.assertEqual(
            self.transport.value(), exception(2, 1, 3, 0x0B) + exception(1, 1, 3, 0x0B)
        )
        self.clock.advance(1.0)

    @given(st.lists(st.binary(max_size=40)))
    def test_any_bytes(self, parts: list[bytes]) -> None:
        """Nothing of a stranger's harms the gateway, or is kept without end."""
        master, transport = self.connect()
        protocol = master._protocol
        assert isinstance(protocol, ModbusTCP)
        for part in parts:
            if not transport.aborted:
                master.dataReceived(part)
        self.assertLess(len(protocol._data), 260)
        master.connectionLost(Failure(ConnectionDone()))


class OtherEndpointTests(TCPTestCase):
    """A node may have endpoints beside its port, each with a protocol of its own."""

    def connect_by(self, protocol: str) -> tuple[ConnectedClient, Transport]:
        wish = EndpointWish("tcp:4001", "tcp:4001", protocol)
        client = ConnectedClient(self.port, wish=wish)
        transport = Transport()
        client.makeConnection(transport)
        return client, transport

    def test_masters_of_both_kinds_take_turns(self) -> None:
        other, two = self.connect_by("modbus-rtu")
        self.master.dataReceived(request(1, read(1, 0, 2)))
        other.dataReceived(read(1, 10, 2))
        self.assertEqual(self.arrive(), read(1, 0, 2))
        self.port.deliver(answer(1, 2, b"\1"))
        self.assertEqual(self.arrive(), read(1, 10, 2))
        self.port.deliver(answer(1, 2, b"\2"))
        self.assertEqual(self.transport.value(), request(1, answer(1, 2, b"\1")))
        self.assertEqual(two.value(), answer(1, 2, b"\2"))

    def test_who_only_looks_on(self) -> None:
        """A raw client hears all that the slave says."""
        _, two = self.connect_by("raw")
        self.master.dataReceived(request(1, read(1, 0, 2)))
        self.arrive()
        self.port.deliver(answer(1, 2) + b"?")
        self.assertEqual(two.value(), answer(1, 2) + b"?")
        self.assertEqual(self.transport.value(), request(1, answer(1, 2)))

    def test_turns_with_whoever_takes_them(self) -> None:
        self.follow(protocol="raw", turns=True)
        plain, two = self.connect()
        self.master.dataReceived(request(1, read(1, 0, 2)))
        plain.dataReceived(b"hello\n")
        self.assertEqual(self.arrive(), read(1, 0, 2))
        self.port.deliver(answer(1, 2))
        self.assertEqual(self.arrive(), b"hello\n")
        self.port.deliver(b"world\n")
        self.assertEqual(two.value(), b"world\n")
        self.assertEqual(self.transport.value(), request(1, answer(1, 2)))


class UnitTests(TCPTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.other_node = Node(OTHER, Address16(0x99), label="TANK")
        self.other = self.open(self.other_node, 27002)
        self.ports.append(self.other)
        self.port.find = {OTHER: self.other, "TANK": self.other}.get
        self.follow(units=(Units(2, 5, None, "TANK"), Units(6, 6, 1, OTHER), Units(7, 7, 1, "?")))

    def test_table(self) -> None:
        for unit, slave, port in (
            (1, 1, self.port),
            (2, 2, self.other),
            (5, 5, self.other),
            (6, 1, self.other),
        ):
            self.master.dataReceived(request(3, read(unit, 0, 2)))
            self.assertEqual(self.wire.last.address64, port.node.address64)
            self.assertEqual(self.arrive(), read(slave, 0, 2))
            port.deliver(answer(slave, 2))
            self.assertEqual(self.transport.take(), request(3, answer(unit, 2)))

    def test_two_nodes_at_once(self) -> None:
        self.master.dataReceived(request(1, read(1, 0, 2)) + request(2, read(2, 0, 2)))
        self.arrive()
        self.assertEqual(len(self.sent), 2)
        self.other.deliver(answer(2, 2))
        self.port.deliver(answer(1, 2))
        self.assertEqual(
            self.transport.value(), request(2, answer(2, 2)) + request(1, answer(1, 2))
        )

    def test_node_that_is_not_there(self) -> None:
        self.master.dataReceived(request(1, read(7, 0, 2)))
        self.assertEqual(self.transport.value(), exception(1, 7, 3, 0x0A))

    def test_turns_with_its_own_masters(self) -> None:
        """Those of the other node's port."""
        self.other.outbound.settings = PortSettings(protocol="modbus-tcp", pace=OFF)
        assert self.other.listener is not None
        master: Any = self.other.listener.buildProtocol(None)
        transport = type(self.transport)()
        master.makeConnection(transport)
        self.master.dataReceived(request(1, read(2, 0, 2)))
        master.dataReceived(request(1, read(2, 9, 2)))
        self.assertEqual(self.arrive(), read(2, 0, 2))
        self.other.deliver(answer(2, 2, b"\1"))
        self.assertEqual(self.arrive(), read(2, 9, 2))
        self.other.deliver(answer(2, 2, b"\2"))
        self.assertEqual(self.transport.value(), request(1, answer(2, 2, b"\1")))
        self.assertEqual(transport.value(), request(1, answer(2, 2, b"\2")))

    def test_master_that_is_gone(self) -> None:
        """Nothing of it is left with the other node."""
        self.master.dataReceived(request(1, read(2, 0, 2)))
        self.arrive()
        self.master.connectionLost(Failure(ConnectionDone()))
        self.assertFalse(self.other.askers.clients)
        self.other.deliver(answer(2, 2))
        self.assertEqual(self.other.bytes_unread, 9)

    def test_master_that_has_given_up(self) -> None:
        """Nor does it keep the other node's own masters waiting."""
        self.other.outbound.settings = PortSettings(protocol="modbus-tcp", pace=OFF)
        assert self.other.listener is not None
        master: Any = self.other.listener.buildProtocol(None)
        master.makeConnection(type(self.transport)())
        self.master.dataReceived(request(1, read(2, 0, 2)))
        master.dataReceived(request(1, read(3, 0, 2)))
        self.arrive()
        self.clock.advance(LEFT_TIMEOUT)
        self.master.readConnectionLost()
        self.clock.advance(0)
        self.assertEqual(self.arrive(), read(3, 0, 2))

    def test_other_port_that_is_closed(self) -> None:
        self.master.dataReceived(request(1, read(2, 0, 2)))
        self.arrive()
        self.other.stopService()
        self.assertEqual(self.transport.value(), exception(1, 2, 3, 0x0B))
        self.master.dataReceived(request(2, read(2, 0, 2)))
        self.assertEqual(self.transport.value()[-9:], exception(2, 2, 3, 0x0B))


class TableTests(SynchronousTestCase):
    CONTEXT = Context(None, "")

    def test_forms(self) -> None:
        self.assertEqual(
            units("1=PUMP\n2-9=00:13:a2:00:40:00:00:99\n10=1@MIXER 2\n11=A@B", self.CONTEXT),
            (
                Units(1, 1, None, "PUMP"),
                Units(2, 9, None, OTHER),
                Units(10, 10, 1, "MIXER 2"),
                Units(11, 11, None, "A@B"),
            ),
        )

    def test_mistakes(self) -> None:
        for text in ("PUMP", "256=PUMP", "5-2=PUMP", "1=300@PUMP", "1=", "=PUMP"):
            with self.assertRaises(Mistake) as caught:
                units(text, self.CONTEXT)
            self.assertIn(repr(text), str(caught.exception))

    def test_crc_is_added_once(self) -> None:
        self.assertEqual(with_crc(read(1, 0, 1)[:-2]), read(1, 0, 1))
