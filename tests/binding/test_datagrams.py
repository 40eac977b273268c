"""A node's packets as datagrams, and datagrams as packets to it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from tests.binding.support import A, BindingTestCase
from tests.radio.support import FACTS
from zbtwist.binding import endpoint_wish
from zbtwist.binding.datagrams import MAX_WAITING, PEER_TIMEOUT
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.runtime.allowed import networks
from zbtwist.runtime.option import Context, Mistake
from zbtwist.runtime.udp import UDPPlace
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.frames import TransmitRequest, TransmitStatus

CONTEXT = Context(None, "/")
ONE, TWO = ("10.0.0.1", 5001), ("10.0.0.2", 5002)


class Net:
    """The UDP sockets of a computer.

    @ivar sent: datagrams, with the addresses that they went to.
    """

    def __init__(self) -> None:
        self.sockets: dict[str, Any] = {}
        self.sent: list[tuple[bytes, object]] = []
        self.error: OSError | None = None

    def endpoint(self, text: str) -> Any:
        net = self

        class Listening:
            def stopListening(self) -> None:
                del net.sockets[text]

        class Transport:
            def write(self, data: bytes, address: object) -> None:
                if net.error is not None:
                    raise net.error
                net.sent.append((data, address))

        class Endpoint:
            place = UDPPlace.from_string(text)

            def listen(self, protocol: Any) -> Deferred[Any]:
                net.sockets[text] = protocol
                protocol.transport = Transport()
                return succeed(Listening())

        return Endpoint()


class DatagramTests(BindingTestCase):
    def start(self, *wishes: PortRequest, **more: Any) -> None:
        self.net = Net()
        super().start(*wishes, **more)
        self.bindings.endpoints.make_datagrams = self.net.endpoint
        self.see(A)

    def use(self, text: str, **more: Any) -> None:
        listen = endpoint_wish.listen(text, CONTEXT)
        settings = PortSettings(listen=listen, **{"pace": 0, **more})
        self.bindings.configure([PortRequest(A, settings=settings)], 27001)
        self.wire.clock.advance(0)

    @property
    def port(self) -> NodePort:
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        return port

    def say(self, data: bytes, address: tuple[str, int] = ONE) -> None:
        (socket,) = self.net.sockets.values()
        socket.datagramReceived(data, address)

    def hear(self, data: bytes) -> None:
        self.port.deliver(data)

    def packets(self) -> list[bytes]:
        """What has gone to the node; the radio says each time that it arrived."""
        found: list[bytes] = []
        while self.wire.sent:
            request = self.wire.sent.pop(0)
            if isinstance(request, TransmitRequest):
                found.append(request.data)
                status = TransmitStatus(request.frame_id, UNKNOWN16, 0, 0, 0)
                self.wire.receive(status)
                self.wire.clock.advance(0.05)
        return found

    def test_to_the_last_who_sent(self) -> None:
        self.use("udp:4001")
        self.hear(b"nobody")
        self.say(b"x", ONE)
        self.hear(b"first")
        self.hear(b"second")
        self.say(b"x", TWO)
        self.hear(b"third")
        self.assertEqual(self.net.sent, [(b"first", ONE), (b"second", ONE), (b"third", TWO)])
        self.assertEqual(self.bindings.clients, 1)
        self.assertEqual([client.peer for client in self.port.connected], ["10.0.0.2:5002"])

    def test_the_last_is_forgotten(self) -> None:
        self.use("udp:4001")
        self.say(b"x")
        self.wire.clock.pump([5] * int(PEER_TIMEOUT / 5 - 4))
        self.hear(b"still")
        self.wire.clock.pump([5] * 10)
        self.hear(b"no more")
        self.assertEqual((self.net.sent, self.bindings.clients), ([(b"still", ONE)], 0))
        self.say(b"x")
        self.hear(b"again")
        self.assertEqual(self.net.sent[1:], [(b"again", ONE)])

    def test_named_peers(self) -> None:
        self.use("udp:4001:10.0.0.1:5001:10.0.0.2:5002")
        self.hear(b"data")
        self.assertEqual(self.net.sent, [(b"data", ONE), (b"data", TWO)])
        self.wire.coordinator.ready(FACTS)
        self.say(b"from another port", ("10.0.0.2", 9))
        self.say(b"from a stranger", ("10.0.0.3", 5001))
        self.assertEqual(self.packets(), [b"from another port"])
        self.assertIn(
            "A datagram of 10.0.0.3:5001 is dropped at udp:4001:10.0.0.1:5001:10.0.0.2:5002, which "
            "is an endpoint of 00:13:a2:00:40:00:00:01: it is of none of the peers that are named.",
            self.lines(),
        )
        self.wire.clock.pump([5] * int(PEER_TIMEOUT / 5 + 10))
        self.assertEqual(self.bindings.clients, 2)

    def test_each_is_a_packet(self) -> None:
        """Also those that wait for another one."""
        self.wire.coordinator.ready(FACTS)
        self.use("udp:4001")
        datagrams = [b"%d" % number * 10 for number in range(8)]
        for datagram in datagrams:
            self.say(datagram)
        self.assertEqual(self.packets(), datagrams)

    def test_larger_than_a_packet(self) -> None:
        self.wire.coordinator.ready(FACTS)
        limit = self.port.outbound.payload_limit
        self.use("udp:4001")
        self.say(b"x" * (limit + 1))
        self.say(b"x" * limit)
        self.assertEqual(self.packets(), [b"x" * limit])
        self.assertIn(
            f"it has {limit + 1} bytes, and a packet has {limit} at the most.", self.lines()[-1]
        )
        self.assertEqual(self.port.outbound.bytes_lost, limit + 1)

    def test_more_than_the_node_takes(self) -> None:
        self.wire.coordinator.ready(FACTS)
        self.use("udp:4001")
        for _ in range(200):
            self.say(b"x" * 50)
        sent = self.packets()
        # The first did not wait.
        self.assertEqual(sum(map(len, sent)), 50 * (1 + MAX_WAITING // 50))
        self.assertIn("bytes of that peer wait for the node already", self.lines()[-1])
        self.wire.clock.advance(60)
        self.assertIn("A datagram, and", self.lines()[-1])
        self.say(b"later")
        self.assertEqual(self.packets(), [b"later"])

    def test_radio_that_is_away(self) -> None:
        """Nobody else is reset because somebody goes on sending."""
        self.use("udp:4001")
        self.wire.coordinator.link_down("It is gone.")
        self.wire.clock.advance(20)
        client = self.connect(27001)
        self.say(b"x")
        self.assertFalse(client.disconnected)
        self.assertIn("the radio is away", self.lines()[-1])
        client.protocol.connectionLost()

    def test_losses_are_no_reason_to_go(self) -> None:
        self.use("udp:4001")
        self.say(b"x")
        self.port.interrupted("Bytes may be lost")
        self.hear(b"more")
        self.assertEqual(self.net.sent, [(b"more", ONE)])

    def test_who_may_send(self) -> None:
        self.use("udp:4001", allow=networks("10.0.0.1", CONTEXT))
        self.say(b"x", TWO)
        self.assertEqual(self.bindings.clients, 0)
        self.say(b"x", ONE)
        self.assertEqual(self.bindings.clients, 1)

    def test_too_many_clients(self) -> None:
        self.use("udp:4001", max_clients=1)
        client = self.connect(27001)
        self.say(b"x")
        self.assertIn("there are too many clients", self.lines()[-1])
        client.protocol.connectionLost()
        self.say(b"x")
        self.assertEqual(self.bindings.clients, 1)

    def test_endpoint_that_cannot_be_made(self) -> None:
        """The others are there all the same."""
        texts = ("udp:99999", "udp:4001")
        wishes = tuple(endpoint_wish.EndpointWish(text, text, "raw") for text in texts)
        self.bindings.configure([PortRequest(A, settings=PortSettings(listen=wishes))], 27001)
        self.wire.clock.advance(0)
        self.assertEqual(list(self.net.sockets), ["udp:4001"])
        self.assertIn("udp:99999 does not open: '99999' is no UDP port", self.problem(A))

    def test_not_to_be_sent(self) -> None:
        self.use("udp:4001:10.0.0.1:5001")
        self.net.error = OSError(101, "Network is unreachable")
        self.hear(b"lost")
        self.assertIn("cannot be sent there: Network is unreachable", self.lines()[-1])
        self.net.error = None
        self.hear(b"not lost")
        self.assertEqual(self.net.sent, [(b"not lost", ONE)])

    def test_only_who_may_write(self) -> None:
        self.wire.coordinator.ready(FACTS)
        self.use("udp:4001", writers="none")
        self.say(b"x")
        self.assertEqual(self.packets(), [])

    def test_ended_by_hand(self) -> None:
        self.use("udp:4001:10.0.0.1:5001")
        (client,) = self.port.connected
        client.reset("it was disconnected by hand")
        self.hear(b"unheard")
        self.say(b"x")
        self.hear(b"heard")
        self.assertEqual(self.net.sent, [(b"heard", ONE)])

    def test_stop(self) -> None:
        for text in ("udp:4001", "udp:4001:10.0.0.1:5001"):
            self.use(text)
            self.say(b"x" * 1000)
            self.use("")
            self.assertEqual((self.net.sockets, self.bindings.clients), ({}, 0))
        self.use("udp:4001")
        self.say(b"x")
        self.stop()
        self.assertEqual(self.net.sockets, {})

    def test_mistakes(self) -> None:
        for text, words in (
            ("udp:x", "'x' is no UDP port, those are 1 to 65535"),
            ("udp:0", "'0' is no UDP port"),
            ("udp:1:host:2", "'host' is no IP address, and a name is not looked up here"),
            ("udp:1:10.0.0.1", "write udp:PORT, and behind it :HOST:PORT for each peer"),
            ("udp:1:10.0.0.1:2:timeout=3", "write udp:PORT"),
            ("udp:1:10.0.0.1:2:interface=\\:\\:", "must be all of IPv4 or all of IPv6"),
            ("udp:1" + ":10.0.0.1:2" * 17, "it names 17 peers, and there may be 16"),
            ("udp:1:protocol=modbus-rtu", "over UDP the protocol is raw, and no other."),
        ):
            with self.assertRaises(Mistake) as caught:
                endpoint_wish.listen(text, CONTEXT)
            self.assertIn(words, str(caught.exception))
        self.assertEqual(UDPPlace.from_string("udp:1:\\:\\:1:2"), UDPPlace(1, "::", (("::1", 2),)))
