"""Digi's device type identifiers, the value of DD: which module, in which product.

Source: 90000833 (Digi Python), device type tables. The module is in the high 16 bits, the product
in the low ones: 0x00030005 is a ZB module in an RS-232 adapter.
"""

from __future__ import annotations

MODULES = {
    0x0001: "802.15.4",
    0x0002: "ZNet 2.5",
    0x0003: "ZB",
    0x0004: "DigiMesh 900",
    0x0005: "DigiMesh 2.4",
}

WALL_ROUTER = 0x0008
SENSOR_LTH = 0x000D
SENSOR_LT = 0x000E

PRODUCTS = {
    0x0001: "ConnectPort X8",
    0x0002: "ConnectPort X4",
    0x0003: "ConnectPort X2",
    0x0004: "commissioning tool",
    0x0005: "RS-232 adapter",
    0x0006: "RS-485 adapter",
    0x0007: "sensor (1-wire) adapter",
    WALL_ROUTER: "wall router",
    0x0009: "RS-232 power harvester",
    0x000A: "digital I/O adapter",
    0x000B: "analog I/O adapter",
    0x000C: "XStick",
    SENSOR_LTH: "sensor /L/T/H",
    SENSOR_LT: "sensor /L/T",
    0x000F: "smart plug",
    0x0010: "USB dongle",
    0x0011: "display",
}

#: The three kinds of Zigbee node, as ND and node identification frames number them.
ROLES = {0: "coordinator", 1: "router", 2: "end"}
COORDINATOR, ROUTER, END_DEVICE = ROLES

#: The high byte of HV: XBee S2, XBee-PRO S2, and XBee-PRO S2B (90000976).
_SERIES_2 = (0x19, 0x1A, 0x1E)
#: S2C in its forms: PRO and not, for surface mount and with pins (digi-xbee 1.5.0, models/hw.py).
_SERIES_2C = (0x21, 0x22, 0x2D, 0x2E, 0x30)
#: XBee 3, for surface mount and with pins (digi-xbee 1.5.0, models/hw.py).
_XBEE_3 = (0x41, 0x42, 0x43)


def is_series_2(hardware_version: int) -> bool:
    """Whether a module with this HV is an S2 or S2B, whose manual is 90000976."""
    return hardware_version >> 8 in _SERIES_2


def is_series_2c(hardware_version: int) -> bool:
    """Whether a module with this HV is an S2C, whose manual is 90002002."""
    return hardware_version >> 8 in _SERIES_2C


def is_xbee_3(hardware_version: int) -> bool:
    """Whether a module with this HV is an XBee 3, whose manual is 90001539."""
    return hardware_version >> 8 in _XBEE_3


def product_of(device_type_identifier: int) -> int:
    """Return the product part of a DD value, such as `WALL_ROUTER`."""
    return device_type_identifier & 0xFFFF


def product_name(device_type_identifier: int) -> str:
    """Return the product of a DD value in words, "" if it is not one of Digi's."""
    return PRODUCTS.get(product_of(device_type_identifier), "")
