"""What is asked of a radio, and set on it, when its link comes up.

Nothing is written to its flash: what is set here is gone when the radio restarts, and is set again
then. The questions are asked all at once, so that a slow line costs no round trip for each.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import ATRefused
from zbtwist.radio.info import DEFAULT_DISCOVERY_TIME, DEFAULT_PAYLOAD_LIMIT, RadioInfo
from zbtwist.xbee.address import Address64
from zbtwist.xbee.status import ASSOCIATED

#: The longest payload that a radio can have, in bytes: FF, with fragmentation (90001539, "NP").
MAX_PAYLOAD = 255

log = Logger()


async def bring_up(coordinator: Coordinator, api_mode: int) -> RadioInfo:
    """Ask a radio for all that the gateway must know, and make it report joins and data.

    @param api_mode: the mode that it is in.
    @raise NoAnswer: the radio does not answer any more.
    """
    answers = await _ask(coordinator, _QUESTIONS)
    if answers["AO"] != 0:
        # With AO=0 data comes as frames 90 and joins as frames 95; other values turn both into
        # frames 91, and some of them send joins to no one.
        try:
            await coordinator.at("AO", b"\0")
        except ATRefused as error:
            log.warn("{error}; nodes that join may go unnoticed.", error=error)
    payload_limit = answers["NP"]
    return RadioInfo(
        address64=Address64((answers["SH"] & 0xFFFF_FFFF) << 32 | answers["SL"] & 0xFFFF_FFFF),
        api_mode=api_mode,
        payload_limit=(
            payload_limit if 0 < payload_limit <= MAX_PAYLOAD else DEFAULT_PAYLOAD_LIMIT
        ),
        discovery_time=answers["NT"] / 10,
        discovery_options=answers["NO"],
        hardware_version=answers["HV"],
        firmware_version=answers["VR"],
        pan_id=answers["ID"],
        operating_pan_id=answers["OP"],
        association=answers["AI"],
    )


#: What is asked, and what holds if the firmware does not have the command.
_QUESTIONS = {
    "AO": 0,
    "SH": 0,
    "SL": 0,
    "NP": DEFAULT_PAYLOAD_LIMIT,
    "NT": round(DEFAULT_DISCOVERY_TIME * 10),
    "NO": 0,
    "HV": 0,
    "VR": 0,
    "ID": 0,
    "OP": 0,
    "AI": ASSOCIATED,
}


async def _ask(coordinator: Coordinator, questions: Mapping[str, int]) -> dict[str, int]:
    async def number(command: str, default: int) -> int:
        try:
            value = await coordinator.at(command)
        except ATRefused:
            return default
        return int.from_bytes(value, "big") if value else default

    try:
        answers = await gatherResults(
            [
                Deferred.fromCoroutine(number(command, default))
                for command, default in questions.items()
            ],
            consumeErrors=True,
        )
    except FirstError as error:
        error.subFailure.raiseException()
        raise
    return dict(zip(questions, answers))
