"""What binds connections to the service that keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.owner import Ending, Login, Owner
from zbtwist.mqtt.protocol import Connection

if TYPE_CHECKING:
    from zbtwist.mqtt.service import BrokerService


class Tie(Owner):
    """What binds one connection to the service.

    @ivar ended_with: fires with the end of the connection.
    @ivar opened_at: when the broker has taken this client in, None if it did not.
    """

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self.ended_with: Deferred[Ending] = Deferred()
        self.opened_at: float | None = None

    def opened(self) -> None:
        self.opened_at = self._service.clock.seconds()
        self._service.opened(self)

    def heard(self, message: Message) -> None:
        self._service.heard(message)

    def not_taken(self, topic: str, why: str) -> None:
        self._service.not_taken(topic, why)

    def not_subscribed(self, topic_filter: str, why: str) -> None:
        self._service.not_subscribed(topic_filter, why)

    def drained(self) -> None:
        self._service.call_all(self._service.drained)

    def ended(self, ending: Ending) -> None:
        self.ended_with.callback(ending)


class ConnectionFactory(Factory):
    """Makes connections of a login; an endpoint may make two at once, and takes one of them."""

    noisy = False

    def __init__(self, service: BrokerService, login: Login) -> None:
        self._service = service
        self._login = login

    def buildProtocol(self, addr: object) -> Connection:
        service = self._service
        return Connection(service.clock, self._login, Tie(service), service.counters)
