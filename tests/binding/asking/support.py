"""A node's port whose clients ask, with a radio that a test answers for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import Computer
from tests.radio.support import REMOTE, REMOTE16, Wire
from tests.support import record_log
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.listener import Listener
from zbtwist.binding.outbound import Outbound
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.observing.log_lines import LogLines
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import DeliveryStatus


class Transport(StringTransport):
    """Remembers whether it was reset, and lets what was written be taken out."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def take(self) -> bytes:
        data: bytes = self.value()
        self.clear()
        return data


class AskingTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.clock = self.wire.clock
        self.node = Node(REMOTE, REMOTE16, label="E1")
        self.port = self.open(self.node, 27001)
        LogLines(self.wire.bus)
        self.log = record_log(self)
        self.addCleanup(self.stop)
        self.ports = [self.port]

    def open(self, node: Node, number: int) -> NodePort:
        outbound = Outbound(self.clock, self.wire.coordinator, NodeTable(self.wire.bus), node)
        outbound.settings = PortSettings(pace=OFF)
        port = NodePort(self.clock, node, outbound, self.wire.bus)
        listener = Listener(number, Computer().endpoint(number))
        port.startService()
        self.successResultOf(Deferred.fromCoroutine(listener.open()))
        port.serve(listener)
        return port

    def follow(self, **settings: Any) -> None:
        self.port.outbound.settings = PortSettings(**{"pace": OFF, **settings})

    def stop(self) -> None:
        """Nothing is left to be done later when the ports are closed."""
        for port in self.ports:
            port.stopService()
            for client in port.connected:
                assert isinstance(client, ConnectedClient)
                client.connectionLost(Failure(ConnectionDone()))
        self.wire.coordinator.close()
        for call in self.clock.getDelayedCalls():
            self.fail(f"left over: {call}")

    def connect(self) -> tuple[ConnectedClient, Transport]:
        assert self.port.listener is not None
        client = self.port.listener.buildProtocol(None)
        assert isinstance(client, ConnectedClient)
        transport = Transport()
        client.makeConnection(transport)
        return client, transport

    @property
    def sent(self) -> list[bytes]:
        """What was in the packets to the node."""
        return [frame.data for frame in self.wire.sent]

    def status(self, delivery: int = DeliveryStatus.DELIVERED) -> None:
        """The status of the packet in the air comes."""
        last = self.wire.last
        self.wire.receive(TransmitStatus(last.frame_id, last.address16, 0, delivery, 0))

    def arrive(self) -> bytes:
        """All packets on their way arrive, and those behind them; return what was in the last ones,
        since this was called last.
        """
        # No answer comes sooner than a packet can have gone.
        self.clock.advance(0.01)
        data = b""
        while True:
            count = len(self.wire.sent)
            if count == self._arrived:
                return data
            data += self.sent[-1]
            self._arrived = count
            self.status()
            self.clock.advance(0)

    _arrived = 0

    def lines(self) -> list[str]:
        return self.log.lines()
