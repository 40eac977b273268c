"""What a network is told of the gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed

from tests.binding.support import A, B, BindingTestCase
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest
from zbtwist.config.settings import Settings
from zbtwist.observing.announcing import MAX_ANNOUNCED, REST, Announcer
from zbtwist.runtime.mdns import MAX_NAME, Announced, shortened


class Announcements:
    """What was announced, time after time."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.is_running = False
        self.calls: list[list[Announced]] = []

    def start(self) -> None:
        self.is_running = True

    def announce(self, services: Any) -> None:
        self.calls.append(list(services))

    def stop(self) -> Deferred[None]:
        self.is_running = False
        return succeed(None)


class AnnouncerTests(BindingTestCase):
    def setUp(self) -> None:
        self.made: list[Announcements] = []
        super().setUp()
        self.settings = Settings(serial="sim:", zeroconf=True, interface="10.0.0.1")
        self.announcer = Announcer(
            self.wire.clock, self.wire.bus, self.nodes, self.bindings, self.settings, self.make
        )

    def make(self, interface: str) -> Announcements:
        self.made.append(Announcements(interface))
        return self.made[-1]

    def names(self) -> list[str]:
        """What is announced now, after a rest."""
        self.wire.clock.advance(REST)
        return [service.name for service in self.made[-1].calls[-1]][1:]

    def label(self, address64: Any, label: str) -> None:
        node = self.node(address64)
        node.label = label
        self.nodes.changed(node)

    def begin(self) -> None:
        self.announcer.startService()
        self.addCleanup(self.announcer.stopService)

    def test_it_follows_the_nodes(self) -> None:
        self.see(A)
        self.begin()
        self.assertEqual(self.names(), ["0013a20040000001"])
        self.label(A, "METER")
        self.see(B)
        self.assertEqual(self.names(), ["METER 0013a20040000001", "0013a20040000002"])
        self.successResultOf(self.change({A: 30000}))
        self.successResultOf(self.remove(B))
        self.assertEqual(self.names(), ["METER 0013a20040000001"])
        self.assertEqual(self.made[-1].calls[-1][1].port, 30000)
        calls = len(self.made[-1].calls)
        self.wire.clock.advance(100)
        self.assertEqual(len(self.made[-1].calls), calls)

    def test_control_port(self) -> None:
        self.begin()
        self.names()
        (service,) = self.made[-1].calls[-1]
        self.assertEqual((service.kind, service.port), ("_http._tcp", 27000))
        self.assertIn(("rpc", "/RPC2"), service.text)
        for control, kinds in (
            ("ssl:27000:privateKey=/x", ["_https._tcp"]),
            ("unix:/run/zbtwist/control", []),
        ):
            self.change_settings(control=control)
            self.names()
            self.assertEqual([each.kind for each in self.made[-1].calls[-1]], kinds)

    def change_settings(self, **settings: Any) -> None:
        old, self.settings = self.settings, replace(self.settings, **settings)
        self.announcer.reconfigure(old, self.settings)

    def test_kinds(self) -> None:
        self.see(A)
        self.begin()
        for protocol, kind, stack in (
            ("raw", "_iostream._tcp", "tcp"),
            ("rfc2217", "_iostream._tcp", "telnet(rfc2217),tcp"),
            ("modbus-tcp", "_mbap._tcp", None),
        ):
            of_node = PortRequest(A, settings=PortSettings(protocol=protocol))
            self.bindings.configure([of_node], 27001)
            self.change_settings()
            self.names()
            service = self.made[-1].calls[-1][1]
            text = dict(service.text)
            self.assertEqual((service.kind, text.get("gensiostack")), (kind, stack))
            self.assertEqual((text["address"], text["protocol"]), ("0013a20040000001", protocol))

    def test_off(self) -> None:
        """It is off unless it is wanted, and then nothing is made."""
        self.settings = replace(self.settings, zeroconf=False)
        self.announcer.reconfigure(self.settings, self.settings)
        self.begin()
        self.see(A)
        self.wire.clock.advance(REST)
        self.assertEqual(self.made, [])
        self.change_settings(zeroconf=True)
        self.assertEqual(self.names(), ["0013a20040000001"])
        self.change_settings(interface="10.0.0.2")
        self.assertEqual([each.interface for each in self.made], ["10.0.0.1", "10.0.0.2"])
        self.assertEqual([each.is_running for each in self.made], [False, True])
        self.change_settings(zeroconf=False)
        self.assertEqual([each.is_running for each in self.made], [False, False])
        self.see(B)
        self.wire.clock.advance(REST)

    def test_too_many(self) -> None:
        self.crowd(MAX_ANNOUNCED + 10)
        self.begin()
        self.assertEqual(len(self.names()), MAX_ANNOUNCED)
        self.assertIn(f"10 nodes are not announced (zeroconf): {MAX_ANNOUNCED}", self.lines()[-1])

    def test_names_of_strangers(self) -> None:
        self.see(A)
        self.begin()
        for label, shown in (
            ("a.b", "a.b 0013a20040000001"),
            ("\x07bell\n", "bell 0013a20040000001"),
            ("ä" * 60, "ä" * 23 + " 0013a20040000001"),
        ):
            self.label(A, label)
            (name,) = self.names()
            self.assertEqual(name, shown)
            self.assertLessEqual(len(name.encode()), MAX_NAME)
        self.assertEqual(shortened("aä", 2), "a")

    def test_this_computer_alone(self) -> None:
        self.change_settings(interface="127.0.0.1")
        self.begin()
        self.assertIn("Nodes are announced to this computer alone", self.lines()[-1])
