"""Requests of pages that have no business here: told by their heads, before all else is read."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from tests.control.http.support import SiteTestCase, method_call, parse_response, request
from tests.support import connect, record_log
from zbtwist.control.http.channel import LINGER
from zbtwist.control.http.guards import Hosts
from zbtwist.control.http.site import SAID_AGAIN


class HostTests(SynchronousTestCase):
    """By which names the gateway may be asked for."""

    def setUp(self) -> None:
        self.hosts = Hosts(("gateway.example", "short"), "Box.lan.")

    def test_names_that_nobody_else_can_have(self) -> None:
        for name in (
            *("localhost", "LOCALHOST", "localhost.", "zb.localhost", "a.b.localhost"),
            *("127.0.0.1", "192.168.1.7", "[::1]", "[fe80::1]", "[::ffff:127.0.0.1]"),
            *("box.lan", "Box.lan.", "BOX", "box.local"),
            *("gateway.example", "GATEWAY.example.", "short"),
        ):
            for port in ("", ":27000", ":"):
                self.assertTrue(self.hosts.has(name + port), name + port)

    def test_names_that_may_be_anybodys(self) -> None:
        for name in (
            *("evil.example", "evil.example.", "evil", "router", "x", "com"),
            *("127.0.0.1.evil.example", "localhost.evil.example", "box.evil.example"),
            *("127.0.0.1@evil.example", "evil.example@127.0.0.1", "localhost@evil"),
            *("evillocalhost", "box.lan.evil", "other.lan", "lan", "local", "[localhost]x"),
            *(
                "localhost:27000:1",
                "localhost:x",
                "[localhost]",
                "\xff",
                " ",
                "[::1",
                "gateway.example, x",
                ".",
            ),
        ):
            self.assertFalse(self.hosts.has(name), name)

    def test_this_computer(self) -> None:
        """It is asked for its own name."""
        self.patch(socket, "gethostname", lambda: "tower")
        self.assertTrue(Hosts().has("tower:27000"))
        # A computer without a name is not asked for by the end of all.
        self.assertFalse(Hosts((), "").has(".local"))

    def test_other_settings(self) -> None:
        class Settings:
            control_host = ("other.example",)

        self.hosts.reconfigure(Settings(), Settings())
        self.assertTrue(self.hosts.has("other.example"))
        self.assertFalse(self.hosts.has("gateway.example"))


class Refused(SiteTestCase):
    def get(self, path: str = "/", host: str = "localhost", **headers: str) -> int:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.exchange("\r\n".join([*lines, "", ""]).encode())[0]

    def test_names_that_may_be_anybodys(self) -> None:
        """A page may have its own name lead here, from whatever network."""
        for self.address in ("127.0.0.1", "192.168.1.7"):
            for host in ("evil.example", "evil", "evil:27000"):
                for path in ("/", "/events", "/healthz", "/metrics", "/live", "/static/x", "/none"):
                    self.assertEqual(self.get(path, host), 403, host)
                call = request(method_call("discover")).replace(b"gateway:27000", host.encode())
                status, _, body = self.exchange(call)
                self.assertEqual(status, 403)
                self.assertIn(b"--control-host", body)
            self.assertEqual(self.get("/", "gateway"), 200)
        self.assertEqual(self.operations.searches, [])

    def test_two_names(self) -> None:
        two = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"
        self.assertEqual(self.exchange(two)[0], 403)

    def test_no_name(self) -> None:
        """As programs of long ago ask."""
        self.assertEqual(self.exchange(b"GET / HTTP/1.0\r\n\r\n")[0], 200)

    def test_other_kinds_of_sockets(self) -> None:
        """No browser reaches them, and nobody knows what to call them."""
        transport = StringTransportWithDisconnection(hostAddress=UNIXAddress(b"/run/control"))
        connect(self.site, transport)
        transport.protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(parse_response(transport.value())[0], 200)

    def test_origins(self) -> None:
        for origin in ("http://evil.example", "null", "http://gateway:1", "http://[", ""):
            header = f"Origin: {origin}\r\n"
            status, _, body = self.post(method_call("discover"), headers=header)
            self.assertEqual(status, 403, origin)
            self.assertIn(b"other sites", body)
        self.assertEqual(self.operations.searches, [])
        own = "Origin: http://gateway:27000\r\n"
        self.assertEqual(self.post(method_call("list"), headers=own)[0], 200)

    def test_the_log_says_which_names_differ(self) -> None:
        """Once in a while, however long the names are; who made a proxy finds out what is wrong."""
        log = record_log(self)
        self.post(method_call("list"), headers="Origin: http://gw.example\r\n")
        for origin in ("http://evil.example", "null"):
            self.post(method_call("list"), headers=f"Origin: {origin}\r\n")
        (said,) = log.lines("warn")
        self.assertIn("the page 'http://gw.example' is refused, since it asks for the host", said)
        self.assertIn("'gateway:27000'", said)
        self.clock.advance(SAID_AGAIN)
        self.post(method_call("list"), headers=f"Origin: http://\x1b{'x' * 5000}\r\n")
        _, said = log.lines("warn")
        self.assertIn(r"'http://\x1bxxx", said)
        self.assertLess(len(said), 600)

    def test_what_browsers_say_of_the_site(self) -> None:
        """Also of other ports of this computer. A link may lead here, and a frame may not."""
        for site, mode, destination, expected in (
            ("cross-site", "no-cors", "image", 403),
            ("cross-site", "navigate", "iframe", 403),
            ("cross-site", "websocket", "websocket", 403),
            ("same-site", "cors", "empty", 403),
            ("nonsense", "cors", "empty", 403),
            ("cross-site", "navigate", "document", 200),
            ("same-origin", "cors", "empty", 200),
            ("none", "navigate", "document", 200),
        ):
            said = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": destination}
            self.assertEqual(self.get(**said), expected, said)
        form = (
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
        )
        self.assertEqual(self.post(method_call("discover"), headers=form)[0], 403)
        self.assertEqual(self.operations.searches, [])

    def test_body_is_not_waited_for_and_not_kept(self) -> None:
        """The answer to the head is there at once; what comes then is thrown away, so that whoever
        still sends can read it.
        """
        transport = self.connect()
        channel: Any = transport.protocol
        head = request(b"x" * 1000000, headers="Origin: http://evil.example\r\n")[:-1000000]
        channel.dataReceived(head + b"x" * 1000)
        status, headers, _ = parse_response(transport.value())
        self.assertEqual((status, headers["connection"]), (403, "close"))
        said = transport.value()
        for _ in range(10):
            channel.dataReceived(b"GET / HTTP/1.1\r\n\r\n" * 100)
        self.assertEqual((channel._unread, transport.value()), (b"", said))
        self.assertTrue(transport.connected)
        self.clock.advance(LINGER)
        self.assertFalse(transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_client_that_goes_meanwhile(self) -> None:
        transport = self.connect()
        transport.protocol.dataReceived(b"HEAD / HTTP/1.1\r\nHost: evil\r\n\r\n")
        self.assertTrue(transport.value().endswith(b"\r\n\r\n"))
        transport.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_every_answer_keeps_strangers_out(self) -> None:
        for data in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET /none HTTP/1.1\r\n\r\n",
            request(method_call("list")),
            b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            b"nonsense\r\n\r\n",
        ):
            _, headers, _ = self.exchange(data)
            self.assertEqual(headers["cache-control"], "no-store", data)
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["cross-origin-resource-policy"], "same-origin")
            self.assertEqual(headers["x-frame-options"], "DENY")
            policy = headers["content-security-policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)


class Elsewhere(SiteTestCase):
    def test_address_of_ours(self) -> None:
        """It is one of this host's, which may be asked for by it."""
        self.address = str(IPv4Address("TCP", "192.168.1.7", 1).host)
        status, _, _ = self.exchange(b"GET / HTTP/1.1\r\nHost: 192.168.1.7:27000\r\n\r\n")
        self.assertEqual(status, 200)
