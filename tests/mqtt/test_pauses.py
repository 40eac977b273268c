from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.mqtt.owner import Ending
from zbtwist.mqtt.pauses import FIRST, FIRST_SLOW, JITTER, LAST, LAST_SLOW, STEADY, Pauses
from zbtwist.mqtt.reasons import SESSION_TAKEN_OVER

BROKE = Ending("the connection broke")
TAKEN_OVER = Ending("", SESSION_TAKEN_OVER)


class PausesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pauses = Pauses(lambda: 0.0)

    def test_they_grow(self) -> None:
        found = [self.pauses.after(BROKE, 0) for _ in range(8)]
        self.assertEqual(found, [1, 2, 4, 8, 16, 32, LAST, LAST])

    def test_where_a_person_must_help(self) -> None:
        for code in (0x86, 0x87, SESSION_TAKEN_OVER):
            pauses = Pauses(lambda: 0.0)
            found = [pauses.after(Ending("", code), 0) for _ in range(8)]
            self.assertEqual((found[0], found[1], found[-1]), (FIRST_SLOW, 20, LAST_SLOW))

    def test_a_good_connection(self) -> None:
        self.pauses.after(BROKE, 0)
        self.assertEqual(self.pauses.after(BROKE, STEADY - 1), 2 * FIRST)
        self.assertEqual(self.pauses.after(BROKE, STEADY), FIRST)

    def test_one_that_lasts_as_long_as_the_other_ones_pause_is_none(self) -> None:
        """Two with one name come back after pauses that have grown alike."""
        last = 0.0
        found = []
        for _ in range(8):
            last = self.pauses.after(TAKEN_OVER, last)
            found.append(last)
        self.assertEqual(found, [10, 20, 40, 80, 160, 320, 600, 600])

    def test_anew(self) -> None:
        self.pauses.after(BROKE, 0)
        self.pauses.begin_anew()
        self.assertEqual(self.pauses.after(BROKE, 0), FIRST)

    def test_not_all_come_at_once(self) -> None:
        self.assertEqual(Pauses(lambda: 1.0).after(BROKE, 0), FIRST * (1 + JITTER))
        found = {Pauses().after(BROKE, 0) for _ in range(20)}
        self.assertGreater(len(found), 1)
        self.assertTrue(all(FIRST <= pause <= FIRST * (1 + JITTER) for pause in found))
