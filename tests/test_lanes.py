"""Frames that are like those before them go a shorter way, on which nothing may get lost."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import FACTS, REMOTE, REMOTE16
from zbtwist.network import LANE_WITHIN, NetworkService, Node
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.traffic import Traffic
from zbtwist.xbee.address import UNKNOWN16, UNKNOWN64, Address16, Address64
from zbtwist.xbee.frames import Frame, ReceivePacket
from zbtwist.xbee.framing import encode

OTHER = Address64(REMOTE + 1)


class Everything:
    """Hears of all frames."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []

    def frame_received(self, frame: Frame) -> None:
        self.heard.append(frame)


class LaneTests(SynchronousTestCase):
    api_mode = 1

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100.0)
        self.coordinator = Coordinator(self.clock)
        self.network = NetworkService(
            self.clock, self.coordinator, lambda: self.clock.seconds() + 1e9
        )
        self.others: list[Frame] = []
        self.traffic = Traffic()
        self.protocol = RadioProtocol(
            self.clock,
            self.api_mode,
            self.frame_received,
            traffic=self.traffic,
            lanes=self.coordinator.lanes,
            lanes_used=self.coordinator.lanes_used,
        )
        self.protocol.makeConnection(StringTransport())
        self.coordinator.link_up(self.protocol.send)
        self.coordinator.ready(FACTS)
        self.received: list[tuple[Address64, bytes]] = []
        self.node = self.known(REMOTE)

    def known(self, address64: Address64) -> Node:
        node = self.network.nodes.add(address64)
        assert node is not None
        node.label, node.device_type_identifier = "E1", 0x30000
        node.heard_at = self.clock.seconds()
        node.receiver = lambda data: self.received.append((address64, data))
        return node

    def frame_received(self, frame: Frame) -> None:
        self.others.append(frame)
        self.coordinator.frame_received(frame)

    def hear(
        self,
        *data: bytes,
        address64: Address64 = REMOTE,
        address16: Address16 = REMOTE16,
    ) -> None:
        frames = [ReceivePacket(address64, address16, 1, one).to_bytes() for one in data]
        self.protocol.dataReceived(b"".join(encode(frame, self.api_mode) for frame in frames))

    def test_seldom_heard(self) -> None:
        """Not worth a lane."""
        for _ in range(3):
            self.clock.advance(LANE_WITHIN + 1)
            self.hear(b"x")
        self.assertEqual(self.coordinator.lanes, {})
        self.hear(b"x")
        self.assertEqual(len(self.coordinator.lanes), 1)

    def test_from_the_second_frame_on(self) -> None:
        self.hear(b"one", b"two", b"")
        self.assertEqual(self.received, [(REMOTE, b"one"), (REMOTE, b"two"), (REMOTE, b"")])
        self.assertEqual(len(self.others), 1)

    def test_traffic(self) -> None:
        """Each frame is counted, and shown to whoever traces: one that comes alone, and others."""
        traced: list[bytes] = []
        for trace in (None, lambda out, frame_data, api_mode: traced.append(frame_data[12:])):
            self.traffic.trace = trace
            for data in ((b"a",), (b"b",), (b"c", b"d"), (b"e",)):
                self.hear(*data)
        self.assertEqual(b"".join(data for _, data in self.received), b"abcdeabcde")
        self.assertEqual(traced, [b"a", b"b", b"c", b"d", b"e"])
        self.assertEqual(self.traffic.frames_in[0x90], 10)
        self.assertEqual(self.traffic.bytes_in[0x90], 130)

    def test_times(self) -> None:
        """The node, and the radio, were heard then."""
        self.hear(b"one")
        self.clock.advance(5.0)
        self.hear(b"two")
        self.assertEqual(len(self.others), 1)
        self.assertEqual((self.node.heard_at, self.node.last_seen), (105.0, 1e9 + 105.0))
        self.assertEqual(self.coordinator.last_frame, 105.0)

    def test_each_node_has_its_own(self) -> None:
        self.known(OTHER)
        for data in (b"a", b"b"):
            self.hear(data)
            self.hear(data, address64=OTHER, address16=Address16(2))
        expected = [(node, data) for data in (b"a", b"b") for node in (REMOTE, OTHER)]
        self.assertEqual(self.received, expected)
        self.assertEqual(len(self.coordinator.lanes), 2)

    def test_node_that_moves(self) -> None:
        """To another 16-bit address, and back again."""
        for address16 in (REMOTE16, Address16(0x5555), REMOTE16):
            self.hear(b"x", b"y", address16=address16)
            self.assertEqual(self.node.address16, address16)
        self.assertEqual(len(self.received), 6)

    def test_address_that_passes_to_another_node(self) -> None:
        self.hear(b"one", b"two")
        self.known(OTHER)
        self.hear(b"three", address64=OTHER)
        self.assertEqual(self.node.address16, UNKNOWN16)
        self.hear(b"four")
        self.assertEqual(self.node.address16, REMOTE16)
        self.assertEqual([data for _, data in self.received], [b"one", b"two", b"three", b"four"])

    def test_without_a_64_bit_address(self) -> None:
        """Whose frame it is depends on who has the 16-bit address, each time."""
        self.hear(b"one")
        self.hear(b"two", b"three", address64=UNKNOWN64)
        self.assertEqual(len(self.others), 3)
        self.assertEqual(len(self.received), 3)

    def test_node_that_is_removed(self) -> None:
        """It is a new one then."""
        self.hear(b"one", b"two")
        self.node.receiver = None
        self.network.nodes.remove(self.node)
        self.hear(b"three")
        self.assertIsNot(self.network.nodes.get(REMOTE), self.node)
        self.assertIsNotNone(self.network.nodes.get(REMOTE))
        self.assertEqual(len(self.received), 2)

    def test_node_that_is_not_described_yet(self) -> None:
        self.node.label = None
        self.hear(b"one", b"two")
        self.assertEqual(len(self.others), 2)

    def test_link_that_is_lost(self) -> None:
        self.hear(b"one", b"two")
        self.coordinator.link_down("It is gone.")
        self.assertEqual(self.coordinator.lanes, {})
        self.hear(b"three")
        self.assertEqual(self.coordinator.lanes, {})

    def test_somebody_else_wants_them(self) -> None:
        """Whoever comes later misses nothing."""
        self.hear(b"one", b"two")
        everything = Everything()
        self.coordinator.add_listener(everything)  # type: ignore[arg-type]
        self.hear(b"three", b"four")
        self.assertEqual([getattr(f, "data", b"") for f in everything.heard], [b"three", b"four"])

    def test_signal_is_measured(self) -> None:
        """It is asked for right after a packet, also of a node that was heard before."""
        self.hear(b"one", b"two")
        self.network.sample_signal()
        sent = self.coordinator.outstanding
        self.hear(b"three")
        self.assertEqual(self.coordinator.outstanding, sent + 1)
        self.assertEqual(len(self.received), 3)

    def test_receiver_that_fails(self) -> None:
        """It costs the others nothing."""
        self.hear(b"one")
        self.node.receiver = lambda data: 1 // 0  # type: ignore[assignment,return-value]
        self.known(OTHER)
        self.hear(b"two")
        self.hear(b"three", address64=OTHER)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.received[-1], (OTHER, b"three"))


class EscapedLaneTests(LaneTests):
    """The same in API mode 2."""

    api_mode = 2
