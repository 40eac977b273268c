"""``/tap``: what passes between a node and its clients, for pages that are no clients."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from wsproto.events import BytesMessage, TextMessage

from tests.control.web.support import ConsoleTestCase, Page
from tests.support import producer_of
from zbtwist.control.web.sockets import GOING_AWAY, NORMAL, POLICY
from zbtwist.control.web.tap import MAX_TOLD
from zbtwist.network.events import FROM_NODE, BytesPassed, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.observing.taps import LEASE, MAX_PACKETS, MAX_TAPS
from zbtwist.xbee.address import Address64

ADDRESS = "0013a200400a3e03"


class TapTests(ConsoleTestCase):
    def tap(self, more: str = "") -> tuple[Page, dict[str, Any]]:
        """Open a tap of the echo node; return what it says first, too."""
        page = self.open(f"/tap/{ADDRESS}{more}")
        [message] = page.messages()
        self.assertEqual(message["type"], "open")
        return page, message

    def passes(self, count: int = 1, data: bytes = b"x") -> None:
        """Let packets pass."""
        for _ in range(count):
            self.gateway.network.nodes.bus.publish(
                BytesPassed(self.node("ECHO"), FROM_NODE, data, 1e9)
            )

    def is_observing(self) -> bool:
        return bool(self.gateway.network.nodes.bus.subscribers(BytesPassed))

    def test_both_ways_and_what_others_send(self) -> None:
        page, _ = self.tap()
        client = self.port("ECHO").accept(IPv4Address("TCP", "127.0.0.1", 50000))
        assert client is not None
        client.makeConnection(StringTransport())
        client.dataReceived(b"hello\xff")
        self.run_for(1)
        packets = [packet for message in page.messages() for packet in message["packets"]]
        self.assertEqual(
            [packet[1:] for packet in packets],
            [["to_node", b"hello\xff".hex()], ["from_node", b"hello\xff".hex()]],
        )
        self.assertLess(self.reactor.seconds() - packets[0][0], 2)

    def test_it_is_no_client(self) -> None:
        """The port has none; what is kept for the next client is kept."""
        port = self.port("ECHO")
        before = (port.clients, port.kept)
        page, _ = self.tap()
        self.assertEqual((port.clients, port.kept), before)
        page.lose()

    def test_nothing_is_observed_without_it(self) -> None:
        self.assertFalse(self.is_observing())
        page, _ = self.tap()
        self.run_for(3 * LEASE)
        self.assertTrue(self.is_observing())
        page.lose()
        self.run_for(LEASE / 2)
        self.assertTrue(self.is_observing())
        self.run_for(2 * LEASE)
        self.assertFalse(self.is_observing())

    def test_quick_packets_are_told_together(self) -> None:
        page, _ = self.tap()
        self.passes(MAX_TOLD + 5)
        self.run_for(1)
        first, second = page.messages()
        self.assertEqual([len(first["packets"]), len(second["packets"])], [MAX_TOLD, 5])
        self.assertEqual([first["seq"], second["seq"]], [MAX_TOLD, MAX_TOLD + 5])

    def test_page_that_comes_back(self) -> None:
        """It gets what it missed, unless it is of another tap."""
        page, opened = self.tap()
        page.lose()
        self.passes(3)
        page, again = self.tap(f"?tap={opened['tap']}&seq={opened['seq']}")
        self.assertEqual(again, opened)
        self.run_for(0.2)
        [message] = page.messages()
        self.assertEqual([message["seq"], len(message["packets"])], [3, 3])
        for more in (
            "?tap=00000000&seq=0",
            "?seq=0",
            f"?tap={opened['tap']}&seq=-1",
            "?tap=&seq=x",
        ):
            page, other = self.tap(more)
            self.assertEqual(other["seq"], 3, more)
        page, other = self.tap(f"?tap={opened['tap']}&seq=99999")
        self.assertEqual(other["seq"], 3)

    def test_page_that_reads_slowly(self) -> None:
        """Nothing waits for it but the tap; what is forgotten there is counted."""
        page, _ = self.tap()
        producer_of(page.transport).pauseProducing()
        self.passes(MAX_PACKETS + 7)
        self.run_for(1)
        self.assertEqual(page.texts(), [])
        producer_of(page.transport).resumeProducing()
        self.run_for(3)
        messages = page.messages()
        self.assertEqual([message["lost"] for message in messages[:2]], [7, 0])
        self.assertEqual(sum(len(message["packets"]) for message in messages), MAX_PACKETS)
        self.assertFalse(page.is_dropped)

    def test_nodes_that_are_not_there(self) -> None:
        for address in ("00000000000000ff", "nobody", "", "a/b", "%3Cimg%3E", "x" * 500):
            page = self.open(f"/tap/{address}")
            self.assertEqual(page.status, 101, address)
            [message] = page.messages()
            self.assertEqual(message["type"], "closed")
            self.assertEqual(page.closed, NORMAL)
        self.assertFalse(self.is_observing())

    def test_node_that_is_forgotten(self) -> None:
        """What has passed before is told first."""
        page, _ = self.tap()
        self.passes()
        self.gateway.network.nodes.bus.publish(NodeForgotten(self.node("ECHO")))
        self.run_for(1)
        packets, closed = page.messages()
        self.assertEqual(packets["type"], "packets")
        self.assertIn("does not know this node", closed["reason"])
        page.lose()
        self.assertFalse(self.is_observing())

    def test_too_many(self) -> None:
        for number in range(MAX_TAPS):
            self.gateway.api._taps.of(Node(Address64(100 + number)))
        page = self.open(f"/tap/{ADDRESS}")
        [message] = page.messages()
        self.assertIn(f"{MAX_TAPS} nodes are being watched", message["reason"])
        self.assertEqual(page.closed, NORMAL)

    def test_it_takes_nothing(self) -> None:
        for message in (BytesMessage(b"hello"), TextMessage("hello")):
            page, _ = self.tap()
            page.send(message)
            self.run_for(1)
            page.read()
            self.assertEqual(page.closed, POLICY)
        self.assertEqual(self.port("ECHO").outbound.bytes_sent, 0)

    def test_gateway_that_stops(self) -> None:
        page, _ = self.tap()
        stopped = self.gateway.stopService()
        [message] = page.messages()
        self.assertEqual(message["reason"], "The gateway is stopping.")
        self.assertEqual(page.closed, GOING_AWAY)
        page.lose()
        self.run_for(1)
        self.successResultOf(stopped)
        self.gateway.startService()
