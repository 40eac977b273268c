"""Whom the modules of the network hear: one is asked, or all, one after the other."""

from __future__ import annotations

from typing import Annotated, TypedDict

from zbtwist.control.faults import BAD_VALUE, NO_ANSWER, NODE_REFUSED, RADIO_OFFLINE, ControlFault
from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.health.record import in_words
from zbtwist.network.neighbours import NotAsked, Tables
from zbtwist.network.node import Node
from zbtwist.network.walk import MAX_PAUSE, MIN_PAUSE, PAUSE
from zbtwist.radio.errors import RadioError, RadioOffline
from zbtwist.radio.info import NO_RADIO
from zbtwist.xbee.address import Address64, digi_address16, digi_address64
from zbtwist.xbee.devices import ROLES
from zbtwist.xbee.zdo import RELATIONSHIPS, ROUTE_STATES, Neighbour, Route


class NeighbourRow(TypedDict):
    """A module in ``neighbours()``."""

    addr_extended: str
    addr_short: str
    label: str
    name: str
    type: str
    relationship: str
    depth: int
    lqi: int


class RouteRow(TypedDict):
    """A route in ``neighbours()``."""

    addr_short: str
    next_hop: str
    state: str


class NeighboursRow(TypedDict):
    """What ``neighbours()`` returns."""

    addr_extended: Annotated[str, "as in ``list()``; of the local radio its own"]
    at: Annotated[float, "when it told, seconds since 1970; 0 for never"]
    text: Annotated[str, "why it told nothing when it was asked last; empty if it did"]
    neighbours: Annotated[
        list[NeighbourRow],
        "a struct for each module that it hears: ``addr_extended``, ``addr_short``, ``label``, "
        "``name``, ``type``; ``relationship``: ``parent``, ``child``, ``sibling``, ``none`` or "
        "``former child``; ``depth`` in the tree of parents; ``lqi``, how well it is heard, 0 to "
        "255",
    ]
    routes: Annotated[
        list[RouteRow],
        "a struct for each route that it knows: ``addr_short``, where to; ``next_hop``, through "
        "whom; ``state``: ``active``, ``being looked for``, ``failed``, ``inactive`` or ``being "
        "validated``",
    ]


class LinkRow(TypedDict):
    """Who hears whom, in ``links()``."""

    addr_extended: str
    neighbour: str
    lqi: int
    relationship: str
    at: float


class LinksRow(TypedDict):
    """What ``links()`` returns."""

    running: Annotated[bool, "a walk over all routers goes on"]
    began: Annotated[float, "when the last one began, seconds since 1970; 0 for never"]
    pause: Annotated[float, "seconds between two of its questions"]
    total: Annotated[int, "modules that it has to ask"]
    asked: Annotated[int, "how many it has asked"]
    told: Annotated[int, "how many of them have told"]
    seconds_left: Annotated[float, "how long it will go on; 0 if that is not known"]
    text: Annotated[str, "how it goes, in a sentence; empty if there was none"]
    links: Annotated[
        list[LinkRow],
        "a struct for each: ``addr_extended``, who hears; ``neighbour``, whom, likewise, which "
        "need not be a known node; ``lqi``, how well, 0 to 255; ``relationship``; ``at``, when it "
        "told",
    ]


class NeighbourOperations(GatewayOperations):
    """Neighbours."""

    @operation("neighbours", ends_with_asker=True, page="neighbours")
    async def neighbours(self, address: str) -> NeighboursRow:
        """Ask a router, or with an empty address the local radio, whom it hears and which routes it
        knows (ZDO, Mgmt_Lqi_req and Mgmt_Rtg_req).

        A table comes two or three neighbours an answer. What is told is kept in memory: see
        ``links()``. Only Zigbee modules tell; an end device hears nobody but its parent, and is not
        asked.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, RADIO_OFFLINE, NO_ANSWER,
            NODE_REFUSED.
        """
        node = self._resolver.node(address) if address else None
        await self._ready_radio()
        facts = self._radio.facts
        assert facts is not None
        address64 = facts.address64 if node is None else node.address64
        try:
            tables = await self._network.neighbours.ask(address64)
        except NotAsked as error:
            raise ControlFault(NODE_REFUSED, str(error)) from None
        except RadioOffline as error:
            raise ControlFault(RADIO_OFFLINE, str(error)) from None
        except RadioError as error:
            raise ControlFault(NO_ANSWER, str(error)) from None
        return self._neighbours_row(address64, tables)

    @operation("walk", page="walk")
    async def walk(self, pause: float = PAUSE) -> LinksRow:
        """Ask the local radio and all known routers whom they hear, one question after the other,
        and return at once what ``links()`` does.

        It goes on by itself, also when whoever began it is gone. If one is going on, it has this
        pause from now on. A router with 16 neighbours is about ten questions: with a question a
        minute, which the air does not feel, 20 of them take some three hours; with one a second it
        is three minutes, and up to a twentieth of the air.

        @param pause: seconds between two questions, 0.25 to 3600.
        @raise ControlFault: BAD_VALUE, RADIO_OFFLINE; NODE_REFUSED: the radio is no Zigbee one.
        """
        if not MIN_PAUSE <= pause <= MAX_PAUSE:
            raise ControlFault(
                BAD_VALUE,
                f"Between two questions there are {MIN_PAUSE:g} to {MAX_PAUSE:g} seconds, not "
                f"{pause:g}.",
            )
        await self._ready_radio()
        facts = self._radio.facts
        assert facts is not None
        try:
            self._network.neighbours.must_be_asked(facts.address64)
        except NotAsked as error:
            raise ControlFault(NODE_REFUSED, str(error)) from None
        self._network.walk.begin(pause)
        return self.links()

    @operation("end_walk", page="end_walk")
    def end_walk(self) -> LinksRow:
        """End the walk over the routers, if one goes on; what was told is kept. Return what
        ``links()`` does.
        """
        self._network.walk.end()
        return self.links()

    @operation("links", harmless=Harmless.ALWAYS, page="links")
    def links(self) -> LinksRow:
        """List who hears whom, as far as it was told since the gateway started, and how the walk
        over all routers goes.

        Each end of a link tells how well it hears the other. Of the last 1000 modules that were
        asked, and of each at most 64 neighbours and as many routes.
        """
        walk = self._network.walk
        return {
            "running": walk.running,
            "began": walk.began,
            "pause": walk.pause,
            "total": walk.total,
            "asked": walk.asked,
            "told": walk.told,
            "seconds_left": walk.seconds_left,
            "text": self._walk_text(),
            "links": [
                {
                    "addr_extended": digi_address64(address64),
                    "neighbour": digi_address64(neighbour.address64),
                    "lqi": neighbour.lqi,
                    "relationship": _relationship(neighbour),
                    "at": tables.at,
                }
                for address64, tables in self._network.neighbours.tables.items()
                for neighbour in tables.neighbours
            ],
        }

    def _walk_text(self) -> str:
        facts = self._radio.facts
        if facts is not None and facts.is_fleet:
            return NO_RADIO
        walk = self._network.walk
        if not walk.began:
            return ""
        said = f"{walk.asked} of {walk.total} modules were asked, {walk.told} have told."
        if walk.problem:
            said += f" {walk.problem}"
        elif walk.seconds_left:
            said += f" About {in_words(walk.seconds_left)} are left."
        return said

    def _neighbours_row(self, address64: Address64, tables: Tables) -> NeighboursRow:
        return {
            "addr_extended": digi_address64(address64),
            "at": tables.at,
            "text": tables.problem,
            "neighbours": [self._neighbour_row(one) for one in tables.neighbours],
            "routes": [_route_row(one) for one in tables.routes],
        }

    def _neighbour_row(self, neighbour: Neighbour) -> NeighbourRow:
        node: Node | None = self._network.nodes.get(neighbour.address64)
        return {
            "addr_extended": digi_address64(neighbour.address64),
            "addr_short": digi_address16(neighbour.address16),
            "label": (node.label or "") if node else "",
            "name": node.name if node else "",
            "type": "" if neighbour.role is None else ROLES.get(neighbour.role, ""),
            "relationship": _relationship(neighbour),
            "depth": neighbour.depth,
            "lqi": neighbour.lqi,
        }


def _relationship(neighbour: Neighbour) -> str:
    return RELATIONSHIPS.get(neighbour.relationship, "none")


def _route_row(route: Route) -> RouteRow:
    return {
        "addr_short": digi_address16(route.destination),
        "next_hop": digi_address16(route.next_hop),
        "state": ROUTE_STATES.get(route.state, "inactive"),
    }
