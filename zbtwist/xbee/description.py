"""What a node says of itself: the value of an ND answer, and the body of a frame 95.

Both have one layout: ``MY(2) SH(4) SL(4) NI 00 parent(2) role(1) status-or-event(1) profile(2)
manufacturer(2) [DD(4)] [RSSI(1)]``; DD and RSSI are there if the searching radio's NO asks for them
(90000976, "ND", "NO" and "Node Identification Indicator").
"""

from __future__ import annotations

import struct
import unicodedata
from dataclasses import dataclass

from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64

#: Bits of NO: what is added to answers, and whether the searching radio answers itself, too. The
#: manuals of Zigbee radios have the first two, those of DigiMesh the third (90000976 and 90000991,
#: "NO").
NO_DEVICE_TYPE = 0x01
NO_OWN_ANSWER = 0x02
NO_RSSI = 0x04

#: What makes a node say who it is, unasked: its button was pressed, it has joined the network, it
#: was switched on (90000976, "Node Identification Indicator", source event).
BUTTON, JOINED, SWITCHED_ON = 1, 2, 3

#: Digi's manufacturer identifier, which its modules say of themselves (90000976, "ND").
DIGI = 0x101E

#: Bytes of a node identifier.
MAX_NODE_IDENTIFIER = 20

#: Unicode categories of what a name must not do to a terminal, a log or XML: control and format
#: characters, surrogates, unassigned and private ones, line and paragraph separators.
_NOT_SHOWN = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")

_BEFORE = struct.Struct(">HQ")
_AFTER = struct.Struct(">HBBHH")
_DD = struct.Struct(">I")


@dataclass(slots=True)
class NodeDescription:
    """
    @ivar node_identifier: NI as sent, up to 20 bytes; `label` is its text.
    @ivar parent16: the router an end device talks through, FFFE for a router.
    @ivar role: 0 coordinator, 1 router, 2 end device.
    @ivar event: in a frame 95 what made the node speak, such as `BUTTON`; in an ND answer a status,
        always 0.
    @ivar device_type_identifier: DD, None if not sent.
    @ivar rssi: strength of the last hop in -dBm, None if not sent.
    """

    address16: Address16
    address64: Address64
    node_identifier: bytes
    parent16: Address16 = UNKNOWN16
    role: int = 1
    event: int = 0
    profile_id: int = 0xC105
    manufacturer_id: int = DIGI
    device_type_identifier: int | None = None
    rssi: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> NodeDescription:
        """
        @raise ValueError: `data` is not of the layout above. The message is a clause.
        """
        size = "1 byte" if len(data) == 1 else f"{len(data)} bytes"
        if len(data) < _BEFORE.size:
            raise ValueError(f"it has {size}, and its addresses need {_BEFORE.size}")
        end = data.find(0, _BEFORE.size)
        if end < 0:
            raise ValueError("its name (NI) has no end, which is a byte 00")
        optional = data[end + 1 + _AFTER.size :]
        if len(data) < end + 1 + _AFTER.size or len(optional) not in (0, 1, 4, 5):
            raise ValueError(f"it ends after {size}, where none ends")
        address16, address64 = _BEFORE.unpack_from(data)
        parent16, role, event, profile_id, manufacturer_id = _AFTER.unpack_from(data, end + 1)
        return cls(
            address16,
            address64,
            data[_BEFORE.size : end],
            parent16,
            role,
            event,
            profile_id,
            manufacturer_id,
            device_type_identifier=(
                _DD.unpack_from(optional)[0] if len(optional) >= _DD.size else None
            ),
            rssi=optional[-1] if len(optional) % _DD.size else None,
        )

    @classmethod
    def parse_plausible(cls, data: bytes) -> NodeDescription:
        """The same as `parse`, without what no module says. Without the end of the name its layout
        may fit by chance: then the type is what stands in another place.

        @raise ValueError: as `parse`, or there is no such type (90000976, "ND", device type).
        """
        description = cls.parse(data)
        if description.role not in devices.ROLES:
            raise ValueError(
                f"its device type is {description.role}, and there are 0, 1 and 2: mostly its name "
                "(NI) has no end, which is a byte 00"
            )
        return description

    def to_bytes(self) -> bytes:
        """The inverse of `parse`."""
        data = (
            _BEFORE.pack(self.address16, self.address64)
            + self.node_identifier
            + b"\0"
            + _AFTER.pack(
                self.parent16, self.role, self.event, self.profile_id, self.manufacturer_id
            )
        )
        if self.device_type_identifier is not None:
            data += _DD.pack(self.device_type_identifier)
        if self.rssi is not None:
            data += bytes([self.rssi])
        return data

    @property
    def label(self) -> str:
        """The node identifier as text that is fit to show."""
        return label_text(self.node_identifier)


def address_in(data: bytes) -> Address64 | None:
    """Return whose a description is, however bad the rest of it; None if it is too short."""
    return None if len(data) < _BEFORE.size else Address64(_BEFORE.unpack_from(data)[1])


def name_problem(node_identifier: bytes) -> str:
    """Say why a node identifier cannot be shown as it is, as a clause with "it" left out; empty if
    it can (90001539, "NI": 20 bytes of printable ASCII; others take any bytes).
    """
    size = len(node_identifier)
    if size > MAX_NODE_IDENTIFIER:
        return f"has {size} bytes, and no name has more than {MAX_NODE_IDENTIFIER}"
    try:
        text = node_identifier.decode("utf-8")
    except UnicodeDecodeError:
        return "is not UTF-8"
    if any(unicodedata.category(character) in _NOT_SHOWN for character in text):
        return "has characters that are not shown"
    return ""


def label_text(node_identifier: bytes) -> str:
    """Return a node identifier as text: UTF-8, else Latin-1, without control characters.

    A radio takes any bytes as NI, and pads with blanks; XML and terminals do not take them all. It
    takes 20 of them (90001539, "NI"), and what has more is no radio's.
    """
    data = node_identifier[:MAX_NODE_IDENTIFIER]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        was_cut = len(data) < len(node_identifier) and error.reason == "unexpected end of data"
        text = data[: error.start].decode() if was_cut else data.decode("latin-1")
    shown = (c for c in text if unicodedata.category(c) not in _NOT_SHOWN)
    return "".join(shown).strip()
