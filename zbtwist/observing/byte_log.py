"""What passes between nodes and their clients, written into files, packet by packet.

It observes the streams: nothing is taken from them, and nobody has to wait but for the disk, once a
second. Which file it is the settings of each node say (`PortSettings.log_bytes`); several nodes may
have one together. While none has any, nothing is observed.

A file has its bound (`zbtwist.runtime.bounded_log_file`). What cannot be written, since the disk is
full or something else is wrong, is dropped; that is said once, and in the file when there is room
again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from zbtwist.binding.client_events import ClientClosed, ClientDropped, ClientIdle, ClientOpened
from zbtwist.binding.greetings import about
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import HEX, TEXT, PortSettings
from zbtwist.binding.stream_events import StreamBroken
from zbtwist.network.events import TO_NODE, BytesPassed
from zbtwist.network.node import Node
from zbtwist.runtime.bounded_log_file import BoundedLogFile
from zbtwist.runtime.event_bus import Event, EventBus
from zbtwist.runtime.substitutions import path_of

#: Seconds for which lines are gathered, and bytes of them from which on they are not.
GATHER = 1.0
MAX_GATHERED = 256 * 1024

#: How many files may be written in one run of the gateway: names of files may have names of nodes
#: in them, which nodes choose themselves.
MAX_FILES = 4096

_PRINTABLE = bytes(byte if 0x20 <= byte < 0x7F else ord(".") for byte in range(256))


class Ports(Protocol):
    """What it asks of the ports; see `zbtwist.binding.service.BindingService`."""

    def settings_of(self, node: Node) -> PortSettings:
        """Return the settings of a node's port, whether it has one or not."""

    def port_of(self, node: Node) -> NodePort | None:
        """Return a node's port."""


class ByteLogSettings(Protocol):
    """What it needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def has_byte_logs(self) -> bool: ...


def shown(data: bytes, form: str) -> str:
    """Return bytes as they are written.

    @param form: one of those of `PortSettings.log_bytes_format`.
    """
    if form == HEX:
        return data.hex(" ")
    if form == TEXT:
        # As Python writes them, without its quotes.
        return repr(data)[2:-1]
    return f"{data.hex(' ')}  |{data.translate(_PRINTABLE).decode('ascii')}|"


class ByteLog(Service):
    """All files."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        bus: EventBus,
        ports: Ports,
        wall: Callable[[], float],
    ) -> None:
        """
        @param wall: says the seconds since 1970.
        """
        self._clock = clock
        self._bus = bus
        self._ports = ports
        self._wall = wall
        self._is_on = False
        # Lines by path, and the bytes of all.
        self._gathered: dict[str, list[bytes]] = {}
        self._size = 0
        self._timer: IDelayedCall | None = None
        # Every path that was written, of which there are `MAX_FILES`; and by path, how many lines
        # are missing of those that cannot be.
        self._paths: set[str] = set()
        self._missing: dict[str, int] = {}
        self._is_full_said = False

    def follow(self, settings: ByteLogSettings) -> None:
        """Write what these settings say from now on."""
        is_wanted = settings.has_byte_logs
        if is_wanted == self._is_on:
            return
        self._is_on = is_wanted
        change = self._bus.subscribe if is_wanted else self._bus.unsubscribe
        change(BytesPassed, self._passed)
        for kind in (ClientOpened, ClientClosed, ClientDropped, ClientIdle, StreamBroken):
            change(kind, self._happened)

    def reconfigure(self, old: ByteLogSettings, new: ByteLogSettings) -> None:
        """Follow new settings."""
        self.follow(new)

    def stopService(self) -> None:
        super().stopService()
        self._flush()

    # --- what is written -----------------------------------------------------------------------

    def _passed(self, event: BytesPassed) -> None:
        way = "to" if event.direction == TO_NODE else "from"
        settings = self._ports.settings_of(event.node)
        if settings.log_bytes is not None:
            text = f"{way:<4}  {shown(event.data, settings.log_bytes_format)}"
            self._gather(settings, event.node, event.time, text)

    def _happened(self, event: Event) -> None:
        node: Node = event.node  # type: ignore[attr-defined]
        settings = self._ports.settings_of(node)
        if settings.log_bytes is not None:
            self._gather(settings, node, self._wall(), f"-     {event}")

    def _gather(self, settings: PortSettings, node: Node, when: float, text: str) -> None:
        assert settings.log_bytes is not None
        port = self._ports.port_of(node)
        path = path_of(settings.log_bytes, about(node, port, "", when))
        if path not in self._paths and not self._take(path):
            return
        moment = datetime.fromtimestamp(when).isoformat(" ", "milliseconds")
        line = f"{moment}  {node}  {text}\n".encode("utf-8", "replace")
        self._gathered.setdefault(path, []).append(line)
        self._size += len(line)
        if self._size >= MAX_GATHERED or not self.running:
            self._flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(GATHER, self._flush)

    def _take(self, path: str) -> bool:
        if len(self._paths) < MAX_FILES:
            self._paths.add(path)
        elif not self._is_full_said:
            self._is_full_said = True
            self.log.warn(
                "The bytes of nodes are logged into {count} files, and into no other one: name "
                "nodes by their address in log-bytes (\\d), and not by what they call themselves.",
                count=MAX_FILES,
            )
        return path in self._paths

    # --- writing it ----------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        gathered, self._gathered, self._size = self._gathered, {}, 0
        for path, lines in gathered.items():
            self._write(path, lines)

    def _write(self, path: str, lines: list[bytes]) -> None:
        missing = self._missing.get(path, 0)
        if missing:
            lines = [
                f"… {missing} lines are missing: they could not be written.\n".encode(),
                *lines,
            ]
        try:
            file: BoundedLogFile = BoundedLogFile.fromFullPath(path)
            try:
                file.write_whole(b"".join(lines))
            finally:
                file.close()
        except (OSError, ValueError) as error:
            self._missing[path] = missing + len(lines) - bool(missing)
            if not missing:
                reason = getattr(error, "strerror", None) or str(error)
                self.log.error(
                    "The bytes of nodes cannot be logged into {path}: {reason}. Streams go on, and "
                    "what passes is not logged until that can be done.",
                    path=path,
                    reason=reason,
                )
        else:
            if self._missing.pop(path, None):
                self.log.info("The bytes of nodes are logged into {path} again.", path=path)
