"""Work that shares the program with the streams: how much is done at a time, and what first."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.support import mistake
from zbtwist.runtime.work_turns import BUDGET, WorkTurns


class WorkTurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = WorkTurns(self.clock)
        self.done: list[object] = []

    def work(self, name: object, seconds: float = 0.0) -> None:
        # Not by advance, which would do what waits meanwhile.
        self.clock.rightNow += seconds
        self.done.append(name)

    def ask(self, name: object, seconds: float = 0.0, is_long: bool = False) -> None:
        self.turns.ask(lambda: self.work(name, seconds), is_long)

    def test_short_work_is_done_at_once(self) -> None:
        for name in range(1000):
            self.ask(name)
        self.assertEqual(self.done, [*range(1000)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_of_it_has_a_budget(self) -> None:
        """One piece may be longer; the next waits until as much time has passed."""
        for name in range(5):
            self.ask(name, 0.1)
        self.assertEqual(self.done, [0])
        began = self.clock.seconds()
        while len(self.done) < 5:
            rest = self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds()
            self.assertGreaterEqual(rest, 0.08 - 1e-9)
            self.clock.advance(rest)
        took = self.clock.seconds() - began
        # Four of them, and a pause before each.
        self.assertAlmostEqual(took, 4 * 0.1 + 4 * (0.1 - BUDGET) + 3 * BUDGET, 3)

    def test_what_takes_long_waits_for_what_does_not(self) -> None:
        self.ask("first", 0.1)
        self.ask("long", 0.0, is_long=True)
        self.ask("short")
        self.clock.advance(1)
        self.assertEqual(self.done, ["first", "short", "long"])

    def test_in_their_order(self) -> None:
        self.ask("first", 0.1)
        for name in range(10):
            self.ask(name)
        self.clock.advance(1)
        self.assertEqual(self.done, ["first", *range(10)])

    def test_parts_of_work_count_once(self) -> None:
        """A part that has no time waits, and is no part any more."""

        def outer() -> None:
            self.ask("part", 0.015)
            self.ask("another", 0.015)
            self.ask("later", 0.015)

        self.turns.ask(outer)
        self.assertEqual(self.done, ["part", "another"])
        self.clock.advance(0.03 - BUDGET)
        self.assertEqual(self.done, ["part", "another", "later"])

    def test_given_up(self) -> None:
        self.ask("first", 0.1)
        turn = self.turns.ask(lambda: self.work("second"))
        self.assertTrue(turn.is_waiting)
        turn.cancel()
        self.assertFalse(turn.is_waiting)
        self.clock.advance(1)
        self.assertEqual(self.done, ["first"])

    def test_mistake(self) -> None:
        """The others have their turns."""
        self.assertRaises(ZeroDivisionError, self.turns.ask, mistake)
        self.ask("first", 0.1)
        self.turns.ask(mistake)
        self.ask("second")
        self.clock.advance(1)
        self.assertEqual(self.done, ["first", "second"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_pause(self) -> None:
        """However little was done."""
        self.assertTrue(self.turns.turn().called)
        paused = self.turns.pause()
        self.assertFalse(paused.called)
        self.clock.advance(0)
        self.assertTrue(paused.called)
