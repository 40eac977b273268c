"""A network whose nodes are looked at: what is noticed, how soon, and what it costs."""

from __future__ import annotations

import random
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.world import Device, World
from tests.pages import DOCS
from tests.support import left_out, without_log_of_the_runner
from zbtwist.health.events import HealthChanged
from zbtwist.health.questions import COMMAND, PAUSE, QUIET
from zbtwist.health.service import PASSIVE
from zbtwist.health.state import Health
from zbtwist.radio.coordinator import Coordinator
from zbtwist.xbee.frames import RemoteATCommand, RemoteATCommandResponse

#: Seconds between two reports of the first nodes, in turn.
PAUSES = (2.0, 5.0, 20.0, 60.0)


class NetworkOf60(SynchronousTestCase):
    """Forty of them say something by themselves, twenty when they are asked."""

    # Hours of them take a quarter of a minute.
    skip = left_out() or None

    def setUp(self) -> None:
        without_log_of_the_runner(self)

    def start(
        self, pauses: tuple[float, ...] = PAUSES, seconds: float = 800.0, **settings: object
    ) -> None:
        self.questions: list[float] = []
        ask = Coordinator.remote_at

        def remote_at(requests, address64, command, *arguments):  # type: ignore[no-untyped-def]
            if command == COMMAND:
                self.questions.append(self.world.now)
            return ask(requests, address64, command, *arguments)

        self.patch(Coordinator, "remote_at", remote_at)
        self.world = world = World(seed=1, nodes=60, settings=settings)
        self.addCleanup(world.stop)
        self.changes: list[HealthChanged] = []
        world.gateway.bus.subscribe(HealthChanged, self.changes.append)
        self.chance = random.Random(1)
        for number, device in enumerate(world.devices[:40]):
            self.report(device, pauses[number % len(pauses)])
        world.run(seconds)

    def report(self, device: Device, pause: float) -> None:
        def again() -> None:
            device.send(b"x" * 30)
            self.world.later(pause * self.chance.uniform(0.95, 1.05), again)

        self.world.later(self.chance.uniform(0, pause), again)

    def health_of(self, device: Device) -> Health:
        gateway = self.world.gateway
        node = gateway.network.nodes.get(device.address64)
        assert node is not None
        return gateway.health.condition_of(node).health

    def texts(self) -> list[str]:
        changes, self.changes[:] = list(self.changes), []
        return [str(change) for change in changes]

    def test_nodes_that_are_switched_off(self) -> None:
        self.start()
        counts = self.world.gateway.health.counts()
        self.assertEqual((counts[Health.OK], sum(counts.values())), (60, 60))
        self.changes.clear()
        off = self.world.devices[:4]
        for device in off:
            device.reachable = False
        began = self.world.now
        noticed = {}
        for device, pause in zip(off, PAUSES):
            self.world.run_until(partial(self.is_noticed, device), 200.0)
            noticed[pause] = self.world.now - began
            self.assertLess(noticed[pause], max(90.0, 2 * pause), noticed)
        # Whom somebody writes to is noticed by that.
        self.world.run(300)
        self.assertEqual({self.health_of(device) for device in off}, {Health.NOT_ANSWERING})
        self.assertEqual(self.world.gateway.health.counts()[Health.OK], 56)
        self.assertTrue(any("NODE4" in text and "got no answer" in text for text in self.texts()))
        for device in off:
            device.reachable = True
            self.world.run_until(partial(self.is_heard_after, device, self.heard_at(device)), 200)
            # It is looked at each second.
            self.world.run(1.1)
            self.assertIs(self.health_of(device), Health.OK)
        self.assertEqual(sum("is well again." in text for text in self.texts()), 4)

    def is_noticed(self, device: Device) -> bool:
        return self.health_of(device) is not Health.OK

    def is_heard_after(self, device: Device, moment: float) -> bool:
        return self.heard_at(device) > moment

    def heard_at(self, device: Device) -> float:
        node = self.world.gateway.network.nodes.get(device.address64)
        assert node is not None
        return node.heard_at

    def test_one_question_a_minute(self) -> None:
        """Over all of them; those that say nothing have their turn within the hour. The numbers are
        those of docs/health.rst.
        """
        self.start((20.0, 60.0), 4000.0)
        self.questions.clear()
        before = self.bytes_passed()
        self.world.run(2 * QUIET)
        # Twenty say nothing by themselves.
        self.assertEqual(len(self.questions), 40)
        pauses = [second - first for first, second in zip(self.questions, self.questions[1:])]
        self.assertGreaterEqual(min(pauses), PAUSE)
        self.assertEqual(self.world.gateway.health.counts()[Health.OK], 60)
        out, back = (now - then for now, then in zip(self.bytes_passed(), before))
        self.assertEqual((out, back), (760, 840))
        page = (DOCS / "health.rst").read_text()
        said = f"asked 40 questions in two hours: {out} bytes to the radio and {back} back"
        self.assertIn(said, " ".join(page.split()))

    def bytes_passed(self) -> tuple[int, int]:
        """Bytes on the radio's line of remote AT commands and of their answers; each frame has four
        beside its data (90001539, "API frame format").
        """
        traffic = self.world.gateway.radio.traffic
        out, back = RemoteATCommand.frame_type, RemoteATCommandResponse.frame_type
        return (
            traffic.bytes_out[out] + 4 * traffic.frames_out[out],
            traffic.bytes_in[back] + 4 * traffic.frames_in[back],
        )

    def test_nobody_is_asked(self) -> None:
        self.start((20.0, 60.0), health=PASSIVE)
        self.world.devices[0].reachable = self.world.devices[50].reachable = False
        self.world.run(QUIET * 2)
        self.assertEqual(self.questions, [])
        self.assertIs(self.health_of(self.world.devices[0]), Health.SILENT)
        # Nobody can know.
        self.assertIs(self.health_of(self.world.devices[50]), Health.OK)

    def test_radio_is_away(self) -> None:
        """All stay as they were, and nobody is silent for that."""
        self.start()
        self.changes.clear()
        self.world.endpoint.unplug()
        self.world.run(600)
        self.world.endpoint.plug_in()
        self.world.run(300)
        self.assertEqual(self.texts(), [])
        self.assertEqual(self.world.gateway.health.counts()[Health.OK], 60)

    def test_packets_that_get_lost(self) -> None:
        """Somebody writes to a node that is switched off."""
        self.start()
        self.changes.clear()
        device = self.world.devices[55]
        device.reachable = False
        for _ in range(3):
            client = self.world.connect(device)
            client.write(b"?")
            self.world.run(20)
        self.assertIs(self.health_of(device), Health.NOT_ANSWERING)
        # How many there were, and whether it was asked meanwhile, depends on whose turn it was.
        self.assertRegex(
            self.texts()[-1], r"NODE56 .*: Does not answer since .* no acknowledgement"
        )

    def test_node_that_is_forgotten(self) -> None:
        self.start()
        gateway = self.world.gateway
        node = gateway.network.nodes.get(self.world.devices[50].address64)
        assert node is not None
        gateway.network.nodes.remove(node)
        self.world.run(10)
        self.assertEqual(len(gateway.health._records), 59)
        self.assertNotIn(node.address64, gateway.health._records)
