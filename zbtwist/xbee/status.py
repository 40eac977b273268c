"""Status codes of AT commands, deliveries and the modem, and what they mean in words.

Sources: 90000976 (XBee ZB) and 90001539 (XBee 3 Zigbee), "AT Command Response", "Transmit Status"
and "Modem Status"; 90002002 (S2C) for the codes that only it has.
"""

from __future__ import annotations

from enum import IntEnum


class _Status(IntEnum):
    """
    @ivar text: what it means, in words.
    """

    text: str

    def __new__(cls, value: int, text: str) -> _Status:
        status = int.__new__(cls, value)
        status._value_ = value
        status.text = text
        return status


class ATStatus(_Status):
    """What became of an AT command."""

    OK = 0x00, "OK"
    ERROR = 0x01, "error"
    INVALID_COMMAND = 0x02, "invalid command"
    INVALID_PARAMETER = 0x03, "invalid parameter"
    TRANSMISSION_FAILED = 0x04, "remote transmission failed"


class DeliveryStatus(_Status):
    """What became of a packet. `DELIVERED` is the one that says that the node has it."""

    DELIVERED = 0x00, "success"
    NO_MAC_ACKNOWLEDGEMENT = 0x01, "MAC acknowledgement failure"
    CHANNEL_BUSY = 0x02, "channel busy (CCA failure)"
    INVALID_ENDPOINT = 0x15, "invalid destination endpoint"
    NO_NETWORK_ACKNOWLEDGEMENT = 0x21, "network acknowledgement failure"
    NOT_JOINED = 0x22, "not joined to a network"
    SELF_ADDRESSED = 0x23, "self-addressed"
    ADDRESS_NOT_FOUND = 0x24, "address not found"
    ROUTE_NOT_FOUND = 0x25, "route not found"
    BROADCAST_NOT_RELAYED = 0x26, "broadcast not relayed by a neighbour"
    INVALID_BINDING = 0x2B, "invalid binding table index"
    NO_BUFFERS = 0x2C, "out of buffers"
    BROADCAST_NOT_ENCRYPTED = 0x2D, "broadcast with APS encryption while EE=0"
    UNICAST_NOT_ENCRYPTED = 0x2E, "unicast with APS encryption while EE=0"
    NO_RESOURCES = 0x32, "resource error (out of buffers or timers)"
    TOO_LARGE = 0x74, "payload too large"
    NOT_REQUESTED = 0x75, "indirect message not requested"


class ModemStatusCode(_Status):
    """What a radio says of itself, in a frame 8A."""

    HARDWARE_RESET = 0x00, "hardware reset"
    WATCHDOG_RESET = 0x01, "watchdog reset"
    JOINED = 0x02, "joined the network"
    LEFT = 0x03, "left the network"
    COORDINATOR_STARTED = 0x06, "coordinator started"
    KEY_UPDATED = 0x07, "network security key updated"
    VOLTAGE_TOO_HIGH = 0x0D, "supply voltage too high"
    CHANGED_WHILE_JOINING = 0x11, "configuration changed while joining"


#: Those after which the 16-bit address that was used may be an old one.
ADDRESS_UNCERTAIN = (
    DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT,
    DeliveryStatus.ADDRESS_NOT_FOUND,
    DeliveryStatus.ROUTE_NOT_FOUND,
)

#: From this modem status on, the code is an error of the radio's own stack.
STACK_ERROR = 0x80

#: What AI reads when the radio is in a network.
ASSOCIATED = 0x00


def at_status_text(status: int) -> str:
    """Return an AT status in words, such as ``invalid parameter``."""
    return _text(ATStatus, status) or f"unknown AT status 0x{status:02x}"


def delivery_status_text(status: int) -> str:
    """Return a delivery status in words, such as ``address not found``."""
    return _text(DeliveryStatus, status) or f"unknown delivery status 0x{status:02x}"


def modem_status_text(status: int) -> str:
    """Return a modem status in words, such as ``watchdog reset``."""
    if status >= STACK_ERROR:
        return f"stack error 0x{status:02x}"
    return _text(ModemStatusCode, status) or f"unknown modem status 0x{status:02x}"


def _text(kind: type[_Status], status: int) -> str:
    """Return what a status means; empty if the manuals have no such one."""
    return next((known.text for known in kind if known == status), "")
