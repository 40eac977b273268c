"""What a network is told of the gateway by multicast DNS: the control port, and the port of each
node by its name. It follows them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

import zbtwist
from zbtwist.binding.events import MappingChanged
from zbtwist.binding.service import BindingService
from zbtwist.network.events import NodeChanged, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.allowed import is_loopback
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.mdns import MAX_NAME, Announced, shortened

#: How many nodes are announced: those with the lowest ports.
MAX_ANNOUNCED = 256

#: Seconds for which changes are gathered.
REST = 1.0

#: The kinds of services (RFC 6763, section 7): a stream of bytes, as ser2net announces its ports;
#: and Modbus over TCP, as IANA has it.
STREAM, MODBUS = "_iostream._tcp", "_mbap._tcp"

#: What is behind a node's port, in gensio's words, for whom that is more than TCP.
_STACKS = {"telnet": "telnet,tcp", "rfc2217": "telnet(rfc2217),tcp"}

_CHANGES = (NodeChanged, NodeForgotten, MappingChanged)


class AnnouncerSettings(Protocol):
    """What this needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def zeroconf(self) -> bool: ...
    @property
    def interface(self) -> str: ...
    @property
    def control_port(self) -> int: ...
    @property
    def is_control_encrypted(self) -> bool: ...
    @property
    def port_settings(self) -> object: ...
    @property
    def nodes(self) -> object: ...


class IAnnouncements(Protocol):
    """Who announces; see `zbtwist.runtime.mdns.Announcements`."""

    def start(self) -> None: ...
    def announce(self, services: Any) -> None: ...
    def stop(self) -> Deferred[None]: ...


class Announcer(Service):
    """Says what there is to be announced, while the settings want it."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        bus: EventBus,
        nodes: NodeTable,
        bindings: BindingService,
        settings: AnnouncerSettings,
        make: Callable[[str], IAnnouncements],
    ) -> None:
        """
        @param make: returns who announces at an interface.
        """
        self._clock = clock
        self._bus = bus
        self._nodes = nodes
        self._bindings = bindings
        self._settings = settings
        self._make = make
        self._announcements: IAnnouncements | None = None
        self._soon: IDelayedCall | None = None
        self._has_said_too_many = False

    def startService(self) -> None:
        super().startService()
        self._begin()

    def _begin(self) -> None:
        if not (self.running and self._settings.zeroconf) or self._announcements is not None:
            return
        interface = self._settings.interface
        if is_loopback(interface):
            self.log.warn(
                "Nodes are announced to this computer alone (zeroconf), since they are at "
                "{interface}: say with --interface where others are to reach them.",
                interface=interface,
            )
        self._announcements = self._make(interface)
        self._announcements.start()
        for kind in _CHANGES:
            self._bus.subscribe(kind, self._changed)
        self._changed()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._end()

    def _end(self) -> Deferred[None]:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        announcements, self._announcements = self._announcements, None
        if announcements is None:
            return succeed(None)
        for kind in _CHANGES:
            self._bus.unsubscribe(kind, self._changed)
        return announcements.stop()

    def reconfigure(self, old: AnnouncerSettings, new: AnnouncerSettings) -> None:
        """Follow new settings."""
        self._settings = new
        if (new.zeroconf, new.interface) != (old.zeroconf, old.interface):
            self._end().addCallback(lambda _: self._begin())
        elif self._announcements is not None:
            self._changed()

    def _changed(self, event: object = None) -> None:
        if self._soon is None:
            self._soon = self._clock.callLater(REST, self._announce)

    def _announce(self) -> None:
        self._soon = None
        if self._announcements is None:
            return
        settings, found = self._settings, []
        if settings.control_port:
            found.append(self._control(settings))
        nodes = sorted(self._ports())
        if len(nodes) > MAX_ANNOUNCED and not self._has_said_too_many:
            self._has_said_too_many = True
            self.log.warn(
                "{count} nodes are not announced (zeroconf): {most} are at the most.",
                count=len(nodes) - MAX_ANNOUNCED,
                most=MAX_ANNOUNCED,
            )
        found += [self._service(node, number) for number, _, node in nodes[:MAX_ANNOUNCED]]
        self._announcements.announce(found)

    @staticmethod
    def _control(settings: AnnouncerSettings) -> Announced:
        return Announced(
            shortened(f"zbtwist on {socket.gethostname()}", MAX_NAME),
            "_https._tcp" if settings.is_control_encrypted else "_http._tcp",
            settings.control_port,
            (("path", "/"), ("rpc", "/RPC2"), ("version", zbtwist.__version__)),
        )

    def _ports(self) -> Iterator[tuple[int, int, Node]]:
        for node in self._nodes:
            port = self._bindings.port_of(node)
            if port is not None and port.listener is not None and port.number:
                yield port.number, node.address64, node

    def _service(self, node: Node, number: int) -> Announced:
        port = self._bindings.port_of(node)
        protocol = port.outbound.settings.protocol if port is not None else "raw"
        address = f"{node.address64:016x}"
        name = node.name or node.label or ""
        # What stands for itself stays a name of people's, and of two that are called so each has
        # its own.
        shown = "".join(filter(str.isprintable, name)).strip()
        size = MAX_NAME - len(address) - 1
        text = [("address", address), ("protocol", protocol), ("provider", "zbtwist")]
        if protocol == "modbus-tcp":
            kind = MODBUS
        else:
            kind = STREAM
            text.append(("gensiostack", _STACKS.get(protocol, "tcp")))
        return Announced(f"{shortened(shown, size)} {address}".strip(), kind, number, tuple(text))
