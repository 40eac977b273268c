"""What strangers do on the control port stops nobody else, and does not stay."""

from __future__ import annotations

import itertools
import xmlrpc.client
from typing import Any

from twisted.internet.testing import StringTransportWithDisconnection

from tests.control.http.support import (
    NODE,
    FakeOperations,
    SiteTestCase,
    method_call,
    parse_response,
    request,
)
from tests.support import connect, producer_of
from zbtwist.control import faults
from zbtwist.control.http import procedures, unsent
from zbtwist.control.http.channel import (
    BODY_INTERVAL,
    BODY_RATE,
    HEAD_TIMEOUT,
    MAX_CONNECTIONS,
    REQUEST_TIMEOUT,
    SPARE_CONNECTIONS,
)
from zbtwist.control.http.guards import Hosts
from zbtwist.control.http.site import control_site

HEAD = b"POST /RPC2 HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"


class Slow(SiteTestCase):
    """A request must come; a byte now and then is not enough."""

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_head(self) -> None:
        """It has a time in all."""
        slow = self.connect()
        for byte in HEAD[:40]:
            if not slow.connected:
                break
            slow.protocol.dataReceived(bytes([byte]))
            self.clock.advance(HEAD_TIMEOUT / 20)
        self.assertFalse(slow.connected)
        self.assertEqual(self.clock.seconds(), HEAD_TIMEOUT)

    def test_head_behind_a_request(self) -> None:
        slow = self.connect()
        slow.protocol.dataReceived(request(method_call("list")))
        self.clock.advance(HEAD_TIMEOUT * 2)
        slow.protocol.dataReceived(b"P")
        self.clock.advance(HEAD_TIMEOUT - 1)
        self.assertTrue(slow.connected)
        self.clock.advance(1)
        self.assertFalse(slow.connected)

    def test_body(self) -> None:
        """It has a least rate."""
        chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"
        for beginning in (HEAD, chunked):
            slow = self.connect()
            slow.protocol.dataReceived(beginning)
            for _ in range(3):
                slow.protocol.dataReceived(b"x" * BODY_RATE)
                for _ in range(4):
                    self.clock.advance(BODY_INTERVAL / 4)
                self.assertTrue(slow.connected)
            slow.protocol.dataReceived(b"x" * (BODY_RATE - 1))
            self.clock.advance(0)
            self.clock.advance(BODY_INTERVAL)
            self.assertFalse(slow.connected)

    def test_endless_body(self) -> None:
        slow = self.connect()
        slow.protocol.dataReceived(HEAD.replace(b"1000000", b"1000000000"))
        began = self.clock.seconds()
        while slow.connected:
            slow.protocol.dataReceived(b"x" * BODY_RATE)
            self.clock.advance(0)
            self.clock.advance(BODY_INTERVAL)
        self.assertEqual(self.clock.seconds() - began, REQUEST_TIMEOUT)


class Places(SiteTestCase):
    """Nobody can take all connections."""

    def fill(self, peer: str = "127.0.0.1") -> list[StringTransportWithDisconnection]:
        transports = []
        for _ in range(MAX_CONNECTIONS):
            transports.append(self.connect(peer))
            self.clock.advance(0.01)
        return transports

    def ask(self, transport: Any, name: str = "list") -> int:
        """Return the status of the answer."""
        transport.clear()
        transport.protocol.dataReceived(request(method_call(name)))
        self.clock.advance(0)
        return parse_response(transport.value())[0]

    def test_newcomer_is_served(self) -> None:
        """Who has been without a request for longest goes."""
        transports = self.fill()
        self.assertEqual(self.ask(transports[0]), 200)
        newcomer = self.connect()
        self.assertEqual(self.ask(newcomer), 200)
        self.assertTrue(transports[0].connected)
        self.assertFalse(transports[1].connected)
        self.assertEqual(len(self.site.channels), MAX_CONNECTIONS)

    def test_requests_that_never_come_are_none(self) -> None:
        transports = self.fill()
        for transport in transports[:-1]:
            transport.protocol.dataReceived(b"GET / HT")
        transports[-2].protocol.dataReceived(b"TP/1.1\r\n")
        for _ in range(10):
            self.assertEqual(self.ask(self.connect()), 200)
        self.assertTrue(transports[-1].connected)
        self.assertFalse(any(transport.connected for transport in transports[:10]))

    def test_who_has_fewer_stays(self) -> None:
        """However long it has been without a request."""
        few = [self.connect("192.168.1.7") for _ in range(3)]
        self.clock.advance(1)
        self.fill("192.168.1.8")
        self.fill("192.168.1.8")
        self.assertTrue(all(transport.connected for transport in few))

    def keep_busy(self, count: int) -> None:
        for transport in self.fill()[:count]:
            transport.protocol.dataReceived(request(method_call("discover")))
            self.clock.advance(0)

    def test_spare_places(self) -> None:
        """While all have something in hand, what is answered at once is answered."""
        self.keep_busy(MAX_CONNECTIONS)
        spare = self.connect()
        self.assertEqual(self.ask(spare), 200)
        self.assertIn(b"Connection: close\r\n", spare.value())
        self.assertFalse(spare.connected)
        spare = self.connect()
        self.assertEqual(self.ask(spare, "discover"), 200)
        self.assertFault(faults.GATEWAY_FAILED, parse_response(spare.value())[2], "close some")
        # Those are bounded as well, and one that says nothing goes.
        silent = [self.connect() for _ in range(SPARE_CONNECTIONS)]
        self.assertEqual(self.ask(self.connect()), 200)
        self.assertEqual([transport.connected for transport in silent].count(False), 1)
        self.assertEqual(len(self.operations.searches), MAX_CONNECTIONS)

    def test_no_place_at_all(self) -> None:
        """It is said so, and the connection closed."""
        self.keep_busy(MAX_CONNECTIONS)
        for _ in range(SPARE_CONNECTIONS):
            channel: Any = self.connect().protocol
            channel._in_hand = True
        refused = self.connect()
        self.assertEqual(parse_response(refused.value())[0], 503)
        self.assertFalse(refused.connected)
        refused.protocol.dataReceived(request(method_call("list")))


class SlowOperations(FakeOperations):
    """Operations that take time, and tell when."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock
        self.times: list[float] = []

    def list_nodes(self) -> object:
        self.times.append(self.clock.seconds())
        # Not by advance, which would do what waits meanwhile.
        self.clock.rightNow += 0.1
        return super().list_nodes()


class Work(SiteTestCase):
    """Calls have a budget of time, all together."""

    def setUp(self) -> None:
        super().setUp()
        self.operations = self.slow = SlowOperations(self.clock)
        self.site = control_site(self.slow, self.clock, Hosts(("gateway",), "box"))

    def test_calls_of_many_clients(self) -> None:
        """Between two of them the streams have as much time as one took."""
        transports = [self.connect() for _ in range(10)]
        for transport in transports:
            transport.protocol.dataReceived(request(method_call("list")))
        self.assertEqual(len(self.slow.times), 1)
        self.clock.pump([0.01] * 200)
        times = self.slow.times
        self.assertEqual(len(times), 10)
        for before, after in itertools.pairwise(times):
            self.assertGreater(after - before, 0.17)

    def test_what_is_short_does_not_wait_for_them(self) -> None:
        for _ in range(10):
            self.connect().protocol.dataReceived(request(method_call("list")))
        watcher = self.connect()
        watcher.protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        self.clock.advance(0.1)
        self.assertEqual(parse_response(watcher.value())[0], 200)
        self.assertLess(len(self.slow.times), 3)

    def test_clients_that_go_while_their_calls_wait(self) -> None:
        """They are not made, and nobody stumbles over that."""
        body = xmlrpc.client.dumps(([{"methodName": "list"}] * 3,), "system.multicall").encode()
        transports = [self.connect() for _ in range(5)]
        for transport in transports:
            transport.protocol.dataReceived(request(body))
        # Those of the others are read, and wait behind the first one's.
        self.clock.advance(0.09)
        for transport in transports:
            transport.loseConnection()
        self.clock.pump([0.01] * 200)
        self.assertEqual(len(self.slow.times), 2)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_multicall(self) -> None:
        """Each of its calls has a turn."""
        name = b"<member><name>methodName</name><value>list</value></member>"
        call = b"<value><struct>%b</struct></value>" % name
        body = (
            b"<methodCall><methodName>system.multicall</methodName><params><param><value><array>"
            b"<data>%b</data></array></value></param></params></methodCall>" % (call * 100)
        )
        transport = self.connect()
        transport.protocol.dataReceived(request(body))
        self.assertEqual(len(self.slow.times), 1)
        self.clock.pump([0.01] * 3000)
        self.assertEqual(parse_response(transport.value())[2].count(b"<string>E2</string>"), 100)
        times = self.slow.times
        self.assertGreater(min(b - a for a, b in itertools.pairwise(times)), 0.17)


class Answers(SiteTestCase):
    """What is not read is bounded."""

    def test_long_multicall(self) -> None:
        self.operations.nodes = [{**NODE, "label": "x" * 1000000}]
        calls = [{"methodName": "list"}] * 20
        answers = self.call("system.multicall", calls)
        self.assertEqual(len(answers), 20)
        faulty = [answer for answer in answers if isinstance(answer, dict)]
        self.assertEqual(len(faulty), 20 - 9)
        self.assertIn("call again for the rest", faulty[0]["faultString"])

    def test_many_multicalls(self) -> None:
        """What all of them hold before it is sent is bounded, and then given back."""
        self.operations.nodes = [{**NODE, "label": "x" * 1000000}]
        body = xmlrpc.client.dumps(([{"methodName": "list"}] * 8,), "system.multicall").encode()
        transports = [self.connect() for _ in range(10)]
        for transport in transports:
            transport.protocol.dataReceived(request(body))
        self.clock.pump([0.0] * 1000)
        answers = [parse_response(transport.value())[2] for transport in transports]
        full = sum(answer.count(b"x" * 1000000) for answer in answers)
        self.assertLess(full, 60)
        self.assertGreater(full, procedures.MAX_HELD // 1000000)
        self.assertEqual(len(self.call("system.multicall", [{"methodName": "list"}])[0]), 1)

    def test_unread_answers(self) -> None:
        """The oldest ones go when there are too many bytes of them."""
        self.operations.nodes = [{**NODE, "label": "x" * 3000000}]
        transports = []
        for _ in range(8):
            transport = Full()
            transports.append(transport)
            connect(self.site, transport)
            transport.protocol.dataReceived(request(method_call("list")))
        self.assertLessEqual(self.site.unsent.size, unsent.MAX_UNSENT)
        self.assertEqual(
            [transport.connected for transport in transports], [False] * 3 + [True] * 5
        )
        for transport in transports[4:]:
            producer_of(transport).resumeProducing()
        self.assertLess(self.site.unsent.size, 3100000)
        transports[3].loseConnection()
        self.assertEqual(self.site.unsent.size, 0)

    def test_one_answer_may_be_longer(self) -> None:
        self.operations.nodes = [{**NODE, "label": "x" * (unsent.MAX_UNSENT + 1)}]
        transport = Full()
        connect(self.site, transport)
        transport.protocol.dataReceived(request(method_call("list")))
        self.assertTrue(transport.connected)


class Full(StringTransportWithDisconnection):
    """A connection whose client reads nothing."""

    def write(self, data: bytes) -> None:
        super().write(data)
        producer_of(self).pauseProducing()
