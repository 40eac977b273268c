"""Nodes that are connected to servers: always, or when they say something."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.binding.support import A, B, BindingTestCase, say
from tests.radio.support import FACTS
from zbtwist.binding import endpoint_wish
from zbtwist.binding.connecting import HANDSHAKE_TIMEOUT, MAX_DELAY, MAX_KEPT
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.runtime.option import Context, Mistake

CONTEXT = Context(None, "/")


def connecting(*texts: str, **more: Any) -> PortSettings:
    return PortSettings(connect=endpoint_wish.connect("\n".join(texts), CONTEXT), **more)


class Server:
    """What nodes are connected to.

    @ivar tries: the endpoints that were tried.
    @ivar connections: the transports of those that are there.
    """

    transport: type[StringTransport] = StringTransport

    def __init__(self) -> None:
        self.tries: list[str] = []
        self.connections: list[Any] = []
        self.error: Exception | None = None
        self.slow: Deferred[Any] | None = None

    def endpoint(self, text: str) -> Any:
        server = self

        class Endpoint:
            def connect(self, factory: Any) -> Deferred[Any]:
                server.tries.append(text)
                if server.error is not None:
                    return fail(server.error)
                if server.slow is not None:
                    return server.slow
                protocol = factory.buildProtocol(None)
                transport: Any = server.transport()
                transport.protocol = protocol
                server.connections.append(transport)
                protocol.makeConnection(transport)
                return succeed(protocol)

        return Endpoint()

    def lose(self, error: Exception | None = None) -> None:
        """End the last connection."""
        transport = self.connections.pop()
        transport.protocol.connectionLost(Failure(error or ConnectionDone()))


class _TLS(StringTransport):
    @property
    def negotiatedProtocol(self) -> None:
        """As a transport of TLS has it."""


class ConnectingTests(BindingTestCase):
    def start(self, *wishes: PortRequest, **more: Any) -> None:
        self.server = Server()
        super().start(*wishes, **more)
        self.bindings.endpoints.make_client = self.server.endpoint
        self.see(A)

    def use(self, *texts: str, **more: Any) -> None:
        self.bindings.configure([PortRequest(A, settings=connecting(*texts, **more))], 27001)
        self.wire.clock.advance(0)

    def hear(self, data: bytes) -> None:
        say(self.node(A), data, self.wire.clock)

    def after(self, seconds: float) -> int:
        """Wait; return how often it was tried then."""
        before = len(self.server.tries)
        self.wire.clock.pump([0.5] * int(seconds * 2))
        return len(self.server.tries) - before

    def state(self) -> str:
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        (endpoint,) = port.endpoints.values()
        return endpoint.state

    # --- always --------------------------------------------------------------------------------

    def test_it_is_a_client_as_any_other(self) -> None:
        self.wire.coordinator.ready(FACTS)
        self.use("tcp:10.0.0.1:4001")
        (transport,) = self.server.connections
        self.hear(b"from the node")
        self.assertEqual(transport.value(), b"from the node")
        transport.protocol.dataReceived(b"GET / HTTP/1.1\r\n")
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        self.assertEqual(port.outbound.unconfirmed, 16, "no browser is suspected there")
        self.assertEqual((self.bindings.clients, self.state()), (1, "connected"))
        self.assertIn("on port tcp:10.0.0.1:4001.", self.lines()[-1])

    def test_again_when_it_is_lost(self) -> None:
        self.use("tcp:10.0.0.1:4001")
        self.wire.clock.advance(60)
        self.server.lose()
        self.assertEqual(self.state(), "connecting")
        self.assertEqual((self.after(0.5), self.after(0.5)), (0, 1))
        self.assertEqual((self.state(), self.problem(A)), ("connected", ""))

    def test_refused(self) -> None:
        """It is the node's problem, said once, and tried less and less often."""
        self.server.error = ConnectionRefusedError(111, "Connection refused")
        self.use("tcp:10.0.0.1:4001")
        problem = (
            "tcp:10.0.0.1:4001 is not connected: Connection was refused by other side: 111: "
            "Connection refused."
        )
        self.assertEqual(self.problem(A), problem)
        tries = self.after(3600)
        self.assertTrue(3600 / MAX_DELAY <= tries <= 3600 / MAX_DELAY + 7, tries)
        said = f"00:13:a2:00:40:00:00:01 lacks an endpoint. {problem} The gateway goes on trying."
        self.assertEqual([line for line in self.lines() if "lacks" in line], [said])
        self.server.error = None
        self.after(60)
        self.assertEqual((self.state(), self.problem(A)), ("connected", ""))

    def test_server_that_ends_it_at_once(self) -> None:
        self.use("tcp:10.0.0.1:4001")
        tries = 0
        for _ in range(600):
            if self.server.connections:
                self.server.lose()
            tries += self.after(1)
        self.assertTrue(600 / MAX_DELAY <= tries <= 600 / MAX_DELAY + 7, tries)

    def test_a_hole_in_the_stream_is_seen_by_the_server(self) -> None:
        self.use("tcp:10.0.0.1:4001")
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        port.interrupted("Bytes may be lost")
        self.assertTrue(self.server.connections[0].disconnected)

    def test_endpoint_that_cannot_be_made(self) -> None:
        """The files that it names may be gone since they were checked."""
        make = self.bindings.endpoints.make_client

        def fail_to(text: str) -> Any:
            raise OSError(2, "No such file or directory")

        self.bindings.endpoints.make_client = fail_to
        self.use("tcp:10.0.0.1:4001", "tcp:10.0.0.2:4001")
        self.assertIn("is not connected: [Errno 2] No such file", self.problem(A))
        self.bindings.endpoints.make_client = make
        self.use("tcp:10.0.0.1:4001")
        self.assertEqual(self.after(60), 0)
        self.use("tcp:10.0.0.3:4001")
        self.assertEqual((self.problem(A), self.bindings.clients), ("", 1))

    def test_it_takes_no_place(self) -> None:
        """The configuration wants it: it is not kicked for others, nor for its silence."""
        self.use("tcp:10.0.0.1:4001", max_clients=1, when_full="kick-oldest", idle_timeout=5.0)
        guests = [self.connect(27001) for _ in range(2)]
        self.assertEqual([guest.disconnected for guest in guests], [True, False])
        self.wire.clock.pump([1] * 30)
        (server,) = self.server.connections
        self.assertTrue(guests[1].disconnecting)
        self.assertFalse(server.disconnecting or server.disconnected)
        for guest in guests:
            guest.protocol.connectionLost()

    def test_new_settings(self) -> None:
        self.use("tcp:10.0.0.1:4001", "tcp:10.0.0.2:4001")
        first, second = self.server.connections
        self.use("tcp:10.0.0.1:4001")
        self.assertEqual((first.disconnecting, second.disconnecting), (False, True))
        self.server.lose()
        self.assertEqual(self.after(120), 0)
        self.assertEqual(self.bindings.clients, 1)

    def test_not_wanted_before_it_was_connected(self) -> None:
        for give_up in (self.use, lambda: self.successResultOf(self.remove(A))):
            self.server.slow = slow = Deferred[Any]()
            self.use("tcp:10.0.0.1:4001")
            give_up()
            self.assertTrue(slow.called, "it was cancelled")
            self.assertEqual(self.after(120), 0)
            self.assertEqual(self.problem(A), "")

    def test_stop_while_it_waits(self) -> None:
        self.server.error = ConnectionRefusedError()
        self.use("tcp:10.0.0.1:4001")
        self.stop()

    def test_stop_while_it_is_connected(self) -> None:
        self.use("tcp:10.0.0.1:4001")
        stopped = self.bindings.stopService()
        self.assertTrue(self.server.connections[0].disconnecting)
        self.server.lose()
        self.successResultOf(stopped)

    def test_one_for_each_node(self) -> None:
        self.see(B)
        settings = connecting("tcp:10.0.0.1:{port}")
        self.bindings.configure([], 27001, settings=settings)
        self.wire.clock.advance(0)
        self.assertEqual(self.server.tries, ["tcp:10.0.0.1:27001", "tcp:10.0.0.1:27002"])

    # --- TLS -----------------------------------------------------------------------------------

    def test_it_hears_the_node_from_the_handshake_on(self) -> None:
        self.server.transport = _TLS
        self.use("tcp:10.0.0.1:4001", backlog=100)
        (transport,) = self.server.connections
        self.hear(b"early")
        self.assertEqual((transport.value(), self.state()), (b"", "connecting"))
        transport.protocol.handshakeCompleted()
        self.assertEqual((transport.value(), self.state()), (b"early", "connected"))

    def test_handshake_that_fails(self) -> None:
        self.server.transport = _TLS
        self.use("tcp:10.0.0.1:4001")
        self.server.lose(ConnectionLost("no such certificate"))
        self.assertIn("is not connected: ", self.problem(A))
        self.assertIn("no such certificate", self.problem(A))
        self.after(1)
        (transport,) = self.server.connections
        self.wire.clock.advance(HANDSHAKE_TIMEOUT)
        self.assertTrue(transport.disconnected)
        self.server.lose(ConnectionLost())
        self.assertIn("there was no TLS within 30 s", self.problem(A))
        self.after(2)
        self.stop_while_shaking()

    def stop_while_shaking(self) -> None:
        (transport,) = self.server.connections
        self.use()
        self.assertTrue(transport.disconnected)
        self.server.lose()
        self.assertEqual(self.after(120), 0)

    # --- when there is data --------------------------------------------------------------------

    def test_on_data(self) -> None:
        self.use("tcp:10.0.0.1:4001:open=data:idle=20")
        self.assertEqual((self.server.tries, self.state(), self.bindings.clients), ([], "idle", 0))
        self.hear(b"first ")
        (transport,) = self.server.connections
        self.hear(b"second")
        self.assertEqual(transport.value(), b"first second")
        self.wire.clock.pump([1] * 15)
        self.hear(b"!")
        self.wire.clock.pump([1] * 15)
        self.assertFalse(transport.disconnecting)
        self.wire.clock.pump([1] * 6)
        self.assertTrue(transport.disconnecting)
        self.server.lose()
        self.assertEqual(self.after(100), 0)
        self.hear(b"again")
        self.assertEqual(self.server.connections[0].value(), b"again")

    def test_server_that_hangs_up_when_it_has_it(self) -> None:
        """It is there: it need not be waited for longer and longer."""
        self.use("tcp:10.0.0.1:4001:open=data")
        for number in range(20):
            self.hear(b"%d" % number)
            self.after(1)
            self.assertEqual(self.server.connections[0].value(), b"%d" % number)
            self.server.lose()

    def test_what_comes_meanwhile_is_kept(self) -> None:
        self.server.error = ConnectionRefusedError()
        self.use("tcp:10.0.0.1:4001:open=data")
        self.hear(b"one ")
        self.after(2)
        self.hear(b"two")
        self.server.error = None
        self.after(10)
        self.assertEqual(self.server.connections[0].value(), b"one two")

    def test_it_is_bounded(self) -> None:
        self.server.error = ConnectionRefusedError()
        self.use("tcp:10.0.0.1:4001:open=data")
        for number in range(MAX_KEPT // 64 + 10):
            self.hear(b"%063d\n" % number)
        self.server.error = None
        self.after(10)
        value = self.server.connections[0].value()
        self.assertEqual((len(value), int(value[:64])), (MAX_KEPT, 10))

    def test_what_is_kept_is_followed_by_nothing_else(self) -> None:
        self.server.error = ConnectionRefusedError()
        self.use("tcp:10.0.0.1:4001:open=data")
        self.hear(b"before")
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        port.interrupted("Bytes may be lost")
        self.hear(b"after")
        self.server.error = None
        self.after(10)
        self.assertEqual(self.server.connections[0].value(), b"after")

    def test_beside_other_clients(self) -> None:
        self.use("tcp:10.0.0.1:4001:open=data")
        client = self.connect(27001)
        self.hear(b"data")
        self.assertEqual(client.value(), b"data")
        self.assertEqual(self.server.connections[0].value(), b"data")
        client.protocol.connectionLost()

    # --- what may be said ----------------------------------------------------------------------

    def test_mistakes(self) -> None:
        for text, words in (
            ("tcp:10.0.0.1", "is no client endpoint, such as tcp:HOST:PORT: a part is missing"),
            ("tcp:10.0.0.1:0", "0 is no TCP port"),
            ("serial:/dev/ttyUSB1", "is no server: name one, such as tcp:HOST:PORT."),
            ("tcp:a:1:open=never", "open must be always or data, not 'never'"),
            ("tcp:a:1:idle=5", "idle is for open=data only."),
            ("tcp:a:1:open=data:idle=0", "idle must be a number of seconds from 1 to 86400"),
            ("tcp:a:1:protocol=morse", "protocol must be raw"),
        ):
            with self.assertRaises(Mistake) as caught:
                endpoint_wish.connect(text, CONTEXT)
            self.assertIn(words, str(caught.exception))
