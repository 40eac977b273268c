"""The radio of a hub: all sites at a broker, as the rest of the program sees them.

Nodes are sent to by the way to each (`zbtwist.fleet.way`), so that no frame ids bound how many
packets are under way, and a site that is away holds up nobody else's. What nodes say comes as the
frames in which a radio says it. AT commands and searches are operations of the sites' gateways.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.fleet.answers import Answers
from zbtwist.fleet.events import NodeMoved, SiteDown, SiteRestarted, SiteUp
from zbtwist.fleet.site import Site
from zbtwist.fleet.site_requests import answer_of_at, arguments_of_at, found_in
from zbtwist.fleet.way import SAY_AGAIN, NodeWay, Pending
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.site_topics import SiteTopics, node_of, site_of
from zbtwist.mqtt.stream_messages import JSON, Answer, Counts, numbered
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import ATRefused, RadioError, RadioOffline
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
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ATCommand,
    Frame,
    ReceivePacket,
    RemoteATCommandResponse,
    TransmitStatus,
)
from zbtwist.xbee.status import ATStatus

F = TypeVar("F", bound=Frame)

#: Sites, and nodes of all together; and topics that are remembered.
MAX_SITES = 4096
MAX_WAYS = 65536
MAX_TOPICS = 2 * MAX_WAYS

#: Bytes of a packet from a node at the most: no radio has longer ones.
MAX_PACKET = 1024

#: Seconds for a search, and for an AT command, until a site has answered.
DISCOVER_TIMEOUT = 30.0
AT_TIMEOUT = 20.0

#: Seconds that a packet may be behind the counts that a site has told. Both come on one connection,
#: but a cluster of brokers need not keep the order of different topics.
COUNT_GRACE = 1.0

#: Seconds between two looks at packets that are under way.
LOOK = 1.0

#: The site that nobody can be: below it hubs have their topics.
HUBS = "hubs"

_NO_NODE = (COORDINATOR64, BROADCAST64, UNKNOWN64)

_NOT_HERE = "A hub has no radio of its own: ask the gateway of the site at which the node is heard."


class FleetRadio(Coordinator):
    """
    @ivar broker: the broker.
    @ivar packets_topic: where it is answered what became of packets.
    @ivar pending: the packets that are under way, by correlation data. There are no more of them
        than nodes, each with its window.
    @ivar sites: the sites that were ever there, by name.
    @ivar described: called with what is said of a node, by a site.
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
        self._wanted = sites
        self._name = name
        self.offline_reason = f"The broker {name} is not connected yet."
        self.hub = secrets.token_hex(8)
        hub = f"{base}/{HUBS}/{self.hub}"
        self.packets_topic = f"{hub}/packets"
        self._answers = Answers(clock, broker, f"{hub}/answers")
        self.pending: dict[bytes, Pending] = {}
        self._streams = 0
        self._watch: IDelayedCall | None = None
        self._graces: set[IDelayedCall] = set()
        self.sites: dict[str, Site] = {}
        self._ways: dict[Address64, NodeWay] = {}
        # Whose packets come under which topic.
        self._by_topic: dict[str, tuple[NodeWay, Site]] = {}
        self.described: Callable[[Site, Address64, bytes], None] = lambda *said: None
        self.doubles = self.ignored = 0
        broker.connected.append(self._connected)
        broker.lost.append(self._lost)
        broker.subscribe(self.packets_topic, self._packet_answered)
        for one in sites or ("+",):
            topics = SiteTopics(base, one)
            # Thousands are kept, and mosquitto lets a thousand with QoS 1 wait, and drops the rest.
            broker.subscribe(topics.state, self._state, at_most_once=True)
            broker.subscribe(topics.all_nodes, self._node, at_most_once=True)
            broker.subscribe(topics.all_rx, self._rx, at_most_once=True)

    def close(self) -> None:
        for site in self.sites.values():
            site.stop()
        self._answers.stop()
        for call in (*self._graces, self._watch):
            if call is not None:
                call.cancel()
        self._graces.clear()
        self._watch = None
        super().close()

    def now(self) -> float:
        """Seconds of the clock."""
        return self._clock.seconds()

    # --- the broker ----------------------------------------------------------------------------

    def _connected(self) -> None:
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
        self._answers.fail_all(reason)
        # What nodes say meanwhile shows in the numbers of their packets.
        self._bus.publish(LinkDown(reason, is_counted=True))

    # --- the sites -----------------------------------------------------------------------------

    def _site(self, name: str) -> Site | None:
        site = self.sites.get(name)
        if site is None and name != HUBS and len(self.sites) < MAX_SITES:
            site = self.sites[name] = Site(
                self._clock,
                self._answers,
                SiteTopics(self._base, name),
                self._counted,
                self._site_changed,
            )
        return site

    def _state(self, message: Message) -> None:
        name = site_of(self._base, message.topic)
        site = None
        if name is not None and (message.payload == b"online" or name in self.sites):
            site = self._site(name)
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
        self._bus.publish(WaysChanged(tuple(site.ways)))
        if not site.is_away:
            for way in list(site.ways.values()):
                way.say_again(self.now())

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
        if missing:
            call = self._clock.callLater(
                COUNT_GRACE, lambda: self._look_for_holes(call, site, counts.run, missing)
            )
            self._graces.add(call)

    def _begin_count(self, way: NodeWay, count: int) -> None:
        if way.begins_at(count):
            # Who was there before, while the site was not, may have missed some.
            why = f"site {'' if way.site is None else way.site.name} was not heard until now"
            self._bus.publish(StreamHole(way.address64, why, is_certain=False))

    def _look_for_holes(
        self, call: IDelayedCall, site: Site, run: str, missing: list[tuple[NodeWay, int]]
    ) -> None:
        self._graces.discard(call)
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
        if found is None or site is None:
            self.ignored += 1
        else:
            self.described(site, Address64(found[1]), message.payload)

    def _rx(self, message: Message) -> None:
        known = self._by_topic.get(message.topic) or self._meet(message.topic)
        said = numbered(message)
        if known is None or said is None or message.retained or len(message.payload) > MAX_PACKET:
            self.ignored += 1
            return
        way, site = known
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
        way.proven_at = self._clock.seconds()
        if message.payload:
            self.hearers.hear(ReceivePacket(way.address64, UNKNOWN16, 0, message.payload))

    def _meet(self, topic: str) -> tuple[NodeWay, Site] | None:
        found = node_of(self._base, topic)
        if found is None:
            return None
        site, way = self._site(found[0]), self.way(Address64(found[1]))
        if site is None or way is None:
            return None
        if len(self._by_topic) >= MAX_TOPICS:
            self._by_topic.clear()
        self._by_topic[topic] = way, site
        return way, site

    # --- packets -------------------------------------------------------------------------------

    @property
    def outstanding(self) -> int:
        return len(self.pending) + len(self._answers)

    def new_stream(self) -> str:
        """Return the name of a stream that there never was."""
        self._streams += 1
        return f"{self.hub}-{self._streams}"

    def watch_packets(self) -> None:
        """Something is under way."""
        if self._watch is None:
            self._watch = self._clock.callLater(LOOK, self._look_at_sent)

    def _look_at_sent(self) -> None:
        self._watch = None
        now = self._clock.seconds()
        unanswered: dict[NodeWay, None] = {}
        for name, pending in list(self.pending.items()):
            if pending.deadline <= now:
                if self.pending.get(name) is pending:
                    pending.way.timed_out(name, pending)
            elif pending.said_at <= now - SAY_AGAIN:
                unanswered[pending.way] = None
        for way in unanswered:
            way.say_again(now - SAY_AGAIN)
        if self.pending:
            self.watch_packets()

    def _packet_answered(self, message: Message) -> None:
        name = message.correlation_data or b""
        pending = self.pending.get(name)
        answer = None if pending is None else Answer.parse(message.payload)
        if pending is None or answer is None:
            self.late_answers += 1
        else:
            self.last_answer = self._clock.seconds()
            pending.way.answered(name, pending, answer)

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

    def transmit_loopback(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        return fail(RadioOffline(_NOT_HERE))

    def transmit_zdo(
        self,
        address64: Address64,
        cluster_id: int,
        data: bytes,
        address16: Address16 = UNKNOWN16,
    ) -> Deferred[TransmitStatus]:
        return fail(RadioOffline(_NOT_HERE))

    # --- operations ----------------------------------------------------------------------------

    def _ask(
        self, site: Site, operation: str, arguments: object, seconds: float
    ) -> Deferred[bytes]:
        """Ask a site's gateway for an operation."""
        payload = json.dumps(arguments, separators=(",", ":")).encode()
        message = Message(site.topics.request(operation), payload, content_type=JSON)
        return self._answers.ask(message, seconds, f"Site {site.name}")

    async def _local(
        self,
        kind: type[ATCommand],
        command: str,
        parameter: bytes,
        timeout: float | None,
        is_patient: bool = False,
    ) -> bytes:
        raise ATRefused(command, ATStatus.INVALID_COMMAND, "A hub, which has no radio of its own,")

    async def remote_at(
        self,
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        address16: Address16 = UNKNOWN16,
        timeout: float | None = None,
        apply: bool = True,
    ) -> bytes:
        """See `Coordinator`. What is set has effect at once, whatever `apply` says."""
        way = self._ways.get(address64)
        if way is None or way.site is None or way.site.is_away:
            raise RadioOffline(self.offline_reason if way is None else way.offline_reason)
        site = way.site
        answer = await self._ask(
            site,
            "at",
            arguments_of_at(address64, command, parameter),
            AT_TIMEOUT if timeout is None else max(timeout, AT_TIMEOUT),
        )
        value = answer_of_at(answer, address64, command)
        self.last_answer = self._clock.seconds()
        self.hearers.hear(
            RemoteATCommandResponse(0, address64, UNKNOWN16, command, ATStatus.OK, value)
        )
        return value

    async def discover(self) -> list[NodeDescription]:
        """Have all sites search, each for as long as its radio takes.

        @return: who has answered at those that have told in time.
        """
        if self.facts is None:
            raise RadioOffline(self.offline_reason)
        sites = [site for site in self.sites.values() if not site.is_away]
        if not sites:
            raise RadioOffline("No site is there.")
        found = await gatherResults(
            [Deferred.fromCoroutine(self._discover_at(site)) for site in sites]
        )
        return [description for answers in found for description in answers]

    async def _discover_at(self, site: Site) -> list[NodeDescription]:
        try:
            return found_in(await self._ask(site, "discover", [], DISCOVER_TIMEOUT))
        except RadioError as error:
            self.log.warn("The search at site {site} failed: {error}", site=site.name, error=error)
            return []
