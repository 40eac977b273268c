"""Which node has which port."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import FACTS, REMOTE, REMOTE16, Wire
from zbtwist.binding.service import BindingService
from zbtwist.network import Node
from zbtwist.xbee.address import Address64


class Endpoints:
    """Server endpoints of a computer on which some ports are taken."""

    def __init__(self, taken: set[int]) -> None:
        self.taken = taken
        self.open: dict[int, Any] = {}
        self.slow: Deferred[Any] | None = None

    def make(self, number: int) -> Any:
        endpoints = self

        class Listening:
            def stopListening(self) -> None:
                del endpoints.open[number]

        class Endpoint:
            def listen(self, factory: Any) -> Deferred[Any]:
                if number in endpoints.taken:
                    error = OSError(98, "Address already in use")
                    return fail(CannotListenError("127.0.0.1", number, error))
                endpoints.open[number] = factory
                if endpoints.slow is not None:
                    return endpoints.slow.addCallback(lambda _: Listening())
                return succeed(Listening())

        return Endpoint()


class BindingServiceTests(SynchronousTestCase):
    def start(self, taken: set[int] = frozenset(), base: int = 27001) -> None:  # type: ignore[assignment]
        self.wire = Wire()
        self.endpoints = Endpoints(taken)
        self.bindings = BindingService(
            self.wire.clock, self.wire.coordinator, self.endpoints.make, base
        )
        self.bindings.startService()
        self.log = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def add(self, number: int) -> Node:
        node = Node(Address64(number))
        self.bindings.node_added(node)
        return node

    def port(self, node: Node) -> int:
        port = self.bindings.port_of(node)
        return port.number if port else 0

    def lines(self) -> list[str]:
        return [event["log_format"].format(**event) for event in self.log]

    def test_ports_in_order(self) -> None:
        self.start()
        self.assertEqual([self.port(self.add(n)) for n in (9, 5, 7)], [27001, 27002, 27003])
        self.assertEqual(sorted(self.endpoints.open), [27001, 27002, 27003])

    def test_taken_port_is_skipped_with_a_warning(self) -> None:
        self.start({27002, 27003})
        self.assertEqual([self.port(self.add(n)) for n in (1, 2, 3)], [27001, 27004, 27005])
        warnings = [line for line in self.lines() if "skipped" in line]
        self.assertEqual(len(warnings), 2)
        self.assertIn("Port 27002 is skipped, 00:00:00:00:00:00:00:02 gets the next", warnings[0])

    def test_slow_listening_keeps_the_order(self) -> None:
        self.start()
        self.endpoints.slow = Deferred()
        first, second = self.add(1), self.add(2)
        settled = self.bindings.settled()
        self.assertEqual([self.port(first), self.port(second)], [0, 0])
        self.assertNoResult(settled)
        slow, self.endpoints.slow = self.endpoints.slow, None
        slow.callback(None)
        self.successResultOf(settled)
        self.assertEqual([self.port(first), self.port(second)], [27001, 27002])

    def test_no_port_left(self) -> None:
        self.start(base=65535)
        self.assertEqual(self.port(self.add(1)), 65535)
        self.assertEqual(self.port(self.add(2)), 0)
        self.assertIn("There is no port left", self.lines()[-1])

    def test_node_reaches_its_port(self) -> None:
        self.start()
        node = self.add(1)
        assert node.receiver is not None
        node.receiver(b"data")
        port = self.bindings.port_of(node)
        assert port is not None
        self.assertEqual(port.bytes_received, 4)

    def test_waiting_bytes_go_out_when_the_radio_is_up(self) -> None:
        self.start()
        self.wire.coordinator.link_down("gone")
        node = Node(REMOTE, REMOTE16)
        self.bindings.node_added(node)
        port = self.bindings.port_of(node)
        assert port is not None
        client = port.buildProtocol(None)
        assert client is not None
        port.outbound.write(client, b"data")
        self.assertEqual(self.wire.sent, [])
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.wire.last.data, b"data")

    def test_stop(self) -> None:
        self.start()
        node = self.add(1)
        self.successResultOf(self.bindings.stopService())
        self.assertEqual(self.endpoints.open, {})
        self.assertEqual(self.port(node), 0)
        self.assertEqual(self.port(self.add(2)), 0)
