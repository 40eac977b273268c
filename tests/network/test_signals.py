"""How strongly nodes are heard."""

from __future__ import annotations

from tests.network.support import NetworkTestCase
from zbtwist.network.node import Node
from zbtwist.network.signals import SIGNAL_AGE, SIGNALS_PER_SECOND
from zbtwist.xbee.address import UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    NodeIdentification,
    ReceivePacket,
    RemoteATCommandResponse,
)


class SignalTests(NetworkTestCase):
    def heard(self) -> Node:
        """A node that has sent a byte."""
        self.hear(b"x")
        return self.node()

    def questions(self) -> list[ATCommand]:
        """What the local radio was asked for the strength of a signal."""
        return [
            frame
            for frame in self.wire.sent
            if isinstance(frame, ATCommand) and frame.command == "DB"
        ]

    def test_it_is_measured_when_asked_for(self) -> None:
        self.up()
        node = self.heard()
        self.assertEqual(self.questions(), [])
        self.network.signals.sample()
        self.assertEqual(self.questions(), [])
        self.heard()
        self.heard()
        [question] = self.questions()
        self.wire.receive(ATCommandResponse(question.frame_id, "DB", 0, b"\x2a"))
        self.assertEqual(node.signal, 0x2A)
        self.heard()
        self.assertEqual(len(self.questions()), 1)

    def hear_from(self, number: int) -> None:
        """A byte of one of several nodes."""
        self.wire.receive(ReceivePacket(Address64(number), Address16(number), 1, b"x"))

    def signals(self) -> dict[int, int | None]:
        """The strength of each node."""
        return {int(node.address64): node.signal for node in self.network.nodes}

    def question_of(self, number: int) -> ATCommand | None:
        """Hear from a node; return what the radio was asked because of that."""
        before = len(self.wire.sent)
        self.hear_from(number)
        for frame in self.wire.sent[before:]:
            if isinstance(frame, ATCommand) and frame.command == "DB":
                return frame
        return None

    def tell(self, value: int, question: ATCommand | None = None) -> None:
        """Answer that question, or the last one."""
        question = question or self.questions()[-1]
        self.wire.receive(ATCommandResponse(question.frame_id, "DB", 0, bytes([value])))

    def look(self, seconds: float = 1.0) -> None:
        """Somebody looks, after that time."""
        self.wire.clock.advance(seconds)
        self.network.signals.sample()

    def test_it_is_of_the_node_that_was_heard_last(self) -> None:
        """Frames come in order: the radio heard that one when it answered."""
        self.up()
        self.look()
        self.hear_from(1)
        self.hear_from(2)
        self.assertEqual(len(self.questions()), 1)
        self.tell(0x2A)
        self.assertEqual(self.signals(), {1: None, 2: 0x2A})
        # Data is not all that is heard.
        self.hear_from(1)
        node = NodeDescription(Address16(2), Address64(2), b"E2")
        self.wire.receive(NodeIdentification(Address64(2), Address16(2), 1, node))
        self.tell(0x2B)
        self.assertEqual(self.signals(), {1: None, 2: 0x2B})

    def test_it_is_of_nobody_after_an_answer(self) -> None:
        """It may be of the packet that the answer was in, or of the one before."""
        description = NodeDescription(Address16(2), Address64(2), b"E2")
        for answer in (
            ATCommandResponse(0, "ND", 0, description.to_bytes()),
            RemoteATCommandResponse(0, Address64(2), Address16(2), "NI", 0, b"E2"),
        ):
            self.up()
            self.look(SIGNAL_AGE)
            self.hear_from(1)
            self.wire.receive(answer)
            self.tell(0x2A)
            self.assertEqual(set(self.signals().values()), {None})

    def test_of_a_node_that_could_not_be_told(self) -> None:
        self.up()
        self.look()
        self.hear_from(1)
        self.wire.receive(ReceivePacket(UNKNOWN64, Address16(0x7777), 1, b"x"))
        self.tell(0x2A)
        self.assertEqual(self.signals(), {1: None})

    def test_of_many_that_send_together(self) -> None:
        """Each of them is measured, also if one is always in between."""
        self.up()
        for _ in range(12):
            self.look()
            for _ in range(3):
                for number in range(1, 9):
                    if question := self.question_of(number):
                        self.hear_from(8)
                        self.hear_from(number)
                        self.tell(0x20 + number, question)
        self.assertEqual(self.signals(), {number: 0x20 + number for number in range(1, 9)})

    def test_of_one_that_is_heard_seldom(self) -> None:
        """A hundred others are heard all the time, and leave it a question nevertheless."""
        self.up()
        for number in range(1, 101):
            self.hear_from(number)
        self.crowd(60)
        self.assertEqual({number for number, value in self.signals().items() if not value}, {100})
        for value in (0x2A, 0x2B):
            before = len(self.questions())
            self.hear_from(100)
            self.assertEqual(len(self.questions()), before + 1)
            self.tell(value)
            self.assertEqual(self.signals()[100], value)
            # It is there again, and that is known when it comes the next time.
            self.crowd(60)
            self.hear_from(100)
            self.crowd(60)

    def crowd(self, seconds: int) -> None:
        """Hear 99 nodes all the time."""
        for _ in range(seconds):
            self.look()
            for number in range(1, 100):
                if question := self.question_of(number):
                    self.tell(0x20, question)

    def test_that_is_old_is_measured_again(self) -> None:
        self.up()
        for value in (0x20, 0x30):
            self.look(SIGNAL_AGE)
            for _ in range(3):
                self.hear_from(1)
            self.tell(value)
            self.hear_from(1)
            self.assertEqual(self.signals(), {1: value})
        self.assertEqual(len(self.questions()), 2)

    def test_number_of_questions_is_bounded(self) -> None:
        """However often somebody looks, however many are heard."""
        self.up()
        self.look()
        for _ in range(101):
            for number in range(1, 40):
                if question := self.question_of(number):
                    self.tell(0x2A, question)
            self.look(0.05)
        # Five seconds, and what was saved before.
        self.assertGreater(len(self.questions()), 20)
        self.assertLessEqual(len(self.questions()), 6 * SIGNALS_PER_SECOND)

    def test_are_not_measured_while_nobody_looks(self) -> None:
        self.up()
        self.look()
        self.hear_from(1)
        self.network.signals.stop()
        self.tell(0x2A)
        self.hear_from(2)
        self.assertEqual(len(self.questions()), 1)

    def test_that_the_radio_does_not_tell(self) -> None:
        """It is not asked at once again."""
        self.up()
        node = self.heard()
        for status, value in ((2, b""), (0, b"\0")):
            self.look(SIGNAL_AGE)
            self.heard()
            question = self.questions()[-1]
            self.wire.receive(ATCommandResponse(question.frame_id, "DB", status, value))
            self.assertIsNone(node.signal)
            self.heard()
        self.assertEqual(len(self.questions()), 2)
