"""Transparent mode, and the ``+++`` that leads out of it."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.clock import Clock
from tests.simulator.line import Line
from tests.simulator.support import NetworkTestCase, widen
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.xbee.frames import ATCommandResponse


class TransparentTestCase(NetworkTestCase):
    api_mode = 0

    def setUp(self) -> None:
        options = SimulatorOptions(interval=0, api_mode=self.api_mode)
        self.use(options.build(Clock()), self.api_mode)
        self.echo = self.network.node("ECHO")
        widen(self.echo)

    def talk_to_echo(self) -> None:
        """Make the echo node the destination of transparent data."""
        radio = self.network.radio
        radio.registers.store("DH", (self.echo.address64 >> 32).to_bytes(4, "big"))
        radio.registers.store("DL", (self.echo.address64 & 0xFFFFFFFF).to_bytes(4, "big"))
        radio.apply()

    def enter(self) -> None:
        self.line.run(1.0)
        self.assertEqual(self.line.type(b"+++", 1.1), b"OK\r")

    def test_transparent_data(self) -> None:
        self.talk_to_echo()
        data = bytes(range(256)) * 2
        self.assertEqual(self.line.type(data, 1.0), data)
        self.assertEqual(self.echo.heard, data)

    def test_packets_in_transparent_mode(self) -> None:
        """A packet is full, or the line pauses."""
        self.talk_to_echo()
        sizes: list[int] = []
        self.patch(self.echo, "hear", lambda packet: sizes.append(len(packet.data)))
        self.line.type(bytes(100), 0.001)
        self.line.type(bytes(10), 0.1)
        self.assertEqual(sizes, [84, 26])

    def test_restart_drops_unsent_data(self) -> None:
        self.talk_to_echo()
        self.network.radio.execute("FR", b"")
        self.line.run(0.0995)
        self.line.type(b"lost", 1.0)
        self.assertEqual(self.echo.heard, b"")

    def test_no_frames_in_transparent_mode(self) -> None:
        self.network.radio.emit_modem_status(0)
        self.echo.press_button()
        self.echo.emit_sample()
        self.line.run(1.0)
        self.assertEqual(self.line.raw, b"")

    def test_enter(self) -> None:
        """The OK comes a guard time after the third character, not before."""
        self.assertEqual(self.line.type(b"+++", 0.99), b"")
        self.line.run(0.02)
        self.assertEqual(self.line.raw, b"OK\r")

    def test_enter_one_character_at_a_time(self) -> None:
        self.line.type(b"+", 0.3)
        self.line.type(b"+", 0.3)
        self.assertEqual(self.line.type(b"+", 1.1), b"OK\r")

    def test_too_slow(self) -> None:
        self.talk_to_echo()
        self.line.type(b"+", 1.1)
        self.assertEqual(self.line.raw, b"+")
        self.assertEqual(self.line.type(b"++", 1.1), b"++")

    def test_no_silence_before(self) -> None:
        self.talk_to_echo()
        self.line.type(b"data", 0.5)
        self.assertEqual(self.line.type(b"+++", 1.5), b"+++")

    def test_no_silence_after(self) -> None:
        self.talk_to_echo()
        self.line.type(b"+++", 0.9)
        self.assertEqual(self.line.type(b"x", 1.5), b"+++x")

    def test_too_many(self) -> None:
        self.talk_to_echo()
        self.assertEqual(self.line.type(b"++++", 1.5), b"++++")

    def test_other_character_and_guard_time(self) -> None:
        self.enter()
        self.line.type(b"ATCC 23,GT 64,CN\r", 0.05)
        self.assertEqual(self.line.type(b"###", 0.2), b"")
        self.assertEqual(self.line.type(b"+++", 0.2), b"")
        self.assertEqual(self.line.type(b"###", 0.2), b"OK\r")

    def test_dialogue(self) -> None:
        self.enter()
        for command, answer in (
            (b"AT\r", b"OK\r"),
            (b"ATAP\r", b"0\r"),
            (b"ATSH\r", b"13A200\r"),
            (b"atvr\r", b"1012\r"),
            (b"ATNI\r", b"COORDINATOR\r"),
            (b"ATNI My Radio\r", b"OK\r"),
            (b"ATNI\r", b"My Radio\r"),
            (b"ATNT 2f\r", b"OK\r"),
            (b"ATNT\r", b"2F\r"),
            (b"ATNT1\r", b"ERROR\r"),
            (b"ATSL1\r", b"ERROR\r"),
            (b"ATN?\r", b"ERROR\r"),
            (b"ATAPx\r", b"ERROR\r"),
            (b"hello\r", b"ERROR\r"),
            (b"ATAI,AP,NT 30,NT\r", b"0\r0\rOK\r30\r"),
            (b"ATIS\r", b"ERROR\r"),
            (b"ATWR\r", b"OK\r"),
            (b"AT" + b"x" * 1000 + b"\r", b"ERROR\r"),
        ):
            self.assertEqual(self.line.type(command), answer, command)
        self.assertEqual(self.network.radio.flash_writes, 1)

    def test_change_mode(self) -> None:
        """The way every XBee program goes: +++, ATAP1, ATCN, and then frames."""
        self.enter()
        self.assertEqual(self.line.type(b"ATAP1\r"), b"OK\r")
        self.assertEqual(self.network.radio.api_mode, 0)
        self.assertEqual(self.line.type(b"ATCN\r"), b"OK\r")
        self.assertEqual(self.network.radio.api_mode, 1)
        self.line.use_mode(1)
        self.assertEqual(self.line.at("AP"), (0, b"\1"))

    def test_frame_right_behind_the_end(self) -> None:
        self.enter()
        self.line.use_mode(1)
        self.line.type(b"ATAP1,CN\r" + bytes.fromhex("7e 0004 08 01 4150 65"))
        self.assertEqual(self.line.raw[:6], b"OK\rOK\r")
        self.assertEqual(self.line.frames, [ATCommandResponse(1, "AP", 0, b"\1")])

    def test_leave(self) -> None:
        self.talk_to_echo()
        self.enter()
        self.assertEqual(self.line.type(b"ATCN\r"), b"OK\r")
        self.assertEqual(self.line.type(b"data"), b"data")

    def test_timeout(self) -> None:
        """CT counts from the last command; then the radio is back at work, with what was set."""
        self.talk_to_echo()
        self.enter()
        self.line.run(8.0)
        self.assertEqual(self.line.type(b"ATAO1\r", 9.0), b"OK\r")
        self.assertEqual(self.line.type(b"ATAO\r", 9.9), b"1\r")
        self.line.run(0.2)
        self.assertEqual(self.line.type(b"data"), b"data")
        self.assertEqual(self.network.radio.registers.number("AO"), 1)

    def test_deaf_to_the_air(self) -> None:
        self.enter()
        self.line.clear()
        self.echo.send(b"not now")
        self.line.run(0.5)
        self.assertEqual(self.line.raw, b"")

    def test_discovery(self) -> None:
        self.enter()
        node = self.echo
        text = self.line.type(b"ATND ECHO\r", 3.5)
        self.assertEqual(
            text,
            b"%04X\r13A200\r%X\rECHO\rFFFE\r1\r0\rC105\r101E\r\r\r"
            % (node.address16, node.address64 & 0xFFFFFFFF),
        )

    def test_destination_node(self) -> None:
        self.enter()
        self.assertEqual(self.line.type(b"ATDN ECHO\r", 3.5), b"OK\r")
        self.assertEqual(self.line.type(b"ATDN NOBODY\r", 3.5), b"ERROR\r")
        self.line.type(b"ATCN\r")
        self.assertEqual(self.line.type(b"data"), b"data")

    def test_restart_ends_it(self) -> None:
        self.enter()
        self.assertEqual(self.line.type(b"ATAP1,WR,FR\r", 1.0)[:9], b"OK\rOK\rOK\r")
        self.line.use_mode(1)
        self.assertEqual(self.line.at("AP"), (0, b"\1"))


class CommandModeFromAPIModeTests(TestCase):
    def test_enter(self) -> None:
        clock = Clock()
        network = SimulatorOptions(interval=0).build(clock)
        self.addCleanup(network.stop)
        line = Line(network, 1)
        self.assertEqual(line.type(b"+++", 1.1), b"OK\r")
        self.assertEqual(line.type(b"ATAP\r"), b"1\r")
        line.type(b"ATCN\r")
        self.assertEqual(line.at("AP"), (0, b"\1"))
