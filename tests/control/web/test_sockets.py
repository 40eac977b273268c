"""WebSockets: who may open one, bounds, signs of life, and the end."""

from __future__ import annotations

import itertools
import json

from twisted.internet.testing import StringTransport
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from tests.control.web.support import HOST, ConsoleTestCase, Page
from tests.support import connect, producer_of
from zbtwist.control.web.calls import Calls
from zbtwist.control.web.handshake import MAX_SOCKETS
from zbtwist.control.web.live import CALLS_AT_ONCE
from zbtwist.control.web.sockets import (
    CLOSE_TIMEOUT,
    GOING_AWAY,
    MAX_MESSAGE,
    MAX_UNFINISHED,
    PIECE,
    PING_INTERVAL,
    POLICY,
    SILENCE,
    STOP_TIMEOUT,
    TOO_BIG,
    TRY_AGAIN_LATER,
)


class Opening(ConsoleTestCase):
    def test_own_page_and_programs(self) -> None:
        self.assertEqual(self.open().status, 101)
        # Only browsers send an Origin.
        self.assertEqual(self.open(origin=None).status, 101)
        self.assertEqual(self.open(host="[::1]:1", origin="http://[::1]:1").status, 101)

    def test_pages_of_other_sites_are_refused(self) -> None:
        for path in ("/live", "/terminal/ECHO", "/tap/ECHO"):
            for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"x{HOST}"):
                page = self.open(path, origin=origin)
                self.assertEqual(page.status, 403, origin)
                self.assertIn(b"other sites", page.body)

    def test_names_that_may_be_anybodys_are_refused(self) -> None:
        """Also if the page is of that name."""
        page = self.open(host="evil.example:27000", origin="http://evil.example:27000")
        self.assertEqual(page.status, 403)
        self.assertEqual(self.gateway.bindings.clients, 0)

    def test_what_is_no_websocket_is_told_so(self) -> None:
        for data in (
            b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"HEAD /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
        ):
            transport = StringTransport()
            channel = connect(self.factory, transport)
            channel.dataReceived(data)
            self.assertTrue(transport.value().startswith(b"HTTP/1.1 426 Upgrade Required\r\n"))
            self.assertIn(b"Upgrade: websocket\r\n", transport.value())

    def test_other_methods(self) -> None:
        """Whatever bytes the address is of."""
        for path in (b"/live", b"/terminal/ECHO", b"/tap/ECHO", b"/static/index.html"):
            for method in (b"POST", b"OPTIONS", b"FNORD"):
                transport = StringTransport()
                channel = connect(self.factory, transport)
                channel.dataReceived(
                    b"%b %b?\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n" % (method, path)
                )
                self.assertTrue(transport.value().startswith(b"HTTP/1.1 405 "))
                self.assertIn(b"Allow: GET, HEAD\r\n", transport.value())
                self.assertTrue(transport.value().endswith(b"only.\n"))

    def ask(
        self, other: dict[str, str | None] | None = None, before: bytes = b"", later: bytes = b""
    ) -> StringTransport:
        """Send a handshake, and what may come with it.

        @param other: what some headers say in place of what they should; None leaves one out.
        @return: the transport, with what was answered.
        """
        headers = {
            "host": HOST,
            "upgrade": "websocket",
            "connection": "keep-alive, Upgrade",
            "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
            "sec_websocket_version": "13",
            **(other or {}),
        }
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
        transport = StringTransport()
        channel = connect(self.factory, transport)
        head = "\r\n".join(["GET /live HTTP/1.1", *lines, "", ""])
        channel.dataReceived(before + head.encode("latin-1") + later)
        return transport

    def test_the_answer_proves_that_it_was_understood(self) -> None:
        """With the example of RFC 6455, 1.3."""
        answer = self.ask().value()
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        self.assertIn(b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", answer)

    def test_a_handshake_that_makes_no_sense(self) -> None:
        for name, value in (
            ("host", None),
            ("connection", None),
            ("connection", "close"),
            ("connection", "\x80\x0b"),
            ("sec_websocket_key", None),
        ):
            answer = self.ask({name: value}).value()
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (name, value))
            self.assertIn(b"\r\nTo open a WebSocket, send ", answer)

    def test_another_version(self) -> None:
        for value in (None, "8", "\xfe"):
            answer = self.ask({"sec_websocket_version": value}).value()
            self.assertTrue(answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n"))
            self.assertIn(b"\r\nSec-Websocket-Version: 13\r\n", answer)

    def test_headers_that_are_strange(self) -> None:
        """They are nobody's business, and nobody stumbles over them."""
        for name in ("cookie", "sec_websocket_key", "sec_websocket_protocol", "user_agent"):
            answer = self.ask({name: "a\x0b\x80\xff,,"}).value()
            self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), name)
        self.assertTrue(self.ask({"host": ".."}).value().startswith(b"HTTP/1.1 403 "))

    def test_what_comes_with_the_handshake_is_heard(self) -> None:
        """However much it is."""
        client = Connection(ConnectionType.CLIENT)
        ping, pong = client.send(Ping(b"1234")), b"\x8a\x041234"
        for count in (1, 5, 5000):
            transport = self.ask(later=ping * count)
            for _ in range(100):
                self.turns()
            self.assertEqual(transport.value().count(pong), count)
            self.assertEqual(transport.producerState, "producing")

    def test_handshake_behind_other_requests(self) -> None:
        """It is not looked at in the turn of those, and nothing is read until then."""
        transport = self.ask(before=b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        self.assertEqual(transport.producerState, "paused")
        self.turns()
        self.assertEqual(transport.value().count(b"HTTP/1.1 426"), 3)
        self.assertEqual(transport.value().count(b"HTTP/1.1 101"), 1)
        self.assertEqual(transport.producerState, "producing")

    def test_addresses_below_are_not_there(self) -> None:
        self.assertEqual(self.open("/live/more").status, 404)

    def test_their_number_is_bounded(self) -> None:
        pages = [self.open() for _ in range(MAX_SOCKETS)]
        self.assertEqual({page.status for page in pages}, {101})
        refused = self.open()
        self.assertEqual(refused.status, 503)
        self.assertIn(b"close some", refused.body)
        pages[7].lose()
        self.assertEqual(self.open().status, 101)

    def test_who_has_the_most_gives_way(self) -> None:
        """It is told to come again later."""
        pages = [self.open() for _ in range(MAX_SOCKETS)]
        self.assertEqual(self.open(peer="192.168.1.7").status, 101)
        pages[-1].read()
        self.assertEqual(pages[-1].closed, TRY_AGAIN_LATER)
        self.assertFalse(any(page.is_dropped for page in pages[:-1]))

    def test_all_have_a_budget_of_time(self) -> None:
        """What their pages ask for waits while the streams have their part."""
        pages = [self.open() for _ in range(10)]
        seen: list[float] = []

        async def call(*_: object) -> object:
            seen.append(self.reactor.seconds())
            self.reactor.rightNow += 0.1
            return None

        self.patch(Calls, "call", call)
        for page in pages:
            page.call("traffic", "")
        self.assertEqual(len(seen), 1)
        self.run_for(3)
        self.assertEqual(len(seen), 10)
        self.assertGreater(min(b - a for a, b in itertools.pairwise(seen)), 0.17)


class Bounds(ConsoleTestCase):
    def assertClosed(self, page: Page, code: int) -> None:
        page.read()
        self.assertEqual(page.closed, code)
        self.assertTrue(page.is_dropped)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_message_that_is_too_long(self) -> None:
        page = self.open("/terminal/ECHO")
        page.send(BytesMessage(b"x" * MAX_MESSAGE))
        self.run_for(2)
        self.assertFalse(page.is_dropped)
        page = self.open("/terminal/ECHO")
        page.send(BytesMessage(b"x" * (MAX_MESSAGE + 1)))
        self.turns()
        self.assertClosed(page, TOO_BIG)

    def test_message_that_never_ends(self) -> None:
        """Pongs between its pieces change nothing."""
        page = self.open()
        sent = 0
        piece = b"x" * 1000
        while not page.is_dropped:
            page.send(TextMessage(piece.decode(), message_finished=False))
            page.send(Pong(b"pong"))
            sent += len(piece)
            self.assertLessEqual(sent, MAX_UNFINISHED)
        self.assertGreater(sent, MAX_MESSAGE)
        self.assertClosed(page, TOO_BIG)

    def test_message_of_nothing(self) -> None:
        """Its pieces are empty, but there are too many."""
        page = self.open()
        sent = 0
        while not page.is_dropped:
            piece = page.websocket.send(TextMessage("", message_finished=False))
            page.send_raw(piece)
            sent += len(piece)
            self.assertLessEqual(sent, MAX_UNFINISHED + len(piece))
        self.assertGreater(sent, MAX_UNFINISHED - MAX_UNFINISHED // 8)
        self.assertClosed(page, TOO_BIG)

    def test_letters_that_are_of_several_bytes(self) -> None:
        page = self.open()
        page.send(TextMessage("€" * (MAX_UNFINISHED // 3 - 1000), message_finished=False))
        self.turns(200)
        self.assertFalse(page.is_dropped)
        page.send(TextMessage("€" * 1000, message_finished=False))
        self.turns()
        self.assertClosed(page, TOO_BIG)

    def test_messages_that_come_in_pieces(self) -> None:
        """One after the other, with signs of life in between; none counts for the next."""
        page = self.open()
        page.texts()
        for number in range(CALLS_AT_ONCE):
            name = "ä€😀" * 5000
            text = json.dumps({"id": number, "call": name, "arguments": []}, ensure_ascii=False)
            data = b""
            for start in range(0, len(text), 999):
                data += page.websocket.send(TextMessage(text[start : start + 999], False, False))
                data += page.websocket.send(Ping(b""))
            data += page.websocket.send(TextMessage(""))
            page.send_raw(data)
            self.turns(200)
            [answer] = page.messages()
            self.assertEqual((answer["type"], answer["id"]), ("answer", number))
        self.assertFalse(page.is_dropped)

    def test_frames_cut_anywhere(self) -> None:
        page = self.open("/terminal/ECHO")
        page.texts()
        data = page.websocket.send(BytesMessage(b"one ", message_finished=False))
        data += page.websocket.send(Ping(b"1234")) + page.websocket.send(BytesMessage(b"two"))
        for byte in data:
            page.send_raw(bytes([byte]))
        self.run_for(2)
        self.assertEqual(page.stream(), b"one two")
        self.assertEqual(page.pongs, 1)

    def test_signs_of_life_do_not_count(self) -> None:
        """However many there are: a program may do nothing else for weeks."""
        page = self.open()
        for sign in (Ping(b"1234"), Pong(b"1234")):
            for _ in range(20):
                page.send_raw(b"".join(page.websocket.send(sign) for _ in range(1000)))
                self.turns()
                page.transport.clear()
        self.assertFalse(page.is_dropped)
        self.assertEqual(page.transport.producerState, "producing")

    def test_what_was_read_at_once_is_looked_at_in_pieces(self) -> None:
        """With turns of the reactor in between, in which others have theirs."""
        page = self.open()
        page.texts()
        call_later = self.reactor.callLater
        # On this clock all calls of a moment are one turn.
        self.patch(
            self.reactor,
            "callLater",
            lambda delay, *call: call_later(max(delay, 0.01), *call),
        )
        page.send_raw(b"".join(page.websocket.send(Ping(b"1234")) for _ in range(1000)))
        self.assertEqual(page.transport.producerState, "paused")
        answered = []
        while page.transport.producerState == "paused":
            answered.append(len(page.transport.value()) // 6)
            page.transport.clear()
            self.reactor.advance(0.01)
        answered.append(len(page.transport.value()) // 6)
        self.assertEqual(sum(answered), 1000)
        self.assertLessEqual(max(answered), PIECE // 10 + 1)

    def test_kind_of_message_that_is_not_taken(self) -> None:
        live, terminal = self.open(), self.open("/terminal/ECHO")
        live.send(BytesMessage(b"x"))
        terminal.send(TextMessage("x"))
        self.assertClosed(live, POLICY)
        self.assertClosed(terminal, POLICY)

    def test_nonsense(self) -> None:
        for data in (b"\xff" * 20, b"\x81\x85\0\0\0\0\xff\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n"):
            page = self.open()
            page.texts()
            page.send_raw(data)
            page.read()
            self.assertIn(page.closed, (1002, 1007))
            self.assertTrue(page.is_dropped)
            # More of it comes before the connection is lost.
            page.send_raw(data)
            self.run_for(2)
            self.assertEqual(page.texts(), [])
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_while_it_does_not_read_nothing_is_read_from_it(self) -> None:
        """Or the answers to its pings would pile up."""
        page = self.open()
        page.send(Ping(b"1"))
        producer_of(page.transport).pauseProducing()
        self.assertEqual(page.transport.producerState, "paused")
        producer_of(page.transport).resumeProducing()
        self.assertEqual(page.transport.producerState, "producing")


class SignsOfLife(ConsoleTestCase):
    def test_they_are_asked_for(self) -> None:
        page = self.open()
        self.run_for(PING_INTERVAL + 1)
        page.read()
        self.assertEqual(page.pings, 1)

    def test_who_gives_them_stays(self) -> None:
        page = self.open()
        for _ in range(10):
            self.run_for(PING_INTERVAL)
            page.send(Pong())
        self.assertFalse(page.is_dropped)

    def test_who_is_silent_is_dropped(self) -> None:
        page = self.open()
        self.run_for(SILENCE - 1)
        self.assertFalse(page.is_dropped)
        self.run_for(PING_INTERVAL + 2)
        self.assertTrue(page.is_dropped)

    def test_who_does_not_read_is_dropped(self) -> None:
        page = self.open()
        producer_of(page.transport).pauseProducing()
        page.transport.clear()
        self.run_for(SILENCE - 1)
        self.assertFalse(page.is_dropped)
        # Not even signs of life were asked for: they would only wait with the rest.
        self.assertEqual(page.transport.value(), b"")
        self.run_for(PING_INTERVAL + 2)
        self.assertTrue(page.is_dropped)


class Ending(ConsoleTestCase):
    def test_page_that_says_goodbye(self) -> None:
        for path in ("/live", "/terminal/ECHO", "/tap/ECHO"):
            page = self.open(path)
            page.texts()
            page.send(CloseConnection(1000))
            self.assertTrue(page.is_dropped)
            page.read()
            self.assertEqual(page.closed, 1000)
            # There is more to be told, and its connection is still there.
            self.port("ECHO").deliver(b"late")
            self.run_for(2)
            self.assertEqual(page.transport.value(), b"")
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_nothing_is_heard_after_goodbye(self) -> None:
        page = self.open("/terminal/ECHO")
        late = page.websocket.send(BytesMessage(b"late"))
        page.send_raw(page.websocket.send(CloseConnection(1000)) + late)
        page.send_raw(late)
        self.run_for(2)
        self.assertEqual(self.port("ECHO").outbound.bytes_sent, 0)

    def test_goodbye_behind_a_call(self) -> None:
        """With more behind it than is looked at in one turn."""
        page = self.open()
        call = page.websocket.send(TextMessage('{"id": 1, "call": "x", "arguments": []}'))
        late = page.websocket.send(TextMessage("x" * PIECE))
        page.send_raw(call + page.websocket.send(CloseConnection(1000)) + late)
        self.turns()
        page.read()
        self.assertEqual(page.closed, 1000)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nothing_is_heard_after_the_gateways_goodbye(self) -> None:
        page = self.open("/terminal/ECHO")
        late = page.websocket.send(BytesMessage(b"late"))
        page.send_raw(page.websocket.send(TextMessage("x")) + late)
        page.send_raw(late)
        self.run_for(2)
        page.read()
        self.assertEqual(page.closed, POLICY)
        self.assertEqual(self.port("ECHO").outbound.bytes_sent, 0)

    def test_connection_that_does_not_end(self) -> None:
        """Its other end takes nothing any more, and does not close."""
        page = self.open()
        aborted = []
        page.transport.abortConnection = lambda: aborted.append(True)  # type: ignore[method-assign]
        page.send(CloseConnection(1000))
        # It would wait for its producer's end.
        self.assertIsNone(page.transport.producer)
        self.run_for(CLOSE_TIMEOUT - 0.5)
        self.assertEqual(aborted, [])
        self.run_for(1)
        self.assertEqual(aborted, [True])

    def test_nothing_is_left_behind(self) -> None:
        before = len(self.factory.channels), len(self.reactor.getDelayedCalls())
        pages = [self.open(), self.open("/terminal/ECHO")]
        self.assertEqual(len(self.factory.channels), before[0] + 2)
        self.assertEqual(self.gateway.bindings.clients, 1)
        for page in pages:
            page.lose()
        # The radio has an answer on its way.
        self.run_for(1)
        self.assertEqual((len(self.factory.channels), len(self.reactor.getDelayedCalls())), before)
        self.assertEqual(self.gateway.bindings.clients, 0)

    def test_the_gateway_waits_for_the_last_words(self) -> None:
        """But not for long."""
        quick, stuck = self.open(), self.open()
        aborted: list[bool] = []

        def abort() -> None:
            aborted.append(True)
            stuck.lose()

        self.patch(stuck.transport, "abortConnection", abort)
        stopped = self.gateway.stopService()
        quick.read()
        self.assertEqual(quick.closed, GOING_AWAY)
        quick.lose()
        self.run_for(STOP_TIMEOUT - 0.1)
        self.assertNoResult(stopped)
        self.assertEqual(aborted, [])
        self.run_for(0.2)
        self.assertEqual(len(aborted), 1)
        self.successResultOf(stopped)
        self.gateway.startService()

    def test_the_control_port_is_closed(self) -> None:
        live, terminal = self.open(), self.open("/terminal/ECHO")
        live.texts()
        terminal.texts()
        self.factory.stopFactory()
        self.assertIn("stopping", terminal.messages()[0]["reason"])
        for page in (live, terminal):
            page.read()
            self.assertEqual(page.closed, GOING_AWAY)
            self.assertTrue(page.is_dropped)
            page.lose()
        self.assertEqual(self.factory.channels, set())
