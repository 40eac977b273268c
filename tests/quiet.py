"""A test whose memory is measured, without the log of the test runner.

The workers of ``trial -j`` pass each line of the log on to their manager, and keep it until the
reactor runs again: a test that logs a lot and does not give the reactor a turn looks as if the
gateway's memory grew.
"""

from __future__ import annotations

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase


def without_log_of_the_runner(case: SynchronousTestCase) -> None:
    """Let nobody observe the log who did so until now; until the end of the test."""
    observers = list(globalLogPublisher._observers)
    for observer in observers:
        globalLogPublisher.removeObserver(observer)
        case.addCleanup(globalLogPublisher.addObserver, observer)
