"""A gateway in memory, with a simulated network, and pages that look at it."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from tests.clock import MemoryReactorClock
from tests.support import connect, take
from zbtwist.app.gateway import Gateway
from zbtwist.binding.port import NodePort
from zbtwist.config.settings import Settings
from zbtwist.control.http.site import ControlSite
from zbtwist.control.web import live
from zbtwist.health.service import ROUND
from zbtwist.network.node import Node

SETTINGS = Settings(serial="sim:nt=0.3:interval=0")
HOST = "127.0.0.1:27000"


class Page:
    """The other end of a WebSocket: wsproto's client, on a transport in memory.

    @ivar status: how the gateway answered the handshake.
    @ivar body: what it said if it refused.
    @ivar closed: the close code; None while it is open.
    """

    def __init__(
        self,
        factory: ControlSite,
        path: str,
        host: str = HOST,
        origin: str | None = f"http://{HOST}",
        peer: str = "127.0.0.1",
    ) -> None:
        self.transport = StringTransport(
            hostAddress=IPv4Address("TCP", "127.0.0.1", 27000),
            peerAddress=IPv4Address("TCP", peer, 50000),
        )
        self.channel = connect(factory, self.transport)
        self.websocket = WSConnection(ConnectionType.CLIENT)
        self.status = 0
        self.body = b""
        self.closed: int | None = None
        self.pings = self.pongs = 0
        self._texts: list[str] = []
        self._bytes = b""
        headers = [(b"Origin", origin.encode())] if origin else []
        self.send(Request(host=host, target=path, extra_headers=headers))
        self.read()

    def send(self, event: Event) -> None:
        self.send_raw(self.websocket.send(event))

    def send_raw(self, data: bytes) -> None:
        self.channel.dataReceived(data)

    def say(self, *values: object) -> None:
        """Send values as JSON, a message each."""
        for value in values:
            self.send(TextMessage(json.dumps(value)))

    def call(self, name: str, *arguments: object, number: object = 1) -> None:
        self.say({"id": number, "call": name, "arguments": list(arguments)})

    def read(self) -> None:
        """Take all that has been sent."""
        data = take(self.transport)
        if not data:
            return
        self.websocket.receive_data(data)
        for event in self.websocket.events():
            match event:
                case AcceptConnection():
                    self.status = 101
                case RejectConnection(status_code=status):
                    self.status = status
                case RejectData(data=body):
                    self.body += body
                case TextMessage(data=text):
                    self._texts.append(text)
                case BytesMessage(data=piece):
                    self._bytes += piece
                case CloseConnection(code=code):
                    self.closed = int(code)
                case Ping():
                    self.pings += 1
                case Pong():
                    self.pongs += 1

    def texts(self) -> list[str]:
        """The text messages since the last time."""
        self.read()
        texts, self._texts = self._texts, []
        return texts

    def messages(self) -> list[Any]:
        """The same as values."""
        return [json.loads(text) for text in self.texts()]

    def stream(self) -> bytes:
        """The bytes since the last time."""
        self.read()
        data, self._bytes = self._bytes, b""
        return data

    @property
    def is_dropped(self) -> bool:
        """Whether the gateway has ended the connection."""
        return bool(self.transport.disconnecting)

    def lose(self) -> None:
        """The connection is lost."""
        self.channel.connectionLost(Failure(ConnectionDone()))


class ConsoleTestCase(SynchronousTestCase):
    """Gives each test a gateway whose simulated nodes are found and have ports."""

    settings = SETTINGS

    def setUp(self) -> None:
        # How long a look takes here is no matter of the tests.
        self.patch(live, "perf_counter", lambda: 0.0)
        self.reactor: Any = MemoryReactorClock()
        # The simulator's and the console's times are those of the day, which never began at 0.
        self.reactor.advance(1_000_000)
        self.gateway = Gateway(self.settings, self.reactor, wall=self.reactor.seconds)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        # Each node was looked at how it is.
        self.run_for(ROUND + 1)
        site = self.reactor.tcpServers[0][1]
        assert isinstance(site, ControlSite)
        self.factory = site
        self.assertEqual(self.reactor.tcpServers[0][0], 27000)

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.05] * round(seconds / 0.05))

    def turns(self, count: int = 100) -> None:
        """Let the reactor have some turns, which take no time."""
        self.reactor.pump([0.0] * count)

    def open(self, path: str = "/live", **how: Any) -> Page:
        """Open a WebSocket; it need not be accepted."""
        return Page(self.factory, path, **how)

    def node(self, label: str) -> Node:
        return next(node for node in self.gateway.network.nodes if node.label == label)

    def port(self, label: str) -> NodePort:
        port = self.gateway.bindings.port_of(self.node(label))
        assert port is not None
        return port
