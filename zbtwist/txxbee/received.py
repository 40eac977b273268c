"""Received frames as dictionaries.

Frames go through this package's own decoder and frame classes, and `RESPONSES` says for each type
how its fields are called here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from zbtwist.txxbee.field_bytes import Packet, named
from zbtwist.txxbee.numbers import byte, long, short
from zbtwist.xbee import frames
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.status import ATStatus

#: The digital lines that python-xbee knows, as a mask: DIO0 to DIO7 and DIO10 to DIO12.
_LINES = 0x1CFF


def dictionary(frame_data: bytes) -> Packet | None:
    """Return the dictionary of a good frame, None if there is none for it."""
    known = RESPONSES.get(frame_data[0])
    if known is None:
        return None
    name, frame_class, read = known
    try:
        return named({"id": name, **read(frame_class.parse(frame_data))})
    except (ValueError, IndexError, struct.error):
        return None


def _variable(name: str, value: object) -> Packet:
    """A field of any size has no key when it is empty."""
    return {name: value} if value else {}


def _source(
    frame: frames.ReceivePacket | frames.ExplicitReceive | frames.ManyToOneRouteRequest,
) -> Packet:
    return {
        "source_addr_long": long(frame.address64),
        "source_addr": short(frame.address16),
    }


def _receive(frame: frames.ReceivePacket) -> Packet:
    return {
        **_source(frame),
        "options": byte(frame.options),
        **_variable("rf_data", frame.data),
    }


def _explicit_receive(frame: frames.ExplicitReceive) -> Packet:
    return {
        **_source(frame),
        "source_endpoint": byte(frame.source_endpoint),
        "dest_endpoint": byte(frame.destination_endpoint),
        "cluster": short(frame.cluster_id),
        "profile": short(frame.profile_id),
        "options": byte(frame.options),
        **_variable("rf_data", frame.data),
    }


def _io_data_sample(frame: frames.ReceivePacket) -> Packet:
    packet = {**_source(frame), "options": byte(frame.options)}
    if frame.data:
        packet["samples"] = _samples(frame.data)
    return packet


def _samples(data: bytes) -> list[dict[str, bool | int]]:
    """Read sample sets, one dictionary each.

    A radio sends one; python-xbee takes as many as the first byte says, and overlooks what
    follows them, so this does too.

    @raise ValueError: a set is cut short.
    """
    masks = data[1:4]
    words = bin(int.from_bytes(masks[2:], "big")).count("1") + any(masks[:2])
    sets = []
    for number in range(data[0]):
        start = 4 + number * 2 * words
        sample = IOSample.parse(b"\x01" + masks + data[start : start + 2 * words])
        readings: dict[str, bool | int] = {
            f"dio-{line}": up for line, up in sample.lines().items() if _LINES >> line & 1
        }
        readings.update({f"adc-{channel}": raw for channel, raw in sample.analog.items()})
        sets.append(readings)
    return sets


def _node_identification(frame: frames.NodeIdentification) -> Packet:
    node = frame.description
    return {
        "sender_addr_long": long(frame.address64),
        "sender_addr": short(frame.address16),
        "options": byte(frame.options),
        "source_addr": short(node.address16),
        "source_addr_long": long(node.address64),
        "node_id": node.node_identifier,
        "parent_source_addr": short(node.parent16),
        "device_type": byte(node.role),
        "source_event": byte(node.event),
        "digi_profile_id": short(node.profile_id),
        "manufacturer_id": short(node.manufacturer_id),
    }


def _at_response(frame: frames.ATCommandResponse) -> Packet:
    packet = {
        "frame_id": byte(frame.frame_id),
        "command": frame.command.encode("latin-1"),
        "status": byte(frame.status),
    }
    return _with_parameter(packet, frame)


def _remote_at_response(frame: frames.RemoteATCommandResponse) -> Packet:
    packet = {
        "frame_id": byte(frame.frame_id),
        "source_addr_long": long(frame.address64),
        "source_addr": short(frame.address16),
        "command": frame.command.encode("latin-1"),
        "status": byte(frame.status),
    }
    return _with_parameter(packet, frame)


def _with_parameter(
    packet: Packet, frame: frames.ATCommandResponse | frames.RemoteATCommandResponse
) -> Packet:
    """Add the value, read where python-xbee reads it: that of IS, and of a local ND."""
    if not frame.value:
        return packet
    packet["parameter"] = frame.value
    if frame.status == ATStatus.OK:
        command = frame.command.upper()
        if command == "IS":
            packet["parameter"] = _samples(frame.value)
        elif command == "ND" and isinstance(frame, frames.ATCommandResponse):
            packet["parameter"] = _found_node(NodeDescription.parse(frame.value))
    return packet


def _found_node(node: NodeDescription) -> Packet:
    return {
        "source_addr": short(node.address16),
        "source_addr_long": long(node.address64),
        "node_identifier": node.node_identifier,
        "parent_address": short(node.parent16),
        "device_type": byte(node.role),
        "status": byte(node.event),
        "profile_id": short(node.profile_id),
        "manufacturer": short(node.manufacturer_id),
    }


def _transmit_status(frame: frames.TransmitStatus) -> Packet:
    return {
        "frame_id": byte(frame.frame_id),
        "dest_addr": short(frame.address16),
        "retries": byte(frame.retries),
        "deliver_status": byte(frame.delivery_status),
        "discover_status": byte(frame.discovery_status),
    }


def _modem_status(frame: frames.ModemStatus) -> Packet:
    return {"status": byte(frame.status)}


def _extended_modem_status(frame: frames.ExtendedModemStatus) -> Packet:
    return {"status": byte(frame.status), **_variable("data", frame.data)}


def _route_record(frame: frames.ReceivePacket) -> Packet:
    if not frame.data:
        raise ValueError("a route record has a number of hops")
    return {
        **_source(frame),
        "receive_options": byte(frame.options),
        "hop_count": frame.data[:1],
        **_variable("addresses", frame.data[1:]),
    }


def _many_to_one_route_request(frame: frames.ManyToOneRouteRequest) -> Packet:
    return {**_source(frame), "reserved": byte(frame.reserved)}


def _route_information(frame: frames.RouteInformation) -> Packet:
    return {
        "source_event": byte(frame.source_event),
        "info_length": byte(frame.information_length),
        "timestamp": frame.timestamp,
        "ack_timeout_count": byte(frame.acknowledgement_timeouts),
        "tx_blocked_count": byte(frame.blocked),
        "reserved": byte(frame.reserved),
        "dest_addr": long(frame.destination64),
        "source_addr": long(frame.source64),
        "responder_addr": long(frame.responder64),
        "receiver_addr": long(frame.receiver64),
    }


#: By type byte: the dictionary's ``id``, the class whose layout the frame has, and its fields.
#: An I/O sample and a route record begin as a receive packet does, and are read as one: the rest
#: is given as it came, where their own classes would refuse what python-xbee lets pass.
RESPONSES: dict[int, tuple[str, type[frames.Frame], Callable[[Any], Packet]]] = {
    0x88: ("at_response", frames.ATCommandResponse, _at_response),
    0x8A: ("status", frames.ModemStatus, _modem_status),
    0x8B: ("tx_status", frames.TransmitStatus, _transmit_status),
    0x8D: ("route_information", frames.RouteInformation, _route_information),
    0x90: ("rx", frames.ReceivePacket, _receive),
    0x91: ("rx_explicit", frames.ExplicitReceive, _explicit_receive),
    0x92: ("rx_io_data_long_addr", frames.ReceivePacket, _io_data_sample),
    0x95: ("node_id_indicator", frames.NodeIdentification, _node_identification),
    0x97: ("remote_at_response", frames.RemoteATCommandResponse, _remote_at_response),
    0x98: ("extended_status", frames.ExtendedModemStatus, _extended_modem_status),
    0xA1: ("route_record_indicator", frames.ReceivePacket, _route_record),
    0xA3: ("many_to_one_rri", frames.ManyToOneRouteRequest, _many_to_one_route_request),
}
