"""Work that runs one after the other."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.serial_queue import SerialQueue


class OneByOneTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.work = SerialQueue()
        self.log: list[object] = []

    async def do(self, name: object, wait: Deferred[None] | None = None) -> object:
        self.log.append(name)
        if wait is not None:
            await wait
        return name

    def test_order(self) -> None:
        gate: Deferred[None] = Deferred()
        first = self.work.run(self.do(1, gate))
        second = self.work.run(self.do(2))
        self.assertEqual(self.log, [1])
        gate.callback(None)
        self.assertEqual(self.log, [1, 2])
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (1, 2))
        self.assertEqual(self.successResultOf(self.work.run(self.do(3))), 3)

    def test_failure_concerns_nobody_else(self) -> None:
        async def fail() -> None:
            raise ValueError

        gate: Deferred[None] = Deferred()
        self.work.run(self.do(1, gate))
        failing = self.work.run(fail())
        after = self.work.run(self.do(2))
        gate.callback(None)
        self.failureResultOf(failing, ValueError)
        self.assertEqual(self.successResultOf(after), 2)

    def test_work_that_asks_for_more(self) -> None:
        async def more() -> None:
            self.work.run(self.do("later"))
            self.log.append("more")

        self.successResultOf(self.work.run(more()))
        self.assertEqual(self.log, ["more", "later"])

    def test_many(self) -> None:
        """However many wait, the stack does not get deeper."""
        gate: Deferred[None] = Deferred()
        self.work.run(self.do(0, gate))
        results = [self.work.run(self.do(number)) for number in range(5000)]
        gate.callback(None)
        self.assertEqual([self.successResultOf(result) for result in results], list(range(5000)))

    def test_who_gives_up_does_not_end_it(self) -> None:
        gate: Deferred[None] = Deferred()
        given_up = self.work.run(self.do(1, gate))
        after = self.work.run(self.do(2))
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        self.assertEqual(self.log, [1])
        gate.callback(None)
        self.assertEqual(self.successResultOf(after), 2)
