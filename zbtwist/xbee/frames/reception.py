"""What comes from nodes: data, what they measure, and who they are (types 90 to 92, 94, 95)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frame import LaidOut, Tail, register
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.sensor_reading import SensorReading

#: Receive options.
RECEIVED_ACKNOWLEDGED = 0x01
RECEIVED_BROADCAST = 0x02
#: Its sender is an end device. On Zigbee only: elsewhere it is a part of how the packet was sent
#: (90002002 and 90002173, "Receive Packet").
RECEIVED_FROM_END_DEVICE = 0x40

_SAMPLE = Tail(IOSample.parse, IOSample.to_bytes)
_READING = Tail(SensorReading.parse, SensorReading.to_bytes)
_DESCRIPTION = Tail(NodeDescription.parse, NodeDescription.to_bytes)


@register
@dataclass(slots=True)
class ReceivePacket(LaidOut):
    """Bytes from a node's serial line (AO=0)."""

    frame_type: ClassVar[int] = 0x90
    layout: ClassVar[struct.Struct] = struct.Struct(">QHB")
    address64: Address64
    address16: Address16
    options: int
    data: bytes


@register
@dataclass(slots=True)
class ExplicitReceive(LaidOut):
    """Bytes from an endpoint and cluster of a node (AO other than 0)."""

    frame_type: ClassVar[int] = 0x91
    layout: ClassVar[struct.Struct] = struct.Struct(">QHBBHHB")
    address64: Address64
    address16: Address16
    source_endpoint: int
    destination_endpoint: int
    cluster_id: int
    profile_id: int
    options: int
    data: bytes


@register
@dataclass(slots=True)
class IODataSample(LaidOut):
    """A node's I/O sample, sent by its own clock or on a change."""

    frame_type: ClassVar[int] = 0x92
    layout: ClassVar[struct.Struct] = struct.Struct(">QHB")
    tail: ClassVar[Tail | None] = _SAMPLE
    address64: Address64
    address16: Address16
    options: int
    sample: IOSample


@register
@dataclass(slots=True)
class SensorRead(LaidOut):
    """What a node with 1-wire sensors measures: "XBee Sensor Read Indicator" in the manuals."""

    frame_type: ClassVar[int] = 0x94
    layout: ClassVar[struct.Struct] = struct.Struct(">QHB")
    tail: ClassVar[Tail | None] = _READING
    address64: Address64
    address16: Address16
    options: int
    reading: SensorReading


@register
@dataclass(slots=True)
class NodeIdentification(LaidOut):
    """A node says who it is: it joined, was switched on, or its button was pressed.

    `address64` is the sender, `description.address64` the node spoken of.
    """

    frame_type: ClassVar[int] = 0x95
    layout: ClassVar[struct.Struct] = struct.Struct(">QHB")
    tail: ClassVar[Tail | None] = _DESCRIPTION
    address64: Address64
    address16: Address16
    options: int
    description: NodeDescription
