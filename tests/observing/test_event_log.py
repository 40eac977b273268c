"""The ring of the last events: numbers, bounds, and texts that are safe to show."""

from __future__ import annotations

import random
from collections import Counter, deque
from typing import Any

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from zbtwist.binding.client_events import ClientClosed, ClientOpened
from zbtwist.network.events import NodeChanged, NodeNamed
from zbtwist.network.node import Node
from zbtwist.observing.event_log import (
    FRAME,
    LOG,
    MAX_EVENTS,
    MAX_TEXT,
    Entry,
    EventLog,
    EventLogService,
    Follower,
)
from zbtwist.observing.log_lines import LogLines
from zbtwist.observing.ring import MAX_OF_ONE, FairRing
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64


class EventLogTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = EventLog(EventBus(), 3)
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
        self.assertEqual(self.events.since(0), [Entry(1, 1234.5, "warn", "E2 is gone")])

    def test_an_event_of_the_bus(self) -> None:
        """It is kept once, also if it is a line of the log; with its name and values."""
        bus = EventBus()
        self.events = EventLog(bus)
        LogLines(bus)
        service = EventLogService(self.events)
        service.startService()
        self.addCleanup(service.stopService)
        node = Node(Address64(1), label="E2")
        bus.publish(NodeNamed(node, "a\nb" * MAX_TEXT))
        (entry,) = self.events.since(0)
        self.assertEqual((entry.name, entry.level, entry.kind), ("node_named", "info", LOG))
        self.assertIn("is called E2 now", entry.text)
        self.assertEqual(entry.values["label"], "E2")
        before = entry.values["before"]
        assert isinstance(before, str)
        self.assertTrue(before.isprintable() and len(before.encode()) <= MAX_TEXT)
        # What is for subscribers alone is not.
        bus.publish(NodeChanged(node))
        self.assertEqual(self.events.last_seq, 1)

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

    def test_no_more_than_are_wanted(self) -> None:
        """The oldest of them, whichever ring they are in, wherever one begins."""
        events = EventLog(EventBus(), 5, 7)
        log = Logger("zbtwist.test", observer=events)
        for kinds in ("lflfff", "", "llflflfffflffl", "ffffffffl", "llllll"):
            for kind in kinds:
                log.info("x") if kind == "l" else events.frame(0.0, "x")
            for seq in range(-1, events.last_seq + 2):
                everything = events.since(seq)
                self.assertEqual(everything, sorted(everything, key=lambda event: event.seq))
                for maximum in (1, 2, 3, 100):
                    self.assertEqual(events.since(seq, maximum), everything[:maximum])

    def test_no_more_are_looked_at_than_are_wanted(self) -> None:
        """However many there are."""

        class Counting(deque[Entry]):
            looks = 0

            def __getitem__(self, index: Any) -> Any:
                Counting.looks += 1
                return super().__getitem__(index)

            def __iter__(self) -> Any:
                raise AssertionError("all of them are looked at")

            __reversed__ = __iter__

        events = EventLog(EventBus())
        log = Logger("zbtwist.test", observer=events)
        for _ in range(1000):
            log.info("x")
            events.frame(0.0, "x")
        for name in ("_events", "_frames"):
            setattr(events, name, Counting(getattr(events, name)))
        follower = Follower(events, 500)
        Counting.looks = 0
        self.assertEqual(len(follower.take(10)[1]), 10)
        # Ten of each ring, and the search for the first.
        self.assertLessEqual(Counting.looks, 2 * (10 + 11))

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


class Rare(SynchronousTestCase):
    """What happens seldom is not pushed out by what happens often."""

    def setUp(self) -> None:
        self.bus = EventBus()
        self.events = EventLog(self.bus)

    def names(self) -> Counter[str]:
        return Counter(entry.name for entry in self.events.since(0))

    def test_a_client_that_comes_and_goes(self) -> None:
        """Once a second, for hours."""
        restless, quiet = (Node(Address64(n), label=f"E{n}") for n in (1, 2))
        self.bus.publish(NodeNamed(quiet, ""))
        self.bus.publish(ClientOpened(quiet, 27002, "a:1"))
        for number in range(10_000):
            self.bus.publish(ClientOpened(restless, 27001, f"b:{number}"))
            self.bus.publish(ClientClosed(restless, 27001, f"b:{number}"))
        kept = self.events.since(0)
        self.assertEqual(kept[0].name, "node_named")
        self.assertEqual(
            self.names(),
            {"node_named": 1, "client_opened": MAX_OF_ONE + 1, "client_closed": MAX_OF_ONE},
        )
        self.assertEqual(kept[-1].values["peer"], "b:9999")
        numbers = [entry.seq for entry in kept]
        self.assertEqual(numbers, sorted(numbers))

    def test_the_same_of_every_node(self) -> None:
        for number in range(10):
            self.bus.publish(NodeNamed(Node(Address64(number), label="x"), ""))
        for number in range(5000):
            self.bus.publish(ClientOpened(Node(Address64(number)), 27001, "a:1"))
            self.bus.publish(ClientClosed(Node(Address64(number)), 27001, "a:1"))
        names = self.names()
        self.assertEqual((names["node_named"], names.total()), (10, MAX_EVENTS))
        self.assertEqual(self.events.since(0)[-1].seq, 10_010)

    def test_the_same_of_many_nodes_but_one(self) -> None:
        """More than all there is room for is of one kind; a quiet node's stay."""
        quiet = Node(Address64(1), label="quiet")
        self.bus.publish(ClientOpened(quiet, 27001, "a:1"))
        restless = [Node(Address64(number)) for number in range(2, 42)]
        for number in range(500):
            for node in restless:
                self.bus.publish(ClientOpened(node, 27001, f"b:{number}"))
        kept = self.events.since(0)
        self.assertEqual((len(kept), kept[0].values["label"]), (MAX_EVENTS, "quiet"))
        # The others have the same share each.
        shares = Counter(entry.values["address"] for entry in kept[1:])
        self.assertLessEqual(max(shares.values()) - min(shares.values()), 1)

    def test_a_line_that_is_said_again_and_again(self) -> None:
        log = Logger("zbtwist.test", observer=self.events)
        log.info("once")
        for number in range(2000):
            log.info("again {number}", number=number)
        kept = self.events.since(0)
        self.assertEqual((kept[0].text, kept[-1].text), ("once", "again 1999"))
        self.assertEqual(len(kept), MAX_EVENTS)

    def test_nothing_is_kept_of_what_is_forgotten(self) -> None:
        ring: FairRing[Entry] = FairRing(10)
        chance = random.Random(1)
        for seq in range(1, 2000):
            kind = chance.choice("abc")
            ring.append(Entry(seq, 0.0, "info", kind), kind, chance.choice(("", "1", "2")))
            self.assertLessEqual(len(ring), 10)
            kept = [ring[index] for index in range(len(ring))]
            numbers = [
                number
                for of_nodes in ring._numbers_of.values()
                for some in of_nodes.values()
                for number in some
            ]
            self.assertEqual(sorted(numbers), [entry.seq for entry in kept])
            self.assertEqual(ring._count_of, Counter(entry.text for entry in kept))
            self.assertEqual(ring[len(ring) - 1].seq, seq)


class Frames(EventLogTestCase):
    """Frames are events, in a ring of their own, in the one sequence."""

    def test_a_frame(self) -> None:
        self.events.frame(1234.5, "sent\nx")
        self.assertEqual(self.events.since(0), [Entry(1, 1234.5, "debug", "sent x", FRAME)])

    def test_frames_push_no_events_out(self) -> None:
        events = EventLog(EventBus(), 3, 2)
        log = Logger("zbtwist.test", observer=events)
        log.info("a")
        for number in range(50):
            events.frame(0.0, f"frame {number}")
        log.info("b")
        self.assertEqual(
            [(event.seq, event.text) for event in events.since(0)],
            [(1, "a"), (50, "frame 48"), (51, "frame 49"), (52, "b")],
        )
        self.assertEqual([event.seq for event in events.since(50)], [51, 52])
        self.assertEqual(events.since(52), [])

    def test_runs_have_names(self) -> None:
        self.assertNotEqual(EventLog(EventBus()).run, EventLog(EventBus()).run)


class Following(EventLogTestCase):
    """Each follower takes the events at its own pace."""

    def add(self, count: int) -> None:
        for _ in range(count):
            self.log.info("x")

    def take(self, follower: Follower, maximum: int = 100) -> tuple[int, list[int]]:
        lost, events = follower.take(maximum)
        return lost, [event.seq for event in events]

    def test_what_is_new(self) -> None:
        follower = Follower(self.events)
        self.assertEqual(self.take(follower), (0, []))
        self.add(2)
        self.assertEqual(self.take(follower), (0, [1, 2]))
        self.assertEqual(self.take(follower), (0, []))

    def test_in_pieces(self) -> None:
        follower = Follower(self.events)
        self.add(3)
        self.assertEqual(self.take(follower, 2), (0, [1, 2]))
        self.assertEqual(self.take(follower, 2), (0, [3]))

    def test_a_slow_one_loses_the_oldest_and_learns_how_many(self) -> None:
        slow, quick = Follower(self.events), Follower(self.events)
        for _ in range(10):
            self.add(1)
            self.take(quick)
        self.assertEqual(self.take(slow, 2), (7, [8, 9]))
        self.assertEqual(self.take(slow, 2), (0, [10]))
        self.add(1)
        self.assertEqual(self.take(quick), (0, [11]))

    def test_lost_frames_count_where_events_are_left(self) -> None:
        events = EventLog(EventBus(), 10, 2)
        follower = Follower(events)
        log = Logger("zbtwist.test", observer=events)
        log.info("a")
        for _ in range(6):
            events.frame(0.0, "x")
        self.assertEqual(self.take(follower), (4, [1, 6, 7]))

    def test_where_to_begin(self) -> None:
        self.add(10)
        self.assertEqual(self.take(Follower(self.events)), (0, [8, 9, 10]))
        self.assertEqual(self.take(Follower(self.events, 5)), (2, [8, 9, 10]))
        self.assertEqual(self.take(Follower(self.events, 9)), (0, [10]))
        self.assertEqual(self.take(Follower(self.events, 10)), (0, []))

    def test_a_number_of_an_earlier_run(self) -> None:
        self.add(2)
        self.assertEqual(self.take(Follower(self.events, 500)), (0, [1, 2]))


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
        self.assertLessEqual(len(self.text("{text}", text="温" * 10**6).encode()), MAX_TEXT)

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
        events = EventLog(EventBus())
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
        service = EventLogService(EventLog(EventBus()))
        service.startService()
        self.addCleanup(globalLogPublisher.removeObserver, service.events)
        Logger("zbtwist.test").info("to everyone")
        service.stopService()
        self.assertEqual([event.text for event in service.events.since(0)], ["to everyone"])
