"""A node's serial line as clients see it that may set it: what it is set to, and how that changes.

Its format is in the registers BD, NB and SB, its flow control in D6 and D7. They are read when it
first matters, and believed for `BELIEVED` seconds, as long as nobody else sets them and the node
does not restart. What is set has effect at once; it is not written to flash memory unless the
option ``persist`` says so, and so it lasts until the node restarts (90001539, "AC" and "WR").

A character that is on the line while it changes is spoiled. So all that clients have written before
goes first, until the node's own buffer is empty as well, and what they write meanwhile waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from zbtwist.binding.modem_lines import BREAK, INPUTS, OUTPUTS, ModemLine, ModemState
from zbtwist.binding.serial_format import (
    FLOW_PINS,
    FORMAT,
    LINE_COMMANDS,
    SerialFormat,
    SevenBits,
    changed,
)
from zbtwist.network.events import PinsChanged
from zbtwist.network.flash import may_have_been_done
from zbtwist.network.node import Node
from zbtwist.network.settings import TRIES, Asks
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.serial_queue import SerialQueue
from zbtwist.xbee.at import BAUD_RATES, encode_value
from zbtwist.xbee.pins import OFF, SPECIAL
from zbtwist.xbee.status import OWN_STATUSES

if TYPE_CHECKING:
    from zbtwist.binding.outbound import Outbound

#: Seconds for which is believed what a node has said, or was told; as `NodeLine` does.
BELIEVED = 600.0

#: Seconds within which two questions have one answer.
SAME_TIME = 1.0

#: Seconds for which it is waited until all that was written is with the device.
DRAIN_TIME = 30.0

#: Seconds of a break that has no end of its own, as termios has it at the least.
BREAK_TIME = 0.25

#: All commands whose values are kept.
COMMANDS = (*LINE_COMMANDS, *FLOW_PINS.values())

#: Commands after which nothing that was known has to be so.
_FORGETTING = ("AC", "FR", "RE", "NR")


class Watcher(Protocol):
    """Who watches the line."""

    def lines_changed(self) -> None:
        """Lines of the modem are not as they were, perhaps."""


class NodeUart:
    """
    @ivar seven: how bytes are changed on their way, while the line has seven data bits.
    @ivar modem: the lines beside the data.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, asks: Asks, node: Node, outbound: Outbound, bus: EventBus
    ) -> None:
        """
        @param asks: tells nodes AT commands.
        """
        self._clock = clock
        self._asks = asks
        self._node = node
        self._outbound = outbound
        self._bus = bus
        self._watchers: dict[Watcher, None] = {}
        self._work = SerialQueue()
        # Values by command, and when they were so, seconds of the clock.
        self._known: dict[str, tuple[int, float]] = {}
        self.seven: SevenBits | None = None
        self._seven_format: SerialFormat | None = None
        self.modem = ModemState(node)
        self._hears_pins = False

    # --- who watches ---------------------------------------------------------------------------

    def join(self, watcher: Watcher) -> None:
        """Somebody wants to be told of the lines."""
        self._watchers[watcher] = None
        if not self._hears_pins and any(line.name in INPUTS for line in self._lines):
            self._hears_pins = True
            self._bus.subscribe(PinsChanged, self._pins_changed)
            if not all(self._is_read(line) for line in self._lines if line.name in INPUTS):
                self._begin(self._read_pins())

    def leave(self, watcher: Watcher) -> None:
        """Somebody does not. With the last one what is no setting of the node ends."""
        self._watchers.pop(watcher, None)
        if self._watchers:
            return
        self.seven = self._seven_format = None
        if self._hears_pins:
            self._hears_pins = False
            self._bus.unsubscribe(PinsChanged, self._pins_changed)
        if self.modem.is_on(BREAK, self._lines):
            self._begin(self.settle({BREAK: False}))

    def _begin(self, work: object) -> None:
        """Do something that nobody waits for."""
        done: Deferred[None] = Deferred.fromCoroutine(work)  # type: ignore[arg-type]
        done.addErrback(lambda failure: failure.trap(RadioError, CancelledError) and None)
        done.addErrback(lambda failure: self.log.failure("A line was not set", failure=failure))

    def _pins_changed(self, event: PinsChanged) -> None:
        if event.node is self._node:
            self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in list(self._watchers):
            watcher.lines_changed()

    @property
    def _lines(self) -> tuple[ModemLine, ...]:
        return self._outbound.settings.modem_lines

    def _is_read(self, line: ModemLine) -> bool:
        pins = self._node.pins
        return pins is not None and line.pin.line in pins.digital

    async def _read_pins(self) -> None:
        # What it says comes as an event.
        await self._asks.remote_at(self._node, "IS")

    # --- what is known -------------------------------------------------------------------------

    @property
    def format(self) -> SerialFormat | None:
        """The format of the line; None if it is not known."""
        values = [self._known[command][0] for command in LINE_COMMANDS if command in self._known]
        if len(values) < len(LINE_COMMANDS):
            return None
        return self._seven_format or SerialFormat.of_registers(*values)

    def has_flow_control(self, flow: str) -> bool | None:
        """Whether there is flow control by lines, of `FLOW_PINS`; None if it is not known."""
        known = self._known.get(FLOW_PINS[flow])
        return None if known is None else known[0] == SPECIAL

    def is_on(self, name: str) -> bool:
        """Whether one of the modem's lines is on."""
        return self.modem.is_on(name, self._lines)

    def inputs(self) -> Mapping[str, bool]:
        """Return the lines that a client reads."""
        return self.modem.inputs(self._lines)

    def heard(self, command: str) -> None:
        """The node has set or done something, whoever wanted it."""
        if command in _FORGETTING:
            self._known.clear()
        else:
            self._known.pop(command, None)

    # --- asking and changing -------------------------------------------------------------------

    async def settle(self, asked: Mapping[str, int], queried: Iterable[str] = ()) -> None:
        """Have the line be as it is asked for, as far as the node can; then what is known of it is
        so.

        @param asked: fields of `FORMAT`; and whether those of `FLOW_PINS` and `OUTPUTS` are on.
        @param queried: commands of `COMMANDS` whose value is to be read anew.
        @raise RadioError: the node does not say.
        """
        await self._work.run(self._settle(asked, queried))

    async def _settle(self, asked: Mapping[str, int], queried: Iterable[str]) -> None:
        wanted = {name: asked[name] for name in FORMAT if name in asked}
        flows = {name: asked[name] for name in FLOW_PINS if name in asked}
        needed = {FLOW_PINS[name] for name in flows}.union(LINE_COMMANDS if wanted else ())
        queried = frozenset(queried)
        has_read = False
        for command in COMMANDS:
            if command in queried or command in needed:
                has_read |= await self._read(command, SAME_TIME if command in queried else BELIEVED)
        if has_read:
            self._tell_pace(is_set=False)
        changes: dict[str, int] = {}
        now = self.format
        form = None if now is None or not wanted else changed(now, wanted)
        if form is not None:
            changes.update(form.registers or {})
        for name, is_on in flows.items():
            mode = self._known[FLOW_PINS[name]][0]
            # A pin that is something else is no line of the port.
            if mode in (OFF, SPECIAL):
                changes[FLOW_PINS[name]] = SPECIAL if is_on else OFF
        changes = {name: value for name, value in changes.items() if self._is_new(name, value)}
        if changes:
            await self._change(changes)
        if form is not None:
            self._use(form)
        for name in OUTPUTS:
            if name in asked:
                await self._switch(name, bool(asked[name]))

    def _is_new(self, command: str, value: int) -> bool:
        now = self._known[command][0]
        if command == "BD":
            return SerialFormat.of_registers(now, 0, 0) != SerialFormat.of_registers(value, 0, 0)
        return now != value

    def _use(self, form: SerialFormat) -> None:
        """Let bytes pass as a format has them, if the node's registers are those of it; else as
        they do, if the registers still are.
        """
        for one in (form, self._seven_format):
            if one is not None and self._has(one) and one.data_bits == 7:
                self._seven_format = one
                if self.seven is None or self.seven.parity is not one.parity:
                    self.seven = SevenBits(one.parity)
                return
            if one is form and self._has(form):
                break
        self.seven = self._seven_format = None

    def _has(self, form: SerialFormat) -> bool:
        return not any(self._is_new(*one) for one in (form.registers or {}).items())

    async def _read(self, command: str, believed: float) -> bool:
        """Have the value of a command that is not older than so many seconds. Return whether the
        node was asked for it.
        """
        now = self._clock.seconds()
        if command in self._known and now - self._known[command][1] < believed:
            return False
        try:
            value = int.from_bytes(await self._tell(command), "big")
        except ATRefused as error:
            if error.status not in OWN_STATUSES or command == "BD":
                raise
            # It does not have that, such as S1 and S2, which have no SB: it is as if it was 0.
            value = 0
        self._known[command] = value, self._clock.seconds()
        if self._seven_format is not None and self.format is not None:
            self._use(self._seven_format)
        return True

    async def _tell(self, command: str, value: bytes = b"") -> bytes:
        """A command that may be said twice."""
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._asks.remote_at(self._node, command, value)
            except RadioError as error:  # noqa: PERF203  # there are two
                if not tries_left or not may_have_been_done(error):
                    raise
        raise AssertionError("the last try returns or raises")

    async def _change(self, changes: Mapping[str, int]) -> None:
        """Set registers, with nothing on the line."""
        outbound = self._outbound
        try:
            await outbound.hold().addTimeout(DRAIN_TIME, self._clock)
            for command, value in changes.items():
                await self._set(command, value)
            if outbound.settings.persist:
                await self._tell("WR")
        except TimeoutError:
            self.log.info(
                "The serial line of {node} stays as it is: what was written to it before did not "
                "go out within {seconds:.0f} s.",
                node=self._node,
                seconds=DRAIN_TIME,
            )
        finally:
            if not changes.keys().isdisjoint(LINE_COMMANDS):
                self._tell_pace(is_set=True)
            outbound.release()

    def _tell_pace(self, is_set: bool) -> None:
        form = self.format
        if form is not None:
            self._outbound.line.told(form.baud, form.bits_of_character, is_set, form.compact)
        elif is_set:
            # It may have been set, and the answer was lost.
            self._outbound.line.changed()

    async def _set(self, command: str, value: int) -> None:
        before = self._known.pop(command, None)
        try:
            await self._tell(command, encode_value(command, value))
        except ATRefused as error:
            if error.status not in OWN_STATUSES:
                raise
            if before is not None:
                self._known[command] = before
            return
        # Whoever else hears of the answer, as `heard`, has heard of it then.
        await deferLater(self._clock, 0)
        self._known[command] = value, self._clock.seconds()
        if command == "BD" and value >= len(BAUD_RATES):
            # What a module makes of it is what its clock can be divided into (90000976, "BD").
            await self._read(command, 0.0)

    # --- the lines of the modem ----------------------------------------------------------------

    async def _switch(self, name: str, is_on: bool) -> None:
        for line in self._lines:
            if line.name == name:
                mode = bytes([line.mode_of(is_on)])
                await self._tell(line.pin.command, mode)
                await deferLater(self._clock, 0)
        self.modem.said[name] = is_on

    def send_break(self) -> None:
        """Let the line that is named for it be in a break for a moment."""
        if any(line.name == BREAK for line in self._lines):
            self._begin(self._pulse())

    async def _pulse(self) -> None:
        await self.settle({BREAK: True})
        await deferLater(self._clock, BREAK_TIME)
        await self.settle({BREAK: False})
