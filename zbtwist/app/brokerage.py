"""What is said and heard at an MQTT broker, if the settings name one. Nothing of it is imported
before they do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.application.service import MultiService
from twisted.logger import Logger

from zbtwist.mqtt.settings import MQTTSettings

if TYPE_CHECKING:
    from zbtwist.mqtt.service import BrokerService


class BrokerPart(Protocol):
    """A service that speaks at a broker."""

    def setServiceParent(self, parent: Any) -> object: ...

    def reconfigure(self, settings: MQTTSettings) -> None:
        """Follow new settings of the same broker, or of another."""


#: Makes all of those for a broker.
MakeParts = Callable[["BrokerService", MQTTSettings], Iterable[BrokerPart]]


class Brokerage(MultiService):
    """
    @ivar broker: the broker; None if there is none.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: MQTTSettings,
        make_parts: MakeParts,
        wall: Callable[[], float] = time.time,
        unseen: Callable[[], float] = float,
    ) -> None:
        """
        @param wall: says the seconds since 1970.
        @param unseen: see `zbtwist.mqtt.service.BrokerService`.
        """
        super().__init__()
        self._reactor = reactor
        self._settings = settings
        self._make_parts = make_parts
        self._wall = wall
        self._unseen = unseen
        self.broker: BrokerService | None = None
        self._parts: list[BrokerPart] = []

    def startService(self) -> None:
        super().startService()
        if self._settings.broker:
            self._begin()

    def reconfigure(self, settings: MQTTSettings) -> None:
        """Follow new settings."""
        self._settings = settings
        if not settings.broker:
            self._end()
        elif self.broker is None:
            self._begin()
        else:
            self.broker.reconfigure(settings)
            for part in self._parts:
                part.reconfigure(settings)

    def _begin(self) -> None:
        from zbtwist.mqtt.service import BrokerService

        settings = self._settings
        self.broker = broker = BrokerService(
            self._reactor, settings, wall=self._wall, unseen=self._unseen
        )
        # They are stopped in the other order, while there is a connection.
        broker.setServiceParent(self)
        self._parts = list(self._make_parts(broker, settings))
        for part in self._parts:
            part.setServiceParent(self)

    def _end(self) -> None:
        self.broker = None
        self._parts.clear()
        for service in reversed(list(self)):
            leaving = service.disownServiceParent()
            if leaving is not None:
                leaving.addErrback(
                    lambda failure: self.log.failure("The broker was not left", failure)
                )
