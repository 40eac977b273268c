"""What a person does with a node, and what that says of how it is."""

from __future__ import annotations

from tests.control.operations.test_actions import ActionTestCase
from zbtwist.health.events import HealthChanged
from zbtwist.health.record import RESTART_PATIENCE
from zbtwist.health.state import Health

#: Seconds of one step of the clock, which is enough where nobody sends a stream.
STEP = 0.1


class Actions(ActionTestCase):
    def setUp(self) -> None:
        self.start()
        self.run_for(10, STEP)
        self.changes: list[HealthChanged] = []
        self.gateway.bus.subscribe(HealthChanged, self.changes.append)

    @property
    def health(self) -> Health:
        return self.gateway.health.condition_of(self.node).health

    def report(self, times: int) -> None:
        """The node says something by itself, every two seconds."""
        for _ in range(times):
            self.device.send(b"x")
            self.run_for(2, STEP)

    def test_way(self) -> None:
        """Nothing that arrives is a sign of death, and what comes back one of life."""
        self.device.reachable = False
        call = self.call(self.api.test("ECHO", 3))
        self.run_for(60, STEP)
        self.assertEqual(self.successResultOf(call)["delivered"], 0)
        self.assertIs(self.health, Health.NOT_ANSWERING)
        self.assertIn("3 packets got no acknowledgement", self.changes[-1].condition.why)
        self.device.reachable = True
        before = self.node.heard_at
        call = self.call(self.api.test("ECHO", 1))
        self.run_for(2, STEP)
        self.assertEqual(self.successResultOf(call)["received"], 1)
        self.assertGreater(self.node.heard_at, before)
        self.assertIs(self.health, Health.OK)

    def test_answers_are_no_rhythm(self) -> None:
        """Whoever tests the way for a while, and then does not, has not made it silent."""
        spoke_at = self.node.spoke_at
        for _ in range(15):
            call = self.call(self.api.test("ECHO", 3))
            self.run_for(2, STEP)
            self.assertEqual(self.successResultOf(call)["received"], 3)
            self.done(self.api.at("ECHO", "NI"))
            call = self.call(self.api.discover())
            self.run_for(3, STEP)
            self.successResultOf(call)
        self.assertEqual(self.node.spoke_at, spoke_at)
        self.run_for(200, STEP)
        self.assertEqual((self.health, self.changes), (Health.OK, []))

    def test_restart(self) -> None:
        """It looks for its network for longer than it is ever silent else."""
        self.report(20)
        self.done(self.api.restart("ECHO"), 0.15)
        self.device.reachable = False
        self.patch(self.device, "_joined", lambda: None)
        self.run_for(RESTART_PATIENCE - 10, STEP)
        self.assertEqual((self.health, self.changes), (Health.OK, []))
        self.device.reachable = True
        self.report(20)
        self.assertEqual((self.health, self.changes), (Health.OK, []))
        # Without a reason it is.
        self.device.reachable = False
        self.run_for(30, STEP)
        self.assertNotEqual(self.health, Health.OK)
