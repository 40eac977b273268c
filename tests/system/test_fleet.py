"""A fleet of real programs: two bridged brokers, a hub at each, sites, and what goes wrong between
them. Clients write to nodes that say what they hear, and check what comes back.
"""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.brokers import Mosquitto
from tests.system.support import ZBGATE, Gateway, Program, free_ports, wait_until

#: Sites of each of the two programs, and nodes of each site.
SITES, NODES = 5, 20

#: Bytes of what a client writes: four of them are a packet, so that none is torn.
SIZE = 21

#: Seconds for which something is away.
AWAY = 4.0


class Checker(threading.Thread):
    """A client of one node, whose echo it reads. It connects again when it was reset.

    @ivar arrived: lines that came back.
    @ivar resets: how often it was reset.
    @ivar problem: what should not have been; empty for nothing.
    """

    def __init__(self, name: int, port: int) -> None:
        super().__init__(daemon=True)
        self._name, self._port = name, port
        self._is_over = threading.Event()
        self.arrived = self.resets = 0
        self.problem = ""
        self.start()

    def end(self) -> None:
        self._is_over.set()
        self.join(30)
        assert not self.is_alive()

    def run(self) -> None:
        connection = 0
        while not self._is_over.is_set() and not self.problem:
            connection += 1
            try:
                with socket.create_connection(("127.0.0.1", self._port), 10) as client:
                    self._talk(client, connection)
            except ConnectionResetError:
                self.resets += 1
            except OSError:
                # The hub is away.
                pass
            self._is_over.wait(0.3)

    def _talk(self, client: socket.socket, connection: int) -> None:
        mark = b"%04d-%05d-" % (self._name, connection)
        said = heard = 0
        rest = b""
        client.settimeout(0.1)
        while not self._is_over.is_set() or heard < said:
            if not self._is_over.is_set():
                client.sendall(mark + b"%09d\n" % said)
                said += 1
            try:
                data = client.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise ConnectionAbortedError
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(mark):
                    if int(line[len(mark) :]) != heard:
                        self.problem = f"{line!r} came in place of {heard}"
                        return
                    heard += 1
                    self.arrived += 1
            time.sleep(0.05)


class FleetTests(SynchronousTestCase):
    skip = Mosquitto.why_not or left_out() or None

    def test_faults_at_every_hop(self) -> None:
        self.start()
        ports = self.ports()
        checkers = [
            Checker(10 * hub + at, ports[hub][label])
            for hub in (0, 1)
            for at, label in enumerate(("site-1-1", "site-2-1", "site-6-1", "site-7-2"))
        ]
        try:
            self.flows(checkers)
            for fault in (
                self.kill_sites,
                self.restart_broker,
                self.cut_bridge,
                self.restart_hub,
                self.stop_broker_for_a_moment,
            ):
                fault()
                self.flows(checkers)
            # Nobody but it knows of them.
            self.assertEqual(self.ports(), ports)
        finally:
            for checker in checkers:
                checker.end()
        self.assertEqual([checker.problem for checker in checkers], [""] * len(checkers))

    def start(self) -> None:
        directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.addCleanup(shutil.rmtree, directory)
        self.directory = Path(directory)
        one = Mosquitto("allow_anonymous true", "set_tcp_nodelay true")
        self.bridge = free_ports(1)
        other = Mosquitto(
            *("allow_anonymous true", "set_tcp_nodelay true"),
            *("connection one", f"address 127.0.0.1:{self.bridge}", "topic zbtwist/# both 1"),
            *("bridge_protocol_version mqttv50", "cleansession true", "restart_timeout 1"),
        )
        self.brokers = [one, other]
        for broker in self.brokers:
            self.addCleanup(broker.remove)
        one.start()
        self.open_bridge()
        other.start()
        self.sites = [self.make_sites(0), self.make_sites(1)]
        self.controls = [free_ports(300), free_ports(300)]
        self.hubs = [self.make_hub(0), self.make_hub(1)]

    def make_sites(self, number: int) -> Program:
        program = Program(
            *("-m", "zbtwist.simulator", "--fleet", f"{SITES}x{NODES}", "--interval", "5"),
            *("--broker", f"tcp:127.0.0.1:{self.brokers[number].port}"),
            *("--first-site", str(1 + SITES * number)),
        )
        self.addCleanup(program.stop, signal.SIGKILL)
        return program

    def make_hub(self, number: int) -> Gateway:
        control = self.controls[number]
        hub = Gateway(
            None,
            *("--serial", f"mqtt:127.0.0.1:{self.brokers[number].port}"),
            *("--control", str(control), "--base-port", str(control + 1)),
            *("--state", str(self.directory / f"hub-{number}.sqlite3")),
            program=ZBGATE,
            control=control,
        )
        self.addCleanup(hub.stop)
        return hub

    def open_bridge(self) -> None:
        """Let the brokers reach each other."""
        program = (
            "import sys; from twisted.internet import reactor; "
            "from twisted.protocols.portforward import ProxyFactory as P; "
            "reactor.listenTCP(int(sys.argv[1]), P('127.0.0.1', int(sys.argv[2])), "
            "interface='127.0.0.1'); reactor.run()"
        )
        self.way = Program("-c", program, str(self.bridge), str(self.brokers[0].port))
        self.addCleanup(self.way.stop, signal.SIGKILL)

    def ports(self) -> list[dict[str, int]]:
        """Return each hub's ports by the nodes' labels, when it has all."""
        return [
            {label: row["tcp_port"] for label, row in hub.nodes(2 * SITES * NODES).items()}
            for hub in self.hubs
        ]

    def flows(self, checkers: list[Checker]) -> None:
        """Wait until all get something back."""
        before = [checker.arrived for checker in checkers]

        def all_do() -> bool:
            assert not any(checker.problem for checker in checkers)
            return all(c.arrived > was + 5 for c, was in zip(checkers, before))

        logs = "\n".join(hub.output[-3000:] for hub in self.hubs)
        wait_until(all_do, f"what clients write comes back; {logs}", 60)

    # --- what goes wrong -------------------------------------------------------------------------

    def kill_sites(self) -> None:
        self.sites[0].stop(signal.SIGKILL)
        time.sleep(AWAY)
        self.sites[0] = self.make_sites(0)

    def restart_broker(self) -> None:
        self.brokers[0].stop(signal.SIGKILL)
        time.sleep(AWAY)
        self.brokers[0].start()

    def cut_bridge(self) -> None:
        self.way.stop(signal.SIGKILL)
        time.sleep(AWAY)
        self.open_bridge()

    def restart_hub(self) -> None:
        self.hubs[0].stop(signal.SIGKILL)
        self.hubs[0] = self.make_hub(0)

    def stop_broker_for_a_moment(self) -> None:
        self.brokers[1].tell(signal.SIGSTOP)
        time.sleep(AWAY)
        self.brokers[1].tell(signal.SIGCONT)
