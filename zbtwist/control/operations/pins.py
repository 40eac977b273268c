"""The lines of a node: what each is and reads, asking for a sample, setting outputs."""

from __future__ import annotations

from typing import Annotated, TypedDict

from zbtwist.control.faults import BAD_VALUE, NO_ANSWER, ControlFault, shown
from zbtwist.control.operations.commands import CommandOperations, fault_of
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.network.node import Node
from zbtwist.network.node_pins import Line
from zbtwist.network.pins import Pins
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.xbee.pins import INPUT, OFF, OUTPUT_HIGH, OUTPUT_LOW, Pin, pin_named
from zbtwist.xbee.status import ATStatus

#: What a module says that does not have what it is asked for.
_MISSING = (ATStatus.ERROR, ATStatus.INVALID_COMMAND)

#: What a person writes for a high line, and for a low one.
_HIGH = frozenset(("high", "on", "1", "true"))
_LOW = frozenset(("low", "off", "0", "false"))


class PinRow(TypedDict):
    """A line in ``sample()`` and ``pins()``."""

    pin: Annotated[str, "the AT command that sets it up, such as ``D1``; empty if there is none"]
    name: Annotated[str, "``DIO0`` to ``DIO14``, ``AD0`` to ``AD3``, ``supply``"]
    kind: Annotated[str, "``digital``, ``analog``, ``supply``; ``other``: it has another purpose"]
    mode: Annotated[str, "what it is set up as, in words; empty if that is not known"]
    value: Annotated[float, "0 or 1 of a digital line, else in ``unit``; 0 if it was not read"]
    unit: Annotated[str, "``mV``; empty for a digital line, or if a reading cannot be made volts"]
    text: Annotated[str, "the value in words, such as ``high``; empty if it was not read"]
    raw: Annotated[int, "as the module said it: an analog input reads 0 to 1023"]
    output: Annotated[bool, "it is an output, which ``set_pin`` sets"]
    at: Annotated[float, "when it was read, seconds since 1970; 0 for never"]


class PinOperations(CommandOperations):
    """What is known of lines, and what is done with them."""

    @operation("pins", harmless=Harmless.ALWAYS)
    def pins(self, address: str) -> list[PinRow]:
        """List what is known of a node's lines, without asking it.

        That is what samples say that it sends by itself (IR, IC), and what was asked for or set
        through the gateway. Lines of which nothing is known are left out.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        return _rows(self._resolver.node(address))

    @operation("sample", page="sample")
    async def sample(self, address: str) -> list[PinRow]:
        """Have a node read its lines (IS) and its supply voltage (%V), and list them as ``pins``.

        What is needed to understand what it says is asked for the first time: its hardware, and
        what its lines are set up as. An array without lines means that none is an input or output.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, RADIO_OFFLINE, NO_ANSWER.
        """
        node = self._resolver.node(address)
        await self._ready_radio()
        await self._unless_missing(node, "IS")
        if Pins.of(node).has_supply_command is not False:
            await self._unless_missing(node, "%V")
        # HV first, which says whether there is AV.
        asked: set[str] = set()
        while commands := [one for one in self._network.pins.questions(node) if one not in asked]:
            for command in commands:
                asked.add(command)
                await self._unless_missing(node, command)
        return _rows(node)

    async def _unless_missing(self, node: Node, command: str) -> None:
        """Ask for something that not every module has; `Pins` learns from the answer.

        IS is an error where no line is set up for it (90000976, "IS").
        """
        try:
            await self._network.remote_at(node, command)
        except RadioError as error:
            if not (isinstance(error, ATRefused) and error.status in _MISSING):
                raise fault_of(error) from None

    @operation("set_pin", page="set_pin")
    async def set_pin(
        self, address: str, pin: str, value: bool | int | str, make_output: bool = False
    ) -> PinRow:
        """Set an output of a node high or low, until the node restarts, and say how it is then.

        What the line is, is read first: an input is not made an output, which may be a short
        circuit, unless ``make_output`` is true. A line that carries the node's serial line (D6, D7,
        P3, P4) is never made one here.

        @param pin: its AT command (``D1``) or a name of it (``DIO1``, ``AD1``).
        @param value: true, 1, ``high`` or ``on``; false, 0, ``low`` or ``off``.
        @param make_output: whether a line that is no output becomes one.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, RADIO_OFFLINE, NO_ANSWER,
            NODE_REFUSED, BAD_VALUE.
        """
        node = self._resolver.node(address)
        line = pin_named(pin)
        if line is None:
            raise ControlFault(
                BAD_VALUE,
                f"There is no line {shown(pin)}: they are DIO0 to DIO14, or D0 to D9 and P0 to P4.",
            )
        is_high = _is_high(value)
        mode = int.from_bytes(await self._command(node, line.command, None), "big")
        if mode not in (OUTPUT_LOW, OUTPUT_HIGH):
            self._must_become_output(node, line, mode, make_output)
        await self._command(node, line.command, OUTPUT_HIGH if is_high else OUTPUT_LOW)
        for row in _rows(node):
            if row["pin"] == line.command:
                return row
        raise ControlFault(NO_ANSWER, f"{node} was forgotten meanwhile.")

    @staticmethod
    def _must_become_output(node: Node, line: Pin, mode: int, make_output: bool) -> None:
        what = f"{line.name(mode)} of {node} is no output, but {line.words(mode)}"
        if line.is_serial and mode != INPUT and mode != OFF:
            raise ControlFault(
                BAD_VALUE,
                f"{what}: made an output it would cut the node's serial line. If that is meant, "
                f"set {line.command} with at().",
            )
        if not make_output:
            raise ControlFault(
                BAD_VALUE,
                f"{what}: if something drives it, an output is a short circuit. If it is to be "
                "one, call set_pin() with make_output.",
            )


def _is_high(value: bool | int | str) -> bool:
    word = str(value).strip().lower()
    if word in _HIGH:
        return True
    if word in _LOW:
        return False
    raise ControlFault(BAD_VALUE, f"A line is high or low, not {shown(str(value))}.")


def _rows(node: Node) -> list[PinRow]:
    return [] if node.pins is None else [_row(line) for line in node.pins.lines()]


def _row(line: Line) -> PinRow:
    reading = line.reading
    return {
        "pin": line.command,
        "name": line.name,
        "kind": line.kind,
        "mode": line.mode,
        "value": line.value,
        "unit": line.unit,
        "text": line.text,
        "raw": reading.raw if reading else 0,
        "output": line.is_output,
        "at": reading.at if reading else 0.0,
    }
