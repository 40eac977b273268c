"""What is said of a node under its topic: docs/mqtt.rst has the table.

Numbers that are not known are null, texts are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zbtwist.binding.service import BindingService
from zbtwist.decoding.service import Reading
from zbtwist.health.service import HealthService
from zbtwist.mqtt.site_topics import address_level
from zbtwist.network.node import Node
from zbtwist.network.node_pins import DIGITAL_KIND, SUPPLY_KIND, Line, NodePins
from zbtwist.xbee.address import UNKNOWN16, Address16
from zbtwist.xbee.devices import ROLES

#: Decimals of what was measured in volts and in degrees.
_VOLTS, _DEGREES = 3, 1


class Descriptions:
    """Says how nodes are."""

    def __init__(
        self,
        bindings: BindingService,
        health: HealthService,
        readings_of: Callable[[Node], list[Reading]],
        last_seen: Callable[[Node], float],
    ) -> None:
        self._bindings = bindings
        self._health = health
        self._readings_of = readings_of
        self._last_seen = last_seen

    def of(self, node: Node) -> dict[str, Any]:
        """Return what is said of a node, for JSON."""
        port = self._bindings.port_of(node)
        condition = self._health.condition_of(node)
        dd = node.device_type_identifier
        supply = None if node.pins is None else node.pins.supply
        return {
            "address": address_level(node.address64),
            "label": node.label or "",
            "name": node.name,
            "type": ROLES.get(node.role, "") if node.role is not None else "",
            "address16": _short(node.address16),
            "parent": _short(node.parent16),
            "profile_id": node.profile_id,
            "manufacturer_id": node.manufacturer_id,
            "device_type": "" if dd is None else f"0x{dd:08x}",
            "tcp_port": (port.number if port else 0) or None,
            "mqtt": self._bindings.settings_of(node).mqtt,
            "health": condition.health.value,
            "why": condition.why,
            "since": condition.since or None,
            "signal": None if node.signal is None else -node.signal,
            "hops": None if node.route is None else node.hops,
            "lost": port.outbound.failures if port else 0,
            "last_seen": self._last_seen(node) or None,
            "temperature": _rounded(node.temperature, _DEGREES),
            "supply": _rounded(None if supply is None else supply / 1000, _VOLTS),
            "pins": {} if node.pins is None else pins_of(node.pins),
            "values": {
                reading.value.name: {
                    "value": reading.value.value,
                    "unit": reading.value.unit,
                    "at": reading.time,
                }
                for reading in self._readings_of(node)
            },
        }


def said_of_value(reading: Reading) -> dict[str, Any]:
    """Return what is said of a value under its topic, for JSON."""
    value = reading.value
    return {"value": value.value, "unit": value.unit, "kind": value.kind, "at": reading.time}


def pins_of(pins: NodePins) -> dict[str, Any]:
    """Return what is said of a node's lines, by the AT command of each, or by its name if it has
    none. The supply voltage is no line.
    """
    return {
        line.command or line.name: _line(line) for line in pins.lines() if line.kind != SUPPLY_KIND
    }


def _line(line: Line) -> dict[str, Any]:
    value: float | None = None
    if line.reading is not None:
        if line.unit:
            value = round(line.value / 1000, _VOLTS)
        elif line.kind == DIGITAL_KIND:
            value = int(line.value)
    said: dict[str, Any] = {"mode": line.mode, "value": value}
    if line.unit:
        said["unit"] = "V"
    return said


def _short(address16: Address16) -> str:
    return "" if address16 == UNKNOWN16 else f"{address16:04x}"


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
