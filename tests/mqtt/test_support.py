from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.clock import Clock
from tests.mqtt.support import MemoryBroker
from zbtwist.mqtt.interfaces import IBroker, Message


class MemoryBrokerTests(SynchronousTestCase):
    """The broker of the tests does what the standard says of brokers."""

    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.one = self.broker.joined()
        self.other = self.broker.joined()
        self.heard: list[Message] = []

    def test_it_is_a_broker(self) -> None:
        self.assertTrue(verifyObject(IBroker, self.one))

    def test_others_hear_what_fits_and_oneself_does_not(self) -> None:
        self.one.subscribe("a/+", self.heard.append)
        self.other.subscribe("a/+", self.heard.append)

        self.assertTrue(self.one.publish(Message("a/b", b"1")))
        self.one.publish(Message("b", b"2"))

        self.assertEqual(self.heard, [Message("a/b", b"1")])
        self.assertEqual(self.broker.payloads("a/#"), [b"1"])
        self.assertEqual(self.one.published, self.broker.published)

    def test_what_is_retained_is_heard_later_and_an_empty_one_removes_it(self) -> None:
        self.other.subscribe("b", self.heard.append)
        self.one.publish(Message("a", b"1", retained=True))
        self.one.publish(Message("b", b"2", retained=True))
        self.assertEqual(self.heard, [Message("b", b"2")])

        self.one.publish(Message("b", b"", retained=True))
        self.heard.clear()
        self.broker.joined().subscribe("#", self.heard.append)

        self.assertEqual(self.heard, [Message("a", b"1", retained=True)])
        self.assertEqual(list(self.broker.kept), ["a"])

    def test_it_is_heard_anew_on_each_connection_after_all_was_told_of_that(self) -> None:
        said: list[str] = []
        self.one.publish(Message("a", b"1", retained=True))
        self.other.connected.append(lambda: said.append("connected"))
        self.other.lost.append(lambda: said.append("lost"))
        self.other.subscribe("a", lambda message: said.append(message.topic))

        self.broker.cut()
        self.broker.cut()
        self.broker.join()
        self.broker.join()

        self.assertEqual(said, ["a", "lost", "connected", "a"])

    def test_nothing_is_published_or_heard_without_a_connection(self) -> None:
        self.other.subscribe("a", self.heard.append)
        self.other.cut()
        self.one.publish(Message("a", b"1"))
        self.one.cut()

        self.assertFalse(self.one.publish(Message("a", b"2")))

        self.other.join()
        self.assertEqual(self.heard, [])
        self.assertEqual(self.one.dropped, 1)

    def test_a_will_is_published_when_the_connection_ends(self) -> None:
        self.other.subscribe("state", self.heard.append)
        self.one.identify("me", Message("state", b"offline", retained=True))
        self.assertTrue(self.one.is_connected)

        self.one.cut()

        self.assertEqual([message.payload for message in self.heard], [b"offline"])
        self.assertIn("state", self.broker.kept)

    def test_no_message_is_heard_within_another(self) -> None:
        said: list[str] = []

        def answer(message: Message) -> None:
            said.append("question")
            self.other.publish(Message("answer", b""))
            said.append("answered")

        self.other.subscribe("question", answer)
        self.one.subscribe("answer", lambda message: said.append("answer"))

        self.one.publish(Message("question", b""))

        self.assertEqual(said, ["question", "answered", "answer"])

    def test_on_a_clock_they_take_their_time_and_a_cut_loses_them(self) -> None:
        clock = Clock()
        broker = MemoryBroker(clock, 1.0)
        one, other = broker.joined(), broker.joined()
        other.subscribe("a", self.heard.append)
        one.publish(Message("a", b"1"))
        self.assertEqual(self.heard, [])
        clock.advance(1.0)
        self.assertEqual(len(self.heard), 1)

        one.publish(Message("a", b"2"))
        other.cut()
        other.join()
        clock.advance(1.0)

        self.assertEqual(len(self.heard), 1)

    def test_they_can_be_lost_and_doubled(self) -> None:
        self.other.subscribe("a", self.heard.append)
        self.broker.passes = lambda message: ()
        self.one.publish(Message("a", b"1"))
        self.broker.passes = lambda message: (message, message)
        self.one.publish(Message("a", b"2"))

        self.assertEqual([message.payload for message in self.heard], [b"2", b"2"])

    def test_a_group_shares_them(self) -> None:
        others: list[Message] = []
        self.one.subscribe("$share/g/a", self.heard.append)
        self.other.subscribe("$share/g/a", others.append)
        third = self.broker.joined()

        for _ in range(4):
            third.publish(Message("a", b""))

        self.assertEqual((len(self.heard), len(others)), (2, 2))

    def test_unsubscribed_and_wrong(self) -> None:
        self.other.subscribe("a", self.heard.append)
        self.other.unsubscribe("a")
        self.one.publish(Message("a", b"1"))

        self.assertEqual(self.heard, [])
        self.assertRaises(ValueError, self.one.publish, Message("a/+", b""))
        self.assertRaises(ValueError, self.one.subscribe, "a#", self.heard.append)
