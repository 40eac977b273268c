"""The search when the radio comes up: until one has been made."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.network.support import SEARCH, NetworkTestCase
from tests.radio.support import FACTS
from tests.support import mistake, record_log
from zbtwist.network.first_search import FIRST_RETRY, LAST_RETRY, UNSTEADY_WAIT
from zbtwist.xbee.frames import ATCommandResponse


class FirstSearchTests(NetworkTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.wire.coordinator.ready(FACTS)

    def refuse(self) -> None:
        self.wire.receive(ATCommandResponse(self.wire.last.frame_id, "ND", 1))

    def test_refused(self) -> None:
        """It is tried again, less and less often, until it is made."""
        log = record_log(self)
        self.refuse()
        delay = FIRST_RETRY
        for count in range(1, 12):
            self.wire.clock.advance(delay - 0.01)
            self.assertEqual(self.asked(), ["ND"] * count)
            self.wire.clock.advance(0.02)
            self.assertEqual(self.asked(), ["ND"] * (count + 1))
            self.refuse()
            delay = min(2 * delay, LAST_RETRY)
        self.wire.clock.advance(LAST_RETRY)
        self.assertEqual(len(self.wire.sent), 13)
        self.wire.clock.advance(SEARCH)
        self.wire.clock.advance(10 * LAST_RETRY)
        self.assertEqual(len(self.wire.sent), 13)
        # Once is enough for a person.
        again = "It is tried again in 2 s."
        self.assertEqual(
            log.lines("info", "zbtwist.network"),
            ["The search for nodes came to nothing: The radio refused ND: error. " + again],
        )

    def test_one_that_a_person_asked_for_counts(self) -> None:
        self.refuse()
        search = Deferred.fromCoroutine(self.network.discover())
        self.wire.clock.advance(SEARCH)
        self.successResultOf(search)
        self.wire.clock.advance(10 * LAST_RETRY)
        self.assertEqual(len(self.wire.sent), 2)

    def test_a_radio_that_is_upset_again_and_again(self) -> None:
        """Its network is searched when it has been up for a while; nothing is said of that."""
        log = record_log(self)
        self.wire.coordinator.link_down("It is gone.")
        for _ in range(10):
            self.wire.coordinator.link_up(self.wire.sent.append)
            self.wire.sent.clear()
            self.wire.coordinator.ready(FACTS, is_news=False)
            self.wire.clock.advance(UNSTEADY_WAIT - 0.1)
            self.assertEqual(self.wire.sent, [])
            self.wire.coordinator.link_down("It is gone.")
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS, is_news=False)
        self.wire.clock.advance(UNSTEADY_WAIT)
        self.assertEqual(self.asked(), ["ND"])
        self.refuse()
        self.assertEqual(log.lines("info", "zbtwist.network"), [])
        self.wire.clock.advance(FIRST_RETRY)
        self.assertEqual(self.asked(), ["ND"] * 2)

    def test_the_link_goes_down(self) -> None:
        """The next one begins with a search of its own."""
        for _ in range(2):
            self.refuse()
            self.wire.coordinator.link_down("It is gone.")
            self.wire.clock.advance(10 * LAST_RETRY)
            self.wire.coordinator.link_up(self.wire.sent.append)
            sent = len(self.wire.sent)
            self.wire.coordinator.ready(FACTS)
            self.assertEqual(len(self.wire.sent), sent + 1)
        self.wire.coordinator.link_down("It is gone.")
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def test_mistake_of_ours(self) -> None:
        """It is in the log, and does not end the tries."""
        self.refuse()
        self.patch(self.wire.coordinator, "discover", mistake)
        self.wire.clock.advance(FIRST_RETRY)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.wire.clock.getDelayedCalls()), 1)

    def test_stop(self) -> None:
        self.refuse()
        self.network.stopService()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])
