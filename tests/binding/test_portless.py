"""Nodes that wait for a port, and ports that do not open: what that costs, and what is said."""

from __future__ import annotations

import errno
from typing import Any

from tests.binding.support import A, B, BindingTestCase, C, D
from zbtwist.binding.events import MAX_LINES
from zbtwist.binding.free_ports import PASS_OVER
from zbtwist.binding.port import NodePort
from zbtwist.binding.retries import FIRST_RETRY_DELAY, MAX_RETRY_DELAY
from zbtwist.runtime.pace import MAX_STEPS
from zbtwist.runtime.repeats import INTERVAL
from zbtwist.xbee.address import Address64

#: So many more nodes than ports.
SURPLUS = 1000

#: Seconds of a turn of the reactor.
TURN = 0.001


class WaitingTests(BindingTestCase):
    def most_in_one_turn(self, counted: list[Any], seconds: float) -> int:
        """Return by how many a list grows in one turn of the reactor, while time passes."""
        clock = self.wire.clock
        call_later = clock.callLater
        # `Clock.advance` also makes the calls of the next turn that are to be made at once.
        self.patch(
            clock,
            "callLater",
            lambda delay, *call, **more: call_later(delay or TURN, *call, **more),
        )
        most = 0
        end = clock.rightNow + seconds
        while clock.rightNow < end:
            before = len(counted)
            next_turn = clock.rightNow + TURN
            is_busy = any(call.getTime() <= next_turn for call in clock.getDelayedCalls())
            clock.advance(TURN if is_busy else 0.5)
            most = max(most, len(counted) - before)
        self.patch(clock, "callLater", call_later)
        return most

    def looks_at_clock(self) -> list[int]:
        """What grows with each look at the clock from now on: whoever tries a port has a look."""
        looks: list[int] = []
        clock = self.wire.clock
        seconds = clock.seconds

        def look() -> float:
            looks.append(1)
            return seconds()

        self.patch(clock, "seconds", look)
        return looks

    def failures(self) -> list[str]:
        return [line for line in self.lines() if "cannot be reached" in line]

    def test_surplus_nodes_cost_nothing(self) -> None:
        """Nor do they if other programs have ports, which are tried again after a while."""
        last = 27100
        self.restart(last=last)
        self.computer.taken |= set(range(last - 19, last + 1))
        self.crowd(last - 27000 + SURPLUS)
        self.assertEqual(len(self.computer.open), 80)
        tried = self.computer.tried
        looks = self.looks_at_clock()
        self.assertLessEqual(self.most_in_one_turn(looks, 3 * PASS_OVER), 5 * MAX_STEPS)
        del tried[:]
        self.assertLessEqual(self.most_in_one_turn(tried, 3 * PASS_OVER), 20)
        self.assertEqual(set(tried), set(range(last - 19, last + 1)))
        # Each of the ports three times, not once for each node.
        self.assertLessEqual(len(tried), 4 * 20)

    def test_ports_that_do_not_open_are_tried_a_few_in_one_turn(self) -> None:
        addresses = self.crowd(SURPLUS)
        self.computer.taken |= set(range(27001, 27001 + SURPLUS))
        self.computer.error = errno.EADDRNOTAVAIL
        self.restart()
        self.wire.clock.pump([0] * (SURPLUS // MAX_STEPS + 2))
        self.assertEqual(self.computer.open, {})
        tried = self.computer.tried
        del tried[:]
        self.assertLessEqual(self.most_in_one_turn(tried, MAX_RETRY_DELAY), MAX_STEPS)
        self.assertEqual(set(tried), set(range(27001, 27001 + SURPLUS)))
        # Less and less often.
        del tried[:]
        self.most_in_one_turn(tried, 5 * MAX_RETRY_DELAY)
        self.assertLessEqual(len(tried), 5 * SURPLUS)
        self.computer.taken.clear()
        self.most_in_one_turn(tried, MAX_RETRY_DELAY)
        self.assertEqual(len(self.computer.open), SURPLUS)
        self.assertEqual(self.slot(addresses[-1]), 27000 + SURPLUS)
        self.assertEqual(len(self.failures()), 2)
        self.assertIn(f"and {SURPLUS - 2} more nodes cannot be reached", self.failures()[1])

    def test_those_that_are_not_in_trouble_are_not_looked_at(self) -> None:
        addresses = self.crowd(SURPLUS)
        self.computer.taken.add(27001)
        self.restart()
        self.wire.clock.pump([0] * (SURPLUS // MAX_STEPS + 2))
        looked: list[object] = []
        provider: Any = self.bindings._provider
        listen = provider._listen

        def look(port: NodePort, is_quiet: bool = False) -> Any:
            looked.append(port.slot)
            return listen(port, is_quiet)

        self.patch(provider, "_listen", look)
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(set(looked), {27001})
        self.assertIsNone(self.slot(addresses[0]))

    def test_who_has_waited_longest_is_first(self) -> None:
        self.restart(last=27001)
        self.see(A, B, C, D)
        self.successResultOf(self.remove(A))
        self.assertEqual(self.slots(), {A: None, B: 27001, C: None, D: None})
        self.successResultOf(self.remove(B))
        self.assertEqual(self.slot(C), 27001)

    def test_who_has_said_who_it_is_comes_before(self) -> None:
        self.restart(last=27001)
        self.see(A, B, C, D)
        self.node(D).label = "METER"
        self.successResultOf(self.remove(A))
        self.assertEqual(self.slots(), {A: None, B: None, C: None, D: 27001})

    def test_many_are_said_once_a_minute(self) -> None:
        """With what to do; each node tells it, too."""
        self.restart(last=27001)
        addresses = self.crowd(50)
        problem = "Every port from 27001 to 27001 is taken: raise --last-port, or remove a mapping."
        second = f"{self.node(addresses[1])} cannot be reached. {problem}"
        self.assertEqual(self.failures(), [f"{second} The gateway goes on trying."])
        self.assertEqual({self.problem(each) for each in addresses[1:]}, {problem})
        self.wire.clock.advance(INTERVAL)
        self.assertEqual(len(self.failures()), 2)
        self.assertIn(
            f"{self.node(addresses[-1])} and 47 more nodes cannot be reached. {problem}",
            self.failures()[1],
        )
        self.wire.clock.advance(10 * INTERVAL)
        self.assertEqual(len(self.failures()), 2)

    def test_who_has_a_port_meanwhile_is_not_said_to_have_none(self) -> None:
        self.restart(last=27001)
        self.see(A, B, C, D)
        self.bindings.configure([], 27001, 27003)
        self.wire.clock.advance(FIRST_RETRY_DELAY)
        self.assertEqual(self.slots(), {A: 27001, B: 27002, C: 27003, D: None})
        self.wire.clock.advance(INTERVAL)
        self.assertEqual(
            [line.split(" cannot be ")[0] for line in self.failures()],
            [str(self.node(B)), str(self.node(D))],
        )
        # A stop has nothing to say of them.
        self.see(Address64(D + 1), Address64(D + 2))
        self.stop()
        self.start()

    def test_ports_of_other_programs_are_said_once(self) -> None:
        self.restart(last=27002)
        self.computer.taken.add(27002)
        self.see(A, B)
        self.wire.clock.pump([1.0] * 300)
        self.assertEqual(sum("is skipped" in line for line in self.lines()), 1)
        self.computer.taken.clear()
        self.wire.clock.pump([1.0] * 2 * round(PASS_OVER))
        self.assertEqual(self.slot(B), 27002)

    def test_computer_that_opens_no_port_is_asked_once_for_all(self) -> None:
        self.computer.error = errno.EMFILE
        self.computer.taken |= set(range(27001, 65536))
        addresses = self.crowd(MAX_LINES)
        del self.computer.tried[:]
        self.wire.clock.pump([1.0] * 300)
        self.assertLess(len(self.computer.tried), 20)
        self.assertIn("ulimit -n", self.problem(addresses[-1]))
