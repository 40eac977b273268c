from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.mqtt.support import MemoryBroker
from zbtwist.mqtt.interfaces import Message
from zbtwist.site.retained import FULL_PAUSE, GATHER, INTERVAL, PAUSE, SLICE, Retained


def makes(payload: bytes) -> Callable[[], bytes]:
    return lambda: payload


class RetainedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = MemoryBroker()
        self.client = self.broker.joined()
        self.retained = Retained(self.clock, self.client)
        self.retained.begin()
        self.made = 0

    def tearDown(self) -> None:
        self.retained.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds / 0.01))

    def makes_number(self) -> bytes:
        self.made += 1
        return b"%d" % self.made

    def test_soon_retained_and_once(self) -> None:
        self.retained.say("a", makes(b"1"))
        self.assertEqual(self.broker.published, [])
        self.run_for(GATHER + 0.01)

        self.assertEqual(
            self.broker.published,
            [Message("a", b"1", retained=True, content_type="application/json")],
        )
        self.retained.say("a", makes(b"1"))
        self.run_for(3)
        self.assertEqual(len(self.broker.published), 1)
        self.assertIn("a", self.retained)

    def test_the_last_of_a_second_is_said(self) -> None:
        for _ in range(500):
            self.retained.say("a", self.makes_number)
            self.clock.advance(0.01)
        self.assertEqual(len(self.broker.published), 5)
        self.assertEqual(self.made, 5)

    def test_many_are_said_in_slices(self) -> None:
        for number in range(500):
            self.retained.say(f"n/{number}", makes(b"x"))
        self.run_for(GATHER)
        most, before = 0, 0
        for _ in range(100):
            self.clock.advance(PAUSE / 2)
            most = max(most, len(self.broker.published) - before)
            before = len(self.broker.published)
        self.assertEqual(most, SLICE)
        self.assertEqual(len(self.broker.kept), 500)

    def test_what_is_emptied_is_kept_no_more(self) -> None:
        self.retained.say("a", makes(b"1"))
        self.run_for(1)
        self.retained.empty("a")
        self.run_for(2)
        self.assertEqual(self.broker.kept, {})
        self.assertNotIn("a", self.retained)
        # Also what it had before.
        self.retained.empty("b")
        self.run_for(2)
        self.assertEqual(self.broker.published[-1], Message("b", b"", retained=True))

    def test_nothing_is_made_without_a_connection(self) -> None:
        self.client.cut()
        self.retained.end()
        self.retained.say("a", self.makes_number)
        self.retained.say_all(iter([("b", self.makes_number)]))
        self.run_for(5)
        self.assertEqual((self.made, self.clock.getDelayedCalls()), (0, []))

    def test_what_is_lost_is_said_on_the_next_connection_only_if_it_is_said(self) -> None:
        self.retained.say("a", makes(b"1"))
        self.client.cut()
        self.retained.end()
        self.client.join()
        self.retained.begin()
        self.run_for(3)
        self.assertEqual(self.broker.published, [])
        self.retained.say("a", makes(b"1"))
        self.run_for(1)
        self.assertEqual(list(self.broker.kept), ["a"])

    def test_all_of_it_but_what_was_said(self) -> None:
        self.retained.say("n/3", makes(b"new"))
        self.run_for(GATHER + 0.01)
        self.retained.say_all((f"n/{number}", self.makes_number) for number in range(200))
        self.run_for(1)
        self.assertEqual(len(self.broker.kept), 200)
        self.assertEqual(self.made, 199)
        self.assertEqual(self.broker.kept["n/3"].payload, b"new")

    def test_what_changes_does_not_wait_for_all(self) -> None:
        self.retained.say_all((f"n/{number}", makes(b"x")) for number in range(100_000))
        self.run_for(1)
        self.retained.say("a", makes(b"1"))
        self.run_for(GATHER + INTERVAL)
        self.assertIn("a", self.broker.kept)

    def test_a_full_queue_loses_nothing(self) -> None:
        publish = self.client.publish
        room = 3

        def bounded(message: Message, at_least_once: bool = False) -> bool:
            nonlocal room
            room -= 1
            return room >= 0 and publish(message, at_least_once)

        self.patch(self.client, "publish", bounded)
        for number in range(10):
            self.retained.say(f"n/{number}", makes(b"x"))
        for _ in range(200):
            room = 3
            self.clock.advance(FULL_PAUSE / 10)
        self.assertEqual(len(self.broker.kept), 10)

    def test_while_it_is_full_it_is_tried_less_and_less(self) -> None:
        tried: list[float] = []

        def refuses(message: Message, at_least_once: bool = False) -> bool:
            tried.append(self.clock.seconds())
            return False

        self.patch(self.client, "publish", refuses)
        self.retained.say("a", makes(b"1"))
        self.run_for(100)
        self.assertTrue(5 < len(tried) < 20, tried)

    def test_one_that_is_too_large_stops_no_other(self) -> None:
        publish = self.client.publish

        def refuses(message: Message, at_least_once: bool = False) -> bool:
            return len(message.payload) < 10 and publish(message, at_least_once)

        self.patch(self.client, "publish", refuses)
        self.retained.say("large", makes(b"x" * 10))
        for number in range(10):
            self.retained.say(f"n/{number}", makes(b"x"))
        self.retained.say_all(iter([("last", makes(b"x"))]))
        self.run_for(3)
        self.assertEqual(len(self.broker.kept), 11)

    def test_what_cannot_be_made_stops_no_other(self) -> None:
        def fails() -> bytes:
            raise ZeroDivisionError

        self.retained.say("a", fails)
        self.retained.say("b", makes(b"1"))
        self.run_for(1)
        self.assertEqual(list(self.broker.kept), ["b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_clock_that_is_set_back_holds_nothing_up(self) -> None:
        self.retained.say("a", makes(b"1"))
        self.run_for(1)
        self.clock.rightNow -= 3600
        self.retained.say("a", makes(b"2"))
        self.run_for(2)
        self.assertEqual(self.broker.kept["a"].payload, b"2")

    def test_leaving_empties_all_and_says_nothing_more(self) -> None:
        left = []
        for number in range(200):
            self.retained.say(f"n/{number}", makes(b"x"))
        self.retained.had("before")
        self.run_for(1)
        self.retained.leave(lambda: left.append(True))
        self.retained.say("late", makes(b"x"))
        self.run_for(1)
        self.assertEqual((self.broker.kept, left), ({}, [True]))
        self.assertIn("before", [message.topic for message in self.broker.published])

    def test_leaving_ends_with_the_connection(self) -> None:
        left = []
        self.retained.had("a")
        self.retained.leave(lambda: left.append(True))
        self.client.cut()
        self.retained.end()
        self.assertEqual(left, [True])
        self.retained.leave(lambda: left.append(True))
        self.assertEqual(left, [True, True])
