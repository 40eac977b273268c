"""Command mode: the dialogue of text with a radio in transparent mode, which moves it to API mode.

The line is silent for a second, then comes ``+++``, then it is silent for a second again, and the
radio says ``OK``. From then on each line is a command and has an answer, until ``ATCN`` (90001539,
"Enter Command mode"). What a radio in transparent mode says before that is the data of nodes, so
only the end of what has come is looked at.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from zbtwist.radio.errors import RadioError
from zbtwist.radio.protocol import RadioProtocol

#: Seconds of silence before and after ``+++``: GT is 1 s as a radio leaves the factory.
GUARD_TIME = 1.0
#: Seconds by which the silence before is longer than it must be, for the clocks of both sides.
GUARD_MARGIN = 0.1
#: Seconds after the silence in which the radio must have said ``OK``.
ENTER_MARGIN = 0.4
#: Seconds for the answer to a command; writing to flash is the slowest.
COMMAND_TIMEOUT = 2.0

_SEQUENCE = b"+++"
_OK = b"OK\r"
#: An S2 or S2B has other firmware for either mode (90000976, "AP (API Enable)").
_NO_API = ": it has AT firmware, which has no API mode, so load API firmware into it with XCTU"
#: The longest answer that is looked at, in bytes.
_MAX_ANSWER = 64


class CommandMode:
    """The dialogue over one line. Nobody else may write meanwhile, and no frame is looked for."""

    def __init__(self, clock: IReactorTime, protocol: RadioProtocol) -> None:
        self._clock = clock
        self._protocol = protocol
        self._heard = b""
        self._answered: Deferred[bytes] | None = None

    async def move_to_api(self, api_mode: int, write_flash: bool = False) -> bool:
        """Move a radio in transparent mode to API mode.

        @param api_mode: 1 or 2.
        @param write_flash: let the radio keep it when it restarts.
        @return: whether there was a radio that listened to ``+++``.
        @raise RadioError: it listened, and refused or did not finish.
        """
        self._protocol.listen_raw(self._received)
        try:
            if not await self._enter():
                return False
            await self._execute(f"ATAP{api_mode}")
            if write_flash:
                await self._execute("ATWR")
            await self._execute("ATCN")
            return True
        finally:
            self._protocol.listen_raw(None)

    async def _enter(self) -> bool:
        await deferLater(self._clock, GUARD_TIME + GUARD_MARGIN)
        answer = await self._say(_SEQUENCE, GUARD_TIME + ENTER_MARGIN)
        return answer is not None

    async def _execute(self, command: str) -> None:
        answer = await self._say(command.encode("ascii") + b"\r", COMMAND_TIMEOUT)
        if answer is None:
            raise RadioError(f"The radio stopped answering in command mode, at {command}.")
        if not answer.endswith(_OK):
            # Until then, or until its time is up, it neither says what comes from nodes nor sends.
            await self._say(b"ATCN\r", COMMAND_TIMEOUT)
            why = _NO_API if command.startswith("ATAP") else ""
            raise RadioError(f"The radio refused {command} in command mode{why}.")

    async def _say(self, text: bytes, seconds: float) -> bytes | None:
        """Write, and return the answer; None if there is none."""
        self._heard = b""
        self._answered = Deferred()
        self._protocol.write(text)
        try:
            return await self._answered.addTimeout(seconds, self._clock)
        except TimeoutError:
            return None
        finally:
            self._answered = None

    def _received(self, data: bytes) -> None:
        self._heard = (self._heard + data)[-_MAX_ANSWER:]
        answered = self._answered
        if answered is not None and self._heard.endswith((_OK, b"ERROR\r")):
            self._answered = None
            answered.callback(self._heard)
