"""Every fault in both directions: no byte is lost in silence, or comes twice, or out of order.

And every fault did happen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.connection import CLOSED
from tests.faults.fault import ALL, RESET, SILENCE, Fault
from tests.faults.matrix import FAULTS, OTHER_POLICIES, UNKNOWABLE
from tests.faults.runs import DIRECTIONS, INBOUND, run
from tests.faults.signs import SPOILED
from tests.faults.table import DOCUMENT, TABLES, all_runs, documented_rows, row
from tests.support import left_out
from zbtwist.binding.port import NodePort
from zbtwist.radio.protocol import RadioProtocol

# It is the same with every Python.
skip = left_out() or None

REFRESH = "see why, then: python -m tests.faults --write docs/faults.rst"


class MatrixTests(SynchronousTestCase):
    """One test for each run, added below."""


def _test_of(table: str, fault: Fault, direction: str) -> Callable[[MatrixTests], None]:
    def test(self: MatrixTests) -> None:
        result = run(fault, direction)
        self.assertEqual(result.verdict, fault.verdict(direction), result)
        for sign, count in fault.signs(direction):
            self.assertGreaterEqual(result.seen[sign], count, f"{sign}: it did not happen")
        self.assertEqual(result.again is None, not fault.ends, result)
        documented = documented_rows(table, DOCUMENT.read_text("utf-8"))
        self.assertIn(row(fault, result), documented, REFRESH)

    test.__doc__ = f"{fault.name}, {direction}"
    return test


for _table, _fault, _direction in all_runs():
    _name = re.sub(r"\W+", "_", f"test_{_fault.name}_{_direction}".lower())
    assert not hasattr(MatrixTests, _name), f"two tests are called {_name}"
    setattr(MatrixTests, _name, _test_of(_table, _fault, _direction))


class TableTests(SynchronousTestCase):
    def test_rows(self) -> None:
        """The documentation has all rows, in their order, and no others."""
        text = DOCUMENT.read_text("utf-8")
        for table in TABLES:
            expected = [
                (fault.name, direction, fault.verdict(direction))
                for name, fault, direction in all_runs()
                if name == table
            ]
            documented = [(one[0], *one[2:4]) for one in documented_rows(table, text)]
            self.assertEqual(documented, expected, REFRESH)

    def test_verdicts(self) -> None:
        """By default a stream has two ends, but for that of a port that is no more."""
        ends = {fault.verdict(direction) for fault in FAULTS for direction in fault.directions}
        self.assertEqual(ends, {ALL, RESET, CLOSED})
        closed = [fault.name for fault in FAULTS if CLOSED in (fault.outbound, fault.inbound)]
        self.assertEqual(closed, ["port moved", "gateway stopped"])
        self.assertGreaterEqual(len(FAULTS), 30)

    def test_all_say_how_to_see_them(self) -> None:
        for _, fault, direction in all_runs():
            self.assertEqual(not fault.signs(direction), fault.name == "none", fault.name)

    def test_repeats(self) -> None:
        """A run repeats to the last number."""
        fault = next(fault for fault in FAULTS if fault.name.startswith("data of the first"))
        for direction in DIRECTIONS:
            self.assertEqual(run(fault, direction), run(fault, direction))

    def test_fault_that_does_not_happen_is_seen(self) -> None:
        nothing = replace(FAULTS[0], seen=((SPOILED, 1),))
        result = run(nothing, INBOUND)
        self.assertEqual(result.seen[SPOILED], 0)

    def test_doubled_is_seen(self) -> None:
        """The judgement does see what the default policy must not do."""
        for fault in (OTHER_POLICIES[0], UNKNOWABLE[0]):
            result = run(fault, fault.directions[-1])
            self.assertGreater(result.tally.doubled, 0)
            self.assertFalse(result.tally.is_faithful)

    def test_sockets_make_no_difference(self) -> None:
        """What the table says of real connections is what comes of those in memory."""
        for name in ("21, delivered", "radio reset", "data of the first", "gateway stopped"):
            fault = next(fault for fault in FAULTS if fault.name.startswith(name))
            for direction in DIRECTIONS:
                in_memory = run(replace(fault, sockets=False), direction)
                self.assertEqual(in_memory.tally, run(fault, direction).tally)


class MistakeTests(SynchronousTestCase):
    """Mistakes that a gateway could make, and that the matrix is there to find."""

    def run_one(self, name: str) -> str:
        fault = next(fault for fault in FAULTS if fault.name.startswith(name))
        return run(fault, INBOUND).verdict

    def test_damage_that_is_said_behind_the_batch(self) -> None:
        """What is behind the hole is in the sockets by then, and is read before the reset."""
        look = RadioProtocol._look_at_damage

        def later(protocol: RadioProtocol) -> None:
            protocol._batch.at_end(lambda: look(protocol))

        for which in ("first", "last"):
            name = f"data of the {which} of several"
            self.assertEqual(self.run_one(name), RESET)
        self.patch(RadioProtocol, "_look_at_damage", later)
        self.assertEqual(self.run_one("data of the first of several"), SILENCE)

    def test_outage_that_is_told_when_it_is_over(self) -> None:
        """Nodes are heard before that, while the radio is being set up."""
        self.patch(NodePort, "_deliver_after_outage", NodePort.deliver)
        self.assertEqual(self.run_one("link lost 0.3 s, radio talks on, quickly"), SILENCE)

    def test_nothing_is_told(self) -> None:
        self.patch(NodePort, "interrupted", lambda port, reason: None)
        for name in ("link lost 3 s", "data of the first"):
            self.assertEqual(self.run_one(name), SILENCE, name)
