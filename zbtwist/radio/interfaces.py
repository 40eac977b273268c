"""What the parts of the radio ask of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from zbtwist.xbee.address import Address64
from zbtwist.xbee.frames import Frame

if TYPE_CHECKING:
    from zbtwist.radio.protocol import RadioProtocol


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
