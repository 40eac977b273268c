"""Who hears which messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.topics import fits, levels_of

Hearer = Callable[[Message], None]

#: Topics of which it is remembered who hears them.
MAX_TOPICS = 16384


class Subscriptions:
    """The hearers, by their filters."""

    def __init__(self) -> None:
        # With the levels of each filter.
        self._hearers: dict[str, tuple[Hearer, tuple[str, ...]]] = {}
        self._at_most_once: set[str] = set()
        # Topics come again and again.
        self._of_topics: dict[str, tuple[Hearer, ...]] = {}

    def filters(self, at_most_once: bool) -> Iterable[str]:
        """Return all filters with QoS 0, or all others."""
        return [each for each in self._hearers if (each in self._at_most_once) is at_most_once]

    def add(self, topic_filter: str, heard: Hearer, at_most_once: bool = False) -> bool:
        """
        @param at_most_once: messages are asked for with QoS 0.
        @return: whether the filter is a new one.
        """
        is_new = topic_filter not in self._hearers
        self._hearers[topic_filter] = heard, levels_of(topic_filter)
        if at_most_once:
            self._at_most_once.add(topic_filter)
        self._of_topics.clear()
        return is_new

    def remove(self, topic_filter: str) -> bool:
        """
        @return: whether it was there.
        """
        self._of_topics.clear()
        self._at_most_once.discard(topic_filter)
        return self._hearers.pop(topic_filter, None) is not None

    def hearers_of(self, topic: str) -> tuple[Hearer, ...]:
        """Return who hears messages of a topic, in the order in which they have subscribed."""
        hearers = self._of_topics.get(topic)
        if hearers is None:
            if len(self._of_topics) >= MAX_TOPICS:
                self._of_topics.clear()
            levels = tuple(topic.split("/"))
            hearers = tuple(
                heard for heard, wanted in self._hearers.values() if fits(wanted, levels)
            )
            self._of_topics[topic] = hearers
        return hearers
