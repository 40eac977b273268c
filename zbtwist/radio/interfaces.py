"""What the radio offers the other rooms, and what its parts ask of each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface, implementer

from zbtwist.radio.info import RadioInfo
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import Frame, TransmitStatus

if TYPE_CHECKING:
    from zbtwist.radio.protocol import RadioProtocol

F = TypeVar("F", bound=Frame)


class IRadioListener(Interface):
    """Hears what becomes of a radio's link."""

    def radio_up(facts: RadioInfo) -> None:
        """The radio answers and is set up; requests may be made."""

    def radio_down(reason: str) -> None:
        """The link is gone; every outstanding request has failed.

        It is said again when the link is lost once more while the radio was being set up, during
        which frames of nodes may come already.
        """

    def radio_deaf() -> None:
        """The radio does not answer though its link is up: what nodes have said since
        `IRadio.down_since` may be missed. `radio_heard` follows, or `radio_down`.
        """

    def radio_heard() -> None:
        """The radio says something again, and its link was never down."""

    def frames_damaged(senders: list[Address64] | None) -> None:
        """Frames of the radio were lost on the serial line.

        @param senders: the nodes whose they were, as far as the rest of the frames can be trusted;
            None for anybody's.
        """


@implementer(IRadioListener)
class RadioListener:
    """Hears nothing: a listener is one of these, and overrides what it wants to hear."""

    def radio_up(self, facts: RadioInfo) -> None:
        pass

    def radio_down(self, reason: str) -> None:
        pass

    def radio_deaf(self) -> None:
        pass

    def radio_heard(self) -> None:
        pass

    def frames_damaged(self, senders: list[Address64] | None) -> None:
        pass


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

    def add_listener(listener: IRadioListener) -> None:
        """Tell `listener` of all that becomes of the link from now on."""

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
