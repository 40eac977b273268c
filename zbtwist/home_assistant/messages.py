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
from zbtwist.mqtt.site_topics import SiteTopics, address_of_level
from zbtwist.xbee.address import Address64, format_address64

#: A node's address, or None for the gateway itself.
Device: TypeAlias = Address64 | None

#: The level of topics below which all gateways tell of devices. The site is none: a node that is at
#: another one, or whose site has another name, is the same device with the same entities.
LEVEL = "zbtwist"

#: The user property that says which decoder has made the values.
DECODER = "decoder"

_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
_VIA = re.compile(rb'"via_device":"([a-zA-Z0-9_-]{1,100})"')


def identifier_of(site: str) -> str:
    """Return what the device of a gateway is known by."""
    fit = _UNFIT.sub("_", site)
    if fit != site:
        # Another one may be the same then.
        fit = f"{fit}-{zlib.crc32(site.encode()):08x}"
    return f"zbtwist_{fit}"


def teller_of(message: Message) -> str:
    """Return the identifier of the gateway that tells of a node; empty if that is not said."""
    found = _VIA.search(message.payload)
    return found[1].decode() if found else ""


class DeviceMessages:
    """Makes the messages of the devices of one gateway.

    @ivar gateway: the identifier of its own.
    """

    def __init__(self, prefix: str, topics: SiteTopics, has_commands: bool = True) -> None:
        """
        @param prefix: the topic that Home Assistant looks for devices below.
        @param has_commands: whether the gateway takes commands at the broker.
        """
        self._prefix = prefix
        self._topics = topics
        self._has_commands = has_commands
        self.gateway = identifier_of(topics.site)
        self._path = f"{prefix}/device/{LEVEL}"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DeviceMessages)
            and self.is_of(other)
            and self._has_commands == other._has_commands
        )

    def is_beside(self, other: DeviceMessages) -> bool:
        """Whether others have the same topics of nodes."""
        return self._prefix == other._prefix

    def is_of(self, other: DeviceMessages) -> bool:
        """Whether others are of the same gateway as well."""
        return self.is_beside(other) and self._topics == other._topics

    @property
    def status_topic(self) -> str:
        """Where Home Assistant says that it has started."""
        return f"{self._prefix}/status"

    @property
    def every_state(self) -> str:
        """A filter: where gateways say that they are there."""
        return SiteTopics(self._topics.base, "+").state

    @property
    def every_topic(self) -> str:
        """A filter for all devices of all gateways."""
        return f"{self._path}/+/config"

    def topic(self, device: Device) -> str:
        """Return where a device is told: the gateway's own if None."""
        return f"{self._path}/{self.gateway if device is None else f'{device:016x}'}/config"

    def device_of(self, topic: str) -> Device:
        """Return whose topic it is; None for the gateway's own.

        @raise ValueError: it is that of another gateway, or nobody's.
        """
        name = topic.split("/")[-2]
        if name == self.gateway:
            return None
        address64 = address_of_level(name)
        if address64 is None:
            raise ValueError(f"{name!r} is no address")
        return Address64(address64)

    def removal(self, device: Device) -> Message:
        """Return what removes a device."""
        return Message(self.topic(device), b"", retained=True)

    def components(self, device: Device, shape: NodeShape) -> dict[str, Component]:
        """Return what a device consists of.

        @param shape: what a node is like; it does not matter of the gateway.
        """
        if device is None:
            return gateway_components(self._topics, self.gateway, self._has_commands)
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
            "via_device": self.gateway,
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
            "identifiers": [self.gateway],
            "name": f"zbtwist {self._topics.site}",
            "manufacturer": "zbtwist",
            "model": "XBee gateway",
            "sw_version": zbtwist.__version__,
        }
