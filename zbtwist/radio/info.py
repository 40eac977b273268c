"""What is known of the local radio."""

from __future__ import annotations

from dataclasses import dataclass

from zbtwist.xbee.address import Address64
from zbtwist.xbee.status import ASSOCIATED, joining_text

#: The longest payload, in bytes, if the radio does not tell: what every firmware can send.
DEFAULT_PAYLOAD_LIMIT = 72
#: Seconds for a search while NT is not known: the module's default of 6 s.
DEFAULT_DISCOVERY_TIME = 6.0

#: What is said of what a hub cannot do (`RadioInfo.is_fleet`).
NO_RADIO = "A hub has no radio of its own: ask the gateway of the site."


@dataclass(frozen=True, slots=True)
class RadioInfo:
    """
    @ivar api_mode: 1 or 2.
    @ivar payload_limit: longest unicast payload, bytes (NP).
    @ivar discovery_time: how long a search takes, seconds (NT).
    @ivar discovery_options: what ND answers carry (NO).
    @ivar pan_id: the 64-bit PAN identifier asked for, 0 for any (ID).
    @ivar operating_pan_id: the one in use (OP).
    @ivar channel: the channel in use (CH); 0 if the radio does not tell.
    @ivar is_zigbee: whether the network gives nodes 16-bit addresses that are theirs alone. Other
        firmware (802.15.4, DigiMesh) refuses OP, which only Zigbee's knows.
    @ivar association: 0 if the radio is in a network (AI).
    @ivar answer_time: seconds that its last answer took when it was set up.
    @ivar line: the endpoint at which it is, as the user wrote it.
    @ivar baud_rate: bits per second of its serial line; None where there is none.
    @ivar is_fleet: it stands for the radios of many gateways, each of which gives packets their
        turns, knows who is in its network, and searches it.
    """

    address64: Address64
    api_mode: int
    payload_limit: int = DEFAULT_PAYLOAD_LIMIT
    discovery_time: float = DEFAULT_DISCOVERY_TIME
    discovery_options: int = 0
    hardware_version: int = 0
    firmware_version: int = 0
    pan_id: int = 0
    operating_pan_id: int = 0
    channel: int = 0
    is_zigbee: bool = True
    association: int = ASSOCIATED
    answer_time: float = 0.0
    line: str = ""
    baud_rate: int | None = None
    is_fleet: bool = False

    @property
    def joined(self) -> bool:
        """Whether the radio is in a network."""
        return self.association == ASSOCIATED

    @property
    def problem(self) -> str:
        """Why the radio reaches no node although it answers, in a sentence; empty if it does, and
        with firmware whose nodes need not be associated to be reached.
        """
        return "" if self.joined or not self.is_zigbee else joining_text(self.association)
