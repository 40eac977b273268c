"""One run for everybody who asks while it runs."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.single_flight import SingleFlight


class SharedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.runs: list[Deferred[int]] = []
        self.shared: SingleFlight[int] = SingleFlight(self.work)

    def work(self) -> Deferred[int]:
        self.runs.append(Deferred())
        return self.runs[-1]

    def call(self) -> Deferred[int]:
        return Deferred.fromCoroutine(self.shared())

    def test_shared(self) -> None:
        first, second = self.call(), self.call()
        self.assertEqual(len(self.runs), 1)
        self.runs[0].callback(5)
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (5, 5))

    def test_next_call_begins_anew(self) -> None:
        first = self.call()
        self.runs[0].callback(5)
        self.successResultOf(first)
        second = self.call()
        self.assertEqual(len(self.runs), 2)
        self.assertNoResult(second)

    def test_failure_is_shared(self) -> None:
        calls = [self.call(), self.call()]
        self.runs[0].errback(ZeroDivisionError())
        for call in calls:
            self.failureResultOf(call, ZeroDivisionError)

    def test_failure_at_once(self) -> None:
        async def fail() -> int:
            raise ZeroDivisionError

        self.failureResultOf(Deferred.fromCoroutine(SingleFlight(fail)()), ZeroDivisionError)

    def test_caller_that_gives_up(self) -> None:
        first, second = self.call(), self.call()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.runs[0].callback(5)
        self.assertEqual(self.successResultOf(second), 5)

    def test_cancel(self) -> None:
        calls = [self.call(), self.call()]
        self.shared.cancel()
        for call in calls:
            self.failureResultOf(call, CancelledError)
        self.shared.cancel()
