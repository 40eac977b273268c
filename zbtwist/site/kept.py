"""What the broker has kept of this site since before a connection, and what others say there.

What is kept is heard once on each connection, and held against what there is now: of a node that
was forgotten while there was no connection, or by another run of the gateway, the broker is to keep
nothing. That is decided when the first search for nodes may have come to its end. Of a name that
the site has no more nothing is kept at all.

Whoever says something under these topics, or has it removed, does not know how it is: it is said
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.site_topics import SiteTopics, node_of
from zbtwist.site.nodes import NodesSaid
from zbtwist.site.retained import Retained, Saying, nothing
from zbtwist.site.values import ValuesSaid

#: Seconds after which is decided on nodes that are not known.
PATIENCE = 60.0

#: Topics of such nodes that are remembered for so long; the next connection tells of the others.
MAX_STRANGE = 20_000

#: Former names under which nothing is to be kept that are remembered.
MAX_FORMER = 4

_VALUES = "values"


class KeptBefore:
    """Hears it."""

    def __init__(
        self,
        clock: IReactorTime,
        broker: IBroker,
        retained: Retained,
        state_heard: Callable[[Message], None],
        nodes: NodesSaid,
        values: ValuesSaid,
    ) -> None:
        """
        @param state_heard: is told what others say of whether the gateway is there.
        @param nodes: says how nodes are.
        @param values: says what they tell.
        """
        self._clock = clock
        self._broker = broker
        self._retained = retained
        self._state_heard = state_heard
        self._nodes = nodes
        self._values = values
        self._topics: SiteTopics | None = None
        self._former: list[SiteTopics] = []
        self._strange: dict[str, None] = {}
        self._deciding: IDelayedCall | None = None

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        before, self._topics = self._topics, topics
        if before is not None:
            for topic_filter in _filters(before):
                self._broker.unsubscribe(topic_filter)
        if topics is None:
            return
        if topics in self._former:
            self._end_former(topics)
        for topic_filter in _filters(topics):
            self._broker.subscribe(topic_filter, self._heard)
        if before is not None:
            # The will of a former connection is one of what is kept there.
            if len(self._former) >= MAX_FORMER:
                self._end_former(self._former[0])
            self._former.append(before)
            for topic_filter in _filters_of_all(before):
                self._broker.subscribe(topic_filter, self._heard_of_former)

    def _end_former(self, topics: SiteTopics) -> None:
        self._former.remove(topics)
        for topic_filter in _filters_of_all(topics):
            self._broker.unsubscribe(topic_filter)

    def connected(self) -> None:
        self._deciding = self._clock.callLater(PATIENCE, self._decide)

    def lost(self) -> None:
        self._strange.clear()
        if self._deciding is not None:
            self._deciding.cancel()
            self._deciding = None

    def follow(self) -> None:
        """What the broker had before is ours by now, or not there any more."""

    # ---------------------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        if not message.retained:
            self._heard_of_others(message)
        elif not message.payload or message.topic in self._retained or self._is_state(message):
            return
        elif self._stays(message.topic):
            self._retained.had(message.topic)
        elif self._deciding is None:
            self._retained.empty(message.topic)
        elif len(self._strange) < MAX_STRANGE:
            self._strange[message.topic] = None

    def _is_state(self, message: Message) -> bool:
        return self._topics is not None and message.topic == self._topics.state

    def _heard_of_others(self, message: Message) -> None:
        if self._is_state(message):
            self._state_heard(message)
        elif message.topic in self._retained:
            self._retained.is_other(message.topic)
            found = node_of(self._topics.base, message.topic) if self._topics is not None else None
            if found is not None:
                self._nodes.look_at(found[1])

    def _heard_of_former(self, message: Message) -> None:
        if message.retained and message.payload:
            self._retained.empty(message.topic)

    def _stays(self, topic: str) -> bool:
        assert self._topics is not None
        found = node_of(self._topics.base, topic)
        if found is None:
            return False
        _, address64, below = found
        if not below:
            return self._nodes.is_ours(address64)
        return below[0] == _VALUES and self._values.had(address64, below[1])

    def _decide(self) -> None:
        self._deciding = None
        for topics in list(self._former):
            self._end_former(topics)
        strange, self._strange = self._strange, {}
        self._retained.say_all(self._without(strange), is_news=True)

    def _without(self, strange: dict[str, None]) -> Iterator[Saying]:
        for topic in strange:
            if topic in self._retained or self._topics is None:
                continue
            if self._stays(topic):
                self._retained.had(topic)
            else:
                yield topic, nothing


def _filters(topics: SiteTopics) -> tuple[str, ...]:
    return topics.state, topics.all_nodes, topics.all_values


def _filters_of_all(topics: SiteTopics) -> tuple[str, ...]:
    return topics.info, *_filters(topics)
