"""What the radio offers the other rooms, and what its parts ask of each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from zbtwist.radio.damage import Sender
from zbtwist.radio.hearers import FrameHearers, Taker
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.line_health import LineHealth
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import Frame, TransmitStatus

if TYPE_CHECKING:
    from zbtwist.radio.probe import ProbeResult
    from zbtwist.radio.protocol import RadioProtocol

F = TypeVar("F", bound=Frame)


class IWay(Interface):
    """What brings packets to a node: the radio; or, where that stands for many, what is between us
    and the one that the node is heard by.
    """

    facts: RadioInfo | None = Attribute("What is known of that radio; None while it is down.")
    offline_reason: str = Attribute("A sentence: why nothing can be sent; empty if it can.")
    is_away: bool = Attribute(
        "Whether nothing can be sent to the node: the link is down, or the radio in no network."
    )
    offline_since: float = Attribute(
        "Since when that is so, or was the last time: since the link went down, the radio left its "
        "network, or the gateway started. Seconds of the clock."
    )
    has_its_pace: bool = Attribute(
        "Whether it sends no faster than the node's own line takes it, without being told."
    )

    def transmit(
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        """Send `data`, at most `facts.payload_limit` bytes, to the node's serial line.

        @param sleeps: the node may be asleep, and is waited for longer.
        """

    def remote_at(
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        address16: Address16 = UNKNOWN16,
    ) -> Awaitable[bytes]:
        """Read, set or execute an AT command of the node; returns the answer's value."""

    def stream_broken() -> None:
        """What is on its way to the node is not wanted any more: it is not to be sent again."""


class IRadio(IWay):
    """The local XBee, whether its link is up or not.

    Every request fails with `zbtwist.radio.errors.RadioOffline` while the link is down, and with
    `zbtwist.radio.errors.NoAnswer` when its time is up.
    """

    line: LineHealth = Attribute("How the line to the radio is.")
    down_since: float = Attribute(
        "Since when the link was down, the last time; or if that is not known, such as of a radio "
        "that hung, when it was certainly up for the last time. Seconds of the clock."
    )

    owner_of: Callable[[Address16], Address64 | None] = Attribute(
        "Set by who knows the nodes: returns the 64-bit address of the one that has a 16-bit "
        "address, None if none is known to. So a status that is of another packet is told."
    )

    def subscribe(frame_type: type[F], received: Callable[[F], None]) -> None:
        """Call `received` with each frame of that type that comes from now on, also with answers.

        Those who asked are answered first, then come the others in the order of their calls.
        """

    def take(frame_type: type[Frame], taker: Taker) -> None:
        """Ask `taker` first, for each frame of that type that comes over the line."""

    def until_up(seconds: float) -> Awaitable[None]:
        """Wait until the radio is up, if it is being brought up: so long at the most, and only
        until it is known not to be there.
        """

    def at(command: str, parameter: bytes = b"") -> Awaitable[bytes]:
        """Read, set or execute an AT command on the radio itself; returns the answer's value."""

    def remote_at(
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        address16: Address16 = UNKNOWN16,
        *,
        apply: bool = True,
    ) -> Awaitable[bytes]:
        """The same on another node.

        @param apply: what is set has effect at once; else when the node gets AC.
        """

    def way_to(address64: Address64) -> IWay:
        """Return what brings packets to a node."""

    def site_of(address64: Address64) -> str | None:
        """Return the site at which a node is heard, empty for none; None if there are no sites,
        since the radio stands for itself.
        """

    def why_site_is_away(address64: Address64) -> str:
        """Return why the site at which a node is heard cannot be reached, a sentence; empty if it
        can, or there are no sites.
        """

    def transmit_loopback(
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        """Send `data` to a node's radio, which sends it back, and not to its serial line."""

    def transmit_zdo(
        address64: Address64,
        cluster_id: int,
        data: bytes,
        address16: Address16 = UNKNOWN16,
    ) -> Deferred[TransmitStatus]:
        """Send `data` to a cluster of a module's ZDO, or of the radio's own. What it answers comes
        as an `ExplicitReceive`, while the radio's AO is 1.
        """

    def discover() -> Awaitable[list[NodeDescription]]:
        """Search the network, for as long as the radio's NT says."""


class IProtocolOwner(Interface):
    """Whom a `RadioProtocol` tells what comes from the radio, and what becomes of the line."""

    hearers: FrameHearers = Attribute(
        "Who hears the frames that come, the unknown and malformed ones among them. It is looked "
        "up for each frame, and may change."
    )

    def frames_damaged(senders: list[Sender] | None) -> None:
        """The line damaged frames.

        @param senders: whose they were, see `zbtwist.radio.damage.senders_of`; None for anybody's.
        """

    def congestion_changed(congested: bool) -> None:
        """What was written waits in the transport, and more should not follow; or it is written."""

    def protocol_made(protocol: RadioProtocol) -> None:
        """The transport is there."""

    def protocol_lost(protocol: RadioProtocol, reason: Failure) -> None:
        """The transport is gone."""


class ILinkOwner(Interface):
    """What the machine of `zbtwist.radio.link` asks for: it says when, its owner knows how.

    Whatever is begun ends what was under way before.
    """

    def probe() -> None:
        """Look for the radio on the open line. `found` follows, or `failed` or `given_up`."""

    def bring_up(found: ProbeResult) -> None:
        """Set the radio up. `ready` or `ready_alone` follows, or `failed` or `given_up`."""

    def pause() -> None:
        """Wait until it is time to look for the radio again. `pause_over` follows."""

    def announce(facts: RadioInfo) -> None:
        """The radio is there: tell everybody, and watch it. `silent` may follow."""

    def announce_left(association: int) -> None:
        """The radio has left its network: say so, and watch for its return. `joined` follows."""

    def watch_alone(association: int) -> None:
        """The radio is still in no network, for the reason that AI says now."""

    def begin_again(reason: str, is_reset: bool = False) -> None:
        """What is known of the radio is out of date, as the sentence says: look for it anew, at
        once, or after a while if that is so again and again.

        @param is_reset: whether the radio was reset, which may be so while it is set up.
        """

    def say_other_mode(api_mode: int) -> None:
        """Say that the radio is in that API mode, and was in another one."""

    def say_silent() -> None:
        """Say that the radio has fallen silent. One more failure shall be enough on this line."""

    def no_radio(sentence: str) -> None:
        """The radio cannot be had: say why."""

    def line_closed() -> None:
        """The line is gone, of a radio that was being looked for, and nobody here closed it."""

    def line_lost() -> None:
        """The line of a radio that was up is gone: say so."""

    def link_down(reason: str | None) -> None:
        """End what is under way; there is no link, as the sentence says; None: for the same
        reason as before.
        """

    def close_line() -> None:
        """Close the line, if it is open, whatever is still buffered. `lost` follows."""
