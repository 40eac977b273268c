"""The bus: who is told, in which order, and that nobody has to come first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.event_bus import MAX_FAILURES, Event, EventBus


@dataclass(frozen=True)
class Opened(Event):
    name: ClassVar = "opened"
    number: int

    def __str__(self) -> str:
        return f"{self.number} is open."


@dataclass(frozen=True)
class Closed(Event):
    name: ClassVar = "closed"
    what: object

    def __str__(self) -> str:
        return f"{self.what} is closed."


class EventBusTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bus = EventBus()
        self.heard: list[Event] = []

    def test_by_class_and_all(self) -> None:
        everything: list[Event] = []
        self.bus.subscribe(Opened, self.heard.append)
        self.bus.subscribe(Event, everything.append)
        for event in (Opened(1), Closed(2)):
            self.bus.publish(event)
        self.assertEqual(self.heard, [Opened(1)])
        self.assertEqual(everything, [Opened(1), Closed(2)])

    def test_unsubscribe(self) -> None:
        self.bus.subscribe(Opened, self.heard.append)
        self.bus.unsubscribe(Opened, self.heard.append)
        self.bus.publish(Opened(1))
        self.assertEqual(self.heard, [])

    def test_who_wants_it_is_seen(self) -> None:
        """Whoever makes many events may look whether anybody wants them."""
        wanted = self.bus.subscribers(Opened)
        self.assertFalse(wanted)
        self.bus.subscribe(Opened, self.heard.append)
        self.assertTrue(wanted)

    def test_all_hear_of_one_before_anybody_hears_of_the_next(self) -> None:
        """Also of an event that a subscriber's own doing brings about."""
        self.bus.subscribe(Opened, lambda event: self.bus.publish(Closed(event.number)))
        self.bus.subscribe(Event, self.heard.append)
        self.bus.publish(Opened(1))
        self.assertEqual(self.heard, [Opened(1), Closed(1)])

    def test_one_that_fails(self) -> None:
        def fail(event: Opened) -> None:
            raise ZeroDivisionError

        self.bus.subscribe(Opened, fail)
        self.bus.subscribe(Opened, self.heard.append)
        self.bus.publish(Opened(1))
        self.assertEqual(self.heard, [Opened(1)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_one_that_fails_again_and_again(self) -> None:
        """That is said so often, and no more."""

        def fail(event: Opened) -> None:
            raise ZeroDivisionError

        self.bus.subscribe(Opened, fail)
        for number in range(2 * MAX_FAILURES):
            self.bus.publish(Opened(number))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), MAX_FAILURES)

    def test_the_log_comes_first(self) -> None:
        """What a subscriber says when it hears of something is behind what it has heard."""
        self.bus.subscribe(Opened, lambda event: self.heard.append(Closed("said")))
        self.bus.subscribe(Event, self.heard.append)
        self.bus.publish(Opened(1))
        self.assertEqual(self.heard, [Opened(1), Closed("said")])

    def test_one_that_hears_no_more_while_it_is_told(self) -> None:
        def once(event: Opened) -> None:
            self.heard.append(event)
            self.bus.unsubscribe(Opened, once)

        self.bus.subscribe(Opened, once)
        self.bus.subscribe(Opened, self.heard.append)
        self.bus.publish(Opened(1))
        self.bus.publish(Opened(2))
        self.assertEqual(self.heard, [Opened(1), Opened(1), Opened(2)])

    def test_values(self) -> None:
        """They are what JSON can say."""
        self.assertEqual(Opened(1).values(), {"number": 1})
        self.assertEqual(Closed(b"x").values(), {"what": "b'x'"})
