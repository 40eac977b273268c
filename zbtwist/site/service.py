"""Speaks for the gateway at the broker: owns the parts that do, and knows what it is called there.

It is called as the settings say, or as its radio's address, so that nothing is said before the
radio was up once. On each connection all is said anew, since the broker may have lost what it kept.
When the gateway is called otherwise, the broker is first told to keep nothing under the old name:
it may let nobody else say so.
"""

from __future__ import annotations

import secrets
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.binding.service import BindingService
from zbtwist.control.api import OPERATIONS, GatewayAPI
from zbtwist.decoding.service import DecodingService
from zbtwist.health.service import HealthService
from zbtwist.mqtt.interfaces import IBroker
from zbtwist.mqtt.settings import NOTHING
from zbtwist.mqtt.site_topics import SiteTopics, address_level
from zbtwist.network.node import Node
from zbtwist.network.service import NetworkService
from zbtwist.observing.event_log import EventLog
from zbtwist.radio.events import LinkUp
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.work_turns import WorkTurns
from zbtwist.site.description import Descriptions
from zbtwist.site.desk import Desk
from zbtwist.site.event_feed import EventFeed
from zbtwist.site.info import InfoSaid
from zbtwist.site.interfaces import Part
from zbtwist.site.kept import KeptBefore
from zbtwist.site.nodes import NodesSaid
from zbtwist.site.requests import Requests
from zbtwist.site.retained import Retained
from zbtwist.site.settings import NodeSettings
from zbtwist.site.state import StateSaid, will_of
from zbtwist.site.streams import Streams
from zbtwist.site.values import ValuesSaid


class SiteSettings(Protocol):
    """What this needs of the settings; see `zbtwist.mqtt.settings.MQTTSettings`."""

    @property
    def base(self) -> str: ...
    @property
    def site(self) -> str: ...
    @property
    def commands(self) -> str: ...


class SiteService(Service):
    """One gateway at one broker.

    @ivar topics: where it says and hears what; None while its name is not known.
    @ivar retained: what the broker is to keep of it.
    @ivar parts: who speaks, and who listens; whoever adds one does so before it starts.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        broker: IBroker,
        settings: SiteSettings,
        bus: EventBus,
        radio: IRadio,
        network: NetworkService,
        bindings: BindingService,
        health: HealthService,
        decoding: DecodingService,
        events: EventLog,
        api: GatewayAPI,
        turns: WorkTurns,
    ) -> None:
        """
        @param turns: has work done for all strangers.
        """
        self._broker = broker
        self._settings = settings
        self._bus = bus
        self._bindings = bindings
        # The name stays while the radio is away.
        facts = radio.facts
        self._address64 = None if facts is None else facts.address64
        self.topics: SiteTopics | None = None
        self._is_leaving = False
        nodes = network.nodes
        self.retained = Retained(clock, broker)
        self._desk = Desk(clock, broker, settings, api, turns)
        descriptions = Descriptions(bindings, health, decoding.readings_of, nodes.last_seen)
        said = NodesSaid(clock, bus, nodes, self.retained, self.is_said, descriptions.of)
        values = ValuesSaid(
            bus,
            nodes,
            self.retained,
            self.is_said,
            decoding,
            lambda node: bindings.settings_of(node).decoder,
        )
        self._state = StateSaid(clock, broker)
        self.parts: list[Part] = [
            self._state,
            InfoSaid(clock, bus, radio, nodes, self.retained),
            said,
            values,
            KeptBefore(clock, broker, self.retained, self._state.heard, said, values),
            EventFeed(clock, broker, events),
            Requests(broker, self._desk, OPERATIONS),
            NodeSettings(broker, self._desk, OPERATIONS, nodes, self.is_said),
            Streams(clock, broker, secrets.token_hex(8), radio, bindings, bus),
        ]

    def is_said(self, node: Node) -> bool:
        """Whether the broker is told of a node."""
        return self._bindings.settings_of(node).mqtt != NOTHING

    # --- the service -----------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._broker.connected.append(self._connected)
        self._broker.lost.append(self._lost)
        self._broker.drained.append(self.retained.drained)
        self._bus.subscribe(LinkUp, self._link_up)
        self._follow_name()

    def stopService(self) -> None:
        super().stopService()
        self._bus.unsubscribe(LinkUp, self._link_up)
        self._broker.connected.remove(self._connected)
        self._broker.lost.remove(self._lost)
        self._broker.drained.remove(self.retained.drained)
        if self._broker.is_connected:
            self._lost()
        # What is said last is the will.
        self._move(None)

    def reconfigure(self, settings: SiteSettings) -> None:
        """Follow new settings, also those of nodes."""
        self._settings = self._desk.settings = settings
        for part in self.parts:
            part.follow()
        self._follow_name()

    # --- the connection --------------------------------------------------------------------------

    def _connected(self) -> None:
        self.retained.begin()
        for part in self.parts:
            part.connected()

    def _lost(self) -> None:
        for part in self.parts:
            part.lost()
        self.retained.end()

    # --- the name --------------------------------------------------------------------------------

    def _link_up(self, event: LinkUp) -> None:
        self._address64 = event.info.address64
        self._follow_name()

    def _wanted(self) -> SiteTopics | None:
        name = self._settings.site
        if not name and self._address64 is not None:
            name = address_level(self._address64)
        return SiteTopics(self._settings.base, name) if name else None

    def _follow_name(self) -> None:
        if self._is_leaving or self._wanted() == self.topics:
            return
        if self.topics is None or not self._broker.is_connected:
            self._arrive()
            return
        self._is_leaving = True
        self._state.end()
        self.retained.leave(self._left)

    def _left(self) -> None:
        self._is_leaving = False
        if not self.running:
            return
        if self._wanted() != self.topics:
            self._arrive()
        elif self._broker.is_connected:
            # It is to stay after all.
            self._lost()
            self._connected()

    def _arrive(self) -> None:
        topics = self._wanted()
        self._move(topics)
        if topics is not None:
            # The connection is made anew.
            self._broker.identify(topics.site, will_of(topics))

    def _move(self, topics: SiteTopics | None) -> None:
        self.topics = topics
        for part in self.parts:
            part.moved(topics)
