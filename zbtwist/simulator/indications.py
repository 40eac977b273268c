"""What the radio says when a packet comes from the air (90001539, "API frames").

AO decides: data, samples and node identifications have a frame type each, or all come as frames 91
with their clusters.
"""

from __future__ import annotations

from collections.abc import Sequence

from zbtwist.simulator.packet import IModule, Packet
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    IO_SAMPLE_CLUSTER,
    NODE_IDENTIFICATION_CLUSTER,
    RECEIVED_ACKNOWLEDGED,
    RECEIVED_BROADCAST,
    RECEIVED_FROM_END_DEVICE,
    SENSOR_CLUSTER,
    SERIAL_CLUSTER,
    ExplicitReceive,
    Frame,
    IODataSample,
    NodeIdentification,
    ReceivePacket,
    RouteRecord,
    SensorRead,
)
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.sensor_reading import SensorReading


def address64_of(sender: IModule) -> Address64:
    """Return the 64-bit address that the radio gives for a sender."""
    return UNKNOWN64 if sender.is_anonymous else sender.address64


def frame_of(packet: Packet, explicit: bool) -> Frame | None:
    """Return what the radio says of a packet; None if it says nothing.

    @param explicit: whether AO is other than 0.
    """
    sender = packet.sender
    options = RECEIVED_BROADCAST if packet.broadcast else RECEIVED_ACKNOWLEDGED
    if sender.role == devices.END_DEVICE:
        options |= RECEIVED_FROM_END_DEVICE
    if explicit:
        return ExplicitReceive(
            address64_of(sender),
            sender.address16,
            packet.source_endpoint,
            packet.destination_endpoint,
            packet.cluster_id,
            packet.profile_id,
            options,
            packet.data,
        )
    if packet.cluster_id == SERIAL_CLUSTER:
        return ReceivePacket(address64_of(sender), sender.address16, options, packet.data)
    if packet.cluster_id == IO_SAMPLE_CLUSTER:
        sample = IOSample.parse(packet.data)
        return IODataSample(address64_of(sender), sender.address16, options, sample)
    if packet.cluster_id == NODE_IDENTIFICATION_CLUSTER:
        description = NodeDescription.parse(packet.data)
        return NodeIdentification(address64_of(sender), sender.address16, options, description)
    if packet.cluster_id == SENSOR_CLUSTER:
        reading = SensorReading.parse(packet.data)
        return SensorRead(address64_of(sender), sender.address16, options, reading)
    return None


def route_record(node: IModule, hops: Sequence[int]) -> RouteRecord:
    """Return the frame that says on which way a node's packets come.

    @param hops: the 16-bit addresses from the node's neighbour to the radio's.
    """
    return RouteRecord(
        address64_of(node), node.address16, RECEIVED_ACKNOWLEDGED, [Address16(hop) for hop in hops]
    )


class Routes:
    """The way of each node that was told of."""

    def __init__(self) -> None:
        self._told: dict[Address64, list[Address16]] = {}

    def is_news(self, packet: Packet) -> bool:
        """Whether the packet came on another way than its sender's last one, and remember its."""
        sender = packet.sender
        way = [relay.address16 for relay in sender.relays]
        if packet.broadcast or self._told.get(sender.address64) == way:
            return False
        self._told[sender.address64] = way
        return True
