"""A remote XBee, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from zbtwist.network.node_pins import NodePins
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64, format_address64
from zbtwist.xbee.description import NodeDescription


@dataclass(slots=True, eq=False)
class Node:
    """A remote XBee.

    @ivar name: what the user calls it in the configuration; empty for nothing.
    @ivar label: its node identifier, None until it is known.
    @ivar role: 0 coordinator, 1 router, 2 end device; None until it is known.
    @ivar device_type_identifier: DD, None until it is known.
    @ivar firmware_version: VR, None until it was asked for in this run of the gateway.
    @ivar seen_before: when it was last heard of in the runs of the gateway before this one, seconds
        since 1970; 0 for never. When that was in all, `NodeTable.last_seen` tells.
    @ivar heard_at: when that was in this run of the gateway, seconds of the reactor's clock.
    @ivar placed_at: when it was heard last in a frame with its 16-bit address, likewise.
    @ivar spoke_at: when it was heard last with something that is no answer to a command, a search
        or a test of ours.
    @ivar data_at: when the last bytes of its serial line came; they are with whoever gets them.
    @ivar head: what its packets begin with while nothing new is expected of it; see
        `zbtwist.network.settled`.
    @ivar told_to_restart_at: when it has said that it restarts, or leaves the network, as it was
        told.
    @ivar receiver: takes the bytes of its serial line.
    @ivar missed_search: it did not answer the last search, and may not have slept.
    @ivar next_inquiry: until when it is not asked again who it is, seconds of the clock.
    @ivar unanswered: how often in a row it did not answer that.
    @ivar has_temperature_command: whether its module knows TP; None until it was asked.
    @ivar route: the 16-bit addresses between it and our radio by its last route record, its
        neighbour first; None if it has sent none.
    @ivar signal: strength of the last hop of a packet of it, in -dBm; None until it is known.
    @ivar signal_at: when that was asked for the last time, seconds of the clock.
    @ivar temperature: the last one it told, in °C; None for none.
    @ivar unwritten: the settings that were set through the gateway, and may not be in the node's
        flash memory, so that it loses them when it restarts: AT commands.
    @ivar pins: what is known of its lines; None for nothing. `zbtwist.network.pins` keeps it.
    """

    address64: Address64
    address16: Address16 = UNKNOWN16
    name: str = ""
    label: str | None = None
    role: int | None = None
    parent16: Address16 = UNKNOWN16
    profile_id: int = 0
    manufacturer_id: int = 0
    device_type_identifier: int | None = None
    firmware_version: int | None = None
    seen_before: float = 0.0
    heard_at: float = -inf
    placed_at: float = -inf
    spoke_at: float = -inf
    data_at: float = -inf
    told_to_restart_at: float = -inf
    receiver: Callable[[bytes], None] | None = None
    has_temperature_command: bool | None = None
    next_inquiry: float = 0.0
    unanswered: int = 0
    missed_search: bool = False
    route: tuple[Address16, ...] | None = None
    signal: int | None = None
    signal_at: float = -inf
    temperature: float | None = None
    unwritten: frozenset[str] = frozenset()
    pins: NodePins | None = None
    head: bytes = b""

    @property
    def hops(self) -> int:
        """Radio hops to it, by its last route record; -1 if it has sent none."""
        return -1 if self.route is None else len(self.route) + 1

    @property
    def was_heard(self) -> bool:
        """Whether it was heard of at all."""
        return self.heard_at != -inf or self.seen_before != 0

    @property
    def is_described(self) -> bool:
        """Whether name and device type are known."""
        return self.label is not None and self.device_type_identifier is not None

    def describe(self, description: NodeDescription) -> bool:
        """Take what it says of itself. Return whether something of it is new."""
        dd = description.device_type_identifier
        before = (self.label, self.role, self.parent16, self.device_type_identifier)
        self.label = description.label
        self.role = description.role
        self.parent16 = description.parent16
        self.profile_id = description.profile_id
        self.manufacturer_id = description.manufacturer_id
        if dd is not None:
            self.device_type_identifier = dd
        if description.rssi is not None:
            self.signal = description.rssi
        return before != (self.label, self.role, self.parent16, self.device_type_identifier)

    def __str__(self) -> str:
        address = format_address64(self.address64)
        name = self.name or self.label
        return f"{name} ({address})" if name else address
