from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mqtt5
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.mqtt.wire import (
    NO_UTF8,
    QOS,
    BrokerEnd,
    encode,
    publish_packet,
    silence_errors,
)
from tests.support import producer_of
from tests.xbee.strategies import repeatable
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.outbox import MAX_BATCH, MAX_WAITING_BYTES, Counters
from zbtwist.mqtt.owner import Ending, Login, Owner
from zbtwist.mqtt.packet_reader import MAX_PACKET
from zbtwist.mqtt.protocol import (
    ANSWER_LIMIT,
    ANSWER_TIMEOUT,
    FAREWELL_TIMEOUT,
    GREETING_TIMEOUT,
    MAX_FILTERS,
    READING_TIME,
    RECEIVE_MAXIMUM,
    Connection,
)

WILL = Message("state", b"offline", retained=True)


class Record(Owner):
    """What becomes of a connection."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.messages: list[Message] = []
        self.endings: list[Ending] = []

    def opened(self) -> None:
        self.said.append("opened")

    def heard(self, message: Message) -> None:
        self.messages.append(message)

    def not_taken(self, topic: str, why: str) -> None:
        self.said.append(f"{topic}: {why}")

    def not_subscribed(self, topic_filter: str, why: str) -> None:
        self.said.append(f"{topic_filter}: {why}")

    def drained(self) -> None:
        self.said.append("drained")

    def ended(self, ending: Ending) -> None:
        self.endings.append(ending)


class ConnectionTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.make()

    def make(self, **login: Any) -> None:
        self.clock = Clock()
        self.owner = Record()
        self.counters = Counters()
        values: dict[str, Any] = {
            "client_id": "me",
            "user": "",
            "password": None,
            "keepalive": 60,
            "will": None,
        }
        self.connection = Connection(
            self.clock, Login(**{**values, **login}), self.owner, self.counters
        )
        self.end = BrokerEnd(self.connection)

    def open(self, **connack: Any) -> None:
        self.end.take_in(**connack)
        self.assertEqual(self.owner.said, ["opened"])
        self.owner.said.clear()

    def publish(self, topic: str = "a", payload: bytes = b"", qos: int = 0) -> bool:
        return self.connection.publish(Message(topic, payload), bool(qos))

    def taken(self) -> list[Any]:
        """What the client has written by the end of this turn."""
        self.clock.advance(0)
        return self.end.take()

    def names(self) -> list[str]:
        self.clock.advance(0)
        return self.end.names()

    def fails(self, *words: str, code: int | None = None) -> None:
        """The client has ended the connection; the broker was told that code, or nothing."""
        last = self.taken()
        if code is None:
            self.assertTrue(self.end.transport.is_aborted)
        else:
            self.assertEqual(int(last[-1].reason_code), code)
            self.assertTrue(self.end.transport.is_closed)
        self.assertFalse(self.connection.is_open)
        self.end.hang_up()
        (ending,) = self.owner.endings
        for word in words:
            self.assertIn(word, ending.why)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BeginningTests(ConnectionTestCase):
    def test_what_a_broker_is_told(self) -> None:
        self.make(user="u", password=b"p", will=WILL)
        (packet,) = self.end.take()
        self.assertEqual(
            (
                packet.client_id,
                packet.username,
                bytes(packet.password, "ascii")
                if isinstance(packet.password, str)
                else packet.password,
            ),
            ("me", "u", b"p"),
        )
        self.assertEqual((packet.keep_alive, packet.clean_start), (60, True))
        self.assertEqual(
            (packet.receive_max, packet.max_packet_size), (RECEIVE_MAXIMUM, MAX_PACKET)
        )
        will = packet.will
        self.assertEqual(
            (will.topic, will.payload, int(will.qos), will.retain), ("state", b"offline", 1, True)
        )

    def test_nothing_is_held_back(self) -> None:
        self.open()
        self.assertFalse(self.end.transport.waits_for_more)

    def test_a_password_is_never_shown(self) -> None:
        self.assertNotIn("secret", repr(Login("me", "u", b"secret", 60, None)))

    def test_taken_in(self) -> None:
        self.assertFalse(self.connection.is_open)
        self.open()
        self.assertTrue(self.connection.is_open)
        self.assertTrue(self.connection.keeps)
        self.assertTrue(self.connection.confirms)

    def test_refused(self) -> None:
        self.end.take()
        self.end.say(
            mqtt5.ConnAckPacket(
                reason_code=mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
                reason_str="no\nway",
            )
        )
        self.assertTrue(self.end.transport.is_closed)
        self.end.hang_up()
        self.assertEqual(
            self.owner.endings,
            [
                Ending(
                    'the user or the password is wrong: see user and password-file ("no?way")', 0x86
                )
            ],
        )
        self.assertEqual(self.owner.said, [])

    def test_the_other_broker_that_is_named(self) -> None:
        self.end.say(
            mqtt5.ConnAckPacket(
                reason_code=mqtt5.ConnAckReasonCode.SERVER_MOVED, server_reference="other:1883"
            )
        )
        self.end.hang_up()
        self.assertEqual(self.owner.endings, [Ending("it has moved, other:1883", 0x9D)])

    def test_no_answer(self) -> None:
        self.clock.advance(GREETING_TIMEOUT - 0.1)
        self.assertFalse(self.end.transport.is_aborted)
        self.clock.advance(0.1)
        self.fails("it did not answer within 20 s")

    def test_one_of_mqtt_3(self) -> None:
        """CONNACK of MQTT 3.1.1, section 3.2: unacceptable protocol version."""
        self.end.say(b"\x20\2\0\1")
        self.fails("does not speak MQTT 5")

    def test_one_that_speaks_something_else(self) -> None:
        self.end.say(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(200))
        self.fails("is no MQTT 5")

    def test_one_that_speaks_tls(self) -> None:
        self.end.say(b"\x15\3\1\0\2\2\x0a")
        self.fails("it speaks TLS at that port")

    def test_one_that_hangs_up(self) -> None:
        self.end.hang_up()
        (ending,) = self.owner.endings
        self.assertEqual(
            ending.why,
            "it has closed the connection without a word: see that it speaks MQTT 5 at that port, "
            "and whether with TLS",
        )

    def test_messages_before_it_takes_one_in(self) -> None:
        self.end.say(publish_packet("a", b""))
        self.fails("against the protocol (PublishPacket)")

    def test_nothing_is_published_before(self) -> None:
        self.assertFalse(self.connection.is_open)
        self.assertEqual(self.names(), ["Connect"])


class EndTests(ConnectionTestCase):
    def test_in_good_order(self) -> None:
        """What was published in this turn is written before, and so is the will."""
        self.open()
        self.publish("a")
        self.connection.close(WILL)
        first, will, last = self.taken()
        self.assertEqual((first.topic, will.topic, will.retain), ("a", "state", True))
        self.assertEqual(int(last.reason_code), 0)
        self.assertTrue(self.end.transport.is_closed)
        self.connection.close()
        self.assertEqual(self.names(), [])
        self.end.hang_up()
        self.assertEqual(self.owner.endings, [Ending("this gateway has ended the connection")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_broker_that_takes_nothing_more(self) -> None:
        self.open()
        producer_of(self.end.transport).pauseProducing()
        self.connection.close(WILL)
        self.assertEqual(self.names(), ["Publish", "Disconnect"])
        self.clock.advance(FAREWELL_TIMEOUT)
        self.assertTrue(self.end.transport.is_aborted)

    def test_before_it_was_taken_in(self) -> None:
        self.end.take()
        self.connection.close(WILL)
        self.assertEqual(self.names(), [])
        self.assertTrue(self.end.transport.is_closed)

    def test_the_broker_ends_it(self) -> None:
        self.open()
        self.end.disconnect(0x8B, reason_str="bye")
        self.assertTrue(self.end.transport.is_closed)
        self.end.hang_up()
        self.assertEqual(self.owner.endings, [Ending('it is being shut down ("bye")', 0x8B)])

    def test_it_breaks(self) -> None:
        self.open()
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.owner.endings, [Ending("the connection broke")])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.connection.is_open)

    def test_it_is_closed(self) -> None:
        self.open()
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.owner.endings, [Ending("it has closed the connection")])

    def test_nothing_is_heard_after_that(self) -> None:
        self.open()
        self.connection.close()
        self.end.say(publish_packet("a", b""))
        self.assertEqual(self.owner.messages, [])


class HearingTests(ConnectionTestCase):
    def test_messages(self) -> None:
        self.open()
        self.end.say(
            publish_packet("a", b"1"),
            publish_packet("b", b"2", 1, packet_id=7, retain=True),
        )
        self.assertEqual(
            self.owner.messages, [Message("a", b"1"), Message("b", b"2", retained=True)]
        )
        (confirmation,) = self.end.take()
        self.assertEqual(confirmation.packet_id, 7)
        self.assertEqual(self.counters.received, 2)

    def test_a_second_time_is_heard_as_well(self) -> None:
        """Whoever minds has numbers of his own; the broker is told each time."""
        self.open()
        packet = publish_packet("a", b"1", 1, packet_id=7, duplicate=True)
        self.end.say(packet, packet)
        self.assertEqual(len(self.owner.messages), 2)
        self.assertEqual(self.names(), ["PubAck", "PubAck"])

    def test_qos_2_was_not_asked_for(self) -> None:
        self.open()
        self.end.say(publish_packet("a", b"1", 2, packet_id=7))
        self.fails("it has sent what was not asked for", code=0x82)

    def test_what_no_client_is_sent(self) -> None:
        for packet in (
            mqtt5.ConnectPacket("x"),
            mqtt5.PingReqPacket(),
            mqtt5.ConnAckPacket(),
            mqtt5.PubRecPacket(1),
            mqtt5.AuthPacket(),
        ):
            self.make()
            self.open()
            self.end.say(packet)
            self.fails("against the protocol", code=0x82)

    def test_malformed(self) -> None:
        silence_errors(self)
        for data in (b"\0\0", b"\x30\0", NO_UTF8, b"\x30\xff\xff\xff\xff\x01"):
            self.make()
            self.open()
            self.end.say(data)
            self.fails("is no MQTT 5", code=0x81)

    def test_the_rest_is_not_heard(self) -> None:
        self.open()
        self.end.say(publish_packet("a", b"1"), b"\0\0", publish_packet("a", b"2"))
        self.assertEqual([message.payload for message in self.owner.messages], [b"1"])

    def test_a_packet_that_is_too_long(self) -> None:
        """It ends with its first bytes: nothing of it is kept."""
        self.open()
        self.assertEqual(MAX_PACKET, 1 << 20)
        self.end.say(b"\x30" + b"\xfd\xff\x3f")
        self.fails("a packet of 1048577 bytes", code=0x95)

    def test_the_longest(self) -> None:
        self.open()
        size = MAX_PACKET - 4 - 4
        data = publish_packet("a", bytes(size))
        self.assertEqual(len(data), MAX_PACKET)
        for at in range(0, len(data), 5000):
            self.assertEqual(self.owner.messages, [])
            self.end.say(data[at : at + 5000])
        self.assertEqual(self.owner.messages, [Message("a", bytes(size))])
        self.assertEqual(len(self.connection._packets), 0)

    def test_more_at_once_than_may_be_while_nothing_can_be_confirmed(self) -> None:
        self.open()
        producer_of(self.end.transport).pauseProducing()
        for packet_id in range(1, RECEIVE_MAXIMUM + 1):
            self.end.say(publish_packet("a", b"", 1, packet_id=packet_id))
        self.assertEqual(self.names(), [])
        self.assertTrue(self.connection.is_open)
        self.end.say(publish_packet("a", b"", 1, packet_id=999))
        self.assertEqual(len(self.owner.messages), RECEIVE_MAXIMUM)
        self.fails("more at once", code=0x93)

    def test_confirmations_wait_until_they_can_be_written(self) -> None:
        self.open()
        producer_of(self.end.transport).pauseProducing()
        self.end.say(publish_packet("a", b"", 1, packet_id=1))
        self.assertEqual(self.names(), [])
        producer_of(self.end.transport).resumeProducing()
        self.assertEqual(self.names(), ["PubAck"])

    def take_time(self) -> None:
        """Let each message take a quarter of the time that there is."""
        hear = self.owner.heard

        def heard(message: Message) -> None:
            self.clock.rightNow += READING_TIME / 4
            hear(message)

        self.patch(self.owner, "heard", heard)

    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.owner.messages]

    def test_the_rest_is_read_in_another_turn(self) -> None:
        """Whatever a broker says, and how fast, everything else has its turn in between."""
        self.open()
        self.take_time()
        said = [b"%d" % number for number in range(11)]
        self.end.say(*(publish_packet("a", payload) for payload in said[:10]), b"\x30")
        self.assertEqual(self.payloads(), said[:4])
        self.assertEqual(self.end.transport.producerState, "paused")
        # What TLS had decrypted comes all the same.
        self.end.say(publish_packet("a", said[10])[1:])
        self.assertEqual(self.payloads(), said[:4])
        # Whatever else is to be done now comes before the turn after the next.
        seen: list[tuple[int, str]] = []
        self.clock.callLater(
            0, lambda: seen.append((len(self.payloads()), self.end.transport.producerState))
        )
        self.clock.advance(0)
        self.assertEqual(seen, [(8, "paused")])
        self.assertEqual(self.payloads(), said)
        self.assertEqual(self.end.transport.producerState, "producing")

    def test_it_may_end_before_the_rest_is_read(self) -> None:
        self.open()
        self.take_time()
        self.end.say(*(publish_packet("a", b"") for _ in range(10)))
        self.connection.close()
        self.clock.advance(0)
        self.assertEqual(len(self.owner.messages), 4)
        self.end.hang_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_may_be_lost_before_the_rest_is_read(self) -> None:
        self.open()
        self.take_time()
        self.end.say(*(publish_packet("a", b"") for _ in range(10)))
        self.end.hang_up()
        self.clock.advance(0)
        self.assertEqual(len(self.owner.messages), 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_hearer_may_end_it(self) -> None:
        self.open()
        self.patch(self.owner, "heard", lambda message: self.connection.close())
        self.end.say(publish_packet("a", b"", 1, packet_id=1), publish_packet("a", b""))
        self.assertEqual(self.names(), ["Disconnect"])
        self.assertEqual(self.counters.received, 1)

    @repeatable(200)
    @given(
        st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 1)), max_size=8),
        st.lists(st.integers(1, 40), max_size=60),
    )
    def test_cut_anywhere(self, payloads: Sequence[tuple[bytes, int]], cuts: list[int]) -> None:
        self.make()
        data = encode(mqtt5.ConnAckPacket()) + b"".join(
            publish_packet(f"t/{number}", payload, qos, packet_id=number + 1 if qos else None)
            for number, (payload, qos) in enumerate(payloads)
        )
        for cut in cuts:
            if data:
                self.end.say(data[:cut])
                data = data[cut:]
        self.end.say(data)
        self.assertEqual(
            [message.payload for message in self.owner.messages],
            [payload for payload, _ in payloads],
        )
        self.assertEqual(len(self.connection._packets), 0)
        self.assertEqual(self.names()[1:], ["PubAck"] * sum(qos for _, qos in payloads))

    @repeatable(200)
    @given(st.lists(st.binary(max_size=50), max_size=10), st.booleans())
    def test_whatever_comes(self, pieces: list[bytes], is_taken_in: bool) -> None:
        """It goes on, or ends with a reason."""
        silence_errors(self)
        self.make()
        if is_taken_in:
            self.open()
        for piece in pieces:
            self.end.say(piece)
        self.end.hang_up()
        (ending,) = self.owner.endings
        self.assertTrue(ending.why)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class KeepaliveTests(ConnectionTestCase):
    def answered(self) -> None:
        self.assertEqual(self.names(), ["PingReq"])
        self.end.say(mqtt5.PingRespPacket())

    def test_it_is_asked_and_answers(self) -> None:
        self.open()
        for _ in range(3):
            self.clock.advance(44)
            self.assertEqual(self.names(), [])
            self.clock.advance(1)
            self.answered()
        self.assertTrue(self.connection.is_open)

    def test_no_answer(self) -> None:
        self.open()
        self.clock.advance(45)
        self.assertEqual(self.names(), ["PingReq"])
        self.clock.advance(ANSWER_TIMEOUT)
        self.fails("it did not answer within 20 s")

    def test_a_broker_that_takes_all_and_says_nothing_is_asked(self) -> None:
        self.open()
        for _ in range(44):
            self.publish()
            self.clock.advance(1)
        self.end.take()
        self.clock.advance(1)
        self.assertIn("PingReq", self.names())

    def test_one_that_only_speaks_is_told_something(self) -> None:
        self.open()
        for _ in range(44):
            self.end.say(publish_packet("a", b""))
            self.clock.advance(1)
        self.assertEqual(self.names(), [])
        self.clock.advance(1)
        self.answered()

    def test_no_question_while_both_speak(self) -> None:
        self.open()
        for _ in range(300):
            self.end.say(publish_packet("a", b""))
            self.publish()
            self.clock.advance(1)
        self.assertNotIn("PingReq", self.names())

    def test_the_brokers_time_counts(self) -> None:
        self.open(server_keep_alive=8)
        self.clock.advance(6)
        self.answered()

    def test_one_that_demands_nothing_is_asked_as_well(self) -> None:
        for seconds in (0, 65535):
            self.make()
            self.open(server_keep_alive=seconds)
            self.clock.advance(45)
            self.answered()

    def test_one_that_answers_and_confirms_nothing(self) -> None:
        self.open()
        self.publish(qos=1)
        for _ in range(3):
            self.clock.advance(45)
            if self.connection.is_open:
                self.end.say(mqtt5.PingRespPacket())
        self.end.take()
        self.fails("it has confirmed no message for 120 s")

    def test_one_that_says_other_things_may_take_longer(self) -> None:
        self.open()
        self.clock.advance(45)
        self.end.take()
        for _ in range(int(ANSWER_LIMIT) // 10 - 1):
            self.clock.pump([10])
            self.end.say(publish_packet("a", b""))
            self.assertTrue(self.connection.is_open)
        self.clock.pump([10] * 2)
        self.fails("it did not answer within 120 s")

    def test_the_question_is_not_behind_what_waits(self) -> None:
        self.open(receive_max=1)
        self.publish(qos=1)
        self.publish(qos=1)
        self.clock.advance(45)
        self.assertEqual(self.names(), ["Publish", "PingReq"])

    def test_a_clock_that_was_set_back(self) -> None:
        self.open()
        self.connection._heard_at += 100_000
        self.connection.outbox.last_sent += 100_000
        self.clock.advance(45)
        self.answered()
        self.assertTrue(self.connection.is_open)


class PublishingTests(ConnectionTestCase):
    def test_one_turn_is_one_write(self) -> None:
        self.open()
        writes: list[Any] = []
        self.patch(self.end.transport, "writeSequence", writes.append)
        for _ in range(3):
            self.assertTrue(self.publish())
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(len(writes), 1)
        self.assertEqual(self.counters.published, 3)

    def test_answers_to_what_was_read_are_written_with_it(self) -> None:
        self.open()

        def answer(message: Message) -> None:
            self.publish()

        self.patch(self.owner, "heard", answer)
        self.end.say(publish_packet("a", b"", 1, packet_id=1))
        self.assertEqual(self.end.names(), ["Publish", "PubAck"])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_great_deal_in_one_turn_is_not_kept(self) -> None:
        self.open()
        self.publish(payload=bytes(MAX_BATCH))
        self.assertEqual(self.end.names(), ["Publish"])
        self.assertEqual(self.names(), [])

    def test_order_and_numbers(self) -> None:
        self.open()
        for number in range(6):
            self.publish(str(number), qos=number % 2)
        came = self.taken()
        self.assertEqual([packet.topic for packet in came], list("012345"))
        self.assertEqual([packet.packet_id for packet in came], [None, 1, None, 2, None, 3])

    def test_the_window(self) -> None:
        """What waits for a confirmation lets nothing past, so that all arrive in order."""
        self.open(receive_max=2)
        for topic, qos in (("a", 1), ("b", 1), ("c", 1), ("d", 0), ("e", 1)):
            self.assertTrue(self.publish(topic, qos=qos))
        self.assertEqual([packet.topic for packet in self.taken()], ["a", "b"])
        self.end.say(mqtt5.PubAckPacket(1))
        self.assertEqual([packet.topic for packet in self.taken()], ["c", "d"])
        self.end.say(mqtt5.PubAckPacket(2), mqtt5.PubAckPacket(3))
        self.assertEqual([packet.topic for packet in self.taken()], ["e"])
        self.assertEqual(self.counters.published, 5)

    def test_confirmations_of_nothing(self) -> None:
        self.open(receive_max=1)
        self.publish("a", qos=1)
        self.publish("b", qos=1)
        self.end.say(mqtt5.PubAckPacket(99), mqtt5.PubAckPacket(2))
        self.assertEqual([packet.topic for packet in self.taken()], ["a"])

    def test_a_message_that_is_refused(self) -> None:
        self.open()
        self.publish("a", qos=1)
        self.publish("b", qos=1)
        self.end.say(
            mqtt5.PubAckPacket(1, reason_code=mqtt5.PubAckReasonCode.NOT_AUTHORIZED),
            mqtt5.PubAckPacket(2, reason_code=mqtt5.PubAckReasonCode.NO_MATCHING_SUBSCRIBERS),
        )
        self.assertEqual(
            self.owner.said,
            ["a: this user may not do that there: see the broker's access list"],
        )
        self.assertEqual(self.counters.refused, 1)

    def test_a_broker_that_knows_no_qos_1_and_keeps_nothing(self) -> None:
        self.open(max_qos=QOS[0], retain_available=False)
        self.connection.publish(Message("a", b"", retained=True), True)
        (packet,) = self.taken()
        self.assertEqual((int(packet.qos), packet.retain), (0, False))

    def test_the_longest_packet_that_it_takes(self) -> None:
        self.open(max_packet_size=20)
        self.assertTrue(self.publish(payload=bytes(14)))
        self.assertFalse(self.publish(payload=bytes(15)))
        self.assertFalse(self.publish(payload=bytes(15), qos=1))
        self.assertEqual(len(self.taken()), 1)
        self.assertEqual(self.owner.said[0], "a: it takes 20 bytes at the most, and those are 21")
        self.assertEqual(self.counters.dropped, 2)

    def test_a_socket_that_takes_no_more(self) -> None:
        """What waits has a bound; what is too much is dropped, and no packet of the rest is."""
        self.open()
        producer = producer_of(self.end.transport)
        producer.pauseProducing()
        payload = bytes(1000)
        taken = 0
        while self.publish(str(taken), payload):
            taken += 1
        self.assertEqual(self.names(), [])
        self.assertLessEqual(taken * 1000, MAX_WAITING_BYTES)
        self.assertGreater(taken * 1020, MAX_WAITING_BYTES)
        self.assertEqual(self.counters.dropped, 1)
        producer.resumeProducing()
        came = self.taken()
        self.assertEqual([packet.topic for packet in came], list(map(str, range(taken))))
        self.assertEqual(self.owner.said, ["drained"])

    def test_what_waits_when_it_is_lost_is_dropped(self) -> None:
        self.open(receive_max=1)
        for _ in range(5):
            self.publish(qos=1)
        self.end.hang_up()
        self.assertEqual((self.counters.published, self.counters.dropped), (1, 4))

    def test_messages_that_cannot_be(self) -> None:
        self.open()
        self.assertRaises(ValueError, self.publish, "a/#")
        self.publish(qos=1)
        self.assertEqual(len(self.taken()), 1)


class SubscribingTests(ConnectionTestCase):
    def filters(self, packet: Any) -> list[str]:
        found = getattr(packet, "topic_filters", None) or packet.subscriptions
        return [each.pattern for each in found]

    def answer(self, packet: Any, *codes: mqtt5.SubAckReasonCode) -> None:
        self.end.say(mqtt5.SubAckPacket(packet.packet_id, list(codes)))

    def test_asked_for(self) -> None:
        self.open()
        self.connection.subscribe(["a", "b/+"])
        (packet,) = self.taken()
        self.assertEqual(self.filters(packet), ["a", "b/+"])
        codes = mqtt5.SubAckReasonCode
        self.answer(packet, codes.GRANTED_QOS_AT_LEAST_ONCE, codes.NOT_AUTHORIZED)
        self.assertEqual(
            self.owner.said,
            ["b/+: this user may not do that there: see the broker's access list"],
        )
        self.clock.advance(44)
        self.assertTrue(self.connection.is_open)

    def test_at_most_once(self) -> None:
        self.open()
        self.connection.subscribe(["a"])
        self.connection.subscribe(["b"], at_most_once=True)
        found = [
            getattr(each, "topic_filters", None) or each.subscriptions for each in self.taken()
        ]
        self.assertEqual([one.max_qos for (one,) in found], list(QOS[1::-1]))

    def test_many(self) -> None:
        self.open()
        wanted = [str(number) for number in range(2 * MAX_FILTERS + 1)]
        self.connection.subscribe(wanted)
        came = self.taken()
        self.assertEqual(len(came), 3)
        self.assertEqual([each for packet in came for each in self.filters(packet)], wanted)

    def test_none(self) -> None:
        self.open()
        self.connection.subscribe([])
        self.assertEqual(self.names(), [])

    def test_no_more(self) -> None:
        self.open()
        self.connection.unsubscribe(["a"])
        (packet,) = self.taken()
        self.assertEqual(packet.patterns, ["a"])
        self.end.say(mqtt5.UnsubAckPacket(packet.packet_id, [mqtt5.UnsubAckReasonCode.SUCCESS]))
        self.clock.advance(44)
        self.assertTrue(self.connection.is_open)

    def test_no_answer(self) -> None:
        self.open()
        self.connection.subscribe(["a"])
        self.clock.pump([5] * 4)
        self.fails("it did not answer within 20 s")

    def test_answers_to_nothing(self) -> None:
        self.open()
        self.end.say(mqtt5.SubAckPacket(5, [mqtt5.SubAckReasonCode.NOT_AUTHORIZED]))
        self.assertEqual(self.owner.said, [])

    def test_numbers_are_not_those_of_messages(self) -> None:
        self.open()
        self.connection.subscribe(["a"])
        self.connection.outbox._last_id = 0
        self.publish(qos=1)
        subscribe, message = self.taken()
        self.assertNotEqual(subscribe.packet_id, message.packet_id)
