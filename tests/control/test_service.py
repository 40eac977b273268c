"""The control port: tried again while it is taken, moved when it is told to."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.control.service import RETRY, ControlService


class Endpoint:
    """A server endpoint whose port may be taken."""

    def __init__(self, taken: bool = False) -> None:
        self.taken = taken
        self.error: Exception = CannotListenError(
            "127.0.0.1", 27000, OSError(98, "Address already in use")
        )
        self.tries = 0
        self.listening = False

    def listen(self, factory: Any) -> Deferred[Any]:
        self.tries += 1
        if self.taken:
            return fail(self.error)
        self.listening = True
        return succeed(self)

    def stopListening(self) -> Deferred[None]:
        self.listening = False
        return succeed(None)


class ControlServiceTests(SynchronousTestCase):
    def start(self, endpoint: Endpoint) -> None:
        self.clock = Clock()
        site: Any = Factory()
        self.service = ControlService(self.clock, endpoint, site, "27000")  # type: ignore[arg-type]
        self.log = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.service.startService()

    def stop(self) -> None:
        self.service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def errors(self) -> list[str]:
        return [
            event["log_format"].format(**event)
            for event in self.log
            if event["log_level"].name == "error"
        ]

    def test_listens(self) -> None:
        endpoint = Endpoint()
        self.start(endpoint)
        self.assertTrue(endpoint.listening)
        self.stop()
        self.assertFalse(endpoint.listening)

    def test_taken(self) -> None:
        """Said once, tried again, and taken when it is free."""
        endpoint = Endpoint(taken=True)
        self.start(endpoint)
        self.clock.pump([RETRY] * 5)
        self.assertEqual(endpoint.tries, 6)
        (error,) = self.errors()
        self.assertIn("cannot listen on 27000", error)
        self.assertIn("--control", error)
        endpoint.taken = False
        self.clock.advance(RETRY)
        self.assertTrue(endpoint.listening)
        self.stop()

    def test_socket_that_cannot_be_made(self) -> None:
        """Not a taken port, but a directory that is not there: the same."""
        endpoint = Endpoint(taken=True)
        endpoint.error = FileNotFoundError(2, "No such file or directory")
        self.start(endpoint)
        (error,) = self.errors()
        self.assertIn("its directory is not there", error)
        endpoint.taken = False
        self.clock.advance(RETRY)
        self.assertTrue(endpoint.listening)
        self.stop()

    def test_stopped_while_it_waits(self) -> None:
        endpoint = Endpoint(taken=True)
        self.start(endpoint)
        self.stop()

    def test_moved(self) -> None:
        first, second = Endpoint(), Endpoint()
        self.start(first)
        self.service.replace_endpoint(second, "28000")  # type: ignore[arg-type]
        self.assertEqual((first.listening, second.listening), (False, True))
        self.stop()

    def test_moved_while_it_waits(self) -> None:
        first, second = Endpoint(taken=True), Endpoint()
        self.start(first)
        self.service.replace_endpoint(second, "28000")  # type: ignore[arg-type]
        self.assertTrue(second.listening)
        self.clock.advance(RETRY)
        self.assertEqual(first.tries, 1)
        self.stop()
