"""What follows from a method that is marked as an operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.xmlrpc import withRequest

from zbtwist.control.faults import BAD_REQUEST, BAD_VALUE, GATEWAY_FAILED, ControlFault
from zbtwist.control.operations.table import Key, operation, table_of


class Pin(TypedDict):
    """A struct."""

    pin: Annotated[str, "``D0`` to ``D9``"]
    level: Annotated[int | float, "volts"]


class Pins:
    """Operations of every kind."""

    outcome: Any = 1.5

    @operation("pins")
    def all_pins(self) -> list[Pin]:
        """List the ``pins``."""
        return [{"pin": "D0", "level": 1}]

    @operation("read", page="pin")
    async def read(self, pin: str, samples: int | float = 0) -> Pin | bytes:
        """Read a pin.

        Takes a while.

        @param samples: how many.
        """
        return {"pin": pin, "level": samples}

    @operation("set", changes=True)
    def set(self, pins: Sequence[str], on: bool | None = None) -> float:
        """Set pins."""
        result: float = self.outcome()
        return result

    @operation("who")
    @withRequest  # type: ignore[untyped-decorator]
    def who(self, request: object, name: str) -> str:
        """Say who asks."""
        return f"{request} {name}"

    def no_operation(self) -> None:
        """It has no mark."""


TABLE = table_of(Pins)


class FromHints(SynchronousTestCase):
    def test_names(self) -> None:
        self.assertEqual(list(TABLE), ["pins", "read", "set", "who"])
        self.assertEqual({made.attribute for made in TABLE.values()} - set(dir(Pins)), set())

    def test_signatures(self) -> None:
        for name, expected in (
            ("pins", (("array",),)),
            (
                "read",
                (
                    ("struct", "string"),
                    ("base64", "string"),
                    ("struct", "string", "int"),
                    ("base64", "string", "int"),
                    ("struct", "string", "double"),
                    ("base64", "string", "double"),
                ),
            ),
            ("set", (("double", "array"), ("double", "array", "boolean"))),
            ("who", (("string", "string"),)),
        ):
            self.assertEqual(TABLE[name].signatures, expected)

    def test_help(self) -> None:
        self.assertEqual(
            TABLE["read"].help, "Read a pin.\n\nTakes a while.\n\nReturns struct or base64."
        )
        self.assertEqual(
            TABLE["pins"].help,
            "List the pins.\n\nReturns an array of structs:\n"
            "pin (string): D0 to D9.\nlevel (int or double): volts.",
        )
        self.assertEqual(TABLE["pins"].keys[0], Key("pin", ("string",), "``D0`` to ``D9``"))

    def test_what_may_wait(self) -> None:
        self.assertEqual([name for name, made in TABLE.items() if made.may_wait], ["read"])

    def test_marks(self) -> None:
        self.assertEqual([name for name, made in TABLE.items() if made.changes], ["set"])
        self.assertEqual(
            {name: made.page for name, made in TABLE.items() if made.page}, {"read": "pin"}
        )

    def test_a_method_stays_what_it_is(self) -> None:
        self.assertEqual(Pins().all_pins(), [{"pin": "D0", "level": 1}])

    def test_bases(self) -> None:
        class More(Pins):
            @operation("more")
            def more(self) -> str:
                """More."""
                return ""

        self.assertEqual(set(table_of(More)), {"more", *TABLE})

    def test_two_of_one_name(self) -> None:
        class Twice(Pins):
            @operation("pins")
            def others(self) -> str:
                """List others."""
                return ""

        self.assertIn("pins", str(self.assertRaises(TypeError, table_of, Twice)))

    def test_hints_that_no_client_knows(self) -> None:
        class Nothing:
            @operation("nothing")
            def nothing(self) -> None:
                """Return nothing."""

        class Complex:
            @operation("complex")
            def complex(self, number: complex) -> str:
                """Take what XML-RPC does not have."""
                return str(number)

        for owner in (Nothing, Complex):
            self.assertIn("XML-RPC", str(self.assertRaises(TypeError, table_of, owner)))


class Checks(SynchronousTestCase):
    def refused(self, name: str, *arguments: object) -> str:
        fault = self.assertRaises(ControlFault, TABLE[name].check, arguments)
        self.assertEqual(fault.number, BAD_REQUEST)
        return str(fault)

    def test_allowed(self) -> None:
        allowed: list[tuple[object, ...]] = [("D0",), ("D0", 1), ("D0", 1.5)]
        for arguments in allowed:
            TABLE["read"].check(arguments)

    def test_refused(self) -> None:
        refused: list[tuple[object, ...]] = [(), (1,), ("D0", "x"), ("D0", True), ("D0", 1, 2)]
        for arguments in refused:
            # Each way once, though there are two results.
            self.assertTrue(
                self.refused("read", *arguments).startswith(
                    "read takes (string) or (string, int) or (string, double), not ("
                )
            )

    def test_what_was_given(self) -> None:
        for given, shown in ((None, "nil"), ({}, "struct"), (1 + 2j, "nil"), (b"x", "base64")):
            self.assertEqual(self.refused("who", given), f"who takes (string), not ({shown}).")
        self.assertTrue(self.refused("who", *range(5000)).endswith("int, int, …)."))

    def test_nothing_is_left_out_by_nil(self) -> None:
        self.assertIn("not (array, nil)", self.refused("set", [], None))


class Calls(SynchronousTestCase):
    def setUp(self) -> None:
        self.pins = Pins()

    def call(self, name: str, *arguments: object, told: Any = str, first: Any = ()) -> Any:
        call = TABLE[name].call(self.pins, arguments, told, *first)
        return self.successResultOf(call)

    def fault(self, name: str, *arguments: object, told: Any = str) -> ControlFault:
        call = TABLE[name].call(self.pins, arguments, told)
        fault: ControlFault = self.failureResultOf(call, ControlFault).value
        return fault

    def test_plain_and_async(self) -> None:
        self.assertEqual(self.call("pins", told=len), 1)
        self.assertEqual(self.call("read", "D1", told=lambda row: row["pin"]), "D1")

    def test_the_request_comes_first(self) -> None:
        self.assertEqual(self.call("who", "me", first=["request"]), "request me")

    def test_arguments_are_checked(self) -> None:
        self.assertEqual(self.fault("read").number, BAD_REQUEST)

    def test_a_fault_goes_through(self) -> None:
        fault = ControlFault(BAD_VALUE, "It is none.")

        def outcome() -> None:
            raise fault

        self.pins.outcome = outcome
        self.assertIs(self.fault("set", []), fault)

    def test_another_exception_is_logged(self) -> None:
        def told(result: object) -> None:
            raise ValueError("secret")

        calls: list[tuple[str, list[object]]] = [("set", [[]]), ("pins", [])]
        for name, arguments in calls:
            fault = self.fault(name, *arguments, told=told)
            self.assertEqual(fault.number, GATEWAY_FAILED)
            self.assertIn(name, fault.sentence)
            self.assertNotIn("secret", fault.sentence)
            self.assertEqual(len(self.flushLoggedErrors(TypeError, ValueError)), 1)
