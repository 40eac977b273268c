"""zbctl as a program, against the real gateway on `sim:`."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import ROOT
from tests.support import left_out
from tests.system.forked import ZBCTL, run
from tests.system.support import (
    PATIENCE,
    PROMPT,
    QUICK,
    Gateway,
    Program,
    echo,
    free_ports,
    is_listening,
    wait_until,
)


def at_rest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of list() without what changes by itself."""
    moving = ("last_seen", "health", "health_text", "health_since", "signal", "hops")
    return [{**row, **dict.fromkeys(moving)} for row in rows]


class CtlTestCase(SynchronousTestCase):
    def start(self, *arguments: str) -> Gateway:
        self.gateway = Gateway(*arguments)
        self.addCleanup(self.gateway.stop)
        return self.gateway

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        return {**kept, "PYTHONPATH": str(ROOT), "ZBCTL_URL": self.gateway.url, **more}

    def run_zbctl(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        if environment:
            # Python looks into it as well when it starts.
            result = subprocess.run(
                [sys.executable, *ZBCTL, *arguments],
                env=self.environment(**environment),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        else:
            result = run((*ZBCTL, *arguments), self.environment(), PATIENCE)
        self.assertNotIn("Traceback", result.stderr)
        return result

    def done(self, *arguments: str, **environment: str) -> str:
        """Run it well; return what it printed."""
        result = self.run_zbctl(*arguments, **environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def answers_well(self, *arguments: str) -> bool:
        """Run it; return whether it went well."""
        result = self.run_zbctl(*arguments)
        return (result.returncode, result.stderr) == (0, "")

    def answer(self, *arguments: str) -> Any:
        """Run it well with --json; return what it printed."""
        return json.loads(self.done(*arguments, "--json"))

    def refused(self, *arguments: str) -> str:
        """Run it against the gateway's will; return the sentence."""
        result = self.run_zbctl(*arguments)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.count("\n"), 1)
        return result.stderr


class EveryCommand(CtlTestCase):
    """Each command once, on a network of three nodes."""

    skip = left_out() or None

    def setUp(self) -> None:
        self.nodes = self.start(QUICK).nodes(3)

    def test_reading(self) -> None:
        self.assertEqual(at_rest(self.answer("list")), at_rest(self.gateway.api.list()))
        listed = self.done("list", COLUMNS="80")
        for label, row in self.nodes.items():
            (line,) = (line for line in listed.splitlines() if line.startswith(f"{label} "))
            self.assertIn(row["addr_extended"].strip("[]!"), line)
            self.assertIn(str(row["tcp_port"]), line)
        self.assertEqual(
            {row["label"] for row in self.answer("discover")}, {"METER", "SENSOR", "ECHO"}
        )
        self.assertIn("SENSOR", self.done("temperatures"))
        self.assertEqual(self.answer("status")["nodes"], 3)
        self.assertIn("link", self.done("status"))
        self.assertEqual(self.answer("at", "radio", "NT"), {"type": "int", "value": 3})
        self.assertEqual(self.done("at", "ECHO", "NI"), "ECHO\n")

    def test_counting(self) -> None:
        self.assertEqual(echo(self.nodes["ECHO"]["tcp_port"], b"x" * 100), b"x" * 100)
        counted = {row["label"]: row for row in self.answer("stats")}["ECHO"]
        self.assertEqual((counted["bytes_in"], counted["bytes_out"]), (100, 100))
        self.assertIn("ECHO", self.done("stats"))

    def test_one_node(self) -> None:
        """Shown, watched, and its clients listed and disconnected, by the real program."""
        port = self.nodes["ECHO"]["tcp_port"]
        watcher = Program(*ZBCTL, "--url", self.gateway.url, "watch", "ECHO")
        self.addCleanup(watcher.stop)
        watcher.wait_until_asleep()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(PATIENCE)

            def is_watched() -> bool:
                # It may not have begun yet.
                client.sendall(b"hello")
                self.assertEqual(client.recv(5, socket.MSG_WAITALL), b"hello")
                return "  to    hello" in watcher.output and "  from  hello" in watcher.output

            wait_until(is_watched, lambda: watcher.output)
            peer = "{}:{}".format(*client.getsockname())
            self.assertIn(peer, self.done("clients", "ECHO"))
            self.assertIn(peer, self.done("show", "ECHO"))
            self.done("disconnect", peer)
            with self.assertRaises(ConnectionResetError):
                client.recv(1)
        watcher.process.send_signal(signal.SIGINT)
        self.assertEqual(watcher.finish()[0], 130)
        self.assertIn("no client", self.refused("disconnect", peer))
        row = self.answer("show", "ECHO")
        self.assertEqual(row["clients"], [])
        self.assertEqual(row["stats"]["bytes_in"], row["stats"]["bytes_out"])
        self.assertIn(row["health"], ("ok", "unknown"))
        self.assertIn("disconnected by hand", self.done("trace", "ECHO"))
        self.assertNotIn("METER", self.done("trace", "ECHO"))
        self.assertEqual(len(self.done("list", "--csv").splitlines()), 4)
        self.assertIn("as they should be", self.done("list", "--problems", "--sort", "state"))

    def test_binding(self) -> None:
        first, second, third = (row["tcp_port"] for row in self.nodes.values())
        one = free_ports(3)
        other, taken = one + 1, one + 2
        labels = list(self.nodes)
        self.done("bind", labels[0], str(one))
        self.assertTrue(is_listening(one))
        self.assertFalse(is_listening(first))
        self.done("unbind", labels[1])
        self.assertFalse(is_listening(second))
        self.done("bind", labels[1], str(other), labels[0], str(first))
        self.assertTrue(is_listening(other) and is_listening(first))
        before = self.answer("list")
        with socket.create_server(("127.0.0.1", taken)):
            for row in (("NOBODY", "5"), (labels[2], str(first)), (labels[2], str(taken))):
                self.refused("bind", labels[1], str(one), *row)
                self.assertFalse(is_listening(one))
                self.assertTrue(is_listening(other) and is_listening(third))
        self.assertEqual(at_rest(before), at_rest(self.answer("list")))

    def test_writing(self) -> None:
        self.done("rename", "ECHO", "Küche 2")
        self.assertIn("Küche 2", {row["label"] for row in self.answer("list")})
        self.assertEqual(self.done("at", "Küche 2", "ni"), "Küche 2\n")
        self.assertIn("ECHO", self.refused("at", "ECHO", "NI"))
        self.assertIn("ZZ", self.refused("at", "METER", "ZZ"))

    def test_settings(self) -> None:
        """Saved, compared, applied, and handed on to a successor, by the real program."""
        # All nodes were switched on with the gateway: what is set before they say so is taken for
        # lost.
        wait_until(
            lambda: sum("was switched on" in event["text"] for event in self.answer("trace")) == 3,
            "all nodes have said that they were switched on",
        )
        with tempfile.TemporaryDirectory() as directory:
            path, profile = f"{directory}/echo.toml", f"{directory}/echo.xml"
            self.done("at", "ECHO", "D1", "3")
            self.assertRegex(self.done("at", "ECHO"), r"(?m)^D1 +3  digital input +not in flash ")
            self.done("settings", "save", "ECHO", path)
            self.done("settings", "save", "ECHO", profile)
            self.assertIn("digital input", self.done("settings", "diff", "METER", path))
            self.assertIn("is as", self.done("settings", "diff", "ECHO", profile))
            self.assertIn("XBee S2", self.refused("settings", "apply", path, "SENSOR"))
            self.assertIn("METER has D1", self.done("settings", "apply", path, "METER", "--write"))
            self.assertNotIn("not in flash", self.done("settings", "show", "METER"))
            asked = self.refused("at", "ECHO", "SM", "4")
            self.assertIn("--yes", asked)
        self.assertIn("XBee S2", self.refused("replace", "ECHO", "SENSOR"))
        self.done("at", "ECHO", "D2", "2")
        port = self.nodes["ECHO"]["tcp_port"]
        self.assertIn(f"at port {port} now", self.done("replace", "ECHO", "METER"))
        rows = {row["tcp_port"]: row for row in self.answer("list")}
        self.assertEqual(rows[port]["label"], "ECHO")
        self.assertEqual(rows[port]["addr_extended"], self.nodes["METER"]["addr_extended"])
        self.assertEqual(self.answer("at", self.nodes["METER"]["addr_extended"], "D2")["value"], 2)

    def test_doing(self) -> None:
        self.done("identify", "ECHO")
        tested = self.answer("test", "ECHO", "--count", "3", "--size", "84")
        self.assertEqual((tested["sent"], tested["received"]), (3, 3))
        self.assertIn("10 of 10 packets came back", self.done("test", "METER"))
        self.assertIn("no node", self.refused("test", "NOBODY").lower())
        self.assertIn("at all times", self.done("permit-join"))
        self.done("restart", "ECHO")
        # It answers until it restarts, a moment later, and again when it is back.
        wait_until(lambda: self.answers_well("leave", "ECHO"), "it is back")

    def test_lines(self) -> None:
        self.assertEqual(self.done("io", "ECHO", "--known"), "Nothing is known of ECHO.\n")
        shown = self.done("io", "SENSOR")
        self.assertIn("AD2", shown)
        self.assertIn("mV", shown)
        self.assertIn("off", self.refused("io", "ECHO", "D1", "high"))
        self.assertIn("--make-output", self.refused("io", "ECHO", "D1", "high"))
        self.assertEqual(
            self.done("io", "ECHO", "D1", "high", "--make-output"), "DIO1 of ECHO is high now.\n"
        )
        self.assertEqual(self.done("io", "ECHO", "DIO1", "low"), "DIO1 of ECHO is low now.\n")
        self.assertEqual(self.done("at", "ECHO", "D1"), "4  0x4\n")
        self.assertIn("serial line", self.refused("io", "ECHO", "DOUT", "low", "--make-output"))
        lines = {row["name"]: row for row in self.answer("io", "ECHO")}
        self.assertEqual((lines["DIO1"]["text"], lines["DIO1"]["output"]), ("low", True))

    def test_control_c_in_a_test(self) -> None:
        """The gateway sends nothing more for it."""
        tester = Program(*ZBCTL, "--url", self.gateway.url, "test", "ECHO", "--count", "1000")
        self.addCleanup(tester.stop)
        wait_until(lambda: self.gateway.api.test_result("ECHO")["sent"] > 3, "it tests")
        tester.process.send_signal(signal.SIGINT)
        self.assertEqual(tester.finish()[0], 130)
        wait_until(lambda: not self.gateway.api.test_result("ECHO")["running"], "it has ended")
        self.assertLess(self.gateway.api.test_result("ECHO")["sent"], 1000)

    def test_tracing(self) -> None:
        events = self.answer("trace")
        self.assertEqual([event["seq"] for event in events], list(range(1, len(events) + 1)))
        follower = Program(*ZBCTL, "--url", self.gateway.url, "trace", "--follow")
        self.addCleanup(follower.stop)
        follower.wait_for(events[-1]["text"])
        self.done("unbind", "ECHO")
        last = self.answer("trace", "--since", str(events[-1]["seq"]))[-1]
        follower.wait_for(last["text"])
        follower.wait_until_asleep()
        follower.process.send_signal(signal.SIGINT)
        status, output = follower.finish()
        self.assertEqual(status, 130)
        self.assertNotIn("Traceback", output)


class Surroundings(CtlTestCase):
    """Terminals, pipes, shells, and a gateway that is away."""

    def test_a_terminal(self) -> None:
        self.start("sim:nodes=2:kinds=echo:nt=1.5")
        self.gateway.nodes(2)
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen(
            [sys.executable, *ZBCTL, "discover"],
            env=self.environment(TERM="xterm"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        screen = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            screen += piece
        self.assertEqual(process.wait(PATIENCE), 0)
        # How many nodes it counts meanwhile depends on when it asks: see tests.cli.test_main.
        progress, _, table = screen.decode().partition("address")
        self.assertIn("Searching", progress)
        self.assertNotIn("Searching", table)
        self.assertEqual(table.count("00:13:a2:00:"), 2)

    def test_control_c_in_a_search(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"127.0.0.1:{silent.getsockname()[1]}"
            search = Program(*ZBCTL, "--url", url, "discover")
            self.addCleanup(search.stop)
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                self.assertIn(b"POST /RPC2", connection.recv(100))
                search.wait_until_asleep()
                self.assertLess(search.stop(signal.SIGINT), PROMPT)
        self.assertEqual((search.process.returncode, search.output.strip()), (130, ""))

    def test_pipes_and_shells(self) -> None:
        self.start(QUICK)
        self.gateway.nodes(3)
        # A terminal that knows no ellipsis.
        output = self.done("list", COLUMNS="65", PYTHONIOENCODING="ascii")
        self.assertTrue(output.isascii())
        # A reader that has seen enough.
        command = f"{sys.executable} {' '.join(ZBCTL)} list --json | true"
        result = subprocess.run(
            command, shell=True, env=self.environment(), capture_output=True, timeout=PATIENCE
        )
        self.assertNotIn(b"Traceback", result.stderr)
        # What bash asks when Tab is pressed.
        offered = self.done(
            _ZBCTL_COMPLETE="bash_complete", COMP_WORDS="zbctl unbind E", COMP_CWORD="2"
        )
        self.assertEqual(offered, "plain,ECHO\n")

    def test_no_gateway(self) -> None:
        self.start(QUICK)
        self.gateway.stop()
        result = self.run_zbctl("list")
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn(
            f"No gateway answers at {self.gateway.url} (Connection refused).", result.stderr
        )
        offered = self.done(
            _ZBCTL_COMPLETE="bash_complete", COMP_WORDS="zbctl unbind E", COMP_CWORD="2"
        )
        self.assertEqual(offered.strip(), "")
