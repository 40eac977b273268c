"""Whom the operations ask, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from zbtwist.binding.broadcast import Broadcast
from zbtwist.binding.link_test import LinkTests
from zbtwist.binding.service import BindingService
from zbtwist.control.faults import RADIO_OFFLINE, ControlFault
from zbtwist.control.resolver import NodeResolver
from zbtwist.decoding.service import DecodingService
from zbtwist.health.service import HealthService
from zbtwist.network.service import NetworkService
from zbtwist.observing.event_log import EventLog
from zbtwist.observing.taps import Taps
from zbtwist.observing.tracer import FrameTracer
from zbtwist.radio.interfaces import IRadio
from zbtwist.store.store import Store

if TYPE_CHECKING:
    from zbtwist.mqtt.service import BrokerService

#: Seconds that an operation waits for a radio that is being brought up.
BRING_UP_PATIENCE = 5.0


class GatewayOperations:
    """What the operations of every subject have.

    They return plain values: dicts, lists, str, int, float, bytes. What cannot be done is a
    `ControlFault`, whose text is a sentence.
    """

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        network: NetworkService,
        bindings: BindingService,
        health: HealthService,
        events: EventLog,
        tracer: FrameTracer,
        store: Store,
        tests: LinkTests,
        taps: Taps,
        decoding: DecodingService,
        broker: Callable[[], BrokerService | None],
        broadcast: Broadcast,
    ) -> None:
        """
        @param broker: returns the MQTT broker, None if there is none.
        @param broadcast: the port of all nodes.
        """
        self._clock = clock
        self._radio = radio
        self._network = network
        self._bindings = bindings
        self._health = health
        self._events = events
        self._tracer = tracer
        self._store = store
        self._tests = tests
        self._taps = taps
        self._decoding = decoding
        self._broker = broker
        self._broadcast = broadcast
        self._started = clock.seconds()
        self._resolver = NodeResolver(network.nodes, radio, bindings.labels)

    async def _ready_radio(self, in_network: bool = True) -> None:
        """Wait for the radio if it is being brought up: every operation that needs it asks this
        first.

        @param in_network: whether nodes are to be reached.
        @raise ControlFault: RADIO_OFFLINE, also if it is in no network.
        """
        await self._radio.until_up(BRING_UP_PATIENCE)
        facts = self._radio.facts
        if facts is None:
            raise ControlFault(RADIO_OFFLINE, self._radio.offline_reason)
        if in_network and facts.problem:
            raise ControlFault(RADIO_OFFLINE, facts.problem)
