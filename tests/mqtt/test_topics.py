from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.mqtt.support import fits
from zbtwist.mqtt.topics import MAX_LENGTH, is_filter, is_shared, is_topic


class TopicsTests(SynchronousTestCase):
    """The examples are those of MQTT 5, section 4.7."""

    def test_a_level_may_be_any(self) -> None:
        self.assertTrue(fits("sport/tennis/+", "sport/tennis/player1"))
        self.assertFalse(fits("sport/tennis/+", "sport/tennis/player1/ranking"))
        self.assertFalse(fits("sport/+", "sport"))
        self.assertTrue(fits("sport/+", "sport/"))
        self.assertTrue(fits("+/+", "/finance"))
        self.assertFalse(fits("+", "/finance"))

    def test_many_levels_may_be_any_and_the_one_above_is_among_them(self) -> None:
        for topic in ("sport", "sport/tennis", "sport/tennis/player1/ranking"):
            self.assertTrue(fits("sport/#", topic))
        self.assertFalse(fits("sport/#", "sports"))
        self.assertFalse(fits("a/b/#", "a"))
        self.assertTrue(fits("#", "a/b"))
        self.assertTrue(fits("+/tennis/#", "sport/tennis/player1"))

    def test_topics_are_told_apart_to_the_letter(self) -> None:
        self.assertTrue(fits("A/b", "A/b"))
        self.assertFalse(fits("A/b", "a/b"))
        self.assertFalse(fits("A/b", "A/b/"))

    def test_what_a_broker_says_of_itself_is_for_those_who_name_it(self) -> None:
        self.assertFalse(fits("#", "$SYS/load"))
        self.assertFalse(fits("+/load", "$SYS/load"))
        self.assertTrue(fits("$SYS/#", "$SYS/load"))

    def test_a_group_shares_what_fits(self) -> None:
        self.assertTrue(is_shared("$share/g/a/+"))
        self.assertTrue(fits("$share/g/a/+", "a/b"))
        self.assertFalse(fits("$share/g/a/+", "b/b"))

    def test_names(self) -> None:
        for topic in ("a", "/", "a b/c", "$SYS/x", "é"):
            self.assertTrue(is_topic(topic), topic)
        for topic in ("", "a/+", "a#", "a\0", "\ud800", "a\x01", "\ufffe", "x" * (MAX_LENGTH + 1)):
            self.assertFalse(is_topic(topic), topic)

    def test_filters(self) -> None:
        for text in ("#", "+", "a/#", "+/a/#", "/", "$share/g/#", "a//b"):
            self.assertTrue(is_filter(text), text)
        for text in ("", "a#", "a/#/b", "a+", "$share//a", "$share/g", "$share/+/a", "#/#", "\0"):
            self.assertFalse(is_filter(text), text)
