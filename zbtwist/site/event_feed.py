"""What happens, each time a message: as ``/events`` of the control port tells it.

It goes through the events that are kept for all who follow, so that none has to be remembered here:
what comes too quickly, or while there is no connection for long, is told as a number.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.observing.event_log import EventLog, Follower, told_of_gap
from zbtwist.site.in_json import CONTENT_TYPE, written

#: Seconds from one look to the next, and events that are told then: 250 a second.
INTERVAL = 0.2
MAX_BATCH = 50


class EventFeed:
    """Tells them, from the start of the gateway on."""

    def __init__(self, clock: IReactorTime, broker: IBroker, events: EventLog) -> None:
        self._broker = broker
        self._follower = Follower(events)
        self._topics: SiteTopics | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        self._topics = topics

    def connected(self) -> None:
        self._looking.start(INTERVAL, now=False)

    def lost(self) -> None:
        self._looking.stop()

    def follow(self) -> None:
        """It is told of all nodes."""

    # ---------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._broker.is_full:
            return
        before = self._follower.seq
        lost, entries = self._follower.take(MAX_BATCH)
        if lost and not self._tell({"kind": "gap", **told_of_gap(lost)}):
            self._follower.seq = before
            return
        for entry in entries:
            if not self._tell({"kind": entry.kind, **entry.told()}):
                # They are taken again, if they are there then.
                self._follower.seq = entry.seq - 1
                return

    def _tell(self, said: dict[str, object]) -> bool:
        if self._topics is None:
            return False
        message = Message(self._topics.events, written(said), content_type=CONTENT_TYPE)
        return self._broker.publish(message)
