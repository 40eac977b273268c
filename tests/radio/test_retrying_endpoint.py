"""The endpoint that tries until it is connected."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.clock import MemoryReactorClock
from zbtwist.radio.errors import SerialOpenError
from zbtwist.radio.retrying_endpoint import OPEN_RETRY, OPEN_TIMEOUT, RetryingEndpoint


@implementer(IStreamClientEndpoint)
class Outcomes:
    """An endpoint whose tries end as was said before, one after the other."""

    def __init__(self, *outcomes: Deferred[Any]) -> None:
        self.outcomes = list(outcomes)

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return self.outcomes.pop(0)


class RetryingEndpointTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.said: list[str] = []

    def connect(self, endpoint: Any) -> Deferred[Any]:
        self.endpoint = RetryingEndpoint(
            self.reactor, endpoint, "tcp:server:4000", self.said.append
        )
        return self.endpoint.connect(Factory.forProtocol(Protocol))

    def test_each_try_that_failed_is_said(self) -> None:
        protocol = Protocol()
        connecting = self.connect(
            Outcomes(
                fail(ConnectionRefusedError("Nobody.")),
                fail(SerialOpenError("There is no port: plug it in.")),
                fail(ValueError()),
                succeed(protocol),
            )
        )
        for _ in range(3):
            self.assertNoResult(connecting)
            self.reactor.advance(OPEN_RETRY)
        self.assertIs(self.successResultOf(connecting), protocol)
        self.assertEqual(
            self.said,
            [
                "Connection was refused by other side: Nobody: see that it is there and reachable.",
                "There is no port: plug it in.",
                "ValueError: see that it is there and reachable.",
            ],
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_name(self) -> None:
        connecting = self.connect(Outcomes(Deferred()))
        self.assertEqual(repr(self.endpoint), "tcp:server:4000")
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    def test_no_answer_within_the_time(self) -> None:
        """Of whatever kind the endpoint is, the sentence is the same."""
        for endpoint in (
            Outcomes(Deferred(), Deferred()),
            TCP4ClientEndpoint(self.reactor, "192.0.2.1", 4000),
            HostnameEndpoint(self.reactor, "192.0.2.1", 4000),
        ):
            self.said.clear()
            connecting = self.connect(endpoint)
            self.reactor.advance(OPEN_TIMEOUT)
            self.assertEqual(
                self.said,
                ["There was no connection within 5 s: see that it is there and reachable."],
            )
            self.reactor.advance(OPEN_RETRY)
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)

    def test_cancelled(self) -> None:
        """It ends there, and no other try follows."""
        for endpoint in (
            Outcomes(Deferred()),
            TCP4ClientEndpoint(self.reactor, "192.0.2.1", 4000),
            HostnameEndpoint(self.reactor, "192.0.2.1", 4000),
        ):
            connecting = self.connect(endpoint)
            self.reactor.advance(1)
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            tries = len(self.reactor.tcpClients)
            self.reactor.advance(60)
            self.assertEqual(len(self.reactor.tcpClients), tries)
            self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.said, [])

    def test_cancelled_between_two_tries(self) -> None:
        connecting = self.connect(Outcomes(fail(ConnectionRefusedError())))
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
