"""What the service manager is told of the gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from zbtwist.app.gateway import Gateway
from zbtwist.app.reload import Reloader
from zbtwist.app.supervised import LOOK, READY_LIMIT, Supervised
from zbtwist.config.settings import Settings
from zbtwist.config.toml_file import ConfigError
from zbtwist.runtime.service_manager import ServiceManager

SETTINGS = Settings(serial="sim:nt=0.3:interval=0")


class RecordedManager(ServiceManager):
    """
    @ivar told: what it was told, in order.
    """

    def __init__(self, watchdog: float = 0.0) -> None:
        super().__init__({"NOTIFY_SOCKET": "/run/systemd/notify"})
        self.watchdog = watchdog
        self.told: list[dict[str, str]] = []

    def tell(self, **values: str) -> None:
        self.told.append(values)

    def values(self, name: str) -> list[str]:
        return [values[name] for values in self.told if name in values]


class SupervisedTestCase(SynchronousTestCase):
    def start(
        self,
        settings: Settings = SETTINGS,
        watchdog: float = 0.0,
        opening: Deferred[None] | None = None,
    ) -> None:
        """
        @param opening: fires when the ports are open; None for when they are.
        """
        self.reactor: Any = MemoryReactorClock()
        self.gateway = Gateway(settings, self.reactor)
        if opening is not None:
            self.patch(self.gateway.bindings, "settled", lambda: opening)
        self.manager = RecordedManager(watchdog)
        self.supervised = Supervised(self.gateway, self.reactor, self.manager)
        self.supervised.setServiceParent(self.gateway)
        self.is_running = True
        self.gateway.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.is_running:
            self.is_running = False
            self.gateway.stopService()

    def run_for(self, seconds: float, step: float = 0.01) -> None:
        self.reactor.pump([step] * round(seconds / step))

    def status(self) -> str:
        return self.manager.values("STATUS")[-1]


class ReadyTests(SupervisedTestCase):
    def test_without_a_radio(self) -> None:
        """A radio that is not there is no reason not to be ready: it is said in words."""
        self.start(replace(SETTINGS, serial=f"/dev/{self.id()}"))
        self.run_for(1)
        self.assertEqual(self.manager.values("READY"), ["1"])
        self.assertRegex(self.status(), "^No radio on /dev/.*: There is no serial port")

    def test_reactor_first(self) -> None:
        """Before it turns nothing is ready, nor does it heed a signal."""
        self.start()
        self.assertEqual(self.manager.told, [])
        self.reactor.advance(0)
        self.assertEqual(self.manager.values("READY"), ["1"])

    def test_ports_first(self) -> None:
        """Whoever waits for the gateway finds its ports open."""
        opened: Deferred[None] = Deferred()
        self.start(opening=opened)
        self.run_for(1)
        self.assertEqual(self.manager.values("READY"), [])
        opened.callback(None)
        self.assertEqual(self.manager.values("READY"), ["1"])

    def test_a_port_that_does_not_open(self) -> None:
        self.start(opening=Deferred())
        self.run_for(READY_LIMIT - 1, 0.1)
        self.assertEqual(self.manager.values("READY"), [])
        self.run_for(2, 0.1)
        self.assertEqual(self.manager.values("READY"), ["1"])

    def test_stop(self) -> None:
        self.start(watchdog=1)
        self.run_for(1)
        self.stop()
        self.assertEqual(self.manager.told[-1]["STOPPING"], "1")
        said = len(self.manager.told)
        self.run_for(5)
        self.assertEqual(len(self.manager.told), said)

    def test_stop_before_it_is_ready(self) -> None:
        self.start(opening=Deferred())
        self.stop()
        self.run_for(READY_LIMIT + 1, 0.1)
        self.assertEqual(self.manager.values("READY"), [])

    def test_no_manager(self) -> None:
        """Then there is nothing to be done, and nothing is."""
        reactor: Any = MemoryReactorClock()
        gateway = Gateway(SETTINGS, reactor)
        Supervised(gateway, reactor, ServiceManager({})).setServiceParent(gateway)
        before = len(reactor.getDelayedCalls())
        supervised = Supervised(gateway, reactor, ServiceManager({}))
        supervised.startService()
        self.assertEqual(len(reactor.getDelayedCalls()), before)
        supervised.stopService()


class WatchdogTests(SupervisedTestCase):
    def test_half_of_its_time(self) -> None:
        self.start(watchdog=8)
        self.reactor.advance(0)
        self.manager.told.clear()
        self.run_for(40.5, 0.1)
        self.assertEqual(self.manager.values("WATCHDOG"), ["1"] * 10)

    def test_radio_that_is_away(self) -> None:
        """It is not the program's fault."""
        self.start(replace(SETTINGS, serial=f"/dev/{self.id()}"), watchdog=8)
        self.reactor.advance(0)
        self.manager.told.clear()
        self.run_for(40.5, 0.1)
        self.assertEqual(len(self.manager.values("WATCHDOG")), 10)

    def test_none(self) -> None:
        self.start()
        self.run_for(3 * LOOK, 0.1)
        self.assertEqual(self.manager.values("WATCHDOG"), [])


class StatusTests(SupervisedTestCase):
    def test_radio(self) -> None:
        self.start()
        self.run_for(2)
        self.assertRegex(self.status(), r"^The radio on sim:\S* is up\. Nodes: \d, clients: 0\.$")
        self.run_for(LOOK + 1, 0.1)
        self.assertIn("Nodes: 3,", self.status())
        self.gateway.radio.coordinator.link_down("It was unplugged.")
        self.assertIn("No radio on sim:nt=0.3:interval=0: It was unplugged.", self.status())

    def test_radio_in_no_network(self) -> None:
        self.start()
        self.run_for(2)
        coordinator = self.gateway.radio.coordinator
        assert coordinator.facts is not None
        coordinator.facts = replace(coordinator.facts, association=0x21)
        self.run_for(LOOK + 1, 0.1)
        self.assertIn("is in no network.", self.status())
        # Other firmware reaches its nodes all the same.
        coordinator.facts = replace(coordinator.facts, is_zigbee=False)
        self.run_for(LOOK + 1, 0.1)
        self.assertIn("is up.", self.status())

    def test_state_that_cannot_be_saved(self) -> None:
        self.start()
        self.patch(type(self.gateway.bindings), "store_problem", "The disk is full.")
        self.run_for(LOOK + 1, 0.1)
        self.assertTrue(self.status().endswith("The disk is full."), self.status())

    def test_only_news(self) -> None:
        self.start()
        self.run_for(LOOK + 1, 0.1)
        said = len(self.manager.values("STATUS"))
        self.run_for(10 * LOOK, 0.1)
        self.assertEqual(len(self.manager.values("STATUS")), said)


class ReloadTests(SupervisedTestCase):
    def setUp(self) -> None:
        self.start()
        self.run_for(1)
        self.read: list[Deferred[Settings]] = []

        def read(load: object) -> Deferred[Settings]:
            self.read.append(Deferred())
            return self.read[-1]

        self.reloader = Reloader(
            self.gateway, lambda: SETTINGS, self.reactor, read, manager=self.manager
        )
        self.reloader.running = 1
        self.manager.told.clear()

    def kinds(self) -> list[str]:
        return [next(iter(values)) for values in self.manager.told]

    def test_begin_and_end(self) -> None:
        self.reloader.reload()
        self.assertEqual(self.kinds(), ["RELOADING"])
        self.read[0].callback(SETTINGS)
        self.assertEqual(self.kinds(), ["RELOADING", "READY"])

    def test_mistakes(self) -> None:
        """The gateway goes on as it was, and is ready."""
        self.reloader.reload()
        self.read[0].errback(ConfigError("A mistake."))
        self.assertEqual(self.kinds(), ["RELOADING", "READY"])

    def test_again_while_it_is_read(self) -> None:
        """It is ready when the last is over."""
        self.reloader.reload()
        self.reloader.reload()
        self.read[0].callback(SETTINGS)
        self.assertEqual(self.kinds(), ["RELOADING", "RELOADING"])
        self.read[1].callback(SETTINGS)
        self.assertEqual(self.kinds(), ["RELOADING", "RELOADING", "READY"])

    def test_no_file(self) -> None:
        """There is nothing to be read, and nobody waits for it."""
        reloader = Reloader(self.gateway, None, self.reactor, manager=self.manager)
        reloader.reload()
        self.assertEqual(self.kinds(), ["RELOADING", "READY"])
