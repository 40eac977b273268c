"""Many sites at an MQTT broker, with nodes that say something and answer: ``--fleet 200x50``.

They are no gateways: each is one connection to the broker that says and hears what a gateway would,
as docs/mqtt.rst has it, and nodes that are an address and a counter. So thousands of nodes fit into
one process. They carry out no operation. What is written to a node comes back from it.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.service import BrokerService
from zbtwist.mqtt.settings import STREAM, MQTTSettings
from zbtwist.mqtt.site_topics import SiteTopics, address_level, node_of
from zbtwist.mqtt.stream_messages import (
    BYTES,
    JSON,
    NUMBER,
    RUN,
    Answer,
    Counts,
    Outcome,
    in_stream,
)
from zbtwist.simulator.network import APART

#: The address of the first node of the first site; those of two sites are `APART`.
FIRST_ADDRESS = 0x0013_A200_5000_0000

#: Sites, and nodes of each, at the most.
MAX_SITES, MAX_NODES = 1000, 1000

#: Bytes of a packet to a node at the most.
PAYLOAD_LIMIT = 84

#: Seconds between two moments at which some of them speak.
TICK = 0.02


class LightNode:
    """
    @ivar address64: its address.
    @ivar count: packets that it has said.
    @ivar streams: the next number of each stream to it, or of one that has ended -1 less that; a
        handful, and forgotten with the site.
    """

    __slots__ = ("address64", "count", "label", "rx", "streams")

    def __init__(self, address64: int, label: str, topics: SiteTopics) -> None:
        self.address64 = address64
        self.label = label
        self.rx = topics.rx(address64)
        self.count = 0
        self.streams: dict[str, int] = {}


class LightSite:
    """One site.

    @ivar heard: packets to its nodes.
    """

    def __init__(self, broker: IBroker, topics: SiteTopics, first: int, nodes: int) -> None:
        """
        @param first: the address of its first node.
        """
        self._broker = broker
        self.topics = topics
        self._run = secrets.token_hex(8)
        self.heard = 0
        self.nodes = {
            first + at: LightNode(first + at, f"{topics.site}-{at + 1}", topics)
            for at in range(nodes)
        }
        broker.connected.append(self._connected)
        broker.subscribe(topics.all_tx, self._told)
        broker.subscribe(topics.streams, self._asked)
        broker.identify(topics.site, Message(topics.state, b"offline", retained=True))

    def _connected(self) -> None:
        said = self._broker.publish
        said(Message(self.topics.state, b"online", retained=True), True)
        now = time.time()
        for node in self.nodes.values():
            payload = json.dumps(
                {
                    "address": address_level(node.address64),
                    "label": node.label,
                    "type": "router",
                    "device_type": "0x00030005",
                    "mqtt": STREAM,
                    "health": "ok",
                    "signal": -60,
                    "hops": 1,
                    "last_seen": now,
                }
            ).encode()
            topic = self.topics.node(node.address64)
            said(Message(topic, payload, retained=True, content_type=JSON), True)

    def say(self, node: LightNode, data: bytes) -> None:
        """A node says something."""
        node.count += 1
        properties = ((NUMBER, str(node.count)), (RUN, self._run))
        self._broker.publish(Message(node.rx, data, content_type=BYTES, user_properties=properties))

    def _asked(self, message: Message) -> None:
        counts = {node.address64: node.count for node in self.nodes.values()}
        self._answer(message, Counts(self._run, PAYLOAD_LIMIT, counts).to_bytes())

    def _told(self, message: Message) -> None:
        found = node_of(self.topics.base, message.topic)
        node = None if found is None else self.nodes.get(found[1])
        try:
            place = in_stream(message)
        except ValueError:
            place = None
        is_end = place is not None and place.is_end
        if node is None or message.retained or not (message.payload or is_end):
            return
        if place is not None:
            expected = node.streams.get(place.stream, 0)
            if is_end or expected < 0:
                # It takes no more, and says what it has taken.
                taken = expected if expected >= 0 else -1 - expected
                node.streams[place.stream] = -1 - taken
                outcome = Outcome.DELIVERED if place.number < taken else Outcome.REFUSED
                self._answer(message, Answer(outcome, None, "").to_bytes())
                return
            if place.number < expected:
                self._answer(message, Answer(Outcome.DELIVERED, 0).to_bytes())
                return
            if place.number > expected or (place.run and place.run != self._run):
                self._answer(message, Answer(Outcome.REFUSED, None, "Not now.").to_bytes())
                return
            node.streams[place.stream] = expected + 1
        self.heard += 1
        self._answer(message, Answer(Outcome.DELIVERED, 0).to_bytes())
        self.say(node, message.payload)

    def _answer(self, message: Message, payload: bytes) -> None:
        if message.response_topic:
            self._broker.publish(
                Message(
                    message.response_topic,
                    payload,
                    content_type=JSON,
                    correlation_data=message.correlation_data,
                )
            )


class SimulatedFleet(MultiService):
    """All of them.

    @ivar sites: they.
    """

    def __init__(
        self,
        reactor: Any,
        settings: MQTTSettings,
        sites: int,
        nodes: int,
        interval: float,
        first: int = 1,
        words: Callable[[LightNode], bytes] | None = None,
    ) -> None:
        """
        @param settings: the broker, and the base.
        @param interval: seconds between two packets of a node; 0 for none but answers.
        @param first: the number of the first site.
        @param words: returns what a node says.
        """
        super().__init__()
        self._reactor = reactor
        self._words = words or _line
        self.sites: list[LightSite] = []
        for number in range(first, first + sites):
            broker = BrokerService(reactor, settings)
            topics = SiteTopics(settings.base, f"site-{number}")
            address64 = FIRST_ADDRESS + APART * number
            self.sites.append(LightSite(broker, topics, address64, nodes))
            broker.setServiceParent(self)
        self._nodes = [(site, node) for site in self.sites for node in site.nodes.values()]
        self._part = 0
        # Each speaks once in so many moments.
        self._parts = max(1, round(interval / TICK))
        self._speaking = LoopingCall(self._speak)
        self._speaking.clock = IReactorTime(reactor)
        self._interval = interval

    def startService(self) -> None:
        super().startService()
        if self._interval:
            self._speaking.start(self._interval / self._parts, now=False)

    def stopService(self) -> Deferred[Any]:
        if self._speaking.running:
            self._speaking.stop()
        stopped: Deferred[Any] = super().stopService()
        return stopped

    def _speak(self) -> None:
        for site, node in self._nodes[self._part :: self._parts]:
            site.say(node, self._words(node))
        self._part = (self._part + 1) % self._parts


def _line(node: LightNode) -> bytes:
    return f"{node.label} {node.count + 1}\r\n".encode()


def size_of(text: str) -> tuple[int, int]:
    """Return how many sites, and nodes of each, are meant by ``200x50``.

    @raise ValueError: a sentence.
    """
    sites, times, nodes = text.partition("x")
    if not (times and sites.isdecimal() and nodes.isdecimal()):
        raise ValueError(f"--fleet is such as 200x50, sites and nodes of each, not {text!r}.")
    if not (1 <= int(sites) <= MAX_SITES and 1 <= int(nodes) <= MAX_NODES):
        raise ValueError(
            f"--fleet makes at most {MAX_SITES} sites with {MAX_NODES} nodes each, not {text}."
        )
    return int(sites), int(nodes)
