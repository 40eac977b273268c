"""Answers to a search that make no sense, and names that nobody would give."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.network.support import SEARCH, NetworkTestCase
from tests.radio.support import REMOTE, REMOTE16
from tests.support import record_log
from zbtwist.network.admission import Admit
from zbtwist.network.descriptions import MAX_SAID
from zbtwist.network.events import DescriptionRefused, NameOdd, SearchEnded
from zbtwist.observing.log_lines import LogLines
from zbtwist.xbee.address import Address16, Address64, format_address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import ATCommandResponse, NodeIdentification

GOOD = NodeDescription(REMOTE16, REMOTE, b"E2", device_type_identifier=0x00030005)
BODY = GOOD.to_bytes()
ADDRESS = format_address64(REMOTE)

#: What is wrong, and with which answer.
BAD = (
    (BODY[:10] + b"E2" + BODY[13:], "no end"),
    (BODY[:10] + b"E2\xff" * 3, "no end"),
    (BODY[:12], "no end"),
    (BODY[:18], "18 bytes"),
    (BODY + b"12345678", "33 bytes"),
)


class DescriptionTests(NetworkTestCase):
    admit = Admit.ANSWERED

    def setUp(self) -> None:
        super().setUp()
        LogLines(self.wire.bus)
        self.up()
        self.log = record_log(self)

    def search(self, *answers: bytes) -> None:
        """Search; these are the answers."""
        searching = Deferred.fromCoroutine(self.network.discover())
        asked = next(one for one in reversed(self.wire.sent) if one.command == "ND")
        for answer in answers:
            self.wire.receive(ATCommandResponse(asked.frame_id, "ND", 0, answer))
        self.advance(SEARCH)
        self.successResultOf(searching)

    def warnings(self) -> list[str]:
        return self.log.lines("warn", "zbtwist")

    def names(self) -> list[str]:
        return [line for line in self.log.lines("info", "zbtwist") if "The name (NI)" in line]

    def ended(self) -> SearchEnded:
        return [one for one in self.events if isinstance(one, SearchEnded)][-1]

    def test_said_once(self) -> None:
        """Not at each search, and by nobody else; a good answer makes a node of it."""
        for number, (answer, wrong) in enumerate(BAD):
            address64 = Address64(REMOTE + 1 + number)
            bad = answer[:2] + address64.to_bytes(8, "big") + answer[10:]
            before = len(self.warnings())
            for _ in range(5):
                self.search(bad)
            (line,) = self.warnings()[before:]
            self.assertIn(
                f"What {format_address64(address64)} says of itself makes no sense: ", line
            )
            self.assertIn(wrong, line)
            self.assertNotIn(address64, self.network.nodes)
            good = NodeDescription(Address16(0x7000 + number), address64, b"E%d" % number)
            self.search(good.to_bytes())
            self.assertEqual(self.node(address64).label, f"E{number}")
        self.assertEqual(len(self.warnings()), len(BAD))

    def test_who_cannot_be_told(self) -> None:
        """Too short for an address: once for all of them."""
        for size in (1, 5, 9, 5, 1):
            self.search(BODY[:size])
        self.assertEqual(
            self.warnings(),
            [
                (
                    "What a node says of itself makes no sense: it has 1 byte, and its addresses "
                    "need 10."
                )
            ],
        )

    def test_several_faults_of_one_node(self) -> None:
        """Once of each node: what else is wrong with it is no news."""
        for answer, _ in BAD:
            self.search(answer)
        self.assertEqual(len(self.warnings()), 1)

    def test_an_answer_all_the_same(self) -> None:
        """A node that is known and answers so is not missing."""
        self.search(BODY)
        self.search(BODY[:18])
        self.assertFalse(self.node().missed_search)
        self.assertEqual((self.ended().answered, self.ended().unreadable), (0, 1))
        self.assertEqual(
            str(self.ended()),
            "The search for nodes has ended: 0 nodes answered, 1 more in a way that makes no "
            "sense.",
        )
        self.search(BODY)
        self.assertEqual((self.ended().answered, self.ended().unreadable), (1, 0))
        self.search()
        self.assertTrue(self.node().missed_search)

    def test_names(self) -> None:
        for number, (name, wrong, shown) in enumerate(
            (
                (b"a\x1b[1mb\x07", "has characters that are not shown", "a[1mb"),
                (b"K\xfcche", "is not UTF-8", "Küche"),
                (b"x" * 25, "has 25 bytes, and no name has more than 20", "x" * 20),
                (b"\x01\x02", "has characters that are not shown", ""),
            )
        ):
            address64 = Address64(REMOTE + 1 + number)
            for _ in range(5):
                self.search(NodeDescription(Address16(7 + number), address64, name).to_bytes())
            self.assertEqual(self.node(address64).label, shown)
            self.assertEqual(
                self.names()[number:],
                [
                    (
                        f"The name (NI) of {format_address64(address64)} {wrong}: it is shown as "
                        f'"{shown}". zbctl at NODE NI sets another one.'
                    )
                ],
            )
            # A good name later is as any.
            self.search(NodeDescription(Address16(7 + number), address64, b"good").to_bytes())
            self.assertEqual(self.node(address64).label, "good")
        self.assertEqual(self.warnings(), [])

    def test_usual_names(self) -> None:
        for name in (b"", b" ", b"E2", "Küche".encode(), b"x" * 20):
            self.search(NodeDescription(REMOTE16, REMOTE, name).to_bytes())
        self.assertEqual(self.names(), [])

    def test_what_it_says_unasked(self) -> None:
        """The same in a frame 95."""
        description = NodeDescription(REMOTE16, REMOTE, b"\xff", event=2)
        for _ in range(3):
            self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, description))
        self.assertEqual(len(self.names()), 1)

    def test_it_is_bounded(self) -> None:
        """Addresses cost nothing."""
        for number in range(MAX_SAID + 100):
            address64 = (1 << 40) + number
            self.search_answer(BODY[:2] + address64.to_bytes(8, "big") + b"x")
        said = [one for one in self.events if isinstance(one, DescriptionRefused)]
        self.assertEqual(len(said), MAX_SAID)
        for number in range(MAX_SAID + 100):
            description = NodeDescription(REMOTE16, Address64((1 << 41) + number), b"\xff")
            self.search_answer(description.to_bytes())
        self.assertFalse([one for one in self.events if isinstance(one, NameOdd)])

    def search_answer(self, answer: bytes) -> None:
        self.wire.receive(ATCommandResponse(1, "ND", 0, answer))
