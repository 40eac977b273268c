"""The ports as a service: started, stopped, one change after the other, tried again."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.binding.support import A, B, BindingTestCase, say
from tests.radio.support import FACTS
from zbtwist.binding.retries import MAX_RETRY_DELAY
from zbtwist.binding.scheduler import DEFAULT_LIMIT
from zbtwist.xbee.address import Address64


class ServiceTests(BindingTestCase):
    def test_slow_listening_keeps_the_order(self) -> None:
        self.computer.slow = Deferred()
        self.see(A, B)
        settled = self.bindings.settled()
        self.assertNoResult(settled)
        slow, self.computer.slow = self.computer.slow, None
        slow.callback(None)
        self.successResultOf(settled)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})

    def test_retries_come_less_and_less_often(self) -> None:
        self.see(A)
        self.computer.taken.add(27001)
        self.restart()
        self.computer.tried.clear()
        self.wire.clock.pump([1] * 3600)
        tries = len(self.computer.tried)
        self.assertTrue(3600 / MAX_RETRY_DELAY <= tries <= 3600 / MAX_RETRY_DELAY + 7, tries)

    def test_node_reaches_its_port(self) -> None:
        self.see(A)
        transport = self.connect(27001)
        say(self.node(A), b"data", self.wire.clock)
        self.assertEqual(transport.value(), b"data")
        self.assertEqual(self.bindings.clients, 1)
        transport.protocol.connectionLost()

    def test_stop(self) -> None:
        self.see(A)
        self.stop()
        self.see(B)
        self.assertEqual(self.computer.open, {})

    def test_stop_while_nodes_wait_for_their_turns(self) -> None:
        """Nothing is left that would call back."""
        self.wire.coordinator.ready(FACTS)
        addresses = [Address64(A + number) for number in range(DEFAULT_LIMIT + 1)]
        self.see(*addresses)
        clients = [self.connect(27001 + number) for number in range(len(addresses))]
        for client in clients:
            client.protocol.dataReceived(b"data")
        self.assertEqual(self.bindings.turns.waiting, 1)
        stopped = self.bindings.stopService()
        for client in clients:
            client.protocol.connectionLost()
        self.successResultOf(stopped)
        self.wire.coordinator.close()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])
