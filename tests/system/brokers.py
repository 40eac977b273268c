"""Real MQTT brokers: mosquitto, and rumqttd, which the package iotcore has."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.system.support import PATIENCE, free_ports, is_listening, wait_until

#: It is no program for everybody: where it is, the shell of a user may not look for one.
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Broker:
    """One that runs from here on. `stop` it.

    @cvar why_not: why there can be none on this computer; empty if there can.
    @ivar port: where it listens, on this computer.
    @ivar directory: what belongs to it.
    """

    why_not = ""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_ports(1)
        self.directory = tempfile.mkdtemp(prefix="zbtwist-broker-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """What runs it."""
        raise NotImplementedError

    def start(self) -> None:
        """Let it run; again, with what it had kept, if it did before."""
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        wait_until(self._is_there, f"a broker on port {self.port}; {self.log}")

    def _is_there(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log
        return is_listening(self.port)

    def tell(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def remove(self) -> None:
        """End it, and leave nothing of it."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def log(self) -> str:
        """What it has said."""
        path = Path(self.directory, "log")
        return path.read_text(errors="replace") if path.exists() else ""

    def file(self, name: str, text: str) -> str:
        """Return the path of a file of its own with this text."""
        path = Path(self.directory, name)
        path.write_text(text)
        return str(path)


class Mosquitto(Broker):
    """The one of most houses."""

    why_not = "" if MOSQUITTO else "there is no mosquitto"

    def __init__(self, *lines: str, port: int = 0) -> None:
        """
        @param lines: of its configuration, behind the listener; none lets everybody in.
        """
        super().__init__(port)
        self._lines = lines or ("allow_anonymous true",)

    @property
    def command(self) -> list[str]:
        lines = [f"listener {self.port} 127.0.0.1", "user root", *self._lines]
        return [str(MOSQUITTO), "-c", self.file("conf", "\n".join(lines) + "\n")]


class Rumqttd(Broker):
    """Another one, in Rust."""

    why_not = "" if find_spec("iotcore") else "there is no iotcore"

    def __init__(self, server: str = "", connections: str = "", port: int = 0) -> None:
        """
        @param server: more of its table of the listener.
        @param connections: more of that of the connections.
        """
        super().__init__(port)
        self._server, self._connections = server, connections

    @property
    def command(self) -> list[str]:
        text = f"""
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5-1"
listen = "127.0.0.1:{self.port}"
next_connection_delay_ms = 1
{self._server}
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
{self._connections}
"""
        return [sys.executable, "-m", "iotcore", "--config", self.file("conf.toml", text)]
