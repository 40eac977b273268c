"""A fleet of real programs: two bridged brokers, a hub at each, sites, and what goes wrong between
them. Clients write to nodes that say what they hear, and check what comes back.

``python -m tests.system.fleet`` runs a large one for long, with faults by chance.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import socket
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.system.brokers import Mosquitto
from tests.system.forked import ZBGATE
from tests.system.support import PATIENCE, Gateway, Program, free_ports, wait_until

#: Seconds for which something is away.
AWAY = 2.0

#: Seconds within which clients get something back again.
RECOVERY = 60.0


class Checker(threading.Thread):
    """A client of one node, whose echo it reads. It connects again when it was reset.

    @ivar arrived: lines that came back.
    @ivar resets: how often it was reset.
    @ivar problem: what should not have been; empty for nothing.
    """

    def __init__(self, name: int, port: int, pause: float = 0.05) -> None:
        """
        @param pause: seconds between lines.
        """
        super().__init__(daemon=True)
        self._name, self._port, self._pause = name, port, pause
        self._is_over = threading.Event()
        self.arrived = self.resets = 0
        self.problem = ""
        self.start()

    def end(self) -> None:
        """Write no more, and wait until all has come back, or it is reset."""
        self._is_over.set()
        self.join(PATIENCE)
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
        # Lines of 12 bytes: so many are a packet, of 72 bytes or of 84, that none is torn.
        mark = b"%03d%03d" % (self._name, connection % 1000)
        said = heard = 0
        rest = b""
        client.settimeout(0.1)
        while not self._is_over.is_set() or heard < said:
            if not self._is_over.is_set():
                client.sendall(mark + b"%05d\n" % said)
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
            time.sleep(self._pause)


class Fleet:
    """
    @ivar hubs: one at each broker.
    """

    def __init__(self, gateways: int, nodes: int, programs: int = 0, sites: int = 0) -> None:
        """
        @param gateways: each a site, at the brokers by turns.
        @param nodes: of each site.
        @param programs: that stand for several sites each, in the same way.
        @param sites: of each of those.
        """
        self._gateways, self._nodes_each, self._sites_each = gateways, nodes, sites
        self.count = (gateways + programs * sites) * nodes
        self._directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self._bridge = free_ports(1)
        # Mosquitto drops what waits beyond a number of messages, with QoS 0 as well.
        lines = ("allow_anonymous true", "set_tcp_nodelay true", "max_queued_messages 0")
        self.brokers = [
            Mosquitto(*lines),
            Mosquitto(
                *lines,
                *("connection one", f"address 127.0.0.1:{self._bridge}", "topic zbtwist/# both 1"),
                *("bridge_protocol_version mqttv50", "cleansession true", "restart_timeout 1"),
            ),
        ]
        self._sites: list[Program] = []
        self.hubs: list[Gateway] = []
        each = self.count + 100
        first = free_ports(3 * each)
        self._control = [first, first + each]
        self._ports_of_gateways = first + 2 * each
        self._way: Program | None = None
        self._repeater: Program | None = None
        for broker in self.brokers:
            broker.start()
            if self._way is None:
                self._open_bridge()
        self._sites += [self._make_site(number) for number in range(gateways + programs)]
        self.hubs += [self._make_hub(number) for number in (0, 1)]

    def stop(self) -> None:
        """End all of it, and leave nothing."""
        for program in (*self.hubs, *self._sites, self._way, self._repeater):
            if program is not None:
                program.stop(signal.SIGKILL)
        for broker in self.brokers:
            broker.remove()
        shutil.rmtree(self._directory)

    def _make_site(self, number: int) -> Program:
        broker = f"tcp:127.0.0.1:{self.brokers[number % 2].port}"
        at = number - self._gateways
        if at >= 0:
            return Program(
                *("-m", "zbtwist.simulator", "--fleet", f"{self._sites_each}x{self._nodes_each}"),
                *("--interval", "5", "--broker", broker),
                *("--first-site", str(1 + self._sites_each * at)),
            )
        config = Path(self._directory, f"gateway-{number}.toml")
        config.write_text(
            f'serial = "sim:network={number}:nodes={self._nodes_each}:kinds=echo:nt=0.3'
            ':node_baud=230400"\n'
            f"base-port = {self._ports_of_gateways + number * self._nodes_each}\n"
            f'control = "unix:{self._directory}/gateway-{number}"\n'
            f'state = "{self._directory}/gateway-{number}.sqlite3"\n'
            f'[mqtt]\nbroker = "{broker}"\nsite = "gateway-{number}"\nnodes = "stream"\n'
        )
        return Program(*ZBGATE, "--config", str(config))

    def _make_hub(self, number: int) -> Gateway:
        control = self._control[number]
        return Gateway(
            None,
            *("--serial", f"mqtt:127.0.0.1:{self.brokers[number].port}"),
            *("--control", str(control), "--base-port", str(control + 1), "--outage", "3"),
            *("--state", str(Path(self._directory, f"hub-{number}.sqlite3"))),
            program=ZBGATE,
            control=control,
        )

    def _open_bridge(self) -> None:
        """Let the brokers reach each other."""
        program = (
            "import sys; from twisted.internet import reactor; "
            "from twisted.protocols.portforward import ProxyFactory as P; "
            "reactor.listenTCP(int(sys.argv[1]), P('127.0.0.1', int(sys.argv[2])), "
            "interface='127.0.0.1'); reactor.run()"
        )
        self._way = Program("-c", program, str(self._bridge), str(self.brokers[0].port))

    def ports(self) -> list[dict[str, int]]:
        """Return each hub's ports by the nodes' sites and names, when it has all."""
        return [
            wait_until(partial(self._ports_of, hub), partial(self._who_is_missing, hub))
            for hub in self.hubs
        ]

    def _who_is_missing(self, hub: Gateway) -> str:
        names = sorted(f"{row['site']}/{row['label']}" for row in self._rows_of(hub))
        return f"{self.count} nodes, of which there are {names}; {hub.output[-3000:]}"

    def _rows_of(self, hub: Gateway) -> list[Any]:
        """Return its nodes; none while it starts."""
        try:
            rows: list[Any] = hub.api.list()
        except ConnectionRefusedError:
            assert hub.process.poll() is None, hub.output
            return []
        return rows

    def _ports_of(self, hub: Gateway) -> dict[str, int] | None:
        known = {
            f"{row['site']}/{row['label']}": row["tcp_port"]
            for row in self._rows_of(hub)
            if row["label"] and row["tcp_port"]
        }
        return known if len(known) == self.count else None

    def repeat(self, share: float) -> None:
        """From now on, have somebody say that share of all messages once more, and late."""
        self._repeater = Program(
            "-m", "tests.system.repeater", str(self.brokers[1].port), str(share)
        )
        self._repeater.wait_for("repeats")

    # --- what goes wrong -------------------------------------------------------------------------

    def kill_site(self, number: int = 0) -> None:
        self._sites[number].stop(signal.SIGKILL)
        time.sleep(AWAY)
        self._sites[number] = self._make_site(number)

    def freeze_site(self, number: int = 0) -> None:
        self._sites[number].process.send_signal(signal.SIGSTOP)
        time.sleep(AWAY)
        self._sites[number].process.send_signal(signal.SIGCONT)

    def restart_broker(self, number: int = 0) -> None:
        self.brokers[number].stop(signal.SIGKILL)
        time.sleep(AWAY)
        self.brokers[number].start()

    def freeze_broker(self, number: int = 1) -> None:
        self.brokers[number].tell(signal.SIGSTOP)
        time.sleep(AWAY)
        self.brokers[number].tell(signal.SIGCONT)

    def cut_bridge(self) -> None:
        assert self._way is not None
        self._way.stop(signal.SIGKILL)
        time.sleep(AWAY)
        self._open_bridge()

    def restart_hub(self, number: int = 0) -> None:
        self.hubs[number].stop(signal.SIGKILL)
        self.hubs[number] = self._make_hub(number)


def until_all_flows(checkers: list[Checker], fleet: Fleet) -> None:
    """Wait until all get something back."""
    before = [checker.arrived for checker in checkers]

    def all_do() -> bool:
        problems = [checker.problem for checker in checkers if checker.problem]
        assert not problems, problems
        return all(c.arrived > was + 5 for c, was in zip(checkers, before))

    def logs() -> str:
        return "\n".join(hub.output[-3000:] for hub in fleet.hubs)

    try:
        wait_until(all_do, "what clients write comes back", RECOVERY)
    except AssertionError as error:
        raise AssertionError(f"{error}; {logs()}") from None


def _resident(program: Program) -> float:
    """Return how much memory a program has, in MB."""
    pages = int(Path(f"/proc/{program.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.fleet",
        description="Two bridged brokers, two hubs, sites, and faults by chance.",
    )
    parser.add_argument("--gateways", type=int, default=20, help="each a site (20)")
    parser.add_argument("--nodes", type=int, default=50, help="of each (50)")
    parser.add_argument("--clients", type=int, default=10, help="of each hub (10)")
    parser.add_argument("--minutes", type=float, default=10.0, help="(10)")
    parser.add_argument("--repeated", type=float, default=0.05, help="share of messages (0.05)")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    fleet = Fleet(given.gateways, given.nodes)
    checkers: list[Checker] = []
    try:
        ports = fleet.ports()
        print(f"{fleet.count} nodes at each hub", flush=True)
        fleet.repeat(given.repeated)
        for hub in (0, 1):
            # The same nodes have clients at both hubs.
            some = random.Random(given.seed).sample(sorted(ports[hub]), given.clients)
            for at, name in enumerate(some):
                checkers.append(Checker(100 * hub + at, ports[hub][name], 0.5))
        until_all_flows(checkers, fleet)
        until = time.monotonic() + 60 * given.minutes
        numbers = range(given.gateways)
        faults: list[tuple[str, Any, Any]] = [
            ("site killed", fleet.kill_site, numbers),
            ("site stopped", fleet.freeze_site, numbers),
            ("broker killed", fleet.restart_broker, (0, 1)),
            ("broker stopped", fleet.freeze_broker, (0, 1)),
            ("hub killed", fleet.restart_hub, (0, 1)),
        ]
        done = 0
        while time.monotonic() < until:
            name, fault, choices = chance.choice([*faults, ("bridge cut", fleet.cut_bridge, ())])
            which = [chance.choice(choices)] if choices else []
            fault(*which)
            until_all_flows(checkers, fleet)
            done += 1
            resets = sum(checker.resets for checker in checkers)
            memory = ", ".join(f"{_resident(hub):.0f}" for hub in fleet.hubs)
            print(f"{done}: {name} {which}; resets {resets}; hubs {memory} MB", flush=True)
        same = fleet.ports() == ports
        for checker in checkers:
            checker.end()
        problems = [checker.problem for checker in checkers if checker.problem]
        arrived = sum(checker.arrived for checker in checkers)
        print(f"{done} faults, {arrived} lines came back, ports are the same: {same}; {problems}")
        return int(bool(problems) or not same)
    finally:
        fleet.stop()


if __name__ == "__main__":
    raise SystemExit(main())
