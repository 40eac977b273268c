"""What is to go to nodes from the broker: in order, each once, answered."""

from __future__ import annotations

from dataclasses import replace

from tests.binding.support import Writer
from tests.site.streams_support import ANSWERS, TOPICS, A, StreamsTestCase
from tests.support import record_log
from zbtwist.binding.port_settings import FIRST, PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import STREAM
from zbtwist.site import transmissions
from zbtwist.site.desk import SAID_EACH
from zbtwist.site.transmissions import (
    LOOK,
    MAX_ANSWERS,
    MAX_LOOSE,
    MAX_MESSAGE,
    MAX_REPEATS,
    MAX_STREAMS,
    MAX_WAITING,
)
from zbtwist.xbee.status import DeliveryStatus

_NO_ROUTE = DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT


class LooseTests(StreamsTestCase):
    """Messages of no stream."""

    def test_sent_and_answered(self) -> None:
        self.tell(b"hello", "a")
        self.assertEqual((self.sent, self.answers), ([b"hello"], []))
        self.status()

        self.assertEqual(self.answers, [{"status": "delivered", "code": 0, "text": "", "to": "a"}])

    def test_not_delivered(self) -> None:
        self.tell(b"hello", "a")
        self.status(_NO_ROUTE)

        self.assertEqual(self.outcomes, [("a", "failed")])
        self.assertIn("acknowledge", self.answers[0]["text"])

    def test_no_answer_is_wanted(self) -> None:
        self.tell(b"hello", response_topic="")
        self.status()

        self.assertEqual((self.sent, self.answers), ([b"hello"], []))

    def test_several_packets_are_one_message(self) -> None:
        self.tell(bytes(200), "a")
        for _ in range(3):
            self.assertEqual(self.answers, [])
            self.status()

        self.assertEqual([len(data) for data in self.sent], [84, 84, 32])
        self.assertEqual(self.outcomes, [("a", "delivered")])

    def test_what_is_retained_is_an_old_command(self) -> None:
        self.hub.publish(Message(TOPICS.tx(A), b"x", retained=True))
        self.assertEqual(self.sent, [b"x"])
        self.status()
        self.client.cut()
        self.client.join()

        self.assertEqual(self.sent, [b"x"])

    def test_refused(self) -> None:
        self.tell(b"", "empty")
        self.tell(bytes(MAX_MESSAGE + 1), "large")
        self.tell(b"x", "nobody", topic=TOPICS.tx(0x0013A200_00000099))
        self.begin(PortSettings(pace=OFF, mqtt=STREAM, writers=FIRST))
        self.tell(b"x", "writers")
        self.tell(b"x", "n", properties={"stream": "s", "n": "-1"})
        self.tell(b"x", "stream", properties={"stream": "ä" * 3, "n": 0})

        self.assertEqual({outcome for _, outcome in self.outcomes}, {"refused"})
        self.assertEqual(len(self.answers), 6)
        self.assertEqual(self.sent, [])

    def test_refused_without_an_answer_is_said_in_the_log(self) -> None:
        """Once in a while; a stranger can ask for it all day."""
        log = record_log(self)

        def warnings() -> list[str]:
            return log.lines("warn", "zbtwist.site")

        for _ in range(3):
            self.tell(bytes(MAX_MESSAGE + 1), response_topic="")
        (line,) = warnings()
        self.assertEqual(
            line,
            f"What a client of the broker has for a node at '{TOPICS.tx(A)}' is not sent: It has "
            f"{MAX_MESSAGE + 1} bytes, and may have {MAX_MESSAGE}. Others may follow that are not "
            "said.",
        )
        self.wire.clock.advance(SAID_EACH)
        self.tell(b"x", response_topic="", topic=TOPICS.tx(0x0013A200_00000099))
        self.assertIn("There is no such node here", warnings()[1])
        self.wire.clock.advance(SAID_EACH)
        self.tell(b"x", response_topic="", properties={"stream": "s", "n": 1})
        self.assertIn("Nothing is known here of the stream", warnings()[2])
        self.wire.clock.advance(SAID_EACH)
        # Who removes what a broker keeps has sent nothing, and who is answered knows it.
        self.tell(b"", response_topic="")
        self.tell(b"", "answered")
        self.assertEqual((len(warnings()), len(self.answers)), (3, 1))

    def test_too_many_wait(self) -> None:
        for number in range(MAX_LOOSE + 1):
            self.tell(b"x", str(number))

        self.assertEqual(self.outcomes, [(str(MAX_LOOSE), "refused")])
        self.status()
        self.tell(b"x", "more")
        self.assertEqual(self.outcomes[1:], [("0", "delivered")])

    def test_too_late(self) -> None:
        self.tell(b"x", "a", expires_after=0)
        self.assertEqual((self.sent, self.outcomes), ([], [("a", "expired")]))

    def test_too_late_while_it_waits(self) -> None:
        self.tell(b"first", "a", expires_after=5)
        self.tell(b"second", "b", expires_after=5)
        self.wire.clock.pump([LOOK] * 6)
        self.assertEqual((self.sent, self.outcomes), ([b"first"], [("b", "expired")]))
        self.status()

        # What was sent is waited for.
        self.assertEqual(self.outcomes, [("b", "expired"), ("a", "delivered")])
        self.wire.clock.pump([LOOK] * 2)
        self.assertEqual(self.sent, [b"first"])


class StreamTests(StreamsTestCase):
    def test_in_order_and_one_at_a_time(self) -> None:
        for number in range(3):
            self.tell_next(b"%d" % number, number)
        self.assertEqual(self.sent, [b"0"])
        for _ in range(3):
            self.status()

        self.assertEqual(self.sent, [b"0", b"1", b"2"])
        self.assertEqual(self.outcomes, [(str(n), "delivered") for n in range(3)])

    def test_doubled(self) -> None:
        self.tell_next(b"0", 0)
        self.tell_next(b"0", 0)
        self.tell_next(b"1", 1)
        self.tell_next(b"1", 1)
        self.assertEqual(self.answers, [])
        self.status()
        self.tell_next(b"0", 0)
        self.status()
        self.tell_next(b"1", 1)

        self.assertEqual(self.sent, [b"0", b"1"])
        expected = [("0", "delivered")] * 2 + [("1", "delivered")] * 2
        self.assertEqual(self.outcomes, expected)

    def test_doubled_with_another_answer_while_it_waits(self) -> None:
        """Whoever says it again may be another program, or ask at another topic."""
        one, other = {"stream": "s-1", "n": 0}, {"stream": "s-1", "n": 1}
        for name in ("a", "b", "b"):
            self.tell(b"0", name, properties=one)
            self.tell(b"1", name.upper(), properties=other)
        self.hub.subscribe(ANSWERS + "/2", self.answered)
        self.tell(b"0", "a", properties=one, response_topic=ANSWERS + "/2")
        self.assertEqual(self.answers, [])
        self.status()
        delivered = [("a", "delivered"), ("b", "delivered"), ("a", "delivered")]
        self.assertEqual(self.outcomes, delivered)
        self.status()

        self.assertEqual(self.outcomes[3:], [("A", "delivered"), ("B", "delivered")])
        self.assertEqual(self.sent, [b"0", b"1"])

    def test_doubled_with_another_answer_and_refused(self) -> None:
        self.tell_next(b"0", 0)
        self.tell_next(b"1", 1)
        self.tell(b"1", "again", properties={"stream": "s-1", "n": 1})
        self.status(_NO_ROUTE)

        expected = [("0", "failed"), ("1", "refused"), ("again", "refused")]
        self.assertEqual(self.outcomes, expected)

    def test_doubled_by_one_who_wants_an_answer(self) -> None:
        self.tell_next(b"0", 0, response_topic="")
        self.tell_next(b"0", 0)
        self.status()
        self.assertEqual(self.outcomes, [("0", "delivered")])

    def test_too_many_other_answers(self) -> None:
        self.tell_next(b"0", 0)
        for number in range(MAX_REPEATS + 1):
            self.tell(b"0", f"again {number}", properties={"stream": "s-1", "n": 0})

        self.assertEqual(self.outcomes, [(f"again {MAX_REPEATS}", "unknown")])
        self.status()
        self.assertEqual(len(self.answers), MAX_REPEATS + 2)
        # There is room again.
        self.tell_next(b"1", 1)
        self.tell(b"1", "again", properties={"stream": "s-1", "n": 1})
        self.status()
        self.assertEqual(self.outcomes[-2:], [("1", "delivered"), ("again", "delivered")])

    def test_doubled_long_after(self) -> None:
        for number in range(MAX_ANSWERS + 1):
            self.tell_next(b"x", number)
            self.status()
        self.answers.clear()
        self.tell_next(b"x", 0)

        self.assertEqual(self.outcomes, [("0", "unknown")])
        self.assertEqual(len(self.sent), MAX_ANSWERS + 1)

    def test_nothing_is_sent_behind_one_that_failed(self) -> None:
        for number in range(3):
            self.tell_next(b"%d" % number, number)
        self.status(_NO_ROUTE)
        self.tell_next(b"3", 3)
        self.tell_next(b"0", 0, "s-2")

        self.assertEqual(
            self.outcomes, [("0", "failed"), ("1", "refused"), ("2", "refused"), ("3", "refused")]
        )
        self.assertEqual(self.sent, [b"0", b"0"])
        # Also not when it comes twice.
        self.tell_next(b"1", 1)
        self.assertEqual(self.outcomes[-1], ("1", "refused"))

    def test_nothing_is_sent_behind_one_that_is_missing(self) -> None:
        self.tell_next(b"0", 0)
        self.tell_next(b"2", 2)
        self.tell_next(b"1", 1)
        self.status()
        self.tell_next(b"3", 3)

        self.assertEqual(self.sent, [b"0"])
        self.assertEqual(
            self.outcomes,
            [("2", "refused"), ("1", "refused"), ("0", "delivered"), ("3", "refused")],
        )

    def test_what_is_before_one_that_is_missing_is_sent(self) -> None:
        for number in (0, 1, 2, 4, 3, 5):
            self.tell_next(b"%d" % number, number)
        for _ in range(3):
            self.status()
        self.tell_next(b"3", 3)

        self.assertEqual(self.sent, [b"0", b"1", b"2"])
        refused = [(number, "refused") for number in ("4", "3", "5")]
        delivered = [(number, "delivered") for number in ("0", "1", "2")]
        self.assertEqual(self.outcomes, [*refused, *delivered, ("3", "refused")])

    def test_nothing_is_sent_before_one_that_is_missing_behind_one_that_failed(self) -> None:
        for number in (0, 1, 3):
            self.tell_next(b"%d" % number, number)
        self.status(_NO_ROUTE)

        self.assertEqual(self.sent, [b"0"])
        self.assertEqual(self.outcomes, [("3", "refused"), ("0", "failed"), ("1", "refused")])

    def test_ended_behind_one_that_is_missing(self) -> None:
        """Whoever begins a new stream then has nothing of the old one come after it."""
        for number in (0, 1, 3):
            self.tell_next(b"%d" % number, number)
        self.tell_next(b"", 4, properties={"end": 1})
        self.tell_next(b"new", 0, "s-2")
        self.status()
        self.status()

        self.assertEqual(self.sent, [b"0", b"new"])

    def test_middle_of_a_stream_that_is_not_known(self) -> None:
        self.tell_next(b"1", 1)
        self.assertEqual((self.sent, self.outcomes), ([], [("1", "refused")]))

    def test_gateway_was_started_anew(self) -> None:
        self.tell_next(b"0", 0, properties={"run": "run-0"})
        self.tell_next(b"0", 0, "s-2", properties={"run": "run-1"})

        self.assertEqual(self.outcomes, [("0", "refused")])
        self.assertEqual(self.sent, [b"0"])

    def test_two_streams_take_turns(self) -> None:
        self.tell_next(b"a0", 0, "a")
        self.tell_next(b"a1", 1, "a")
        self.tell_next(b"b0", 0, "b")
        self.tell_next(b"b1", 1, "b")
        for _ in range(4):
            self.status()

        self.assertEqual(self.sent, [b"a0", b"b0", b"a1", b"b1"])

    def test_one_fails_and_the_other_goes_on(self) -> None:
        self.tell_next(b"a0", 0, "a")
        self.status(DeliveryStatus.CHANNEL_BUSY)
        self.tell_next(b"b0", 0, "b")
        self.tell_next(b"b", 2, "b")
        self.assertEqual(self.outcomes, [("2", "refused")])
        self.wire.clock.advance(1)
        self.status()
        self.status()

        self.assertEqual(self.outcomes[1:], [("0", "delivered"), ("0", "delivered")])
        self.assertEqual(self.sent, [b"a0", b"a0", b"b0"])

    def test_expired_before_it_was_read(self) -> None:
        self.tell_next(b"0", 0, expires_after=-3)
        self.assertEqual((self.sent, self.outcomes), ([], [("0", "expired")]))

    def test_ended(self) -> None:
        self.tell_next(b"0", 0)
        self.tell_next(b"1", 1)
        self.tell_next(b"", 2, properties={"end": 1})
        self.assertEqual(self.outcomes, [("1", "refused"), ("2", "refused")])
        # What is in the air is not sent again.
        self.status(DeliveryStatus.CHANNEL_BUSY)
        self.wire.clock.advance(5)

        self.assertEqual(self.sent, [b"0"])
        self.assertEqual(self.outcomes[2:], [("0", "failed")])

    def test_ended_before_it_came(self) -> None:
        self.tell_next(b"", 1, properties={"end": 1})
        self.tell_next(b"0", 0)
        self.assertEqual((self.sent, self.outcomes), ([], [("1", "unknown"), ("0", "refused")]))

    def test_an_end_needs_no_number(self) -> None:
        self.tell_next(b"0", 0)
        properties = {"stream": "s-1", "end": 1}
        self.tell(b"", "end", properties=properties, response_topic="")
        self.tell_next(b"1", 1)
        self.status()
        self.assertEqual(self.outcomes, [("1", "refused"), ("0", "delivered")])

    def test_what_became_of_it(self) -> None:
        """Who ends a stream may ask that, and the packet is not sent by that."""
        self.tell_next(b"0", 0)
        self.status()
        self.tell_next(b"1", 1)
        for number in (0, 1, 2):
            self.tell_next(b"", number, properties={"end": 1})
        # What became of the one in the air is said when it is known.
        self.assertEqual(self.outcomes, [("0", "delivered"), ("0", "delivered"), ("2", "refused")])
        self.status()
        self.assertEqual(self.outcomes[3:], [("1", "delivered")])
        self.tell_next(b"2", 2)
        self.assertEqual(self.sent, [b"0", b"1"])

    def test_hole_from_the_node(self) -> None:
        self.tell_next(b"0", 0)
        self.tell_next(b"1", 1)
        self.port.interrupted("A frame was damaged")
        self.status()

        # To this stream it is none: its other end decides.
        self.assertEqual(self.outcomes, [("0", "delivered")])
        self.assertEqual(self.sent, [b"0", b"1"])

    def test_radio_is_away(self) -> None:
        self.wire.coordinator.link_down("The radio is gone.")
        self.tell_next(b"0", 0)
        self.assertEqual(self.outcomes, [])
        self.wire.clock.advance(PortSettings.outage + 1)
        self.tell(b"x", "later")

        self.assertEqual(self.outcomes, [("0", "failed"), ("later", "failed")])
        self.assertEqual(self.answers[1]["text"], "The radio is gone.")

    def test_too_many_wait(self) -> None:
        for number in range(MAX_WAITING + 2):
            self.tell_next(b"x", number)

        self.assertEqual(self.outcomes, [(str(MAX_WAITING + 1), "refused")])
        # Nothing is sent behind it, but what came before it.
        self.tell_next(b"x", MAX_WAITING + 2)
        for _ in range(MAX_WAITING + 1):
            self.status()
        self.assertEqual(self.outcomes[1], (str(MAX_WAITING + 2), "refused"))
        self.assertEqual({outcome for _, outcome in self.outcomes[2:]}, {"delivered"})
        self.assertEqual(len(self.sent), MAX_WAITING + 1)

    def test_too_many_streams(self) -> None:
        for number in range(MAX_STREAMS):
            self.tell_next(b"x", 0, f"s-{number}")
        self.tell_next(b"x", 0, "one-more")
        self.assertEqual(self.outcomes, [("0", "refused")])
        self.status()
        self.tell_next(b"x", 0, "one-more")
        # The one that was idle is past.
        self.tell_next(b"x", 0, "s-0")

        self.assertEqual([outcome for _, outcome in self.outcomes[1:]], ["delivered", "refused"])

    def test_past_streams_are_bounded(self) -> None:
        self.patch(transmissions, "MAX_PAST", 3)
        past = transmissions.PastStreams()
        for name in "abcd":
            past.add(A, name)
        self.assertEqual([past.has(A, name) for name in "abcd"], [False, True, True, True])

    def test_node_is_gone(self) -> None:
        self.tell_next(b"0", 0)
        self.tell_next(b"1", 1)
        self.begin(replace(self.settings, mqtt="values"))
        self.streams.follow()

        self.assertEqual(self.outcomes, [("1", "refused"), ("0", "unknown")])

    def test_local_clients_are_served_beside(self) -> None:
        self.tell_next(b"0", 0)
        self.port.outbound.write(Writer("1.2.3.4"), b"client")
        self.tell_next(b"1", 1)
        for _ in range(3):
            self.wire.clock.advance(0.1)
            self.status()

        self.assertEqual(sorted(self.sent), [b"0", b"1", b"client"])
        self.assertEqual(self.outcomes, [("0", "delivered"), ("1", "delivered")])
