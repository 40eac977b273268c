"""The procedures of XML-RPC: what reaches the operations, and what goes back on the wire."""

from __future__ import annotations

import xmlrpc.client
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.control.faults import BAD_REQUEST, BAD_VALUE, ControlFault
from zbtwist.control.http.procedures import Procedures
from zbtwist.control.http.users import EVERYBODY, set_user

ADDRESS = "00:13:a2:00:40:0a:3e:ff"


class Recorder:
    """Operations that remember how they were called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answer: Any = True
        self.failure: Exception | None = None

    def _note(self, *call: Any) -> Any:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure
        return self.answer

    async def create_mapping(self, *arguments: Any) -> Any:
        return self._note("create_mapping", *arguments)

    async def bind_using_list(self, *arguments: Any) -> Any:
        return self._note("bind_using_list", *arguments)

    async def remove_mapping(self, *arguments: Any) -> Any:
        return self._note("remove_mapping", *arguments)

    async def rename(self, *arguments: Any) -> Any:
        return self._note("rename", *arguments)

    async def at(self, *arguments: Any) -> Any:
        return self._note("at", *arguments)

    def stats(self) -> Any:
        return self._note("stats")

    def trace(self, *arguments: Any) -> Any:
        return self._note("trace", *arguments)

    def frames(self, *arguments: Any) -> Any:
        return self._note("frames", *arguments)


class MethodsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.operations = Recorder()
        # None of those that are called here asks for more of the request.
        self.request: Any = SimpleNamespace()
        set_user(self.request, EVERYBODY)
        self.procedures = Procedures(self.operations)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method; return what a client reads of the answer."""
        answer: str = self.successResultOf(self.procedures.named(name)(self.request, *arguments))
        document = f"<params><param>{answer}</param></params>"
        return xmlrpc.client.loads(document, use_builtin_types=True)[0][0]

    def refused(self, name: str, *arguments: Any) -> str:
        """Call a method wrongly; return the sentence of its `BAD_REQUEST`."""
        call = self.procedures.named(name)(self.request, *arguments)
        failure = self.failureResultOf(call, ControlFault)
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
        rows = [[ADDRESS, 27005], ["E2", "27006"]]
        self.assertIs(self.call("bind_using_list", rows), True)
        self.assertEqual(self.operations.calls, [("bind_using_list", rows)])

    def test_bind_using_an_empty_list(self) -> None:
        self.assertIs(self.call("bind_using_list", []), True)
        self.assertEqual(self.operations.calls, [("bind_using_list", [])])

    def test_a_port_in_digits(self) -> None:
        self.assertIs(self.call("create_mapping", ADDRESS, "27005"), True)
        self.assertEqual(self.operations.calls, [("create_mapping", ADDRESS, "27005")])

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
        call = self.procedures.named("rename")(self.request, "E2", "x")
        failure = self.failureResultOf(call, ControlFault)
        self.assertIs(failure.value, self.operations.failure)


class ATCommands(MethodsTestCase):
    def test_reading(self) -> None:
        for value in (70, -5, "E2", "", b"\x00\xff"):
            self.operations.answer = value
            self.assertEqual(self.call("at", ADDRESS, "XX"), value)
            self.assertEqual(self.operations.calls.pop(), ("at", ADDRESS, "XX"))

    def test_setting(self) -> None:
        self.operations.answer = ""
        for value in (0, 70, "E2", "", b"\x00\xff"):
            self.assertEqual(self.call("at", "", "XX", value), "")
            self.assertEqual(self.operations.calls.pop(), ("at", "", "XX", value))

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
