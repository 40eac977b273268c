from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tests.site.support import ANSWER, TOPICS, SiteTestCase
from tests.support import RecordedLog, record_calls, record_log
from zbtwist.control import faults
from zbtwist.mqtt.interfaces import Message
from zbtwist.radio.errors import NoAnswer
from zbtwist.site.desk import MAX_IN_LINE

SECONDS = 2.0


class NodeSettingTests(SiteTestCase):
    def setUp(self) -> None:
        self.start()
        self.connect_it()
        self.log: RecordedLog = record_log(self)
        self.device = self.network.node("ECHO")

    def set(self, name: str, payload: bytes = b"", **more: Any) -> Any:
        topic = TOPICS.setting(self.node("ECHO").address64, name)
        self.say(topic, payload, SECONDS, response_topic=ANSWER, **more)
        return self.answer()

    def warnings(self) -> list[str]:
        return self.log.lines("warn", "zbtwist.site")

    def test_an_output(self) -> None:
        self.call(self.api.at("ECHO", "D4", 4))
        self.run_for(1)
        self.assertEqual(self.set("D4", b"high")["result"]["text"], "high")
        self.assertEqual(self.kept_of("ECHO")["pins"]["D4"]["value"], 1)
        self.assertEqual(self.set("DIO4", b"OFF")["result"]["text"], "low")
        self.assertEqual(self.kept_of("ECHO")["pins"]["D4"]["value"], 0)

    def test_an_input_is_made_no_output(self) -> None:
        self.call(self.api.at("ECHO", "D1", 3))
        self.run_for(1)
        self.assertEqual(self.set("D1", b"high")["fault"], faults.BAD_VALUE)

    def test_a_duty_cycle(self) -> None:
        self.call(self.api.at("ECHO", "P0", 2))
        self.run_for(1)
        asked = record_calls(self, self.gateway.network, "remote_at")
        self.set("P0", b"512")
        self.assertEqual([call[1:] for call in asked], [("M0", b"\2\0")])
        self.assertEqual(self.set("P0", b"1024")["fault"], faults.BAD_VALUE)
        self.assertEqual(self.set("P0", b"high")["fault"], faults.BAD_VALUE)

    def test_a_duty_cycle_of_what_has_none(self) -> None:
        said = self.set("P0", b"500")
        self.assertEqual(said["fault"], faults.BAD_VALUE)
        self.assertIn("It is not known whether P0 of ECHO", said["text"])
        self.call(self.api.at("ECHO", "P0"))
        self.run_for(1)
        said = self.set("P0", b"500")
        self.assertEqual(said["fault"], faults.BAD_VALUE)
        self.assertRegex(
            said["text"],
            r"^P0 of ECHO \(.*\) is no PWM output, and has no duty cycle: set its P0 to 2 with ",
        )
        self.call(self.api.at("ECHO", "P0", 4))
        self.run_for(1)
        self.assertIn("is no PWM output", self.set("P0", b"500")["text"])
        self.assertEqual(self.set("P0", b"1")["result"]["text"], "high")

    def test_text_that_is_none(self) -> None:
        said = self.set("label", b"\xff\xfe")
        self.assertEqual(said["text"], "It is not UTF-8: its bytes are ff fe.")
        said = self.set("label", b"\xff" * 50)
        self.assertTrue(said["text"].endswith(" ff ff …."), said["text"])

    def test_its_name(self) -> None:
        address64 = self.node("ECHO").address64
        self.assertEqual(self.set("label", "Küche".encode()), {"result": True})
        self.assertEqual(self.kept(TOPICS.node(address64))["label"], "Küche")

    def test_what_it_is_told_to_do(self) -> None:
        self.assertEqual(self.set("identify", b"whatever \xff"), {"result": True})
        rows = self.set("sample", b"1")["result"]
        self.assertEqual([row["name"] for row in rows], ["supply"])
        self.assertEqual(self.set("restart", b"PRESS"), {"result": True})

    def test_what_is_wrong(self) -> None:
        for name, payload, number in (
            ("D4", b"perhaps", faults.BAD_VALUE),
            ("D4", b"\xff", faults.BAD_REQUEST),
            ("D4", b"x" * 101, faults.BAD_REQUEST),
            ("Z9", b"high", faults.BAD_VALUE),
            ("label", b"", faults.BAD_REQUEST),
            ("restart", b"", faults.BAD_REQUEST),
            ("label", b"x" * 21, faults.BAD_VALUE),
            ("", b"high", faults.BAD_VALUE),
        ):
            self.assertEqual(self.set(name, payload)["fault"], number, (name, payload))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nodes_that_there_are_not(self) -> None:
        for level in ("0013a200ffffffff", "ECHO", "0013A200400A3E03", "", "0000000000000000"):
            self.say(f"zbtwist/house/nodes/{level}/set/D4", b"high", response_topic=ANSWER)
            self.assertEqual(self.answer()["fault"], faults.UNKNOWN_NODE, level)

    def test_a_node_that_is_off(self) -> None:
        self.set_port("ECHO", mqtt="off")
        self.assertEqual(self.set("label", b"X")["fault"], faults.NOT_ALLOWED)

    def test_who_may_only_look_sets_nothing(self) -> None:
        self.configure(commands="look")
        self.assertEqual(self.set("label", b"X")["fault"], faults.NOT_ALLOWED)
        self.configure(commands="none")
        self.set("label", b"X")
        self.assertEqual(self.node("ECHO").label, "ECHO")

    def test_without_an_answer_it_is_said_in_the_log(self) -> None:
        topic = TOPICS.setting(self.node("ECHO").address64, "D1")
        self.say(topic, b"high", SECONDS)
        (line,) = self.warnings()
        self.assertIn("is no output", line)
        self.say(topic, b"high", SECONDS)
        # Another of its kind is not said so soon, one of another kind is.
        self.say(TOPICS.request("rename"), b'["NOBODY", "MAINS"]', SECONDS)
        self.assertEqual(len(self.warnings()), 2)
        self.assertIn("No node is called 'NOBODY'", self.warnings()[1])

    def test_what_the_broker_keeps_is_not_done(self) -> None:
        topic = TOPICS.setting(self.node("ECHO").address64, "label")
        self.client.cut()
        self.other.publish(Message(topic, b"X", retained=True))
        self.connect_it()
        self.assertEqual(self.node("ECHO").label, "ECHO")
        self.assertEqual(len(self.warnings()), 1)
        # What is said while it is there is done, whatever the broker does with it besides.
        self.other.publish(Message(topic, b"Y", retained=True))
        self.run_for(SECONDS)
        self.assertEqual(self.node("Y").address64, self.device.address64)

    def test_who_removes_a_message_sets_nothing(self) -> None:
        """Tools do, of all that a broker keeps."""
        asked = record_calls(self, self.gateway.network, "remote_at")
        for name in ("restart", "D4", "label", "identify"):
            topic = TOPICS.setting(self.node("ECHO").address64, name)
            self.say(topic, b"", SECONDS, retained=True)
        self.say(TOPICS.request("discover"), b"", SECONDS, retained=True)
        self.assertEqual((asked, self.warnings()), ([], []))

    def test_one_after_the_other(self) -> None:
        self.call(self.api.at("ECHO", "D4", 4))
        self.run_for(1)
        asked = record_calls(self, self.gateway.network, "remote_at")
        topic = TOPICS.setting(self.node("ECHO").address64, "D4")
        for payload in (b"high", b"low", b"high"):
            self.other.publish(Message(topic, payload))
        self.run_for(3)
        self.assertEqual([call[2] for call in asked], [b"", b"\5", b"", b"\4", b"", b"\5"])

    def test_a_node_that_does_not_answer_takes_no_place_of_others(self) -> None:
        asked: list[Deferred[bytes]] = []

        def remote_at(*_: object, **__: object) -> Deferred[bytes]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(self.gateway.network, "remote_at", remote_at)
        topic = TOPICS.setting(self.node("ECHO").address64, "D4")
        for _ in range(100):
            self.other.publish(Message(topic, b"high", response_topic=ANSWER))
        self.assertEqual(self.site._desk.in_hand, MAX_IN_LINE)
        self.assertEqual(len(self.ask("list")["result"]), 3)
        while asked:
            asked.pop().errback(NoAnswer("It does not answer."))
            self.run_for(0.1)
        self.assertEqual((self.site._desk.in_hand, self.site._desk._lines), (0, {}))

    def test_addresses_that_are_made_up_leave_nothing_behind(self) -> None:
        for number in range(1000):
            self.say(f"zbtwist/house/nodes/{number:016x}/set/D4", b"high", 0.001)
        self.run_for(2)
        self.assertEqual((self.site._desk.in_hand, self.site._desk._lines), (0, {}))
