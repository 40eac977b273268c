from __future__ import annotations

import os
from functools import partial
from typing import Any

import mqtt5
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.clock import Clock
from tests.mqtt.network import Network
from tests.mqtt.wire import QOS, publish_packet
from tests.support import mistake, record_log
from zbtwist.mqtt import service as module
from zbtwist.mqtt.endpoint import FileError
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.pauses import FIRST, FIRST_SLOW, Pauses
from zbtwist.mqtt.service import CONNECT_TIMEOUT, MAX_REASONS, NAMELESS, BrokerService
from zbtwist.mqtt.settings import MQTTSettings

WILL = Message("state", b"offline", retained=True)
PLACE = MQTTSettings(broker="tcp:broker:1883")


class ServiceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.patch(module, "endpoint_of", self.network.endpoint_of)
        self.log = record_log(self)
        self.said: list[str] = []
        self.heard: list[Message] = []
        self.service = self.make(PLACE)

    def make(self, settings: MQTTSettings) -> BrokerService:
        service = BrokerService(
            self.clock, settings, Pauses(lambda: 0.0), lambda: 1000 + self.clock.seconds()
        )
        service.connected.append(lambda: self.said.append("connected"))
        service.lost.append(lambda: self.said.append("lost"))
        service.drained.append(lambda: self.said.append("drained"))
        return service

    def lines(self, level: str = "") -> list[str]:
        return self.log.lines(level, "zbtwist.mqtt")

    def start(self, **connack: Any) -> None:
        self.service.identify("me", WILL)
        self.service.startService()
        self.network.end.take_in(**connack)

    def lose(self) -> None:
        self.network.end.hang_up()


class ConnectingTests(ServiceTestCase):
    def test_it_is_a_broker(self) -> None:
        self.assertTrue(verifyObject(IBroker, self.service))

    def test_connected(self) -> None:
        self.assertFalse(self.service.is_connected)
        self.start()
        self.assertTrue(self.service.is_connected)
        self.assertEqual((self.said, self.service.reason), (["connected"], ""))
        self.assertEqual(
            self.lines(),
            ["The MQTT broker broker:1883 is connected; this gateway is me there."],
        )

    def test_nobody_connects_without_a_name(self) -> None:
        self.service.startService()
        self.clock.advance(100)
        self.assertEqual((self.network.tries, self.service.reason), (0, NAMELESS))
        self.service.identify("me")
        self.assertEqual(self.network.tries, 1)

    def test_nobody_connects_before_it_is_started(self) -> None:
        self.service.identify("me")
        self.assertEqual(self.network.tries, 0)

    def test_a_broker_that_is_away(self) -> None:
        """It is tried after 1, 2, 4 … 60 s, and said once."""
        self.network.outcome = ConnectionRefusedError()
        self.service.identify("me")
        self.service.startService()
        tries: list[int] = []
        for second in range(200):
            if self.network.tries > len(tries):
                tries.append(second)
            self.clock.advance(1)
        self.assertEqual(tries, [0, 1, 3, 7, 15, 31, 63, 123, 183])
        self.assertEqual(
            self.lines("warn"),
            ["The MQTT broker broker:1883 is not connected: nothing listens there."],
        )
        self.assertEqual(self.service.reason, "nothing listens there")
        self.assertEqual(self.said, [])

    def test_it_comes_and_goes(self) -> None:
        self.start()
        self.clock.advance(100)
        self.lose()
        self.assertFalse(self.service.is_connected)
        self.assertEqual(self.service.since, 1100.0)
        self.network.outcome = ConnectionRefusedError()
        self.clock.advance(FIRST)
        self.network.outcome = None
        self.clock.advance(2 * FIRST)
        self.network.end.take_in()
        self.assertEqual(self.said, ["connected", "lost", "connected"])
        self.assertEqual(
            [line.rpartition(":")[2].strip(" .") for line in self.lines()[1:3]],
            ["it has closed the connection", "nothing listens there"],
        )
        self.assertEqual(len(self.lines()), 4)

    def test_reasons_that_change_all_the_time(self) -> None:
        self.service.identify("me")
        self.service.startService()
        self.network.end.hang_up()
        for number in range(20):
            self.network.outcome = OSError(str(number % 7))
            self.clock.advance(60)
        self.assertEqual(len(self.lines()), MAX_REASONS)

    def test_a_try_that_takes_too_long(self) -> None:
        cancelled: list[Any] = []
        self.network.outcome = Deferred(cancelled.append)
        self.service.identify("me")
        self.service.startService()
        self.clock.advance(CONNECT_TIMEOUT)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.service.reason, "nothing answers there")

    def test_an_endpoint_that_gives_up_by_itself(self) -> None:
        waiting: Deferred[Any] = Deferred()
        self.network.outcome = waiting
        self.service.identify("me")
        self.service.startService()
        waiting.cancel()
        self.assertEqual(self.service.reason, "the try was given up")
        self.assertEqual(self.network.tries, 1)
        self.network.outcome = None
        self.clock.advance(FIRST)
        self.assertEqual(self.network.tries, 2)

    def test_an_endpoint_that_makes_two_connections_at_once(self) -> None:
        """One to each address of a host: the second one counts for nothing."""
        connect = self.network.connect

        def twice(factory: Any) -> Deferred[Any]:
            first = connect(factory)
            connect(factory)
            return first

        self.patch(self.network, "connect", twice)
        self.service.identify("me")
        self.service.startService()
        first, second = self.network.ends
        second.take_in()
        self.assertFalse(self.service.is_connected)
        second.hang_up()
        self.assertEqual((self.said, self.lines()), ([], []))
        first.take_in()
        self.assertTrue(self.service.is_connected)

    def test_a_file_that_is_not_in_order(self) -> None:
        def missing(settings: MQTTSettings) -> bytes:
            raise FileError("password-file", "names /p, which cannot be read: No such file.")

        self.patch(module, "password_of", missing)
        self.service.identify("me")
        self.service.startService()
        self.assertEqual(
            " ".join(self.lines("warn")),
            "The MQTT broker broker:1883 is not connected: password-file names /p, which cannot be "
            "read: No such file.",
        )
        self.patch(module, "password_of", lambda settings: b"p")
        self.clock.advance(FIRST)
        self.assertEqual(self.network.tries, 1)

    def test_a_wrong_password_is_not_tried_all_the_time(self) -> None:
        self.service.identify("me")
        self.service.startService()
        for wait in (FIRST_SLOW, 2 * FIRST_SLOW, 4 * FIRST_SLOW):
            tries = self.network.tries
            self.network.end.say(
                mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD)
            )
            self.lose()
            self.clock.advance(wait - 0.1)
            self.assertEqual(self.network.tries, tries)
            self.clock.advance(0.1)
            self.assertEqual(self.network.tries, tries + 1)
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(self.said, [])

    def test_two_with_one_name_do_not_take_turns_for_ever(self) -> None:
        """The other one comes back at once each time."""
        self.start()
        waits = []
        for _ in range(8):
            self.clock.advance(1)
            self.network.end.disconnect(0x8E)
            self.lose()
            lost, tries = self.clock.seconds(), self.network.tries
            while self.network.tries == tries:
                self.clock.advance(1)
            waits.append(self.clock.seconds() - lost)
            self.network.end.take_in()
        self.assertEqual(waits, [10, 20, 40, 80, 160, 320, 600, 600])
        self.assertIn("give each gateway a site of its own", self.lines("warn")[0])

    def test_a_broker_that_does_not_say_that_the_name_was_taken(self) -> None:
        """It hangs up, and does so again as soon as this one comes back."""
        self.start()
        waits = []
        for _ in range(8):
            self.clock.advance(1)
            lost, tries = self.clock.seconds(), self.network.tries
            self.lose()
            while self.network.tries == tries:
                self.clock.advance(1)
            waits.append(self.clock.seconds() - lost)
            self.network.end.take_in()
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60])
        self.assertEqual(
            self.lines("warn")[0],
            "The MQTT broker broker:1883 is not connected: it has closed the connection. Perhaps "
            "another client has the same client id there.",
        )

    def test_a_will_that_the_broker_does_not_keep_or_confirm(self) -> None:
        codes = mqtt5.ConnAckReasonCode
        self.service.identify("me", WILL)
        self.service.startService()
        for code in (codes.RETAIN_NOT_SUPPORTED, codes.QUALITY_NOT_SUPPORTED):
            self.network.end.take()
            self.network.end.say(mqtt5.ConnAckPacket(reason_code=code))
            self.lose()
            self.clock.advance(0)
        (connect,) = self.network.end.take()
        self.assertEqual((int(connect.will.qos), connect.will.retain), (0, False))
        self.network.end.say(mqtt5.ConnAckPacket(max_qos=QOS[0], retain_available=False))
        self.assertTrue(self.service.is_connected)
        self.assertIn("keeps no messages", self.lines("warn")[-1])

    def test_a_mistake_of_whoever_follows(self) -> None:
        self.service.connected.insert(0, mistake)
        self.service.subscribe("a", mistake)
        self.start()
        self.network.end.say(publish_packet("a", b"", 1, packet_id=1))
        self.clock.advance(0)
        self.assertEqual(self.said, ["connected"])
        self.assertIn("PubAck", self.network.end.names())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class StoppingTests(ServiceTestCase):
    def test_connected(self) -> None:
        self.start()
        self.network.end.take()
        stopping = self.service.stopService()
        self.assertEqual(self.network.end.names(), ["Publish", "Disconnect"])
        self.assertNoResult(stopping)
        self.lose()
        self.successResultOf(stopping)
        self.assertEqual(self.said, ["connected", "lost"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.lines()), 1)

    def test_not_connected(self) -> None:
        self.network.outcome = ConnectionRefusedError()
        self.service.identify("me")
        self.service.startService()
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_connecting(self) -> None:
        self.network.outcome = Deferred()
        self.service.identify("me")
        self.service.startService()
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_connected(self) -> None:
        self.service.startService()
        self.successResultOf(self.service.stopService())

    def test_started_again(self) -> None:
        self.start()
        self.service.stopService()
        self.service.startService()
        self.lose()
        self.clock.advance(0)
        self.assertEqual(self.network.tries, 2)
        self.network.end.take_in()
        self.assertTrue(self.service.is_connected)


class ChangingTests(ServiceTestCase):
    def test_another_name(self) -> None:
        """The old will is published, and the next connection has the new name and will."""
        self.start()
        self.network.end.take()
        other = Message("other", b"offline", retained=True)
        self.service.identify("you", other)
        publish, _ = self.network.end.take()
        self.assertEqual(publish.topic, "state")
        self.lose()
        self.clock.advance(0)
        (connect,) = self.network.end.take()
        self.assertEqual((connect.client_id, connect.will.topic), ("you", "other"))
        self.service.identify("you", other)
        self.assertFalse(self.network.end.transport.is_closed)

    def test_another_broker(self) -> None:
        self.start()
        self.service.reconfigure(MQTTSettings(broker="tcp:other:1883"))
        self.assertEqual(
            (self.service.is_connected, self.service.reason),
            (False, "this gateway has ended the connection"),
        )
        self.assertTrue(self.network.end.transport.is_closed)
        self.lose()
        self.clock.advance(0)
        self.assertEqual(self.network.settings[-1].broker, "tcp:other:1883")
        self.network.end.take_in()
        self.assertIn("other:1883 is connected", self.lines()[-1])

    def test_what_makes_no_other_connection(self) -> None:
        self.start()
        self.service.reconfigure(
            MQTTSettings(
                broker=PLACE.broker,
                base="b",
                site="s",
                nodes="off",
                home_assistant=True,
                discovery_prefix="ha",
            )
        )
        self.assertFalse(self.network.end.transport.is_closed)
        self.assertTrue(self.service.is_connected)

    def test_while_it_is_away_it_is_tried_at_once(self) -> None:
        self.network.outcome = ConnectionRefusedError()
        self.service.identify("me")
        self.service.startService()
        self.clock.pump([1, 2, 4, 8])
        tries = self.network.tries
        self.service.reconfigure(PLACE)
        self.clock.advance(0)
        self.assertEqual(self.network.tries, tries + 1)
        self.clock.advance(FIRST)
        self.assertEqual(self.network.tries, tries + 2)

    def test_while_a_try_is_under_way(self) -> None:
        self.network.outcome = Deferred()
        self.service.identify("me")
        self.service.startService()
        self.network.outcome = None
        self.service.reconfigure(MQTTSettings(broker="tcp:other:1883"))
        self.clock.advance(0)
        self.assertEqual(self.network.settings[-1].broker, "tcp:other:1883")
        self.assertEqual(self.lines(), [])

    def test_within_a_call_that_says_it_is_lost(self) -> None:
        self.service.lost.append(lambda: self.service.identify("you"))
        self.start()
        self.lose()
        self.clock.advance(0)
        (connect,) = self.network.end.take()
        self.assertEqual(connect.client_id, "you")

    def test_a_password_that_anyone_can_read(self) -> None:
        for broker, count in (("tcp:b:1", 1), ("tcp:localhost:1", 0), ("tls:b:1", 0)):
            log = record_log(self)
            service = self.make(MQTTSettings(broker=broker, user="u", password_file=os.devnull))
            service.startService()
            self.assertEqual(len(log.lines("warn")), count, broker)


class MessagesTests(ServiceTestCase):
    def subscribed(self) -> list[str]:
        found = []
        for packet in self.network.end.take():
            filters = getattr(packet, "topic_filters", None) or packet.subscriptions
            found += [each.pattern for each in filters]
        return found

    def test_all_is_subscribed_to_before_anybody_is_told(self) -> None:
        self.service.subscribe("a", self.heard.append)
        self.service.subscribe("b/+", self.heard.append)

        def hello() -> None:
            self.service.publish(Message("hello", b""))

        self.service.connected.append(hello)
        self.start()
        self.clock.advance(0)
        self.assertEqual(self.network.end.names(), ["Subscribe", "Publish"])

    def test_heard(self) -> None:
        others: list[Message] = []
        self.service.subscribe("a/+", self.heard.append)
        self.service.subscribe("a/b", others.append)
        self.start()
        self.network.end.say(*(publish_packet(topic, b"") for topic in ("a/b", "a/c", "x")))
        self.assertEqual([message.topic for message in self.heard], ["a/b", "a/c"])
        self.assertEqual([message.topic for message in others], ["a/b"])
        self.assertEqual(self.service.counters.received, 3)

    def test_what_waited_while_the_program_stood_still_is_older(self) -> None:
        """The broker has counted only how long it had it."""
        for waited, left in ((0.0, [10, None]), (4.2, [5, None]), (34.0, [-24, None])):
            self.service = BrokerService(
                self.clock, PLACE, Pauses(lambda: 0.0), unseen=partial(float, waited)
            )
            heard: list[Message] = []
            self.service.subscribe("a", heard.append)
            self.start()
            self.network.end.say(
                publish_packet("a", b"", message_expiry_interval=10), publish_packet("a", b"")
            )
            self.assertEqual([message.expires_after for message in heard], left)

    def test_subscribed_later_and_on_the_next_connection(self) -> None:
        self.start()
        self.service.subscribe("a", self.heard.append)
        self.service.subscribe("a", self.heard.append)
        self.service.subscribe("b", self.heard.append)
        self.clock.advance(0)
        self.assertEqual(self.subscribed(), ["a", "b"])
        self.service.unsubscribe("b")
        self.service.unsubscribe("c")
        self.clock.advance(0)
        self.assertEqual(self.network.end.names(), ["Unsubscribe"])
        self.lose()
        self.clock.advance(FIRST)
        self.network.end.take_in()
        self.clock.advance(0)
        self.assertEqual(self.subscribed(), ["a"])

    def test_one_that_takes_no_wildcards(self) -> None:
        self.service.subscribe("a", self.heard.append)
        self.service.subscribe("b/+", self.heard.append)
        self.start(wildcard_subscription_available=False)
        self.clock.advance(0)
        self.assertEqual(self.subscribed(), ["a"])
        self.assertEqual(
            " ".join(self.lines("warn")),
            "The MQTT broker broker:1883 gives no messages of b/+: it takes no filters with + and "
            "#.",
        )

    def test_what_one_has_said_oneself_is_not_heard(self) -> None:
        """Also from a broker that says it."""
        self.service.subscribe("a/+", self.heard.append)
        self.start()
        self.service.publish(Message("a/b", b"1"))
        echo = publish_packet("a/b", b"1")
        self.network.end.say(echo, publish_packet("a/b", b"2"))
        self.assertEqual([message.payload for message in self.heard], [b"2"])
        self.lose()
        self.clock.advance(FIRST)
        self.network.end.take_in()
        self.network.end.say(echo)
        self.assertEqual(len(self.heard), 2)

    def test_wrong_filters(self) -> None:
        self.assertRaises(ValueError, self.service.subscribe, "a#", self.heard.append)

    def test_published(self) -> None:
        self.start()
        self.assertTrue(self.service.publish(Message("a", b"1")))
        self.assertTrue(self.service.publish(Message("a", b"2"), at_least_once=True))
        self.clock.advance(0)
        self.assertEqual([int(packet.qos) for packet in self.network.end.take()], [0, 1])
        self.assertEqual(self.service.counters.published, 2)

    def test_nothing_is_kept_for_a_broker_that_is_away(self) -> None:
        self.assertFalse(self.service.publish(Message("a", b"1")))
        self.start()
        self.lose()
        self.assertFalse(self.service.publish(Message("a", b"2")))
        self.assertEqual(self.service.counters.dropped, 2)
        self.clock.advance(FIRST)
        self.network.end.take_in()
        self.clock.advance(0)
        self.assertEqual(self.network.end.names(), [])

    def test_how_much_waits(self) -> None:
        self.assertFalse(self.service.is_full)
        self.start()
        producer: Any = self.network.end.transport.producer
        producer.pauseProducing()
        while not self.service.is_full:
            self.service.publish(Message("a", bytes(10_000)))
        self.assertGreater(self.service.waiting, 50)
        producer.resumeProducing()
        self.assertFalse(self.service.is_full)
        self.assertEqual(self.service.waiting, 0)
        self.assertEqual(self.said, ["connected", "drained"])

    def test_refusals_are_said_now_and_then(self) -> None:
        self.start(max_packet_size=10)
        for _ in range(100):
            self.service.publish(Message("a", bytes(100)))
        self.assertEqual(len(self.lines("warn")), 1)
        self.assertIn("does not take a message of a: it takes 10 bytes", self.lines("warn")[0])
        self.clock.advance(60)
        self.service.publish(Message("a", bytes(100)))
        self.assertEqual(len(self.lines("warn")), 2)

    def test_an_end_that_nobody_foresaw(self) -> None:
        self.start()
        self.network.end.connection.connectionLost(Failure(RuntimeError("Out of paper.")))
        self.assertIn("out of paper", self.service.reason)
