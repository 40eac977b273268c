"""One request to the radio: what is asked, and which answer is its."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from zbtwist.xbee.address import UNKNOWN16, UNKNOWN64, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    ExplicitTransmitRequest,
    Frame,
    RemoteATCommand,
    RemoteATCommandResponse,
    TransmitRequest,
)

#: Seconds for a Transmit Status: three tries of up to 1.6 s each, after address and route search
#: (90000976, "Transmission timeouts"), with room for a busy channel.
TRANSMIT_TIMEOUT = 20.0
#: Seconds for a Transmit Status with extended timeout: three tries of 1.2 times the longest sleep
#: (SP: 28 s) each (90000976, "Extended timeout"), with the same room.
EXTENDED_TRANSMIT_TIMEOUT = 120.0


@dataclass(slots=True, eq=False)
class Request:
    """
    @cvar is_packet: its answer is told by nothing but the frame id.
    @ivar is_patient: its time begins anew with each answer of the radio to another request, up to
        `MAX_PATIENCE` seconds: a slow radio answers one after the other.
    @ivar timer: ends it.
    @ivar deadline: when it ends, of a packet without a timer of its own; 0 with one.
    """

    is_packet: ClassVar[bool] = False
    is_remote_command: ClassVar[bool] = False
    frame: ATCommand | RemoteATCommand | TransmitRequest | ExplicitTransmitRequest
    answer: type[Frame]
    command: str
    address64: Address64
    timeout: float
    frame_id: int = 0
    sent_at: float = 0.0
    finished: Deferred[Any] = field(init=False)
    timer: IDelayedCall | None = None
    deadline: float = 0.0
    found: list[NodeDescription] | None = None
    is_patient: bool = False

    @property
    def is_for_node(self) -> bool:
        """Whether it goes over the air, and so has the address of a node."""
        return self.is_packet or self.is_remote_command

    def matches(self, frame: Frame) -> bool:
        if type(frame) is not self.answer:
            return False
        if isinstance(frame, ATCommandResponse):
            return frame.command == self.command
        if isinstance(frame, RemoteATCommandResponse):
            return frame.command == self.command and self._is_of(frame)
        return True

    def _is_of(self, frame: RemoteATCommandResponse) -> bool:
        """Whether an answer may be of the node that was asked: by the 64-bit address if both have
        it, else by the 16-bit one if both have that.
        """
        if UNKNOWN64 not in (self.address64, frame.address64):
            return self.address64 == frame.address64
        asked = self.frame.address16 if isinstance(self.frame, RemoteATCommand) else UNKNOWN16
        return UNKNOWN16 in (asked, frame.address16) or asked == frame.address16


class Packet(Request):
    __slots__ = ()
    is_packet = True
    frame: TransmitRequest | ExplicitTransmitRequest


class RemoteCommand(Request):
    __slots__ = ()
    is_remote_command = True
