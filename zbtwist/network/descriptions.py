"""Reads what nodes say of themselves, in answers to a search and unasked, and says of each node
once what makes no sense in it.

A node that says nonsense does so at each search, and no search mends that. It is no node by it, and
none the less has answered. A name that cannot be shown as it is, is shown as well as it can be.
"""

from __future__ import annotations

from zbtwist.network.events import DescriptionRefused, NameOdd
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64
from zbtwist.xbee.description import NodeDescription, address_in, name_problem

#: So many nodes are remembered of which it was said: who invents addresses gets no more lines.
MAX_SAID = 1000
#: So many bad answers to a search are told apart.
_MAX_UNREADABLE = 4096


class Descriptions:
    """What nodes say of themselves.

    @ivar unreadable: who has answered badly since the last `begin`; None for who could not be told.
    """

    def __init__(self, bus: EventBus) -> None:
        """
        @param bus: is told what makes no sense.
        """
        self._bus = bus
        self._refused: set[Address64 | None] = set()
        self._odd: set[Address64] = set()
        self.unreadable: set[Address64 | None] = set()

    def begin(self) -> None:
        """A search begins."""
        self.unreadable.clear()

    def read(self, data: bytes) -> NodeDescription | None:
        """Read the value of an answer to ND, or the data of a node identification.

        @return: what it says; None if that makes no sense.
        """
        try:
            return NodeDescription.parse_plausible(data)
        except ValueError as error:
            who = address_in(data)
            if len(self.unreadable) < _MAX_UNREADABLE:
                self.unreadable.add(who)
            if who not in self._refused and self._has_room:
                self._refused.add(who)
                self._bus.publish(DescriptionRefused(who, str(error)))
        return None

    def look_at_name(self, description: NodeDescription) -> None:
        """A node has said its name: say so if that is none that can be shown as it is."""
        problem = name_problem(description.node_identifier)
        address64 = description.address64
        if problem and address64 not in self._odd and self._has_room:
            self._odd.add(address64)
            self._bus.publish(NameOdd(address64, problem, description.label))

    @property
    def _has_room(self) -> bool:
        return len(self._refused) + len(self._odd) < MAX_SAID
