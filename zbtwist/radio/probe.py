"""Finds the radio at the other end of an open line: at which rate, and in which API mode.

The question is one frame, AP with an id of its own, which has nothing to escape, nor has its
answer: it reads the same in API modes 1 and 2, and the answer tells which of them it is. Any answer
counts, also a late one: a radio that is busy with the air may need longer than one try has.

The first try may be swallowed by half a frame that somebody left in the radio. So the second comes
when the line has been silent for a while, after which a radio has no reason to wait for the rest.

If nobody answers at any rate that may be tried, and only if the user wants the radio configured, it
is looked for in transparent mode at the same rates; see `zbtwist.radio.command_mode`.
"""

from __future__ import annotations

import termios
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.radio.baud_rates import ISerialLine
from zbtwist.radio.bootloader import bootloader_in
from zbtwist.radio.busy_radio import when_ready
from zbtwist.radio.command_mode import CommandMode
from zbtwist.radio.errors import ATRefused, InBootloader, NoAnswer
from zbtwist.radio.line_health import causes, is_telnet
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.xbee.frames import ATCommand, ATCommandResponse, Frame
from zbtwist.xbee.status import ATStatus

#: Seconds that each try at a rate that is known has.
WAITS = (0.55, 0.55, 0.9)
#: The same at the rate that is looked at first when all are tried, and at each of the others.
FIRST_RATE_WAITS = (0.55, 0.2)
RATE_WAITS = (0.2, 0.2)
#: Bits of a question and its answer on the line, which the slow rates need time for.
_BITS = 200

#: The id of the question. With it nothing has to be escaped, neither in the question nor in the
#: answer, nor in the command that sets the mode.
QUESTION_ID = 1
_COMMAND = "AP"
MODE_QUESTION = ATCommand(QUESTION_ID, _COMMAND)
#: Seconds for the answer to a new mode.
_SET_TIMEOUT = 4.0


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Where a radio is looked for, and what it is to be like.

    @ivar rates: the rates to try, in this order; none of them to leave the line as it is.
    @ivar transparent_rates: the rates at which it is looked for in transparent mode if it answers
        at none of `rates`; `AS_IT_IS` for the line's own, none of them not to do so.
    @ivar any_rate: whether the rate is to be found out; for the sentence that says what failed.
    @ivar was_there: whether a radio was found there before; for the same.
    @ivar wanted_mode: the API mode that the radio is to be in, None for either.
    @ivar configure: change the radio's mode where it is another.
    @ivar write_flash: with `configure`: let the radio keep the mode when it restarts.
    """

    rates: Sequence[int] = ()
    transparent_rates: Sequence[int] = ()
    any_rate: bool = False
    was_there: bool = False
    wanted_mode: int | None = None
    configure: bool = False
    write_flash: bool = False


def mode_in(frame: Frame) -> int | None:
    """Read the answer to `MODE_QUESTION`.

    @return: the API mode, 1 or 2; None if the frame is something else, or does not tell.
    """
    if (
        isinstance(frame, ATCommandResponse)
        and (frame.frame_id, frame.command) == (QUESTION_ID, _COMMAND)
        and frame.outcome == ATStatus.OK
        and frame.value[-1:] in (b"\x01", b"\x02")
    ):
        return frame.value[-1]
    return None


#: For `ProbePlan.transparent_rates`: no rate is set.
AS_IT_IS = (0,)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """
    @ivar api_mode: 1 or 2.
    @ivar to_be_written: whether the mode is new, and the user wants it in the radio's flash.
    @ivar forgets: whether it was in transparent mode, and will be again when it restarts.
    """

    api_mode: int
    to_be_written: bool = False
    forgets: bool = False


class Probe:
    """One search on one line."""

    log = Logger()

    def __init__(self, clock: IReactorTime, protocol: RadioProtocol, search: ProbePlan) -> None:
        self._clock = clock
        self._protocol = protocol
        self._search = search
        self._answered: Deferred[bytes] | None = None
        self._is_setting = False
        # What a bootloader has said, at one of the rates.
        self._bootloader = ""

    async def find(self) -> ProbeResult:
        """
        @raise RadioError: there is no radio, or it did not let itself be configured. The message is
            a sentence that says what to look for.
        """
        mode = await self._ask_at_each_rate()
        if mode is None:
            return await self._configure_at_each_rate()
        wanted = self._search.wanted_mode
        if not self._search.configure or wanted is None or wanted == mode:
            return ProbeResult(mode)
        if await self._set(wanted):
            return ProbeResult(wanted, self._search.write_flash)
        self.log.warn("The radio refuses to be set to API mode {mode}.", mode=wanted)
        return ProbeResult(mode)

    def frame_received(self, frame: Frame) -> bool:
        """Look at a frame that came.

        @return: whether it was an answer that was waited for.
        """
        if (
            self._answered is None
            or not isinstance(frame, ATCommandResponse)
            or frame.frame_id != QUESTION_ID
            or frame.command != _COMMAND
        ):
            return False
        is_ok = frame.outcome == ATStatus.OK
        if is_ok and self._is_setting == bool(frame.value):
            # A slow radio's answer to what was asked before.
            return True
        answered, self._answered = self._answered, None
        if is_ok:
            answered.callback(frame.value)
        else:
            answered.errback(ATRefused(_COMMAND, frame.outcome, "The radio"))
        return True

    # --- asking --------------------------------------------------------------------------------

    async def _ask_at_each_rate(self) -> int | None:
        rates = self._search.rates
        if not rates:
            return await self._ask(WAITS)
        for rate in rates:
            if self._set_rate(rate):
                waits: Sequence[float] = RATE_WAITS
                if rate == rates[0]:
                    waits = FIRST_RATE_WAITS if rates[1:] else WAITS
                mode = await self._ask(waits, _BITS / rate)
                if mode is not None:
                    return mode
        return None

    async def _ask(self, waits: Sequence[float], more: float = 0.0) -> int | None:
        """Return the API mode, None if nobody answered."""
        for wait in waits:
            question = partial(self._say, MODE_QUESTION, wait + more)
            try:
                value = await when_ready(self._clock, question)
            except ATRefused:
                # It is there, and does not tell: as it was named, or found last.
                return self._protocol.api_mode
            if value:
                return 2 if value == b"\x02" else 1
        return None

    async def _say(self, frame: ATCommand, seconds: float) -> bytes | None:
        """Return the value of the answer, None if there was none.

        @raise ATRefused: the answer is no OK.
        """
        answered: Deferred[bytes] = Deferred()
        self._answered = answered
        self._is_setting = bool(frame.parameter)
        self._protocol.send(frame)
        try:
            return await answered.addTimeout(seconds, self._clock)
        except TimeoutError:
            return None
        finally:
            if self._answered is answered:
                self._answered = None

    def _look_for_bootloader(self) -> None:
        self._bootloader = bootloader_in(self._protocol.not_frames) or self._bootloader

    def _set_rate(self, rate: int) -> bool:
        """Change the line's rate. Return whether the port can do that one."""
        self._look_for_bootloader()
        line = ISerialLine(self._protocol.transport)
        if line.baud_rate != rate:
            try:
                line.set_baud_rate(rate)
            except (OSError, ValueError, termios.error) as error:
                self.log.debug("{rate} baud cannot be tried: {error}", rate=rate, error=error)
                return False
            # What another rate made of the bytes is no frame's beginning.
            self._protocol.start_over()
        return True

    # --- configuring ---------------------------------------------------------------------------

    async def _set(self, api_mode: int) -> bool:
        command = ATCommand(QUESTION_ID, _COMMAND, bytes([api_mode]))
        try:
            value = await when_ready(self._clock, partial(self._say, command, _SET_TIMEOUT))
        except ATRefused:
            return False
        # A radio answers in order: what comes from now on was asked after the change.
        return value == b"" and await self._ask(WAITS) == api_mode

    async def _configure_at_each_rate(self) -> ProbeResult:
        mode = self._search.wanted_mode or 1
        write_flash = self._search.write_flash
        dialogue = CommandMode(self._clock, self._protocol)
        for rate in self._search.transparent_rates:
            if rate and not self._set_rate(rate):
                continue
            self._look_for_bootloader()
            if await dialogue.move_to_api(mode, write_flash):
                self.log.info(
                    "The radio was in transparent mode and is in API mode {mode} now{kept}.",
                    mode=mode,
                    kept=", also when it restarts" if write_flash else "",
                )
                if await self._ask(WAITS) == mode:
                    return ProbeResult(mode, forgets=not write_flash)
                raise NoAnswer("The radio does not answer in API mode, which it was set to.")
        self._look_for_bootloader()
        if self._bootloader:
            raise InBootloader(self._bootloader)
        raise NoAnswer(self._reason())

    def _reason(self) -> str:
        line = ISerialLine(self._protocol.transport, None)
        if self._protocol.overheard:
            return self._no_frames(line)
        if self._search.was_there:
            return (
                "The radio does not answer any more: see that it is connected, switched on and "
                "still in API mode (AP=1 or AP=2)."
            )
        if self._search.any_rate:
            where, hint = " at any rate", ""
        elif line is not None:
            where = f" at {line.baud_rate} baud"
            hint = "; --baud auto looks for the rate"
        else:
            where = ""
            hint = ", and its serial line raw, at the radio's rate and without parity"
        if self._search.configure:
            return (
                f"The radio does not answer{where}, neither to frames nor to +++: see that it is "
                f"an XBee, connected and switched on{hint}."
            )
        return (
            f"The radio does not answer{where}: it must be an XBee in API mode (AP=1 or AP=2)"
            f"{hint}; --configure moves a radio in transparent mode to API mode."
        )

    def _no_frames(self, line: ISerialLine | None) -> str:
        """Somebody is there, and what he says is no frame."""
        if line is None and is_telnet(self._protocol.overheard):
            return f"Bytes come, and no frame among them: {causes(True, speaks_telnet=True)}."
        transparent = "is in transparent mode"
        if not self._search.configure:
            transparent = "is in transparent mode (--configure moves it to API mode)"
        if line is None:
            return (
                f"Bytes come, and no frame among them: {causes(True)}, or the radio {transparent}."
            )
        if self._search.any_rate:
            return (
                "Bytes come, and no frame among them at any rate: the radio has another parity "
                f"(NB, --parity), or {transparent}."
            )
        return (
            f"Bytes come, and no frame among them at {line.baud_rate} baud: the radio is at "
            "another rate (--baud auto looks for it), has another parity (NB, --parity), or "
            f"{transparent}."
        )
