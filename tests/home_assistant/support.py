"""What tests of this room need: a gateway's nodes, a broker, and what Home Assistant is told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.mqtt.support import MemoryBroker
from tests.support import present
from zbtwist.decoding.service import Reading
from zbtwist.decoding.value import Value
from zbtwist.home_assistant.service import LISTEN, HomeAssistantService
from zbtwist.mqtt.settings import ALL_COMMANDS
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.network.node import Node
from zbtwist.network.node_pins import NodePins
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64
from zbtwist.xbee.samples import IOSample

METER = Address64(0x0013A200_400A3E01)
TOPICS = SiteTopics("zbtwist", "house-7")

#: Where the gateway itself is told, and the meter.
OF_GATEWAY = "homeassistant/device/zbtwist/zbtwist_house-7/config"
OF_METER = "homeassistant/device/zbtwist/0013a200400a3e01/config"


@dataclass
class Wanted:
    """Settings."""

    home_assistant: bool = True
    discovery_prefix: str = "homeassistant"
    commands: str = ALL_COMMANDS


def power(value: float = 120.5, name: str = "ch1_power") -> Value:
    """Something that a meter says."""
    return Value(name, value, "W")


def lines(
    modes: dict[str, int], digital: int = 0, analog: dict[int, int] | None = None
) -> NodePins:
    """Return what is known of lines.

    @param digital: a mask of those that have been read as high.
    """
    pins = NodePins(modes=modes, hardware_version=0x1E00)
    pins.take(IOSample(digital, digital, analog or {}), 1.7e9)
    return pins


class HomeAssistantTestCase(SynchronousTestCase):
    """
    @ivar readings: what nodes have told.
    @ivar decoders: what makes it.
    @ivar unsaid: the nodes of which nothing is said at the broker.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.nodes = NodeTable(EventBus())
        self.meter = present(self.nodes.add(METER))
        self.meter.label = "METER"
        self.readings: dict[Node, list[Reading]] = {}
        self.decoders: dict[Node, str] = {}
        self.unsaid: set[Node] = set()
        self.settings = Wanted()
        self.topics: SiteTopics | None = TOPICS
        self.broker = MemoryBroker()
        self.start()

    def start(self) -> None:
        """Start a gateway, with the nodes that there are."""
        self.client = self.broker.client()
        self.service = HomeAssistantService(
            self.clock,
            self.client,
            self.nodes,
            self.settings,
            lambda: self.topics,
            lambda node: node not in self.unsaid,
            lambda node: self.readings.get(node, []),
            lambda node: self.decoders.get(node, ""),
        )
        self.service.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """End it."""
        if self.service.running:
            self.service.stopService()
            self.client.cut()

    def restart(self) -> None:
        """End it, and start another one, with all at the broker as it is."""
        self.stop()
        self.readings.clear()
        self.broker.published.clear()
        self.start()
        self.up()

    def up(self, seconds: float = LISTEN + 6) -> None:
        """Let it be connected, and tell what there is to be told."""
        self.client.join()
        self.run_for(seconds)

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.5] * int(seconds * 2))

    def says(self, *values: Value, node: Node | None = None, decoder: str = "ecm1220") -> None:
        """Let a node tell values."""
        node = node or self.meter
        self.decoders[node] = decoder
        self.readings[node] = [Reading(value, 1.7e9) for value in values]

    def told(self, topic: str = OF_METER) -> list[dict[str, Any]]:
        """Return what was said of a device, in its order; {} for its removal."""
        return [json.loads(said) if said else {} for said in self.broker.payloads(topic)]

    def kept(self, topic: str = OF_METER) -> dict[str, Any]:
        """Return what the broker has of a device."""
        found: dict[str, Any] = json.loads(self.broker.kept[topic].payload)
        return found

    def components(self) -> dict[str, Any]:
        """Return those of the meter that the broker has."""
        found: dict[str, Any] = self.kept()["components"]
        return found
