"""Whom the operations ask, and what several of them need."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from zbtwist.binding.service import BindingService
from zbtwist.control.faults import RADIO_OFFLINE, ControlFault
from zbtwist.control.resolver import NodeResolver
from zbtwist.network.service import NetworkService
from zbtwist.observing.event_log import EventLog
from zbtwist.observing.tracer import FrameTracer
from zbtwist.radio.interfaces import IRadio


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
        events: EventLog,
        tracer: FrameTracer,
    ) -> None:
        self._clock = clock
        self._radio = radio
        self._network = network
        self._bindings = bindings
        self._events = events
        self._tracer = tracer
        self._started = clock.seconds()
        self._resolver = NodeResolver(network.nodes, radio)

    def _must_be_online(self) -> None:
        if self._radio.facts is None:
            raise ControlFault(RADIO_OFFLINE, self._radio.offline_reason)
