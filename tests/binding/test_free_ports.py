"""The lowest free port, and what it costs to find it."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.binding.support import BindingTestCase
from tests.clock import Clock
from zbtwist.binding.free_ports import PASS_OVER, FreePorts
from zbtwist.xbee.address import Address64

#: As many ports as there are by default.
RANGE = 27001, 32767


class FreePortsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.taken: set[int] = set()
        self.looks = 0
        self.ports = FreePorts(self.clock, self.may_be_given)

    def may_be_given(self, number: int) -> bool:
        self.looks += 1
        return number not in self.taken

    def take(self) -> int | None:
        number = self.ports.lowest()
        if number is not None:
            self.taken.add(number)
        return number

    def give_back(self, number: int) -> None:
        self.taken.discard(number)
        self.ports.came_back(number)

    def test_none_before_it_is_said_which(self) -> None:
        self.assertIsNone(self.ports.lowest())

    def test_lowest_first(self) -> None:
        self.taken |= {11, 12, 15}
        self.ports.set_range(10, 17)
        self.assertEqual([self.take() for _ in range(6)], [10, 13, 14, 16, 17, None])
        for number in (16, 12, 9, 18, 14, 12):
            self.give_back(number)
        self.assertEqual([self.take() for _ in range(4)], [12, 14, 16, None])

    def test_it_stays_free_until_it_is_taken(self) -> None:
        self.ports.set_range(10, 11)
        self.assertEqual([self.ports.lowest() for _ in range(3)], [10, 10, 10])

    def test_passed_over(self) -> None:
        self.ports.set_range(10, 11)
        self.ports.pass_over(10)
        self.clock.advance(1)
        self.ports.pass_over(11)
        self.assertIsNone(self.ports.lowest())
        self.clock.advance(PASS_OVER - 1)
        self.assertEqual(self.ports.lowest(), 10)
        self.ports.pass_over(10)
        self.assertIsNone(self.ports.lowest())
        # Another range does not change what other programs have.
        self.ports.set_range(9, 11)
        self.assertEqual([self.take(), self.take()], [9, None])
        self.clock.advance(1)
        self.assertEqual([self.take(), self.take()], [11, None])

    def test_as_if_each_were_looked_at(self) -> None:
        chance = Random(14)
        passed: dict[int, float] = {}
        base, last = 100, 130
        self.ports.set_range(base, last)
        for _ in range(5000):
            what = chance.random()
            if what < 0.45:
                number = self.ports.lowest()
                now = self.clock.seconds()
                free = [
                    each
                    for each in range(base, last + 1)
                    if each not in self.taken and passed.get(each, 0.0) <= now
                ]
                self.assertEqual(number, min(free, default=None))
                if number is not None and chance.random() < 0.2:
                    self.ports.pass_over(number)
                    passed[number] = now + PASS_OVER
                elif number is not None:
                    self.taken.add(number)
            elif what < 0.9:
                self.give_back(chance.randrange(base - 3, last + 3))
            elif what < 0.92:
                base, last = chance.randrange(95, 110), chance.randrange(105, 140)
                self.ports.set_range(base, last)
            else:
                self.clock.advance(chance.choice([1, PASS_OVER / 2]))

    def test_what_is_kept_is_bounded(self) -> None:
        """A port that comes back again and again is kept once."""
        self.ports.set_range(10, 12)
        while self.take() is not None:
            pass
        for _ in range(100):
            self.give_back(12)
        self.looks = 0
        self.assertEqual([self.take(), self.take()], [12, None])
        self.assertLess(self.looks, 5)

    def test_cost(self) -> None:
        """One look or two for each port, whatever lies before it and however often it is asked."""
        base, last = RANGE
        self.taken |= set(range(base, base + 2000))
        self.ports.set_range(base, last)
        while self.take() is not None:
            pass
        for _ in range(3000):
            self.assertIsNone(self.ports.lowest())
        self.assertLess(self.looks, 2.1 * (last - base))
        self.looks = 0
        for number in range(base, base + 1000):
            self.give_back(number)
        for _ in range(1000):
            self.take()
        self.assertLess(self.looks, 3000)


class GatewayTests(BindingTestCase):
    """The same of a gateway's ports, with its nodes."""

    def looks_of(self, count: int) -> int:
        """Return how many ports are looked at for so many new nodes."""
        looks = 0
        pool = self.bindings._pool
        may_be_given = pool._may_be_given

        def look(number: int) -> bool:
            nonlocal looks
            looks += 1
            return may_be_given(number)

        self.patch(pool._free, "_may_be_given", look)
        self.crowd(count, first=1)
        self.patch(pool._free, "_may_be_given", may_be_given)
        return looks

    def test_ports_of_other_programs_cost_once(self) -> None:
        self.computer.taken |= set(range(27001, 27101))
        self.assertLess(self.looks_of(100), 500)
        self.assertEqual(self.slot(Address64(100)), 27200)

    def test_nodes_beyond_the_last_port(self) -> None:
        """Also if a port that is kept for the gateway or for a certain node is below it."""
        self.restart(last=27400, reserved={27001})
        self.assertLess(self.looks_of(600), 2000)
        self.assertEqual(len(self.computer.open), 399)
