"""A radio that answers with an error while it is busy: at its start."""

from __future__ import annotations

from typing import Any

from tests.radio.test_service import QUICK, LinkCase
from tests.support import present
from zbtwist.radio.busy_radio import ERRORS, PAUSES
from zbtwist.xbee.status import ATStatus

#: Seconds that a question may take that is answered with an error each time.
ALL_PAUSES = sum(PAUSES)


class BusyRadioCase(LinkCase):
    def refuse(self, times: int, *commands: str, status: int = ATStatus.ERROR) -> None:
        """Answer the first questions of each of these commands, or of all, with that status."""
        execute = self.network.radio.execute
        self.asked: dict[str, int] = {}

        def say(command: str, parameter: bytes) -> Any:
            asked = self.asked[command] = self.asked.get(command, 0) + 1
            if (not commands or command in commands) and asked <= times:
                return status, b""
            return execute(command, parameter)

        self.patch(self.network.radio, "execute", say)


class BusyRadioTests(BusyRadioCase):
    def test_everything_is_an_error_at_first(self) -> None:
        """What it says then is no fact."""
        self.assertGreater(ERRORS, 3)
        for api_mode in (1, 2):
            for times in (1, 3):
                self.build(api_mode)
                radio = self.network.radio
                radio.execute("AO", b"\x01")
                radio.execute("NO", b"\x03")
                radio.execute("NT", b"\x50")
                radio.execute("NP", b"\x00\x40")
                self.refuse(times)
                self.service.startService()
                self.run_for(2 * ALL_PAUSES + 0.5)
                (facts,) = self.ups()
                self.assertEqual(facts.api_mode, api_mode)
                self.assertEqual(facts.address64, radio.address64)
                self.assertEqual(facts.payload_limit, radio.longest_payload)
                self.assertEqual((facts.discovery_time, facts.discovery_options), (8.0, 3))
                self.assertEqual((facts.hardware_version, facts.firmware_version), (0x4241, 0x1012))
                self.assertEqual(facts.operating_pan_id, self.network.pan_id)
                self.assertTrue(facts.is_zigbee)
                self.assertEqual(radio.execute("AO", b"")[1], b"\x00")
                # It is quick: only its start was slow.
                self.assertLess(facts.answer_time, 0.5)
                self.assertEqual(self.lines("warn"), [])
                self.stop()
                self.network.stop()
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_no_network(self) -> None:
        """AI that is not read yet is not "in a network"."""
        self.build()
        self.network.radio.in_network = False
        self.refuse(2, "AI")
        self.service.startService()
        self.run_for(ALL_PAUSES + 0.5)
        self.assertFalse(self.ups()[0].joined)
        self.stop()

    def test_an_error_that_stays_is_believed(self) -> None:
        self.build()
        self.refuse(1000, "OP")
        self.service.startService()
        self.run_for(ALL_PAUSES + 0.5)
        self.assertFalse(self.ups()[0].is_zigbee)
        self.assertEqual(self.asked["OP"], ERRORS)
        self.stop()

    def test_what_it_does_not_know_is_not_asked_again(self) -> None:
        """02 is another answer."""
        self.build()
        self.refuse(1000, "OP", status=ATStatus.INVALID_COMMAND)
        self.service.startService()
        self.run_for(0.5)
        self.assertFalse(self.ups()[0].is_zigbee)
        self.assertEqual(self.asked["OP"], 1)
        self.stop()

    def test_a_radio_that_does_not_say_who_it_is(self) -> None:
        """Each has an address: one that cannot be read is not 0."""
        self.build()
        self.refuse(2 * ERRORS, "SL")
        self.service.startService()
        self.run_for(ALL_PAUSES + 0.2)
        self.assertEqual(self.ups(), [])
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "No radio on sim:: The radio answers SL, its own address, with an error, again "
                    "and again: switch it off and on; if that does not help, load its firmware "
                    "anew with XCTU. The gateway goes on trying."
                )
            ],
        )
        self.run_for(3 * ALL_PAUSES)
        self.assertEqual(self.ups()[0].address64, self.network.radio.address64)
        self.stop()

    def test_mode_that_is_wanted(self) -> None:
        """Setting it, and writing it to flash, can be refused for the same reason."""
        self.build(api_mode=1, wanted=2, configure=True, write_flash=True)
        self.refuse(2, "AP", "WR")
        self.service.startService()
        self.run_for(3 * ALL_PAUSES + 1)
        self.assertEqual(self.ups()[0].api_mode, 2)
        self.assertEqual(self.network.radio.flash_writes, 1)
        self.assertEqual(self.lines("warn"), [])
        self.stop()

    def test_mode_that_it_never_tells(self) -> None:
        """It is taken to be the one that was named, or the one of before."""
        for wanted, expected in ((None, 1), (2, 2)):
            self.build(api_mode=expected, wanted=wanted)
            self.refuse(1000, "AP")
            self.service.startService()
            self.run_for(ALL_PAUSES + 0.5)
            self.assertEqual(self.ups()[0].api_mode, expected)
            self.stop()

    def test_stop_meanwhile(self) -> None:
        for commands in (("AP",), ("SH",), ("WR",)):
            self.build(wanted=2, configure=True, write_flash=True)
            self.refuse(1000, *commands)
            self.service.startService()
            self.run_for(PAUSES[0] + QUICK / 2)
            self.stop()
            self.network.stop()
            self.assertEqual(self.clock.getDelayedCalls(), [], commands)

    def test_network_that_moves(self) -> None:
        """What is read anew then is asked again as well."""
        self.build()
        self.service.startService()
        self.run_for(20, 0.1)
        self.refuse(2, "CH", "OP")
        self.network.channel += 1
        channel = self.network.channel
        self.network.radio.registers.state_fact("CH", channel)
        self.network.radio.emit_modem_status(0x40)
        self.run_for(2 * ALL_PAUSES)
        self.assertEqual(present(self.coordinator.facts).channel, channel)
        self.refuse(1000, "CH")
        self.network.radio.emit_modem_status(0x40)
        self.run_for(PAUSES[0] / 2)
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
