"""All that is known of one node, without asking it."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, TypedDict

from zbtwist.binding.port import NodePort
from zbtwist.control.operations.actions import ActionOperations, LinkTestRow
from zbtwist.control.operations.clients import ClientOperations, ClientRow
from zbtwist.control.operations.neighbours import NeighbourOperations, NeighboursRow
from zbtwist.control.operations.nodes import NodeOperations, NodeRow, StatsRow
from zbtwist.control.operations.pins import PinOperations, PinRow
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.control.operations.tracing import EventRow, TracingOperations
from zbtwist.control.settings_file import FileError, read
from zbtwist.network.node import Node
from zbtwist.store.errors import StoreError
from zbtwist.store.records import StoredSettings
from zbtwist.xbee.address import Address16, digi_address16, digi_address64
from zbtwist.xbee.devices import product_name

#: How many of the last events of a node are shown.
MAX_EVENTS = 20


class HopRow(TypedDict):
    """A node between another one and the radio, in ``show()``."""

    addr_short: Annotated[str, "its 16-bit address, as in ``list()``"]
    addr_extended: Annotated[str, "as in ``list()``; empty if it is not known whose address it is"]
    label: Annotated[str, "the same"]
    name: Annotated[str, "the same"]
    signal: Annotated[int, "the same"]
    health: Annotated[str, "the same"]


class EndpointRow(TypedDict):
    """An endpoint of a node beside its port, in ``show()``."""

    endpoint: Annotated[str, "as an endpoint string"]
    protocol: Annotated[str, "what is spoken there"]
    state: Annotated[
        str,
        "``listening``; ``taken``: it does not open, and is tried again and again; of a server "
        "``connected``, ``connecting`` or ``idle``: until there is data",
    ]
    state_text: Annotated[str, "what is not as it should be, in a sentence; empty if nothing is"]


class ShowRow(NodeRow):
    """A node in ``show()``."""

    why: Annotated[str, "as ``health_text``"]
    since: Annotated[float, "as ``health_since``"]
    device: Annotated[str, "what ``device_type`` is called; empty if that is not known"]
    firmware: Annotated[str, "VR, four hexadecimal digits; empty if it was not asked for yet"]
    route: Annotated[
        list[HopRow],
        "a struct for each node between it and the radio, by its last route record, the radio's "
        "neighbour first: ``addr_short``, ``addr_extended``, ``label``, ``name``, ``signal``, "
        "``health``",
    ]
    has_temperature: Annotated[bool, "it has told a temperature"]
    temperature: Annotated[float, "the last one, in °C; 0 if it has told none"]
    queued: Annotated[float, "bytes for it that wait to be sent, or are on their way"]
    kept: Annotated[float, "bytes of it that are kept for the next client"]
    stats: Annotated[StatsRow, "its counters, as in ``stats()``"]
    clients: Annotated[list[ClientRow], "as ``clients()``"]
    endpoints: Annotated[
        list[EndpointRow],
        "a struct for each endpoint that it has beside its port: ``endpoint``, ``protocol``, "
        "``state``, ``state_text``; see `endpoints <endpoints.rst>`_",
    ]
    pins: Annotated[list[PinRow], "what is known of its lines, as ``pins()``"]
    settings: Annotated[
        str, "its settings when they were read last, as ``save_settings()``; empty for never"
    ]
    settings_read: Annotated[float, "when that was, seconds since 1970; 0 for never"]
    unwritten: Annotated[
        list[str], "AT commands that were set through the gateway, and are not in its flash memory"
    ]
    test: Annotated[LinkTestRow, "the last test of the way to it, as ``test_result()``"]
    neighbours: Annotated[NeighboursRow, "whom it hears, as ``neighbours()``; as it told last"]
    events: Annotated[list[EventRow], "its last 20 events of the log, as ``trace()``"]


class ShowOperations(
    NodeOperations,
    ActionOperations,
    PinOperations,
    NeighbourOperations,
    ClientOperations,
    TracingOperations,
):
    """One node."""

    @operation("show", harmless=Harmless.ALWAYS, page="show")
    def show(self, address: str) -> ShowRow:
        """Show all that is known of a node, without asking it.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        node = self._resolver.node(address)
        extended = digi_address64(node.address64)
        row = self._row(node)
        port = self._bindings.port_of(node)
        dd = node.device_type_identifier
        stored = None
        with suppress(StoreError):
            stored = self._store.settings_of(node.address64)
        return {
            **row,
            "why": row["health_text"],
            "since": row["health_since"],
            "device": (product_name(dd) or "") if dd is not None else "",
            "firmware": _firmware(node, stored),
            "route": [self._hop(hop) for hop in node.route or ()],
            "has_temperature": node.temperature is not None,
            "temperature": node.temperature or 0.0,
            "queued": float(port.outbound.unconfirmed if port else 0),
            "kept": float(port.kept if port else 0),
            "stats": self._counters(node),
            "clients": self._clients_of(node),
            "endpoints": _endpoints_of(port) if port else [],
            "pins": self.pins(extended),
            "settings": stored.text if stored else "",
            "settings_read": stored.read_at if stored else 0.0,
            "unwritten": sorted(node.unwritten),
            "test": self.test_result(extended),
            "neighbours": self._neighbours_row(
                node.address64, self._network.neighbours.of(node.address64)
            ),
            "events": self._events_of(node)[-MAX_EVENTS:],
        }

    def _hop(self, address16: Address16) -> HopRow:
        owner = self._network.nodes.owner_of(address16)
        relay: Node | None = None if owner is None else self._network.nodes.get(owner)
        row = None if relay is None else self._row(relay)
        return {
            "addr_short": digi_address16(address16),
            "addr_extended": row["addr_extended"] if row else "",
            "label": row["label"] if row else "",
            "name": row["name"] if row else "",
            "signal": row["signal"] if row else 0,
            "health": row["health"] if row else "",
        }


def _endpoints_of(port: NodePort) -> list[EndpointRow]:
    return [
        {
            "endpoint": wish.endpoint,
            "protocol": wish.protocol or port.outbound.settings.protocol,
            "state": endpoint.state,
            "state_text": endpoint.problem,
        }
        for wish, endpoint in port.endpoints.items()
    ]


def _firmware(node: Node, stored: StoredSettings | None) -> str:
    """Return what is known of a node's firmware: by its own word, or by its settings."""
    firmware = node.firmware_version
    if firmware is None and stored is not None:
        with suppress(FileError):
            firmware = read(stored.text).firmware
    return "" if firmware is None else f"{firmware:04x}"
