"""A whole gateway in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
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
        self.connected: list[Any] = []
        self.gateway.startService()
        self.running = True
        self.addCleanup(self.stop_now)

    def stop_now(self) -> None:
        if not self.running:
            return
        self.running = False
        for client in self.connected:
            client.connectionLost(Failure(ConnectionDone()))
        self.gateway.stopService()
        self.network.stop()
        self.run_for(0.1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def connect(self, label: str) -> StringTransport:
        """Connect a client to a node's port; return its transport."""
        (port,) = (row["tcp_port"] for row in self.api.list_nodes() if row["label"] == label)
        (factory,) = (server[1] for server in self.reactor.tcpServers if server[0] == port)
        transport = StringTransport()
        self.client = factory.buildProtocol(None)
        self.client.makeConnection(transport)
        self.connected.append(self.client)
        return transport

    def run_for(self, seconds: float, step: float = 0.01) -> None:
        self.reactor.pump([step] * round(seconds / step))

    def call(self, operation: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(operation)
