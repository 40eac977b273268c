"""The messages that tell Home Assistant of devices."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import TypeAlias

import zbtwist
from zbtwist.home_assistant.components import Component, NodeComponents
from zbtwist.home_assistant.gateway_components import gateway_components
from zbtwist.home_assistant.shape import NodeShape
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.xbee.address import Address64, format_address64

#: A node's address, or None for the gateway itself.
Device: TypeAlias = Address64 | None

#: What the gateway's own device is called in topics.
GATEWAY = "gateway"

#: The user property that says which decoder has made the values.
DECODER = "decoder"

_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


class DeviceMessages:
    """Makes the messages of the devices of one gateway."""

    def __init__(self, prefix: str, topics: SiteTopics, has_commands: bool = True) -> None:
        """
        @param prefix: the topic that Home Assistant looks for devices below.
        @param has_commands: whether the gateway takes commands at the broker.
        """
        self._prefix = prefix
        self._topics = topics
        self._has_commands = has_commands
        site = _UNFIT.sub("_", topics.site)
        if site != topics.site:
            # Another one may be the same then.
            site = f"{site}-{zlib.crc32(topics.site.encode()):08x}"
        self._gateway = f"zbtwist_{site}"
        self._path = f"{prefix}/device/{self._gateway}"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DeviceMessages)
            and self.is_of(other)
            and self._has_commands == other._has_commands
        )

    def is_of(self, other: DeviceMessages) -> bool:
        """Whether others are of the same devices under the same topics."""
        return (self._prefix, self._topics) == (other._prefix, other._topics)

    @property
    def status_topic(self) -> str:
        """Where Home Assistant says that it has started."""
        return f"{self._prefix}/status"

    @property
    def every_topic(self) -> str:
        """A filter for all that this gateway has told, and nobody else."""
        return f"{self._path}/+/config"

    def topic(self, device: Device) -> str:
        """Return where a device is told: the gateway's own if None."""
        return f"{self._path}/{GATEWAY if device is None else f'{device:016x}'}/config"

    def device_of(self, topic: str) -> Device:
        """Return whose topic it is; None for the gateway's own.

        @raise ValueError: it is nobody's.
        """
        name = topic.split("/")[-2]
        if name == GATEWAY:
            return None
        if not re.fullmatch("[0-9a-f]{16}", name):
            raise ValueError(f"{name!r} is no address")
        return Address64(int(name, 16))

    def removal(self, device: Device) -> Message:
        """Return what removes a device."""
        return Message(self.topic(device), b"", retained=True)

    def components(self, device: Device, shape: NodeShape) -> dict[str, Component]:
        """Return what a device consists of.

        @param shape: what a node is like; it does not matter of the gateway.
        """
        if device is None:
            return gateway_components(self._topics, self._gateway, self._has_commands)
        return NodeComponents(self._topics, device).all(shape, self._has_commands)

    def message(
        self,
        device: Device,
        shape: NodeShape,
        components: Mapping[str, Component],
        gone: Mapping[str, str],
    ) -> Message:
        """Return what tells of a device.

        @param components: as `components` has them.
        @param gone: the platforms of those that it does not have any more, by identifier: such a
            message removes them, and the next one is to be without them.
        """
        payload: Component = {
            "device": self._of_gateway() if device is None else self._of_node(device, shape),
            "origin": {"name": "zbtwist", "sw_version": zbtwist.__version__},
            "components": {
                **{name: {"platform": platform} for name, platform in gone.items()},
                **components,
            },
        }
        if device is not None:
            payload["availability"] = NodeComponents(self._topics, device).availability
            payload["availability_mode"] = "all"
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        return Message(
            self.topic(device),
            text.encode("utf-8", "replace"),
            retained=True,
            content_type="application/json",
            user_properties=() if device is None else ((DECODER, shape.decoder),),
        )

    def _of_node(self, address64: Address64, shape: NodeShape) -> Component:
        device: Component = {
            "identifiers": [f"zbtwist_{address64:016x}"],
            "name": shape.label or format_address64(address64),
            "serial_number": format_address64(address64),
            "via_device": self._gateway,
        }
        for key, text in (
            ("manufacturer", shape.manufacturer),
            ("model", shape.model),
            ("sw_version", shape.firmware),
            ("hw_version", shape.hardware),
        ):
            if text:
                device[key] = text
        return device

    def _of_gateway(self) -> Component:
        return {
            "identifiers": [self._gateway],
            "name": f"zbtwist {self._topics.site}",
            "manufacturer": "zbtwist",
            "model": "XBee gateway",
            "sw_version": zbtwist.__version__,
        }
