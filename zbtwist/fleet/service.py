"""The radio of a hub as a service: in place of `zbtwist.radio.service.RadioService`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from zbtwist.fleet.descriptions import Descriptions
from zbtwist.fleet.endpoint import FleetEndpoint
from zbtwist.fleet.radio import FleetRadio
from zbtwist.mqtt.service import BrokerService
from zbtwist.network.table import NodeTable
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.service import LinkSettings
from zbtwist.radio.statistics import Traffic
from zbtwist.runtime.event_bus import EventBus


class FleetService(MultiService):
    """
    @ivar coordinator: all sites, as the rest of the program sees them.
    @ivar traffic: frames on a serial line: there are none.
    @ivar radio_name: the endpoint of the broker, as the user wrote it.
    @ivar base: what stands before all topics of its sites.
    @ivar protocol, baud_rate: of a serial line: there is none.
    @ivar heartbeat: whether the broker is there is asked by its own option, ``keepalive``.
    """

    log = Logger()

    protocol: RadioProtocol | None = None
    baud_rate: int | None = None

    def __init__(
        self,
        reactor: Any,
        endpoint: FleetEndpoint,
        bus: EventBus,
        name: str,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """
        @param wall: says the seconds since 1970.
        """
        super().__init__()
        broker = endpoint.broker
        if broker is None:
            service = BrokerService(reactor, endpoint.settings, wall=wall)
            service.setServiceParent(self)
            broker = service
        self._reactor = reactor
        self._broker = broker
        self._descriptions: Descriptions | None = None
        self.radio_name = name
        self.base = endpoint.settings.base
        self.heartbeat = 0.0
        self.traffic = Traffic(bus)
        self.coordinator = FleetRadio(
            reactor, bus, broker, endpoint.settings.base, endpoint.sites, name
        )

    def know(self, nodes: NodeTable) -> None:
        """Tell the table of nodes what sites say of them."""
        self._descriptions = Descriptions(self._reactor, self.coordinator, nodes)

    @property
    def ignored(self) -> int:
        """Descriptions of more nodes than there may be."""
        return 0 if self._descriptions is None else self._descriptions.ignored

    def startService(self) -> None:
        self.coordinator.starting()
        # Not the same for two runs: what is said to the one before is not for this one.
        self._broker.identify(f"hub-{self.coordinator.hub}")
        super().startService()

    def stopService(self) -> Deferred[Any]:
        self.coordinator.close()
        stopped: Deferred[Any] = super().stopService()
        return stopped

    def reconfigure(self, old: LinkSettings, new: LinkSettings) -> None:
        """Follow new settings."""
        if new.serial != old.serial:
            self.log.warn("The broker of the fleet is another one from the next start on.")
