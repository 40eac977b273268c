"""A node's own line: its rate, its buffer, and what finds no room in it."""

from __future__ import annotations

from tests.simulator.support import NetworkTestCase
from zbtwist.simulator.node import Node
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.serial_line import TRANSMIT_BUFFER
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.frames import RemoteATCommand, TransmitRequest, TransmitStatus

ADDRESS = 0x0013A200400A3E01

#: Seconds of a byte at 9600 baud.
BYTE = 10 / 9600


class UartTests(NetworkTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.node = self.network.add_node(Node(self.network, ADDRESS, "NODE"), announce=False)
        self.uart = self.node.uart

    def test_rate(self) -> None:
        """A packet is with the device when its last byte has gone over the line."""
        self.uart.send(bytes(84))
        self.clock.advance(84 * BYTE - 0.001)
        self.assertEqual((len(self.node.heard), self.uart.buffered), (0, 1))
        self.clock.advance(0.002)
        self.assertEqual((len(self.node.heard), self.uart.buffered), (84, 0))

    def test_clock_that_is_late(self) -> None:
        """The line does not wait for it."""
        self.uart.send(bytes(84))
        self.uart.send(bytes(84))
        self.clock.advance(100 * BYTE)
        self.clock.advance(68 * BYTE + 0.001)
        self.assertEqual(len(self.node.heard), 168)

    def test_full(self) -> None:
        """What does not fit is dropped whole."""
        dropped: list[bytes] = []
        self.uart.dropped = dropped.append
        for number in range(3):
            self.uart.send(bytes([number]) * 84)
        self.assertEqual(dropped, [b"\2" * 84])
        self.assertEqual((self.uart.dropped_packets, self.uart.dropped_bytes), (1, 84))
        self.uart.send(bytes(TRANSMIT_BUFFER - 168))
        self.clock.advance(84 * BYTE + 0.001)
        self.uart.send(b"\3" * 84)
        self.clock.advance(1.0)
        self.assertEqual(len(self.node.heard), TRANSMIT_BUFFER + 84)
        self.assertEqual((self.uart.dropped_packets, self.uart.sent_bytes), (1, 258))

    def test_large_packet(self) -> None:
        self.uart.send(bytes(255))
        self.uart.send(b"x")
        self.clock.advance(1.0)
        self.assertEqual(len(self.node.heard), 255)

    def test_the_sender_is_not_told(self) -> None:
        """Three packets arrive within a moment, and one of them is lost after status 00."""
        self.line.say(
            *(
                TransmitRequest(n, self.node.address64, UNKNOWN16, 0, 0, bytes(84))
                for n in (1, 2, 3)
            ),
            seconds=1.0,
        )
        self.assertEqual([s.delivery_status for s in self.line.of(TransmitStatus)], [0, 0, 0])
        self.assertEqual((len(self.node.heard), self.uart.dropped_bytes), (168, 84))

    def test_rts(self) -> None:
        self.uart.send(bytes(84))
        self.clock.advance(20 * BYTE)
        self.uart.rts = False
        self.clock.advance(10.0)
        self.assertFalse(self.uart.rts)
        self.assertEqual((len(self.node.heard), self.uart.buffered), (0, 64))
        self.uart.rts = True
        self.clock.advance(64 * BYTE + 0.001)
        self.assertEqual(len(self.node.heard), 84)

    def test_set_over_the_air(self) -> None:
        """It counts for what is in the buffer as well."""
        self.uart.send(bytes(84))
        self.clock.advance(42 * BYTE)
        self.line.say(
            *(
                RemoteATCommand(n, self.node.address64, UNKNOWN16, 2, command, value)
                for n, (command, value) in enumerate(
                    (("BD", b"\0"), ("NB", b"\1"), ("SB", b"\1")), 1
                )
            ),
            seconds=0.2,
        )
        self.assertEqual(self.uart.seconds_for_byte, 12 / 1200)
        self.assertGreater(self.uart.buffered, 20)
        self.clock.advance(0.5)
        self.assertEqual(self.uart.buffered, 0)

    def test_format(self) -> None:
        """A test can see how the line is, and whether something was on it when it changed."""
        self.assertEqual(str(self.uart), "9600 8N1")
        for command, value in (("BD", b"\7"), ("NB", b"\1"), ("SB", b"\1")):
            self.node.registers.store(command, value)
        self.assertEqual(str(self.uart), "9600 8N1")
        self.node.apply()
        self.assertEqual(str(self.uart), "115200 8E2")
        self.assertEqual(
            (self.uart.baud, self.uart.parity, self.uart.stop_bits), (115200, "even", 2)
        )
        self.assertEqual(self.uart.spoiled_bytes, 0)
        self.uart.send(bytes(84))
        self.node.set_baud(9600)
        self.assertEqual(self.uart.spoiled_bytes, 84)

    def test_restart(self) -> None:
        """What was in the buffer is gone, and what was not written to flash."""
        self.node.set_baud(19200)
        self.uart.send(bytes(84))
        self.node.execute("FR", b"")
        self.node.uart.rts = False
        self.clock.advance(0.5)
        self.assertEqual((self.uart.buffered, self.uart.seconds_for_byte), (0, BYTE))

    def test_removed(self) -> None:
        self.uart.send(bytes(84))
        self.network.remove_node(self.node)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_option(self) -> None:
        for options, baud in (({}, 9600), ({"node_baud": "57600"}, 57600)):
            network = SimulatorOptions.parse(**options).build(self.clock)
            self.addCleanup(network.stop)
            self.assertEqual({n.uart.seconds_for_byte for n in network.nodes.values()}, {10 / baud})
