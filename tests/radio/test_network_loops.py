"""A radio that leaves its network and joins it, or restarts, again and again: how much of it is
said, how often it is set up, and that nothing waits for ever.
"""

from __future__ import annotations

from typing import Any

from tests.radio.support import start
from tests.radio.test_service import QUICK, LinkCase
from tests.support import present
from zbtwist.network.service import NetworkService
from zbtwist.radio.heartbeat import JOIN_POLL
from zbtwist.radio.steadiness import LAST_PAUSE, MANY, STEADY_AFTER
from zbtwist.xbee.status import ASSOCIATED, ModemStatusCode

#: Seconds that a loop goes on.
LONG = 600

LEAVES = (
    "The radio on sim: leaves its network and joins it again and again: mostly it is at the edge "
    "of its network's reach, its coordinator or parent restarts, or another network has the same "
    "PAN ID."
)


class LoopCase(LinkCase):
    def begin(self) -> None:
        self.build(heartbeat=30.0)
        self.nodes = NetworkService(self.clock, self.coordinator, self.bus)
        self.nodes.startService()
        self.service.startService()
        self.run_for(10, 0.05)
        self.asked = self.watch_line()

    def loop(self, *what: str | int, seconds: float = LONG, pause: float = 1.0) -> None:
        """Let these things happen one after the other, over and over."""
        radio = self.network.radio
        for number in range(round(seconds / pause)):
            happens = what[number % len(what)]
            if isinstance(happens, int):
                radio.emit_modem_status(happens)
            else:
                getattr(radio, happens)()
            self.run_for(pause, 0.05)

    def all_lines(self) -> list[str]:
        return [*self.lines("warn"), *self.lines("info")]

    def count(self, command: bytes) -> int:
        return sum(data.count(command) for data in self.asked)

    def end(self) -> None:
        self.nodes.stopService()
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LoopTests(LoopCase):
    def assertIsBounded(self) -> None:
        """Over `LONG` seconds."""
        self.assertLess(len(self.all_lines()), 25, self.all_lines()[:40])
        # A bring-up asks for SH once; what comes meanwhile has it begun once more.
        self.assertLess(self.count(b"SH"), 2 * LONG / LAST_PAUSE + 15)
        self.assertLess(self.count(b"ND"), 10)

    def assertIsUpAgain(self) -> None:
        self.network.radio.join()
        self.run_for(STEADY_AFTER + LAST_PAUSE, 0.05)
        self.assertTrue(present(self.coordinator.facts).joined)
        self.assertEqual(self.coordinator.offline_reason, "")
        self.assertEqual(self.coordinator.line.problem, "")

    def test_leaves_and_joins(self) -> None:
        for pause in (1.0, 0.3, 4.0):
            self.begin()
            self.loop("leave", "join", pause=pause)
            self.assertIsBounded()
            self.assertIn(LEAVES, self.coordinator.line.problem)
            self.assertIsUpAgain()
            unsteady, steady = self.lines("warn")[-2:]
            self.assertEqual(
                unsteady, LEAVES + " How often is said when that has stopped for a minute."
            )
            self.assertRegex(
                steady,
                r"^The radio on sim: has left its network or joined it anew \d+ times within \d+ "
                r"s, and not any more for a minute\.$",
            )
            self.end()

    def test_joins_and_never_leaves(self) -> None:
        for status in (ModemStatusCode.JOINED, ModemStatusCode.COORDINATOR_STARTED):
            self.begin()
            self.loop(status)
            self.assertIsBounded()
            self.assertIsUpAgain()
            self.end()

    def test_leaves_and_never_joins(self) -> None:
        self.begin()
        self.loop(ModemStatusCode.LEFT)
        self.assertIsBounded()
        self.end()

    def test_joining_is_noticed_all_the_same(self) -> None:
        """It says once a second that it has left, and AI reads that it is in a network."""
        self.begin()
        self.network.radio.leave()
        self.run_for(0.5)
        self.network.radio.in_network = True
        ups = len(self.ups())
        self.loop(ModemStatusCode.LEFT, seconds=3 * JOIN_POLL)
        self.assertGreater(len(self.ups()), ups)
        self.end()

    def test_why_it_is_out_is_what_was_read(self) -> None:
        """That it has left once more says nothing of why."""
        self.begin()
        radio = self.network.radio
        radio.registers.state_fact("AI", 0x22)
        radio.leave()
        self.run_for(JOIN_POLL + QUICK)
        self.assertEqual(present(self.coordinator.facts).association, 0x22)
        radio.emit_modem_status(ModemStatusCode.LEFT)
        self.run_for(QUICK)
        self.assertEqual(present(self.coordinator.facts).association, 0x22)
        self.end()

    def test_restarts(self) -> None:
        for status in (ModemStatusCode.HARDWARE_RESET, ModemStatusCode.WATCHDOG_RESET):
            for pause in (1.0, 0.05):
                self.begin()
                self.loop(status, pause=pause, seconds=LONG * pause)
                self.assertIsBounded()
                self.assertIsUpAgain()
                self.end()

    def test_restarts_and_all_that_follows(self) -> None:
        """It is in no network at first, each time."""
        self.begin()
        self.loop("reset")
        self.assertIsBounded()
        self.assertIsUpAgain()
        self.end()

    def test_what_is_said_while_it_is_left_alone(self) -> None:
        self.begin()
        self.loop(ModemStatusCode.HARDWARE_RESET, seconds=60)
        while self.coordinator.facts is not None:
            self.loop(ModemStatusCode.HARDWARE_RESET, seconds=0.1, pause=0.1)
        self.assertEqual(
            self.coordinator.offline_reason,
            "The radio on sim: is reset or lost again and again: mostly it is its supply, the "
            "cable or the hub. The gateway sets it up again within 5 s.",
        )
        # Whoever wants something of it may wait until then.
        waiting: list[Any] = []
        start(self.coordinator.until_up(10.0)).addCallback(waiting.append)
        self.run_for(LAST_PAUSE + QUICK, 0.05)
        self.assertEqual(waiting, [None])
        self.assertIsNotNone(self.coordinator.facts)
        self.end()

    def test_line_is_lost_while_it_is_left_alone(self) -> None:
        self.begin()
        self.loop(ModemStatusCode.HARDWARE_RESET, seconds=60)
        self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        self.run_for(0.1)
        self.assertIsNone(self.coordinator.facts)
        self.switch.protocol.transport.abortConnection()
        self.run_for(1.0)
        self.assertIsNotNone(self.coordinator.facts)
        self.end()

    def test_a_few_are_set_up_at_once(self) -> None:
        """A person who resets it some times need not wait."""
        self.begin()
        for _ in range(2):
            self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
            self.run_for(0.5)
            self.assertIsNotNone(self.coordinator.facts)
        for _ in range(MANY - 1):
            self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
            self.run_for(1.0)
            self.assertIsNotNone(self.coordinator.facts)
        self.end()

    def test_other_news_of_itself(self) -> None:
        """Each is said, until it is the same again and again: then now and then, with a number."""
        for status, words in (
            (ModemStatusCode.KEY_UPDATED, "network security key updated"),
            (ModemStatusCode.NETWORK_WOKE_UP, "network woke up"),
        ):
            self.begin()
            before = len(self.all_lines())
            self.loop(status, seconds=1800)
            lines = self.all_lines()[before:]
            said = f"The radio says: {words}."
            self.assertEqual(lines[:MANY], [said] * MANY)
            self.assertLess(len(lines), 10)
            self.assertRegex(
                lines[-1],
                f"The radio says: {words}. (599|600) times more since that was said last.",
            )
            # Another one is said at once.
            self.loop(ModemStatusCode.JOINING_OPENED, seconds=1)
            self.assertEqual(self.all_lines()[-1], "The radio says: joining window open.")
            self.end()

    def test_a_network_that_moves_without_end(self) -> None:
        self.begin()
        channels = iter(range(100_000))
        self.network.radio.registers.state_fact("CH", lambda: 11 + next(channels) % 16)
        self.loop(ModemStatusCode.PAN_CHANGED)
        self.assertLess(len(self.all_lines()), 20, self.all_lines())
        self.assertEqual(present(self.coordinator.facts).association, ASSOCIATED)
        self.end()
