"""Telnet as bytes: what comes in is cut into data, commands and subnegotiations; and which options
both sides have agreed on.

RFC 854 has the commands and escapes, RFC 855 the options, RFC 1143 the state that each option has,
without which two sides can answer each other for ever. What a peer can make this keep, or say, is
bounded; one that goes beyond that is a `TelnetError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from enum import Enum, auto
from typing import Protocol

#: The commands that are used here (RFC 854, "Telnet command structure").
SE, NOP, BREAK, AYT, SB, WILL, WONT, DO, DONT, IAC = (
    *(0xF0, 0xF1, 0xF3, 0xF6),
    *(0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF),
)

#: The options that are used here (RFC 856, 857, 858).
BINARY, ECHO, SUPPRESS_GO_AHEAD = 0, 1, 3

#: Bytes of a subnegotiation, with its head, as they come.
MAX_SUBNEGOTIATION = 1024

#: Commands in one read; of what a client says by itself there are a handful.
MAX_COMMANDS = 1000

#: How often one side of an option is answered. A peer that does not keep track of what was agreed
#: on may answer each answer; sooner or later it hears nothing more.
MAX_ANSWERS = 16

_IAC = bytes([IAC])
_ESCAPED = 2 * _IAC
_OF_OPTION = (WILL, WONT, DO, DONT)

# It never fails behind its last repetition, so that there is nothing to go back for.
_DATA = re.compile(rb"(?:[^\xff]+|\xff\xff)+")


class TelnetError(Exception):
    """A client does what no client does. The text is a clause whose subject is the client."""


def escaped(data: bytes) -> bytes:
    """Return data as they are sent: with each IAC doubled."""
    return data.replace(_IAC, _ESCAPED) if IAC in data else data


def subnegotiation(option: int, payload: bytes) -> bytes:
    """Return a subnegotiation as it is sent."""
    return bytes((IAC, SB, option)) + escaped(payload) + bytes((IAC, SE))


class Hears(Protocol):
    """Who is told what a peer says, in its order."""

    def data_came(self, data: bytes) -> None:
        """Bytes that are no part of a command, not escaped any more."""

    def command_came(self, command: int) -> None:
        """A command of one byte, such as `BREAK`."""

    def option_came(self, verb: int, option: int) -> None:
        """`WILL`, `WONT`, `DO` or `DONT`."""

    def subnegotiation_came(self, option: int, payload: bytes) -> None:
        """What is behind `SB`, not escaped any more."""


class TelnetParser:
    """Cuts what a peer sends, wherever its packets were cut."""

    __slots__ = ("_hears", "_rest")

    def __init__(self, hears: Hears) -> None:
        self._hears = hears
        # The beginning of a command whose end has not come yet.
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """
        @raise TelnetError: the client goes beyond a bound.
        """
        if self._rest:
            data, self._rest = self._rest + data, b""
        elif IAC not in data:
            self._hears.data_came(data)
            return
        position = commands = 0
        while position < len(data):
            run = _DATA.match(data, position)
            if run is not None:
                position = run.end()
                self._hears.data_came(run[0].replace(_ESCAPED, _IAC))
                continue
            commands += 1
            if commands > MAX_COMMANDS:
                raise TelnetError(f"it sends more than {MAX_COMMANDS} telnet commands at once")
            end = self._command(data, position)
            if not end:
                self._rest = data[position:]
                return
            position = end

    def _command(self, data: bytes, start: int) -> int:
        """Take the command that begins there.

        @return: where the next byte is; 0 if the command has not come to its end.
        """
        size = len(data) - start
        verb = data[start + 1] if size > 1 else SE
        if size < 2 or (verb in _OF_OPTION and size < 3):
            return 0
        if verb in _OF_OPTION:
            self._hears.option_came(verb, data[start + 2])
            return start + 3
        if verb != SB:
            self._hears.command_came(verb)
            return start + 2
        return self._subnegotiation(data, start)

    def _subnegotiation(self, data: bytes, start: int) -> int:
        end = start + 2
        while True:
            end = data.find(IAC, end)
            if end < 0 or end + 1 == len(data):
                if len(data) - start > MAX_SUBNEGOTIATION:
                    break
                return 0
            if data[end + 1] != IAC:
                break
            end += 2
        if end < 0 or end - start > MAX_SUBNEGOTIATION:
            raise TelnetError(
                f"it sends a telnet subnegotiation of more than {MAX_SUBNEGOTIATION} bytes"
            )
        if data[end + 1] != SE:
            # Something else has begun: there is no end to what was before.
            return end
        content = data[start + 2 : end].replace(_ESCAPED, _IAC)
        if content:
            self._hears.subnegotiation_came(content[0], content[1:])
        return end + 2


class State(Enum):
    """What is known of one side of an option (RFC 1143, 7). Nothing here is ever asked to end, so
    that there are no queues.

    @cvar NO: it is off, and nothing was said of it.
    @cvar REFUSED: it is off, as the peer has said.
    @cvar ASKED: the peer was asked, and has not answered.
    @cvar YES: it is on.
    """

    NO = auto()
    REFUSED = auto()
    ASKED = auto()
    YES = auto()


class Side:
    """One side of all options: what we do ourselves, or what the peer does."""

    def __init__(
        self, send: Callable[[bytes], None], yes: int, no: int, allowed: Container[int]
    ) -> None:
        """
        @param yes: the verb by which we agree or ask: `WILL` of ours, `DO` of the peer's.
        @param no: the other one.
        @param allowed: the options that are agreed to.
        """
        self._send = send
        self._yes = yes
        self._no = no
        self._allowed = allowed
        # By option, of which there are 256.
        self._states: dict[int, State] = {}
        self._answers: dict[int, int] = {}

    def state_of(self, option: int) -> State:
        """Return how an option is."""
        return self._states.get(option, State.NO)

    def ask(self, option: int) -> None:
        """Ask for an option, unless it is on already."""
        if self.state_of(option) is State.NO:
            self._states[option] = State.ASKED
            self._send(bytes((IAC, self._yes, option)))

    def heard(self, option: int, is_on: bool) -> None:
        """The peer wants an option, or agrees to it; or the contrary."""
        before = self.state_of(option)
        if is_on and before is not State.YES:
            if option not in self._allowed:
                self._answer(self._no, option)
                return
            self._states[option] = State.YES
            if before is not State.ASKED:
                self._answer(self._yes, option)
        elif not is_on:
            self._states[option] = State.REFUSED
            if before is State.YES:
                self._answer(self._no, option)

    def _answer(self, verb: int, option: int) -> None:
        answers = self._answers.get(option, 0)
        if answers < MAX_ANSWERS:
            self._answers[option] = answers + 1
            self._send(bytes((IAC, verb, option)))
