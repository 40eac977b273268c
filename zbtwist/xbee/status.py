"""Status codes of AT commands, deliveries and the modem, and what they mean in words.

Sources: 90000976 (XBee ZB) and 90001539 (XBee 3 Zigbee), "AT Command Response", "Transmit Status"
and "Modem Status"; 90002002 (S2C) for the codes that only it has.
"""

from __future__ import annotations

AT_OK = 0x00
AT_ERROR = 0x01
AT_INVALID_COMMAND = 0x02
AT_INVALID_PARAMETER = 0x03
AT_TRANSMISSION_FAILED = 0x04

AT_STATUSES = {
    AT_OK: "OK",
    AT_ERROR: "error",
    AT_INVALID_COMMAND: "invalid command",
    AT_INVALID_PARAMETER: "invalid parameter",
    AT_TRANSMISSION_FAILED: "remote transmission failed",
}

#: The one delivery status that says the node has the packet.
DELIVERED = 0x00

#: Delivery statuses after which the 16-bit address that was used may be an old one: network
#: acknowledgement failure, address not found, route not found.
ADDRESS_UNCERTAIN = (0x21, 0x24, 0x25)

DELIVERY_STATUSES = {
    DELIVERED: "success",
    0x01: "MAC acknowledgement failure",
    0x02: "channel busy (CCA failure)",
    0x15: "invalid destination endpoint",
    0x21: "network acknowledgement failure",
    0x22: "not joined to a network",
    0x23: "self-addressed",
    0x24: "address not found",
    0x25: "route not found",
    0x26: "broadcast not relayed by a neighbour",
    0x2B: "invalid binding table index",
    0x2C: "out of buffers",
    0x2D: "broadcast with APS encryption while EE=0",
    0x2E: "unicast with APS encryption while EE=0",
    0x32: "resource error (out of buffers or timers)",
    0x74: "payload too large",
    0x75: "indirect message not requested",
}

MODEM_HARDWARE_RESET = 0x00
MODEM_WATCHDOG_RESET = 0x01
MODEM_JOINED = 0x02
MODEM_LEFT = 0x03
MODEM_COORDINATOR_STARTED = 0x06

MODEM_STATUSES = {
    MODEM_HARDWARE_RESET: "hardware reset",
    MODEM_WATCHDOG_RESET: "watchdog reset",
    MODEM_JOINED: "joined the network",
    MODEM_LEFT: "left the network",
    MODEM_COORDINATOR_STARTED: "coordinator started",
    0x07: "network security key updated",
    0x0D: "supply voltage too high",
    0x11: "configuration changed while joining",
}

#: From this modem status on, the code is an error of the radio's own stack.
STACK_ERROR = 0x80

#: What AI reads when the radio is in a network.
ASSOCIATED = 0x00


def at_status_text(status: int) -> str:
    """Return an AT status in words, such as ``invalid parameter``."""
    return AT_STATUSES.get(status) or f"unknown AT status 0x{status:02x}"


def delivery_status_text(status: int) -> str:
    """Return a delivery status in words, such as ``address not found``."""
    return DELIVERY_STATUSES.get(status) or f"unknown delivery status 0x{status:02x}"


def modem_status_text(status: int) -> str:
    """Return a modem status in words, such as ``watchdog reset``."""
    if status >= STACK_ERROR:
        return f"stack error 0x{status:02x}"
    return MODEM_STATUSES.get(status) or f"unknown modem status 0x{status:02x}"
