"""The gateway's side of a connection that is tested by itself."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.faults.connection import Client


@implementer(IPushProducer)
class Recorder(Protocol):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.got = b""
        self.told: list[str] = []

    def connectionMade(self) -> None:
        assert IConsumer.providedBy(self.transport)
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.told.append(type(reason.value).__name__)

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class ClientTestCase(SynchronousTestCase):
    """
    @ivar gateway: the protocol at the gateway's end.
    @ivar heard: what the client has read.
    """

    def use(self, client: Client, gateway: Any) -> None:
        self.gateway = gateway
        self.heard = b""
        client.received = self._hear

    def _hear(self, data: bytes) -> None:
        self.heard += data
