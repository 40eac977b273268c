"""Endpoints of nodes beside their ports: opened, closed, passed on, tried again."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.testing import StringTransport

from tests.binding.support import A, B, BindingTestCase, say
from tests.clock import MemoryReactorClock
from tests.support import connect
from zbtwist.binding import endpoint_wish, protocols
from zbtwist.binding.port_protocol import PortProtocol
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.runtime.allowed import networks
from zbtwist.runtime.option import Context, Mistake
from zbtwist.xbee.address import Address64

CONTEXT = Context(MemoryReactorClock(), "/")


def listening(*texts: str, **more: Any) -> PortSettings:
    return PortSettings(listen=endpoint_wish.listen("\n".join(texts), CONTEXT), **more)


class Shouting(PortProtocol):
    def from_node(self, data: bytes) -> None:
        self.to_client(data.upper())


class EndpointTestCase(BindingTestCase):
    def use(self, *requests: PortRequest, **more: Any) -> None:
        """Take a new configuration."""
        self.bindings.configure(requests, 27001, **more)
        self.turn()

    def turn(self) -> None:
        self.wire.clock.advance(0)

    def see(self, *addresses: Address64) -> None:
        super().see(*addresses)
        self.turn()

    def opened(self) -> list[str]:
        return sorted(slot for slot in self.computer.open if isinstance(slot, str))


class NodeEndpointsTests(EndpointTestCase):
    def test_several_for_one_node(self) -> None:
        self.see(A, B)
        self.use(PortRequest(A, settings=listening("tcp:4001", "unix:/run/a")))
        self.assertEqual(self.opened(), ["tcp:4001", "unix:/run/a"])
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertIn("00:13:a2:00:40:00:00:01 is on tcp:4001, too.", self.lines())
        clients = [self.connect(slot) for slot in (27001, "tcp:4001", "unix:/run/a")]
        self.hear(A, b"data")
        self.assertEqual([client.value() for client in clients], [b"data"] * 3)
        self.assertEqual(self.bindings.clients, 3)
        for client in clients:
            client.protocol.connectionLost()

    def hear(self, address64: Address64, data: bytes) -> None:
        say(self.node(address64), data, self.wire.clock)

    def test_protocol_belongs_to_the_endpoint(self) -> None:
        """That of the node is what those have that say none."""
        protocols.PROTOCOLS["shouting"] = Shouting
        self.addCleanup(protocols.PROTOCOLS.pop, "shouting")
        self.see(A)
        one = listening("tcp:4001:protocol=raw:interface=\\:\\:1", "unix:/a", protocol="shouting")
        self.use(PortRequest(A, settings=one))
        self.assertEqual(self.opened(), ["tcp:4001:interface=\\:\\:1", "unix:/a"])
        clients = [self.connect(slot) for slot in (27001, *self.opened())]
        self.hear(A, b"data")
        self.assertEqual([client.value() for client in clients], [b"DATA", b"data", b"DATA"])
        for client in clients:
            client.protocol.connectionLost()

    def test_one_for_each_node(self) -> None:
        self.use(settings=listening("unix:/run/{address}", "tcp:{port}:interface=\\:\\:1"))
        self.see(A, B)
        self.assertEqual(
            self.opened(),
            [
                "tcp:27001:interface=\\:\\:1",
                "tcp:27002:interface=\\:\\:1",
                "unix:/run/0013a20040000001",
                "unix:/run/0013a20040000002",
            ],
        )

    def test_what_goes_by_the_port_follows_it(self) -> None:
        self.use(settings=listening("unix:/run/{address}", "tcp:{port}:interface=\\:\\:1"))
        self.see(A)
        followed = self.connect("tcp:27001:interface=\\:\\:1")
        stays = self.connect("unix:/run/0013a20040000001")
        self.successResultOf(self.change({A: 30000}))
        self.turn()
        self.assertEqual(
            self.opened(), ["tcp:30000:interface=\\:\\:1", "unix:/run/0013a20040000001"]
        )
        self.assertTrue(followed.disconnecting)
        self.assertFalse(stays.disconnecting)
        for client in (followed, stays):
            client.protocol.connectionLost()

    def test_node_without_a_port(self) -> None:
        """It has no endpoint that goes by one, and all others."""
        self.computer.taken.update(range(27001, 27003))
        both = listening("unix:/{address}", "tcp:{port}:interface=\\:\\:1")
        self.bindings.configure([], 27001, 27002, settings=both)
        self.see(A)
        self.assertEqual(self.opened(), ["unix:/0013a20040000001"])

    def test_new_settings(self) -> None:
        self.see(A)
        self.use(PortRequest(A, settings=listening("tcp:4001", "unix:/a")))
        stays, goes = self.connect("unix:/a"), self.connect("tcp:4001")
        self.use(PortRequest(A, settings=listening("unix:/a", "unix:/b")))
        self.assertEqual(self.opened(), ["unix:/a", "unix:/b"])
        self.assertEqual((stays.disconnecting, goes.disconnecting), (False, True))
        self.use()
        self.assertEqual(self.opened(), [])
        self.assertTrue(stays.disconnecting)
        for client in (stays, goes):
            client.protocol.connectionLost()

    def test_what_was_not_sent_is_not_lost_in_silence(self) -> None:
        self.see(A)
        self.use(PortRequest(A, settings=listening("unix:/a")))
        client = self.connect("unix:/a")
        client.protocol.dataReceived(b"for the node")
        self.use()
        self.assertTrue(client.disconnected)
        self.assertIn("unix:/a is none of 00:13:a2:00:40:00:00:01 any more", self.lines()[-1])
        client.protocol.connectionLost()

    def test_client_that_reads_nothing(self) -> None:
        """It is not waited for."""
        self.see(A)
        self.use(PortRequest(A, settings=listening("unix:/a")))
        client = self.connect("unix:/a")
        self.use()
        self.assertEqual((client.disconnecting, client.disconnected), (True, False))
        self.wire.clock.advance(1)
        self.assertTrue(client.disconnected)
        client.protocol.connectionLost()

    def test_what_waits_for_its_turn_is_not_lost_in_silence(self) -> None:
        self.see(A)
        self.use(PortRequest(A, settings=listening("unix:/a", turns=True)))
        asks, waits = self.connect("unix:/a"), self.connect("unix:/a")
        for client in (asks, waits):
            client.protocol.dataReceived(b"question")
        self.use()
        self.assertEqual((asks.disconnected, waits.disconnected), (True, True))
        for client in (asks, waits):
            client.protocol.connectionLost()

    def test_other_protocol(self) -> None:
        """Nobody goes on with the old one, but those of an endpoint that has one of its own."""
        self.see(A)
        self.use(PortRequest(A, settings=listening("unix:/a", "unix:/b:protocol=raw")))
        clients = [self.connect(slot) for slot in (27001, "unix:/a", "unix:/b", 27001)]
        clients[3].protocol.dataReceived(b"for the node")
        self.use(
            PortRequest(A, settings=listening("unix:/a", "unix:/b:protocol=raw", protocol="telnet"))
        )
        self.assertEqual([each.disconnecting for each in clients], [True, True, False, True])
        self.assertEqual([each.disconnected for each in clients], [False, False, False, True])
        for client in clients:
            client.protocol.connectionLost()

    def test_other_turns(self) -> None:
        self.see(A)
        client = self.connect(27001)
        for turns in (True, False):
            self.use(PortRequest(A, settings=PortSettings(turns=turns)))
            self.assertTrue(client.disconnecting)
            client.protocol.connectionLost()
            client = self.connect(27001)
        self.use(PortRequest(A, settings=PortSettings(retries=1)))
        self.assertFalse(client.disconnecting)
        client.protocol.connectionLost()

    def test_clients_without_an_address(self) -> None:
        """Each has a name, by which it can be disconnected."""
        self.see(A)
        self.use(PortRequest(A, settings=listening("unix:/a")))
        transports = [StringTransport(peerAddress=UNIXAddress(None)) for _ in range(2)]
        clients: Any = [connect(self.computer.open["unix:/a"], each) for each in transports]
        first, second = (client.peer for client in clients)
        self.assertNotEqual(first, second)
        self.assertTrue(first.startswith("unix:"), first)
        for client in clients:
            client.connectionLost()

    def test_passes_from_one_node_to_another(self) -> None:
        self.see(A, B)
        for first, second in ((A, B), (B, A)):
            self.use(
                PortRequest(first, settings=listening("unix:/x")),
                PortRequest(second, settings=listening("unix:/y")),
            )
            self.assertIs(
                self.computer.open["unix:/x"].server, self.bindings.port_of(self.node(first))
            )
            self.assertEqual((self.problem(A), self.problem(B)), ("", ""))

    def test_taken(self) -> None:
        """It is the node's problem, said once, until it opens."""
        self.see(A)
        self.computer.taken.add("tcp:4001")
        self.use(PortRequest(A, settings=listening("tcp:4001", "unix:/a")))
        problem = (
            "tcp:4001 does not open: another program has it; stop that program, or choose another "
            "port."
        )
        self.assertEqual(self.problem(A), problem)
        self.assertEqual(self.opened(), ["unix:/a"])
        self.wire.clock.pump([1] * 30)
        said = f"00:13:a2:00:40:00:00:01 lacks an endpoint. {problem} The gateway goes on trying."
        self.assertEqual([line for line in self.lines() if "lacks" in line], [said])
        self.computer.taken.clear()
        self.wire.clock.pump([1] * 60)
        self.assertEqual(self.problem(A), "")
        self.assertEqual(self.opened(), ["tcp:4001", "unix:/a"])

    def test_not_wanted_any_more_before_it_opened(self) -> None:
        self.see(A)
        self.computer.taken.add("tcp:4001")
        self.use(PortRequest(A, settings=listening("tcp:4001")))
        self.use()
        self.assertEqual(self.problem(A), "")
        self.computer.taken.clear()
        self.wire.clock.pump([1] * 120)
        self.assertEqual(self.opened(), [])

    def test_endpoint_that_fails_otherwise(self) -> None:
        self.see(A)
        self.computer.taken.add("tcp:4001")
        self.computer.raises = RuntimeError("No such luck")
        self.use(PortRequest(A, settings=listening("tcp:4001")))
        self.assertEqual(self.problem(A), "tcp:4001 does not open: No such luck.")

    def test_its_number_is_given_to_nobody(self) -> None:
        self.use(PortRequest(A, settings=listening("tcp:27001")))
        self.see(B)
        self.assertEqual(self.slots(), {A: 27002, B: 27003})

    def test_removed_with_its_node(self) -> None:
        self.see(A)
        self.use(PortRequest(A, settings=listening("unix:/a")))
        client = self.connect("unix:/a")
        self.successResultOf(self.remove(A))
        self.assertEqual(self.opened(), [])
        self.assertTrue(client.disconnecting)
        client.protocol.connectionLost()

    def test_stop(self) -> None:
        self.see(A)
        self.computer.taken.add("unix:/b")
        self.use(PortRequest(A, settings=listening("unix:/a", "unix:/b")))
        self.stop()

    def test_stop_before_anything_was_opened(self) -> None:
        self.bindings.configure([], 27001, settings=listening("unix:/{address}"))
        super().see(A)
        self.stop()

    def test_who_may_connect(self) -> None:
        allow = networks("10.0.0.0/8", CONTEXT)
        self.see(A)
        self.use(PortRequest(A, settings=listening("tcp:4001", allow=allow)))
        factory = self.computer.open["tcp:4001"]
        factory.buildProtocol(IPv4Address("TCP", "192.168.0.1", 5)).makeConnection(
            transport := _Resettable()
        )
        self.assertTrue(transport.aborted)
        self.assertIn("on port tcp:4001 is turned away", self.lines()[-1])

    def test_many(self) -> None:
        """Their number is said."""
        self.crowd(150)
        self.use(settings=listening("unix:/{address}"))
        self.wire.clock.pump([0.01] * 100)
        self.assertEqual(len(self.opened()), 150)
        self.assertIn("150 more endpoints of nodes are open.", self.lines())


class _Resettable:
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class WishTests(EndpointTestCase):
    def mistake(self, text: str) -> str:
        with self.assertRaises(Mistake) as caught:
            endpoint_wish.listen(text, CONTEXT)
        return str(caught.exception)

    def test_our_words(self) -> None:
        for text, endpoint in (
            ("tcp:1:protocol=raw", "tcp:1"),
            ("tcp:protocol=raw:1", "tcp:1"),
            ("tcp:1:protocol=raw:interface=\\:\\:1", "tcp:1:interface=\\:\\:1"),
            ("unix:/a\\::protocol=raw", "unix:/a\\:"),
        ):
            (wish,) = endpoint_wish.listen(text, CONTEXT)
            self.assertEqual((wish.text, wish.endpoint, wish.protocol), (text, endpoint, "raw"))

    def test_mistakes(self) -> None:
        for text, words in (
            ("nonsense", "nonsense is no server endpoint, such as tcp:4001:interface=127.0.0.1:"),
            ("tcp:70000", "70000 is no TCP port"),
            ("tcp:x", "its port must be a number"),
            ("unix:", "the path is missing"),
            ("systemd:domain=INET:index=0", "systemd has opened no such socket for this program"),
            ("tcp:1:protocol=morse", "tcp:1:protocol=morse is not right: protocol must be raw"),
            (
                "unix:/{label}",
                "unix:/{label} has {label}, and there are {address} and {port} only.",
            ),
            ("tcp:1\ntcp:1:protocol=raw", "has tcp:1 twice."),
            (
                "\n".join(f"tcp:{n}" for n in range(1, 18)),
                "has 17 endpoints: a node has at most 16",
            ),
        ):
            self.assertIn(words, self.mistake(text))

    def test_number(self) -> None:
        for text, number in (
            ("tcp:4001", 4001),
            ("tcp6:4001:interface=\\:\\:1", 4001),
            ("tcp:{port}", 0),
            ("unix:/4001", 0),
            ("systemd:domain=INET:index=0", 0),
        ):
            wish = endpoint_wish.EndpointWish(text, text)
            self.assertEqual(wish.number, number)
        self.assertEqual(endpoint_wish.EndpointWish("", "tls:/a:port=443").number, 443)
