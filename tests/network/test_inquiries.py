"""Asking nodes who they are, and whether they sleep."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.network.support import NetworkTestCase
from tests.radio.support import REMOTE, REMOTE16
from zbtwist.network.inquiries import INQUIRY_PAUSE
from zbtwist.radio.errors import ATRefused
from zbtwist.xbee import devices
from zbtwist.xbee.address import COORDINATOR16, UNKNOWN16, UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    IODataSample,
    NodeIdentification,
    RemoteATCommandResponse,
)
from zbtwist.xbee.samples import IOSample

#: Receive options of a packet that an end device sent, and that was acknowledged.
FROM_END_DEVICE = 0x41


class RoleTests(NetworkTestCase):
    """Who sleeps is sent to with the extended time-out, and waited for."""

    def setUp(self) -> None:
        super().setUp()
        self.up()

    def test_data_of_an_end_device(self) -> None:
        self.hear(b"x", options=FROM_END_DEVICE)
        self.assertEqual(self.node().role, devices.END_DEVICE)
        self.answer(0, b"E1")
        self.answer(0, b"\x00\x03\x00\x05")
        self.assertEqual(self.asked(), ["NI", "DD"])

    def test_router_that_has_become_an_end_device(self) -> None:
        self.known()
        self.hear(b"x", options=FROM_END_DEVICE)
        self.assertEqual(self.node().role, devices.END_DEVICE)

    def test_sample_of_an_end_device(self) -> None:
        self.wire.receive(IODataSample(REMOTE, REMOTE16, FROM_END_DEVICE, IOSample(1, 1)))
        self.assertEqual(self.node().role, devices.END_DEVICE)

    def test_the_bit_means_something_else_on_digimesh(self) -> None:
        """Its delivery method, in frames that have no 16-bit address."""
        self.hear(b"x", address16=UNKNOWN16, options=0xC1)
        self.assertIsNone(self.node().role)

    def told(self, status: int, value: bytes = b"", address16: Address16 = REMOTE16) -> int | None:
        """What is taken to be the role of a node with that answer to SM."""
        self.hear(b"x", address16=address16)
        self.answer(0, b"E1")
        self.answer(0, b"\x00\x03\x00\x05")
        self.assertEqual(self.wire.last.command, "SM")
        self.answer(status, value)
        return self.node().role

    def test_sleeps(self) -> None:
        self.assertEqual(self.told(0, b"\4"), devices.END_DEVICE)

    def test_does_not_sleep(self) -> None:
        self.assertEqual(self.told(0, b"\0"), devices.ROUTER)
        self.wire.clock.advance(INQUIRY_PAUSE)
        self.wire.sent.clear()
        self.hear(b"x")
        self.assertEqual(self.wire.sent, [])

    def test_coordinator(self) -> None:
        """Our radio may be a router. Firmware of S2 coordinators does not have SM."""
        self.assertEqual(self.told(2, b"", COORDINATOR16), devices.COORDINATOR)

    def test_no_answer(self) -> None:
        """It is asked again, and for that alone."""
        self.assertIsNone(self.told(4))
        self.wire.clock.advance(INQUIRY_PAUSE)
        self.hear(b"x")
        self.assertEqual(self.asked(), ["NI", "DD", "SM", "SM"])

    def test_it_says_so_before_the_answer(self) -> None:
        self.hear(b"x")
        self.answer(0, b"E1")
        self.answer(0, b"\x00\x03\x00\x05")
        self.hear(b"x", options=FROM_END_DEVICE)
        self.answer(0, b"\0")
        self.assertEqual(self.node().role, devices.END_DEVICE)


class RemoteCommandTests(NetworkTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.up()
        self.known()

    def ask(self) -> Deferred[bytes]:
        return Deferred.fromCoroutine(self.network.remote_at(self.node(), "TP"))

    def test_transmission_failed(self) -> None:
        """As after a packet that found nobody: the address may be an old one."""
        request = self.ask()
        self.answer(4, address16=UNKNOWN16)
        self.failureResultOf(request, ATRefused)
        self.assertEqual(self.node().address16, UNKNOWN16)
        self.ask()
        self.assertEqual(self.wire.last.address16, UNKNOWN16)

    def test_refused_by_the_node(self) -> None:
        """It was found, so its address is good."""
        for status in (1, 2, 3):
            request = self.ask()
            self.answer(status)
            self.failureResultOf(request, ATRefused)
            self.assertEqual(self.node().address16, REMOTE16)

    def test_moved_meanwhile(self) -> None:
        request = self.ask()
        moved = Address16(0x7777)
        self.hear(b"x", address16=moved)
        self.answer(4, address16=UNKNOWN16)
        self.failureResultOf(request, ATRefused)
        self.assertEqual(self.node().address16, moved)

    def test_answer_without_64_bit_address(self) -> None:
        """It is the answer, and no news of anybody else."""
        other = Address64(0x0013A200_40000002)
        self.known(other, Address16(0x2222))
        request = self.ask()
        self.answer(0, b"\0\x15", address64=UNKNOWN64)
        self.assertEqual(self.successResultOf(request), b"\0\x15")
        self.assertEqual((self.node().address16, self.node(other).address16), (REMOTE16, 0x2222))
        self.assertEqual(len(self.network.nodes), 2)

    def test_answer_of_another_without_64_bit_address(self) -> None:
        """Late, to somebody who asked another with this frame id before."""
        request = self.ask()
        self.answer(0, b"\0\x15", address64=UNKNOWN64, address16=Address16(0x2222))
        self.assertNoResult(request)
        self.answer(0, b"\0\x16", address64=UNKNOWN64, address16=UNKNOWN16)
        self.assertEqual(self.successResultOf(request), b"\0\x16")

    def test_whoever_answers_is_a_node(self) -> None:
        """Also one that nobody has heard of, as to a broadcast; and one that refuses."""
        for number, status in enumerate((0, 1, 2, 3, 4), 2):
            frame = RemoteATCommandResponse(
                99, Address64(number), Address16(number), "D4", status, b""
            )
            self.wire.receive(frame)
        self.assertEqual([node.address64 for node in self.network.nodes], [REMOTE, 2, 3, 4, 5])

    def test_who_speaks_of_another_is_a_node(self) -> None:
        spoken_of = NodeDescription(Address16(3), Address64(3), b"E3")
        self.wire.receive(NodeIdentification(Address64(2), Address16(2), 2, spoken_of))
        self.assertEqual([node.address64 for node in self.network.nodes], [REMOTE, 2, 3])
