"""Who hears which messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.topics import fits

Hearer = Callable[[Message], None]

#: Topics of which it is remembered who hears them.
MAX_TOPICS = 16384


class Subscriptions:
    """The hearers, by their filters."""

    def __init__(self) -> None:
        self._hearers: dict[str, Hearer] = {}
        # Topics come again and again.
        self._of_topics: dict[str, tuple[Hearer, ...]] = {}

    @property
    def filters(self) -> Iterable[str]:
        """All filters."""
        return self._hearers.keys()

    def add(self, topic_filter: str, heard: Hearer) -> bool:
        """
        @return: whether the filter is a new one.
        """
        is_new = topic_filter not in self._hearers
        self._hearers[topic_filter] = heard
        self._of_topics.clear()
        return is_new

    def remove(self, topic_filter: str) -> bool:
        """
        @return: whether it was there.
        """
        self._of_topics.clear()
        return self._hearers.pop(topic_filter, None) is not None

    def hearers_of(self, topic: str) -> tuple[Hearer, ...]:
        """Return who hears messages of a topic, in the order in which they have subscribed."""
        hearers = self._of_topics.get(topic)
        if hearers is None:
            if len(self._of_topics) >= MAX_TOPICS:
                self._of_topics.clear()
            hearers = tuple(
                heard for topic_filter, heard in self._hearers.items() if fits(topic_filter, topic)
            )
            self._of_topics[topic] = hearers
        return hearers
