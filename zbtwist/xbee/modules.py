"""Which module it is, by what HV and VR answer: its series, its protocol, and so its manual.

Only the high byte of HV names the hardware, the low one is a revision; the first digit of VR tells
the protocols apart that one hardware may have, and of the first Zigbee modules the second one tells
the role. Sources: 90000976, 90002002 and 90001539, "HV" and "VR"; digi-xbee 1.5.0, models/hw.py and
models/protocol.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto

ZIGBEE, DIGIMESH, IEEE802154 = "Zigbee", "DigiMesh", "802.15.4"
#: A protocol that this program knows nothing of.
OTHER = "another protocol"


class Kind(Flag):
    """Modules whose AT commands are the same, but for those that one or another does not have."""

    S1_802154 = auto()
    S1_DIGIMESH = auto()
    S2_ZIGBEE = auto()
    S2C_ZIGBEE = auto()
    S2C_802154 = auto()
    S2C_DIGIMESH = auto()
    XBEE3_ZIGBEE = auto()
    XBEE3_802154 = auto()
    XBEE3_DIGIMESH = auto()
    SUB_GHZ_DIGIMESH = auto()


_S1, _S2, _S2B, _S2C, _S2D, _XBEE3, _SUB_GHZ = (
    *("S1", "S2", "S2B", "S2C", "S2D", "XBee 3"),
    "sub-GHz",
)

#: Series and name by the high byte of HV.
_HARDWARE: dict[int, tuple[str, str]] = {
    0x17: (_S1, "XBee S1"),
    0x18: (_S1, "XBee-PRO S1"),
    0x19: (_S2, "XBee S2"),
    0x1A: (_S2, "XBee-PRO S2"),
    0x1B: (_SUB_GHZ, "XBee-PRO 900"),
    0x1E: (_S2B, "XBee-PRO S2B"),
    0x21: (_S2C, "XBee-PRO S2C SMT"),
    0x22: (_S2C, "XBee S2C SMT"),
    0x23: (_SUB_GHZ, "XBee-PRO 900HP"),
    0x24: (_SUB_GHZ, "XBee 868LP"),
    0x2D: (_S2C, "XBee-PRO S2C TH"),
    0x2E: (_S2C, "XBee S2C TH"),
    0x30: (_S2C, "XBee-PRO S2C SMT"),
    0x31: (_SUB_GHZ, "XBee SX PRO"),
    0x32: (_S2D, "XBee-PRO S2D SMT"),
    0x33: (_S2D, "XBee S2D SMT"),
    0x34: (_S2D, "XBee-PRO S2D TH"),
    0x35: (_S2D, "XBee S2D TH"),
    0x3E: (_SUB_GHZ, "XBee SX"),
    0x41: (_XBEE3, "XBee 3 Micro or SMT"),
    0x42: (_XBEE3, "XBee 3 TH"),
    0x43: (_XBEE3, "XBee 3"),
    0x45: (_SUB_GHZ, "XBee SX 868"),
    0x50: (_SUB_GHZ, "XBee XR 900"),
    0x51: (_SUB_GHZ, "XBee XR 868"),
    0x52: (_XBEE3, "XBee RR SMT"),
    0x53: (_S2C, "XBee S2C"),
    0x57: (_XBEE3, "XBee RR TH"),
    0x5A: (_SUB_GHZ, "XBee XR 900 TH"),
    0x5B: (_SUB_GHZ, "XBee XR 868 TH"),
}

#: Protocols by series and first digit of VR, with what all other digits mean.
_PROTOCOLS: dict[str, tuple[dict[int, str], str]] = {
    _S1: ({8: DIGIMESH}, IEEE802154),
    _S2: ({1: OTHER, 2: ZIGBEE}, OTHER),
    _S2B: ({3: OTHER}, ZIGBEE),
    _S2C: (
        {2: IEEE802154, 9: DIGIMESH, 5: OTHER, 6: OTHER, 0xB: DIGIMESH, 0xC: IEEE802154},
        ZIGBEE,
    ),
    _S2D: ({}, ZIGBEE),
    _XBEE3: ({2: IEEE802154, 3: DIGIMESH}, ZIGBEE),
    _SUB_GHZ: ({8: DIGIMESH}, OTHER),
}

_KINDS: dict[tuple[str, str], Kind] = {
    (_S1, IEEE802154): Kind.S1_802154,
    (_S1, DIGIMESH): Kind.S1_DIGIMESH,
    (_S2, ZIGBEE): Kind.S2_ZIGBEE,
    (_S2B, ZIGBEE): Kind.S2_ZIGBEE,
    (_S2C, ZIGBEE): Kind.S2C_ZIGBEE,
    (_S2C, IEEE802154): Kind.S2C_802154,
    (_S2C, DIGIMESH): Kind.S2C_DIGIMESH,
    (_S2D, ZIGBEE): Kind.S2C_ZIGBEE,
    (_XBEE3, ZIGBEE): Kind.XBEE3_ZIGBEE,
    (_XBEE3, IEEE802154): Kind.XBEE3_802154,
    (_XBEE3, DIGIMESH): Kind.XBEE3_DIGIMESH,
    (_SUB_GHZ, DIGIMESH): Kind.SUB_GHZ_DIGIMESH,
}

#: What the second digit of VR says of an S2 or S2B (90000976, "Firmware versions").
_ROLES = {0: "coordinator", 1: "coordinator", 2: "router", 3: "router", 8: "end device"}
_ROLES[9] = _ROLES[8]


@dataclass(frozen=True, slots=True)
class Module:
    """A module's hardware and firmware.

    @ivar hardware: HV.
    @ivar firmware: VR.
    """

    hardware: int
    firmware: int

    @property
    def series(self) -> str:
        """Such as ``S2C``; empty if this program does not know it."""
        return _HARDWARE.get(self.hardware >> 8, ("", ""))[0]

    @property
    def name(self) -> str:
        """Such as ``XBee S2C TH``, or what HV said."""
        return _HARDWARE.get(self.hardware >> 8, ("", f"module {self.hardware:04X}"))[1]

    @property
    def protocol(self) -> str:
        """`ZIGBEE`, `DIGIMESH`, `IEEE802154`, or `OTHER`."""
        return protocol_of(self.series, self.firmware)

    @property
    def role(self) -> str:
        """The role that the firmware decides; empty if a setting does."""
        if self.series not in (_S2, _S2B):
            return ""
        return _ROLES.get(self.firmware >> 8 & 0xF, "")

    @property
    def kind(self) -> Kind | None:
        """By which its AT commands are known; None if they are not."""
        return _KINDS.get((self.series, self.protocol))

    def __str__(self) -> str:
        return f"{self.name} with {self.protocol} {self.firmware:04X}"


def protocol_of(series: str, firmware: int) -> str:
    """Return what a firmware speaks on hardware of that series."""
    digits, usual = _PROTOCOLS.get(series, ({}, OTHER))
    return digits.get(firmware >> 12 & 0xF, usual)
