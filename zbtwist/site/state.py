"""Whether the gateway is there: it says so on each connection, and the broker says when it is gone
(a will).

The will of a connection that broke may come after what is said on the next one, from a broker that
notices late or is one of several. So that the gateway does not seem to be away for as long as it is
there, it says so again.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.site_topics import SiteTopics

ONLINE, OFFLINE = b"online", b"offline"

#: Seconds until it is said again.
PAUSE = 1.0


def will_of(topics: SiteTopics) -> Message:
    """Return what the broker is to say when the gateway is gone."""
    return Message(topics.state, OFFLINE, retained=True)


class StateSaid:
    """Says it."""

    def __init__(self, clock: IReactorTime, broker: IBroker) -> None:
        self._clock = clock
        self._broker = broker
        self._topics: SiteTopics | None = None
        self._again: IDelayedCall | None = None
        self._has_ended = False

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        self._topics = topics

    def connected(self) -> None:
        self._has_ended = False
        self._say()

    def lost(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def follow(self) -> None:
        """It is about no node."""

    # ---------------------------------------------------------------------------------------------

    def _say(self) -> None:
        self._again = None
        if self._topics is not None:
            self._broker.publish(Message(self._topics.state, ONLINE, retained=True), True)

    def end(self) -> None:
        """Say that it is not there any more, and nothing else on this connection."""
        self.lost()
        self._has_ended = True
        if self._topics is not None:
            self._broker.publish(will_of(self._topics), True)

    def heard(self, message: Message) -> None:
        """Somebody else says something in its place."""
        if message.payload != ONLINE and not self._has_ended and self._again is None:
            self._again = self._clock.callLater(PAUSE, self._say)
