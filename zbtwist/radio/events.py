"""What happens to the radio's link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zbtwist.radio.info import RadioInfo
from zbtwist.runtime.event_bus import Event, Plain
from zbtwist.xbee.address import Address64, format_address64


@dataclass(frozen=True)
class LinkUp(Event):
    """The radio answers and is set up; requests may be made."""

    name: ClassVar = "link_up"
    severity: ClassVar = None
    info: RadioInfo

    def __str__(self) -> str:
        return f"The radio {format_address64(self.info.address64)} is up."

    def values(self) -> dict[str, Plain]:
        info = self.info
        return {
            "address": format_address64(info.address64),
            "firmware": f"{info.firmware_version:04x}",
            "api_mode": info.api_mode,
            "pan": f"{info.operating_pan_id:016x}",
        }


@dataclass(frozen=True)
class LinkDown(Event):
    """The link is gone; every outstanding request has failed.

    It is said again when the link is lost once more while the radio was being set up, during which
    frames of nodes may come already.

    @ivar reason: a sentence.
    """

    name: ClassVar = "link_down"
    severity: ClassVar = None
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class LinkSilent(Event):
    """The radio does not answer though its link is up: what nodes have said since
    `IRadio.down_since` may be missed. `LinkHeard` follows, or `LinkDown`.
    """

    name: ClassVar = "link_silent"
    severity: ClassVar = None

    def __str__(self) -> str:
        return "The radio does not answer."


@dataclass(frozen=True)
class LinkHeard(Event):
    """The radio says something again, and its link was never down."""

    name: ClassVar = "link_heard"
    severity: ClassVar = None

    def __str__(self) -> str:
        return "The radio says something again."


@dataclass(frozen=True)
class FramesDamaged(Event):
    """Frames of the radio were lost on the serial line.

    @ivar senders: the nodes whose they were, as far as the rest of the frames can be trusted; None
        for anybody's.
    """

    name: ClassVar = "frames_damaged"
    severity: ClassVar = None
    senders: list[Address64] | None

    def __str__(self) -> str:
        return "Frames of the radio were damaged."

    def values(self) -> dict[str, Plain]:
        senders = self.senders
        return {"senders": None if senders is None else [format_address64(one) for one in senders]}


@dataclass(frozen=True)
class FramePassed(Event):
    """A frame was read from the serial line, or written to it.

    It is published only while somebody has subscribed to it: see `EventBus.subscribers`.

    @ivar outgoing: whether it went to the radio.
    @ivar frame_data: without delimiter, length and checksum.
    @ivar api_mode: 1 or 2.
    """

    name: ClassVar = "frame_passed"
    severity: ClassVar = None
    outgoing: bool
    frame_data: bytes
    api_mode: int

    def __str__(self) -> str:
        return f"A frame was {'sent' if self.outgoing else 'received'}: {self.frame_data.hex()}"

    def values(self) -> dict[str, Plain]:
        return {"outgoing": self.outgoing, "frame_data": self.frame_data.hex()}
