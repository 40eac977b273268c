"""What the gateway says of itself and of its radio."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

import zbtwist
from zbtwist.mqtt.site_topics import SiteTopics, address_level
from zbtwist.network.events import NodeAdded, NodeForgotten
from zbtwist.network.table import NodeTable
from zbtwist.radio.events import LinkDown, LinkFailed, LinkUp, NetworkAway, NetworkLeft
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import Event, EventBus
from zbtwist.site.in_json import written
from zbtwist.site.retained import Retained
from zbtwist.xbee.modules import Module

#: Seconds from one look at what no event tells to the next.
LOOK = 60.0

_CHANGES: tuple[type[Event], ...] = (
    *(LinkUp, LinkDown, LinkFailed, NetworkLeft, NetworkAway),
    *(NodeAdded, NodeForgotten),
)


class InfoSaid:
    """Says it. What is known of a radio stays while it is away."""

    def __init__(
        self,
        clock: IReactorTime,
        bus: EventBus,
        radio: IRadio,
        nodes: NodeTable,
        retained: Retained,
    ) -> None:
        self._bus = bus
        self._radio = radio
        self._nodes = nodes
        self._retained = retained
        # By the steady clock, since the time of day may be set.
        self._started = nodes.wall() - nodes.epoch
        self._facts: RadioInfo | None = radio.facts
        self._topics: SiteTopics | None = None
        self._looking = LoopingCall(self.changed)
        self._looking.clock = clock
        bus.subscribe(LinkUp, self._link_up)

    def _link_up(self, event: LinkUp) -> None:
        self._facts = event.info

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        self._topics = topics

    def connected(self) -> None:
        for kind in _CHANGES:
            self._bus.subscribe(kind, self.changed)
        self._looking.start(LOOK)

    def lost(self) -> None:
        for kind in _CHANGES:
            self._bus.unsubscribe(kind, self.changed)
        self._looking.stop()

    def follow(self) -> None:
        """Nothing of it is in the settings."""

    # --- saying ----------------------------------------------------------------------------------

    def changed(self, event: object = None) -> None:
        """Something of it may be another."""
        if self._topics is not None:
            self._retained.say(self._topics.info, self._made)

    def _made(self) -> bytes:
        assert self._topics is not None
        facts = self._radio.facts
        return written(
            {
                "version": zbtwist.__version__,
                "site": self._topics.site,
                "radio": None if self._facts is None else _radio(self._facts),
                "up": facts is not None and not facts.problem,
                "link": (facts.problem if facts else self._radio.offline_reason)
                or self._radio.line.problem,
                "nodes": len(self._nodes),
                "started": self._nodes.epoch + self._started,
            }
        )


def _radio(facts: RadioInfo) -> dict[str, Any]:
    return {
        "address": address_level(facts.address64),
        "firmware": f"{facts.firmware_version:04x}",
        "protocol": Module(facts.hardware_version, facts.firmware_version).protocol,
        "pan": f"{facts.operating_pan_id:016x}",
        "channel": facts.channel or None,
        "payload_limit": facts.payload_limit,
        "baud_rate": facts.baud_rate,
    }
