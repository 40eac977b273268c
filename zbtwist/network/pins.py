"""The lines of all nodes: what is learnt of them from whatever passes, whoever asked for it.

Samples come by themselves (IR, IC) and as answers to IS; AT commands read or set what a line is,
as anybody sends them through the gateway. A module that restarts may be set up in another way
then, so what was known of that is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable

from zbtwist.network.events import NodeIdentified, PinsChanged
from zbtwist.network.node import Node
from zbtwist.network.node_pins import NodePins
from zbtwist.radio.errors import ATRefused
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee import devices
from zbtwist.xbee.description import BUTTON
from zbtwist.xbee.pins import PIN_OF_COMMAND, PIN_OF_LINE
from zbtwist.xbee.samples import SUPPLY_VOLTAGE, IOSample, SampleError
from zbtwist.xbee.status import ATStatus

#: Commands behind which a module has the settings of its flash memory, or of the factory.
_RESTARTING = frozenset(("FR", "RE"))


class Pins:
    """Keeps `Node.pins`, and publishes what is not as it was, if anybody wants to hear of it."""

    def __init__(self, bus: EventBus, wall: Callable[[], float]) -> None:
        """
        @param wall: says the seconds since 1970.
        """
        self._bus = bus
        self._wall = wall
        self._observers = bus.subscribers(PinsChanged)
        bus.subscribe(NodeIdentified, self._identified)

    @staticmethod
    def of(node: Node) -> NodePins:
        """Return what is known of a node's lines."""
        if node.pins is None:
            node.pins = NodePins()
        return node.pins

    def sampled(self, node: Node, sample: IOSample, is_whole: bool = False) -> None:
        """A sample of a node has come.

        @param is_whole: whether it is of all lines that are set up for one, as IS reads them; a
            change of a digital line sends those alone (90000976, "IC").
        """
        has_digital = is_whole or sample.digital_mask != 0
        changed = self.of(node).take(sample, self._wall(), has_digital, is_whole)
        self._changed(node, changed)

    def answered(self, node: Node, command: str, parameter: bytes, value: bytes) -> None:
        """A node has carried out an AT command.

        @param parameter: what was set; empty if it was read, or done.
        @param value: of the answer.
        """
        pin = PIN_OF_COMMAND.get(command)
        if pin is not None:
            mode = int.from_bytes(parameter or value, "big")
            changed = self.of(node).set_up(pin, mode, self._wall(), bool(parameter))
            self._changed(node, changed)
        elif command == "IS":
            try:
                self.sampled(node, IOSample.parse(value), is_whole=True)
            except SampleError:
                return
        elif command == "%V" and value:
            raw = int.from_bytes(value, "big")
            if len(value) > 2:
                # An XTC says it in parts of 65536 of a volt (90001476, "%V"), others in mV.
                raw = round(raw * 1000 / 65536)
            self.of(node).has_supply_command = True
            self.sampled(node, IOSample(analog={SUPPLY_VOLTAGE: raw}))
        elif command == "HV" and value:
            self.of(node).hardware_version = int.from_bytes(value, "big")
        elif command == "AV" and (parameter or value):
            self.of(node).reference = int.from_bytes(parameter or value, "big")
        elif command in _RESTARTING and node.pins is not None:
            node.pins.restarted()

    def refused(self, node: Node, error: ATRefused) -> None:
        """A node, or the radio for it, refused an AT command."""
        if error.command == "%V" and error.status == ATStatus.INVALID_COMMAND:
            self.of(node).has_supply_command = False
        elif error.command == "IS" and error.status == ATStatus.ERROR:
            # No line is set up for it (90000976, "IS").
            self.sampled(node, IOSample(), is_whole=True)

    def questions(self, node: Node) -> list[str]:
        """Return the AT commands that tell what is not known of what a node's sample says."""
        pins = self.of(node)
        commands = []
        if pins.hardware_version is None:
            commands.append("HV")
        elif devices.is_xbee_3(pins.hardware_version) and pins.reference is None and pins.analog:
            commands.append("AV")
        commands += [
            PIN_OF_LINE[line].command
            for line in sorted(pins.digital)
            if PIN_OF_LINE[line].command not in pins.modes
        ]
        return commands

    def _changed(self, node: Node, changed: dict[str, int]) -> None:
        if changed and self._observers:
            self._bus.publish(PinsChanged(node, changed))

    def _identified(self, event: NodeIdentified) -> None:
        # One whose button was pressed has not restarted.
        if event.reason != BUTTON and event.node.pins is not None:
            event.node.pins.restarted()
