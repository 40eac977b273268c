"""How the gateway is."""

from __future__ import annotations

from typing import Annotated, TypedDict

import zbtwist
from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.xbee.address import format_address64


class Status(TypedDict):
    """What ``status()`` returns."""

    version: Annotated[str, "of the gateway"]
    uptime: Annotated[float, "seconds since it started"]
    link: Annotated[str, "``up``; ``joining``: the radio answers, but is in no network; ``down``"]
    link_text: Annotated[
        str, "why it is not up, or what is wrong with it or its line, in a sentence; else empty"
    ]
    address: Annotated[str, "64-bit address of the radio; empty while it is down"]
    firmware: Annotated[str, "VR, four hexadecimal digits"]
    hardware: Annotated[str, "HV, four hexadecimal digits"]
    api_mode: Annotated[int, "1 or 2; 0 while it is down"]
    pan: Annotated[str, "64-bit PAN identifier in use (OP), 16 hexadecimal digits"]
    channel: Annotated[int, "in use (CH), 11 to 26; 0 if it is not known"]
    nodes: Annotated[int, "known nodes"]
    waiting: Annotated[int, "that have answered and are no nodes; ``waiting()`` lists them"]
    strangers: Annotated[int, "that were heard and have not answered"]
    waiting_text: Annotated[
        str, "why nobody is let in who otherwise would be, in a sentence; empty if they are"
    ]
    clients: Annotated[int, "TCP clients of all nodes together"]
    problems: Annotated[int, "nodes with a ``state_text``"]
    health: Annotated[
        dict[str, int], "how many nodes are in which ``health`` of ``list()``, by its name"
    ]
    store: Annotated[str, "the file that keeps nodes and mappings; ``:memory:`` is none"]
    store_text: Annotated[str, "why they are not being saved, in a sentence; empty if they are"]
    broadcast: Annotated[
        dict[str, str | int | float],
        "the port of all nodes: ``endpoint``, ``state`` (``listening`` or ``taken``), ``reason`` "
        "(why it does not open, in a sentence), its ``clients``, and how many bytes of theirs were "
        "sent (``bytes_out``) and lost (``bytes_lost``); empty if there is none",
    ]
    mqtt: Annotated[
        dict[str, str | bool | float],
        "the MQTT broker: ``broker``, ``site`` (what the gateway is called there), ``connected``, "
        "``reason`` (why not, in a sentence), ``since`` (seconds since 1970), and how many "
        "messages were ``published``, ``dropped``, ``refused`` and ``received``; empty if there is "
        "none",
    ]


class StatusOperations(GatewayOperations):
    """The gateway as a whole."""

    @operation("status", harmless=Harmless.ALWAYS)
    def status(self) -> Status:
        """Say how the gateway, its radio and its network are."""
        facts = self._radio.facts
        admission = self._network.admission
        return {
            "version": zbtwist.__version__,
            "uptime": self._clock.seconds() - self._started,
            "link": "down" if facts is None else "joining" if facts.problem else "up",
            "link_text": (facts.problem if facts else self._radio.offline_reason)
            or self._radio.line.problem,
            "address": format_address64(facts.address64) if facts else "",
            "firmware": f"{facts.firmware_version:04x}" if facts else "",
            "hardware": f"{facts.hardware_version:04x}" if facts else "",
            "api_mode": facts.api_mode if facts else 0,
            "pan": f"{facts.operating_pan_id:016x}" if facts else "",
            "channel": facts.channel if facts else 0,
            "nodes": len(self._network.nodes),
            "waiting": admission.waiting,
            "strangers": len(admission.candidates) - admission.waiting,
            "waiting_text": admission.why_none if admission.waiting else "",
            "clients": self._bindings.clients,
            "problems": sum(bool(self._bindings.problem_of(node)) for node in self._network.nodes),
            "health": {health.value: count for health, count in self._health.counts().items()},
            "store": self._bindings.store_path,
            "store_text": self._bindings.store_problem,
            "broadcast": self._broadcast_port(),
            "mqtt": self._mqtt(),
        }

    def _broadcast_port(self) -> dict[str, str | int | float]:
        endpoint, port = self._broadcast.endpoint, self._broadcast.port
        if endpoint is None or port is None:
            return {}
        return {
            "endpoint": endpoint.wish.endpoint,
            "state": endpoint.state,
            "reason": endpoint.problem,
            "clients": port.clients,
            "bytes_out": float(port.outbound.bytes_sent),
            "bytes_lost": float(port.outbound.bytes_lost),
        }

    def _mqtt(self) -> dict[str, str | bool | float]:
        broker = self._broker()
        if broker is None:
            return {}
        counters = broker.counters
        why = broker.reason
        return {
            "broker": broker.place,
            "site": broker.client_id,
            "connected": broker.is_connected,
            "reason": f"The broker is not connected: {why}." if why else "",
            "since": broker.since,
            "published": float(counters.published),
            "dropped": float(counters.dropped),
            "refused": float(counters.refused),
            "received": float(counters.received),
        }
