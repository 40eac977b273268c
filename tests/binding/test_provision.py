"""Ports that the gateway gives by itself, and lets listen."""

from __future__ import annotations

import errno
from typing import Any

from tests.binding.support import A, B, BindingTestCase, C, D, full_disk
from zbtwist.binding.events import MAX_LINES, MappingChanged
from zbtwist.binding.free_ports import PASS_OVER
from zbtwist.binding.retries import FIRST_RETRY_DELAY, MAX_RETRY_DELAY
from zbtwist.runtime.rest import AT_ONCE, INTERVAL, RATIO
from zbtwist.store.records import Mapping
from zbtwist.xbee.address import Address64


class GivenTests(BindingTestCase):
    def test_in_order(self) -> None:
        self.see(C, A, B)
        self.assertEqual(self.slots(), {C: 27001, A: 27002, B: 27003})
        self.assertEqual(
            self.store.mappings(), [Mapping(C, 27001), Mapping(A, 27002), Mapping(B, 27003)]
        )

    def commits(self) -> list[str]:
        """What the store writes from now on: each commit."""
        said: list[str] = []
        connection = self.store.database.connection

        def hear(statement: str) -> None:
            if statement == "COMMIT":
                said.append(statement)

        connection.set_trace_callback(hear)
        self.addCleanup(connection.set_trace_callback, None)
        return said

    def test_many_at_once_are_one_commit(self) -> None:
        """Each has its port, which is in the store before it is said to be its own."""
        addresses = [Address64(A + number) for number in range(200)]
        wrong: list[MappingChanged] = []

        def hear(event: MappingChanged) -> None:
            kept = {mapping.address64: mapping.port for mapping in self.store.mappings()}
            if kept.get(event.node.address64) != event.port or len(self.computer.opened) < 200:
                wrong.append(event)

        self.wire.bus.subscribe(MappingChanged, hear)
        commits = self.commits()
        self.batch.begin()
        self.see(*addresses)
        self.assertEqual(commits, [])
        self.batch.end()
        # It has its pauses.
        self.wire.clock.pump([0, 0])
        self.assertEqual(len(commits), 1)
        self.assertEqual(wrong, [])
        self.assertEqual(self.slots(), {A + number: 27001 + number for number in range(200)})

    def test_many_that_a_start_finds_without_a_port_are_one_commit(self) -> None:
        self.restart(base=27001, last=27000)
        addresses = [Address64(A + number) for number in range(20)]
        self.see(*addresses)
        self.assertEqual(set(self.slots().values()), {None})
        commits = self.commits()
        self.bindings.configure([], 27001)
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertNotIn(None, self.slots().values())
        self.assertEqual(len(commits), 1)

    def test_slow_disk_has_rests(self) -> None:
        """What comes while a commit is waited for goes with the next, and that has its time."""
        clock = self.wire.clock
        change = self.store.change_mappings
        times: list[float] = []

        def slowly(*arguments: Any, **keywords: Any) -> None:
            times.append(clock.seconds())
            clock.rightNow += 0.05
            change(*arguments, **keywords)

        self.patch(self.store, "change_mappings", slowly)
        self.see(A)
        self.see(B)
        self.see(C)
        self.assertEqual(self.slots(), {A: 27001, B: None, C: None})
        clock.advance(0.05 * RATIO)
        self.assertEqual(self.slots(), {A: 27001, B: 27002, C: 27003})
        self.assertEqual(len(times), 2)
        # Whoever asks for it has it now.
        self.see(D)
        self.assertIsNone(self.slot(D))
        self.successResultOf(self.bindings.settled())
        self.assertEqual(self.slot(D), 27004)
        # A stop leaves nothing behind.
        self.see(Address64(D + 1))
        self.stop()
        self.start()

    def test_flood_makes_few_commits(self) -> None:
        """However quick the disk is: 300 new nodes a second, each in a read of its own."""
        commits = self.commits()
        for number in range(900):
            self.see(Address64(A + number))
            self.wire.clock.advance(1 / 300)
        self.wire.clock.advance(INTERVAL)
        self.assertLessEqual(len(commits), AT_ONCE + 3 / INTERVAL + 2)
        self.assertEqual(len(self.store.mappings()), 900)
        self.assertEqual(self.slot(Address64(A + 899)), 27900)

    def test_with_what_is_known_of_the_node(self) -> None:
        """A kill right after it loses neither port nor name."""
        self.batch.begin()
        self.see(A)
        self.node(A).label = "METER"
        self.batch.end()
        [stored] = self.store.nodes()
        self.assertEqual((stored.label, stored.last_seen > 0), ("METER", True))

    def test_kept_over_a_restart(self) -> None:
        """They listen at once, also for nodes that are not seen again; new ones get others."""
        self.see(C, A, B)
        self.restart()
        self.assertEqual(self.slots(), {C: 27001, A: 27002, B: 27003})
        self.see(D, B)
        self.assertEqual(self.slots(), {C: 27001, A: 27002, B: 27003, D: 27004})

    def test_many_that_listen_at_the_start_are_one_line(self) -> None:
        self.crowd(MAX_LINES)
        self.restart()
        self.assertEqual(sum("is on port" in line for line in self.lines()), MAX_LINES)
        self.see(Address64(A + MAX_LINES))
        self.restart()
        self.assertEqual(self.lines(), [f"{MAX_LINES + 1} nodes are on their ports."])

    def test_port_of_another_program_is_skipped_with_a_warning(self) -> None:
        self.computer.taken |= {27002, 27003}
        self.see(A, B, C)
        self.assertEqual(self.slots(), {A: 27001, B: 27004, C: 27005})
        warnings = [line for line in self.lines() if "skipped" in line]
        self.assertEqual(len(warnings), 2)
        self.assertIn("Port 27002 is skipped, 00:13:a2:00:40:00:00:02 gets the next", warnings[0])
        self.computer.taken.clear()
        self.wire.clock.advance(PASS_OVER)
        self.see(D)
        self.assertEqual(self.slot(D), 27002)

    def test_computer_that_cannot_listen(self) -> None:
        """A wrong interface, or too many open files: no port is used up, and it is tried again."""
        for number, words in (
            (errno.EADDRNOTAVAIL, "see --interface"),
            (errno.EMFILE, "ulimit -n"),
        ):
            self.setUp()
            self.computer.error = number
            self.computer.taken |= set(range(1, 65536))
            self.see(A, B)
            self.assertEqual(self.slots(), {A: None, B: None})
            self.assertEqual(len(self.computer.tried), 2)
            self.assertIn(words, self.problem(A))
            self.wire.clock.pump([1] * 600)
            self.assertEqual(sum("cannot be reached" in line for line in self.lines()), 2)
            self.computer.taken.clear()
            self.wire.clock.advance(MAX_RETRY_DELAY)
            self.assertEqual(self.slots(), {A: 27001, B: 27002})
            self.assertEqual(self.problem(A), "")

    def test_reserved(self) -> None:
        self.restart(reserved={27001})
        self.see(A)
        self.assertEqual(self.slot(A), 27002)

    def test_exhaustion(self) -> None:
        """A clear state, the others unharmed, and a port as soon as there is one."""
        self.restart(base=27001, last=27002)
        self.see(A, B, C, D)
        self.assertEqual(self.slots(), {A: 27001, B: 27002, C: None, D: None})
        self.assertEqual(
            self.problem(C),
            "Every port from 27001 to 27002 is taken: raise --last-port, or remove a mapping.",
        )
        self.successResultOf(self.remove(A))
        self.assertEqual(self.slots(), {A: None, B: 27002, C: 27001, D: None})
        self.assertEqual(self.problem(C), "")
        self.bindings.configure([], 27001, 27009)
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.slot(D), 27003)

    def test_port_that_is_taken_at_start_is_waited_for(self) -> None:
        self.see(A, B)
        self.computer.taken.add(27001)
        self.restart()
        self.assertEqual(self.slots(), {A: None, B: 27002})
        self.assertIn("Port 27001 does not open: another program has it", self.problem(A))
        self.see(C)
        self.assertEqual(self.slot(C), 27003)
        for _ in range(10):
            self.wire.clock.advance(MAX_RETRY_DELAY)
        said = [line for line in self.lines() if "does not open" in line]
        self.assertEqual(len(said), 1)
        self.computer.taken.clear()
        self.wire.clock.advance(MAX_RETRY_DELAY)
        self.assertEqual(self.slots(), {A: 27001, B: 27002, C: 27003})
        self.assertEqual(self.problem(A), "")

    def test_store_fails(self) -> None:
        """The node has its port all the same, this is said, and it is saved when it can be."""
        change = self.store.change_mappings
        self.patch(self.store, "change_mappings", full_disk)
        self.see(A, B)
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertEqual(self.bindings.store_problem, "The disk is full: make room.")
        self.assertEqual(sum("The disk is full" in line for line in self.lines()), 1)
        self.patch(self.store, "change_mappings", change)
        self.wire.clock.advance(FIRST_RETRY_DELAY)
        self.assertEqual(self.bindings.store_problem, "")
        self.assertEqual(self.store.mappings(), [Mapping(A, 27001), Mapping(B, 27002)])

    def test_listen_anew(self) -> None:
        """The interface changed: every port is opened again, and the clients stay."""
        self.see(A, B)
        client = self.connect(27001)
        self.computer.opened.clear()
        self.bindings.listen_anew()
        self.assertEqual(self.computer.opened, [27001, 27002])
        self.assertEqual(self.slots(), {A: 27001, B: 27002})
        self.assertFalse(client.disconnecting)
        client.protocol.connectionLost()
