"""/events: server-sent events, as the bytes that a browser gets."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import Logger

from tests.control.http.support import SiteTestCase, parse_response
from tests.support import mistake, producer_of, take
from zbtwist.control.http import event_stream
from zbtwist.control.http.event_stream import HEARTBEAT, INTERVAL, STALL_TIMEOUT, EventStreams
from zbtwist.control.http.site import IDLE_TIMEOUT
from zbtwist.observing.event_log import EventLog
from zbtwist.runtime.event_bus import EventBus

Transport = StringTransportWithDisconnection


class StreamTestCase(SiteTestCase):
    """Gives each test streams on a site, whose log holds ten events and five frames."""

    def setUp(self) -> None:
        super().setUp()
        self.events = EventLog(EventBus(), 10, 5)
        self.log = Logger("zbtwist.test", observer=self.events)
        self.mount()

    def mount(self) -> None:
        self.resource = EventStreams(self.clock, self.events)
        self.site.resource.putChild(b"events", self.resource)

    def open(self, query: str = "", headers: str = "", method: str = "GET") -> Transport:
        transport = self.connect()
        transport.protocol.dataReceived(
            f"{method} /events{query} HTTP/1.1\r\nHost: gateway:27000\r\n{headers}\r\n".encode()
        )
        return transport

    def body(self, transport: Transport) -> str:
        """What has come since the last time, with the chunks put together."""
        data = take(transport)
        if data.startswith(b"HTTP/"):
            status, headers, data = parse_response(data)
            self.assertEqual(status, 200)
            self.assertEqual(headers["content-type"], "text/event-stream; charset=utf-8")
            self.assertNotIn("access-control-allow-origin", headers)
        whole = b""
        while data:
            size, _, rest = data.partition(b"\r\n")
            whole += rest[: int(size, 16)]
            data = rest[int(size, 16) + 2 :]
        return whole.decode()

    def messages(self, transport: Transport) -> list[tuple[str, str, Any]]:
        """The events that have come: name, id and data."""
        found = []
        for message in self.body(transport).split("\n\n"):
            fields = dict(line.split(": ", 1) for line in message.splitlines() if line[:1] != ":")
            if "data" in fields:
                found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
        return found

    def numbers(self, transport: Transport) -> list[int]:
        return [data.get("seq", -data.get("lost", 0)) for _, _, data in self.messages(transport)]

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.log.info("event")


class Events(StreamTestCase):
    def test_what_there_is_and_what_comes(self) -> None:
        self.log.warn("first: <é>\n")
        transport = self.open()
        self.assertEqual(
            self.messages(transport),
            [
                (
                    "log",
                    f"1-{self.events.run}",
                    {
                        "seq": 1,
                        "time": self.events.since(0)[0].time,
                        "level": "warn",
                        "text": "first: <é> ",
                    },
                )
            ],
        )
        self.events.frame(12.5, "sent")
        self.assertEqual(self.messages(transport), [])
        self.clock.advance(INTERVAL)
        self.assertEqual(
            self.messages(transport),
            [
                (
                    "frame",
                    f"2-{self.events.run}",
                    {"seq": 2, "time": 12.5, "level": "debug", "text": "sent"},
                )
            ],
        )

    def test_a_browser_comes_back(self) -> None:
        self.add(5)
        first = self.messages(self.open())
        transport = self.open("?from=1", f"Last-Event-ID: {first[2][1]}\r\n")
        self.assertEqual(self.numbers(transport), [4, 5])

    def test_from(self) -> None:
        self.add(5)
        self.assertEqual(self.numbers(self.open("?from=4")), [5])
        self.assertEqual(self.numbers(self.open(f"?from=4-{self.events.run}")), [5])
        self.assertEqual(self.numbers(self.open("?from=5")), [])
        self.assertEqual(self.numbers(self.open("?from=0")), [1, 2, 3, 4, 5])

    def test_from_that_is_no_number(self) -> None:
        for word in ("x", "-1", "1e3", "9" * 40):
            status, _, body = parse_response(self.open(f"?from={word}").value())
            self.assertEqual(status, 400)
            self.assertSentence(body.decode().rstrip("\n"))

    def test_what_was_forgotten_is_told(self) -> None:
        self.add(15)
        self.assertEqual(self.numbers(self.open("?from=2")), [-3, *range(6, 16)])
        # Who asks for nothing in particular misses nothing.
        self.assertEqual(self.numbers(self.open()), list(range(6, 16)))

    def test_another_run_of_the_gateway(self) -> None:
        """It is told, and begins again, however many events either run has had."""
        old = self.events.run
        for count in (2, 8):
            self.events = EventLog(EventBus(), 10, 5)
            self.log = Logger("zbtwist.test", observer=self.events)
            self.mount()
            self.add(count)
            for words in (f"Last-Event-ID: 5-{old}\r\n", "Last-Event-ID: 500\r\n"):
                restart, *others = self.messages(self.open(headers=words))
                self.assertEqual((restart[0], restart[1]), ("restart", ""))
                self.assertEqual([data["seq"] for _, _, data in others], list(range(1, count + 1)))

    def test_heartbeat(self) -> None:
        transport = self.open()
        self.body(transport)
        self.clock.pump([INTERVAL] * round((HEARTBEAT - 1) / INTERVAL))
        self.assertEqual(transport.value(), b"")
        for _ in range(3):
            self.clock.pump([INTERVAL] * round((HEARTBEAT + 2 * INTERVAL) / INTERVAL))
            body = self.body(transport)
            self.assertTrue(body.startswith(":") and body.endswith("\n\n"), body)
            self.assertEqual(body.count("\n\n"), 1)

    def test_silence_does_not_end_it(self) -> None:
        transport = self.open()
        self.clock.pump([1.0] * round(IDLE_TIMEOUT * 3))
        self.assertTrue(transport.connected)
        self.body(transport)
        self.add()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.numbers(transport), [1])


class Bounds(StreamTestCase):
    def test_a_client_that_does_not_read(self) -> None:
        transport = self.open()
        self.body(transport)
        producer_of(transport).pauseProducing()
        self.add(15)
        self.clock.advance(INTERVAL)
        self.assertEqual(transport.value(), b"")
        producer_of(transport).resumeProducing()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.numbers(transport), [-5, *range(6, 16)])

    def test_it_is_dropped_in_the_end(self) -> None:
        reader, transport = self.open(), self.open()
        producer_of(transport).pauseProducing()
        self.clock.pump([INTERVAL] * round((STALL_TIMEOUT - 1) / INTERVAL))
        self.assertTrue(transport.connected)
        self.clock.pump([INTERVAL] * round(2 / INTERVAL))
        self.assertFalse(transport.connected)
        self.assertTrue(reader.connected)
        self.assertEqual(len(self.resource.streams), 1)

    def test_what_waits_is_bounded(self) -> None:
        """A transport that is full is not written to, also in the middle of what there is."""
        self.patch(event_stream, "MAX_BATCH", 2)
        self.add(10)
        transport = self.connect()
        write = transport.write

        def full(data: bytes) -> None:
            write(data)
            if b"id: 3-" in data:
                producer_of(transport).pauseProducing()

        self.patch(transport, "write", full)
        self.patch(transport, "writeSequence", lambda pieces: full(b"".join(pieces)))
        transport.protocol.dataReceived(b"GET /events HTTP/1.1\r\nHost: gateway:27000\r\n\r\n")
        self.assertEqual(self.numbers(transport), [1, 2, 3, 4])
        producer_of(transport).resumeProducing()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.numbers(transport), [5, 6, 7, 8, 9, 10])

    def test_the_number_of_streams(self) -> None:
        self.patch(event_stream, "MAX_STREAMS", 2)
        first, _ = self.open(), self.open()
        status, _, body = parse_response(self.open().value())
        self.assertEqual(status, 503)
        self.assertSentence(body.decode().rstrip("\n"))
        first.loseConnection()
        self.assertEqual(self.numbers(self.open()), [])

    def test_who_has_the_most_streams_gives_way(self) -> None:
        self.patch(event_stream, "MAX_STREAMS", 3)
        first, _, last = self.open(), self.open(), self.open()
        other = self.connect("192.168.1.7")
        other.protocol.dataReceived(b"GET /events HTTP/1.1\r\n\r\n")
        self.assertEqual(self.numbers(other), [])
        self.assertEqual((first.connected, last.connected), (True, False))
        self.assertEqual(len(self.resource.streams), 3)

    def test_nothing_runs_while_nobody_looks(self) -> None:
        transports = [self.open(), self.open()]
        for transport in transports:
            transport.loseConnection()
        self.assertEqual((len(self.resource.streams), self.clock.getDelayedCalls()), (0, []))

    def test_the_end_of_the_gateway(self) -> None:
        transport = self.open()
        self.site.doStart()
        self.site.doStop()
        self.assertFalse(transport.connected)
        self.assertEqual((len(self.resource.streams), self.clock.getDelayedCalls()), (0, []))

    def test_a_mistake_of_ours(self) -> None:
        transport = self.open()
        self.patch(self.events, "since", mistake)
        self.add()
        self.clock.advance(INTERVAL)
        self.assertFalse(transport.connected)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Others(StreamTestCase):
    def test_pages_of_other_sites(self) -> None:
        status, _, _ = parse_response(self.open(headers="Origin: http://evil.example\r\n").value())
        self.assertEqual(status, 403)
        own = self.open(headers="Origin: http://gateway:27000\r\n")
        self.assertEqual(self.messages(own), [])

    def test_head(self) -> None:
        status, headers, body = parse_response(self.open(method="HEAD").value())
        self.assertEqual((status, body), (200, b""))
        self.assertIn("text/event-stream", headers["content-type"])
        self.assertEqual(len(self.resource.streams), 0)

    def test_other_methods(self) -> None:
        transport = self.open(method="POST", headers="Content-Length: 0\r\n")
        self.assertEqual(parse_response(transport.value())[0], 405)

    def test_addresses_below_are_not_there(self) -> None:
        for below in ("/", "/x"):
            self.assertEqual(parse_response(self.open(below).value())[0], 404)
        self.assertEqual(len(self.resource.streams), 0)

    def test_http_1_0(self) -> None:
        self.add()
        transport = self.connect()
        transport.protocol.dataReceived(b"GET /events HTTP/1.0\r\n\r\n")
        self.assertIn(b"\r\n\r\nretry: 2000\n\nid: 1-", transport.value())
        self.assertTrue(transport.connected)
