"""``rfc2217``: telnet with the COM-PORT option, by which a client sets the serial line itself.

RFC 2217 has the commands and their values; the numbers were compared with what pyserial 3.5 and
gensio 2.6 send. A command from a client is answered with the number that is `TO_CLIENT` higher and
the value that is then in force, whatever was asked for; a value of 0 asks for it. What a line of
this kind does not have is answered with what is: see `zbtwist.binding.serial_format` and
`zbtwist.binding.modem_lines`.

What a client writes behind a setting waits until it is made, and its later commands with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from zbtwist import __version__
from zbtwist.binding.modem_lines import BREAK, CTS, DCD, DSR, DTR, RI, RTS
from zbtwist.binding.serial_format import FLOW_PINS, FORMAT, IN_FLOW, LINE_COMMANDS, OUT_FLOW
from zbtwist.binding.telnet import Telnet
from zbtwist.radio.errors import RadioError
from zbtwist.runtime.com_port import (
    COM_PORT,
    DTR_OFF,
    DTR_ON,
    HARDWARE_FLOW,
    NO_FLOW,
    NOTIFY_LINESTATE,
    NOTIFY_MODEMSTATE,
    PURGE_BOTH,
    PURGE_DATA,
    PURGE_RECEIVED,
    PURGE_TRANSMIT,
    RATE_SIZE,
    RESUME,
    RTS_OFF,
    RTS_ON,
    SET_BAUDRATE,
    SET_CONTROL,
    SET_DATASIZE,
    SET_LINESTATE_MASK,
    SET_MODEMSTATE_MASK,
    SET_PARITY,
    SET_STOPSIZE,
    SIGNATURE,
    SUSPEND,
    TO_CLIENT,
)
from zbtwist.runtime.telnet_codec import Side, State, TelnetError, subnegotiation

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient
    from zbtwist.binding.port import NodePort

#: Bits of the line's state: nothing waits to be sent; a character came with a wrong parity.
TRANSMITTER_EMPTY, PARITY_ERROR = 0x60, 0x04

#: Bits of the modem's state, by the line; what has changed stands four bits lower.
MODEM_BITS = {DCD: 0x80, RI: 0x40, DSR: 0x20, CTS: 0x10}
_CHANGE = 4

#: Seconds for which other settings are waited for: all of them come at once.
GATHER = 0.02

#: Settings of a client that wait for their answers.
MAX_WAITING = 64

#: Bytes of the node that are kept for a client which has suspended them.
MAX_SUSPENDED = 65536

_FIELD = dict(zip((SET_BAUDRATE, SET_DATASIZE, SET_PARITY, SET_STOPSIZE), FORMAT))

#: What values of SET-CONTROL set, and which of them ask.
_CONTROLS: Mapping[int, tuple[str, bool]] = {
    5: (BREAK, True),
    6: (BREAK, False),
    DTR_ON: (DTR, True),
    DTR_OFF: (DTR, False),
    RTS_ON: (RTS, True),
    RTS_OFF: (RTS, False),
    14: (IN_FLOW, False),
    16: (IN_FLOW, True),
}
_ASKED_CONTROLS = {4: BREAK, 7: DTR, 10: RTS}
#: What their answers are, off and on.
_ANSWERS = {
    BREAK: (6, 5),
    DTR: (DTR_OFF, DTR_ON),
    RTS: (RTS_OFF, RTS_ON),
    IN_FLOW: (14, 16),
    OUT_FLOW: (NO_FLOW, HARDWARE_FLOW),
}
#: Values that are about the flow to the device, and from it; XON/XOFF and others are refused.
_OUT_VALUES, _IN_VALUES = frozenset((0, 1, 2, 3, 17, 19)), frozenset((13, 14, 15, 16, 18))

_Asked: TypeAlias = tuple[int, int]


class Rfc2217(Telnet):
    """What one client has asked for."""

    log = Logger()

    OURS = Telnet.OURS | {COM_PORT}
    THEIRS = Telnet.THEIRS | {COM_PORT}

    def __init__(
        self, to_node: Callable[[bytes], None], to_client: Callable[[bytes], None]
    ) -> None:
        super().__init__(to_node, to_client)
        self._has_com_port = False
        self._line_mask, self._modem_mask = 0, 0xFF
        # What is on is a change the first time, as pyserial's server and ser2net have it; the
        # latter passes on nothing but changes.
        self._told = 0
        # Settings, and bytes behind them, in their order.
        self._waiting: deque[_Asked | bytes] = deque()
        self._asked = 0
        self._gathering: IDelayedCall | None = None
        self._settling = False
        # Bytes of the node while the client wants none; None while it does.
        self._suspended: bytearray | None = None
        self._is_over = False

    def started(self, client: NodeClient, port: NodePort) -> None:
        super().started(client, port)
        self._uart = port.uart
        self._theirs.ask(COM_PORT)

    def ended(self) -> None:
        self._is_over = True
        self._waiting.clear()
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        self._uart.leave(self)

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting) or self._settling

    # --- bytes ---------------------------------------------------------------------------------

    def data_came(self, data: bytes) -> None:
        if self._waiting or self._settling:
            self._waiting.append(data)
            self._client.pause()
        else:
            self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        seven = self._uart.seven
        super().data_came(data if seven is None else data.translate(seven.to_line))

    def from_node(self, data: bytes) -> None:
        seven = self._uart.seven
        if seven is not None:
            if self._line_mask & PARITY_ERROR and data.translate(None, seven.good):
                self._say(NOTIFY_LINESTATE, PARITY_ERROR)
            data = data.translate(seven.from_line)
        if self._suspended is None:
            super().from_node(data)
            return
        self._suspended += data
        if len(self._suspended) > MAX_SUSPENDED:
            self._port.outbound.discard(self._client)
            self._client.reset(
                f"it has suspended the flow, and {len(self._suspended)} bytes wait for it"
            )

    def _is_terminal(self, side: Side) -> bool:
        # Who speaks of serial ports means bytes.
        return not self._has_com_port and super()._is_terminal(side)

    # --- what the client says ------------------------------------------------------------------

    def option_came(self, verb: int, option: int) -> None:
        super().option_came(verb, option)
        if option == COM_PORT and not self._has_com_port:
            sides = (self._ours, self._theirs)
            if any(side.state_of(COM_PORT) is State.YES for side in sides):
                self._has_com_port = True
                self._uart.join(self)
                self._tell_modem_state(is_asked=True)

    def break_came(self) -> None:
        self._uart.send_break()

    def subnegotiation_came(self, option: int, payload: bytes) -> None:
        if option != COM_PORT or not payload or not self._has_com_port:
            return
        command, value = payload[0], payload[1:]
        if command == SIGNATURE:
            if not value:
                self._send(SIGNATURE, f"zbtwist {__version__}, {self._port.node}".encode())
        elif command == SUSPEND:
            if self._suspended is None:
                self._suspended = bytearray()
        elif command == RESUME:
            self._resume()
        elif command == NOTIFY_LINESTATE:
            self._say(command, 0 if self._port.outbound.unconfirmed else TRANSMITTER_EMPTY)
        elif command == NOTIFY_MODEMSTATE:
            self._tell_modem_state(is_asked=True)
        elif command == SET_BAUDRATE and len(value) == RATE_SIZE:
            self._ask(command, int.from_bytes(value, "big"))
        elif command in (SET_DATASIZE, SET_PARITY, SET_STOPSIZE, SET_CONTROL) and len(value) == 1:
            self._ask(command, value[0])
        elif len(value) == 1:
            self._at_once(command, value[0])

    def _at_once(self, command: int, value: int) -> None:
        """What concerns this client alone."""
        if command == SET_LINESTATE_MASK:
            self._line_mask = value
        elif command == SET_MODEMSTATE_MASK:
            self._modem_mask = value
        elif command == PURGE_DATA:
            if value in (PURGE_RECEIVED, PURGE_BOTH) and self._suspended is not None:
                self._suspended.clear()
            if value in (PURGE_TRANSMIT, PURGE_BOTH):
                self._waiting = deque(one for one in self._waiting if isinstance(one, tuple))
                self._port.outbound.purge(self._client)
        else:
            return
        self._say(command, value)
        if command == SET_MODEMSTATE_MASK and value:
            # Who passes that on to others has nothing to tell them before.
            self._tell_modem_state(is_asked=True)

    def _resume(self) -> None:
        suspended, self._suspended = self._suspended, None
        if suspended:
            super().from_node(bytes(suspended))

    # --- settings ------------------------------------------------------------------------------

    def _ask(self, command: int, value: int) -> None:
        if command == SET_CONTROL and value > max(_OUT_VALUES | _IN_VALUES):
            return
        self._asked += 1
        if self._asked > MAX_WAITING:
            raise TelnetError(f"it asks for {self._asked} settings and waits for no answer")
        self._waiting.append((command, value))
        if self._gathering is None and not self._settling:
            self._gathering = self._port.clock.callLater(GATHER, self._begin_to_settle)

    def _begin_to_settle(self) -> None:
        self._gathering = None
        self._settling = True
        done = Deferred.fromCoroutine(self._settle())
        # The node's port is gone.
        done.addErrback(lambda failure: failure.trap(CancelledError) and None)
        done.addErrback(lambda failure: self.log.failure("A setting failed", failure=failure))

    async def _settle(self) -> None:
        """Make the settings, answer each, and pass on the bytes behind them, in their order."""
        try:
            while self._waiting:
                if isinstance(self._waiting[0], bytes):
                    self._pass_on(self._waiting.popleft())  # type: ignore[arg-type]
                    continue
                batch: list[_Asked] = []
                while self._waiting and isinstance(self._waiting[0], tuple):
                    batch.append(self._waiting.popleft())  # type: ignore[arg-type]
                await self._settle_batch(batch)
        finally:
            self._settling = False
        if not (self._is_over or self._client.is_held_back):
            self._client.resume()

    async def _settle_batch(self, batch: list[_Asked]) -> None:
        try:
            await self._uart.settle(*self._meaning_of(batch))
        except RadioError as error:
            self.log.info(
                "{node} does not say how its serial line is: client {peer} may have no answer. "
                "{reason}",
                node=self._port.node,
                peer=self._client.peer,
                reason=str(error),
            )
        self._asked -= len(batch)
        if not self._is_over:
            # With what is, as far as that is known.
            for command, value in batch:
                self._answer(command, value)

    def _meaning_of(self, batch: list[_Asked]) -> tuple[dict[str, int], set[str]]:
        """Return what is asked for, and which commands of the node are to be read."""
        asked: dict[str, int] = {}
        queried: set[str] = set()
        if not self._port.may_write(self._client):
            # Who only looks on may ask how the line is.
            return asked, {*LINE_COMMANDS, *FLOW_PINS.values()}
        for command, value in batch:
            if command != SET_CONTROL:
                if value:
                    asked[_FIELD[command]] = value
                else:
                    # Seven bits are told from NB; what the value is may depend on all of them.
                    queried.update(LINE_COMMANDS)
            elif value in (NO_FLOW, HARDWARE_FLOW):
                asked[OUT_FLOW] = value == HARDWARE_FLOW
                if value == HARDWARE_FLOW:
                    asked[IN_FLOW] = True
            elif value in _CONTROLS:
                name, is_on = _CONTROLS[value]
                asked[name] = is_on
            elif value in _OUT_VALUES:
                queried.add(FLOW_PINS[OUT_FLOW])
            elif value in _IN_VALUES:
                queried.add(FLOW_PINS[IN_FLOW])
        return asked, queried

    def _answer(self, command: int, value: int) -> None:
        if command == SET_CONTROL:
            answer = self._control_answer(value)
            if answer is not None:
                self._say(command, answer)
            return
        form = self._uart.format
        if form is not None:
            size = RATE_SIZE if command == SET_BAUDRATE else 1
            self._send(command, int(getattr(form, _FIELD[command])).to_bytes(size, "big"))

    def _control_answer(self, value: int) -> int | None:
        name = _ASKED_CONTROLS.get(value)
        if name is None and value in _CONTROLS and value not in _IN_VALUES:
            name, _ = _CONTROLS[value]
        if name is not None:
            return _ANSWERS[name][self._uart.is_on(name)]
        flow = IN_FLOW if value in _IN_VALUES else OUT_FLOW
        is_on = self._uart.has_flow_control(flow)
        return None if is_on is None else _ANSWERS[flow][is_on]

    # --- what is said to the client ------------------------------------------------------------

    def lines_changed(self) -> None:
        self._tell_modem_state()

    def _tell_modem_state(self, is_asked: bool = False) -> None:
        """Tell the client how the modem's lines are, if it has asked or wants to know of a change.

        @param is_asked: else only what its mask has is told.
        """
        state = sum(MODEM_BITS[name] for name, is_on in self._uart.inputs().items() if is_on)
        changes = state ^ self._told
        if is_asked or changes & self._modem_mask:
            self._told = state
            # Of the ring only its end is a change (RFC 2217, "NOTIFY-MODEMSTATE").
            if state & MODEM_BITS[RI]:
                changes &= ~MODEM_BITS[RI]
            self._say(NOTIFY_MODEMSTATE, (state | changes >> _CHANGE) & self._modem_mask)

    def _say(self, command: int, value: int) -> None:
        self._send(command, bytes([value]))

    def _send(self, command: int, value: bytes) -> None:
        self.to_client(subnegotiation(COM_PORT, bytes([command + TO_CLIENT]) + value))
