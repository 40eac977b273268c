"""What is asked of a radio, and set on it, when its link comes up.

Nothing is written to its flash (WR is never sent): what is set here is gone when the radio
restarts, and is set again then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.logger import Logger

from zbtwist.radio.coordinator import DEFAULT_DISCOVERY_TIME, Coordinator
from zbtwist.radio.errors import ATRefused, NoAnswer
from zbtwist.xbee.address import Address64
from zbtwist.xbee.status import ASSOCIATED

#: How often the radio is asked for AP before it is given up, and the seconds that each try has.
#: The first try may be swallowed by half a frame that another program left behind.
PROBES = 3
PROBE_TIMEOUT = 1.0

#: The longest payload, in bytes, if the radio does not tell: what every firmware can send.
DEFAULT_PAYLOAD_LIMIT = 72

#: The longest payload that a radio can have, in bytes: FF, with fragmentation (90001539, "NP").
MAXIMUM_PAYLOAD = 255

log = Logger()


@dataclass(frozen=True, slots=True)
class RadioFacts:
    """
    @ivar api_mode: 1 or 2.
    @ivar payload_limit: longest unicast payload, bytes (NP).
    @ivar discovery_time: how long a search takes, seconds (NT).
    @ivar discovery_options: what ND answers carry (NO).
    @ivar pan_id: the 64-bit PAN identifier asked for, 0 for any (ID).
    @ivar operating_pan_id: the one in use (OP).
    @ivar association: 0 if the radio is in a network (AI).
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
    association: int = ASSOCIATED

    @property
    def joined(self) -> bool:
        """Whether the radio is in a network."""
        return self.association == ASSOCIATED


async def bring_up(coordinator: Coordinator, set_api_mode: Callable[[int], None]) -> RadioFacts:
    """Ask a radio for all that the gateway must know, and make it report joins and data.

    @param set_api_mode: called with 1 or 2 as soon as the radio has told which mode it is in. The
        question and its answer look the same in both modes.
    @raise NoAnswer: the radio does not answer; the message says what to look for.
    """
    api_mode = await _probe(coordinator)
    set_api_mode(api_mode)

    async def number(command: str, default: int) -> int:
        try:
            value = await coordinator.at(command)
        except ATRefused:
            # Not every firmware has it.
            return default
        return int.from_bytes(value, "big") if value else default

    if await number("AO", 0) != 0:
        # With AO=0 data comes as frames 90 and joins as frames 95; other values turn both into
        # frames 91, and some of them send joins to no one.
        try:
            await coordinator.at("AO", b"\0")
        except ATRefused as error:
            log.warn("{error}; nodes that join may go unnoticed.", error=error)
    high, low = await number("SH", 0) & 0xFFFF_FFFF, await number("SL", 0) & 0xFFFF_FFFF
    payload_limit = await number("NP", DEFAULT_PAYLOAD_LIMIT)
    return RadioFacts(
        address64=Address64(high << 32 | low),
        api_mode=api_mode,
        payload_limit=(
            payload_limit if 0 < payload_limit <= MAXIMUM_PAYLOAD else DEFAULT_PAYLOAD_LIMIT
        ),
        discovery_time=await number("NT", round(DEFAULT_DISCOVERY_TIME * 10)) / 10,
        discovery_options=await number("NO", 0),
        hardware_version=await number("HV", 0),
        firmware_version=await number("VR", 0),
        pan_id=await number("ID", 0),
        operating_pan_id=await number("OP", 0),
        association=await number("AI", ASSOCIATED),
    )


async def _probe(coordinator: Coordinator) -> int:
    for _ in range(PROBES):
        try:
            value = await coordinator.at("AP", timeout=PROBE_TIMEOUT)
        except NoAnswer:
            continue
        return 2 if value[-1:] == b"\x02" else 1
    raise NoAnswer(
        "The radio does not answer: it must be an XBee in API mode (AP=1 or AP=2), "
        "at the rate that --baud says."
    )
