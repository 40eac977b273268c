"""What the log says of the link, as often as it is news; test_service.py has the sentences."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.radio.support import FACTS
from tests.support import record_log
from zbtwist.observing.log_lines import LogLines
from zbtwist.radio.last_radio import LastRadio
from zbtwist.radio.link_log import MAX_REASONS, LinkLog
from zbtwist.runtime.event_bus import EventBus


class ReasonTests(SynchronousTestCase):
    def setUp(self) -> None:
        bus = EventBus()
        LogLines(bus)
        self.said = record_log(self)
        self.log = LinkLog("sim:", bus, Clock())

    def warnings(self) -> int:
        return len(self.said.lines("warn"))

    def test_reasons_are_bounded(self) -> None:
        """So many are said, each once, until the radio is up; then all are news again."""
        for ups in (1, 2):
            for _ in range(2):
                for number in range(2 * MAX_REASONS):
                    self.log.no_radio(f"There is no port {number}.")
            self.assertEqual(self.warnings(), ups * MAX_REASONS)
            self.log.up(FACTS, LastRadio(False, None, 1))
