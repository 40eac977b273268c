"""A control port in memory, and what HTTP clients say to it."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.support import connect
from zbtwist.control.http.guards import Hosts
from zbtwist.control.http.site import control_site

NODE = {"addr_extended": "[00:13:a2:00:40:0a:3e:ff]!", "label": "E2", "tcp_port": 27001}


class FakeOperations:
    """Operations that are told what to do."""

    def __init__(self) -> None:
        self.nodes: object = [NODE]
        self.searches: list[Deferred[list[dict[str, object]]]] = []
        self.failure: Exception | None = None
        self.tests: list[Deferred[dict[str, object]]] = []

    async def test(self, address: str) -> dict[str, object]:
        self.tests.append(Deferred())
        return await self.tests[-1]

    async def discover(self) -> list[dict[str, object]]:
        self.searches.append(Deferred())
        return await self.searches[-1]

    def list_nodes(self) -> object:
        return self.nodes

    async def get_temperatures(self) -> list[dict[str, Any]]:
        return [{"addr_extended": NODE["addr_extended"], "label": "E2", "temperature": 21.5}]

    def status(self) -> dict[str, Any]:
        if self.failure is not None:
            raise self.failure
        return {"version": "1", "uptime": 12.0}


class SiteTestCase(SynchronousTestCase):
    """Gives each test a site and connections to it."""

    address = "127.0.0.1"

    def setUp(self) -> None:
        self.clock = Clock()
        self.operations = FakeOperations()
        self.site = control_site(self.operations, self.clock, Hosts(("gateway",), "box"))

    def connect(self, peer: str = "127.0.0.1") -> StringTransportWithDisconnection:
        """Return the server's end of a new connection; its `protocol` takes the client's bytes.

        @param peer: the client's address.
        """
        transport = StringTransportWithDisconnection(
            hostAddress=IPv4Address("TCP", self.address, 27000),
            peerAddress=IPv4Address("TCP", peer, 50000),
        )
        connect(self.site, transport)
        return transport

    def exchange(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send one request; return the status, the headers by lower-case name, and the body."""
        transport = self.connect()
        transport.protocol.dataReceived(data)
        self.clock.advance(0)
        return parse_response(transport.value())

    def post(
        self, body: bytes, path: str = "/RPC2", headers: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        return self.exchange(request(body, path, headers))

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method as Python's own client would."""
        status, headers, body = self.post(
            xmlrpc.client.dumps(arguments, name, allow_none=True).encode()
        )
        self.assertEqual((status, headers["content-type"]), (200, "text/xml"))
        return xmlrpc.client.loads(body)[0][0]

    def assertFault(self, number: int, body: bytes, *words: str) -> str:
        """Check that an answer is the fault `number`, one sentence that has all of `words`."""
        fault: xmlrpc.client.Fault = self.assertRaises(
            xmlrpc.client.Fault, xmlrpc.client.loads, body
        )
        self.assertEqual(fault.faultCode, number, fault.faultString)
        self.assertSentence(fault.faultString)
        for word in words:
            self.assertIn(word, fault.faultString)
        return fault.faultString

    def assertSentence(self, text: str) -> None:
        self.assertTrue(text.endswith("."), text)
        self.assertNotIn("\n", text)
        self.assertNotIn("Traceback", text)


def request(body: bytes, path: str = "/RPC2", headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: gateway:27000\r\n{headers}Content-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def parse_response(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(status.split()[1]), headers, body


def method_call(name: str) -> bytes:
    return f"<methodCall><methodName>{name}</methodName></methodCall>".encode()
