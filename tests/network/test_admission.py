"""Who becomes a node."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from tests.network.support import SEARCH, NetworkTestCase
from tests.radio.support import FACTS, REMOTE, REMOTE16
from tests.support import present
from zbtwist.network import candidates
from zbtwist.network.admission import NODES_AT_ONCE, NODES_PER_SECOND, Admit
from zbtwist.network.candidates import ANSWERED_TIME, HEARD_TIME, Candidates, Credit
from zbtwist.network.events import NodeAdded, NodeChanged, NodeIdentified, NodesWaiting
from zbtwist.network.inquiries import INQUIRY_PAUSE, MAX_UNASKED
from zbtwist.network.node import Node
from zbtwist.runtime.repeats import INTERVAL
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ATCommandResponse,
    NodeIdentification,
    RemoteATCommand,
    RemoteATCommandResponse,
    RouteRecord,
)

FAILED = 4


class AdmissionTestCase(NetworkTestCase):
    admit = Admit.ANSWERED

    def setUp(self) -> None:
        super().setUp()
        self.up()

    @property
    def nodes(self) -> list[Address64]:
        return [node.address64 for node in self.network.nodes]

    @property
    def waiting(self) -> list[Address64]:
        return [one.node.address64 for one in self.network.admission.candidates]

    def questions(self) -> list[Address64]:
        """Who was asked for its name, since this was asked last."""
        asked = [
            frame.address64
            for frame in self.wire.sent
            if isinstance(frame, RemoteATCommand) and frame.command == "NI"
        ]
        self.wire.sent.clear()
        return asked

    def found(self, number: int, label: bytes = b"E") -> None:
        """A search is answered."""
        description = NodeDescription(
            Address16(number), Address64(number), label, device_type_identifier=1
        )
        self.wire.receive(ATCommandResponse(1, "ND", 0, description.to_bytes()))

    def invent(self, first: int, count: int, times: int = 1) -> None:
        """Frames come from so many addresses that nobody has."""
        for number in range(first, first + count):
            for _ in range(times):
                self.hear(b"x", Address64(number), Address16(number & 0x7FFF))

    def refuse(self) -> None:
        """Nobody is there to whom a question was sent."""
        for frame in list(self.wire.sent):
            if isinstance(frame, RemoteATCommand):
                self.wire.receive(
                    RemoteATCommandResponse(
                        frame.frame_id, frame.address64, UNKNOWN16, frame.command, FAILED, b""
                    )
                )


class WhoIsHeardTests(AdmissionTestCase):
    """With admit = answered, as it is."""

    def test_who_is_only_heard_is_no_node(self) -> None:
        self.hear(b"12")
        self.wire.receive(RouteRecord(REMOTE, REMOTE16, 1, []))
        described = NodeDescription(REMOTE16, REMOTE, b"E1", event=2, device_type_identifier=1)
        self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, described))
        self.assertEqual((self.nodes, self.events), ([], []))
        candidate = present(self.network.admission.candidates.get(REMOTE))
        self.assertEqual((candidate.packets, candidate.bytes_received), (3, 2))
        self.assertEqual(self.questions(), [REMOTE])

    def test_who_answers_is_a_node(self) -> None:
        self.hear(b"1")
        self.answer(0, b"E1")
        node = self.node()
        self.assertEqual((node.label, node.address16), ("E1", REMOTE16))
        self.assertEqual([type(event) for event in self.events], [NodeAdded, NodeChanged])
        self.assertEqual(self.waiting, [])
        self.answer(0, b"\0\3\0\5")
        self.answer(0, b"\0")
        self.assertEqual(self.asked(), ["NI", "DD", "SM"])
        self.assertEqual((node.device_type_identifier, node.role), (0x30005, 1))

    def test_who_refuses_has_answered(self) -> None:
        self.hear(b"1")
        self.answer(2)
        self.assertEqual(self.nodes, [REMOTE])

    def test_the_radio_answers_for_nobody(self) -> None:
        self.hear(b"1")
        self.answer(FAILED)
        self.assertEqual(self.nodes, [])

    def test_who_is_found_is_a_node_at_once(self) -> None:
        self.found(7, b"E7")
        self.assertEqual(self.node(Address64(7)).label, "E7")
        self.assertEqual(self.questions(), [])

    def test_what_it_said_of_itself_is_told_when_it_has_answered(self) -> None:
        described = NodeDescription(REMOTE16, REMOTE, b"E1", event=2, device_type_identifier=1)
        self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, described))
        self.answer(0, b"E1")
        [event] = [event for event in self.events if isinstance(event, NodeIdentified)]
        self.assertEqual((event.node, event.reason), (self.node(), 2))

    def test_an_answer_that_nobody_asked_for(self) -> None:
        for number, status in enumerate((0, 1, 2, 3, 4), 2):
            frame = RemoteATCommandResponse(
                99, Address64(number), Address16(number), "D4", status, b""
            )
            self.wire.receive(frame)
        self.assertEqual(self.nodes, [])

    def test_a_late_answer(self) -> None:
        self.hear(b"1")
        asked = self.wire.last
        self.advance(60)
        self.assertEqual(self.nodes, [])
        self.wire.receive(RemoteATCommandResponse(asked.frame_id, REMOTE, REMOTE16, "NI", 0, b"E1"))
        self.assertEqual(self.nodes, [REMOTE])

    def test_who_had_to_make_room_and_answers(self) -> None:
        self.patch(self.network.admission.candidates, "_maximum", 10)
        self.hear(b"1")
        question = self.wire.last
        self.invent(1, 20, times=2)
        self.assertNotIn(REMOTE, self.waiting)
        self.wire.receive(
            RemoteATCommandResponse(question.frame_id, REMOTE, REMOTE16, "NI", 0, b"E1")
        )
        self.assertEqual(self.nodes, [REMOTE])

    def test_known_nodes_are_as_ever(self) -> None:
        received = self.known()
        self.network.admission.max_nodes = 1
        self.invent(1, 5000)
        self.hear(b"1")
        self.assertEqual(received, [b"1"])

    def test_a_stranger_takes_no_address_from_a_node(self) -> None:
        self.known()
        self.hear(b"x", Address64(5), REMOTE16)
        self.assertEqual(self.network.nodes.owner_of(REMOTE16), REMOTE)

    def test_an_answer_by_the_16_bit_address_alone(self) -> None:
        """What is kept of one that was heard since is not put behind what is lost."""
        self.hear(b"1", Address64(0xFFFFFFFFFFFFFFFF))
        self.hear(b"2")
        for frame in list(self.wire.sent):
            if isinstance(frame, RemoteATCommand) and frame.command == "NI":
                self.wire.receive(
                    RemoteATCommandResponse(frame.frame_id, REMOTE, REMOTE16, "NI", 0, b"E1")
                )
        received: list[bytes] = []
        self.node().receiver = received.append
        self.hear(b"3")
        self.assertEqual(received, [b"3"])
        self.assertEqual(self.network.unattributed_frames, 1)


class CandidatesTests(AdmissionTestCase):
    """The table of them."""

    def test_bound(self) -> None:
        self.patch(candidates, "MAX_CANDIDATES", 10)
        table = Candidates(10)
        for number in range(100):
            table.heard(Address64(number), Address16(1), 0.0)
        self.assertEqual([one.node.address64 for one in table], list(range(90, 100)))
        self.assertEqual(table.dropped, 90)

    def test_the_oldest_goes_that_has_not_answered(self) -> None:
        table = Candidates(3)
        for number in (1, 2, 2, 3, 4, 4, 5):
            candidate = table.heard(Address64(number), Address16(number), 0.0)
            if number == 1:
                table.answered_us(candidate)
        self.assertEqual([one.node.address64 for one in table], [1, 4, 5])

    def test_who_is_now_here_and_now_there_is_not_more_credible(self) -> None:
        table = Candidates()
        for number in range(1, 10):
            candidate = table.heard(REMOTE, Address16(number), 0.0)
        self.assertIs(candidate.credit, Credit.HEARD)

    def test_they_expire(self) -> None:
        self.network.admission.rule = Admit.ASK
        self.found(1)
        self.hear(b"x", Address64(2))
        self.assertEqual(self.waiting, [1, 2])
        self.wire.clock.pump([INTERVAL] * int(HEARD_TIME / INTERVAL + 1))
        self.assertEqual(self.waiting, [1])
        self.wire.clock.pump([INTERVAL] * int(ANSWERED_TIME / INTERVAL + 1))
        self.assertEqual(self.waiting, [])

    def test_nothing_is_left_of_them(self) -> None:
        self.invent(1, 3)
        self.network.stopService()
        self.wire.coordinator.close()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])


class InquiryTests(AdmissionTestCase):
    """Who is asked, and when."""

    def test_one_at_a_time_and_the_credible_first(self) -> None:
        self.invent(1, 10)
        self.invent(20, 5, times=3)
        asked = self.questions()
        self.assertEqual(asked, [1, 2, 20])
        self.advance(15)
        self.assertEqual(self.questions(), [21, 22, 23])

    def test_nodes_come_before_candidates(self) -> None:
        self.network.nodes.seen(REMOTE, REMOTE16, 0.0)
        self.invent(1, 30, times=2)
        self.hear(b"x")
        self.assertIn(REMOTE, self.questions())

    def test_who_is_silent_is_asked_less_and_less_often(self) -> None:
        times = []
        for second in range(int(16 * INQUIRY_PAUSE)):
            self.hear(b"x")
            if self.questions():
                times.append(second)
            self.wire.clock.advance(1)
        pauses = [after - before for before, after in pairwise(times)]
        self.assertEqual(pauses, [60, 120, 240, 480])

    def test_a_silent_node_is_asked_less_and_less_often(self) -> None:
        self.network.nodes.seen(REMOTE, REMOTE16, 0.0)
        self.test_who_is_silent_is_asked_less_and_less_often()

    def test_what_waits_does_not_grow(self) -> None:
        """Of the nodes that wait to be asked each is there once, however often it is heard."""
        for number in range(1, 50):
            self.network.nodes.seen(Address64(number), Address16(number), 0.0)
        for _ in range(20):
            self.invent(1, 49)
            self.wire.clock.advance(1)
            self.network._inquiries._running.update()
        self.assertLessEqual(len(self.network._inquiries._waiting), 49)

    def test_so_many_are_asked_all_at_once(self) -> None:
        """A search asks them; who answers it is not asked singly."""
        self.invent(1, MAX_UNASKED + 10)
        self.assertEqual(self.asked().count("ND"), 1)
        self.assertEqual(self.questions(), [1, 2])
        for number in (3, 4):
            self.found(number)
        self.assertEqual(self.nodes, [3, 4])
        self.advance(15)
        self.assertEqual(self.questions(), [5, 6])

    def test_who_is_heard_before_the_radio_is_up(self) -> None:
        self.wire.coordinator.link_down("It is gone.")
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.hear(b"x")
        self.assertEqual(self.questions(), [])
        self.wire.coordinator.ready(FACTS)
        self.advance(SEARCH + 1)
        self.assertEqual(self.questions(), [REMOTE])

    def test_searches_come_less_and_less_often(self) -> None:
        searches = []
        for second in range(1000):
            self.invent(1 + second * 20, 20)
            if "ND" in self.asked():
                searches.append(second)
            self.refuse()
            self.wire.sent.clear()
            self.wire.clock.advance(1)
        pauses = [after - before for before, after in pairwise(searches)]
        self.assertEqual(sorted(pauses), pauses)
        self.assertLess(len(searches), 9)

    def test_who_joins_among_many_that_are_invented(self) -> None:
        """It speaks every five seconds; 300 others speak a second, and nobody answers for them."""
        for second in range(200):
            self.invent(1 + second * 300, 300)
            if second >= 100 and second % 5 == 0 and not self.nodes:
                self.hear(b"here I am")
            for frame in list(self.wire.sent):
                if isinstance(frame, RemoteATCommand) and frame.address64 == REMOTE:
                    self.wire.receive(
                        RemoteATCommandResponse(
                            frame.frame_id, REMOTE, REMOTE16, frame.command, 0, b"E1"
                        )
                    )
            self.wire.sent.clear()
            self.wire.clock.advance(1)
            if second == 119:
                break
        self.assertEqual(self.nodes, [REMOTE])
        self.assertEqual(self.node().label, "E1")
        self.assertLessEqual(len(self.waiting), candidates.MAX_CANDIDATES)


class RuleTests(AdmissionTestCase):
    """What else `admit` may be."""

    def test_all(self) -> None:
        self.network.admission.rule = Admit.ALL
        self.hear(b"x")
        self.assertEqual(self.nodes, [REMOTE])

    def test_listed(self) -> None:
        self.network.admission.rule = Admit.LISTED
        self.network.admission.is_listed = lambda node: node.label == "E2"
        self.found(1, b"E1")
        self.found(2, b"E2")
        self.assertEqual((self.nodes, self.waiting), ([2], [1]))

    def test_ask(self) -> None:
        self.network.admission.rule = Admit.ASK
        self.found(1, b"E1")
        self.hear(b"x")
        self.assertEqual((self.nodes, self.waiting), ([], [1, REMOTE]))
        for address64 in list(self.waiting):
            candidate = present(self.network.admission.candidates.get(address64))
            self.network.admission.accept(candidate)
        self.assertEqual((self.nodes, self.waiting), ([1, REMOTE], []))
        [event] = [event for event in self.events if isinstance(event, NodesWaiting)]
        self.assertEqual(
            str(event),
            "E1 (00:00:00:00:00:00:00:01) has answered and waits to be let in (zbctl list "
            "--waiting): zbctl accept lets a node in.",
        )

    def test_other_settings(self) -> None:
        self.network.admission.rule = Admit.ASK
        self.found(1)
        self.hear(b"x")
        for rule, nodes in ((Admit.ANSWERED, [1]), (Admit.ALL, [1, REMOTE])):
            self.network.reconfigure(self.settings(), self.settings(rule))
            self.assertEqual(self.nodes, nodes)

    def settings(self, admit: Admit = Admit.ANSWERED, max_nodes: int = 4096) -> Any:
        return SimpleNamespace(admit=admit, max_nodes=max_nodes)


class NamedTests(AdmissionTestCase):
    """One that waits is named by its address: in the configuration, or by a person."""

    def setUp(self) -> None:
        super().setUp()
        self.network.admission.rule = Admit.ASK

    def test_it_is_let_in_with_what_is_known_of_it(self) -> None:
        self.found(7, b"E7")
        node = present(self.network.nodes.add(Address64(7)))
        self.assertEqual(
            (node.label, node.address16, node.device_type_identifier), ("E7", Address16(7), 1)
        )
        self.assertGreater(self.network.nodes.last_seen(node), 0)
        self.assertEqual((self.waiting, self.network.admission.waiting), ([], 0))
        self.assertIs(self.node(Address64(7)), node)
        kinds = [type(event) for event in self.events if not isinstance(event, NodesWaiting)]
        self.assertEqual(kinds, [NodeAdded, NodeChanged])

    def test_there_is_one_node_of_it(self) -> None:
        """Whoever reads from it goes on doing so with whatever rule comes then."""
        self.found(7, b"E7")
        received: list[bytes] = []
        present(self.network.nodes.add(Address64(7))).receiver = received.append
        self.network.admission.rule = Admit.ANSWERED
        self.network.admission.admit_waiting()
        self.hear(b"hello", Address64(7), Address16(7))
        self.assertEqual(received, [b"hello"])

    def test_one_that_is_being_asked(self) -> None:
        self.hear(b"x")
        node = present(self.network.nodes.add(REMOTE))
        self.events.clear()
        self.answer(0, b"E1")
        self.assertEqual(node.label, "E1")
        self.assertIn(NodeChanged, [type(event) for event in self.events])

    def test_one_that_is_a_node_is_not_let_in(self) -> None:
        node = present(self.network.nodes.add(REMOTE))
        self.assertRaises(ValueError, self.network.nodes.enter, Node(REMOTE))
        stale = Candidates().heard(REMOTE, REMOTE16, 0.0)
        self.assertIs(self.network.admission.accept(stale), node)

    def test_what_was_said_when_it_joined_is_told(self) -> None:
        described = NodeDescription(REMOTE16, REMOTE, b"E1", event=2, device_type_identifier=1)
        self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, described))
        self.network.nodes.add(REMOTE)
        [event] = [event for event in self.events if isinstance(event, NodeIdentified)]
        self.assertIs(event.node, self.node())


class BoundTests(AdmissionTestCase):
    """How many become nodes."""

    def test_max_nodes(self) -> None:
        self.network.admission.max_nodes = 2
        for number in (1, 2, 3, 4):
            self.found(number)
        self.assertEqual((self.nodes, self.waiting), ([1, 2], [3, 4]))
        self.advance(INTERVAL)
        first, last = [event for event in self.events if isinstance(event, NodesWaiting)]
        self.assertEqual((first.node.address64, first.waiting), (3, 1))
        self.assertEqual((last.node.address64, last.waiting), (4, 2))
        self.assertEqual(
            last.reason,
            "2 nodes are known, and max-nodes lets no more in: forget those that are gone (zbctl "
            "forget), or raise it.",
        )

    def test_room_is_made(self) -> None:
        self.network.admission.max_nodes = 1
        self.found(1)
        self.found(2)
        self.network.nodes.remove(self.node(Address64(1)))
        self.advance(1)
        self.assertEqual(self.nodes, [2])

    def test_rate(self) -> None:
        for number in range(1, NODES_AT_ONCE + 101):
            self.found(number)
        self.assertEqual(len(self.nodes), NODES_AT_ONCE)
        self.assertEqual(
            self.network.admission.why_none,
            "More than 1000 new nodes have come; of the others 5 are let in a second.",
        )
        self.wire.clock.pump([0.1] * 100)
        self.assertAlmostEqual(len(self.nodes), NODES_AT_ONCE + 10 * NODES_PER_SECOND, delta=2)
        self.wire.clock.pump([0.1] * 150)
        self.assertEqual(self.waiting, [])

    def test_rate_of_all(self) -> None:
        self.network.admission.rule = Admit.ALL
        self.invent(1, 2000)
        self.assertEqual(len(self.nodes), NODES_AT_ONCE)
        self.found(9999)
        self.wire.clock.pump([0.1] * 5)
        self.assertIn(9999, self.nodes)
