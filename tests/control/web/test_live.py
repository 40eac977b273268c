"""``/live``: what pages are told, and what they can ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from wsproto.events import TextMessage

from tests.control.web.support import ConsoleTestCase, Page
from tests.control.web.test_traffic import unpacked
from tests.support import present, producer_of
from zbtwist.config.settings import Settings
from zbtwist.control.faults import (
    BAD_PORT,
    BAD_REQUEST,
    BAD_VALUE,
    GATEWAY_FAILED,
    NO_SUCH_METHOD,
    PORT_TAKEN,
    RADIO_OFFLINE,
    UNKNOWN_NODE,
)
from zbtwist.control.http.users import User
from zbtwist.control.web import live
from zbtwist.control.web.calls import Calls
from zbtwist.control.web.live import (
    CALLS_AT_ONCE,
    CALLS_PER_SECOND,
    INTERVAL,
    MAX_CALLS,
    MAX_LOAD,
    SOON,
)
from zbtwist.control.web.sockets import MAX_MESSAGE, POLICY
from zbtwist.control.web.traffic import INTERVAL as TRAFFIC_INTERVAL
from zbtwist.control.web.view import Changes, View
from zbtwist.health.service import ROUND
from zbtwist.xbee.address import Address16, Address64, format_address64
from zbtwist.xbee.frames import ReceivePacket

HOSTILE = "<img src=x onerror=alert(1)>"

#: What the page relies on, and of which type it is.
GATEWAY = {
    "version": str,
    "started": int,
    "nodes": int,
    "clients": int,
    "control": str,
    "state": str,
    "problem": str,
    "interface": str,
    "interface_local": bool,
    "warnings": int,
    "neighbours": int,
    "walk": list,
}
RADIO = {
    "up": bool,
    "problem": str,
    "name": str,
    "address": str,
    "firmware": str,
    "hardware": str,
    "pan": str,
    "channel": int,
    "api_mode": int,
    "payload": int,
    "joined": bool,
    "frames_received": int,
    "bad_frames": int,
}
NODE = {
    "address": str,
    "name": str,
    "label": str,
    "short": str,
    "parent": str,
    "type": str,
    "device": str,
    "device_type": str,
    "port": int,
    "by_hand": bool,
    "problem": str,
    "unbound": bool,
    "told": type(None),
    "clients": int,
    "bytes_received": int,
    "bytes_sent": int,
    "packets_received": int,
    "packets_sent": int,
    "retries": int,
    "failures": int,
    "bytes_lost": int,
    "queued": int,
    "site": str,
    "last_seen": int,
    "signal": (int, type(None)),
    "route": (list, type(None)),
    "temperature": (float, type(None)),
    "health": str,
    "health_since": int,
    "health_text": str,
}


class LiveTestCase(ConsoleTestCase):
    def opened(self) -> tuple[Page, dict[str, Any]]:
        """Return a page, and the snapshot that it was sent."""
        page = self.open()
        [snapshot] = page.messages()
        self.assertEqual(snapshot["type"], "snapshot")
        self.run_for(2 * INTERVAL)
        page.texts()
        return page, snapshot

    def changes(self, page: Page) -> dict[str, Any]:
        """Wait a second; return the one message that comes, whose nodes are by address."""
        self.run_for(INTERVAL)
        [message] = page.messages()
        self.assertEqual(message["type"], "changes")
        message["nodes"] = {node.pop("address"): node for node in message["nodes"]}
        return message  # type: ignore[no-any-return]

    def answer(self, page: Page, name: str, *arguments: object) -> Any:
        """Return the result of a call, or the number of its fault."""
        page.call(name, *arguments)
        for _ in range(100):
            for message in page.messages():
                if message["type"] == "answer":
                    self.assertEqual(message["id"], 1)
                    if "fault" in message:
                        fault = message["fault"]
                        self.assertTrue(fault["text"].endswith("."), fault["text"])
                        self.sentence = fault["text"]
                        return fault["code"]
                    return message["result"]
            self.run_for(0.1)
        raise AssertionError("no answer")


class Telling(LiveTestCase):
    def assertTypes(self, values: dict[str, Any], types: dict[str, Any]) -> None:
        self.assertEqual(values.keys(), types.keys())
        for name, value in values.items():
            self.assertIsInstance(value, types[name], name)

    def test_everything_at_first(self) -> None:
        _, snapshot = self.opened()
        self.assertEqual(snapshot.keys(), {"type", "time", "gateway", "radio", "nodes", "traffic"})
        self.assertTypes(snapshot["gateway"], GATEWAY)
        self.assertTypes(snapshot["radio"], RADIO)
        for node in snapshot["nodes"]:
            self.assertTypes(node, NODE)
        self.assertEqual(
            {node["label"]: node["port"] for node in snapshot["nodes"]},
            {row["label"]: row["tcp_port"] for row in self.gateway.api.list_nodes()},
        )
        self.assertEqual(snapshot["gateway"]["control"], "27000")
        self.assertTrue(snapshot["gateway"]["interface_local"])
        self.assertTrue(snapshot["radio"]["up"])
        self.assertEqual(snapshot["radio"]["name"], self.settings.serial)

    def test_radio_that_is_in_no_network(self) -> None:
        page, snapshot = self.opened()
        self.assertGreater(snapshot["radio"]["channel"], 0)
        coordinator = self.gateway.radio.coordinator
        coordinator.facts = replace(present(coordinator.facts), association=0x21, channel=20)
        changes = self.changes(page)
        self.assertEqual(
            changes["radio"],
            {
                "joined": False,
                "problem": "The radio is joining: no PAN found (AI=21).",
                "channel": 20,
            },
        )

    def test_only_what_has_changed(self) -> None:
        page, _ = self.opened()
        self.run_for(10)
        self.assertEqual(page.texts(), [], "nothing has changed")
        node = self.node("ECHO")
        node.signal = 0x2A
        node.route = (Address16(0x12), Address16(0xABCD))
        node.temperature = 21.54321
        self.port("ECHO").deliver(b"12345")
        changes = self.changes(page)
        self.assertEqual(
            changes["nodes"],
            {
                "00:13:a2:00:40:0a:3e:03": {
                    "signal": 42,
                    "route": ["0012", "abcd"],
                    "temperature": 21.5,
                    "bytes_received": 5,
                    "packets_received": 1,
                }
            },
        )
        self.assertEqual((changes["gateway"], changes["gone"]), ({}, []))

    def test_nodes_that_come_and_go(self) -> None:
        page, snapshot = self.opened()
        newcomer = self.gateway.network.nodes.add(Address64(0x0013A200_00000042))
        assert newcomer is not None
        changes = self.changes(page)
        row = changes["nodes"]["00:13:a2:00:00:00:00:42"]
        self.assertTypes({**row, "address": ""}, NODE)
        self.assertEqual((row["port"], row["short"], row["last_seen"]), (0, "", 0))
        self.assertEqual(changes["gateway"], {"nodes": snapshot["gateway"]["nodes"] + 1})
        self.gateway.network.nodes.remove(newcomer)
        self.assertEqual(self.changes(page)["gone"], ["00:13:a2:00:00:00:00:42"])

    def test_traffic_of_ten_minutes(self) -> None:
        """It comes with everything, and then what passes in each interval."""
        self.port("ECHO").deliver(b"12345")
        self.run_for(TRAFFIC_INTERVAL)
        page, snapshot = self.opened()
        traffic = snapshot["traffic"]
        echo = "00:13:a2:00:40:0a:3e:03"
        self.assertEqual(traffic["interval"], TRAFFIC_INTERVAL)
        self.assertEqual(self.sums(traffic, traffic["nodes"][echo]), [5, 0, 0])
        self.assertEqual(self.sums(traffic, traffic["all"]), [5, 0, 0])
        self.port("ECHO").deliver(b"123")
        self.port("ECHO").outbound.bytes_lost += 7
        self.run_for(TRAFFIC_INTERVAL)
        [*_, message] = [one for one in page.messages() if one["traffic"]]
        self.assertEqual(message["traffic"]["number"], traffic["number"] + 1)
        self.assertEqual(message["traffic"]["count"], 1)
        self.assertEqual(unpacked(message["traffic"]["nodes"][echo], 1), ([3], [0], [7]))
        other = self.open()
        [again] = other.messages()
        self.assertEqual(self.sums(again["traffic"], again["traffic"]["nodes"][echo]), [8, 0, 7])

    def sums(self, traffic: dict[str, Any], texts: list[str]) -> list[int]:
        return [sum(values) for values in unpacked(texts, traffic["count"])]

    def test_health(self) -> None:
        """How nodes are, and why, is told at once when it changes."""
        page, snapshot = self.opened()
        [row] = [row for row in snapshot["nodes"] if row["label"] == "ECHO"]
        self.assertEqual((row["health"], row["health_text"]), ("ok", ""))
        outbound = self.port("ECHO").outbound
        outbound.failures += 58
        self.run_for(ROUND)
        told: dict[str, Any] = {}
        for message in page.messages():
            for node in message["nodes"]:
                told.update(node if node["address"] == row["address"] else {})
        self.assertEqual(told["health"], "not-answering")
        self.assertIn("58 packets got no acknowledgement", told["health_text"])
        self.assertGreater(told["health_since"], 0)

    def test_time_of_day_that_is_set(self) -> None:
        """When the gateway started follows it."""
        page, snapshot = self.opened()
        nodes = self.gateway.network.nodes
        wall = nodes.wall
        self.patch(nodes, "wall", lambda: wall() + 1e6)
        self.assertEqual(
            self.changes(page)["gateway"], {"started": snapshot["gateway"]["started"] + 1_000_000}
        )

    def test_warnings_are_counted(self) -> None:
        page, snapshot = self.opened()
        self.assertEqual(snapshot["gateway"]["warnings"], 0)
        Logger("zbtwist.test").warn("Beware.")
        Logger("zbtwist.test").info("Nothing.")
        self.assertEqual(self.changes(page)["gateway"], {"warnings": 1})

    def test_radio_that_is_lost(self) -> None:
        page, _ = self.opened()
        self.gateway.radio.coordinator.link_down("The adapter was unplugged.")
        changes = self.changes(page)["radio"]
        self.assertEqual(changes["problem"], "The adapter was unplugged.")
        self.assertEqual((changes["up"], changes["address"], changes["channel"]), (False, "", 0))

    def test_names_that_mean_harm_are_text(self) -> None:
        node = self.node("ECHO")
        node.label = node.name = HOSTILE
        page = self.open()
        [snapshot] = page.messages()
        [row] = [row for row in snapshot["nodes"] if row["label"] == HOSTILE]
        self.assertEqual(row["name"], HOSTILE)


class Viewers(LiveTestCase):
    def looks(self) -> list[int]:
        """Have the looks at the gateway counted."""
        counts = [0]
        look = View.look

        def counted(view: View) -> Changes:
            counts[0] += 1
            return look(view)

        self.patch(View, "look", counted)
        return counts

    def test_nobody_looks_while_there_is_no_viewer(self) -> None:
        looks = self.looks()
        page = self.open()
        page.lose()
        counted = looks[0]
        self.assertEqual(counted, 1)
        self.run_for(5)
        self.assertEqual(looks[0], counted)

    def test_looks_that_take_long_are_rare(self) -> None:
        """They take no more than their part of the time, also if pages ask for what is new."""
        page = self.open()
        now = [0.0]
        looks: list[float] = []
        look = View.look

        def slow(view: View) -> Changes:
            looks.append(self.reactor.seconds())
            now[0] += 0.3
            return look(view)

        self.patch(View, "look", slow)
        self.patch(live, "perf_counter", lambda: now[0])
        self.run_for(30)
        pauses = [after - before for before, after in pairwise(looks)]
        self.assertEqual(len(pauses), 4)
        for pause in pauses:
            self.assertLess(abs(pause - 0.3 / MAX_LOAD), 0.1)
        looks.clear()
        for _ in range(300):
            page.call("bind", "ECHO", 31234)
            self.run_for(0.1)
        self.assertIn(len(looks), (5, 6))

    def test_calls_do_not_put_the_next_look_off(self) -> None:
        page, _ = self.opened()
        looks = self.looks()
        for _ in range(100):
            page.call("bind", "ECHO", 31234)
            self.reactor.advance(SOON / 2)
        self.assertGreater(looks[0], 10)

    def test_ten_viewers_share_one_look(self) -> None:
        self.run_for(5)
        looks = self.looks()
        pages = [self.open() for _ in range(10)]
        self.assertEqual(looks[0], 1)
        snapshots = {page.texts()[0] for page in pages}
        self.assertEqual(len(snapshots), 1)
        self.port("ECHO").deliver(b"x")
        self.run_for(INTERVAL)
        self.assertEqual(looks[0], 2)
        self.assertEqual(len({tuple(page.texts()) for page in pages}), 1)

    def test_one_that_comes_later_fits_in(self) -> None:
        """It is told of changes from what it was shown."""
        first, _ = self.opened()
        self.port("ECHO").deliver(b"x")
        second = self.open()
        [snapshot] = second.messages()
        [row] = [row for row in snapshot["nodes"] if row["label"] == "ECHO"]
        self.assertEqual(row["bytes_received"], 0)
        for page in (first, second):
            [row] = (
                self.changes(page)["nodes"].values()
                if page is first
                else [{**node} for node in page.messages()[0]["nodes"]]
            )
            self.assertEqual(row["bytes_received"], 1)

    def test_one_that_comes_later_soon_sees_what_is(self) -> None:
        """What it was shown first may be as old as the last look."""
        self.opened()
        self.run_for(INTERVAL / 2)
        self.successResultOf(Deferred.fromCoroutine(self.gateway.api.remove_mapping("ECHO")))
        second = self.open()
        second.texts()
        self.run_for(SOON)
        [changes] = second.messages()
        [row] = changes["nodes"]
        self.assertEqual((row["port"], row["unbound"]), (0, True))

    def test_slow_one_gets_everything_anew(self) -> None:
        """Nothing piles up for it, and others are not kept waiting."""
        slow, _ = self.opened()
        quick = self.open()
        quick.texts()
        producer_of(slow.transport).pauseProducing()
        for _ in range(5):
            self.port("ECHO").deliver(b"x")
            self.run_for(INTERVAL)
            self.assertEqual(len(quick.messages()), 1)
        self.assertEqual(slow.transport.value(), b"")
        producer_of(slow.transport).resumeProducing()
        self.run_for(INTERVAL)
        [snapshot] = slow.messages()
        self.assertEqual(snapshot["type"], "snapshot")
        [row] = [row for row in snapshot["nodes"] if row["label"] == "ECHO"]
        self.assertEqual(row["bytes_received"], 5)
        self.port("ECHO").deliver(b"x")
        self.assertEqual(len(self.changes(slow)["nodes"]), 1)

    def test_slow_one_that_missed_nothing(self) -> None:
        page, _ = self.opened()
        producer_of(page.transport).pauseProducing()
        self.run_for(3 * INTERVAL)
        producer_of(page.transport).resumeProducing()
        self.run_for(3 * INTERVAL)
        self.assertEqual(page.texts(), [])

    def test_a_mistake_of_ours_is_logged_and_the_feed_goes_on(self) -> None:
        page, _ = self.opened()
        node = self.node("ECHO")
        node.temperature = "hot"  # type: ignore[assignment]
        self.run_for(INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        node.temperature = 21.0
        self.assertEqual(len(self.changes(page)["nodes"]), 1)

    def test_signals_are_measured_while_somebody_looks(self) -> None:
        page, _ = self.opened()
        sender = self.node("ECHO")
        frame = ReceivePacket(sender.address64, sender.address16, 1, b"x")
        self.gateway.radio.coordinator.hearers.hear(frame)
        self.run_for(INTERVAL)
        self.assertIsNotNone(sender.signal)
        page.lose()
        asked: list[object] = []

        async def at(command: str) -> bytes:
            asked.append(command)
            return b"\x20"

        self.patch(self.gateway.radio.coordinator, "at", at)
        for _ in range(10):
            self.run_for(INTERVAL)
            self.gateway.radio.coordinator.hearers.hear(frame)
        self.assertEqual(asked, [])


class Signals(LiveTestCase):
    settings = Settings(serial="sim:nodes=8")

    def test_all_nodes_that_speak(self) -> None:
        """Also if they send at the same time."""
        page = self.open()
        self.run_for(15)
        signals: dict[str, int | None] = {}
        for message in page.messages():
            for node in message["nodes"]:
                if "signal" in node:
                    signals[node["address"]] = node["signal"]
        meters = {
            format_address64(node.address64)
            for node in self.gateway.network.nodes
            if node.label is not None and node.label.startswith("METER")
        }
        self.assertEqual({address for address, signal in signals.items() if signal}, meters)
        self.assertEqual(len(meters), 3)


class Calling(LiveTestCase):
    def test_discover(self) -> None:
        page, snapshot = self.opened()
        page.call("discover", number="d1")
        self.run_for(4)
        messages = [one for one in page.messages() if one["type"] != "changes"]
        *progress, answer = messages
        self.assertGreaterEqual(len(progress), 2)
        for message in progress:
            self.assertEqual((message["type"], message["id"]), ("progress", "d1"))
            self.assertEqual(message["total"], 0.3)
        elapsed = [message["elapsed"] for message in progress]
        self.assertEqual(elapsed, sorted(set(elapsed)))
        self.assertEqual(progress[-1]["found"], len(snapshot["nodes"]))
        self.assertEqual(answer, {"type": "answer", "id": "d1", "result": len(snapshot["nodes"])})
        self.run_for(4)
        self.assertNotIn("progress", str(page.texts()))

    def test_discover_without_a_radio(self) -> None:
        page, _ = self.opened()
        self.gateway.radio.coordinator.link_down("The adapter was unplugged.")
        self.assertEqual(self.answer(page, "discover"), RADIO_OFFLINE)
        self.assertEqual(self.sentence, "The adapter was unplugged.")

    def test_page_that_goes_during_a_search(self) -> None:
        page, _ = self.opened()
        page.call("discover")
        page.lose()
        self.run_for(5)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_rename(self) -> None:
        page, _ = self.opened()
        self.assertEqual(self.answer(page, "rename", "ECHO", HOSTILE[:20]), True)
        self.assertEqual(self.node(HOSTILE[:20]).address64, 0x0013A200_400A3E03)
        self.assertEqual(self.answer(page, "rename", "NOBODY", "x"), UNKNOWN_NODE)

    def test_bind_and_unbind(self) -> None:
        page, snapshot = self.opened()
        self.assertEqual(self.answer(page, "bind", "ECHO", 31234), True)
        self.assertEqual(self.port("ECHO").slot, 31234)
        other = next(row for row in snapshot["nodes"] if row["label"] != "ECHO")
        self.assertEqual(self.answer(page, "bind", "ECHO", other["port"]), PORT_TAKEN)
        self.assertIn(other["label"], self.sentence)
        self.assertEqual(self.answer(page, "unbind", "ECHO"), True)

    def test_what_a_call_has_changed_is_seen_at_once(self) -> None:
        page, _ = self.opened()
        self.run_for(INTERVAL / 2)
        page.texts()
        page.call("unbind", "ECHO")
        self.run_for(SOON)
        answer, changes = page.messages()
        self.assertEqual(answer["result"], True)
        [row] = changes["nodes"]
        self.assertEqual((row["port"], row["unbound"]), (0, True))

    def test_what_others_have_changed_is_seen_at_once(self) -> None:
        """A port that moves, a client that comes: who looks does not wait for the next look."""
        page, _ = self.opened()
        self.run_for(INTERVAL / 2)
        page.texts()
        self.successResultOf(Deferred.fromCoroutine(self.gateway.api.remove_mapping("ECHO")))
        self.run_for(SOON)
        [changes] = page.messages()
        [row] = changes["nodes"]
        self.assertEqual((row["port"], row["unbound"]), (0, True))

    def test_temperatures(self) -> None:
        page, _ = self.opened()
        count = self.answer(page, "temperatures")
        self.run_for(INTERVAL)
        rows = self.open().messages()[0]["nodes"]
        self.assertEqual(sum(row["temperature"] is not None for row in rows), count)
        self.assertGreater(count, 0)

    def test_traffic(self) -> None:
        page, _ = self.opened()
        self.port("ECHO").deliver(b"x" * 100)
        self.run_for(10)
        for address in ("ECHO", "00:13:a2:00:40:0a:3e:03", ""):
            traffic = self.answer(page, "traffic", address)
            self.assertEqual(traffic.keys(), {"interval", "end", "received", "sent", "lost"})
            self.assertEqual(sum(traffic["received"]), 100)
        self.assertEqual(self.answer(page, "traffic", "NOBODY"), UNKNOWN_NODE)

    def test_frames(self) -> None:
        page, _ = self.opened()
        off = {"all": False, "nodes": [], "file": ""}
        self.assertEqual(self.answer(page, "frames"), off)
        self.assertEqual(self.answer(page, "frames", "on", ""), {**off, "all": True})
        self.assertEqual(self.answer(page, "frames", "off", ""), off)
        one = self.answer(page, "frames", "on", "ECHO")
        self.assertEqual(one["nodes"], ["00:13:a2:00:40:0a:3e:03"])
        self.assertEqual(self.answer(page, "frames", "off", "ECHO"), off)
        self.assertEqual(self.answer(page, "frames", "maybe", ""), BAD_VALUE)
        self.assertEqual(self.answer(page, "frames", "on", "NOBODY"), UNKNOWN_NODE)

    def test_calls_that_make_no_sense(self) -> None:
        page, _ = self.opened()
        for name, arguments, expected in (
            ("nonsense", [], NO_SUCH_METHOD),
            ("list", [], NO_SUCH_METHOD),
            ("__init__", [], NO_SUCH_METHOD),
            ("discover", [1], BAD_REQUEST),
            ("rename", ["ECHO"], BAD_REQUEST),
            ("rename", ["ECHO", None], BAD_REQUEST),
            ("rename", [["ECHO"], {}], BAD_REQUEST),
            ("rename", ["ECHO", "\ud800"], BAD_REQUEST),
            ("bind", ["ECHO", "x"], BAD_PORT),
            ("bind", ["ECHO", True], BAD_REQUEST),
            ("bind", ["ECHO", 1e300], BAD_REQUEST),
            ("traffic", [], BAD_REQUEST),
            ("frames", [True, ""], BAD_REQUEST),
            ("x" * 10000, [], NO_SUCH_METHOD),
        ):
            self.assertEqual(self.answer(page, name, *arguments), expected, name[:20])
            self.assertLess(len(self.sentence), 300)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_messages_that_are_no_calls(self) -> None:
        for message in (
            "",
            "hello",
            "[1, 2",
            "[" * 20000,
            "1" * 10000,
            "null",
            "[]",
            "{}",
            '{"id": 1, "call": "discover"}',
            '{"id": null, "call": "discover", "arguments": []}',
            '{"id": 1, "call": 7, "arguments": []}',
            '{"id": 1, "call": "discover", "arguments": {}}',
            f'{{"id": "{"x" * 1000}", "call": "discover", "arguments": []}}',
        ):
            page = self.open()
            page.texts()
            page.send(TextMessage(message))
            self.turns()
            page.read()
            self.assertEqual(page.closed, POLICY, message[:60])
            page.lose()
        self.assertLess(20000, MAX_MESSAGE)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_number_of_calls_is_bounded(self) -> None:
        page, _ = self.opened()
        for number in range(MAX_CALLS + 3):
            page.call("discover", number=number)
        self.run_for((MAX_CALLS + 3) / CALLS_PER_SECOND)
        refused = [one for one in page.messages() if one["type"] == "answer"]
        self.assertEqual([one["id"] for one in refused], list(range(MAX_CALLS, MAX_CALLS + 3)))
        self.assertEqual({one["fault"]["code"] for one in refused}, {GATEWAY_FAILED})
        self.run_for(5)
        done = [one for one in page.messages() if one["type"] == "answer"]
        self.assertEqual(len(done), MAX_CALLS)
        self.assertEqual(self.answer(page, "unbind", "ECHO"), True)

    def flood(self, page: Page, calls: int) -> None:
        """Send so many calls that are answered at once, in one read."""
        call = json.dumps({"id": 1, "call": "nothing", "arguments": []})
        page.send_raw(b"".join(page.websocket.send(TextMessage(call)) for _ in range(calls)))

    def test_many_calls_in_one_read(self) -> None:
        """Few are taken in one turn of the reactor, and not too many in a second; none is lost."""
        page, _ = self.opened()
        self.flood(page, 650)
        answers = len(page.texts())
        self.assertEqual(answers, CALLS_AT_ONCE)
        self.assertEqual(page.transport.producerState, "paused")
        for _ in range(12 * 20):
            self.run_for(0.05)
            last, answers = answers, answers + len(page.texts())
            self.assertLessEqual(answers - last, 0.05 * CALLS_PER_SECOND + 1)
        self.assertLess(abs(answers - 12 * CALLS_PER_SECOND), 20)
        self.assertEqual(page.transport.producerState, "paused")
        self.run_for(2)
        self.assertEqual(answers + len(page.texts()), 650)
        self.assertEqual(page.transport.producerState, "producing")
        self.run_for(1)
        self.flood(page, CALLS_AT_ONCE)
        self.assertEqual(len(page.texts()), CALLS_AT_ONCE)

    def test_others_get_their_turn(self) -> None:
        """A page that calls all the time is not who is served all the time."""
        busy, _ = self.opened()
        other = self.open()
        other.texts()
        taken = 0
        call = Calls.call

        def counted(calls: Calls, name: str, arguments: list[Any], user: User) -> Any:
            nonlocal taken
            taken += 1
            return call(calls, name, arguments, user)

        self.patch(Calls, "call", counted)
        self.flood(busy, 650)
        self.assertLessEqual(taken, CALLS_AT_ONCE)
        other.call("frames")
        [answer] = other.messages()
        self.assertEqual(answer["type"], "answer")
        self.assertLessEqual(taken, CALLS_AT_ONCE + 1)

    def test_page_that_goes_while_its_calls_wait(self) -> None:
        page, _ = self.opened()
        self.flood(page, 100)
        page.lose()
        page.texts()
        self.run_for(1)
        self.assertEqual(page.texts(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_call_after_which_the_page_is_closed(self) -> None:
        """What it said after that is not heard."""
        page, _ = self.opened()
        taken: list[str] = []
        self.patch(Calls, "call", lambda calls, name, arguments: taken.append(name))
        page.send_raw(page.websocket.send(TextMessage("nonsense")))
        page.call("frames")
        self.run_for(1)
        page.read()
        self.assertEqual((page.closed, taken), (POLICY, []))

    def test_mistake_of_ours(self) -> None:
        page, _ = self.opened()

        async def fails(*arguments: object) -> None:
            raise ValueError("secret")

        self.patch(self.gateway.api, "rename", fails)
        self.assertEqual(self.answer(page, "rename", "ECHO", "x"), GATEWAY_FAILED)
        self.assertNotIn("secret", self.sentence)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def read_settings(self, page: Page) -> dict[str, dict[str, Any]]:
        """Return the rows of METER's settings by their commands."""
        page.call("settings", "METER")
        self.run_for(20)
        (answer,) = (one for one in page.messages() if one["type"] == "answer")
        return {row["command"]: row for row in answer["result"]}

    def test_settings(self) -> None:
        """What is no number in JavaScript is hexadecimal digits."""
        page, _ = self.opened()
        rows = self.read_settings(page)
        self.assertEqual(rows["BD"]["value"], 3)
        self.assertRegex(rows["OP"]["value"], "^[0-9a-f]{16}$")
        self.assertTrue(rows["ID"]["why"])

    def test_settings_that_are_kept(self) -> None:
        """They are shown without asking the node, and follow what is set."""
        page, _ = self.opened()
        self.assertEqual(self.answer(page, "known_settings", "METER"), [])
        self.read_settings(page)
        rows = {row["command"]: row for row in self.answer(page, "known_settings", "METER")}
        self.assertEqual((rows["BD"]["text"], rows["D1"]["stored"]), ("9600 bit/s", True))
        self.assertNotIn("OP", rows)
        row = self.answer(page, "set_setting", "METER", "D1", 5)
        self.assertEqual(
            (row["command"], row["value"], row["text"], row["stored"]),
            ("D1", 5, "output high", False),
        )
        rows = {row["command"]: row for row in self.answer(page, "known_settings", "METER")}
        self.assertEqual(rows["D1"], row)
        self.assertEqual(self.answer(page, "at", "METER", "WR"), "")
        rows = {row["command"]: row for row in self.answer(page, "known_settings", "METER")}
        self.assertTrue(rows["D1"]["stored"])

    def test_settings_that_are_no_numbers_in_javascript(self) -> None:
        page, _ = self.opened()
        row = self.answer(page, "set_setting", "METER", "ID", "00aabbccddeeff01", True)
        self.assertEqual(row["value"], "00aabbccddeeff01")
        self.assertEqual(self.answer(page, "set_setting", "METER", "ID", "xyz", True), BAD_VALUE)
        self.assertIn("hexadecimal", self.sentence)
        self.assertEqual(self.answer(page, "set_setting", "METER", "CB", 1), BAD_VALUE)
        self.assertEqual(
            self.answer(page, "set_setting", "METER", "NI", "cellar")["text"], "cellar"
        )

    def test_all_of_a_node(self) -> None:
        """Its settings are asked for in another way."""
        page, _ = self.opened()
        self.read_settings(page)
        row = self.answer(page, "show", "METER")
        self.assertGreater(row["settings_read"], 0)
        self.assertEqual((row["firmware"], row["health"]), ("4060", "ok"))
        # A number says whether they are others.
        self.assertIsInstance(row["settings"], int)
        self.assertEqual(self.answer(page, "show", "METER")["settings"], row["settings"])
        self.answer(page, "at", "METER", "D3", 5)
        self.assertNotEqual(self.answer(page, "show", "METER")["settings"], row["settings"])

    def test_what_is_done_to_a_node(self) -> None:
        """What the page calls is what the operations are called for it."""
        page, _ = self.opened()
        tested = self.answer(page, "test", "ECHO", 2)
        self.assertEqual((tested["received"], tested["running"]), (2, False))
        self.assertEqual(self.answer(page, "test_result", "ECHO"), tested)
        self.assertEqual(self.answer(page, "identify", "ECHO"), True)
        self.assertIn("supply", [row["name"] for row in self.answer(page, "sample", "ECHO")])
        self.assertEqual(self.answer(page, "set_pin", "ECHO", "D1", "high"), BAD_VALUE)
        row = self.answer(page, "set_pin", "ECHO", "D1", "high", True)
        self.assertEqual((row["name"], row["text"]), ("DIO1", "high"))
        self.assertEqual(self.answer(page, "disconnect", "1.2.3.4:5"), BAD_VALUE)
        self.assertEqual(self.answer(page, "restart", "ECHO"), True)
        mine, other = self.port("ECHO").number, self.port("METER").number
        self.assertEqual(self.answer(page, "bind_all", [["ECHO", other], ["METER", mine]]), True)
        self.assertEqual(self.port("ECHO").number, other)
        events = self.answer(page, "trace", 0, "ECHO")
        self.assertEqual({event["addr_extended"][1:-2] for event in events}, {self.address("ECHO")})
        self.assertEqual(self.answer(page, "forget", "ECHO"), True)
        self.assertEqual(self.answer(page, "show", "ECHO"), UNKNOWN_NODE)

    def address(self, label: str) -> str:
        return format_address64(self.node(label).address64)

    def test_reading_settings_ends_with_the_page(self) -> None:
        page, _ = self.opened()
        page.call("settings", "METER")
        self.run_for(0.3)
        reader = self.gateway.network.settings
        self.assertTrue(reader._reading)
        page.lose()
        self.assertFalse(reader._reading)
        self.run_for(1)
