"""Lines that change bytes, and serial servers that close them: what is said, and how often."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.radio.test_service import QUICK, LinkCase, PortCase
from tests.support import present
from zbtwist.radio.line_health import (
    MANY,
    WELL_AFTER,
    WITHIN,
    hang_up,
    is_telnet,
    words_of,
)
from zbtwist.radio.link_work import LAST_REOPEN
from zbtwist.runtime.event_bus import Event
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import ReceivePacket
from zbtwist.xbee.framing import encode
from zbtwist.xbee.status import ModemStatusCode

SERVER = (
    "the serial server must pass on every byte as it is (raw, not telnet; RFC 2217 as "
    "rfc2217:HOST:PORT; no XON/XOFF; 8 data bits, no parity; the radio's rate)"
)
TELNET = (
    "the serial server speaks telnet, which changes bytes: set it to raw, or, if it speaks RFC "
    "2217, write rfc2217:HOST:PORT in place of tcp:HOST:PORT"
)


class HangUpTests(LinkCase):
    """A serial server that accepts and closes at once."""

    def hang_up(self, words: bytes) -> list[float]:
        """Let it do so from now on, after it has said that with the number of the try in place of
        ``%d``; return when it was asked.
        """
        connect = self.switch.connect
        tried: list[float] = []

        def say_no(factory: Any) -> Any:
            tried.append(self.clock.seconds())
            return connect(factory).addCallback(close_soon)

        def close_soon(protocol: Any) -> Any:
            number = len(tried)
            self.clock.callLater(0.01, close, protocol, words.replace(b"%d", b"%d" % number))
            return protocol

        def close(protocol: Any, words: bytes) -> None:
            if words:
                protocol.dataReceived(words)
            protocol.transport.abortConnection()

        self.patch(self.switch, "connect", say_no)
        self.patch(self.network.radio, "receive_bytes", lambda data: None)
        return tried

    def test_port_that_somebody_else_has(self) -> None:
        """What it said is in the one warning, and in the status; the delays grow, and no line is
        written a try.
        """
        self.build()
        tried = self.hang_up(b"Port already in use\r\n")
        self.service.startService()
        self.run_for(120)
        said = (
            "The serial server closes the connection at once, and says: Port already in use. See "
            "that nobody else is connected to it, and that it can open its serial port."
        )
        self.assertEqual(
            self.lines("warn"), [f"No radio on sim:: {said} The gateway goes on trying."]
        )
        self.assertEqual(self.coordinator.offline_reason, said)
        self.assertEqual(self.log.lines("info"), [])
        delays = [after - before for before, after in pairwise(tried)]
        for delay, wanted in zip(delays, [0.3, 0.6, 1.2, 2.4, 4.8, LAST_REOPEN, LAST_REOPEN]):
            self.assertTrue(wanted <= delay < wanted + 0.1, (delay, wanted))
        self.stop()

    def test_without_a_word(self) -> None:
        self.build()
        self.hang_up(b"")
        self.service.startService()
        self.run_for(20)
        (line,) = self.lines("warn")
        self.assertIn("closes the connection at once, without a word. See", line)
        self.stop()

    def test_another_word_each_time_is_one_warning(self) -> None:
        """ser2net says who has the port."""
        self.build()
        tried = self.hang_up(b"In use by 10.0.0.%d\r\n")
        self.service.startService()
        self.run_for(60)
        self.assertEqual(len(self.lines("warn")), 1, self.lines("warn"))
        self.assertIn(f"In use by 10.0.0.{len(tried)}", self.coordinator.offline_reason)
        self.stop()

    def test_it_ends(self) -> None:
        """The next outage begins with short delays, and is said again."""
        self.build()
        receive, connect = self.network.radio.receive_bytes, self.switch.connect
        self.hang_up(b"Port already in use\r\n")
        self.service.startService()
        self.run_for(60)
        self.patch(self.network.radio, "receive_bytes", receive)
        self.patch(self.switch, "connect", connect)
        self.run_for(LAST_REOPEN + QUICK)
        self.assertEqual(len(self.ups()), 1)
        self.assertEqual(self.coordinator.offline_reason, "")
        tried = self.hang_up(b"")
        self.switch.protocol.transport.abortConnection()
        self.run_for(1)
        self.assertGreaterEqual(len(tried), 2)
        self.assertIn("without a word", self.lines("warn")[-1])
        self.stop()

    def test_words(self) -> None:
        self.assertEqual(
            words_of(b"\xff\xfb\x03\xff\xfb\x01Device  open failure: no\r\n"),
            "Device open failure: no",
        )
        for nothing in (b"", b"\x7e\x00", b"OK", b"\xff\xfb\x03", b"\xc3\x28 abcdef", b"ab\x00cd"):
            self.assertEqual(words_of(nothing), "")
        self.assertIn("closes the connection, and says: Bye.", hang_up(b"Bye.\r\n\r\n", False))


class ChangedBytesTests(LinkCase):
    """A line that is set wrongly."""

    def change(self, change: Callable[[bytes], bytes]) -> None:
        """Let the line do that to what comes from the radio."""

        def wrong(protocol: Any) -> Any:
            line = protocol.transport._line.from_radio
            take = line.take
            line.take = lambda data: take(change(data))
            return protocol

        self.when_connected(wrong)

    def when_connected(self, do: Callable[[Any], Any]) -> None:
        connect = self.switch.connect
        self.patch(self.switch, "connect", lambda factory: connect(factory).addCallback(do))

    def test_bring_up_over_a_line_that_takes_bytes(self) -> None:
        """The question by which the radio is looked for has none of them, but its address does."""
        for change, mode in (
            (lambda data: data.replace(b"\x11", b"").replace(b"\x13", b""), 1),
            (lambda data: data.replace(b"\xa2", b"\x22"), 2),
        ):
            self.build(mode)
            self.change(change)
            self.service.startService()
            self.run_for(120)
            self.assertEqual(self.ups(), [])
            said = f"The radio answers, and its frames come damaged: {SERVER}."
            self.assertEqual(self.coordinator.offline_reason, said)
            self.assertEqual(
                self.lines("warn"), [f"No radio on sim:: {said} The gateway goes on trying."]
            )
            self.stop()

    def test_no_frame_at_all(self) -> None:
        for change, said in (
            (
                lambda data: bytes(byte | 0x80 for byte in data),
                (
                    f"Bytes come, and no frame among them: {SERVER}, or the radio is in "
                    "transparent mode (--configure moves it to API mode)."
                ),
            ),
            (
                lambda data: b"\xff\xfd\x2c" + bytes(byte | 0x80 for byte in data),
                f"Bytes come, and no frame among them: {TELNET}.",
            ),
        ):
            self.build()
            self.change(change)
            self.service.startService()
            self.run_for(120)
            self.assertEqual(self.coordinator.offline_reason, said)
            self.assertEqual(len(self.lines("warn")), 1, self.lines("warn"))
            self.stop()

    def say(self, data: bytes) -> None:
        self.network.radio.write_frame(ReceivePacket(Address64(1), Address16(2), 1, data))
        # What a doubled byte leaves over is no beginning of a frame.
        self.run_for(0.5)

    def test_telnet_that_doubles_a_byte(self) -> None:
        """All goes well until somebody says FF."""
        self.build()
        self.change(lambda data: data.replace(b"\xff", b"\xff\xff"))
        self.service.startService()
        self.run_for(1)
        self.assertEqual(len(self.ups()), 1)
        for _ in range(20):
            self.say(b"well")
            self.say(b"\xff\xff\xff")
        said = f"Frames of the radio come damaged again and again: {SERVER}."
        self.assertEqual(
            self.lines("warn"), [f"On sim:: {said} Clients whose bytes were in them are reset."]
        )
        self.assertEqual(self.coordinator.line.problem, said)
        # It is forgotten when it was well for a while, and is news when it comes back.
        self.run_for(WELL_AFTER + 1, 0.1)
        self.assertEqual(self.coordinator.line.problem, "")
        for _ in range(MANY):
            self.say(b"\xff")
        self.assertEqual(len(self.lines("warn")), 2)
        self.stop()

    def test_telnet_that_says_so(self) -> None:
        """It wants to agree on options before the radio says something."""
        self.build()
        self.change(lambda data: data.replace(b"\xff", b"\xff\xff"))

        def negotiate(protocol: Any) -> Any:
            protocol.dataReceived(b"\xff\xfb\x03\xff\xfd\x03\xff\xfb\x00")
            return protocol

        self.when_connected(negotiate)
        self.service.startService()
        self.run_for(1)
        for _ in range(MANY):
            self.say(b"\xff\xff\xff")
        said = f"Frames of the radio come damaged again and again: {TELNET}."
        self.assertEqual(self.coordinator.line.problem, said)
        self.stop()

    def test_noise_now_and_then(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(1)
        for _ in range(4 * MANY):
            present(self.service.protocol).dataReceived(b"noise")
            self.run_for(WITHIN / (MANY - 1) + 0.1, 0.1)
        self.assertEqual(self.lines("warn"), [])
        self.assertEqual(self.coordinator.line.problem, "")
        self.stop()

    def test_another_radio_has_another_line(self) -> None:
        self.build()
        self.service.startService()
        self.run_for(1)
        for _ in range(MANY):
            present(self.service.protocol).dataReceived(b"noise")
        self.assertTrue(self.coordinator.line.problem)
        self.service.replace_endpoint(SimulatorEndpoint(self.clock, self.network), "sim:2", None)
        self.assertEqual(self.coordinator.line.problem, "")
        self.stop()

    def test_telnet(self) -> None:
        self.assertTrue(is_telnet(b"\xff\xfb\x03\xff\xfd\x00"))
        self.assertTrue(is_telnet(b"\xff\xfa\x2c\x6b\xff\xf0"))
        self.assertFalse(is_telnet(encode(b"\x8a\x00", 1)))
        self.assertFalse(is_telnet(b"\xff\xff\xff"))


class NoiseTests(LinkCase):
    def test_xon_before_the_answers(self) -> None:
        """What an adapter adds between frames does not keep the radio from coming up."""
        for mode in (1, 2):
            self.build(mode)
            write = self.network.radio.write
            self.patch(
                self.network.radio, "write", lambda data, write=write: write(b"\x11\x11" + data)
            )
            self.service.startService()
            self.run_for(1)
            self.assertEqual(len(self.ups()), 1)
            self.stop()

    def test_noise_while_the_radio_is_looked_for_is_no_event(self) -> None:
        """It would be all that those read who follow the events."""
        self.build(api_mode=0)
        levels: list[object] = []
        self.bus.subscribe(Event, lambda event: levels.append(event.level))
        self.service.startService()
        self.run_for(1)
        levels.clear()
        for _ in range(100):
            self.network.radio.write(b"noise")
            self.run_for(0.01)
        self.assertEqual(set(levels), {None})
        self.stop()


class PortTests(PortCase):
    def test_chatty_radio_in_transparent_mode(self) -> None:
        """Of a port of this computer, with the rate that is tried; and however much it says, it is
        not asked more often for it than twice.
        """
        self.build_port(9600, 9600, api_mode=0)
        asked: list[bytes] = []
        self.patch(self.network.radio, "receive_bytes", asked.append)
        for _ in range(600):
            self.network.radio.write(b"12.4 V\r\n")
            self.run_for(1, 0.05)
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "No radio on sim:: Bytes come, and no frame among them at 9600 baud: the radio "
                    "is at another rate (--baud auto looks for it), has another parity (NB, "
                    "--parity), or is in transparent mode (--configure moves it to API mode). The "
                    "gateway goes on trying."
                )
            ],
        )
        self.assertLessEqual(len(asked), 3 * 25)
        self.stop()

    def test_radio_at_another_rate_that_is_switched_on(self) -> None:
        """It says so at its own rate, which is no frame at the rate of the pause."""
        self.build_port(31250)
        self.run_for(600, 0.05)
        self.assertEqual(self.ups(), [])
        for port in self.ports:
            port.radio_rate = 57600
        self.network.radio.emit_modem_status(ModemStatusCode.HARDWARE_RESET)
        self.run_for(1.5)
        self.assertEqual(len(self.ups()), 1)
        self.stop()

    def test_at_firmware(self) -> None:
        """It is asked to configure itself less and less, too; and is left as it was."""
        self.build_port(9600, 9600, api_mode=0, configure=True)
        execute = self.network.radio.execute
        self.patch(
            self.network.radio, "execute", lambda c, p: (1, b"") if c == "AP" else execute(c, p)
        )
        asked: list[float] = []
        receive = self.network.radio.receive_bytes

        def note(data: bytes) -> None:
            if data == b"+++":
                asked.append(self.clock.seconds())
            receive(data)

        self.patch(self.network.radio, "receive_bytes", note)
        self.run_for(600, 0.05)
        self.assertIn("load API firmware", self.coordinator.offline_reason)
        self.assertEqual(len(self.lines("warn")), 1)
        self.assertLessEqual(len(asked), 25)
        self.assertGreater(asked[-1] - asked[-2], 60)
        self.stop()
