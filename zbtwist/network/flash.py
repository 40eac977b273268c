"""What was set on a node and is not in its flash memory: it is lost when the node restarts.

A node does not say that itself. So this notes what is set through the gateway, until WR writes it
or a restart takes it away (90001539, "WR" and "FR"). What is set in another way is not known here.
"""

from __future__ import annotations

from zbtwist.network.events import NodeIdentified
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import ATRefused, NoAnswer, RadioError
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.at_table import PARAMETERS
from zbtwist.xbee.description import SWITCHED_ON
from zbtwist.xbee.status import ATStatus

#: What RE sets back, and WR does not know of yet.
_ALL = frozenset(row.name for row in PARAMETERS.values() if row.is_setting)

#: Commands that are kept of one node; more than any module has.
MAX_COMMANDS = 256


def may_have_been_done(error: RadioError) -> bool:
    """Whether a command that failed may have been carried out: its answer was lost."""
    if isinstance(error, ATRefused):
        return error.status == ATStatus.TRANSMISSION_FAILED
    return isinstance(error, NoAnswer)


def _is_kept(command: str) -> bool:
    """Whether a command with a value is a setting; of one that nobody knows it is likely."""
    return command not in PARAMETERS or bool(PARAMETERS[command].group)


class Flash:
    """Keeps `Node.unwritten`."""

    def __init__(self, nodes: NodeTable, bus: EventBus) -> None:
        self._nodes = nodes
        bus.subscribe(NodeIdentified, self._identified)

    def told(self, node: Node, command: str, parameter: bytes, is_sure: bool = True) -> None:
        """A node was told to do or set something.

        @param is_sure: whether it has said that it did.
        """
        if command in ("WR", "FR"):
            if is_sure:
                self._set(node, frozenset())
        elif command == "RE":
            self._set(node, _ALL)
        elif parameter and _is_kept(command) and len(node.unwritten) < MAX_COMMANDS:
            self._set(node, node.unwritten | {command})

    def _identified(self, event: NodeIdentified) -> None:
        if event.reason == SWITCHED_ON:
            self._set(event.node, frozenset())

    def _set(self, node: Node, unwritten: frozenset[str]) -> None:
        if node.unwritten != unwritten:
            node.unwritten = unwritten
            self._nodes.changed(node)
