"""What the radio offers the other rooms, and what its parts ask of each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from zbtwist.radio.info import RadioInfo
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import Frame, TransmitStatus

if TYPE_CHECKING:
    from zbtwist.radio.protocol import RadioProtocol

F = TypeVar("F", bound=Frame)


class IRadio(Interface):
    """The local XBee, whether its link is up or not.

    Every request fails with `zbtwist.radio.errors.RadioOffline` while the link is down, and with
    `zbtwist.radio.errors.NoAnswer` when its time is up.
    """

    facts: RadioInfo | None = Attribute("What bring-up read from the radio; None while down.")
    offline_reason: str = Attribute("A sentence: why the link is down; empty while it is up.")
    down_since: float = Attribute(
        "Since when the link was down, the last time; or if that is not known, such as of a radio "
        "that hung, when it was certainly up for the last time. Seconds of the clock."
    )

    def subscribe(frame_type: type[F], received: Callable[[F], None]) -> None:
        """Call `received` with each frame of that type that comes from now on, also with answers.

        Those who asked are answered first, then come the others in the order of their calls.
        """

    def at(command: str, parameter: bytes = b"") -> Awaitable[bytes]:
        """Read, set or execute an AT command on the radio itself; returns the answer's value."""

    def remote_at(
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        address16: Address16 = UNKNOWN16,
    ) -> Awaitable[bytes]:
        """The same on another node."""

    def transmit(
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        """Send `data`, at most `facts.payload_limit` bytes, to a node's serial line.

        @param sleeps: the node may be asleep, and is waited for longer.
        """

    def discover() -> Awaitable[list[NodeDescription]]:
        """Search the network, for as long as the radio's NT says."""


class IProtocolOwner(Interface):
    """Whom a `RadioProtocol` tells what comes from the radio, and what becomes of the line."""

    frame_received: Callable[[Frame], None] = Attribute(
        "Called with each frame that comes, also unknown and malformed ones. It is looked up for "
        "each, and may change."
    )

    def frames_damaged(senders: list[Address64] | None) -> None:
        """The line damaged frames.

        @param senders: whose they were, see `zbtwist.radio.damage.senders_of`; None for anybody's.
        """

    def congestion_changed(congested: bool) -> None:
        """What was written waits in the transport, and more should not follow; or it is written."""

    def protocol_made(protocol: RadioProtocol) -> None:
        """The transport is there."""

    def protocol_lost(protocol: RadioProtocol, reason: Failure) -> None:
        """The transport is gone."""
