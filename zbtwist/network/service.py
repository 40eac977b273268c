"""What the radio says of nodes: who they are, what their devices say, how strongly they are heard.

Nodes are learnt from answers to ND, and from what is heard of somebody who was never seen before:
who that is is asked, and an answer makes a node of it; see `zbtwist.network.admission`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Any, Protocol, TypeAlias

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.network.admission import DEFAULT_MAX_NODES, Admit
from zbtwist.network.announcements import Announcements
from zbtwist.network.descriptions import Descriptions
from zbtwist.network.events import FROM_NODE, BytesPassed, SearchEnded
from zbtwist.network.first_search import FirstSearch
from zbtwist.network.flash import Flash, may_have_been_done
from zbtwist.network.loopback import MARK, MARK_START, echo_of
from zbtwist.network.neighbours import Neighbours
from zbtwist.network.node import Node
from zbtwist.network.pins import Pins
from zbtwist.network.restoring import Restorer
from zbtwist.network.samples import SAMPLE_CLUSTERS, sample_in, temperature_in
from zbtwist.network.settings import SettingsReader
from zbtwist.network.settled import HEAD_SIZE
from zbtwist.network.signals import Signals
from zbtwist.network.strangers import Strangers
from zbtwist.network.table import NO_NODE, NodeTable
from zbtwist.network.walk import Walk
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.single_flight import SingleFlight
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16, Address64
from zbtwist.xbee.at_table import RESTARTING_COMMANDS
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    DIGI_PROFILE,
    LOOPBACK_CLUSTER,
    NODE_IDENTIFICATION_CLUSTER,
    RECEIVED_FROM_END_DEVICE,
    SERIAL_CLUSTER,
    SERIAL_ENDPOINT,
    ATCommandResponse,
    ExplicitReceive,
    IODataSample,
    ManyToOneRouteRequest,
    NodeIdentification,
    ReceivePacket,
    RemoteATCommandResponse,
    RouteRecord,
    SensorRead,
)
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.status import OWN_STATUSES, ATStatus

#: How many hops of a route record are kept; packets are not let through more than 30 (90000976,
#: "NH").
MAX_HOPS = 30

_Sent: TypeAlias = (
    ReceivePacket
    | ExplicitReceive
    | IODataSample
    | SensorRead
    | RouteRecord
    | ManyToOneRouteRequest
    | NodeIdentification
    | RemoteATCommandResponse
)

#: Those that say by their options whether an end device sent them.
_WITH_OPTIONS = (ReceivePacket, ExplicitReceive, IODataSample, SensorRead)


class NetworkSettings(Protocol):
    """What the network needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def admit(self) -> Admit: ...
    @property
    def max_nodes(self) -> int: ...
    # By these two nodes may be listed.
    @property
    def nodes(self) -> object: ...
    @property
    def port_settings(self) -> object: ...


def _is_in_question(node: Node) -> bool:
    """Whether it is to be asked who it is when it is heard."""
    return node.label is None or node.device_type_identifier is None or node.role is None


class NetworkService(Service):
    """Keeps a `NodeTable` by what the radio says, and hands each node its bytes.

    @ivar nodes: the table.
    @ivar admission: who comes into it.
    @ivar settings: reads the AT tables of nodes.
    @ivar restorer: gives nodes other settings.
    @ivar search_answers: answers to searches so far, of any nodes.
    @ivar signals: measures how strongly nodes are heard.
    @ivar pins: what is learnt of the nodes' lines.
    @ivar neighbours: asks nodes whom they hear.
    @ivar walk: asks all of them.
    @ivar echoes: called with the number of a packet of a link test that has come back, by the test
        (see `zbtwist.network.loopback`). What comes back for a test that is over is dropped.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        bus: EventBus,
        wall: Callable[[], float] = time.time,
        admit: Admit = Admit.ANSWERED,
        max_nodes: int = DEFAULT_MAX_NODES,
    ) -> None:
        """
        @param bus: is told what happens to nodes.
        @param wall: says the seconds since 1970.
        @param admit: who becomes a node.
        @param max_nodes: how many nodes there may be.
        """
        self._clock = clock
        self._radio = radio
        self.nodes = NodeTable(bus, wall=wall, steady=clock.seconds)
        self.pins = Pins(bus, wall)
        self.signals = Signals(clock, radio, self.nodes)
        self.echoes: dict[bytes, Callable[[int], None]] = {}
        self._announcements = Announcements(clock, bus)
        self._descriptions = Descriptions(bus)
        self._strangers = strangers = Strangers(
            clock, radio, self.nodes, self._announcements, self.discover, admit, max_nodes
        )
        self.admission = strangers.admission
        self._inquiries = strangers.inquiries
        self._unknown = strangers.unknown
        self._flash = Flash(self.nodes, bus)
        self.settings = SettingsReader(clock, radio, self)
        self.restorer = Restorer(self)
        self.neighbours = Neighbours(clock, radio, self.nodes)
        self.walk = Walk(clock, radio, self.nodes, self.neighbours)
        self.search_answers = 0
        self._search = SingleFlight(self._run_search)
        self._first_search = FirstSearch(clock, radio, bus, self.discover)
        self._bus = bus
        self._observers = bus.subscribers(BytesPassed)
        radio.owner_of = self.nodes.owner_of
        radio.take(ReceivePacket, self._take)
        radio.subscribe(ReceivePacket, self._data)
        radio.subscribe(ExplicitReceive, self._explicit)
        radio.subscribe(IODataSample, self._sampled)
        radio.subscribe(SensorRead, self._sampled)
        radio.subscribe(RouteRecord, self._routed)
        radio.subscribe(ManyToOneRouteRequest, self._heard)
        radio.subscribe(NodeIdentification, self._identified)
        radio.subscribe(ATCommandResponse, self._found)
        radio.subscribe(RemoteATCommandResponse, self._answered)

    def stopService(self) -> None:
        super().stopService()
        self.settings.stop()
        self.walk.end()
        self._first_search.stop()
        self._search.cancel()
        self._strangers.stop()
        self.signals.cancel()

    @property
    def unattributed_frames(self) -> int:
        """Frames of a node that could not be told."""
        return self._unknown.lost_frames

    # --- searching -----------------------------------------------------------------------------

    async def discover(self) -> list[Node]:
        """Search the network and wait for the search to end. Two at once share one search.

        @return: the nodes that were found.
        @raise RadioError: the radio is offline, or refused.
        """
        found = await self._search()
        self._first_search.made()
        return found

    async def _run_search(self) -> list[Node]:
        # The nodes come through `_found` while the search goes on.
        known = list(self.nodes)
        self._descriptions.begin()
        try:
            # With NO=2 the radio answers, too. Dicts keep the order.
            answers = {
                one.address64: None
                for one in await self._radio.discover()
                if not self._is_local(one.address64)
            }
        finally:
            if self.running:
                self._inquiries.go_on()
        unreadable = self._descriptions.unreadable - answers.keys()
        missing = self._who_is_missing(known, unreadable | answers.keys())
        self._bus.publish(SearchEnded(len(answers), tuple(missing), len(unreadable)))
        found = map(self.nodes.get, answers)
        return [node for node in found if node is not None]

    def _who_is_missing(
        self, known: list[Node], answers: Container[Address64 | None]
    ) -> list[Node]:
        """Note and return who was to answer a search and did not.

        @param known: the nodes before the search.
        @param answers: who answered it.
        """
        for node in self.nodes:
            node.missed_search = False
        missing = [
            node
            for node in known
            if node.address64 not in answers
            and node.role != devices.END_DEVICE
            and node.address64 in self.nodes
        ]
        for node in missing:
            node.missed_search = True
        return missing

    # --- what the radio says -------------------------------------------------------------------

    def _take(self, frame_data: bytes, now: float) -> bool:
        """A packet has come. If it says nothing new of its node, and nobody looks on, who waits for
        its bytes has them at once, before it is noted when they came.

        @return: whether it is so; else nothing was done.
        """
        node = self.nodes.settled.of(frame_data[:HEAD_SIZE])
        if node is None or self._observers:
            return False
        receiver, data = node.receiver, frame_data[HEAD_SIZE:]
        if receiver is None or (data and data[0] == MARK_START and data.startswith(MARK)):
            return False
        receiver(data)
        node.heard_at = node.spoke_at = node.data_at = now
        if node.address16 != UNKNOWN16:
            node.placed_at = now
        signals = self.signals
        signals.last_heard = node
        if signals.wanted:
            signals.measure(node)
        return True

    def _data(self, frame: ReceivePacket | ExplicitReceive) -> None:
        if frame.data.startswith(MARK) and self._came_back(frame):
            return
        node = self._sender(frame)
        if node is None:
            self._not_told(frame, self._data, frame.data, is_stream=True)
            return
        if frame.options & RECEIVED_FROM_END_DEVICE and node.role != devices.END_DEVICE:
            self._is_end_device(node, frame)
        if self._observers:
            now = self.nodes.wall()
            self._bus.publish(BytesPassed(node, FROM_NODE, frame.data, now))
        if node.receiver is not None:
            node.receiver(frame.data)
        node.data_at = node.heard_at
        if self.signals.wanted:
            self.signals.measure(node)
        if isinstance(frame, ReceivePacket) and not self._observers:
            self._settle(node, frame)

    def _settle(self, node: Node, packet: ReceivePacket) -> None:
        """A packet was heard: see whether the next one like it will say nothing new of its node."""
        # Whoever got it may have forgotten the node.
        is_known = self.nodes.get(packet.address64) is node and not _is_in_question(node)
        if is_known and node.address16 == packet.address16:
            self.nodes.settled.add(node, packet)

    def _came_back(self, frame: ReceivePacket | ExplicitReceive) -> bool:
        """A packet has come that may be one of a link test: whether it is, and so of no stream."""
        echo = echo_of(frame.address64, frame.data)
        if echo is None:
            return False
        # It says whose it is, if the radio does not.
        frame.address64 = echo.address64
        self._sender(frame, is_answer=True)
        hear = self.echoes.get(echo.test)
        if hear is not None:
            hear(echo.number)
        return True

    def _explicit(self, frame: ExplicitReceive) -> None:
        if frame.profile_id != DIGI_PROFILE or frame.source_endpoint != SERIAL_ENDPOINT:
            self._heard(frame, self.neighbours.answered(frame))
        elif frame.cluster_id == SERIAL_CLUSTER:
            self._data(frame)
        elif frame.cluster_id == NODE_IDENTIFICATION_CLUSTER:
            self._describe(frame.data, is_unasked=True)
        elif frame.cluster_id in SAMPLE_CLUSTERS:
            self._sampled(frame)
        elif frame.cluster_id != LOOPBACK_CLUSTER or not self._came_back(frame):
            self._heard(frame)

    def _heard(
        self, frame: ExplicitReceive | ManyToOneRouteRequest, is_answer: bool = False
    ) -> None:
        if self._sender(frame, is_answer) is None:
            self._not_told(frame, self._heard)

    def _sampled(self, frame: IODataSample | SensorRead | ExplicitReceive) -> None:
        node = self._sender(frame)
        sample = sample_in(frame)
        if node is None:
            self._not_told(frame, self._sampled)
            candidate = self.admission.candidates.get(frame.address64)
            if candidate is not None and sample is not None:
                candidate.node.temperature = temperature_in(sample, candidate.node)
            return
        if frame.options & RECEIVED_FROM_END_DEVICE and node.role != devices.END_DEVICE:
            self._is_end_device(node, frame)
        if self.signals.wanted:
            self.signals.measure(node)
        if sample is None:
            return
        if isinstance(sample, IOSample):
            self.pins.sampled(node, sample)
        celsius = temperature_in(sample, node)
        if celsius is not None:
            node.temperature = celsius

    def _routed(self, frame: RouteRecord) -> None:
        # It comes before what the node says, answers too.
        node = self._sender(frame, is_answer=True)
        if node is None:
            self._not_told(frame, self._routed)
            return
        node.route = tuple(frame.hops[:MAX_HOPS])

    def _identified(self, frame: NodeIdentification) -> None:
        if frame.address64 != frame.description.address64:
            self._sender(frame)
        self._note(frame.description, is_unasked=True)

    def _found(self, frame: ATCommandResponse) -> None:
        if frame.command == "ND" and frame.outcome == ATStatus.OK and frame.value:
            # With NO=2 the radio answers, too, and is no node that was found.
            self.search_answers += self._describe(frame.value)
            # Whether the radio counts this as a packet whose strength it keeps is not documented.
            self.signals.last_heard = None

    def _answered(self, frame: RemoteATCommandResponse) -> None:
        # Other statuses are the radio's word, or may be.
        if frame.outcome in OWN_STATUSES:
            candidate = self.admission.candidates.get(frame.address64)
            was_asked = candidate is not None and candidate.was_asked
            node = self._sender(frame, is_answer=True)
            if node is None and candidate is not None and was_asked:
                # Late, but to us.
                self.admission.answered(candidate)
            elif (
                node is not None
                and frame.outcome == ATStatus.OK
                and frame.command in RESTARTING_COMMANDS
            ):
                node.told_to_restart_at = node.heard_at
        self.signals.last_heard = None

    def _describe(self, data: bytes, is_unasked: bool = False) -> bool:
        description = self._descriptions.read(data)
        return description is not None and self._note(description, is_unasked)

    def _note(self, description: NodeDescription, is_unasked: bool) -> bool:
        """Take what a node says of itself. Return whether it is another one than our radio."""
        if self._is_local(description.address64):
            return False
        self._descriptions.look_at_name(description)
        self.signals.last_heard = node = self.nodes.described(description, self._clock.seconds())
        if node is not None:
            if is_unasked:
                node.spoke_at = node.heard_at
                self._announcements.heard(node, description.event)
            if not node.is_described:
                self._inquiries.inquire(node)
        elif description.address64 not in NO_NODE:
            self.signals.last_heard = self._strangers.described(description, not is_unasked)
        return True

    def _sender(
        self,
        frame: _Sent,
        is_answer: bool = False,
    ) -> Node | None:
        facts = self._radio.facts
        address64 = frame.address64
        if facts is not None and facts.address64 == address64:
            return None
        node = self.nodes.heard(address64, frame.address16, self._clock.seconds())
        self.signals.last_heard = node
        if node is None:
            if address64 in NO_NODE:
                return None
            self.signals.last_heard = self._strangers.heard(address64, frame.address16)
            return self.nodes.get(address64)
        if not is_answer:
            node.spoke_at = node.heard_at
        if _is_in_question(node):
            self._inquiries.inquire(node)
        return node

    # --- who becomes a node --------------------------------------------------------------------

    def silent_for(self, seconds: float) -> list[Node]:
        """Return the nodes that were heard once, and not since so long.

        The time of day may have been set since: see `NodeTable.last_seen`.
        """
        before = self.nodes.wall() - seconds
        last_seen = self.nodes.last_seen
        return [node for node in self.nodes if node.was_heard and last_seen(node) < before]

    def reconfigure(self, old: NetworkSettings, new: NetworkSettings) -> None:
        """Follow new settings, in which other nodes may be listed."""
        self.admission.rule, self.admission.max_nodes = new.admit, new.max_nodes
        self.admission.admit_waiting()

    def _not_told(
        self,
        frame: _Sent,
        hear: Callable[[Any], None],
        data: bytes = b"",
        is_stream: bool = False,
    ) -> None:
        """The sender of a frame is our own radio, or nobody that is a node, or the frame does not
        say.

        @param hear: is called with the frame again when the sender is known.
        """
        if frame.address64 in NO_NODE:
            self._unknown.keep(frame, hear, data, is_stream)
            return
        candidate = self.admission.candidates.get(frame.address64)
        if candidate is not None:
            candidate.bytes_received += len(data)
            options = frame.options if isinstance(frame, _WITH_OPTIONS) else 0
            if options & RECEIVED_FROM_END_DEVICE and frame.address16 != UNKNOWN16:
                candidate.node.role = devices.END_DEVICE

    def _is_end_device(self, node: Node, frame: _Sent) -> None:
        """Note that a frame was sent from an end device, if its radio is a Zigbee one: only there
        the bit means that. All nodes of DigiMesh have the same 16-bit address.
        """
        if frame.address16 != UNKNOWN16:
            node.role = devices.END_DEVICE
            self.nodes.changed(node)

    def _is_local(self, address64: Address64) -> bool:
        facts = self._radio.facts
        return facts is not None and facts.address64 == address64

    # --- asking nodes ----------------------------------------------------------------------------

    async def device_type_of(self, node: Node) -> int:
        """Return a node's DD, and ask the node for it if it is not known.

        @raise RadioError: it did not tell.
        """
        return await self._inquiries.device_type_of(node)

    async def remote_at(
        self, node: Node, command: str, parameter: bytes = b"", *, apply: bool = True
    ) -> bytes:
        """An AT command to a node, by both its addresses. See `IRadio.remote_at`."""
        try:
            value = await self._inquiries.remote_at(node, command, parameter, apply=apply)
        except RadioError as error:
            if may_have_been_done(error):
                self._flash.told(node, command, parameter, is_sure=False)
            if isinstance(error, ATRefused):
                self.pins.refused(node, error)
            raise
        self._flash.told(node, command, parameter)
        if command == "VR" and value:
            node.firmware_version = int.from_bytes(value, "big")
        if apply or not parameter:
            # What waits for AC is no setting of a line yet; whoever puts it into force reads it.
            self.pins.answered(node, command, parameter, value)
        return value
