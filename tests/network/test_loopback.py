"""Packets that a node's radio sends back, and what its device says."""

from __future__ import annotations

from tests.network.support import NetworkTestCase
from tests.radio.support import REMOTE, REMOTE16
from zbtwist.network.events import BytesPassed, SenderUnknown
from zbtwist.network.loopback import (
    MARK,
    MAX_SIZE,
    MIN_SIZE,
    Echo,
    echo_of,
    loopback_packet,
    new_test,
)
from zbtwist.network.unknown_senders import KEEP_TIME
from zbtwist.xbee.address import UNKNOWN64, Address16, Address64
from zbtwist.xbee.frames import (
    DIGI_PROFILE,
    LOOPBACK_CLUSTER,
    SERIAL_CLUSTER,
    SERIAL_ENDPOINT,
    ExplicitReceive,
)

TEST = b"test"


def packet(number: int = 3, size: int = 40, address64: Address64 = REMOTE) -> bytes:
    return loopback_packet(address64, TEST, number, size)


class PacketTests(NetworkTestCase):
    def test_sizes(self) -> None:
        for size in (MIN_SIZE, MIN_SIZE + 1, MAX_SIZE):
            made = packet(7, size)
            self.assertEqual(len(made), size)
            self.assertEqual(echo_of(REMOTE, made), Echo(REMOTE, TEST, 7))
            self.assertEqual(echo_of(UNKNOWN64, made), Echo(REMOTE, TEST, 7))

    def test_what_is_none(self) -> None:
        made = packet()
        self.assertIsNone(echo_of(Address64(REMOTE + 1), made))
        for size in range(len(made)):
            self.assertIsNone(echo_of(REMOTE, made[:size]))
        self.assertIsNone(echo_of(REMOTE, made + b"x"))
        for index in range(len(made)):
            changed = bytearray(made)
            changed[index] ^= 1
            self.assertIsNone(echo_of(REMOTE, bytes(changed)))

    def test_every_test_has_its_name(self) -> None:
        self.assertEqual(len({new_test() for _ in range(10)}), 10)
        self.assertTrue(packet().startswith(MARK))


class StreamTests(NetworkTestCase):
    """What comes back is no part of the stream, however it comes."""

    def setUp(self) -> None:
        super().setUp()
        self.up()
        self.stream = self.known()
        self.numbers: list[int] = []
        self.passed: list[BytesPassed] = []
        self.wire.bus.subscribe(BytesPassed, self.passed.append)

    def explicit(self, cluster: int, data: bytes) -> None:
        self.wire.receive(
            ExplicitReceive(
                *(REMOTE, REMOTE16, SERIAL_ENDPOINT, SERIAL_ENDPOINT),
                *(cluster, DIGI_PROFILE, 1, data),
            )
        )

    def test_every_form(self) -> None:
        self.network.echoes[TEST] = self.numbers.append
        self.hear(packet(1))
        self.explicit(SERIAL_CLUSTER, packet(2))
        self.explicit(LOOPBACK_CLUSTER, packet(3))
        self.assertEqual((self.numbers, self.stream, self.passed), ([1, 2, 3], [], []))

    def test_loopback_cluster_is_never_the_stream(self) -> None:
        self.explicit(LOOPBACK_CLUSTER, b"anything")
        self.assertEqual(self.stream, [])

    def test_late(self) -> None:
        """The test is over, or was one of a former run."""
        self.hear(packet(1))
        self.hear(packet(1))
        self.assertEqual((self.stream, self.passed), ([], []))

    def test_what_the_device_says(self) -> None:
        """Nothing of it is lost, also if it looks like the beginning of a test's packet."""
        self.network.echoes[TEST] = self.numbers.append
        said = [
            MARK,
            MARK + b"x" * 40,
            packet()[:-1],
            packet(address64=Address64(5)),
            b"x" + packet(),
        ]
        for data in said:
            self.hear(data)
        self.assertEqual((self.stream, self.numbers), (said, []))

    def test_radio_that_does_not_know_the_sender(self) -> None:
        """The packet says whose it is: nobody is reset for it."""
        self.network.echoes[TEST] = self.numbers.append
        self.hear(packet(4), UNKNOWN64, Address16(0x7777))
        self.assertEqual(self.numbers, [4])
        self.assertEqual(self.node().address16, 0x7777)
        self.advance(KEEP_TIME + 1)
        self.assertEqual([one for one in self.events if isinstance(one, SenderUnknown)], [])
