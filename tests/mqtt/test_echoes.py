from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.mqtt.echoes import MAX_MESSAGES, PATIENCE, Echoes
from zbtwist.mqtt.interfaces import Message

ONE = Message("a", b"1")


class EchoesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.echoes = Echoes(self.clock)

    def test_what_was_published_and_nothing_else(self) -> None:
        self.assertFalse(self.echoes.has(ONE))
        self.echoes.published(replace(ONE, retained=True))
        self.assertTrue(self.echoes.has(ONE))
        for other in (Message("b", b"1"), Message("a", b"2"), replace(ONE, retained=True)):
            self.assertFalse(self.echoes.has(other))

    def test_several_of_one_topic(self) -> None:
        for payload in (b"1", b"2"):
            self.echoes.published(Message("a", payload))
        self.assertTrue(self.echoes.has(ONE))

    def test_long_after_it_is_somebody_elses(self) -> None:
        self.echoes.published(ONE)
        self.clock.advance(PATIENCE + 1)
        self.assertFalse(self.echoes.has(ONE))

    def test_on_another_connection_as_well(self) -> None:
        self.echoes.published(ONE)
        self.echoes.clear()
        self.assertFalse(self.echoes.has(ONE))

    def test_bound(self) -> None:
        for number in range(MAX_MESSAGES + 10):
            self.echoes.published(Message(str(number), b""))
        self.assertEqual(len(self.echoes._published), MAX_MESSAGES)
        self.assertFalse(self.echoes.has(Message("9", b"")))
        self.assertTrue(self.echoes.has(Message("10", b"")))
