"""What of a node decides which entities it has. As long as that is as it was, there is nothing to
tell, whatever the node says.

What was known once stays. After a start of the gateway a meter has said nothing yet, and a module
that restarts does not say what its lines are: an entity that went for that would take with it what
a person has set up for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from zbtwist.decoding.service import MAX_NAMES, Reading
from zbtwist.network.node import Node
from zbtwist.network.node_pins import NodePins
from zbtwist.xbee.description import DIGI
from zbtwist.xbee.devices import product_name
from zbtwist.xbee.pins import ANALOG, INPUT, OUTPUT_HIGH, OUTPUT_LOW, PIN_OF_CHANNEL, PINS, Pin

#: What a line is for others. The words are the beginnings of names of components.
IS_INPUT, IS_OUTPUT, IS_ANALOG, IS_PWM = "input", "output", "analog", "pwm"

#: What a value is, likewise: a number or a text; or a truth.
IS_VALUE, IS_TRUTH = "value", "truth"

#: What is measured by the module itself, in the order in which it is shown.
MEASURED = SIGNAL, SUPPLY_VOLTAGE, TEMPERATURE = "signal", "supply", "temperature"


@dataclass(frozen=True, slots=True)
class ValueShape:
    """A value without its number.

    @ivar kind: `IS_VALUE` or `IS_TRUTH`.
    @ivar is_number: it has never been a text.
    @ivar unit: empty for none, and of what is no number.
    @ivar is_total: see `zbtwist.decoding.value.Value`.
    """

    kind: str
    is_number: bool = False
    unit: str = ""
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class NodeShape:
    """
    @ivar label: what it is called; empty if that is not known.
    @ivar model: which product it is, in words; empty likewise.
    @ivar manufacturer: whose, likewise.
    @ivar firmware: VR, and `hardware` HV, in hexadecimal digits; empty likewise.
    @ivar measured: which of `SIGNAL`, `SUPPLY_VOLTAGE`, `TEMPERATURE` it has told.
    @ivar pins: what its lines are, by their names in topics.
    @ivar decoder: what makes values of what it says; empty for nothing.
    @ivar values: what it has told, by name.
    """

    label: str = ""
    model: str = ""
    manufacturer: str = ""
    firmware: str = ""
    hardware: str = ""
    measured: frozenset[str] = frozenset()
    pins: Mapping[str, str] = field(default_factory=dict)
    decoder: str = ""
    values: Mapping[str, ValueShape] = field(default_factory=dict)

    def with_former(self, former: NodeShape) -> NodeShape:
        """Return it with what it was like in a former run of the gateway."""
        values = former.values if former.decoder == self.decoder else {}
        return replace(
            self,
            firmware=self.firmware or former.firmware,
            hardware=self.hardware or former.hardware,
            measured=self.measured | former.measured,
            pins={**former.pins, **self.pins},
            values={**values, **self.values},
        )


def shape_of(
    node: Node, readings: Iterable[Reading], decoder: str, before: NodeShape | None = None
) -> NodeShape:
    """Return what a node is like.

    @param readings: the values that it has told in this run of the gateway.
    @param decoder: what makes them.
    @param before: what it was like before.
    """
    before = before or NodeShape()
    pins = node.pins
    dd = node.device_type_identifier
    hardware = None if pins is None else pins.hardware_version
    return NodeShape(
        label=node.name or node.label or "",
        model="" if dd is None else product_name(dd),
        manufacturer="Digi" if node.manufacturer_id == DIGI else "",
        firmware=before.firmware
        if node.firmware_version is None
        else f"{node.firmware_version:04X}",
        hardware=before.hardware if hardware is None else f"{hardware:04X}",
        measured=before.measured | frozenset(_measured(node)),
        pins=_pins(pins, before.pins),
        decoder=decoder,
        values=_values(readings, before.values if decoder and decoder == before.decoder else {}),
    )


def _measured(node: Node) -> Iterable[str]:
    if node.signal is not None:
        yield SIGNAL
    if node.pins is not None and node.pins.supply is not None:
        yield SUPPLY_VOLTAGE
    if node.temperature is not None:
        yield TEMPERATURE


def _pins(pins: NodePins | None, before: Mapping[str, str]) -> dict[str, str]:
    if pins is None:
        return dict(before)
    found: dict[str, str] = {}
    for pin in PINS:
        mode = pins.modes.get(pin.command)
        use = _use(pin, mode)
        if mode is None:
            # What it reads does not tell an input from an output that reads itself.
            use = before.get(pin.command, "")
            if not use and pin.line in pins.digital:
                use = IS_INPUT
            elif not use and pin.channel in pins.analog:
                use = IS_ANALOG
        if use:
            found[pin.command] = use
    for channel in sorted(pins.analog):
        # D4 and D5 of an S1. The supply voltage is no line.
        if channel not in PIN_OF_CHANNEL and channel in (4, 5):
            found[f"AD{channel}"] = IS_ANALOG
    return found


def _use(pin: Pin, mode: int | None) -> str:
    if mode == ANALOG:
        return IS_PWM if pin.channel is None else IS_ANALOG
    if mode == INPUT:
        return IS_INPUT
    return IS_OUTPUT if mode in (OUTPUT_LOW, OUTPUT_HIGH) else ""


def _values(readings: Iterable[Reading], before: Mapping[str, ValueShape]) -> dict[str, ValueShape]:
    found = dict(before)
    for reading in readings:
        value = reading.value
        known = before.get(value.name)
        if isinstance(value.value, bool):
            shape = ValueShape(IS_TRUTH)
        elif isinstance(value.value, str) or known == ValueShape(IS_VALUE):
            # What is a number now and then can be said as a text.
            shape = ValueShape(IS_VALUE)
        else:
            shape = ValueShape(IS_VALUE, True, value.unit, value.is_total)
        found.pop(value.name, None)
        found[value.name] = shape
    # At the bound those go that were not told in this run: they are the first.
    for name in list(found)[: max(0, len(found) - MAX_NAMES)]:
        del found[name]
    return dict(sorted(found.items()))
