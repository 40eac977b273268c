"""The link: brought up, kept, brought up again; on the simulated radio."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import Listener, start
from zbtwist.radio.bring_up import PROBE_TIMEOUT, PROBES, RadioFacts
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import RadioOffline
from zbtwist.radio.service import LAST_RETRY, RadioService
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.xbee.status import (
    MODEM_COORDINATOR_STARTED,
    MODEM_HARDWARE_RESET,
    MODEM_WATCHDOG_RESET,
)


class Switch:
    """An endpoint that can be out of order."""

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint
        self.error: Exception | None = None
        self.tries = 0
        self.protocol: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        self.tries += 1
        if self.error is not None:
            return fail(self.error)
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addCallback(self._connected)

    def _connected(self, protocol: Any) -> Any:
        self.protocol = protocol
        return protocol


class RadioServiceTests(SynchronousTestCase):
    def build(self, api_mode: int = 1, wanted: int | None = None) -> None:
        self.clock = Clock()
        self.network = SimulatedNetwork(self.clock, api_mode=api_mode)
        self.switch = Switch(SimulatorEndpoint(self.clock, self.network))
        self.coordinator = Coordinator(self.clock)
        self.listener = Listener()
        self.coordinator.add_listener(self.listener)
        self.service = RadioService(self.clock, self.switch, self.coordinator, "sim:", wanted)
        self.log = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.addCleanup(self.network.stop)

    def run_for(self, seconds: float, step: float = 0.01) -> None:
        self.clock.pump([step] * round(seconds / step))

    def lines(self, level: str) -> list[str]:
        return [
            event["log_format"].format(**event)
            for event in self.log
            if event["log_level"].name == level and event["log_namespace"].startswith("zbtwist")
        ]

    def ups(self) -> list[RadioFacts]:
        return [heard for heard in self.listener.heard if isinstance(heard, RadioFacts)]

    def stop(self) -> None:
        stopped = self.service.stopService()
        self.run_for(0.1)
        self.successResultOf(stopped)

    def test_bring_up_in_both_modes(self) -> None:
        for mode in (1, 2):
            for wanted in (None, 1, 2):
                self.build(mode, wanted)
                self.service.startService()
                self.run_for(0.5)
                (facts,) = self.ups()
                self.assertEqual(facts.api_mode, mode)
                self.assertEqual(facts.address64, self.network.radio.address64)
                self.assertEqual(facts.payload_limit, self.network.radio.longest_payload)
                self.assertEqual(facts.discovery_time, 6.0)
                self.assertEqual(facts.operating_pan_id, self.network.pan_id)
                self.assertTrue(facts.joined)
                self.assertTrue(facts.firmware_version)
                self.assertTrue(facts.hardware_version)
                self.assertEqual(self.coordinator.offline_reason, "")
                mismatch = wanted not in (None, mode)
                self.assertEqual(len(self.lines("warn")), int(mismatch), self.lines("warn"))
                self.stop()

    def test_output_mode_is_set_in_memory_only(self) -> None:
        self.build()
        radio = self.network.radio
        radio.execute("AO", b"\x01")
        self.service.startService()
        self.run_for(0.5)
        self.assertEqual(radio.execute("AO", b"")[1], b"\x00")
        self.assertEqual(radio.flash_writes, 0)
        self.stop()

    def test_every_output_mode_is_reset(self) -> None:
        for mode in (1, 3):
            self.build()
            self.network.radio.execute("AO", bytes([mode]))
            self.service.startService()
            self.run_for(0.5)
            self.assertEqual(self.network.radio.execute("AO", b"")[1], b"\x00")
            self.stop()

    def test_payload_limit_that_makes_no_sense(self) -> None:
        """NP of 0, or of more than a frame holds."""
        for answer in (b"\x00\x00", b"\xff\xff", b""):
            self.build()
            radio = self.network.radio
            execute = radio.execute

            def odd(
                command: str, parameter: bytes, execute: Any = execute, answer: bytes = answer
            ) -> Any:
                return (0, answer) if command == "NP" else execute(command, parameter)

            self.patch(radio, "execute", odd)
            self.service.startService()
            self.run_for(0.5)
            (facts,) = self.ups()
            self.assertEqual(facts.payload_limit, 72)
            self.stop()

    def test_mode_is_remembered_for_the_next_link(self) -> None:
        self.build(api_mode=2)
        self.service.startService()
        self.run_for(0.5)
        self.switch.protocol.transport.abortConnection()
        self.run_for(0.01)
        built = self.service._build_protocol()
        self.assertEqual(built.api_mode, 2)
        self.run_for(1)
        self.stop()

    def test_joined_later(self) -> None:
        """What was read before the radio was in its network is read again, and a search follows."""
        self.build()
        radio = self.network.radio
        execute = radio.execute
        self.patch(radio, "execute", lambda c, p: (0, b"\xff") if c == "AI" else execute(c, p))
        self.service.startService()
        self.run_for(0.5)
        self.assertFalse(self.ups()[0].joined)
        self.assertIn("not in a network", self.lines("warn")[-1])
        self.patch(radio, "execute", execute)
        radio.emit_modem_status(MODEM_COORDINATOR_STARTED)
        self.run_for(0.5)
        self.assertTrue(self.ups()[1].joined)
        # Once it is in, the same news is no reason to begin again.
        radio.emit_modem_status(MODEM_COORDINATOR_STARTED)
        self.run_for(0.5)
        self.assertEqual(len(self.ups()), 2)
        self.stop()

    def test_log_is_quiet_while_nothing_changes(self) -> None:
        self.build()
        self.switch.error = ConnectError(string="There is no port.")
        self.service.startService()
        self.run_for(120, 0.1)
        self.assertEqual(
            len([event for event in self.log if event["log_level"].name != "debug"]), 1
        )
        self.stop()

    def test_stop_does_not_wait_for_what_is_buffered(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(0.5)
        transport = self.switch.protocol.transport
        aborted: list[bool] = []
        abort = transport.abortConnection
        self.patch(transport, "abortConnection", lambda: (aborted.append(True), abort()))
        self.stop()
        self.assertEqual(aborted, [True])

    def test_no_port(self) -> None:
        """One line in the log, tries that go on, and it comes up when the port is there."""
        self.build()
        self.switch.error = ConnectError(string="There is no port.")
        self.service.startService()
        self.run_for(60)
        self.assertGreater(self.switch.tries, 60 / LAST_RETRY)
        self.assertLess(self.switch.tries, 30)
        self.assertEqual(len(self.lines("warn")), 1)
        self.assertIn("There is no port: see that it is there", self.lines("warn")[0])
        self.assertIn("There is no port", self.coordinator.offline_reason)
        self.failureResultOf(start(self.coordinator.at("NP")), RadioOffline)
        self.switch.error = None
        self.run_for(LAST_RETRY + 0.5)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_silent_radio(self) -> None:
        """A radio in transparent mode: said once, and tried again."""
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(PROBES * PROBE_TIMEOUT + 0.1)
        self.assertEqual(len(self.lines("warn")), 1)
        self.assertIn("API mode", self.lines("warn")[0])
        self.assertEqual(self.ups(), [])
        self.network.radio.execute("AP", b"\x01")
        self.network.radio.apply()
        self.run_for(LAST_RETRY + PROBES * PROBE_TIMEOUT + 1)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_link_lost(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(0.5)
        waiting = start(self.coordinator.at("NP"))
        self.switch.protocol.transport.abortConnection()
        self.run_for(0.01)
        self.failureResultOf(waiting, RadioOffline)
        self.assertIsNone(self.coordinator.facts)
        self.assertIn("is lost", self.lines("warn")[-1])
        self.run_for(1)
        self.assertEqual(len(self.ups()), 2)
        self.stop()

    def test_link_lost_during_bring_up(self) -> None:
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(0.5)
        self.switch.protocol.transport.abortConnection()
        self.network.radio.execute("AP", b"\x01")
        self.network.radio.apply()
        self.run_for(1)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_reset(self) -> None:
        """What bring-up set is gone after a reset, and set again."""
        for status in (MODEM_HARDWARE_RESET, MODEM_WATCHDOG_RESET):
            self.build()
            self.service.startService()
            self.run_for(0.5)
            waiting = start(self.coordinator.remote_at(self.network.radio.address64, "NI"))
            self.network.radio.execute("AO", b"\x01")
            self.network.radio.emit_modem_status(status)
            self.run_for(0.5)
            self.failureResultOf(waiting, RadioOffline)
            self.assertEqual(self.network.radio.execute("AO", b"")[1], b"\x00")
            self.assertEqual(len(self.ups()), 2)
            self.stop()

    def test_reset_during_bring_up(self) -> None:
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(0.1)
        # It was in transparent mode, and comes back from the reset in API mode.
        self.network.radio.execute("AP", b"\x01")
        self.network.radio.apply()
        self.network.radio.emit_modem_status(MODEM_HARDWARE_RESET)
        # Sooner than the next probe would have come.
        self.run_for(PROBE_TIMEOUT / 2)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(self.switch.tries, 1)
        self.stop()

    def test_restart(self) -> None:
        """The service can be started again, and leaves nothing behind when stopped."""
        self.build()
        for ups in (1, 2):
            self.service.startService()
            self.run_for(0.5)
            self.assertEqual(len(self.ups()), ups)
            self.stop()
            self.assertIsNone(self.coordinator.facts)
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_while_opening(self) -> None:
        self.build()
        self.service.startService()
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
