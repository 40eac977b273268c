"""What the console shows, as plain values, and what of it has changed since it was looked at.

A node is looked at as a tuple of raw values, because that is quick to make and to compare; only
values that are new are written as the page wants them. So thousands of nodes that are silent cost
next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.logger import Logger

import zbtwist
from zbtwist.binding.service import BindingService
from zbtwist.control.web.traffic import TrafficHistory
from zbtwist.decoding.service import DecodingService, Reading
from zbtwist.health.service import HealthService
from zbtwist.network.node import Node
from zbtwist.network.service import NetworkService
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64, format_address64
from zbtwist.xbee.devices import ROLES, product_name

#: One part of what is shown, or of what has changed in it.
Values = dict[str, Any]


class Decoder(Protocol):
    """The counters of `zbtwist.xbee.framing.FrameDecoder`."""

    good_frames: int
    bad_frames: int


class SerialLine(Protocol):
    """The counters of `zbtwist.radio.protocol.RadioProtocol`."""

    malformed_frames: int

    @property
    def decoder(self) -> Decoder:
        """What takes the bytes apart."""


class Link(Protocol):
    """What is shown of `zbtwist.radio.service.RadioService`."""

    @property
    def protocol(self) -> SerialLine | None:
        """The serial line while it is open."""

    @property
    def radio_name(self) -> str:
        """The endpoint of the radio, as the user wrote it."""


@dataclass(frozen=True, slots=True)
class Reachability:
    """Where the gateway is to be reached.

    @ivar control: where the control port is, as the user wrote it.
    @ivar is_local: whether other computers cannot reach any port.
    @ivar interface: the address that nodes' ports listen at.
    """

    control: str
    is_local: bool
    interface: str


@dataclass(slots=True)
class Changes:
    """What has changed from one look to the next.

    @ivar nodes: for each node that is new, or is not as it was, its address and the new values.
    @ivar gone: addresses of nodes that are not there any more.
    @ivar traffic: as `zbtwist.control.web.traffic.TrafficHistory.since` has it.
    """

    gateway: Values
    radio: Values
    nodes: list[Values]
    gone: list[str]
    traffic: Values

    def __bool__(self) -> bool:
        return bool(self.gateway or self.radio or self.nodes or self.gone or self.traffic)


def _hexadecimal(address16: Address16) -> str:
    return f"{address16:04x}"


def _hexadecimal_unless_unknown(address16: Address16) -> str:
    return "" if address16 == UNKNOWN16 else _hexadecimal(address16)


def _route(route: tuple[Address16, ...] | None) -> list[str] | None:
    return None if route is None else [_hexadecimal(hop) for hop in route]


def _reading(reading: Reading | None) -> list[Any] | None:
    if reading is None:
        return None
    value = reading.value
    return [value.name, value.value, value.unit, int(reading.time)]


def _same(value: Any) -> Any:
    return value


#: How each value of `View._look_at` is called on the page, and written for it.
_COLUMNS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("name", _same),
    ("label", lambda label: label or ""),
    ("short", _hexadecimal_unless_unknown),
    ("parent", _hexadecimal),
    ("type", lambda role: ROLES.get(role, "")),
    ("device", lambda dd: "" if dd is None else product_name(dd)),
    ("device_type", lambda dd: "" if dd is None else f"0x{dd:08x}"),
    ("last_seen", int),
    ("signal", _same),
    ("route", _route),
    ("temperature", lambda celsius: None if celsius is None else round(celsius, 1)),
    ("health", lambda health: health.value),
    ("health_since", int),
    ("health_text", _same),
    ("problem", _same),
    ("site", lambda site: site or ""),
    ("unbound", _same),
    ("told", _reading),
    ("port", _same),
    ("by_hand", _same),
    ("clients", _same),
    ("bytes_received", _same),
    ("packets_received", _same),
    ("bytes_sent", _same),
    ("packets_sent", _same),
    ("retries", _same),
    ("failures", _same),
    ("bytes_lost", _same),
    ("queued", _same),
)

#: The values of a node without a port, from "port" on.
_NO_PORT = (0, False, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class View:
    """Looks at the gateway, and remembers what it saw, until it is told to `forget`."""

    log = Logger()

    def __init__(
        self,
        radio: IRadio,
        link: Link,
        network: NetworkService,
        bindings: BindingService,
        health: HealthService,
        traffic: TrafficHistory,
        place: Callable[[], Reachability],
        warnings: Callable[[], int],
        decoding: DecodingService,
    ) -> None:
        """
        @param place: returns where the gateway is to be reached; it may change.
        @param warnings: returns how many warnings and errors the log has had.
        """
        self._radio = radio
        self._link = link
        self._network = network
        self._bindings = bindings
        self._health = health
        self._traffic = traffic
        self._place = place
        self._warnings = warnings
        self._decoding = decoding
        # By the steady clock, since the time of day may be set.
        self._started = network.nodes.wall() - network.nodes.epoch
        self._gateway: Values = {}
        self._radio_values: Values = {}
        self._nodes: dict[Address64, tuple[str, tuple[Any, ...]]] = {}
        # How many intervals of the traffic were told.
        self._told = 0

    def look(self) -> Changes:
        """Look at everything; return what has changed since the last look."""
        gateway, radio = self._look_at_gateway(), self._look_at_radio()
        traffic = self._traffic.since(self._told)
        changes = Changes(
            _difference(self._gateway, gateway),
            _difference(self._radio_values, radio),
            *self._look_at_nodes(),
            traffic,
        )
        self._gateway, self._radio_values = gateway, radio
        self._told = traffic.get("number", self._told)
        return changes

    def all(self) -> Changes:
        """Return everything as it was at the last look."""
        nodes = [_written(address, values) for address, values in self._nodes.values()]
        # Of the traffic there may be more than at the last look; pages do not mind.
        return Changes(self._gateway, self._radio_values, nodes, [], self._traffic.since(0))

    def forget(self) -> None:
        """Forget what was seen: nobody looks any more."""
        self._gateway, self._radio_values, self._nodes, self._told = {}, {}, {}, 0

    # --- the gateway and its radio -------------------------------------------------------------

    def _look_at_gateway(self) -> Values:
        place, walk = self._place(), self._network.walk
        return {
            "version": zbtwist.__version__,
            "started": int(self._network.nodes.epoch + self._started),
            "nodes": len(self._network.nodes),
            "clients": self._bindings.clients,
            "control": place.control,
            "state": self._bindings.store_path,
            "problem": self._bindings.store_problem,
            "interface": place.interface,
            "interface_local": place.is_local,
            "warnings": self._warnings(),
            # Who shows neighbours asks for them when this is another one.
            "neighbours": self._network.neighbours.changes,
            "walk": [walk.running, walk.asked, walk.total],
        }

    def _look_at_radio(self) -> Values:
        facts = self._radio.facts
        line = self._link.protocol
        return {
            "up": facts is not None,
            "problem": facts.problem if facts else self._radio.offline_reason,
            "name": self._link.radio_name,
            "address": format_address64(facts.address64) if facts else "",
            "firmware": f"{facts.firmware_version:04x}" if facts else "",
            "hardware": f"{facts.hardware_version:04x}" if facts else "",
            "pan": f"{facts.operating_pan_id:016x}" if facts else "",
            "channel": facts.channel if facts else 0,
            "api_mode": facts.api_mode if facts else 0,
            "payload": facts.payload_limit if facts else 0,
            "joined": facts is not None and facts.joined,
            "frames_received": line.decoder.good_frames if line else 0,
            "bad_frames": line.decoder.bad_frames + line.malformed_frames if line else 0,
        }

    # --- nodes ---------------------------------------------------------------------------------

    def _look_at_nodes(self) -> tuple[list[Values], list[str]]:
        changed: list[Values] = []
        before, seen = self._nodes, {}
        for node in self._network.nodes:
            address64 = node.address64
            values = self._look_at(node)
            known = before.get(address64)
            if known is None:
                known = (format_address64(address64), values)
                changed.append(_written(*known))
            elif known[1] != values:
                changed.append(_written_changes(*known, values))
                known = (known[0], values)
            seen[address64] = known
        gone = [known[0] for address64, known in before.items() if address64 not in seen]
        self._nodes = seen
        return changed, gone

    def _look_at(self, node: Node) -> tuple[Any, ...]:
        port = self._bindings.port_of(node)
        condition = self._health.condition_of(node)
        return (
            node.name,
            node.label,
            node.address16,
            node.parent16,
            node.role,
            node.device_type_identifier,
            node.device_type_identifier,
            int(self._network.nodes.last_seen(node)),
            node.signal,
            node.route,
            node.temperature,
            condition.health,
            condition.since,
            condition.why,
            self._bindings.problem_of(node),
            self._radio.site_of(node.address64),
            self._bindings.is_unbound(node),
            self._decoding.main_of(node),
            *(
                _NO_PORT
                if port is None
                else (
                    port.slot or 0,
                    port.by_hand,
                    port.clients,
                    port.bytes_received,
                    port.packets_received,
                    port.outbound.bytes_sent,
                    port.outbound.packets_sent,
                    port.outbound.retries,
                    port.outbound.failures,
                    port.outbound.bytes_lost,
                    port.outbound.buffered,
                )
            ),
        )


def _written(address: str, values: tuple[Any, ...]) -> Values:
    row = {name: write(value) for (name, write), value in zip(_COLUMNS, values)}
    row["address"] = address
    return row


def _written_changes(address: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> Values:
    row = {
        name: write(value)
        for (name, write), before, value in zip(_COLUMNS, old, new)
        if before != value
    }
    row["address"] = address
    return row


def _difference(old: Values, new: Values) -> Values:
    return {name: value for name, value in new.items() if name not in old or old[name] != value}
