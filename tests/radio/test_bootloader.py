"""A radio that is in its bootloader, which speaks text."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.radio.test_service import LinkCase, PortCase
from zbtwist.radio.bootloader import bootloader_in
from zbtwist.radio.heartbeat import TRIES, TRY_TIMEOUT
from zbtwist.radio.probe import WAITS

GECKO = b"\r\nGecko Bootloader v1.5.1\r\n1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > "
EMBER = b"\r\nEM357 Serial Btl v5.4.1.0 b123\r\n1. upload ebl\r\n2. run\r\n3. ebl info\r\nBL > "
PROGRAMMABLE = b"\r\nB-Bypass\r\nF-Update App\r\nT-Timeout\r\nV-BL Version\r\nA-App Version\r\n>"

RUN = "send 2 (run) to it from a terminal at 115200 baud"


class SentenceTests(SynchronousTestCase):
    def test_menus(self) -> None:
        for heard, words in (
            (GECKO, "(Gecko Bootloader v1.5.1)"),
            (GECKO[-90:] + GECKO[:10], "(Gecko Bootloader v1.5.1)"),
            (EMBER, "(EM357 Serial Btl v5.4.1.0 b123)"),
            (b"BL > ", "The radio is in its bootloader, and not in its firmware"),
            (b"\r\nBL > \r\nBL > ", RUN),
            (PROGRAMMABLE, "(B-Bypass): switch it off and on, or send the letter B"),
            (b"CCC", "waits for firmware (it sends C again and again"),
            (b"\r\nbegin upload\r\nCCCC", "waits for firmware"),
            (b"\x00" + b"C" * 60, "waits for firmware"),
        ):
            self.assertIn(words, bootloader_in(heard))

    def test_other_bytes(self) -> None:
        for heard in (b"", b"CC", b"XCCC", b"CCC\r\n", b"OK\r", b"20.5 C\r\n", bytes(range(256))):
            self.assertEqual(bootloader_in(heard), "")


class BootloaderTests(LinkCase):
    def into_bootloader(self, says: bytes = GECKO) -> None:
        """It says its menu, and again whatever it is told."""
        radio = self.network.radio
        self.firmware = radio.receive_bytes
        self.patch(radio, "receive_bytes", lambda data: self.clock.callLater(0.01, self.say, says))
        self.say(says)

    def say(self, data: bytes) -> None:
        output = self.network.radio.serial_output
        if output is not None:
            output(data)

    def last_reason(self) -> str:
        return self.coordinator.offline_reason

    def test_from_the_beginning(self) -> None:
        for api_mode in (1, 2):
            for says, words in ((GECKO, RUN), (EMBER, RUN), (PROGRAMMABLE, "B-Bypass")):
                self.build(wanted=api_mode)
                self.into_bootloader(says)
                self.service.startService()
                self.run_for(sum(WAITS) + 1)
                (line,) = self.lines("warn")
                self.assertIn("No radio on sim:: The radio is in ", line)
                self.assertIn(words, line)
                self.assertIn(words, self.last_reason())
                self.stop()

    def test_it_waits_for_firmware(self) -> None:
        """One C a second."""
        self.build()
        self.service.startService()
        self.patch(self.network.radio, "receive_bytes", lambda data: None)
        for _ in range(10):
            self.run_for(1)
            self.say(b"C")
        self.assertIn("waits for firmware", self.last_reason())
        self.assertIn("waits for firmware", self.lines("warn")[-1])
        self.stop()

    def test_a_radio_that_was_up(self) -> None:
        """It is reset into its bootloader; and found when it runs its firmware."""
        self.build(heartbeat=2.0)
        self.service.startService()
        self.run_for(1)
        self.assertEqual(len(self.ups()), 1)
        self.into_bootloader()
        self.run_for(2 + TRIES * TRY_TIMEOUT + sum(WAITS) + 1, 0.05)
        self.assertIn(RUN, self.last_reason())
        self.assertIn(RUN, self.lines("warn")[-1])
        self.patch(self.network.radio, "receive_bytes", self.firmware)
        self.run_for(5)
        self.assertEqual(len(self.ups()), 2)
        self.assertEqual(self.last_reason(), "")
        self.stop()

    def test_another_radio(self) -> None:
        """What hangs at the line now is another one, and it is silent."""
        self.build()
        self.into_bootloader()
        self.service.startService()
        self.run_for(sum(WAITS) + 0.1)
        self.assertIn(RUN, self.last_reason())
        self.patch(self.network.radio, "receive_bytes", lambda data: None)
        self.run_for(sum(WAITS) + 0.5)
        self.assertIn(RUN, self.last_reason())
        self.switch.protocol.transport.abortConnection()
        self.run_for(sum(WAITS) + 2)
        self.assertIn("The radio does not answer", self.last_reason())
        self.stop()

    def test_what_was_said_before_the_last_frame(self) -> None:
        """It began in its bootloader, ran its firmware, and is dumb now."""
        self.build(heartbeat=2.0)
        self.service.startService()
        self.run_for(0.001, 0.001)
        self.say(GECKO)
        self.run_for(1)
        self.assertEqual(len(self.ups()), 1)
        self.network.radio.hang()
        self.run_for(2 + TRIES * TRY_TIMEOUT + sum(WAITS) + 1, 0.05)
        self.assertNotIn("bootloader", self.last_reason())
        self.stop()


class RateTests(PortCase):
    def test_at_its_own_rate(self) -> None:
        """115200 baud, whatever BD is: one of those that are tried, and not the last."""
        for configure in (False, True):
            self.build_port(115200, configure=configure)

            def answer(data: bytes) -> Any:
                # It does not understand what it is told, and shows its menu.
                return self.clock.callLater(0.01, self.say, GECKO)

            self.patch(self.network.radio, "receive_bytes", answer)
            self.run_for(60, 0.05)
            self.assertIn(RUN, self.coordinator.offline_reason)
            self.assertEqual(len(self.lines("warn")), 1, self.lines("warn"))
            self.stop()

    def say(self, data: bytes) -> None:
        output = self.network.radio.serial_output
        if output is not None:
            output(data)

    def test_a_radio_that_was_up_at_another_rate(self) -> None:
        """It is looked for where it was, too, and there it cannot be told."""
        self.build_port(9600, heartbeat=2.0)
        self.run_for(6)
        self.assertEqual(len(self.ups()), 1)
        self.patch(
            self.network.radio,
            "receive_bytes",
            lambda data: self.clock.callLater(0.01, self.say, GECKO),
        )
        self.radio_rate = 115200
        for port in self.ports:
            port.radio_rate = 115200
        self.run_for(120, 0.05)
        seen = 0
        for _ in range(60):
            self.run_for(1, 0.05)
            seen += RUN in self.coordinator.offline_reason
        self.assertGreater(seen, 55)
        self.assertIn(RUN, self.lines("warn")[-1])
        self.stop()
