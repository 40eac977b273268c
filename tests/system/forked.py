"""Programs that begin as copies of one that has brought in everything.

To bring it in is most of what a short-lived gateway does, and the tests have hundreds of them. So a
process of its own (`_serve`) brings it in once, and forks whenever a program is to begin. From
there on it is the real program, in a process of its own. What is about the start itself does not
begin so: see `tests.system.support.Program`.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from io import FileIO, TextIOWrapper
from tempfile import TemporaryFile
from typing import TextIO

from tests.pages import ROOT

#: What runs `twistd`, with its own options and `zbgate` to follow.
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")
ZBGATE = ("-m", "zbtwist")
ZBCTL = ("-m", "zbtwist.cli.main")

#: What these come to, and what a gateway needs sooner or later beside.
_MAIN = {
    TWISTD: "twisted.scripts.twistd:run",
    ZBGATE: "zbtwist.__main__:main",
    ZBCTL: "zbtwist.cli.main:main",
}
_BESIDE = ("zbtwist.app.command", "zbtwist.fleet.endpoint", "zbtwist.simulator.endpoint")

#: Bytes of an order: arguments and environment.
_MAX_ORDER = 1 << 18


def environment() -> dict[str, str]:
    """Return that of a program with the project on its path, which is to be read as it prints."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


class Forked:
    """A program, as `subprocess.Popen` has it.

    @ivar stdout: what it prints, errors included, if that goes nowhere else.
    @ivar returncode: as that of `Popen`; None while it runs.
    """

    stdout: TextIO

    def __init__(
        self,
        arguments: Sequence[str],
        directory: str,
        environment: Mapping[str, str],
        prints: tuple[int, int] | None = None,
    ) -> None:
        """
        @param arguments: those of Python: one of the programs above, and its own.
        @param prints: descriptors of where it prints, and its errors; None for `stdout`.
        """
        self.args = list(arguments)
        self.returncode: int | None = None
        order = {"arguments": self.args, "directory": directory, "environment": dict(environment)}
        self._status, its_status = os.pipe()
        mine = [its_status]
        if prints is None:
            output, its_output = os.pipe()
            self.stdout = os.fdopen(output, encoding="utf-8", errors="replace")
            mine.append(its_output)
            prints = its_output, its_output
        try:
            self.pid = _forker().begin(json.dumps(order).encode(), [*prints, its_status])
        finally:
            for descriptor in mine:
                os.close(descriptor)

    def poll(self) -> int | None:
        """Return its exit status; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit status.

        @param timeout: seconds to wait at the most.
        @raise subprocess.TimeoutExpired: it is still there then.
        """
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = int(os.read(self._status, 16))
            os.close(self._status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `subprocess.run` does.

    @raise subprocess.TimeoutExpired: it was still there after so many seconds.
    """
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        prints = output.fileno(), errors.fileno()
        status = Forked(arguments, os.getcwd(), environment, prints).wait(timeout)
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, status, output.read(), errors.read())


class _Forker:
    """The process that has brought in everything, as this one sees it."""

    def __init__(self) -> None:
        self._channel, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        with its:
            command = [sys.executable, "-m", "tests.system.forked", str(its.fileno())]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment(), pass_fds=[its.fileno()]
            )

    def begin(self, order: bytes, descriptors: list[int]) -> int:
        """Have a program begin; return its process id."""
        with self._turn:
            socket.send_fds(self._channel, [order], descriptors)
            return int(self._channel.recv(16))


@cache
def _forker() -> _Forker:
    return _Forker()


def _serve(channel: socket.socket) -> list[str]:
    """Fork whenever that is ordered, and tell how each ends. Return the arguments of a program: in
    the process that is to be it.
    """
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    running: dict[int, int] = {}
    while True:
        ready = select.select([channel, woken], [], [])[0]
        if woken in ready:
            woken.recv(4096)
            _tell_ends(running)
        if channel not in ready:
            continue
        order, descriptors, _, _ = socket.recv_fds(channel, _MAX_ORDER, 3)
        if not order:
            # Who orders is gone.
            sys.exit()
        *prints, status = descriptors
        child = os.fork()
        if child:
            running[child] = status
            for descriptor in prints:
                os.close(descriptor)
            channel.send(b"%d" % child)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (*running.values(), status):
            os.close(other)
        for end in (channel, woken, wake):
            end.close()
        return _become(prints, **json.loads(order))


def _tell_ends(running: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            child, how = os.waitpid(-1, os.WNOHANG)
            if not child:
                break
            status = running.pop(child)
            # Whoever ordered it may be gone, or not interested.
            with contextlib.suppress(BrokenPipeError):
                os.write(status, b"%d" % os.waitstatus_to_exitcode(how))
            os.close(status)


def _become(
    prints: list[int], arguments: list[str], directory: str, environment: dict[str, str]
) -> list[str]:
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, descriptor in enumerate([nothing, *prints]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # These were made for another kind of file, perhaps one in which there are places to go back to.
    sys.stdout, sys.stderr = _stream(1, sys.stdout), _stream(2, sys.stderr)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def _stream(descriptor: int, like: TextIO) -> TextIO:
    """Return a stream to a descriptor that keeps nothing back, as `PYTHONUNBUFFERED` makes it."""
    raw = FileIO(descriptor, "w", closefd=False)
    return TextIOWrapper(raw, like.encoding, like.errors, write_through=True)


def _run(arguments: list[str]) -> None:
    how, what, *rest = arguments
    sys.argv = [what if how == "-m" else how, *rest]
    module, function = _MAIN[how, what].split(":")
    getattr(import_module(module), function)()


if __name__ == "__main__":
    for name in (*_BESIDE, *(main.split(":")[0] for main in _MAIN.values())):
        import_module(name)
    # What is there stays, and is not looked through for garbage by each.
    gc.collect()
    gc.freeze()
    _run(_serve(socket.socket(fileno=int(sys.argv[1]))))
