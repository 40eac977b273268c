"""The real program as a service: what it tells its manager, what its journal is like, `--check`."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import ROOT
from tests.system.forked import ZBGATE
from tests.system.support import (
    PATIENCE,
    QUICK,
    Gateway,
    Program,
    free_ports,
    is_listening,
    wait_until,
)
from zbtwist.app.command import CONFIG_ERROR
from zbtwist.store.store import Store


class Manager:
    """A service manager: the environment that it gives, and what it is told."""

    def __init__(self, case: SynchronousTestCase, **environment: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="zbtwist-test-")
        path = os.path.join(self._directory.name, "notify")
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(path)
        self._end.settimeout(PATIENCE)
        case.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": path, **environment})
        case.addCleanup(self._directory.cleanup)
        case.addCleanup(self._end.close)

    def wait_for(self, value: str) -> list[str]:
        """Return what it is told until a value begins so."""
        told: list[str] = []
        while not any(line.startswith(value) for line in told):
            told += self._end.recv(4096).decode().splitlines()
        return told


class NotifyTests(SynchronousTestCase):
    def start(self, *arguments: str) -> Gateway:
        gateway = Gateway(*arguments, program=ZBGATE)
        self.addCleanup(gateway.stop)
        return gateway

    def test_its_life(self) -> None:
        """Ready with its ports open, alive, in words, and at its end."""
        manager = Manager(self, WATCHDOG_USEC="200000")
        gateway = self.start(QUICK)
        told = manager.wait_for("READY=1")
        self.assertTrue(is_listening(gateway.control))
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        if not any(line.startswith("STATUS=The radio on sim:") for line in told):
            manager.wait_for("STATUS=The radio on sim:")
        gateway.process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        self.assertEqual(gateway.finish()[0], 0)

    def test_radio_that_is_not_there(self) -> None:
        """The gateway is ready and alive all the same."""
        manager = Manager(self, WATCHDOG_USEC="200000")
        self.start("/dev/zbtwist-test-none")
        told = manager.wait_for("READY=1") + manager.wait_for("WATCHDOG=1")
        if not any("No radio on /dev/zbtwist-test-none" in line for line in told):
            manager.wait_for("STATUS=No radio on /dev/zbtwist-test-none")

    def test_halted(self) -> None:
        """It says nothing while it does not turn: that is what the watchdog is for. When it is
        ended so, it says where it was.
        """
        manager = Manager(self, WATCHDOG_USEC="100000")
        gateway = self.start(QUICK)
        manager.wait_for("WATCHDOG=1")
        gateway.process.send_signal(signal.SIGABRT)
        status, output = gateway.finish()
        self.assertEqual(status, -signal.SIGABRT)
        self.assertIn("Fatal Python error: Aborted", output)
        self.assertIn("in main", output)

    def test_reload(self) -> None:
        manager = Manager(self)
        with tempfile.TemporaryDirectory(prefix="zbtwist-test-") as directory:
            path = Path(directory) / "zbtwist.toml"
            path.write_text("retries = 5\n")
            gateway = self.start(QUICK, "--config", str(path))
            manager.wait_for("READY=1")
            for text in ("retries = 4\n", "retries = many\n"):
                path.write_text(text)
                gateway.process.send_signal(signal.SIGHUP)
                told = manager.wait_for("RELOADING=1")
                self.assertTrue(told[-1].startswith("MONOTONIC_USEC="), told)
                manager.wait_for("READY=1")
            gateway.wait_for("nothing was changed")


class JournalTests(SynchronousTestCase):
    def run_with_journal(self, *arguments: str, until: str = "") -> tuple[int, list[str]]:
        """Run zbgate with a pipe for stdout and stderr that it takes for the journal.

        @param until: what ends it, by SIGTERM.
        @return: the exit status, and the lines.
        """
        reading, writing = os.pipe()
        status = os.fstat(writing)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}",
        }
        process = subprocess.Popen(
            [sys.executable, *ZBGATE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            env=environment,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(writing)
        lines = []
        with open(reading) as journal:
            for line in journal:
                lines.append(line.rstrip("\n"))
                if until and until in line:
                    process.terminate()
        return process.wait(PATIENCE), lines

    def test_levels(self) -> None:
        first = free_ports(8)
        status, lines = self.run_with_journal(
            *("--serial", "/dev/zbtwist-test-none", "--state", ":memory:"),
            *("--control", str(first), "--base-port", str(first + 1)),
            until="No radio on",
        )
        # The radio may have been looked for before the reactor heeds signals.
        self.assertIn(status, (0, -signal.SIGTERM))
        self.assertRegex(lines[0], r"^<6>Open http://\S+ in a browser\.$")
        (warning,) = (line for line in lines if "No radio on" in line)
        self.assertTrue(warning.startswith("<4>No radio on /dev/zbtwist-test-none"), warning)
        for line in lines:
            self.assertRegex(line, "^<[2-7]>")

    def test_mistakes(self) -> None:
        """What ends the start stands out."""
        status, lines = self.run_with_journal("--serial", "sim:", "--baud", "fast")
        self.assertEqual(status, CONFIG_ERROR)
        self.assertTrue(lines[0].startswith("<2>zbgate: --baud"), lines)
        status, lines = self.run_with_journal("--serial", "sim:", "--state", "/dev/null")
        self.assertEqual(status, 1)
        self.assertEqual(lines, ["<2>zbgate: /dev/null is not a file: name a file with --state."])


class DowngradeTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """A state file of a later version is left as it is, and no port is given."""
        directory = tempfile.TemporaryDirectory(prefix="zbtwist-test-")
        self.addCleanup(directory.cleanup)
        state = Path(directory.name) / "state.sqlite3"
        Store(str(state)).open().close()
        with closing(sqlite3.connect(state)) as later:
            later.execute("PRAGMA user_version=99")
        before = state.read_bytes()
        gateway = Gateway(QUICK, "--state", str(state), program=ZBGATE)
        self.addCleanup(gateway.stop)
        status, output = gateway.finish()
        self.assertEqual(status, 1)
        self.assertIn("was written by a later version of zbtwist (schema 99", output)
        self.assertEqual(state.read_bytes(), before)
        self.assertEqual(os.listdir(directory.name), [state.name])


class CheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="zbtwist-test-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.state = self.directory / "state.sqlite3"

    def check(self, *arguments: str) -> tuple[int, str]:
        program = Program(*ZBGATE, "--check", "--state", str(self.state), *arguments)
        self.addCleanup(program.stop)
        return program.finish()

    def test_in_order(self) -> None:
        status, output = self.check("--serial", QUICK)
        self.assertEqual(status, 0, output)
        self.assertIn("Configuration: in order", output)
        self.assertIn("Nodes: 3 answered.", output)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_no_radio(self) -> None:
        status, output = self.check("--serial", "/dev/zbtwist-test-none")
        self.assertEqual(status, 1, output)
        self.assertIn("Radio: none on /dev/zbtwist-test-none: There is no serial port", output)

    def test_mistakes(self) -> None:
        status, output = self.check("--serial", QUICK, "--baud", "fast")
        self.assertEqual(status, CONFIG_ERROR)
        self.assertIn("zbgate: --baud", output)

    def test_beside_a_gateway(self) -> None:
        """Neither its state nor its radio is touched."""
        gateway = Gateway(QUICK, "--state", str(self.state), program=ZBGATE)
        self.addCleanup(gateway.stop)
        gateway.nodes(3)
        status, output = self.check("--serial", QUICK)
        self.assertEqual(status, 0, output)
        self.assertIn(f"State: {self.state} is in use: a gateway runs with it.", output)
        self.assertIn("Radio: not looked for", output)
        wait_until(lambda: gateway.api.status()["link"] == "up", "the gateway is as it was")

    def test_interrupted(self) -> None:
        """It does not look as if all were in order; and nothing is left for the interpreter."""
        program = Program(*ZBGATE, "--check", "--serial", "sim:nt=25", "--state", ":memory:")
        self.addCleanup(program.stop)
        program.wait_for("searching")
        program.process.send_signal(signal.SIGTERM)
        status, output = program.finish()
        self.assertEqual(status, 1)
        self.assertEqual(output.splitlines()[-1], "Nodes: searching for 25 s.")
