"""``telnet``: bytes as a telnet client has them, with IAC doubled, and binary both ways if it can.

A client that refuses to be binary (RFC 856) is a network virtual terminal: a carriage return that
stands alone comes and goes with a NUL behind it (RFC 854, "The NVT printer and keyboard"). To one
that says nothing of it, as programs mostly do, nothing is changed: neither pyserial nor ser2net do.

What is offered makes a person's client send each key at once and show what the device says of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from zbtwist.binding.port_protocol import PortProtocol
from zbtwist.runtime.telnet_codec import (
    AYT,
    BINARY,
    BREAK,
    DO,
    DONT,
    ECHO,
    IAC,
    NOP,
    SUPPRESS_GO_AHEAD,
    WILL,
    WONT,
    Side,
    State,
    TelnetError,
    TelnetParser,
    escaped,
)

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient
    from zbtwist.binding.port import NodePort

_CR, _NUL, _LF = b"\r", b"\0", b"\n"
_LONE_CR = re.compile(rb"\r(?!\n)")


class Telnet(PortProtocol):
    """
    @cvar OURS: options that are ours if the client wants them.
    @cvar THEIRS: options that the client may have.
    """

    OURS = frozenset((BINARY, ECHO, SUPPRESS_GO_AHEAD))
    THEIRS = frozenset((BINARY, SUPPRESS_GO_AHEAD))

    def __init__(
        self, to_node: Callable[[bytes], None], to_client: Callable[[bytes], None]
    ) -> None:
        super().__init__(to_node, to_client)
        self._parser = TelnetParser(self)
        self._ours = Side(to_client, WILL, WONT, self.OURS)
        self._theirs = Side(to_client, DO, DONT, self.THEIRS)
        # Whether the last byte was a CR whose next byte has not come: of the client, of the node.
        self._had_cr = self._said_cr = False

    def started(self, client: NodeClient, port: NodePort) -> None:
        self._client = client
        self._port = port
        for option in (SUPPRESS_GO_AHEAD, ECHO, BINARY):
            self._ours.ask(option)
        self._theirs.ask(BINARY)

    # --- from the client -----------------------------------------------------------------------

    def from_client(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
        except TelnetError as error:
            self._client.reset(str(error))

    def data_came(self, data: bytes) -> None:
        """See `zbtwist.runtime.telnet_codec.Hears`, here and below."""
        if self._is_terminal(self._theirs):
            if self._had_cr and data.startswith(_NUL):
                data = data[1:]
                self._had_cr = False
            if not data:
                return
            self._had_cr = data.endswith(_CR)
            data = data.replace(_CR + _NUL, _CR)
        self.to_node(data)

    def command_came(self, command: int) -> None:
        if command == AYT:
            # What a person could read would be among the device's bytes.
            self.to_client(bytes((IAC, NOP)))
        elif command == BREAK:
            self.break_came()

    def break_came(self) -> None:
        """The client has sent a break."""

    def option_came(self, verb: int, option: int) -> None:
        side = self._theirs if verb in (WILL, WONT) else self._ours
        side.heard(option, verb in (WILL, DO))

    def subnegotiation_came(self, option: int, payload: bytes) -> None:
        """None was agreed on."""

    # --- from the node -------------------------------------------------------------------------

    def from_node(self, data: bytes) -> None:
        if self._is_terminal(self._ours):
            data = self._of_terminal(data)
        self.to_client(escaped(data))

    def _of_terminal(self, data: bytes) -> bytes:
        """Return what the node says with a NUL behind each CR that stands alone."""
        is_alone = self._said_cr and not data.startswith(_LF)
        self._said_cr = data.endswith(_CR)
        data = _LONE_CR.sub(_CR + _NUL, data)
        if self._said_cr:
            # What comes behind it is seen with the next bytes.
            data = data[:-1]
        return _NUL + data if is_alone else data

    def _is_terminal(self, side: Side) -> bool:
        return side.state_of(BINARY) is State.REFUSED
