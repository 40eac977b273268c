"""The link: brought up, kept, brought up again; on the simulated radio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectError
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.radio.support import Listener, SimulatedPort, start
from tests.support import present, record_calls, record_log
from zbtwist.observing.log_lines import LogLines
from zbtwist.radio import heartbeat
from zbtwist.radio.coordinator import AT_TIMEOUT, Coordinator
from zbtwist.radio.endpoints import SerialEndpoint
from zbtwist.radio.errors import RadioOffline, SerialOpenError
from zbtwist.radio.heartbeat import JOIN_POLL, TRIES, TRY_TIMEOUT
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.line_settings import LineSettings
from zbtwist.radio.link_work import FIRST_RETRY, LAST_RETRY, REOPEN_AFTER
from zbtwist.radio.probe import WAITS
from zbtwist.radio.retrying_endpoint import OPEN_RETRY, OPEN_TIMEOUT
from zbtwist.radio.service import RadioService
from zbtwist.runtime.event_bus import EventBus
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.frames import ModemStatus, ReceivePacket
from zbtwist.xbee.status import ModemStatusCode

#: Seconds that finding and bringing up may take when nothing is in the way.
QUICK = 0.1


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


class LinkCase(SynchronousTestCase):
    """A service, and a radio at the other end of its endpoint."""

    def build(self, api_mode: int = 1, wanted: int | None = None, **settings: Any) -> None:
        self.clock = Clock()
        self.network = SimulatedNetwork(self.clock, api_mode=api_mode)
        self.switch = Switch(SimulatorEndpoint(self.clock, self.network))
        self.start_with(self.switch, wanted, **settings)

    def watch_line(self) -> list[bytes]:
        """Return what is written to the radio from now on, as it comes."""
        written: list[bytes] = []
        receive = self.network.radio.receive_bytes

        def watch(data: bytes) -> None:
            written.append(data)
            receive(data)

        self.patch(self.network.radio, "receive_bytes", watch)
        return written

    def start_with(self, endpoint: Any, wanted: int | None = None, **settings: Any) -> None:
        bus = self.bus = EventBus()
        self.coordinator = Coordinator(self.clock, bus, first_id=1)
        self.listener = Listener(self.coordinator, bus)
        LogLines(bus)
        self.service = RadioService(
            self.clock, endpoint, self.coordinator, bus, "sim:", wanted, **settings
        )
        self.log = record_log(self)
        self.addCleanup(self.network.stop)

    def run_for(self, seconds: float, step: float = 0.01) -> None:
        self.clock.pump([step] * round(seconds / step))

    def lines(self, level: str) -> list[str]:
        return self.log.lines(level, "zbtwist")

    def ups(self) -> list[RadioInfo]:
        return [heard for heard in self.listener.heard if isinstance(heard, RadioInfo)]

    def stop(self) -> None:
        stopped = self.service.stopService()
        self.run_for(0.1)
        self.successResultOf(stopped)


class RadioServiceTests(LinkCase):
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
        while (protocol := self.service.protocol) is None:
            self.run_for(0.001, 0.001)
        self.assertEqual(protocol.api_mode, 2)
        self.assertTrue(self.coordinator.offline_reason)
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
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "The radio is joining: scanning for a network (AI=ff). Nodes appear when it is "
                    "in a network."
                )
            ],
        )
        self.failureResultOf(start(self.coordinator.discover()), RadioOffline)
        self.patch(radio, "execute", execute)
        radio.emit_modem_status(ModemStatusCode.COORDINATOR_STARTED)
        self.run_for(0.5)
        self.assertTrue(self.ups()[1].joined)
        # Once it is in, the same news is no reason to begin again.
        radio.emit_modem_status(ModemStatusCode.COORDINATOR_STARTED)
        self.run_for(0.5)
        self.assertEqual(len(self.ups()), 2)
        self.stop()

    def test_log_is_quiet_while_nothing_changes(self) -> None:
        self.build()
        self.switch.error = ConnectError(string="There is no port.")
        self.service.startService()
        self.run_for(120, 0.1)
        self.assertEqual(
            len([event for event in self.log.events if event["log_level"].name != "debug"]), 1
        )
        self.stop()

    def test_stop_does_not_wait_for_what_is_buffered(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(0.5)
        transport = self.switch.protocol.transport
        aborted = record_calls(self, transport, "abortConnection")
        self.stop()
        self.assertEqual(aborted, [()])

    def test_no_port(self) -> None:
        """One line in the log, tries that go on, and it comes up when the port is there."""
        self.build()
        self.switch.error = ConnectError(string="There is no port.")
        self.service.startService()
        self.run_for(60)
        self.assertTrue(190 <= self.switch.tries <= 60 / OPEN_RETRY + 1, self.switch.tries)
        self.assertEqual(len(self.lines("warn")), 1)
        self.assertIn("There is no port: see that it is there", self.lines("warn")[0])
        self.assertIn("There is no port", self.coordinator.offline_reason)
        self.failureResultOf(start(self.coordinator.at("NP")), RadioOffline)
        self.switch.error = None
        self.run_for(0.5)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_each_reason_is_said_once(self) -> None:
        """A port that goes away and comes back without permission, again and again."""
        self.build()
        self.switch.error = SerialOpenError("There is no port.")
        self.service.startService()
        for _ in range(20):
            for reason in ("There is no port.", "You may not open it."):
                self.switch.error = SerialOpenError(reason)
                self.run_for(1)
        self.assertEqual(len(self.lines("warn")), 2, self.lines("warn"))
        # After it was there, it is said again.
        self.switch.error = None
        self.run_for(1)
        self.switch.error = SerialOpenError("There is no port.")
        self.switch.protocol.transport.abortConnection()
        self.run_for(1)
        self.assertEqual(len(self.lines("warn")), 4, self.lines("warn"))
        self.stop()

    def test_connect_that_hangs(self) -> None:
        """A serial server whose answers are lost on the way."""
        self.build()
        cancelled: list[Deferred[Any]] = []
        connect = self.switch.connect
        self.patch(self.switch, "connect", lambda factory: Deferred(cancelled.append))
        self.service.startService()
        self.run_for(OPEN_TIMEOUT - 0.1)
        self.assertEqual(cancelled, [])
        self.run_for(0.2)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "No radio on sim:: There was no connection within 5 s: see that it is there "
                    "and reachable. The gateway goes on trying."
                )
            ],
        )
        self.patch(self.switch, "connect", connect)
        self.run_for(OPEN_RETRY + OPEN_TIMEOUT + 1)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_stop_while_connecting(self) -> None:
        self.build()
        self.patch(self.switch, "connect", lambda factory: Deferred())
        self.service.startService()
        self.run_for(1)
        self.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent_radio(self) -> None:
        """A radio in transparent mode: said once, and tried again."""
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(sum(WAITS) + 0.1)
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "No radio on sim:: The radio does not answer: it must be an XBee in API mode "
                    "(AP=1 or AP=2), and its serial line raw, at the radio's rate and without "
                    "parity; --configure moves a radio in transparent mode to API mode. The "
                    "gateway goes on trying."
                )
            ],
        )
        self.assertEqual(self.ups(), [])
        self.network.radio.execute("AP", b"\x01")
        self.network.radio.apply()
        self.run_for(LAST_RETRY + sum(WAITS))
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
        for status in (ModemStatusCode.HARDWARE_RESET, ModemStatusCode.WATCHDOG_RESET):
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
        self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        # Sooner than the next probe would have come.
        self.run_for(QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(self.switch.tries, 1)
        self.stop()

    def test_silent_during_bring_up(self) -> None:
        """It may have been deaf since its last frame, and not only since it is given up."""
        self.build()
        self.service.startService()
        self.run_for(0.5)
        radio = self.network.radio
        radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        # It is being set up anew.
        self.run_for(0.01)
        radio.write_frame(ReceivePacket(Address64(1), Address16(2), 1, b"x"))
        self.run_for(0.001, step=0.001)
        self.assertIsNone(self.coordinator.facts)
        last_frame = self.coordinator.last_frame
        radio.hang()
        self.run_for(10)
        self.assertLess(last_frame, 0.6)
        self.assertEqual(self.coordinator.down_since, last_frame)
        self.stop()

    def test_it_is_waited_for(self) -> None:
        """While it is being brought up, and at the start also if it was not there at first; but not
        when it is known not to be there.
        """
        self.build()
        self.switch.error = SerialOpenError("There is no port.")
        self.service.startService()
        until_up = self.coordinator.until_up
        early, short = start(until_up(5.0)), start(until_up(1.0))
        self.run_for(1.1)
        self.assertNoResult(early)
        self.assertIsNone(self.successResultOf(short))
        self.switch.error = None
        self.run_for(OPEN_RETRY + QUICK)
        self.assertIsNone(self.successResultOf(early))
        self.assertIsNotNone(self.coordinator.facts)
        self.assertIsNone(self.successResultOf(start(until_up(5.0))))
        # The line is lost, and back at once.
        self.switch.protocol.transport.abortConnection()
        self.run_for(0.002, 0.001)
        waiting = start(until_up(5.0))
        self.assertNoResult(waiting)
        self.run_for(OPEN_RETRY + QUICK)
        self.successResultOf(waiting)
        self.assertIsNotNone(self.coordinator.facts)
        # It is lost, and gone.
        self.switch.error = SerialOpenError("There is no port.")
        self.switch.protocol.transport.abortConnection()
        self.run_for(0.002, 0.001)
        waiting = start(until_up(5.0))
        self.run_for(OPEN_RETRY + QUICK)
        self.successResultOf(waiting)
        self.successResultOf(start(until_up(5.0)))
        self.assertIsNone(self.coordinator.facts)
        self.stop()
        self.service.startService()
        waiting = start(until_up(5.0))
        self.assertNoResult(waiting)
        self.stop()
        self.successResultOf(waiting)
        self.successResultOf(start(until_up(5.0)))
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

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

    def test_frame_ends_the_pause(self) -> None:
        """Between two bring-ups a frame, whatever it says, tells that the radio is there."""
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(sum(WAITS) + 0.05)
        self.assertEqual(len(self.lines("warn")), 1)
        radio = self.network.radio
        radio.execute("AP", b"\x01")
        radio.apply()
        radio.emit_modem_status(0x07)
        self.run_for(QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_quick(self) -> None:
        """From the port's return until requests may be made."""
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.switch.error = SerialOpenError("There is no port.")
        self.switch.protocol.transport.abortConnection()
        self.run_for(10.03)
        self.switch.error = None
        self.run_for(OPEN_RETRY + QUICK)
        self.assertEqual(len(self.ups()), 2)
        self.stop()

    def test_half_a_frame_in_the_radio(self) -> None:
        """The first question is swallowed by what the last program left behind."""
        for api_mode in (1, 2):
            self.build(api_mode)
            self.network.radio.receive_bytes(b"\x7e\x00\x60\x10\x01")
            self.service.startService()
            self.run_for(WAITS[0] + QUICK)
            self.assertEqual(len(self.ups()), 1)
            self.stop()

    def test_requests_wait_until_the_radio_is_found(self) -> None:
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(0.5)
        self.failureResultOf(start(self.coordinator.at("NP")), RadioOffline)
        self.stop()

    def test_late_answer_is_an_answer(self) -> None:
        """A radio that takes longer than any try has."""
        self.build()
        self.service.startService()
        self.run_for(0.1)
        self.slow_down(WAITS[0] + 0.3)
        self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        self.run_for(WAITS[0] * 2 + 2.0)
        self.assertEqual(len(self.ups()), 2)
        self.assertEqual(self.lines("warn"), [])
        self.stop()

    def slow_down(self, seconds: float) -> None:
        receive = self.network.radio.receive_bytes
        self.patch(
            self.network.radio,
            "receive_bytes",
            lambda data: self.clock.callLater(seconds, receive, data),
        )

    def test_reopened_after_many_failures(self) -> None:
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(REOPEN_AFTER * (sum(WAITS) + LAST_RETRY) + 1)
        self.assertEqual(self.switch.tries, 2)
        self.assertEqual(len(self.lines("warn")), 1)
        self.stop()

    def pauses(self, asked: list[float]) -> list[float]:
        """Return the times between the last question of each try and the first of the next."""
        return [
            asked[number] - asked[number - 1] - WAITS[-1]
            for number in range(len(WAITS), len(asked), len(WAITS))
        ]

    def mute(self) -> list[float]:
        """Let the radio say nothing; return when it is asked from now on."""
        asked: list[float] = []
        self.patch(
            self.network.radio, "receive_bytes", lambda data: asked.append(self.clock.seconds())
        )
        return asked

    def test_pauses_grow(self) -> None:
        """Of a radio that was there before, up to a second."""
        self.build(heartbeat=2.0)
        self.service.startService()
        self.run_for(QUICK)
        asked = self.mute()
        self.run_for(2 + TRIES * TRY_TIMEOUT)
        del asked[:TRIES]
        self.run_for(20)
        # It is closed after the first, since it was up and fell silent.
        expected = [OPEN_RETRY, 0.375, 0.5625, 0.84375, 1.0, OPEN_RETRY, 1.0]
        pauses = self.pauses(asked)
        self.assertGreaterEqual(len(pauses), len(expected))
        for pause, wanted in zip(pauses, expected):
            self.assertTrue(wanted - 0.001 <= pause < wanted + 0.05, (pause, wanted))
        self.stop()

    def test_a_transparent_radio_is_asked_less_and_less(self) -> None:
        """What it is asked goes over the air, to somebody's device."""
        self.build(api_mode=0)
        receive = self.network.radio.receive_bytes
        asked = self.mute()
        self.service.startService()
        self.run_for(20)
        pauses = self.pauses(asked)
        expected = [0.25, 0.375, 0.5625, 0.84375, 1.265625 + OPEN_RETRY, 1.8984375]
        for pause, wanted in zip(pauses, expected):
            self.assertTrue(wanted - 0.001 <= pause < wanted + 0.05, (pause, wanted))
        self.run_for(600, 0.05)
        asked.clear()
        self.run_for(3600, 0.05)
        # A try a minute.
        self.assertLessEqual(len(asked), 3 * 60)
        self.assertGreater(len(asked), 3 * 50)
        # One that is switched on says so, and is found at once.
        self.patch(self.network.radio, "receive_bytes", receive)
        self.network.radio.execute("AP", b"\x01")
        self.network.radio.apply()
        self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        self.run_for(WAITS[0] + QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_a_radio_that_is_plugged_in_anew_is_found_at_once(self) -> None:
        """However long one was looked for in vain on the line that there was before."""
        self.build(api_mode=0)
        self.service.startService()
        self.run_for(1200, 0.05)
        self.switch.error = SerialOpenError("There is no port.")
        self.switch.protocol.transport.abortConnection()
        self.run_for(10)
        self.switch.error = None
        self.run_for(OPEN_RETRY + sum(WAITS))
        self.network.radio.execute("AP", b"\x01")
        self.network.radio.apply()
        self.run_for(FIRST_RETRY + QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_frames_take_no_detour(self) -> None:
        """Once the radio is found, the line gives them to the coordinator itself."""
        self.build()
        work = self.service._work
        self.service.startService()
        self.run_for(0.001, 0.001)
        self.assertIsNotNone(self.service.protocol)
        self.assertIsNot(work.hearers, self.coordinator.hearers)
        self.run_for(QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.assertIs(work.hearers, self.coordinator.hearers)
        self.stop()

    def test_mistake_of_ours(self) -> None:
        """It does not leave the link half up: it is said, and tried again."""
        self.build()
        broken = ValueError("no such thing")
        ready = self.coordinator.ready

        def break_once(facts: RadioInfo, is_news: bool) -> None:
            self.patch(self.coordinator, "ready", ready)
            raise broken

        self.patch(self.coordinator, "ready", break_once)
        self.service.startService()
        self.run_for(QUICK)
        self.assertEqual([failure.value for failure in self.flushLoggedErrors()], [broken])
        self.assertEqual(
            self.coordinator.offline_reason, "The radio could not be set up; see the log."
        )
        self.run_for(FIRST_RETRY + QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(self.switch.tries, 1)
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replaced(self) -> None:
        """Another endpoint: nothing is kept of the old one, and its radio surprises nobody."""
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        old = self.switch.protocol.transport
        other = SimulatedNetwork(self.clock, api_mode=2)
        other.radio.address64 = Address64(self.network.radio.address64 + 1)
        self.addCleanup(other.stop)
        self.service.replace_endpoint(SimulatorEndpoint(self.clock, other), "sim:2", None)
        # The old radio's last words.
        self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        self.run_for(1)
        self.assertFalse(old.connected)
        self.assertEqual([facts.api_mode for facts in self.ups()], [1, 2])
        self.assertEqual(self.lines("warn"), [])
        self.assertEqual(self.service.radio_name, "sim:2")
        self.stop()
        other.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replaced_twice_at_once(self) -> None:
        """The last word counts."""
        for is_opening in (False, True):
            self.build()
            if is_opening:
                self.patch(self.switch, "connect", lambda factory: Deferred())
            self.service.startService()
            self.run_for(QUICK)
            others = [SimulatedNetwork(self.clock, api_mode=2) for _ in range(3)]
            for number, other in enumerate(others):
                self.addCleanup(other.stop)
                set_address(other, number + 1)
                endpoint = SimulatorEndpoint(self.clock, other)
                self.service.replace_endpoint(endpoint, f"sim:{number}", None)
            self.run_for(1)
            self.assertEqual(present(self.coordinator.facts).address64, 3)
            self.assertEqual(self.service.radio_name, "sim:2")
            self.assertEqual(len(self.ups()), 1 if is_opening else 2)
            self.stop()
            for network in (self.network, *others):
                network.stop()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replaced_and_stopped_at_once(self) -> None:
        """It is not opened, until the service is started again."""
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        self.service.replace_endpoint(SimulatorEndpoint(self.clock, self.network), "sim:2", None)
        self.stop()
        self.assertIsNone(self.coordinator.facts)
        self.service.startService()
        self.run_for(1)
        self.assertIsNotNone(self.coordinator.facts)
        self.stop()

    def test_started_before_it_has_stopped(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        stopped = self.service.stopService()
        self.service.startService()
        self.run_for(1)
        self.successResultOf(stopped)
        self.assertEqual(len(self.ups()), 2)
        self.stop()

    def test_congestion_is_passed_on(self) -> None:
        self.build()
        heard: list[bool] = []
        self.patch(self.coordinator, "set_congested", heard.append)
        self.service.startService()
        self.run_for(QUICK)
        heard.clear()
        protocol = self.service.protocol
        assert protocol is not None
        protocol.pauseProducing()
        self.assertEqual(heard, [True])
        # Another bring-up on the same line does not forget it.
        self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        self.run_for(QUICK)
        self.assertEqual(heard, [True, True])
        protocol.resumeProducing()
        self.assertEqual(heard, [True, True, False])
        self.stop()


class SwappedRadioTests(LinkCase):
    def test_another_radio(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        other = SimulatedNetwork(self.clock, api_mode=2)
        self.addCleanup(other.stop)
        set_address(other, 0x0013A200_12345678)
        self.switch._endpoint = SimulatorEndpoint(self.clock, other)
        self.switch.protocol.transport.abortConnection()
        self.run_for(1)
        second = self.ups()[1]
        self.assertEqual((second.address64, second.api_mode), (0x0013A200_12345678, 2))
        self.assertEqual(
            self.lines("warn")[1:],
            [
                (
                    "The radio on sim: is another one: 00:13:a2:00:12:34:56:78, not "
                    "00:13:a2:00:41:5b:1a:00 as before. Nodes that are in its network keep their "
                    "ports; the others stay silent."
                )
            ],
        )
        # The same again is no news.
        self.switch.protocol.transport.abortConnection()
        self.run_for(1)
        self.assertEqual(len(self.ups()), 3)
        self.assertEqual(len(self.lines("warn")), 3)
        self.stop()


def set_address(network: SimulatedNetwork, address64: int) -> None:
    """Let the local radio have another address."""
    execute = network.radio.execute

    def say(command: str, parameter: bytes) -> tuple[int, bytes]:
        if command == "SH":
            return 0, (address64 >> 32).to_bytes(4, "big")
        if command == "SL":
            return 0, (address64 & 0xFFFF_FFFF).to_bytes(4, "big")
        return execute(command, parameter)

    network.radio.execute = say  # type: ignore[method-assign]


class NetworkOfTheRadioTests(LinkCase):
    """Joined, left, joined again."""

    def association(self, value: bytes) -> None:
        execute = self.network.radio.execute if not hasattr(self, "execute") else self.execute
        self.execute: Callable[[str, bytes], Any] = execute
        self.patch(
            self.network.radio, "execute", lambda c, p: (0, value) if c == "AI" else execute(c, p)
        )

    def test_left(self) -> None:
        """The link stays up, and those who would send can see that it leads nowhere."""
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        self.association(b"\x21")
        self.network.radio.emit_modem_status(ModemStatusCode.LEFT)
        self.run_for(10)
        assert self.coordinator.facts is not None
        self.assertFalse(self.coordinator.facts.joined)
        self.assertEqual(self.coordinator.offline_reason, "")
        self.assertEqual(
            self.lines("warn"),
            [
                "The radio has left its network: no node can be reached until it joins again.",
                "The radio is joining: no PAN found (AI=21). Nodes appear when it is in a network.",
            ],
        )
        self.association(b"\x00")
        self.network.radio.emit_modem_status(ModemStatusCode.JOINED)
        self.run_for(QUICK)
        self.assertTrue(self.coordinator.facts.joined)
        self.assertEqual(len(self.ups()), 2)
        self.stop()

    def test_joining_is_noticed_without_its_modem_status(self) -> None:
        self.build()
        self.association(b"\xff")
        self.service.startService()
        self.run_for(60)
        self.assertEqual(len(self.ups()), 1)
        self.association(b"\x00")
        self.run_for(JOIN_POLL + QUICK)
        self.assertTrue(self.ups()[1].joined)
        self.stop()

    def test_leaving_is_noticed_without_its_modem_status(self) -> None:
        self.build(heartbeat=30)
        self.service.startService()
        self.run_for(QUICK)
        self.association(b"\x22")
        self.run_for(31)
        assert self.coordinator.facts is not None
        self.assertEqual(self.coordinator.facts.association, 0x22)
        self.assertEqual(len(self.lines("warn")), 1)
        self.stop()

    def test_why_it_is_out(self) -> None:
        """AI is news whenever it is another one, and is said once."""
        self.build()
        self.association(b"\xff")
        self.service.startService()
        self.run_for(5)
        for _ in range(3):
            for reason in (0x22, 0xFF):
                self.association(bytes([reason]))
                self.run_for(2 * JOIN_POLL)
                self.assertEqual(present(self.coordinator.facts).association, reason)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(
            [line.split(". ")[0] for line in self.lines("warn")],
            [
                "The radio is joining: scanning for a network (AI=ff)",
                "The radio is joining: no PAN found that is as SC and ID say (AI=22)",
            ],
        )
        self.stop()

    def say(self, data: bytes) -> None:
        """Let a node say something."""
        self.network.radio.write_frame(ReceivePacket(Address64(1), Address16(2), 1, data))

    def test_joins_while_it_is_up(self) -> None:
        """It was away, and nobody said so: an outage since it was last heard before."""
        for status in (ModemStatusCode.JOINED, ModemStatusCode.COORDINATOR_STARTED):
            self.build(heartbeat=0)
            self.service.startService()
            self.run_for(20)
            self.say(b"x")
            self.run_for(0.01)
            last_heard = self.coordinator.last_frame
            self.run_for(10)
            radio = self.network.radio
            radio.execute("AO", b"\x01")
            self.listener.heard.clear()
            radio.emit_modem_status(status)
            self.run_for(0.5)
            self.assertIn("The radio has just joined its network.", self.listener.heard)
            self.assertEqual(self.coordinator.down_since, last_heard)
            self.assertEqual(len(self.ups()), 1)
            # What it had forgotten is set again.
            self.assertEqual(radio.execute("AO", b"")[1], b"\x00")
            self.stop()

    def move(self, pan_id: int, channel: int) -> None:
        """Let the network be somewhere else."""
        execute = self.network.radio.execute if not hasattr(self, "execute") else self.execute
        self.execute = execute
        answers = {"OP": pan_id.to_bytes(8, "big"), "CH": bytes([channel])}
        self.patch(
            self.network.radio,
            "execute",
            lambda c, p: (0, answers[c]) if c in answers else execute(c, p),
        )

    def where(self) -> tuple[int, int]:
        facts = present(self.coordinator.facts)
        return facts.operating_pan_id, facts.channel

    def test_network_moves(self) -> None:
        """PAN and channel are read anew, and nothing is lost."""
        self.build()
        self.service.startService()
        self.run_for(20)
        self.assertEqual(self.where()[0], self.network.pan_id)
        self.listener.heard.clear()
        for status in (0x3E, 0x3F, 0x40, 0x05):
            self.move(0x1234 + status, 11 + status % 16)
            self.network.radio.emit_modem_status(status)
            self.run_for(0.5)
            self.assertEqual(self.where(), (0x1234 + status, 11 + status % 16))
        self.assertFalse([one for one in self.listener.heard if not isinstance(one, ModemStatus)])
        self.assertIn(
            "The network has PAN 0000000000001273 and channel 26 now.", self.lines("info")
        )
        self.stop()

    def test_network_moves_again_while_it_is_read(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(20)
        self.network.radio.emit_modem_status(0x3F)
        self.run_for(0.002, 0.001)
        self.move(0x77, 12)
        for _ in range(100):
            self.network.radio.emit_modem_status(0x3F)
        self.run_for(0.5)
        self.assertEqual(self.where(), (0x77, 12))
        # A radio that does not tell, and one that is away, surprise nobody.
        self.patch(self.network.radio, "execute", lambda c, p: (1, b""))
        self.network.radio.emit_modem_status(0x3F)
        self.run_for(0.5)
        self.assertEqual(self.where(), (0x77, 12))
        self.network.radio.emit_modem_status(0x3F)
        self.stop()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_news_that_was_read_already(self) -> None:
        """The radio has joined just before it was asked, and says so after that."""
        self.build()
        self.service.startService()
        self.run_for(QUICK)
        self.move(0x55, 14)
        self.listener.heard.clear()
        self.network.radio.emit_modem_status(ModemStatusCode.COORDINATOR_STARTED)
        self.run_for(1)
        self.assertEqual(self.listener.heard, [ModemStatus(ModemStatusCode.COORDINATOR_STARTED)])
        self.assertEqual(self.where(), (0x55, 14))
        self.stop()

    def test_firmware_without_network_addresses(self) -> None:
        """802.15.4 and DigiMesh refuse OP. A 16-bit address may lead to another node there."""
        for refusal in (1, 2):
            self.build()
            radio = self.network.radio
            execute = radio.execute
            self.patch(
                radio,
                "execute",
                lambda c, p, refusal=refusal, execute=execute: (
                    (refusal, b"") if c == "OP" else execute(c, p)
                ),
            )
            radio.execute("ID", b"\x33\x32")
            self.service.startService()
            self.run_for(2)
            self.assertEqual(self.where()[0], 0x3332)
            self.assertEqual(len(self.lines("warn")), 1)
            self.assertIn("not Zigbee's: it refuses OP", self.lines("warn")[0])
            sent: list[Any] = []
            self.coordinator._send = sent.append
            self.coordinator.transmit(Address64(1), b"x", Address16(2)).addErrback(lambda _: None)
            start(self.coordinator.remote_at(Address64(1), "NI", b"", Address16(2))).addErrback(
                lambda _: None
            )
            self.assertEqual([frame.address16 for frame in sent], [UNKNOWN16, UNKNOWN16])
            self.stop()

    def test_left_while_it_is_brought_up(self) -> None:
        """What was read before does not count."""
        self.build()
        self.service.startService()
        self.run_for(0.008, 0.001)
        self.assertEqual(self.ups(), [])
        self.association(b"\x22")
        self.network.radio.emit_modem_status(ModemStatusCode.LEFT)
        self.run_for(0.5)
        (facts,) = self.ups()
        self.assertEqual(facts.association, 0x22)
        self.stop()


class HeartbeatTests(LinkCase):
    """A radio that says nothing."""

    def build(self, api_mode: int = 1, wanted: int | None = None, **settings: Any) -> None:
        super().build(api_mode, wanted, **settings)
        self.asked: list[float] = []
        self.hangs = False
        receive = self.network.radio.receive_bytes

        def watch(data: bytes) -> None:
            if b"AI" in data:
                self.asked.append(self.clock.seconds())
            if not self.hangs:
                receive(data)

        self.patch(self.network.radio, "receive_bytes", watch)
        self.service.startService()
        self.run_for(QUICK)
        self.asked.clear()

    def test_asked_after_silence_only(self) -> None:
        self.build(heartbeat=30.0)
        self.run_for(29, 0.1)
        self.assertEqual(self.asked, [])
        self.run_for(2, 0.1)
        self.assertEqual(len(self.asked), 1)
        # The answer is a frame; the next question comes as long after it.
        self.run_for(120, 0.1)
        self.assertEqual(len(self.asked), 5)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_answer_to_the_second_question_only(self) -> None:
        """It was deaf before, and whoever was busy then is told."""
        self.build(heartbeat=2.0)
        self.run_for(0.1)
        self.hangs = True
        self.run_for(4, 0.1)
        self.hangs = False
        self.listener.heard.clear()
        self.run_for(3, 0.1)
        self.assertEqual(len(self.asked), 2)
        self.assertEqual(self.listener.heard, ["deaf", "heard"])
        self.assertLess(self.coordinator.down_since, self.clock.seconds() - 5)
        self.assertIsNotNone(self.coordinator.facts)
        self.stop()

    def test_silent_then_it_says_something(self) -> None:
        """That it was deaf is said before what it says, and nothing is set up anew."""
        self.build(heartbeat=2.0)
        self.run_for(0.1)
        self.hangs = True
        self.listener.heard.clear()
        self.run_for(6, 0.1)
        self.network.radio.write_frame(ReceivePacket(Address64(1), Address16(2), 1, b"I am here"))
        self.run_for(3, 0.1)
        heard = [one for one in self.listener.heard if one in ("deaf", "heard")]
        self.assertEqual(heard, ["deaf", "heard"])
        self.assertEqual(self.listener.heard[0], "deaf")
        self.assertTrue(any(isinstance(one, ReceivePacket) for one in self.listener.heard))
        self.assertIsNotNone(self.coordinator.facts)
        self.stop()

    def say_something(self, seconds: float, pause: float = 0.5) -> None:
        """Let the radio go on to hand up what nodes say."""
        for _ in range(round(seconds / pause)):
            self.run_for(pause, 0.1)
            self.network.radio.write_frame(ReceivePacket(Address64(1), Address16(2), 1, b"x"))

    def test_asked_while_frames_come(self) -> None:
        """They do not tell that it takes what it is told. An answer does."""
        self.build(heartbeat=2.0)
        self.say_something(60)
        self.assertIn(len(self.asked), range(27, 31))
        self.asked.clear()
        for _ in range(60):
            start(self.coordinator.at("NP"))
            self.run_for(1, 0.1)
        self.assertEqual(self.asked, [])
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_takes_nothing(self) -> None:
        """A radio that hands up frames and answers nothing is not up for ever, and comes back."""
        self.build(heartbeat=30.0)
        self.hangs = True
        self.listener.heard.clear()
        self.say_something(30 + 0.8 * sum(heartbeat.WAITS))
        self.assertIsNotNone(self.coordinator.facts)
        self.assertNotIn("deaf", self.listener.heard)
        # Questions are not piled up in it.
        self.assertLessEqual(len(self.asked), len(heartbeat.WAITS))
        self.say_something(0.3 * sum(heartbeat.WAITS))
        self.assertIsNone(self.coordinator.facts)
        self.assertIn("takes nothing more: it hands up what nodes say", self.lines("warn")[0])
        self.say_something(60)
        self.assertEqual(self.ups(), [])
        self.hangs = False
        self.say_something(5)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(len(self.lines("warn")), 2, self.lines("warn"))
        self.stop()

    def test_busy_for_a_while(self) -> None:
        """It hands up frames, and comes to its commands later: nothing was wrong."""
        self.build(heartbeat=3.0)
        self.listener.heard.clear()
        receive = self.network.radio.receive_bytes
        self.patch(
            self.network.radio,
            "receive_bytes",
            lambda data: self.clock.callLater(20.0, receive, data),
        )
        self.say_something(120)
        self.assertEqual(self.lines("warn"), [])
        self.assertNotIn("deaf", self.listener.heard)
        self.assertIsNotNone(self.coordinator.facts)
        self.stop()

    def test_answers_others(self) -> None:
        """While it answers anybody it is not asked, and not silent if it does not answer AI."""
        self.build(heartbeat=3.0)
        receive = self.network.radio.receive_bytes

        def deaf_to_ai(data: bytes) -> None:
            if b"AI" not in data:
                receive(data)

        self.patch(self.network.radio, "receive_bytes", deaf_to_ai)
        for _ in range(30):
            start(self.coordinator.at("NP"))
            self.run_for(4, 0.1)
        self.assertEqual(self.lines("warn"), [])
        self.stop()

    def test_off(self) -> None:
        self.build(heartbeat=0)
        self.run_for(3600, 1)
        self.assertEqual(self.asked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        # Changed while the radio is up.
        self.service.heartbeat = 10.0
        self.assertEqual(self.service.heartbeat, 10.0)
        self.run_for(11, 0.1)
        self.assertEqual(len(self.asked), 1)
        self.stop()

    def test_silent(self) -> None:
        """Said, brought up again, and the port is opened anew, until the radio is back."""
        self.build(heartbeat=10.0)
        waiting = start(self.coordinator.transmit(self.network.radio.address64, b"1"))
        self.run_for(0.5)
        waiting.addErrback(lambda _: None)
        self.hangs = True
        waiting = start(self.coordinator.at("NP", timeout=1000))
        self.run_for(10 + TRIES * TRY_TIMEOUT + 0.1)
        self.failureResultOf(waiting, RadioOffline)
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "The radio on sim: has fallen silent: it does not even answer AI. The gateway "
                    "tries to set it up again, and opens its port anew if that fails."
                )
            ],
        )
        self.assertIn("fallen silent", self.listener.heard[-1])
        self.assertEqual(self.switch.tries, 1)
        self.run_for(sum(WAITS) + OPEN_RETRY + 0.1)
        self.assertEqual(self.switch.tries, 2)
        self.assertEqual(
            self.lines("warn")[1:],
            [
                (
                    "No radio on sim:: The radio does not answer any more: see that it is "
                    "connected, switched on and still in API mode (AP=1 or AP=2). The gateway "
                    "goes on trying."
                )
            ],
        )
        self.run_for(20)
        self.hangs = False
        self.run_for(LAST_RETRY + WAITS[0] + QUICK)
        self.assertEqual(len(self.ups()), 2)
        self.assertEqual(len(self.lines("warn")), 2)
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent_and_found_at_once(self) -> None:
        """A bring-up that works is all it needs."""
        self.build(heartbeat=10.0)
        self.hangs = True
        self.run_for(10 + TRIES * TRY_TIMEOUT + 0.1)
        self.hangs = False
        self.run_for(1)
        self.assertEqual(len(self.ups()), 2)
        self.assertEqual(self.switch.tries, 1)
        self.stop()

    def test_refused(self) -> None:
        """A firmware without AI answers, which is all that matters."""
        self.build(heartbeat=3.0)
        execute = self.network.radio.execute
        self.patch(
            self.network.radio, "execute", lambda c, p: (2, b"") if c == "AI" else execute(c, p)
        )
        self.run_for(60, 0.1)
        self.assertEqual(self.lines("warn"), [])
        self.assertIn(len(self.asked), (19, 20))
        self.stop()

    def test_only_while_it_is_up(self) -> None:
        self.build(heartbeat=1.0)
        self.switch.error = SerialOpenError("There is no port.")
        self.switch.protocol.transport.abortConnection()
        self.run_for(0.01)
        self.asked.clear()
        self.run_for(60, 0.1)
        self.assertEqual(self.asked, [])
        self.stop()


class SlowRadioTests(LinkCase):
    """A radio that needs its time for each command, or that is far away."""

    def slow_down(self, seconds: float) -> None:
        """Let the radio take one frame after the other, and need so long for each."""
        radio = self.network.radio
        receive = radio.receive_bytes
        self.most_waiting = 0
        waiting: list[bytes] = []

        def take(data: bytes) -> None:
            waiting.append(data)
            self.most_waiting = max(self.most_waiting, len(waiting))
            if len(waiting) == 1:
                self.clock.callLater(seconds, work)

        def work() -> None:
            receive(waiting.pop(0))
            if waiting:
                self.clock.callLater(seconds, work)

        self.patch(radio, "receive_bytes", take)

    def move_away(self, seconds: float) -> None:
        """Let what the radio is told, and what it says, be under way for so long together."""
        receive = self.network.radio.receive_bytes
        self.patch(
            self.network.radio,
            "receive_bytes",
            lambda data: self.clock.callLater(seconds, receive, data),
        )

    def test_slow(self) -> None:
        for seconds, patience in ((0.3, 5.0), (0.5, 8.0), (1.0, 16.0), (3.5, 75.0)):
            self.build()
            self.slow_down(seconds)
            self.service.startService()
            self.run_for(patience, 0.05)
            self.assertEqual(len(self.ups()), 1, seconds)
            self.assertLessEqual(self.switch.tries, 1)
            # What it was asked while it was looked for, and no more than one or two questions.
            self.assertLessEqual(self.most_waiting, 3 + round(seconds / 0.6), seconds)
            self.stop()

    def test_far_away(self) -> None:
        """Comes up in three round trips, and stays up: its answers are late by no clock."""
        for seconds in (1.5, 3.5):
            self.build(heartbeat=30.0)
            self.move_away(seconds)
            self.service.startService()
            self.run_for(3 * seconds + 0.5, 0.05)
            self.assertEqual(len(self.ups()), 1, seconds)
            self.listener.heard.clear()
            self.run_for(300, 0.05)
            self.assertEqual(self.listener.heard, [])
            reading = start(self.coordinator.at("NP"))
            self.run_for(seconds + 0.1, 0.05)
            self.assertTrue(self.successResultOf(reading))
            self.stop()

    def test_quick(self) -> None:
        """It is asked all at once, as a slow line needs it."""
        self.build()
        said: list[bytes] = []
        receive = self.network.radio.receive_bytes
        waits = True

        def hear(data: bytes) -> None:
            said.append(data)
            if not waits or len(said) == 1:
                receive(data)

        self.patch(self.network.radio, "receive_bytes", hear)
        self.service.startService()
        self.run_for(0.5)
        self.assertGreater(len(b"".join(said)), 10 * 8)
        # One answer that was lost does not cost more than before.
        waits = False
        self.run_for(AT_TIMEOUT + FIRST_RETRY + QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_other_api_mode(self) -> None:
        """The late answer to a question is none to what is set."""
        self.build(1, 2, configure=True)
        self.slow_down(0.7)
        self.service.startService()
        self.run_for(20, 0.05)
        (facts,) = self.ups()
        self.assertEqual(facts.api_mode, 2)
        self.assertEqual(self.lines("warn"), [])
        self.stop()


class PortCase(LinkCase):
    """The same on a serial port."""

    def build_port(
        self, radio_rate: int, baud_rate: int | None = None, api_mode: int = 1, **settings: Any
    ) -> None:
        self.clock = Clock()
        self.network = SimulatedNetwork(self.clock, api_mode=api_mode)
        self.radio_rate = radio_rate
        self.ports: list[SimulatedPort] = []

        def open_port(
            protocol: Any, path: str, reactor: Any, baudrate: int, **others: Any
        ) -> SimulatedPort:
            # Before `makeConnection`, as a port does.
            port = SimulatedPort(protocol, self.clock, self.network, baudrate, self.radio_rate)
            self.ports.append(port)
            return port

        line = LineSettings(baud_rate)
        endpoint = SerialEndpoint(self.clock, "/dev/ttyUSB0", line, port_factory=open_port)
        self.start_with(endpoint, settings.pop("wanted", None), **settings)
        self.service.startService()


class RateTests(PortCase):
    """A rate that is to be found out."""

    def test_every_rate_in_both_modes(self) -> None:
        for rate in (9600, 115200, 57600, 38400, 230400, 19200, 4800, 2400, 1200, 460800):
            for api_mode in (1, 2):
                self.build_port(rate, api_mode=api_mode)
                self.run_for(6)
                (facts,) = self.ups()
                self.assertEqual(facts.api_mode, api_mode)
                self.assertEqual(self.service.baud_rate, rate)
                self.assertIn(f"API mode {api_mode}, {rate} baud", self.lines("info")[-1])
                self.assertEqual(self.lines("warn"), [])
                self.stop()
                self.assertIsNone(self.service.baud_rate)

    def test_the_likely_rates_are_quick(self) -> None:
        for rate, seconds in ((9600, 0.1), (115200, 1.0), (57600, 1.4), (230400, 2.3)):
            self.build_port(rate)
            self.run_for(seconds)
            self.assertEqual(self.service.baud_rate, rate)
            self.assertEqual(len(self.ups()), 1)
            self.stop()

    def test_the_last_one_comes_first(self) -> None:
        self.build_port(38400)
        self.run_for(3)
        self.ports[-1].abortConnection()
        self.run_for(OPEN_RETRY + QUICK)
        self.assertEqual(self.ports[-1].tried, [9600, 38400])
        self.assertEqual(len(self.ups()), 2)
        # And the others when it is there no more.
        self.radio_rate = 115200
        self.ports[-1].abortConnection()
        self.run_for(OPEN_RETRY + sum(WAITS) + 2.5)
        self.assertEqual(self.ports[-1].tried, [9600, 38400, 9600, 115200])
        self.assertEqual(len(self.ups()), 3)
        self.stop()

    def test_no_radio_at_any_rate(self) -> None:
        self.build_port(31250)
        self.run_for(7)
        self.assertEqual(
            self.ports[0].tried[:11],
            [9600, 115200, 57600, 38400, 230400, 1200, 2400, 4800, 19200, 460800, 921600],
        )
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "No radio on sim:: The radio does not answer at any rate: it must be an XBee "
                    "in API mode (AP=1 or AP=2); --configure moves a radio in transparent mode to "
                    "API mode. The gateway goes on trying."
                )
            ],
        )
        self.stop()

    def test_rate_that_is_what_all_wait_for(self) -> None:
        """Said once, and again at another rate that is too low; of no line that has no rate."""
        said = (
            "9600 baud carries 6.3 kbit/s of payload, the air 35: this line is what all nodes "
            "together wait for. 57600 baud would do (ATBD6 in the radio, --baud 57600 here)."
        )
        self.build_port(9600)
        self.run_for(1)
        for _ in range(3):
            self.ports[-1].abortConnection()
            self.run_for(1)
        self.assertEqual(len(self.ups()), 4)
        self.assertEqual([line for line in self.lines("info") if "the air" in line], [said])
        self.stop()
        for build in (self.build, lambda: self.build_port(57600)):
            build()
            self.service.startService()
            self.run_for(3)
            self.assertEqual(len(self.ups()), 1)
            self.assertNotIn("the air", "".join(self.lines("info")))
            self.stop()

    def test_rate_that_was_given(self) -> None:
        """It is not left."""
        self.build_port(115200, 57600)
        self.run_for(20)
        for port in self.ports:
            self.assertEqual(port.tried, [57600])
        self.assertIn(
            "does not answer at 57600 baud: it must be an XBee in API mode (AP=1 or AP=2); --baud "
            "auto looks for the rate; --configure",
            self.lines("warn")[0],
        )
        self.stop()

    def test_noise_of_another_rate_is_nobodys_data(self) -> None:
        """At the wrong rate, or before the mode is known, a frame may be none."""
        self.build_port(9600, api_mode=0)
        self.run_for(0.1)
        said = b"\x7e\x00\x0c\x90\x00\x13\xa2\x00\x40\x0a\x3e\xff\x1a\x2b\x01"
        checksum = 0xFF - sum(said[3:]) & 0xFF
        self.network.radio.write(said + bytes([checksum]))
        self.run_for(0.1)
        assert self.service.protocol is not None
        self.assertEqual(self.service.protocol.decoder.good_frames, 1)
        self.assertEqual(self.listener.heard, [])
        self.stop()


class ConfigureTests(PortCase):
    """With --configure, and what is never done without it."""

    def test_transparent_mode(self) -> None:
        for wanted in (None, 1, 2):
            for write_flash in (False, True):
                self.build(0, wanted, configure=True, write_flash=write_flash)
                self.service.startService()
                self.run_for(6)
                (facts,) = self.ups()
                self.assertEqual(facts.api_mode, wanted or 1)
                self.assertEqual(self.network.radio.flash_writes, int(write_flash))
                self.assertIn(
                    f"was in transparent mode and is in API mode {wanted or 1} now"
                    f"{', also when it restarts' if write_flash else ''}.",
                    "\n".join(self.lines("info")),
                )
                self.assertEqual(self.lines("warn"), [])
                self.stop()

    def test_flash_holds_the_mode_and_nothing_else(self) -> None:
        self.build(0, configure=True, write_flash=True)
        self.network.radio.execute("AO", b"\x01")
        self.network.radio.registers.write()
        self.service.startService()
        self.run_for(6)
        self.assertEqual(self.network.radio.execute("AO", b"")[1], b"\x00")
        self.network.radio.registers.restart()
        self.assertEqual(self.network.radio.execute("AO", b"")[1], b"\x01")
        self.assertEqual(self.network.radio.execute("AP", b"")[1], b"\x01")
        self.stop()

    def test_transparent_mode_at_another_rate(self) -> None:
        self.build_port(115200, api_mode=0, configure=True)
        self.run_for(15)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(self.service.baud_rate, 115200)
        self.stop()

    def test_mode_that_is_forgotten(self) -> None:
        """A radio that was without power is in transparent mode again; it is moved at once."""
        self.build_port(115200, api_mode=0, configure=True)
        self.run_for(15)
        self.network.radio.registers.restart()
        self.network.radio.settings_changed({"AP": 1})
        present(present(self.service.protocol).transport).loseConnection()
        self.run_for(6.5)
        self.assertEqual(len(self.ups()), 2)
        self.stop()

    def test_not_asked(self) -> None:
        """Not even ``+++`` is sent."""
        self.build(0)
        calls = record_calls(self, self.network.radio, "receive_bytes")
        self.service.startService()
        self.run_for(60)
        said: list[Any] = [data for (data,) in calls]
        self.assertTrue(said)
        self.assertEqual(set(b"".join(said)), set(said[0]))
        self.assertNotIn(b"+", b"".join(said))
        self.assertEqual(self.network.radio.api_mode, 0)
        self.stop()

    def test_other_api_mode(self) -> None:
        for now, wanted in ((1, 2), (2, 1)):
            for write_flash in (False, True):
                self.build(now, wanted, configure=True, write_flash=write_flash)
                self.service.startService()
                self.run_for(1)
                (facts,) = self.ups()
                self.assertEqual(facts.api_mode, wanted)
                self.assertEqual(self.network.radio.api_mode, wanted)
                self.assertEqual(self.network.radio.flash_writes, int(write_flash))
                self.assertEqual(self.lines("warn"), [])
                self.stop()

    def test_nothing_to_do(self) -> None:
        """A radio that is as it is to be: its flash is not written again."""
        for wanted in (None, 2):
            self.build(2, wanted, configure=True, write_flash=True)
            self.service.startService()
            self.run_for(1)
            self.assertEqual(len(self.ups()), 1)
            self.assertEqual(self.network.radio.flash_writes, 0)
            self.stop()

    def test_mode_is_refused(self) -> None:
        self.build(1, 2, configure=True)
        execute = self.network.radio.execute
        self.patch(
            self.network.radio,
            "execute",
            lambda c, p: (3, b"") if p and c == "AP" else execute(c, p),
        )
        self.service.startService()
        self.run_for(5)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(
            self.lines("warn"),
            [
                "The radio refuses to be set to API mode 2.",
                "The radio is in API mode 1, not 2 as --api-mode says; it is taken as it is.",
            ],
        )
        self.stop()

    def test_flash_is_refused(self) -> None:
        self.build(1, 2, configure=True, write_flash=True)
        execute = self.network.radio.execute
        self.patch(
            self.network.radio, "execute", lambda c, p: (1, b"") if c == "WR" else execute(c, p)
        )
        self.service.startService()
        self.run_for(2)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(
            self.lines("warn"),
            ["The radio refused WR: error; it goes back to its old mode when it restarts."],
        )
        self.stop()

    def test_back_to_transparent_mode(self) -> None:
        """A radio that forgot its mode when it was switched off: it says nothing any more."""
        self.build(0, configure=True, heartbeat=2.0)
        self.service.startService()
        self.run_for(6)
        self.network.radio.settings_changed(self.network.radio.registers.restart())
        self.assertEqual(self.network.radio.api_mode, 0)
        silence = 2 + TRIES * TRY_TIMEOUT
        self.run_for(silence + 2 * (sum(WAITS) + OPEN_RETRY) + 5)
        self.assertEqual([facts.api_mode for facts in self.ups()], [1, 1])
        self.stop()

    def test_radio_that_comes_back_is_not_missed(self) -> None:
        """What was there before is looked for where it was, not everywhere else for half a minute:
        a long outage ends soon after the radio is back.
        """
        self.build_port(115200, configure=True, heartbeat=2.0)
        self.run_for(15)
        self.assertEqual(len(self.ups()), 1)
        for outage in (5, 10, 20, 40, 41, 42, 43, 44):
            self.radio_rate = 0
            for port in self.ports:
                port.radio_rate = 0
            self.run_for(2 + TRIES * TRY_TIMEOUT + outage, 0.05)
            self.radio_rate = 115200
            for port in self.ports:
                port.radio_rate = 115200
            ups = len(self.ups())
            self.run_for(10, 0.05)
            self.assertEqual(len(self.ups()), ups + 1, outage)
        self.stop()

    def test_nobody_there(self) -> None:
        self.build(0, configure=True)
        self.patch(self.network.radio, "receive_bytes", lambda data: None)
        self.service.startService()
        self.run_for(10)
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "No radio on sim:: The radio does not answer, neither to frames nor to +++: "
                    "see that it is an XBee, connected and switched on, and its serial line "
                    "raw, at the radio's rate and without parity. The gateway goes on trying."
                )
            ],
        )
        self.stop()

    def test_stopped_in_the_dialogue(self) -> None:
        self.build(0, configure=True)
        self.service.startService()
        self.run_for(sum(WAITS) + 2)
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
