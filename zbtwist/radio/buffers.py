"""How many packets a radio can be given at once before its own buffers are full.

A Zigbee module queues four requests (90001539, "Transmit queue"), which `in-flight` is by default.
An 802.15.4 module has a serial receive buffer of 174 bytes (XBee S2C 802.15.4, "Flow control"; 202
in the first series): a second frame with a full packet overruns it while the first is in the air,
and both are lost without a word where CTS is not heeded.
"""

from __future__ import annotations

from zbtwist.radio.info import RadioInfo

#: Bytes of the smallest serial receive buffer.
RECEIVE_BUFFER = 174

#: Bytes of a Transmit Request beside its payload: start byte, length, 14 bytes of header, and the
#: checksum (90000976, "Transmit Request frame").
REQUEST_BYTES = 18

#: The hardware of the first series, which speaks nothing else; and of the second, whose Zigbee
#: firmware has numbers that 802.15.4 has on later ones (high bytes of HV).
_FIRST_SERIES = (0x17, 0x18)
_SECOND_SERIES = (0x19, 0x1A, 0x1E)

#: The firmware of 802.15.4 on S2C and XBee 3 (high byte of VR).
_IEEE_802154_FIRMWARE = 0x20


def packets_at_once(info: RadioInfo) -> int | None:
    """Return how many packets the radio's buffers hold; None for as many as the settings say."""
    if speaks_802154(info):
        return max(1, RECEIVE_BUFFER // (info.payload_limit + REQUEST_BYTES))
    return None


def speaks_802154(info: RadioInfo) -> bool:
    """Whether the radio has 802.15.4 firmware, and neither Zigbee's nor DigiMesh's."""
    hardware, firmware = info.hardware_version >> 8, info.firmware_version >> 8
    is_later = hardware not in _SECOND_SERIES and firmware == _IEEE_802154_FIRMWARE
    return hardware in _FIRST_SERIES or is_later
