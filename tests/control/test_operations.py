"""The published methods: what reaches the operations, and what goes back on the wire."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.control.support import NoOperations
from zbtwist.control.faults import BAD_PORT, BAD_REQUEST, BAD_VALUE, ControlFault
from zbtwist.control.operations import Methods

ADDRESS = "00:13:a2:00:40:0a:3e:ff"


class Recorder(NoOperations):
    """Operations that remember how they were called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answer: Any = None
        self.failure: Exception | None = None

    def _note(self, *call: Any) -> Any:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure
        return self.answer

    async def create_mapping(self, address: str, tcp_port: int) -> None:
        self._note("create_mapping", address, tcp_port)

    async def bind_using_list(self, rows: list[tuple[str, int]]) -> None:
        self._note("bind_using_list", rows)

    async def remove_mapping(self, address: str) -> None:
        self._note("remove_mapping", address)

    async def rename(self, address: str, label: str) -> None:
        self._note("rename", address, label)

    async def at(self, address: str, command: str, value: int | str | bytes | None = None) -> Any:
        return self._note("at", address, command, value)

    def stats(self) -> Any:
        return self._note("stats")

    def trace(self, seq: int) -> Any:
        return self._note("trace", seq)

    def frames(self, *arguments: Any, **named: Any) -> Any:
        return self._note("frames", *arguments, *named.items())


class MethodsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.operations = Recorder()
        self.methods = Methods(self.operations)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method; return what a client reads of the answer."""
        answer: str = self.successResultOf(self.methods.call(name, list(arguments)))
        document = f"<params><param>{answer}</param></params>"
        return xmlrpc.client.loads(document, use_builtin_types=True)[0][0]

    def refused(self, name: str, *arguments: Any) -> str:
        """Call a method wrongly; return the sentence of its `BAD_REQUEST`."""
        failure = self.failureResultOf(self.methods.call(name, list(arguments)), ControlFault)
        self.assertEqual(failure.value.number, BAD_REQUEST)
        self.assertEqual(self.operations.calls, [])
        return str(failure.value)


class Mappings(MethodsTestCase):
    def test_create_mapping(self) -> None:
        self.assertIs(self.call("create_mapping", ADDRESS, 27005), True)
        self.assertEqual(self.operations.calls, [("create_mapping", ADDRESS, 27005)])

    def test_remove_mapping(self) -> None:
        self.assertIs(self.call("remove_mapping", "E2"), True)
        self.assertEqual(self.operations.calls, [("remove_mapping", "E2")])

    def test_rename(self) -> None:
        self.assertIs(self.call("rename", ADDRESS, "Küche"), True)
        self.assertEqual(self.operations.calls, [("rename", ADDRESS, "Küche")])

    def test_bind_using_list(self) -> None:
        self.assertIs(self.call("bind_using_list", [[ADDRESS, 27005], ["E2", 27006]]), True)
        self.assertEqual(
            self.operations.calls, [("bind_using_list", [(ADDRESS, 27005), ("E2", 27006)])]
        )

    def test_bind_using_an_empty_list(self) -> None:
        self.assertIs(self.call("bind_using_list", []), True)
        self.assertEqual(self.operations.calls, [("bind_using_list", [])])

    def test_a_bad_row_is_named_and_nothing_is_done(self) -> None:
        good: list[Any] = [[ADDRESS, 27005], ["E2", 27006]]
        for row, given in (
            ([], "array of ()"),
            (["E2"], "array of (string)"),
            ([27006, "E2"], "array of (int, string)"),
            (["E2", True], "array of (string, boolean)"),
            (["E2", 27006.0], "array of (string, double)"),
            (["E2", 27006, 1], "array of (string, int, int)"),
            ([1] * 500_000, "…"),
            ({"address": "E2", "tcp_port": 27006}, "struct"),
            ("E2", "string"),
            (27006, "int"),
        ):
            sentence = self.refused("bind_using_list", [*good, row, *good])
            self.assertTrue(sentence.startswith("Row 3: "), sentence)
            self.assertTrue(sentence.endswith(f"{given}.") or given == "…", sentence)
            self.assertLess(len(sentence), 200)

    def test_a_port_in_digits(self) -> None:
        """Shells, and languages in which numbers are text, send it so."""
        for text in ("27005", " 27005 "):
            self.assertIs(self.call("create_mapping", ADDRESS, text), True)
            self.assertEqual(self.operations.calls.pop(), ("create_mapping", ADDRESS, 27005))
        self.call("bind_using_list", [[ADDRESS, "27005"], ["E2", 27006]])
        self.assertEqual(
            self.operations.calls.pop(), ("bind_using_list", [(ADDRESS, 27005), ("E2", 27006)])
        )

    def test_a_port_in_other_words(self) -> None:
        for text in ("", "x", "-1", "1.5", "0x10", "1e3", "٣", "9" * 100_000):
            row: list[object] = [ADDRESS, text]
            calls: list[tuple[str, list[object], str]] = [
                ("create_mapping", row, ""),
                ("bind_using_list", [[[ADDRESS, 1], row]], "Row 2: "),
            ]
            for name, arguments, start in calls:
                failure = self.failureResultOf(self.methods.call(name, arguments), ControlFault)
                fault = failure.value
                self.assertEqual(fault.number, BAD_PORT)
                self.assertTrue(fault.sentence.startswith(start + repr(text[:60])[:-1]))
                self.assertLess(len(fault.sentence), 200)
        self.assertEqual(self.operations.calls, [])

    def test_wrong_types_reach_no_operation(self) -> None:
        for name, *arguments in (
            ("create_mapping", 27005, ADDRESS),
            ("create_mapping", ADDRESS, True),
            ("create_mapping", ADDRESS),
            ("bind_using_list", "E2"),
            ("remove_mapping", 1),
            ("rename", "E2", 5),
            ("trace",),
            ("trace", "0"),
        ):
            self.assertIn(f"{name} takes (", self.refused(str(name), *arguments))

    def test_a_fault_goes_through(self) -> None:
        self.operations.failure = ControlFault(BAD_VALUE, "It is too long.")
        failure = self.failureResultOf(self.methods.call("rename", ["E2", "x"]), ControlFault)
        self.assertIs(failure.value, self.operations.failure)


class ATCommands(MethodsTestCase):
    def test_reading(self) -> None:
        for value in (70, -5, "E2", "", b"\x00\xff"):
            self.operations.answer = value
            self.assertEqual(self.call("at", ADDRESS, "XX"), value)
            self.assertEqual(self.operations.calls.pop(), ("at", ADDRESS, "XX", None))

    def test_setting(self) -> None:
        self.operations.answer = ""
        for value in (0, 70, "E2", "", b"\x00\xff"):
            self.assertEqual(self.call("at", "", "XX", value), "")
            self.assertEqual(self.operations.calls.pop(), ("at", "", "XX", value))

    def test_large_numbers_stay_exact(self) -> None:
        for value, answer in (
            (2**31 - 1, 2**31 - 1),
            (2**32 - 1, 2.0**32 - 1),
            (2**53, 2.0**53),
            (2**53 + 1, b"\x00\x20\x00\x00\x00\x00\x00\x01"),
            (2**64 - 1, b"\xff" * 8),
            (-(2**60), b"\xf0" + bytes(7)),
        ):
            self.operations.answer = value
            given = self.call("at", "", "OP")
            self.assertEqual((type(given), given), (type(answer), answer))

    def test_a_wrong_value_is_told_each_way_once(self) -> None:
        wrong: list[object] = [1.5, True, [1], {}]
        for value in wrong:
            sentence = self.refused("at", "", "NT", value)
            self.assertEqual(sentence.count("(string, string)"), 1)
            self.assertIn("(string, string, base64)", sentence)


class Counters(MethodsTestCase):
    def test_stats(self) -> None:
        self.operations.answer = [{"label": "E2", "bytes_in": 1e12, "clients": 1}]
        self.assertEqual(self.call("stats"), self.operations.answer)

    def test_trace(self) -> None:
        event = {"seq": 8, "time": 1795000000.25, "level": "warn", "text": "E2 is gone"}
        self.operations.answer = [event]
        self.assertEqual(self.call("trace", 7), [event])
        self.assertEqual(self.operations.calls, [("trace", 7)])

    def test_frames(self) -> None:
        self.operations.answer = {"all": True, "nodes": ["[00:13]!"], "file": ""}
        for arguments in ((), (True,), (False, "E2"), (True, ADDRESS)):
            self.assertEqual(self.call("frames", *arguments), self.operations.answer)
            self.assertEqual(self.operations.calls.pop(), ("frames", *arguments))

    def test_frames_that_make_no_sense(self) -> None:
        for arguments in ((1,), ("on",), ("E2", True), (True, 5), (True, "E2", 1)):
            self.assertIn("frames takes () or (boolean) or", self.refused("frames", *arguments))
