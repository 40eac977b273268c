"""What the user asked for: one object, and what follows from it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from zbtwist.binding.modbus.units import labels_of
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.requests import PortRequest, PortRequests
from zbtwist.config.gateway_options import SECTIONS, GatewayOptions
from zbtwist.config.values import is_fleet, is_path
from zbtwist.radio.endpoints import SerialEndpoint
from zbtwist.radio.line_settings import LineSettings
from zbtwist.runtime.allowed import Network
from zbtwist.runtime.option import options_of
from zbtwist.runtime.server_endpoint import (
    ENCRYPTED,
    lets_others_in,
    server_from_string,
    tcp_endpoint,
    tcp_port_of,
)

#: The endpoints that open a serial line, of this computer or of a serial server.
LINE_ENDPOINTS = ("serial:", "rfc2217:")


@dataclass(frozen=True, kw_only=True)
class Settings(GatewayOptions):
    """The options of the gateway, and what follows from them."""

    def prepare(self) -> None:
        """Make what is else made when it is first asked for, which takes as long as there are
        nodes, and then holds up the streams.
        """
        for name, each in vars(Settings).items():
            if isinstance(each, cached_property):
                getattr(self, name)

    @property
    def is_local(self) -> bool:
        """Whether only programs on this computer can reach the ports."""
        return not (self.has_open_ports or self.is_control_open)

    @property
    def has_open_ports(self) -> bool:
        """Whether programs on other computers can reach nodes' ports."""
        return bool(self.open_place)

    @cached_property
    def open_place(self) -> str:
        """Where they can: the interface, or the first endpoint of a node that lets them in; empty
        if there is none.
        """
        if not ipaddress.ip_address(self.interface).is_loopback:
            return f"interface {self.interface}"
        texts = list(filter(None, map(attrgetter("endpoint"), self.nodes)))
        if self.broadcast is not None and not self.broadcast.isdecimal():
            texts.append(self.broadcast)
        texts += [wish.endpoint for each in self.every_port_settings for wish in each.listen]
        return next((f"endpoint {text}" for text in texts if lets_others_in(text)), "")

    @property
    def is_control_encrypted(self) -> bool:
        """Whether the control API speaks TLS."""
        return self.control.startswith(ENCRYPTED)

    @property
    def is_control_open(self) -> bool:
        """Whether programs on other computers can reach the control API."""
        if self.control.isdecimal():
            return not ipaddress.ip_address(self.interface).is_loopback
        return lets_others_in(self.control)

    @property
    def needs_login(self) -> bool:
        """Whether the control API asks for a password."""
        return bool(self.auth or self.auth_read_only) or (self.is_control_open and not self.no_auth)

    @property
    def who_may_control(self) -> tuple[Network, ...]:
        """The networks that control connections may come from; none for all."""
        return self.control_allow or self.port_settings.allow

    @cached_property
    def control_port(self) -> int:
        """The TCP port of the control API, 0 if it is another kind of socket."""
        return tcp_port_of(self.control)

    @cached_property
    def broadcast_port(self) -> int:
        """The TCP port of `broadcast`, 0 if there is none."""
        return 0 if self.broadcast is None else tcp_port_of(self.broadcast)

    @cached_property
    def every_port_settings(self) -> tuple[PortSettings, ...]:
        """What is said of the ports of all nodes, and then of those that have their own word."""
        own = filter(None, map(attrgetter("port_settings"), self.nodes))
        return (self.port_settings, *own)

    @property
    def is_hub(self) -> bool:
        """Whether the radio is a broker, and the nodes are those of the gateways there."""
        return is_fleet(self.serial)

    @cached_property
    def has_decoders(self) -> bool:
        """Whether any node may have a decoder."""
        return any(each.decoder for each in self.every_port_settings)

    @cached_property
    def has_byte_logs(self) -> bool:
        """Whether the bytes of any node are written to a file."""
        return any(each.log_bytes for each in self.every_port_settings)

    def requests(self) -> PortRequests:
        """Return what is said of single nodes, as the ports are asked for it."""
        return self._requests

    @cached_property
    def _requests(self) -> PortRequests:
        labels = chain.from_iterable(labels_of(each.units) for each in self.every_port_settings)
        return PortRequests(map(PortRequest.of, self.nodes), labels)

    @cached_property
    def line(self) -> LineSettings:
        """How the radio's serial line is opened."""
        return LineSettings(
            self.baud_rate,
            self.rtscts,
            self.low_latency,
            self.parity,
            self.stop_bits,
            self.dtr,
            self.rts,
        )

    def radio_endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """Return the endpoint of the radio."""
        if is_path(self.serial):
            return SerialEndpoint(reactor, self.serial, self.line)
        text = self.serial
        if text.startswith(LINE_ENDPOINTS):
            for name, word in self.line.words().items():
                if f":{name}=" not in text:
                    text = f"{text}:{name}={word}"
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        return endpoint

    def control_endpoint(self, reactor: Any) -> IStreamServerEndpoint:
        """Return the endpoint that the control API listens at."""
        if self.control.isdecimal():
            return self.port_endpoint(reactor, int(self.control))
        return server_from_string(reactor, self.control)

    def port_endpoint(self, reactor: Any, port: int) -> IStreamServerEndpoint:
        """Return the endpoint of a TCP port on the interface."""
        return tcp_endpoint(reactor, port, self.interface)


_OF_GATEWAY = options_of(GatewayOptions)
_OF_PORTS = options_of(PortSettings)


def difference(old: Settings, new: Settings) -> set[str]:
    """Return the names of the options and sections that differ, and "nodes" if what is said of
    nodes does.
    """
    changed = set()
    for options, before, after in (
        (_OF_GATEWAY, old, new),
        (_OF_PORTS, old.port_settings, new.port_settings),
    ):
        for name, each in options.items():
            if getattr(before, each.attribute) != getattr(after, each.attribute):
                changed.add(name)
    for name in ("nodes", *SECTIONS):
        if getattr(old, name) != getattr(new, name):
            changed.add(name)
    return changed
