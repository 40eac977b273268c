"""What is asked of a radio, and set on it, when its link comes up.

Nothing is written to its flash: what is set here is gone when the radio restarts, and is set again
then. A quick radio is asked all questions at once, so that a slow line costs no round trip for
each. One that is slow itself is asked one after the other: it may have no room for more. The time
for an answer runs from the last one on, so that nothing is asked again that is still waited for.
What it answers with an error it is asked again: see `zbtwist.radio.busy_radio`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.radio.busy_radio import when_ready
from zbtwist.radio.coordinator import AT_TIMEOUT, Coordinator
from zbtwist.radio.errors import ATRefused, NoAddress
from zbtwist.radio.info import DEFAULT_DISCOVERY_TIME, DEFAULT_PAYLOAD_LIMIT, RadioInfo
from zbtwist.xbee.address import Address64
from zbtwist.xbee.status import ASSOCIATED, ATStatus

#: The longest payload that a radio can have, in bytes: FF, with fragmentation (90001539, "NP").
MAX_PAYLOAD = 255
#: Seconds for a command, above which a radio is slow. At 1200 baud a question and its answer are on
#: the line for 0.15 s.
SLOW_COMMAND = 0.25
#: How many times as long as for the first answer of a slow radio the others are waited for.
PATIENCE = 3.0

log = Logger()


async def bring_up(
    coordinator: Coordinator, clock: IReactorTime, api_mode: int, waited: float
) -> RadioInfo:
    """Ask a radio for all that the gateway must know, and make it report joins and data.

    @param clock: times its answers.
    @param api_mode: the mode that it is in.
    @param waited: seconds that its first answer took, or more if the line was dead for a while.
    @return: what it says of itself; what holds without an answer where its firmware does not have
        the command.
    @raise NoAnswer: the radio does not answer any more.
    @raise NoAddress: it does not say who it is.
    """
    questions = _Questions(coordinator, clock, waited)
    answers = await questions.ask(_QUESTIONS)
    if answers["AO"] != 0:
        # With AO=0 data comes as frames 90 and joins as frames 95; other values turn both into
        # frames 91, and some of them send joins to no one.
        try:
            await questions.at("AO", b"\0")
        except ATRefused as error:
            log.warn("{error}; nodes that join may go unnoticed.", error=error)
    payload_limit = answers["NP"]
    is_zigbee = "OP" not in questions.refused
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
        # Where there is no OP there is one identifier, which is in use.
        operating_pan_id=answers["OP" if is_zigbee else "ID"],
        channel=answers["CH"],
        is_zigbee=is_zigbee,
        association=answers["AI"],
        answer_time=questions.answer_time,
    )


#: Commands that every XBee has: its address.
_ADDRESS = ("SH", "SL")

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
    "CH": 0,
    "AI": ASSOCIATED,
}


class _Questions:
    """Asks a radio for numbers, as many at once as it copes with."""

    def __init__(self, coordinator: Coordinator, clock: IReactorTime, waited: float) -> None:
        """
        @param waited: see `bring_up`.
        """
        self._coordinator = coordinator
        self._clock = clock
        self._is_quick = waited <= SLOW_COMMAND
        # It is a multiple since the first answers may be the quick ones.
        self.timeout = AT_TIMEOUT if self._is_quick else AT_TIMEOUT + PATIENCE * waited
        self.answer_time = 0.0
        self.refused: set[str] = set()

    async def ask(self, questions: Mapping[str, int]) -> dict[str, int]:
        """Ask, and return the answers, by command.

        @param questions: what holds if the firmware does not have a command, by command.
        """
        answers: dict[str, int] = {}
        todo = list(questions.items())
        if not self._is_quick:
            # It is slow, or far away. Two questions tell: of a radio that is far away both answers
            # come together, and the rest may be asked at once.
            gap = await self._ask_at_once(todo[:2], answers)
            del todo[:2]
            while todo and gap > SLOW_COMMAND:
                await self._ask_at_once([todo.pop(0)], answers)
        await self._ask_at_once(todo, answers)
        return answers

    async def _ask_at_once(
        self, questions: Sequence[tuple[str, int]], answers: dict[str, int]
    ) -> float:
        """
        @return: seconds between the first and the last answer.
        """
        times: list[float] = []

        async def ask_one(command: str, default: int) -> None:
            answers[command] = await self._number(command, default)
            times.append(self._clock.seconds())

        asking = [Deferred.fromCoroutine(ask_one(*question)) for question in questions]
        try:
            await gatherResults(asking, consumeErrors=True)
        except FirstError as error:
            for one in asking:
                one.cancel()
            error.subFailure.raiseException()
            raise
        return times[-1] - times[0] if times else 0.0

    async def at(self, command: str, parameter: bytes = b"") -> bytes:
        """Read or set something, some times if the answer is an error.

        @raise RadioError: see `zbtwist.radio.coordinator.Coordinator.at`.
        """

        async def ask() -> bytes:
            asked = self._clock.seconds()
            try:
                return await self._coordinator.at(
                    command, parameter, timeout=self.timeout, is_patient=True
                )
            finally:
                # Of the last one alone: the pauses before it are not the line's.
                self.answer_time = self._clock.seconds() - asked

        return await when_ready(self._clock, ask)

    async def _number(self, command: str, default: int) -> int:
        try:
            value = await self.at(command)
        except ATRefused as error:
            if command in _ADDRESS and error.status == ATStatus.ERROR:
                raise NoAddress(command) from None
            self.refused.add(command)
            return default
        return int.from_bytes(value, "big") if value else default
