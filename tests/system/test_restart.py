"""The real program keeps what it knows over a restart, and follows its configuration file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import ROOT
from tests.system.support import Gateway, find_python2, free_ports, is_listening, wait_until

CLIENT = ROOT / "docs" / "examples" / "list_ports.py"


class RestartTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(os.path.abspath(self.mktemp()))
        self.directory.mkdir()

    def start(self, serial: str | None, *options: str, control: int | None = None) -> Gateway:
        gateway = Gateway(serial, *options, control=control)
        self.addCleanup(gateway.stop)
        return gateway


class StateTests(RestartTestCase):
    def lines(self, python: str, gateway: Gateway) -> list[str]:
        """What the ConnectPort's users' client prints."""
        shown = subprocess.run(
            [python, str(CLIENT), gateway.url],
            capture_output=True,
            text=True,
            timeout=20,
            # Another Python's own variables must not reach it.
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        return shown.stdout.splitlines()

    def test_client_prints_the_same_lines_after_a_restart(self) -> None:
        """Under Python 3 and under Python 2.7's xmlrpclib; also before the radio is there."""
        state = str(self.directory / "state.sqlite3")
        first = self.start("sim:nodes=5:nt=0.3:seed=1", "--state", state)
        first.nodes(5)
        pythons = [sys.executable, *filter(None, [find_python2()])]
        before = [self.lines(python, first) for python in pythons]
        self.assertEqual(len(before[0]), 5)
        self.assertIn(
            "64-bit Address: 00:13:a2:00:40:0a:3e:03, NodeID: ECHO, TCP Port: ", "".join(before[0])
        )
        first.stop()
        ports = ("--control", str(first.control), "--base-port", str(first.base_port))
        again = self.start("/dev/there-is-no-radio", "--state", state, *ports)
        again.wait_for("There is no serial port")
        self.assertEqual([self.lines(python, first) for python in pythons], before)
        for line in before[0]:
            self.assertTrue(is_listening(int(line.rsplit(" ", 1)[1])))

    def test_list_with_one_bad_row_changes_nothing(self) -> None:
        """By what `list` says, and by who accepts connections; also after a restart."""
        state = str(self.directory / "state.sqlite3")
        gateway = self.start("sim:kinds=echo:nodes=3:nt=0.3", "--state", state)
        gateway.nodes(3)
        before = [(row["addr_extended"], row["tcp_port"]) for row in gateway.api.list()]
        with socket.socket() as squatter:
            squatter.bind(("127.0.0.1", 0))
            squatter.listen()
            wanted = free_ports(20)
            rows = [(f"00:13:a2:00:11:11:11:{n:02x}", wanted + n) for n in range(20)]
            for bad in (squatter.getsockname()[1], before[0][1], 0):
                with self.assertRaises(xmlrpc.client.Fault):
                    gateway.api.bind_using_list([*rows, ["00:13:a2:00:22:22:22:22", bad]])
        self.assertEqual(
            [(row["addr_extended"], row["tcp_port"]) for row in gateway.api.list()], before
        )
        self.assertEqual([port for _, port in rows if is_listening(port)], [])
        self.assertTrue(all(is_listening(port) for _, port in before))
        gateway.stop()
        again = self.start("sim:kinds=echo:nodes=3:nt=0.3", "--state", state)
        again.nodes(3)
        self.assertEqual(
            [(row["addr_extended"], row["tcp_port"]) for row in again.api.list()], before
        )

    def test_state_in_use(self) -> None:
        state = str(self.directory / "state.sqlite3")
        first = self.start("sim:nt=0.3", "--state", state)
        first.nodes(3)
        status, output = self.start("sim:", "--state", state).finish()
        self.assertEqual(status, 1)
        self.assertEqual(len(output.splitlines()), 1, output)
        self.assertIn("is in use by another program", output)

    def test_state_that_cannot_be_used(self) -> None:
        state = self.directory / "state.sqlite3"
        state.write_bytes(bytes(8192))
        status, output = self.start("sim:", "--state", str(state)).finish()
        self.assertEqual(status, 1)
        self.assertEqual(len(output.splitlines()), 1, output)
        self.assertIn("is damaged", output)
        self.assertEqual(state.read_bytes(), bytes(8192))

    def test_daemon_keeps_its_state(self) -> None:
        """SQLite does not survive a fork: the file is opened after it."""
        state = str(self.directory / "state.sqlite3")
        daemon = (
            "--pidfile",
            str(self.directory / "pid"),
            "--logfile",
            str(self.directory / "log"),
        )
        gateway = Gateway("sim:nt=0.3", "--state", state, twistd=daemon)
        self.assertEqual(gateway.finish()[0], 0)
        pid = int((self.directory / "pid").read_text())

        def names() -> set[str]:
            try:
                return {row["label"] for row in gateway.api.list() if row["tcp_port"]}
            except ConnectionRefusedError:
                return set()

        try:
            wait_until(lambda: names() == {"METER", "SENSOR", "ECHO"}, "the nodes are named")
        finally:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not (self.directory / "pid").exists(), "the daemon ends")
        again = self.start("/dev/there-is-no-radio", "--state", state)
        self.assertEqual(len(again.nodes(3)), 3)


class ConfigurationTests(RestartTestCase):
    """A file, and SIGHUP."""

    def setUp(self) -> None:
        super().setUp()
        self.file = self.directory / "zbtwist.toml"

    def write(self, control: int, meter: int, more: str = "") -> None:
        self.file.write_text(
            f"""
            serial = "sim:nt=0.3:interval=0.2"
            control = {control}
            base-port = {control + 1}
            [[node]]
            address = "00:13:a2:00:40:0a:3e:01"
            name = "mains"
            port = {meter}
            [[node]]
            label = "ECHO"
            port = {control + 6}
            {more}
            """
        )

    def test_hang_up(self) -> None:
        """What changed is followed, other clients stay; a file with mistakes changes nothing."""
        control = free_ports(8)
        self.write(control, control + 5)
        gateway = self.start(None, "--config", str(self.file), control=control)

        def ports() -> dict[str, int]:
            return {name: row["tcp_port"] for name, row in gateway.nodes(3).items()}

        def wait_for_ports(question: Callable[[dict[str, int]], bool]) -> dict[str, int]:
            return wait_until(lambda: now if question(now := ports()) else None, "the ports")

        before = wait_for_ports(lambda now: now["ECHO"] == control + 6)
        self.assertEqual(before["METER"], control + 5)
        with (
            socket.create_connection(("127.0.0.1", control + 6), timeout=10) as echo,
            socket.create_connection(("127.0.0.1", control + 5), timeout=10) as meter,
        ):
            meter.recv(1)
            self.write(control, control + 7)
            gateway.process.send_signal(signal.SIGHUP)
            after = wait_for_ports(lambda now: now["METER"] == control + 7)
            self.assertEqual(after, {**before, "METER": control + 7})
            while meter.recv(1000):
                pass
            self.write(control, 0, "colour = 'blue'")
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_for("The configuration has mistakes: nothing was changed.")
            self.assertIn("colour", gateway.output)
            self.assertEqual(ports(), after)
            echo.sendall(b"still here")
            self.assertEqual(echo.recv(100), b"still here")
        self.assertNotIn("Traceback", gateway.output)
