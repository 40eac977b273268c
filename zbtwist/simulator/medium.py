"""What a simulated module may ask of the network it is in."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import Attribute

from zbtwist.simulator.air import ITimekeeper, Transmission
from zbtwist.simulator.packet import IModule, Outcome, Packet
from zbtwist.xbee.address import UNKNOWN16, Address64
from zbtwist.xbee.description import NodeDescription

#: Seconds until the search for a 64-bit address is given up.
SEARCH_TIME = 0.5


class IMedium(ITimekeeper):
    """The network, as the modules in it know it."""

    clock: IReactorTime = Attribute("The reactor, or a `task.Clock`.")
    age: float = Attribute("Seconds since the network began.")
    pan_id: int = Attribute("Its extended PAN.")
    pan_id16: int = Attribute("Its 16-bit PAN.")
    channel: int = Attribute("Its channel.")
    radio: IModule = Attribute("The coordinator.")
    nodes: Mapping[Address64, IModule] = Attribute("The remote nodes.")
    nodes_in_pan: Sequence[IModule] = Attribute("Those in the PAN of the coordinator.")
    description_options: int = Attribute(
        "NO of the coordinator: what a node adds to what it says of itself."
    )

    def generator(name: object) -> random.Random:
        """A generator of chance of its own: a module's does not disturb another's."""

    def cancel(call: IDelayedCall | None) -> None:
        """Cancel what `call_later` gave, if it is still to come."""

    def find(address64: int, address16: int = UNKNOWN16) -> IModule | None:
        """Whom an address means: the 64-bit one if it is known, else the 16-bit one."""

    def transmit(
        packet: Packet,
        address64: int,
        address16: int = UNKNOWN16,
        finished: Callable[[Outcome], None] | None = None,
        options: int = 0,
    ) -> Transmission | None:
        """Send a packet to one module, or to all.

        @param finished: called when the sender learns what became of it.
        @param options: those of the Transmit Request.
        @return: what is on its way; None if there is nobody to send it to.
        """

    def remote_command(
        address64: Address64,
        command: str,
        parameter: bytes,
        apply: bool,
        answered: Callable[[int, bytes], None],
        options: int = 0,
    ) -> None:
        """Let a node execute an AT command that the coordinator sends it.

        @param address64: that of one of `nodes`.
        @param apply: whether what it sets takes effect at once.
        @param answered: called with AT status and value, when the answer is back or given up.
        @param options: those of the frame.
        """

    def discover(
        duration: float, options: int, name: bytes, found: Callable[[NodeDescription], None]
    ) -> None:
        """Ask all nodes who they are.

        @param duration: seconds over which they spread their answers.
        @param options: NO: what they add.
        @param name: only the node with this identifier answers; all if it is empty.
        @param found: called with each answer.
        """
