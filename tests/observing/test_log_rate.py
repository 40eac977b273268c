"""How many lines the log gets of one kind and node, and what is said of those that it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable

from twisted.logger import (
    ILogObserver,
    LegacyLogObserverWrapper,
    LogEvent,
    Logger,
    LogLevel,
    LogPublisher,
    formatEvent,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.clock import Clock, MemoryReactorClock
from tests.support import mistake
from zbtwist.binding.client_events import ClientClosed, ClientDropped, ClientOpened
from zbtwist.network.events import NodeAdded
from zbtwist.network.node import Node
from zbtwist.observing import log_rate
from zbtwist.observing.event_counts import EventCounts
from zbtwist.observing.event_log import MAX_TEXT
from zbtwist.observing.log_lines import LogLines
from zbtwist.observing.log_rate import HOLD, OF_ALL, OF_ONE, RatedLog, rated, source_of
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64


class ThreadedClock(Clock):
    """One that can be told from other threads what to do; it does it when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.from_threads: list[Callable[[], object]] = []

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.from_threads.append(call)

    def advance(self, amount: float) -> None:
        while self.from_threads:
            self.from_threads.pop(0)()
        super().advance(amount)


@implementer(ILogObserver)
class Written:
    """What came into the log.

    @ivar events: the lines.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def take(self) -> list[str]:
        """Return the lines since the last time."""
        lines = [formatEvent(event) for event in self.events]
        self.events.clear()
        return lines


class Unread:
    """What nobody may make into text."""

    def __str__(self) -> str:
        raise AssertionError("it was made into text")

    __format__ = __repr__ = __str__  # type: ignore[assignment]


class RateTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = ThreadedClock()
        self.clock.advance(1000)
        self.written = Written()
        self.log = self.rated()
        self.said = self.logger("zbtwist.test")
        self.meter, self.boiler = (
            Node(Address64(n), label=label) for n, label in ((1, "METER"), (2, "BOILER"))
        )

    def rated(self, maximum: int = 1000, maximum_kinds: int = 1000) -> RatedLog:
        return RatedLog(self.written, self.clock, maximum, maximum_kinds)

    def logger(self, namespace: str) -> Logger:
        return Logger(namespace, observer=self.log)

    def happens(self, *events: object) -> None:
        """As `LogLines` says it."""
        for event in events:
            self.said.emit(event.level, "{event}", event=event)  # type: ignore[attr-defined]


class OneSource(RateTestCase):
    def opened(self, node: Node, number: int = 0) -> ClientOpened:
        return ClientOpened(node, 27001, f"10.0.0.7:{number}")

    def test_a_normal_night_is_whole(self) -> None:
        """A meter's client that comes anew each minute, and another one each ten seconds."""
        seconds = 12 * 3600
        for second in range(0, seconds, 10):
            if second % 60 == 0:
                self.happens(self.opened(self.meter), ClientClosed(self.meter, 27001, "a:1"))
            self.happens(self.opened(self.boiler))
            self.clock.advance(10)
        self.assertEqual(len(self.written.take()), 2 * seconds // 60 + seconds // 10)

    def test_a_storm_is_not(self) -> None:
        """The first are said, then some a minute and how many they were."""
        for number in range(3000 + OF_ONE.at_once):
            self.happens(self.opened(self.meter, number))
        lines = self.written.take()
        self.assertEqual(len(lines), OF_ONE.at_once)
        self.assertIn("Client 10.0.0.7:99 is connected to METER", lines[-1])
        self.clock.advance(HOLD - 1)
        self.assertEqual(self.written.take(), [])
        self.clock.advance(1)
        (line,) = self.written.take()
        self.assertEqual(
            line,
            "… and 3,000 more like this in the last 60 s: Client 10.0.0.7:100 is connected to "
            f"{self.meter} on port 27001.",
        )

    def test_two_hours_of_it(self) -> None:
        minutes = 120
        for _ in range(minutes * 60):
            self.happens(*[self.opened(self.meter)] * 5)
            self.clock.advance(1)
        lines = self.written.take()
        self.assertLess(len(lines), OF_ONE.at_once + minutes * (OF_ONE.a_minute + 2))
        self.assertGreater(len(lines), minutes * OF_ONE.a_minute)
        self.log.finish()
        lines += self.written.take()
        untold = [int(line.split()[2].replace(",", "")) for line in lines if line[0] == "…"]
        # None is forgotten.
        self.assertEqual(len(lines) - len(untold) + sum(untold), minutes * 300)

    def test_it_is_over(self) -> None:
        """After a rest as much may be said at once as in the beginning, and no timer is left."""
        for _ in range(2):
            self.happens(*[self.opened(self.meter)] * (OF_ONE.at_once + 1))
            self.clock.advance(HOLD)
            lines = self.written.take()
            self.assertEqual(len(lines), OF_ONE.at_once + 1)
            self.assertIn("… and 1 more like this", lines[-1])
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.clock.advance(60 * OF_ONE.at_once / OF_ONE.a_minute)

    def test_it_takes_nothing_from_others(self) -> None:
        """Neither from other kinds, nor from the same kind of another node, nor from lines that are
        no events."""
        flood = [self.opened(self.meter)] * 2000
        for said in (
            lambda: self.happens(self.opened(self.boiler)),
            lambda: self.happens(ClientDropped(self.meter, 27001, "a:1", "it reads nothing")),
            lambda: self.said.warn("something is wrong"),
            lambda: self.said.error("something else is"),
        ):
            self.happens(*flood)
            self.written.take()
            said()
            self.assertEqual(len(self.written.take()), 1)
            self.clock.advance(HOLD / 5)

    def test_nothing_is_formatted_that_is_not_said(self) -> None:
        for number in range(500):
            # The first that is held back is the example.
            what = number if number <= OF_ONE.at_once else Unread()
            self.said.info("it is {what}", what=what)
        self.assertEqual(self.written.take()[-1], f"it is {OF_ONE.at_once - 1}")
        self.clock.advance(HOLD)
        self.assertEqual(
            self.written.take(), ["… and 400 more like this in the last 60 s: it is 100"]
        )

    def test_all_is_counted(self) -> None:
        """`/metrics` tell of each."""
        bus = EventBus()
        counts = EventCounts(bus)
        LogLines(bus)
        for _ in range(1000):
            bus.publish(self.opened(self.meter))
        self.assertEqual(counts["client_opened"], 1000)

    def test_finish(self) -> None:
        self.happens(*[self.opened(self.meter)] * (OF_ONE.at_once + 5))
        self.clock.advance(12)
        self.written.take()
        self.log.finish()
        (line,) = self.written.take()
        self.assertIn("… and 5 more like this in the last 12 s: Client", line)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.log.finish()
        self.clock.advance(HOLD)
        self.assertEqual(self.written.take(), [])

    def test_what_the_line_is(self) -> None:
        """As those that it is about: its level, whose it is; and it is one line, and short."""
        for _ in range(OF_ONE.at_once + 1):
            self.said.error("a\n{what}", what="x" * 2 * MAX_TEXT)
        self.clock.advance(HOLD)
        event = self.written.events[-1]
        self.assertEqual(
            (event["log_level"], event["log_namespace"]), (LogLevel.error, "zbtwist.test")
        )
        text = formatEvent(event)
        self.assertTrue(text.isprintable())
        self.assertLess(len(text), MAX_TEXT + 100)
        # Legacy observers can be told of it.
        told: list[object] = []
        LegacyLogObserverWrapper(told.append)(event)  # type: ignore[arg-type]
        self.assertEqual(len(told), 1)


class ManySources(RateTestCase):
    def added(self, number: int) -> NodeAdded:
        return NodeAdded(Node(Address64(number)))

    def test_a_network_that_is_found(self) -> None:
        self.happens(*map(self.added, range(4096)))
        self.assertEqual(len(self.written.take()), 4096)

    def test_invented_nodes(self) -> None:
        """300 new ones a second: nothing of that kind goes for long, and all else does."""
        self.log = self.rated(log_rate.MAX_SOURCES)
        self.said = self.logger("zbtwist.test")
        number, minutes = 10, 2
        for _ in range(60 * minutes):
            for _ in range(300):
                number += 1
                self.happens(self.added(number))
            self.clock.advance(1)
        self.happens(ClientOpened(self.meter, 27001, "a:1"))
        lines = self.written.take()
        self.assertIn("is connected to METER", lines[-1])
        self.assertLess(len(lines), OF_ALL.at_once + minutes * (OF_ALL.a_minute + 2))
        more = next(line for line in lines if line[0] == "…")
        self.assertIn("more like this of several nodes in the last 60 s: A new node:", more)
        self.assertLessEqual(len(self.log._sources), log_rate.MAX_SOURCES)

    def dropped(self, number: int, why: str = "it reads nothing") -> ClientDropped:
        return ClientDropped(Node(Address64(number)), 27001, "a:1", why)

    def test_a_warning_of_some_hundred_nodes_is_all_there(self) -> None:
        """Also if it comes again in the next minute, and the next."""
        for _ in range(10):
            self.happens(*map(self.dropped, range(800)))
            self.assertEqual(len(self.written.take()), 800)
            self.clock.advance(60)

    def test_a_warning_is_not_lost_among_those_of_others(self) -> None:
        """Some dozen nodes have as many as they may."""
        for number in range(100, 140):
            self.happens(*[self.dropped(number)] * OF_ONE.at_once)
        self.written.take()
        self.happens(ClientDropped(self.meter, 27001, "a:1", "it reads nothing"))
        self.assertEqual(len(self.written.take()), 1)

    def test_warnings_of_all_nodes_are_bounded(self) -> None:
        """One client provokes them at the ports of all nodes, and another kind is said."""
        minutes = 2
        for _ in range(60 * minutes):
            self.happens(*map(self.dropped, range(100, 1100)))
            self.clock.advance(1)
        lines = self.written.take()
        self.assertLess(len(lines), OF_ALL.at_once + minutes * (OF_ALL.a_minute + 2))
        self.log.finish()
        lines += self.written.take()
        more = [line for line in lines if line[0] == "…"]
        self.assertIn("more like this of several nodes in the last 60 s: Client a:1", more[0])
        untold = sum(int(line.split()[2].replace(",", "")) for line in more)
        self.assertEqual(len(lines) - len(more) + untold, 1000 * 60 * minutes)
        self.said.warn("something else is wrong with {node}", node=self.meter)
        self.assertEqual(len(self.written.take()), 1)

    def test_other_lines_hide_no_warning_of_their_kind(self) -> None:
        """They count apart."""
        for number in range(2 * OF_ALL.at_once):
            event = self.dropped(number)
            self.said.emit(LogLevel.info, "{event}", event=event)
        self.assertEqual(len(self.written.take()), OF_ALL.at_once)
        self.happens(ClientDropped(self.meter, 27001, "a:1", "it reads nothing"))
        self.assertEqual(len(self.written.take()), 1)

    def test_sources_are_bounded(self) -> None:
        """What there are more go by the rate of their kind, until others are idle again."""
        self.log = self.rated(10, 5)
        self.said = self.logger("zbtwist.test")
        for number in range(8000):
            self.happens(self.added(number))
        self.assertEqual(len(self.log._sources), 10)
        self.assertEqual(len(self.written.take()), OF_ALL.at_once)
        # Another kind has a rate of its own.
        self.said.warn("something is wrong")
        self.assertEqual(self.written.take(), ["something is wrong"])
        for number in range(8000):
            self.said.info(f"{number}")
        self.assertEqual(len(self.log._kinds), 5)
        # Each of the kinds said one thing; the rest said what they may together.
        self.assertLess(len(self.written.take()), OF_ALL.at_once + 5)
        self.clock.advance(2000)
        self.written.take()
        for _ in range(2):
            self.said.info("again")
        self.assertEqual(self.written.take(), ["again"] * 2)
        self.assertEqual(len(self.log._sources), 1)

    def test_all_are_not_looked_at_for_each_line(self) -> None:
        self.log = self.rated(10)
        self.said = self.logger("zbtwist.test")
        looks: list[float] = []
        forget = self.log._sources._forget_idle

        def look(now: float) -> None:
            looks.append(now)
            forget(now)

        self.patch(self.log._sources, "_forget_idle", look)
        for number in range(1000):
            self.happens(self.added(number))
        self.assertEqual(len(looks), 1)


class Kinds(RateTestCase):
    """What a line is, which is no event."""

    def kinds(self) -> int:
        return len({source_of(event) for event in self.written.events})

    def test_places_of_the_program(self) -> None:
        """Whatever they speak of."""
        for number in range(3):
            self.said.info("this is {number}", number=number)
            self.said.warn("that is {number}", number=number)
            self.logger("zbtwist.other").info("this is {number}", number=number)
        self.assertEqual(self.kinds(), 3)

    def test_nodes(self) -> None:
        """A line may be about one without being an event."""
        for node in (self.meter, self.boiler):
            self.said.error("Sending to {node} failed", node=node)
        self.assertEqual(
            [source_of(event)[1] for event in self.written.events],
            [self.meter.address64, self.boiler.address64],
        )

    def test_exceptions(self) -> None:
        """One that somebody can bring about hides no other that is said in the same words."""

        def other() -> None:
            raise ZeroDivisionError

        for _ in range(300):
            with self.said.failuresHandled("Unhandled"):
                mistake()
        self.assertEqual(len(self.written.events), OF_ONE.at_once)
        with self.said.failuresHandled("Unhandled"):
            other()
        self.assertEqual(len(self.written.events), OF_ONE.at_once + 1)
        self.assertEqual(self.kinds(), 2)
        self.clock.advance(HOLD)
        self.assertIn(
            "… and 200 more like this in the last 60 s: Unhandled: ZeroDivisionError",
            self.written.take()[-1],
        )

    def test_twisted(self) -> None:
        """Its lines have a rate as well, of either of its logs."""
        log = self.logger("twisted.web.http.HTTPChannel")
        for number in range(300):
            log.info("Timing out client: {peer}", peer=number)
        self.assertEqual(len(self.written.take()), OF_ONE.at_once)
        old = {
            "log_namespace": "log_legacy",
            "log_level": LogLevel.info,
            "log_format": "{log_text}",
        }
        for number in range(300):
            self.log({**old, "log_text": str(number)})
        self.assertEqual(len(self.written.take()), OF_ONE.at_once)

    def test_a_line_without_anything(self) -> None:
        self.log({})
        self.assertEqual(len(self.written.events), 1)


class Surroundings(RateTestCase):
    def test_interface(self) -> None:
        verifyObject(ILogObserver, self.log)

    def test_threads(self) -> None:
        """What is said in another thread is timed by the reactor."""

        def flood() -> None:
            for _ in range(OF_ONE.at_once + 5):
                self.said.info("it is so")

        thread = threading.Thread(target=flood)
        thread.start()
        thread.join()
        self.assertEqual((self.clock.getDelayedCalls(), len(self.clock.from_threads)), ([], 1))
        self.clock.advance(HOLD)
        self.assertIn("… and 5 more", self.written.take()[-1])

    def test_what_writes_may_log(self) -> None:
        publisher = LogPublisher()
        log = Logger("zbtwist.test", observer=publisher)

        @implementer(ILogObserver)
        class Complaining(Written):
            def __call__(self, event: LogEvent) -> None:
                super().__call__(event)
                if event["log_level"] is LogLevel.info:
                    log.warn("it cannot be written")

        writes = Complaining()
        publisher.addObserver(RatedLog(writes, self.clock))
        log.info("it is so")
        self.assertEqual(writes.take(), ["it is so", "it cannot be written"])

    def test_a_full_disk(self) -> None:
        """What cannot be said is lost, and what comes later is said."""

        @implementer(ILogObserver)
        class Full:
            def __call__(self, event: LogEvent) -> None:
                raise OSError("No space left on device")

        flood = 2 * OF_ONE.at_once
        for number in range(flood):
            self.said.info("it is so")
            if number == flood // 2:
                self.clock.advance(1)
        for _ in range(flood):
            self.said.warn("it is otherwise")
        self.patch(self.log, "_observer", Full())
        with self.assertRaises(OSError):
            self.clock.advance(HOLD - 1)
        self.patch(self.log, "_observer", self.written)
        self.written.take()
        self.clock.advance(1)
        self.assertIn("more like this in the last 60 s: it is otherwise", self.written.take()[0])

    def test_a_clock_that_is_set_back(self) -> None:
        for _ in range(OF_ONE.at_once + 5):
            self.said.info("it is so")
        self.written.take()
        self.clock.rightNow -= 500
        self.said.info("it is so")
        self.assertEqual(self.written.take(), [])

    def test_the_end_of_the_program(self) -> None:
        """What is held back then is said."""

        class Reactor(MemoryReactorClock):
            @staticmethod
            def callFromThread(call: Callable[[], object]) -> None:
                call()

        reactor = Reactor()
        log = Logger("zbtwist.test", observer=rated(self.written, reactor))
        for _ in range(OF_ONE.at_once + 5):
            log.info("it is so")
        self.written.take()
        (trigger,) = reactor.triggers["after"]["shutdown"]
        trigger[0](*trigger[1], **trigger[2])
        self.assertIn("… and 5 more like this", self.written.take()[0])
