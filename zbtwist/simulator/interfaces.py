"""What the parts of the local radio ask of it: what a program at the serial line can have it do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from zope.interface import Attribute

from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.packet import IModule, Packet
from zbtwist.simulator.registers import RegisterFile
from zbtwist.xbee.address import Address16
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import Frame

P = ParamSpec("P")


class ILocalRadio(IModule):
    """The module at the serial line."""

    network: IMedium = Attribute("What it is in.")
    registers: RegisterFile = Attribute("Its settings.")
    api_mode: int = Attribute("AP in force.")
    longest_payload: int = Attribute("How many bytes fit into one packet.")
    in_network: bool = Attribute("Whether it is in a network.")

    def write(data: bytes) -> None:
        """Say bytes on the serial line."""

    def write_frame(frame: Frame) -> None:
        """Say a frame, if the radio is in an API mode and not in command mode."""

    def execute(command: str, parameter: bytes) -> tuple[int, bytes]:
        """Read, set or execute an AT command; what it sets is not yet in force.

        @param parameter: the new value; empty to read or execute.
        @return: AT status and value.
        """

    def apply() -> None:
        """Put all settings into force."""

    def discover(
        name: bytes,
        found: Callable[[NodeDescription], None],
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Execute ND: ask who is there.

        @param name: only this node identifier; all if it is empty.
        @param found: called with each answer.
        @param ended: called after the discovery time.
        """

    def look_up(name: bytes, ended: Callable[[IModule | None], None]) -> None:
        """Execute DN: find a node by its identifier, and make it the destination.

        @param ended: called with the node; or, after the discovery time, with None.
        """

    def transmit(
        packet: Packet,
        address64: int,
        address16: Address16,
        options: int,
        report: Callable[[Address16, int, int, int], None],
    ) -> None:
        """Send a packet.

        @param options: those of the Transmit Request.
        @param report: called with what a Transmit Status says: 16-bit address, delivery status,
            retries and discovery status.
        """

    def unless_restarted(function: Callable[P, object]) -> Callable[P, None]:
        """What is to be forgotten when the radio restarts."""
