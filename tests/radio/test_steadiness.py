"""A radio that is reset or lost again and again: what of it is said, and how often."""

from __future__ import annotations

from typing import Any

from tests.radio.test_service import QUICK, LinkCase
from zbtwist.radio.retrying_endpoint import OPEN_RETRY
from zbtwist.radio.steadiness import LAST_PAUSE, MANY, STEADY_AFTER
from zbtwist.runtime.event_bus import Event
from zbtwist.xbee.status import ModemStatusCode

UNSTEADY = (
    "The radio on sim: is reset or lost again and again: mostly it is its supply, the cable or the "
    "hub. How often is said when that has stopped for a minute."
)


class UnsteadyRadioTests(LinkCase):
    def all_lines(self) -> list[str]:
        return [*self.lines("warn"), *self.lines("info")]

    def reset(self, times: int, pause: float = 2.0) -> None:
        for _ in range(times):
            self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
            self.network.radio.emit_modem_status(ModemStatusCode.COORDINATOR_STARTED)
            self.run_for(pause, 0.05)

    def test_resets(self) -> None:
        """The lines of the first are said, and how many there were when it stops."""
        self.build(wanted=2)
        self.service.startService()
        self.run_for(QUICK)
        self.reset(1)
        first = self.all_lines()
        self.assertEqual(sum(" is up: " in line for line in first), 2)
        self.reset(299)
        # It is left alone for longer and longer.
        self.assertTrue(598 / (LAST_PAUSE + 2) < len(self.ups()) < 598 / LAST_PAUSE + 10)
        self.assertEqual(
            [line for line in self.all_lines() if line not in first], [UNSTEADY], self.all_lines()
        )
        self.assertEqual(len(self.all_lines()), len(first) + 1)
        self.run_for(STEADY_AFTER, 0.1)
        self.assertEqual(
            self.lines("warn")[-1],
            "The radio on sim: was reset or lost 300 times within 598 s, and not any more for a "
            "minute.",
        )
        # A reset is news again.
        lines = len(self.all_lines())
        self.reset(1)
        self.assertEqual(len(self.all_lines()), lines + len(first) // 2 + 1)
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_resets_while_it_is_brought_up(self) -> None:
        """It never comes up."""
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(QUICK)
        self.reset(100, 0.5)
        self.assertLessEqual(len(self.all_lines()), 6, self.all_lines())
        self.assertEqual(self.ups(), [])
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_line_that_comes_and_goes(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        for _ in range(100):
            self.switch.protocol.transport.abortConnection()
            self.run_for(OPEN_RETRY + 1, 0.05)
        self.assertEqual(len(self.ups()), 101)
        lost = [line for line in self.lines("warn") if "is lost." in line]
        self.assertEqual((len(lost), self.lines("warn")[-1]), (MANY - 1, UNSTEADY))
        self.run_for(STEADY_AFTER, 0.1)
        self.assertIn("lost 100 times", self.lines("warn")[-1])
        self.stop()

    def test_now_and_then(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        self.reset(10, 61)
        self.assertEqual(len([line for line in self.lines("info") if " is up: " in line]), 11)
        self.assertEqual(self.lines("warn"), [])
        self.stop()

    def test_who_follows_events_hears_of_each(self) -> None:
        self.build()
        heard: list[Any] = []
        self.bus.subscribe(Event, heard.append)
        self.service.startService()
        self.run_for(QUICK)
        self.reset(5)
        ups = [event for event in heard if event.name == "link_up"]
        self.assertEqual(len(ups), 6)
        self.assertEqual([event.level.name for event in ups], ["info"] * 2 + ["debug"] * 4)
        self.assertNotIn("is_news", ups[-1].values())
        self.stop()

    def test_another_radio(self) -> None:
        """It is steady until it shows that it is not."""
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        self.reset(5)
        self.service.replace_endpoint(self.switch._endpoint, "sim:2", None)
        self.run_for(1)
        self.assertIn("on sim:2 is up", self.lines("info")[-1])
        self.run_for(2 * STEADY_AFTER, 0.1)
        self.assertEqual(self.lines("warn"), [UNSTEADY])
        self.stop()
