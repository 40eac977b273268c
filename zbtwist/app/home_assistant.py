"""Home Assistant, if the settings want it. Nothing of it is imported before they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.application.service import MultiService

from zbtwist.mqtt.settings import MQTTSettings

if TYPE_CHECKING:
    from zbtwist.home_assistant.service import HomeAssistantService


class HomeAssistantPart(MultiService):
    """It stays once it was wanted, since it has devices to remove when it is not any more."""

    def __init__(
        self, settings: MQTTSettings, make: Callable[[MQTTSettings], HomeAssistantService]
    ) -> None:
        super().__init__()
        self._make = make
        self._service: HomeAssistantService | None = None
        self.reconfigure(settings)

    def reconfigure(self, settings: MQTTSettings) -> None:
        """See `zbtwist.app.brokerage.BrokerPart`."""
        if self._service is not None:
            self._service.reconfigure(settings)
        elif settings.home_assistant:
            self._service = self._make(settings)
            self._service.setServiceParent(self)
