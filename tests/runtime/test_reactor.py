"""The reactor of the gateway, on real descriptors, one turn at a time."""

from __future__ import annotations

import inspect
import re
import socket
import sys
import threading
from collections.abc import Callable

from twisted.application.reactors import getReactorTypes
from twisted.internet.abstract import FileDescriptor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support import mistake, present, record_log
from zbtwist.runtime import reactor
from zbtwist.runtime.reactor import MAX_EVENTS, QuickReactor


class End(FileDescriptor):
    """One end of a pair of sockets, watched by a reactor; the other is `theirs`."""

    def __init__(self, reactor: QuickReactor, read: Callable[[bytes], Exception | None]) -> None:
        super().__init__(reactor)
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.fileno = self.ours.fileno  # type: ignore[method-assign]
        self.read = read
        self.lost: list[type[BaseException]] = []
        self.half_lost = 0
        self.written = 0
        self.startReading()

    def doRead(self) -> Exception | None:
        return self.read(self.ours.recv(100))

    def doWrite(self) -> None:
        self.written += 1
        self.stopWriting()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self.lost.append(type(present(reason.value)))

    def close(self) -> None:
        self.stopReading()
        self.stopWriting()
        self.ours.close()
        self.theirs.close()


@implementer(IHalfCloseableDescriptor)
class HalfCloseableEnd(End):
    def readConnectionLost(self, reason: Failure) -> None:
        self.half_lost += 1

    def writeConnectionLost(self, reason: Failure) -> None:
        """Not asked for."""


class QuickReactorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = QuickReactor()
        self.addCleanup(self.close_reactor)
        self.heard: list[bytes] = []

    def close_reactor(self) -> None:
        for reader in self.reactor.removeAll():
            reader.connectionLost(Failure(CONNECTION_DONE))
        self.reactor._poller.close()

    def hear(self, data: bytes) -> None:
        self.heard.append(data)

    def end(
        self, read: Callable[[bytes], Exception | None] | None = None, kind: type[End] = End
    ) -> End:
        end = kind(self.reactor, read or self.hear)
        self.addCleanup(end.close)
        return end

    def test_read(self) -> None:
        end = self.end()
        self.reactor.doIteration(0)
        self.assertEqual(self.heard, [])
        end.theirs.send(b"hello")
        self.reactor.doIteration(0)
        self.reactor.doIteration(0)
        self.assertEqual(self.heard, [b"hello"])
        self.assertEqual(end.lost, [])

    def test_write(self) -> None:
        """It is Twisted's part, also together with a read."""
        end = self.end()
        end.startWriting()
        end.theirs.send(b"hello")
        self.reactor.doIteration(0)
        self.reactor.doIteration(0)
        self.assertEqual((self.heard, end.written), ([b"hello"], 1))

    def test_ends(self) -> None:
        for why, expected in ((CONNECTION_DONE, ConnectionDone), (CONNECTION_LOST, ConnectionLost)):
            end = self.end(lambda data, why=why: why)  # type: ignore[misc]
            end.theirs.send(b"x")
            self.reactor.doIteration(0)
            self.assertEqual(end.lost, [expected])
            self.assertNotIn(end, self.reactor.getReaders())

    def test_other_side_goes(self) -> None:
        """Both say so: what can be read, and what Twisted sees (a hang-up)."""
        end = self.end(lambda data: None if data else CONNECTION_DONE)
        end.theirs.send(b"last words")
        end.theirs.close()
        while not end.lost:
            self.reactor.doIteration(0)
        self.assertEqual(end.lost, [ConnectionDone])

    def test_half_close(self) -> None:
        end = self.end(lambda data: None if data else CONNECTION_DONE, HalfCloseableEnd)
        end.theirs.shutdown(socket.SHUT_WR)
        self.reactor.doIteration(0)
        self.assertEqual((end.half_lost, end.lost), (1, []))

    def test_mistake(self) -> None:
        """It is logged, and costs that connection, no other."""
        bad, good = self.end(mistake), self.end()
        for end in (bad, good):
            end.theirs.send(b"x")
        self.reactor.doIteration(0)
        self.assertEqual(bad.lost, [ZeroDivisionError])
        self.assertEqual((self.heard, good.lost), ([b"x"], []))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_mistake_that_is_no_exception(self) -> None:
        """Such as SystemExit: it costs that connection as well."""
        ends = [self.end(lambda data: sys.exit(1)), self.end()]
        for end in ends:
            end.theirs.send(b"x")
        self.reactor.doIteration(0)
        self.assertEqual((ends[0].lost, self.heard, ends[1].lost), ([SystemExit], [b"x"], []))
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_mistake_at_the_end(self) -> None:
        """What fails while a connection is lost costs no other its turn."""
        ends = [self.end(lambda data: CONNECTION_LOST), self.end()]
        self.patch(ends[0], "connectionLost", mistake)
        for end in ends:
            end.theirs.send(b"x")
        self.reactor.doIteration(0)
        self.assertEqual(self.heard, [b"x"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_one_closes_another(self) -> None:
        """Of two that have something, the first to be read closes the other."""
        ends: list[End] = []

        def close_the_other(data: bytes) -> None:
            self.heard.append(data)
            for end in ends:
                if data != end.name:  # type: ignore[attr-defined]
                    end.stopReading()

        for name in (b"one", b"two"):
            ends.append(self.end(close_the_other))
            ends[-1].name = name  # type: ignore[attr-defined]
            ends[-1].theirs.send(name)
        self.reactor.doIteration(0)
        self.reactor.doIteration(0)
        self.assertEqual(len(self.heard), 1)

    def test_more_than_are_taken_at_once(self) -> None:
        ends = [self.end() for _ in range(MAX_EVENTS + 10)]
        for end in ends:
            end.theirs.send(b"x")
        self.reactor.doIteration(0)
        self.assertEqual(len(self.heard), MAX_EVENTS)
        self.reactor.doIteration(0)
        self.assertEqual(len(self.heard), len(ends))

    def run_reactor(self) -> None:
        self.reactor.run(installSignalHandlers=False)

    def test_runs(self) -> None:
        """As a whole: calls that are due, and an end."""
        order: list[str] = []

        def read(data: bytes) -> None:
            order.append("read")
            self.reactor.stop()

        end = self.end(read)
        self.reactor.callLater(0, order.append, "called")
        self.reactor.callWhenRunning(end.theirs.send, b"x")
        self.run_reactor()
        self.assertEqual(sorted(order), ["called", "read"])

    def test_what_is_read_asks_for_more(self) -> None:
        """Each is done at once, though another call is due only much later."""
        order: list[str] = []

        def read(data: bytes) -> None:
            order.append("read")
            if len(order) == 1:
                self.reactor.callLater(0, called, "timed")
            elif len(order) == 3:
                threading.Thread(
                    target=self.reactor.callFromThread, args=(called, "thread")
                ).start()
            elif len(order) == 5:
                late.reset(0)
            else:
                self.reactor.stop()

        def called(name: str) -> None:
            order.append(name)
            end.theirs.send(b"x")

        end = self.end(read)
        late = self.reactor.callLater(1000.0, called, "late")
        end.theirs.send(b"x")
        self.run_reactor()
        expected = ["read", "timed", "read", "thread", "read", "late", "read"]
        self.assertEqual(order, expected)

    def test_stops(self) -> None:
        """At once, though something is due much later."""
        end = self.end(lambda data: self.reactor.stop())
        self.reactor.callLater(1e7, self.hear, b"late")
        self.reactor.callWhenRunning(end.theirs.send, b"x")
        # If it did not, this would end the wait.
        rescue = threading.Timer(10, self.reactor.callFromThread, args=(self.hear, b"rescue"))
        rescue.start()
        self.run_reactor()
        rescue.cancel()
        self.assertEqual(self.heard, [])

    def test_much_later(self) -> None:
        """Longer than epoll can wait."""
        count = 0

        def read(data: bytes) -> None:
            nonlocal count
            count += 1
            if count < 3:
                end.theirs.send(b"x")
            else:
                self.reactor.stop()

        end = self.end(read)
        self.reactor.callLater(1e7, self.hear, b"late")
        end.theirs.send(b"x")
        self.run_reactor()
        self.assertEqual(count, 3)

    def test_one_after_the_other(self) -> None:
        """Many reads in a row, while a call is due in the middle of them."""
        order: list[str] = []

        def read(data: bytes) -> None:
            order.append("read")
            end.theirs.send(b"x")
            if order[-2:] == ["called", "read"]:
                self.reactor.stop()

        end = self.end(read)
        # Each of them takes a millisecond.
        self.patch(self.reactor, "seconds", lambda: len(order) / 1000)
        self.reactor.callLater(0.02, order.append, "called")
        end.theirs.send(b"x")
        self.run_reactor()
        self.assertEqual(order.index("called"), 20)
        self.assertLess(len(order) - order.index("called"), 4)

    def test_look(self) -> None:
        """Without time to wait it takes what is there, and returns."""
        end = self.end()
        self.reactor.callLater(1000.0, self.hear, b"late")
        self.reactor.timeout()
        end.theirs.send(b"x")
        self.reactor.doIteration(0)
        self.assertEqual(self.heard, [b"x"])


class MakeTests(SynchronousTestCase):
    """Which reactor there is, by what Twisted has."""

    def setUp(self) -> None:
        self.log = record_log(self)

    def test_this_twisted(self) -> None:
        self.assertIsInstance(reactor.make(), QuickReactor)
        self.assertEqual(self.log.events, [])

    def test_twisted_that_is_built_otherwise(self) -> None:
        """Its own is used, and one line says so."""
        for name in ("_pendingTimedCalls", "_disconnectSelectable"):
            self.patch(reactor, "LEANED_ON", (*reactor.LEANED_ON, f"{name}OfOld"))
        made = reactor.make()
        self.assertIs(type(made), EPollReactor)
        (line,) = self.log.lines()
        self.assertIn("_pendingTimedCallsOfOld, _disconnectSelectableOfOld", line)

    def test_it_leans_on_nothing_else(self) -> None:
        """Each private name that it takes from Twisted's is checked for."""
        source = inspect.getsource(QuickReactor)
        taken = set(re.findall(r"self\.(_\w+|threadCallQueue)", source)) - {"_quick_log"}
        self.assertEqual(taken, set(reactor.LEANED_ON))

    def test_plugin(self) -> None:
        """twistd --reactor knows it."""
        self.assertIn("zbtwist", {one.shortName for one in getReactorTypes()})
