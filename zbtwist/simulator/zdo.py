"""What a simulated module answers when its ZDO is asked for its neighbours or its routes.

Other questions it does not answer, nor does an end device (a real one may, when it is awake).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from zbtwist.simulator.hearing import Heard, heard_by, parent_of
from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.packet import IModule, Packet
from zbtwist.xbee.address import COORDINATOR16
from zbtwist.xbee.devices import END_DEVICE
from zbtwist.xbee.zdo import (
    ACTIVE,
    ANSWER,
    CHILD,
    NEIGHBOURS_CLUSTER,
    NO_RELATION,
    PARENT,
    ROUTES_CLUSTER,
    SIBLING,
    SUCCESS,
    ZDO_ENDPOINT,
    ZDO_PROFILE,
    Neighbour,
    Page,
    Route,
)

#: Entries of one answer: as many as fit into a packet of 84 bytes.
NEIGHBOURS_AT_ONCE = 3
ROUTES_AT_ONCE = 10
#: Entries of a table of routes (Digi, "source routing": 40).
MAX_ROUTES = 40

_T = TypeVar("_T", Neighbour, Route)


def answer_to(packet: Packet, module: IModule, network: IMedium) -> Packet | None:
    """Return what a module answers to a packet; None if it does not."""
    if (packet.profile_id, packet.destination_endpoint) != (ZDO_PROFILE, ZDO_ENDPOINT):
        return None
    if module.role == END_DEVICE or len(packet.data) != 2:
        return None
    transaction, start = packet.data
    if packet.cluster_id == NEIGHBOURS_CLUSTER:
        told = _page(neighbours_of(module, network), transaction, start, NEIGHBOURS_AT_ONCE)
    elif packet.cluster_id == ROUTES_CLUSTER:
        told = _page(routes_of(module, network), transaction, start, ROUTES_AT_ONCE)
    else:
        return None
    cluster = packet.cluster_id | ANSWER
    return Packet(module, told, cluster, ZDO_ENDPOINT, ZDO_ENDPOINT, ZDO_PROFILE)


def _page(table: Sequence[_T], transaction: int, start: int, most: int) -> bytes:
    entries = tuple(table[start : start + most])
    return Page(transaction, SUCCESS, len(table), start, entries).to_bytes()


def neighbours_of(module: IModule, network: IMedium) -> list[Neighbour]:
    """Return whom a module hears."""
    return [_neighbour(module, heard, network) for heard in heard_by(module, network)]


def _neighbour(module: IModule, heard: Heard, network: IMedium) -> Neighbour:
    other = heard.module
    if parent_of(module, network) is other:
        relationship = PARENT
    elif parent_of(other, network) is module:
        # Only an end device is a child; a router that has joined is nobody's any more.
        relationship = CHILD if other.role == END_DEVICE else NO_RELATION
    else:
        relationship = SIBLING if other.hops == module.hops else NO_RELATION
    depth = 0 if other is network.radio else other.hops
    return Neighbour(
        network.pan_id,
        other.address64,
        other.address16,
        other.role,
        other.role != END_DEVICE,
        relationship,
        depth,
        heard.lqi,
    )


def routes_of(module: IModule, network: IMedium) -> list[Route]:
    """Return the ways that a module knows: to the coordinator, and to all whose packets it passes
    on.
    """
    routes: list[Route] = []
    parent = parent_of(module, network)
    if parent is not None:
        routes.append(Route(COORDINATOR16, ACTIVE, parent.address16, is_many_to_one=True))
    for node in network.nodes_in_pan:
        way = [node, *node.relays]
        if module is network.radio:
            routes.append(Route(node.address16, ACTIVE, way[-1].address16))
        elif module in node.relays:
            routes.append(Route(node.address16, ACTIVE, way[way.index(module) - 1].address16))
    return routes[:MAX_ROUTES]
