from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.subscriptions import MAX_TOPICS, Subscriptions


def one(message: Message) -> None:
    """A hearer."""


def other(message: Message) -> None:
    """Another one."""


class SubscriptionsTests(SynchronousTestCase):
    def test_who_hears_what(self) -> None:
        subscriptions = Subscriptions()
        self.assertTrue(subscriptions.add("a/+", one))
        self.assertEqual(subscriptions.hearers_of("a/b"), (one,))
        self.assertTrue(subscriptions.add("a/b", other))
        self.assertEqual(subscriptions.hearers_of("a/b"), (one, other))
        self.assertFalse(subscriptions.add("a/+", other))
        self.assertEqual(subscriptions.hearers_of("a/b"), (other, other))
        self.assertTrue(subscriptions.remove("a/b"))
        self.assertFalse(subscriptions.remove("a/b"))
        self.assertEqual(subscriptions.hearers_of("a/b"), (other,))
        self.assertEqual(subscriptions.filters(at_most_once=False), ["a/+"])
        subscriptions.add("c", print, at_most_once=True)
        self.assertEqual(subscriptions.filters(at_most_once=True), ["c"])
        subscriptions.remove("c")
        self.assertEqual(subscriptions.filters(at_most_once=True), [])

    def test_a_group(self) -> None:
        subscriptions = Subscriptions()
        subscriptions.add("$share/g/a/+", one)
        self.assertEqual(subscriptions.hearers_of("a/b"), (one,))

    def test_topics_without_end_are_not_kept(self) -> None:
        subscriptions = Subscriptions()
        subscriptions.add("#", one)
        for number in range(MAX_TOPICS + 10):
            self.assertEqual(subscriptions.hearers_of(str(number)), (one,))
        self.assertLessEqual(len(subscriptions._of_topics), MAX_TOPICS)
