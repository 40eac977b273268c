"""The radio of a hub: all sites at a broker, as the rest of the program sees them.

Nodes are sent to by the way to each (`zbtwist.fleet.way`), so that no frame ids bound how many
packets are under way, and a site that is away holds up nobody else's. What nodes say comes as the
frames in which a radio says it. AT commands and searches are operations of the sites' gateways.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.fleet.answers import Answers
from zbtwist.fleet.events import NodeMoved, SiteDown, SiteRestarted, SiteUp
from zbtwist.fleet.listing import Described, Listing
from zbtwist.fleet.operations import DISCOVER_TIMEOUT, SiteOperations
from zbtwist.fleet.packets import Packets
from zbtwist.fleet.places import Places
from zbtwist.fleet.site import Site
from zbtwist.fleet.way import NodeWay
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.settings import HUBS
from zbtwist.mqtt.site_topics import SiteTopics, node_of, site_of
from zbtwist.mqtt.stream_messages import Counts, is_stripped, numbered, read_object
from zbtwist.radio.errors import RadioOffline
from zbtwist.radio.events import LinkDown, StreamHole, WaysChanged
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.interfaces import IWay
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import (
    BROADCAST64,
    COORDINATOR64,
    UNKNOWN16,
    UNKNOWN64,
    Address16,
    Address64,
)
from zbtwist.xbee.frames import ReceivePacket, TransmitStatus

#: Sites, and nodes of all together; and topics that are remembered.
MAX_SITES = 4096
MAX_WAYS = 65536
MAX_TOPICS = 2 * MAX_WAYS

#: Bytes of a packet from a node at the most: no radio has longer ones.
MAX_PACKET = 1024

#: Seconds that a packet may be behind the counts that a site has told. Both come on one connection,
#: but a cluster of brokers need not keep the order of different topics.
COUNT_GRACE = 1.0

#: Seconds until a site is asked for its nodes, if it has not said who all are.
LIST_PATIENCE = 10.0

#: Bytes of what a site says of a node.
MAX_DESCRIPTION = 1 << 16

_NO_NODE = (COORDINATOR64, BROADCAST64, UNKNOWN64)


def _nobody(site: Site, address64: Address64, said: dict[str, Any] | None) -> None:
    """Nobody wants to know it."""


class FleetRadio(SiteOperations):
    """
    @ivar broker: the broker.
    @ivar packets: those to nodes that are under way.
    @ivar hub: the id of this run, which nobody can guess.
    @ivar sites: the sites that were ever there, by name.
    @ivar places: says at which site a node is that several know.
    @ivar described: called with what a site says of a node; None if it has forgotten it.
    @ivar doubles: packets of nodes that came twice.
    @ivar ignored: messages that make no sense, or are of more nodes or sites than there may be.
    """

    has_its_pace = True

    def __init__(
        self,
        clock: IReactorTime,
        bus: EventBus,
        broker: IBroker,
        base: str,
        sites: tuple[str, ...] = (),
        name: str = "",
    ) -> None:
        """
        @param base: what stands before all topics.
        @param sites: the sites that it is the hub of; none for all.
        @param name: the broker, as people read it.
        """
        super().__init__(clock, bus)
        self.broker = broker
        self.line.is_server = True
        self._base = base
        self._name = name
        self.offline_reason = f"The broker {name} is not connected yet."
        self.hub = secrets.token_hex(8)
        hub = f"{base}/{HUBS}/{self.hub}"
        self.answers = Answers(clock, broker, f"{hub}/answers")
        self.packets = Packets(clock, broker, f"{hub}/packets", self.hub, self.transmit_seconds)
        self.described: Described = _nobody
        self._listing = Listing(
            lambda site: self.ask(site, "list", [], DISCOVER_TIMEOUT),
            lambda *said: self.described(*said),
        )
        self._calls: set[IDelayedCall] = set()
        self.sites: dict[str, Site] = {}
        self._ways: dict[Address64, NodeWay] = {}
        self.places = Places(clock, self._ways.values, self.place)
        # Whose packets come under which topic.
        self._by_topic: dict[str, tuple[NodeWay, Site]] = {}
        self.doubles = self.ignored = 0
        broker.connected.append(self._connected)
        broker.lost.append(self._lost)
        for one in sites or ("+",):
            topics = SiteTopics(base, one)
            # Thousands are kept, and mosquitto lets a thousand with QoS 1 wait, and drops the rest.
            broker.subscribe(topics.state, self._state, at_most_once=True)
            broker.subscribe(topics.all_nodes, self._node, at_most_once=True)
            broker.subscribe(topics.all_rx, self._rx, at_most_once=True)

    def close(self) -> None:
        for site in self.sites.values():
            site.stop()
        self.answers.stop()
        self.packets.stop()
        self.places.stop()
        for call in self._calls:
            call.cancel()
        self._calls.clear()
        super().close()

    # --- the broker ----------------------------------------------------------------------------

    def _connected(self) -> None:
        for site in self.sites.values():
            site.begin_anew()
        self.places.begin()
        # How the sites are is said next.
        self.ready(
            RadioInfo(Address64(0), api_mode=0, is_zigbee=False, line=self._name, is_fleet=True)
        )

    def _lost(self) -> None:
        reason = f"The connection to the broker {self._name} is lost; it is made anew."
        self.facts = None
        self.is_away = True
        self.down_since = self.offline_since = self._clock.seconds()
        self.offline_reason = reason
        for site in self.sites.values():
            site.gone(reason)
        self.answers.fail_all(reason)
        # What nodes say meanwhile shows in the numbers of their packets.
        self._bus.publish(LinkDown(reason, is_counted=True))

    # --- the sites -----------------------------------------------------------------------------

    def _site(self, name: str) -> Site | None:
        site = self.sites.get(name)
        if site is None and name != HUBS and len(self.sites) < MAX_SITES:
            site = self.sites[name] = Site(
                self._clock,
                self.answers,
                SiteTopics(self._base, name),
                self._counted,
                self._site_changed,
            )
        return site

    def _state(self, message: Message) -> None:
        name = site_of(self._base, message.topic)
        site = None if name is None else self._site(name)
        if site is None:
            self.ignored += 1
        elif message.payload == b"online":
            site.is_online()
        else:
            site.gone(f"Site {site.name} is offline.")

    def _site_changed(self, site: Site) -> None:
        if self.facts is None:
            # That is said of all together.
            return
        if site.is_away:
            site.is_said_away = True
            self._bus.publish(SiteDown(site.name, site.offline_reason))
        else:
            is_news, site.is_said_away = site.is_said_away, False
            self._bus.publish(SiteUp(site.name, len(site.ways), is_news=is_news))
        self.places.look_soon()
        self._bus.publish(WaysChanged(tuple(site.ways)))
        if not site.is_away:
            for way in list(site.ways.values()):
                way.say_again(self._clock.seconds())

    def _counted(self, site: Site, counts: Counts) -> None:
        """A site has told how many packets of its nodes there were."""
        self._runs(site, counts.run)
        missing: list[tuple[NodeWay, int]] = []
        for number, count in counts.packets.items():
            way = self.way(Address64(number))
            if way is None:
                continue
            if way.site is None:
                self.place(way, site)
            if way.site is site:
                self._begin_count(way, count)
                if way.is_behind(count):
                    missing.append((way, count))
        for address64, way in list(site.ways.items()):
            self.has_stream(way, address64 in counts.packets)
            # One that it has not heard yet is counted from its first packet on.
            self._begin_count(way, 0)
        if not all(way.is_described for way in site.ways.values()):
            self._later(LIST_PATIENCE, lambda: self._listing.look_at(site))
        if missing:
            self._later(COUNT_GRACE, lambda: self._look_for_holes(site, counts.run, missing))

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        def begin() -> None:
            self._calls.discard(call)
            work()

        call = self._clock.callLater(seconds, begin)
        self._calls.add(call)

    def _begin_count(self, way: NodeWay, count: int) -> None:
        if way.begins_at(count):
            # Who was there before, while the site was not, may have missed some.
            why = f"site {'' if way.site is None else way.site.name} was not heard until now"
            self._bus.publish(StreamHole(way.address64, why, is_certain=False))

    def _look_for_holes(self, site: Site, run: str, missing: list[tuple[NodeWay, int]]) -> None:
        for way, count in missing:
            if way.site is site and site.run == run:
                lost = way.missed(count)
                if lost:
                    self._bus.publish(StreamHole(way.address64, lost))

    def _runs(self, site: Site, run: str) -> None:
        """A site's gateway says which run it is in: if it is another one, it has lost what it had
        of all its nodes.
        """
        if not site.runs(run):
            return
        self._bus.publish(SiteRestarted(site.name))
        why = f"The gateway of site {site.name} was started anew."
        for way in list(site.ways.values()):
            way.number = None
            way.lose_pending(why)
            self._bus.publish(StreamHole(way.address64, why.rstrip(".")))

    # --- the nodes -----------------------------------------------------------------------------

    def way(self, address64: Address64) -> NodeWay | None:
        """Return the way to a node; None if there are too many already."""
        way = self._ways.get(address64)
        if way is None and address64 not in _NO_NODE and len(self._ways) < MAX_WAYS:
            way = self._ways[address64] = NodeWay(self, address64)
        return way

    def way_to(self, address64: Address64) -> IWay:
        way = self.way(address64)
        # One that is not kept leads nowhere.
        return NodeWay(self, address64) if way is None else way

    def site_of(self, address64: Address64) -> str | None:
        way = self._ways.get(address64)
        return way.site.name if way is not None and way.site is not None else ""

    def why_site_is_away(self, address64: Address64) -> str:
        way = self._ways.get(address64)
        return "" if way is None or way.site is None else way.site.offline_reason

    def place(self, way: NodeWay, site: Site | None) -> None:
        """A node is heard at a site from now on, or at none."""
        before = way.site
        if before is site:
            return
        way.is_at(site)
        if before is not None and site is not None:
            self._bus.publish(NodeMoved(way.address64, before.name, site.name))
            self._bus.publish(
                StreamHole(
                    way.address64,
                    f"it is heard at site {site.name} now, and was heard at {before.name}",
                )
            )
        self._bus.publish(WaysChanged((way.address64,)))

    def has_stream(self, way: NodeWay, is_said: bool) -> None:
        """Its site says a node's stream at the broker, or does not."""
        if way.is_said is not is_said:
            way.is_said = is_said
            self._bus.publish(WaysChanged((way.address64,)))

    def _node(self, message: Message) -> None:
        """What is known of a node is said, or that it is forgotten."""
        found = node_of(self._base, message.topic)
        site = None if found is None else self._site(found[0])
        payload = message.payload
        said = read_object(payload) if 0 < len(payload) <= MAX_DESCRIPTION else None
        if found is None or site is None or (payload and said is None):
            self.ignored += 1
        else:
            site.speaks()
            if is_stripped(message):
                site.comes_stripped()
            elif payload:
                site.is_stripped = False
            self.described(site, Address64(found[1]), said)

    def _rx(self, message: Message) -> None:
        known = self._by_topic.get(message.topic) or self._meet(message.topic)
        said = numbered(message)
        if known is None or said is None or message.retained or len(message.payload) > MAX_PACKET:
            self.ignored += 1
            if known is not None and is_stripped(message) and not message.retained:
                known[1].comes_stripped()
            return
        way, site = known
        site.is_stripped = False
        if said.run != site.run:
            if site.is_past(said.run):
                self.doubles += 1
                return
            self._runs(site, said.run)
        if way.site is not site:
            self.place(way, site)
        self._begin_count(way, said.number - 1)
        lost = way.counts(said)
        if lost is None:
            self.doubles += 1
            return
        if lost:
            self._bus.publish(StreamHole(way.address64, lost))
        self.has_stream(way, True)
        way.proven_at = site.heard_at = self._clock.seconds()
        if site.is_away:
            site.speaks()
        if message.payload:
            self.hearers.hear(ReceivePacket(way.address64, UNKNOWN16, 0, message.payload))

    def _meet(self, topic: str) -> tuple[NodeWay, Site] | None:
        found = node_of(self._base, topic)
        if found is None:
            return None
        site, way = self._site(found[0]), self.way(Address64(found[1]))
        if site is None or way is None:
            return None
        site.speaks()
        if len(self._by_topic) >= MAX_TOPICS:
            self._by_topic.clear()
        self._by_topic[topic] = way, site
        return way, site

    def site_at(self, address64: Address64) -> Site:
        way = self._ways.get(address64)
        if way is None or way.site is None or way.site.is_away:
            raise RadioOffline(self.offline_reason if way is None else way.offline_reason)
        return way.site

    @property
    def outstanding(self) -> int:
        return len(self.packets.pending) + len(self.answers)

    def transmit(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        if address64 in _NO_NODE:
            return fail(RadioOffline("A hub sends to no more than one node at once."))
        return self.way_to(address64).transmit(address64, data, address16, sleeps)
