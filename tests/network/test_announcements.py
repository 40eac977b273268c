"""What nodes do, as lines of the log."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import REMOTE, REMOTE16, Wire
from tests.support import record_log
from zbtwist.network.admission import Admit
from zbtwist.network.announcements import REPEAT_INTERVAL
from zbtwist.network.service import NetworkService
from zbtwist.observing.log_lines import LogLines
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import ExplicitReceive, NodeIdentification, ReceivePacket

ADDRESS = "00:13:a2:00:40:0a:3e:ff"


class News(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.clock = self.wire.clock
        self.network = NetworkService(
            self.clock, self.wire.coordinator, self.wire.bus, admit=Admit.ALL
        )
        self.nodes = self.network.nodes
        LogLines(self.wire.bus)
        self.log = record_log(self)
        self.addCleanup(self.network.stopService)

    def lines(self) -> list[str]:
        """What was said since the last time."""
        lines = self.log.lines()
        self.log.events.clear()
        return lines

    def identify(self, event: int, label: bytes = b"E2") -> None:
        description = NodeDescription(
            REMOTE16, REMOTE, label, event=event, device_type_identifier=0
        )
        self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, description))

    def test_a_node_appears(self) -> None:
        for _ in range(2):
            self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"x"))
        self.assertEqual(self.lines(), [f"A new node: {ADDRESS}."])
        self.identify(0)
        self.assertEqual(self.lines(), [f"{ADDRESS} is called E2."])
        self.identify(0)
        self.assertEqual(self.lines(), [])

    def test_another_name(self) -> None:
        self.identify(0)
        self.lines()
        self.identify(0, b"Boiler")
        self.assertEqual(self.lines(), [f"{ADDRESS} is called Boiler now, no longer E2."])
        self.identify(0, b"")
        self.assertEqual(self.lines(), [])

    def test_what_was_known_before_is_no_news(self) -> None:
        node = self.nodes.add(REMOTE)
        assert node is not None
        node.label = "E2"
        node.seen_before = 1e9
        self.identify(0)
        self.assertEqual(self.lines(), [])

    def test_a_node_of_the_configuration(self) -> None:
        """It was known before it was seen, and is new all the same."""
        self.nodes.add(REMOTE)
        for _ in range(2):
            self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"x"))
        self.assertEqual(self.lines(), [f"A new node: {ADDRESS}."])

    def test_what_a_node_says(self) -> None:
        self.identify(0)
        self.lines()
        for event, words in (
            (1, "says who it is: its button was pressed."),
            (2, "has joined the network."),
            (3, "was switched on."),
        ):
            self.identify(event)
            self.assertEqual(self.lines(), [f"E2 ({ADDRESS}) {words}"])

    def test_it_is_not_repeated_at_once(self) -> None:
        self.identify(0)
        self.lines()
        for _ in range(100):
            self.identify(2)
        self.assertEqual(len(self.lines()), 1)
        self.clock.advance(REPEAT_INTERVAL)
        self.identify(2)
        self.assertEqual(len(self.lines()), 1)

    def test_with_explicit_frames(self) -> None:
        self.identify(0)
        self.lines()
        data = NodeDescription(REMOTE16, REMOTE, b"E2", event=2).to_bytes()
        for profile in (0x0104, 0xC105):
            self.wire.receive(ExplicitReceive(REMOTE, REMOTE16, 0xE8, 0xE8, 0x95, profile, 2, data))
        self.assertEqual(self.lines(), [f"E2 ({ADDRESS}) has joined the network."])

    def test_what_makes_no_sense_is_left_to_the_network(self) -> None:
        self.identify(0)
        self.lines()
        self.wire.receive(ExplicitReceive(REMOTE, REMOTE16, 0xE8, 0xE8, 0x95, 0xC105, 2, b"?"))
        (line,) = self.lines()
        self.assertIn("makes no sense", line)
