"""The command lines of the documentation, pasted line by line into a real shell.

Each page has a world of its own: a simulated network behind a link that stands for the serial port,
a home, ports of its own, and a `zbgate` and `zbctl` on the path. Its literal blocks are commands,
unless `Page` says otherwise; a gateway that a line starts runs on under the lines behind it, as in
another terminal.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import signal
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.clock import Clock
from tests.pages import (
    DOCS,
    ESCAPE,
    ROOT,
    Block,
    blocks_of,
    commands_of,
    dialogue_of,
    is_dialogue,
)
from tests.support import left_out, present
from tests.system.support import PATIENCE, Program, free_ports, wait_until
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.options import SimulatorOptions

BIN = Path(sys.executable).parent
LIST_PORTS = DOCS / "examples" / "list_ports.py"

#: The serial port of the pages, and what else of a computer they name.
PORT = "/dev/ttyUSB0"
BY_ID = "/dev/serial/by-id"

#: Whose ports they are in the pages.
DOCUMENTED_PORTS = {27001: "METER", 27002: "SENSOR", 27003: "ECHO"}
CONTROL = 27000


@dataclass(frozen=True, slots=True)
class Until:
    """A program that runs until it is stopped.

    @ivar seen: what it says when it works, a regular expression.
    @ivar typed: what is typed when that was seen.
    """

    seen: str
    typed: str = "\x03"


#: A gateway: started by a line, and stopped before the next one that starts one.
GATEWAY = re.compile(r"(\S*/)?zbgate\b")


@dataclass(frozen=True, slots=True)
class Page:
    """
    @ivar path: which page.
    @ivar texts: the first lines of blocks that are no commands.
    @ivar elsewhere: lines that are not run here, with the reason.
    @ivar until: lines that start what runs until it is stopped.
    @ivar is_running: a gateway runs from the beginning.
    @ivar replaced: what else stands for something that is not here.
    """

    path: Path
    texts: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    until: Mapping[str, Until] = field(default_factory=dict)
    is_running: bool = False
    replaced: Mapping[str, str] = field(default_factory=dict)


HARDWARE = Page(
    DOCS / "hardware.rst",
    elsewhere={
        "sudo usermod -a -G dialout $USER": "changes the users of the computer",
        "sudo systemctl disable --now ModemManager": "changes the services of the computer",
        "cat /sys/bus/usb-serial/devices/ttyUSB0/latency_timer": "a pseudoterminal has no chip",
    },
    until={
        "~/zbtwist-env/bin/python -m serial.tools.miniterm --eol CR /dev/ttyUSB0 9600": Until(
            "Miniterm on", "\x1d"
        ),
        # A packet of the meter.
        "nc 127.0.0.1 27001": Until("\xfe\xff"),
    },
)

ZBCTL = Page(
    DOCS / "zbctl.rst",
    elsewhere={
        'eval "$(_ZBCTL_COMPLETE=zsh_source zbctl)"': "for zsh",
    },
    until={
        "zbctl trace --frames on METER --follow": Until("received ReceivePacket from METER"),
        "zbctl watch METER": Until("  from  fe ff"),
    },
    is_running=True,
)

SETTINGS = Page(
    DOCS / "settings.rst",
    texts=("# Settings of METER (00:13:a2:00:40:0a:3e:01): XBee-PRO S2C TH with Zigbee 4060.",),
    is_running=True,
)

README = Page(
    ROOT / "README.rst",
    texts=(
        "serial device ── XBee )))   ((( XBee ── USB ── zbtwist ── TCP 27001 ── your program",
        "name    address                   port  state  type    device          last heard",
        "64-bit Address: 00:13:a2:00:40:0a:3e:03, NodeID: ECHO, TCP Port: 27003",
    ),
    elsewhere={
        "sudo apt install make python3-venv": "installs packages of the system",
        "make demo": "runs on the ports of the pages; tests.system.test_gateway runs the same",
        "make test": "tests of every room, by themselves",
        "make long": "this is part of it",
        "make browser": "tests of the page in a browser, by themselves",
        "pipx install .": "installs into the user's home; .ci/packaging.py installs the wheel",
        "python3 -m venv ~/zbtwist-env": "this environment stands for it",
        "~/zbtwist-env/bin/pip install .": "the same",
    },
    until={
        "zbctl trace --follow": Until("METER"),
        "zbctl trace --frames on --follow METER": Until("received ReceivePacket from METER"),
    },
    is_running=True,
    replaced={
        ".venv/bin/zbctl": "zbctl",
        "docs/examples/list_ports.py": shlex.quote(str(LIST_PORTS)) + " {url}RPC2",
        " 5000": " {spare}",
        " 5001": " {spare2}",
    },
)


class World:
    """A computer with a radio, as a page has it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._directory = tempfile.mkdtemp(prefix="zbtwist-docs-")
        self.control = free_ports(10)
        self.url = f"http://127.0.0.1:{self.control}/"
        self._link = os.path.join(self._directory, "ttyUSB0")
        self._radio: Program | None = None
        self._gateway: Session | None = None
        self._environment = self._make_home()
        self.plug_in()

    def _make_home(self) -> dict[str, str]:
        home = Path(self._directory, "home")
        path = Path(self._directory, "bin")
        by_id = Path(self._directory, "by-id")
        installed = home / "zbtwist-env" / "bin"
        completions = home / ".config" / "fish" / "completions"
        for directory in (home, path, by_id, installed, completions):
            directory.mkdir(parents=True)
        (by_id / "usb-FTDI-if00-port0").symlink_to(self._link)
        # Its ports and its state are not those of a gateway that runs here in earnest.
        options = f"--control {self.control} --base-port {self.control + 1}"
        program = shlex.quote(str(BIN / "zbgate"))
        self._write(path / "zbgate", f'exec {program} "$@" {options}\n')
        if shutil.which("nc") is None:
            self._write(path / "nc", f'exec {shlex.quote(sys.executable)} -c {NC} "$@"\n')
        if shutil.which("curl") is None:
            self._write(path / "curl", f'exec {shlex.quote(sys.executable)} -c {CURL} "$@"\n')
        # The environment that this runs in stands for the one of the pages.
        for program_file in BIN.iterdir():
            (installed / program_file.name).symlink_to(program_file)
        for rest in BIN.parent.iterdir():
            if rest != BIN:
                (installed.parent / rest.name).symlink_to(rest)
        (installed / "zbgate").unlink(missing_ok=True)
        (installed / "zbgate").symlink_to(path / "zbgate")
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        return {
            **kept,
            "HOME": str(home),
            "PATH": f"{path}:{BIN}:{os.environ['PATH']}",
            "STATE_DIRECTORY": self._directory,
            "ZBCTL_URL": f"{self.url}RPC2",
            "PYTHONUNBUFFERED": "1",
            "TERM": "dumb",
            "USER": "somebody",
        }

    @staticmethod
    def _write(path: Path, script: str) -> None:
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)

    def plug_in(self, api_mode: int = 1) -> None:
        """Have another radio at the port, as it was switched on."""
        if self._radio is not None:
            self._radio.stop()
        options = ("--nt", "0.5", "--interval", "0.5", "--api-mode", str(api_mode))
        self._radio = Program("-m", "zbtwist.simulator", "--link", self._link, *options)
        self._radio.wait_for("Stop with")

    def close(self) -> None:
        """Leave nothing behind."""
        self.stop_gateway()
        if self._radio is not None:
            self._radio.stop()
        shutil.rmtree(self._directory)

    # --- lines ---------------------------------------------------------------------------------

    def translate(self, line: str) -> str:
        """Return a line of the page as it is run here."""
        names = {
            "url": self.url,
            "spare": self.control + 8,
            "spare2": self.control + 9,
        }
        for text, replacement in self._page.replaced.items():
            line = line.replace(text, replacement.format(**names))
        line = line.replace(PORT, self._link).replace(BY_ID, os.path.join(self._directory, "by-id"))
        line = re.sub(rf"\b{CONTROL}\b", str(self.control), line)
        for number, name in DOCUMENTED_PORTS.items():
            if re.search(rf"\b{number}\b", line):
                line = re.sub(rf"\b{number}\b", str(self.nodes()[name]["tcp_port"]), line)
        return line

    def run(self, line: str) -> tuple[int, str]:
        """Run a line to its end; return its exit status and what it said."""
        session = Session(self.translate(line), self._environment)
        return session.finish(), session.output

    def begin(self, line: str) -> Session:
        """Begin a line that does not end by itself."""
        return Session(self.translate(line), self._environment)

    def start_gateway(self, line: str) -> Session:
        """Run a line that starts a gateway, in place of the one that runs."""
        self.stop_gateway()
        self.plug_in(0 if "--configure" in line else 1)
        self._gateway = self.begin(line)
        self._gateway.wait_for(r"is up: firmware", 2 * PATIENCE)
        self.nodes()
        return self._gateway

    def stop_gateway(self) -> None:
        """End the gateway as Control-C does."""
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            gateway.type("\x03")
            gateway.finish()
            assert "Traceback" not in gateway.output, gateway.output

    def nodes(self) -> dict[str, Any]:
        """Wait until the nodes of the pages are listed; return them by name."""

        def listed() -> dict[str, Any] | None:
            try:
                rows: Any = xmlrpc.client.ServerProxy(f"{self.url}RPC2").list()
            except OSError:
                return None
            known = {row["label"]: row for row in rows if row["tcp_port"]}
            return known if set(DOCUMENTED_PORTS.values()) <= set(known) else None

        gateway = present(self._gateway)
        return wait_until(listed, lambda: f"nodes in\n{gateway.output}")


#: What stands for nc where there is none: it connects, and says what comes until it is stopped.
NC = shlex.quote(
    "import os, signal, socket, sys, threading\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "s = socket.create_connection((sys.argv[-2], int(sys.argv[-1])))\n"
    "def say():\n"
    "    while data := os.read(0, 4096): s.sendall(data)\n"
    "    s.shutdown(socket.SHUT_WR)\n"
    "threading.Thread(target=say, daemon=True).start()\n"
    "while data := s.recv(4096): os.write(1, data)\n"
)


CURL = shlex.quote(
    "import sys, urllib.request\n"
    "print(urllib.request.urlopen(sys.argv[-1]).read().decode(), end='')\n"
)


class Session:
    """A line in a shell, at a terminal."""

    def __init__(self, line: str, environment: Mapping[str, str]) -> None:
        self.line = line
        self._data = b""
        child, self._terminal = pty.fork()
        if not child:
            try:
                os.chdir(environment["HOME"])
                os.execve("/bin/bash", ["bash", "--norc", "-c", line], dict(environment))
            finally:
                os._exit(127)
        self._process = child
        self._status: int | None = None

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._data.decode("latin-1")

    def _listen(self) -> bool:
        """Read what it says, for a moment; return whether it is still there."""
        if not select.select([self._terminal], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            # How a terminal ends.
            return False
        self._data += data
        return bool(data)

    def wait_for(self, pattern: str, patience: float = PATIENCE) -> None:
        """Wait until it has said that."""
        end = time.monotonic() + patience
        is_there = True
        while not re.search(pattern, self.output):
            if not is_there or time.monotonic() > end:
                self.kill()
                raise AssertionError(f"{self.line}: no {pattern!r} in\n{self.output}")
            is_there = self._listen()

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def finish(self) -> int:
        """Wait for its end; return its exit status, negative for a signal."""
        end = time.monotonic() + PATIENCE
        while self._listen():
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"{self.line}: does not end; it said\n{self.output}")
        _, status = os.waitpid(self._process, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """End it at once."""
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._terminal)


class PageTestCase(SynchronousTestCase):
    skip = left_out() or None

    def check(self, page: Page) -> None:
        """Paste the whole page."""
        self.page = page
        self.left = {*page.texts, *page.elsewhere, *page.until}
        blocks = blocks_of(page.path)
        if shutil.which("bash") is None:
            raise SkipTest("there is no bash here")
        world = World(page)
        self.addCleanup(world.close)
        if page.is_running:
            world.start_gateway(f"zbgate --serial {PORT}")
        run = 0
        for block in blocks:
            if block.language or self.is_text(block):
                continue
            if is_dialogue(block):
                self.check_dialogue(block)
                continue
            for command in commands_of(block):
                run += self.check_line(world, command.place, command.line)
        self.assertGreater(run, 0)
        self.assertEqual(self.left, set(), "is not on the page any more")

    def is_text(self, block: Block) -> bool:
        first = block.lines[0]
        if first not in self.page.texts:
            return False
        self.left.discard(first)
        return True

    def check_line(self, world: World, place: str, line: str) -> bool:
        """Run a line; return whether it was one that can be run here."""
        self.left.discard(line)
        if line in self.page.elsewhere:
            return False
        if GATEWAY.match(line):
            output = world.start_gateway(line).output
        elif line in self.page.until:
            until = self.page.until[line]
            session = world.begin(line)
            session.wait_for(until.seen)
            session.type(until.typed)
            session.finish()
            output = session.output
        else:
            status, output = world.run(line)
            self.assertEqual(status, 0, f"{place}: {line}\n{output}")
        self.assertNotIn("Traceback", output, f"{place}: {line}")
        return True

    def check_dialogue(self, block: Block) -> None:
        """Type the lines to a new radio: it answers each, with no error."""
        clock = Clock()
        heard: list[bytes] = []

        class Terminal(Protocol):
            def dataReceived(self, data: bytes) -> None:
                heard.append(data)

        options = SimulatorOptions(nodes=0, api_mode=0)
        connecting: Deferred[Any] = SimulatorEndpoint(clock, options).connect(
            Factory.forProtocol(Terminal)
        )
        clock.pump([0.1] * 15)
        transport: Any = self.successResultOf(connecting).transport
        for line in dialogue_of(block):
            heard.clear()
            transport.write(line.encode() + (b"" if line == ESCAPE else b"\r"))
            clock.pump([0.1] * 15)
            answer = b"".join(heard)
            self.assertRegex(answer, rb"^[^\r]+\r$", f"{block.place}: {line}")
            self.assertNotEqual(answer, b"ERROR\r", f"{block.place}: {line}")


class DocumentedCommands(PageTestCase):
    def test_hardware(self) -> None:
        self.check(HARDWARE)

    def test_zbctl(self) -> None:
        self.check(ZBCTL)

    def test_settings(self) -> None:
        self.check(SETTINGS)

    def test_readme(self) -> None:
        self.check(README)


class MistakeTests(PageTestCase):
    """A mistake on a page is found."""

    def check_mistake(self, block: str, words: str, **keywords: Any) -> None:
        path = Path(self.mktemp())
        path.write_text(f"It is::\n\n{block}\n")
        with self.assertRaises(self.failureException) as caught:
            self.check(Page(path, **keywords))
        self.assertIn(words, str(caught.exception))

    def test_remark_that_is_none(self) -> None:
        self.check_mistake(
            "    zbctl list                 # by name, or\n"
            "    zbctl bind METER 27005     by address\n",
            "27005     by address",
            is_running=True,
        )

    def test_wrong_setting(self) -> None:
        self.check_mistake("    +++\n    ATCE7    # what there is not\n", "ATCE7")

    def test_word_on_what_is_gone(self) -> None:
        self.check_mistake("    true\n", "sudo reboot", elsewhere={"sudo reboot": "no"})
