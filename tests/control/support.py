"""A whole gateway in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.app.gateway import Gateway
from zbtwist.config.settings import Settings
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.options import SimulatorOptions


class GatewayTestCase(SynchronousTestCase):
    """A whole gateway on a simulated network."""

    def build(self, settings: Settings | None = None, **options: Any) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.network = SimulatorOptions(
            **{"discovery_time": 1.0, "interval": 0.0, **options}
        ).build(self.reactor)
        self.gateway = Gateway(
            settings or Settings(serial="sim:"),
            self.reactor,
            SimulatorEndpoint(self.reactor, self.network),
            self.reactor.seconds,
            first_id=1,
        )
        self.api = self.gateway.api
        self.gateway.startService()
        self.running = True
        self.addCleanup(self.stop_now)

    def stop_now(self) -> None:
        if not self.running:
            return
        self.running = False
        self.gateway.stopService()
        self.network.stop()
        self.run_for(0.1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def run_for(self, seconds: float, step: float = 0.01) -> None:
        self.reactor.pump([step] * round(seconds / step))

    def call(self, operation: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(operation)
