"""The ring of the last events: numbers, bounds, and texts that are safe to show."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from zbtwist.events import MAXIMUM_TEXT, Event, EventLog, EventLogService


class EventLogTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = EventLog(3)
        self.log = Logger("zbtwist.test", observer=self.events)

    def texts(self, seq: int = 0) -> list[str]:
        return [event.text for event in self.events.since(seq)]


class Ring(EventLogTestCase):
    """Which events are kept, under which numbers."""

    def test_an_empty_log(self) -> None:
        self.assertEqual((self.events.last_seq, self.events.since(0)), (0, []))

    def test_an_event(self) -> None:
        verifyObject(ILogObserver, self.events)
        self.events(
            {
                "log_level": LogLevel.warn,
                "log_namespace": "zbtwist.radio.service",
                "log_time": 1234.5,
                "log_format": "{name} is gone",
                "name": "E2",
            }
        )
        self.assertEqual(self.events.since(0), [Event(1, 1234.5, "warn", "E2 is gone")])

    def test_the_number_of_events_is_bounded_and_the_numbers_go_on(self) -> None:
        for number in range(1, 6):
            self.log.info("event {number}", number=number)
        self.assertEqual(self.events.last_seq, 5)
        self.assertEqual([event.seq for event in self.events.since(0)], [3, 4, 5])
        self.assertEqual(self.texts(), ["event 3", "event 4", "event 5"])

    def test_what_came_after_a_number(self) -> None:
        for name in "abc":
            self.log.info(name)
        self.assertEqual(self.texts(1), ["b", "c"])
        self.assertEqual(self.texts(3), [])
        self.assertEqual(self.texts(-5), ["a", "b", "c"])

    def test_a_number_of_an_earlier_run_gets_everything(self) -> None:
        self.log.info("a")
        self.assertEqual(self.texts(2), ["a"])
        self.assertLessEqual(self.events.since(500)[0].seq, 500)

    def test_levels(self) -> None:
        self.log.debug("debug")
        self.log.info("info")
        self.log.error("error")
        self.log.critical("critical")
        self.assertEqual([event.level for event in self.events.since(0)], self.texts())
        self.assertEqual(self.texts(), ["info", "error", "critical"])

    def test_events_of_others_are_not_kept(self) -> None:
        for namespace in ("twisted.web", "zbtwister", "", None):
            self.events({"log_level": LogLevel.info, "log_namespace": namespace, "log_format": "x"})
        self.events({"log_format": "of the old kind"})
        Logger("zbtwist", observer=self.events).info("ours")
        self.assertEqual(self.texts(), ["ours"])

    def test_the_text_is_made_when_the_event_comes(self) -> None:
        changing = ["before"]
        self.log.info("{value}", value=changing)
        changing[0] = "after"
        self.assertEqual(self.texts(), ["['before']"])


class Texts(EventLogTestCase):
    """A text can be shown on a terminal and sent over the wire, whatever was logged."""

    def text(self, format: str, **fields: Any) -> str:
        self.log.info(format, **fields)
        return self.texts()[-1]

    def test_control_characters(self) -> None:
        label = "\x1b[31mred\x07\x9b\u202e\ud800"
        self.assertEqual(self.text("{label}", label=label), "?[31mred????")

    def test_lines_become_one(self) -> None:
        self.assertEqual(self.text("{text}", text="a\nb\tc\u2028d"), "a b c d")

    def test_other_languages_stay(self) -> None:
        self.assertEqual(self.text("{text}", text="Küche 温度 🌡"), "Küche 温度 🌡")

    def test_the_length_is_bounded(self) -> None:
        self.assertEqual(self.text("{text}", text="x" * 1024), "x" * 1024)
        self.assertEqual(self.text("{text}", text="x" * 1025), "x" * 1021 + "…")
        self.assertEqual(self.text("{text}", text="é" * 1000), "é" * 510 + "…")
        self.assertLessEqual(len(self.text("{text}", text="温" * 10**6).encode()), MAXIMUM_TEXT)

    def test_a_failure_is_a_line(self) -> None:
        self.log.failure("It failed", failure=Failure(ValueError("bad\nvalue")))
        self.assertEqual(self.texts(), ["It failed: ValueError: bad value"])
        self.assertEqual(self.events.since(0)[0].level, "critical")

    def test_an_event_that_cannot_be_formatted(self) -> None:
        self.assertIn("{missing.attribute", self.text("{missing.attribute}"))


class Observing(SynchronousTestCase):
    """The service observes while it runs."""

    def test_start_and_stop(self) -> None:
        publisher = LogPublisher()
        events = EventLog()
        service = EventLogService(events, publisher)
        log = Logger("zbtwist.test", observer=publisher)
        for _ in range(2):
            log.info("before")
            service.startService()
            log.info("while")
            service.stopService()
            log.info("after")
        self.assertEqual([event.text for event in events.since(0)], ["while", "while"])

    def test_the_log_of_the_program(self) -> None:
        service = EventLogService(EventLog())
        service.startService()
        self.addCleanup(globalLogPublisher.removeObserver, service.events)
        Logger("zbtwist.test").info("to everyone")
        service.stopService()
        self.assertEqual([event.text for event in service.events.since(0)], ["to everyone"])
