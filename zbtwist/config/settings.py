"""What the user asked for: one object, and the endpoints that follow from it."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase

from zbtwist.binding.listener import LAST_PORT
from zbtwist.binding.policy import Policy
from zbtwist.binding.scheduler import DEFAULT_LIMIT
from zbtwist.control import DEFAULT_PORT
from zbtwist.radio.endpoints import DEFAULT_BAUD_RATE, SerialEndpoint
from zbtwist.radio.service import DEFAULT_HEARTBEAT
from zbtwist.runtime.tcp import QuietEndpoint
from zbtwist.runtime.unix import server_from_string
from zbtwist.xbee.address import Address64

DEFAULT_CONTROL = str(DEFAULT_PORT)
DEFAULT_BASE_PORT = 27001
DEFAULT_INTERFACE = "127.0.0.1"

#: The state that is forgotten at the end.
IN_MEMORY = ":memory:"

#: Listen queue of the TCP servers.
_BACKLOG = 50


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What the file says about one node, which either `address64` or `label` names.

    @ivar address64: its address.
    @ivar label: its node identifier.
    @ivar port: the TCP port that it has; None for the gateway's choice.
    @ivar endpoint: a Twisted server endpoint string in place of a port.
    @ivar name: what lists and the log call it, in place of its node identifier.
    @ivar window, at_least_once, backlog: where its `Policy` differs from that of the others.
    """

    address64: Address64 | None = None
    label: str | None = None
    port: int | None = None
    endpoint: str | None = None
    name: str | None = None
    window: int | None = None
    at_least_once: bool | None = None
    backlog: int | None = None

    @property
    def own_policy(self) -> dict[str, Any]:
        """Where its `Policy` differs from that of the others."""
        return {name: value for name in _OF_NODE if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class Settings:
    """
    @ivar serial: where the radio is: the path of a port, or a Twisted client endpoint string.
    @ivar baud_rate: bits per second of a serial port; None to find out.
    @ivar api_mode: 1 or 2; None for whatever the radio is in.
    @ivar rtscts: honour the RTS and CTS lines of a serial port.
    @ivar configure: move a radio to the API mode if it is not in it.
    @ivar write_flash: have it keep that mode.
    @ivar heartbeat: seconds of silence after which the radio is asked whether it is there; 0 for
        never.
    @ivar in_flight: packets that the radio is given at once, for all nodes together.
    @ivar window, at_least_once, coalesce, retries, outage, sleep, backlog: see
        `zbtwist.binding.policy.Policy`.
    @ivar trace_file: the absolute path of the file that frames are written to, None for none.
    @ivar control: where the control API listens: a port number on `interface`, or a Twisted server
        endpoint string.
    @ivar base_port: the first TCP port that a node gets.
    @ivar interface: the address that the ports listen at.
    @ivar last_port: the last TCP port that a node gets.
    @ivar state: the absolute path of the state file, or `IN_MEMORY`.
    @ivar nodes: what the file says about single nodes, in its order.
    @ivar config: the absolute path of the file, None if there is none.
    """

    serial: str
    baud_rate: int | None = DEFAULT_BAUD_RATE
    api_mode: int | None = None
    control: str = DEFAULT_CONTROL
    base_port: int = DEFAULT_BASE_PORT
    interface: str = DEFAULT_INTERFACE
    last_port: int = LAST_PORT
    state: str = IN_MEMORY
    nodes: tuple[NodeSettings, ...] = ()
    config: str | None = None
    rtscts: bool = False
    configure: bool = False
    write_flash: bool = False
    heartbeat: float = DEFAULT_HEARTBEAT
    in_flight: int = DEFAULT_LIMIT
    window: int = Policy.window
    at_least_once: bool = Policy.at_least_once
    coalesce: float = Policy.coalesce
    retries: int = Policy.retries
    outage: float = Policy.outage
    sleep: float = Policy.sleep
    backlog: int = Policy.backlog
    trace_file: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether only programs on this computer can reach the ports."""
        others = [self.control, *(node.endpoint or "" for node in self.nodes)]
        return ipaddress.ip_address(self.interface).is_loopback and not any(
            is_open(endpoint) for endpoint in others
        )

    @property
    def control_port(self) -> int:
        """The TCP port of the control API, 0 if it is another kind of socket."""
        number = re.match(r"(?:(?:tcp6?|ssl):)?(\d+)(?::|$)", self.control)
        return int(number[1]) if number else 0

    @property
    def policy(self) -> Policy:
        """How bytes are sent and kept, unless a node has its own word on it."""
        return Policy(**{name: getattr(self, name) for name in POLICY})

    def policy_of(self, node: NodeSettings) -> Policy:
        """How the bytes of one node are sent and kept."""
        return dataclasses.replace(self.policy, **node.own_policy)

    def radio_endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """Return the endpoint of the radio."""
        if is_path(self.serial):
            return SerialEndpoint(reactor, self.serial, self.baud_rate, self.rtscts)
        text = self.serial
        if text.startswith("serial:"):
            if "baudrate=" not in text:
                text = f"{text}:baudrate={self.baud_rate or 'auto'}"
            if "rtscts=" not in text:
                text = f"{text}:rtscts={'yes' if self.rtscts else 'no'}"
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        return endpoint

    def control_endpoint(self, reactor: Any) -> IStreamServerEndpoint:
        """Return the endpoint that the control API listens at."""
        if self.control.isdecimal():
            return self.port_endpoint(reactor, int(self.control))
        return server_from_string(reactor, self.control)

    def port_endpoint(self, reactor: Any, port: int) -> IStreamServerEndpoint:
        """Return the endpoint of a TCP port on the interface."""
        kind: Callable[..., IStreamServerEndpoint] = TCP4ServerEndpoint
        if ":" in self.interface:
            kind = TCP6ServerEndpoint
        elif isinstance(reactor, PosixReactorBase):
            kind = QuietEndpoint
        endpoint: IStreamServerEndpoint = kind(reactor, port, _BACKLOG, self.interface)
        return endpoint


def is_open(endpoint: str) -> bool:
    """Whether a server endpoint string lets other computers in; ``tcp:27000`` does."""
    kind, _, rest = endpoint.partition(":")
    if not rest or kind == "unix":
        return False
    interface = re.search(r"(?:^|:)interface=((?:[^:\\]|\\.)*)", rest)
    try:
        address = ipaddress.ip_address(interface[1].replace("\\", "") if interface else "0.0.0.0")
    except ValueError:
        return True
    return not address.is_loopback


def is_path(serial: str) -> bool:
    return serial.startswith(("/", "./", "../"))


#: The attributes of `Settings` and `NodeSettings` that make a `Policy`.
POLICY = tuple(field.name for field in dataclasses.fields(Policy))

_OF_NODE = tuple(name for name in POLICY if hasattr(NodeSettings, name))


def difference(old: Settings, new: Settings) -> set[str]:
    """Return the names of the attributes of `Settings` that differ."""
    names = (field.name for field in dataclasses.fields(Settings))
    return {name for name in names if getattr(old, name) != getattr(new, name)}
