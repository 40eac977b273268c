from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tests.site.support import ANSWER, TOPICS, SiteTestCase
from tests.support import RecordedLog, record_log
from zbtwist.control import faults
from zbtwist.control.api import OPERATIONS
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.site import desk
from zbtwist.site.desk import MAX_IN_HAND, MAX_REFUSALS, MAX_REQUEST


class RequestTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()
        self.connect_it()
        self.log: RecordedLog = record_log(self)

    def warnings(self) -> list[str]:
        return self.log.lines("warn", "zbtwist.site")

    def fault(self, operation: str, payload: object = b"", **more: Any) -> tuple[int, str]:
        answer = self.ask(operation, payload, **more)
        return answer["fault"], answer["text"]

    # --- what is asked for -----------------------------------------------------------------------

    def test_a_list_of_arguments(self) -> None:
        answer = self.ask("show", ["METER"])
        self.assertEqual(answer["result"]["label"], "METER")
        (message,) = self.answers
        self.assertEqual((message.retained, message.content_type), (False, "application/json"))

    def test_named_arguments(self) -> None:
        self.assertEqual(self.ask("show", {"address": "METER"})["result"]["label"], "METER")
        answer = self.ask("at", {"address": "ECHO", "command": "D1", "value": None})
        self.assertEqual(answer, {"result": 0})

    def test_no_arguments(self) -> None:
        for payload in (b"", b" ", b"[]", b"{}", b"[null]"):
            self.assertEqual(len(self.ask("list", payload)["result"]), 3)

    def test_correlation_data_are_given_back(self) -> None:
        self.ask("status", correlation_data=b"\0\xff7")
        self.assertEqual(self.answers[0].correlation_data, b"\0\xff7")

    def test_bytes(self) -> None:
        self.assertEqual(self.ask("at", ["ECHO", "KY", {"base64": "AAEC"}])["result"], "")
        answer = self.ask("at", ["ECHO", "EE"])
        self.assertIn("result", answer)

    def test_one_that_waits(self) -> None:
        self.say(TOPICS.request("discover"), b"", 0.5, response_topic=ANSWER)
        self.assertEqual(self.answers, [])
        self.run_for(3)
        self.assertEqual(len(self.answer()["result"]), 3)

    def test_without_an_answer_it_is_done_all_the_same(self) -> None:
        """Clients of MQTT 3 know no response topics."""
        self.say(TOPICS.request("rename"), b'["METER", "MAINS"]', 3)
        self.assertEqual(self.node("MAINS").label, "MAINS")
        self.assertEqual(self.warnings(), [])

    def test_without_an_answer_a_fault_is_said_in_the_log(self) -> None:
        self.say(TOPICS.request("rename"), b'["NOBODY", "MAINS"]', 3)
        (line,) = self.warnings()
        self.assertIn("No node is called 'NOBODY'", line)

    # --- what is wrong ---------------------------------------------------------------------------

    def test_faults_have_their_numbers(self) -> None:
        self.assertEqual(self.fault("show", ["NOBODY"])[0], faults.UNKNOWN_NODE)
        self.assertEqual(self.fault("show", [7])[0], faults.BAD_REQUEST)
        self.assertEqual(self.fault("shwo")[0], faults.NO_SUCH_METHOD)
        self.assertEqual(self.fault("system.listMethods")[0], faults.NO_SUCH_METHOD)

    def test_payloads_that_make_no_sense(self) -> None:
        for payload in (b"{", b"\xff", b"7", b'"METER"', b"null", b"[NaN]", b'["\\ud800"]'):
            number, text = self.fault("show", payload)
            self.assertEqual(number, faults.BAD_REQUEST, payload)
            self.assertIn("show", text)
        self.assertEqual(self.fault("show", [["METER"]])[0], faults.BAD_REQUEST)
        self.assertEqual(self.fault("show", {"adress": "METER"})[0], faults.BAD_REQUEST)
        self.assertEqual(self.fault("show", {})[0], faults.BAD_REQUEST)
        self.assertEqual(self.flushLoggedErrors(), [])

    @given(
        st.sampled_from(sorted(OPERATIONS)),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
            lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
            max_leaves=5,
        ),
    )
    @settings(deadline=None, max_examples=60)
    def test_whatever_is_asked_for_is_answered(self, operation: str, payload: object) -> None:
        with patch.object(self.gateway.network, "discover", side_effect=ZeroDivisionError):
            answer = self.ask(operation, json.dumps(payload).encode(), seconds=0.1)
        self.flushLoggedErrors()
        self.assertTrue(answer is None or {"result"} == answer.keys() or "fault" in answer)

    def test_what_is_too_large(self) -> None:
        number, text = self.fault("show", b" " * (MAX_REQUEST + 1))
        self.assertEqual(number, faults.BAD_REQUEST)
        self.assertIn("131073 bytes", text)
        number, text = self.fault("show", b" " * MAX_REQUEST, correlation_data=b"x")
        self.assertEqual(number, faults.BAD_REQUEST)

    def test_an_answer_that_is_too_large(self) -> None:
        self.patch(desk, "MAX_ANSWER", 100)
        number, text = self.fault("list")
        self.assertEqual(number, faults.BAD_REQUEST)
        self.assertIn("control port", text)

    def test_an_answer_that_the_connection_does_not_take(self) -> None:
        publish = self.client.publish

        def small(message: Message, at_least_once: bool = False) -> bool:
            return len(message.payload) < 200 and publish(message, at_least_once)

        self.patch(self.client, "publish", small)
        self.assertEqual(self.fault("list")[0], faults.GATEWAY_FAILED)

    def test_where_no_answer_goes(self) -> None:
        """Nobody lets gateways talk to each other, or to the broker."""
        for topic in (
            *("a/+", "a/#", "a\0b", "\ud800", "$SYS/x", "$share/g/x", "x" * 70_000),
            *(TOPICS.request("forget"), TOPICS.state, TOPICS.events, TOPICS.info),
            "zbtwist/other/nodes/0013a200400a3e01/tx",
            "zbtwist/other/request/discover",
        ):
            before = len(self.client.published)
            self.say(TOPICS.request("list"), b"", response_topic=topic)
            said = [one.topic for one in self.client.published[before:]]
            self.assertNotIn(topic, said)
            self.assertEqual(self.site._desk.in_hand, 0)
        self.assertIn("and is not done", self.warnings()[0])
        self.assertEqual(len(self.warnings()), 2)

    def test_answers_below_a_site_that_are_nobodys(self) -> None:
        topic = "zbtwist/house/answers/1"
        self.other.subscribe(topic, self.answers.append)
        self.say(TOPICS.request("list"), b"", response_topic=topic)
        self.assertEqual(len(self.answers), 1)

    def test_what_the_broker_keeps_is_not_done(self) -> None:
        self.client.cut()
        for operation in ("rename", "list"):
            topic = TOPICS.request(operation)
            self.other.publish(Message(topic, b'["METER", "X"]', True, response_topic=ANSWER))
        self.connect_it()
        self.client.cut()
        self.connect_it()
        self.assertEqual(self.answers, [])
        self.assertEqual(self.node("METER").label, "METER")
        (line,) = self.warnings()
        self.assertIn("must not have it retained", line)

    # --- how many --------------------------------------------------------------------------------

    def test_one_that_is_out_of_date_is_not_done(self) -> None:
        turns = self.gateway._site.turns
        come: Deferred[None] = Deferred()
        self.patch(turns, "turn", lambda: come)
        self.say(TOPICS.request("list"), b"", response_topic=ANSWER, expires_after=1)
        self.run_for(1)
        come.callback(None)
        self.run_for(1)
        self.assertEqual(self.answers, [])
        self.assertEqual(self.site._desk.in_hand, 0)

    def test_ten_thousand_a_second(self) -> None:
        """So many are in hand, so many are told, and the log is not filled."""
        asked: list[Deferred[None]] = []

        def turn() -> Deferred[None]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(self.gateway._site.turns, "turn", turn)
        for _ in range(10_000):
            self.other.publish(Message(TOPICS.request("list"), b"", response_topic=ANSWER))
        self.assertEqual(len(asked), MAX_IN_HAND)
        self.assertEqual(len(self.answers), MAX_REFUSALS)
        self.assertEqual(self.answer()["fault"], faults.GATEWAY_FAILED)
        self.assertEqual(len(self.warnings()), 1)
        for one in asked:
            one.callback(None)
        self.run_for(1)
        self.assertEqual(len(self.answers), MAX_REFUSALS + MAX_IN_HAND)
        self.assertEqual(self.site._desk.in_hand, 0)

    def test_while_nothing_can_be_said_nothing_is_taken(self) -> None:
        self.client.is_full = True
        self.say(TOPICS.request("rename"), b'["METER", "MAINS"]', 3, response_topic=ANSWER)
        self.assertEqual((self.answers, self.node("METER").label), ([], "METER"))
        self.assertEqual(len(self.warnings()), 1)

    def test_work_is_shared_with_the_control_port(self) -> None:
        """One budget for all strangers, whatever door they come by."""
        turns = self.gateway._site.turns
        turns._debt = 10.0
        self.say(TOPICS.request("list"), b"", 1, response_topic=ANSWER)
        self.assertEqual(self.answers, [])
        self.run_for(10)
        self.assertEqual(len(self.answers), 1)

    # --- who may ---------------------------------------------------------------------------------

    def test_only_look(self) -> None:
        self.configure(commands="look")
        self.assertEqual(len(self.ask("list")["result"]), 3)
        number, text = self.fault("rename", ["METER", "MAINS"])
        self.assertEqual(number, faults.NOT_ALLOWED)
        self.assertIn("only look", text)
        self.assertEqual(self.fault("discover")[0], faults.NOT_ALLOWED)
        self.assertIn("result", self.ask("frames"))
        self.assertEqual(self.fault("frames", [True])[0], faults.NOT_ALLOWED)

    def test_nothing(self) -> None:
        self.configure(commands="none")
        number, text = self.fault("list")
        self.assertEqual(number, faults.NOT_ALLOWED)
        self.assertIn("let nobody ask", text)

    def test_the_default_is_all(self) -> None:
        self.assertEqual(MQTTSettings().commands, "all")
