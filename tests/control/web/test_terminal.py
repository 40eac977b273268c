"""``/terminal``: a node's stream in a WebSocket, beside its other clients."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from wsproto.events import BytesMessage

from tests.control.web.support import ConsoleTestCase, Page
from tests.support import producer_of, record_log
from zbtwist.binding.client import MAX_UNSENT
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.port_settings import PortSettings
from zbtwist.control.web.sockets import GOING_AWAY, NORMAL

ADDRESS = "0013a200400a3e03"


class TerminalTests(ConsoleTestCase):
    def terminal(self, address: str = ADDRESS) -> Page:
        page = self.open(f"/terminal/{address}")
        self.assertEqual(page.messages(), [{"type": "open"}])
        return page

    def other_client(self) -> tuple[ConnectedClient, StringTransport]:
        """A client of the same node over TCP."""
        client = self.port("ECHO").accept(IPv4Address("TCP", "127.0.0.1", 50000))
        assert client is not None
        transport = StringTransport()
        client.makeConnection(transport)
        return client, transport

    def assertClosed(self, page: Page, code: int, *words: str) -> None:
        [message] = page.messages()
        self.assertEqual(message["type"], "closed")
        self.assertTrue(message["reason"].endswith("."), message)
        self.assertFalse(message["reason"][0].islower(), message)
        for word in words:
            self.assertIn(word, message["reason"])
        self.assertEqual(page.closed, code)
        self.assertTrue(page.is_dropped)

    def test_echo(self) -> None:
        """Every byte there and back, as it is."""
        page = self.terminal()
        data = bytes(range(256))
        page.send(BytesMessage(data))
        self.run_for(2)
        self.assertEqual(page.stream(), data)
        self.assertEqual(self.port("ECHO").outbound.bytes_sent, 256)

    def test_it_has_the_bytes_of_the_node(self) -> None:
        """Also where clients of the port speak another protocol."""
        port = self.port("ECHO")
        port.outbound.settings = PortSettings(protocol="another")
        page = self.terminal()
        page.send(BytesMessage(b"as it is"))
        self.run_for(1)
        self.assertEqual(page.stream(), b"as it is")

    def test_it_is_one_of_the_clients(self) -> None:
        page = self.terminal()
        client, transport = self.other_client()
        self.assertEqual(self.port("ECHO").clients, 2)
        client.dataReceived(b"from TCP ")
        self.run_for(1)
        page.send(BytesMessage(b"from the page"))
        self.run_for(1)
        self.assertEqual(page.stream(), b"from TCP from the page")
        self.assertEqual(transport.value(), b"from TCP from the page")
        page.lose()
        self.assertEqual(self.port("ECHO").clients, 1)

    def test_any_form_of_the_address(self) -> None:
        for address in ("00:13:a2:00:40:0a:3e:03", "ECHO"):
            self.terminal(address)
        self.assertEqual(self.port("ECHO").clients, 2)

    def test_nodes_that_are_not_there(self) -> None:
        for address in ("00000000000000ff", "nobody", "", "a/b", "%3Cimg%3E", "x" * 500):
            page = self.open(f"/terminal/{address}")
            self.assertEqual(page.status, 101, address)
            self.assertClosed(page, NORMAL)
            page.send_raw(b"\x82\x80\0\0\0\0")
            self.assertEqual(self.gateway.bindings.clients, 0)

    def test_node_without_a_port(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.gateway.api.remove_mapping("ECHO")))
        page = self.open(f"/terminal/{ADDRESS}")
        self.assertClosed(page, NORMAL, "ECHO", "port")

    def test_as_many_clients_as_may_be(self) -> None:
        for _ in range(PortSettings.max_clients):
            self.other_client()
        page = self.open(f"/terminal/{ADDRESS}")
        self.assertClosed(page, NORMAL, "clients")
        self.assertEqual(self.port("ECHO").clients, PortSettings.max_clients)

    def test_where_nothing_passes(self) -> None:
        """The page says why it is disconnected."""
        self.port("ECHO").follow(PortSettings(idle_timeout=2))
        page = self.terminal()
        self.run_for(3)
        self.assertClosed(page, NORMAL, "Nothing has passed for 2 s")

    def test_page_that_may_only_look_on(self) -> None:
        self.port("ECHO").follow(PortSettings(writers="none"))
        page = self.terminal()
        page.send(BytesMessage(b"nobody gets this"))
        self.run_for(1)
        self.assertEqual(page.stream(), b"")
        (row,) = self.gateway.api.clients("ECHO")
        self.assertEqual((row["writes"], row["ignored"]), (False, 16.0))

    def test_page_that_writes_too_fast_is_not_read(self) -> None:
        page = self.terminal()
        page.send(BytesMessage(b"x" * 10000))
        self.assertEqual(page.transport.producerState, "paused")
        self.run_for(20)
        self.assertEqual(page.transport.producerState, "producing")
        self.assertEqual(page.stream(), b"x" * 10000)

    def test_two_reasons_not_to_read(self) -> None:
        """Both must be over."""
        page = self.terminal()
        page.send(BytesMessage(b"x" * 10000))
        producer_of(page.transport).pauseProducing()
        self.run_for(20)
        self.assertEqual(page.transport.producerState, "paused")
        producer_of(page.transport).resumeProducing()
        self.run_for(20)
        self.assertEqual(page.transport.producerState, "producing")
        self.assertEqual(page.stream(), b"x" * 10000)

    def test_what_a_slow_page_wrote_is_dropped_with_it(self) -> None:
        """Whoever is reset sends again what is to be sent, and it must not arrive twice."""
        page = self.terminal()
        page.send(BytesMessage(b"x" * 300))
        port = self.port("ECHO")
        self.assertGreater(port.outbound.buffered, 0)
        producer_of(page.transport).pauseProducing()
        for _ in range(2):
            port.deliver(b"y" * MAX_UNSENT)
        self.assertTrue(page.is_dropped)
        self.assertEqual(port.outbound.buffered, 0)

    def test_page_that_reads_too_slowly_is_dropped(self) -> None:
        page = self.terminal()
        _, other = self.other_client()
        producer_of(page.transport).pauseProducing()
        port = self.port("ECHO")
        piece = b"x" * 1024
        count = MAX_UNSENT // len(piece)
        for _ in range(count):
            port.deliver(piece)
        self.assertFalse(page.is_dropped)
        port.deliver(piece)
        self.assertTrue(page.is_dropped)
        port.deliver(b"more")
        self.assertEqual(len(other.value()), (count + 1) * len(piece) + 4)

    def test_page_that_has_caught_up_is_not_slow(self) -> None:
        page = self.terminal()
        piece = b"x" * (MAX_UNSENT - 1)
        for _ in range(3):
            producer_of(page.transport).pauseProducing()
            self.port("ECHO").deliver(piece)
            producer_of(page.transport).resumeProducing()
        self.assertFalse(page.is_dropped)
        self.assertEqual(len(page.stream()), 3 * len(piece))

    def test_bytes_that_are_lost(self) -> None:
        page = self.terminal()
        self.gateway.radio.coordinator.link_down("The adapter was unplugged.")
        page.send(BytesMessage(b"hello"))
        self.run_for(11)
        self.assertClosed(page, NORMAL, "5 bytes", "unplugged")

    def test_port_that_moves(self) -> None:
        page = self.terminal()
        self.open("/live").call("bind", "ECHO", 31234)
        self.run_for(1)
        self.assertClosed(page, GOING_AWAY, "port")
        page.lose()
        self.assertEqual(self.port("ECHO").clients, 0)
        self.terminal()

    def test_gateway_that_stops_waits_for_its_last_words(self) -> None:
        page = self.terminal()
        stopped = self.gateway.stopService()
        self.assertNoResult(stopped)
        self.assertClosed(page, GOING_AWAY)
        page.lose()
        self.run_for(1)
        self.successResultOf(stopped)
        self.gateway.startService()

    def test_log(self) -> None:
        log = record_log(self)
        self.terminal().lose()
        who = "Client 127.0.0.1:50000 (terminal) is"
        node = "ECHO (00:13:a2:00:40:0a:3e:03) on port 27003."
        self.assertEqual(
            log.lines(),
            [f"{who} connected to {node}", f"{who} gone from {node}"],
        )
