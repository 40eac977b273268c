"""Real programs for the system tests: started, watched, asked and stopped."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import xmlrpc.client
from collections.abc import Callable
from functools import cache, partial
from glob import glob
from pathlib import Path
from typing import Any, TypeVar

from tests.system.forked import TWISTD, ZBCTL, ZBGATE, Forked, environment

T = TypeVar("T")

#: Seconds that anything here may take; what holds takes a fraction of it, but for where a dozen
#: programs start at once beside other tests.
PATIENCE = 60.0

#: Seconds within which a program must end. What waits for a client or a timeout takes longer, and
#: what does not a fraction of it, also on a computer that has much to do.
PROMPT = 10.0


#: A network that is found quickly.
QUICK = "sim:nt=0.3:interval=0.2:node_baud=230400"


def wait_until(
    question: Callable[[], T | None],
    what: str | Callable[[], str],
    patience: float = PATIENCE,
) -> T:
    """Ask again and again until the answer is true; return it.

    @param what: what is waited for; a function is asked when that is in vain.
    """
    end = time.monotonic() + patience
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            said = what if isinstance(what, str) else what()
            raise AssertionError(f"{said}: not within {patience:g} s")
        time.sleep(0.01)


#: Where those that run tests at the same time say which ports are theirs: a byte for each.
_CLAIMS = Path(tempfile.gettempdir(), f"zbtwist-test-ports-{os.getuid()}")

#: Ports are claimed by so many in a row. They are below those that the system gives to outgoing
#: connections, which come and go, and above those that browsers do not open, the last of which is
#: 10080.
_BLOCK = 1000
_FIRST, _LAST = 11_000, 32_000


@cache
def _claims() -> int:
    """The file, which stays open, since what is claimed is let go with it."""
    return os.open(_CLAIMS, os.O_RDWR | os.O_CREAT, 0o600)


def _claim(count: int) -> range:
    """Have blocks with so many ports for this process, until it ends."""
    blocks = -(-count // _BLOCK)
    firsts = [*range(_FIRST, _LAST - blocks * _BLOCK + 1, _BLOCK)]
    random.shuffle(firsts)
    for first in firsts:
        with contextlib.suppress(OSError):
            fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, blocks * _BLOCK, first)
            # The system lets a process have again what it has.
            if not any(first < had.stop and had.start < first + blocks * _BLOCK for had in _had):
                _had.append(range(first, first + blocks * _BLOCK))
                return _had[-1]
    raise AssertionError("no free ports")


#: What this process has claimed; and of the last of them, what was not given yet.
_had: list[range] = []
_rest = range(0)


def _are_free(ports: range) -> bool:
    try:
        for number in ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", number))
    except OSError:
        return False
    return True


def free_ports(count: int) -> int:
    """Return the first of `count` TCP ports in a row that are free now, and that nobody else is
    given who runs tests at the same time.
    """
    global _rest
    if count > _BLOCK // 2:
        # It may be that somebody else has some of them, who claims none.
        return next(one.start for one in iter(partial(_claim, count), None) if _are_free(one))
    for _ in range(100 * _BLOCK // count):
        if len(_rest) < count:
            # From its beginning again: what was given then is mostly free.
            _rest = _had[0] if _had else _claim(count)
        ports, _rest = _rest[:count], _rest[count:]
        if _are_free(ports):
            return ports.start
        if len(_rest) < count:
            time.sleep(0.01)
    raise AssertionError("no free ports")


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on that port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_listening_at(path: str) -> bool:
    """Whether somebody accepts connections at that Unix socket.

    That it exists does not say so: it is bound before it listens.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def echo(port: int, data: bytes) -> bytes:
    """Send `data` to an echo node; return what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()
        received = b""
        while len(received) < len(data):
            received += connection.recv(65536) or b"CLOSED" * len(data)
    return received


def find_python2() -> str | None:
    """Return a Python 2.7 that really runs (a version manager's stand-in may not), or None."""
    candidates = [
        shutil.which("python2.7"),
        shutil.which("python2"),
        *glob(os.path.expanduser("~/.pyenv/versions/2.7.*/bin/python2.7")),
    ]
    for candidate in candidates:
        if candidate and subprocess.run([candidate, "-V"], capture_output=True).returncode == 0:
            return candidate
    return None


class Program:
    """A program with the project on its path, in a directory of its own."""

    def __init__(
        self, *arguments: str, directory: str | None = None, is_forked: bool = True
    ) -> None:
        """
        @param is_forked: one of ours begins as a copy of one that has brought in everything. What
            is tested must not be the start itself.
        """
        self.directory = directory or tempfile.mkdtemp(prefix="zbtwist-test-")
        self.process: Forked | subprocess.Popen[str]
        if is_forked and arguments[:2] in (TWISTD, ZBGATE, ZBCTL):
            self.process = Forked(arguments, self.directory, environment())
        else:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.directory,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return "".join(self._lines)

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until it has printed `text`."""
        wait_until(lambda: text in self.output, lambda: f"{text!r} in\n{self.output}", patience)

    def wait_until_asleep(self) -> None:
        """Wait until it waits for something itself, on a system that tells.

        Python's HTTP client raises an exception of its own if a signal comes at a wrong moment.
        """
        stat = Path(f"/proc/{self.process.pid}/stat")
        if stat.exists():
            wait_until(lambda: stat.read_text().rpartition(") ")[2][0] == "S", "it sleeps")

    def finish(self) -> tuple[int, str]:
        """Wait for its end; return exit status and output."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status, self.output

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal and wait; return the seconds that it took to end."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.finish()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return time.monotonic() - began


class Gateway(Program):
    """`twistd -n zbgate` on free ports, or another program with the same options."""

    def __init__(
        self,
        serial: str | None,
        *options: str,
        twistd: tuple[str, ...] = ("-n",),
        control: int | None = None,
        program: tuple[str, ...] | None = None,
        is_forked: bool = True,
    ) -> None:
        """
        @param serial: where the radio is; None if a configuration file says it all.
        @param twistd: the options of twistd.
        @param program: what is run in place of twistd.
        @param control: the control port, if it is not to be a free one.
        @param is_forked: see `Program`.
        """
        self.control = control or free_ports(8)
        self.base_port = self.control + 1
        said = (
            *("--serial", str(serial), "--control", str(self.control)),
            *("--base-port", str(self.base_port), "--state", ":memory:"),
        )
        super().__init__(
            *(program or (*TWISTD, *twistd, "zbgate")),
            *(said if serial is not None else ()),
            *options,
            is_forked=is_forked,
        )
        self.url = f"http://127.0.0.1:{self.control}/RPC2"

    @property
    def api(self) -> Any:
        """The control API."""
        return xmlrpc.client.ServerProxy(self.url)

    def nodes(self, count: int) -> dict[str, dict[str, Any]]:
        """Wait until so many nodes have names and ports; return them by name."""

        def listed() -> dict[str, dict[str, Any]] | None:
            try:
                rows = self.api.list()
            except ConnectionRefusedError:
                assert self.process.poll() is None, self.output
                return None
            known = {row["label"]: row for row in rows if row["label"] and row["tcp_port"]}
            return known if len(known) == count else None

        return wait_until(
            listed, lambda: f"{count} nodes with names and ports; log:\n{self.output}"
        )
