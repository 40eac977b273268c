"""What a module tells of its neighbours and of its routes when it is asked by ZDO.

ZDO, the Zigbee device object, is endpoint 0 of every Zigbee module, profile 0. A question is a
packet to a cluster below 8000; the answer comes from the same cluster with 8000 added, and begins
with the byte that the question began with. All numbers of more than one byte have the low byte
first (Zigbee specification, "Mgmt_Lqi_req" and "Mgmt_Rtg_req"; 90002002, "ZDO messages").

A table comes in pieces: each answer says how many entries there are in all, from which one on it
tells, and then what fits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from zbtwist.xbee.address import Address16, Address64

ZDO_PROFILE = 0x0000
ZDO_ENDPOINT = 0x00

#: Clusters of the questions for neighbours and for routes; and what their answers' have besides.
NEIGHBOURS_CLUSTER = 0x0031
ROUTES_CLUSTER = 0x0032
ANSWER = 0x8000

SUCCESS = 0x00
NOT_SUPPORTED = 0x84

#: How a neighbour is related to who tells of it (Zigbee specification, "Mgmt_Lqi_rsp").
PARENT, CHILD, SIBLING, NO_RELATION, FORMER_CHILD = range(5)
RELATIONSHIPS = {
    PARENT: "parent",
    CHILD: "child",
    SIBLING: "sibling",
    NO_RELATION: "none",
    FORMER_CHILD: "former child",
}

#: How a route is (Zigbee specification, "Mgmt_Rtg_rsp").
ACTIVE = 0
ROUTE_STATES = {
    ACTIVE: "active",
    1: "being looked for",
    2: "failed",
    3: "inactive",
    4: "being validated",
}

_STATUS_TEXTS = {
    0x80: "invalid request",
    0x81: "device not found",
    0x82: "invalid endpoint",
    0x83: "not active",
    NOT_SUPPORTED: "not supported",
    0x85: "timeout",
    0x8A: "insufficient space",
    0x8B: "not permitted",
    0x8C: "table full",
    0x8D: "not authorized",
}

_HEAD = struct.Struct("<BB")
_PAGE = struct.Struct("<BBB")
_NEIGHBOUR = struct.Struct("<QQHBBBB")
_ROUTE = struct.Struct("<HBH")

#: What stands for a type, or for whether it hears at all times, that is not known.
_UNKNOWN_TYPE = 3
_UNKNOWN_AWAKE = 2


class Neighbour(NamedTuple):
    """Whom a module hears.

    @ivar pan_id: its extended PAN.
    @ivar role: 0 coordinator, 1 router, 2 end device; None if it is not known.
    @ivar is_awake: whether it hears at all times; None if it is not known.
    @ivar relationship: see `RELATIONSHIPS`; other numbers are the module's own.
    @ivar depth: how deep it is in the tree of parents, 0 for the coordinator.
    @ivar lqi: how well its packets arrive, 0 to 255.
    """

    pan_id: int
    address64: Address64
    address16: Address16
    role: int | None
    is_awake: bool | None
    relationship: int
    depth: int
    lqi: int

    @classmethod
    def parse(cls, data: bytes) -> Neighbour:
        """Read one of 22 bytes."""
        pan_id, address64, address16, kind, _, depth, lqi = _NEIGHBOUR.unpack(data)
        role, awake = kind & 3, kind >> 2 & 3
        return cls(
            pan_id,
            Address64(address64),
            Address16(address16),
            None if role == _UNKNOWN_TYPE else role,
            None if awake >= _UNKNOWN_AWAKE else bool(awake),
            kind >> 4 & 7,
            depth,
            lqi,
        )

    def to_bytes(self) -> bytes:
        """What `parse` reads."""
        role = _UNKNOWN_TYPE if self.role is None else self.role
        awake = _UNKNOWN_AWAKE if self.is_awake is None else int(self.is_awake)
        kind = role | awake << 2 | self.relationship << 4
        # Whether it lets others join is not known.
        return _NEIGHBOUR.pack(
            self.pan_id, self.address64, self.address16, kind, 2, self.depth, self.lqi
        )


class Route(NamedTuple):
    """A way that a module knows.

    @ivar destination: where to.
    @ivar state: see `ROUTE_STATES`.
    @ivar next_hop: whom it gives packets for there.
    @ivar is_many_to_one: the destination collects data, and has told so to all.
    """

    destination: Address16
    state: int
    next_hop: Address16
    is_many_to_one: bool = False

    @classmethod
    def parse(cls, data: bytes) -> Route:
        """Read one of 5 bytes."""
        destination, state, next_hop = _ROUTE.unpack(data)
        return cls(
            Address16(destination), state & 7, Address16(next_hop), bool(state & _MANY_TO_ONE)
        )

    def to_bytes(self) -> bytes:
        """What `parse` reads."""
        state = self.state | (_MANY_TO_ONE if self.is_many_to_one else 0)
        return _ROUTE.pack(self.destination, state, self.next_hop)


_MANY_TO_ONE = 0x10

E = TypeVar("E", Neighbour, Route)


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """One answer.

    @ivar transaction: the byte that the question began with.
    @ivar status: `SUCCESS`, else there is nothing more.
    @ivar total: how many entries the table has.
    @ivar start: which of them is the first that is here.
    @ivar entries: what is here.
    """

    transaction: int
    status: int
    total: int = 0
    start: int = 0
    entries: tuple[E, ...] = ()

    def to_bytes(self) -> bytes:
        """The answer, as a module gives it."""
        head = _HEAD.pack(self.transaction, self.status)
        if self.status != SUCCESS:
            return head
        page = _PAGE.pack(self.total, self.start, len(self.entries))
        return head + page + b"".join(entry.to_bytes() for entry in self.entries)


def question(transaction: int, start: int) -> bytes:
    """Ask for a table, from one of its entries on.

    @param transaction: 0 to 255; the answer begins with it.
    @param start: the number of the entry, 0 for the first.
    """
    return bytes((transaction, start))


def neighbours_in(data: bytes) -> Page[Neighbour]:
    """Read the answer to a question for neighbours.

    @raise ValueError: it makes no sense.
    """
    return _page(data, _NEIGHBOUR.size, Neighbour.parse)


def routes_in(data: bytes) -> Page[Route]:
    """Read the answer to a question for routes.

    @raise ValueError: it makes no sense.
    """
    return _page(data, _ROUTE.size, Route.parse)


def _page(data: bytes, size: int, parse: Callable[[bytes], E]) -> Page[E]:
    if len(data) < _HEAD.size:
        raise ValueError(f"an answer has 2 bytes or more, not {len(data)}")
    transaction, status = _HEAD.unpack_from(data)
    if status != SUCCESS:
        return Page(transaction, status)
    first = _HEAD.size + _PAGE.size
    if len(data) < first:
        raise ValueError(f"an answer with entries has {first} bytes or more, not {len(data)}")
    total, start, count = _PAGE.unpack_from(data, _HEAD.size)
    end = first + count * size
    # What stands behind is nobody's business.
    if len(data) < end:
        raise ValueError(f"{count} entries end at byte {end}, and there are {len(data)}")
    entries = tuple(parse(data[at : at + size]) for at in range(first, end, size))
    return Page(transaction, status, total, start, entries)


def zdo_status_text(status: int) -> str:
    """Return the status of an answer in words, such as ``not supported``."""
    return _STATUS_TEXTS.get(status, f"status 0x{status:02x}")
