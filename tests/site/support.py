"""A whole gateway in memory, and a broker in memory at which it is a site."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.control.support import GatewayTestCase
from tests.mqtt.support import MemoryBroker
from zbtwist.config.settings import NodeSettings, Settings
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.mqtt.site_topics import SiteTopics, address_level
from zbtwist.network.node import Node
from zbtwist.site.service import SiteService

#: Under what the gateway is said there, if the settings do not say otherwise.
TOPICS = SiteTopics("zbtwist", "house")

ANSWER = "app/answer"


class SiteTestCase(GatewayTestCase):
    """A gateway on a simulated network, and somebody else at its broker."""

    def start(self, mqtt: MQTTSettings | None = None, **options: Any) -> None:
        """Start it, and let it find its nodes."""
        self.build(Settings(serial="sim:"), **options)
        self.broker = MemoryBroker()
        self.client = self.broker.client()
        self.mqtt = mqtt or MQTTSettings(broker="tcp:b", site="house")
        gateway = self.gateway
        api: Any = gateway.api
        self.site = SiteService(
            self.reactor,
            self.client,
            self.mqtt,
            gateway.bus,
            api._radio,
            gateway.network,
            gateway.bindings,
            gateway.health,
            gateway.decoding,
            api._events,
            gateway.api,
            gateway._site.turns,
        )
        self.site.setServiceParent(gateway)
        self.run_for(3)
        self.other = self.broker.joined()
        self.answers: list[Message] = []
        self.other.subscribe(ANSWER, self.answers.append)

    def connect_it(self) -> None:
        """Let it be connected, and say what it has to say."""
        self.client.join()
        self.run_for(2)

    def node(self, label: str) -> Node:
        (found,) = (node for node in self.gateway.network.nodes if node.label == label)
        return found

    def configure(self, **changes: Any) -> None:
        """Follow another [mqtt] section."""
        self.mqtt = replace(self.mqtt, **changes)
        self.site.reconfigure(self.mqtt)

    def set_port(self, label: str, **own: Any) -> None:
        """Give one node settings of its own, and take them from the others."""
        settings = self.gateway._settings
        node = NodeSettings(
            self.node(label).address64,
            own=tuple(own.items()),
            port_settings=replace(settings.port_settings, **own),
        )
        self.gateway.reconfigure(replace(settings, nodes=(node,)))
        self.site.reconfigure(self.mqtt)

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
