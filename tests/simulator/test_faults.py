"""What goes wrong with the radio: statuses, buffers, restarts, silence, another radio."""

from __future__ import annotations

from tests.clock import Clock
from tests.simulator.support import NetworkTestCase
from zbtwist.simulator.channel import ChannelAir
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import EchoNode
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    ModemStatus,
    ReceivePacket,
    RemoteATCommand,
    RemoteATCommandResponse,
    TransmitRequest,
    TransmitStatus,
)

ADDRESS = 0x0013A20040000001


class RadioFaultTestCase(NetworkTestCase):
    def setUp(self) -> None:
        self.use(SimulatedNetwork(Clock(), air=ChannelAir()))
        self.echo = self.network.add_node(EchoNode(self.network, ADDRESS, "ECHO"), announce=False)

    def requests(self, *frame_ids: int, data: bytes = b"x") -> list[TransmitRequest]:
        address = self.echo.address64
        return [TransmitRequest(n, address, UNKNOWN16, 0, 0, data) for n in frame_ids]

    def statuses(self) -> list[tuple[int, int]]:
        return [(f.frame_id, f.delivery_status) for f in self.line.of(TransmitStatus)]


class StatusTests(RadioFaultTestCase):
    def test_lost(self) -> None:
        self.radio.lost_statuses = 1.0
        self.line.say(*self.requests(1), seconds=60.0)
        self.assertEqual(self.statuses(), [])
        self.assertEqual(self.echo.heard, b"x")
        # The packet is out of the radio all the same.
        self.radio.lost_statuses = 0.0
        self.radio.buffers = 1
        self.line.say(*self.requests(2))
        self.assertEqual(self.statuses(), [(2, 0)])

    def test_late(self) -> None:
        self.radio.late_statuses = 1.0
        self.line.say(*self.requests(1), seconds=4.0)
        self.assertEqual(self.statuses(), [])
        self.radio.late_statuses = 0.0
        self.line.say(*self.requests(2), seconds=2.0)
        self.assertEqual(self.statuses(), [(2, 0), (1, 0)])

    def test_lateness(self) -> None:
        self.radio.late_statuses = 1.0
        self.radio.lateness = 100.0
        self.line.say(*self.requests(1), seconds=99.0)
        self.assertEqual(self.statuses(), [])
        self.line.run(2.0)
        self.assertEqual(self.statuses(), [(1, 0)])

    def test_full_buffers(self) -> None:
        self.radio.buffers = 3
        self.line.say(*self.requests(1, 2, 3, 4, 5), seconds=0.001)
        self.assertEqual(self.statuses(), [(4, 0x32), (5, 0x32)])
        self.line.run(1.0)
        self.assertEqual(self.statuses()[2:], [(1, 0), (2, 0), (3, 0)])
        self.radio.full_status = 0x2C
        self.line.say(*self.requests(*range(1, 5)), seconds=0.001)
        self.assertEqual(self.statuses(), [(4, 0x2C)])


class ResetTests(RadioFaultTestCase):
    def test_says_why(self) -> None:
        for watchdog in (False, True):
            self.line.clear()
            self.radio.reset(watchdog=watchdog)
            self.line.run(1.0)
            self.assertEqual(self.line.frames, [ModemStatus(int(watchdog)), ModemStatus(6)])

    def test_loses_what_it_holds(self) -> None:
        """No status comes for what was in flight, and what was not yet sent never is."""
        self.line.say(*self.requests(1, 2, 3, 4, data=bytes(84)), seconds=0.03)
        self.assertEqual(self.statuses(), [(1, 0)])
        self.radio.reset()
        self.line.clear()
        self.line.run(10.0)
        self.assertEqual(self.statuses(), [])
        self.assertEqual(len(self.echo.heard), 84)
        self.assertEqual(self.line.transmit(self.echo.address64).delivery_status, 0)

    def test_buffers_are_empty(self) -> None:
        self.radio.buffers = 2
        self.echo.reachable = False
        self.line.say(*self.requests(1, 2), seconds=0.1)
        self.radio.reset()
        self.line.run(1.0)
        self.echo.reachable = True
        self.line.say(*self.requests(3, 4), seconds=0.1)
        self.assertEqual(self.statuses(), [(3, 0), (4, 0)])

    def test_loses_late_statuses(self) -> None:
        self.radio.late_statuses = 1.0
        self.line.say(*self.requests(1), seconds=1.0)
        self.radio.reset()
        self.line.run(10.0)
        self.assertEqual(self.statuses(), [])

    def test_loses_answers(self) -> None:
        address = self.echo.address64
        self.line.say(
            RemoteATCommand(1, address, UNKNOWN16, 2, "NI"), ATCommand(2, "ND"), seconds=0.015
        )
        self.radio.reset()
        self.line.run(10.0)
        self.assertEqual(self.line.of(RemoteATCommandResponse), [])
        self.assertEqual(self.line.of(ATCommandResponse), [])

    def test_loses_half_a_frame(self) -> None:
        self.network.radio.receive_bytes(b"\x7e\x00")
        self.radio.reset()
        self.line.run(1.0)
        self.assertEqual(self.line.at("AP"), (0, b"\1"))

    def test_deaf_meanwhile(self) -> None:
        self.radio.reset()
        self.assertEqual(self.line.say(ATCommand(1, "AP"), seconds=0.1), [])
        self.line.run(1.0)
        self.assertEqual(self.line.of(ATCommandResponse), [])

    def test_node_sends_again(self) -> None:
        """What a node sends while the radio restarts comes with its second try."""
        self.radio.reset()
        self.echo.send(b"patient")
        self.line.run(3.0)
        self.assertEqual([f.data for f in self.line.of(ReceivePacket)], [b"patient"])

    def test_settings_that_were_not_written(self) -> None:
        self.line.at("NT", b"\x40")
        self.radio.reset()
        self.line.run(1.0)
        self.assertEqual(self.line.at("NT"), (0, b"\x3c"))

    def test_twice(self) -> None:
        self.radio.reset()
        self.line.run(0.3)
        self.radio.reset()
        self.line.run(2.0)
        self.assertEqual(self.line.frames, [ModemStatus(0), ModemStatus(0), ModemStatus(6)])


class HangTests(RadioFaultTestCase):
    def test_for_a_while(self) -> None:
        self.radio.hang(10.0)
        self.assertEqual(self.line.say(ATCommand(1, "AP"), *self.requests(1), seconds=9.0), [])
        self.line.run(2.0)
        # What was said to it meanwhile is lost.
        self.assertEqual((self.line.frames, self.echo.heard), ([], b""))
        self.assertEqual(self.line.at("AP"), (0, b"\1"))

    def test_statuses_are_lost(self) -> None:
        self.line.say(*self.requests(1), seconds=0.005)
        self.radio.hang(1.0)
        self.line.run(5.0)
        self.assertEqual(self.statuses(), [])
        self.assertEqual(self.echo.heard, b"x")

    def test_until_reset(self) -> None:
        self.radio.hang()
        self.line.run(1000.0)
        self.radio.reset(watchdog=True)
        self.line.run(1.0)
        self.assertEqual(self.line.frames, [ModemStatus(1), ModemStatus(6)])

    def test_nodes_are_not_heard(self) -> None:
        self.radio.hang(20.0)
        self.echo.send(b"in vain")
        self.line.run(30.0)
        self.assertEqual(self.line.frames, [])


class PowerTests(RadioFaultTestCase):
    def test_off_and_on(self) -> None:
        self.line.say(*self.requests(1), seconds=0.005)
        self.radio.power_off()
        self.line.run(5.0)
        self.line.say(ATCommand(1, "AP"))
        self.assertEqual(self.line.frames, [])
        self.radio.power_on()
        self.line.run(1.0)
        self.assertEqual(self.line.frames, [ModemStatus(0), ModemStatus(6)])

    def test_off_while_it_starts(self) -> None:
        self.radio.reset()
        self.radio.power_off()
        self.line.run(5.0)
        self.assertEqual(self.line.frames, [])


class SwapTests(RadioFaultTestCase):
    def test_another_radio(self) -> None:
        before = self.radio.address64
        radio = self.network.swap_radio()
        self.assertIs(self.network.radio, radio)
        self.assertNotEqual(radio.address64, before)
        self.assertEqual(self.line.at("SL")[1], (radio.address64 & 0xFFFFFFFF).to_bytes(4, "big"))
        self.assertEqual(self.line.transmit(self.echo.address64).delivery_status, 0)
        self.assertEqual(len(self.line.of(ReceivePacket)), 1)

    def test_the_old_one_is_silent(self) -> None:
        self.line.say(*self.requests(1), seconds=0.005)
        self.network.swap_radio()
        self.line.run(5.0)
        self.assertEqual(self.statuses(), [])

    def test_another_network(self) -> None:
        self.network.swap_radio(pan_id=0x1234)
        self.assertEqual(self.line.at("OP"), (0, (0x1234).to_bytes(8, "big")))
        self.assertEqual(self.line.transmit(self.echo.address64, seconds=1).delivery_status, 0x24)
        self.assertEqual(self.line.remote_at(self.echo.address64, "NI", seconds=1).status, 4)
        self.assertEqual(self.line.say(ATCommand(1, "ND"), seconds=7), [])
        self.echo.send(b"who is there?")
        self.line.run(5.0)
        self.assertEqual(self.line.frames, [])

    def test_chosen_address(self) -> None:
        self.assertEqual(self.network.swap_radio(0x0013A20000000042).address64, 0x0013A20000000042)
        self.assertRaises(ValueError, self.network.swap_radio, ADDRESS)
