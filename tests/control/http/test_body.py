"""The bodies of requests: what is never taken apart, what is refused, and what is unpacked."""

from __future__ import annotations

import gzip
import xmlrpc.client
import zlib
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.web import http as twisted_http

from tests.control.http.support import NODE, SiteTestCase, method_call, parse_response, request
from tests.control.web.support import ConsoleTestCase
from tests.support import connect
from zbtwist.control import faults
from zbtwist.control.http.body import MAX_BODY

URLENCODED = "application/x-www-form-urlencoded"


def nested_form(depth: int) -> bytes:
    """A form in a form in a form: the time to take it apart grows with the square of `depth`."""
    return b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level, level + 1)
        for level in range(depth)
    )


class NoForms(ConsoleTestCase):
    """A form that any web page can send is not taken apart, wherever it is sent."""

    def setUp(self) -> None:
        super().setUp()

        def parser(*arguments: Any) -> None:
            raise AssertionError(f"A body was taken apart: {arguments}")

        for name in ("_getMultiPartArgs", "message_from_bytes", "_parseContentType", "parse_qs"):
            self.patch(twisted_http, name, parser)

    def post(self, path: str, content_type: str, body: bytes) -> int:
        transport = StringTransport(hostAddress=IPv4Address("TCP", "127.0.0.1", 27000))
        channel = connect(self.factory, transport)
        data = request(body, path, f"Content-Type: {content_type}\r\n")
        channel.dataReceived(data.replace(b"gateway:27000", b"localhost", 1))
        self.turns()
        return parse_response(transport.value())[0]

    def test_no_resource_gets_a_form(self) -> None:
        for path, status in (
            ("/RPC2", 200),
            ("/", 200),
            ("/events", 405),
            ("/healthz", 405),
            ("/metrics", 405),
            ("/static/index.html", 405),
            ("/live", 405),
            ("/terminal/ECHO", 405),
            ("/nothing", 404),
            ("*", 405),
        ):
            for content_type, body in (
                ("multipart/form-data; boundary=b0", nested_form(20)),
                (URLENCODED, b"a=b&from=12;c=d"),
            ):
                self.assertEqual(self.post(path, content_type, body), status, path)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nor_if_a_site_of_another_name_is_asked_for(self) -> None:
        data = request(nested_form(20), "/", "Content-Type: multipart/form-data; boundary=b0\r\n")
        transport = StringTransport(hostAddress=IPv4Address("TCP", "127.0.0.1", 27000))
        channel = connect(self.factory, transport)
        channel.dataReceived(data.replace(b"gateway:27000", b"evil.example"))
        self.assertEqual(parse_response(transport.value())[0], 403)


class ContentTypes(SiteTestCase):
    """What a call may say that it is."""

    def post_as(self, content_type: str) -> bytes:
        return self.post(method_call("list"), headers=f"Content-Type: {content_type}\r\n")[2]

    def test_what_a_web_pages_form_sends_is_refused(self) -> None:
        for content_type in (
            "text/plain",
            "Text/Plain;charset=UTF-8",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
        ):
            text = self.assertFault(faults.BAD_REQUEST, self.post_as(content_type), "text/xml")
            self.assertIn(content_type.partition(";")[0].lower(), text)

    def test_what_clients_send_is_taken(self) -> None:
        for content_type in (
            "text/xml",
            "text/xml; charset=utf-8",
            "application/xml",
            "application/x-www-form-urlencoded",
            "application/octet-stream",
            "",
            ";",
            "\xff",
        ):
            body = self.post_as(content_type)
            self.assertEqual(xmlrpc.client.loads(body)[0], ([NODE],), content_type)

    def test_the_text_of_a_form_is_no_call(self) -> None:
        _, _, body = self.post(
            b"%3C%3Fxml+version=%221.0%22%3F%3E", headers=f"Content-Type: {URLENCODED}\r\n"
        )
        self.assertFault(faults.BAD_REQUEST, body, "XML")


class Packed(SiteTestCase):
    """Bodies with a Content-Encoding."""

    def post_as(self, encoding: str, body: bytes) -> bytes:
        return self.post(body, headers=f"Content-Encoding: {encoding}\r\n")[2]

    def assertTaken(self, answer: bytes) -> None:
        self.assertEqual(xmlrpc.client.loads(answer)[0], ([NODE],))

    def test_gzip(self) -> None:
        packed = gzip.compress(method_call("list"))
        for encoding in ("gzip", "GZIP", "x-gzip"):
            self.assertTaken(self.post_as(encoding, packed))
        for encoding in ("identity", ""):
            self.assertTaken(self.post_as(encoding, method_call("list")))

    def test_as_pythons_own_client_packs_it(self) -> None:
        self.assertTaken(self.post_as("gzip", xmlrpc.client.gzip_encode(method_call("list"))))

    def test_a_client_that_would_take_gzip_gets_an_answer_that_it_can_read(self) -> None:
        _, headers, body = self.post(
            method_call("list"), headers="Accept-Encoding: gzip, deflate, br\r\n"
        )
        self.assertNotIn("content-encoding", headers)
        self.assertTaken(body)

    def test_the_bound_is_on_what_is_unpacked(self) -> None:
        document = method_call("list").ljust(MAX_BODY)
        self.assertTaken(self.post_as("gzip", gzip.compress(document)))
        answer = self.post_as("gzip", gzip.compress(document + b" "))
        self.assertFault(faults.BAD_REQUEST, answer, str(MAX_BODY))

    def test_a_bomb_is_not_unpacked(self) -> None:
        unpacked: list[int] = []
        make = zlib.decompressobj

        class Counting:
            def __init__(self, *arguments: Any) -> None:
                self._real = make(*arguments)

            def decompress(self, *arguments: Any) -> bytes:
                data = self._real.decompress(*arguments)
                unpacked.append(len(data))
                return data

            def __getattr__(self, name: str) -> Any:
                return getattr(self._real, name)

        bomb = gzip.compress(bytes(50 * MAX_BODY))
        self.assertLess(len(bomb), MAX_BODY)
        self.patch(zlib, "decompressobj", Counting)
        self.assertFault(faults.BAD_REQUEST, self.post_as("gzip", bomb), str(MAX_BODY))
        self.assertEqual(unpacked, [MAX_BODY + 1])

    def test_what_is_no_gzip(self) -> None:
        packed = gzip.compress(method_call("list"))
        for body, words in (
            (b"", "early"),
            (packed[:5], "early"),
            (packed[:-1], "early"),
            (method_call("list"), "unpacked"),
            (zlib.compress(method_call("list")), "unpacked"),
            (packed[:-8] + bytes(8), "unpacked"),
            (packed + packed, "behind"),
            (packed + b"x", "behind"),
        ):
            self.assertFault(faults.BAD_REQUEST, self.post_as("gzip", body), "gzip", words)

    def test_other_encodings(self) -> None:
        for encoding in ("br", "deflate", "gzip, gzip", "gzip\r\nContent-Encoding: br", "\xff"):
            answer = self.post_as(encoding, gzip.compress(method_call("list")))
            self.assertFault(faults.BAD_REQUEST, answer, "Content-Encoding", "gzip")
