"""A gateway's ports, whose nodes have their streams at a broker in memory."""

from __future__ import annotations

import json
from typing import Any

from tests.binding.support import BindingTestCase, say
from tests.mqtt.support import MemoryBroker
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import STREAM
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.site.streams import Streams
from zbtwist.xbee.address import Address64
from zbtwist.xbee.frames import ReceivePacket, TransmitStatus
from zbtwist.xbee.status import DeliveryStatus

A = Address64(0x0013A200_40000001)

TOPICS = SiteTopics("zbtwist", "house")

#: Where answers go.
ANSWERS = "zbtwist/hubs/1/answers"


class StreamsTestCase(BindingTestCase):
    """
    @ivar broker: the broker.
    @ivar hub: another client of it.
    """

    settings = PortSettings(pace=OFF, mqtt=STREAM)

    def setUp(self) -> None:
        super().setUp()
        self.broker = MemoryBroker()
        self.client = self.broker.joined()
        self.hub = self.broker.joined()
        self.heard: list[Message] = []
        self.answers: list[dict[str, Any]] = []
        self.hub.subscribe(TOPICS.all_rx, self.heard.append)
        self.hub.subscribe(ANSWERS, self.answered)
        self.begin(self.settings)
        self.streams = self.make_streams("run-1")
        self.streams.moved(TOPICS)
        self.device = self.see_one(A)

    def begin(self, settings: PortSettings) -> None:
        self.bindings.configure((), 27001, settings=settings)

    def make_streams(self, run: str) -> Streams:
        return Streams(
            self.wire.clock,
            self.client,
            run,
            self.wire.coordinator,
            self.bindings,
            self.wire.bus,
        )

    def see_one(self, address64: Address64) -> Any:
        self.see(address64)
        self.successResultOf(self.bindings.settled())
        return self.nodes.get(address64)

    @property
    def port(self) -> Any:
        return self.bindings.port_of(self.device)

    def answered(self, message: Message) -> None:
        said = json.loads(message.payload)
        said["to"] = (message.correlation_data or b"").decode()
        self.answers.append(said)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """To what what was answered."""
        return [(said["to"], said["status"]) for said in self.answers]

    def says(self, data: bytes) -> None:
        """The node says something."""
        say(self.device, data, self.wire.clock)

    def tell(self, data: bytes, name: str = "", **more: Any) -> None:
        """Somebody at the broker has bytes for the node."""
        properties = tuple((key, str(value)) for key, value in more.pop("properties", {}).items())
        self.hub.publish(
            Message(
                more.pop("topic", TOPICS.tx(A)),
                data,
                user_properties=properties,
                response_topic=more.pop("response_topic", ANSWERS),
                correlation_data=name.encode(),
                **more,
            )
        )

    def tell_next(self, data: bytes, number: int, stream: str = "s-1", **more: Any) -> None:
        """The same, of a stream; it is named by its number."""
        properties = {"stream": stream, "n": number, **more.pop("properties", {})}
        self.tell(data, str(number), properties=properties, **more)

    @property
    def sent(self) -> list[bytes]:
        """What was sent to the node."""
        return [frame.data for frame in self.wire.sent]

    def status(self, delivery: int = DeliveryStatus.DELIVERED) -> None:
        """The status of the packet that was sent last comes."""
        self.wire.receive(
            TransmitStatus(self.wire.last.frame_id, self.device.address16, 0, delivery, 0)
        )

    def receive(self, data: bytes) -> None:
        self.wire.receive(ReceivePacket(A, self.device.address16, 0, data))
