"""What is set of a node by a message: the last level of its topic says what, its payload is text.

``label`` names the node; ``restart``, ``identify`` and ``sample`` have it do something, whatever
the payload is, if there is one; any other is a line of the node, which is set high or low, or to
its duty cycle if it is a PWM output. Each is an operation of the control interface. Those of one
node are done one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from zbtwist.control.faults import (
    BAD_VALUE,
    NOT_ALLOWED,
    UNKNOWN_NODE,
    ControlFault,
    bad_request,
)
from zbtwist.control.operations.table import Operation
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.site_topics import SiteTopics, node_of
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.site.desk import Desk, Wanted
from zbtwist.site.interfaces import IsSaid
from zbtwist.xbee.address import Address64, format_address64
from zbtwist.xbee.pins import ANALOG, pin_named

#: Bytes of a text that is looked at: a label has 20.
MAX_TEXT = 100

#: What a node is told to do, and the operation that does it.
_DONE = {"restart": "restart", "identify": "identify", "sample": "sample"}

#: The lines that can be PWM outputs, and the commands of their duty cycles (90001539, "M0", "M1").
_DUTIES = {"P0": "M0", "P1": "M1"}
MAX_DUTY = 1023

#: Bytes that a sentence shows.
_MAX_SHOWN = 20

_NUMBER = re.compile("[0-9]{1,4}")


class NodeSettings:
    """Hears it."""

    def __init__(
        self,
        broker: IBroker,
        desk: Desk,
        operations: Mapping[str, Operation],
        nodes: NodeTable,
        is_said: IsSaid,
    ) -> None:
        """
        @param operations: those that there are, by their names.
        """
        self._broker = broker
        self._desk = desk
        self._operations = operations
        self._nodes = nodes
        self._is_said = is_said
        self._topics: SiteTopics | None = None

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        if self._topics is not None:
            self._broker.unsubscribe(self._topics.all_settings)
        self._topics = topics
        if topics is not None:
            self._broker.subscribe(topics.all_settings, self._heard)

    def connected(self) -> None:
        """They come by themselves."""

    def lost(self) -> None:
        """What is in hand is done, and answered if there is a connection by then."""

    def follow(self) -> None:
        """Whether a node may be set is asked each time."""

    # ---------------------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        assert self._topics is not None
        found = node_of(self._topics.base, message.topic)
        address64 = None if found is None else found[1]
        self._desk.take(message, partial(self._understood, message, address64), address64)

    def _understood(self, message: Message, address64: int | None) -> Wanted:
        node = self._node(address64)
        name = message.topic.rpartition("/")[2]
        address = format_address64(node.address64)
        if not message.payload:
            raise bad_request("An empty message sets nothing: it is how a retained one is removed.")
        operation = _DONE.get(name)
        if operation is not None:
            return self._operations[operation], [address]
        text = _text(message.payload)
        if name == "label":
            return self._operations["rename"], [address, text]
        duty = self._duty(node, name)
        if duty and _NUMBER.fullmatch(text):
            if int(text) > MAX_DUTY:
                raise ControlFault(BAD_VALUE, f"A duty cycle is 0 to {MAX_DUTY}, not {text}.")
            return self._operations["at"], [address, duty, int(text)]
        self._must_be_no_duty(node, name, text)
        return self._operations["set_pin"], [address, name, text]

    def _node(self, address64: int | None) -> Node:
        node = None if address64 is None else self._nodes.get(Address64(address64))
        if node is None:
            raise ControlFault(
                UNKNOWN_NODE,
                "No node of that address is known here: it is 16 hexadecimal digits in lower case.",
            )
        if not self._is_said(node):
            raise ControlFault(NOT_ALLOWED, f"{node} is not to be reached here (mqtt = off).")
        return node

    @staticmethod
    def _duty(node: Node, name: str) -> str:
        """Return the command of a line's duty cycle; empty if it is no PWM output."""
        pin = pin_named(name)
        if pin is None or node.pins is None or node.pins.modes.get(pin.command) != ANALOG:
            return ""
        return _DUTIES.get(pin.command, "")

    @staticmethod
    def _must_be_no_duty(node: Node, name: str, text: str) -> None:
        """Say of a duty cycle for a line that has none why it cannot be set."""
        pin = pin_named(name)
        if pin is None or pin.command not in _DUTIES or not _NUMBER.fullmatch(text):
            return
        if int(text) <= 1:
            # High, or low.
            return
        line = pin.command
        if node.pins is not None and line in node.pins.modes:
            raise ControlFault(
                BAD_VALUE,
                f"{line} of {node} is no PWM output, and has no duty cycle: set its {line} to "
                f"{ANALOG} with at() if it is to be one.",
            )
        raise ControlFault(
            BAD_VALUE,
            f"It is not known whether {line} of {node} is a PWM output: read its {line} with at(), "
            "and set the duty cycle then.",
        )


def _text(payload: bytes) -> str:
    if len(payload) > MAX_TEXT:
        raise bad_request(f"It has {len(payload)} bytes, and {MAX_TEXT} are the most.")
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise bad_request(f"It is not UTF-8: its bytes are {_in_hex(payload)}.") from None


def _in_hex(payload: bytes) -> str:
    return payload[:_MAX_SHOWN].hex(" ") + (" …" if len(payload) > _MAX_SHOWN else "")
