"""The nodes: finding them, who they are, what port they have, and what went through it."""

from __future__ import annotations

from typing import Annotated, TypedDict

from zbtwist.binding.port import NodePort
from zbtwist.control.faults import RADIO_OFFLINE, ControlFault
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.control.operations.values import ReadingRow, ValueOperations
from zbtwist.network.node import Node
from zbtwist.radio.errors import RadioError
from zbtwist.xbee.address import digi_address16, digi_address64
from zbtwist.xbee.devices import ROLES


class _NodeRow(TypedDict):
    """A node in ``list()``. The names down to tcp_port are Digi's; they stay."""

    addr_extended: Annotated[str, "64-bit address, as ``[00:13:a2:00:40:0a:3e:ff]!``"]
    addr_short: Annotated[str, "16-bit address, as ``[1234]!``; ``[fffe]!`` if unknown"]
    addr_parent: Annotated[str, "16-bit address of the parent; ``[fffe]!`` for a router"]
    type: Annotated[str, "``coordinator``, ``router`` or ``end``; empty if unknown"]
    label: Annotated[str, "the node identifier (NI); empty if it has none or did not tell"]
    profile_id: Annotated[int, "49413 (C105) for Digi's modules; 0 if unknown"]
    manufacturer_id: Annotated[int, "4126 (101E) for Digi's modules; 0 if unknown"]
    device_type: Annotated[str, "DD, as ``0x00030005``; empty if unknown"]
    tcp_port: Annotated[int, "its port; 0 if it has none"]
    name: Annotated[str, "its name in the configuration file; empty if it has none there"]
    state: Annotated[
        str,
        "``listening``; ``taken``: another program has the port, which is tried again and again; "
        "``none``: there was no port to give; ``unbound``: its mapping was removed",
    ]
    state_text: Annotated[str, "what is not as it should be, in a sentence; empty if nothing is"]
    by_hand: Annotated[bool, "a person chose the port, not the gateway"]
    last_seen: Annotated[float, "when it was last heard, seconds since 1970; 0 for never"]
    missed_search: Annotated[
        bool, "it was known, and did not answer the last search; false for an end device"
    ]
    health: Annotated[
        str,
        "``ok``, ``weak``, ``losing``, ``not-answering``, ``silent``, ``asleep`` or ``unknown``; "
        "see `health <health.rst>`_",
    ]
    health_text: Annotated[str, "why, in a sentence; empty if there is nothing to say"]
    health_since: Annotated[float, "since when, seconds since 1970; 0 if that is not known"]
    signal: Annotated[int, "how strongly its last hop was heard, in −dBm; 0 if it is not known"]
    hops: Annotated[int, "radio hops to it, by its last route record; −1 if none is known"]
    lost: Annotated[float, "packets to it that were given up"]
    values: Annotated[
        list[ReadingRow],
        "what it has told last, if it has a decoder, a struct for each: ``name``, ``value``, "
        "``unit``, ``at``",
    ]


class NodeRow(_NodeRow, total=False):
    """The same, and what is not always told."""

    site: Annotated[
        str,
        "only at a `hub <fleet.rst>`_: the site at which it is heard; empty if that is not known",
    ]


class StatsRow(TypedDict):
    """A node in ``stats()``. Counters are doubles: they outgrow 32 bits."""

    addr_extended: Annotated[str, "as in ``list()``"]
    label: Annotated[str, "the same"]
    name: Annotated[str, "the same"]
    tcp_port: Annotated[int, "the same"]
    bytes_in: Annotated[float, "bytes from the node"]
    packets_in: Annotated[float, "packets from the node"]
    bytes_unread: Annotated[float, "bytes from the node that came while no client was connected"]
    bytes_out: Annotated[float, "bytes delivered to the node"]
    packets_out: Annotated[float, "packets delivered to the node"]
    retries: Annotated[float, "how often a packet was sent again, by the radio or by the gateway"]
    failures: Annotated[float, "packets that were given up"]
    bytes_lost: Annotated[
        float,
        "bytes in those, and in what was dropped with them; of some nobody knows whether they "
        "arrived",
    ]
    clients: Annotated[int, "TCP clients now"]
    last_seen: Annotated[float, "as in ``list()``"]
    health: Annotated[str, "the same"]
    signal: Annotated[int, "the same"]
    hops: Annotated[int, "the same"]
    lost: Annotated[float, "the same"]


def _by_port(row: NodeRow | StatsRow) -> tuple[int, str]:
    # Nodes without a port come last.
    return row["tcp_port"] or 1 << 16, row["addr_extended"]


class NodeOperations(ValueOperations):
    """What is known of nodes."""

    @operation("list", harmless=Harmless.ALWAYS)
    def list_nodes(self) -> list[NodeRow]:
        """List the known nodes, ordered by TCP port, without asking the network.

        The local radio is not in the list. The names down to ``tcp_port`` are those of Digi's
        ``zigbee.getnodelist()``.
        """
        return sorted(map(self._row, self._network.nodes), key=_by_port)

    def _row(self, node: Node) -> NodeRow:
        port = self._bindings.port_of(node)
        condition = self._health.condition_of(node)
        dd = node.device_type_identifier
        row: NodeRow = {
            "addr_extended": digi_address64(node.address64),
            "addr_short": digi_address16(node.address16),
            "addr_parent": digi_address16(node.parent16),
            "type": ROLES.get(node.role, "") if node.role is not None else "",
            "label": node.label or "",
            "profile_id": node.profile_id,
            "manufacturer_id": node.manufacturer_id,
            "device_type": f"0x{dd:08x}" if dd is not None else "",
            "tcp_port": port.number if port else 0,
            "name": node.name,
            "state": self._state(node, port),
            "state_text": self._bindings.problem_of(node),
            "by_hand": port.by_hand if port else False,
            "last_seen": self._network.nodes.last_seen(node),
            "missed_search": node.missed_search,
            "health": condition.health.value,
            "health_text": condition.why,
            "health_since": condition.since,
            "signal": node.signal or 0,
            "hops": node.hops,
            "lost": float(port.outbound.failures if port else 0),
            "values": self._readings_of(node),
        }
        site = self._radio.site_of(node.address64)
        if site is not None:
            row["site"] = site
        return row

    def _state(self, node: Node, port: NodePort | None) -> str:
        if port is None:
            return "unbound" if self._bindings.is_unbound(node) else "none"
        if port.listener is not None:
            return "listening"
        return "none" if port.slot is None else "taken"

    @operation("discover", changes=True, page="discover")
    async def discover(self) -> list[NodeRow]:
        """Search the network for nodes, give every new node a TCP port, wait for the search to end.

        It takes the radio's NT, 6 seconds as it leaves the factory, and half a second more. Two at
        once share one search. Who was known and did not answer has ``missed_search``.

        @raise ControlFault: RADIO_OFFLINE.
        """
        await self._ready_radio()
        try:
            found = await self._network.discover()
        except RadioError as error:
            raise ControlFault(RADIO_OFFLINE, str(error)) from error
        for node in found:
            self._bindings.node_found(node)
        await self._bindings.settled()
        return self.list_nodes()

    @operation("stats", harmless=Harmless.ALWAYS)
    def stats(self) -> list[StatsRow]:
        """Count what went through the gateway since it started, for each known node, ordered by TCP
        port.
        """
        return sorted(map(self._counters, self._network.nodes), key=_by_port)

    def _counters(self, node: Node) -> StatsRow:
        port = self._bindings.port_of(node)
        outbound = port.outbound if port else None
        return {
            "addr_extended": digi_address64(node.address64),
            "label": node.label or "",
            "name": node.name,
            "tcp_port": port.number if port else 0,
            "bytes_in": float(port.bytes_received if port else 0),
            "packets_in": float(port.packets_received if port else 0),
            "bytes_unread": float(port.bytes_unread if port else 0),
            "bytes_out": float(outbound.bytes_sent if outbound else 0),
            "packets_out": float(outbound.packets_sent if outbound else 0),
            "retries": float(outbound.retries if outbound else 0),
            "failures": float(outbound.failures if outbound else 0),
            "bytes_lost": float(outbound.bytes_lost if outbound else 0),
            "clients": port.clients if port else 0,
            "last_seen": self._network.nodes.last_seen(node),
            "health": self._health.condition_of(node).health.value,
            "signal": node.signal or 0,
            "hops": node.hops,
            "lost": float(outbound.failures if outbound else 0),
        }
