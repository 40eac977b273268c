"""Status codes of AT commands, deliveries, the modem and its network, and what they mean in words.

Sources: 90000976 (XBee ZB) and 90001539 (XBee 3 Zigbee), "AT Command Response", "Transmit Status",
"Modem Status" and "AI"; 90002002 (S2C) for the codes that only it has; digi-xbee 1.5.0 for those of
all families. A code means the same in each of them, but for the modem statuses from `STACK_ERROR`
on.
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
    NO_SECURE_SESSION = 0x0B, "it wants a secure session first"
    ENCRYPTION_ERROR = 0x0C, "encryption error"
    SENT_INSECURELY = 0x0D, "it has a secure session, and the command was sent without it"


#: What a node says of a command itself; the others are our radio's word, or may be.
OWN_STATUSES = (
    ATStatus.OK,
    ATStatus.ERROR,
    ATStatus.INVALID_COMMAND,
    ATStatus.INVALID_PARAMETER,
)


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
    SYNCHRONIZATION_LOST = 0x04, "configuration error, or synchronization lost"
    REALIGNMENT = 0x05, "coordinator realignment"
    COORDINATOR_STARTED = 0x06, "coordinator started"
    KEY_UPDATED = 0x07, "network security key updated"
    NETWORK_WOKE_UP = 0x0B, "network woke up"
    NETWORK_WENT_TO_SLEEP = 0x0C, "network went to sleep"
    VOLTAGE_TOO_HIGH = 0x0D, "supply voltage too high"
    REMOTE_MANAGER_CONNECTED = 0x0E, "Remote Manager connected"
    REMOTE_MANAGER_DISCONNECTED = 0x0F, "Remote Manager disconnected"
    CHANGED_WHILE_JOINING = 0x11, "configuration changed while joining"
    ACCESS_FAULT = 0x12, "access fault"
    FATAL_ERROR = 0x13, "fatal error"
    BLUETOOTH_CONNECTED = 0x32, "a Bluetooth client has unlocked the API"
    BLUETOOTH_DISCONNECTED = 0x33, "the Bluetooth client that had unlocked the API is gone"
    BANDMASK_FAILED = 0x34, "the cellular band mask could not be set"
    CELLULAR_UPDATE_STARTED = 0x35, "update of the cellular component started"
    CELLULAR_UPDATE_FAILED = 0x36, "update of the cellular component failed"
    CELLULAR_UPDATE_COMPLETED = 0x37, "update of the cellular component completed"
    FIRMWARE_UPDATE_STARTED = 0x38, "firmware update started"
    FIRMWARE_UPDATE_FAILED = 0x39, "firmware update failed"
    FIRMWARE_UPDATE_APPLYING = 0x3A, "firmware update is being applied"
    SESSION_ESTABLISHED = 0x3B, "secure session established"
    SESSION_ENDED = 0x3C, "secure session ended"
    SESSION_FAILED = 0x3D, "authentication of a secure session failed"
    PAN_CONFLICT = 0x3E, "another network has the same PAN ID, and it keeps its own (CR=0)"
    PAN_CHANGED = 0x3F, "changed its PAN ID, since another network has the same"
    PAN_CHANGED_BY_COORDINATOR = 0x40, "the coordinator changed the PAN ID after a conflict"
    NETWORK_WATCHDOG = 0x42, "network watchdog timeout expired"
    JOINING_OPENED = 0x43, "joining window open"
    JOINING_CLOSED = 0x44, "joining window closed"
    KEY_CHANGE = 0x45, "change of the network security key initiated"


class AssociationStatus(_Status):
    """What AI reads: whether the radio is in a network, and if not, what keeps it out.

    `ASSOCIATED` alone is in one.
    """

    ASSOCIATED = 0x00, "in a network"
    SCAN_TIMEOUT = 0x01, "active scan timed out"
    SCAN_EMPTY = 0x02, "active scan found no PAN"
    ASSOCIATION_NOT_ALLOWED = 0x03, "the PAN that was found lets nobody associate"
    NO_BEACON_SUPPORT = 0x04, "the PAN that was found uses beacons in another way"
    OTHER_PAN_ID = 0x05, "the PAN that was found has another ID"
    OTHER_CHANNEL = 0x06, "the PAN that was found has another channel"
    ENERGY_SCAN_TIMEOUT = 0x07, "energy scan timed out"
    START_REFUSED = 0x08, "start as coordinator failed"
    START_INVALID = 0x09, "start as coordinator failed: invalid parameter"
    REALIGNMENT = 0x0A, "coordinator realignment is in progress"
    REQUEST_NOT_SENT = 0x0B, "association request not sent"
    REQUEST_TIMEOUT = 0x0C, "association request had no reply"
    REQUEST_INVALID = 0x0D, "association request had an invalid parameter"
    REQUEST_CHANNEL_BUSY = 0x0E, "association request not sent: channel busy (CCA failure)"
    REQUEST_NO_ACKNOWLEDGEMENT = 0x0F, "association request was not acknowledged"
    REQUEST_NO_REPLY = 0x10, "association request was acknowledged, and had no reply"
    SYNCHRONIZATION_LOST = 0x12, "synchronization with a beaconing coordinator lost"
    DISASSOCIATED = 0x13, "no longer associated with its coordinator"
    NO_PAN = 0x21, "no PAN found"
    NO_VALID_PAN = 0x22, "no PAN found that is as SC and ID say"
    JOINING_NOT_ALLOWED = 0x23, "a PAN was found that lets nobody join (NJ expired)"
    NO_JOINABLE_BEACONS = 0x24, "no beacons of a PAN that lets it join"
    UNEXPECTED = 0x25, "unexpected state: it should not try to join now"
    JOIN_FAILED = 0x27, "joining failed, mostly for security settings that differ"
    START_FAILED = 0x2A, "forming a network failed"
    CHECKING_FOR_COORDINATOR = 0x2B, "looking for a coordinator that is there already"
    LEAVE_FAILED = 0x2C, "leaving the network failed"
    WAITING_FOR_LINK_KEY = 0x40, "attached to a network, waiting for its link key"
    LINK_KEY_RECEIVED = 0x41, "link key received from the trust center"
    NO_LINK_KEY = 0x44, "no link key came from the trust center"
    NO_RESPONSE = 0xAB, "the device that it tried to join did not respond"
    KEY_SENT_OPENLY = 0xAC, "network security key came unsecured"
    NO_KEY = 0xAD, "network security key did not come"
    OTHER_LINK_KEY = 0xAF, "it does not have the right preconfigured link key"
    SCANNING = 0xFF, "scanning for a network"


#: Those after which the 16-bit address that was used may be an old one.
ADDRESS_UNCERTAIN = (
    DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT,
    DeliveryStatus.ADDRESS_NOT_FOUND,
    DeliveryStatus.ROUTE_NOT_FOUND,
)

#: From this modem status on, the code is an error of the radio's own stack.
STACK_ERROR = 0x80
#: In place of an AT status, of firmware that cannot say more.
_NO_STATUS = 0xFF

#: What codes from there on mean to a Wi-Fi module, which has no stack of that kind.
_WIFI_STATUS = {
    0x82: "join command without an access point",
    0x83: "access point not found",
    0x84: "PSK not configured",
    0x87: "SSID not found",
    0x88: "joining failed for security settings",
    0x8A: "invalid channel",
    0x8E: "joining the access point failed",
}

#: What AI reads when the radio is in a network.
ASSOCIATED = int(AssociationStatus.ASSOCIATED)

#: The bits of an AT status that are flags and not status, which DigiMesh and XSC have there
#: (90002173, "AT Command Response"): an answer with 40 is as good as one without it.
_AT_FLAGS = {0x40: "without signal strength", 0x80: "of a remote"}


def at_status_of(answer: int) -> int:
    """Return the status that is in the status byte of an answer, without the flags beside it."""
    return answer if answer == _NO_STATUS else answer & 0x3F


def at_status_text(answer: int) -> str:
    """Return the status byte of an AT answer in words, such as ``invalid parameter``."""
    status = at_status_of(answer)
    text = _text(ATStatus, status)
    flags = [text for flag, text in _AT_FLAGS.items() if (answer ^ status) & flag]
    if not text:
        return f"unknown AT status 0x{answer:02x}"
    return f"{text} ({', '.join(flags)})" if flags else text


def delivery_status_text(status: int) -> str:
    """Return a delivery status in words, such as ``address not found``."""
    return _text(DeliveryStatus, status) or f"unknown delivery status 0x{status:02x}"


def modem_status_text(status: int) -> str:
    """Return a modem status in words, such as ``watchdog reset``."""
    if status >= STACK_ERROR:
        wifi = _WIFI_STATUS.get(status, "")
        return f"stack error 0x{status:02x}" + (f" (Wi-Fi: {wifi})" if wifi else "")
    return _text(ModemStatusCode, status) or f"unknown modem status 0x{status:02x}"


def association_text(association: int) -> str:
    """Return what AI reads in words, such as ``no PAN found``."""
    return _text(AssociationStatus, association) or f"unknown AI 0x{association:02x}"


def joining_text(association: int) -> str:
    """Return a sentence that says why a radio that reads so in AI reaches nobody."""
    return f"The radio is joining: {association_text(association)} (AI={association:02x})."


def _text(kind: type[_Status], status: int) -> str:
    """Return what a status means; empty if the manuals have no such one."""
    return next((known.text for known in kind if known == status), "")
