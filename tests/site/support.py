"""A whole gateway in memory, and a broker in memory at which it is a site."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, TypeVar

from twisted.application.service import Service

from tests.control.support import GatewayTestCase
from tests.mqtt.support import MemoryBroker, MemoryClient
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.mqtt import service
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.outbox import Counters
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.mqtt.site_topics import SiteTopics, address_level
from zbtwist.network.node import Node
from zbtwist.site.service import SiteService

P = TypeVar("P")

#: Under what the gateway is said there, if the settings do not say otherwise.
TOPICS = SiteTopics("zbtwist", "house")

ANSWER = "app/answer"


class BrokerInMemory(MemoryClient, Service):
    """In place of `zbtwist.mqtt.service.BrokerService`; it is connected when a test says so."""

    place, reason, since, waiting = "b:1883", "", 0.0, 0

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.counters = Counters()

    def reconfigure(self, settings: MQTTSettings) -> None:
        """It is the same broker, whatever they say."""


class SiteTestCase(GatewayTestCase):
    """A gateway on a simulated network, and somebody else at its broker."""

    def start(self, mqtt: MQTTSettings | None = None, **options: Any) -> None:
        """Start it, and let it find its nodes."""
        self.broker = MemoryBroker()

        def client(*_: object, **__: object) -> BrokerInMemory:
            made = BrokerInMemory(self.broker)
            self.broker.add(made)
            return made

        self.patch(service, "BrokerService", client)
        mqtt = mqtt or MQTTSettings(broker="tcp:b", site="house")
        self.build(Settings(serial="sim:", mqtt=mqtt), **options)
        brokerage: Any = self.gateway._brokerage
        self.client: BrokerInMemory = brokerage.broker
        (self.site,) = (part for part in brokerage._parts if isinstance(part, SiteService))
        self.run_for(3)
        self.other = self.broker.joined()
        self.answers: list[Message] = []
        self.other.subscribe(ANSWER, self.answers.append)

    def connect_it(self) -> None:
        """Let it be connected, and say what it has to say."""
        self.client.join()
        self.run_for(2)

    def part(self, kind: type[P]) -> P:
        """Return one of the parts of the site."""
        (found,) = (part for part in self.site.parts if isinstance(part, kind))
        return found

    def node(self, label: str) -> Node:
        (found,) = (node for node in self.gateway.network.nodes if node.label == label)
        return found

    def configure(self, **changes: Any) -> None:
        """Follow another [mqtt] section."""
        settings = self.gateway._settings
        self.gateway.reconfigure(replace(settings, mqtt=replace(settings.mqtt, **changes)))

    def set_port(self, label: str, **own: Any) -> None:
        """Give one node settings of its own, and take them from the others."""
        settings = self.gateway._settings
        node = NodeSettings(
            self.node(label).address64,
            own=tuple(own.items()),
            port_settings=replace(settings.port_settings, **own),
        )
        self.gateway.reconfigure(replace(settings, nodes=(node,)))

    def kept(self, topic: str) -> Any:
        """What the broker keeps under a topic, read; None for nothing."""
        message = self.broker.kept.get(topic)
        return None if message is None else json.loads(message.payload)

    def kept_of(self, label: str) -> Any:
        return self.kept(TOPICS.node(self.node(label).address64))

    def level(self, label: str) -> str:
        return address_level(self.node(label).address64)

    def ask(self, operation: str, payload: object = b"", **more: Any) -> Any:
        """Ask for an operation; return the last answer, read."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.say(TOPICS.request(operation), data, response_topic=ANSWER, **more)
        return self.answer()

    def say(self, topic: str, payload: bytes, seconds: float = 1.0, **more: Any) -> None:
        self.answers.clear()
        self.other.publish(Message(topic, payload, **more))
        self.run_for(seconds)

    def answer(self) -> Any:
        return json.loads(self.answers[-1].payload) if self.answers else None
