"""How a node is, by what has passed."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.health.record import GIVEN_UP, GOOD_PACKETS, MEMORY, Record
from zbtwist.health.state import Condition, Health
from zbtwist.network.node import Node
from zbtwist.xbee import devices
from zbtwist.xbee.address import Address64

#: Seconds between two looks.
LOOK = 5.0

#: What the clock of the day is ahead of the other one.
WALL = 1_700_000_000.0


@dataclass
class _Counters:
    packets_sent: int = 0
    failures: int = 0
    retries: int = 0


class RecordTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.node = Node(Address64(0x0013A200400A3E01), label="E1", role=devices.ROUTER)
        self.record = Record(self.node)
        self.counters = _Counters()
        self.time = 1000.0
        self.up_at = 0.0

    @property
    def now(self) -> tuple[float, float]:
        return self.time, WALL + self.time

    def hear(self, is_answer: bool = False) -> None:
        self.node.heard_at = self.time
        if not is_answer:
            self.node.spoke_at = self.time

    def look(self, passing: str = "") -> Condition:
        self.time += LOOK
        self.record.look(self.counters, self.now, self.up_at)
        return self.record.judge(self.now, lambda node: passing)

    def pass_by(self, seconds: float) -> Condition:
        """Time passes in which nothing happens."""
        for _ in range(int(seconds / LOOK)):
            condition = self.look()
        return condition

    def report(self, pause: float, times: int = 8) -> Condition:
        """The node says something by itself, again and again."""
        for _ in range(times):
            self.hear()
            condition = self.pass_by(pause)
        return condition

    def ask(self, is_answered: bool) -> None:
        self.record.asked(self.now)
        self.time += 1.0
        if is_answered:
            self.hear(is_answer=True)
        else:
            self.record.not_answered(self.now)


class RecordTests(RecordTestCase):
    def test_never_heard(self) -> None:
        self.assertIs(self.pass_by(3600).health, Health.UNKNOWN)

    def test_heard(self) -> None:
        self.hear()
        self.assertIs(self.look().health, Health.OK)
        # It says nothing by itself, and nobody has asked it anything.
        self.assertIs(self.pass_by(86400).health, Health.OK)

    def test_silent(self) -> None:
        """It is late after a pause and a bit, and silent after two."""
        condition = self.report(60)
        self.assertEqual(
            (condition.health, condition.why), (Health.OK, "It says something every 60 s.")
        )
        self.assertFalse(self.record.is_late(self.time))
        self.assertIs(self.pass_by(20).health, Health.OK)
        self.assertTrue(self.record.is_late(self.time))
        self.assertIs(self.pass_by(40).health, Health.OK)
        condition = self.look()
        self.assertIs(condition.health, Health.SILENT)
        self.assertIn("it used to say something every 60 s.", condition.why)
        self.assertEqual(condition.since, WALL + self.node.heard_at)
        self.hear()
        self.assertIs(self.look().health, Health.OK)

    def test_one_report_that_is_lost(self) -> None:
        self.report(60)
        self.hear()
        self.assertIs(self.pass_by(115).health, Health.OK)
        self.report(60, 2)
        self.assertEqual(self.record.condition.why, "It says something every 60 s.")

    def test_no_rhythm(self) -> None:
        for pause in (5, 300, 10, 2000, 5, 700, 15, 400):
            self.hear()
            self.pass_by(pause)
        self.assertIs(self.pass_by(100_000).health, Health.OK)

    def test_answers_are_no_rhythm(self) -> None:
        """A device that a client asks each minute is not silent when the client is gone."""
        for _ in range(10):
            self.counters.packets_sent += 1
            self.hear()
            self.pass_by(60)
        self.assertIs(self.pass_by(3600).health, Health.OK)

    def test_silent_device_of_a_radio_that_answers(self) -> None:
        self.report(60)
        self.pass_by(120)
        self.ask(is_answered=True)
        condition = self.look()
        self.assertIs(condition.health, Health.SILENT)
        self.assertIn("Its radio answers: look at the device behind it.", condition.why)
        self.time += 3.0
        self.hear()
        self.assertIs(self.look().health, Health.OK)

    def test_silent_and_no_answer(self) -> None:
        self.report(60)
        heard_at = self.node.heard_at
        self.pass_by(120)
        self.ask(is_answered=False)
        condition = self.look(", nor does its neighbour".strip(", "))
        self.assertIs(condition.health, Health.NOT_ANSWERING)
        self.assertEqual(condition.since, WALL + heard_at)
        self.assertTrue(
            condition.why.endswith(
                ": it used to say something every 60 s, 1 question got no answer, nor does its "
                "neighbour."
            ),
            condition.why,
        )
        self.hear()
        self.assertIs(self.look().health, Health.OK)

    def test_answers_of_the_radio_are_no_rhythm(self) -> None:
        """To AT commands of anybody, and to a test of the way, again and again."""
        for _ in range(20):
            self.hear(is_answer=True)
            self.look()
        self.assertIs(self.pass_by(3600).health, Health.OK)
        # Nor do they hide that of the device, or its silence.
        self.report(60)
        for _ in range(12):
            self.hear(is_answer=True)
            self.assertIs(self.look().health, Health.OK)
        self.hear(is_answer=True)
        self.assertIs(self.look().health, Health.SILENT)

    def test_restart_by_us(self) -> None:
        """It looks for its network, and its device says meanwhile what nobody hears."""
        self.report(5)
        self.node.told_to_restart_at = self.time
        self.assertIs(self.pass_by(60).health, Health.OK)
        self.assertIs(self.look().health, Health.SILENT)

    def test_tests_of_the_way(self) -> None:
        self.hear()
        self.look()
        self.record.tested(10, 0, self.now)
        condition = self.look()
        self.assertIs(condition.health, Health.NOT_ANSWERING)
        self.assertIn("10 packets got no acknowledgement", condition.why)
        # What arrives need not come back: it may be no Digi module.
        self.record.tested(10, 1, self.now)
        self.assertIs(self.look().health, Health.OK)
        # The radio was away.
        self.record.tested(0, 0, self.now)
        self.assertFalse(self.record.is_doubtful)

    def test_first_condition(self) -> None:
        self.assertIs(self.record.condition.health, Health.UNKNOWN)
        self.hear()
        self.assertEqual(Record(self.node).condition, Condition(Health.OK, 0.0, ""))
        self.node.role = devices.END_DEVICE
        self.assertIs(Record(self.node).condition.health, Health.ASLEEP)

    def test_quiet_node(self) -> None:
        """One question may be lost."""
        self.hear()
        self.pass_by(3600)
        self.ask(is_answered=False)
        self.assertIs(self.look().health, Health.OK)
        self.assertTrue(self.record.is_doubtful)
        self.ask(is_answered=False)
        self.assertIs(self.look().health, Health.NOT_ANSWERING)
        self.ask(is_answered=True)
        self.assertIs(self.look().health, Health.OK)
        self.assertFalse(self.record.is_doubtful)

    def test_heard_while_the_question_waited(self) -> None:
        """The answer was lost, and it is there."""
        self.hear()
        self.look()
        self.record.asked(self.now)
        self.time += 1.0
        self.hear()
        self.record.not_answered(self.now)
        self.assertEqual(self.record.unanswered, 0)

    def test_packets_that_are_given_up(self) -> None:
        self.hear()
        self.look()
        for _ in range(GIVEN_UP - 1):
            self.counters.failures += 1
            self.assertIsNot(self.look().health, Health.NOT_ANSWERING)
        self.counters.failures += 1
        condition = self.look("its neighbour ECHO does")
        self.assertIs(condition.health, Health.NOT_ANSWERING)
        self.assertTrue(
            condition.why.endswith(": 3 packets got no acknowledgement, its neighbour ECHO does."),
            condition.why,
        )
        self.counters.packets_sent += 1
        self.assertIs(self.look().health, Health.LOSING)

    def test_losing(self) -> None:
        """It gets some, and it is heard."""
        self.hear()
        self.look()
        for _ in range(6):
            self.counters.failures += 2
            self.counters.packets_sent += 1
            self.hear()
            condition = self.look()
        self.assertEqual(
            (condition.health, condition.why),
            (Health.LOSING, "Of the last 18 packets to it 12 were given up."),
        )
        self.counters.packets_sent += GOOD_PACKETS - 1
        self.assertIs(self.look().health, Health.LOSING)
        self.counters.packets_sent += 1
        self.assertIsNot(self.look().health, Health.LOSING)

    def test_losses_grow_old(self) -> None:
        self.hear()
        self.look()
        self.counters.failures, self.counters.packets_sent = 2, 5
        self.hear()
        self.assertIs(self.look().health, Health.LOSING)
        self.assertIs(self.pass_by(MEMORY + 2 * LOOK).health, Health.OK)

    def test_port_that_is_another(self) -> None:
        """Its counters begin at 0 again."""
        self.hear()
        self.counters = _Counters(packets_sent=100, failures=0)
        self.look()
        self.counters = _Counters(packets_sent=1)
        self.assertIs(self.look().health, Health.OK)

    def test_more_tries(self) -> None:
        self.hear()
        self.look()
        self.counters.packets_sent, self.counters.retries = 20, 8
        condition = self.look()
        self.assertEqual(
            (condition.health, condition.why),
            (Health.WEAK, "20 packets to it took 8 more tries."),
        )

    def test_weak_signal(self) -> None:
        """Not now so and now otherwise, at the limit."""
        self.hear()
        for signal, health in (
            *((80, Health.OK), (81, Health.WEAK), (79, Health.WEAK), (78, Health.WEAK)),
            *((77, Health.OK), (80, Health.OK)),
        ):
            self.node.signal = signal
            self.assertIs(self.look().health, health, signal)

    def test_end_device(self) -> None:
        """It is never in trouble for sleeping."""
        self.node.role = devices.END_DEVICE
        self.hear()
        self.assertIs(self.look().health, Health.ASLEEP)
        self.assertIs(self.pass_by(86400).health, Health.ASLEEP)
        # It has stopped to say what it used to say.
        self.report(60)
        self.assertIs(self.pass_by(60).health, Health.ASLEEP)
        self.assertIs(self.pass_by(10).health, Health.SILENT)

    def test_radio_that_was_away(self) -> None:
        """Nobody was heard meanwhile, which says nothing of the nodes."""
        self.report(60)
        self.time += 7200
        self.up_at = self.time
        self.assertIs(self.pass_by(115).health, Health.OK)
        self.assertIs(self.pass_by(10).health, Health.SILENT)

    def test_memory_is_bounded(self) -> None:
        for _ in range(1000):
            self.counters.packets_sent += 1
            self.time -= LOOK - 0.01
            self.look()
        self.assertLessEqual(len(self.record._looks), 120)
