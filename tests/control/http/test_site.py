"""The control API over XML-RPC, seen as the bytes that clients send and get."""

from __future__ import annotations

import codecs
import enum
import xmlrpc.client
from collections import OrderedDict
from datetime import datetime
from typing import Any

from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import LogLevel, capturedLogs
from twisted.web.static import Data

from tests.control.http.support import (
    NODE,
    SiteTestCase,
    method_call,
    parse_response,
    request,
)
from tests.support import producer_of
from zbtwist.control import faults
from zbtwist.control.http import channel, site
from zbtwist.control.http.body import MAX_BODY
from zbtwist.control.http.procedures import MAX_MULTICALL
from zbtwist.control.http.xmlrpc_resource import MAX_RUNNING


def kept(transport: StringTransportWithDisconnection) -> int:
    """How many bytes of the body of the request that comes are kept."""
    assert isinstance(transport.protocol, channel.ControlChannel)
    return len(transport.protocol.requests[0].content.getvalue())


class Addresses(SiteTestCase):
    """What is served at which address, to which HTTP method."""

    def test_calls_are_answered_at_both_addresses(self) -> None:
        for path in ("/RPC2", "/", "/RPC2/", "/rpc2", "/Rpc2/", "/RPC2?a=b"):
            status, headers, body = self.post(method_call("list"), path)
            self.assertEqual((status, headers["content-type"]), (200, "text/xml"), path)
            self.assertEqual(int(headers["content-length"]), len(body))
            self.assertEqual(xmlrpc.client.loads(body)[0], ([NODE],))

    def test_get_of_the_interface_says_how_to_call_it(self) -> None:
        status, headers, body = self.exchange(b"GET /RPC2 HTTP/1.1\r\nHost: box\r\n\r\n")
        self.assertEqual((status, headers["allow"]), (405, "POST"))
        self.assertTrue(headers["content-type"].startswith("text/plain"))
        self.assertIn(b"POST", body)

    def test_the_front_page_names_the_interface(self) -> None:
        status, headers, body = self.exchange(b"GET / HTTP/1.1\r\nHost: box:27000\r\n\r\n")
        self.assertEqual(status, 200)
        self.assertTrue(headers["content-type"].startswith("text/plain"))
        self.assertIn(b"http://box:27000/RPC2", body)

    def test_head_has_the_length_and_no_body(self) -> None:
        _, _, page = self.exchange(b"GET / HTTP/1.1\r\nHost: box\r\n\r\n")
        status, headers, body = self.exchange(b"HEAD / HTTP/1.1\r\nHost: box\r\n\r\n")
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(int(headers["content-length"]), len(page))

    def test_unknown_addresses_are_404(self) -> None:
        for path in ("/nothing", "/RPC2/more", "//", "/%2e%2e/etc/passwd"):
            for method in ("GET", "POST"):
                status, _, body = self.exchange(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
                self.assertEqual(status, 404, path)
                self.assertIn(b"/RPC2", body)

    def test_other_http_methods_are_refused_in_words(self) -> None:
        for path in ("/", "/RPC2"):
            for method in ("PUT", "DELETE", "FNORD"):
                status, headers, body = self.exchange(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
                self.assertEqual(status, 405)
                self.assertIn("POST", headers["allow"])
                self.assertNotIn(b"<", body)

    def test_other_children_and_another_front_page(self) -> None:
        root = self.site.resource
        self.assertIsInstance(root, site.ControlRoot)
        console = Data(b"console", "text/plain")
        root.front_page = console
        root.putChild(b"healthz", console)
        for path in ("/", "/healthz"):
            answer = self.exchange(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            self.assertEqual((answer[0], answer[2]), (200, b"console"))
        self.assertEqual(self.post(method_call("list"), "/")[0], 200)

    def test_http_1_0(self) -> None:
        body = method_call("list")
        transport = self.connect()
        transport.protocol.dataReceived(
            b"POST /RPC2 HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        status, headers, answer = parse_response(transport.value())
        self.assertEqual(status, 200)
        self.assertNotIn("transfer-encoding", headers)
        self.assertEqual(xmlrpc.client.loads(answer)[0], ([NODE],))
        self.assertFalse(transport.connected)

    def test_one_connection_carries_many_calls(self) -> None:
        transport = self.connect()
        for _ in range(3):
            transport.clear()
            transport.protocol.dataReceived(request(method_call("list")))
            self.assertEqual(parse_response(transport.value())[0], 200)

    def test_a_whole_address(self) -> None:
        """As a client asks that takes the gateway for its proxy."""
        for address in (
            "http://gateway:27000/RPC2",
            "HTTP://box/rpc2/",
            "http://gateway",
            "http://box?a",
        ):
            _, _, body = self.post(method_call("list"), address)
            self.assertEqual(xmlrpc.client.loads(body)[0], ([NODE],), address)
        self.assertEqual(self.post(method_call("list"), "http://box/nothing")[0], 404)
        # The address prevails over the header.
        for address in ("http://evil.example/RPC2", "http://localhost@evil.example/"):
            self.assertEqual(self.post(method_call("list"), address)[0], 403, address)

    def test_a_client_that_asks_before_it_sends(self) -> None:
        """As curl does with a large body."""
        body = method_call("list")
        transport = self.connect()
        head = request(body, headers="Expect: 100-continue\r\n").removesuffix(body)
        transport.protocol.dataReceived(head)
        self.assertEqual(transport.value(), b"HTTP/1.1 100 Continue\r\n\r\n")
        transport.clear()
        transport.protocol.dataReceived(body)
        _, _, answer = parse_response(transport.value())
        self.assertEqual(xmlrpc.client.loads(answer)[0], ([NODE],))


class BadRequests(SiteTestCase):
    """Nothing that a client sends does harm; it gets a sentence."""

    def tearDown(self) -> None:
        self.assertEqual(self.call("list"), [NODE], "the gateway goes on")
        self.assertEqual(self.flushLoggedErrors(), [])

    def assertRefused(self, document: bytes, *words: str) -> None:
        status, _, body = self.post(document)
        self.assertEqual(status, 200)
        self.assertFault(faults.BAD_REQUEST, body, *words)

    def test_malformed_xml(self) -> None:
        for document in (b"", b"hello", b"<methodCall>", b"\xff\xfe\x00", b"<methodCall>\0"):
            self.assertRefused(document, "XML")
        self.assertRefused(b'<?xml version="1.0" encoding="fnord"?><methodCall/>')

    def test_tls(self) -> None:
        """It is said at once that there is none, though more of its ClientHello would come; nothing
        of what was asked before is lost.
        """
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        for first in (hello, hello[:1]):
            transport = self.connect()
            transport.protocol.dataReceived(first)
            self.clock.advance(0)
            transport.protocol.dataReceived(hello)
            self.assertFalse(transport.connected)
            status, headers, body = parse_response(transport.value())
            self.assertEqual((status, headers["connection"]), (400, "close"))
            self.assertIn(b"http://", body)

        transport = self.connect()
        transport.protocol.dataReceived(request(method_call("list")) + hello)
        self.clock.advance(0)
        self.assertFalse(transport.connected)
        self.assertEqual(transport.value().count(b"HTTP/1.1 200 OK"), 1)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 200 OK"))
        self.assertEqual(transport.value().count(b"400 Bad Request"), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_headers_of_any_bytes(self) -> None:
        for header in (b"Host", b"Origin", b"Accept", b"Content-Type", b"Last-Event-Id", b"Cookie"):
            for path in (b"/", b"/RPC2", b"/nothing"):
                data = b"GET %b HTTP/1.1\r\n%b: \xff\xfe\r\n\r\n" % (path, header)
                self.assertIn(self.exchange(data)[0], (200, 403, 404, 405), data)

    def test_lengths_that_are_none(self) -> None:
        for length in ("-1", "+5", "0x10", "5, 5", "", "9" * 5000):
            data = f"POST /RPC2 HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()
            transport = self.connect()
            transport.protocol.dataReceived(data)
            self.assertTrue(transport.value().startswith(b"HTTP/1.1 400 "), length[:10])
            self.assertFalse(transport.connected)

    def test_two_lengths(self) -> None:
        for header in ("Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"):
            transport = self.connect()
            transport.protocol.dataReceived(request(method_call("discover"), headers=header))
            self.assertTrue(transport.value().startswith(b"HTTP/1.1 400 "), header)
        self.assertEqual(self.operations.searches, [])

    def test_not_a_method_call(self) -> None:
        self.assertRefused(b"<html/>", "'html'", "methodCall")
        answer = xmlrpc.client.dumps((1,), methodresponse=True).encode()
        self.assertRefused(answer, "methodResponse")
        self.assertRefused(xmlrpc.client.dumps(xmlrpc.client.Fault(1, "x")).encode(), "methodCall")

    def test_no_method_name(self) -> None:
        self.assertRefused(b"<methodCall><params/></methodCall>", "methodName")
        self.assertRefused(method_call(""), "methodName")
        self.assertRefused(b"<methodCall/>")

    def test_values_that_are_none(self) -> None:
        for value in (
            "<int>many</int>",
            "<int>" + "9" * 5000 + "</int>",
            "<boolean>2</boolean>",
            "<fnord>1</fnord>",
            "<double/>",
            "<dateTime.iso8601>now</dateTime.iso8601>",
            "<base64>ü</base64>",
            "<struct><member><name>a</name></member></struct>",
            "</value></param></params>",
        ):
            self.assertRefused(
                "<methodCall><methodName>list</methodName><params><param><value>"
                f"{value}</value></param></params></methodCall>".encode()
            )

    def test_a_document_type_is_refused_before_its_entities_are_read(self) -> None:
        lol = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "lol"}">' for i in range(12))
        document = (
            f'<?xml version="1.0"?><!DOCTYPE m [{lol}]>'
            "<methodCall><methodName>&e11;</methodName></methodCall>"
        )
        self.assertRefused(document.encode(), "DOCTYPE")
        external = '<!DOCTYPE m SYSTEM "file:///etc/passwd"><methodCall/>'
        self.assertRefused(external.encode(), "DOCTYPE")

    def test_deep_nesting(self) -> None:
        levels = 10_000
        self.assertRefused(
            b"<methodCall><methodName>list</methodName><params><param>"
            + b"<value><array><data>" * levels
            + b"</data></array></value>" * levels
            + b"</param></params></methodCall>",
            "deeper",
        )

    def test_unknown_methods(self) -> None:
        # None of these is published, though some are attributes of what is.
        for name in ("fnord", "_list", "status.__class__", "__init__", "list_nodes", "system."):
            status, _, body = self.post(method_call(name))
            self.assertEqual(status, 200)
            self.assertFault(faults.NO_SUCH_METHOD, body, name, "system.listMethods")

    def test_a_very_long_name_is_not_echoed_whole(self) -> None:
        _, _, body = self.post(method_call("x" * 500_000))
        self.assertFault(faults.NO_SUCH_METHOD, body)
        self.assertLess(len(body), 1000)

    def test_wrong_arguments(self) -> None:
        for arguments, words in (
            ((1,), "list takes (), not (int)."),
            ((True, "a"), "not (boolean, string)."),
            ((None,), "not (nil)."),
            (([], {}, 1.5, b"x", datetime(2026, 1, 1)), "array, struct, double, base64, dateTime"),
            (tuple(range(5000)), "…"),
        ):
            document = xmlrpc.client.dumps(arguments, "list", allow_none=True)
            _, _, body = self.post(document.encode())
            self.assertFault(faults.BAD_REQUEST, body, words)
            self.assertLess(len(body), 1000)
        for wrong in ((), (1,), (True,), ("list", "list")):
            document = xmlrpc.client.dumps(wrong, "system.methodHelp")
            _, _, body = self.post(document.encode())
            self.assertFault(faults.BAD_REQUEST, body, "takes (string)")

    def test_a_body_at_the_bound_is_read(self) -> None:
        document = method_call("list")
        document += b" " * (MAX_BODY - len(document))
        _, _, body = self.post(document)
        self.assertEqual(xmlrpc.client.loads(body)[0], ([NODE],))
        self.assertRefused(document + b" ", str(MAX_BODY))

    def test_a_huge_body_of_known_length_is_not_kept(self) -> None:
        self.send_huge(b"Content-Length: 10000000\r\n\r\n", [b"x" * 100_000] * 100)

    def test_a_huge_chunked_body_is_not_kept(self) -> None:
        chunk = b"186a0\r\n" + b"x" * 100_000 + b"\r\n"
        self.send_huge(b"Transfer-Encoding: chunked\r\n\r\n", [*([chunk] * 100), b"0\r\n\r\n"])

    def send_huge(self, header: bytes, pieces: list[bytes]) -> None:
        transport = self.connect()
        protocol = transport.protocol
        protocol.dataReceived(b"POST /RPC2 HTTP/1.1\r\nHost: box\r\n" + header)
        for piece in pieces:
            self.assertEqual(transport.value(), b"")
            self.assertLessEqual(kept(transport), MAX_BODY)
            protocol.dataReceived(piece)
            self.clock.advance(0)
        status, _, body = parse_response(transport.value())
        self.assertEqual(status, 200)
        self.assertFault(faults.BAD_REQUEST, body, str(MAX_BODY))
        transport.clear()
        protocol.dataReceived(request(method_call("list")))
        self.assertEqual(xmlrpc.client.loads(parse_response(transport.value())[2])[0], ([NODE],))


class Introspection(SiteTestCase):
    """system.listMethods, system.methodHelp and system.methodSignature."""

    def test_the_methods_are_those_of_the_contract(self) -> None:
        self.assertEqual(
            self.call("system.listMethods"),
            [
                "accept",
                "apply_settings",
                "at",
                "bind_using_list",
                "clients",
                "compare_settings",
                "create_mapping",
                "disconnect",
                "discover",
                "end_test",
                "end_walk",
                "forget",
                "forget_silent",
                "frames",
                "get_temperatures",
                "identify",
                "leave",
                "links",
                "list",
                "neighbours",
                "permit_join",
                "pins",
                "remove_mapping",
                "rename",
                "replace",
                "restart",
                "sample",
                "save_settings",
                "set_pin",
                "settings",
                "show",
                "stats",
                "status",
                "system.listMethods",
                "system.methodHelp",
                "system.methodSignature",
                "system.multicall",
                "test",
                "test_result",
                "trace",
                "values",
                "waiting",
                "walk",
                "watch",
            ],
        )

    def test_every_method_has_help(self) -> None:
        texts = [self.call("system.methodHelp", name) for name in self.call("system.listMethods")]
        for text in texts:
            self.assertTrue(text.endswith("."), text)
            self.assertGreater(len(text), 20)
        self.assertEqual(len(set(texts)), len(texts))

    def test_every_method_has_signatures(self) -> None:
        types = {"array", "base64", "boolean", "double", "int", "string", "struct"}
        for name in self.call("system.listMethods"):
            signatures = self.call("system.methodSignature", name)
            self.assertTrue(signatures)
            for signature in signatures:
                self.assertTrue(signature)
                self.assertLessEqual(set(signature), types)
        self.assertEqual(self.call("system.methodSignature", "list"), [["array"]])
        self.assertEqual(
            self.call("system.methodSignature", "system.methodHelp"), [["string", "string"]]
        )

    def test_signatures_tell_the_truth(self) -> None:
        self.assertIsInstance(self.call("list"), list)
        self.assertIsInstance(self.call("get_temperatures"), list)
        self.assertIsInstance(self.call("status"), dict)

    def test_unknown_names(self) -> None:
        for method in ("system.methodHelp", "system.methodSignature"):
            fault = self.assertRaises(xmlrpc.client.Fault, self.call, method, "fnord")
            self.assertEqual(fault.faultCode, faults.NO_SUCH_METHOD)


class Multicall(SiteTestCase):
    """system.multicall."""

    def test_results_and_faults_side_by_side(self) -> None:
        results = self.call(
            "system.multicall",
            [
                {"methodName": "list", "params": []},
                {"methodName": "fnord", "params": []},
                {"methodName": "list", "params": [1]},
                {"methodName": "system.multicall", "params": [[]]},
                {"methodName": 5, "params": []},
                {"methodName": "list", "params": "none"},
                {},
                "list",
                {"methodName": "status"},
            ],
        )
        self.assertEqual(results[0], [[NODE]])
        self.assertEqual(results[-1], [{"version": "1", "uptime": 12.0}])
        numbers = [result["faultCode"] for result in results[1:-1]]
        self.assertEqual(numbers, [faults.NO_SUCH_METHOD] + [faults.BAD_REQUEST] * 6)
        for result in results[1:-1]:
            self.assertSentence(result["faultString"])

    def test_a_result_that_cannot_be_written_fails_alone(self) -> None:
        self.operations.nodes = None
        calls: list[dict[str, object]] = [
            {"methodName": name, "params": []} for name in ("list", "status")
        ]
        results = self.call("system.multicall", calls)
        self.assertEqual(results[0]["faultCode"], faults.GATEWAY_FAILED)
        self.assertEqual(results[1], [{"version": "1", "uptime": 12.0}])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_pythons_own_multicall(self) -> None:
        server = Through(self)
        calls = xmlrpc.client.MultiCall(server)
        calls.list()
        calls.status()
        answers = calls()
        self.assertEqual([answers[0], answers[1]], [[NODE], {"version": "1", "uptime": 12.0}])

    def test_too_many(self) -> None:
        calls = [{"methodName": "list", "params": []}] * MAX_MULTICALL
        self.assertEqual(len(self.call("system.multicall", calls)), MAX_MULTICALL)
        fault = self.assertRaises(
            xmlrpc.client.Fault, self.call, "system.multicall", [*calls, calls[0]]
        )
        self.assertEqual(fault.faultCode, faults.BAD_REQUEST)


class Through(xmlrpc.client.ServerProxy):
    """Python's client, with the site in memory instead of a network."""

    def __init__(self, case: SiteTestCase) -> None:
        class Transport(xmlrpc.client.Transport):
            def request(
                self, host: Any, handler: str, request_body: Any, verbose: bool = False
            ) -> Any:
                _, _, body = case.post(request_body, handler)
                return xmlrpc.client.loads(body)[0]

        super().__init__("http://gateway:27000/RPC2", transport=Transport())


class Values(SiteTestCase):
    """What leaves can be read by a client of any age."""

    def answer(self, value: object) -> bytes:
        self.operations.nodes = value
        return self.post(method_call("list"))[2]

    def test_round_trip(self) -> None:
        value = [
            {"a": 1, "b": -(2**31), "c": 2**31 - 1, "d": [], "e": {}},
            [True, False, "", "a <b> & \"c\" ]]> 'd'", "zwei\n\tZeilen", "Küche 室 😀"],
            [0.0, -1.5, 21.5, 1e-7, 0.1],
            b"\x00\xff" * 50,
        ]
        decoded: Any = xmlrpc.client.loads(self.answer(value), use_builtin_types=True)[0][0]
        self.assertEqual(decoded, value)
        self.assertIs(decoded[1][0], True)

    def test_dates_and_tuples_and_enumerations(self) -> None:
        color = enum.IntEnum("color", ["RED"])
        answer = self.answer((datetime(2026, 11, 22, 1, 2, 3), color.RED, OrderedDict(a="b")))
        self.assertIn(b"<struct><member><name>a</name>", answer)
        self.assertIn(b"<dateTime.iso8601>20261122T01:02:03<", answer)
        self.assertIn(b"<int>1</int>", answer)

    def test_integers_beyond_32_bits_are_doubles(self) -> None:
        answer = self.answer([2**31, -(2**31) - 1, 10**18])
        self.assertNotIn(b"int", answer)
        self.assertNotIn(b"i8", answer)
        decoded: Any = xmlrpc.client.loads(answer)[0][0]
        self.assertEqual(decoded, [2.0**31, -(2.0**31) - 1, 1e18])
        self.assertIsInstance(decoded[0], float)

    def test_doubles_have_no_exponent(self) -> None:
        answer = self.answer([1e22, 1e-9])
        self.assertIn(b"<double>10000000000000000000000</double>", answer)
        self.assertIn(b"<double>0.000000001</double>", answer)

    def test_characters_that_xml_cannot_say(self) -> None:
        label = "a\x00b\x1bc\x7fd\x9be\ud800f\ufffeg\r"
        decoded = xmlrpc.client.loads(self.answer([{label: label}]))[0][0]
        clean = "a?b?c?d?e?f?g?"
        self.assertEqual(decoded, [{clean: clean}])

    def test_text_is_utf_8(self) -> None:
        answer = self.answer(["Küche"])
        self.assertTrue(answer.startswith(b'<?xml version="1.0" encoding="utf-8"?>'))
        self.assertIn("Küche".encode(), answer)

    def test_what_cannot_be_said_is_a_bug_of_ours(self) -> None:
        # The last one has attributes, which are nobody's business.
        secret = faults.ControlFault(1, "secret")
        for value in (None, [None], {"a": object()}, {1: 2}, float("nan"), [float("inf")], secret):
            answer = self.answer(value)
            self.assertFault(faults.GATEWAY_FAILED, answer, "list", "log")
            self.assertNotIn(b"secret", answer)
            self.assertEqual(len(self.flushLoggedErrors(TypeError, ValueError)), 1)

    def test_requests_in_other_encodings(self) -> None:
        for said, encoding in (
            ("iso-8859-1", "latin-1"),
            ("ISO-8859-1", "latin-1"),
            ("latin1", "latin-1"),
            ("windows-1252", "cp1252"),
            ("utf-8", "utf-8"),
            ("UTF8", "utf-8"),
            ("utf-8", "utf-8-sig"),
            ("utf-16", "utf-16"),
            ("UTF-16", "utf-16-le"),
            ("utf-16BE", "utf-16-be"),
        ):
            body = self.post_in(said, encoding, "Küche")
            self.assertFault(faults.NO_SUCH_METHOD, body, "Küche")
        self.assertFault(faults.NO_SUCH_METHOD, self.post_in("windows-1252", "cp1252", "5€"), "5€")
        self.assertFault(faults.NO_SUCH_METHOD, self.post_in("us-ascii", "ascii", "x"), "'x'")

    def test_utf_16_without_a_declaration(self) -> None:
        document = method_call("Küche").decode()
        for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
            _, _, body = self.post(document.encode(encoding))
            self.assertFault(faults.NO_SUCH_METHOD, body, "Küche")

    def test_encodings_that_are_not_those_that_are_said(self) -> None:
        for said, encoding in (("utf-8", "latin-1"), ("us-ascii", "utf-8"), ("utf-16", "utf-8")):
            body = self.post_in(said, encoding, "Küche")
            self.assertFault(faults.BAD_REQUEST, body, said.removeprefix("us-"))
        # A byte order mark knows better.
        self.assertFault(
            faults.NO_SUCH_METHOD, self.post_in("windows-1252", "utf-16", "Küche"), "Küche"
        )

    def test_other_encodings_are_refused(self) -> None:
        for said in ("utf-7", "utf-32", "cp037", "zlib_codec", "idna", "unicode_escape", "x" * 999):
            for encoding in ("ascii", "utf-8-sig", "utf-16", "utf-16-be"):
                body = self.post_in(said, encoding, "list")
                text = self.assertFault(faults.BAD_REQUEST, body, said[:50], "utf-8")
                self.assertLess(len(text), 200)

    def test_no_invented_encoding_is_looked_for(self) -> None:
        """Python would remember each name for ever."""
        looked_for: list[str] = []
        search = looked_for.append
        codecs.register(search)
        self.addCleanup(codecs.unregister, search)
        for number in range(1000):
            encoding = ("ascii", "utf-8-sig", "utf-16", "utf-16-le")[number % 4]
            body = self.post_in(f"invented-{number}", encoding, "list")
            self.assertFault(faults.BAD_REQUEST, body, f"invented-{number}")
        # Where it may be said, but is not as it should be.
        for declaration in (
            '<?xml version="1.0" encoding="invented" encoding="utf-8"?>',
            '<?xml version="1.0" encoding="utf-8" encoding="invented"?>',
            '<?xml version="1.0 encoding=\'utf-8\'" encoding="invented"?>',
            '<?xml encoding="invented"?>',
            ' <?xml version="1.0" encoding="invented"?>',
            "<?xml version=\"1.0\"\nencoding\t= 'invented'?>",
            "<?xml version='1.0' encoding='invented",
            f"<?xml version='1.0' {' ' * 5000} encoding='invented'?>",
        ):
            _, _, body = self.post(declaration.encode() + method_call("list"))
            self.assertFault(faults.BAD_REQUEST, body)
        self.assertEqual(looked_for, [])

    def post_in(self, said: str, encoding: str, name: str) -> bytes:
        """Call a method in a document that says that its encoding is `said`."""
        declaration = f'<?xml version="1.0" encoding="{said}"?>'
        document = declaration + method_call(name).decode()
        transport = self.connect()
        transport.protocol.dataReceived(request(document.encode(encoding)))
        transport.loseConnection()
        return parse_response(transport.value())[2]

    def test_text_is_read_in_large_pieces(self) -> None:
        """Else a megabyte of line ends would be a million calls."""
        pieces: list[str] = []
        self.patch(xmlrpc.client.Unmarshaller, "data", lambda _, text: pieces.append(text))
        self.post(b"<methodCall>" + b"\n" * 100_000 + b"</methodCall>")
        self.assertEqual(len("".join(pieces)), 100_000)
        self.assertLess(len(pieces), 100)


class Failures(SiteTestCase):
    """Operations that fail, and clients that do not wait."""

    def test_a_fault_of_an_operation(self) -> None:
        self.operations.failure = faults.ControlFault(
            faults.RADIO_OFFLINE, "The radio is offline: plug it in."
        )
        _, _, body = self.post(method_call("status"))
        text = self.assertFault(faults.RADIO_OFFLINE, body)
        self.assertEqual(text, "The radio is offline: plug it in.")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_unexpected_exception_goes_to_the_log_only(self) -> None:
        self.operations.failure = ZeroDivisionError("secret")
        status, _, body = self.post(method_call("status"))
        self.assertEqual(status, 200)
        self.assertFault(faults.GATEWAY_FAILED, body, "status", "log")
        self.assertNotIn(b"secret", body)
        self.assertNotIn(b"ZeroDivision", body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.operations.failure = None
        self.assertEqual(self.call("status")["version"], "1")

    def test_a_slow_call_is_answered_when_it_is_done(self) -> None:
        transport = self.connect()
        transport.protocol.dataReceived(request(method_call("discover")))
        # A search may last longer than an idle connection may.
        self.clock.advance(site.IDLE_TIMEOUT * 2)
        self.assertEqual(transport.value(), b"")
        self.operations.searches[0].callback([NODE])
        _, _, body = parse_response(transport.value())
        self.assertEqual(xmlrpc.client.loads(body)[0], ([NODE],))

    def test_a_client_that_leaves_leaves_no_error(self) -> None:
        fault = faults.ControlFault(faults.RADIO_OFFLINE, "The radio is offline.")
        for outcome in ([NODE], fault):
            with capturedLogs() as events:
                transport = self.connect()
                transport.protocol.dataReceived(request(method_call("discover")))
                transport.loseConnection()
                search = self.operations.searches[-1]
                self.assertFalse(search.called, "another client may wait for the same search")
                if isinstance(outcome, Exception):
                    search.errback(outcome)
                else:
                    search.callback(outcome)
            self.assertEqual([e for e in events if e["log_level"] > LogLevel.info], [])
            self.assertEqual(transport.value(), b"")
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.site.channels, set())

    def test_calls_of_clients_that_left_still_count(self) -> None:
        for _ in range(MAX_RUNNING):
            transport = self.connect()
            transport.protocol.dataReceived(request(method_call("discover")))
            transport.loseConnection()
        _, _, body = self.post(method_call("discover"))
        self.assertFault(faults.GATEWAY_FAILED, body, str(MAX_RUNNING))
        # What waits for nothing is answered all the same.
        self.assertEqual(self.call("list"), [NODE])
        self.operations.searches[0].callback([])
        transport = self.connect()
        transport.protocol.dataReceived(request(method_call("discover")))
        self.assertEqual(transport.value(), b"")

    def test_multicall_of_a_client_that_left_ends(self) -> None:
        call = {"methodName": "discover", "params": []}
        transport = self.connect()
        body = xmlrpc.client.dumps(([call] * 100,), "system.multicall").encode()
        transport.protocol.dataReceived(request(body))
        self.clock.advance(0)
        self.assertEqual(len(self.operations.searches), 1)
        transport.loseConnection()
        self.operations.searches[0].callback([])
        self.assertEqual(len(self.operations.searches), 1)


class Askers(SiteTestCase):
    """Who asked may go before it is answered."""

    def ask(self, name: str, *arguments: str) -> StringTransportWithDisconnection:
        transport = self.connect()
        body = xmlrpc.client.dumps(arguments, name).encode()
        transport.protocol.dataReceived(request(body))
        self.clock.advance(0)
        return transport

    def test_a_test_ends_with_them(self) -> None:
        transport = self.ask("test", "E2")
        (test,) = self.operations.tests
        transport.loseConnection()
        self.assertTrue(test.called)

    def test_one_of_many_calls(self) -> None:
        body = xmlrpc.client.dumps(
            ([{"methodName": "test", "params": ["E2"]}] * 2,), "system.multicall"
        )
        transport = self.connect()
        transport.protocol.dataReceived(request(body.encode()))
        self.clock.advance(0)
        (test,) = self.operations.tests
        transport.loseConnection()
        self.clock.advance(1)
        self.assertTrue(test.called)
        self.assertEqual(len(self.operations.tests), 1)

    def test_others_go_on(self) -> None:
        """Another may wait for the same search."""
        transport = self.ask("discover")
        transport.loseConnection()
        self.assertFalse(self.operations.searches[0].called)

    def test_they_may_wait_for_long(self) -> None:
        transport = self.ask("test", "E2")
        for _ in range(100):
            self.clock.advance(10)
        self.assertTrue(transport.connected)
        self.operations.tests[0].callback({"sent": 1})
        self.assertIn(b"sent", transport.value())


class Pipelines(SiteTestCase):
    """Clients that send requests without waiting for the answers."""

    def setUp(self) -> None:
        super().setUp()
        self.transport = self.connect()

    def send(self, data: bytes) -> None:
        self.transport.protocol.dataReceived(data)

    @property
    def answered(self) -> int:
        said: bytes = self.transport.value()
        return said.count(b"HTTP/1.1 200 OK\r\n")

    def turn(self) -> None:
        self.clock.advance(0)

    def test_each_has_a_turn_of_the_reactor(self) -> None:
        """Nobody else would have one for seconds."""
        for data in (
            request(method_call("list")),
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ):
            self.transport.clear()
            seen: list[int] = []

            def look(seen: list[int] = seen) -> None:
                seen.append(self.answered)
                if len(seen) < 100:
                    self.clock.callLater(0, look)

            self.send(data * 100)
            look()
            self.turn()
            self.assertEqual(seen, [*range(1, 101)])
            self.assertEqual(self.transport.producerState, "producing")

    def test_so_has_each_piece_of_a_long_one(self) -> None:
        size = 3 * channel.PIECE
        self.send(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (size + 1) + b"x" * size)
        self.assertLess(kept(self.transport), channel.PIECE)
        self.assertEqual(self.transport.producerState, "paused")
        self.turn()
        self.assertEqual(kept(self.transport), size)
        self.assertEqual(self.transport.producerState, "producing")

    def test_they_are_answered_in_their_order(self) -> None:
        names = ["status", "list", "discover", "status", "nothing", "list"]
        data = b"".join(request(method_call(name)) for name in names)
        for size in (7, 100, 1000, len(data)):
            with self.subTest(size=size):
                self.transport = self.connect()
                for start in range(0, len(data), size):
                    self.send(data[start : start + size])
                    self.turn()
                for _ in names:
                    self.turn()
                self.assertEqual(self.answered, 2)
                self.operations.searches[-1].callback([])
                for _ in names:
                    self.turn()
                self.assertEqual(self.answered, 6)
                answers = self.transport.value().split(b"HTTP/1.1 ")[1:]
                marks = [b"uptime", b"E2", b"<data></data>", b"uptime", b"8001", b"E2"]
                for answer, mark in zip(answers, marks, strict=True):
                    self.assertIn(mark, answer)

    def test_what_comes_behind_a_call_in_hand_is_bounded(self) -> None:
        self.send(request(method_call("discover")))
        self.assertEqual(self.transport.producerState, "producing")
        self.send(b"POST /RPC2 HTTP/1.1\r\n")
        self.assertEqual(self.transport.producerState, "paused")
        self.operations.searches[0].callback([])
        self.turn()
        self.assertEqual(self.transport.producerState, "producing")
        self.transport.clear()
        self.send(b"Content-Length: 0\r\n\r\n")
        self.assertEqual(self.answered, 1)

    def test_a_client_that_does_not_read_is_not_heard(self) -> None:
        self.send(request(method_call("list")))
        producer_of(self.transport).pauseProducing()
        self.send(request(method_call("list")) * 2)
        self.turn()
        self.assertEqual(self.answered, 1)
        self.assertEqual(self.transport.producerState, "paused")
        producer_of(self.transport).resumeProducing()
        for _ in range(3):
            self.turn()
        self.assertEqual(self.answered, 3)
        self.assertEqual(self.transport.producerState, "producing")

    def test_nor_while_an_answer_is_written(self) -> None:
        self.send(request(method_call("discover")))
        producer_of(self.transport).pauseProducing()
        self.operations.searches[0].callback([])
        self.send(request(method_call("list")))
        self.turn()
        self.assertEqual(self.answered, 1)
        self.assertEqual(self.transport.producerState, "paused")
        producer_of(self.transport).resumeProducing()
        self.turn()
        self.assertEqual(self.answered, 2)

    def test_one_that_goes_is_forgotten(self) -> None:
        self.send(request(method_call("list")) * 3)
        self.transport.loseConnection()
        self.turn()
        self.assertEqual(self.answered, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_heard_behind_the_last_one(self) -> None:
        self.send(request(method_call("list"), headers="Connection: close\r\n") * 3)
        self.turn()
        self.assertEqual(self.answered, 1)
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Bounds(SiteTestCase):
    """How a connection ends; `tests.control.http.test_strangers` has how it is ended."""

    def test_idle_connections_are_closed(self) -> None:
        """And nobody has to read of it."""
        with capturedLogs() as log:
            self.check_idle_connections()
        self.assertEqual(log, [])

    def check_idle_connections(self) -> None:
        silent = self.connect()
        answered = self.connect()
        answered.protocol.dataReceived(request(method_call("list")))
        self.clock.advance(site.IDLE_TIMEOUT - 1)
        self.assertTrue(silent.connected and answered.connected)
        self.clock.advance(1)
        self.assertFalse(silent.connected or answered.connected)
        self.assertEqual(self.site.channels, set())

    def test_a_client_may_stay_that_sends_whole_requests(self) -> None:
        polling = self.connect()
        for _ in range(int(channel.REQUEST_TIMEOUT / 30) * 2):
            data = request(method_call("list"))
            polling.protocol.dataReceived(data[:20])
            self.clock.advance(9)
            polling.protocol.dataReceived(data[20:-20])
            self.clock.advance(9)
            polling.protocol.dataReceived(data[-20:])
            self.clock.advance(20)
        self.assertTrue(polling.connected)

    def test_connections_are_closed_with_the_port(self) -> None:
        idle = self.connect()
        self.site.doStart()
        answered = self.connect()
        answered.protocol.dataReceived(request(method_call("list")))
        busy = self.connect()
        busy.protocol.dataReceived(request(method_call("discover")))
        self.site.doStop()
        self.assertFalse(idle.connected or answered.connected or busy.connected)
        self.assertEqual(self.site.channels, set())
        self.operations.searches[0].callback([])
        self.assertEqual(busy.value(), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_http_2_is_not_offered(self) -> None:
        self.assertEqual(self.site.acceptableProtocols(), [b"http/1.1"])
