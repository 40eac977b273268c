"""The service tree: what a new configuration changes, and what it leaves alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, execute, fail
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.support import record_log
from zbtwist.app.demo import DemoGuide
from zbtwist.app.gateway import Gateway, warn_if_open
from zbtwist.app.reload import Reloader
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.config.toml_file import ConfigError
from zbtwist.network.persistence import SAVE_DELAY, SEEN_INTERVAL
from zbtwist.runtime.allowed import Refusal
from zbtwist.store.errors import StoreError
from zbtwist.xbee.address import Address64

METER = Address64(0x0013A200_400A3E01)
SETTINGS = Settings(serial="sim:nt=0.3:interval=0")


class GatewayTestCase(SynchronousTestCase):
    def start(self, settings: Settings = SETTINGS) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.settings = settings
        self.gateway = Gateway(settings, self.reactor)
        self.log = record_log(self)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.run_for(2)

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.01] * round(seconds / 0.01))

    def lines(self) -> list[str]:
        return self.log.lines(namespace="zbtwist")

    def ports(self) -> dict[str, int]:
        return {row["label"]: row["tcp_port"] for row in self.gateway.api.list_nodes()}

    def listened(self) -> list[int]:
        """The ports that were opened, in that order."""
        return [server[0] for server in self.reactor.tcpServers]


class ReconfigureTests(GatewayTestCase):
    def change(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)
        self.log = record_log(self)
        self.reactor.tcpServers.clear()
        self.gateway.reconfigure(self.settings)
        self.run_for(2)

    def test_nothing(self) -> None:
        self.start()
        self.change()
        self.assertEqual(self.lines(), ["The configuration is as it was."])
        self.assertEqual(self.listened(), [])

    def test_nodes(self) -> None:
        self.start()
        before = self.ports()
        protocol = self.gateway.radio.protocol
        self.change(nodes=(NodeSettings(METER, port=30000, name="mains"),))
        self.assertEqual(self.ports(), {**before, "METER": 30000})
        self.assertEqual(self.listened(), [30000])
        self.assertIn("The configuration has changed: nodes.", self.lines())
        self.assertIs(self.gateway.radio.protocol, protocol)

    def test_a_setting_of_all_where_a_node_has_one_of_its_own(self) -> None:
        """It is that node's, too, and nothing else is touched."""

        def settings(retries: int) -> dict[str, Any]:
            port_settings = PortSettings(retries=retries)
            own = replace(port_settings, window=2)
            node = NodeSettings(address64=METER, own=(("window", 2),), port_settings=own)
            return {"port_settings": port_settings, "nodes": (node,)}

        self.start(replace(SETTINGS, **settings(5)))
        self.change(**settings(9))
        self.assertIn("The configuration has changed: retries.", self.lines())
        (node,) = (node for node in self.gateway.network.nodes if node.address64 == METER)
        port = self.gateway.bindings.port_of(node)
        assert port is not None
        self.assertEqual(port.outbound.settings, PortSettings(retries=9, window=2))

    def test_ports_for_new_nodes(self) -> None:
        self.start()
        before = self.ports()
        self.change(base_port=40000)
        self.assertEqual(self.ports(), before)
        self.gateway.network.nodes.seen(Address64(1), 1, 0.0)  # type: ignore[arg-type]
        self.assertEqual(self.gateway.api.list_nodes()[-1]["tcp_port"], 40000)

    def test_radio(self) -> None:
        """The nodes keep their ports, and the other radio is brought up."""
        self.start()
        before = self.ports()
        self.change(serial="sim:nt=0.3:interval=0:api_mode=2:seed=5")
        self.assertEqual(self.gateway.api.status()["api_mode"], 2)
        self.assertEqual(self.ports(), before)
        self.assertEqual(self.listened(), [])

    def test_control(self) -> None:
        self.start()
        self.assertEqual(self.listened()[0], 27000)
        self.change(control="28000")
        self.assertEqual(self.listened(), [28000])

    def test_control_port_that_a_node_has(self) -> None:
        self.start()
        taken = self.ports()["ECHO"]
        self.change(control=str(taken))
        self.assertEqual(self.listened(), [])
        self.assertTrue(any(f"Port {taken} belongs to ECHO" in line for line in self.lines()))

    def test_interface(self) -> None:
        self.start()
        ports = sorted(self.ports().values())
        self.change(interface="0.0.0.0")
        self.assertEqual(sorted(self.listened()), [27000, *ports])
        self.assertTrue(all(server[3] == "0.0.0.0" for server in self.reactor.tcpServers))
        opens = "open to other computers (interface 0.0.0.0)"
        self.assertTrue(any(opens in line for line in self.lines()))

    def test_endpoint_that_other_computers_reach(self) -> None:
        self.start()
        self.change(nodes=(NodeSettings(METER, endpoint="tcp:4001"),))
        opens = "open to other computers (endpoint tcp:4001)"
        self.assertTrue(any(opens in line for line in self.lines()))

    def test_users(self) -> None:
        """Nobody is asked at first, then everybody is, at once."""
        self.start()
        site = self.reactor.tcpServers[0][1]
        self.assertFalse(site.door.needs_login)
        self.change(auth=("memory:alice:secret",))
        self.assertTrue(site.door.needs_login)
        self.change(auth=())
        self.assertFalse(site.door.needs_login)

    def test_open_without_users(self) -> None:
        """Settings that no configuration can have let nobody in."""
        self.start(replace(SETTINGS, interface="0.0.0.0"))
        site = self.reactor.tcpServers[0][1]
        self.assertTrue(site.door.needs_login)
        self.assertEqual(site.door.login._checkers, [])

    def test_who_may_connect(self) -> None:
        self.start()
        site = self.reactor.tcpServers[0][1]
        near, far = (IPv4Address("TCP", f"192.168.{number}.7", 50000) for number in (1, 2))

        def let_in() -> list[bool]:
            return [not isinstance(site.buildProtocol(each), Refusal) for each in (near, far)]

        allow = (ip_network("192.168.1.0/24"),)
        self.change(port_settings=PortSettings(allow=allow))
        self.assertEqual(let_in(), [True, False])
        self.assertEqual(let_in(), [True, False])
        # As often as anybody can connect it is not said.
        (said,) = [line for line in self.lines() if "turned away" in line]
        self.assertIn("192.168.2.7 is turned away: control-allow, or allow, has no", said)
        self.change(control_allow=(ip_network("192.168.2.7"),))
        self.assertEqual(let_in(), [False, True])
        self.change(control_allow=(), port_settings=PortSettings())
        self.assertEqual(let_in(), [True, True])

    def test_state_waits_for_the_next_start(self) -> None:
        self.start()
        self.change(state="/nowhere/state.sqlite3")
        self.assertEqual(self.gateway.api.status()["store"], ":memory:")
        self.assertTrue(any("next start" in line for line in self.lines()))


class ReloaderTests(GatewayTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))

    def test_signal(self) -> None:
        self.start()
        self.reactor.callFromThread = lambda call: call()
        answers: list[Settings | ConfigError] = [
            ConfigError("first mistake.\nsecond mistake."),
            replace(SETTINGS, nodes=(NodeSettings(METER, port=30000),)),
        ]

        def load() -> Settings:
            answer = answers.pop(0)
            if isinstance(answer, ConfigError):
                raise answer
            return answer

        reloader = Reloader(self.gateway, load, self.reactor, execute)
        reloader.startService()
        ports = self.ports()
        for expected in (ports, {**ports, "METER": 30000}):
            os.kill(os.getpid(), signal.SIGHUP)
            # A signal's handler runs between two instructions of ours.
            self.run_for(0.1)
            self.assertEqual(self.ports(), expected)
        for line in ("first mistake.", "second mistake."):
            self.assertIn(line, self.lines())
        reloader.stopService()
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)

    def test_signals_at_the_stop(self) -> None:
        """The rest still stops, and saves."""
        self.start()
        calls: list[Callable[[], None]] = []
        self.reactor.callFromThread = calls.append
        reloader = Reloader(self.gateway, lambda: SETTINGS, self.reactor, execute)
        reloader.startService()
        os.kill(os.getpid(), signal.SIGHUP)
        reloader.stopService()
        os.kill(os.getpid(), signal.SIGHUP)
        before = self.lines()
        for call in calls:
            call()
        self.assertEqual((len(calls), self.lines()), (1, before))

    def test_no_file(self) -> None:
        """The signal would end the program."""
        self.start()
        self.reactor.callFromThread = lambda call: call()
        reloader = Reloader(self.gateway, None, self.reactor)
        reloader.startService()
        self.addCleanup(reloader.stopService)
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertIn("There is no configuration file to read again", self.lines()[-1])

    def test_terminal_that_is_gone(self) -> None:
        """Nobody could stop a gateway that was started there any more."""
        self.start()
        self.reactor.callFromThread = lambda call: call()
        stopped: list[bool] = []
        self.reactor.stop = lambda: stopped.append(True)
        terminals = [True, True, False]
        self.patch(os, "isatty", lambda number: terminals.pop(0))
        reloader = Reloader(self.gateway, None, self.reactor)
        reloader.startService()
        self.addCleanup(reloader.stopService)
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(stopped, [])
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(stopped, [True])

    def test_signals_while_it_is_read(self) -> None:
        """They are one, and what was read when the gateway stops is not followed."""
        self.start()
        readings: list[Deferred[Settings]] = []

        def read(load: Callable[[], Settings]) -> Deferred[Settings]:
            readings.append(Deferred())
            return readings[-1]

        reloader = Reloader(self.gateway, lambda: SETTINGS, self.reactor, read)
        reloader.startService()
        for _ in range(5):
            reloader.reload()
        self.assertEqual(len(readings), 1)
        readings[0].callback(replace(SETTINGS, base_port=28000))
        self.assertIn("The configuration has changed: base-port.", self.lines())
        self.assertEqual(len(readings), 2)
        reloader.stopService()
        readings[1].callback(SETTINGS)
        self.assertNotIn("The configuration is as it was.", self.lines())
        self.assertEqual(sum("has changed" in line for line in self.lines()), 1)

    def test_mistake_of_ours(self) -> None:
        self.start()
        reloader = Reloader(
            self.gateway, lambda: SETTINGS, self.reactor, lambda load: fail(ZeroDivisionError())
        )
        reloader.startService()
        self.addCleanup(reloader.stopService)
        reloader.reload()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class MemoryTests(GatewayTestCase):
    def test_store_fails(self) -> None:
        """Said once; what changed is written when it can be."""
        self.start()
        save = self.gateway.store.save_nodes
        fails = True

        def sometimes(nodes: Any) -> None:
            if fails:
                raise StoreError("The disk is full: make room.")
            save(nodes)

        self.patch(self.gateway.store, "save_nodes", sometimes)
        self.run_for(SAVE_DELAY)
        self.reactor.pump([10.0] * round(2 * SEEN_INTERVAL / 10))
        self.assertEqual(sum("The disk is full" in line for line in self.lines()), 1)
        fails = False
        self.reactor.pump([10.0] * round(SEEN_INTERVAL / 10))
        stored = {node.label for node in self.gateway.store.nodes()}
        self.assertEqual(stored, {"ECHO", "METER", "SENSOR"})


class GuideTests(GatewayTestCase):
    def test_lines(self) -> None:
        """What to try, once for each node, with the right port."""
        self.reactor = MemoryReactorClock()
        self.gateway = Gateway(SETTINGS, self.reactor)
        guide = DemoGuide(SETTINGS, self.gateway.bindings, self.gateway.bus)
        guide.setServiceParent(self.gateway)
        self.log = record_log(self)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.run_for(3)
        for label, port in self.ports().items():
            (line,) = (one for one in self.lines() if one.startswith(f"{label} is on port"))
            self.assertIn(str(port), line)


class WarningTests(SynchronousTestCase):
    """What the log says of what other computers can reach."""

    def said(self, **options: Any) -> list[str]:
        log = record_log(self)
        warn_if_open(replace(SETTINGS, **options))
        return log.lines("warn")

    def test_nothing_is_open(self) -> None:
        self.assertEqual(self.said(), [])
        self.assertEqual(self.said(auth=("memory:a:b",)), [])

    def test_all_is_open(self) -> None:
        ports, control = self.said(interface="0.0.0.0", no_auth=True)
        self.assertIn("asked for a password there: anyone who reaches this computer", ports)
        self.assertIn("The control interface is open", control)
        self.assertIn("nobody is asked", control)

    def test_passwords_in_the_clear(self) -> None:
        ports, control = self.said(interface="0.0.0.0", auth=("memory:a:b",))
        self.assertIn("Nodes' ports", ports)
        self.assertIn("cross the network as they are", control)

    def test_encrypted(self) -> None:
        for kind in ("tls:/etc/tls:port=27000", "ssl:27000", "mtls:27000:ca=x"):
            self.assertEqual(self.said(control=kind, auth=("memory:a:b",)), [])
            self.assertEqual(len(self.said(control=kind, no_auth=True)), 1)

    def test_a_network(self) -> None:
        allow = PortSettings(allow=(ip_network("10.0.0.0/8"),))
        for line in self.said(interface="0.0.0.0", no_auth=True, port_settings=allow):
            self.assertIn("anyone in 10.0.0.0/8", line)
