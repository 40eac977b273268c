"""A network for a client, and brokers that a test speaks for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from tests.mqtt.wire import BrokerEnd
from zbtwist.mqtt.settings import MQTTSettings


@implementer(IStreamClientEndpoint)
class Network:
    """The network, and brokers that a test speaks for.

    @ivar tries: how often it was tried to connect.
    @ivar outcome: what comes of the next tries: an exception, None for a connection, or a Deferred.
    """

    def __init__(self) -> None:
        self.tries = 0
        self.outcome: Any = None
        self.ends: list[BrokerEnd] = []
        self.settings: list[MQTTSettings] = []

    def endpoint_of(self, reactor: Any, settings: MQTTSettings) -> Network:
        self.settings.append(settings)
        return self

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        self.tries += 1
        outcome = self.outcome
        if isinstance(outcome, Deferred):
            return outcome
        if outcome is not None:
            return fail(outcome)
        connection = protocolFactory.buildProtocol(None)
        self.ends.append(BrokerEnd(connection))
        return succeed(connection)

    @property
    def end(self) -> BrokerEnd:
        return self.ends[-1]
