"""What would stop the gateway while it stops."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.support import record_log
from zbtwist.app.stopping import Stopping


class Reactor:
    @staticmethod
    def callFromThread(call: Callable[[], None]) -> None:
        call()


class StoppingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stops: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.signal(number, lambda number, _: self.stops.append(number))
            self.addCleanup(signal.signal, number, before)
        self.log = record_log(self)
        self.service = Stopping(Reactor())
        self.service.startService()

    def test_it_is_told_again(self) -> None:
        """That is said; it stops once."""
        os.kill(os.getpid(), signal.SIGINT)
        self.service.stopService()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.stops, [signal.SIGINT])
        self.assertEqual(["stops already" in line for line in self.log.lines()], [True, True])

    def test_what_is_ignored_stays_so(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.service.stopService()
        os.kill(os.getpid(), signal.SIGINT)
        self.assertEqual(self.log.lines(), [])
