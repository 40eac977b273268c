"""What the store keeps: a row of each kind."""

from __future__ import annotations

from dataclasses import dataclass

from zbtwist.xbee.address import UNKNOWN16, Address16, Address64


@dataclass(slots=True)
class Mapping:
    """
    @ivar port: the TCP port of the node, or the server endpoint string that it has instead.
    @ivar by_hand: a person chose it; else the gateway did.
    """

    address64: Address64
    port: int | str
    by_hand: bool = False


@dataclass(slots=True)
class StoredNode:
    """What is remembered of a node; see `zbtwist.network.node.Node`.

    @ivar last_seen: seconds since 1970.
    @ivar unwritten: AT commands whose values may not be in its flash memory.
    @ivar unbound: its mapping was removed by hand, so it gets a port only when it is asked for.
    """

    address64: Address64
    label: str | None = None
    role: int | None = None
    parent16: Address16 = UNKNOWN16
    profile_id: int = 0
    manufacturer_id: int = 0
    device_type_identifier: int | None = None
    last_seen: float = 0.0
    unwritten: frozenset[str] = frozenset()
    unbound: bool = False


@dataclass(slots=True)
class StoredSettings:
    """The settings that a node had when they were read last, in case it has to be replaced.

    @ivar text: as a file of `zbtwist settings`.
    @ivar read_at: seconds since 1970.
    """

    address64: Address64
    text: str
    read_at: float
